//! The devnet's calls: their shapes beside the recorded ones, subscriptions, faults and parameters.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hearth_base::Amount;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    golden::{self, text},
    node::{call, post, start},
};
use crate::{Config, Devnet};

#[tokio::test]
async fn errors_have_the_recorded_shapes() {
    let folder = tempfile::tempdir().unwrap();
    let devnet = start(folder.path()).await;
    let recorded = golden::load("chain_light")["errors"].clone();
    let asked = [
        ("block_height_zero", "block", json!({"height": "0"})),
        ("commit_negative", "commit", json!({"height": "-5"})),
        ("tx_unknown", "tx", json!({"hash": STANDARD.encode([0; 32])})),
        ("unknown_method", "nope", json!({})),
        (
            "abci_query_future_height",
            "abci_query",
            json!({
                "path": "store/bank/key", "data": "00", "height": "1000000", "prove": true
            }),
        ),
        (
            "abci_query_unknown_store",
            "abci_query",
            json!({"path": "store/nope/key", "data": "00"}),
        ),
        (
            "abci_query_unknown_path",
            "abci_query",
            json!({"path": "/pocket.shared.Query/Nope", "data": ""}),
        ),
    ];
    for (name, method, params) in asked {
        let answer = post(
            &devnet,
            &json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}),
        )
        .await;
        assert_eq!(answer, recorded[name], "{name}");
    }
    let future = call(&devnet, "commit", json!({"height": "1000000000"}))
        .await
        .unwrap_err();
    let wanted = recorded["commit_future_height"]["error"]["data"]
        .as_str()
        .unwrap()
        .replace("788", "1");
    assert_eq!(future["data"], wanted);
    let garbage = call(
        &devnet,
        "broadcast_tx_sync",
        json!({"tx": STANDARD.encode("garbage")}),
    )
    .await
    .unwrap();
    assert_eq!(
        (&garbage["code"], &garbage["codespace"]),
        (&json!(2), &json!("sdk"))
    );
}

#[tokio::test]
async fn answers_have_the_shapes_of_the_recorded_ones() {
    let folder = tempfile::tempdir().unwrap();
    let devnet = start(folder.path()).await;
    let hash = devnet
        .faucet(&devnet.accounts()[0].address.clone(), Amount::from_upokt(5))
        .unwrap();
    devnet.produce(2).await.unwrap();
    let recorded = golden::load("chain_light");
    let here = &recorded["heights"].as_array().unwrap()[10];
    for (method, wanted) in [
        ("status", &recorded["status"]),
        ("abci_info", &recorded["abci_info"]),
        ("health", &recorded["health"]),
        ("block", &here["block"]),
        ("commit", &here["commit"]),
        ("validators", &here["validators"]),
        ("block_results", &here["block_results"]),
        ("header", &recorded["header_route_sample"]),
    ] {
        let got = call(&devnet, method, json!({"height": "2"})).await.unwrap();
        same_shape(&got, wanted, method);
    }
    let queries = golden::load("chain_queries");
    let tx = call(
        &devnet,
        "tx",
        json!({"hash": STANDARD.encode(hex::decode(&hash).unwrap()), "prove": true}),
    )
    .await;
    let search = queries["search"].as_array().unwrap();
    let recorded_tx = &search.iter().find(|one| one["method"] == "tx").unwrap()["answer"]["result"];
    let tx = tx.unwrap();
    same_shape(&tx, recorded_tx, "tx");
    assert_eq!(text(&tx["hash"]), hash);
    for query in [
        format!("tx.hash='{hash}'"),
        "tx.height=2 AND message.module='bank'".to_owned(),
    ] {
        let found = call(&devnet, "tx_search", json!({"query": query, "prove": false}))
            .await
            .unwrap();
        assert_eq!(found["total_count"], "1", "{query}");
        assert_eq!(text(&found["txs"][0]["hash"]), hash);
    }
}

/// Every field that the recording has is there with the same JSON type. Lists are compared by their first element.
fn same_shape(got: &Value, wanted: &Value, place: &str) {
    match (got, wanted) {
        (Value::Object(got), Value::Object(wanted)) => {
            for (key, wanted) in wanted {
                let found = got.get(key).unwrap_or_else(|| panic!("{place}.{key} is missing"));
                same_shape(found, wanted, &format!("{place}.{key}"));
            }
        }
        (Value::Array(got), Value::Array(wanted)) => {
            if let (Some(got), Some(wanted)) = (got.first(), wanted.first()) {
                same_shape(got, wanted, &format!("{place}[0]"));
            }
        }
        // Null stands for an empty list or text.
        (_, Value::Null) | (Value::Null, _) => {}
        (got, wanted) => {
            assert_eq!(
                std::mem::discriminant(got),
                std::mem::discriminant(wanted),
                "{place}: {got} for {wanted}"
            );
        }
    }
}

#[tokio::test]
async fn batches_and_uris_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let devnet = start(folder.path()).await;
    let batch = post(
        &devnet,
        &json!([
            {"jsonrpc": "2.0", "id": "a", "method": "health"},
            {"jsonrpc": "2.0", "method": "health"},
            {"jsonrpc": "2.0", "id": 2, "method": "block", "params": ["1"]},
        ]),
    )
    .await;
    assert_eq!(batch.as_array().unwrap().len(), 2);
    assert_eq!((&batch[0]["id"], &batch[1]["id"]), (&json!("a"), &json!(2)));
    assert_eq!(batch[1]["result"]["block"]["header"]["height"], "1");
    let get = |path: String| async move { reqwest::get(path).await.unwrap().json::<Value>().await.unwrap() };
    let url = devnet.rpc_url();
    assert_eq!(
        get(format!("{url}/block?height=1")).await["result"]["block"]["header"]["height"],
        "1"
    );
    let path = "%22/cosmos.bank.v1beta1.Query/SupplyOf%22";
    let asked = get(format!("{url}/abci_query?path={path}&data=0x0a0575706f6b74")).await;
    assert_eq!(asked["result"]["response"]["code"], 0, "{asked}");
    assert_eq!(get(format!("{url}/nope")).await["error"]["code"], -32601);
}

#[tokio::test]
async fn a_page_of_another_site_cannot_make_money() {
    let folder = tempfile::tempdir().unwrap();
    let devnet = start(folder.path()).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    // What a page can send to any port without asking: a form or text.
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"devnet_produce","params":{"blocks":1}}"#;
    let before = devnet.height();
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("host", "evil.example"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let call = http
            .post(devnet.rpc_url())
            .header("content-type", "text/plain")
            .header(name, value)
            .body(body);
        assert_eq!(call.send().await.unwrap().status(), 403, "{name}: {value}");
        let socket = http
            .get(format!("{}/websocket", devnet.rpc_url()))
            .header(name, value);
        assert_eq!(socket.send().await.unwrap().status(), 403, "{name}: {value}");
    }
    assert_eq!(devnet.height(), before);
}

#[tokio::test]
async fn faults_happen_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let devnet = start(folder.path()).await;
    devnet.produce(9).await.unwrap();
    let fault = |fault: Value| call(&devnet, "devnet_fault", fault);
    fault(json!({"fault": "skip_blocks", "times": 2})).await.unwrap();
    assert_eq!(devnet.produce(3).await.unwrap().0, 11);
    fault(json!({"fault": {"kind": "rpc_error", "method": "status"}}))
        .await
        .unwrap();
    assert_eq!(
        call(&devnet, "status", json!({})).await.unwrap_err()["code"],
        -32603
    );
    assert!(call(&devnet, "health", json!({})).await.is_ok());
    fault(json!({"clear": "rpc_error"})).await.unwrap();
    fault(json!({"fault": {"kind": "stale_height", "blocks": 5}}))
        .await
        .unwrap();
    let status = call(&devnet, "status", json!({})).await.unwrap();
    assert_eq!(status["sync_info"]["latest_block_height"], "6");
    fault(json!({"fault": {"kind": "wrong_chain_id", "chain_id": "pocket"}}))
        .await
        .unwrap();
    assert_eq!(
        call(&devnet, "status", json!({})).await.unwrap()["node_info"]["network"],
        "pocket"
    );
    fault(json!({"fault": {"kind": "high_fee", "upokt_per_million_gas": 1_000_000}}))
        .await
        .unwrap();
    fault(json!({"fault": {"kind": "rpc_garbage", "method": "block"}}))
        .await
        .unwrap();
    let answer = reqwest::get(format!("{}/block", devnet.rpc_url()))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(answer.starts_with("<html>"));
    let listed = fault(json!({})).await.unwrap();
    assert_eq!(listed["faults"].as_array().unwrap().len(), 4);
    assert!(fault(json!({"fault": "nonsense"})).await.is_err());
    assert_eq!(fault(json!({"clear": true})).await.unwrap()["faults"], json!([]));
}

#[tokio::test]
async fn parameters_change_at_the_next_session() {
    let folder = tempfile::tempdir().unwrap();
    let devnet = start(folder.path()).await;
    devnet.produce(1).await.unwrap();
    let wanted =
        json!({"shared": {"num_blocks_per_session": "6"}, "proof": {"proof_request_probability": 0.5}});
    call(&devnet, "devnet_set_params", wanted).await.unwrap();
    devnet.produce(1).await.unwrap();
    let at = |height: u64| {
        let devnet = &devnet;
        async move {
            let params =
                json!({"path": "/pocket.shared.Query/ParamsAtHeight", "data": format!("08{height:02x}")});
            let answer = call(devnet, "abci_query", params).await.unwrap();
            let bytes = STANDARD.decode(text(&answer["response"]["value"])).unwrap();
            prost::Message::decode(bytes.as_slice())
                .map(|answer: hearth_pocket::message::shared::QueryParamsAtHeightResponse| answer.params)
                .unwrap()
        }
    };
    assert_eq!(at(4).await.num_blocks_per_session, 4);
    let moved = at(5).await;
    assert_eq!(
        (moved.num_blocks_per_session, moved.session_grid_anchor_height),
        (6, 5)
    );
    for refused in [
        json!({"nope": {}}),
        json!({"shared": {"nope": 1}}),
        json!({"shared": {"num_blocks_per_session": "0"}}),
    ] {
        assert!(call(&devnet, "devnet_set_params", refused).await.is_err());
    }
}

/// A WebSocket connection, as much of one as text frames need.
struct Socket(TcpStream);

impl Socket {
    async fn open(url: &str) -> Socket {
        let address = url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET /websocket HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(
            head.starts_with(b"HTTP/1.1 101"),
            "{}",
            String::from_utf8_lossy(&head)
        );
        Socket(stream)
    }

    async fn send(&mut self, message: &Value) {
        let text = message.to_string();
        // A mask of zeros leaves the text as it is.
        let mut frame = vec![0x81, 0x80 | 126];
        frame.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.0.write_all(&frame).await.unwrap();
    }

    async fn receive(&mut self) -> Value {
        let mut kind = self.0.read_u8().await.unwrap();
        // A question whether somebody is there has no content.
        while kind == 0x89 {
            assert_eq!(self.0.read_u8().await.unwrap(), 0);
            self.0.write_all(&[0x8a, 0x80, 0, 0, 0, 0]).await.unwrap();
            kind = self.0.read_u8().await.unwrap();
        }
        assert_eq!(kind, 0x81, "one whole text frame");
        let length = match self.0.read_u8().await.unwrap() {
            126 => u64::from(self.0.read_u16().await.unwrap()),
            127 => self.0.read_u64().await.unwrap(),
            short => u64::from(short),
        };
        let mut text = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut text).await.unwrap();
        serde_json::from_slice(&text).unwrap()
    }
}

/// More connections that send half a request than there are places: the longest-waiting ones make way.
#[tokio::test]
async fn half_open_connections_keep_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let devnet = start(folder.path()).await;
    let mut socket = Socket::open(&devnet.rpc_url()).await;
    let subscribe =
        json!({"jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": {"query": "tm.event='NewBlock'"}});
    socket.send(&subscribe).await;
    socket.receive().await;
    let address = devnet.rpc_url().trim_start_matches("http://").to_owned();
    let mut half_open = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(b"POST / HTTP/1.1\r\nHost: ").await.unwrap();
        half_open.push(stream);
    }
    let asked = call(&devnet, "status", json!({}));
    let status = tokio::time::timeout(Duration::from_secs(20), asked).await;
    assert!(status.expect("it is answered at once").is_ok());
    // Who subscribed is no half-open connection.
    devnet.produce(1).await.unwrap();
    let told = tokio::time::timeout(Duration::from_secs(20), socket.receive()).await;
    assert_eq!(told.unwrap()["id"], 1);
}

/// A client without power answers nothing more, and its connection stays open on its side.
#[tokio::test]
async fn a_socket_whose_client_is_gone_ends() {
    let folder = tempfile::tempdir().unwrap();
    let patient = super::node::config(folder.path());
    let devnet = Devnet::start(Config {
        ask_every: Duration::from_millis(100),
        ..patient
    })
    .await
    .unwrap();
    let mut gone = Socket::open(&devnet.rpc_url()).await;
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), gone.0.read_to_end(&mut bytes));
    ended.await.expect("it ends").unwrap();
    // It was asked before: frames of type 9 without content.
    assert_eq!(bytes, [0x89, 0, 0x89, 0, 0x89, 0]);
}

#[tokio::test]
async fn subscriptions_tell_blocks_and_transactions() {
    let folder = tempfile::tempdir().unwrap();
    let devnet = start(folder.path()).await;
    let recorded = golden::load("chain_websocket");
    let faucet = devnet
        .accounts()
        .iter()
        .find(|account| account.name == "faucet")
        .unwrap()
        .address
        .clone();
    let mut socket = Socket::open(&devnet.rpc_url()).await;
    let queries = [
        "tm.event='NewBlock'".to_owned(),
        "tm.event='NewBlockHeader'".to_owned(),
        format!("tm.event='Tx' AND message.sender='{faucet}'"),
        "tm.event='Tx' AND message.sender='nobody'".to_owned(),
    ];
    for (id, query) in (1..).zip(&queries) {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": "subscribe", "params": {"query": query}});
        socket.send(&request).await;
        assert_eq!(
            socket.receive().await,
            json!({"jsonrpc": "2.0", "id": id, "result": {}})
        );
    }
    let hash = devnet.faucet(&faucet, Amount::from_upokt(1)).unwrap();
    devnet.produce(1).await.unwrap();
    for (id, kind) in [(1, "NewBlock"), (2, "NewBlockHeader"), (3, "Tx")] {
        let told = tokio::time::timeout(Duration::from_secs(10), socket.receive())
            .await
            .unwrap();
        assert_eq!(told["id"], id);
        let kind = format!("tendermint/event/{kind}");
        let is_kind = |one: &&Value| one["message"]["result"]["data"]["type"] == kind.as_str();
        let wanted = recorded["events"]
            .as_array()
            .unwrap()
            .iter()
            .find(is_kind)
            .unwrap();
        same_shape(
            &told["result"]["data"],
            &wanted["message"]["result"]["data"],
            &kind,
        );
        assert_eq!(told["result"]["data"]["type"], kind.as_str());
        if id == 3 {
            assert_eq!(told["result"]["events"]["tx.hash"], json!([hash]));
        }
    }
    socket
        .send(&json!({"jsonrpc": "2.0", "id": 9, "method": "health"}))
        .await;
    assert_eq!(socket.receive().await["result"], json!({}));
}

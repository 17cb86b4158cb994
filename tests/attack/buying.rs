//! On the buyer: suppliers whose answers do not end, and questions beyond what the stake pays.

use std::{
    convert::Infallible,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    response::Response,
};
use futures::{StreamExt as _, stream};
use hearth_base::{Clock, Tasks};
use hearth_pocket::{
    Signer,
    message::{relay::RelayRequest, session::SessionHeader},
    payload::HttpResponse,
    relay::sign_response,
    stream::SEPARATOR,
};
use hearth_tests::{DEMO, FAST, Node, Settings, command};
use hearth_wallet::{Purpose, Wallet};
use prost::Message as _;
use serde_json::{Value, json};

const MIB: usize = 1 << 20;
/// What a node may take over its memory at rest.
const MAY_TAKE: usize = 300 * MIB;
/// What the attacker sends at most; a node that takes it all has failed.
const ENDLESS: usize = 1000 * MIB;

/// What the supplier answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Good,
    /// One body in parts, without end.
    Body,
    /// Events of seven MiB, without end.
    Events,
    /// A part that is all headers.
    Headers,
}

struct Supplier {
    /// The node's own key: the attacker is staked, and all that it sends is signed.
    key: OnceLock<Arc<dyn Signer>>,
    answer: Mutex<Answer>,
    sent: AtomicUsize,
}

async fn answer(State(supplier): State<Arc<Supplier>>, body: Bytes) -> Response {
    let header = RelayRequest::decode(body)
        .ok()
        .and_then(|relay| relay.meta.session_header);
    let (Some(key), Some(header)) = (supplier.key.get(), header) else {
        let mut not_yet = Response::new(Body::empty());
        *not_yet.status_mut() = axum::http::StatusCode::SERVICE_UNAVAILABLE;
        return not_yet;
    };
    let answer = *supplier.answer.lock().unwrap();
    let part = match answer {
        Answer::Good => {
            let body = r#"{"choices":[{"message":{"content":"hello"}}]}"#;
            return Response::new(Body::from(part(
                key.as_ref(),
                header,
                "application/json",
                body.into(),
            )));
        }
        Answer::Body => part(key.as_ref(), header, "application/json", vec![b' '; 8 * MIB]),
        Answer::Events => {
            let text = "x".repeat(7 * MIB);
            let event = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
            part(key.as_ref(), header, "text/event-stream", event.into())
        }
        Answer::Headers => {
            // Fifteen million empty headers: two bytes each on the wire, a hundred in memory.
            let payload = [&b"\x08\xc8\x01"[..], &b"\x12\x00".repeat(15 * MIB)].concat();
            let signed = sign_response(key.as_ref(), header, payload.into()).unwrap();
            [&signed.encode_to_vec()[..], SEPARATOR].concat()
        }
    };
    let part = Bytes::from(part);
    let count = (ENDLESS / part.len()).max(1);
    let count = if answer == Answer::Headers { 1 } else { count };
    let parts = stream::iter(0..count).map(move |_| {
        supplier.sent.fetch_add(part.len(), Ordering::Relaxed);
        Ok::<_, Infallible>(part.clone())
    });
    let mut response = Response::new(Body::from_stream(parts));
    let kind = "text/event-stream".parse().unwrap();
    response.headers_mut().insert("content-type", kind);
    response
}

fn part(key: &dyn Signer, header: SessionHeader, kind: &str, body: Vec<u8>) -> Vec<u8> {
    let payload = HttpResponse {
        status: 200,
        headers: [("Content-Type".to_owned(), vec![kind.to_owned()])].into(),
        body: body.into(),
    };
    let signed = sign_response(key, header, payload.encode()).unwrap();
    [&signed.encode_to_vec()[..], SEPARATOR].concat()
}

/// The key that the node's set-up staked.
fn working_key(data: &Path) -> Arc<dyn Signer> {
    let config = hearth_wallet::Config {
        folder: data.join("keystore"),
        cost: hearth_wallet::Cost::PLAY,
    };
    let wallet = Wallet::open(config, Clock::system()).unwrap();
    let password = std::fs::read_to_string(data.join("keystore/devnet.pass")).unwrap();
    wallet.unlock_working(password.lines().next().unwrap()).unwrap();
    Arc::new(wallet.signer(Purpose::Gateway).unwrap())
}

/// A figure of the process in bytes: `VmRSS` now, `VmHWM` at most so far.
fn memory(node: &Node, figure: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(figure)).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

async fn until_set_up(node: &Node) {
    let done = |status: &Value| status.pointer("/setup/done") == Some(&Value::Bool(true));
    node.wait("/status", Duration::from_secs(120), done)
        .await
        .unwrap();
}

/// Asks over `/v1`, or in a conversation, which keeps what comes.
async fn ask(node: &Node, in_conversation: bool) -> String {
    let model = format!("pocket/{DEMO}");
    let (path, body) = if in_conversation {
        let conversation = node
            .post("/conversations", &json!({ "model": model }))
            .await
            .unwrap();
        let path = format!(
            "/api/v1/conversations/{}/answers",
            conversation["id"].as_str().unwrap()
        );
        (path, json!({ "content": "x", "model": model }))
    } else {
        let messages = json!([{ "role": "user", "content": "x" }]);
        (
            "/v1/chat/completions".to_owned(),
            json!({ "model": model, "messages": messages }),
        )
    };
    let request = node
        .http
        .post(format!("{}{path}", node.url))
        .bearer_auth(&node.token);
    let mut answer = request.json(&body).send().await.unwrap();
    // What was said last; all of it may be large.
    let mut last = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        last.extend_from_slice(&chunk);
        last.drain(..last.len().saturating_sub(4096));
    }
    String::from_utf8_lossy(&last).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_end_are_left_within_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let tasks = Tasks::root();
    let supplier = Arc::new(Supplier {
        key: OnceLock::new(),
        answer: Mutex::new(Answer::Good),
        sent: AtomicUsize::new(0),
    });
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let public_url = format!("http://{}", socket.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(Arc::clone(&supplier));
    tasks.spawn_until_stopped("supplier", async move {
        axum::serve(socket, router).await.unwrap();
    });
    let settings: Vec<(&str, &str)> = FAST
        .iter()
        .copied()
        .chain([("MINER__PUBLIC_URL", public_url.as_str())])
        .collect();
    let node = Node::start(folder.path(), "devnet", &settings).await.unwrap();
    until_set_up(&node).await;
    let key = tokio::task::spawn_blocking({
        let data = node.data.clone();
        move || working_key(&data)
    });
    assert!(supplier.key.set(key.await.unwrap()).is_ok());
    node.ready().await.unwrap();
    let at_rest = memory(&node, "VmRSS");
    for (kind, in_conversation) in [
        (Answer::Body, false),
        (Answer::Headers, false),
        (Answer::Events, false),
        (Answer::Events, true),
    ] {
        *supplier.answer.lock().unwrap() = Answer::Good;
        node.ready().await.unwrap();
        supplier.sent.store(0, Ordering::Relaxed);
        *supplier.answer.lock().unwrap() = kind;
        let said = ask(&node, in_conversation).await;
        let sent = supplier.sent.load(Ordering::Relaxed);
        assert!(sent < 200 * MIB, "{kind:?}: {sent} bytes were taken");
        let ended = if in_conversation { "\"cut\"" } else { "error" };
        assert!(said.contains(ended), "{kind:?}: {said}");
        let took = memory(&node, "VmHWM").saturating_sub(at_rest);
        assert!(took < MAY_TAKE, "{kind:?}: {} MiB", took / MIB);
    }
    // Whoever asks next is served.
    *supplier.answer.lock().unwrap() = Answer::Good;
    node.ready().await.unwrap();
    assert_eq!(node.stop().await.unwrap(), Some(0));
    tasks.stop();
}

/// Calls the devnet's JSON-RPC.
async fn call(node: &Node, method: &str, params: Value) -> Value {
    let text = std::fs::read_to_string(node.data.join("network.toml")).unwrap();
    let file: hearth_node::network::NetworkFile = toml::from_str(&text).unwrap();
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let answer = node
        .http
        .post(file.rpc[0].clone())
        .json(&body)
        .send()
        .await
        .unwrap();
    answer.json().await.unwrap()
}

/// What the application has staked.
async fn stake(node: &Node) -> Option<u128> {
    let balances = node.get("/wallet/balances").await.unwrap();
    let places = balances["places"].as_array().unwrap();
    let place = places.iter().find(|place| place["kind"] == "application")?;
    place["amount"].as_str().unwrap().parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_survives_more_questions_than_its_stake_pays() {
    let folder = tempfile::tempdir().unwrap();
    // A proxy of the environment has no part in what lies on this computer (Y01).
    let mut hearth = command(folder.path(), "devnet", SPENDING).unwrap();
    for name in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ] {
        hearth.env(name, "http://127.0.0.1:9");
    }
    for name in ["NO_PROXY", "no_proxy"] {
        hearth.env_remove(name);
    }
    let node = Node::spawn(hearth, folder.path()).await.unwrap();
    node.ready().await.unwrap();
    let models = node.get("/models").await.unwrap();
    let model = format!("pocket/{DEMO}");
    let listed = models["models"]
        .as_array()
        .unwrap()
        .iter()
        .find(|listed| listed["id"] == model.as_str());
    let price: u128 = listed.unwrap()["price_per_answer"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    // The stake pays for three answers and a bit, those of the set-up included or not.
    let spare = 3 * price + price / 10;
    let min_stake = stake(&node).await.unwrap() - spare;
    let coin = json!({ "denom": "upokt", "amount": min_stake.to_string() });
    let set = call(
        &node,
        "devnet_set_params",
        json!({ "application": { "min_stake": coin } }),
    )
    .await;
    assert!(set.get("error").is_none(), "{set}");
    // The session that runs now was priced before; the next one is not.
    let height = async || {
        node.get("/status").await.unwrap()["head"]["height"]
            .as_u64()
            .unwrap()
    };
    let next = height().await + 10;
    while height().await < next {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let until = next + 32;
    let (mut bought, mut refused) = (0_u128, 0);
    while height().await < until {
        match node.chat(&model, "x", false).await {
            Ok(_) => bought += 1,
            Err(error) if error.to_string().contains("out_of_stake") => refused += 1,
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(refused > 0, "nothing was refused; {bought} were bought");
    assert!(
        bought * price <= spare,
        "{bought} answers were bought for {spare}"
    );
    let left = stake(&node).await;
    assert!(
        left.is_some_and(|left| left >= min_stake),
        "{left:?} of {min_stake} is left"
    );
    assert_eq!(node.stop().await.unwrap(), Some(0));
}

/// Sessions that settle within seconds.
const SPENDING: Settings<'static> = FAST;

//! The devnet as its clients see it: over HTTP and WebSocket, with a light client, after restarts and with faults.

use std::{path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hearth_base::{Amount, Tasks};
use ics23::{
    CommitmentProof, HostFunctionsManager, commitment_proof::Proof, iavl_spec, tendermint_spec,
    verify_membership, verify_non_membership,
};
use prost13::Message as _;
use serde_json::{Value, json};
use tendermint::{
    block::signed_header::SignedHeader,
    validator::{Info, Set},
};
use tendermint_light_client_verifier::{
    ProdVerifier, Verdict, Verifier,
    options::Options,
    types::{TrustThreshold, TrustedBlockState, UntrustedBlockState},
};

use super::golden::{self, text};
use crate::{Account, BlockTime, Blocks, Config, ConfigError, Devnet, Error, Fault, Genesis, Params};

fn config(folder: &Path) -> Config {
    Config::for_tests(folder.join("chain.db"), Tasks::root())
}

async fn start(folder: &Path) -> Devnet {
    Devnet::start(config(folder)).await.unwrap()
}

async fn post(devnet: &Devnet, body: &Value) -> Value {
    hearth_base::tls::init();
    let answer = reqwest::Client::new()
        .post(devnet.rpc_url())
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    answer.json().await.unwrap()
}

async fn call(devnet: &Devnet, method: &str, params: Value) -> Result<Value, Value> {
    let answer = post(
        devnet,
        &json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}),
    )
    .await;
    assert_eq!(answer["id"], 7);
    match answer.get("error") {
        Some(error) => Err(error.clone()),
        None => Ok(answer["result"].clone()),
    }
}

/// A header with its commit and validators, as a light client fetches them.
async fn light_block(devnet: &Devnet, height: u64) -> (SignedHeader, Set) {
    let commit = call(devnet, "commit", json!({"height": height.to_string()}))
        .await
        .unwrap();
    let validators = call(devnet, "validators", json!({"height": height.to_string()}))
        .await
        .unwrap();
    let infos: Vec<Info> = serde_json::from_value(validators["validators"].clone()).unwrap();
    (
        serde_json::from_value(commit["signed_header"].clone()).unwrap(),
        Set::without_proposer(infos),
    )
}

async fn verify(devnet: &Devnet, trusted: u64, target: u64) -> Verdict {
    let (known, known_set) = light_block(devnet, trusted).await;
    let (new, new_set) = light_block(devnet, target).await;
    let options = Options {
        trust_threshold: TrustThreshold::ONE_THIRD,
        trusting_period: Duration::from_secs(14 * 24 * 3600),
        clock_drift: Duration::from_secs(30),
    };
    let header = known.header();
    ProdVerifier::default().verify_update_header(
        UntrustedBlockState {
            signed_header: &new,
            validators: &new_set,
            next_validators: None,
        },
        TrustedBlockState {
            chain_id: &header.chain_id,
            header_time: header.time,
            height: header.height,
            next_validators: &known_set,
            next_validators_hash: header.next_validators_hash,
        },
        &options,
        (new.header().time + Duration::from_secs(1)).unwrap(),
    )
}

#[tokio::test]
async fn a_light_client_follows_in_steps_and_in_leaps() {
    let folder = tempfile::tempdir().unwrap();
    let devnet = start(folder.path()).await;
    devnet
        .faucet(&devnet.accounts()[0].address.clone(), Amount::from_upokt(5))
        .unwrap();
    devnet.produce(60).await.unwrap();
    assert_eq!(devnet.trust().height.0, 1);
    for (trusted, target) in [(1, 2), (2, 3), (1, 40), (3, 61)] {
        assert_eq!(
            verify(&devnet, trusted, target).await,
            Verdict::Success,
            "{trusted} to {target}"
        );
    }
    devnet.fault(Fault::WrongSignature, None);
    assert_ne!(verify(&devnet, 1, 30).await, Verdict::Success);
    devnet.clear_faults();
    devnet.fault(Fault::ForgedHeader, None);
    assert_ne!(verify(&devnet, 1, 30).await, Verdict::Success);
    devnet.clear_faults();
    assert_eq!(verify(&devnet, 1, 30).await, Verdict::Success);
}

/// A proven answer: value and the two proofs, checked against the header after it.
async fn proven(devnet: &Devnet, store: &str, key: &[u8], height: u64) -> Option<Vec<u8>> {
    let params = json!({
        "path": format!("store/{store}/key"), "data": hex::encode(key), "height": height.to_string(), "prove": true
    });
    let response = call(devnet, "abci_query", params).await.unwrap()["response"].clone();
    assert_eq!(response["code"], 0, "{response}");
    assert_eq!(text(&response["height"]), height.to_string());
    let (header, _) = light_block(devnet, height + 1).await;
    let ops = response["proofOps"]["ops"].as_array().unwrap();
    let proof = |op: &Value| {
        CommitmentProof::decode(STANDARD.decode(text(&op["data"])).unwrap().as_slice()).unwrap_or_default()
    };
    assert_eq!(
        [text(&ops[0]["type"]), text(&ops[1]["type"])],
        ["ics23:iavl", "ics23:simple"]
    );
    let of_store = proof(&ops[1]);
    let Some(Proof::Exist(exist)) = &of_store.proof else {
        panic!("{of_store:?}")
    };
    let root = exist.value.clone();
    let app_hash = header.header().app_hash.as_bytes().to_vec();
    let held = verify_membership::<HostFunctionsManager>(
        &of_store,
        &tendermint_spec(),
        &app_hash,
        &store.as_bytes().to_vec(),
        &root,
    );
    assert!(held, "{store} is not under the app hash");
    let value = STANDARD.decode(text(&response["value"])).unwrap();
    let in_store = proof(&ops[0]);
    let held = if value.is_empty() {
        verify_non_membership::<HostFunctionsManager>(&in_store, &iavl_spec(), &root, key)
    } else {
        verify_membership::<HostFunctionsManager>(&in_store, &iavl_spec(), &root, key, &value)
    };
    held.then_some(value)
}

#[tokio::test]
async fn state_is_proven_present_and_absent() {
    let folder = tempfile::tempdir().unwrap();
    let devnet = start(folder.path()).await;
    let owner = Account::named("somebody", Amount::ZERO);
    devnet.faucet(&owner.address, Amount::from_upokt(1234)).unwrap();
    devnet.produce(5).await.unwrap();
    let account = crate::address::parse(&owner.address).unwrap();
    let key = crate::keys::balance(&account, "upokt");
    assert_eq!(
        proven(&devnet, "bank", &key, 4).await.as_deref(),
        Some(&b"1234"[..])
    );
    for (store, absent) in [
        ("bank", &b"zzz"[..]),
        ("acc", b"\x01nobody"),
        ("proof", b"Claim/"),
        ("shared", b"A"),
    ] {
        assert_eq!(
            proven(&devnet, store, absent, 4).await.as_deref(),
            Some(&b""[..]),
            "{store}"
        );
    }
    for height in 1..=4 {
        let hash = proven(&devnet, "session", &crate::keys::block_hash(height), 5)
            .await
            .unwrap();
        assert_eq!(
            hash,
            light_block(&devnet, height).await.0.header().hash().as_bytes()
        );
    }
    devnet.fault(Fault::WrongProof, Some(1));
    assert_eq!(proven(&devnet, "bank", &key, 4).await, None);
    devnet.fault(Fault::WrongValue, Some(1));
    assert_eq!(proven(&devnet, "bank", &key, 4).await, None);
    assert!(proven(&devnet, "bank", &key, 4).await.is_some());
}

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
async fn a_restart_goes_on_with_the_same_chain() {
    let folder = tempfile::tempdir().unwrap();
    let devnet = start(folder.path()).await;
    let somebody = Account::named("somebody", Amount::ZERO);
    devnet.faucet(&somebody.address, Amount::from_upokt(7)).unwrap();
    devnet.produce(30).await.unwrap();
    let before = call(&devnet, "commit", json!({"height": "31"})).await.unwrap();
    devnet.stop();
    devnet.join().await;
    let devnet = start(folder.path()).await;
    assert_eq!(devnet.height().0, 31);
    assert_eq!(
        call(&devnet, "commit", json!({"height": "31"})).await.unwrap(),
        before
    );
    devnet.produce(3).await.unwrap();
    // The state from before is the one that the block after the restart commits to.
    assert_eq!(verify(&devnet, 31, 32).await, Verdict::Success);
    let key = crate::keys::balance(&crate::address::parse(&somebody.address).unwrap(), "upokt");
    for height in [5, 31, 32] {
        assert_eq!(
            proven(&devnet, "bank", &key, height).await.as_deref(),
            Some(&b"7"[..]),
            "{height}"
        );
    }
    let other = Config {
        chain_id: "another".into(),
        ..config(folder.path())
    };
    devnet.stop();
    devnet.join().await;
    assert!(matches!(
        Devnet::start(other).await,
        Err(Error::OtherChain { .. })
    ));
}

/// A block that is cut off anywhere is either whole or not there.
#[tokio::test]
async fn a_block_cut_off_midway_leaves_a_whole_chain() {
    let folder = tempfile::tempdir().unwrap();
    let mut height = 1;
    for micros in (0..16).map(|round| round * 400) {
        let devnet = start(folder.path()).await;
        assert!(devnet.height().0 >= height, "{} after {height}", devnet.height());
        height = devnet.height().0;
        devnet
            .faucet(&devnet.accounts()[0].address.clone(), Amount::from_upokt(1))
            .unwrap();
        let _ = tokio::time::timeout(Duration::from_micros(micros), devnet.produce(3)).await;
        // No orderly end: the next round opens the file as a crash left it.
        devnet.stop();
    }
    let devnet = start(folder.path()).await;
    let last = devnet.produce(2).await.unwrap();
    for target in last.0.saturating_sub(8).max(2)..=last.0 {
        assert_eq!(
            verify(&devnet, target - 1, target).await,
            Verdict::Success,
            "{target}"
        );
    }
}

#[tokio::test]
async fn old_state_is_folded_and_the_chain_still_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let devnet = start(folder.path()).await;
    devnet.produce(1_050).await.unwrap();
    devnet.stop();
    devnet.join().await;
    let devnet = start(folder.path()).await;
    devnet.produce(2).await.unwrap();
    assert_eq!(verify(&devnet, 1_051, 1_052).await, Verdict::Success);
    let hash = proven(&devnet, "session", &crate::keys::block_hash(3), 1_050).await;
    assert_eq!(hash.map(|hash| hash.len()), Some(32));
    let params = json!({"path": "store/bank/key", "data": "00", "height": "10", "prove": true});
    assert_eq!(
        call(&devnet, "abci_query", params).await.unwrap()["response"]["code"],
        7
    );
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

#[tokio::test]
async fn blocks_come_by_themselves_and_the_faucet_waits_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let genesis = Genesis::with_actors(Params::for_tests(), &["http://127.0.0.1:1".to_owned()]);
    let config = Config {
        blocks: Blocks::Every(Duration::from_millis(50)),
        genesis,
        ..config(folder.path())
    };
    let devnet = Devnet::start(config).await.unwrap();
    let somebody = Account::named("somebody", Amount::ZERO);
    let params = json!({"address": somebody.address, "amount": "5000000"});
    let paid = call(&devnet, "devnet_faucet", params).await.unwrap();
    assert!(golden::number(&paid["height"]) > 1, "{paid}");
    let application = devnet
        .accounts()
        .iter()
        .find(|account| account.name == "application")
        .unwrap();
    let request = hearth_pocket::message::session::QueryGetSessionRequest {
        application_address: application.address.clone(),
        service_id: "ai-inference".to_owned(),
        block_height: 0,
    };
    let data = hex::encode(prost::Message::encode_to_vec(&request));
    let params = json!({"path": "/pocket.session.Query/GetSession", "data": data});
    let session = call(&devnet, "abci_query", params).await.unwrap();
    assert_eq!(session["response"]["code"], 0, "{session}");
    devnet.stop();
    tokio::time::timeout(Duration::from_secs(5), devnet.join())
        .await
        .unwrap();
}

#[tokio::test]
async fn what_cannot_work_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |change: fn(&mut Config)| {
        let mut config = config(folder.path());
        change(&mut config);
        config.check().unwrap_err()
    };
    assert_eq!(
        refused(|config| config.chain_id = "pocket".into()),
        ConfigError::MainNetworkId
    );
    assert_eq!(
        refused(|config| config.blocks = Blocks::Every(Duration::ZERO)),
        ConfigError::TooFast
    );
    assert!(matches!(
        refused(|config| config.genesis.params.shared.claim_window_open_offset_blocks = 0),
        ConfigError::Params(_)
    ));
    let devnet = start(folder.path()).await;
    let taken = devnet.rpc_url().trim_start_matches("http://").parse().unwrap();
    let other = tempfile::tempdir().unwrap();
    let config = Config {
        listen: taken,
        ..config(other.path())
    };
    assert!(matches!(Devnet::start(config).await, Err(Error::Listen { .. })));
}

#[tokio::test]
async fn simulated_time_goes_in_steps() {
    let folder = tempfile::tempdir().unwrap();
    let time = BlockTime::Simulated {
        start_ms: 1_800_000_000_000,
        step: Duration::from_secs(60),
    };
    let devnet = Devnet::start(Config {
        time,
        ..config(folder.path())
    })
    .await
    .unwrap();
    devnet.produce(2).await.unwrap();
    let (third, _) = light_block(&devnet, 3).await;
    assert_eq!(third.header().time.unix_timestamp(), 1_800_000_120);
    assert!(devnet.network_toml().contains("chain_id = \"hearth-devnet\""));
}

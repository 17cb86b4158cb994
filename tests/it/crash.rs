//! `kill -9` at random points over sessions: no answer whose last byte arrived is lost, none is claimed twice.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use hearth_tests::{DEMO, Node, PATIENT, free_port};
use rand::RngExt as _;
use serde_json::Value;

/// How often the node is killed; `make test-long` asks for more.
const KILLS: usize = 20;
/// Answers that are asked for at once.
const READERS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn no_answered_relay_is_lost_and_none_is_claimed_twice() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // The supplier's URL is staked, so its port stays the same over all starts.
    let miner = format!("127.0.0.1:{}", free_port().unwrap());
    let mut node = start(&data, &miner).await;
    node.ready().await.unwrap();
    let mut arrived: u64 = 1;
    let mut in_flight: u64 = 0;
    for round in 0..n_kills() {
        let asking = Asking::begin(&node);
        let pause = Duration::from_millis(rand::rng().random_range(100..1500));
        tokio::time::sleep(pause).await;
        in_flight += READERS as u64;
        node.kill().unwrap();
        arrived += asking.end().await;
        node = start(&data, &miner).await;
        // The chain goes on, so the session may have changed; every few rounds one is waited for.
        if round % 4 == 3 {
            node.ready().await.unwrap();
            arrived += 1;
        }
    }
    node.ready().await.unwrap();
    arrived += 1;

    // Every session comes to an end: nothing hangs, no claim and no proof was missed.
    let sessions = settled(&node).await;
    let told: u64 = sessions
        .iter()
        .filter_map(|session| session["answers"].as_u64())
        .sum();
    // The node's own count is checked by the chain's, which pays by it.
    let claims = events(&node, "pocket.proof.EventClaimCreated").await;
    let claimed: u64 = claims.iter().map(|claim| number(claim, "num_relays")).sum();
    assert_eq!(claims.len(), sessions.len(), "one claim for each session");
    assert_eq!(
        claimed, told,
        "the chain counts {claimed} answers, the node tells of {told}"
    );
    assert!(
        claimed >= arrived,
        "{arrived} answers arrived whole, only {claimed} were claimed"
    );
    assert!(
        claimed <= arrived + in_flight,
        "{claimed} answers were claimed, {arrived} arrived and at most {in_flight} were in flight at the kills"
    );
    no_leaf_twice(&node, &sessions).await;
    assert_eq!(failed_transactions(&node).await, Vec::<String>::new());
}

fn n_kills() -> usize {
    #[allow(clippy::disallowed_methods, reason = "a test's own setting")]
    let wanted = std::env::var("TEST_KILLS");
    wanted.map_or(KILLS, |text| text.parse().expect("TEST_KILLS is a number"))
}

async fn start(data: &std::path::Path, miner: &str) -> Node {
    let command = hearth_tests::command_at(data, "devnet", PATIENT, miner).unwrap();
    Node::spawn(command, data).await.unwrap()
}

/// Readers that ask again and again until they are told to stop.
struct Asking {
    stop: Arc<AtomicBool>,
    arrived: Arc<AtomicU64>,
    readers: Vec<tokio::task::JoinHandle<()>>,
}

impl Asking {
    fn begin(node: &Node) -> Asking {
        let (stop, arrived) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let readers = (0..READERS).map(|reader| {
            let (stop, arrived) = (Arc::clone(&stop), Arc::clone(&arrived));
            let (http, url, token) = (node.http.clone(), node.url.clone(), node.token.clone());
            #[allow(clippy::disallowed_methods, reason = "joined in Asking::end")]
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let body = serde_json::json!({
                        "model": format!("pocket/{DEMO}"),
                        "messages": [{ "role": "user", "content": "hello" }],
                        "stream": reader % 2 == 0,
                    });
                    let answer = http
                        .post(format!("{url}/v1/chat/completions"))
                        .bearer_auth(&token)
                        .json(&body)
                        .send();
                    // An answer counts when its last byte is here.
                    let whole = match answer.await {
                        Ok(answer) if answer.status().is_success() => match answer.text().await {
                            Ok(text) if reader % 2 == 0 => {
                                text.trim_end().ends_with("[DONE]") && !text.contains("\"error\"")
                            }
                            Ok(text) => serde_json::from_str::<Value>(&text)
                                .is_ok_and(|value| value["choices"].is_array()),
                            Err(_) => false,
                        },
                        Ok(_) | Err(_) => false,
                    };
                    if whole {
                        arrived.fetch_add(1, Ordering::SeqCst);
                    } else {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            })
        });
        Asking {
            readers: readers.collect(),
            stop,
            arrived,
        }
    }

    async fn end(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        for reader in self.readers {
            reader.await.unwrap();
        }
        self.arrived.load(Ordering::SeqCst)
    }
}

/// Waits until every session with an answer is settled. One in which every answer was broken off by a kill has nothing
/// to claim and is skipped.
async fn settled(node: &Node) -> Vec<Value> {
    let began = std::time::Instant::now();
    loop {
        let mut sessions = all(node, "/earning/sessions", "sessions").await;
        sessions.retain(|session| !(session["state"] == "skipped" && session["answers"] == 0));
        let open = sessions.iter().find(|session| session["state"] != "settled");
        if open.is_none() && !sessions.is_empty() {
            return sessions;
        }
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "not all sessions settle: {open:#?}\n{}",
            hearth_tests::tail(&node.data.join(".test-log"))
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A whole list of the API, which gives at most 500 items at once.
async fn all(node: &Node, path: &str, key: &str) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let page = node
            .get(&format!("{path}?limit=500&offset={}", all.len()))
            .await
            .unwrap();
        let items = page[key].as_array().unwrap();
        all.extend(items.iter().cloned());
        if items.is_empty() || all.len() as u64 >= page["total"].as_u64().unwrap() {
            return all;
        }
    }
}

/// The transactions of the chain, block by block, each as `block_results` tells of it.
async fn transactions(node: &Node) -> Vec<Value> {
    let text = std::fs::read_to_string(node.data.join("network.toml")).unwrap();
    let file: hearth_node::network::NetworkFile = toml::from_str(&text).unwrap();
    let rpc = file.rpc[0].clone();
    let call = async |method: &str, params: Value| -> Value {
        let body = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = node.http.post(rpc.clone()).json(&body).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["result"].take()
    };
    let status = call("status", serde_json::json!({})).await;
    let head = status["sync_info"]["latest_block_height"]
        .as_str()
        .unwrap()
        .parse::<u64>()
        .unwrap();
    let mut found = Vec::new();
    for height in 1..=head {
        let params = serde_json::json!({ "height": height.to_string() });
        let block = call("block_results", params).await;
        found.extend(block["txs_results"].as_array().into_iter().flatten().cloned());
    }
    found
}

/// What the chain said of the transactions that failed.
async fn failed_transactions(node: &Node) -> Vec<String> {
    let failed = transactions(node).await.into_iter().filter(|tx| tx["code"] != 0);
    failed.map(|tx| tx["log"].to_string()).collect()
}

/// All events of a kind that transactions of the chain caused, in order.
async fn events(node: &Node, kind: &str) -> Vec<Value> {
    let txs = transactions(node).await;
    let events = txs
        .iter()
        .filter(|tx| tx["code"] == 0)
        .filter_map(|tx| tx["events"].as_array())
        .flatten();
    events.filter(|event| event["type"] == kind).cloned().collect()
}

/// A number among an event's attributes, whose values are JSON.
fn number(event: &Value, key: &str) -> u64 {
    let attributes = event["attributes"].as_array().unwrap();
    let attribute = attributes
        .iter()
        .find(|attribute| attribute["key"] == key)
        .unwrap_or_else(|| panic!("{key} is missing: {event:#}"));
    let value = attribute["value"].as_str().unwrap();
    value.trim_matches('"').parse().unwrap()
}

/// Hashes of relays over all sessions are distinct.
async fn no_leaf_twice(node: &Node, sessions: &[Value]) {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for session in sessions {
        let id = session["id"].as_str().unwrap();
        let relays = all(node, &format!("/earning/sessions/{id}/relays"), "relays").await;
        assert_eq!(relays.len() as u64, session["answers"].as_u64().unwrap());
        for relay in relays {
            let hash = relay["hash"].as_str().unwrap().to_owned();
            let before = seen.insert(hash.clone(), id.to_owned());
            assert_eq!(before, None, "relay {hash} is in two sessions");
        }
    }
    assert!(!seen.is_empty());
}

/// Killed while its claim is in a block and its proof is not: the proof is made at the next start, once.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_killed_between_claim_and_proof_is_paid() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let miner = format!("127.0.0.1:{}", free_port().unwrap());
    let node = start(&data, &miner).await;
    node.ready().await.unwrap();
    let is_claimed = |session: &Value| session["state"] == "claim_included";
    let sessions = node
        .wait("/earning/sessions", Duration::from_secs(60), |sessions| {
            sessions["sessions"]
                .as_array()
                .is_some_and(|list| list.iter().any(is_claimed))
        })
        .await
        .unwrap();
    let list = sessions["sessions"].as_array().unwrap();
    let session = list.iter().find(|session| is_claimed(session)).unwrap().clone();
    assert!(session["proof_tx"].is_null(), "{session:#}");
    node.kill().unwrap();

    let node = start(&data, &miner).await;
    let sessions = settled(&node).await;
    let after = sessions.iter().find(|one| one["id"] == session["id"]).unwrap();
    assert_eq!(after["claim_tx"], session["claim_tx"]);
    assert!(!after["proof_tx"].is_null(), "{after:#}");
    assert!(!after["settled_height"].is_null(), "{after:#}");
    let end = session["end_height"].as_u64().unwrap();
    let n_events = async |kind: &str| {
        let events = events(&node, kind).await;
        let of_session = events
            .iter()
            .filter(|event| number(event, "session_end_block_height") == end);
        of_session.count()
    };
    assert_eq!(n_events("pocket.proof.EventClaimCreated").await, 1);
    assert_eq!(n_events("pocket.proof.EventProofSubmitted").await, 1);
    assert_eq!(n_events("pocket.proof.EventClaimUpdated").await, 0);
    assert_eq!(n_events("pocket.proof.EventProofUpdated").await, 0);
    assert_eq!(node.stop().await.unwrap(), Some(0));
}

/// The first start makes the databases, the wallet and the stakes. Killed anywhere in it, the next start goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_is_killed_anywhere_goes_on_at_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir_all(&data).unwrap();
    let miner = format!("127.0.0.1:{}", free_port().unwrap());
    for kill in 0..12 {
        let mut command = hearth_tests::command_at(&data, "devnet", PATIENT, &miner).unwrap();
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(data.join(".test-log"))
            .unwrap();
        let mut child = command
            .stdout(std::process::Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        // The first kills fall into the migrations, the later ones into the set-up.
        let pause = rand::rng().random_range(0..=(40 * (kill + 1)));
        tokio::time::sleep(Duration::from_millis(pause)).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let node = start(&data, &miner).await;
    node.ready().await.unwrap();
    assert_eq!(node.stop().await.unwrap(), Some(0));
}

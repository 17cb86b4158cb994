//! `kill -9` at random points over sessions: no answer whose last byte arrived is lost, none is claimed twice.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use hearth_tests::{DEMO, Node, Settings, free_port};
use rand::RngExt as _;
use serde_json::Value;

/// How often the node is killed.
const KILLS: usize = 20;
/// Windows that stay open longer than a node takes to come back: the embedded chain makes blocks as soon as it is up.
const SETTINGS: Settings<'static> = &[
    ("DEVNET__BLOCK_MS", "250"),
    ("DEVNET__SESSION_BLOCKS", "8"),
    ("DEVNET__GRACE_BLOCKS", "1"),
    ("DEVNET__CLAIM_OPEN_BLOCKS", "1"),
    ("DEVNET__CLAIM_CLOSE_BLOCKS", "40"),
    ("DEVNET__PROOF_OPEN_BLOCKS", "0"),
    ("DEVNET__PROOF_CLOSE_BLOCKS", "40"),
    ("MINER__BACKEND", "null"),
];
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
    for round in 0..KILLS {
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
    let done = |sessions: &Value| {
        let list = sessions["sessions"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        !list.is_empty() && list.iter().all(|session| session["state"] == "settled")
    };
    let sessions = node
        .wait("/earning/sessions", Duration::from_secs(120), done)
        .await
        .unwrap();
    let claimed: u64 = sum(&sessions, "answers");
    assert!(
        claimed >= arrived,
        "{arrived} answers arrived whole, only {claimed} were claimed"
    );
    assert!(
        claimed <= arrived + in_flight,
        "{claimed} answers were claimed, {arrived} arrived and at most {in_flight} were in flight at the kills"
    );
    no_leaf_twice(&node, &sessions).await;
}

async fn start(data: &std::path::Path, miner: &str) -> Node {
    let command = hearth_tests::command_at(data, "devnet", SETTINGS, miner).unwrap();
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

fn sum(sessions: &Value, key: &str) -> u64 {
    sessions["sessions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|session| session[key].as_u64())
        .sum()
}

/// Hashes of relays over all sessions are distinct.
async fn no_leaf_twice(node: &Node, sessions: &Value) {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for session in sessions["sessions"].as_array().into_iter().flatten() {
        let id = session["id"].as_str().unwrap();
        let relays = node
            .get(&format!("/earning/sessions/{id}/relays?limit=100000"))
            .await
            .unwrap();
        for relay in relays["relays"].as_array().into_iter().flatten() {
            let hash = relay["hash"].as_str().unwrap().to_owned();
            let before = seen.insert(hash.clone(), id.to_owned());
            assert_eq!(before, None, "relay {hash} is in two sessions");
        }
    }
    assert!(!seen.is_empty());
}

/// The first start makes the databases, the wallet and the stakes. Killed anywhere in it, the next start goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_is_killed_anywhere_goes_on_at_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir_all(&data).unwrap();
    let miner = format!("127.0.0.1:{}", free_port().unwrap());
    for kill in 0..12 {
        let mut command = hearth_tests::command_at(&data, "devnet", SETTINGS, &miner).unwrap();
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(data.join("test-log"))
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

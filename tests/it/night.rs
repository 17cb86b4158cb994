//! A computer that was off for a night: what is still open when it comes back is claimed and proven at once, before the
//! blocks of the night are made up for; and it says what is due when it is asked to stop.

use std::{path::Path, time::Duration};

use hearth_base::Tasks;
use hearth_devnet::{Config, Devnet, Fault};
use hearth_tests::{DEMO, Node};
use serde_json::Value;

/// Windows that are open for longer than the night.
const SLOW: hearth_tests::Settings<'static> = &[
    ("DEVNET__BLOCK_MS", "250"),
    ("DEVNET__SESSION_BLOCKS", "8"),
    ("DEVNET__GRACE_BLOCKS", "1"),
    ("DEVNET__CLAIM_OPEN_BLOCKS", "100"),
    ("DEVNET__CLAIM_CLOSE_BLOCKS", "160"),
    ("DEVNET__PROOF_OPEN_BLOCKS", "0"),
    ("DEVNET__PROOF_CLOSE_BLOCKS", "160"),
    ("MINER__BACKEND", "null"),
];
/// Longer than until claims open, so that none is made in the evening, however slow the computer is.
const NIGHT: u64 = 120;
const PATIENCE: Duration = Duration::from_secs(120);

/// The chain of a node that is off.
async fn chain_of(data: &Path, tasks: &Tasks) -> Devnet {
    let config = Config::for_tests(data.join("devnet.db"), tasks.clone());
    let devnet = Devnet::start(config).await.unwrap();
    std::fs::write(data.join("of-the-night.toml"), devnet.network_toml()).unwrap();
    // Elsewhere than on an embedded chain the owner says what is sold.
    let sold = format!("[miner]\nbackend = \"null\"\n[miner.services]\n{DEMO} = \"{DEMO}\"\n");
    std::fs::write(data.join("config.toml"), sold).unwrap();
    devnet
}

/// Starts the node on that chain.
async fn wake(data: &Path) -> Node {
    let network = data.join("of-the-night.toml");
    Node::start(data, network.to_str().unwrap(), &[]).await.unwrap()
}

/// Waits until every session has one of these states, and returns them.
async fn all_in(node: &Node, states: &[&str]) -> Vec<Value> {
    let list = node
        .wait("/earning/sessions", PATIENCE, |list| {
            list["sessions"]
                .as_array()
                .is_some_and(|sessions| sessions.iter().all(|session| is_in(session, states)))
        })
        .await
        .unwrap();
    list["sessions"].as_array().unwrap().clone()
}

/// Makes block after block until every session has one of these states: a state is written down before its transaction
/// is sent, so that the first block may be made without it.
async fn blocks_until(devnet: &Devnet, node: &Node, states: &[&str]) {
    let produce = async {
        loop {
            devnet.produce(1).await.unwrap();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        _ = all_in(node, states) => {}
        () = produce => {}
    }
}

fn is_in(session: &Value, states: &[&str]) -> bool {
    states.iter().any(|state| session["state"] == *state)
}

/// Whether earning is said to have a reason or a note.
fn has(status: &Value, code: &str) -> bool {
    ["/earning/reasons", "/earning/notes"]
        .iter()
        .filter_map(|list| status.pointer(list)?.as_array())
        .flatten()
        .any(|reason| reason["code"] == code)
}

fn height_of(sessions: &[Value], key: &str) -> u64 {
    sessions
        .iter()
        .filter_map(|session| session[key].as_u64())
        .max()
        .unwrap()
}

/// Makes blocks up to a height.
async fn reach(devnet: &Devnet, height: u64) {
    let blocks = height.saturating_sub(devnet.height().0);
    devnet.produce(blocks).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_night_what_is_open_is_claimed_before_the_blocks_are_made_up_for() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let node = Node::start(&data, "devnet", SLOW).await.unwrap();
    node.ready().await.unwrap();
    node.chat(&format!("pocket/{DEMO}"), "hello", true).await.unwrap();
    assert_eq!(node.stop().await.unwrap(), Some(0));

    let tasks = Tasks::root();
    let devnet = chain_of(&data, &tasks).await;
    devnet.produce(NIGHT).await.unwrap();
    // The events of blocks never come: whoever waits for them claims nothing.
    let never = Fault::RpcDelay {
        method: Some("block_results".to_owned()),
        delay_ms: 3_600_000,
    };
    devnet.fault(never, None);
    let node = wake(&data).await;
    let sessions = all_in(&node, &["claim_sent"]).await;
    assert!(!sessions.is_empty(), "the answers of the evening are there");
    blocks_until(&devnet, &node, &["claim_included"]).await;

    // Stopping now may cost the answers and a part of the stake, and that is said.
    assert_eq!(node.stop().await.unwrap(), Some(0));
    let log = std::fs::read_to_string(data.join(".test-log")).unwrap();
    assert!(
        log.contains("stopping all the same") && log.contains("the chain takes a part of the stake"),
        "{log}"
    );

    // Another night, up to the middle of the window for proofs.
    reach(&devnet, height_of(&sessions, "proof_opens") + 2).await;
    let node = wake(&data).await;
    all_in(&node, &["proof_sent", "proof_not_required"]).await;
    blocks_until(&devnet, &node, &["proof_included", "proof_not_required"]).await;
    devnet.clear_faults();
    reach(&devnet, height_of(&sessions, "proof_closes") + 4).await;
    for session in all_in(&node, &["settled"]).await {
        assert!(
            !session["settled"].is_null(),
            "what was paid is known: {session:#}"
        );
    }

    // Where nobody answers for the chain, that alone stands in the way: the stake is what it was.
    devnet.fault(Fault::RpcError { method: None }, None);
    let status = node
        .wait("/status", PATIENCE, |status| has(status, "chain_unreachable"))
        .await
        .unwrap();
    assert!(
        !has(&status, "no_staked_service") && !has(&status, "needs_stake"),
        "{:#}",
        status["earning"]
    );
    assert_eq!(node.stop().await.unwrap(), Some(0));
    devnet.stop();
    devnet.join().await;
}

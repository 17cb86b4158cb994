//! The configuration, changed from the command line with and without a running node, and the new start.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use hearth_tests::{FAST, Node};
use serde_json::{Value, json};

fn hearth(data: &Path, args: &[&str]) -> (Option<i32>, Value) {
    let output = Command::new(hearth_tests::program().unwrap())
        .arg("--data-dir")
        .arg(data)
        .args(args)
        .arg("--json")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let json = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!(
            "{args:?}: {error}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        )
    });
    (output.status.code(), json)
}

fn setting<'a>(page: &'a Value, key: &str) -> &'a Value {
    let settings = page["settings"].as_array().unwrap();
    settings
        .iter()
        .find(|setting| setting["key"] == key)
        .unwrap_or_else(|| panic!("{key} is not there: {page:#}"))
}

#[test]
fn without_a_node_the_file_is_changed_and_what_does_not_fit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let file = data.join("config.toml");
    std::fs::write(&file, "# mine\n[miner]\nslots = 2 # two\n").unwrap();
    let (code, _) = hearth(
        &data,
        &[
            "config",
            "set",
            "miner.slots",
            "3",
            "chain.rpc",
            "http://a,http://b",
        ],
    );
    assert_eq!(code, Some(0));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("# mine") && text.contains("slots = 3 # two"),
        "{text}"
    );
    assert!(data.join("config.toml.former").exists());
    let (_, shown) = hearth(&data, &["config", "show"]);
    assert_eq!(shown["chain.rpc"][0], json!(["http://a/", "http://b/"]));
    for (args, said) in [
        (&["config", "set", "miner.slots", "many"][..], "whole number"),
        (&["config", "set", "miner.slot", "1"], "no setting"),
        (&["config", "set", "chain.trust.height", "5"], "needs both"),
        (
            &["config", "set", "miner.slots", "3", "miner.queue"],
            "has no value",
        ),
        (&["config", "set", "network", "nowhere"], "neither mainnet"),
    ] {
        let (code, refused) = hearth(&data, args);
        assert_ne!(code, Some(0));
        assert!(refused.to_string().contains(said), "{args:?}: {refused}");
    }
    let (code, _) = hearth(&data, &["config", "unset", "miner.slots", "chain.rpc"]);
    assert_eq!(code, Some(0));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("# mine") && !text.contains("slots"), "{text}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_running_node_takes_up_what_it_can_and_starts_anew_for_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let node = Node::start(&data, "devnet", FAST).await.unwrap();
    node.ready().await.unwrap();
    let first = node.get("/status").await.unwrap();
    let page = node.get("/config").await.unwrap();
    assert_eq!(
        (&page["can_restart"], &page["needs_restart"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(setting(&page, "network")["locked"], true);
    let path = data.clone();
    let changed = tokio::task::spawn_blocking(move || {
        let (code, page) = hearth(&path, &["config", "set", "log.filter", "debug"]);
        assert_eq!(code, Some(0), "{page:#}");
        // What is changed at once waits for nothing.
        assert_eq!(page["needs_restart"], false);
        let (code, refused) = hearth(&path, &["config", "set", "network", "beta"]);
        assert_eq!(code, Some(1));
        assert_eq!(refused["error"]["code"], "config_locked", "{refused}");
        hearth(&path, &["config", "set", "miner.queue", "11"])
    })
    .await
    .unwrap();
    assert_eq!(changed.0, Some(0));
    assert_eq!(setting(&changed.1, "miner.queue")["in_force"], "8");
    assert_eq!(changed.1["needs_restart"], true);
    let pid = node.pid();
    let asked = node.http.post(format!("{}/api/v1/restart", node.url));
    assert_eq!(asked.bearer_auth(&node.token).send().await.unwrap().status(), 204);
    let path = data.clone();
    tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        loop {
            // A port that was free is another one now; the command finds it.
            let (code, status) = hearth(&path, &["status"]);
            if code == Some(0) && status["started_at"] != first["started_at"] {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{status:#}");
            std::thread::sleep(Duration::from_millis(200));
        }
    })
    .await
    .unwrap();
    let address = std::fs::read_to_string(data.join("api-address")).unwrap();
    let asked = node.http.get(format!("http://{}/api/v1/config", address.trim()));
    let page = asked.bearer_auth(&node.token).send().await.unwrap();
    let page: Value = page.json().await.unwrap();
    let queue = setting(&page, "miner.queue");
    assert_eq!(
        (&queue["value"], &queue["in_force"]),
        (&json!("11"), &Value::Null)
    );
    assert_eq!(page["needs_restart"], false);
    // The same process goes on, so that whoever watches it sees no end.
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(node.stop().await.unwrap(), Some(0));
}

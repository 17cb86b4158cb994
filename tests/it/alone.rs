//! An application without any gateway: it signs with its own key, is served, claimed, proven and settled.

use std::time::Duration;

use hearth_tests::{DEMO, FAST, Node};
use serde_json::Value;

use crate::{earning::settled_sessions, roles::Owner};

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_signs_alone_is_served_and_settled() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let settings = [FAST, &[("GATEWAY__DIRECT_SIGNING", "true")]].concat();
    let node = Node::start(&data, "devnet", &settings).await.unwrap();
    node.ready().await.unwrap();
    let owner = Owner {
        data: data.clone(),
        password: data.join("keystore/devnet.pass"),
    };
    // Others may take the key that everybody has, so the own node asks for a limit of what a session may cost.
    let staked = owner.does(&["stake"])["application"]["stake"].clone();
    let more = staked.as_str().unwrap().parse::<u128>().unwrap() / 1_000_000 + 1;
    let stake = [
        "stake",
        "application",
        "--stake",
        &more.to_string(),
        "--service",
        DEMO,
    ];
    owner.signs(&[stake.as_slice(), &["--session-limit", "50"]].concat());
    owner.signs(&["undelegate"]);
    // The gateway still counts in the session in which it was taken back.
    let left = node.get("/network").await.unwrap()["head"]["height"]
        .as_u64()
        .unwrap()
        + 8;

    let mut last = Value::Null;
    for _ in 0..240 {
        // One that is between two sessions is asked again.
        let asked = node.chat(&format!("pocket/{DEMO}"), "hello", false).await;
        last = node.get("/earning/sessions?limit=500").await.unwrap();
        let alone = settled_sessions(&last).filter(|one| {
            one["start_height"].as_u64() > Some(left) && one["amount"] != "0" && one["settled"].is_string()
        });
        if alone.count() > 0 {
            assert_eq!(node.stop().await.unwrap(), Some(0));
            return;
        }
        if let Err(error) = asked {
            last["asked"] = format!("{error:#}").into();
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("no session of an application that signs alone was settled: {last:#}");
}

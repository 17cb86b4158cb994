//! A miner's backend by URL that does not work: what the owner is told.

use std::time::Duration;

use hearth_tests::{Node, Settings};

/// Nobody listens at port 9.
const UNREACHABLE: Settings<'static> = &[
    ("DEVNET__SETUP", "false"),
    ("MINER__BACKEND", "http://127.0.0.1:9"),
];

/// Y54, Z02: before earning was ever started, and although a stake is missing, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_cannot_be_reached_is_named_by_the_doctor_and_by_earning() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path(), "devnet", UNREACHABLE).await.unwrap();
    let doctor = node.get("/doctor").await.unwrap();
    let checks = doctor["checks"].as_array().unwrap();
    let check = |code: &str| checks.iter().find(|check| check["code"] == code);
    let backend = check("backend").expect("the doctor looks at the backend");
    assert_eq!(
        (&backend["level"], &backend["subject"]),
        (&"fail".into(), &"Backend".into())
    );
    assert!(
        backend["fact"].as_str().unwrap().contains("http://127.0.0.1:9"),
        "{backend:#}"
    );
    // A node whose answers are made elsewhere needs no GPU.
    assert!(check("no_gpu").is_none(), "{doctor:#}");
    let status = node
        .wait("/status", Duration::from_secs(30), |status| {
            status.pointer("/earning/reasons/0/code") == Some(&"backend".into())
        })
        .await
        .unwrap();
    let fact = status
        .pointer("/earning/reasons/0/fact")
        .unwrap()
        .as_str()
        .unwrap();
    assert!(fact.contains("http://127.0.0.1:9"), "{fact}");
    assert_eq!(node.stop().await.unwrap(), Some(0));
}

//! Two nodes on one computer: the second joins the first's devnet and takes its model from it.

use std::time::Duration;

use hearth_tests::{DEMO, Node};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn the_second_node_pulls_the_model_verifies_it_and_answers() {
    let folder = tempfile::tempdir().unwrap();
    let first = Node::start(&folder.path().join("first"), "devnet", &[])
        .await
        .unwrap();
    first
        .wait("/status", Duration::from_secs(120), |status| {
            status.pointer("/setup/done") == Some(&Value::Bool(true))
        })
        .await
        .unwrap();
    let network = first.data.join("network.toml");
    let second = Node::start(&folder.path().join("second"), network.to_str().unwrap(), &[])
        .await
        .unwrap();

    // It follows the same chain, verified.
    let status = second
        .wait("/status", Duration::from_secs(60), |status| {
            status
                .pointer("/head/verified_height")
                .and_then(Value::as_u64)
                .is_some_and(|height| height > 0)
        })
        .await
        .unwrap();
    assert_eq!(
        status.pointer("/network/chain_id"),
        Some(&Value::from("hearth-devnet"))
    );

    let models = first.get("/models").await.unwrap();
    let model = models["models"]
        .as_array()
        .unwrap()
        .iter()
        .find(|model| model["id"] == DEMO)
        .unwrap();
    let cid = model["cid"].as_str().unwrap();
    // P25, P27: as people paste it.
    let pasted = format!(" ipfs://{cid}\n");
    second
        .post("/models/pull", &json!({ "cid": pasted, "from": first.url }))
        .await
        .unwrap();
    second
        .wait("/downloads", Duration::from_secs(120), |list| {
            let downloads = list["downloads"].as_array();
            downloads.is_some_and(|list| {
                list.iter()
                    .any(|one| one["cid"] == cid && one["state"] == "ready")
            })
        })
        .await
        .unwrap();
    let verified = second
        .post(&format!("/models/{cid}/verify"), &Value::Null)
        .await
        .unwrap();
    assert_eq!(verified["ok"], true, "{verified:#}");
    let answer = second.chat(DEMO, "Say hello.", true).await.unwrap();
    assert!(!answer.trim().is_empty());
    // The same model and greedy choice give the same words on both.
    assert_eq!(answer, first.chat(DEMO, "Say hello.", false).await.unwrap());
    assert_eq!(second.stop().await.unwrap(), Some(0));
    assert_eq!(first.stop().await.unwrap(), Some(0));
}

//! An endpoint that refuses a payment which it passes on, and then hides it: the owner pays again, and has paid once.

use std::time::Duration;

use hearth_tests::{FAST, Node};
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse 1";
/// Nobody's: the address of a module.
const TO: &str = "pokt1c8x6ycmzs29kjfn9zgzjh97txu578vzj4ahzhh";

/// Asks the chain itself.
async fn rpc(node: &Node, url: &str, method: &str, params: Value) -> Value {
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let answer = node.http.post(url).json(&call).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert!(answer.get("error").is_none_or(Value::is_null), "{answer}");
    answer["result"].clone()
}

async fn send(node: &Node) -> anyhow::Result<Value> {
    let draft = json!({ "from": "main", "to": TO, "amount": "1000000", "memo": null });
    let review = node.post("/wallet/send/review", &draft).await?;
    let order = json!({ "review_id": review["review_id"], "password": PASSWORD });
    node.post("/wallet/send", &order).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_a_lying_endpoint_refuses_and_hides_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [FAST, &[("DEVNET__SETUP", "false")]].concat();
    let node = Node::start(&folder.path().join("node"), "devnet", &settings)
        .await
        .unwrap();
    let network: toml::Value =
        toml::from_str(&std::fs::read_to_string(node.data.join("network.toml")).unwrap()).unwrap();
    let url = network["rpc"][0].as_str().unwrap().to_owned();
    let created = node
        .post("/wallet/create", &json!({ "password": PASSWORD }))
        .await
        .unwrap();
    let main = created["wallet"]["accounts"][0]["address"].as_str().unwrap();
    rpc(
        &node,
        &url,
        "devnet_faucet",
        json!({ "address": main, "amount": "50000000" }),
    )
    .await;
    node.wait("/wallet/balances", Duration::from_secs(60), |balances| {
        balances["total"] == "50000000" && balances["standing"]["trust"] == "proven"
    })
    .await
    .unwrap();

    let lie = json!({
        "kind": "refuses_what_it_takes", "codespace": "sdk", "code": 5,
        "log": "spendable balance 1upokt is smaller: insufficient funds",
    });
    rpc(&node, &url, "devnet_fault", json!({ "fault": lie })).await;
    rpc(
        &node,
        &url,
        "devnet_fault",
        json!({ "fault": "hides_transactions" }),
    )
    .await;
    let error = send(&node).await.unwrap_err().to_string();
    assert!(error.contains("not_seen"), "{error}");
    // The owner tries again, as anybody would.
    if let Err(error) = send(&node).await {
        assert!(error.to_string().contains("not_seen"), "{error}");
    }
    rpc(&node, &url, "devnet_fault", json!({ "clear": true })).await;
    let history = node
        .wait("/wallet/history", Duration::from_secs(60), |history| {
            history["payments"].as_array().is_some_and(Vec::is_empty)
        })
        .await
        .unwrap();
    let sent: Vec<&Value> = history["movements"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|movement| movement["kind"] == "sent")
        .collect();
    assert_eq!(sent.len(), 1, "{history:#}");
    assert_eq!(sent[0]["counterparty"], TO);
    assert_eq!(node.stop().await.unwrap(), Some(0));
}

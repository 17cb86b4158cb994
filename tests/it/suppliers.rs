//! Two suppliers of two owners in one node: both are served over one port, each is claimed for itself and paid to its own
//! owner, also over a kill.

use std::{collections::BTreeSet, path::Path, time::Duration};

use hearth_tests::{DEMO, FAST, Node, command_at, free_port};
use serde_json::{Value, json};

use crate::{earning::settled_sessions, roles};

/// A supplier of another owner, staked from that owner's node, with the address of the one that serves it. Gives the
/// operator's key in hex, and its address.
async fn stakes_elsewhere(owner: &roles::Owner, node: &Node, relay_url: &str) -> (String, String) {
    let least = owner.does(&["stake"])["terms"]["supplier_least"].clone();
    let least = least.as_str().unwrap().parse::<u128>().unwrap() / 1_000_000;
    let (stake, offer) = ((least * 2).to_string(), format!("{DEMO}={relay_url}"));
    owner.signs(&["stake", "supplier", "--stake", &stake, "--service", &offer]);
    let wallet = node.get("/wallet").await.unwrap();
    let is_operator = |account: &&Value| {
        let mut purposes = account["purposes"].as_array().unwrap().iter();
        purposes.any(|purpose| purpose == "operator")
    };
    let operator = wallet["accounts"]
        .as_array()
        .unwrap()
        .iter()
        .find(is_operator)
        .unwrap();
    let password = std::fs::read_to_string(&owner.password).unwrap();
    let exported = node
        .post(
            &format!("/wallet/accounts/{}/export", operator["id"]),
            &json!({ "form": "hex", "password": password }),
        )
        .await
        .unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&exported["key"]), text(&operator["address"]))
}

/// The suppliers of a node that nothing stands in the way of, by their operators.
fn serving(page: &Value) -> BTreeSet<String> {
    let suppliers = page.pointer("/earning/suppliers").and_then(Value::as_array);
    suppliers
        .into_iter()
        .flatten()
        .filter(|one| matches!(one["state"].as_str(), Some("idle" | "serving")))
        .filter_map(|one| one["operator"].as_str().map(str::to_owned))
        .collect()
}

async fn spendable(node: &Node) -> u128 {
    let balances = node.get("/wallet/balances").await.unwrap();
    balances["spendable"].as_str().unwrap().parse().unwrap()
}

/// Asks until a session of each has settled since `before`, or says what there is. Gives them.
async fn both_settle(node: &Node, operators: &BTreeSet<String>, before: &BTreeSet<String>) -> Vec<Value> {
    let mut last = Value::Null;
    for _ in 0..240 {
        // One that is between two sessions, or that just came back, is asked again.
        let _ = node.chat(&format!("pocket/{DEMO}"), "hello", false).await;
        if let Ok(sessions) = node.get("/earning/sessions?limit=500").await {
            let new: Vec<Value> = settled_sessions(&sessions)
                .filter(|one| !before.contains(&key_of(one)))
                .filter(|one| one["amount"] != "0" && one["settled"].is_string())
                .cloned()
                .collect();
            let of: BTreeSet<String> = new
                .iter()
                .filter_map(|one| one["supplier"].as_str().map(str::to_owned))
                .collect();
            if of == *operators {
                return new;
            }
            last = sessions;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let tried = node.get("/receipts?limit=40").await;
    panic!("not both were settled: {last:#}\nwhat the gateway did last: {tried:#?}");
}

fn key_of(session: &Value) -> String {
    format!("{} {}", session["id"], session["supplier"])
}

/// A node that serves a supplier of its own and one of another owner, and that owner's node.
struct Two {
    first: Node,
    /// Where relays are taken: theirs is staked with it, by an owner who would have to be told of another one.
    port: u16,
    second: Node,
    own: String,
    theirs: String,
    /// Who owns theirs.
    owner: Value,
    /// The account of their key in the first wallet, and what opens that.
    account: Value,
    password: String,
}

impl Two {
    async fn start(folder: &Path) -> Two {
        let port = free_port().unwrap();
        let first = Two::first(&folder.join("first"), port).await;
        let page = first.get("/earning").await.unwrap();
        let own = page["supplier"].as_str().unwrap().to_owned();
        assert_eq!(serving(&page), [own.clone()].into(), "{page:#}");
        let relay_url = page["public_url"].as_str().unwrap().trim_end_matches('/');

        // Somebody else stakes a supplier on the same chain, and gives the operator's key to the first node.
        let network = first.data.join("network.toml");
        let second = Node::start(&folder.join("second"), network.to_str().unwrap(), &[])
            .await
            .unwrap();
        let owner = roles::owner(&second, folder).await;
        let (key, theirs) = stakes_elsewhere(&owner, &second, relay_url).await;
        let password = std::fs::read_to_string(first.data.join("keystore/devnet.pass")).unwrap();
        let password = password.trim().to_owned();
        let order = json!({
            "key": { "kind": "hex", "hex": key }, "label": "theirs", "purposes": ["operator"], "beside": true,
            "password": password,
        });
        let account = first.post("/wallet/accounts", &order).await.unwrap();
        assert_eq!(account["address"].as_str(), Some(theirs.as_str()), "{account:#}");
        let owner = second.get("/wallet").await.unwrap()["status"]["main_address"].clone();
        Two {
            first,
            port,
            second,
            own,
            theirs,
            owner,
            account,
            password,
        }
    }

    async fn first(data: &Path, port: u16) -> Node {
        let command = command_at(data, "devnet", FAST, &format!("127.0.0.1:{port}")).unwrap();
        let node = Node::spawn(command, data).await.unwrap();
        node.ready().await.unwrap();
        node
    }

    fn both(&self) -> BTreeSet<String> {
        [self.own.clone(), self.theirs.clone()].into()
    }

    /// Which of both is meant is said, or it is refused with the list.
    fn orders_name_whose_supplier_they_are_about(&self) {
        let node = roles::Owner {
            data: self.first.data.clone(),
            password: self.first.data.join("keystore/devnet.pass"),
        };
        for command in [
            &["supplier", "edit", "--drop", DEMO][..],
            &["unstake", "supplier"],
        ] {
            let (_, refused) = node.run(&[command, &["--dry-run"]].concat());
            assert_eq!(refused["error"]["code"], "which_operator", "{refused:#}");
            let message = refused["error"]["message"].as_str().unwrap();
            assert!(
                message.contains(&self.own) && message.contains(&self.theirs),
                "{message}"
            );
        }
        let review = node.does(&["unstake", "supplier", "--operator", "theirs", "--dry-run"]);
        let message = &review["steps"][0]["messages"][0];
        assert_eq!(message["operator_address"], self.theirs.as_str(), "{review:#}");
        let (exit, wrong) = node.run(&["unstake", "gateway", "--operator", "theirs", "--dry-run"]);
        assert_eq!(exit, Some(2), "{wrong:#}");
        assert_eq!(node.does(&["stake"])["operators"].as_array().unwrap().len(), 2);
    }

    async fn both_serve(&self) -> Value {
        let page = self.first.wait("/earning", Duration::from_secs(60), |page| {
            serving(page) == self.both()
        });
        page.await.unwrap()
    }

    /// What theirs earned arrived with its owner, and is no movement of the node that served it.
    async fn is_paid_apart(&self, settled: &[Value], held: u128) {
        let theirs = settled
            .iter()
            .filter(|one| one["supplier"] == self.theirs.as_str());
        let earned: u128 = theirs
            .map(|one| one["amount"].as_str().unwrap().parse::<u128>().unwrap())
            .sum();
        self.second
            .wait("/wallet/balances", Duration::from_secs(60), |balances| {
                let now = balances["spendable"].as_str();
                let now = now.and_then(|text| text.parse::<u128>().ok());
                now.is_some_and(|now| now + 1_000 >= held + earned)
            })
            .await
            .unwrap();
        let history = self.first.get("/wallet/history?limit=500").await.unwrap();
        let movements = history["movements"].as_array().unwrap();
        // Of theirs, only what a service of ours brings: the owner's share is none of this wallet's.
        let rewards = movements.iter().filter(|one| one["kind"] == "reward");
        let n_rewards = rewards.filter(|one| one["supplier"] == self.own.as_str()).count();
        let sessions = self.first.get("/earning/sessions?limit=500").await.unwrap();
        let own = settled_sessions(&sessions).filter(|one| one["supplier"] == self.own.as_str());
        let n_own = own.count();
        assert!(
            (1..=n_own).contains(&n_rewards),
            "its own are rewards, and no others: {n_rewards} of {n_own}"
        );
    }

    /// Takes their key's purpose away, which waits until nothing that it claimed is open.
    async fn lets_theirs_go(&self) {
        let url = format!("{}/api/v1/wallet/accounts/{}", self.first.url, self.account["id"]);
        let change = json!({ "purposes": [], "password": self.password });
        self.first.post("/earning/stop", &Value::Null).await.unwrap();
        let mut tries = 0..120;
        loop {
            let asked = self.first.http.patch(&url).bearer_auth(&self.first.token);
            let answer = asked.json(&change).send().await.unwrap();
            if answer.status().is_success() {
                break;
            }
            let refused: Value = answer.json().await.unwrap();
            assert_eq!(refused["error"]["code"], "open_claims", "{refused:#}");
            assert!(tries.next().is_some(), "its claims do not end: {refused:#}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        self.first.post("/earning/start", &Value::Null).await.unwrap();
        self.first
            .wait("/earning", Duration::from_secs(30), |page| {
                serving(page) == [self.own.clone()].into()
            })
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_suppliers_of_two_owners_are_served_claimed_and_paid_in_one_node() {
    let folder = tempfile::tempdir().unwrap();
    let mut two = Two::start(folder.path()).await;
    let page = two.both_serve().await;
    assert_eq!(
        page["supplier"].as_str(),
        Some(two.own.as_str()),
        "the usual one stays so"
    );
    two.orders_name_whose_supplier_they_are_about();
    let told = page.pointer("/earning/suppliers/1").unwrap();
    assert_eq!(
        (&told["operator"], &told["owner"]),
        (&json!(two.theirs), &two.owner),
        "{told:#}"
    );

    let held = spendable(&two.second).await;
    let settled = both_settle(&two.first, &two.both(), &BTreeSet::new()).await;
    for session in &settled {
        let is_theirs = session["supplier"] == two.theirs.as_str();
        assert_eq!(session["owner"] == two.owner, is_theirs, "{session:#}");
        assert!(session["claim_tx"].is_string(), "{session:#}");
    }
    two.is_paid_apart(&settled, held).await;

    // A kill in the middle: both are there again, and both go on to be paid.
    let sessions = two.first.get("/earning/sessions?limit=500").await.unwrap();
    let known: BTreeSet<String> = settled_sessions(&sessions).map(key_of).collect();
    let data = two.first.data.clone();
    two.first.kill().unwrap();
    two.first = Two::first(&data, two.port).await;
    two.both_serve().await;
    both_settle(&two.first, &two.both(), &known).await;

    // Without its key theirs is served no more, and the other is.
    two.lets_theirs_go().await;
    assert_eq!(two.first.stop().await.unwrap(), Some(0));
}

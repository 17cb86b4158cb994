//! From an empty wallet to every role, by the command line against the embedded chain.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use hearth_tests::{Node, program};
use serde_json::{Value, json};

const SERVICE: &str = "my-model_7b";
const PASSWORD: &str = "correct horse battery";

pub(crate) struct Owner {
    pub(crate) data: PathBuf,
    pub(crate) password: PathBuf,
}

impl Owner {
    /// Runs a command that gives JSON, and says its code.
    pub(crate) fn run(&self, args: &[&str]) -> (Option<i32>, Value) {
        let output = Command::new(program().unwrap())
            .arg("--data-dir")
            .arg(&self.data)
            .args(args)
            .arg("--json")
            .stdin(Stdio::null())
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

    pub(crate) fn does(&self, args: &[&str]) -> Value {
        let (code, json) = self.run(args);
        assert_eq!(code, Some(0), "{args:?}: {json:#}");
        json
    }

    /// Signs a change of a role, and gives its transactions.
    pub(crate) fn signs(&self, args: &[&str]) -> Vec<Value> {
        let password = self.password.to_str().unwrap();
        let mut all = args.to_vec();
        all.extend(["--yes", "--password-file", password]);
        let sent = self.does(&all);
        let transactions = sent["transactions"].as_array().unwrap().clone();
        for one in &transactions {
            assert!(
                matches!(one["state"].as_str(), Some("placed" | "included")),
                "{args:?}: {sent:#}"
            );
        }
        transactions
    }

    fn is_refused(&self, args: &[&str], code: &str) {
        let password = self.password.to_str().unwrap();
        let mut all = args.to_vec();
        all.extend(["--yes", "--password-file", password]);
        let (exit, json) = self.run(&all);
        assert_eq!(
            (exit, json.pointer("/error/code")),
            (Some(1), Some(&code.into())),
            "{args:?}: {json:#}"
        );
        assert!(
            json.pointer("/error/remedy").is_some_and(Value::is_string),
            "{json:#}"
        );
    }
}

fn pokt(upokt: &Value) -> u128 {
    upokt.as_str().unwrap().parse::<u128>().unwrap() / 1_000_000
}

pub(crate) async fn owner(node: &Node, folder: &Path) -> Owner {
    let password = folder.join("password");
    std::fs::write(&password, PASSWORD).unwrap();
    node.post("/wallet/create", &json!({ "password": PASSWORD }))
        .await
        .unwrap();
    node.post("/wallet/lock", &Value::Null).await.unwrap();
    let gift = json!({ "to": "main", "amount": "900000000000" });
    node.post("/wallet/faucet", &gift).await.unwrap();
    // What decides about money is proven, which a chain is not before its second block.
    node.wait("/wallet/balances", Duration::from_secs(60), |balances| {
        balances["spendable"] != "0" && balances["standing"]["trust"] == "proven"
    })
    .await
    .unwrap();
    Owner {
        data: node.data.clone(),
        password,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_wallet_takes_every_role_and_gives_one_up() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(
        &folder.path().join("data"),
        "devnet",
        &[("DEVNET__SETUP", "false")],
    )
    .await
    .unwrap();
    let owner = owner(&node, folder.path()).await;
    let none = owner.does(&["stake"]);
    assert!(none["supplier"].is_null() && none["application"].is_null() && none["gateway"].is_null());
    let least = |role: &str| pokt(&none["terms"][format!("{role}_least")]);

    becomes_a_supplier(&owner, least("supplier") * 2);
    becomes_an_application(&owner, least("application") * 3, least("gateway").max(1));

    // Every transaction is there, with its messages, and all of them ended well.
    let ended = node
        .wait("/wallet/transactions", Duration::from_secs(30), |list| {
            let all = list["transactions"].as_array();
            all.is_some_and(|all| all.iter().all(|one| one["state"] == "included"))
        })
        .await
        .unwrap();
    let all = ended["transactions"].as_array().unwrap();
    assert_eq!((all.len(), &ended["total"]), (10, &json!(10)), "{ended:#}");
    assert!(
        all.iter()
            .all(|one| one["reason"] == "role" && !one["messages"].as_array().unwrap().is_empty())
    );
    assert_eq!(node.stop().await.unwrap(), Some(0));
}

fn becomes_a_supplier(owner: &Owner, stake: u128) {
    // Nothing can be staked for what does not exist, and nothing below the minimum.
    let stake = stake.to_string();
    let offer = format!("{SERVICE}=http://127.0.0.1:4328");
    let supplier = ["stake", "supplier", "--stake", &stake, "--service", &offer];
    owner.is_refused(&supplier, "no_service");
    owner.signs(&["service", "add", SERVICE, "--compute-units", "100"]);
    changes_its_service(owner);
    owner.is_refused(
        &["service", "add", "no.dots", "--compute-units", "1"],
        "service_wrong",
    );
    owner.is_refused(&["stake", "gateway", "--stake", "0"], "stake_too_small");
    owner.is_refused(&["delegate"], "not_staked");

    // What would be signed is shown first: the owner stakes, the operator serves.
    let mut dry = supplier.to_vec();
    dry.push("--dry-run");
    let review = owner.does(&dry);
    let keys: Vec<&str> = review["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["purpose"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["owner", "operator"], "{review:#}");
    let signed = review.pointer("/steps/1/messages/0/@type");
    assert_eq!(
        signed,
        Some(&"/pocket.supplier.MsgStakeSupplier".into()),
        "{review:#}"
    );
    assert!(owner.does(&["stake"])["supplier"].is_null(), "nothing was signed");
    assert_eq!(owner.signs(&supplier).len(), 2);
    let role = owner.does(&["stake"])["supplier"].clone();
    assert_eq!(
        (pokt(&role["stake"]).to_string(), &role["is_own"]),
        (stake, &json!(true))
    );
    assert_eq!(
        role.pointer("/services/0/service"),
        Some(&SERVICE.into()),
        "{role:#}"
    );
    assert!(
        role.pointer("/services/0/from_height").is_some_and(Value::is_u64),
        "from the next session"
    );
    moves_its_supplier(owner);
}

/// What is left out of a change stays, and the same is not signed again.
fn changes_its_service(owner: &Owner) {
    owner.is_refused(
        &["service", "add", SERVICE, "--compute-units", "100"],
        "no_change",
    );
    owner.is_refused(&["service", "edit", "none", "--name", "x"], "no_service");
    owner.is_refused(&["service", "add", "another"], "new_service");
    let rename = ["service", "edit", SERVICE, "--name", "My model"];
    let mut dry = rename.to_vec();
    dry.push("--dry-run");
    let note = owner.does(&dry)["notes"][0].clone();
    assert_eq!(
        (&note["values"]["from"], &note["values"]["to"]),
        (&json!(SERVICE), &json!("My model")),
        "{note:#}"
    );
    owner.signs(&rename);
    let listed = owner.does(&["service", "list", "--own"]);
    assert_eq!(
        (
            &listed["services"][0]["name"],
            &listed["services"][0]["compute_units"]
        ),
        (&json!("My model"), &json!(100)),
        "{listed:#}"
    );
    let none = owner.does(&["service", "list", "nothing is called so"]);
    assert_eq!(none["total"], 0, "{none:#}");
    let card = owner.does(&["service", "cards", SERVICE]);
    assert!(card["services"][0]["card"].is_null(), "{card:#}");
    // An amount that is none is told as such, and no flag is looked for in it.
    let (exit, wrong) = owner.run(&["stake", "gateway", "--stake", "-5"]);
    let message = wrong
        .pointer("/error/message")
        .and_then(Value::as_str)
        .unwrap_or_default();
    assert_eq!((exit, message.contains("-5")), (Some(2), true), "{wrong:#}");
}

/// One service moves; what nobody names stays.
fn moves_its_supplier(owner: &Owner) {
    let edit = |more: &[&'static str]| [&["supplier", "edit"], more].concat();
    owner.is_refused(&edit(&["--drop", SERVICE]), "last_service");
    owner.is_refused(&edit(&["--drop", "none"]), "not_served");
    owner.is_refused(
        &edit(&["--service", "my-model_7b=http://127.0.0.1:4328"]),
        "no_change",
    );
    owner.signs(&edit(&["--service", "my-model_7b=http://127.0.0.1:4999"]));
    let role = owner.does(&["stake"])["supplier"].clone();
    assert_eq!(
        role.pointer("/services/0/urls"),
        Some(&json!(["http://127.0.0.1:4999"])),
        "{role:#}"
    );
}

/// What its owner gave up, the set-up of the next start does not take again.
#[tokio::test(flavor = "multi_thread")]
async fn a_devnet_leaves_what_was_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let node = Node::start(&data, "devnet", hearth_tests::FAST).await.unwrap();
    node.ready().await.unwrap();
    let owner = Owner {
        data: data.clone(),
        password: data.join("keystore/devnet.pass"),
    };
    owner.signs(&["unstake", "gateway"]);
    owner.signs(&["unstake", "supplier"]);
    let gone = |page: &Value| page["gateway"].is_null() && page["supplier"].is_null();
    node.wait("/roles", Duration::from_secs(120), gone).await.unwrap();
    assert_eq!(node.stop().await.unwrap(), Some(0));

    let node = Node::start(&data, "devnet", hearth_tests::FAST).await.unwrap();
    let status = node
        .wait("/status", Duration::from_secs(60), |status| {
            status["setup"]["done"] == true
        })
        .await
        .unwrap();
    let setup = &status["setup"];
    for id in ["gateway", "supplier", "delegation", "earning"] {
        let steps = setup["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["id"] == id).unwrap();
        let fact = step["fact"].as_str().unwrap_or_default();
        assert!(fact.contains("given up"), "{id}: {step:#}");
    }
    let page = owner.does(&["stake"]);
    assert!(gone(&page), "{page:#}");
    assert!(
        page["application"].is_object(),
        "what was kept is there: {page:#}"
    );
    assert_eq!(node.stop().await.unwrap(), Some(0));
}

fn becomes_an_application(owner: &Owner, stake: u128, gateway: u128) {
    let stake = stake.to_string();
    owner.signs(&["stake", "application", "--stake", &stake, "--service", SERVICE]);
    owner.is_refused(
        &["stake", "application", "--stake", &stake, "--service", SERVICE],
        "stake_not_more",
    );
    owner.is_refused(&["delegate"], "no_gateway");
    let stake = gateway.to_string();
    owner.signs(&["stake", "gateway", "--stake", &stake]);
    owner.signs(&["delegate"]);
    owner.is_refused(&["delegate"], "delegated");
    let page = owner.does(&["stake"]);
    assert_eq!(
        page.pointer("/application/gateways/0"),
        page.pointer("/gateway/address"),
        "{page:#}"
    );
    owner.signs(&["unstake", "gateway"]);
    owner.is_refused(&["unstake", "gateway"], "unbonding");
    let gone = owner.does(&["stake"])["gateway"]["leaving"].clone();
    assert!(
        gone["free_height"].as_u64() > gone["until_height"].as_u64(),
        "{gone:#}"
    );
}

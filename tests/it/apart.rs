//! Two people's computers, or two of one person: the owner's key on one node, the operator's on another. Both begin
//! with nothing, and end with an answer that was bought, served, claimed, proven and settled to the owner.

use std::{path::Path, time::Duration};

use hearth_tests::{FAST, Node, command_at, free_port};
use serde_json::{Value, json};

use crate::roles::{Owner, owner};

const SERVICE: &str = "apart";
const PASSWORD: &str = "another horse battery";

/// The operator's node: it joins the owner's chain, and serves what its owner will stake for.
async fn operator(owner: &Node, folder: &Path, port: u16) -> (Node, Owner) {
    let data = folder.join("operator");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(
        data.join("config.toml"),
        format!("[miner]\nstart = true\n[miner.services]\n{SERVICE} = \"any\"\n"),
    )
    .unwrap();
    let network = owner.data.join("network.toml");
    let listen = format!("127.0.0.1:{port}");
    let command = command_at(&data, network.to_str().unwrap(), FAST, &listen).unwrap();
    let node = Node::spawn(command, &data).await.unwrap();
    let password = folder.join("operator-password");
    std::fs::write(&password, PASSWORD).unwrap();
    node.post("/wallet/create", &json!({ "password": PASSWORD }))
        .await
        .unwrap();
    (node, Owner { data, password })
}

fn address(wallet: &Owner, purpose: &str) -> String {
    let list = wallet.does(&["wallet", "list"]);
    let mut accounts = list["accounts"].as_array().unwrap().iter();
    let has = |account: &&Value| account["purposes"].as_array().unwrap().contains(&json!(purpose));
    accounts.find(has).unwrap()["address"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// The owner is the one elsewhere: its place is taken from the own key first.
fn watches_its_owner(operator: &Owner, owner: &str) {
    let watch = [
        "wallet", "watch", owner, "--as", "owner", "--label", "boss", "--yes",
    ];
    let (code, refused) = operator.run(&watch);
    assert_eq!(
        (code, &refused["error"]["code"]),
        (Some(1), &json!("only_watched"))
    );
    let password = operator.password.to_str().unwrap();
    operator.does(&["wallet", "use", "main", "--password-file", password]);
    operator.does(&watch);
}

/// The operator's node gives the stake out as a file, the owner's signs it, the operator's sends it.
fn stakes_by_file(operator: &Owner, owner: &Owner, folder: &Path, url: &str, stake: &str) {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (unsigned, signed) = (path("unsigned.json"), path("signed.json"));
    let offer = format!("{SERVICE}={url}");
    let order = ["stake", "supplier", "--stake", stake, "--service", &offer];
    // The service is proven to this node a block after it was made.
    let mut tries = 0..50;
    let given = loop {
        let (code, given) = operator.run(&[&order[..], &["--unsigned", &unsigned]].concat());
        if code == Some(0) {
            break given;
        }
        assert_eq!(given["error"]["code"], "no_service", "{given:#}");
        assert!(tries.next().is_some(), "{given:#}");
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(given["steps"][0]["purpose"], "owner", "{given:#}");

    // The operator's own wallet does not sign it, and the owner sees all of it first.
    let (code, refused) = operator.run(&["tx", "sign", &unsigned, "--dry-run"]);
    assert_eq!(
        (code, &refused["error"]["code"]),
        (Some(1), &json!("only_watched"))
    );
    let shown = owner.does(&["tx", "sign", &unsigned, "--dry-run"]);
    let message = &shown["content"]["messages"][0];
    let staked = message["stake"]["amount"].as_str().unwrap().to_owned();
    assert_eq!(staked, format!("{stake}000000"), "{shown:#}");
    let password = owner.password.to_str().unwrap();
    let sign = [
        "tx",
        "sign",
        &unsigned,
        "--output",
        &signed,
        "--yes",
        "--password-file",
        password,
    ];
    owner.does(&sign);
    let (code, twice) = owner.run(&sign);
    assert_eq!((code, &twice["error"]["code"]), (Some(1), &json!("file_exists")));
    // A name that is taken is refused before anything is looked at.
    let (code, early) = owner.run(&["tx", "sign", &signed, "--output", &signed, "--yes"]);
    assert_eq!((code, &early["error"]["code"]), (Some(1), &json!("file_exists")));
    // What would become of it is said without doing it.
    let trial = ["tx", "broadcast", &signed, "--dry-run"];
    for _ in 0..2 {
        let would = operator.does(&trial);
        assert_eq!(would["height"], Value::Null, "{would:#}");
        assert_eq!(would["messages"][0]["stake"]["amount"], staked);
    }
    operator.does(&["tx", "broadcast", &signed]);
    assert!(operator.does(&trial)["height"].as_u64() > Some(0));
    // What is left is the operator's own step.
    let services = ["supplier", "edit", "--service", &offer];
    operator.signs(&services);
}

/// What is staked for an operator elsewhere stays the owner's money: it is watched since its stake was signed here.
fn is_accounted_for(owner: &Owner, operator: &str, stake: &str) {
    let balances = owner.does(&["wallet", "balance"]);
    let places = balances["places"].as_array().unwrap();
    let staked = places
        .iter()
        .find(|place| place["address"] == operator && place["kind"] == "supplier");
    let staked = staked.unwrap_or_else(|| panic!("{balances:#}"));
    assert_eq!(staked["amount"], format!("{stake}000000"));
    assert_eq!(balances["others"], json!([]), "{balances:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn owner_and_operator_on_two_nodes_go_from_nothing_to_earning() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [FAST, &[("DEVNET__SETUP", "false")]].concat();
    let home = Node::start(&folder.path().join("owner"), "devnet", &settings)
        .await
        .unwrap();
    let boss = owner(&home, folder.path()).await;
    let port = free_port().unwrap();
    let (server, worker) = operator(&home, folder.path(), port).await;

    let path = folder.path().to_owned();
    let supplier = tokio::task::spawn_blocking(move || {
        let operator = address(&worker, "operator");
        watches_its_owner(&worker, &address(&boss, "owner"));
        // The operator pays for claims and proofs itself.
        let password = boss.password.to_str().unwrap().to_owned();
        let gift = [
            "wallet",
            "send",
            &operator,
            "10",
            "--yes",
            "--password-file",
            &password,
        ];
        boss.does(&gift);
        boss.signs(&["service", "add", SERVICE, "--compute-units", "100"]);
        let terms = boss.does(&["stake"])["terms"].clone();
        let pokt = |name: &str| terms[name].as_str().unwrap().parse::<u128>().unwrap() / 1_000_000;
        let stake = (pokt("supplier_least") * 2).to_string();
        stakes_by_file(&worker, &boss, &path, &format!("http://127.0.0.1:{port}"), &stake);
        let gateway = pokt("gateway_least").max(1).to_string();
        boss.signs(&["stake", "gateway", "--stake", &gateway]);
        let application = (pokt("application_least") * 3).to_string();
        boss.signs(&[
            "stake",
            "application",
            "--stake",
            &application,
            "--service",
            SERVICE,
        ]);
        boss.signs(&["delegate"]);
        is_accounted_for(&boss, &operator, &stake);
        operator
    })
    .await
    .unwrap();

    let ready = |earning: &Value| matches!(earning["earning"]["state"].as_str(), Some("idle" | "serving"));
    let earning = server
        .wait("/earning", Duration::from_secs(60), ready)
        .await
        .unwrap();
    assert_eq!(earning["supplier"], supplier.as_str());
    // Beside it may stand that the stake counts from the next session on.
    let notes = earning["earning"]["notes"].as_array().unwrap();
    let has_owner = notes.iter().any(|note| note["code"] == "other_owner");
    assert!(has_owner, "{earning:#}");
    bought(&home).await;
    let settled = server
        .wait("/earning/sessions", Duration::from_secs(90), |page| {
            let sessions = page["sessions"].as_array();
            sessions.is_some_and(|all| all.iter().any(|one| one["state"] == "settled"))
        })
        .await
        .unwrap();
    assert!(
        settled["sessions"][0]["answers"].as_u64() > Some(0),
        "{settled:#}"
    );
    stands_apart(&server, &home, &supplier, &settled["sessions"][0]["id"]).await;
    assert_eq!(server.stop().await.unwrap(), Some(0));
    assert_eq!(home.stop().await.unwrap(), Some(0));
}

/// What the operator's node earns is the owner's: apart on the one, in the history of the other.
async fn stands_apart(server: &Node, home: &Node, supplier: &str, session: &Value) {
    // It is the owner's stake and money: on the operator's node they stand apart.
    let balances = server.get("/wallet/balances").await.unwrap();
    assert_eq!(balances["others"][0]["operator"], supplier, "{balances:#}");
    assert_eq!(balances["total"], spendable_own(&balances), "{balances:#}");
    let summary = server.get("/earning/summary").await.unwrap();
    let earned = &summary["suppliers"][0];
    assert_eq!(
        (&earned["is_own"], &summary["settled_total"]),
        (&json!(false), &json!("0")),
        "{summary:#}"
    );
    assert_ne!(earned["settled"], "0", "{summary:#}");
    // The owner's node served nothing, and its history has what came in all the same.
    let history = crate::money::adds_up(home).await;
    let movements = history["movements"].as_array().unwrap();
    let reward = movements
        .iter()
        .find(|one| one["kind"] == "reward")
        .unwrap_or_else(|| panic!("{history:#}"));
    assert_eq!(
        (&reward["supplier"], &reward["session_id"]),
        (&json!(supplier), session)
    );
}

/// What the accounts with a key here hold.
fn spendable_own(balances: &Value) -> String {
    let own = balances["places"].as_array().unwrap().iter();
    let own = own.filter(|place| place["owner"].is_null());
    let amount = |place: &Value| place["amount"].as_str().unwrap().parse::<u128>().unwrap();
    own.map(amount).sum::<u128>().to_string()
}

/// The owner's node buys from the network, where the only supplier is the operator's.
async fn bought(home: &Node) {
    let mut said = String::new();
    for _ in 0..60 {
        match home.chat(&format!("pocket/{SERVICE}"), "hello", false).await {
            Ok(_) => return,
            Err(error) => said = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("nothing was bought: {said}");
}

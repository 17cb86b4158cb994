//! The owner's money by the command line: a stake that comes back, contacts, all of it, the table, and a sealed backup.

use std::{collections::BTreeMap, time::Duration};

use hearth_tests::{FAST, Node, program};
use serde_json::{Value, json};

use crate::roles::{Owner, owner};

#[tokio::test(flavor = "multi_thread")]
async fn a_stake_that_comes_back_is_told_and_every_upokt_is_somewhere() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [FAST, &[("DEVNET__SETUP", "false")]].concat();
    let node = Node::start(&folder.path().join("data"), "devnet", &settings)
        .await
        .unwrap();
    let owner = owner(&node, folder.path()).await;
    let gift = json!({ "to": "working", "amount": "9000000000" });
    node.post("/wallet/faucet", &gift).await.unwrap();
    // A plan depends on what the working key is proven to hold.
    node.wait("/wallet/balances", Duration::from_secs(60), |balances| {
        let places = balances["places"].as_array();
        places.is_some_and(|places| places.iter().all(|place| place["amount"] != "0"))
    })
    .await
    .unwrap();
    // The commands block, so they run beside the runtime.
    let path = folder.path().to_owned();
    let working = tokio::task::spawn_blocking(move || {
        let least = owner.does(&["stake"])["terms"]["gateway_least"].clone();
        let stake = (least.as_str().unwrap().parse::<u128>().unwrap() / 1_000_000).max(1) + 1;
        owner.signs(&["stake", "gateway", "--stake", &stake.to_string()]);
        owner.signs(&["unstake", "gateway"]);
        // The first waits until what was done a moment ago is proven.
        let leaving = owner.does(&["stake"])["gateway"]["leaving"].clone();
        let balances = owner.does(&["wallet", "balance"]);
        let places = balances["places"].as_array().unwrap();
        let gateway = places.iter().find(|place| place["kind"] == "gateway").unwrap();
        // It is back when its unbonding has ended, not when the role has.
        assert_eq!(gateway["free_at_height"], leaving["free_height"], "{balances:#}");
        let sum: u128 = places
            .iter()
            .map(|place| place["amount"].as_str().unwrap().parse::<u128>().unwrap())
            .sum();
        assert_eq!(balances["total"], sum.to_string());
        contacts(&owner);
        sealed(&owner, &path);
        stake * 1_000_000
    })
    .await
    .unwrap();
    let history = node
        .wait(
            "/wallet/history?kinds=returned",
            Duration::from_secs(60),
            |history| history["total"] == 1,
        )
        .await
        .unwrap();
    let back = &history["movements"][0];
    assert_eq!(
        (&back["amount"], &back["direction"]),
        (&json!(working.to_string()), &json!("in"))
    );
    assert!(back["tx"].is_null() && back["height"].as_u64().is_some());
    adds_up(&node).await;
    assert_eq!(node.stop().await.unwrap(), Some(0));
}

/// Every upokt is accounted for: this wallet began with nothing, so all that the history says came and went is what is
/// there now, in each of its accounts and in its stakes.
pub(crate) async fn adds_up(node: &Node) -> Value {
    let mut told = String::new();
    for _ in 0..120 {
        let history = node.get("/wallet/history?limit=500").await.unwrap();
        let balances = node.get("/wallet/balances").await.unwrap();
        let movements = history["movements"].as_array().unwrap();
        let number = |value: &Value| value.as_str().unwrap().parse::<i128>().unwrap();
        let sum = |field: &str| movements.iter().map(|one| number(&one[field])).sum::<i128>();
        let places = balances["places"].as_array().unwrap().iter();
        let (there, staked): (Vec<_>, Vec<_>) = places
            .filter(|place| place["owner"].is_null())
            .map(|place| (place["kind"].as_str().unwrap(), number(&place["amount"])))
            .partition(|(kind, _)| kind.starts_with("spendable"));
        let of = |places: &[(&str, i128)]| places.iter().map(|(_, amount)| amount).sum::<i128>();
        let said = (sum("balance_change"), sum("stake_change"));
        let is = (of(&there), of(&staked));
        let accounts = (by_account(&history), by_place(&balances));
        if said == is && accounts.0 == accounts.1 && history["missing"].is_null() {
            return history;
        }
        told =
            format!("the history says {said:?}, and there are {is:?}: {accounts:?} {history:#} {balances:#}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("{told}");
}

/// What the rows of each account add up to.
fn by_account(history: &Value) -> BTreeMap<String, i128> {
    let mut sums: BTreeMap<String, i128> = BTreeMap::new();
    for row in history["movements"].as_array().unwrap() {
        let change: i128 = row["balance_change"].as_str().unwrap().parse().unwrap();
        *sums
            .entry(row["account"].as_str().unwrap_or("nobody").to_owned())
            .or_default() += change;
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

/// What each account holds.
fn by_place(balances: &Value) -> BTreeMap<String, i128> {
    let places = balances["places"].as_array().unwrap().iter();
    let own = places
        .filter(|place| place["owner"].is_null() && place["kind"].as_str().unwrap().starts_with("spendable"));
    let held = own.map(|place| {
        let amount: i128 = place["amount"].as_str().unwrap().parse().unwrap();
        (place["address"].as_str().unwrap().to_owned(), amount)
    });
    held.filter(|(_, amount)| *amount != 0).collect()
}

fn contacts(owner: &Owner) {
    let list = owner.does(&["wallet", "list"]);
    let accounts = list["accounts"].as_array().unwrap();
    let address = |label: &str| {
        let account = accounts.iter().find(|account| account["label"] == label).unwrap();
        account["address"].as_str().unwrap().to_owned()
    };
    let other = address("working");
    owner.does(&["wallet", "contacts", "add", "Me at work", &other]);
    let (code, _) = owner.run(&["wallet", "contacts", "add", "me AT work", &address("main")]);
    assert_eq!(code, Some(1));
    // A name stands for its address, and all of it leaves nothing but the fee.
    let password = owner.password.to_str().unwrap();
    let send = [
        "wallet",
        "send",
        "me at work",
        "--max",
        "--fee",
        "higher",
        "--yes",
        "--password-file",
        password,
    ];
    owner.does(&send);
    // It is proven a block later.
    let left = || {
        let balances = owner.does(&["wallet", "balance"]);
        let places = balances["places"].as_array().unwrap().iter();
        let mut main = places.filter(|place| place["kind"] == "spendable_main");
        main.next().unwrap()["amount"].clone()
    };
    let is_empty = (0..50).any(|_| {
        std::thread::sleep(Duration::from_millis(200));
        left() == "0"
    });
    assert!(is_empty, "{}", left());
    let sent = owner.does(&["wallet", "history", "--find", "work"]);
    let movement = &sent["movements"][0];
    assert_eq!(movement["name"], "Me at work", "{sent:#}");
    let id = movement["id"].as_str().unwrap();
    owner.does(&["wallet", "annotate", id, "moving"]);
    let labelled = owner.does(&["wallet", "history", "--find", "moving", "--kind", "sent"]);
    assert_eq!(labelled["movements"][0]["id"], id);
    let exported = owner.does(&["wallet", "contacts", "export"]);
    assert_eq!(exported["contacts"][0]["address"], other.as_str());
    let output = std::process::Command::new(program().unwrap())
        .arg("--data-dir")
        .arg(&owner.data)
        .args(["wallet", "history", "--csv"])
        .output()
        .unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    let head = table.lines().find(|line| line.starts_with("time,")).unwrap();
    for column in [
        "kind",
        "account",
        "supplier",
        "session",
        "charge_upokt",
        "balance_change_upokt",
        "price",
    ] {
        assert!(head.split(',').any(|one| one == column), "{column}: {head}");
    }
    assert!(
        table.lines().any(|line| line.contains("moving,Me at work,")),
        "{table}"
    );
}

fn sealed(owner: &Owner, folder: &std::path::Path) {
    let passphrase = folder.join("passphrase");
    std::fs::write(&passphrase, "battery staple horse\n").unwrap();
    let file = folder.join("node.backup");
    let (file, passphrase) = (file.to_str().unwrap(), passphrase.to_str().unwrap());
    owner.does(&["backup", file, "--sealed", "--backup-passphrase-file", passphrase]);
    let password = owner.password.to_str().unwrap();
    let test = [
        "restore",
        file,
        "--test",
        "--backup-passphrase-file",
        passphrase,
        "--password-file",
        password,
    ];
    let tested = owner.does(&test);
    assert_eq!(tested["password_opens"], true, "{tested:#}");
    assert!(tested["transactions"].as_u64() > Some(0));
    let (code, refused) = owner.run(&["restore", file, "--test", "--backup-passphrase-file", password]);
    assert_eq!(
        (code, &refused["error"]["code"]),
        (Some(1), &json!("backup_sealed")),
        "{refused}"
    );
}

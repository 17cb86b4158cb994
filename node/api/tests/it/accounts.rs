//! Keys over the embedded chain: a node with only an operator's key, whose owner signs elsewhere.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hearth_api::{
    control::types::{
        AddAccount, BroadcastTx, ChangeAccount, Discover, NewKey, PlaceKind, Purpose as Use, RoleOrder,
        ServiceOffer, Upokt,
    },
    parts::{
        HistoryFilter, Keyring, Money, Roles, Window,
        adapters::{ChainRoles, WalletKeyring},
    },
};
use hearth_base::Amount;
use hearth_pocket::{
    SecretKey,
    message::cosmos::{AuthInfo, TxBody},
    tx::sign_bytes,
};
use hearth_wallet::{ForeignKey, Naming, Purpose};
use prost::Message as _;
use serde_json::{Value, json};

use crate::money::World;

const PASSWORD: &str = "correct horse";

fn key(byte: u8) -> SecretKey {
    SecretKey::from_bytes(&[byte; 32]).unwrap()
}

fn foreign(byte: u8) -> ForeignKey {
    ForeignKey::hex(&hex::encode([byte; 32])).unwrap()
}

fn pokt(n: u128) -> Upokt {
    Upokt(Amount::from_upokt(n * Amount::UPOKT_PER_POKT))
}

/// A node that has nothing but the operator's key; the owner's account is watched.
async fn operator_only() -> (World, ChainRoles) {
    let world = World::with(|wallet| {
        wallet
            .add(&foreign(3), &Naming::of(&[Purpose::Operator]), PASSWORD)
            .unwrap();
        let owner = Naming::of(&[Purpose::Owner]).called("cold");
        wallet.watch(key(4).address(), &owner).unwrap();
    })
    .await;
    for (to, amount) in [("cold", 200_000), ("operator", 100)] {
        world.give(to, pokt(amount).0).await;
    }
    let roles = world.roles();
    (world, roles)
}

/// What the owner's own tool makes of a file: the signer's part and the signature.
async fn signed(world: &World, file: &Value, by: &SecretKey) -> Value {
    signed_at(world, file, by, None).await
}

/// The same for another sequence than the next one.
async fn signed_at(world: &World, file: &Value, by: &SecretKey, sequence: Option<u64>) -> Value {
    let account = world
        .chain
        .account(by.address())
        .await
        .unwrap()
        .into_value()
        .unwrap();
    let mut file = file.clone();
    file["auth_info"]["signer_infos"] = json!([{
        "public_key": { "@type": "/cosmos.crypto.secp256k1.PubKey", "key": STANDARD.encode(by.public_key()) },
        "mode_info": { "single": { "mode": "SIGN_MODE_DIRECT" } },
        "sequence": sequence.unwrap_or(account.sequence).to_string(),
    }]);
    let body: TxBody = serde_json::from_value(file["body"].clone()).unwrap();
    let auth_info: AuthInfo = serde_json::from_value(file["auth_info"].clone()).unwrap();
    let bytes = sign_bytes(
        &body.encode_to_vec(),
        &auth_info.encode_to_vec(),
        world.chain.chain_id().as_str(),
        account.number,
    );
    file["signatures"] = json!([STANDARD.encode(by.sign(&bytes))]);
    file
}

/// A service that suppliers can be staked for, by the owner of everything on this chain.
fn stake(stake: Option<u128>, service: &str) -> RoleOrder {
    RoleOrder::StakeSupplier {
        operator: None,
        stake: stake.map(pokt),
        services: vec![ServiceOffer {
            service: service.to_owned(),
            url: "http://127.0.0.1:4328".to_owned(),
            shares: Vec::new(),
        }],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_elsewhere_signs_what_this_node_gives_out() {
    let (world, roles) = operator_only().await;
    service_by_file(&world, &roles).await;
    supplier_by_file(&world, &roles).await;
    stands_apart(&world).await;
    world.stop().await;
}

async fn service_by_file(world: &World, roles: &ChainRoles) {
    // The service is the owner's, too: made with a file of its own.
    let service = RoleOrder::Service {
        id: "svc".to_owned(),
        name: Some("Service".to_owned()),
        compute_units: Some(10),
        card: None,
        is_edit: false,
    };
    let given = roles.review(&service).await.unwrap();
    let file = given.steps[0].unsigned.clone().unwrap();
    assert!(
        !given.needs_password
            && given.steps[0]
                .command
                .as_deref()
                .unwrap()
                .contains("pocketd tx sign")
    );
    assert_eq!(
        roles.send(&service, &given).await.unwrap_err().code,
        "sign_elsewhere"
    );
    // Without a signature, by another key, or changed on the way nothing is sent.
    let refused = |tx: Value| async move { roles.broadcast(&BroadcastTx { tx }).await.unwrap_err().code };
    assert_eq!(refused(file.clone()).await, "tx_wrong");
    let mut changed = signed(world, &file, &key(4)).await;
    assert_eq!(refused(signed(world, &file, &key(3)).await).await, "tx_not_asked");
    changed["body"]["memo"] = json!("hello");
    assert_eq!(refused(changed.clone()).await, "tx_wrong");
    changed["body"]["messages"][0]["service"]["name"] = json!("Another");
    assert_eq!(refused(changed).await, "tx_not_asked");
    let good = signed(world, &file, &key(4)).await;
    let done = roles.broadcast(&BroadcastTx { tx: good.clone() }).await.unwrap();
    assert_eq!(
        (done.account.as_str(), done.messages.len(), done.was_there),
        (key(4).address().as_str(), 1, false)
    );
    // It is among the transactions of this node, and moved no money of this wallet.
    let (items, _) = world.outbox.newest(10, 0).await.unwrap();
    let item = items
        .iter()
        .find(|item| item.reason == hearth_outbox::Reason::Elsewhere)
        .unwrap();
    assert_eq!(
        item.tx.as_ref().and_then(|tx| tx.hash.clone()),
        Some(done.tx.clone())
    );
    // The same file again is not sent again: its block is told. Another one with that sequence comes too late.
    let again = roles.broadcast(&BroadcastTx { tx: good.clone() }).await.unwrap();
    assert_eq!((again.was_there, again.height), (true, done.height));
    let mut dearer = file.clone();
    dearer["auth_info"]["fee"]["amount"][0]["amount"] = json!("9");
    let late = signed_at(world, &dearer, &key(4), Some(0)).await;
    assert_eq!(refused(late).await, "tx_sequence");
}

async fn supplier_by_file(world: &World, roles: &ChainRoles) {
    let order = stake(Some(60_000), "svc");
    let given = roles.review(&order).await.unwrap();
    assert_eq!(
        given
            .steps
            .iter()
            .map(|step| (step.purpose, step.unsigned.is_some()))
            .collect::<Vec<_>>(),
        [(Use::Owner, true), (Use::Operator, false)]
    );
    let file = given.steps[0].unsigned.clone().unwrap();
    roles
        .broadcast(&BroadcastTx {
            tx: signed(world, &file, &key(4)).await,
        })
        .await
        .unwrap();
    // What is left is the operator's, and signed here.
    let rest = stake(None, "svc");
    let left = roles.review(&rest).await.unwrap();
    assert!(
        left.steps
            .iter()
            .all(|step| step.unsigned.is_none() && step.purpose == Use::Operator),
        "{left:?}"
    );
    assert_eq!(roles.send(&rest, &left).await.unwrap().transactions.len(), 1);
    let page = roles.page().await.unwrap();
    let supplier = page.supplier.unwrap();
    assert_eq!(
        (supplier.owner.as_str(), supplier.services.len()),
        (key(4).address().as_str(), 1)
    );
}

async fn stands_apart(world: &World) {
    // The stake stands apart: it is in no total of this wallet, nor is what is watched.
    world.outbox.shown(Duration::from_secs(10)).await.unwrap();
    let balances = world.money.balances().await.unwrap();
    let of = |kind: PlaceKind| balances.places.iter().find(|place| place.kind == kind).unwrap();
    assert_eq!(balances.others.len(), 1);
    assert_eq!(balances.others[0].owner, key(4).address().as_str());
    assert_eq!(of(PlaceKind::SpendableMain).owner.as_deref(), Some("cold"));
    assert_eq!(balances.total, of(PlaceKind::SpendableWorking).amount);
    // What the key is on the chain is shown.
    let accounts = world.money.accounts().await.unwrap().accounts;
    let operator = accounts
        .iter()
        .find(|one| one.account.label == "operator")
        .unwrap();
    let found = operator.on_chain.supplier.clone().unwrap();
    assert_eq!(
        (found.owner, found.stake),
        (key(4).address().to_string(), pokt(60_000))
    );
    world
        .money
        .history(Window::ALL, &HistoryFilter::default())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_taken_in_found_and_paid_from() {
    let world = World::with(|wallet| drop(wallet.create(PASSWORD).unwrap())).await;
    let keyring = WalletKeyring {
        wallet: world.wallet.clone(),
        password_file: None,
    };
    let next = |label: &str| AddAccount {
        beside: false,
        key: NewKey::Next {
            like: None,
            path: Some("m/44h/118h/0h/0/5".to_owned()),
        },
        label: Some(label.to_owned()),
        purposes: Vec::new(),
        password: PASSWORD.to_owned(),
    };
    let savings = keyring.add(next("savings")).await.unwrap();
    assert_eq!(savings.path.as_deref(), Some("m/44'/118'/0'/0/5"));
    assert_eq!(
        keyring.add(next("again")).await.unwrap_err().code,
        "account_known"
    );
    world.give("savings", pokt(7).0).await;
    let here = Discover::Here {
        like: None,
        password: PASSWORD.to_owned(),
    };
    let found = world.money.discover(here).await.unwrap();
    assert_eq!(found.looked_at, 39);
    let known: Vec<_> = found.accounts.iter().map(|one| one.label.as_deref()).collect();
    assert_eq!(known, [Some("main"), Some("working"), Some("savings")]);
    assert_eq!(found.accounts[2].on_chain.spendable, pokt(7));
    let balances = world.money.balances().await.unwrap();
    let place = balances
        .places
        .iter()
        .find(|place| place.kind == PlaceKind::Spendable)
        .unwrap();
    assert_eq!(
        (place.amount, place.address.as_str()),
        (pokt(7), savings.address.as_str())
    );
    // Once the account is locked, a payment from it asks for the password.
    world.wallet.lock();
    let draft = hearth_api::control::types::SendDraft {
        from: "savings".to_owned(),
        to: key(9).address().to_string(),
        amount: pokt(1),
        memo: None,
        max: false,
        fee: hearth_api::control::types::FeeChoice::Normal,
        below_reserve: false,
    };
    let review = world.money.review(&draft).await.unwrap();
    assert!(review.needs_password && review.from == "savings");
    world.wallet.unlock(PASSWORD).unwrap();
    world
        .money
        .pay(&draft, Upokt(Amount::from_upokt(10_000)))
        .await
        .unwrap();
    let renamed = ChangeAccount {
        label: Some("more".to_owned()),
        ..ChangeAccount::default()
    };
    assert_eq!(keyring.change(savings.id, renamed).await.unwrap().label, "more");
    let taken = ChangeAccount {
        purposes: Some(vec![Use::Gateway]),
        ..ChangeAccount::default()
    };
    // A purpose is a matter of the password.
    assert_eq!(
        keyring.change(savings.id, taken).await.unwrap_err().code,
        "key_locked"
    );
    assert_eq!(world.wallet.find("gateway").unwrap().label, "working");
    world.stop().await;
}

//! Transactions against a node that accepts, refuses, asks for more and forgets.

use std::time::Duration;

use hearth_base::Amount;
use hearth_chain::{Chain, Config, Options, QueryError, Reason, Sent, Stage, Standing, TxError, TxStatus};
use hearth_pocket::{
    keys::SecretKey,
    message::{
        Any, Coin, TypeUrl as _,
        cosmos::{GasInfo, MsgSend, SimulateResponse},
    },
    tx::SignedTx,
};
use prost::Message;
use serde_json::{Value, json};

use crate::{
    node::{Node, Subject, config, load, made_at},
    sending::{seen, seen_from, sent},
};

const LIGHT: &str = "chain_light";

/// A key whose account is among the recorded proofs.
fn key() -> SecretKey {
    let golden = load("chain_txs");
    let text = golden["accounts"]["op1"]["private_key"].as_str().unwrap();
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).unwrap();
    SecretKey::from_bytes(&bytes).unwrap()
}

fn messages() -> Vec<Any> {
    let key = key();
    let send = MsgSend {
        from_address: key.address().to_string(),
        to_address: key.address().to_string(),
        amount: vec![Coin::upokt(Amount::from_upokt(5))],
    };
    vec![send.to_any()]
}

/// A node, and a chain that follows it.
async fn ready() -> (Node, Subject) {
    let (node, subject) = started(|_| ()).await;
    subject.followed_to(345).await;
    (node, subject)
}

async fn started(change: impl FnOnce(&mut Config)) -> (Node, Subject) {
    let node = Node::start(LIGHT, 345).await;
    let mut config = config(&[node.url()]);
    change(&mut config);
    let subject = Subject::start(config, made_at(LIGHT, 345) + 500).await;
    (node, subject)
}

fn fixed() -> Options {
    Options {
        gas_limit: Some(1_500_000),
        ..Options::default()
    }
}

fn refused(codespace: &str, code: i64, log: &str) -> Value {
    json!({ "code": code, "codespace": codespace, "log": log, "hash": "" })
}

async fn signed(chain: &Chain) -> SignedTx {
    let prepared = chain.prepare(&key(), messages(), &fixed()).await.unwrap();
    assert_eq!(
        (prepared.fee, prepared.gas_limit),
        (Amount::from_upokt(2), 1_500_000)
    );
    chain.sign(&key(), &prepared).unwrap()
}

fn result(tx: &SignedTx, code: i64, log: &str) -> Value {
    json!({
        "hash": tx.hash_text(), "height": "346", "index": 0, "tx": "",
        "tx_result": { "code": code, "codespace": if code == 0 { "" } else { "undefined" }, "log": log, "gas_used": "60000" },
    })
}

#[tokio::test]
async fn the_steps_one_by_one() {
    let (node, subject) = ready().await;
    let chain = &subject.chain;
    let tx = signed(chain).await;
    let decoded = hearth_pocket::tx::decode(tx.raw()).unwrap();
    assert!(decoded.body.unordered);
    assert_eq!(decoded.auth_info.signer_infos[0].sequence, 0);
    // Valid for nine minutes of the chain's time, which is our clock's time here.
    let until = decoded.body.timeout_timestamp.unwrap().seconds - subject.clock.now_ms() / 1000;
    assert!((538..=541).contains(&until), "{until}");
    assert_eq!(chain.broadcast(&tx).await.unwrap(), Sent::New);
    node.broadcasts(vec![json!({ "code": -1, "data": "tx already exists in cache" })]);
    assert_eq!(chain.broadcast(&tx).await.unwrap(), Sent::Already);

    let status = seen(chain, &tx, Duration::from_millis(200)).await;
    assert_eq!(status, TxStatus::Pending);
    assert_eq!(chain.tx(&tx.hash()).await.unwrap(), None);
    // That a block holds it is an endpoint's word here, which ends nothing.
    node.include(&tx.hash(), result(&tx, 0, ""));
    assert_eq!(
        seen(chain, &tx, Duration::from_millis(200)).await,
        TxStatus::Pending
    );
    // A node that forgot its cache refuses it by its moment; but it is in a block.
    node.broadcasts(vec![refused(
        "sdk",
        18,
        "failed to add unordered nonce: already used timeout 1",
    )]);
    assert_eq!(chain.broadcast(&tx).await.unwrap(), Sent::Already);
    subject.stop().await;
}

#[tokio::test]
async fn nothing_is_signed_where_nothing_can_be_proven() {
    let (node, subject) = started(|config| config.trust = None).await;
    let unverified = |standing: &Standing| matches!(standing, Standing::Unverified { .. });
    subject.head(|head| unverified(&head.standing)).await;
    let error = subject
        .chain
        .prepare(&key(), messages(), &fixed())
        .await
        .unwrap_err();
    assert!(
        matches!(error, TxError::Query(QueryError::NotProven { .. })),
        "{error}"
    );
    assert!(error.to_string().contains("2 must agree"), "{error}");
    assert_eq!(node.calls("broadcast_tx_sync"), 0);
    subject.stop().await;
}

#[tokio::test]
async fn a_higher_fee_is_paid_up_to_the_limit() {
    let (node, subject) = ready().await;
    let fee = |upokt: u64| {
        refused(
            "sdk",
            13,
            &format!("insufficient fees; got: 2upokt required: {upokt}upokt: insufficient fee"),
        )
    };
    node.broadcasts(vec![fee(40), json!({ "code": 0, "hash": "" })]);
    // Sent at the second try.
    sent(&subject.chain, &key(), messages(), &fixed()).await.unwrap();
    assert_eq!(node.calls("broadcast_tx_sync"), 2);
    node.broadcasts(vec![fee(2_000_000)]);
    let error = sent(&subject.chain, &key(), messages(), &fixed())
        .await
        .unwrap_err();
    assert!(matches!(error, TxError::FeeTooHigh { .. }), "{error}");
    assert!(error.to_string().contains("2000000upokt"), "{error}");
    subject.stop().await;
}

#[tokio::test]
async fn gas_is_found_by_simulation_and_a_refusal_there_costs_nothing() {
    let (node, subject) = ready().await;
    let prepared = subject
        .chain
        .prepare(&key(), messages(), &Options::default())
        .await;
    // The node has no simulation recorded: its answer is a refusal.
    assert!(
        matches!(
            prepared,
            Err(TxError::Refused {
                stage: Stage::Simulation,
                ..
            })
        ),
        "{prepared:?}"
    );
    assert_eq!(node.calls("broadcast_tx_sync"), 0);
    // What one tells too little of is never less than what the account's own checks and a payment take, and what it tells
    // too much of is not paid for.
    for (told, limit) in [
        (77_000, 200_000),
        (0, 200_000),
        (1, 200_000),
        (400_000, 680_000),
        (580_000_000_000, 10_000_000),
    ] {
        let gas_info = Some(GasInfo {
            gas_wanted: 0,
            gas_used: told,
        });
        let simulated = SimulateResponse { gas_info };
        node.tell("/cosmos.tx.v1beta1.Service/Simulate", &simulated.encode_to_vec());
        let prepared = subject
            .chain
            .prepare(&key(), messages(), &Options::default())
            .await;
        let prepared = prepared.unwrap();
        assert_eq!((prepared.gas_simulated, prepared.gas_limit), (Some(told), limit));
    }
    subject.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_says_nothing_leaves_the_transaction_in_doubt() {
    let (node, subject) = ready().await;
    let tx = signed(&subject.chain).await;
    node.misbehave(crate::node::Misbehaviour::BadGateway);
    let error = subject.chain.broadcast(&tx).await.unwrap_err();
    assert!(matches!(error, TxError::Unsent { .. }), "{error}");
    assert!(
        error.to_string().contains("look whether a block has it"),
        "{error}"
    );
    subject.stop().await;
}

#[tokio::test]
async fn a_transaction_whose_time_ran_out_is_certainly_lost() {
    let (node, subject) = ready().await;
    let options = Options {
        timeout_height: Some(hearth_base::Height(346)),
        ..fixed()
    };
    let prepared = subject.chain.prepare(&key(), messages(), &options).await.unwrap();
    let tx = subject.chain.sign(&key(), &prepared).unwrap();
    subject.chain.broadcast(&tx).await.unwrap();
    let first = Some(hearth_base::Height(346));
    let waiting = seen_from(&subject.chain, &tx, first, Duration::from_secs(15));
    let moving = async {
        for height in 346..=352 {
            tokio::time::sleep(Duration::from_millis(120)).await;
            node.set_head(height);
        }
    };
    let (status, ()) = futures::join!(waiting, moving);
    assert_eq!(status, TxStatus::Expired);
    subject.stop().await;
}

/// Two nodes of one chain, the first of which is asked first.
async fn two() -> (Node, Node, Subject) {
    let (first, second) = (Node::start(LIGHT, 345).await, Node::start(LIGHT, 345).await);
    let subject = Subject::start(config(&[first.url(), second.url()]), made_at(LIGHT, 345) + 500).await;
    subject.followed_to(345).await;
    (first, second, subject)
}

#[tokio::test]
async fn a_refusal_of_one_endpoint_is_not_that_of_the_chain() {
    let (first, second, subject) = two().await;
    let tx = signed(&subject.chain).await;
    let refusals = [
        refused("undefined", 1, "something nobody has heard of"),
        refused("sdk", 9, "account pokt1 does not exist: unknown address"),
        refused("sdk", 4, "signature verification failed: unauthorized"),
    ];
    for (at, refusal) in refusals.into_iter().enumerate() {
        first.broadcasts(vec![refusal]);
        // Each for the first time.
        let tx = if at == 0 {
            tx.clone()
        } else {
            signed(&subject.chain).await
        };
        assert_eq!(subject.chain.broadcast(&tx).await.unwrap(), Sent::New);
        assert_eq!(second.calls("broadcast_tx_sync"), at + 1);
    }
    // Where all refuse, it is the first one's reason that is told.
    second.broadcasts(vec![refused("undefined", 1, "no such thing")]);
    let error = subject.chain.broadcast(&tx).await.unwrap_err();
    assert_eq!(error.reason(), Some(&Reason::BadSignature));
    // What nobody can read is shown to nobody else.
    let tx = signed(&subject.chain).await;
    let before = second.calls("broadcast_tx_sync");
    first.broadcasts(vec![refused("sdk", 2, "tx parse error")]);
    let error = subject.chain.broadcast(&tx).await.unwrap_err();
    assert_eq!(error.reason(), Some(&Reason::Undecodable));
    assert_eq!(second.calls("broadcast_tx_sync"), before);
    // One that gives no answer may have taken it.
    first.broadcasts(vec![refused("undefined", 1, "no such thing")]);
    second.misbehave(crate::node::Misbehaviour::BadGateway);
    let error = subject.chain.broadcast(&tx).await.unwrap_err();
    assert!(matches!(error, TxError::Unsent { .. }), "{error}");
    subject.stop().await;
}

#[tokio::test]
async fn what_is_sent_again_goes_to_every_endpoint() {
    let (first, second, subject) = two().await;
    let tx = signed(&subject.chain).await;
    assert_eq!(subject.chain.broadcast(&tx).await.unwrap(), Sent::New);
    assert_eq!(second.calls("broadcast_tx_sync"), 0);
    // The first one says that it has it, and may have dropped it.
    first.broadcasts(vec![json!({ "code": -1, "data": "tx already exists in cache" })]);
    assert_eq!(subject.chain.broadcast(&tx).await.unwrap(), Sent::New);
    assert_eq!(second.calls("broadcast_tx_sync"), 1);
    subject.stop().await;
}

#[tokio::test]
async fn a_transaction_that_no_block_holds_is_sent_again_with_each_block() {
    let (node, subject) = ready().await;
    let tx = signed(&subject.chain).await;
    subject.chain.broadcast(&tx).await.unwrap();
    assert!(subject.chain.send_again(&tx).await.is_none());
    assert_eq!(node.calls("broadcast_tx_sync"), 1, "no new block");
    node.set_head(346);
    subject.followed_to(346).await;
    assert!(
        subject
            .chain
            .send_again(&tx)
            .await
            .is_some_and(|sent| sent.is_ok())
    );
    assert!(subject.chain.send_again(&tx).await.is_none());
    assert_eq!(node.calls("broadcast_tx_sync"), 2);
    subject.stop().await;
}

#[tokio::test]
async fn one_endpoint_cannot_make_a_transaction_look_undone() {
    let (node, subject) = ready().await;
    let chain = &subject.chain;
    let tx = signed(chain).await;
    // It refuses what it may have passed on.
    node.broadcasts(vec![refused(
        "sdk",
        5,
        "spendable balance 1upokt is smaller: insufficient funds",
    )]);
    let error = chain.broadcast(&tx).await.unwrap_err();
    assert!(
        matches!(
            error,
            TxError::Refused {
                stage: Stage::Check,
                ..
            }
        ) && !error.is_certain(),
        "{error}"
    );
    // It says that a block holds it, and that it failed there, and proves nothing of it.
    node.include(&tx.hash(), result(&tx, 5, "insufficient funds"));
    let status = seen(chain, &tx, Duration::from_millis(300)).await;
    assert_eq!(status, TxStatus::Pending);
    // A new one in its place takes its moment: the chain takes one of both at most.
    let anew = Options {
        in_place_of: Some(tx.clone()),
        memo: "again".to_owned(),
        ..fixed()
    };
    let prepared = chain.prepare(&key(), messages(), &anew).await.unwrap();
    let other = chain.sign(&key(), &prepared).unwrap();
    let until = |tx: &SignedTx| {
        hearth_pocket::tx::decode(tx.raw())
            .unwrap()
            .body
            .timeout_timestamp
    };
    assert_ne!(other.hash(), tx.hash());
    assert_eq!(until(&other), until(&tx));
    subject.stop().await;
}

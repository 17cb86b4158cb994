//! Reading the state with proof.

use hearth_base::{Amount, Height};
use hearth_chain::{Anchor, EndpointState, ProofStatus, Query, QueryError, ReadAt, Standing, Trust};
use hearth_pocket::address::Address;

use crate::node::{Misbehaviour, Node, Subject, anchor, base64, config, from_base64, list, load, made_at};

const APP1: &str = "pokt1y8n0alzxnlepy5x04w4tu9zskg2hzw5aa6ypvx";
const ABSENT: &str = "pokt1f7kceahaxu97ue0zkwgl8d4kupcxnmhf32f5ax";
const LIGHT: &str = "chain_light";

fn app1() -> Address {
    Address::parse(APP1).unwrap()
}

/// The recorded balance of application 1 at height 344.
fn balance() -> Amount {
    let golden = load("chain_proofs");
    let entry = golden["proofs_height_344"]
        .as_array()
        .unwrap()
        .iter()
        .find(|e| e["label"] == "balance_app1")
        .unwrap();
    entry["decoded"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn values_are_proven_and_absence_is_an_answer() {
    let node = Node::start(LIGHT, 345).await;
    let subject = Subject::start(config(&[node.url()]), made_at(LIGHT, 345) + 500).await;
    let head = subject.followed_to(345).await;
    assert_eq!((head.height, head.proven_height), (Height(345), Height(344)));
    let chain = &subject.chain;
    assert_eq!(chain.trust().await.unwrap(), Trust::Given(anchor(LIGHT)));

    let found = chain.balance(&app1()).await.unwrap();
    assert_eq!(
        (*found.value(), found.height(), found.how()),
        (balance(), Height(344), ProofStatus::Proven)
    );
    let application = chain.application(&app1()).await.unwrap();
    assert_eq!(application.proven().unwrap().into_value().unwrap().address, APP1);
    let absent = chain
        .query(Query::supplier(&Address::parse(ABSENT).unwrap()), ReadAt::Newest)
        .await
        .unwrap();
    assert_eq!(absent.proven().unwrap().into_value(), None);
    let params = chain.params().await.unwrap();
    assert_eq!(
        (params.how(), params.value().shared.num_blocks_per_session),
        (ProofStatus::Proven, 10)
    );
    assert_eq!(params.value().tokenomics.overservicing_bonus_multiplier, 1);
    // Headers older than the newest come out of the store, and older ones than the anchor are not there.
    assert!(chain.block_hash(Height(331)).await.is_ok());
    assert!(chain.block_hash(Height(346)).await.is_err());
    subject.stop().await;
}

#[tokio::test]
async fn a_liar_is_banned_and_the_next_one_is_asked() {
    for misbehaviour in [
        Misbehaviour::WrongValue,
        Misbehaviour::WrongProof,
        Misbehaviour::Hides,
    ] {
        let liar = Node::with(LIGHT, 345, misbehaviour).await;
        let good = Node::start(LIGHT, 345).await;
        let subject = Subject::start(config(&[liar.url(), good.url()]), made_at(LIGHT, 345) + 500).await;
        subject.followed_to(345).await;
        let found = subject.chain.balance(&app1()).await.unwrap();
        assert_eq!(
            (*found.value(), found.how()),
            (balance(), ProofStatus::Proven),
            "{misbehaviour:?}"
        );
        let endpoints = subject.chain.endpoints();
        let EndpointState::Banned { why } = &endpoints[0].state else {
            panic!("{misbehaviour:?}: {endpoints:?}")
        };
        assert!(why.contains("bank"), "{why}");
        assert_eq!(endpoints[1].state, EndpointState::Healthy);
        subject.stop().await;
    }
}

#[tokio::test]
async fn a_liar_alone_proves_nothing() {
    let liar = Node::with(LIGHT, 345, Misbehaviour::WrongValue).await;
    let subject = Subject::start(config(&[liar.url()]), made_at(LIGHT, 345) + 500).await;
    subject.followed_to(345).await;
    let error = subject.chain.balance(&app1()).await.unwrap_err();
    assert!(matches!(error, QueryError::Rpc(_)), "{error}");
    assert!(error.to_string().contains("gave a false answer"), "{error}");
    subject.stop().await;
}

#[tokio::test]
async fn what_was_proven_is_shown_as_stale_when_nobody_answers() {
    let node = Node::start(LIGHT, 345).await;
    let now = made_at(LIGHT, 345) + 500;
    let subject = Subject::start(config(&[node.url()]), now).await;
    subject.followed_to(345).await;
    subject.chain.balance(&app1()).await.unwrap();
    node.misbehave(Misbehaviour::BadGateway);
    let away = |standing: &Standing| matches!(standing, Standing::Unreachable { .. });
    subject.head(|head| away(&head.standing)).await;
    let found = subject.chain.balance(&app1()).await.unwrap();
    assert_eq!(
        (*found.value(), found.height(), found.how()),
        (balance(), Height(344), ProofStatus::Stale)
    );
    // Also after a restart; and what was never asked for stays unknown.
    let folder = subject.stop().await;
    let subject = Subject::start_in(folder, config(&[node.url()]), now).await;
    assert_eq!(
        subject.chain.balance(&app1()).await.unwrap().how(),
        ProofStatus::Stale
    );
    assert!(subject.chain.application(&app1()).await.is_err());
    let head = subject
        .head(|head| matches!(head.standing, Standing::Unreachable { .. }))
        .await;
    assert!(matches!(head.standing, Standing::Unreachable { why } if why.contains("502")));
    // And it goes on where it was.
    node.misbehave(Misbehaviour::None);
    subject.followed_to(345).await;
    assert_eq!(
        subject.chain.balance(&app1()).await.unwrap().how(),
        ProofStatus::Proven
    );
    assert_eq!(node.calls("validators"), 1);
    subject.stop().await;
}

#[tokio::test]
async fn without_trust_values_are_marked_unproven() {
    let node = Node::start(LIGHT, 345).await;
    let alone = hearth_chain::Config {
        trust: None,
        ..config(&[node.url()])
    };
    let subject = Subject::start(alone, made_at(LIGHT, 345) + 500).await;
    let head = subject
        .head(|head| matches!(head.standing, Standing::Unverified { .. }))
        .await;
    assert_eq!((head.height, head.verified_height), (Height(345), Height(0)));
    let Standing::Unverified { why } = head.standing else {
        panic!()
    };
    assert!(why.contains("2 must agree"), "{why}");
    let found = subject.chain.balance(&app1()).await.unwrap();
    assert_eq!((*found.value(), found.how()), (balance(), ProofStatus::Unproven));
    // Which decides nothing, and says why.
    let error = found.proven().unwrap_err().to_string();
    assert!(error.contains("2 must agree"), "{error}");
    for refused in [
        subject
            .chain
            .session(&app1(), &"hearth-llm".into(), Height(344))
            .await
            .unwrap_err(),
        subject.chain.block_hash(Height(344)).await.unwrap_err(),
    ] {
        assert!(refused.to_string().contains("2 must agree"), "{refused}");
    }
    assert_eq!(subject.chain.trust().await.unwrap(), Trust::Missing);
    subject.stop().await;
}

#[tokio::test]
async fn two_endpoints_that_agree_are_a_beginning() {
    let nodes = [Node::start(LIGHT, 345).await, Node::start(LIGHT, 346).await];
    let pair = hearth_chain::Config {
        trust: None,
        ..config(&[nodes[0].url(), nodes[1].url()])
    };
    let now = made_at(LIGHT, 346) + 500;
    let subject = Subject::start(pair.clone(), now).await;
    subject.followed_to(346).await;
    let Trust::Agreed { anchor, endpoints } = subject.chain.trust().await.unwrap() else {
        panic!()
    };
    assert_eq!((anchor.height, endpoints.len()), (Height(344), 2));
    let folder = subject.stop().await;
    // What began so stays, and is still shown as such.
    let subject = Subject::start_in(folder, pair, now).await;
    subject.followed_to(346).await;
    assert!(matches!(
        subject.chain.trust().await.unwrap(),
        Trust::Agreed { .. }
    ));
    subject.stop().await;

    // One host under two addresses is one voice; and two that disagree are none.
    let twice = [nodes[0].url(), format!("{}/again", nodes[0].url())];
    let forger = Node::with(LIGHT, 345, Misbehaviour::ForgedHeader).await;
    let other = [nodes[0].url(), forger.url()];
    for (urls, text) in [(twice, "2 must agree"), (other, "different headers")] {
        let subject = Subject::start(
            hearth_chain::Config {
                trust: None,
                ..config(&urls)
            },
            now,
        )
        .await;
        let head = subject
            .head(|head| matches!(head.standing, Standing::Unverified { .. }))
            .await;
        assert!(
            matches!(&head.standing, Standing::Unverified { why } if why.contains(text)),
            "{head:?}"
        );
        subject.stop().await;
    }
}

#[tokio::test]
async fn a_wrong_anchor_is_said() {
    let node = Node::start(LIGHT, 345).await;
    let wrong = Anchor {
        height: Height(331),
        hash: [7; 32],
    };
    let subject = Subject::start(
        hearth_chain::Config {
            trust: Some(wrong),
            ..config(&[node.url()])
        },
        made_at(LIGHT, 345) + 500,
    )
    .await;
    let head = subject
        .head(|head| matches!(head.standing, Standing::TrustConflict { .. }))
        .await;
    assert!(
        matches!(head.standing, Standing::TrustConflict { why } if why.contains("0707") && why.contains("correct the anchor"))
    );
    // An operator who corrects it starts anew in the same folder.
    let folder = subject.stop().await;
    let subject = Subject::start_in(folder, config(&[node.url()]), made_at(LIGHT, 345) + 500).await;
    subject.followed_to(345).await;
    subject.stop().await;
}

#[tokio::test]
async fn another_anchor_of_the_same_chain_keeps_what_is_stored() {
    let node = Node::start(LIGHT, 345).await;
    let now = made_at(LIGHT, 345) + 500;
    let subject = Subject::start(config(&[node.url()]), now).await;
    subject.followed_to(345).await;
    let hash = subject.chain.block_hash(Height(338)).await.unwrap().into_value();
    let folder = subject.stop().await;
    let later = Anchor {
        height: Height(338),
        hash,
    };
    let subject = Subject::start_in(
        folder,
        hearth_chain::Config {
            trust: Some(later),
            ..config(&[node.url()])
        },
        now,
    )
    .await;
    subject.followed_to(345).await;
    assert_eq!(subject.chain.trust().await.unwrap(), Trust::Given(anchor(LIGHT)));
    subject.stop().await;
}

#[tokio::test]
async fn a_changing_validator_set_is_followed_by_bisection() {
    const VALIDATORS: &str = "chain_light_validators";
    let node = Node::start(VALIDATORS, 54).await;
    let subject = Subject::start(
        hearth_chain::Config {
            trust: Some(anchor(VALIDATORS)),
            ..config(&[node.url()])
        },
        made_at(VALIDATORS, 54) + 500,
    )
    .await;
    subject.followed_to(54).await;
    // The skip from 4 to 54 alone has too little overlap.
    assert!(node.calls("commit") > 2, "{}", node.calls("commit"));
    // A header between, and one below, by either way.
    for height in [30, 5, 53] {
        assert!(subject.chain.block_hash(Height(height)).await.is_ok(), "{height}");
    }
    subject.stop().await;
}

/// The answer to a question for the transaction at `index` of block 343, whose place is told as another one.
fn found_at(index: usize, told: (u64, u64)) -> ([u8; 32], serde_json::Value) {
    use hearth_pocket::{merkle::leaf_hash, tx};
    let golden = load(LIGHT);
    let heights = list(&golden["heights"]).iter();
    let block = heights.clone().find(|entry| entry["height"] == 343).unwrap();
    let txs: Vec<Vec<u8>> = list(&block["block"]["block"]["data"]["txs"])
        .iter()
        .map(|tx| from_base64(tx.as_str().unwrap()))
        .collect();
    let leaf = |tx: &[u8]| base64(&leaf_hash(&tx::hash(tx)));
    let hash = tx::hash(&txs[index]);
    let answer = serde_json::json!({
        "hash": hex::encode_upper(hash), "height": "343", "index": told.0, "tx": base64(&txs[index]),
        "tx_result": block["block_results"]["txs_results"][index],
        "proof": {
            "root_hash": "", "data": base64(&txs[index]),
            "proof": {
                "total": told.1.to_string(), "index": told.0.to_string(),
                "leaf_hash": leaf(&txs[index]), "aunts": [leaf(&txs[1 - index])],
            },
        },
    });
    (hash, answer)
}

#[tokio::test]
async fn the_place_of_a_transaction_is_one_among_all_of_its_block() {
    // With one left neighbour the way to the root is that of the last of two, and of the last of three.
    let (liar, good) = (Node::start(LIGHT, 345).await, Node::start(LIGHT, 345).await);
    let (hash, honest) = found_at(1, (1, 2));
    let (_, other) = found_at(1, (2, 3));
    liar.include(&hash, other);
    good.include(&hash, honest);
    let subject = Subject::start(config(&[liar.url(), good.url()]), made_at(LIGHT, 345) + 500).await;
    subject.followed_to(345).await;
    let found = subject.chain.tx(&hash).await.unwrap().unwrap();
    assert!(found.is_placed && found.outcome.is_some(), "{found:?}");
    let endpoints = subject.chain.endpoints();
    let EndpointState::Banned { why } = &endpoints[0].state else {
        panic!("{endpoints:?}")
    };
    assert!(why.contains("2 transactions, not 3"), "{why}");
    assert_eq!(endpoints[1].state, EndpointState::Healthy);
    subject.stop().await;
}

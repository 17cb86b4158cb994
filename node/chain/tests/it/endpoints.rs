//! Endpoints that are down, slow, senseless, lying, of another chain; clocks that are wrong; trust that is too old.

use std::time::Duration;

use hearth_base::{Clock, Tasks};
use hearth_chain::{Args, Chain, Config, EndpointState, Standing, StartError};

use crate::node::{Misbehaviour, Node, Subject, config, made_at};

const LIGHT: &str = "chain_light";

/// A bad endpoint before a good one does no harm and is shown for what it is.
async fn beside(bad: String) -> EndpointState {
    let good = Node::start(LIGHT, 345).await;
    let subject = Subject::start(config(&[bad, good.url()]), made_at(LIGHT, 345) + 500).await;
    subject.followed_to(345).await;
    good.set_head(346);
    subject.followed_to(346).await;
    let state = subject.chain.endpoints()[0].state.clone();
    assert_eq!(subject.chain.endpoints()[1].state, EndpointState::Healthy);
    subject.stop().await;
    state
}

#[tokio::test]
async fn down() {
    // Nobody listens on the discard port.
    let state = beside("http://127.0.0.1:9".to_owned()).await;
    assert!(
        matches!(&state, EndpointState::Failing { why } if why.contains("cannot be reached")),
        "{state:?}"
    );
}

#[tokio::test]
async fn slow() {
    let state = beside(Node::with(LIGHT, 345, Misbehaviour::Slow).await.url()).await;
    assert!(
        matches!(&state, EndpointState::Failing { why } if why.contains("no answer within 700ms")),
        "{state:?}"
    );
}

#[tokio::test]
async fn rubbish() {
    let node = Node::with(LIGHT, 345, Misbehaviour::Rubbish).await;
    let state = beside(node.url()).await;
    assert!(
        matches!(&state, EndpointState::Failing { why } if why.contains("rubbish")),
        "{state:?}"
    );
}

#[tokio::test]
async fn lying() {
    let node = Node::with(LIGHT, 345, Misbehaviour::ForgedHeader).await;
    let state = beside(node.url()).await;
    let EndpointState::Banned { why } = &state else {
        panic!("{state:?}")
    };
    assert!(why.contains("forged"), "{why}");
}

#[tokio::test]
async fn more_validators_than_a_page_holds() {
    let node = Node::with(LIGHT, 345, Misbehaviour::ManyValidators).await;
    let state = beside(node.url()).await;
    let EndpointState::Banned { why } = &state else {
        panic!("{state:?}")
    };
    assert!(
        why.contains("asked for 100 validators") && why.contains("it sent 101"),
        "{why}"
    );
}

#[tokio::test]
async fn another_chain() {
    let node = Node::with(LIGHT, 345, Misbehaviour::OtherChain).await;
    let state = beside(node.url()).await;
    assert_eq!(
        state,
        EndpointState::OtherChain {
            found: "another-chain".to_owned()
        }
    );
    // It was asked once and never again.
    assert_eq!(node.calls("status"), 1);
}

#[tokio::test]
async fn one_that_is_behind_is_not_the_head() {
    let state = beside(Node::start(LIGHT, 340).await.url()).await;
    assert!(
        matches!(&state, EndpointState::Stale { why } if why.contains("6 blocks behind")),
        "{state:?}"
    );
}

#[tokio::test]
async fn only_another_chain_is_said_clearly() {
    let node = Node::with(LIGHT, 345, Misbehaviour::OtherChain).await;
    let subject = Subject::start(config(&[node.url()]), made_at(LIGHT, 345) + 500).await;
    let head = subject
        .head(|head| matches!(head.standing, Standing::Unreachable { .. }))
        .await;
    assert!(
        matches!(&head.standing, Standing::Unreachable { why } if why.contains("another-chain")),
        "{head:?}"
    );
    subject.stop().await;
}

#[tokio::test]
async fn a_ban_ends() {
    let node = Node::with(LIGHT, 345, Misbehaviour::ForgedHeader).await;
    let short = Config {
        ban: Duration::from_millis(300),
        ..config(&[node.url()])
    };
    // The anchor is not forged, since it is fetched before the vice sets in.
    node.misbehave(Misbehaviour::None);
    let subject = Subject::start(short, made_at(LIGHT, 345) + 500).await;
    subject.followed_to(345).await;
    node.misbehave(Misbehaviour::ForgedHeader);
    node.set_head(346);
    subject
        .head(|head| matches!(&head.standing, Standing::Unreachable { why } if why.contains("forged")))
        .await;
    node.misbehave(Misbehaviour::None);
    subject.followed_to(346).await;
    subject.stop().await;
}

#[tokio::test]
async fn a_clock_that_is_behind_is_our_fault() {
    let node = Node::start(LIGHT, 345).await;
    let subject = Subject::start(config(&[node.url()]), made_at(LIGHT, 345) - 3_600_000).await;
    let head = subject
        .head(|head| matches!(head.standing, Standing::ClockSkew { .. }))
        .await;
    let Standing::ClockSkew { ahead_s, why } = head.standing else {
        panic!()
    };
    assert!((-3601..=-3599).contains(&ahead_s), "{ahead_s}");
    assert!(why.contains("set the clock"), "{why}");
    assert_eq!(subject.chain.endpoints()[0].state, EndpointState::Healthy);
    subject.clock.advance(Duration::from_secs(3600));
    subject.followed_to(345).await;
    subject.stop().await;
}

#[tokio::test]
async fn a_clock_that_is_ahead_is_noticed_at_the_next_block() {
    let node = Node::start(LIGHT, 345).await;
    let subject = Subject::start(config(&[node.url()]), made_at(LIGHT, 345) + 3_600_000).await;
    // An old head alone says nothing of the clock: the chain may stand still.
    let head = subject
        .head(|head| matches!(head.standing, Standing::Stalled { .. }))
        .await;
    assert!(
        matches!(&head.standing, Standing::Stalled { why } if why.contains("after 345")),
        "{head:?}"
    );
    node.set_head(346);
    let head = subject
        .head(|head| matches!(head.standing, Standing::ClockSkew { .. }))
        .await;
    assert!(
        matches!(
            head.standing,
            Standing::ClockSkew {
                ahead_s: 3590..3610,
                ..
            }
        ),
        "{head:?}"
    );
    subject.stop().await;
}

#[tokio::test]
async fn a_frozen_endpoint_is_seen_by_the_age_of_its_block() {
    let node = Node::start(LIGHT, 345).await;
    let subject = Subject::start(config(&[node.url()]), made_at(LIGHT, 345) + 500).await;
    subject.followed_to(345).await;
    node.set_head(346);
    subject.followed_to(346).await;
    assert_eq!(subject.chain.endpoints()[0].state, EndpointState::Healthy);
    subject.clock.advance(Duration::from_secs(420));
    let head = subject
        .head(|head| matches!(head.standing, Standing::Stalled { .. }))
        .await;
    assert!(head.age(subject.clock.now()) > head.stale_after());
    assert!(subject.chain.age_of(head.height).unwrap() >= Duration::from_secs(400));
    let state = subject.chain.endpoints()[0].state.clone();
    assert!(
        matches!(&state, EndpointState::Stale { why } if why.contains("min ago")),
        "{state:?}"
    );
    // It goes on as soon as there is a block again.
    subject.clock.advance(Duration::from_secs(60));
    node.set_head(347);
    subject.head(|head| head.verified_height.0 == 347).await;
    subject.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_goes_back_or_lags_is_named() {
    let (good, bad) = (Node::start(LIGHT, 345).await, Node::start(LIGHT, 345).await);
    let subject = Subject::start(config(&[good.url(), bad.url()]), made_at(LIGHT, 345) + 500).await;
    subject.followed_to(345).await;
    let stale = async |wanted: &str| {
        let deadline = tokio::time::Instant::now() + crate::node::PATIENCE;
        loop {
            let state = subject.chain.endpoints()[1].state.clone();
            if matches!(&state, EndpointState::Stale { why } if why.contains(wanted)) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{wanted}: {state:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    good.set_head(352);
    subject.followed_to(352).await;
    stale("7 blocks behind").await;
    bad.set_head(340);
    stale("went back from block 345 to 340").await;
    assert_eq!(subject.chain.endpoints()[0].state, EndpointState::Healthy);
    subject.stop().await;
}

#[tokio::test]
async fn one_failure_says_nothing_of_a_chain_that_was_followed() {
    let node = Node::start(LIGHT, 345).await;
    let subject = Subject::start(config(&[node.url()]), made_at(LIGHT, 345) + 500).await;
    subject.followed_to(345).await;
    node.misbehave(Misbehaviour::BadGateway);
    let head = subject
        .head(|head| matches!(head.standing, Standing::Unreachable { .. }))
        .await;
    assert!(node.calls("status") > 3, "{head:?}");
    node.misbehave(Misbehaviour::None);
    subject.followed_to(345).await;
    subject.stop().await;
}

#[tokio::test]
async fn an_anchor_that_the_chain_contradicts_stops_money_until_a_person_decides() {
    let node = Node::start(LIGHT, 345).await;
    let now = made_at(LIGHT, 345) + 500;
    let anchor = crate::node::anchor(LIGHT);
    let wrong = Config {
        trust: Some(hearth_chain::Anchor {
            hash: [7; 32],
            ..anchor
        }),
        ..config(&[node.url()])
    };
    // No endpoint knows the anchor: nothing is believed, not even unproven.
    let subject = Subject::start(wrong.clone(), now).await;
    let conflict = |standing: &Standing| matches!(standing, Standing::TrustConflict { .. });
    subject.head(|head| conflict(&head.standing)).await;
    let key = hearth_pocket::keys::SecretKey::from_bytes(&[9; 32]).unwrap();
    let error = subject.chain.balance(key.address()).await.unwrap_err();
    assert!(error.to_string().contains("until you decide"), "{error}");
    let refused = subject
        .chain
        .prepare(&key, Vec::new(), &hearth_chain::Options::default())
        .await;
    assert!(
        matches!(refused, Err(hearth_chain::TxError::TrustConflict { .. })),
        "{refused:?}"
    );
    assert!(subject.chain.prefer_anchor().await.is_err(), "no endpoint has it");
    subject.stop().await;

    // The headers that were verified contradict an anchor that was given later.
    let subject = Subject::start(config(&[node.url()]), now).await;
    subject.followed_to(345).await;
    let folder = subject.stop().await;
    let subject = Subject::start_in(folder, wrong, now).await;
    subject.head(|head| conflict(&head.standing)).await;
    let folder = subject.stop().await;
    // The person found the mistake.
    let subject = Subject::start_in(folder, config(&[node.url()]), now).await;
    subject.followed_to(345).await;
    subject.stop().await;
}

#[tokio::test]
async fn a_clock_that_jumped_drops_nothing_that_was_verified() {
    let node = Node::start(LIGHT, 345).await;
    let now = made_at(LIGHT, 345) + 500;
    let mut folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let day = 86_400_000;
    // Right, far ahead at the start, far behind at the start, right again.
    for (clock, is_right) in [
        (now, true),
        (now + 15 * day, false),
        (now - 15 * day, false),
        (now, true),
    ] {
        let subject = Subject::start_in(folder, config(&[node.url()]), clock).await;
        if is_right {
            subject.followed_to(345).await;
            assert!(subject.chain.block_hash(hearth_base::Height(345)).await.is_ok());
        } else {
            let head = subject.head(|head| head.standing != Standing::Starting).await;
            assert!(
                matches!(
                    head.standing,
                    Standing::TrustExpired { .. } | Standing::ClockSkew { .. } | Standing::Following
                ),
                "{head:?}"
            );
        }
        let state = subject.chain.endpoints()[0].state.clone();
        let blamed = matches!(
            state,
            EndpointState::Banned { .. } | EndpointState::OtherChain { .. } | EndpointState::Failing { .. }
        );
        assert!(!blamed, "{clock}: {state:?}");
        folder = subject.stop().await;
    }
}

#[tokio::test]
async fn trust_that_is_too_old_asks_for_a_newer_anchor() {
    let node = Node::start(LIGHT, 345).await;
    let subject = Subject::start(config(&[node.url()]), made_at(LIGHT, 345) + 15 * 86_400_000).await;
    let head = subject
        .head(|head| matches!(head.standing, Standing::TrustExpired { .. }))
        .await;
    assert!(
        matches!(&head.standing, Standing::TrustExpired { why } if why.contains("newer trust height")),
        "{head:?}"
    );
    subject.stop().await;
}

#[tokio::test]
async fn mainnets_id_on_a_private_network_is_refused_before_anything_is_asked() {
    let node = Node::start(LIGHT, 345).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hearth.db");
    let store = hearth_store::Store::open(hearth_store::Config {
        path,
        chain_id: "pocket".into(),
        max_pages: None,
    });
    let config = Config {
        chain_id: "pocket".into(),
        ..config(&[node.url()])
    };
    let args = Args {
        config,
        store: store.await.unwrap(),
        clock: Clock::test(0),
        tasks: Tasks::root(),
    };
    let error = Chain::start(args).unwrap_err();
    assert!(
        matches!(error, StartError::Config(hearth_chain::ConfigError::MainnetId)),
        "{error}"
    );
    assert_eq!(node.calls("status"), 0);
}

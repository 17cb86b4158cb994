//! Our own trouble: a clock that is set, a disk that is full, a database that was damaged. None of it makes the chain look
//! forged or an endpoint a liar.

use std::{sync::Arc, time::Duration};

use hearth_base::{Amount, Height};
use hearth_chain::{Config, EndpointState, ReadAt, Standing};
use hearth_pocket::address::Address;

use crate::node::{Misbehaviour, Node, Subject, anchor, config, made_at};

const LIGHT: &str = "chain_light";
const VALIDATORS: &str = "chain_light_validators";
const APP1: &str = "pokt1y8n0alzxnlepy5x04w4tu9zskg2hzw5aa6ypvx";
const DAY_MS: i64 = 86_400_000;

fn nobody_is_blamed(subject: &Subject, when: &str) {
    let endpoint = subject.chain.endpoints().remove(0);
    let blamed = matches!(
        endpoint.state,
        EndpointState::Banned { .. } | EndpointState::OtherChain { .. } | EndpointState::Failing { .. }
    );
    assert!(!blamed && endpoint.lies == 0, "{when}: {endpoint:?}");
    let standing = subject.chain.head().borrow().standing.clone();
    assert!(
        !matches!(standing, Standing::TrustConflict { .. }),
        "{when}: {standing:?}"
    );
}

#[tokio::test]
async fn a_clock_that_is_set_while_the_chain_is_followed_blames_nobody() {
    let node = Node::start(LIGHT, 345).await;
    let now = made_at(LIGHT, 345) + 500;
    let subject = Subject::start(config(&[node.url()]), now).await;
    subject.followed_to(345).await;
    let app1 = Address::parse(APP1).unwrap();
    let mut head = 345;
    for jump in [
        400 * DAY_MS,
        -400 * DAY_MS,
        15 * DAY_MS,
        -15 * DAY_MS,
        DAY_MS / 24,
        -DAY_MS / 24,
        i64::MAX / 2 - now,
        -now,
    ] {
        subject.clock.set(now + jump);
        head += 1;
        node.set_head(head);
        let before = node.calls("status");
        while node.calls("status") < before + 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Whatever is asked meanwhile.
        let _ = subject.chain.balance(&app1).await;
        let _ = subject.chain.block_hash(Height(head - 1)).await;
        nobody_is_blamed(&subject, &format!("{jump}"));
        // A verdict about the clock stays until the next block.
        head += 1;
        subject.clock.set(made_at(LIGHT, head) + 500);
        node.set_head(head);
        subject.followed_to(head).await;
        nobody_is_blamed(&subject, &format!("after {jump}"));
    }
    assert!(subject.chain.evidence().await.unwrap().is_empty());
    subject.stop().await;
}

#[tokio::test]
async fn a_clock_that_is_behind_calls_no_change_of_validators_forged() {
    // The skip from 4 to 54 has too little overlap: the way leads over headers between, all of them from the future.
    let node = Node::start(VALIDATORS, 54).await;
    let trusted = Config {
        trust: Some(anchor(VALIDATORS)),
        ..config(&[node.url()])
    };
    let right = made_at(VALIDATORS, 54) + 500;
    let subject = Subject::start(trusted, right - 10 * DAY_MS).await;
    let skewed = |standing: &Standing| matches!(standing, Standing::ClockSkew { .. });
    subject.head(|head| skewed(&head.standing)).await;
    nobody_is_blamed(&subject, "behind");
    subject.clock.set(right);
    subject.followed_to(54).await;
    subject.stop().await;
}

#[tokio::test]
async fn a_full_disk_stops_no_proof_and_blames_nobody() {
    let node = Node::start(LIGHT, 340).await;
    let now = made_at(LIGHT, 345) + 500;
    let subject = Subject::start(config(&[node.url()]), now).await;
    subject.followed_to(340).await;
    let folder = subject.stop().await;
    // The database cannot grow by a single page.
    let subject = Subject::start_on(Arc::clone(&folder), config(&[node.url()]), now, Some(1)).await;
    subject.followed_to(340).await;
    // More than the pages that are there may hold.
    for head in 341..=356 {
        node.set_head(head);
        subject.clock.set(made_at(LIGHT, head) + 500);
        subject.followed_to(head).await;
    }
    node.set_head(345);
    let (app1, at) = (Address::parse(APP1).unwrap(), ReadAt::Height(Height(344)));
    let told = subject.chain.balance_at(&app1, at);
    let balance = told.await.unwrap().proven().unwrap();
    assert!(*balance.value() > Amount::ZERO);
    for height in [341, 350, 356] {
        assert_eq!(
            subject.chain.block_hash(Height(height)).await.unwrap().height(),
            Height(height)
        );
    }
    let endpoint = subject.chain.endpoints().remove(0);
    assert_eq!(endpoint.lies, 0, "{endpoint:?}");
    let folder = subject.stop().await;
    // With room again it goes on.
    node.set_head(356);
    let subject = Subject::start_in(folder, config(&[node.url()]), made_at(LIGHT, 356) + 500).await;
    subject.followed_to(356).await;
    nobody_is_blamed(&subject, "with room again");
    subject.stop().await;
}

#[tokio::test]
async fn a_damaged_validator_set_of_our_own_is_fetched_again() {
    let node = Node::start(LIGHT, 345).await;
    let now = made_at(LIGHT, 345) + 500;
    let subject = Subject::start(config(&[node.url()]), now).await;
    subject.followed_to(345).await;
    let folder = subject.stop().await;
    // The set of another chain under the hash of ours.
    let other = crate::node::load(VALIDATORS)["heights"][0]["validators"]["validators"].clone();
    let set = format!("{{\"validators\":{other},\"proposer\":null,\"total_voting_power\":\"1\"}}");
    damage(&folder, &set).await;
    node.set_head(346);
    let subject = Subject::start_in(folder, config(&[node.url()]), made_at(LIGHT, 346) + 500).await;
    subject.followed_to(346).await;
    nobody_is_blamed(&subject, "damaged");
    subject.stop().await;
}

async fn damage(folder: &tempfile::TempDir, set: &str) {
    let store = hearth_store::Store::open(hearth_store::Config {
        path: folder.path().join("hearth.db"),
        chain_id: crate::node::CHAIN_ID.into(),
        max_pages: None,
    });
    let store = store.await.unwrap();
    sqlx::query("UPDATE chain_validators SET validators = ?")
        .bind(set)
        .execute(store.pool())
        .await
        .unwrap();
    store.close().await;
}

#[tokio::test]
async fn what_was_verified_is_shown_with_its_age_before_anybody_answers() {
    let node = Node::start(LIGHT, 345).await;
    let now = made_at(LIGHT, 345) + 500;
    let subject = Subject::start(config(&[node.url()]), now).await;
    subject.followed_to(345).await;
    subject.chain.params().await.unwrap();
    let folder = subject.stop().await;
    node.misbehave(Misbehaviour::BadGateway);
    let subject = Subject::start_in(folder, config(&[node.url()]), now + 3 * 3_600_000).await;
    let away = |standing: &Standing| matches!(standing, Standing::Unreachable { .. });
    let head = subject.head(|head| away(&head.standing)).await;
    assert_eq!((head.height, head.proven_height), (Height(345), Height(344)));
    let params = subject.chain.params().await.unwrap();
    assert_eq!(
        (params.how(), params.height()),
        (hearth_chain::ProofStatus::Stale, Height(344))
    );
    assert_eq!(params.value().shared.num_blocks_per_session, 10);
    let age = subject.chain.age_of(params.height()).unwrap();
    assert!(age > Duration::from_secs(3 * 3600 - 60), "{age:?}");
    // Nothing of it decides.
    assert!(params.proven().unwrap_err().to_string().contains("344"));
    subject.stop().await;
}

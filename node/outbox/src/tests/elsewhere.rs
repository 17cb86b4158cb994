//! What was signed elsewhere goes the way of all others, and nothing else is ever signed in its place.

use hearth_pocket::{
    message::Coin,
    tx::{Plan, SignedTx},
};

use super::*;
use crate::{Put, Signed, testing::CHAIN};

/// An ordered transaction of the account, which has no end of its own.
fn signed(model: &Model, amount: &str, sequence: u64) -> (Intent, SignedTx) {
    let intent = Intent {
        reason: Reason::Elsewhere,
        ..payment(model, amount)
    };
    let plan = Plan {
        fee: vec![Coin::upokt(Amount::from_upokt(2))],
        gas_limit: 100,
        ..Plan::ordered(intent.messages.clone(), sequence)
    };
    let tx = plan.sign(&*model.key, CHAIN, 3).unwrap();
    let about = tx.hash_text();
    (Intent { about, ..intent }, tx)
}

impl World {
    async fn put_signed(&self, (intent, tx): &(Intent, SignedTx)) -> Put {
        let signed = Signed {
            tx,
            first_height: None,
        };
        self.outbox.put_signed(intent, signed).await.unwrap()
    }
}

#[tokio::test]
async fn it_is_kept_before_it_is_sent_and_done_once_whenever_the_program_is_killed() {
    for kill in [
        None,
        Some(Killed::Looking),
        Some(Killed::Sending),
        Some(Killed::Sent),
    ] {
        let mut world = World::new().await;
        let sent = signed(&world.model, "7", 0);
        let id = world.put_signed(&sent).await.id();
        assert_eq!(world.put_signed(&sent).await, Put::OnItsWay(id));
        assert_eq!(world.state(id).await.stage(), "signed", "{kill:?}");
        assert_eq!(world.model.round(&world.outbox, kill).await, kill.is_some());
        world.outbox = program(&world.model, &world.store);
        world.round().await;
        world.blocks(3).await;
        assert_eq!(world.model.done("7"), 1, "{kill:?}");
        let outcome = world.outcome(id).await;
        assert!(
            matches!(&outcome, Outcome::Included { tx, .. } if *tx == sent.1.hash_text()),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn it_ends_when_another_has_taken_its_sequence() {
    let world = World::new().await;
    world.model.fault(Faults {
        drops: true,
        ..Faults::default()
    });
    let sent = signed(&world.model, "7", 0);
    let id = world.put_signed(&sent).await.id();
    world.round().await;
    world.blocks(3).await;
    assert_eq!(
        world.state(id).await.stage(),
        "signed",
        "it may still be included"
    );
    world.model.use_sequence();
    world.blocks(3).await;
    assert!(matches!(world.outcome(id).await, Outcome::Expired { .. }));
    assert_eq!(world.model.done("7"), 0);
    // It is wanted once more: it is looked at once more, and nothing else is signed.
    assert!(matches!(world.put_signed(&sent).await, Put::New(_)));
}

#[tokio::test]
async fn it_ends_where_it_failed_and_its_sequence_is_used() {
    let world = World::new().await;
    // The chain's own checks pass, what it does fails: whether its sequence was used, the failure does not say.
    world.model.fault(Faults {
        unchecked: true,
        ..Faults::default()
    });
    let sent = signed(&world.model, "7", 0);
    let id = world.put_signed(&sent).await.id();
    world.round().await;
    world.blocks(2).await;
    assert_eq!(
        world.state(id).await.stage(),
        "signed",
        "a later block may hold it"
    );
    world.model.use_sequence();
    world.blocks(3).await;
    assert!(matches!(world.outcome(id).await, Outcome::Failed { .. }));
    assert_eq!(world.model.done("7"), 0);
}

#[tokio::test]
async fn nothing_is_signed_as_signed_elsewhere() {
    let world = World::new().await;
    let (intent, _) = signed(&world.model, "7", 0);
    assert!(matches!(
        world.outbox.put(&intent).await,
        Err(PutError::Forbidden(_))
    ));
}

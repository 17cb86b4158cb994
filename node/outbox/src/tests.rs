//! Nothing is done twice and nothing is lost, whatever endpoints say and whenever the program is killed.

mod elsewhere;
mod schedules;
mod sharing;

use std::{cell::Cell, sync::Arc, time::Duration};

use hearth_base::Amount;
use hearth_store::Store;

use crate::{
    Intent, Outbox, Outcome, PutError, Reason, State,
    testing::{Faults, Killed, Model, claim, payment, program, store},
};

struct World {
    _folder: tempfile::TempDir,
    store: Store,
    model: Arc<Model>,
    outbox: Outbox,
}

impl World {
    async fn new() -> World {
        let (folder, store) = store().await;
        let model = Model::new();
        let outbox = program(&model, &store);
        World {
            _folder: folder,
            store,
            model,
            outbox,
        }
    }

    async fn put(&self, intent: &Intent) -> i64 {
        self.outbox.put(intent).await.unwrap().id()
    }

    async fn state(&self, id: i64) -> State {
        self.outbox.item(id).await.unwrap().unwrap().state
    }

    async fn outcome(&self, id: i64) -> Outcome {
        let state = self.state(id).await;
        state.outcome().unwrap_or_else(|| panic!("{state:?}")).clone()
    }

    async fn round(&self) {
        self.model.round(&self.outbox, None).await;
    }

    async fn blocks(&self, n: usize) {
        for _ in 0..n {
            self.model.block(1, false);
            self.round().await;
        }
    }
}

#[tokio::test]
async fn a_payment_goes_its_way() {
    let world = World::new().await;
    let id = world.put(&payment(&world.model, "5")).await;
    assert_eq!(world.state(id).await.stage(), "waiting");
    world.round().await;
    assert_eq!(world.state(id).await.stage(), "signed");
    let part = world.outbox.item(id).await.unwrap().unwrap().tx.unwrap();
    assert_eq!((part.fee, part.n_items), (Amount::from_upokt(1), 1));
    world.blocks(1).await;
    assert_eq!(world.state(id).await.stage(), "placed");
    world.blocks(1).await;
    let outcome = world.outcome(id).await;
    assert!(
        matches!(&outcome, Outcome::Included { tx, height } if Some(tx) == part.hash.as_ref() && height.0 == 2)
    );
    assert_eq!(world.model.done("5"), 1);
}

#[tokio::test]
async fn an_endpoint_that_does_not_say_what_became_of_something_keeps_nothing_waiting() {
    let world = World::new().await;
    world.model.fault(Faults {
        drops: true,
        ..Faults::default()
    });
    let dropped = world.put(&payment(&world.model, "5")).await;
    world.round().await;
    world.model.fault(Faults {
        mute: true,
        ..Faults::default()
    });
    let is_over = Cell::new(false);
    let round = async {
        world.outbox.look().await;
        is_over.set(true);
    };
    // What is due is made meanwhile, also what comes later.
    let meanwhile = async {
        for root in ["a", "b"] {
            let id = world.put(&claim(&world.model, root, 50)).await;
            let sent = async {
                while world.state(id).await.stage() != "signed" {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), sent).await.unwrap();
            assert!(!is_over.get());
        }
        // An endpoint that then fails to say it is sent the same bytes again all the same.
        world.model.fault(Faults::default());
    };
    futures::join!(round, meanwhile);
    world.blocks(2).await;
    assert!(matches!(world.outcome(dropped).await, Outcome::Included { .. }));
    assert_eq!(world.model.done("5"), 1);
}

#[tokio::test]
async fn what_was_chosen_to_be_paid_is_paid() {
    let world = World::new().await;
    let id = world
        .outbox
        .put_at_its_fee(&payment(&world.model, "5"))
        .await
        .unwrap()
        .id();
    world.round().await;
    let part = world.outbox.item(id).await.unwrap().unwrap().tx.unwrap();
    assert_eq!(part.fee, Amount::from_upokt(10));
    world.blocks(2).await;
    assert!(matches!(world.outcome(id).await, Outcome::Included { .. }));
    assert_eq!(world.model.done("5"), 1);
}

#[tokio::test]
async fn the_same_payment_again_is_the_one_on_its_way_until_a_block_has_it() {
    let world = World::new().await;
    let id = world.put(&payment(&world.model, "5")).await;
    world.model.fault(Faults {
        refuses: true,
        hides: true,
        ..Faults::default()
    });
    world.round().await;
    // What the endpoints say ends nothing.
    assert!(
        world
            .state(id)
            .await
            .trouble()
            .unwrap()
            .contains("counts as sent")
    );
    assert_eq!(world.put(&payment(&world.model, "5")).await, id);
    world.model.fault(Faults::default());
    world.blocks(1).await;
    let other = world.put(&payment(&world.model, "5")).await;
    assert_ne!(other, id, "the first is paid: this is another one");
    world.blocks(3).await;
    assert_eq!(world.model.done("5"), 2);
}

#[tokio::test]
async fn what_a_person_asks_for_is_tried_once() {
    let world = World::new().await;
    for (faults, about, code) in [
        (
            Faults {
                away: true,
                ..Faults::default()
            },
            "5",
            "chain_unreachable",
        ),
        (Faults::default(), "refused", "refused"),
    ] {
        world.model.fault(faults);
        let id = world.put(&payment(&world.model, about)).await;
        world.round().await;
        let outcome = world.outcome(id).await;
        assert!(
            matches!(&outcome, Outcome::Refused { code: found, .. } if found == code),
            "{outcome:?}"
        );
    }
    world.model.fault(Faults::default());
    world.model.lock(true);
    let id = world.put(&payment(&world.model, "7")).await;
    world.round().await;
    world.model.lock(false);
    world.blocks(3).await;
    let outcome = world.outcome(id).await;
    assert!(
        matches!(&outcome, Outcome::Refused { code, .. } if code == "key_locked"),
        "{outcome:?}"
    );
    assert_eq!(world.model.done("7"), 0);
}

#[tokio::test]
async fn a_fee_is_raised_to_the_ceiling_and_no_further() {
    let world = World::new().await;
    world.model.fault(Faults {
        dear: true,
        ..Faults::default()
    });
    let id = world.put(&payment(&world.model, "5")).await;
    let poor = Intent {
        max_fee: Amount::from_upokt(2),
        ..payment(&world.model, "6")
    };
    let poor = world.put(&poor).await;
    world.round().await;
    world.blocks(3).await;
    assert!(matches!(world.outcome(id).await, Outcome::Included { .. }));
    assert_eq!(
        world.model.done("5"),
        1,
        "the cheaper ones had the same moment of validity"
    );
    assert!(world.state(poor).await.trouble().unwrap().contains("fee"));
    world.model.block(100, false);
    world.round().await;
    assert!(matches!(world.outcome(poor).await, Outcome::Expired { .. }));
}

#[tokio::test]
async fn a_claim_is_tried_until_its_last_block() {
    let world = World::new().await;
    world.model.fault(Faults {
        drops: true,
        ..Faults::default()
    });
    let id = world.put(&claim(&world.model, "root", 200)).await;
    world.round().await;
    world.model.block(100, false);
    world.round().await;
    world.round().await;
    assert_eq!(
        world.state(id).await.stage(),
        "signed",
        "anew, since the first cannot be included any more"
    );
    world.model.fault(Faults::default());
    world.blocks(3).await;
    assert!(matches!(world.outcome(id).await, Outcome::Included { .. }));
    assert_eq!(world.model.done("root"), 1);

    let late = world
        .put(&claim(&world.model, "late", world.model.height()))
        .await;
    world.round().await;
    let outcome = world.outcome(late).await;
    assert!(
        matches!(&outcome, Outcome::Refused { code, .. } if code == "too_late"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn what_comes_after_something_waits_for_its_block_and_is_not_done_without_it() {
    let world = World::new().await;
    for (before, done) in [("5", true), ("refused", false)] {
        let first = world.put(&payment(&world.model, before)).await;
        let after = format!("7{}", u32::from(done));
        let second = Intent {
            after: Some(first),
            ..payment(&world.model, &after)
        };
        let second = world.put(&second).await;
        world.round().await;
        assert_eq!(world.state(second).await.stage(), "waiting");
        world.blocks(4).await;
        assert_eq!(world.model.done(&after), u32::from(done));
        if !done {
            let outcome = world.outcome(second).await;
            assert!(
                matches!(&outcome, Outcome::Refused { code, .. } if code == "not_first"),
                "{outcome:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_locked_key_holds_a_claim_up_and_a_crash_does_not_lose_it() {
    let world = World::new().await;
    world.model.lock(true);
    let id = world.put(&claim(&world.model, "root", 200)).await;
    world.round().await;
    assert!(world.state(id).await.trouble().unwrap().contains("unlock"));
    let outbox = program(&world.model, &world.store);
    world.model.lock(false);
    world.model.round(&outbox, None).await;
    world.blocks(2).await;
    assert!(matches!(world.outcome(id).await, Outcome::Included { .. }));
}

#[tokio::test]
async fn a_payment_that_a_kill_interrupted_is_not_made_behind_the_owners_back() {
    let world = World::new().await;
    for (kill, made) in [
        (Killed::Prepared, false),
        (Killed::Signing, false),
        (Killed::Sending, true),
        (Killed::Sent, true),
    ] {
        let amount = format!("{}", 100 + kill as u32);
        let id = world.put(&payment(&world.model, &amount)).await;
        assert!(world.model.round(&world.outbox, Some(kill)).await);
        let outbox = program(&world.model, &world.store);
        for _ in 0..3 {
            world.model.round(&outbox, None).await;
            world.model.block(1, false);
        }
        world.model.round(&outbox, None).await;
        assert_eq!(world.model.done(&amount), u32::from(made), "{kill:?}");
        let outcome = world.outcome(id).await;
        let is_said = match &outcome {
            Outcome::Included { .. } => made,
            Outcome::Refused { code, .. } => !made && code == "interrupted",
            Outcome::Failed { .. } | Outcome::Expired { .. } | Outcome::Unknown { .. } => false,
        };
        assert!(is_said, "{kill:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn nothing_has_ended_while_a_transaction_of_it_may_still_be_included() {
    // Its first transaction was taken by a liar who asked for more; the second is not signed any more.
    let world = World::new().await;
    let dear = Faults {
        dear: true,
        refuses: true,
        ..Faults::default()
    };
    world.model.fault(dear);
    world.model.kill_at_signature(2);
    let id = world.put(&payment(&world.model, "5")).await;
    assert!(world.model.round(&world.outbox, Some(Killed::Signing)).await);
    let outbox = program(&world.model, &world.store);
    world.model.round(&outbox, None).await;
    let state = world.state(id).await;
    assert_eq!(state.stage(), "signed", "{state:?}");
    let again = outbox.put(&payment(&world.model, "5")).await.unwrap();
    assert_eq!(again.id(), id, "it is that payment");
    world.model.fault(Faults::default());
    for _ in 0..3 {
        world.model.block(1, false);
        world.model.round(&outbox, None).await;
    }
    assert!(matches!(world.outcome(id).await, Outcome::Included { .. }));
    assert_eq!(world.model.done("5"), 1);
}

#[tokio::test]
async fn what_cannot_be_read_is_in_nobodys_way() {
    let world = World::new().await;
    let broken = world.put(&claim(&world.model, "broken", 500)).await;
    world.model.lock(true);
    world.round().await;
    let after = Intent {
        after: Some(broken),
        ..claim(&world.model, "after", 500)
    };
    world.put(&after).await;
    sqlx::query("UPDATE outbox_item SET state = 'no json' WHERE id = ?")
        .bind(broken)
        .execute(world.store.pool())
        .await
        .unwrap();
    let outbox = program(&world.model, &world.store);
    world.model.lock(false);
    let fine = outbox.put(&payment(&world.model, "5")).await.unwrap().id();
    for _ in 0..3 {
        world.model.round(&outbox, None).await;
        world.model.block(1, false);
    }
    assert!(matches!(world.outcome(fine).await, Outcome::Included { .. }));
    assert_eq!(world.model.done("broken"), 0);
    assert!(world.store.problems().all()[0].contains("outbox_item"));
}

#[tokio::test]
async fn a_chain_is_put_in_whole_or_not_at_all() {
    let world = World::new().await;
    let forbidden = Intent {
        reason: Reason::Claim,
        ..payment(&world.model, "6")
    };
    let refused = world
        .outbox
        .put_chain(&[payment(&world.model, "5"), forbidden])
        .await;
    assert!(refused.is_err());
    assert_eq!(world.outbox.newest(10, 0).await.unwrap().1, 0);
    let put = world
        .outbox
        .put_chain(&[payment(&world.model, "5"), payment(&world.model, "6")])
        .await
        .unwrap();
    let second = world.outbox.item(put[1].id()).await.unwrap().unwrap();
    assert_eq!(second.after, Some(put[0].id()));
}

#[tokio::test]
async fn only_what_belongs_to_a_reason_and_an_account_is_signed() {
    let world = World::new().await;
    let as_claim = Intent {
        reason: Reason::Claim,
        ..payment(&world.model, "5")
    };
    let empty = Intent {
        messages: Vec::new(),
        ..payment(&world.model, "5")
    };
    let foreign = Intent {
        account: hearth_pocket::keys::SecretKey::from_bytes(&[9; 32])
            .unwrap()
            .address()
            .clone(),
        ..payment(&world.model, "5")
    };
    for intent in [as_claim, empty, foreign] {
        let refused = world.outbox.put(&intent).await.unwrap_err();
        assert!(matches!(refused, PutError::Forbidden(_)), "{refused:?}");
    }
    assert_eq!(world.outbox.newest(10, 0).await.unwrap().1, 0);
}

/// What the wallet of the first form noted: a payment in a block, and one on its way.
#[tokio::test]
async fn payments_of_the_first_form_are_read_and_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = hearth_store::testing::first_form(folder.path()).await;
    let model = Model::new();
    let outbox = program(&model, &store);
    let (items, total) = outbox.newest(10, 0).await.unwrap();
    let amounts: Vec<u128> = items.iter().map(|item| item.amount.upokt()).collect();
    assert_eq!(
        (amounts.as_slice(), total),
        ([2_500_000, 1_500_000].as_slice(), 2)
    );
    let [open, paid] = items.as_slice() else {
        panic!("{items:?}")
    };
    assert_eq!((open.state.stage(), open.reason), ("signed", Reason::Payment));
    let hash = open.tx.as_ref().unwrap().hash.clone().unwrap();
    let Some(Outcome::Included { tx, height }) = paid.state.outcome() else {
        panic!("{paid:?}")
    };
    assert_eq!((height.0, paid.memo.as_str()), (18, "for the boat"));
    assert_eq!(Some(tx), paid.tx.as_ref().unwrap().hash.as_ref());
    assert_eq!(store.problems().all(), Vec::<String>::new());
    // The same payment again is the one on its way.
    let about = open.about.clone().unwrap();
    assert!(about.contains(" 2500000 "), "{about}");
    let again = Intent {
        account: open.account.clone(),
        about,
        ..payment(&model, "5")
    };
    let refused = outbox.put(&again).await;
    assert!(
        matches!(refused, Err(PutError::Forbidden(_))),
        "it is another account's"
    );
    // Its time is long over, by the blocks.
    for _ in 0..3 {
        model.block(4_000_000_000, false);
        model.round(&outbox, None).await;
    }
    let ended = outbox.item(open.id).await.unwrap().unwrap();
    assert_eq!(
        ended.state.outcome(),
        Some(&Outcome::Expired { tx: hash.clone() })
    );
    // A line that cannot be read hides no other, and is told by its name.
    sqlx::query("UPDATE outbox_item SET reason = 'dreamt' WHERE id = ?")
        .bind(open.id)
        .execute(store.pool())
        .await
        .unwrap();
    assert_eq!(outbox.newest(10, 0).await.unwrap().0.len(), 1);
    assert!(store.problems().all()[0].contains(&format!("row {} of outbox_item", open.id)));
}

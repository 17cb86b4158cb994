//! What shares a transaction, what fails in a block, what is sent again, shown and forgotten.

use super::*;

#[tokio::test]
async fn claims_share_a_transaction_and_one_that_is_wrong_fails_alone() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for n in 0..50 {
        ids.push(world.put(&claim(&world.model, &format!("root {n}"), 500)).await);
    }
    world.round().await;
    world.blocks(2).await;
    for id in &ids {
        assert!(matches!(world.outcome(*id).await, Outcome::Included { .. }));
    }
    assert_eq!(world.model.cost().0, 2, "forty and ten");

    let refused = world.put(&claim(&world.model, "refused", 500)).await;
    let wrong = world.put(&claim(&world.model, "wrong", 500)).await;
    let right = world.put(&claim(&world.model, "right", 500)).await;
    world.round().await;
    world.blocks(4).await;
    assert!(matches!(world.outcome(right).await, Outcome::Included { .. }));
    for id in [refused, wrong] {
        assert!(
            world.state(id).await.outcome().is_none(),
            "it is tried until its window closes"
        );
    }
    assert!(world.state(refused).await.trouble().is_some());
}

#[tokio::test]
async fn what_fails_in_a_blocks_own_checks_may_still_be_taken_and_has_not_ended() {
    let world = World::new().await;
    let unchecked = Faults {
        unchecked: true,
        ..Faults::default()
    };
    world.model.fault(unchecked);
    let paid = world.put(&payment(&world.model, "5")).await;
    let claimed = world.put(&claim(&world.model, "root", 500)).await;
    world.round().await;
    world.blocks(3).await;
    for id in [paid, claimed] {
        let state = world.state(id).await;
        let trouble = state.trouble().unwrap_or_default();
        assert!(trouble.contains("may still be included"), "{state:?}");
    }
    // Whoever has its bytes sends them once more: the payment is made, and told as made.
    let raw: Vec<u8> = sqlx::query_scalar(
        "SELECT raw FROM outbox_tx WHERE id IN (SELECT tx FROM outbox_part WHERE item = ?)",
    )
    .bind(paid)
    .fetch_one(world.store.pool())
    .await
    .unwrap();
    world.model.fault(Faults::default());
    crate::Network::send(&*world.model, &hearth_pocket::tx::SignedTx::new(raw))
        .await
        .unwrap();
    world.blocks(3).await;
    for (id, about) in [(paid, "5"), (claimed, "root")] {
        assert!(matches!(world.outcome(id).await, Outcome::Included { .. }));
        assert_eq!(world.model.done(about), 1);
    }
    // One that nobody sends again has failed once its moment has passed.
    world.model.fault(unchecked);
    let lost = world.put(&payment(&world.model, "6")).await;
    world.round().await;
    world.blocks(2).await;
    world.model.fault(Faults::default());
    world.model.block(100, false);
    world.round().await;
    assert!(matches!(world.outcome(lost).await, Outcome::Failed { .. }));
    assert_eq!(world.model.done("6"), 0);
}

#[tokio::test]
async fn what_asks_for_more_gas_than_a_block_takes_is_parted_and_then_made_in_parts() {
    let world = World::new().await;
    world.model.limit_gas(1_000);
    for n in 0..25 {
        world.put(&claim(&world.model, &format!("root {n}"), 500)).await;
    }
    world.round().await;
    world.blocks(2).await;
    assert_eq!(world.model.cost().0, 3, "ten, ten and five");
    // It is known by now.
    for n in 25..36 {
        world.put(&claim(&world.model, &format!("root {n}"), 500)).await;
    }
    world.round().await;
    world.blocks(2).await;
    assert_eq!(world.model.cost().0, 5, "ten and one");
}

#[tokio::test]
async fn a_refused_batch_is_halved_until_what_is_wrong_is_alone() {
    let world = World::new().await;
    let mut right = Vec::new();
    for n in 0..39 {
        right.push(world.put(&claim(&world.model, &format!("root {n}"), 500)).await);
    }
    let refused = world.put(&claim(&world.model, "refused", 500)).await;
    world.round().await;
    world.blocks(2).await;
    for id in right {
        assert!(matches!(world.outcome(id).await, Outcome::Included { .. }));
    }
    assert_eq!(world.model.cost().0, 5, "twenty, ten, five, three and one");
    assert!(world.state(refused).await.outcome().is_none());
    // It spoils nobody else's.
    let next = world.put(&claim(&world.model, "next", 500)).await;
    world.round().await;
    world.blocks(2).await;
    assert!(matches!(world.outcome(next).await, Outcome::Included { .. }));
}

#[tokio::test]
async fn what_closes_first_is_made_first_and_a_batch_waits_for_nobody() {
    let world = World::new().await;
    for n in 0..40 {
        world.put(&claim(&world.model, &format!("late {n}"), 500)).await;
    }
    let urgent = world
        .put(&claim(&world.model, "urgent", world.model.height() + 2))
        .await;
    world.round().await;
    let state = world.outbox.item(urgent).await.unwrap().unwrap();
    assert_eq!(state.tx.unwrap().n_items, 40, "it is in the first of both");
    world.blocks(2).await;
    assert!(matches!(world.outcome(urgent).await, Outcome::Included { .. }));
}

#[tokio::test]
async fn what_endpoints_said_is_forgotten_once_they_take_it() {
    let world = World::new().await;
    world.model.fault(Faults {
        refuses: true,
        drops: true,
        ..Faults::default()
    });
    let id = world.put(&payment(&world.model, "5")).await;
    world.round().await;
    assert!(world.state(id).await.trouble().is_some());
    world.model.fault(Faults {
        stands_still: true,
        ..Faults::default()
    });
    world.blocks(1).await;
    assert_eq!(world.state(id).await, State::Signed { trouble: None });
}

/// What would be signed in its place is the same: it is sent again at once.
#[tokio::test]
async fn the_same_bytes_are_not_signed_again_but_sent_again() {
    let world = World::new().await;
    world.model.fault(Faults {
        refuses_for_good: true,
        drops: true,
        ..Faults::default()
    });
    world.put(&claim(&world.model, "root", 500)).await;
    world.round().await;
    world.model.fault(Faults::default());
    world.round().await;
    world.model.block(1, false);
    assert_eq!(world.model.done("root"), 1);
    let n_txs: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox_tx")
        .fetch_one(world.store.pool())
        .await
        .unwrap();
    assert_eq!(n_txs, 1);
}

#[tokio::test]
async fn what_is_shown_is_the_transaction_of_the_block() {
    let world = World::new().await;
    // A liar takes the first, asks for more, and a second one is signed, which costs more.
    world.model.fault(Faults {
        dear: true,
        refuses: true,
        ..Faults::default()
    });
    let id = world.put(&payment(&world.model, "5")).await;
    world.round().await;
    world.model.fault(Faults::default());
    world.blocks(3).await;
    let item = world.outbox.item(id).await.unwrap().unwrap();
    let Some(Outcome::Included { tx, .. }) = item.state.outcome() else {
        panic!("{item:?}")
    };
    let part = item.tx.unwrap();
    assert_eq!(part.hash.as_ref(), Some(tx));
    assert_eq!(part.fee, world.model.cost().1, "the fee that was paid");
}

#[tokio::test]
async fn what_is_old_is_forgotten_bytes_first() {
    const DAY_MS: i64 = 24 * 3600 * 1000;
    let world = World::new().await;
    let paid = world.put(&payment(&world.model, "5")).await;
    let claimed = world.put(&claim(&world.model, "root", 500)).await;
    world.round().await;
    world.blocks(2).await;
    let open = world.put(&claim(&world.model, "refused", 500)).await;
    world.round().await;
    let now = hearth_base::Clock::system().now_ms();
    let kept = async || -> (i64, i64) {
        sqlx::query_as(
            "SELECT (SELECT count(*) FROM outbox_tx WHERE raw IS NOT NULL OR unsigned IS NOT NULL), \
             (SELECT count(*) FROM outbox_item WHERE messages IS NOT NULL)",
        )
        .fetch_one(world.store.pool())
        .await
        .unwrap()
    };
    let db = &world.outbox.0.db;
    db.prune(now).await.unwrap();
    assert_eq!(kept().await, (2, 3));
    db.prune(now + 8 * DAY_MS).await.unwrap();
    assert_eq!(kept().await, (0, 2));
    assert!(matches!(world.outcome(claimed).await, Outcome::Included { .. }));
    db.prune(now + 100 * DAY_MS).await.unwrap();
    assert!(world.outbox.item(claimed).await.unwrap().is_none());
    let paid = world.outbox.item(paid).await.unwrap().unwrap();
    assert!(
        paid.tx.unwrap().hash.is_some(),
        "what a person asked for is told for ever"
    );
    assert!(world.outbox.item(open).await.unwrap().is_some());
}

//! What is spent stays within stake and cap, whatever happens in between.

use std::time::Duration;

use hearth_answers::Principal;
use hearth_base::{Amount, Height};
use hearth_pocket::message::Coin;

use super::{
    chain::SETTLEMENT,
    supplier::Behaviour,
    world::{ANSWER, EVENTS, World, read, request},
};
use crate::{Asker, Error, Fault, Gateway, Request, Unavailable};

/// What one answer costs on the small chain.
const PRICE: u128 = 4200;
/// The least stake there.
const MIN_STAKE: u128 = 1_000_000;

fn good() -> Behaviour {
    Behaviour::Whole {
        status: 200,
        body: ANSWER,
    }
}

fn set_stake(world: &World, upokt: u128) {
    world.chain.application.lock().unwrap().stake = Some(Coin::upokt(Amount::from_upokt(upokt)));
}

/// How many answers can be bought until one is refused.
async fn buy(world: &World) -> (usize, Error) {
    for bought in 0..100 {
        match world.send().await {
            Ok(answer) => drop(read(answer).await),
            Err(error) => return (bought, error),
        }
    }
    panic!("there is no end")
}

#[tokio::test]
async fn an_application_is_never_spent_below_its_minimum_stake() {
    let mut world = World::new(vec![vec![good()]]).await;
    set_stake(&world, MIN_STAKE + 5 * PRICE + 1);
    for _ in 0..2 {
        read(world.send().await.unwrap()).await;
    }
    // Neither a restart nor a new session brings the stake back that suppliers may still claim.
    world.restart().await;
    read(world.send().await.unwrap()).await;
    world.chain.height.send_replace(Height(41));
    let (bought, error) = buy(&world).await;
    assert_eq!((bought, error.code()), (2, "out_of_stake"), "{error}");
    assert_eq!(error.fault(), Fault::Application);
    let models = world.gateway.services().await.unwrap();
    assert_eq!(models[0].unavailable, Some(Unavailable::OutOfStake));

    // The first session is settled: its three answers are off the stake, and nothing is freed by that.
    set_stake(&world, MIN_STAKE + 2 * PRICE + 1);
    world.chain.height.send_replace(Height(40 + SETTLEMENT + 3));
    assert_eq!(buy(&world).await.0, 0);
    // Had the supplier not claimed, what was set aside for it would be free now.
    set_stake(&world, MIN_STAKE + 5 * PRICE + 1);
    world.chain.height.send_replace(Height(40 + SETTLEMENT + 4));
    assert_eq!(buy(&world).await.0, 3);
    world.stop().await;
}

#[tokio::test]
async fn many_answers_at_once_spend_a_stake_once() {
    let world = World::new(vec![vec![Behaviour::Slow(
        EVENTS.to_vec(),
        Duration::from_millis(20),
    )]])
    .await;
    set_stake(&world, MIN_STAKE + 3 * PRICE);
    let answers = futures::future::join_all((0..12).map(|_| world.send())).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3);
    drop(answers);
    world.stop().await;
}

#[tokio::test]
async fn more_stake_counts_from_the_next_block() {
    let world = World::new(vec![vec![good()]]).await;
    set_stake(&world, MIN_STAKE + PRICE);
    assert_eq!(buy(&world).await.0, 1);
    set_stake(&world, MIN_STAKE + 3 * PRICE);
    world.chain.height.send_replace(Height(26));
    assert_eq!(buy(&world).await.0, 2);
    world.stop().await;
}

#[tokio::test]
async fn what_a_supplier_refused_may_still_be_claimed_and_is_not_on_the_bill() {
    let refused = Behaviour::Http {
        status: 503,
        error: "busy",
    };
    let world = World::with(vec![vec![refused, good()]], |config| config.tries = 1).await;
    set_stake(&world, MIN_STAKE + 2 * PRICE);
    assert_eq!(world.fails().await.code(), "supplier_refused");
    let spent = async || world.gateway.budget().await.unwrap().spent_today;
    assert_eq!(spent().await, Amount::ZERO);
    world.chain.height.send_replace(Height(30));
    // It rests for a while after its refusal; that it is the only one does not change that here.
    let mut bought = 0;
    while bought == 0 {
        match world.send().await {
            Ok(answer) => {
                read(answer).await;
                bought += 1;
            }
            Err(Error::NoSupplier { .. }) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(spent().await, Amount::from_upokt(PRICE));
    assert_eq!(buy(&world).await.1.code(), "out_of_stake");
    world.stop().await;
}

#[tokio::test]
async fn a_day_costs_no_more_than_its_cap() {
    let mut world = World::with(vec![vec![good()]], |config| {
        config.daily_cap = Amount::from_upokt(2 * PRICE + 1);
    })
    .await;
    let (bought, error) = buy(&world).await;
    assert_eq!((bought, error.code()), (2, "daily_cap_reached"), "{error}");
    // In POKT, and with its advice once.
    let said = hearth_answers::Error::from(error).text();
    assert!(said.contains(" POKT") && !said.contains("upokt"), "{said}");
    assert_eq!(said.matches("next day").count(), 1, "{said}");
    assert_eq!(
        world.suppliers[0].seen().len(),
        2,
        "nothing was signed for the third"
    );
    let models = world.gateway.services().await.unwrap();
    assert_eq!(models[0].unavailable, Some(Unavailable::DailyCap));
    // A cap that the owner set stays.
    world
        .gateway
        .set_daily_cap(Amount::from_upokt(3 * PRICE))
        .await
        .unwrap();
    world.restart().await;
    assert_eq!(buy(&world).await.0, 1);
    let budget = world.gateway.budget().await.unwrap();
    assert_eq!(
        (budget.daily_cap, budget.spent_today),
        (Amount::from_upokt(3 * PRICE), Amount::from_upokt(3 * PRICE))
    );
    world.stop().await;
}

#[tokio::test]
async fn what_is_set_aside_ahead_is_not_shown_and_counts_as_spent_after_a_kill() {
    let cap = 1000 * PRICE;
    let mut world = World::with(vec![vec![good()]], |config| {
        config.daily_cap = Amount::from_upokt(cap);
    })
    .await;
    for _ in 0..3 {
        read(world.send().await.unwrap()).await;
    }
    let spent = async |gateway: &Gateway| gateway.budget().await.unwrap().spent_today.upokt();
    assert_eq!(spent(&world.gateway).await, 3 * PRICE);
    // What a node finds that starts where this one was killed.
    let killed = world.another().await;
    let found = spent(&killed).await;
    assert!(
        (4 * PRICE..=3 * PRICE + cap / 64).contains(&found),
        "{found} upokt: one booking of some relays, and few"
    );
    drop(killed);

    // A lower cap holds at once, for what is set aside too.
    let three = Amount::from_upokt(3 * PRICE);
    world.gateway.set_daily_cap(three).await.unwrap();
    assert_eq!(world.fails().await.code(), "daily_cap_reached");
    let four = Amount::from_upokt(4 * PRICE);
    world.gateway.set_daily_cap(four).await.unwrap();
    assert_eq!(buy(&world).await.0, 1);
    world.restart().await;
    assert_eq!(spent(&world.gateway).await, 4 * PRICE);
    world.stop().await;
}

#[tokio::test]
async fn a_supplier_that_was_not_reached_leaves_the_stake_as_it_was() {
    let world = World::new(Vec::new()).await;
    world
        .chain
        .add_supplier(&super::chain::key(77), "http://127.0.0.1:9/");
    set_stake(&world, MIN_STAKE + PRICE);
    assert_eq!(world.fails().await.code(), "supplier_unreachable");
    let models = world.gateway.services().await.unwrap();
    assert_eq!(models[0].unavailable, None);
    world.stop().await;
}

#[tokio::test]
async fn a_price_that_rose_since_it_was_looked_up_is_refused_and_nothing_is_sent() {
    let world = World::new(vec![vec![good()]]).await;
    let at_most = |most: u128| Request {
        most: Some(Amount::from_upokt(most)),
        ..request()
    };
    let error = world.gateway.send(at_most(PRICE - 1)).await.err().unwrap();
    assert_eq!(error.code(), "price_rose", "{error}");
    assert!(error.to_string().contains("nothing was sent"), "{error}");
    let error = hearth_answers::Error::from(error);
    assert_eq!((error.status, error.code.word()), (402, "price_rose"));
    assert_eq!(world.suppliers[0].seen().len(), 0);
    let spent = async || world.gateway.budget().await.unwrap().spent_today;
    assert_eq!(spent().await, Amount::ZERO);
    read(world.gateway.send(at_most(PRICE)).await.unwrap()).await;
    assert_eq!(spent().await, Amount::from_upokt(PRICE));
    world.stop().await;
}

#[tokio::test]
async fn a_receipt_says_who_asked() {
    let world = World::new(vec![vec![good()]]).await;
    let key = Principal::Key {
        id: "k1".to_owned(),
        name: "editor".to_owned(),
    };
    for (principal, asker) in [
        (Some(Principal::Owner), Some(Asker::Owner)),
        (Some(Principal::Program), Some(Asker::Program)),
        (
            Some(key),
            Some(Asker::Key {
                id: "k1".to_owned(),
                name: "editor".to_owned(),
            }),
        ),
        (None, None),
    ] {
        let request = Request {
            principal,
            ..request()
        };
        let id = request.id;
        let (_, _, receipt) = read(world.gateway.send(request).await.unwrap()).await;
        assert_eq!(receipt.asker, asker);
        // It is handed out before it is on the disk.
        let kept = loop {
            match world.gateway.receipt(id).await.unwrap() {
                Some(kept) => break kept,
                None => tokio::task::yield_now().await,
            }
        };
        assert_eq!(kept, receipt);
    }
    let sent = world.suppliers[0].seen();
    assert!(!format!("{sent:?}").contains("editor"), "nothing of it travels");
    world.stop().await;
}

//! Who pays, and whose key signs for it.

use hearth_base::Amount;
use hearth_pocket::{RingSignature, message::Coin};

use super::{
    chain::key,
    supplier::Behaviour,
    world::{ANSWER, World, read},
};
use crate::{Error, Unavailable};

const PRICE: u128 = 4200;
const MIN_STAKE: u128 = 1_000_000;

fn good() -> Vec<Vec<Behaviour>> {
    vec![vec![Behaviour::Whole {
        status: 200,
        body: ANSWER,
    }]]
}

fn stake(upokt: u128) -> Option<Coin> {
    Some(Coin::upokt(Amount::from_upokt(upokt)))
}

/// The members of the ring under which the last request was signed.
fn members(world: &World) -> Vec<[u8; 33]> {
    let seen = world.suppliers[0].seen();
    let (request, _) = seen.last().unwrap();
    let ring = RingSignature::parse(&request.meta.signature).unwrap();
    ring.keys().copied().collect()
}

#[tokio::test]
async fn where_one_stake_is_used_up_another_application_pays() {
    let world = World::new(good()).await;
    world.chain.application.lock().unwrap().stake = stake(MIN_STAKE + 2 * PRICE);
    // The poorer one is not touched before.
    world
        .chain
        .add_application(&key(5), |other| other.stake = stake(MIN_STAKE + PRICE + 1));
    let mut payers = Vec::new();
    for _ in 0..3 {
        payers.push(read(world.send().await.unwrap()).await.2.application);
    }
    let (first, other) = (key(1).address().to_string(), key(5).address().to_string());
    assert_eq!(payers, [first.clone(), first, other]);
    assert_eq!(members(&world), [key(5).public_key(), key(2).public_key()]);
    let error = world.fails().await;
    assert_eq!(error.code(), "out_of_stake", "{error}");
    let models = world.gateway.services().await.unwrap();
    assert_eq!(models[0].unavailable, Some(Unavailable::OutOfStake));

    // Whichever is added to pays again.
    world.chain.application.lock().unwrap().stake = stake(MIN_STAKE + 3 * PRICE);
    world.chain.height.send_replace(hearth_base::Height(30));
    let models = world.gateway.services().await.unwrap();
    assert_eq!(models[0].unavailable, None);
    let (.., receipt) = read(world.send().await.unwrap()).await;
    assert_eq!(receipt.application, key(1).address().to_string());
    world.stop().await;
}

#[tokio::test]
async fn an_own_application_signs_for_itself_only_where_the_owner_says_so() {
    let world = World::with_application(good(), false).await;
    let alone = |world: &World| {
        world
            .chain
            .application
            .lock()
            .unwrap()
            .delegatee_gateway_addresses
            .clear();
    };
    alone(&world);
    let error = world.fails().await;
    assert!(
        matches!(&error, Error::NotDelegated { application: named, .. } if named == key(1).address()),
        "{error}"
    );
    let models = world.gateway.services().await.unwrap();
    assert_eq!(models[0].unavailable, Some(Unavailable::NotDelegated));
    let said = hearth_answers::Error::from(error).text();
    assert!(said.contains("gateway.direct_signing (Settings"), "{said}");
    world.stop().await;

    // Anybody could sign for all of its stake, so not even its owner does.
    let world = World::with_application(good(), true).await;
    alone(&world);
    let error = world.fails().await;
    assert_eq!(error.code(), "application_unguarded", "{error}");
    assert!(world.suppliers[0].seen().is_empty());
    let models = world.gateway.services().await.unwrap();
    assert_eq!(models[0].unavailable, Some(Unavailable::Unguarded));
    let said = hearth_answers::Error::from(error).text();
    assert!(said.contains("the most that a session may cost"), "{said}");

    world.chain.application.lock().unwrap().per_session_spend_limit = stake(100 * PRICE);
    let (.., receipt) = read(world.send().await.unwrap()).await;
    assert_eq!(receipt.application, key(1).address().to_string());
    assert_eq!(members(&world), [key(1).public_key(), key(1).public_key()]);
    let models = world.gateway.services().await.unwrap();
    assert!(models[0].is_direct && models[0].unavailable.is_none());
    world.stop().await;
}

#[tokio::test]
async fn an_application_that_signs_for_itself_hides_among_its_gateways() {
    let world = World::with_application(good(), true).await;
    let (known, unknown) = (key(7), key(8));
    world.chain.add_key(&known);
    world
        .chain
        .application
        .lock()
        .unwrap()
        .delegatee_gateway_addresses = vec![known.address().to_string(), unknown.address().to_string()];
    read(world.send().await.unwrap()).await;
    assert_eq!(members(&world), [key(1).public_key(), known.public_key()]);

    // Where it has delegated to this node, the node's gateway signs, and its own key may stay locked.
    let world_of_both = World::with_application(good(), true).await;
    read(world_of_both.send().await.unwrap()).await;
    assert_eq!(
        members(&world_of_both),
        [key(1).public_key(), key(2).public_key()]
    );
    assert!(!world_of_both.gateway.services().await.unwrap()[0].is_direct);
    world_of_both.stop().await;
    world.stop().await;
}

#[tokio::test]
async fn an_application_on_its_way_out_is_said_to_be() {
    for direct in [false, true] {
        let world = World::with_application(good(), direct).await;
        world.chain.application.lock().unwrap().unstake_session_end_height = 40;
        let error = world.fails().await;
        assert_eq!(error.code(), "application_leaving", "{error}");
        let models = world.gateway.services().await.unwrap();
        assert_eq!(models[0].unavailable, Some(Unavailable::Leaving));
        world.stop().await;
    }
}

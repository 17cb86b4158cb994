//! Claims of the former network.

use hearth_pocket::message::Timestamp;
use hearth_pocket::message::migration::{
    MorseClaim, MorseClaimableAccount, MsgClaimMorseAccount, MsgClaimMorseApplication, MsgClaimMorseSupplier,
};
use hearth_wallet::morse_address;

use super::*;
use crate::{Morse, MorseTerms, staked_for};

const NODE: [u8; 32] = [1; 32];
const OWNER: [u8; 32] = [2; 32];
const ON: MorseTerms = MorseTerms {
    is_enabled: true,
    is_free: false,
};

fn record(free: u128, supplier: u128, application: u128) -> MorseClaimableAccount {
    MorseClaimableAccount {
        morse_src_address: morse_address(&NODE),
        unstaked_balance: Coin::upokt(pokt(free)),
        supplier_stake: Coin::upokt(pokt(supplier)),
        application_stake: Coin::upokt(pokt(application)),
        ..MorseClaimableAccount::default()
    }
}

fn known(record: MorseClaimableAccount) -> Facts {
    Facts {
        morse: Some((
            Morse {
                record: Some(record),
                owner: None,
            },
            ON,
        )),
        ..facts()
    }
}

fn by(address: &Address) -> String {
    address.to_string()
}

fn account() -> Order {
    Order::Morse(Box::new(MorseClaim::Account(MsgClaimMorseAccount {
        shannon_dest_address: by(&address(3)),
        shannon_signing_address: by(&address(1)),
        morse_public_key: NODE.to_vec(),
        ..MsgClaimMorseAccount::default()
    })))
}

fn application() -> Order {
    Order::Morse(Box::new(MorseClaim::Application(MsgClaimMorseApplication {
        shannon_dest_address: by(&address(1)),
        shannon_signing_address: by(&address(1)),
        morse_public_key: NODE.to_vec(),
        ..MsgClaimMorseApplication::default()
    })))
}

fn node(key: [u8; 32], owner: u8) -> Order {
    Order::Morse(Box::new(MorseClaim::Supplier(MsgClaimMorseSupplier {
        shannon_owner_address: by(&address(owner)),
        shannon_operator_address: by(&address(2)),
        shannon_signing_address: by(&address(1)),
        morse_node_address: morse_address(&NODE),
        morse_public_key: key.to_vec(),
        ..MsgClaimMorseSupplier::default()
    })))
}

fn codes(planned: &Plan) -> Vec<&'static str> {
    planned.notes.iter().map(Note::code).collect()
}

fn code(order: &Order, facts: &Facts) -> &'static str {
    plan(order, facts).unwrap_err().code()
}

#[test]
fn money_comes_without_any_money_in_the_account_that_signs() {
    let mut facts = known(record(7, 0, 0));
    for party in facts.parties.values_mut() {
        party.balance = Amount::ZERO;
    }
    let planned = plan(&account(), &facts).unwrap();
    assert_eq!((planned.total(), planned.steps.len()), (Amount::ZERO, 1));
    assert_eq!(planned.steps[0].account, address(1));
    assert_eq!(codes(&planned), ["morse_comes"]);
    assert!(planned.notes[0].to_string().contains(address(3).as_str()));
    if let Some((_, terms)) = &mut facts.morse {
        terms.is_free = true;
    }
    assert_eq!(codes(&plan(&account(), &facts).unwrap()), ["morse_comes", "free"]);
    facts.signers.clear();
    assert_eq!(code(&account(), &facts), "morse_signer");
}

#[test]
fn what_cannot_be_claimed_is_refused_with_what_to_do() {
    let none = Facts {
        morse: Some((Morse::default(), ON)),
        ..facts()
    };
    assert_eq!(code(&account(), &none), "morse_unknown");
    let mut off = known(record(1, 0, 0));
    if let Some((_, terms)) = &mut off.morse {
        terms.is_enabled = false;
    }
    assert_eq!(code(&account(), &off), "morse_disabled");
    for claimed in [
        MorseClaimableAccount {
            claimed_at_height: 9,
            ..record(1, 0, 0)
        },
        MorseClaimableAccount {
            shannon_dest_address: by(&address(9)),
            ..record(1, 0, 0)
        },
    ] {
        assert_eq!(code(&account(), &known(claimed)), "morse_claimed");
    }
    assert_eq!(code(&account(), &known(record(1, 0, 5))), "morse_staked");
    assert_eq!(code(&node(NODE, 1), &known(record(1, 0, 5))), "morse_staked");
    assert_eq!(code(&application(), &known(record(1, 5, 0))), "morse_staked");
    assert_eq!(code(&application(), &known(record(1, 0, 0))), "morse_not_staked");
    // The chain looks at an application's stake first.
    assert_eq!(staked_for(&record(1, 2, 3)), Some(Role::Application));
    let error = plan(&account(), &known(record(1, 0, 5))).unwrap_err();
    assert!(error.to_string().contains("an application"), "{error}");
    assert!(error.remedy().contains("--application"));
}

#[test]
fn a_stake_is_staked_again_where_it_suffices() {
    let stays = |planned: Result<Plan, RoleError>| codes(&planned.unwrap())[1];
    assert_eq!(
        stays(plan(&application(), &known(record(1, 0, 1_000)))),
        "morse_stake_stays"
    );
    assert_eq!(
        stays(plan(&application(), &known(record(1, 0, 999)))),
        "morse_stake_comes"
    );
    // What is staked here already counts for an application, and not for a node.
    let mut more = known(record(1, 0, 999));
    more.application = Some(Application {
        address: by(&address(1)),
        stake: coin(1),
        ..Application::default()
    });
    assert_eq!(stays(plan(&application(), &more)), "morse_stake_stays");
    assert_eq!(
        stays(plan(&node(NODE, 1), &known(record(1, 59_500, 0)))),
        "morse_stake_stays"
    );
    assert_eq!(
        stays(plan(&node(NODE, 1), &known(record(1, 59_499, 0)))),
        "morse_stake_comes"
    );
    // It was on its way out, and is out by now.
    let mut left = known(MorseClaimableAccount {
        unstaking_time: Timestamp {
            seconds: 100,
            nanos: 0,
        },
        ..record(1, 60_000, 0)
    });
    left.now_ns = 98_000_000_000;
    assert_eq!(stays(plan(&node(NODE, 1), &left)), "morse_stake_stays");
    left.now_ns = 100_000_000_000;
    assert_eq!(stays(plan(&node(NODE, 1), &left)), "morse_stake_comes");
}

#[test]
fn a_node_is_claimed_by_its_owner_or_after_it() {
    let owned = || MorseClaimableAccount {
        morse_output_address: morse_address(&OWNER),
        ..record(1, 60_000, 0)
    };
    assert!(plan(&node(OWNER, 1), &known(owned())).is_ok());
    assert_eq!(code(&node([3; 32], 1), &known(owned())), "morse_other_key");
    assert_eq!(
        code(&node(OWNER, 1), &known(record(1, 60_000, 0))),
        "morse_other_key"
    );
    let mut facts = known(owned());
    assert_eq!(code(&node(NODE, 1), &facts), "morse_owner_first");
    let mut owner = |owner: MorseClaimableAccount| {
        if let Some((morse, _)) = &mut facts.morse {
            morse.owner = Some(owner);
        }
        plan(&node(NODE, 1), &facts).map_err(|error| error.code())
    };
    assert_eq!(owner(record(1, 0, 0)).unwrap_err(), "morse_owner_first");
    let claimed = |by_whom: u8| MorseClaimableAccount {
        shannon_dest_address: by(&address(by_whom)),
        claimed_at_height: 3,
        ..record(1, 0, 0)
    };
    assert!(owner(claimed(1)).is_ok());
    assert_eq!(owner(claimed(9)).unwrap_err(), "morse_owner_elsewhere");
}

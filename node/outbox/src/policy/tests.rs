//! What an operator's key signs of its supplier.

use hearth_base::{Amount, Height};
use hearth_pocket::{
    keys::SecretKey,
    message::{
        Coin, TypeUrl as _,
        shared::{ServiceRevenueShare, SupplierServiceConfig},
        supplier::MsgStakeSupplier,
    },
};

use super::*;

fn key(byte: u8) -> SecretKey {
    SecretKey::from_bytes(&[byte; 32]).unwrap()
}

/// The operator (2) of an owner's (1) supplier sets a service that pays somebody.
fn services(paid: &SecretKey) -> MsgStakeSupplier {
    MsgStakeSupplier {
        signer: key(2).address().to_string(),
        owner_address: key(1).address().to_string(),
        operator_address: key(2).address().to_string(),
        stake: None,
        services: vec![SupplierServiceConfig {
            service_id: "svc".to_owned(),
            rev_share: vec![ServiceRevenueShare {
                address: paid.address().to_string(),
                rev_share_percentage: 100,
            }],
            ..SupplierServiceConfig::default()
        }],
    }
}

fn check(reason: Reason, account: &SecretKey, message: &MsgStakeSupplier) -> Result<(), Forbidden> {
    Policy.check(&Intent {
        account: account.address().clone(),
        reason,
        about: String::new(),
        messages: vec![message.to_any()],
        memo: String::new(),
        counterparty: None,
        amount: Amount::ZERO,
        max_fee: Amount::ZERO,
        last_height: None::<Height>,
        after: None,
        is_patient: false,
    })
}

#[test]
fn an_operator_sets_services_and_nothing_else() {
    let operator = key(2);
    assert_eq!(check(Reason::Role, &operator, &services(&key(1))), Ok(()));
    assert_eq!(check(Reason::Setup, &operator, &services(&key(1))), Ok(()));
    // What a person looked at and ordered; nothing does so by itself.
    assert_eq!(check(Reason::Role, &operator, &services(&key(9))), Ok(()));
    let by_itself = check(Reason::Setup, &operator, &services(&key(9)));
    assert!(
        matches!(by_itself, Err(Forbidden::Shares { .. })),
        "{by_itself:?}"
    );
    for reason in [Reason::Claim, Reason::Proof, Reason::Payment] {
        let refused = check(reason, &operator, &services(&key(1)));
        assert!(matches!(refused, Err(Forbidden::Message { .. })), "{refused:?}");
    }
    let staked = MsgStakeSupplier {
        stake: Some(Coin::upokt(Amount::from_upokt(1))),
        ..services(&key(1))
    };
    let empty = MsgStakeSupplier {
        services: Vec::new(),
        ..services(&key(1))
    };
    for message in [staked, empty] {
        let refused = check(Reason::Role, &operator, &message);
        assert!(
            matches!(refused, Err(Forbidden::NotServices { .. })),
            "{refused:?}"
        );
    }
    // One who owns what it operates does as it likes, and so does the owner.
    let own = MsgStakeSupplier {
        owner_address: key(2).address().to_string(),
        stake: Some(Coin::upokt(Amount::from_upokt(1))),
        ..services(&key(2))
    };
    assert_eq!(check(Reason::Role, &operator, &own), Ok(()));
    let by_owner = MsgStakeSupplier {
        signer: key(1).address().to_string(),
        stake: Some(Coin::upokt(Amount::from_upokt(1))),
        services: Vec::new(),
        ..services(&key(1))
    };
    assert_eq!(check(Reason::Role, &key(1), &by_owner), Ok(()));
}

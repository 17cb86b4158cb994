//! What of a record is told, and what this node did itself.

use hearth_base::{Amount, Height};
use hearth_pocket::message::{
    Coin, TypeUrl as _,
    shared::{ServiceConfigUpdate, ServiceRevenueShare, SupplierEndpoint},
};

use super::*;

const OPERATOR: &str = "pokt1operator";

fn config(service: &str, url: &str, paid: &str) -> SupplierServiceConfig {
    SupplierServiceConfig {
        service_id: service.to_owned(),
        endpoints: vec![SupplierEndpoint {
            url: url.to_owned(),
            rpc_type: 4,
            ..SupplierEndpoint::default()
        }],
        rev_share: vec![ServiceRevenueShare {
            address: paid.to_owned(),
            rev_share_percentage: 100,
        }],
    }
}

fn supplier(services: Vec<SupplierServiceConfig>) -> Supplier {
    Supplier {
        owner_address: "pokt1owner".to_owned(),
        operator_address: OPERATOR.to_owned(),
        services,
        ..Supplier::default()
    }
}

fn stake(services: Vec<SupplierServiceConfig>) -> Any {
    let message = MsgStakeSupplier {
        signer: OPERATOR.to_owned(),
        owner_address: "pokt1owner".to_owned(),
        operator_address: OPERATOR.to_owned(),
        stake: Some(Coin::upokt(Amount::from_upokt(1))),
        services,
    };
    message.to_any()
}

#[test]
fn what_this_node_did_itself_is_known() {
    let before = Known::of(&supplier(vec![config("a", "http://one", "pokt1owner")]));
    let (b, c) = (
        config("b", "http://one", "pokt1owner"),
        config("c", "http://one", "pokt1owner"),
    );
    let sent = [stake(vec![b.clone()]), stake(vec![c.clone()])];
    for services in [vec![b], vec![c.clone()]] {
        let now = Known::of(&supplier(services));
        assert!(before.leads_to(&now, OPERATOR, &sent), "{now:?}");
        assert!(!before.leads_to(&now, "pokt1another", &sent));
        assert!(!before.leads_to(&now, OPERATOR, &[]));
    }
    // What was done beside it is not.
    let robbed = Known::of(&supplier(vec![config("c", "http://one", "pokt1thief")]));
    assert!(!before.leads_to(&robbed, OPERATOR, &sent));
    let leave = MsgUnstakeSupplier {
        signer: "pokt1owner".to_owned(),
        operator_address: OPERATOR.to_owned(),
    };
    let leaving = Known::of(&Supplier {
        unstake_session_end_height: 20,
        ..supplier(vec![config("a", "http://one", "pokt1owner")])
    });
    assert!(before.leads_to(&leaving, OPERATOR, &[leave.to_any()]));
    // The chain ends the services of one that leaves, at once or with the session.
    let ended = Known::of(&Supplier {
        unstake_session_end_height: 20,
        ..supplier(Vec::new())
    });
    assert!(before.leads_to(&ended, OPERATOR, &[leave.to_any()]));
    assert!(leaving.leads_to(&ended, OPERATOR, &[]) && !before.leads_to(&ended, OPERATOR, &[]));
    // Only the stake.
    assert!(leaving.leads_to(&before, OPERATOR, &[stake(Vec::new())]));
}

#[test]
fn what_comes_with_the_next_session_counts_at_once() {
    let update = |config: SupplierServiceConfig, until: i64| ServiceConfigUpdate {
        operator_address: OPERATOR.to_owned(),
        service: Some(config),
        activation_height: 1,
        deactivation_height: until,
    };
    let (old, new) = (
        config("a", "http://one", "pokt1owner"),
        config("a", "http://two", "pokt1owner"),
    );
    let changing = Supplier {
        service_config_history: vec![update(old.clone(), 11), update(new.clone(), 0)],
        ..supplier(vec![old.clone()])
    };
    assert_eq!(Known::of(&changing), Known::of(&supplier(vec![new])));
    // The last service is taken away.
    let without = Supplier {
        service_config_history: vec![update(old.clone(), 11)],
        ..supplier(vec![old])
    };
    assert!(Known::of(&without).services.is_empty());
}

#[test]
fn differences_are_said_in_words() {
    let before = Known::of(&supplier(vec![
        config("a", "http://one", "pokt1owner"),
        config("b", "http://one", "pokt1owner"),
    ]));
    let now = Known::of(&Supplier {
        owner_address: "pokt1thief".to_owned(),
        unstake_session_end_height: Height(20).0,
        ..supplier(vec![
            config("a", "http://two", "pokt1thief"),
            config("c", "http://one", "pokt1thief"),
        ])
    });
    assert_eq!(
        before.differences(&now),
        "its owner was pokt1owner and is pokt1thief; \"a\" was http://one, 100 % to pokt1owner and is http://two, 100 % to \
         pokt1thief; \"b\" is not served any more; \"c\" is served: http://one, 100 % to pokt1thief; it leaves the network"
    );
    let kept = hearth_store::stored::write(&now).unwrap();
    assert_eq!(hearth_store::stored::read::<Known>(&kept, "a row").unwrap(), now);
}

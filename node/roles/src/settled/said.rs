//! What the events of a block say that its settlements did to this wallet.

use std::collections::{BTreeMap, BTreeSet};

use hearth_base::{Amount, Height};
use hearth_chain::ChainEvent;
use hearth_wallet::Accounts;

use super::{Settled, SettledKind};

macro_rules! about {
    ($event:expr) => {
        format!(
            "{} {} {} {}",
            $event.application_address,
            $event.service_id,
            $event.session_end_block_height,
            $event.supplier_operator_address
        )
    };
}

/// What is this wallet's of the settlements of a block. `own` are the suppliers that belong to it, by operator.
pub(super) fn settled<'a>(
    events: impl Iterator<Item = &'a ChainEvent> + Clone,
    height: Height,
    accounts: &Accounts,
    own: &BTreeSet<String>,
) -> Vec<Settled> {
    let mut found = Vec::new();
    // What is minted beside a settlement is charged to the application's stake as well.
    let charged: BTreeMap<(&str, &str), Amount> = events
        .clone()
        .filter_map(|event| {
            let ChainEvent::ApplicationReimbursementRequested(event) = event else {
                return None;
            };
            let claim = (event.session_id.as_str(), event.supplier_operator_addr.as_str());
            Some((claim, upokt(&event.amount)))
        })
        .collect();
    for event in events {
        if let ChainEvent::ClaimSettled(event) = event {
            let one = |kind, account: &str, amount: &str| Settled {
                kind,
                height,
                about: about!(event),
                account: account.to_owned(),
                session_id: Some(event.session_id.clone()).filter(|id| !id.is_empty()),
                operator: event.supplier_operator_address.clone(),
                service: event.service_id.clone(),
                amount: upokt(amount),
                is_proven: false,
                endpoint: String::new(),
            };
            let paid = event.reward_distribution.iter();
            let paid = paid.filter(|(who, _)| accounts.owns(who));
            found.extend(paid.map(|(who, amount)| one(SettledKind::Reward, who, amount)));
            let application = &event.application_address;
            if accounts.owns(application) {
                let mut spent = one(SettledKind::Spent, application, &event.settled_upokt);
                let claim = (
                    event.session_id.as_str(),
                    event.supplier_operator_address.as_str(),
                );
                let beside = charged.get(&claim).copied().unwrap_or_default();
                spent.amount = spent.amount.saturating_add(beside);
                found.push(spent);
            }
        } else if let ChainEvent::SupplierSlashed(event) = event {
            let operator = &event.supplier_operator_address;
            if own.contains(operator) {
                found.push(Settled {
                    kind: SettledKind::Slash,
                    height,
                    about: about!(event),
                    account: operator.clone(),
                    session_id: None,
                    operator: operator.clone(),
                    service: event.service_id.clone(),
                    amount: upokt(&event.proof_missing_penalty),
                    is_proven: false,
                    endpoint: String::new(),
                });
            }
        }
    }
    found.retain(|one| !one.amount.is_zero());
    found
}

/// An amount as events write it, with its denomination.
fn upokt(text: &str) -> Amount {
    text.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use hearth_pocket::message::tokenomics::{
        EventApplicationReimbursementRequest, EventClaimSettled, EventSupplierSlashed,
    };
    use hearth_wallet::{Entry, EntryId, Origin};

    use super::*;

    const OWNER: &str = "pokt188myadvavpprxdfpg9p4ft3crv8plj65fr9lh7";
    const WATCHED: &str = "pokt1rxtrzmca0j9mu45j75n35kcxg64ga92sh33su4";

    fn accounts() -> Accounts {
        let entry = |id, address: &str, origin| Entry {
            id: EntryId(id),
            label: address.to_owned(),
            origin,
            address: address.parse().unwrap(),
            public_key: None,
            purposes: [].into(),
        };
        Accounts {
            all: vec![entry(1, OWNER, Origin::Raw), entry(2, WATCHED, Origin::Watch)],
            ..Accounts::default()
        }
    }

    #[test]
    fn what_is_paid_through_somebody_elses_miner_is_found() {
        let settled_event = ChainEvent::ClaimSettled(Box::new(EventClaimSettled {
            application_address: "pokt1buyer".to_owned(),
            service_id: "anvil".to_owned(),
            session_end_block_height: 20,
            supplier_operator_address: WATCHED.to_owned(),
            session_id: "abc".to_owned(),
            settled_upokt: "100upokt".to_owned(),
            reward_distribution: [
                (OWNER.to_owned(), "70upokt".to_owned()),
                (WATCHED.to_owned(), "20upokt".to_owned()),
                ("pokt1dao".to_owned(), "10upokt".to_owned()),
            ]
            .into(),
            ..EventClaimSettled::default()
        }));
        let slashed = |operator: &str| {
            ChainEvent::SupplierSlashed(Box::new(EventSupplierSlashed {
                proof_missing_penalty: "5upokt".to_owned(),
                service_id: "anvil".to_owned(),
                application_address: "pokt1buyer".to_owned(),
                session_end_block_height: 20,
                supplier_operator_address: operator.to_owned(),
                ..EventSupplierSlashed::default()
            }))
        };
        let events = [settled_event, slashed(WATCHED), slashed("pokt1stranger")];
        let own = [WATCHED.to_owned()].into();
        let found = settled(events.iter(), Height(44), &accounts(), &own);
        let told: Vec<_> = found
            .iter()
            .map(|one| (one.kind, one.account.as_str(), one.amount.upokt()))
            .collect();
        // What is only watched is nobody's here, and a stranger's stake is none of ours.
        assert_eq!(
            told,
            [(SettledKind::Reward, OWNER, 70), (SettledKind::Slash, WATCHED, 5)]
        );
        assert_eq!(found[0].session_id.as_deref(), Some("abc"));
    }

    #[test]
    fn what_an_own_application_pays_for_is_spent() {
        let event = ChainEvent::ClaimSettled(Box::new(EventClaimSettled {
            application_address: OWNER.to_owned(),
            settled_upokt: "100upokt".to_owned(),
            session_id: "abc".to_owned(),
            supplier_operator_address: "pokt1op".to_owned(),
            ..EventClaimSettled::default()
        }));
        let beside =
            ChainEvent::ApplicationReimbursementRequested(Box::new(EventApplicationReimbursementRequest {
                application_addr: OWNER.to_owned(),
                supplier_operator_addr: "pokt1op".to_owned(),
                session_id: "abc".to_owned(),
                amount: "1upokt".to_owned(),
                ..EventApplicationReimbursementRequest::default()
            }));
        let found = settled(
            [&event, &beside].into_iter(),
            Height(44),
            &accounts(),
            &BTreeSet::new(),
        );
        assert_eq!(
            found
                .iter()
                .map(|one| (one.kind, one.amount.upokt()))
                .collect::<Vec<_>>(),
            [(SettledKind::Spent, 101)]
        );
    }
}

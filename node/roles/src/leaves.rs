//! What messages take from the accounts of this wallet: payments, stakes, and what the chain charges for them.

use std::collections::BTreeMap;

use hearth_base::{Amount, ServiceId};
use hearth_chain::{Params, QueryError, Standing};
use hearth_pocket::message::{
    Any, Coin,
    application::MsgStakeApplication,
    cosmos::{MsgExec, MsgSend},
    gateway::MsgStakeGateway,
    proof::MsgSubmitProof,
    service::MsgAddService,
    supplier::MsgStakeSupplier,
};

use crate::{plan::amount, roles::Roles};

/// Messages lie no deeper in each other than they are shown.
pub(crate) const MAX_DEPTH: u8 = 16;

/// The chain is asked for no more records than this; what is not known counts whole.
const MOST_RECORDS: usize = 32;

/// A record of the chain that messages change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Record {
    Supplier(String),
    Application(String),
    Gateway(String),
    Service(String),
}

/// What the chain has proven of what messages change; nothing where nobody answers.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// What is staked, and that a service is there.
    staked: BTreeMap<Record, Amount>,
    /// By operator.
    owners: BTreeMap<String, String>,
    params: Option<Params>,
}

impl Before {
    #[cfg(test)]
    pub(crate) fn of_supplier(operator: &str, staked: Amount, owner: &str) -> Before {
        Before {
            staked: [(Record::Supplier(operator.to_owned()), staked)].into(),
            owners: [(operator.to_owned(), owner.to_owned())].into(),
            params: None,
        }
    }

    /// What is staked for an operator, and whose it is.
    pub(crate) fn supplier(&self, operator: &str) -> Option<(Amount, &str)> {
        let staked = self.staked.get(&Record::Supplier(operator.to_owned()))?;
        Some((*staked, self.owners.get(operator)?))
    }

    fn charge(&self, of: impl Fn(&Params) -> Option<&Coin>) -> Amount {
        amount(self.params.as_ref().and_then(of))
    }
}

/// The sum of what leaves the accounts of this wallet, also by messages inside others. Nothing where there is no such sum.
#[must_use]
pub fn leaves(messages: &[Any], is_own: &dyn Fn(&str) -> bool, before: &Before) -> Option<Amount> {
    // Each message finds what those before it have left.
    let mut before = before.clone();
    sum(messages, is_own, &mut before, MAX_DEPTH)
}

fn sum(messages: &[Any], is_own: &dyn Fn(&str) -> bool, before: &mut Before, depth: u8) -> Option<Amount> {
    messages.iter().try_fold(Amount::ZERO, |sum, message| {
        sum.checked_add(taken(message, is_own, before, depth)?)
    })
}

fn taken(message: &Any, is_own: &dyn Fn(&str) -> bool, before: &mut Before, depth: u8) -> Option<Amount> {
    let exec = message.unpack::<MsgExec>().and_then(Result::ok);
    if let Some((exec, deeper)) = exec.zip(depth.checked_sub(1)) {
        return sum(&exec.msgs, is_own, before, deeper);
    }
    let is_ours = message.signer().is_some_and(|signer| is_own(&signer));
    let taken = if let Some((record, stake)) = stake(message) {
        let staked = before.staked.get(&record).copied().unwrap_or_default();
        let charge = match &record {
            Record::Supplier(_) => before.charge(|params| params.supplier.staking_fee.as_ref()),
            Record::Service(_) if !before.staked.contains_key(&record) => {
                before.charge(|params| params.service.add_service_fee.as_ref())
            }
            Record::Application(_) | Record::Gateway(_) | Record::Service(_) => Amount::ZERO,
        };
        let stake = stake.unwrap_or(staked);
        before.staked.insert(record, stake);
        stake.saturating_sub(staked).checked_add(charge)?
    } else if let Some(Ok(payment)) = message.unpack::<MsgSend>() {
        let coins = payment.amount.iter().filter_map(Coin::to_amount);
        coins.into_iter().try_fold(Amount::ZERO, Amount::checked_add)?
    } else if message.unpack::<MsgSubmitProof>().is_some() {
        before.charge(|params| params.proof.proof_submission_fee.as_ref())
    } else {
        Amount::ZERO
    };
    Some(if is_ours { taken } else { Amount::ZERO })
}

/// What a message stakes, and for which record; nothing leaves what is there.
fn stake(message: &Any) -> Option<(Record, Option<Amount>)> {
    let of = |stake: Option<Coin>| stake.as_ref().and_then(Coin::to_amount);
    if let Some(Ok(supplier)) = message.unpack::<MsgStakeSupplier>() {
        return Some((Record::Supplier(supplier.operator_address), of(supplier.stake)));
    }
    if let Some(Ok(application)) = message.unpack::<MsgStakeApplication>() {
        return Some((Record::Application(application.address), of(application.stake)));
    }
    if let Some(Ok(gateway)) = message.unpack::<MsgStakeGateway>() {
        return Some((Record::Gateway(gateway.address), of(gateway.stake)));
    }
    let added = message.unpack::<MsgAddService>()?.ok()?;
    Some((Record::Service(added.service.id), None))
}

fn records(messages: &[Any], depth: u8, found: &mut Vec<Record>) {
    for message in messages {
        let exec = message.unpack::<MsgExec>().and_then(Result::ok);
        if let Some((exec, deeper)) = exec.zip(depth.checked_sub(1)) {
            records(&exec.msgs, deeper, found);
        }
        if let Some((record, _)) = stake(message)
            && !found.contains(&record)
            && found.len() < MOST_RECORDS
        {
            found.push(record);
        }
    }
}

impl Roles {
    /// What the chain proves of what messages change.
    pub async fn before(&self, messages: &[Any]) -> Before {
        let mut before = Before::default();
        if self.chain.head().borrow().standing != Standing::Following {
            return before;
        }
        let params = self.chain.params().await;
        match params.and_then(hearth_chain::Told::proven) {
            Ok(params) => before.params = Some(params.into_value()),
            Err(error) => tracing::debug!(%error, "what the chain charges cannot be read"),
        }
        let mut found = Vec::new();
        records(messages, MAX_DEPTH, &mut found);
        for record in found {
            if let Err(error) = self.read_before(record, &mut before).await {
                tracing::debug!(%error, "what is staked already cannot be read");
            }
        }
        before
    }

    async fn read_before(&self, record: Record, before: &mut Before) -> Result<(), QueryError> {
        let staked = match &record {
            Record::Supplier(operator) => {
                let Ok(address) = operator.parse() else {
                    return Ok(());
                };
                let known = self.chain.supplier(&address).await?.proven()?.into_value();
                if let Some(known) = &known {
                    before
                        .owners
                        .insert(operator.clone(), known.owner_address.clone());
                }
                known.map(|known| known.stake)
            }
            Record::Application(address) => {
                let Ok(address) = address.parse() else {
                    return Ok(());
                };
                let known = self.chain.application(&address).await?.proven()?.into_value();
                known.map(|known| known.stake)
            }
            Record::Gateway(address) => {
                let Ok(address) = address.parse() else {
                    return Ok(());
                };
                let known = self.chain.gateway(&address).await?.proven()?.into_value();
                known.map(|known| known.stake)
            }
            Record::Service(id) => {
                let known = self
                    .chain
                    .service(&ServiceId::new(id.as_str()))
                    .await?
                    .proven()?
                    .into_value();
                known.map(|_| None)
            }
        };
        if let Some(staked) = staked {
            before.staked.insert(record, amount(staked.as_ref()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hearth_pocket::message::{TypeUrl as _, shared::Service};

    use super::*;

    fn upokt(amount: u128) -> Coin {
        Coin::upokt(Amount::from_upokt(amount))
    }

    fn supplier(signer: &str, stake: Option<u128>) -> Any {
        MsgStakeSupplier {
            signer: signer.to_owned(),
            owner_address: "pokt1you".to_owned(),
            operator_address: "pokt1op".to_owned(),
            stake: stake.map(upokt),
            services: Vec::new(),
        }
        .to_any()
    }

    fn application(stake: u128) -> Any {
        MsgStakeApplication {
            address: "pokt1me".to_owned(),
            stake: Some(upokt(stake)),
            ..MsgStakeApplication::default()
        }
        .to_any()
    }

    fn gateway(stake: u128) -> Any {
        MsgStakeGateway {
            address: "pokt1mine".to_owned(),
            stake: Some(upokt(stake)),
        }
        .to_any()
    }

    fn payment(from: &str, amount: &str) -> Any {
        MsgSend {
            from_address: from.to_owned(),
            to_address: "pokt1you".to_owned(),
            amount: vec![Coin {
                amount: amount.to_owned(),
                ..upokt(0)
            }],
        }
        .to_any()
    }

    fn service(id: &str) -> Any {
        MsgAddService {
            owner_address: "pokt1me".to_owned(),
            service: Service {
                id: id.to_owned(),
                ..Service::default()
            },
        }
        .to_any()
    }

    fn inside(msgs: Vec<Any>) -> Any {
        MsgExec {
            grantee: "pokt1me".to_owned(),
            msgs,
        }
        .to_any()
    }

    fn left(messages: &[Any], before: &Before) -> Option<u128> {
        let is_own = |address: &str| ["pokt1me", "pokt1mine"].contains(&address);
        leaves(messages, &is_own, before).map(Amount::upokt)
    }

    #[test]
    fn stakes_leave_the_account_that_signs_for_them() {
        let none = Before::default();
        assert_eq!(left(&[supplier("pokt1me", Some(60_000))], &none), Some(60_000));
        assert_eq!(left(&[supplier("pokt1me", None)], &none), Some(0));
        assert_eq!(left(&[supplier("pokt1you", Some(60_000))], &none), Some(0));
        assert_eq!(left(&[application(7), gateway(5)], &none), Some(12));
        let others = inside(vec![
            gateway(5),
            supplier("pokt1you", Some(9)),
            inside(vec![payment("pokt1mine", "3"), payment("pokt1boss", "4")]),
        ]);
        assert_eq!(left(&[others, payment("pokt1me", "1")], &none), Some(9));
    }

    #[test]
    fn of_a_stake_that_is_there_what_is_added_leaves_and_the_chain_charges() {
        let mut params = Params::default();
        params.supplier.staking_fee = Some(upokt(1));
        params.service.add_service_fee = Some(upokt(100));
        params.proof.proof_submission_fee = Some(upokt(50));
        let staked = [
            (Record::Supplier("pokt1op".to_owned()), 40),
            (Record::Application("pokt1me".to_owned()), 5),
            (Record::Service("there".to_owned()), 0),
        ];
        let before = Before {
            staked: staked
                .map(|(record, amount)| (record, Amount::from_upokt(amount)))
                .into(),
            params: Some(params),
            ..Before::default()
        };
        for (messages, expected) in [
            (vec![supplier("pokt1me", Some(60))], 21),
            (vec![supplier("pokt1me", Some(30))], 1),
            (vec![supplier("pokt1me", None)], 1),
            // The second one adds to the first.
            (vec![application(7), application(9)], 4),
            (vec![service("there")], 0),
            (vec![service("new"), service("new")], 100),
        ] {
            assert_eq!(left(&messages, &before), Some(expected), "{messages:?}");
        }
        let proof = MsgSubmitProof {
            supplier_operator_address: "pokt1mine".to_owned(),
            ..MsgSubmitProof::default()
        };
        assert_eq!(left(&[proof.to_any()], &before), Some(50));
    }

    #[test]
    fn what_is_more_than_there_can_be_is_no_sum() {
        let most = u128::MAX.to_string();
        let two = [payment("pokt1me", &most), payment("pokt1me", "1")];
        assert_eq!(left(&two, &Before::default()), None);
        assert_eq!(left(&two[..1], &Before::default()), Some(u128::MAX));
    }

    #[test]
    fn the_chain_is_asked_for_few_records_and_each_once() {
        let many: Vec<Any> = (0..100)
            .map(|n| service(&format!("s{}", n / 2)))
            .chain([supplier("pokt1me", None)])
            .collect();
        let mut found = Vec::new();
        records(&many, MAX_DEPTH, &mut found);
        assert_eq!(found.len(), MOST_RECORDS);
        assert_eq!(found[1], Record::Service("s1".to_owned()));
    }
}

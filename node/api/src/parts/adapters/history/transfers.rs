//! What the bank's events of a transaction say, and what that changes of the accounts of this wallet.

use std::collections::BTreeMap;

use hearth_base::Amount;
use hearth_chain::ChainEvent;
use hearth_pocket::message::{Any, cosmos::MsgSend};

use crate::control::types::UpoktChange;

#[derive(Clone, Debug)]
pub(super) struct Transfer {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) amount: Amount,
}

/// The bank's `transfer` events, in order.
pub(super) fn transfers(events: &[ChainEvent]) -> Vec<Transfer> {
    events
        .iter()
        .filter_map(|event| {
            let ChainEvent::Other(raw) = event else {
                return None;
            };
            let value = |key: &str| {
                raw.attributes
                    .iter()
                    .find(|found| found.key == key)
                    .map(|found| found.value.clone())
            };
            (raw.kind == "transfer").then_some(())?;
            Some(Transfer {
                from: value("sender")?,
                to: value("recipient")?,
                amount: value("amount")?.parse().ok()?,
            })
        })
        .collect()
}

/// By how much transfers change what this wallet holds.
pub(super) fn balance_change(transfers: &[Transfer], own: &impl Fn(&str) -> bool) -> UpoktChange {
    transfers.iter().fold(UpoktChange::default(), |sum, transfer| {
        let sum = if own(&transfer.to) {
            sum.and(UpoktChange::more(transfer.amount))
        } else {
            sum
        };
        if own(&transfer.from) {
            sum.and(UpoktChange::less(transfer.amount))
        } else {
            sum
        }
    })
}

/// What transfers changed of an account.
pub(super) struct Changed {
    pub(super) change: UpoktChange,
    /// The other side of the largest of them.
    pub(super) other: String,
    largest: Amount,
}

/// What transfers change of each account of this wallet.
pub(super) fn changes(transfers: &[Transfer], own: &impl Fn(&str) -> bool) -> BTreeMap<String, Changed> {
    let mut changes: BTreeMap<String, Changed> = BTreeMap::new();
    for one in transfers {
        let (less, more) = (UpoktChange::less(one.amount), UpoktChange::more(one.amount));
        for (account, other, change) in [(&one.from, &one.to, less), (&one.to, &one.from, more)] {
            if !own(account) {
                continue;
            }
            let sum = changes.entry(account.clone()).or_insert_with(|| Changed {
                change: UpoktChange::default(),
                other: other.clone(),
                largest: one.amount,
            });
            sum.change = sum.change.and(change);
            if one.amount > sum.largest {
                (sum.other, sum.largest) = (other.clone(), one.amount);
            }
        }
    }
    changes
}

/// Whether messages are payments alone, and what events say that came to this wallet and went from it is just what they
/// say.
pub(super) fn says_all(messages: &[Any], besides: &[Transfer], own: &impl Fn(&str) -> bool) -> bool {
    let sends = messages.iter().map(|message| {
        let send = message.unpack::<MsgSend>()?.ok()?;
        let [coin] = send.amount.as_slice() else {
            return None;
        };
        Some((send.from_address, send.to_address, coin.to_amount()?))
    });
    let Some(mut said) = sends.collect::<Option<Vec<_>>>() else {
        return false;
    };
    let moved = besides
        .iter()
        .map(|one| (one.from.clone(), one.to.clone(), one.amount));
    let mut moved: Vec<_> = moved.collect();
    for list in [&mut said, &mut moved] {
        list.retain(|(from, to, _)| own(from) || own(to));
        list.sort();
    }
    said == moved
}

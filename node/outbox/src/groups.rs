//! What shares a transaction, and how much of it a transaction bears.

use std::collections::BTreeMap;

use hearth_base::Height;
use hearth_pocket::{
    message::Any,
    tx::{SignedTx, decode},
};

use crate::{intent::Reason, item::Item};

/// The most bytes of messages that share a transaction: endpoints take a megabyte at least.
const MAX_BATCH_BYTES: usize = 512 << 10;

/// What messages of each reason took of gas when they were simulated last.
#[derive(Debug, Default)]
pub(crate) struct Gas(BTreeMap<Reason, u64>);

impl Gas {
    /// Notes what so many messages take together.
    pub(crate) fn note(&mut self, reason: Reason, n_items: usize, gas: u64) {
        self.0.insert(reason, gas.div_ceil(n_items.max(1) as u64));
    }

    /// How many of a reason share a transaction that may ask for so much gas.
    fn most(&self, reason: Reason, ceiling: Option<u64>) -> usize {
        let (Some(each), Some(ceiling)) = (self.0.get(&reason), ceiling) else {
            return reason.batch();
        };
        let bears = usize::try_from(ceiling / (*each).max(1)).unwrap_or(usize::MAX);
        bears.clamp(1, reason.batch())
    }
}

/// Items that share a transaction: of one account and reason, no more than it bears, none that must be alone. Those
/// whose last block comes first are the first; nothing is waited for.
pub(crate) fn groups(mut waiting: Vec<Item>, gas: &Gas, ceiling: Option<u64>) -> Vec<Vec<Item>> {
    waiting.sort_by_key(|item| (item.last_height.unwrap_or(Height(u64::MAX)), item.id));
    let mut groups: Vec<Vec<Item>> = Vec::new();
    for item in waiting {
        let most = gas.most(item.reason, ceiling);
        let fits = |group: &&mut Vec<Item>| {
            let first = &group[0];
            !item.is_alone
                && !first.is_alone
                && (first.account == item.account && first.reason == item.reason && first.memo == item.memo)
                && group.len() < most
                && n_bytes(group) + n_bytes(std::slice::from_ref(&item)) <= MAX_BATCH_BYTES
        };
        match groups.iter_mut().find(fits) {
            Some(group) => group.push(item),
            None => groups.push(vec![item]),
        }
    }
    groups
}

/// Parts of what asks for more gas than a transaction may; `None` where it does not, or cannot be parted.
pub(crate) fn parts(items: &[Item], gas: u64, ceiling: Option<u64>) -> Option<Vec<Vec<Item>>> {
    let ceiling = ceiling.filter(|ceiling| gas > *ceiling)?;
    let bears = (items.len() as u64).saturating_mul(ceiling) / gas.max(1);
    let bears = usize::try_from(bears).unwrap_or(1).max(1);
    (bears < items.len()).then(|| items.chunks(bears).map(<[Item]>::to_vec).collect())
}

pub(crate) fn messages(items: &[Item]) -> Vec<Any> {
    items.iter().flat_map(|item| item.messages.clone()).collect()
}

fn n_bytes(items: &[Item]) -> usize {
    let messages = items.iter().flat_map(|item| &item.messages);
    messages.map(|message| message.value.len()).sum()
}

/// The gas limit that bytes name.
pub(crate) fn gas_limit(unsigned: &[u8]) -> u64 {
    let decoded = decode(SignedTx::new(unsigned.to_vec()).raw());
    let fee = decoded.ok().and_then(|decoded| decoded.auth_info.fee);
    fee.map_or(0, |fee| fee.gas_limit)
}

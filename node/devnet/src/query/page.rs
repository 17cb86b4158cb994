//! Paging through the records under a prefix.

use hearth_pocket::message::cosmos::{PageRequest, PageResponse};
use prost::Message;

use crate::state::{State, StoreName};

const DEFAULT_LIMIT: u64 = 100;

/// What the total in the answer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Total {
    /// All records, also those that are not wanted: how the chain filters applications and suppliers.
    Everything,
    /// The wanted ones: how it follows an index.
    Wanted,
}

/// One page of the records under `prefix` that `wanted` accepts.
pub(super) fn page<T: Message + Default>(
    state: &State,
    store: StoreName,
    prefix: &[u8],
    request: Option<&PageRequest>,
    total: Total,
    wanted: impl Fn(&T) -> bool,
) -> (Vec<T>, PageResponse) {
    let request = request.cloned().unwrap_or_default();
    let mut entries: Vec<(Vec<u8>, T)> = state
        .prefix(store, prefix)
        .iter()
        .filter_map(|leaf| {
            Some((
                leaf.key.strip_prefix(prefix)?.to_vec(),
                T::decode(leaf.value).ok()?,
            ))
        })
        .collect();
    let all = match total {
        Total::Everything => entries.len(),
        Total::Wanted => entries.iter().filter(|(_, record)| wanted(record)).count(),
    };
    if request.reverse {
        entries.reverse();
    }
    let has_limit = request.limit != 0;
    let limit = if has_limit { request.limit } else { DEFAULT_LIMIT } as usize;
    let from = entries
        .iter()
        .position(|(key, _)| {
            if request.reverse {
                *key <= request.key
            } else {
                *key >= request.key
            }
        })
        .filter(|_| !request.key.is_empty())
        .unwrap_or(0);
    let mut taken = Vec::new();
    let mut next_key = Vec::new();
    let offset = if request.key.is_empty() {
        request.offset as usize
    } else {
        0
    };
    for (key, record) in entries
        .into_iter()
        .skip(from)
        .filter(|(_, record)| wanted(record))
        .skip(offset)
    {
        if taken.len() == limit {
            next_key = key;
            break;
        }
        taken.push(record);
    }
    // Told on the first page only, and when it is asked for or no limit is.
    let count = request.key.is_empty() && (request.count_total || !has_limit);
    let total = if count { all as u64 } else { 0 };
    (taken, PageResponse { next_key, total })
}

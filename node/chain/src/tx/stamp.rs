//! What makes each transaction of an account different: moments for unordered ones, sequence numbers for ordered ones.

use std::collections::BTreeMap;

use hearth_pocket::{address::Address, message::Timestamp};
use parking_lot::{Mutex, MutexGuard};
use time::OffsetDateTime;

/// Gives every transaction of this process its own moment or number.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    /// The last moment given out, in nanoseconds since the epoch.
    last_nanos: i128,
    /// The next sequence number, where one was given out that the chain may not show yet.
    next: BTreeMap<Address, u64>,
}

impl Stamps {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock()
    }

    /// A moment at or just after `wanted` that was not given out before. `now_ms` varies it between two runs of the
    /// program that see the same head.
    pub(crate) fn moment(&self, wanted: OffsetDateTime, now_ms: i64) -> Timestamp {
        let mut books = self.books();
        let jitter = i128::from(now_ms.rem_euclid(1000)) * 1_000_000;
        let nanos = (wanted.unix_timestamp_nanos() + jitter).max(books.last_nanos + 1);
        books.last_nanos = nanos;
        Timestamp {
            seconds: i64::try_from(nanos.div_euclid(1_000_000_000)).unwrap_or(i64::MAX),
            nanos: i32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or(0),
        }
    }

    /// The next sequence number of an account of which the chain shows `on_chain`.
    pub(crate) fn sequence(&self, address: &Address, on_chain: u64) -> u64 {
        let mut books = self.books();
        let next = books.next.entry(address.clone()).or_insert(on_chain);
        let given = (*next).max(on_chain);
        *next = given + 1;
        given
    }

    /// Forgets what was given out: the chain knows better.
    pub(crate) fn forget(&self, address: &Address) {
        self.books().next.remove(address);
    }
}

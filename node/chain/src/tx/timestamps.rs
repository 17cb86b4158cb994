//! What makes each transaction of an account different: its own moment of validity.

use hearth_pocket::message::Timestamp;
use parking_lot::Mutex;
use time::OffsetDateTime;

/// Gives every transaction of this process its own moment.
#[derive(Debug, Default)]
pub(crate) struct UniqueTimestamps {
    /// The last moment given out, in nanoseconds since the epoch.
    last_nanos: Mutex<i128>,
}

impl UniqueTimestamps {
    /// A moment at or just after `wanted` that was not given out before. `now_ms` varies it between two runs of the
    /// program that see the same head.
    pub(crate) fn moment(&self, wanted: OffsetDateTime, now_ms: i64) -> Timestamp {
        let mut last = self.last_nanos.lock();
        let jitter = i128::from(now_ms.rem_euclid(1000)) * 1_000_000;
        let nanos = (wanted.unix_timestamp_nanos() + jitter).max(*last + 1);
        *last = nanos;
        Timestamp {
            seconds: i64::try_from(nanos.div_euclid(1_000_000_000)).unwrap_or(i64::MAX),
            nanos: i32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or(0),
        }
    }
}

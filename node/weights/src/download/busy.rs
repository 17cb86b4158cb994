//! Sources that asked to be left alone for a while (`Retry-After`), for all downloads together.

use std::collections::BTreeMap;

use hearth_base::Clock;
use parking_lot::Mutex;

use crate::provider::SourceError;

/// A source that names a longer time is asked again after this.
const LONGEST_MS: i64 = 24 * 60 * 60 * 1000;
/// More sources than this are not remembered; downloads name at most 16 each.
const MAX_SOURCES: usize = 1024;

/// Source by name → when it may be asked again.
#[derive(Debug)]
pub(super) struct Busy {
    clock: Clock,
    until_ms: Mutex<BTreeMap<String, i64>>,
}

impl Busy {
    pub(super) fn new(clock: Clock) -> Busy {
        Busy {
            clock,
            until_ms: Mutex::default(),
        }
    }

    /// Remembers what a source said of itself.
    pub(super) fn note(&self, error: &SourceError) {
        let SourceError::Busy {
            source_name,
            retry_after_s: Some(seconds),
            ..
        } = error
        else {
            return;
        };
        let wait_ms = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(LONGEST_MS);
        let until = self.clock.now_ms().saturating_add(wait_ms.min(LONGEST_MS));
        let mut all = self.until_ms.lock();
        if all.len() < MAX_SOURCES || all.contains_key(source_name) {
            all.insert(source_name.clone(), until);
        }
    }

    /// When the source may be asked again, if that is to come.
    pub(super) fn until(&self, source_name: &str) -> Option<i64> {
        let now_ms = self.clock.now_ms();
        let until = self.until_ms.lock().get(source_name).copied();
        until.filter(|until| *until > now_ms)
    }
}

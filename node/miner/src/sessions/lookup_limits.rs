//! Who may make us ask the chain: few unknown pairs at once, one request of a pair at a time, what was refused once a
//! block.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hearth_base::Height;
use hearth_pocket::message::session::SessionHeader;
use parking_lot::Mutex;

use crate::refusal::Refusal;

/// Pairs of application and service without an earlier session here that are asked about in a second. A network with
/// more applications than that reaches a new supplier over some seconds.
pub(super) const UNKNOWN_A_SECOND: u32 = 32;
/// How long a request waits for the chain, and for another request that asks it.
pub(super) const ASK_WITHIN: Duration = Duration::from_secs(10);
/// Refusals that are remembered within one block.
const MAX_REFUSED: usize = 1024;

/// Application and service.
type Pair = (String, String);

#[derive(Default)]
pub(super) struct LookupLimits {
    /// A second, and how many unknown pairs it saw.
    unknown: Mutex<(i64, u32)>,
    locks: Mutex<BTreeMap<Pair, Arc<tokio::sync::Mutex<()>>>>,
    refused: Mutex<BTreeMap<Pair, (Height, Refusal)>>,
}

/// The right to ask the chain about a pair, which one at a time has.
pub(super) struct PairLock<'limits> {
    limits: &'limits LookupLimits,
    pair: Pair,
    /// Taken when it is dropped, so that the count of its holders is right.
    held: Option<tokio::sync::OwnedMutexGuard<()>>,
    lock: Arc<tokio::sync::Mutex<()>>,
}

impl LookupLimits {
    /// Lets a request of an unknown pair in, as long as there are few.
    pub(super) fn admit_unknown(&self, now_ms: i64) -> Result<(), Refusal> {
        let second = now_ms / 1000;
        let mut unknown = self.unknown.lock();
        if unknown.0 != second {
            *unknown = (second, 0);
        }
        if unknown.1 >= UNKNOWN_A_SECOND {
            return Err(Refusal::NoChain {
                why: "too many unknown applications ask at once, try again in a second".to_owned(),
            });
        }
        unknown.1 += 1;
        Ok(())
    }

    /// Waits until nobody else asks about the same application and service.
    pub(super) async fn lock_pair(&self, header: &SessionHeader) -> Result<PairLock<'_>, Refusal> {
        let pair = pair(header);
        let lock = Arc::clone(self.locks.lock().entry(pair.clone()).or_default());
        let mut pair_lock = PairLock {
            limits: self,
            pair,
            held: None,
            lock: Arc::clone(&lock),
        };
        let held = tokio::time::timeout(ASK_WITHIN, lock.lock_owned()).await;
        pair_lock.held = Some(held.map_err(|_| too_slow())?);
        Ok(pair_lock)
    }

    /// Why the same question was refused in this block.
    pub(super) fn refused(&self, header: &SessionHeader, at: Height) -> Option<Refusal> {
        self.refused
            .lock()
            .get(&pair(header))
            .filter(|(height, _)| *height == at)
            .map(|(_, refusal)| refusal.clone())
    }

    pub(super) fn remember(&self, header: &SessionHeader, at: Height, refusal: Refusal) {
        let mut refused = self.refused.lock();
        if refused.len() >= MAX_REFUSED {
            refused.retain(|_, (height, _)| *height == at);
        }
        if refused.len() < MAX_REFUSED {
            refused.insert(pair(header), (at, refusal));
        }
    }
}

impl Drop for PairLock<'_> {
    fn drop(&mut self) {
        self.held = None;
        let mut all = self.limits.locks.lock();
        // The map's and ours: nobody else waits.
        if Arc::strong_count(&self.lock) == 2 {
            all.remove(&self.pair);
        }
    }
}

pub(super) fn too_slow() -> Refusal {
    Refusal::NoChain {
        why: format!("it gave no answer within {} s", ASK_WITHIN.as_secs()),
    }
}

fn pair(header: &SessionHeader) -> Pair {
    (header.application_address.clone(), header.service_id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn strangers_are_counted_by_the_second_and_locks_go_with_their_users() {
        let limits = LookupLimits::default();
        for _ in 0..UNKNOWN_A_SECOND {
            limits.admit_unknown(5_000).unwrap();
        }
        assert!(matches!(
            limits.admit_unknown(5_999),
            Err(Refusal::NoChain { .. })
        ));
        limits.admit_unknown(6_000).unwrap();

        let header = SessionHeader::default();
        let first = limits.lock_pair(&header).await.unwrap();
        let other = SessionHeader {
            service_id: "other".to_owned(),
            ..SessionHeader::default()
        };
        let second = limits.lock_pair(&other).await.unwrap();
        let waits = tokio::time::timeout(Duration::from_millis(20), limits.lock_pair(&header));
        assert!(waits.await.is_err(), "two ask about one session");
        drop((first, second));
        drop(limits.lock_pair(&header).await.unwrap());
        assert!(limits.locks.lock().is_empty());
    }
}

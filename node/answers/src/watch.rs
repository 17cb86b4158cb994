//! Watches a backend, so that no client's request has to find out how it fares: one that failed is asked again after
//! pauses that grow, one that is well is looked at now and then.

use std::time::Duration;

use tokio::time::Instant;

use crate::backend::{Health, SharedBackend};

/// The pause before a backend that failed is asked again, and the longest one after several.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// One that is well is looked at so often: its end is noticed before a request meets it, and its models are known.
const WELL_EVERY: Duration = Duration::from_secs(30);

/// Watches a backend for ever.
pub async fn watch_backend(backend: SharedBackend) {
    watch(backend.health(), || async {
        // Its health says it.
        let _ = backend.recover().await;
    })
    .await;
}

/// Calls `ask`, which notes in `health` what it finds, for ever.
pub async fn watch<F: Future<Output = ()> + Send>(health: &Health, ask: impl Fn() -> F + Send + Sync) {
    at_the_pace_of(Pace::default(), health, ask).await;
}

async fn at_the_pace_of<F>(mut pace: Pace, health: &Health, ask: impl Fn() -> F + Send + Sync)
where
    F: Future<Output = ()> + Send,
{
    let mut changes = health.changes();
    loop {
        ask().await;
        changes.mark_unchanged();
        let mut is_failing = health.is_failing();
        let mut next = pace.next(is_failing);
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(next) => break,
                // An answer failed, or came: the clock is set anew. Another word for the same changes nothing.
                Ok(()) = changes.changed() => {
                    if health.is_failing() != is_failing {
                        is_failing = !is_failing;
                        next = pace.next(is_failing);
                    }
                }
            }
        }
    }
}

/// How long to wait.
struct Pace {
    first: Duration,
    longest: Duration,
    well: Duration,
    /// Since when it fails, or is well.
    state: Option<(bool, Instant)>,
    /// Pauses since it failed first.
    pauses: u32,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            first: FIRST_PAUSE,
            longest: LONGEST_PAUSE,
            well: WELL_EVERY,
            state: None,
            pauses: 0,
        }
    }
}

impl Pace {
    fn next(&mut self, is_failing: bool) -> Instant {
        let now = Instant::now();
        now + self.wait(is_failing, now, rand::random())
    }

    /// The wait from now on. `chance`, from 0 to 1, makes it a quarter shorter or longer, so that many who watch the same
    /// server do not ask it all at once.
    fn wait(&mut self, is_failing: bool, now: Instant, chance: f64) -> Duration {
        let (was_failing, since) = *self.state.get_or_insert((is_failing, now));
        if is_failing != was_failing {
            // One that fails soon after it came back was not well.
            if is_failing && now.duration_since(since) > self.longest {
                self.pauses = 0;
            }
            self.state = Some((is_failing, now));
        }
        let wait = if is_failing {
            let doublings = self.pauses.min(16);
            self.pauses = self.pauses.saturating_add(1);
            self.first.saturating_mul(1 << doublings).min(self.longest)
        } else {
            self.well
        };
        wait.mul_f64(0.75 + chance.clamp(0.0, 1.0) / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn pauses_grow_until_it_was_well_for_long() {
        let begin = Instant::now();
        let mut pace = Pace::default();
        let mut at = |is_failing, second, chance| {
            let now = begin + Duration::from_secs(second);
            pace.wait(is_failing, now, chance).as_millis()
        };
        assert_eq!(at(false, 0, 0.5), 30_000);
        for wanted in [5_000, 10_000, 20_000, 40_000, 80_000, 120_000, 120_000] {
            assert_eq!(at(true, 1, 0.5), wanted);
        }
        // Back for half a minute only.
        assert_eq!(at(false, 500, 0.5), 30_000);
        assert_eq!(at(true, 530, 0.5), 120_000);
        assert_eq!(at(false, 600, 0.5), 30_000);
        assert_eq!(at(true, 900, 0.0), 3_750);
        assert_eq!(at(true, 900, 1.0), 12_500);
    }

    #[tokio::test]
    async fn one_that_fails_is_asked_again_until_it_is_well() {
        const MS: Duration = Duration::from_millis(1);
        let pace = Pace {
            first: MS,
            longest: 2 * MS,
            // So long that whatever is asked again is asked for its failure.
            well: Duration::from_secs(100_000),
            ..Pace::default()
        };
        let (health, asked) = (Health::default(), AtomicU32::new(0));
        let ask = || {
            if asked.fetch_add(1, Ordering::SeqCst) >= 4 {
                health.well();
            }
            std::future::ready(())
        };
        let mut changes = health.changes();
        let failure = async {
            while asked.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
            assert_eq!(asked.load(Ordering::SeqCst), 1, "one look at the start");
            health.failed("it is gone");
            changes.wait_for(Option::is_none).await.map(drop)
        };
        tokio::select! {
            () = at_the_pace_of(pace, &health, ask) => {}
            well = failure => well.unwrap(),
        }
        assert_eq!(asked.load(Ordering::SeqCst), 5);
    }
}

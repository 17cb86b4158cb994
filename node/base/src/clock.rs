//! Time as an argument: parts take a [`Clock`], so that a test can age a whole node.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use time::OffsetDateTime;

/// The wall clock, or one that a test moves. Clones of a test clock move together.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    /// Milliseconds since the epoch.
    Test(Arc<AtomicI64>),
}

impl Clock {
    /// The computer's clock.
    #[must_use]
    pub const fn system() -> Clock {
        Clock(Source::System)
    }

    /// A clock that stands at `now_ms` milliseconds since the epoch until it is moved.
    #[must_use]
    pub fn test(now_ms: i64) -> Clock {
        Clock(Source::Test(Arc::new(AtomicI64::new(now_ms))))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            // The one place that reads the computer's clock.
            #[allow(clippy::disallowed_methods, reason = "everything else takes a Clock")]
            Source::System => std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
            Source::Test(now_ms) => now_ms.load(Ordering::SeqCst),
        }
    }

    /// The moment, in UTC. A clock that is set beyond what can be written as a date stands at the last one.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        let since = time::Duration::milliseconds(self.now_ms());
        let last = time::PrimitiveDateTime::MAX.assume_utc();
        OffsetDateTime::UNIX_EPOCH.checked_add(since).unwrap_or(last)
    }

    /// Moves a test clock on. The computer's clock stays.
    pub fn advance(&self, by: Duration) {
        if let Source::Test(now_ms) = &self.0 {
            now_ms.fetch_add(
                i64::try_from(by.as_millis()).unwrap_or(i64::MAX),
                Ordering::SeqCst,
            );
        }
    }
}

impl Clock {
    /// Sets a test clock, also backwards, as computers' clocks are set. The computer's clock stays.
    pub fn set(&self, to_ms: i64) {
        if let Source::Test(now_ms) = &self.0 {
            now_ms.store(to_ms, Ordering::SeqCst);
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now_ms())
    }
}

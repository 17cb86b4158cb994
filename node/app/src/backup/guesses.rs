//! Guesses at the passwords of backups: whoever only has a session must not guess on.

use std::time::Duration;

use hearth_base::Clock;

use super::{BackupError, Rehearsal, SealError};

/// Wrong ones before one waits, and how long: as the wallet does.
const TRIES: u32 = 5;
const WAIT: Duration = Duration::from_secs(60);

/// Wrong passwords and passphrases of late. A right one forgives none: it may be that of a backup which the guesser made.
pub(crate) struct Guesses {
    clock: Clock,
    wrong: u32,
    wait_until_ms: i64,
}

impl Guesses {
    pub(crate) fn new(clock: Clock) -> Guesses {
        Guesses {
            clock,
            wrong: 0,
            wait_until_ms: 0,
        }
    }

    /// How many seconds nobody may guess yet.
    pub(crate) fn wait_s(&self) -> Option<u64> {
        let left_ms = u64::try_from(self.wait_until_ms - self.clock.now_ms()).unwrap_or_default();
        (left_ms > 0).then(|| left_ms.div_ceil(1000))
    }

    /// Counts what a rehearsal said of the passwords.
    pub(crate) fn count(&mut self, tested: &Result<Rehearsal, BackupError>) {
        let is_wrong = match tested {
            Ok(tested) => tested.password_opens == Some(false),
            Err(error) => matches!(
                error,
                BackupError::Sealed {
                    source: SealError::Wrong,
                    ..
                }
            ),
        };
        if !is_wrong {
            return;
        }
        self.wrong += 1;
        if self.wrong >= TRIES {
            self.wrong = 0;
            let wait_ms = i64::try_from(WAIT.as_millis()).unwrap_or(i64::MAX);
            self.wait_until_ms = self.clock.now_ms() + wait_ms;
        }
    }
}

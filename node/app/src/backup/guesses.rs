//! Guesses at the passwords of backups: whoever only has a session must not guess on.

use std::{path::Path, time::Duration};

use hearth_base::{Clock, Secret};

use super::{BackupError, Rehearsal, SealError, rehearse};
use crate::data_dir::Layout;

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
    fn wait_s(&self) -> Option<u64> {
        let left_ms = u64::try_from(self.wait_until_ms - self.clock.now_ms()).unwrap_or_default();
        (left_ms > 0).then(|| left_ms.div_ceil(1000))
    }

    /// Rehearses a backup in the data directory `near`, unless somebody guessed wrong too often.
    ///
    /// # Errors
    /// [`Refused`].
    pub(crate) async fn rehearse(
        &mut self,
        near: &Layout,
        from: &Path,
        passphrase: Option<&Secret>,
        wallet_password: Option<&Secret>,
    ) -> Result<Rehearsal, Refused> {
        if (passphrase.is_some() || wallet_password.is_some())
            && let Some(seconds) = self.wait_s()
        {
            return Err(Refused::Wait { seconds });
        }
        let tested = rehearse(Some(near), from, passphrase, wallet_password).await;
        let is_wrong = match &tested {
            Ok(tested) => tested.password_opens == Some(false),
            Err(error) => matches!(
                error,
                BackupError::Sealed {
                    source: SealError::Wrong,
                    ..
                }
            ),
        };
        if is_wrong {
            self.count();
        }
        Ok(tested?)
    }

    fn count(&mut self) {
        self.wrong += 1;
        if self.wrong >= TRIES {
            self.wrong = 0;
            let wait_ms = i64::try_from(WAIT.as_millis()).unwrap_or(i64::MAX);
            self.wait_until_ms = self.clock.now_ms() + wait_ms;
        }
    }
}

/// Why nothing is rehearsed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("too many wrong passwords: try again in {seconds} s")]
    Wait { seconds: u64 },
    #[error(transparent)]
    Backup(#[from] BackupError),
}

//! Locks the keys that ask for the password: when nobody used them for a while, and when this computer slept.

use std::{path::PathBuf, time::Duration};

use hearth_base::{Clock, Tasks};
use hearth_wallet::Wallet;

use crate::config::Settings;

/// How often is looked.
const EVERY: Duration = Duration::from_secs(15);
/// A look that comes so much later than it should comes after a sleep.
const SLEPT: Duration = Duration::from_secs(60);

/// Locks them after as many minutes without use as is set, for as long as `tasks` run. Earning goes on. Where the password
/// lies `beside` the keys, as that of the play money that Hearth itself gives out, there is nothing to lock.
pub(crate) fn start(
    settings: &Settings,
    beside: Option<PathBuf>,
    wallet: &Wallet,
    clock: &Clock,
    tasks: &Tasks,
) {
    let minutes = settings.wallet.auto_lock_minutes;
    if minutes == 0 {
        return;
    }
    let limit = Duration::from_secs(minutes.saturating_mul(60));
    let (wallet, clock) = (wallet.clone(), clock.clone());
    tasks.spawn_until_stopped("lock of the wallet", async move {
        let mut last_ms = clock.now_ms();
        loop {
            tokio::time::sleep(EVERY).await;
            let now_ms = clock.now_ms();
            if beside.as_ref().is_some_and(|path| path.exists()) {
                last_ms = now_ms;
                continue;
            }
            if slept(last_ms, now_ms) {
                tracing::info!("this computer slept: keys that ask for the password are locked");
                wallet.lock();
            } else if wallet.lock_unused(limit) {
                tracing::info!("keys that ask for the password are locked: nobody used them for a while");
            }
            last_ms = now_ms;
        }
    });
}

/// Whether so much time went by between two looks that this computer slept.
fn slept(last_ms: i64, now_ms: i64) -> bool {
    let most = EVERY.saturating_add(SLEPT).as_millis();
    u128::try_from(now_ms - last_ms).is_ok_and(|gone| gone > most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_told_from_a_late_look() {
        assert!(!slept(0, 15_000) && !slept(0, 60_000) && slept(0, 75_001));
        // A clock that was set back is no sleep.
        assert!(!slept(1_000_000, 0));
    }
}

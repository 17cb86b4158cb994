//! The login for other computers: one password, as an Argon2id hash, with a limit on wrong attempts for each address, so
//! that who guesses locks out nobody but himself.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use axum::http::StatusCode;
use hearth_base::Clock;
use sqlx::SqlitePool;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::Client;
use crate::error::ApiError;

/// The fewest characters of the password. It guards money on a network, so it is longer than the wallet's.
const MIN_CHARS: usize = 10;
/// Wrong passwords before one waits.
const TRIES: u32 = 5;
const WAIT_MS: i64 = 60_000;
/// Addresses that may wait for the check of a password, each for one. A check takes 19 MiB and a good part of a second,
/// so there is one at a time; programs of this computer do not wait behind others.
const QUEUE: usize = 8;
/// Addresses that are remembered, some 100 bytes each. Beyond them the oldest is forgotten: it gets its tries anew.
const MAX_ADDRESSES: usize = 4096;
/// What a sign-in beyond the queue is told to wait.
const BUSY_SECONDS: u64 = 5;
/// The row of `api_setting` that holds the hash.
const KEY: &str = "login";

/// The login.
#[derive(Clone)]
pub(crate) struct Login {
    pool: SqlitePool,
    clock: Clock,
    throttle: Arc<parking_lot::Mutex<LoginThrottle>>,
    /// Held while a password is checked: by programs of this computer, and by others.
    checking: [Arc<Mutex<()>>; 2],
}

/// The attempts of all addresses that were wrong, or try at the moment.
#[derive(Default)]
struct LoginThrottle(BTreeMap<Client, AttemptCount>);

#[derive(Default)]
struct AttemptCount {
    wrong: u32,
    wait_until_ms: i64,
    touched_ms: i64,
    /// One attempt of an address at a time, so that attempts side by side count one by one.
    is_checking: bool,
}

/// An attempt that is being checked. Dropped without a verdict it counts as wrong.
struct Attempt {
    throttle: Arc<parking_lot::Mutex<LoginThrottle>>,
    client: Client,
    clock: Clock,
    is_judged: bool,
}

impl Login {
    pub(crate) fn new(pool: SqlitePool, clock: Clock) -> Login {
        Login {
            pool,
            clock,
            throttle: Arc::default(),
            checking: [Arc::default(), Arc::default()],
        }
    }

    pub(crate) async fn is_set(&self) -> Result<bool, ApiError> {
        Ok(self.hash().await?.is_some())
    }

    pub(crate) async fn set(&self, password: String) -> Result<(), ApiError> {
        if password.chars().count() < MIN_CHARS {
            let message = format!("the password needs at least {MIN_CHARS} characters");
            let refused = ApiError::new(StatusCode::BAD_REQUEST, "weak_password", message);
            return Err(refused.value("least", MIN_CHARS));
        }
        let hash = blocking(move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string())
                .map_err(|error| ApiError::internal(&error))
        })
        .await??;
        sqlx::query("INSERT INTO api_setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
            .bind(KEY)
            .bind(hash)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Forgets the password: nobody signs in with one until it is set again.
    pub(crate) async fn reset(&self) -> Result<(), ApiError> {
        sqlx::query("DELETE FROM api_setting WHERE key = ?")
            .bind(KEY)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Checks the password of a sign-in.
    pub(crate) async fn check(&self, client: Client, password: String) -> Result<(), ApiError> {
        let hash = self.hash().await?.ok_or_else(|| {
            ApiError::new(
                StatusCode::FORBIDDEN,
                "no_login",
                "no password is set for this node",
            )
        })?;
        let attempt = Attempt::begin(&self.throttle, client, &self.clock)?;
        let checking = Arc::clone(&self.checking[usize::from(client.is_local)]);
        let turn: OwnedMutexGuard<()> = checking.lock_owned().await;
        // Turn and attempt go with the work: who hangs up neither frees them early nor tries uncounted.
        blocking(move || {
            let _turn = turn;
            let right = PasswordHash::new(&hash).is_ok_and(|hash| {
                Argon2::default()
                    .verify_password(password.as_bytes(), &hash)
                    .is_ok()
            });
            attempt.judge(right)
        })
        .await?
    }

    async fn hash(&self) -> Result<Option<String>, ApiError> {
        Ok(sqlx::query_scalar("SELECT value FROM api_setting WHERE key = ?")
            .bind(KEY)
            .fetch_optional(&self.pool)
            .await?)
    }
}

impl Attempt {
    fn begin(
        throttle: &Arc<parking_lot::Mutex<LoginThrottle>>,
        client: Client,
        clock: &Clock,
    ) -> Result<Attempt, ApiError> {
        throttle.lock().begin(client, clock.now_ms())?;
        Ok(Attempt {
            throttle: Arc::clone(throttle),
            client,
            clock: clock.clone(),
            is_judged: false,
        })
    }

    fn judge(mut self, right: bool) -> Result<(), ApiError> {
        self.is_judged = true;
        self.throttle
            .lock()
            .judge(self.client, right, self.clock.now_ms())
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.is_judged {
            // Nobody waits for the words.
            let _ = self
                .throttle
                .lock()
                .judge(self.client, false, self.clock.now_ms());
        }
    }
}

impl LoginThrottle {
    fn begin(&mut self, client: Client, now_ms: i64) -> Result<(), ApiError> {
        let others = self
            .0
            .iter()
            .filter(|(other, attempts)| !other.is_local && attempts.is_checking);
        if !client.is_local && others.count() >= QUEUE {
            return Err(busy());
        }
        if self.0.len() >= MAX_ADDRESSES && !self.0.contains_key(&client) {
            let at_rest = self.0.iter().filter(|(_, attempts)| !attempts.is_checking);
            let oldest = at_rest
                .min_by_key(|(_, attempts)| attempts.touched_ms)
                .map(|(other, _)| *other);
            oldest.map(|oldest| self.0.remove(&oldest));
        }
        let attempts = self.0.entry(client).or_default();
        if attempts.is_checking {
            return Err(busy());
        }
        match u64::try_from(attempts.wait_until_ms - now_ms) {
            Ok(left_ms) if left_ms > 0 => Err(wait(left_ms.div_ceil(1000))),
            Ok(_) | Err(_) => {
                attempts.is_checking = true;
                attempts.touched_ms = now_ms;
                Ok(())
            }
        }
    }

    fn judge(&mut self, client: Client, right: bool, now_ms: i64) -> Result<(), ApiError> {
        let Entry::Occupied(mut entry) = self.0.entry(client) else {
            return Ok(());
        };
        if right {
            entry.remove();
            return Ok(());
        }
        let attempts = entry.get_mut();
        attempts.is_checking = false;
        attempts.wrong += 1;
        if attempts.wrong >= TRIES {
            attempts.wrong = 0;
            attempts.wait_until_ms = now_ms + WAIT_MS;
            return Err(wait(WAIT_MS.unsigned_abs() / 1000));
        }
        let message = format!(
            "wrong password; {} tries left, then a minute of waiting",
            TRIES - attempts.wrong
        );
        Err(ApiError::new(StatusCode::FORBIDDEN, "wrong_password", message)
            .value("tries_left", TRIES - attempts.wrong))
    }
}

fn busy() -> ApiError {
    let message = format!("others are signing in at the moment: try again in {BUSY_SECONDS} s");
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "busy", message)
        .value("seconds", BUSY_SECONDS)
        .retry_after(BUSY_SECONDS)
}

fn wait(seconds: u64) -> ApiError {
    let message = format!("too many wrong passwords: try again in {seconds} s");
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "wait", message)
        .value("seconds", seconds)
        .retry_after(seconds)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ApiError::internal(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Client {
        Client {
            address: address.parse().unwrap(),
            from_here: address.starts_with("127."),
            is_local: address.starts_with("127."),
        }
    }

    #[test]
    fn who_guesses_locks_out_nobody_but_himself() {
        let mut throttle = LoginThrottle::default();
        let (guesser, other, own) = (client("192.0.2.7"), client("192.0.2.8"), client("127.0.0.1"));
        for n in 1..=TRIES {
            throttle.begin(guesser, 0).unwrap();
            let code = throttle.judge(guesser, false, 0).unwrap_err().code;
            assert_eq!(code, if n < TRIES { "wrong_password" } else { "wait" });
        }
        assert_eq!(throttle.begin(guesser, WAIT_MS - 1).unwrap_err().code, "wait");
        for client in [other, own] {
            throttle.begin(client, 0).unwrap();
            throttle.judge(client, true, 0).unwrap();
        }
        // After the wait there are new tries.
        throttle.begin(guesser, WAIT_MS).unwrap();
        assert_eq!(
            throttle.judge(guesser, false, WAIT_MS).unwrap_err().code,
            "wrong_password"
        );
    }

    #[test]
    fn the_queue_of_others_does_not_hold_up_this_computer() {
        let mut throttle = LoginThrottle::default();
        for n in 0..QUEUE {
            throttle.begin(client(&format!("192.0.2.{n}")), 0).unwrap();
        }
        assert_eq!(throttle.begin(client("192.0.2.99"), 0).unwrap_err().code, "busy");
        throttle.begin(client("127.0.0.1"), 0).unwrap();
        assert_eq!(
            throttle.begin(client("127.0.0.1"), 0).unwrap_err().code,
            "busy",
            "one at a time"
        );
    }

    #[test]
    fn the_memory_of_addresses_is_bounded() {
        let mut throttle = LoginThrottle::default();
        for n in 0..MAX_ADDRESSES as i64 + 10 {
            let one = client(&format!("10.0.{}.{}", n / 256, n % 256));
            throttle.begin(one, n).unwrap();
            throttle.judge(one, false, n).unwrap_err();
        }
        assert_eq!(throttle.0.len(), MAX_ADDRESSES);
        assert!(
            !throttle.0.contains_key(&client("10.0.0.0")),
            "the oldest is forgotten"
        );
    }
}

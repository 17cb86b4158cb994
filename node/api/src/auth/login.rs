//! The login for other computers: one password, as an Argon2id hash, with a brake on guessing.

use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use axum::http::StatusCode;
use hearth_base::Clock;
use sqlx::SqlitePool;
use tokio::sync::{Mutex, Semaphore};

use crate::error::ApiError;

/// The fewest characters of the password. It guards money on a network, so it is longer than the wallet's.
const MIN_CHARS: usize = 10;
/// Wrong passwords before one waits.
const TRIES: u32 = 5;
const WAIT_MS: i64 = 60_000;
/// Sign-ins that may wait for their turn. Each is checked alone: a check takes 19 MiB and a good part of a second.
const QUEUE: usize = 8;
/// What a sign-in beyond the queue is told to wait.
const BUSY_SECONDS: u64 = 5;
/// The row of `api_setting` that holds the hash.
const KEY: &str = "login";

/// The login.
#[derive(Clone)]
pub(crate) struct Login {
    pool: SqlitePool,
    clock: Clock,
    /// Held from the question whether one may try to the verdict, so that guesses side by side count one by one.
    brake: Arc<Mutex<Brake>>,
    queue: Arc<Semaphore>,
}

#[derive(Default)]
struct Brake {
    wrong: u32,
    wait_until_ms: i64,
}

impl Login {
    pub(crate) fn new(pool: SqlitePool, clock: Clock) -> Login {
        Login {
            pool,
            clock,
            brake: Arc::default(),
            queue: Arc::new(Semaphore::new(QUEUE)),
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
    pub(crate) async fn check(&self, password: String) -> Result<(), ApiError> {
        let _place = self.queue.try_acquire().map_err(|_| busy())?;
        let mut brake = Arc::clone(&self.brake).lock_owned().await;
        brake.may_try(self.clock.now_ms())?;
        let hash = self.hash().await?.ok_or_else(|| {
            ApiError::new(
                StatusCode::FORBIDDEN,
                "no_login",
                "no password is set for this node",
            )
        })?;
        let clock = self.clock.clone();
        // The brake goes with the work: who hangs up neither frees it early nor guesses uncounted.
        blocking(move || {
            let right = PasswordHash::new(&hash).is_ok_and(|hash| {
                Argon2::default()
                    .verify_password(password.as_bytes(), &hash)
                    .is_ok()
            });
            brake.judge(right, clock.now_ms())
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

impl Brake {
    fn may_try(&self, now_ms: i64) -> Result<(), ApiError> {
        match u64::try_from(self.wait_until_ms - now_ms) {
            Ok(left_ms) if left_ms > 0 => Err(wait(left_ms.div_ceil(1000))),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn judge(&mut self, right: bool, now_ms: i64) -> Result<(), ApiError> {
        if right {
            self.wrong = 0;
            return Ok(());
        }
        self.wrong += 1;
        if self.wrong >= TRIES {
            *self = Brake {
                wrong: 0,
                wait_until_ms: now_ms + WAIT_MS,
            };
            return Err(wait(WAIT_MS.unsigned_abs() / 1000));
        }
        let message = format!(
            "wrong password; {} tries left, then a minute of waiting",
            TRIES - self.wrong
        );
        Err(ApiError::new(StatusCode::FORBIDDEN, "wrong_password", message)
            .value("tries_left", TRIES - self.wrong))
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

//! The login for other computers: one password, as an Argon2id hash, with a brake on guessing.

use std::sync::{Arc, Mutex, PoisonError};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use axum::http::StatusCode;
use hearth_base::Clock;
use sqlx::SqlitePool;

use crate::error::ApiError;

/// The fewest characters of the password. It guards money on a network, so it is longer than the wallet's.
const MIN_CHARS: usize = 10;
/// Wrong passwords before one waits.
const TRIES: u32 = 5;
const WAIT_MS: i64 = 60_000;
/// The row of `api_setting` that holds the hash.
const KEY: &str = "login";

/// The login.
#[derive(Clone)]
pub(crate) struct Login {
    pool: SqlitePool,
    clock: Clock,
    brake: Arc<Mutex<Brake>>,
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
        }
    }

    pub(crate) async fn is_set(&self) -> Result<bool, ApiError> {
        Ok(self.hash().await?.is_some())
    }

    pub(crate) async fn set(&self, password: String) -> Result<(), ApiError> {
        if password.chars().count() < MIN_CHARS {
            let message = format!("the password needs at least {MIN_CHARS} characters");
            return Err(ApiError::new(StatusCode::BAD_REQUEST, "weak_password", message));
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

    /// Checks the password of a sign-in.
    pub(crate) async fn check(&self, password: String) -> Result<(), ApiError> {
        self.may_try()?;
        let hash = self.hash().await?.ok_or_else(|| {
            ApiError::new(
                StatusCode::FORBIDDEN,
                "no_login",
                "no password is set for this node",
            )
            .remedy("Set one under Settings on the computer itself.")
        })?;
        let right = blocking(move || {
            PasswordHash::new(&hash).is_ok_and(|hash| {
                Argon2::default()
                    .verify_password(password.as_bytes(), &hash)
                    .is_ok()
            })
        })
        .await?;
        self.judge(right)
    }

    async fn hash(&self) -> Result<Option<String>, ApiError> {
        Ok(sqlx::query_scalar("SELECT value FROM api_setting WHERE key = ?")
            .bind(KEY)
            .fetch_optional(&self.pool)
            .await?)
    }

    fn may_try(&self) -> Result<(), ApiError> {
        let brake = self.brake.lock().unwrap_or_else(PoisonError::into_inner);
        match u64::try_from(brake.wait_until_ms - self.clock.now_ms()) {
            Ok(left_ms) if left_ms > 0 => Err(wait(left_ms.div_ceil(1000))),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn judge(&self, right: bool) -> Result<(), ApiError> {
        let mut brake = self.brake.lock().unwrap_or_else(PoisonError::into_inner);
        if right {
            brake.wrong = 0;
            return Ok(());
        }
        brake.wrong += 1;
        if brake.wrong >= TRIES {
            *brake = Brake {
                wrong: 0,
                wait_until_ms: self.clock.now_ms() + WAIT_MS,
            };
            return Err(wait(WAIT_MS.unsigned_abs() / 1000));
        }
        let message = format!(
            "wrong password; {} tries left, then a minute of waiting",
            TRIES - brake.wrong
        );
        Err(ApiError::new(StatusCode::FORBIDDEN, "wrong_password", message))
    }
}

fn wait(seconds: u64) -> ApiError {
    let message = format!("too many wrong passwords: try again in {seconds} s");
    ApiError {
        retry_after_seconds: Some(seconds),
        ..ApiError::new(StatusCode::TOO_MANY_REQUESTS, "wait", message)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| ApiError::internal(&error))
}

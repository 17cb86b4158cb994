//! Secrets and how they are kept: as hashes. Sign-ins of browsers.

use hearth_base::Clock;
use sha2::{Digest, Sha256};
use sqlx::SqlitePool;
use subtle::ConstantTimeEq;
use tokio::sync::broadcast;

use super::SESSION_DAYS;
use crate::error::ApiError;

const DAY_MS: i64 = 86_400_000;
/// Endings of sign-ins that a listener may be behind; one that is further behind ends too.
const ENDINGS: usize = 16;

/// Compares secrets in a time that does not tell where they differ.
pub(crate) fn same_secret(one: &str, other: &str) -> bool {
    // Hashes have one length, so the lengths of the secrets do not show either.
    hash(one).as_bytes().ct_eq(hash(other).as_bytes()).into()
}

/// SHA-256 as hex. What is hashed has 256 random bits, so neither salt nor slowness is needed.
pub(super) fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// 256 random bits as hex.
pub(super) fn random() -> Result<String, ApiError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| ApiError::internal(&error))?;
    Ok(hex::encode(bytes))
}

const INSERT_SESSION: &str = "INSERT INTO api_session (hash, expires_ms) VALUES (?, ?)";

/// The sign-ins of browsers.
#[derive(Clone)]
pub(crate) struct SignIns {
    pool: SqlitePool,
    clock: Clock,
    endings: broadcast::Sender<SignInEnd>,
}

/// Sign-ins that ended, by the hashes of their cookies.
#[derive(Clone, Debug)]
enum SignInEnd {
    One(String),
    /// All, but one that goes on under another cookie: its old hash and its new one.
    All {
        renewed: Option<(String, String)>,
    },
}

impl SignIns {
    pub(crate) fn new(pool: SqlitePool, clock: Clock) -> SignIns {
        SignIns {
            pool,
            clock,
            endings: broadcast::Sender::new(ENDINGS),
        }
    }

    /// Makes a sign-in and gives its cookie.
    pub(crate) async fn create(&self) -> Result<String, ApiError> {
        let cookie = random()?;
        let now_ms = self.clock.now_ms();
        sqlx::query("DELETE FROM api_session WHERE expires_ms < ?")
            .bind(now_ms)
            .execute(&self.pool)
            .await?;
        sqlx::query(INSERT_SESSION)
            .bind(hash(&cookie))
            .bind(now_ms + i64::from(SESSION_DAYS) * DAY_MS)
            .execute(&self.pool)
            .await?;
        Ok(cookie)
    }

    pub(crate) async fn is_valid(&self, cookie: &str) -> Result<bool, ApiError> {
        let found: Option<i64> =
            sqlx::query_scalar("SELECT 1 FROM api_session WHERE hash = ? AND expires_ms >= ?")
                .bind(hash(cookie))
                .bind(self.clock.now_ms())
                .fetch_optional(&self.pool)
                .await?;
        Ok(found.is_some())
    }

    pub(crate) async fn delete(&self, cookie: &str) -> Result<(), ApiError> {
        sqlx::query("DELETE FROM api_session WHERE hash = ?")
            .bind(hash(cookie))
            .execute(&self.pool)
            .await?;
        // An error says that nobody listens.
        let _ = self.endings.send(SignInEnd::One(hash(cookie)));
        Ok(())
    }

    /// Ends all sign-ins, as a new password must. Whoever shows a valid `cookie` gets a new one in its place.
    pub(crate) async fn renew(&self, cookie: Option<&str>) -> Result<Option<String>, ApiError> {
        let fresh = match cookie {
            Some(_) => Some(random()?),
            None => None,
        };
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM api_session")
            .execute(&mut *transaction)
            .await?;
        if let Some(fresh) = &fresh {
            sqlx::query(INSERT_SESSION)
                .bind(hash(fresh))
                .bind(self.clock.now_ms() + i64::from(SESSION_DAYS) * DAY_MS)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        let renewed = cookie
            .zip(fresh.as_deref())
            .map(|(old, new)| (hash(old), hash(new)));
        // An error says that nobody listens.
        let _ = self.endings.send(SignInEnd::All { renewed });
        Ok(fresh)
    }

    /// Ends with the sign-in of this cookie. One that got a new cookie goes on: its browser may ask again before it has
    /// the new one, and would find itself signed out.
    pub(crate) fn ended(&self, cookie: &str) -> impl Future<Output = ()> + Send + use<> {
        let mut endings = self.endings.subscribe();
        let mut mine = hash(cookie);
        async move {
            loop {
                match endings.recv().await {
                    Ok(SignInEnd::One(hash)) if hash != mine => {}
                    Ok(SignInEnd::All {
                        renewed: Some((old, new)),
                    }) if old == mine => mine = new,
                    // Who missed an ending has to show the cookie again.
                    Ok(SignInEnd::One(_) | SignInEnd::All { .. }) | Err(_) => return,
                }
            }
        }
    }
}

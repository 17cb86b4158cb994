//! API keys and sign-ins, kept as hashes.

use hearth_base::Clock;
use sha2::{Digest, Sha256};
use sqlx::SqlitePool;
use subtle::ConstantTimeEq;
use tokio::sync::broadcast;

use super::SESSION_DAYS;
use crate::{
    control::types::{ApiKey, Timestamp},
    error::ApiError,
};

/// What every API key begins with, so that people and scanners recognise one.
const KEY_PREFIX: &str = "sk-hearth-";
/// Characters of a key that are kept to tell keys apart: the prefix and four more of 64.
const SHOWN_CHARS: usize = KEY_PREFIX.len() + 4;
/// The most characters of a key's name.
const MAX_NAME_CHARS: usize = 100;
/// `last_used` is written at most this often, so that a busy client does not cost a write per call.
const USED_STEP_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
/// Endings of sign-ins that a listener may be behind; one that is further behind ends too.
const ENDINGS: usize = 16;

/// Compares secrets in a time that does not tell where they differ.
pub(crate) fn same_secret(one: &str, other: &str) -> bool {
    // Hashes have one length, so the lengths of the secrets do not show either.
    hash(one).as_bytes().ct_eq(hash(other).as_bytes()).into()
}

fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// 256 random bits as hex.
fn random() -> Result<String, ApiError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| ApiError::internal(&error))?;
    Ok(hex::encode(bytes))
}

/// The API keys.
#[derive(Clone)]
pub(crate) struct Keys {
    pool: SqlitePool,
    clock: Clock,
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    id: String,
    name: String,
    prefix: String,
    created_ms: i64,
    last_used_ms: Option<i64>,
}

impl From<KeyRow> for ApiKey {
    fn from(row: KeyRow) -> ApiKey {
        ApiKey {
            id: row.id,
            name: row.name,
            prefix: row.prefix,
            created_at: Timestamp::from_ms(row.created_ms),
            last_used_at: row.last_used_ms.map(Timestamp::from_ms),
        }
    }
}

impl Keys {
    pub(crate) fn new(pool: SqlitePool, clock: Clock) -> Keys {
        Keys { pool, clock }
    }

    pub(crate) async fn list(&self) -> Result<Vec<ApiKey>, ApiError> {
        let rows: Vec<KeyRow> = sqlx::query_as(
            "SELECT id, name, prefix, created_ms, last_used_ms FROM api_key ORDER BY created_ms, id",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(ApiKey::from).collect())
    }

    /// Makes a key. The secret is returned once.
    pub(crate) async fn create(&self, name: &str) -> Result<(ApiKey, String), ApiError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME_CHARS {
            return Err(ApiError::bad_request(format!(
                "the name of a key has 1 to {MAX_NAME_CHARS} characters"
            )));
        }
        let secret = format!("{KEY_PREFIX}{}", random()?);
        let key = self.insert(name, &secret).await?;
        Ok((key, secret))
    }

    /// Makes sure that `secret` is a key, under this name.
    pub(crate) async fn ensure(&self, name: &str, secret: &str) -> Result<(), ApiError> {
        let there: Option<i64> = sqlx::query_scalar("SELECT 1 FROM api_key WHERE hash = ?")
            .bind(hash(secret))
            .fetch_optional(&self.pool)
            .await?;
        if there.is_none() {
            self.insert(name, secret).await?;
        }
        Ok(())
    }

    pub(crate) async fn delete(&self, id: &str) -> Result<(), ApiError> {
        let gone = sqlx::query("DELETE FROM api_key WHERE id = ?")
            .bind(id)
            .execute(&self.pool)
            .await?;
        if gone.rows_affected() == 0 {
            Err(ApiError::not_found("API key"))
        } else {
            Ok(())
        }
    }

    /// Whether `secret` is a key. Notes that it was used.
    pub(crate) async fn is_valid(&self, secret: &str) -> Result<bool, ApiError> {
        if !secret.starts_with(KEY_PREFIX) {
            return Ok(false);
        }
        // Found by hash: what the time of the search tells is about the hash alone.
        let found: Option<(String, Option<i64>)> =
            sqlx::query_as("SELECT id, last_used_ms FROM api_key WHERE hash = ?")
                .bind(hash(secret))
                .fetch_optional(&self.pool)
                .await?;
        let Some((id, last_used_ms)) = found else {
            return Ok(false);
        };
        let now_ms = self.clock.now_ms();
        if last_used_ms.is_none_or(|last_ms| now_ms - last_ms > USED_STEP_MS) {
            // A full disk must not lock the key out.
            let _ = sqlx::query("UPDATE api_key SET last_used_ms = ? WHERE id = ?")
                .bind(now_ms)
                .bind(id)
                .execute(&self.pool)
                .await;
        }
        Ok(true)
    }

    async fn insert(&self, name: &str, secret: &str) -> Result<ApiKey, ApiError> {
        let row = KeyRow {
            id: uuid::Uuid::now_v7().to_string(),
            name: name.to_owned(),
            prefix: secret.chars().take(SHOWN_CHARS).collect(),
            created_ms: self.clock.now_ms(),
            last_used_ms: None,
        };
        sqlx::query("INSERT INTO api_key (id, name, prefix, hash, created_ms) VALUES (?, ?, ?, ?, ?)")
            .bind(&row.id)
            .bind(&row.name)
            .bind(&row.prefix)
            .bind(hash(secret))
            .bind(row.created_ms)
            .execute(&self.pool)
            .await?;
        Ok(row.into())
    }
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
        let mut transaction = self.pool.begin().await?;
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

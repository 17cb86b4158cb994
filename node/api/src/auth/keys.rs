//! API keys: kept as hashes, found by them, and what their answers of the network cost.
//!
//! A budget is checked and counted by one statement before anything is signed, so that neither calls side by side nor
//! a crash can spend it twice: what was set aside counts as spent until it is known what it was.

use std::sync::Arc;

use axum::http::StatusCode;
use hearth_base::{Amount, Clock};
use sqlx::{Sqlite, SqlitePool, query::Query, sqlite::SqliteArguments};

use super::{
    grant::{Grant, checked, lists},
    secrets::{hash, random},
};
use crate::{
    control::types::{ApiKey, ApiKeyPatch, KeyLimits, Scope, Timestamp, Upokt},
    error::ApiError,
};

/// What every API key begins with, so that people and scanners recognise one.
pub(crate) const KEY_PREFIX: &str = "sk-hearth-";
/// Characters of a key that are kept to tell keys apart: the prefix and four more of 64.
const SHOWN_CHARS: usize = KEY_PREFIX.len() + 4;
/// Signs of the beginning by which a key may be mistyped and still be known as one.
const SLIPS: usize = 2;
/// Letters and digits in a row that make a secret of what is shown: half of what a key has.
const SECRET_CHARS: usize = 32;
/// The most characters of a key's name.
const MAX_NAME_CHARS: usize = 100;
/// `last_used` is written at most this often, so that a busy client does not cost a write per call.
const USED_STEP_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
/// All columns of a key but its hash.
const SELECT: &str = "SELECT id, name, prefix, scopes, models, origins, requests_per_minute, tokens_per_minute, \
     daily_budget_upokt, total_budget_upokt, expires_ms, created_ms, last_used_ms, revoked_ms, spent_upokt, spent_day, \
     spent_day_upokt FROM api_key";

/// The API keys.
#[derive(Clone)]
pub(crate) struct Keys {
    pool: SqlitePool,
    clock: Clock,
}

/// What a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No key of this node, nor of its kind: what programs send that must send something.
    Foreign,
    Valid(Arc<Grant>),
    /// It looks like a key of this node and is none, any more or yet.
    Refused(ApiError),
}

/// Money of a key's budgets that was set aside for one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reservation {
    key_id: String,
    day: i64,
    upokt: i64,
}

impl Reservation {
    /// What was set aside.
    pub(crate) fn upokt(&self) -> Upokt {
        upokt(self.upokt)
    }
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    id: String,
    name: String,
    prefix: String,
    scopes: String,
    models: String,
    origins: String,
    requests_per_minute: Option<i64>,
    tokens_per_minute: Option<i64>,
    daily_budget_upokt: Option<i64>,
    total_budget_upokt: Option<i64>,
    expires_ms: Option<i64>,
    created_ms: i64,
    last_used_ms: Option<i64>,
    revoked_ms: Option<i64>,
    spent_upokt: i64,
    spent_day: i64,
    spent_day_upokt: i64,
}

impl KeyRow {
    fn limits(&self) -> KeyLimits {
        let lines = |text: &str| text.lines().map(str::to_owned).collect();
        let rate = |rate: Option<i64>| rate.and_then(|rate| u32::try_from(rate).ok());
        KeyLimits {
            scopes: Scope::ALL
                .into_iter()
                .filter(|scope| self.scopes.split(' ').any(|word| word == scope.word()))
                .collect(),
            models: lines(&self.models),
            origins: lines(&self.origins),
            requests_per_minute: rate(self.requests_per_minute),
            tokens_per_minute: rate(self.tokens_per_minute),
            daily_budget: self.daily_budget_upokt.map(upokt),
            total_budget: self.total_budget_upokt.map(upokt),
            expires_at: self.expires_ms.map(Timestamp::from_ms),
        }
    }

    fn into_key(self, today: i64) -> ApiKey {
        ApiKey {
            limits: self.limits(),
            id: self.id,
            name: self.name,
            prefix: self.prefix,
            created_at: Timestamp::from_ms(self.created_ms),
            last_used_at: self.last_used_ms.map(Timestamp::from_ms),
            revoked_at: self.revoked_ms.map(Timestamp::from_ms),
            spent_today: upokt(if self.spent_day == today {
                self.spent_day_upokt
            } else {
                0
            }),
            spent: upokt(self.spent_upokt),
        }
    }
}

fn upokt(sum: i64) -> Upokt {
    Upokt(Amount::from_upokt(u128::try_from(sum).unwrap_or_default()))
}

/// A sum as the database keeps it. All POKT there is stays far below the limit.
fn integer(amount: Upokt) -> i64 {
    i64::try_from(amount.0.upokt()).unwrap_or(i64::MAX)
}

impl Keys {
    pub(crate) fn new(pool: SqlitePool, clock: Clock) -> Keys {
        Keys { pool, clock }
    }

    /// All keys, the oldest first.
    pub(crate) async fn list(&self) -> Result<Vec<ApiKey>, ApiError> {
        let rows: Vec<KeyRow> =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} ORDER BY created_ms, id")))
                .fetch_all(&self.pool)
                .await?;
        let today = self.today();
        Ok(rows.into_iter().map(|row| row.into_key(today)).collect())
    }

    /// One key.
    pub(crate) async fn get(&self, id: &str) -> Result<ApiKey, ApiError> {
        let row: Option<KeyRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} WHERE id = ?")))
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| row.into_key(self.today()))
            .ok_or_else(|| ApiError::not_found("API key"))
    }

    /// Makes a key. The secret is returned once.
    pub(crate) async fn create(&self, name: &str, limits: KeyLimits) -> Result<(ApiKey, String), ApiError> {
        let name = checked_name(name)?;
        let limits = checked(limits, self.clock.now_ms())?;
        self.check_free(name, None).await?;
        let secret = format!("{KEY_PREFIX}{}", random()?);
        let key = self.insert(name, &secret, limits).await?;
        Ok((key, secret))
    }

    /// Makes sure that `secret` is a key, under this name. One that was revoked stays revoked.
    pub(crate) async fn ensure(&self, name: &str, secret: &str) -> Result<(), ApiError> {
        let there: Option<i64> = sqlx::query_scalar("SELECT 1 FROM api_key WHERE hash = ?")
            .bind(hash(secret))
            .fetch_optional(&self.pool)
            .await?;
        if there.is_none() {
            self.insert(name, secret, KeyLimits::default()).await?;
        }
        Ok(())
    }

    /// Changes a key; its secret stays.
    pub(crate) async fn change(&self, id: &str, patch: ApiKeyPatch) -> Result<ApiKey, ApiError> {
        let old = self.get(id).await?;
        let name = match &patch.name {
            Some(name) => {
                let name = checked_name(name)?;
                self.check_free(name, Some(id)).await?;
                name.to_owned()
            }
            None => old.name,
        };
        let limits = match patch.limits {
            // A key that has expired may be changed without being made to live again.
            Some(limits) if limits.expires_at == old.limits.expires_at => {
                let expires_at = limits.expires_at;
                let unbounded = KeyLimits {
                    expires_at: None,
                    ..limits
                };
                KeyLimits {
                    expires_at,
                    ..checked(unbounded, self.clock.now_ms())?
                }
            }
            Some(limits) => checked(limits, self.clock.now_ms())?,
            None => old.limits,
        };
        let update = sqlx::query(
            "UPDATE api_key SET name = ?, scopes = ?, models = ?, origins = ?, requests_per_minute = ?, \
             tokens_per_minute = ?, daily_budget_upokt = ?, total_budget_upokt = ?, expires_ms = ? WHERE id = ?",
        );
        bind_limits(update.bind(name), &limits)
            .bind(id)
            .execute(&self.pool)
            .await?;
        self.get(id).await
    }

    /// Revokes a key; one that is revoked already is forgotten.
    pub(crate) async fn revoke(&self, id: &str) -> Result<(), ApiError> {
        let revoked = sqlx::query("UPDATE api_key SET revoked_ms = ? WHERE id = ? AND revoked_ms IS NULL")
            .bind(self.clock.now_ms())
            .bind(id)
            .execute(&self.pool)
            .await?;
        if revoked.rows_affected() > 0 {
            return Ok(());
        }
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

    /// What `secret` is. Notes that a valid key was used.
    pub(crate) async fn find(&self, secret: &str) -> Result<Found, ApiError> {
        if !resembles_a_key(secret) {
            return Ok(Found::Foreign);
        }
        // Found by hash, in an index: what the time of the search tells is about the hash alone.
        let row: Option<KeyRow> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} WHERE hash = ?")))
            .bind(hash(secret))
            .fetch_optional(&self.pool)
            .await?;
        let now_ms = self.clock.now_ms();
        let Some(row) = row else {
            return Ok(Found::Refused(unknown_key()));
        };
        if row.revoked_ms.is_some() {
            return Ok(Found::Refused(invalid("this API key was revoked")));
        }
        if row.expires_ms.is_some_and(|until_ms| until_ms <= now_ms) {
            return Ok(Found::Refused(invalid("this API key has expired")));
        }
        if row
            .last_used_ms
            .is_none_or(|last_ms| now_ms - last_ms > USED_STEP_MS)
        {
            // A full disk must not lock the key out.
            let _ = sqlx::query("UPDATE api_key SET last_used_ms = ? WHERE id = ?")
                .bind(now_ms)
                .bind(&row.id)
                .execute(&self.pool)
                .await;
        }
        Ok(Found::Valid(Arc::new(Grant {
            limits: row.limits(),
            id: row.id,
            name: row.name,
        })))
    }

    /// Whether a key that may be used lists this origin: a browser asks before it shows the key.
    pub(crate) async fn any_lists_origin(&self, origin: &str) -> Result<bool, ApiError> {
        let listed: Vec<String> = sqlx::query_scalar(
            "SELECT origins FROM api_key WHERE origins <> '' AND revoked_ms IS NULL \
             AND (expires_ms IS NULL OR expires_ms > ?)",
        )
        .bind(self.clock.now_ms())
        .fetch_all(&self.pool)
        .await?;
        Ok(listed.into_iter().any(|text| {
            let entries: Vec<String> = text.lines().map(str::to_owned).collect();
            lists(&entries, origin)
        }))
    }

    /// Sets the price of an answer aside from a key's budgets, if they allow it.
    pub(crate) async fn reserve(&self, grant: &Grant, price: Upokt) -> Result<Reservation, ApiError> {
        let reserved = Reservation {
            key_id: grant.id.clone(),
            day: self.today(),
            upokt: integer(price),
        };
        let counted = sqlx::query(
            "UPDATE api_key SET spent_upokt = spent_upokt + ?1, \
                 spent_day_upokt = iif(spent_day = ?2, spent_day_upokt, 0) + ?1, spent_day = ?2 \
             WHERE id = ?3 AND revoked_ms IS NULL AND (?1 = 0 OR ( \
                 (daily_budget_upokt IS NULL \
                     OR iif(spent_day = ?2, spent_day_upokt, 0) + ?1 <= daily_budget_upokt) \
                 AND (total_budget_upokt IS NULL OR spent_upokt + ?1 <= total_budget_upokt)))",
        )
        .bind(reserved.upokt)
        .bind(reserved.day)
        .bind(&reserved.key_id)
        .execute(&self.pool)
        .await?;
        if counted.rows_affected() > 0 {
            return Ok(reserved);
        }
        Err(over_budget(&self.get(&grant.id).await?, price))
    }

    /// Counts what an answer really cost in place of what was set aside.
    pub(crate) async fn settle(&self, reserved: &Reservation, cost: Upokt) -> Result<(), ApiError> {
        let change = integer(cost).saturating_sub(reserved.upokt);
        sqlx::query(
            "UPDATE api_key SET spent_upokt = max(0, spent_upokt + ?1), \
                 spent_day_upokt = iif(spent_day = ?2, max(0, spent_day_upokt + ?1), spent_day_upokt) WHERE id = ?3",
        )
        .bind(change)
        .bind(reserved.day)
        .bind(&reserved.key_id)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Refuses a name that another key has: whoever revokes one by its name means one. What was revoked is in nobody's
    /// way.
    async fn check_free(&self, name: &str, but_id: Option<&str>) -> Result<(), ApiError> {
        let taken: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM api_key WHERE name = ? COLLATE NOCASE AND revoked_ms IS NULL AND id IS NOT ?",
        )
        .bind(name)
        .bind(but_id)
        .fetch_optional(&self.pool)
        .await?;
        if taken.is_none() {
            return Ok(());
        }
        let message = format!("another API key is named \"{name}\" already");
        Err(ApiError::new(StatusCode::CONFLICT, "key_name_taken", message)
            .remedy("Give this one another name, or revoke the other first."))
    }

    /// `name`, or with the first number after it that makes it one that no key has.
    pub(crate) async fn free_name(&self, name: &str) -> Result<String, ApiError> {
        Ok(free_name(&self.list().await?, name))
    }

    fn today(&self) -> i64 {
        self.clock.now_ms().div_euclid(DAY_MS)
    }

    async fn insert(&self, name: &str, secret: &str, limits: KeyLimits) -> Result<ApiKey, ApiError> {
        let id = uuid::Uuid::now_v7().to_string();
        let insert = sqlx::query(
            "INSERT INTO api_key (id, name, prefix, hash, created_ms, scopes, models, origins, requests_per_minute, \
             tokens_per_minute, daily_budget_upokt, total_budget_upokt, expires_ms) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&id)
        .bind(name)
        .bind(secret.chars().take(SHOWN_CHARS).collect::<String>())
        .bind(hash(secret))
        .bind(self.clock.now_ms());
        bind_limits(insert, &limits).execute(&self.pool).await?;
        self.get(&id).await
    }
}

/// `name`, or with the first number after it that makes it one that none of `keys` has.
#[must_use]
pub fn free_name(keys: &[ApiKey], name: &str) -> String {
    let is_taken = |name: &str| {
        keys.iter()
            .any(|key| key.revoked_at.is_none() && key.name.eq_ignore_ascii_case(name))
    };
    let numbered = (2_u32..).map(|number| format!("{name} {number}"));
    std::iter::once(name.to_owned())
        .chain(numbered)
        .find(|name| !is_taken(name))
        .unwrap_or_else(|| name.to_owned())
}

/// Whether what was shown is meant as a key of this node, mistyped ones included: it begins like one, by two signs
/// more, less or others and in whatever case, or it has as many letters and digits in a row as only secrets have.
/// Programs that must send something send words.
fn resembles_a_key(secret: &str) -> bool {
    let secret = secret.to_ascii_lowercase();
    let whole = KEY_PREFIX.trim_end_matches('-');
    let begins_like_one = (whole.len() - SLIPS..=whole.len() + SLIPS)
        .filter_map(|chars| secret.get(..chars))
        .any(|head| strsim::levenshtein(head, whole) <= SLIPS);
    let is_random = secret
        .split(|sign: char| !sign.is_ascii_alphanumeric())
        .any(|run| {
            run.len() >= SECRET_CHARS
                && run.contains(|sign: char| sign.is_ascii_digit())
                && run.contains(|sign: char| sign.is_ascii_alphabetic())
        });
    begins_like_one || is_random
}

/// Whether a text has a key of this node in it, wherever.
pub(crate) fn names_a_key(text: &str) -> bool {
    let begin = KEY_PREFIX.trim_end_matches('-');
    text.to_ascii_lowercase().contains(begin)
}

type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// The limits as the columns from `scopes` to `expires_ms` hold them.
fn bind_limits<'q>(statement: Statement<'q>, limits: &KeyLimits) -> Statement<'q> {
    statement
        .bind(scopes_text(limits))
        .bind(limits.models.join("\n"))
        .bind(limits.origins.join("\n"))
        .bind(limits.requests_per_minute)
        .bind(limits.tokens_per_minute)
        .bind(limits.daily_budget.map(integer))
        .bind(limits.total_budget.map(integer))
        .bind(limits.expires_at.map(ms))
}

fn checked_name(name: &str) -> Result<&str, ApiError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARS {
        let message = format!("the name of a key has 1 to {MAX_NAME_CHARS} characters");
        return Err(ApiError::refused("key_name", message).value("most", MAX_NAME_CHARS));
    }
    if name.contains(char::is_control) {
        return Err(ApiError::bad_request(
            "the name of a key is one line without control characters",
        ));
    }
    Ok(name)
}

fn scopes_text(limits: &KeyLimits) -> String {
    let words: Vec<&str> = limits.scopes.iter().map(|scope| scope.word()).collect();
    words.join(" ")
}

fn ms(time: Timestamp) -> i64 {
    i64::try_from(time.0.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// What was shown is no key of this node.
pub(crate) fn unknown_key() -> ApiError {
    invalid("this API key is none of this node")
}

fn invalid(message: &str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message).remedy(
        "Make one under Settings, API and keys, or with `hearth auth keys create`, and send it as a bearer.",
    )
}

/// Why the budgets of a key do not pay one more answer.
fn over_budget(key: &ApiKey, price: Upokt) -> ApiError {
    let exceeds = |budget: Option<Upokt>, spent: Upokt| {
        budget.filter(|budget| spent.0.saturating_add(price.0) > budget.0)
    };
    let said = |what: &str, spent: Upokt, budget: Upokt, remedy: &str| {
        let message = format!(
            "the API key \"{}\" has spent {} POKT {what}, and one more answer of {} POKT would exceed its budget of {} \
             POKT",
            key.name,
            spent.0.pokt(),
            price.0.pokt(),
            budget.0.pokt()
        );
        ApiError::new(StatusCode::PAYMENT_REQUIRED, "insufficient_quota", message).remedy(remedy)
    };
    if let Some(budget) = exceeds(key.limits.total_budget, key.spent) {
        let remedy = "Raise the key's budget under Settings, API and keys. Local models cost nothing.";
        return said("in all", key.spent, budget, remedy);
    }
    if let Some(budget) = exceeds(key.limits.daily_budget, key.spent_today) {
        let remedy = "Raise the key's budget under Settings, API and keys, or wait for the next day (UTC). Local models \
                      cost nothing.";
        return said("today", key.spent_today, budget, remedy);
    }
    // It was revoked, or its budget was raised, while the answer was asked for.
    invalid("this API key was changed just now")
}

#[cfg(test)]
mod tests;

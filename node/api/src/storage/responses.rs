//! Answers of `/v1/responses`, kept for a day for whoever made them.

use hearth_answers::{Principal, responses::Kept};
use hearth_base::Clock;
use hearth_store::{
    Problems, SqlitePool, Store,
    stored::{self, Stored},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ApiError;

/// How long an answer is kept.
const KEPT_MS: i64 = 24 * 3_600_000;
/// The most answers of one owner, and the most bytes of them; the oldest go first.
const OWN: Bounds = Bounds {
    rows: 1_000,
    bytes: 64 << 20,
};
/// The same of all owners together.
const ALL: Bounds = Bounds {
    rows: 10_000,
    bytes: 256 << 20,
};
/// The most bytes of one answer: the largest body and as much before it.
const MAX_BYTES: usize = 16 << 20;

#[derive(Clone, Copy)]
struct Bounds {
    rows: i64,
    bytes: i64,
}

/// The kept answers.
#[derive(Clone)]
pub(crate) struct Responses {
    pool: SqlitePool,
    problems: Problems,
    clock: Clock,
}

#[derive(Serialize, Deserialize)]
struct StoredResponse {
    input: Vec<Value>,
    response: Value,
}

impl Stored for StoredResponse {
    const WHAT: &'static str = "a kept response";
    const VERSION: u64 = 1;
}

/// Whose an answer is.
fn owner(principal: &Principal) -> String {
    match principal {
        Principal::Owner => "owner".to_owned(),
        Principal::Program => "program".to_owned(),
        Principal::Key { id, .. } => format!("key:{id}"),
        Principal::Relay { service, session_id } => format!("relay:{service}:{session_id}"),
    }
}

impl Responses {
    pub(crate) fn new(store: &Store, clock: Clock) -> Responses {
        Responses {
            pool: store.pool().clone(),
            problems: store.problems().clone(),
            clock,
        }
    }

    /// Keeps an answer. One that is too large is let go.
    pub(crate) async fn keep(&self, principal: &Principal, kept: Kept) -> Result<(), ApiError> {
        let owner = owner(principal);
        let value = StoredResponse {
            input: kept.input,
            response: kept.response,
        };
        let value = stored::write(&value).map_err(|error| ApiError::internal(&error))?;
        if value.len() > MAX_BYTES {
            tracing::warn!(bytes = value.len(), "a response is too large to be kept");
            return Ok(());
        }
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO api_response (id, owner, created_ms, n_bytes, value) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(&kept.id)
        .bind(&owner)
        .bind(self.clock.now_ms())
        .bind(i64::try_from(value.len()).unwrap_or(i64::MAX))
        .bind(&value)
        .execute(&mut *transaction)
        .await?;
        for (bounds, owner) in [(OWN, Some(&owner)), (ALL, None)] {
            sqlx::query(
                "DELETE FROM api_response WHERE id IN (SELECT id FROM (\
                     SELECT id, ROW_NUMBER() OVER newest AS place, SUM(n_bytes) OVER newest AS bytes \
                     FROM api_response WHERE ?1 IS NULL OR owner = ?1 \
                     WINDOW newest AS (ORDER BY created_ms DESC, id DESC ROWS UNBOUNDED PRECEDING)\
                 ) WHERE place > ?2 OR bytes > ?3)",
            )
            .bind(owner)
            .bind(bounds.rows)
            .bind(bounds.bytes)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// An answer of whoever asks. One that cannot be read is told, and is not there.
    pub(crate) async fn get(&self, principal: &Principal, id: &str) -> Result<Option<Kept>, ApiError> {
        let value: Option<String> = sqlx::query_scalar(
            "SELECT value FROM api_response WHERE id = ? AND owner = ? AND created_ms > ?",
        )
        .bind(id)
        .bind(owner(principal))
        .bind(self.oldest_ms())
        .fetch_optional(&self.pool)
        .await?;
        let Some(value) = value else {
            return Ok(None);
        };
        let read = stored::read::<StoredResponse>(value, format!("row {id} of api_response in hearth.db"));
        let read = read.inspect_err(|error| self.problems.report(error));
        Ok(read.ok().map(|stored| Kept {
            id: id.to_owned(),
            input: stored.input,
            response: stored.response,
        }))
    }

    /// Deletes an answer of whoever asks. Says whether it was there.
    pub(crate) async fn delete(&self, principal: &Principal, id: &str) -> Result<bool, ApiError> {
        let gone = sqlx::query("DELETE FROM api_response WHERE id = ? AND owner = ?")
            .bind(id)
            .bind(owner(principal))
            .execute(&self.pool)
            .await?;
        Ok(gone.rows_affected() > 0)
    }

    /// Deletes what is older than a day.
    pub(crate) async fn forget_old(&self) -> Result<(), ApiError> {
        sqlx::query("DELETE FROM api_response WHERE created_ms <= ?")
            .bind(self.oldest_ms())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    fn oldest_ms(&self) -> i64 {
        self.clock.now_ms() - KEPT_MS
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept(id: &str, text: &str) -> Kept {
        Kept {
            id: id.to_owned(),
            input: vec![json!({ "text": text })],
            response: json!({ "id": id }),
        }
    }

    async fn responses(clock: &Clock) -> (tempfile::TempDir, Responses) {
        let folder = tempfile::tempdir().unwrap();
        let config = hearth_store::Config {
            path: folder.path().join("hearth.db"),
            chain_id: "test".into(),
            max_pages: None,
        };
        let store = Store::open(config).await.unwrap();
        let responses = Responses::new(&store, clock.clone());
        (folder, responses)
    }

    async fn rows(responses: &Responses) -> i64 {
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM api_response");
        count.fetch_one(&responses.pool).await.unwrap()
    }

    #[tokio::test]
    async fn an_answer_is_its_makers_alone_and_gone_after_a_day() {
        let clock = Clock::test(1_700_000_000_000);
        let (_folder, responses) = responses(&clock).await;
        let key = |id: &str| Principal::Key {
            id: id.to_owned(),
            name: "editor".to_owned(),
        };
        responses.keep(&key("a"), kept("r", "x")).await.unwrap();
        assert_eq!(responses.get(&key("a"), "r").await.unwrap(), Some(kept("r", "x")));
        for other in [Principal::Owner, Principal::Program, key("b")] {
            assert_eq!(responses.get(&other, "r").await.unwrap(), None);
            assert!(!responses.delete(&other, "r").await.unwrap());
        }
        clock.advance(std::time::Duration::from_millis(KEPT_MS.unsigned_abs()));
        assert_eq!(responses.get(&key("a"), "r").await.unwrap(), None);
        assert_eq!(rows(&responses).await, 1);
        responses.forget_old().await.unwrap();
        assert_eq!(rows(&responses).await, 0);
    }

    #[tokio::test]
    async fn the_oldest_of_too_many_go_first() {
        let clock = Clock::test(1_700_000_000_000);
        let (_folder, responses) = responses(&clock).await;
        let large = "x".repeat(MAX_BYTES - 100);
        for n in 0..6 {
            let id = format!("r{n}");
            responses
                .keep(&Principal::Owner, kept(&id, &large))
                .await
                .unwrap();
        }
        // Four of them fill the bytes of one owner nearly.
        assert_eq!(rows(&responses).await, 4);
        assert!(responses.get(&Principal::Owner, "r5").await.unwrap().is_some());
        assert!(responses.get(&Principal::Owner, "r1").await.unwrap().is_none());
        let too_large = "x".repeat(MAX_BYTES + 1);
        responses
            .keep(&Principal::Owner, kept("r6", &too_large))
            .await
            .unwrap();
        assert!(responses.get(&Principal::Owner, "r6").await.unwrap().is_none());
        responses.keep(&Principal::Program, kept("p", "x")).await.unwrap();
        assert_eq!(rows(&responses).await, 5);
    }
}

//! What survives a restart: verified headers, their validator sets, where trust began, followers, proven values.

use hearth_base::{Failure, Height, Kind};
use hearth_store::{SqlitePool, Store};
use tendermint::{block::Header, validator::Set as ValidatorSet};

use crate::{
    config::Anchor,
    rpc::Evidence,
    verify::{VerifiedHeader, restore},
};

/// The database did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{what} of the database cannot be {action}: is the disk full or the file damaged?")]
pub struct DbError {
    what: String,
    action: &'static str,
    #[source]
    source: Cause,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Header(#[from] crate::verify::HeaderError),
    #[error("a hash has 32 bytes")]
    Hash,
}

impl Failure for DbError {
    fn kind(&self) -> Kind {
        Kind::Stop
    }
}

const PART: &str = "the chain's part";
/// Lies that are kept; each takes 17 KB at most.
const KEPT_EVIDENCE: i64 = 50;

fn reading(source: impl Into<Cause>) -> DbError {
    DbError {
        what: PART.to_owned(),
        action: "read",
        source: source.into(),
    }
}

/// A row that is there and cannot be read is named.
fn reading_row<C: Into<Cause>>(row: String) -> impl FnOnce(C) -> DbError {
    move |source| DbError {
        what: row,
        ..reading(source)
    }
}

fn writing(source: impl Into<Cause>) -> DbError {
    DbError {
        what: PART.to_owned(),
        action: "written",
        source: source.into(),
    }
}

/// Where trust began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) anchor: Anchor,
    /// The endpoints that agreed on it; empty where the operator gave it.
    pub(crate) agreed: Vec<String>,
}

/// A value that was proven before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CachedValue {
    pub(crate) height: Height,
    pub(crate) value: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Db {
    pool: SqlitePool,
}

fn to_sql(height: Height) -> i64 {
    i64::try_from(height.0).unwrap_or(i64::MAX)
}

fn from_sql(height: i64) -> Height {
    Height(u64::try_from(height).unwrap_or(0))
}

impl Db {
    pub(crate) fn new(store: &Store) -> Db {
        Db {
            pool: store.pool().clone(),
        }
    }

    pub(crate) async fn save_header(
        &self,
        header: &VerifiedHeader,
        next_validators: Option<&ValidatorSet>,
    ) -> Result<(), DbError> {
        let json = serde_json::to_string(header.header()).map_err(writing)?;
        let mut write = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(writing)?;
        sqlx::query("INSERT INTO chain_header (height, hash, header) VALUES (?, ?, ?) ON CONFLICT (height) DO NOTHING")
            .bind(to_sql(header.height()))
            .bind(header.hash().as_slice())
            .bind(json)
            .execute(&mut *write)
            .await
            .map_err(writing)?;
        if let Some(set) = next_validators {
            let json = serde_json::to_string(set).map_err(writing)?;
            sqlx::query(
                "INSERT INTO chain_validators (hash, validators) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING",
            )
            .bind(set.hash().as_bytes())
            .bind(json)
            .execute(&mut *write)
            .await
            .map_err(writing)?;
        }
        write.commit().await.map_err(writing)
    }

    pub(crate) async fn header(&self, height: Height) -> Result<Option<VerifiedHeader>, DbError> {
        self.one_header(
            "SELECT height, hash, header FROM chain_header WHERE height = ?",
            height,
        )
        .await
    }

    /// The nearest stored header at or below `height`.
    pub(crate) async fn header_at_or_below(&self, height: Height) -> Result<Option<VerifiedHeader>, DbError> {
        let query =
            "SELECT height, hash, header FROM chain_header WHERE height <= ? ORDER BY height DESC LIMIT 1";
        self.one_header(query, height).await
    }

    /// The nearest stored header at or above `height`.
    pub(crate) async fn header_at_or_above(&self, height: Height) -> Result<Option<VerifiedHeader>, DbError> {
        let query = "SELECT height, hash, header FROM chain_header WHERE height >= ? ORDER BY height LIMIT 1";
        self.one_header(query, height).await
    }

    async fn one_header(
        &self,
        query: &'static str,
        height: Height,
    ) -> Result<Option<VerifiedHeader>, DbError> {
        let row: Option<(i64, Vec<u8>, String)> = sqlx::query_as(query)
            .bind(to_sql(height))
            .fetch_optional(&self.pool)
            .await
            .map_err(reading)?;
        let Some((height, hash, json)) = row else {
            return Ok(None);
        };
        let row = format!("row {height} of chain_header");
        let header: Header = serde_json::from_str(&json).map_err(reading_row(row.clone()))?;
        restore(header, &hash).map(Some).map_err(reading_row(row))
    }

    pub(crate) async fn validators(&self, hash: &[u8]) -> Result<Option<ValidatorSet>, DbError> {
        let json: Option<String> =
            sqlx::query_scalar("SELECT validators FROM chain_validators WHERE hash = ?")
                .bind(hash)
                .fetch_optional(&self.pool)
                .await
                .map_err(reading)?;
        let row = || format!("row {} of chain_validators", hex::encode_upper(hash));
        json.map(|json| serde_json::from_str(&json).map_err(reading_row(row())))
            .transpose()
    }

    /// Forgets headers below `height`.
    pub(crate) async fn prune_headers(&self, below: Height) -> Result<(), DbError> {
        sqlx::query("DELETE FROM chain_header WHERE height < ?")
            .bind(to_sql(below))
            .execute(&self.pool)
            .await
            .map_err(writing)?;
        Ok(())
    }

    /// Begins trust anew: forgets all headers and values, which were proven from another origin.
    pub(crate) async fn start_from(&self, origin: &Origin) -> Result<(), DbError> {
        let mut write = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(writing)?;
        for statement in [
            "DELETE FROM chain_header",
            "DELETE FROM chain_validators",
            "DELETE FROM chain_value",
            "DELETE FROM chain_trust",
        ] {
            sqlx::query(statement)
                .execute(&mut *write)
                .await
                .map_err(writing)?;
        }
        let kind = if origin.agreed.is_empty() {
            "anchor"
        } else {
            "agreed"
        };
        sqlx::query("INSERT INTO chain_trust (one, kind, height, hash, endpoints) VALUES (1, ?, ?, ?, ?)")
            .bind(kind)
            .bind(to_sql(origin.anchor.height))
            .bind(origin.anchor.hash.as_slice())
            .bind(origin.agreed.join(" "))
            .execute(&mut *write)
            .await
            .map_err(writing)?;
        write.commit().await.map_err(writing)
    }

    pub(crate) async fn origin(&self) -> Result<Option<Origin>, DbError> {
        let row: Option<(i64, Vec<u8>, String)> =
            sqlx::query_as("SELECT height, hash, endpoints FROM chain_trust")
                .fetch_optional(&self.pool)
                .await
                .map_err(reading)?;
        let Some((height, hash, endpoints)) = row else {
            return Ok(None);
        };
        let row = || "the row of chain_trust".to_owned();
        let anchor = Anchor {
            height: from_sql(height),
            hash: hash.try_into().map_err(|_| reading_row(row())(Cause::Hash))?,
        };
        Ok(Some(Origin {
            anchor,
            agreed: endpoints.split_whitespace().map(str::to_owned).collect(),
        }))
    }

    /// The anchor that a person gave, and when.
    pub(crate) async fn person_anchor(&self) -> Result<Option<(Anchor, i64)>, DbError> {
        let row: Option<(i64, Vec<u8>, i64)> = sqlx::query_as("SELECT height, hash, at_ms FROM chain_anchor")
            .fetch_optional(&self.pool)
            .await
            .map_err(reading)?;
        let Some((height, hash, at_ms)) = row else {
            return Ok(None);
        };
        let row = || "the row of chain_anchor".to_owned();
        let anchor = Anchor {
            height: from_sql(height),
            hash: hash.try_into().map_err(|_| reading_row(row())(Cause::Hash))?,
        };
        Ok(Some((anchor, at_ms)))
    }

    pub(crate) async fn save_person_anchor(&self, anchor: Anchor, at_ms: i64) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO chain_anchor (one, height, hash, at_ms) VALUES (1, ?, ?, ?) \
             ON CONFLICT (one) DO UPDATE SET height = excluded.height, hash = excluded.hash, at_ms = excluded.at_ms",
        )
        .bind(to_sql(anchor.height))
        .bind(anchor.hash.as_slice())
        .bind(at_ms)
        .execute(&self.pool)
        .await
        .map_err(writing)?;
        Ok(())
    }

    pub(crate) async fn forget_person_anchor(&self) -> Result<(), DbError> {
        let forget = sqlx::query("DELETE FROM chain_anchor");
        forget.execute(&self.pool).await.map_err(writing)?;
        Ok(())
    }

    /// Endpoints that a person added and configured ones that a person took away: address, whether it was added.
    pub(crate) async fn endpoint_changes(&self) -> Result<Vec<(String, bool)>, DbError> {
        sqlx::query_as("SELECT url, is_added FROM chain_endpoint ORDER BY at_ms, url")
            .fetch_all(&self.pool)
            .await
            .map_err(reading)
    }

    pub(crate) async fn save_endpoint(&self, url: &str, is_added: bool, at_ms: i64) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO chain_endpoint (url, is_added, at_ms) VALUES (?, ?, ?) \
             ON CONFLICT (url) DO UPDATE SET is_added = excluded.is_added, at_ms = excluded.at_ms",
        )
        .bind(url)
        .bind(is_added)
        .bind(at_ms)
        .execute(&self.pool)
        .await
        .map_err(writing)?;
        Ok(())
    }

    pub(crate) async fn forget_endpoint(&self, url: &str) -> Result<(), DbError> {
        sqlx::query("DELETE FROM chain_endpoint WHERE url = ?")
            .bind(url)
            .execute(&self.pool)
            .await
            .map_err(writing)?;
        Ok(())
    }

    /// Keeps a lie; of all of them the newest few.
    pub(crate) async fn save_evidence(&self, evidence: &Evidence) -> Result<(), DbError> {
        let mut write = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(writing)?;
        sqlx::query(
            "INSERT INTO chain_evidence (at_ms, endpoint, why, question, answer) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(evidence.at_ms)
        .bind(&evidence.endpoint)
        .bind(&evidence.why)
        .bind(&evidence.question)
        .bind(&evidence.answer)
        .execute(&mut *write)
        .await
        .map_err(writing)?;
        sqlx::query(
            "DELETE FROM chain_evidence WHERE id NOT IN (SELECT id FROM chain_evidence ORDER BY id DESC LIMIT ?)",
        )
        .bind(KEPT_EVIDENCE)
        .execute(&mut *write)
        .await
        .map_err(writing)?;
        write.commit().await.map_err(writing)
    }

    /// The lies that are kept, the newest first.
    pub(crate) async fn evidence(&self) -> Result<Vec<Evidence>, DbError> {
        let rows: Vec<(i64, String, String, String, Vec<u8>)> = sqlx::query_as(
            "SELECT at_ms, endpoint, why, question, answer FROM chain_evidence ORDER BY id DESC",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(reading)?;
        let evidence = |(at_ms, endpoint, why, question, answer)| Evidence {
            at_ms,
            endpoint,
            why,
            question,
            answer,
        };
        Ok(rows.into_iter().map(evidence).collect())
    }

    pub(crate) async fn follower(&self, name: &str) -> Result<Option<Height>, DbError> {
        let height: Option<i64> = sqlx::query_scalar("SELECT height FROM chain_follower WHERE name = ?")
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(reading)?;
        Ok(height.map(from_sql))
    }

    pub(crate) async fn save_follower(&self, name: &str, height: Height) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO chain_follower (name, height) VALUES (?, ?) \
             ON CONFLICT (name) DO UPDATE SET height = max(height, excluded.height)",
        )
        .bind(name)
        .bind(to_sql(height))
        .execute(&self.pool)
        .await
        .map_err(writing)?;
        Ok(())
    }

    pub(crate) async fn save_value(
        &self,
        store: &str,
        key: &[u8],
        cached: &CachedValue,
    ) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO chain_value (store, key, height, value) VALUES (?, ?, ?, ?) \
             ON CONFLICT (store, key) DO UPDATE SET height = excluded.height, value = excluded.value \
             WHERE excluded.height >= height",
        )
        .bind(store)
        .bind(key)
        .bind(to_sql(cached.height))
        .bind(cached.value.as_deref())
        .execute(&self.pool)
        .await
        .map_err(writing)?;
        Ok(())
    }

    pub(crate) async fn value(&self, store: &str, key: &[u8]) -> Result<Option<CachedValue>, DbError> {
        let row: Option<(i64, Option<Vec<u8>>)> =
            sqlx::query_as("SELECT height, value FROM chain_value WHERE store = ? AND key = ?")
                .bind(store)
                .bind(key)
                .fetch_optional(&self.pool)
                .await
                .map_err(reading)?;
        Ok(row.map(|(height, value)| CachedValue {
            height: from_sql(height),
            value,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn db_of_v1(folder: &std::path::Path) -> (Store, Db) {
        let store = hearth_store::testing::first_form(folder).await;
        let db = Db::new(&store);
        (store, db)
    }

    #[tokio::test]
    async fn headers_and_trust_of_the_first_form_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let (_store, db) = db_of_v1(folder.path()).await;
        assert!(db.origin().await.unwrap().unwrap().agreed.is_empty());
        // Each supplier that served has the place of the one that there was.
        let names = sqlx::query_scalar("SELECT name FROM chain_follower ORDER BY name");
        let names: Vec<String> = names.fetch_all(&db.pool).await.unwrap();
        assert!(
            !names.is_empty() && names.iter().all(|name| name.starts_with("miner pokt1")),
            "{names:?}"
        );
        for name in &names {
            assert_eq!(db.follower(name).await.unwrap(), Some(Height(82)), "{name}");
        }
        for height in 80..=82 {
            assert!(db.header(Height(height)).await.unwrap().is_some(), "{height}");
        }
        let set = sqlx::query_scalar("SELECT hash FROM chain_validators");
        let hash: Vec<u8> = set.fetch_one(&db.pool).await.unwrap();
        assert!(db.validators(&hash).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_header_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (store, db) = db_of_v1(folder.path()).await;
        sqlx::query("UPDATE chain_header SET header = '{' WHERE height = 81")
            .execute(store.pool())
            .await
            .unwrap();
        let error = db.header(Height(81)).await.unwrap_err().to_string();
        assert!(error.contains("row 81 of chain_header"), "{error}");
        // Trust does not begin anew because its origin cannot be read.
        sqlx::query("UPDATE chain_trust SET hash = x'00'")
            .execute(store.pool())
            .await
            .unwrap();
        let error = db.origin().await.unwrap_err().to_string();
        assert!(error.contains("chain_trust"), "{error}");
    }
}

//! The database of sessions and commitments.

use hearth_base::{Amount, failure};
use hearth_outbox::Reason;
use hearth_store::{
    Problems, SqlitePool, Store,
    stored::{self, Unreadable},
};
use sqlx::{FromRow, Row as _};

use crate::claim::{ClaimState, Outcome, Slash};
use crate::facts::{Facts, Key};
use crate::record::Known;

mod places;
mod totals;

pub use totals::{DayTotal, Sum, SupplierTotal, Totals};

/// Why the records of sessions cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SessionDbError {
    #[error("the database does not answer")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("a value cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    #[error(
        "another {kind} was signed for session {session_id} before: signing a second one could cost the stake, so it \
         is refused"
    )]
    Conflict { kind: &'static str, session_id: String },
}

impl failure::Failure for SessionDbError {
    fn kind(&self) -> hearth_base::Kind {
        match self {
            SessionDbError::Database(_) => hearth_base::Kind::Retry,
            SessionDbError::Unreadable(_) | SessionDbError::Json(_) | SessionDbError::Conflict { .. } => {
                hearth_base::Kind::Skip
            }
        }
    }
}

/// What is committed to, and handed to the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TxKind {
    Claim,
    Proof,
}

impl TxKind {
    fn name(self) -> &'static str {
        match self {
            TxKind::Claim => "claim",
            TxKind::Proof => "proof",
        }
    }

    /// The same for the outbox.
    pub(crate) fn reason(self) -> Reason {
        match self {
            TxKind::Claim => Reason::Claim,
            TxKind::Proof => Reason::Proof,
        }
    }
}

/// A session and the state of its claim.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What is known of the session.
    pub facts: Facts,
    /// The state of its claim.
    pub state: ClaimState,
    /// Length of the sealed evidence.
    pub sealed_bytes: Option<u64>,
    /// Answers in the sealed evidence.
    pub answers: u64,
    /// Answers that came after the claim.
    pub late: u64,
    /// What the chain took of the stake for it.
    pub slash: Option<Slash>,
    /// When the session was first served.
    pub created_ms: i64,
    /// When the state changed last.
    pub updated_ms: i64,
}

impl Record {
    /// Our part of the session: paid where it is known, else an estimate.
    #[must_use]
    pub fn our_part(&self) -> Amount {
        self.amount(self.answers).0
    }

    /// Our part of the session with so many answers, and whether it is an estimate.
    pub(crate) fn amount(&self, answers: u64) -> (Amount, bool) {
        our_part(&self.facts, &self.state, answers)
    }
}

fn our_part(facts: &Facts, state: &ClaimState, answers: u64) -> (Amount, bool) {
    if let Some(paid) = state.paid() {
        // By the session's own word: what was paid stays paid, whatever keys are here now.
        let ours = paid
            .rewards
            .iter()
            .filter(|(who, _)| facts.supplier == **who || facts.owner == **who);
        return (ours.map(|(_, amount)| *amount).sum(), false);
    }
    let claimed = state
        .seal()
        .map_or_else(|| facts.value_of(answers), |seal| seal.value);
    (facts.share_of(claimed.min(facts.budget)), true)
}

#[derive(FromRow)]
struct Row {
    session_id: String,
    facts: String,
    state: String,
    sealed_bytes: Option<i64>,
    answers: i64,
    late: i64,
    slash: Option<String>,
    created_ms: i64,
    updated_ms: i64,
}

impl TryFrom<Row> for Record {
    type Error = SessionDbError;

    fn try_from(row: Row) -> Result<Record, SessionDbError> {
        let place = format!("row {} of miner_session in hearth.db", row.session_id);
        Ok(Record {
            facts: stored::read(&row.facts, &place)?,
            state: stored::read(&row.state, &place)?,
            sealed_bytes: row.sealed_bytes.map(i64::cast_unsigned),
            answers: row.answers.cast_unsigned(),
            late: row.late.cast_unsigned(),
            slash: row.slash.map(|slash| stored::read(&slash, &place)).transpose()?,
            created_ms: row.created_ms,
            updated_ms: row.updated_ms,
        })
    }
}

const COLUMNS: &str = "session_id, facts, state, sealed_bytes, answers, late, slash, created_ms, updated_ms";

/// Sessions and commitments in the database. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct SessionDb {
    pool: SqlitePool,
    problems: Problems,
}

impl SessionDb {
    pub(crate) fn new(store: &Store) -> SessionDb {
        SessionDb {
            pool: store.pool().clone(),
            problems: store.problems().clone(),
        }
    }

    /// Enters a session, if it is not there.
    pub(crate) async fn enter(&self, facts: &Facts, now_ms: i64) -> Result<(), SessionDbError> {
        let state = ClaimState::BEGUN;
        sqlx::query(
            "INSERT OR IGNORE INTO miner_session (session_id, supplier, application, service, start_height, end_height, \
             facts, stage, state, created_ms, updated_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&facts.header.session_id)
        .bind(&facts.supplier)
        .bind(&facts.header.application_address)
        .bind(&facts.header.service_id)
        .bind(facts.header.session_start_block_height)
        .bind(facts.header.session_end_block_height)
        .bind(stored::write(facts)?)
        .bind(state.name())
        .bind(stored::write(&state)?)
        .bind(now_ms)
        .bind(now_ms)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// One session.
    pub(crate) async fn record(&self, key: &Key) -> Result<Option<Record>, SessionDbError> {
        let sql = format!("SELECT {COLUMNS} FROM miner_session WHERE session_id = ? AND supplier = ?");
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(&key.session_id)
            .bind(&key.supplier)
            .fetch_optional(&self.pool)
            .await?;
        row.map(Record::try_from).transpose()
    }

    /// The sessions in which something can still happen.
    pub(crate) async fn open_records(&self) -> Result<Vec<Record>, SessionDbError> {
        let sql = format!("SELECT {COLUMNS} FROM miner_session WHERE outcome IS NULL ORDER BY end_height");
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .fetch_all(&self.pool)
            .await?;
        Ok(self.readable(rows))
    }

    /// Those of one supplier.
    pub(crate) async fn open_records_of(&self, supplier: &str) -> Result<Vec<Record>, SessionDbError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM miner_session WHERE outcome IS NULL AND supplier = ? ORDER BY end_height"
        );
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(supplier)
            .fetch_all(&self.pool)
            .await?;
        Ok(self.readable(rows))
    }

    /// How many sessions of one supplier are open, also those that cannot be read.
    pub(crate) async fn count_open(&self, supplier: &str) -> Result<u64, SessionDbError> {
        let sql = "SELECT count(*) FROM miner_session WHERE outcome IS NULL AND supplier = ?";
        let n: i64 = sqlx::query_scalar(sql)
            .bind(supplier)
            .fetch_one(&self.pool)
            .await?;
        Ok(n.cast_unsigned())
    }

    /// The newest sessions of one supplier, the newest first.
    pub(crate) async fn records_of(&self, supplier: &str, limit: u32) -> Result<Vec<Record>, SessionDbError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM miner_session WHERE supplier = ? ORDER BY end_height DESC, created_ms DESC \
             LIMIT ?"
        );
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(supplier)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        Ok(self.readable(rows))
    }

    /// The suppliers that served in a session, the first to serve first.
    pub(crate) async fn suppliers_in(&self, session_id: &str) -> Result<Vec<String>, SessionDbError> {
        let sql = "SELECT supplier FROM miner_session WHERE session_id = ? ORDER BY created_ms, supplier";
        let query = sqlx::query_scalar(sql).bind(session_id);
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// Sessions, the newest first.
    pub(crate) async fn records(&self, limit: u32, offset: u32) -> Result<Vec<Record>, SessionDbError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM miner_session ORDER BY end_height DESC, created_ms DESC LIMIT ? OFFSET ?"
        );
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(limit)
            .bind(offset)
            .fetch_all(&self.pool)
            .await?;
        Ok(self.readable(rows))
    }

    /// The records that can be read. One that cannot holds up no other; it is left as it is, and told.
    fn readable(&self, rows: Vec<Row>) -> Vec<Record> {
        let read = |row: Row| Record::try_from(row).map_err(|error| self.problems.report(error));
        rows.into_iter().flat_map(read).collect()
    }

    /// How many sessions there are.
    pub(crate) async fn count(&self) -> Result<u64, SessionDbError> {
        let row = sqlx::query("SELECT count(*) AS n FROM miner_session")
            .fetch_one(&self.pool)
            .await?;
        Ok(row.get::<i64, _>("n").cast_unsigned())
    }

    /// The sessions that ended before a moment.
    pub(crate) async fn ended_before(&self, before_ms: i64) -> Result<Vec<Key>, SessionDbError> {
        let rows = sqlx::query(
            "SELECT session_id, supplier FROM miner_session WHERE outcome IS NOT NULL AND updated_ms < ?",
        )
        .bind(before_ms)
        .fetch_all(&self.pool)
        .await?;
        let key = |row: &sqlx::sqlite::SqliteRow| Key {
            session_id: row.get("session_id"),
            supplier: row.get("supplier"),
        };
        Ok(rows.iter().map(key).collect())
    }

    /// Keeps the state of a claim. `answers` are those that were given where nothing is sealed.
    pub(crate) async fn save(
        &self,
        facts: &Facts,
        state: &ClaimState,
        answers: Option<u64>,
        now_ms: i64,
    ) -> Result<(), SessionDbError> {
        let answers = state.seal().map(|seal| seal.answers).or(answers);
        let share = state
            .outcome()
            .map(|_| totals::column(our_part(facts, state, answers.unwrap_or_default()).0));
        sqlx::query(
            "UPDATE miner_session SET stage = ?, outcome = ?, state = ?, answers = COALESCE(?, answers), \
             share = ?, updated_ms = ? WHERE session_id = ? AND supplier = ?",
        )
        .bind(state.name())
        .bind(state.outcome().map(Outcome::name))
        .bind(stored::write(state)?)
        .bind(answers.map(u64::cast_signed))
        .bind(share)
        .bind(now_ms)
        .bind(&facts.header.session_id)
        .bind(&facts.supplier)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps where the evidence was sealed.
    pub(crate) async fn save_seal(&self, key: &Key, bytes: u64) -> Result<(), SessionDbError> {
        sqlx::query("UPDATE miner_session SET sealed_bytes = ? WHERE session_id = ? AND supplier = ?")
            .bind(bytes.cast_signed())
            .bind(&key.session_id)
            .bind(&key.supplier)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Whether the owner wants earning to run; `None` before anybody said so.
    pub(crate) async fn wanted(&self) -> Result<Option<bool>, SessionDbError> {
        let row = sqlx::query("SELECT wanted FROM miner_wanted")
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| row.get::<i64, _>("wanted") == 1))
    }

    /// Keeps whether the owner wants earning to run.
    pub(crate) async fn keep_wanted(&self, wanted: bool, now_ms: i64) -> Result<(), SessionDbError> {
        sqlx::query(
            "INSERT INTO miner_wanted (one, wanted, at_ms) VALUES (1, ?, ?) \
             ON CONFLICT (one) DO UPDATE SET wanted = excluded.wanted, at_ms = excluded.at_ms",
        )
        .bind(i64::from(wanted))
        .bind(now_ms)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Keeps what the chain took of the stake for a claim.
    pub(crate) async fn keep_slash(
        &self,
        key: &Key,
        slash: &Slash,
        now_ms: i64,
    ) -> Result<(), SessionDbError> {
        sqlx::query(
            "UPDATE miner_session SET slash = ?, updated_ms = ? WHERE session_id = ? AND supplier = ?",
        )
        .bind(stored::write(slash)?)
        .bind(now_ms)
        .bind(&key.session_id)
        .bind(&key.supplier)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Counts an answer that came after the claim.
    pub(crate) async fn count_late(&self, key: &Key) -> Result<(), SessionDbError> {
        sqlx::query("UPDATE miner_session SET late = late + 1 WHERE session_id = ? AND supplier = ?")
            .bind(&key.session_id)
            .bind(&key.supplier)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Commits to what is going to be signed: once and for ever. The same content may be committed to again.
    pub(crate) async fn commit(
        &self,
        key: &Key,
        kind: TxKind,
        content: &[u8],
        now_ms: i64,
    ) -> Result<(), SessionDbError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO miner_commitment (session_id, supplier, kind, content, at_ms) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT DO NOTHING",
        )
        .bind(&key.session_id)
        .bind(&key.supplier)
        .bind(kind.name())
        .bind(content)
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
        let row = sqlx::query(
            "SELECT content FROM miner_commitment WHERE session_id = ? AND supplier = ? AND kind = ?",
        )
        .bind(&key.session_id)
        .bind(&key.supplier)
        .bind(kind.name())
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        if row.get::<Vec<u8>, _>("content") == content {
            return Ok(());
        }
        Err(SessionDbError::Conflict {
            kind: kind.name(),
            session_id: key.session_id.clone(),
        })
    }

    /// A supplier's record as it was last known or accepted, and when.
    pub(crate) async fn known_record(&self, operator: &str) -> Result<Option<(Known, i64)>, SessionDbError> {
        let row: Option<(String, i64)> =
            sqlx::query_as("SELECT record, at_ms FROM miner_record WHERE operator = ?")
                .bind(operator)
                .fetch_optional(&self.pool)
                .await?;
        let Some((record, at_ms)) = row else {
            return Ok(None);
        };
        let place = format!("row {operator} of miner_record in hearth.db");
        Ok(Some((stored::read(&record, place)?, at_ms)))
    }

    /// Keeps a supplier's record as known.
    pub(crate) async fn keep_record(
        &self,
        operator: &str,
        known: &Known,
        now_ms: i64,
    ) -> Result<(), SessionDbError> {
        sqlx::query(
            "INSERT INTO miner_record (operator, record, at_ms) VALUES (?, ?, ?) \
             ON CONFLICT (operator) DO UPDATE SET record = excluded.record, at_ms = excluded.at_ms",
        )
        .bind(operator)
        .bind(stored::write(known)?)
        .bind(now_ms)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

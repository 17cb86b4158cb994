//! Sums over all sessions, made by the database at one moment of it. What has ended is summed over columns, so that no
//! row that cannot be read makes a sum smaller.

use hearth_base::Amount;
use sqlx::{AssertSqlSafe, Row as _, Sqlite, Transaction};

use super::{COLUMNS, Record, Row, SessionDb, SessionDbError};
use crate::claim::Outcome;

/// Settled sessions in which the newest known payment is looked for.
const PAID_AMONG: i64 = 16;
/// Whose a session is, by its own word. One that cannot be read is nobody's.
const OWNER: &str =
    "CASE WHEN json_valid(facts) THEN coalesce(json_extract(facts, '$.owner'), '') ELSE '' END";
/// Which rows are summed: those of no owner in a list, as JSON.
const COUNTS: &str = "CASE WHEN json_valid(facts) THEN coalesce(json_extract(facts, '$.owner'), '') ELSE '' END NOT IN \
                      (SELECT value FROM json_each(?))";

/// Amounts of sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Our part.
    pub amount: Amount,
    /// How many sessions it is made of.
    pub sessions: u64,
}

/// What one day brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayTotal {
    /// `2026-11-21`, in UTC: the day of the settlement, of sessions that were not settled the day on which they began.
    pub day: String,
    /// Our part of what was settled.
    pub settled: Amount,
    /// Answers of the sessions that have ended, whoever is paid for them.
    pub answers: u64,
}

/// Sums over the sessions that have ended, and those that have not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Totals {
    /// What was paid, or counts as paid.
    pub settled: Sum,
    /// What ended otherwise, where there was an answer to be paid.
    pub lost: Sum,
    /// The days since the one that was asked for, the oldest first; those on which nothing ended are left out.
    pub days: Vec<DayTotal>,
    /// The sessions in which something can still happen, of all owners.
    pub open: Vec<Record>,
    /// The newest session whose payment is known.
    pub newest_paid: Option<Record>,
    /// What was settled for each supplier and owner, also for those that the sums leave out.
    pub by_supplier: Vec<SupplierTotal>,
}

/// What was settled for one supplier while it was one owner's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupplierTotal {
    pub operator: String,
    /// Empty where no session says.
    pub owner: String,
    pub settled: Sum,
}

impl SessionDb {
    /// Sums, with the days since a moment. What is of the owners in `without` is left out.
    pub(crate) async fn totals(&self, since_ms: i64, without: &[String]) -> Result<Totals, SessionDbError> {
        let without = serde_json::to_string(without)?;
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let (settled, lost) = ended(&mut tx, &without).await?;
        let days = days(&mut tx, since_ms, &without).await?;
        let open = "outcome IS NULL ORDER BY end_height";
        let open = self.select(&mut tx, open, &[]).await?;
        let newest = format!("outcome = ? AND {COUNTS} ORDER BY end_height DESC LIMIT {PAID_AMONG}");
        let newest = self
            .select(&mut tx, &newest, &[Outcome::SETTLED, &without])
            .await?;
        tx.commit().await?;
        Ok(Totals {
            settled,
            lost,
            days,
            open,
            newest_paid: newest.into_iter().find(|record| record.state.paid().is_some()),
            by_supplier: Vec::new(),
        })
    }

    /// What was settled for each supplier and owner; also those of whom nothing was.
    pub(crate) async fn settled_by_owner(&self) -> Result<Vec<SupplierTotal>, SessionDbError> {
        let sql = format!(
            "SELECT supplier, {OWNER} AS owner, sum(iif(outcome = ?1, share, 0)) AS amount, \
             count(iif(outcome = ?1, 1, NULL)) AS sessions FROM miner_session GROUP BY 1, 2 ORDER BY 1, 2"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(Outcome::SETTLED)
            .fetch_all(&self.pool)
            .await?;
        let total = |row: &sqlx::sqlite::SqliteRow| SupplierTotal {
            operator: row.get("supplier"),
            owner: row.get("owner"),
            settled: Sum {
                amount: amount(row.get("amount")),
                sessions: row.get::<i64, _>("sessions").cast_unsigned(),
            },
        };
        Ok(rows.iter().map(total).collect())
    }

    async fn select(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        which: &str,
        bound: &[&str],
    ) -> Result<Vec<Record>, SessionDbError> {
        let sql = format!("SELECT {COLUMNS} FROM miner_session WHERE {which}");
        let mut query = sqlx::query_as::<_, Row>(AssertSqlSafe(sql));
        for bound in bound {
            query = query.bind(*bound);
        }
        Ok(self.readable(query.fetch_all(&mut **tx).await?))
    }

    /// Fills in the shares of what ended under an older program. A row that cannot be read is told, and stays as it is.
    pub(crate) async fn fill_shares(&self) -> Result<(), SessionDbError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let old = self
            .select(&mut tx, "outcome IS NOT NULL AND share IS NULL", &[])
            .await?;
        for record in old {
            sqlx::query("UPDATE miner_session SET share = ? WHERE session_id = ? AND supplier = ?")
                .bind(column(record.our_part()))
                .bind(&record.facts.header.session_id)
                .bind(&record.facts.supplier)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// An amount as a column holds it. There are not as many upokt as fit.
pub(super) fn column(amount: Amount) -> i64 {
    i64::try_from(amount.upokt()).unwrap_or(i64::MAX)
}

fn amount(column: Option<i64>) -> Amount {
    Amount::from_upokt(u128::try_from(column.unwrap_or(0)).unwrap_or(0))
}

async fn ended(tx: &mut Transaction<'_, Sqlite>, without: &str) -> Result<(Sum, Sum), SessionDbError> {
    let sql = format!(
        "SELECT outcome = ?1 AS is_settled, sum(share) AS amount, count(*) AS sessions FROM miner_session \
         WHERE outcome IS NOT NULL AND (outcome = ?1 OR answers > 0) AND {} GROUP BY 1",
        COUNTS.replace('?', "?2")
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(Outcome::SETTLED)
        .bind(without)
        .fetch_all(&mut **tx)
        .await?;
    let (mut settled, mut lost) = (Sum::default(), Sum::default());
    for row in rows {
        let sum = Sum {
            amount: amount(row.get("amount")),
            sessions: row.get::<i64, _>("sessions").cast_unsigned(),
        };
        if row.get::<i64, _>("is_settled") == 1 {
            settled = sum;
        } else {
            lost = sum;
        }
    }
    Ok((settled, lost))
}

async fn days(
    tx: &mut Transaction<'_, Sqlite>,
    since_ms: i64,
    without: &str,
) -> Result<Vec<DayTotal>, SessionDbError> {
    let sql = format!(
        "SELECT date(at_ms / 1000, 'unixepoch') AS day, sum(settled) AS settled, sum(answers) AS answers FROM ( \
         SELECT iif(outcome = ?1, updated_ms, created_ms) AS at_ms, iif(outcome = ?1 AND {}, share, 0) AS settled, answers \
         FROM miner_session WHERE outcome IS NOT NULL) WHERE at_ms >= ?2 GROUP BY day ORDER BY day",
        COUNTS.replace('?', "?3")
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(Outcome::SETTLED)
        .bind(since_ms)
        .bind(without)
        .fetch_all(&mut **tx)
        .await?;
    let day = |row: &sqlx::sqlite::SqliteRow| DayTotal {
        day: row.get("day"),
        settled: amount(row.get("settled")),
        answers: row.get::<i64, _>("answers").cast_unsigned(),
    };
    Ok(rows.iter().map(day).collect())
}

//! What was asked for, by day, who asked, and model.
//!
//! Counts are gathered in memory and written every few seconds, so that no answer waits for the disk. A crash loses
//! those seconds; money is counted elsewhere, before it is spent.

use std::{collections::BTreeMap, sync::Arc};

use hearth_base::{Amount, Clock};
use parking_lot::Mutex;
use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::{
    control::types::{AskerKind, Timestamp, Upokt, UsageCounts, UsageDay, UsageReport, UsageSum},
    error::ApiError,
    parts::Window,
};

const DAY_MS: i64 = 86_400_000;
/// Days that are kept.
pub(crate) const KEEP_DAYS: u32 = 400;
/// Models of one asker and day that are told apart; requests for more are counted without a name. A program may make
/// names up.
const MAX_MODELS: i64 = 200;
/// The most bytes of a model's name that are kept.
const MAX_MODEL_BYTES: usize = 200;
/// Rows that are gathered before new names are counted without one.
const MAX_GATHERED: usize = 10_000;
/// Sums of a report.
const MAX_SUMS: u32 = 500;
/// The id of the page and the command line, and that of programs without a key.
pub(crate) const OWNER: &str = "owner";
pub(crate) const LOCAL: &str = "local";

/// The usage in the database, and what is not written yet.
#[derive(Clone)]
pub(crate) struct Usage {
    pool: SqlitePool,
    clock: Clock,
    gathered: Arc<Mutex<BTreeMap<UsageKey, UsageCounts>>>,
    /// Held while counts are written, so that none is read between memory and disk.
    writing: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct UsageKey {
    day: i64,
    asker: String,
    model: String,
}

/// One row, for the table.
pub(crate) struct UsageRow {
    /// Day, asker and model: what tells rows apart.
    pub(crate) id: String,
    pub(crate) date: String,
    pub(crate) sum: UsageSum,
}

#[derive(sqlx::FromRow)]
struct Row {
    day: i64,
    asker: String,
    name: Option<String>,
    model: String,
    requests: i64,
    errors: i64,
    prompt_tokens: i64,
    completion_tokens: i64,
    upokt: i64,
}

const SUMS: &str = "sum(requests) AS requests, sum(errors) AS errors, sum(prompt_tokens) AS prompt_tokens, \
     sum(completion_tokens) AS completion_tokens, sum(upokt) AS upokt";

impl Usage {
    pub(crate) fn new(pool: SqlitePool, clock: Clock) -> Usage {
        Usage {
            pool,
            clock,
            gathered: Arc::default(),
            writing: Arc::default(),
        }
    }

    /// Counts what one asked. Nothing is written yet.
    pub(crate) fn add(&self, asker: &str, model: &str, counts: UsageCounts) {
        let key = UsageKey {
            day: self.today(),
            asker: asker.to_owned(),
            model: model[..model.floor_char_boundary(MAX_MODEL_BYTES)].to_owned(),
        };
        let mut gathered = self.gathered.lock();
        // What is gathered between two writings has a bound, too.
        let key = if gathered.len() < MAX_GATHERED || gathered.contains_key(&key) {
            key
        } else {
            UsageKey {
                model: String::new(),
                ..key
            }
        };
        let sum = gathered.entry(key).or_default();
        *sum = plus(*sum, counts);
    }

    /// Writes down what was gathered. What cannot be written is kept for the next time.
    pub(crate) async fn write(&self) -> Result<(), ApiError> {
        let _writing = self.writing.lock().await;
        let gathered = std::mem::take(&mut *self.gathered.lock());
        if gathered.is_empty() {
            return Ok(());
        }
        let result = self.keep(&gathered).await;
        if result.is_err() {
            let mut waiting = self.gathered.lock();
            for (key, counts) in gathered {
                let sum = waiting.entry(key).or_default();
                *sum = plus(*sum, counts);
            }
        }
        Ok(result?)
    }

    async fn keep(&self, gathered: &BTreeMap<UsageKey, UsageCounts>) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (key, counts) in gathered {
            let model = named(&mut transaction, key).await?;
            sqlx::query(
                "INSERT INTO api_usage (day, asker, model, requests, errors, prompt_tokens, completion_tokens, upokt) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, \
                 errors = errors + excluded.errors, prompt_tokens = prompt_tokens + excluded.prompt_tokens, \
                 completion_tokens = completion_tokens + excluded.completion_tokens, upokt = upokt + excluded.upokt",
            )
            .bind(key.day)
            .bind(&key.asker)
            .bind(model)
            .bind(integer(counts.requests))
            .bind(integer(counts.errors))
            .bind(integer(counts.prompt_tokens))
            .bind(integer(counts.completion_tokens))
            .bind(i64::try_from(counts.cost.0.upokt()).unwrap_or(i64::MAX))
            .execute(&mut *transaction)
            .await?;
        }
        sqlx::query("DELETE FROM api_usage WHERE day <= ?")
            .bind(self.today() - i64::from(KEEP_DAYS))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await
    }

    /// The last days, today included.
    pub(crate) async fn report(&self, days: u32, asker: Option<&str>) -> Result<UsageReport, ApiError> {
        self.write().await?;
        let today = self.today();
        let first = today - i64::from(days.clamp(1, KEEP_DAYS)) + 1;
        let sql = format!(
            "SELECT day, '' AS asker, NULL AS name, '' AS model, {SUMS} FROM api_usage \
             WHERE day >= ?1 AND (?2 IS NULL OR asker = ?2) GROUP BY day"
        );
        let by_day: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(first)
            .bind(asker)
            .fetch_all(&self.pool)
            .await?;
        let by_day: BTreeMap<i64, UsageCounts> = by_day.iter().map(|row| (row.day, row.counts())).collect();
        let sql = format!(
            "SELECT 0 AS day, asker, api_key.name AS name, model, {SUMS} FROM api_usage \
             LEFT JOIN api_key ON api_key.id = asker WHERE day >= ?1 AND (?2 IS NULL OR asker = ?2) \
             GROUP BY asker, model ORDER BY sum(requests) DESC, asker, model LIMIT ?3"
        );
        let sums: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(first)
            .bind(asker)
            .bind(MAX_SUMS)
            .fetch_all(&self.pool)
            .await?;
        let total: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM (SELECT 1 FROM api_usage WHERE day >= ?1 AND (?2 IS NULL OR asker = ?2) \
             GROUP BY asker, model)",
        )
        .bind(first)
        .bind(asker)
        .fetch_one(&self.pool)
        .await?;
        Ok(UsageReport {
            days: (first..=today)
                .map(|day| UsageDay {
                    date: date(day),
                    counts: by_day.get(&day).copied().unwrap_or_default(),
                })
                .collect(),
            sums: sums.into_iter().map(Row::into_sum).collect(),
            total: natural(total),
        })
    }

    /// A page of all rows, the newest first.
    pub(crate) async fn rows(&self, window: Window) -> Result<Vec<UsageRow>, ApiError> {
        self.write().await?;
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT day, asker, api_key.name AS name, model, requests, errors, prompt_tokens, completion_tokens, upokt \
             FROM api_usage LEFT JOIN api_key ON api_key.id = asker ORDER BY day DESC, asker, model LIMIT ? OFFSET ?",
        )
        .bind(window.limit)
        .bind(window.offset)
        .fetch_all(&self.pool)
        .await?;
        let row = |row: Row| UsageRow {
            id: format!("{}\n{}\n{}", row.day, row.asker, row.model),
            date: date(row.day),
            sum: row.into_sum(),
        };
        Ok(rows.into_iter().map(row).collect())
    }

    fn today(&self) -> i64 {
        self.clock.now_ms().div_euclid(DAY_MS)
    }
}

/// The name under which a model is counted.
async fn named<'a>(
    transaction: &mut Transaction<'_, Sqlite>,
    key: &'a UsageKey,
) -> Result<&'a str, sqlx::Error> {
    let (is_there, others): (bool, i64) = sqlx::query_as(
        "SELECT coalesce(max(model = ?1), 0), count(*) FROM api_usage WHERE day = ?2 AND asker = ?3",
    )
    .bind(&key.model)
    .bind(key.day)
    .bind(&key.asker)
    .fetch_one(&mut **transaction)
    .await?;
    Ok(if is_there || others < MAX_MODELS {
        &key.model
    } else {
        ""
    })
}

fn plus(one: UsageCounts, other: UsageCounts) -> UsageCounts {
    UsageCounts {
        requests: one.requests.saturating_add(other.requests),
        errors: one.errors.saturating_add(other.errors),
        prompt_tokens: one.prompt_tokens.saturating_add(other.prompt_tokens),
        completion_tokens: one.completion_tokens.saturating_add(other.completion_tokens),
        cost: Upokt(one.cost.0.saturating_add(other.cost.0)),
    }
}

impl Row {
    fn counts(&self) -> UsageCounts {
        UsageCounts {
            requests: natural(self.requests),
            errors: natural(self.errors),
            prompt_tokens: natural(self.prompt_tokens),
            completion_tokens: natural(self.completion_tokens),
            cost: Upokt(Amount::from_upokt(natural(self.upokt).into())),
        }
    }

    fn into_sum(self) -> UsageSum {
        let counts = self.counts();
        let asker = match self.asker.as_str() {
            OWNER => AskerKind::Owner,
            LOCAL => AskerKind::Local,
            _ => AskerKind::Key,
        };
        UsageSum {
            asker,
            key_id: (asker == AskerKind::Key).then_some(self.asker),
            key_name: self.name,
            model: self.model,
            counts,
        }
    }
}

/// `2026-11-30`
fn date(day: i64) -> String {
    Timestamp::from_ms(day.saturating_mul(DAY_MS))
        .0
        .date()
        .to_string()
}

fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn natural(sum: i64) -> u64 {
    u64::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hearth_store::Store;

    use super::*;

    async fn usage(folder: &std::path::Path) -> (Usage, Clock, Store) {
        let config = hearth_store::Config {
            path: folder.join("hearth.db"),
            chain_id: "test".into(),
            max_pages: None,
        };
        let (store, clock) = (Store::open(config).await.unwrap(), Clock::test(1_700_000_000_000));
        (Usage::new(store.pool().clone(), clock.clone()), clock, store)
    }

    const ONE: UsageCounts = UsageCounts {
        requests: 1,
        errors: 0,
        prompt_tokens: 7,
        completion_tokens: 3,
        cost: Upokt(Amount::from_upokt(4)),
    };

    #[tokio::test]
    async fn days_askers_and_models_add_up() {
        let folder = tempfile::tempdir().unwrap();
        let (usage, clock, _store) = usage(folder.path()).await;
        usage.add(OWNER, "chat", ONE);
        usage.add(OWNER, "chat", ONE);
        usage.add("some-key", "pocket/svc", UsageCounts { errors: 1, ..ONE });
        clock.advance(Duration::from_hours(24));
        usage.add(LOCAL, "chat", ONE);
        let report = usage.report(3, None).await.unwrap();
        let days: Vec<(&str, u64)> = report
            .days
            .iter()
            .map(|day| (day.date.as_str(), day.counts.requests))
            .collect();
        assert_eq!(days, [("2023-11-13", 0), ("2023-11-14", 3), ("2023-11-15", 1)]);
        assert_eq!(report.total, 3);
        let first = &report.sums[0];
        assert_eq!(
            (first.asker, first.model.as_str(), first.counts.prompt_tokens),
            (AskerKind::Owner, "chat", 14)
        );
        assert_eq!(first.counts.cost.0.upokt(), 8);
        let of_key = usage.report(3, Some("some-key")).await.unwrap();
        assert_eq!((of_key.total, of_key.days[1].counts.errors), (1, 1));
        assert_eq!(
            (of_key.sums[0].key_id.as_deref(), &of_key.sums[0].key_name),
            (Some("some-key"), &None)
        );
        assert_eq!(usage.report(1, None).await.unwrap().total, 1);
        let rows = usage.rows(Window::page(0)).await.unwrap();
        let dates: Vec<&str> = rows.iter().map(|row| row.date.as_str()).collect();
        assert_eq!(dates, ["2023-11-15", "2023-11-14", "2023-11-14"]);
        clock.advance(Duration::from_hours(24 * 400));
        usage.add(LOCAL, "", ONE);
        usage.write().await.unwrap();
        assert_eq!(usage.rows(Window::ALL).await.unwrap().len(), 1, "old days go");
    }

    #[tokio::test]
    async fn names_that_a_program_makes_up_take_no_room_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let (usage, _, _store) = usage(folder.path()).await;
        usage.add("k", "real", ONE);
        usage.write().await.unwrap();
        usage.add("k", "real", ONE);
        for number in 0..12_000 {
            usage.add("k", &format!("made-up-{number}"), ONE);
        }
        usage.add("k", &"ü".repeat(1_000), ONE);
        let report = usage.report(1, None).await.unwrap();
        assert_eq!(report.total, 200);
        assert_eq!(report.days[0].counts.requests, 12_003);
        let real = report.sums.iter().find(|sum| sum.model == "real").unwrap();
        assert_eq!(real.counts.requests, 2);
        assert_eq!(report.sums[0].model, "");
    }
}

//! What was found of settlements, and which blocks were looked at, in the database.

use std::collections::BTreeMap;

use hearth_base::Height;

use super::{Settled, SettledKind, Settlements};

impl Settlements {
    pub(super) async fn keep(&self, looked: Height, found: &[Settled]) -> Result<(), sqlx::Error> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for one in found {
            sqlx::query(
                "INSERT INTO settled_money (height, kind, about, account, session_id, operator, service, amount_upokt, \
                 is_proven) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            )
            .bind(one.height.0.cast_signed())
            .bind(one.kind.word())
            .bind(&one.about)
            .bind(&one.account)
            .bind(&one.session_id)
            .bind(&one.operator)
            .bind(&one.service)
            .bind(one.amount.upokt().to_string())
            .bind(one.is_proven)
            .execute(&mut *tx)
            .await?;
        }
        looked_at(&mut tx, looked).await?;
        tx.commit().await
    }

    /// Notes blocks that were not looked at.
    pub(super) async fn skip(&self, first: Height, last: Height) -> Result<(), sqlx::Error> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("INSERT OR REPLACE INTO settled_gap (first_height, last_height) VALUES (?, ?)")
            .bind(first.0.cast_signed())
            .bind(last.0.cast_signed())
            .execute(&mut *tx)
            .await?;
        looked_at(&mut tx, last).await?;
        tx.commit().await
    }

    /// All that was found, the newest first.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn all(&self) -> Result<Vec<Settled>, sqlx::Error> {
        type Row = (
            i64,
            String,
            String,
            String,
            Option<String>,
            String,
            String,
            String,
            bool,
        );
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT height, kind, about, account, session_id, operator, service, amount_upokt, is_proven \
             FROM settled_money ORDER BY height DESC",
        )
        .fetch_all(&self.pool)
        .await?;
        let read = |row: Row| {
            let (height, kind, about, account, session_id, operator, service, amount, is_proven) = row;
            Some(Settled {
                kind: SettledKind::ALL.into_iter().find(|one| one.word() == kind)?,
                height: Height(height.cast_unsigned()),
                about,
                account,
                session_id,
                operator,
                service,
                amount: amount.parse().ok()?,
                is_proven,
            })
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }

    /// The blocks that could not be looked at, first and last of each gap.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn gaps(&self) -> Result<Vec<(Height, Height)>, sqlx::Error> {
        let rows: Vec<(i64, i64)> =
            sqlx::query_as("SELECT first_height, last_height FROM settled_gap ORDER BY first_height")
                .fetch_all(&self.pool)
                .await?;
        let height = |height: i64| Height(height.cast_unsigned());
        Ok(rows
            .into_iter()
            .map(|(first, last)| (height(first), height(last)))
            .collect())
    }

    /// When blocks were made, of those that are known: height → milliseconds since the epoch.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn moments(&self) -> Result<BTreeMap<u64, i64>, sqlx::Error> {
        let rows: Vec<(i64, i64)> = sqlx::query_as("SELECT height, at_ms FROM block_moment")
            .fetch_all(&self.pool)
            .await?;
        Ok(rows
            .into_iter()
            .map(|(height, at_ms)| (height.cast_unsigned(), at_ms))
            .collect())
    }

    /// Notes when blocks were made.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn note_moments(&self, moments: &BTreeMap<u64, i64>) -> Result<(), sqlx::Error> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (height, at_ms) in moments {
            sqlx::query("INSERT OR IGNORE INTO block_moment (height, at_ms) VALUES (?, ?)")
                .bind(height.cast_signed())
                .bind(at_ms)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await
    }
}

async fn looked_at(tx: &mut sqlx::Transaction<'_, sqlx::Sqlite>, height: Height) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT OR REPLACE INTO settled_look (id, height) VALUES (1, ?)")
        .bind(height.0.cast_signed())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

//! What was found of settlements, and which blocks were looked at, in the database.

use std::collections::{BTreeMap, BTreeSet};

use hearth_base::Height;

use super::{Settled, SettledKind, Settlements, Way};

/// What is known of the settlements of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownFrom {
    pub account: String,
    /// Nobody looked at blocks before this one; 0: before what was looked at there was nothing to be found.
    pub height: Height,
}

impl Settlements {
    pub(super) async fn keep(&self, looked: Height, found: &[Settled], way: Way) -> Result<(), sqlx::Error> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        enter(&mut tx, found).await?;
        looked_at(&mut tx, looked, way).await?;
        tx.commit().await
    }

    /// Puts what is known now in the place of what was told of a block and not borne out.
    pub(super) async fn replace(&self, height: Height, found: &[Settled]) -> Result<(), sqlx::Error> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM settled_money WHERE height = ? AND is_proven = 0")
            .bind(height.0.cast_signed())
            .execute(&mut *tx)
            .await?;
        enter(&mut tx, found).await?;
        tx.commit().await
    }

    /// The blocks of which one of these endpoints told what is not borne out.
    pub(super) async fn told_by(&self, endpoints: &BTreeSet<String>) -> Result<Vec<Height>, sqlx::Error> {
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "SELECT DISTINCT height, endpoint FROM settled_money WHERE is_proven = 0 AND endpoint IS NOT NULL \
             ORDER BY height DESC",
        )
        .fetch_all(&self.pool)
        .await?;
        let told = rows
            .into_iter()
            .filter(|(_, endpoint)| endpoints.contains(endpoint));
        Ok(told.map(|(height, _)| Height(height.cast_unsigned())).collect())
    }

    /// The block up to which was looked.
    pub(super) async fn looked(&self) -> Result<Option<Height>, sqlx::Error> {
        let looked: Option<i64> = sqlx::query_scalar("SELECT height FROM settled_look")
            .fetch_optional(&self.pool)
            .await?;
        Ok(looked.map(|height| Height(height.cast_unsigned())))
    }

    /// From which block on settlements were looked for, by account.
    pub(super) async fn looked_from(&self) -> Result<BTreeMap<String, Height>, sqlx::Error> {
        let rows: Vec<(String, i64)> = sqlx::query_as("SELECT account, first_height FROM settled_account")
            .fetch_all(&self.pool)
            .await?;
        let height = |height: i64| Height(height.cast_unsigned());
        Ok(rows
            .into_iter()
            .map(|(account, at)| (account, height(at)))
            .collect())
    }

    /// Forgets accounts that are not here any more: what is settled for them meanwhile is not looked for.
    pub(super) async fn forget(&self, accounts: &[String]) -> Result<(), sqlx::Error> {
        for account in accounts {
            sqlx::query("DELETE FROM settled_account WHERE account = ?")
                .bind(account)
                .execute(&self.pool)
                .await?;
        }
        Ok(())
    }

    /// Notes new accounts and from where on is looked for them, and that the blocks after `from` are to be looked at once
    /// more, where one of them may have been paid in them.
    pub(super) async fn begin_again(
        &self,
        accounts: &BTreeMap<String, Height>,
        from: Height,
        last: Height,
    ) -> Result<(), sqlx::Error> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (account, first) in accounts {
            sqlx::query("INSERT OR REPLACE INTO settled_account (account, first_height) VALUES (?, ?)")
                .bind(account)
                .bind(first.0.cast_signed())
                .execute(&mut *tx)
                .await?;
        }
        sqlx::query(
            "INSERT INTO settled_again (id, done_height, last_height) VALUES (1, ?, ?) ON CONFLICT (id) DO UPDATE SET \
             done_height = min(done_height, excluded.done_height), last_height = max(last_height, excluded.last_height)",
        )
        .bind(from.0.cast_signed())
        .bind(last.0.cast_signed())
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// What is looked at once more: up to which block it is done, and the last one.
    pub(super) async fn again(&self) -> Result<Option<(Height, Height)>, sqlx::Error> {
        let row: Option<(i64, i64)> = sqlx::query_as("SELECT done_height, last_height FROM settled_again")
            .fetch_optional(&self.pool)
            .await?;
        let height = |height: i64| Height(height.cast_unsigned());
        Ok(row.map(|(done, last)| (height(done), height(last))))
    }

    pub(super) async fn end_again(&self) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM settled_again")
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// From which block on what was settled for each account is known; while blocks are still looked at once more, from
    /// after those.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn known_from(&self) -> Result<Vec<KnownFrom>, sqlx::Error> {
        let open = self.again().await?.map(|(_, last)| last.plus(1));
        let known = self.looked_from().await?.into_iter();
        let known = known.map(|(account, height)| KnownFrom {
            account,
            height: open.map_or(height, |open| height.max(open)),
        });
        Ok(known.collect())
    }

    /// Notes blocks that were not looked at.
    pub(super) async fn skip(&self, first: Height, last: Height, way: Way) -> Result<(), sqlx::Error> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("INSERT OR REPLACE INTO settled_gap (first_height, last_height) VALUES (?, ?)")
            .bind(first.0.cast_signed())
            .bind(last.0.cast_signed())
            .execute(&mut *tx)
            .await?;
        looked_at(&mut tx, last, way).await?;
        tx.commit().await
    }

    /// All that was found, the newest first.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn all(&self) -> Result<Vec<Settled>, sqlx::Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT height, kind, about, account, session_id, operator, service, amount_upokt, is_proven, endpoint \
             FROM settled_money ORDER BY height DESC",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().filter_map(Row::settled).collect())
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

    /// Transactions of which it is proven that a block holds them, with what became of them: hash → code.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn proven_txs(&self) -> Result<BTreeMap<String, i64>, sqlx::Error> {
        let rows: Vec<(String, i64)> = sqlx::query_as("SELECT hash, code FROM proven_tx")
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().collect())
    }

    /// Notes proven transactions, with their blocks and codes.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn note_proven(&self, proven: &BTreeMap<String, (Height, i64)>) -> Result<(), sqlx::Error> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (hash, (height, code)) in proven {
            sqlx::query("INSERT OR IGNORE INTO proven_tx (hash, height, code) VALUES (?, ?, ?)")
                .bind(hash)
                .bind(height.0.cast_signed())
                .bind(code)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await
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

#[derive(sqlx::FromRow)]
struct Row {
    height: i64,
    kind: String,
    about: String,
    account: String,
    session_id: Option<String>,
    operator: String,
    service: String,
    amount_upokt: String,
    is_proven: bool,
    endpoint: Option<String>,
}

impl Row {
    fn settled(self) -> Option<Settled> {
        Some(Settled {
            kind: SettledKind::ALL.into_iter().find(|one| one.word() == self.kind)?,
            height: Height(self.height.cast_unsigned()),
            about: self.about,
            account: self.account,
            session_id: self.session_id,
            operator: self.operator,
            service: self.service,
            amount: self.amount_upokt.parse().ok()?,
            is_proven: self.is_proven,
            endpoint: self.endpoint.unwrap_or_default(),
        })
    }
}

async fn enter(tx: &mut sqlx::Transaction<'_, sqlx::Sqlite>, found: &[Settled]) -> Result<(), sqlx::Error> {
    for one in found {
        sqlx::query(
            "INSERT INTO settled_money (height, kind, about, account, session_id, operator, service, amount_upokt, \
             is_proven, endpoint) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
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
        .bind(&one.endpoint)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

async fn looked_at(
    tx: &mut sqlx::Transaction<'_, sqlx::Sqlite>,
    height: Height,
    way: Way,
) -> Result<(), sqlx::Error> {
    let sql = match way {
        Way::Ahead => "INSERT OR REPLACE INTO settled_look (id, height) VALUES (1, ?)",
        Way::Back => "UPDATE settled_again SET done_height = ?",
    };
    sqlx::query(sql)
        .bind(height.0.cast_signed())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

//! The chain's own database file: one transaction per block, so that a crash leaves whole blocks only.

use std::{path::PathBuf, str::FromStr, time::Duration};

use sqlx::{
    Row, Sqlite, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};
use tendermint::block::{Commit, Header};

use crate::{
    block::{self, BlockError},
    events::Event,
    machine::TxResult,
    state::{Change, State, StoreName},
};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// Connections that are open at once: the one that writes blocks, and readers for searches.
const MAX_CONNECTIONS: u32 = 4;

/// Why the database of the devnet fails.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error(
        "the devnet's database {path} cannot be opened: is its folder there, and may this user write to it?"
    )]
    Open {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    #[error(
        "the devnet's database {path} is damaged or was written by a newer Hearth: move it away to start a new chain"
    )]
    Migrate {
        path: PathBuf,
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    #[error("the devnet's database does not answer: is the disk full?")]
    Query(#[from] sqlx::Error),
    #[error("the devnet's database holds what this version cannot read: {0}")]
    Damaged(String),
}

impl From<BlockError> for DbError {
    fn from(error: BlockError) -> DbError {
        DbError::Damaged(error.to_string())
    }
}

impl From<serde_json::Error> for DbError {
    fn from(error: serde_json::Error) -> DbError {
        DbError::Damaged(error.to_string())
    }
}

/// The row of table `chain`.
#[derive(Clone, Debug)]
pub(crate) struct ChainRow {
    pub(crate) chain_id: String,
    pub(crate) validator_seed: [u8; 32],
    pub(crate) genesis: String,
    base_height: u64,
}

/// A block as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct BlockRow {
    pub(crate) header: Header,
    /// The commit for this block.
    pub(crate) commit: Commit,
    pub(crate) events: Vec<Event>,
    /// The state after this block.
    pub(crate) app_hash: [u8; 32],
}

/// A transaction as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct TxRow {
    pub(crate) height: u64,
    pub(crate) index: u32,
    pub(crate) hash: Vec<u8>,
    pub(crate) raw: Vec<u8>,
    pub(crate) result: TxResult,
}

/// What is written for a block.
pub(crate) struct NewBlock<'a> {
    pub(crate) block: &'a BlockRow,
    pub(crate) txs: &'a [TxRow],
    pub(crate) changes: &'a [Change],
    /// How many heights back the state can be asked for.
    pub(crate) keep: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Db {
    pool: SqlitePool,
}

impl Db {
    pub(crate) async fn open(path: &PathBuf) -> Result<Db, DbError> {
        let failed = |source| DbError::Open {
            path: path.clone(),
            source,
        };
        // A crash of the program loses nothing with NORMAL; one of the computer may lose the last blocks, whole.
        let options = SqliteConnectOptions::from_str("sqlite:")
            .map_err(failed)?
            .filename(path)
            .create_if_missing(true)
            .busy_timeout(Duration::from_secs(10))
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal);
        let pool = SqlitePoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .connect_with(options)
            .await
            .map_err(failed)?;
        MIGRATIONS.run(&pool).await.map_err(|source| DbError::Migrate {
            path: path.clone(),
            source,
        })?;
        Ok(Db { pool })
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    pub(crate) async fn chain(&self) -> Result<Option<ChainRow>, DbError> {
        let row = sqlx::query("SELECT chain_id, validator_seed, genesis, base_height FROM chain")
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| {
            Ok(ChainRow {
                chain_id: row.try_get(0)?,
                validator_seed: bytes32(row.try_get(1)?)?,
                genesis: row.try_get(2)?,
                base_height: unsigned(row.try_get(3)?),
            })
        })
        .transpose()
    }

    /// Writes a new chain with its first state.
    pub(crate) async fn begin(
        &self,
        chain_id: &str,
        seed: &[u8; 32],
        genesis: &str,
        state: &State,
    ) -> Result<(), DbError> {
        let mut tx = self.pool.begin().await?;
        sqlx::query(
            "INSERT INTO chain (one, chain_id, validator_seed, genesis, base_height) VALUES (1, ?, ?, ?, 0)",
        )
        .bind(chain_id)
        .bind(seed.as_slice())
        .bind(genesis)
        .execute(&mut *tx)
        .await?;
        for change in state.changes() {
            put_leaf(&mut tx, &change, state.height()).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The states that can be asked for, the newest last. The first is the one at the base height.
    pub(crate) async fn states(&self) -> Result<Vec<(u64, State)>, DbError> {
        let base = self.chain().await?.map_or(0, |chain| chain.base_height);
        let mut state = State::default().at(base);
        for row in sqlx::query("SELECT store, key, value, version FROM leaf")
            .fetch_all(&self.pool)
            .await?
        {
            let version = unsigned(row.try_get(3)?);
            let change = Change {
                store: store(&row)?,
                key: row.try_get(1)?,
                value: Some(row.try_get(2)?),
            };
            state.replay(&change, version);
        }
        let mut states = vec![(base, state.clone())];
        let last = self.last_height().await?;
        let rows = sqlx::query("SELECT store, key, value, height FROM change ORDER BY height")
            .fetch_all(&self.pool)
            .await?;
        let mut rows = rows.iter().peekable();
        for height in base + 1..=last {
            state = state.at(height);
            while let Some(row) =
                rows.next_if(|row| row.try_get(3).is_ok_and(|of: i64| unsigned(of) == height))
            {
                let change = Change {
                    store: store(row)?,
                    key: row.try_get(1)?,
                    value: row.try_get(2)?,
                };
                state.replay(&change, height);
            }
            states.push((height, state.clone()));
        }
        Ok(states)
    }

    pub(crate) async fn last_height(&self) -> Result<u64, DbError> {
        let last: Option<i64> = sqlx::query_scalar("SELECT max(height) FROM block")
            .fetch_one(&self.pool)
            .await?;
        Ok(last.map_or(0, unsigned))
    }

    /// Writes a block, all of it or nothing.
    pub(crate) async fn append(&self, new: &NewBlock<'_>) -> Result<(), DbError> {
        let mut tx = self.pool.begin().await?;
        let height = signed(new.block.header.height.value());
        let (header, commit) = block::encode(&new.block.header, &new.block.commit);
        sqlx::query("INSERT INTO block (height, hash, header, seen_commit, events, app_hash) VALUES (?, ?, ?, ?, ?, ?)")
            .bind(height)
            .bind(new.block.header.hash().as_bytes().to_vec())
            .bind(header)
            .bind(commit)
            .bind(serde_json::to_string(&new.block.events)?)
            .bind(new.block.app_hash.as_slice())
            .execute(&mut *tx)
            .await?;
        for change in new.changes {
            sqlx::query("INSERT INTO change (height, store, key, value) VALUES (?, ?, ?, ?)")
                .bind(height)
                .bind(change.store.as_str())
                .bind(change.key.as_slice())
                .bind(change.value.as_deref())
                .execute(&mut *tx)
                .await?;
        }
        for row in new.txs {
            put_tx(&mut tx, row).await?;
            put_events(&mut tx, height, i64::from(row.index), &row.result.events).await?;
        }
        put_events(&mut tx, height, -1, &new.block.events).await?;
        fold(&mut tx, unsigned(height), new.keep).await?;
        tx.commit().await?;
        Ok(())
    }

    pub(crate) async fn block(&self, height: u64) -> Result<Option<BlockRow>, DbError> {
        let row = sqlx::query("SELECT header, seen_commit, events, app_hash FROM block WHERE height = ?")
            .bind(signed(height))
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| {
            let (header, commit): (Vec<u8>, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
            let (header, commit) = block::decode(&header, &commit)?;
            let events: String = row.try_get(2)?;
            let app_hash = bytes32(row.try_get(3)?)?;
            Ok(BlockRow {
                header,
                commit,
                events: serde_json::from_str(&events)?,
                app_hash,
            })
        })
        .transpose()
    }

    pub(crate) async fn height_of(&self, hash: &[u8]) -> Result<Option<u64>, DbError> {
        let height: Option<i64> = sqlx::query_scalar("SELECT height FROM block WHERE hash = ?")
            .bind(hash)
            .fetch_optional(&self.pool)
            .await?;
        Ok(height.map(unsigned))
    }

    pub(crate) async fn txs(&self, height: u64) -> Result<Vec<TxRow>, DbError> {
        let rows = sqlx::query("SELECT height, idx, hash, raw, result FROM tx WHERE height = ? ORDER BY idx")
            .bind(signed(height))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(tx_row).collect()
    }

    pub(crate) async fn tx(&self, hash: &[u8]) -> Result<Option<TxRow>, DbError> {
        // The same bytes may stand in several blocks, refused all but once; the last word counts, as in the index.
        let row = sqlx::query(
            "SELECT height, idx, hash, raw, result FROM tx WHERE hash = ? ORDER BY height DESC LIMIT 1",
        )
        .bind(hash)
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(tx_row).transpose()
    }

    pub(crate) async fn tx_at(&self, height: u64, index: u32) -> Result<Option<TxRow>, DbError> {
        let row = sqlx::query("SELECT height, idx, hash, raw, result FROM tx WHERE height = ? AND idx = ?")
            .bind(signed(height))
            .bind(i64::from(index))
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(tx_row).transpose()
    }

    /// Where an event has an attribute with this value: height and index, which is -1 for the block itself.
    pub(crate) async fn find_event(&self, key: &str, value: &str) -> Result<Vec<(u64, i64)>, DbError> {
        let rows = sqlx::query("SELECT height, idx FROM event WHERE key = ? AND value = ?")
            .bind(key)
            .bind(value)
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| Ok((unsigned(row.try_get(0)?), row.try_get(1)?)))
            .collect()
    }

    /// All transactions between two heights, as height and index.
    pub(crate) async fn txs_between(&self, from: u64, to: u64) -> Result<Vec<(u64, i64)>, DbError> {
        let rows = sqlx::query("SELECT height, idx FROM tx WHERE height BETWEEN ? AND ?")
            .bind(signed(from))
            .bind(signed(to))
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| Ok((unsigned(row.try_get(0)?), row.try_get(1)?)))
            .collect()
    }
}

fn tx_row(row: &SqliteRow) -> Result<TxRow, DbError> {
    let result: String = row.try_get(4)?;
    let index: i64 = row.try_get(1)?;
    Ok(TxRow {
        height: unsigned(row.try_get(0)?),
        index: u32::try_from(index).unwrap_or(0),
        hash: row.try_get(2)?,
        raw: row.try_get(3)?,
        result: serde_json::from_str(&result)?,
    })
}

fn store(row: &SqliteRow) -> Result<StoreName, DbError> {
    let name: String = row.try_get(0)?;
    StoreName::parse(&name).ok_or_else(|| DbError::Damaged(format!("the store {name} is unknown")))
}

async fn put_leaf(tx: &mut Transaction<'_, Sqlite>, change: &Change, version: u64) -> Result<(), DbError> {
    match &change.value {
        Some(value) => {
            sqlx::query("INSERT OR REPLACE INTO leaf (store, key, value, version) VALUES (?, ?, ?, ?)")
                .bind(change.store.as_str())
                .bind(change.key.as_slice())
                .bind(value.as_slice())
                .bind(signed(version))
                .execute(&mut **tx)
                .await?
        }
        None => {
            sqlx::query("DELETE FROM leaf WHERE store = ? AND key = ?")
                .bind(change.store.as_str())
                .bind(change.key.as_slice())
                .execute(&mut **tx)
                .await?
        }
    };
    Ok(())
}

async fn put_tx(tx: &mut Transaction<'_, Sqlite>, row: &TxRow) -> Result<(), DbError> {
    sqlx::query("INSERT INTO tx (height, idx, hash, raw, result) VALUES (?, ?, ?, ?, ?)")
        .bind(signed(row.height))
        .bind(i64::from(row.index))
        .bind(row.hash.as_slice())
        .bind(row.raw.as_slice())
        .bind(serde_json::to_string(&row.result)?)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn put_events(
    tx: &mut Transaction<'_, Sqlite>,
    height: i64,
    index: i64,
    events: &[Event],
) -> Result<(), DbError> {
    for event in events {
        for (key, value) in &event.attributes {
            sqlx::query("INSERT OR IGNORE INTO event (key, value, height, idx) VALUES (?, ?, ?, ?)")
                .bind(format!("{}.{key}", event.kind))
                .bind(value.as_str())
                .bind(height)
                .bind(index)
                .execute(&mut **tx)
                .await?;
        }
    }
    Ok(())
}

/// Moves the oldest changes into the base, so that the number of changes stays bounded.
async fn fold(tx: &mut Transaction<'_, Sqlite>, height: u64, keep: u64) -> Result<(), DbError> {
    let base: i64 = sqlx::query_scalar("SELECT base_height FROM chain")
        .fetch_one(&mut **tx)
        .await?;
    let next = unsigned(base) + 1;
    if height.saturating_sub(keep) < next {
        return Ok(());
    }
    let rows = sqlx::query("SELECT store, key, value FROM change WHERE height = ?")
        .bind(signed(next))
        .fetch_all(&mut **tx)
        .await?;
    for row in rows {
        let change = Change {
            store: store(&row)?,
            key: row.try_get(1)?,
            value: row.try_get(2)?,
        };
        put_leaf(tx, &change, next).await?;
    }
    sqlx::query("DELETE FROM change WHERE height = ?")
        .bind(signed(next))
        .execute(&mut **tx)
        .await?;
    sqlx::query("UPDATE chain SET base_height = ?")
        .bind(signed(next))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn bytes32(bytes: Vec<u8>) -> Result<[u8; 32], DbError> {
    bytes
        .try_into()
        .map_err(|_| DbError::Damaged("a hash or key has not 32 bytes".to_owned()))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

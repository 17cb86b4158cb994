//! The SQLite database `hearth.db`: opening, migrations, backup.
//!
//! This crate alone opens the database. Tables are named in `migrations/`, one frozen file per version; row types
//! stay with the part that owns the table. WAL with `synchronous = FULL`: what a transaction committed survives
//! `kill -9` and power loss, which the promises about money and served relays rest on.

mod beside;

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

mod migrate;
mod problems;
pub mod stored;
pub mod testing;

use hearth_base::{ChainId, Failure, Kind};
pub use problems::Problems;
pub use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

/// Connections that are open at once. SQLite has one writer; the others read.
const MAX_CONNECTIONS: u32 = 8;
/// How long a statement waits for the one writer before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the database lies and what it belongs to.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file; its folder must exist.
    pub path: PathBuf,
    /// The chain that the data belongs to. A database of another chain is refused.
    pub chain_id: ChainId,
    /// The most pages of 4096 bytes the file may grow to; `None` leaves it to the disk.
    pub max_pages: Option<u32>,
}

/// Whether a statement failed because the disk is full, or the database at its size limit.
#[must_use]
pub fn is_disk_full(error: &sqlx::Error) -> bool {
    /// SQLite's `SQLITE_FULL`.
    const FULL: &str = "13";
    error
        .as_database_error()
        .and_then(|error| error.code())
        .as_deref()
        == Some(FULL)
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database {path} cannot be opened: is its folder there, and may this user write to it?")]
    Open {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    #[error(
        "the database {path} is damaged, or no database: bring a backup back (hearth restore) into a new --data-dir, or put \
         the newest {path}.before-* in its place; nothing was changed"
    )]
    Damaged {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    #[error(
        "the database {path} was written by {by} in form {found}, and Hearth {here} reads up to form {known}: start that \
         Hearth again, or put one of the copies {path}.before-* in its place to go on from before; nothing was changed",
        here = migrate::VERSION
    )]
    Newer {
        path: PathBuf,
        by: String,
        found: i64,
        known: i64,
    },
    #[error(
        "the database {path} is to be brought to a new form, and the copy {copy} that is kept of it cannot be made: free \
         as much room there as the database takes; nothing was changed"
    )]
    NoCopy {
        path: PathBuf,
        copy: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    #[error(
        "the database {path} cannot be brought to the form of this Hearth: it is as it was; start the Hearth that wrote \
         it, or restore a backup"
    )]
    Migrate {
        path: PathBuf,
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    #[error(
        "the data in {path} belongs to chain \"{found}\", not to \"{wanted}\": choose another --data-dir for this network"
    )]
    OtherChain {
        path: PathBuf,
        found: ChainId,
        wanted: ChainId,
    },
    #[error("the database {path} does not answer")]
    Query {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
}

impl Failure for Error {
    fn kind(&self) -> Kind {
        Kind::Stop
    }
}

/// The open database. Clones share the connections.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
    path: PathBuf,
    problems: Problems,
}

impl Store {
    /// Opens the database, creates it where there is none, and brings it to this version.
    ///
    /// A crash inside a migration leaves the former version: each one is a transaction. A copy is kept besides.
    ///
    /// # Errors
    /// A file that cannot be opened, is no database, comes from a newer Hearth or belongs to another chain.
    pub async fn open(config: Config) -> Result<Store, Error> {
        let path = config.path;
        let open = |source| {
            let path = path.clone();
            if is_damage(&source) {
                Error::Damaged { path, source }
            } else {
                Error::Open { path, source }
            }
        };
        let options = SqliteConnectOptions::from_str("sqlite:")
            .map_err(open)?
            .filename(&path)
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let options = match config.max_pages {
            Some(pages) => options.pragma("max_page_count", pages.to_string()),
            None => options,
        };
        let pool = SqlitePoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .connect_with(options)
            .await
            .map_err(open)?;
        migrate::run(&pool, &path).await?;
        let store = Store {
            pool,
            path,
            problems: Problems::default(),
        };
        store.belong_to(&config.chain_id).await?;
        Ok(store)
    }

    /// The connections.
    #[must_use]
    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// The folder that the database lies in: on the disk that has room for the data.
    #[must_use]
    pub fn folder(&self) -> &Path {
        // A file lies somewhere.
        self.path.parent().unwrap_or_else(|| Path::new("."))
    }

    /// What was found damaged or unreadable since the start.
    #[must_use]
    pub fn problems(&self) -> &Problems {
        &self.problems
    }

    /// Writes a copy of the database, whole and consistent, to a new file.
    ///
    /// # Errors
    /// A file that is there already, or a full disk.
    pub async fn back_up(&self, to: &Path) -> Result<(), Error> {
        sqlx::query("VACUUM INTO ?")
            .bind(to.to_string_lossy().into_owned())
            .execute(&self.pool)
            .await
            .map_err(|source| self.query_error(source))?;
        Ok(())
    }

    /// How many rows a table has.
    ///
    /// # Errors
    /// A table that is not there, a database that cannot be read.
    pub async fn count(&self, table: &'static str) -> Result<u64, Error> {
        let query = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let count: i64 = sqlx::query_scalar(query)
            .fetch_one(&self.pool)
            .await
            .map_err(|source| self.query_error(source))?;
        Ok(count.cast_unsigned())
    }

    /// Waits for all statements and closes the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Writes the chain id into a new database, compares it in an old one; and notes which Hearth has it now.
    async fn belong_to(&self, wanted: &ChainId) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO belonging (one, chain_id, written_by) VALUES (1, ?, ?) ON CONFLICT (one) DO NOTHING",
        )
        .bind(wanted.as_str())
        .bind(migrate::VERSION)
        .execute(&self.pool)
        .await
        .map_err(|source| self.query_error(source))?;
        let found: String = sqlx::query_scalar("SELECT chain_id FROM belonging")
            .fetch_one(&self.pool)
            .await
            .map_err(|source| self.query_error(source))?;
        if found != wanted.as_str() {
            return Err(Error::OtherChain {
                path: self.path.clone(),
                found: found.into(),
                wanted: wanted.clone(),
            });
        }
        sqlx::query("UPDATE belonging SET written_by = ?1 WHERE written_by <> ?1")
            .bind(migrate::VERSION)
            .execute(&self.pool)
            .await
            .map_err(|source| self.query_error(source))?;
        Ok(())
    }

    fn query_error(&self, source: sqlx::Error) -> Error {
        Error::query(&self.path, source)
    }
}

impl Error {
    fn query(path: &Path, source: sqlx::Error) -> Error {
        let path = path.to_owned();
        if is_damage(&source) {
            Error::Damaged { path, source }
        } else {
            Error::Query { path, source }
        }
    }
}

/// Whether SQLite says that the file itself is at fault: it is malformed, no database, or shorter than it says.
fn is_damage(error: &sqlx::Error) -> bool {
    const CORRUPT: u32 = 11;
    const NO_DATABASE: u32 = 26;
    const SHORT_READ: u32 = 522;
    let code = error.as_database_error().and_then(|error| error.code());
    let code = code.and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| code == SHORT_READ || matches!(code & 0xff, CORRUPT | NO_DATABASE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(folder: &Path, chain_id: &str) -> Config {
        Config {
            path: folder.join("hearth.db"),
            chain_id: chain_id.into(),
            max_pages: None,
        }
    }

    #[tokio::test]
    async fn a_database_of_another_chain_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        Store::open(config(folder.path(), "one"))
            .await
            .unwrap()
            .close()
            .await;
        let error = Store::open(config(folder.path(), "two")).await.unwrap_err();
        assert!(matches!(error, Error::OtherChain { .. }));
        assert!(error.to_string().contains("--data-dir"), "{error}");
    }

    #[tokio::test]
    async fn rubbish_is_no_database() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("hearth.db"), vec![7_u8; 8192]).unwrap();
        let error = Store::open(config(folder.path(), "one")).await.unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_database_that_was_cut_short_is_called_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), "one");
        Store::open(config.clone()).await.unwrap().close().await;
        let whole = std::fs::read(&config.path).unwrap();
        for part in [5000, whole.len() / 2] {
            std::fs::write(&config.path, &whole[..part]).unwrap();
            let error = Store::open(config.clone()).await.unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains("damaged") && text.contains("backup"),
                "{part}: {error:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_backup_opens_and_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(config(folder.path(), "one")).await.unwrap();
        let copy = folder.path().join("copy").join("hearth.db");
        std::fs::create_dir(copy.parent().unwrap()).unwrap();
        store.back_up(&copy).await.unwrap();
        assert!(store.back_up(&copy).await.is_err());
        Store::open(config(copy.parent().unwrap(), "one")).await.unwrap();
    }

    #[tokio::test]
    async fn a_full_file_is_an_error_and_keeps_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        Store::open(config(folder.path(), "one"))
            .await
            .unwrap()
            .close()
            .await;
        let full = Config {
            max_pages: Some(1),
            ..config(folder.path(), "one")
        };
        let store = Store::open(full).await.unwrap();
        let grown = sqlx::query("CREATE TABLE big AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) SELECT i FROM n")
            .execute(store.pool())
            .await;
        assert!(grown.is_err());
        let chain: String = sqlx::query_scalar("SELECT chain_id FROM belonging")
            .fetch_one(store.pool())
            .await
            .unwrap();
        assert_eq!(chain, "one");
    }
}

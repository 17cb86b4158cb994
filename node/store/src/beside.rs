//! Looking at a database that another process may be using, without opening it as one's own.

use std::path::Path;

use hearth_base::ChainId;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{BUSY_TIMEOUT, Error, Store};

impl Store {
    /// The chain that the database at `path` belongs to, without bringing it to this version. `None` where there is
    /// no database, or none that says it.
    pub async fn chain_of(path: &Path) -> Option<ChainId> {
        let mut connection = read_only(path).await.ok()?;
        let found: Result<String, sqlx::Error> = sqlx::query_scalar("SELECT chain_id FROM belonging")
            .fetch_one(&mut connection)
            .await;
        let _ = connection.close().await;
        found.ok().map(ChainId::from)
    }

    /// Whether SQLite finds nothing wrong with the database at `path`.
    pub async fn is_whole(path: &Path) -> bool {
        let Ok(mut connection) = read_only(path).await else {
            return false;
        };
        let said: Result<String, sqlx::Error> = sqlx::query_scalar("PRAGMA quick_check(1)")
            .fetch_one(&mut connection)
            .await;
        let _ = connection.close().await;
        said.is_ok_and(|said| said == "ok")
    }

    /// Writes a copy of the database at `path`, whole and consistent, to a new file.
    ///
    /// # Errors
    /// No database at `path`, a file that is there already, or a full disk.
    pub async fn copy(path: &Path, to: &Path) -> Result<(), Error> {
        let failed = |source| Error::Query {
            path: path.to_owned(),
            source,
        };
        let mut connection = read_only(path).await.map_err(failed)?;
        let done = sqlx::query("VACUUM INTO ?")
            .bind(to.to_string_lossy().into_owned())
            .execute(&mut connection)
            .await;
        let _ = connection.close().await;
        done.map(drop).map_err(failed)
    }
}

async fn read_only(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT)
        .connect()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    #[tokio::test]
    async fn an_open_database_is_looked_at_and_copied_by_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hearth.db");
        let config = Config {
            path: path.clone(),
            chain_id: "one".into(),
            max_pages: None,
        };
        let store = Store::open(config.clone()).await.unwrap();
        assert_eq!(Store::chain_of(&path).await, Some("one".into()));
        assert_eq!(Store::chain_of(&folder.path().join("none.db")).await, None);
        assert!(!folder.path().join("none.db").exists());
        let copy = folder.path().join("copy.db");
        Store::copy(&path, &copy).await.unwrap();
        assert!(Store::copy(&path, &copy).await.is_err());
        store.close().await;
        let copied = Config { path: copy, ..config };
        Store::open(copied).await.unwrap();
    }
}

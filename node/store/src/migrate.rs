//! Bringing a database to this version: what is there is copied aside before, and what is newer is refused.
//!
//! Each migration is a transaction of its own, so a crash leaves the former form or the next one. The copy is for what
//! nobody foresaw: it lies beside the database as `hearth.db.before-NNNN`, where NNNN is the first migration that it
//! lacks.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use sqlx::{
    SqlitePool,
    migrate::{MigrateError, Migrator},
};

use crate::{Error, is_damage};

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Copies that are kept.
const KEPT: usize = 3;
/// The version of this program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Brings the database to this version.
pub(crate) async fn run(pool: &SqlitePool, path: &Path) -> Result<(), Error> {
    let failed = |source| Error::query(path, source);
    let applied = applied(pool).await.map_err(failed)?;
    let known = MIGRATIONS.iter().map(|migration| migration.version);
    if let Some(found) = applied
        .iter()
        .find(|version| !MIGRATIONS.version_exists(**version))
    {
        return Err(Error::Newer {
            path: path.to_owned(),
            by: written_by(pool).await,
            found: *applied.last().unwrap_or(found),
            known: known.max().unwrap_or_default(),
        });
    }
    let first = known.filter(|version| !applied.contains(version)).min();
    if let (Some(first), false) = (first, applied.is_empty()) {
        copy_aside(pool, path, first).await?;
    }
    MIGRATIONS
        .run(pool)
        .await
        .map_err(|source| not_migrated(path, source))
}

fn not_migrated(path: &Path, source: MigrateError) -> Error {
    let path = path.to_owned();
    if let MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) = source {
        return if is_damage(&source) {
            Error::Damaged { path, source }
        } else {
            Error::Migrate {
                path,
                source: MigrateError::Execute(source),
            }
        };
    }
    Error::Migrate { path, source }
}

/// The migrations that the database has, in order; none in a new one.
async fn applied(pool: &SqlitePool) -> Result<Vec<i64>, sqlx::Error> {
    let is_new = sqlx::query("SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations'")
        .fetch_optional(pool)
        .await?
        .is_none();
    if is_new {
        return Ok(Vec::new());
    }
    sqlx::query_scalar("SELECT version FROM _sqlx_migrations ORDER BY version")
        .fetch_all(pool)
        .await
}

/// The program that wrote a database which this one does not know; it may call itself in another way by then.
async fn written_by(pool: &SqlitePool) -> String {
    let version: Result<String, _> = sqlx::query_scalar("SELECT written_by FROM belonging")
        .fetch_one(pool)
        .await;
    match version {
        Ok(version) if !version.is_empty() => format!("Hearth {version}"),
        Ok(_) | Err(_) => "a newer Hearth".to_owned(),
    }
}

/// Keeps the database as it is, whole and durable, before migration `first` changes it.
async fn copy_aside(pool: &SqlitePool, path: &Path, first: i64) -> Result<(), Error> {
    let copy = aside(path, &format!("{first:04}"));
    let part = aside(path, "part");
    let failed = |source: sqlx::Error| Error::NoCopy {
        path: path.to_owned(),
        copy: copy.clone(),
        source,
    };
    remove(&part).map_err(|error| failed(error.into()))?;
    let made = sqlx::query("VACUUM INTO ?")
        .bind(part.to_string_lossy().into_owned())
        .execute(pool)
        .await;
    if let Err(error) = made {
        // What there is of it takes room that somebody else may need; the error says more than this one's would.
        let _ = remove(&part);
        return Err(failed(error));
    }
    put_in_place(&part, &copy).map_err(|error| failed(error.into()))?;
    tracing::info!(copy = %copy.display(), "the database is brought to a new form; the former one is kept");
    if let Err(error) = drop_old(path) {
        tracing::warn!(%error, "old copies of the database could not be deleted");
    }
    Ok(())
}

fn put_in_place(part: &Path, copy: &Path) -> io::Result<()> {
    File::open(part)?.sync_all()?;
    fs::rename(part, copy)?;
    #[cfg(unix)]
    if let Some(folder) = copy.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Deletes all copies but the newest.
fn drop_old(path: &Path) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Ok(());
    };
    let mut copies = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?.file_name();
        let number = entry.to_str().and_then(|entry| {
            entry
                .strip_prefix(name)?
                .strip_prefix(".before-")?
                .parse::<i64>()
                .ok()
        });
        copies.extend(number.map(|number| (number, folder.join(entry))));
    }
    copies.sort_unstable();
    let n_old = copies.len().saturating_sub(KEPT);
    for (_, old) in copies.drain(..n_old) {
        fs::remove_file(old)?;
    }
    Ok(())
}

fn aside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".before-{what}"));
    name.into()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;

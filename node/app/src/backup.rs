//! Backups: database, keys and configuration of a data directory, copied into a folder and back.
//!
//! Evidence and models stay out. A session's evidence that is brought back older than what was claimed from it would
//! be claimed twice; without it the session is skipped. Models are found again by their CID.

mod guesses;
mod make;
mod rehearse;
mod restore;
mod sealed;
#[cfg(test)]
mod tests;

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

pub(crate) use guesses::{Guesses, Refused};
pub use make::{back_up, back_up_sealed};
pub use rehearse::{Rehearsal, rehearse};
pub use restore::{Restored, restore_any};
pub use sealed::SealError;

use serde::{Deserialize, Serialize};

use crate::data_dir::{DataDirError, Layout};

/// The form of a backup that this version writes and reads.
const VERSION: u32 = 1;
/// The file that says what a folder is.
const HEAD: &str = "backup.json";
/// The name of the configuration in it, wherever that lay.
const CONFIG: &str = "config.toml";

/// What lies in `backup.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    pub version: u32,
    pub hearth: String,
    pub chain_id: String,
    pub made_at_ms: i64,
    /// Where the configuration lay that is in it; `None` where there was none. Earlier versions did not say.
    #[serde(default)]
    pub config: Option<String>,
    /// What is in the folder, by path.
    pub files: Vec<PathBuf>,
}

/// Why there is no backup, or why it is not brought back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("there is nothing to copy in {0}: it has no database; name the right --data-dir")]
    Nothing(PathBuf),
    #[error("{0} is there already: a backup goes into a new folder")]
    Exists(PathBuf),
    #[error("{path} is no backup of Hearth ({why}): name the folder that `hearth backup` made")]
    NoBackup { path: PathBuf, why: String },
    #[error("{path} is a damaged backup of Hearth ({why}): take another backup; nothing was changed")]
    Damaged { path: PathBuf, why: String },
    #[error(
        "{path} has the form {found} and this Hearth knows {VERSION}: bring it back with the newer Hearth that made it"
    )]
    Newer { path: PathBuf, found: u32 },
    #[error("{0} has data already, and nothing was changed: name another --data-dir, or move it away first")]
    HasData(PathBuf),
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("{path}: {source}")]
    Sealed {
        path: PathBuf,
        #[source]
        source: SealError,
    },
    #[error("{0} is sealed: it takes the passphrase that was chosen when it was made")]
    NeedsPassphrase(PathBuf),
    #[error(
        "{0} is a link that leads to no file: without it the keys would be missing; mend it, or remove it"
    )]
    BrokenLink(PathBuf),
    #[error("the database cannot be copied")]
    Store(#[from] hearth_store::Error),
    #[error("{path} cannot be copied: is there room, and may this user write there?")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl BackupError {
    /// The same of the backup that was named, where that was unpacked first.
    fn of(self, from: &Path) -> BackupError {
        let path = from.to_owned();
        match self {
            BackupError::NoBackup { why, .. } => BackupError::NoBackup { path, why },
            BackupError::Damaged { why, .. } => BackupError::Damaged { path, why },
            BackupError::Newer { found, .. } => BackupError::Newer { path, found },
            error @ (BackupError::Nothing(_)
            | BackupError::Exists(_)
            | BackupError::HasData(_)
            | BackupError::DataDir(_)
            | BackupError::Sealed { .. }
            | BackupError::NeedsPassphrase(_)
            | BackupError::BrokenLink(_)
            | BackupError::Store(_)
            | BackupError::File { .. }) => error,
        }
    }

    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            BackupError::Nothing(_) => "nothing_to_copy",
            BackupError::Exists(_) => "backup_exists",
            BackupError::NoBackup { .. } => "no_backup",
            BackupError::Damaged { .. } => "backup_damaged",
            BackupError::Newer { .. } => "newer_backup",
            BackupError::HasData(_) => "has_data",
            BackupError::DataDir(DataDirError::Taken { .. }) => "data_dir_taken",
            BackupError::DataDir(DataDirError::Restoring(_)) => "restore_interrupted",
            BackupError::DataDir(_) => "data_dir_unusable",
            BackupError::Sealed { .. } => "backup_sealed",
            BackupError::NeedsPassphrase(_) => "passphrase_needed",
            BackupError::BrokenLink(_) => "broken_link",
            BackupError::Store(_) => "database",
            BackupError::File { .. } => "unwritable",
        }
    }
}

/// Whether a backup takes a passphrase.
#[must_use]
pub fn is_sealed(from: &Path) -> bool {
    sealed::is_sealed(from)
}

/// The files of the keystore. Links are followed: what they lead to is a key all the same.
fn keys(layout: &Layout) -> Result<Vec<PathBuf>, BackupError> {
    let keystore = layout.keystore();
    let mut files = Vec::new();
    let entries = match fs::read_dir(&keystore) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(in_file(&keystore)(error)),
    };
    for entry in entries {
        let path = entry.map_err(in_file(&keystore))?.path();
        match fs::metadata(&path) {
            Ok(about) if about.is_file() => files.push(path),
            Ok(_) => {}
            Err(_) if path.is_symlink() => return Err(BackupError::BrokenLink(path)),
            // It went away meanwhile: what is written whole is put in place under another name.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(in_file(&path)(error)),
        }
    }
    files.sort();
    Ok(files)
}

fn name_in(layout: &Layout, path: &Path) -> PathBuf {
    path.strip_prefix(layout.root()).unwrap_or(path).to_owned()
}

/// Whether a name leads to something below the folder that it is joined to.
fn is_inside(name: &Path) -> bool {
    name.components().all(|part| matches!(part, Component::Normal(_)))
}

fn in_file(path: &Path) -> impl FnOnce(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    |source| BackupError::File { path, source }
}

/// The name under which a file is copied before it is put in place. A data directory is not taken for somebody else's
/// because of it.
fn fresh(to: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(to.file_name().unwrap_or_default());
    name.push(".new");
    to.with_file_name(name)
}

/// Copies a file of some kilobytes or a database, readable by its owner alone, whole or not at all.
fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    let fresh = fresh(to);
    // What a crash left may have been opened to others since.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(in_file(&fresh)(error)),
        Ok(()) | Err(_) => {}
    }
    let copied = fs::copy(from, &fresh).and_then(|_| {
        hide(&fresh)?;
        fs::File::open(&fresh)?.sync_all()?;
        fs::rename(&fresh, to)
    });
    copied.map_err(|source| {
        let _ = fs::remove_file(&fresh);
        in_file(from)(source)
    })
}

#[cfg(unix)]
fn hide(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn hide(_path: &Path) -> io::Result<()> {
    Ok(())
}

//! Backups: database, keys and configuration of a data directory, copied into a folder and back.
//!
//! Evidence and models stay out. A session's evidence that is brought back older than what was claimed from it would
//! be claimed twice; without it the session is skipped. Models are found again by their CID.

mod rehearse;
mod sealed;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

pub use rehearse::{Rehearsal, rehearse};
pub use sealed::SealError;

use hearth_base::{
    Clock, Secret,
    private::{create_private_folder, write_private},
};
use hearth_store::Store;
use serde::{Deserialize, Serialize};

use crate::{
    data_dir::{DataDir, DataDirError, Layout},
    network::DEVNET_CHAIN_ID,
};

/// The form of a backup that this version writes and reads.
const VERSION: u32 = 1;
/// The file that says what a folder is.
const HEAD: &str = "backup.json";

/// What lies in `backup.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    pub version: u32,
    pub hearth: String,
    pub chain_id: String,
    pub made_at_ms: i64,
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
    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            BackupError::Nothing(_) => "nothing_to_copy",
            BackupError::Exists(_) => "backup_exists",
            BackupError::NoBackup { .. } => "no_backup",
            BackupError::Newer { .. } => "newer_backup",
            BackupError::HasData(_) => "has_data",
            BackupError::DataDir(DataDirError::Taken { .. }) => "data_dir_taken",
            BackupError::DataDir(_) => "data_dir_unusable",
            BackupError::Sealed { .. } => "backup_sealed",
            BackupError::NeedsPassphrase(_) => "passphrase_needed",
            BackupError::Store(_) => "database",
            BackupError::File { .. } => "unwritable",
        }
    }
}

/// Copies what cannot be fetched again into the new folder `to`. A node may be running.
///
/// # Errors
/// A data directory without a database, a folder that is there already, a full disk.
pub async fn back_up(layout: &Layout, to: &Path) -> Result<Backup, BackupError> {
    if !layout.database().exists() {
        return Err(BackupError::Nothing(layout.root().to_owned()));
    }
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    // The folder itself is made, those above it are not: a disk that is not there must not become a folder.
    let above = to.parent().filter(|above| !above.as_os_str().is_empty());
    if let Some(above) = above.filter(|above| !above.is_dir()) {
        let source = io::Error::from(io::ErrorKind::NotFound);
        let path = above.to_owned();
        return Err(BackupError::File { path, source });
    }
    make_folder(&to.join("keystore"))?;
    let target = Layout::of(to);
    Store::copy(&layout.database(), &target.database()).await?;
    let chain_id = Store::chain_of(&target.database()).await;
    let chain_id = chain_id.ok_or_else(|| BackupError::Nothing(layout.root().to_owned()))?;
    let mut files = vec![name_in(&target, &target.database())];
    if chain_id.as_str() == DEVNET_CHAIN_ID && layout.devnet_database().exists() {
        Store::copy(&layout.devnet_database(), &target.devnet_database()).await?;
        files.push(name_in(&target, &target.devnet_database()));
    }
    for path in private_files(layout)? {
        let name = name_in(layout, &path);
        copy(&path, &to.join(&name))?;
        files.push(name);
    }
    for database in [target.database(), target.devnet_database()] {
        if database.exists() {
            hide(&database).map_err(|source| BackupError::File {
                path: database.clone(),
                source,
            })?;
        }
    }
    let head = Backup {
        version: VERSION,
        hearth: env!("CARGO_PKG_VERSION").to_owned(),
        chain_id: chain_id.to_string(),
        made_at_ms: Clock::system().now_ms(),
        files,
    };
    // Last: a folder without it is no backup.
    let path = to.join(HEAD);
    let text = serde_json::to_vec_pretty(&head).map_err(io::Error::other);
    text.and_then(|text| write_private(&path, &text))
        .map_err(|source| BackupError::File { path, source })?;
    Ok(head)
}

/// The same into the new file `to`, which the passphrase opens. What lies open on the way is in the data directory, whose
/// files are as open, and is gone at the end.
///
/// # Errors
/// As [`back_up`].
pub async fn back_up_sealed(layout: &Layout, to: &Path, passphrase: &Secret) -> Result<Backup, BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let failed = |path: &Path, source| BackupError::File {
        path: path.to_owned(),
        source,
    };
    let scratch = tempfile::Builder::new()
        .prefix(".backup-")
        .tempdir_in(layout.root())
        .map_err(|source| failed(layout.root(), source))?;
    let folder = scratch.path().join("copy");
    let made = back_up(layout, &folder).await?;
    let mut files = made.files.clone();
    files.push(HEAD.into());
    let mut fresh = to.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    let _ = fs::remove_file(&fresh);
    let (target, key) = (fresh.clone(), passphrase.clone());
    let sealing = tokio::task::spawn_blocking(move || {
        sealed::seal(&folder, &files, &target, &key, sealed::Cost::STRONG)
    });
    let sealed = sealing
        .await
        .map_err(|error| failed(to, io::Error::other(error)))?;
    let placed = match sealed {
        Ok(()) => fs::rename(&fresh, to).map_err(|source| failed(to, source)),
        Err(source) => Err(BackupError::Sealed {
            path: to.to_owned(),
            source,
        }),
    };
    placed.inspect_err(|_| {
        let _ = fs::remove_file(&fresh);
    })?;
    Ok(made)
}

/// A backup as a folder: itself, or what a sealed one was unpacked into below `scratch`.
async fn open(from: &Path, passphrase: Option<&Secret>, scratch: &Path) -> Result<PathBuf, BackupError> {
    if !sealed::is_sealed(from) {
        return Ok(from.to_owned());
    }
    let Some(passphrase) = passphrase.cloned() else {
        return Err(BackupError::NeedsPassphrase(from.to_owned()));
    };
    let into = scratch.join("unsealed");
    make_folder(&into)?;
    let (file, folder) = (from.to_owned(), into.clone());
    let opened = tokio::task::spawn_blocking(move || sealed::unseal(&file, &folder, &passphrase)).await;
    let opened = opened.map_err(|error| BackupError::File {
        path: from.to_owned(),
        source: io::Error::other(error),
    })?;
    opened.map_err(|source| BackupError::Sealed {
        path: from.to_owned(),
        source,
    })?;
    Ok(into)
}

/// Whether a backup takes a passphrase.
#[must_use]
pub fn is_sealed(from: &Path) -> bool {
    sealed::is_sealed(from)
}

/// Brings a backup back, sealed or not, as [`restore`] does.
///
/// # Errors
/// A wrong passphrase, a changed file, and what [`restore`] refuses.
pub async fn restore_any(
    layout: &Layout,
    from: &Path,
    passphrase: Option<&Secret>,
) -> Result<Backup, BackupError> {
    let above = layout.root().parent().unwrap_or(layout.root());
    let above = if above.is_dir() {
        above.to_owned()
    } else {
        std::env::temp_dir()
    };
    let scratch = tempfile::tempdir_in(&above).map_err(|source| BackupError::File {
        path: above.clone(),
        source,
    })?;
    restore(layout, &open(from, passphrase, scratch.path()).await?).await
}

/// Brings the backup in `from` back into a data directory that has neither database nor keys.
///
/// # Errors
/// A folder that is no backup, a data directory that has data or whose node runs.
pub(crate) async fn restore(layout: &Layout, from: &Path) -> Result<Backup, BackupError> {
    let no_backup = |why: String| BackupError::NoBackup {
        path: from.to_owned(),
        why,
    };
    let text = fs::read(from.join(HEAD)).map_err(|error| no_backup(format!("{HEAD}: {error}")))?;
    let head: Backup =
        serde_json::from_slice(&text).map_err(|error| no_backup(format!("{HEAD}: {error}")))?;
    if head.version > VERSION {
        return Err(BackupError::Newer {
            path: from.to_owned(),
            found: head.version,
        });
    }
    let source = Layout::of(from);
    if Store::chain_of(&source.database()).await.map(|id| id.to_string()) != Some(head.chain_id.clone()) {
        return Err(no_backup(
            "its database is missing or of another chain".to_owned(),
        ));
    }
    is_whole(&head, &source).await.map_err(no_backup)?;
    // Taken while files are copied: no node may begin in between.
    let data_dir = DataDir::open(layout.root())?;
    let layout = data_dir.layout();
    let has_keys = fs::read_dir(layout.keystore()).is_ok_and(|mut entries| entries.next().is_some());
    if layout.database().exists() || layout.devnet_database().exists() || has_keys {
        return Err(BackupError::HasData(layout.root().to_owned()));
    }
    let mut files = private_files(&source)?;
    files.extend(Some(source.devnet_database()).filter(|path| path.exists()));
    // Last: a directory that has it counts as whole.
    files.push(source.database());
    // What a database that is gone left beside it would be taken for the new one's.
    for database in [layout.database(), layout.devnet_database()] {
        for beside in ["-wal", "-shm"] {
            let mut left = database.clone().into_os_string();
            left.push(beside);
            let _ = fs::remove_file(left);
        }
    }
    // All or nothing, so that it can be tried again; what was there before stays.
    let mut made = Vec::new();
    for path in files {
        let to = layout.root().join(name_in(&source, &path));
        if !to.exists() {
            made.push(to.clone());
        }
        if let Err(error) = copy(&path, &to) {
            for path in made {
                let _ = fs::remove_file(path);
            }
            return Err(error);
        }
    }
    Ok(head)
}

/// Whether a backup has all its files, and they can be read. Says what is wrong with it otherwise.
async fn is_whole(head: &Backup, source: &Layout) -> Result<(), String> {
    for name in &head.files {
        if !source.root().join(name).is_file() {
            return Err(format!("{} is missing in it", name.display()));
        }
    }
    for database in [source.database(), source.devnet_database()] {
        if database.exists() && !Store::is_whole(&database).await {
            return Err(format!("{} is damaged", name_in(source, &database).display()));
        }
    }
    let keys = hearth_wallet::Config {
        folder: source.keystore(),
        cost: hearth_wallet::Cost::STRONG,
    };
    match hearth_wallet::Wallet::open(keys, Clock::system()) {
        Ok(_) => Ok(()),
        Err(error) => Err(hearth_base::failure::chain(&error)),
    }
}

/// The configuration and the files of the keystore. Links are left where they are.
fn private_files(layout: &Layout) -> Result<Vec<PathBuf>, BackupError> {
    let failed = |source| BackupError::File {
        path: layout.keystore(),
        source,
    };
    let mut files = Vec::new();
    if layout.config().is_file() {
        files.push(layout.config());
    }
    let entries = match fs::read_dir(layout.keystore()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn name_in(layout: &Layout, path: &Path) -> PathBuf {
    path.strip_prefix(layout.root()).unwrap_or(path).to_owned()
}

fn make_folder(path: &Path) -> Result<(), BackupError> {
    create_private_folder(path).map_err(|source| BackupError::File {
        path: path.to_owned(),
        source,
    })
}

/// Copies a file of some kilobytes or a database, readable by its owner alone, whole or not at all.
fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    let fresh = to.with_extension("new");
    let copied = fs::copy(from, &fresh).and_then(|_| {
        hide(&fresh)?;
        fs::File::open(&fresh)?.sync_all()?;
        fs::rename(&fresh, to)
    });
    copied.map_err(|source| {
        let _ = fs::remove_file(&fresh);
        BackupError::File {
            path: from.to_owned(),
            source,
        }
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

#[cfg(test)]
mod tests {
    use hearth_wallet::{Config, Cost, Wallet};

    use super::*;

    async fn data(folder: &Path) -> (DataDir, Store, Wallet) {
        let data_dir = DataDir::open(folder).unwrap();
        let layout = data_dir.layout();
        let store = Store::open(hearth_store::Config {
            path: layout.database(),
            chain_id: "pocket".into(),
            max_pages: None,
        })
        .await
        .unwrap();
        let config = Config {
            folder: layout.keystore(),
            cost: Cost::PLAY,
        };
        (data_dir, store, Wallet::open(config, Clock::system()).unwrap())
    }

    #[tokio::test]
    async fn what_was_backed_up_while_a_node_runs_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("data"), folder.path().join("copy"));
        let (held, store, wallet) = data(&path).await;
        wallet.create("correct horse").unwrap();
        fs::write(held.layout().config(), "stop_within_s = 20\n").unwrap();
        let head = back_up(&held.layout(), &copy).await.unwrap();
        assert_eq!(head.chain_id, "pocket");
        assert!(matches!(
            back_up(&held.layout(), &copy).await,
            Err(BackupError::Exists(_))
        ));
        // The running node holds its directory, and one with data is not written over.
        assert!(matches!(
            restore(&held.layout(), &copy).await,
            Err(BackupError::DataDir(DataDirError::Taken { .. }))
        ));
        let layout = held.layout();
        store.close().await;
        drop(held);
        assert!(matches!(
            restore(&layout, &copy).await,
            Err(BackupError::HasData(_))
        ));

        let other = folder.path().join("other");
        assert_eq!(restore(&Layout::of(&other), &copy).await.unwrap(), head);
        let (held, _store, again) = data(&other).await;
        assert_eq!(again.accounts(), wallet.accounts());
        again.unlock("correct horse").unwrap();
        assert!(held.layout().config().exists());
        #[cfg(unix)]
        for file in ["hearth.db", "keystore/wallet.json"] {
            use std::os::unix::fs::PermissionsExt as _;
            for folder in [&copy, &other] {
                let mode = fs::metadata(folder.join(file)).unwrap().permissions().mode();
                assert_eq!(mode & 0o077, 0, "{file}");
            }
        }
    }

    #[tokio::test]
    async fn a_sealed_backup_is_rehearsed_without_touching_data_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("data"), folder.path().join("node.hearth"));
        let (held, store, wallet) = data(&path).await;
        wallet.create("correct horse").unwrap();
        let passphrase = Secret::from("battery staple");
        let made = back_up_sealed(&held.layout(), &copy, &passphrase).await.unwrap();
        assert!(is_sealed(&copy));
        // Nothing that lay open stays.
        let left = fs::read_dir(&path).unwrap().filter_map(Result::ok);
        assert!(
            left.into_iter()
                .all(|entry| !entry.file_name().to_string_lossy().starts_with(".backup-"))
        );
        let before = fs::read(held.layout().keystore().join("wallet.json")).unwrap();
        let (right, wrong) = (Secret::from("correct horse"), Secret::from("wrong horse"));
        let tested = rehearse(&copy, Some(&passphrase), Some(&right)).await.unwrap();
        assert_eq!(tested.backup, made);
        let owner = wallet.address(hearth_wallet::Purpose::Owner);
        assert_eq!(tested.wallet, owner.map(|owner| owner.to_string()));
        assert_eq!(tested.password_opens, Some(true));
        let tested = rehearse(&copy, Some(&passphrase), Some(&wrong)).await.unwrap();
        assert_eq!(tested.password_opens, Some(false));
        assert!(matches!(
            rehearse(&copy, None, None).await,
            Err(BackupError::NeedsPassphrase(_))
        ));
        assert!(matches!(
            rehearse(&copy, Some(&wrong), None).await,
            Err(BackupError::Sealed {
                source: SealError::Wrong,
                ..
            })
        ));
        assert_eq!(
            fs::read(held.layout().keystore().join("wallet.json")).unwrap(),
            before
        );
        assert!(matches!(
            back_up_sealed(&held.layout(), &copy, &passphrase).await,
            Err(BackupError::Exists(_))
        ));
        store.close().await;
        let other = Layout::of(&folder.path().join("other"));
        assert_eq!(restore_any(&other, &copy, Some(&passphrase)).await.unwrap(), made);
        let (_held, _store, again) = data(other.root()).await;
        again.unlock("correct horse").unwrap();
    }

    #[tokio::test]
    async fn what_is_no_backup_is_refused_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::of(&folder.path().join("data"));
        assert!(matches!(
            back_up(&layout, &folder.path().join("copy")).await,
            Err(BackupError::Nothing(_))
        ));
        for head in ["", "{}", "[]", "\u{feff}{"] {
            fs::write(folder.path().join(HEAD), head).unwrap();
            let error = restore(&layout, folder.path()).await.unwrap_err();
            assert!(matches!(error, BackupError::NoBackup { .. }), "{error}");
        }
        let newer = r#"{"version": 2, "hearth": "9", "chain_id": "pocket", "made_at_ms": 0, "files": []}"#;
        fs::write(folder.path().join(HEAD), newer).unwrap();
        assert!(matches!(
            restore(&layout, folder.path()).await,
            Err(BackupError::Newer { .. })
        ));
        assert!(!layout.root().exists());
    }

    #[tokio::test]
    async fn a_backup_that_is_not_whole_is_refused_and_what_failed_can_be_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy");
        let (held, store, wallet) = data(&folder.path().join("data")).await;
        wallet.create("correct horse").unwrap();
        back_up(&held.layout(), &copy).await.unwrap();
        store.close().await;
        let target = Layout::of(&folder.path().join("other"));
        let refused = async |why: &str| {
            let error = restore(&target, &copy).await.unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        };
        let keys = copy.join("keystore").join("wallet.json");
        let whole = fs::read(&keys).unwrap();
        fs::write(&keys, &whole[..whole.len() / 2]).unwrap();
        refused("wallet.json").await;
        fs::remove_file(&keys).unwrap();
        refused("wallet.json is missing").await;
        fs::write(&keys, &whole).unwrap();
        let database = copy.join("hearth.db");
        let bytes = fs::read(&database).unwrap();
        let mut torn = bytes.clone();
        torn[4096..4200].fill(0x5a);
        fs::write(&database, torn).unwrap();
        refused("damaged").await;
        fs::write(&database, bytes).unwrap();

        // A folder in the place of the last file: nothing of what was copied stays, and what was there before does.
        fs::create_dir_all(target.root().join("hearth.new")).unwrap();
        fs::write(target.config(), "stop_within_s = 20\n").unwrap();
        assert!(restore(&target, &copy).await.is_err());
        assert!(target.config().exists());
        assert!(!target.keystore().join("wallet.json").exists());
        fs::remove_dir(target.root().join("hearth.new")).unwrap();
        // What an old database left beside it is not taken for the new one's.
        fs::write(target.root().join("hearth.db-wal"), b"of another").unwrap();
        restore(&target, &copy).await.unwrap();
        let (_held, _store, again) = data(target.root()).await;
        assert_eq!(again.accounts(), wallet.accounts());
    }
}

//! Bringing backups back.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use hearth_base::{
    Clock, Secret,
    private::{create_private_folder, write_private},
};
use hearth_store::Store;
use serde::Serialize;

use super::{Backup, BackupError, HEAD, VERSION, copy, fresh, in_file, keys, name_in, sealed};
use crate::data_dir::{DataDir, Layout};
use crate::scratch::Scratch;

/// What was brought back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    #[serde(flatten)]
    pub backup: Backup,
    /// Where the configuration of the backup lies now; `None` where it has none.
    pub config_now: Option<PathBuf>,
    /// Whether that is beside another one, which was there and counts on.
    pub config_kept: bool,
}

/// A backup as a folder: itself, or what a sealed one was unpacked into below `scratch`.
pub(super) async fn open(
    from: &Path,
    passphrase: Option<&Secret>,
    scratch: &Scratch,
) -> Result<PathBuf, BackupError> {
    if !sealed::is_sealed(from) {
        if from.is_file() {
            let why = "it is a file, and no sealed backup".to_owned();
            return Err(BackupError::NoBackup {
                path: from.to_owned(),
                why,
            });
        }
        return Ok(from.to_owned());
    }
    let Some(passphrase) = passphrase.cloned() else {
        return Err(BackupError::NeedsPassphrase(from.to_owned()));
    };
    let into = scratch.path().join("unsealed");
    create_private_folder(&into).map_err(in_file(&into))?;
    let (file, folder) = (from.to_owned(), into.clone());
    let opened = tokio::task::spawn_blocking(move || sealed::unseal(&file, &folder, &passphrase)).await;
    let opened = opened.map_err(|error| in_file(from)(io::Error::other(error)))?;
    opened.map_err(|source| BackupError::Sealed {
        path: from.to_owned(),
        source,
    })?;
    Ok(into)
}

/// Brings a backup back, sealed or not, into a data directory that has neither database nor keys, or only what an earlier
/// try left there.
///
/// # Errors
/// A wrong passphrase, a changed file, no backup, a data directory that has data or whose node runs.
pub async fn restore_any(
    layout: &Layout,
    from: &Path,
    passphrase: Option<&Secret>,
) -> Result<Restored, BackupError> {
    let above = layout.root().parent().unwrap_or(layout.root());
    let above = if above.is_dir() {
        above.to_owned()
    } else {
        std::env::temp_dir()
    };
    let scratch = Scratch::new_in(&above).map_err(in_file(&above))?;
    let opened = open(from, passphrase, &scratch).await?;
    restore(layout, &opened).await.map_err(|error| error.of(from))
}

/// Brings the backup in the folder `from` back, as [`restore_any`] does.
pub(crate) async fn restore(layout: &Layout, from: &Path) -> Result<Restored, BackupError> {
    let source = Layout::of(from);
    let head = whole_head(&source).await?;
    // Taken while files are copied: no node may begin in between.
    let data_dir = DataDir::open_to_restore(layout.root())?;
    let layout = data_dir.layout();
    clear_interrupted(&layout)?;
    let has_keys = fs::read_dir(layout.keystore()).is_ok_and(|mut entries| entries.next().is_some());
    if layout.database().exists() || layout.devnet_database().exists() || has_keys {
        return Err(BackupError::HasData(layout.root().to_owned()));
    }
    let config = config_target(&layout, &source)?;
    let mut files: Vec<(PathBuf, PathBuf)> = Vec::new();
    files.extend(config.clone().map(|to| (source.config(), to)));
    // The database last: a directory that has it counts as whole.
    let databases = [source.devnet_database(), source.database()];
    let databases = databases.into_iter().filter(|path| path.exists());
    files.extend(keys(&source)?.into_iter().chain(databases).map(|path| {
        let to = layout.root().join(name_in(&source, &path));
        (path, to)
    }));
    // What a database that is gone left beside it would be taken for the new one's.
    for database in [layout.database(), layout.devnet_database()] {
        for beside in ["-wal", "-shm"] {
            let mut left = database.clone().into_os_string();
            left.push(beside);
            let _ = fs::remove_file(left);
        }
    }
    let is_new = |path: &Path| config.as_deref() != Some(path) || !path.exists();
    let made = files.iter().map(|(_, to)| to).filter(|to| is_new(to));
    let made: Vec<PathBuf> = made.map(|to| name_in(&layout, to)).collect();
    let marker = layout.restoring();
    let text = serde_json::to_vec(&made).map_err(io::Error::other);
    text.and_then(|text| write_private(&marker, &text))
        .map_err(in_file(&marker))?;
    // All or nothing, so that it can be tried again; what was there before stays.
    if let Err(error) = copy_all(&layout, &files) {
        clear_interrupted(&layout)?;
        return Err(error);
    }
    fs::remove_file(&marker).map_err(in_file(&marker))?;
    let config_kept = config.as_ref().is_some_and(|to| *to == layout.restored_config());
    let config_now = source
        .config()
        .is_file()
        .then(|| config.unwrap_or(layout.config()));
    Ok(Restored {
        backup: head,
        config_now,
        config_kept,
    })
}

/// What the backup says of itself, once all of it was looked at.
async fn whole_head(source: &Layout) -> Result<Backup, BackupError> {
    let from = source.root();
    let no_backup = |why: String| BackupError::NoBackup {
        path: from.to_owned(),
        why,
    };
    let text = fs::read(from.join(HEAD)).map_err(|error| {
        no_backup(if error.kind() == io::ErrorKind::NotFound {
            format!("it has no {HEAD}")
        } else {
            format!("{HEAD}: {error}")
        })
    })?;
    let head: Backup =
        serde_json::from_slice(&text).map_err(|error| no_backup(format!("{HEAD}: {error}")))?;
    if head.version > VERSION {
        return Err(BackupError::Newer {
            path: from.to_owned(),
            found: head.version,
        });
    }
    is_whole(&head, source)
        .await
        .map_err(|why| BackupError::Damaged {
            path: from.to_owned(),
            why,
        })?;
    Ok(head)
}

/// Whether a backup has all its files, and they can be read. Says what is wrong with it otherwise.
async fn is_whole(head: &Backup, source: &Layout) -> Result<(), String> {
    for name in &head.files {
        if !source.root().join(name).is_file() {
            return Err(format!("{} is missing in it", name.display()));
        }
    }
    if !source.database().is_file() {
        return Err("its database is missing".to_owned());
    }
    for database in [source.database(), source.devnet_database()] {
        if database.exists() && !Store::is_whole(&database).await {
            return Err(format!("{} is damaged", name_in(source, &database).display()));
        }
    }
    let chain = Store::chain_of(&source.database()).await;
    if chain.is_none_or(|chain| chain.to_string() != head.chain_id) {
        return Err(format!("its database is not of the chain {}", head.chain_id));
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

/// Where the configuration of a backup goes; `None` where it has none, or the same one is there. Another one that was
/// prepared stays.
fn config_target(layout: &Layout, source: &Layout) -> Result<Option<PathBuf>, BackupError> {
    if !source.config().is_file() {
        return Ok(None);
    }
    let wanted = fs::read(source.config()).map_err(in_file(&source.config()))?;
    match fs::read(layout.config()) {
        Ok(there) if there == wanted => Ok(None),
        Ok(_) => Ok(Some(layout.restored_config())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Some(layout.config())),
        Err(error) => Err(in_file(&layout.config())(error)),
    }
}

fn copy_all(layout: &Layout, files: &[(PathBuf, PathBuf)]) -> Result<(), BackupError> {
    for (from, to) in files {
        copy(from, to)?;
    }
    // The names must survive a crash before the mark goes.
    #[cfg(unix)]
    for folder in [layout.keystore(), layout.root().to_owned()] {
        let synced = fs::File::open(&folder).and_then(|open| open.sync_all());
        synced.map_err(in_file(&folder))?;
    }
    #[cfg(not(unix))]
    let _ = layout;
    Ok(())
}

/// Removes what a restore that did not end has made, as its mark lists it, and then the mark.
fn clear_interrupted(layout: &Layout) -> Result<(), BackupError> {
    let marker = layout.restoring();
    let text = match fs::read(&marker) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(in_file(&marker)(error)),
    };
    let made: Vec<PathBuf> =
        serde_json::from_slice(&text).map_err(|error| in_file(&marker)(io::Error::other(error)))?;
    for name in made {
        if !super::is_inside(&name) {
            continue;
        }
        let path = layout.root().join(name);
        let _ = fs::remove_file(fresh(&path));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(in_file(&path)(error)),
            Ok(()) | Err(_) => {}
        }
    }
    fs::remove_file(&marker).map_err(in_file(&marker))
}

//! Making backups.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use hearth_base::{Clock, Secret, private::write_private};
use hearth_store::Store;

use super::{Backup, BackupError, CONFIG, HEAD, VERSION, copy, in_file, keys, name_in, sealed};
use crate::{
    data_dir::{DataDirError, Layout},
    network::DEVNET_CHAIN_ID,
    scratch::{Scratch, close_to_others},
};

/// Copies what cannot be fetched again into the new folder `to`, with the configuration `config`, wherever that lies. A
/// node may be running.
///
/// # Errors
/// A data directory without a database, a folder that is there already, a full disk, a key that cannot be read.
pub async fn back_up(layout: &Layout, config: &Path, to: &Path) -> Result<Backup, BackupError> {
    if layout.restoring().exists() {
        return Err(DataDirError::Restoring(layout.root().to_owned()).into());
    }
    if !layout.database().exists() {
        return Err(BackupError::Nothing(layout.root().to_owned()));
    }
    let keys = keys(layout)?;
    // The folder itself is made, those above it are not: a disk that is not there must not become a folder.
    let above = to.parent().filter(|above| !above.as_os_str().is_empty());
    if let Some(above) = above.filter(|above| !above.is_dir()) {
        return Err(in_file(above)(io::ErrorKind::NotFound.into()));
    }
    is_free(to)?;
    // Beside it, and put in place whole: whoever is killed leaves no folder that looks like a backup.
    let above = above.unwrap_or(Path::new("."));
    let scratch = Scratch::new_in(above).map_err(in_file(to))?;
    let folder = scratch.path().join("copy");
    let target = Layout::of(&folder);
    fs::create_dir(&folder)
        .and_then(|()| close_to_others(&folder))
        .and_then(|()| fs::create_dir(target.keystore()))
        .and_then(|()| close_to_others(&target.keystore()))
        .map_err(in_file(to))?;
    let head = fill(layout, config, &keys, &target).await?;
    let path = folder.join(HEAD);
    let text = serde_json::to_vec_pretty(&head).map_err(io::Error::other);
    text.and_then(|text| write_private(&path, &text))
        .map_err(in_file(&path))?;
    is_free(to)?;
    fs::rename(&folder, to).map_err(in_file(to))?;
    Ok(head)
}

/// Refuses a name that is taken; a link that leads nowhere is there, too.
fn is_free(to: &Path) -> Result<(), BackupError> {
    match to.symlink_metadata() {
        Ok(_) => Err(BackupError::Exists(to.to_owned())),
        Err(_) => Ok(()),
    }
}

async fn fill(
    layout: &Layout,
    config: &Path,
    keys: &[PathBuf],
    target: &Layout,
) -> Result<Backup, BackupError> {
    Store::copy(&layout.database(), &target.database()).await?;
    let chain_id = Store::chain_of(&target.database()).await;
    let chain_id = chain_id.ok_or_else(|| BackupError::Nothing(layout.root().to_owned()))?;
    let mut databases = vec![target.database()];
    if chain_id.as_str() == DEVNET_CHAIN_ID && layout.devnet_database().exists() {
        Store::copy(&layout.devnet_database(), &target.devnet_database()).await?;
        databases.push(target.devnet_database());
    }
    for database in &databases {
        super::hide(database).map_err(in_file(database))?;
    }
    let mut files: Vec<PathBuf> = databases.iter().map(|path| name_in(target, path)).collect();
    let config = config.exists().then_some(config);
    if let Some(config) = config {
        copy(config, &target.config())?;
        files.push(CONFIG.into());
    }
    for path in keys {
        let name = name_in(layout, path);
        copy(path, &target.root().join(&name))?;
        files.push(name);
    }
    let config = config.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    Ok(Backup {
        version: VERSION,
        hearth: env!("CARGO_PKG_VERSION").to_owned(),
        chain_id: chain_id.to_string(),
        made_at_ms: Clock::system().now_ms(),
        config: config.map(|path| path.display().to_string()),
        files,
    })
}

/// The same into the new file `to`, which the passphrase opens. What lies open on the way is in the data directory, whose
/// files are as open, and is gone at the end.
///
/// # Errors
/// As [`back_up`].
pub async fn back_up_sealed(
    layout: &Layout,
    config: &Path,
    to: &Path,
    passphrase: &Secret,
) -> Result<Backup, BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let scratch = Scratch::new_in(layout.root()).map_err(in_file(layout.root()))?;
    let folder = scratch.path().join("copy");
    let made = back_up(layout, config, &folder).await?;
    let mut files = made.files.clone();
    files.push(HEAD.into());
    let above = to.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    // A name of its own: one that is there already is somebody else's. It is gone unless it is put in place.
    let fresh = tempfile::Builder::new().prefix(".hearth-").tempfile_in(above);
    let (file, fresh) = fresh.map_err(in_file(above))?.into_parts();
    let key = passphrase.clone();
    let sealing =
        tokio::task::spawn_blocking(move || sealed::seal(&folder, &files, &file, &key, sealed::Cost::STRONG));
    let sealed = sealing
        .await
        .map_err(|error| in_file(to)(io::Error::other(error)))?;
    sealed.map_err(|source| BackupError::Sealed {
        path: to.to_owned(),
        source,
    })?;
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    fresh.persist(to).map_err(|error| in_file(to)(error.error))?;
    Ok(made)
}

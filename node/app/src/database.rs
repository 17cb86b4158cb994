//! Opening the database of a data directory, and not a new one in the place of one that was lost.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use hearth_store::Store;

use crate::{build, data_dir::Layout, error::NodeError, network::Network};

/// What is left of a database that is gone.
#[derive(Debug, PartialEq, Eq)]
enum Remains {
    /// Nothing: it was never begun.
    Nothing,
    /// Keys alone, which may have been brought here.
    Keys(PathBuf),
    /// What a database was there for.
    Lost(PathBuf),
}

/// Opens the database, and makes one where there never was one.
///
/// # Errors
/// What [`Store::open`] refuses; a database that was lost.
pub(crate) async fn open(network: &Network, layout: &Layout) -> Result<Store, NodeError> {
    let remains = remains(layout)?;
    if let Remains::Lost(beside) = remains {
        return Err(NodeError::DatabaseLost {
            path: layout.database(),
            beside,
        });
    }
    let store = Store::open(build::store_config(network, layout)).await?;
    if let Remains::Keys(keys) = remains {
        store.problems().report(format!(
            "{} was begun anew beside keys that were there ({}): API keys, receipts and what was spent today start from \
             nothing. If there was a database here before, stop Hearth and bring a backup back",
            layout.database().display(),
            keys.display()
        ));
    }
    Ok(store)
}

/// Says why there is no database to be opened, where one was lost.
pub(crate) fn lost(layout: &Layout) -> Option<NodeError> {
    match remains(layout) {
        Ok(Remains::Lost(beside)) => Some(NodeError::DatabaseLost {
            path: layout.database(),
            beside,
        }),
        Ok(Remains::Nothing | Remains::Keys(_)) => None,
        Err(error) => Some(error),
    }
}

fn remains(layout: &Layout) -> Result<Remains, NodeError> {
    let path = layout.database();
    let read = |at: &Path, source| NodeError::Read {
        path: at.to_owned(),
        source,
    };
    let is_missing = match fs::metadata(&path) {
        Ok(about) if about.len() > 0 => return Ok(Remains::Nothing),
        Ok(_) => false,
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(read(&path, error)),
    };
    let mut log = path.clone().into_os_string();
    log.push("-wal");
    let log = PathBuf::from(log);
    if fs::metadata(&log).is_ok_and(|about| about.len() > 0) {
        return Ok(Remains::Lost(log));
    }
    let first_in = |folder: PathBuf| first_file(&folder).map_err(|error| read(&folder, error));
    if let Some(file) = first_in(layout.evidence())? {
        return Ok(Remains::Lost(file));
    }
    Ok(match first_in(layout.keystore())? {
        None => Remains::Nothing,
        Some(file) if is_missing => Remains::Keys(file),
        Some(file) => Remains::Lost(file),
    })
}

/// A file in a folder, where there is one.
fn first_file(folder: &Path) -> io::Result<Option<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_file() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_dir::DataDir;

    #[tokio::test]
    async fn a_database_that_was_lost_is_not_begun_anew() {
        let network = Network::parse("mainnet").unwrap();
        for (empty, beside, is_lost) in [
            (true, "keystore/wallet.json", true),
            (true, "evidence/session.log", true),
            (true, "hearth.db-wal", true),
            (false, "evidence/session.log", true),
            (false, "hearth.db-wal", true),
            // Begun, and ended before anything was written.
            (true, "config.toml", false),
            (false, "config.toml", false),
            (false, "keystore/wallet.json", false),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let held = DataDir::open(folder.path()).unwrap();
            let layout = held.layout();
            fs::write(layout.root().join(beside), "x").unwrap();
            if empty {
                fs::write(layout.database(), "").unwrap();
            }
            let opened = open(&network, &layout).await;
            assert_eq!(opened.is_err(), is_lost, "{empty} {beside}");
            match opened {
                Ok(store) => {
                    let problems = store.problems().all().join(" ");
                    assert_eq!(
                        problems.contains("wallet.json"),
                        beside.contains("wallet"),
                        "{problems}"
                    );
                    store.close().await;
                }
                Err(error) => {
                    let text = error.to_string();
                    for word in [beside, "hearth.db", "backup", "--data-dir"] {
                        assert!(text.contains(word), "{text}");
                    }
                    assert_eq!(error.code(), "database");
                    let size = fs::metadata(layout.database()).map(|about| about.len()).ok();
                    assert_eq!(size, empty.then_some(0), "nothing was changed");
                }
            }
        }
    }
}

//! Folders in which a backup lies open for a moment. Whoever dies leaves his; the next one removes it.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// What their names begin with.
const PREFIX: &str = ".backup-";
/// The file in each that is locked while its process lives. No folder of somebody else's has it.
const LOCK: &str = ".hearth-scratch";
/// How often a new one is tried: another process may remove it before it is locked.
const TRIES: u32 = 5;

/// Such a folder, removed with all that is in it when it is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Makes one in `folder`, after those of dead processes are removed.
    pub(crate) fn new_in(folder: &Path) -> io::Result<Scratch> {
        clean(folder);
        for _ in 1..TRIES {
            if let Some(made) = Scratch::make(folder)? {
                return Ok(made);
            }
        }
        Scratch::make(folder)?.ok_or_else(|| io::ErrorKind::Interrupted.into())
    }

    fn make(folder: &Path) -> io::Result<Option<Scratch>> {
        let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(folder)?.keep();
        close_to_others(&made)?;
        let lock = match File::create_new(made.join(LOCK)) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let _ = fs::remove_dir(&made);
                return Err(error);
            }
        };
        let is_held = lock.try_lock().is_ok() && made.join(LOCK).exists();
        Ok(is_held.then_some(Scratch {
            path: made,
            _lock: lock,
        }))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes from `folder` what dead processes left.
pub(crate) fn clean(folder: &Path) {
    for path in named(folder) {
        match File::open(path.join(LOCK)) {
            Ok(lock) if lock.try_lock().is_ok() => remove(&path),
            Ok(_) => {}
            // Somebody may have died before he locked it: an empty one goes. Who is about to lock it takes another.
            Err(_) => drop(fs::remove_dir(&path)),
        }
    }
}

/// The same in a data directory, where earlier versions left theirs without a lock: a `copy` and nothing else.
pub(crate) fn clean_data(root: &Path) {
    clean(root);
    for path in named(root) {
        let names = fs::read_dir(&path).map(|entries| {
            let entries = entries.filter_map(Result::ok);
            entries.map(|entry| entry.file_name()).collect::<Vec<_>>()
        });
        if names.is_ok_and(|names| names == ["copy"]) {
            remove(&path);
        }
    }
}

/// Folders of this user, themselves and no links, that may be such ones.
fn named(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    let own = named.filter(|entry| {
        entry
            .metadata()
            .is_ok_and(|about| about.is_dir() && is_own(&about))
    });
    own.map(|entry| entry.path()).collect()
}

#[cfg(unix)]
fn is_own(about: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(about) == rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn is_own(_about: &fs::Metadata) -> bool {
    true
}

/// Removes one, its lock last: what is left of it when that fails is known by it. A thread that still writes there can
/// put a file in between.
fn remove(path: &Path) {
    for _ in 0..TRIES {
        for entry in fs::read_dir(path).into_iter().flatten().filter_map(Result::ok) {
            if entry.file_name() == LOCK {
                continue;
            }
            let path = entry.path();
            let _ = if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            };
        }
        let is_empty = fs::read_dir(path).is_ok_and(|entries| {
            let mut names = entries.filter_map(Result::ok).map(|entry| entry.file_name());
            names.all(|name| name == LOCK)
        });
        if is_empty && fs::remove_dir_all(path).is_ok() || !path.exists() {
            return;
        }
    }
    tracing::warn!(path = %path.display(), "a folder with an open backup cannot be removed: remove it");
}

/// Leaves a folder to its owner alone.
#[cfg(unix)]
pub(crate) fn close_to_others(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(crate) fn close_to_others(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_process_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let living = Scratch::new_in(root).unwrap();
        fs::write(living.path().join("hearth.db"), "x").unwrap();
        for (name, file) in [
            (".backup-dead", LOCK),
            (".backup-mine", "backup.json"),
            (".backup-old/copy", "hearth.db"),
            ("backup", LOCK),
        ] {
            fs::create_dir_all(root.join(name)).unwrap();
            fs::write(root.join(name).join(file), "").unwrap();
        }
        fs::create_dir(root.join(".backup-dead").join("unsealed")).unwrap();
        fs::create_dir(root.join(".backup-unlocked")).unwrap();
        fs::write(root.join(".backup-file"), "a sealed one").unwrap();
        let there = |name: &str| root.join(name).exists();
        clean(root);
        assert!(
            !there(".backup-dead")
                && !there(".backup-unlocked")
                && there(".backup-old")
                && living.path().join("hearth.db").exists()
        );
        clean_data(root);
        assert!(!there(".backup-old") && living.path().exists());
        for kept in [".backup-mine", ".backup-file", "backup"] {
            assert!(there(kept), "{kept}");
        }
        let path = living.path().to_owned();
        drop(living);
        assert!(!path.exists());
    }
}

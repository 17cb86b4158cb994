//! The data directory: what lies where, one process at a time.

#[cfg(unix)]
use std::fs;
use std::{
    fs::{File, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use hearth_base::private::{check_plain, create_private_folder};

use crate::scratch;

/// The file that is locked while a process holds the directory.
const LOCK: &str = "lock";
/// How often the lock is tried, and the pause between.
const TRIES: u32 = 3;
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// The data directory, held by this process until dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    // The lock lasts as long as the file is open, and ends with the process however it ends.
    _lock: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    #[error(
        "Hearth is already running on {path} (process {pid}): open its page, stop it, or choose another --data-dir"
    )]
    Taken { path: PathBuf, pid: String },
    #[error("the data directory {path} cannot be used: may this user write there?")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "{path} is a link or no file: Hearth writes this file itself, and would write into what it leads to; remove it"
    )]
    NotPlain { path: PathBuf },
    #[error(
        "{path} holds other things, such as \"{name}\": Hearth keeps its data in a folder of its own, which nobody else \
         may read; name an empty or a new one with --data-dir"
    )]
    NotOurs { path: PathBuf, name: String },
    #[error("a restore into {0} was interrupted, and its data are not whole: run `hearth restore` again")]
    Restoring(PathBuf),
    #[error("this user has no home folder: name a data directory with --data-dir")]
    NoHome,
}

/// Names of the files and folders inside.
#[derive(Clone, Debug)]
pub struct Layout(PathBuf);

impl Layout {
    /// The layout of the directory at `path`, whether it is there or not.
    #[must_use]
    pub fn of(path: &Path) -> Layout {
        Layout(path.to_owned())
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// `config.toml`.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// `config.toml.restored`, the one of a backup where another was there.
    #[must_use]
    pub fn restored_config(&self) -> PathBuf {
        self.0.join(RESTORED_CONFIG)
    }

    /// `.restoring`, which is there while a backup is brought back; it lists what that makes.
    #[must_use]
    pub fn restoring(&self) -> PathBuf {
        self.0.join(".restoring")
    }

    /// `hearth.db`.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.0.join("hearth.db")
    }

    /// `devnet.db`, the state of the embedded chain.
    #[must_use]
    pub fn devnet_database(&self) -> PathBuf {
        self.0.join("devnet.db")
    }

    /// `keystore/`.
    #[must_use]
    pub fn keystore(&self) -> PathBuf {
        self.0.join("keystore")
    }

    /// `keystore/devnet.pass`, the password of play money.
    #[must_use]
    pub fn devnet_password(&self) -> PathBuf {
        self.keystore().join("devnet.pass")
    }

    /// `evidence/`.
    #[must_use]
    pub fn evidence(&self) -> PathBuf {
        self.0.join("evidence")
    }

    /// `weights/`.
    #[must_use]
    pub fn weights(&self) -> PathBuf {
        self.0.join("weights")
    }

    /// `logs/`.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    /// `api-token`, what the command line and the window show to the API.
    #[must_use]
    pub fn api_token(&self) -> PathBuf {
        self.0.join("api-token")
    }

    /// `api-key`, the key for the OpenAI API that is printed at start.
    #[must_use]
    pub fn api_key(&self) -> PathBuf {
        self.0.join("api-key")
    }

    /// `api-address`, where the API of the running daemon listens.
    #[must_use]
    pub fn api_address(&self) -> PathBuf {
        self.0.join("api-address")
    }

    /// `connections.json`, what was written into the settings of other programs.
    #[must_use]
    pub fn connections(&self) -> PathBuf {
        self.0.join("connections.json")
    }

    /// `chat-history`, what was typed into `hearth chat`.
    #[must_use]
    pub fn chat_history(&self) -> PathBuf {
        self.0.join("chat-history")
    }

    /// `network.toml`, with which a second node joins the devnet of this one.
    #[must_use]
    pub fn network(&self) -> PathBuf {
        self.0.join("network.toml")
    }
}

const RESTORED_CONFIG: &str = "config.toml.restored";

/// What may lie in a folder that Hearth has not used yet: what was prepared for it, and what systems put there.
const PREPARED: [&str; 3] = ["config.toml", "network.toml", "lost+found"];

/// Whether an entry of the data directory was made by Hearth; databases have copies and journals beside them.
fn is_ours(name: &str) -> bool {
    const OURS: [&str; 13] = [
        "lock",
        "config.toml",
        RESTORED_CONFIG,
        "network.toml",
        "keystore",
        "evidence",
        "weights",
        "logs",
        "api-token",
        "api-key",
        "api-address",
        "chat-history",
        "connections.json",
    ];
    OURS.contains(&name) || name.starts_with("hearth.db") || name.starts_with("devnet.db")
}

/// The first thing in a folder that was never Hearth's, where there is one.
fn strange(path: &Path) -> io::Result<Option<String>> {
    if path.join("hearth.db").exists() {
        return Ok(None);
    }
    for entry in std::fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !is_ours(&name) && !PREPARED.contains(&name.as_str()) && !name.starts_with('.') {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

impl DataDir {
    /// Makes the directory where there is none, and locks it.
    ///
    /// # Errors
    /// A folder that cannot be written, that another process holds, that is used for something else, or whose restore was
    /// interrupted.
    pub fn open(path: &Path) -> Result<DataDir, DataDirError> {
        let dir = DataDir::open_to_restore(path)?;
        if dir.layout().restoring().exists() {
            return Err(DataDirError::Restoring(path.to_owned()));
        }
        Ok(dir)
    }

    /// The same for who brings a backup back, and may end what was interrupted.
    pub(crate) fn open_to_restore(path: &Path) -> Result<DataDir, DataDirError> {
        let failed = |source| DataDirError::Io {
            path: path.to_owned(),
            source,
        };
        if path.exists()
            && let Some(name) = strange(path).map_err(failed)?
        {
            return Err(DataDirError::NotOurs {
                path: path.to_owned(),
                name,
            });
        }
        create_private_folder(path).map_err(failed)?;
        let lock_path = path.join(LOCK);
        check_plain(&lock_path).map_err(|error| {
            if error.kind() == io::ErrorKind::InvalidInput {
                DataDirError::NotPlain {
                    path: lock_path.clone(),
                }
            } else {
                failed(error)
            }
        })?;
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(failed)?;
        match take(&lock) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(DataDirError::Taken {
                    path: path.to_owned(),
                    pid: pid_in(lock),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        lock.set_len(0).map_err(failed)?;
        lock.rewind().map_err(failed)?;
        writeln!(lock, "{}", std::process::id()).map_err(failed)?;
        make_private(path).map_err(failed)?;
        scratch::clean_data(path);
        let dir = DataDir {
            path: path.to_owned(),
            _lock: lock,
        };
        let layout = dir.layout();
        for folder in [
            layout.keystore(),
            layout.evidence(),
            layout.weights(),
            layout.logs(),
        ] {
            create_private_folder(&folder).map_err(failed)?;
        }
        Ok(dir)
    }

    /// Where things lie.
    #[must_use]
    pub fn layout(&self) -> Layout {
        Layout(self.path.clone())
    }
}

/// The process that holds a data directory at the moment, as its lock names it; `None` where nobody does, or where that
/// cannot be told.
#[must_use]
pub fn holder(path: &Path) -> Option<String> {
    let lock = File::open(path.join(LOCK)).ok()?;
    matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)).then(|| pid_in(lock))
}

/// Takes the lock. Whoever looks for its holder has it for a moment.
fn take(lock: &File) -> Result<(), TryLockError> {
    for _ in 1..TRIES {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_TRIES),
            done => return done,
        }
    }
    lock.try_lock()
}

/// The pid only helps the reader; a lock without one is still a lock.
fn pid_in(lock: File) -> String {
    let mut pid = String::new();
    let _ = lock.take(32).read_to_string(&mut pid);
    let pid = pid.trim();
    if pid.is_empty() { "unknown" } else { pid }.to_owned()
}

/// The user who owns a data directory that root, and nobody else, can use as well: what root writes there is root's, and
/// its owner may replace it under a running Hearth. On a volume that a container is given, that may be meant.
#[must_use]
pub fn foreign_owner(path: &Path) -> Option<u32> {
    #[cfg(unix)]
    {
        let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(path).ok()?);
        (rustix::process::geteuid().is_root() && owner != 0).then_some(owner)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// What is said about such a directory.
pub(crate) fn foreign_owner_words(path: &Path, owner: u32) -> String {
    format!(
        "Hearth runs as root on {}, which belongs to user {owner}: that user can replace what it reads, and may not read \
         what it writes. Run it as that user, or give the folder to root (chown -R root)",
        path.display()
    )
}

/// The default data directory of a network, by its folder name.
///
/// # Errors
/// A user without a home folder.
pub fn default_for(folder_name: &str) -> Result<PathBuf, DataDirError> {
    let base = directories::BaseDirs::new().ok_or(DataDirError::NoHome)?;
    Ok(base.data_dir().join(folder_name))
}

/// The data directories of this user that are there, those of the networks first: a network file has one of its own.
#[must_use]
pub fn existing() -> Vec<PathBuf> {
    let Some(base) = directories::BaseDirs::new() else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = std::fs::read_dir(base.data_dir())
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            name == "hearth" || name.starts_with("hearth-")
        })
        .collect();
    let rank = |path: &PathBuf| {
        let known = ["hearth", "hearth-beta", "hearth-devnet"];
        known
            .iter()
            .position(|name| path.ends_with(name))
            .unwrap_or(known.len())
    };
    found.sort_by(|one, other| rank(one).cmp(&rank(other)).then_with(|| one.cmp(other)));
    found
}

/// Takes from everybody but the owner what Hearth keeps in a folder, whoever wrote it: an earlier version, a copy, another
/// program. What is not Hearth's is left alone. Links are not followed: what they lead to lies elsewhere.
#[cfg(unix)]
fn make_private(root: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    const OTHERS: u32 = 0o077;
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        let about = fs::symlink_metadata(&path)?;
        if about.is_symlink() {
            continue;
        }
        if about.mode() & OTHERS != 0 {
            let alone = fs::Permissions::from_mode(about.mode() & 0o7777 & !OTHERS);
            match fs::set_permissions(&path, alone) {
                // A folder that another user owns and lends us is as private as that user made it.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                done => done?,
            }
        }
        if about.is_dir() {
            for entry in fs::read_dir(&path)? {
                let entry = entry?;
                if path != root || is_ours(&entry.file_name().to_string_lossy()) {
                    open.push(entry.path());
                }
            }
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn make_private(_root: &Path) -> io::Result<()> {
    // The home folder of a user is the user's alone there.
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_lies_in_the_directory_is_the_owners_alone() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (root, elsewhere) = (folder.path().join("data"), folder.path().join("elsewhere"));
        fs::create_dir_all(root.join("logs/old")).unwrap();
        let foreign = root.join("notes.txt");
        for file in [
            root.join("hearth.db"),
            root.join("hearth.db-wal"),
            root.join("logs/old/log"),
            foreign.clone(),
            elsewhere.clone(),
        ] {
            fs::write(&file, "x").unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o664)).unwrap();
        }
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        symlink(&elsewhere, root.join("link")).unwrap();
        let _held = DataDir::open(&root).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        for folder in ["", "logs", "logs/old", "keystore", "evidence", "weights"] {
            assert_eq!(mode(&root.join(folder)), 0o700, "{folder}");
        }
        for file in ["hearth.db", "hearth.db-wal", "logs/old/log"] {
            assert_eq!(mode(&root.join(file)), 0o600, "{file}");
        }
        assert_eq!(mode(&foreign), 0o664, "what is not Hearth's is left alone");
        assert_eq!(mode(&elsewhere), 0o664, "what lies elsewhere is left alone");
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_of_other_things_is_refused_and_left_as_it_is() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("www");
        fs::create_dir(&root).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(root.join("index.html"), "x").unwrap();
        fs::create_dir(root.join("logs")).unwrap();
        let error = DataDir::open(&root).unwrap_err().to_string();
        assert!(
            error.contains("index.html") && error.contains("--data-dir"),
            "{error}"
        );
        let mode = fs::metadata(&root).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755, "nothing was touched");
        assert!(!root.join("lock").exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_place_of_the_lock_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (root, elsewhere) = (folder.path().join("data"), folder.path().join("elsewhere"));
        fs::create_dir(&root).unwrap();
        fs::write(&elsewhere, "of somebody else").unwrap();
        std::os::unix::fs::symlink(&elsewhere, root.join("lock")).unwrap();
        let error = DataDir::open(&root).unwrap_err().to_string();
        assert!(error.contains("lock") && error.contains("remove it"), "{error}");
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "of somebody else");
    }

    #[cfg(unix)]
    #[test]
    fn root_on_the_folder_of_another_user_is_told() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(foreign_owner(folder.path()), None, "one's own");
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(folder.path(), Some(1000), None).unwrap();
            assert_eq!(foreign_owner(folder.path()), Some(1000));
            let words = foreign_owner_words(folder.path(), 1000);
            assert!(words.contains("user 1000") && words.contains("chown"), "{words}");
        }
    }

    #[test]
    fn what_was_prepared_for_it_may_lie_there() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["config.toml", "network.toml", "lost+found", ".keep"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert!(DataDir::open(folder.path()).is_ok());
    }

    #[test]
    fn a_second_holder_is_told_the_first_one() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(holder(folder.path()), None, "there is no lock yet");
        let first = DataDir::open(folder.path()).unwrap();
        let pid = std::process::id().to_string();
        assert_eq!(holder(folder.path()), Some(pid));
        let error = DataDir::open(folder.path()).unwrap_err();
        assert!(
            error.to_string().contains(&std::process::id().to_string()),
            "{error}"
        );
        drop(first);
        assert_eq!(holder(folder.path()), None, "its lock is left, and free");
        DataDir::open(folder.path()).unwrap();
    }
}

//! Files on disk: what identifies one, reading and writing at a place, and making writes last.

use std::{
    fs::{self, File, Metadata},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// What a file looked like when its bytes were hashed. A file that looks the same has the same bytes, unless
/// somebody took pains; `changed_ns` cannot be set back by the usual tools, so even a restored mtime shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    pub(crate) size: u64,
    pub(crate) modified_ns: i64,
    pub(crate) changed_ns: i64,
    pub(crate) inode: u64,
    pub(crate) device: u64,
}

impl hearth_store::stored::Stored for Fingerprint {
    const WHAT: &'static str = "the fingerprint of a file";
    const VERSION: u64 = 1;
}

impl Fingerprint {
    /// Takes it from an open file.
    pub(crate) fn of(file: &File) -> io::Result<Fingerprint> {
        Ok(Fingerprint::from_metadata(&file.metadata()?))
    }

    /// Takes it from a path, following links.
    pub(crate) fn at(path: &Path) -> io::Result<Fingerprint> {
        Ok(Fingerprint::from_metadata(&fs::metadata(path)?))
    }

    #[cfg(unix)]
    fn from_metadata(metadata: &Metadata) -> Fingerprint {
        use std::os::unix::fs::MetadataExt;
        let nanoseconds =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Fingerprint {
            size: metadata.size(),
            modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
        }
    }

    #[cfg(not(unix))]
    fn from_metadata(metadata: &Metadata) -> Fingerprint {
        let since_epoch = |time: io::Result<std::time::SystemTime>| {
            time.ok()
                .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
                .and_then(|since| i64::try_from(since.as_nanos()).ok())
                .unwrap_or(0)
        };
        Fingerprint {
            size: metadata.len(),
            modified_ns: since_epoch(metadata.modified()),
            changed_ns: since_epoch(metadata.created()),
            inode: 0,
            device: 0,
        }
    }

    /// What differs from `now`, in words.
    pub(crate) fn difference(&self, now: &Fingerprint) -> Option<&'static str> {
        if self.size != now.size {
            Some("its size")
        } else if self.inode != now.inode || self.device != now.device {
            Some("the file was replaced: its inode")
        } else if self.modified_ns != now.modified_ns {
            Some("its modification time")
        } else if self.changed_ns != now.changed_ns {
            Some("its change time")
        } else {
            None
        }
    }
}

/// Fills `buffer` from the place `at`; a file that ends earlier is an error.
#[cfg(unix)]
pub(crate) fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, at)
}

/// Writes all of `bytes` to the place `at`.
#[cfg(unix)]
pub(crate) fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
pub(crate) fn read_at(file: &File, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                buffer = &mut buffer[n..];
                at += n as u64;
            }
        }
    }
    Ok(())
}

#[cfg(windows)]
pub(crate) fn write_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, at)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            n => {
                bytes = &bytes[n..];
                at += n as u64;
            }
        }
    }
    Ok(())
}

/// Makes the entries of a folder last through a power loss.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Windows cannot open a folder as a file, and orders its metadata itself.
    if cfg!(windows) {
        Ok(())
    } else {
        File::open(folder)?.sync_all()
    }
}

/// Bytes that a plain user may still write where `path` lies; `None` where the system does not say.
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    let mut existing = path;
    let resolved: PathBuf = loop {
        match existing.canonicalize() {
            Ok(resolved) => break resolved,
            Err(_) => existing = existing.parent()?,
        }
    };
    let disks = sysinfo::Disks::new_with_refreshed_list().ok()?;
    disks
        .iter()
        .filter(|disk| resolved.starts_with(disk.mount_point()))
        .max_by_key(|disk| disk.mount_point().as_os_str().len())
        .map(sysinfo::Disk::available_space)
}

/// Deletes a folder with all in it; one that is not there is as good.
pub(crate) fn remove_folder(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Takes or gives the right to write.
pub(crate) fn set_read_only(path: &Path, is_read_only: bool) -> io::Result<()> {
    let mut permissions = fs::metadata(path)?.permissions();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The owner alone gets it back.
        let mode = permissions.mode();
        permissions.set_mode(if is_read_only { mode & !0o222 } else { mode | 0o200 });
    }
    #[cfg(not(unix))]
    permissions.set_readonly(is_read_only);
    fs::set_permissions(path, permissions)
}

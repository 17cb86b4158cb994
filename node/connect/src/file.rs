//! Files of other programs: read with care, replaced whole or not at all.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
};

use hearth_base::private::create_private_folder;

use crate::error::Error;

/// Settings are some kilobytes; what is larger is something else.
const MOST_BYTES: u64 = 1 << 20;
/// Rights of those who are neither owner nor group, and of the group.
#[cfg(unix)]
const OTHERS: u32 = 0o077;

/// A file as it is found.
pub(crate) struct Found {
    /// Where its bytes lie: links are followed, so that a link stays one.
    pub(crate) real: PathBuf,
    /// `None` where there is none yet.
    pub(crate) text: Option<String>,
    /// Its rights, where the system has them.
    pub(crate) mode: Option<u32>,
}

/// Reads a file of settings.
pub(crate) fn read(path: &Path) -> Result<Found, Error> {
    let failed = |source| Error::Io {
        path: path.to_owned(),
        done: "read",
        source,
    };
    let none = |what| Error::NoFile {
        path: path.to_owned(),
        what,
    };
    let about = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Found {
                real: path.to_owned(),
                text: None,
                mode: None,
            });
        }
        about => about.map_err(failed)?,
    };
    let real = if about.is_symlink() {
        fs::canonicalize(path).map_err(|_| none("a link to nothing"))?
    } else {
        path.to_owned()
    };
    let about = fs::metadata(&real).map_err(failed)?;
    if !about.is_file() {
        return Err(none("no file"));
    }
    if about.len() > MOST_BYTES {
        return Err(Error::TooLarge {
            path: path.to_owned(),
            bytes: about.len(),
            most: MOST_BYTES,
        });
    }
    let bytes = fs::read(&real).map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|_| none("no text in UTF-8"))?;
    Ok(Found {
        real,
        text: Some(text),
        mode: mode(&about),
    })
}

/// Puts a text in the place of a file. `mode` gives its rights; `None` leaves it to its owner alone.
pub(crate) fn write(path: &Path, text: &str, mode: Option<u32>) -> Result<(), Error> {
    let failed = |source| Error::Io {
        path: path.to_owned(),
        done: "written",
        source,
    };
    let folder = path
        .parent()
        .ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
    create_private_folder(folder).map_err(failed)?;
    let old = fs::metadata(path).ok();
    if old.as_ref().is_some_and(|old| old.permissions().readonly()) {
        return Err(Error::ReadOnly(path.to_owned()));
    }
    let fresh = beside(path, "hearth-new");
    let put = || {
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&fresh)?;
        file.write_all(text.as_bytes())?;
        set_mode(&file, mode)?;
        file.sync_all()?;
        let owner_of = old
            .as_ref()
            .map_or_else(|| fs::metadata(folder), |old| Ok(old.clone()))?;
        is_same_owner(&file.metadata()?, &owner_of)
    };
    let whose = put().inspect_err(|_| drop(fs::remove_file(&fresh)));
    if !whose.map_err(failed)? {
        drop(fs::remove_file(&fresh));
        return Err(Error::OtherOwner(path.to_owned()));
    }
    fs::rename(&fresh, path).map_err(failed)?;
    // The name must survive a crash, too.
    #[cfg(unix)]
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)?;
    Ok(())
}

/// Removes a file that this program made.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Io {
            path: path.to_owned(),
            done: "removed",
            source,
        }),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// `settings.json` → `settings.json.hearth-backup`
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

/// The rights of a file that holds a key: nobody else's.
#[cfg(unix)]
pub(crate) fn private_mode(mode: Option<u32>) -> Option<u32> {
    mode.map(|mode| mode & !OTHERS)
}

#[cfg(not(unix))]
pub(crate) fn private_mode(mode: Option<u32>) -> Option<u32> {
    mode
}

#[cfg(unix)]
fn mode(about: &fs::Metadata) -> Option<u32> {
    Some(std::os::unix::fs::MetadataExt::mode(about) & 0o7777)
}

#[cfg(not(unix))]
fn mode(_about: &fs::Metadata) -> Option<u32> {
    None
}

#[cfg(unix)]
fn set_mode(file: &fs::File, mode: Option<u32>) -> io::Result<()> {
    let Some(mode) = mode else { return Ok(()) };
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_file: &fs::File, _mode: Option<u32>) -> io::Result<()> {
    // A file takes the rights of its folder there.
    Ok(())
}

#[cfg(unix)]
fn is_same_owner(fresh: &fs::Metadata, old: &fs::Metadata) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(fresh.uid() == old.uid())
}

#[cfg(not(unix))]
fn is_same_owner(_fresh: &fs::Metadata, _old: &fs::Metadata) -> io::Result<bool> {
    Ok(true)
}

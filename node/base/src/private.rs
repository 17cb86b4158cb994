//! Files that only their owner may read.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

/// Writes a file that only its owner may read, whole or not at all: a new file, made durable, then put in place. Its
/// folder is made where there is none, and is the owner's alone then.
///
/// # Errors
/// A folder that cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    create_private_folder(folder)?;
    let fresh = path.with_extension("new");
    // What a crash left may have been opened to others since.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    // The name must survive a crash, too.
    #[cfg(unix)]
    fs::File::open(folder)?.sync_all()?;
    Ok(())
}

/// Makes a folder that only its owner may enter, with all above it that are missing. One that is there stays as it is.
///
/// # Errors
/// As the system says.
pub fn create_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Refuses what is no plain file where one is about to be opened and written: a link would lead to something of
/// somebody else's, a pipe would never answer. What is not there is fine.
///
/// # Errors
/// Something else of that name; as the system says.
pub fn check_plain(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(about) if about.is_file() => Ok(()),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{} is a link or no file: remove it", path.display()),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn links_and_folders_are_no_plain_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        assert!(check_plain(&path("new")).is_ok());
        fs::write(path("file"), "x").unwrap();
        assert!(check_plain(&path("file")).is_ok());
        for (name, target) in [("link", "file"), ("dangling", "nothing")] {
            std::os::unix::fs::symlink(path(target), path(name)).unwrap();
            let refused = check_plain(&path(name)).unwrap_err().to_string();
            assert!(refused.contains(name) && refused.contains("remove"), "{refused}");
        }
        assert!(check_plain(folder.path()).is_err());
    }

    #[test]
    fn a_private_file_is_replaced_whole_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys").join("wallet.json");
        write_private(&path, b"a long first text").unwrap();
        // A crash left this, and somebody opened it to all.
        let left = path.with_extension("new");
        fs::write(&left, b"torn").unwrap();
        #[cfg(unix)]
        fs::set_permissions(&left, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        write_private(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert!(!left.exists());
        #[cfg(unix)]
        for (path, mode) in [(path.as_path(), 0o600), (path.parent().unwrap(), 0o700)] {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
        }
    }
}

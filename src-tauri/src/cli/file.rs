//! Files that the user names: read within bounds, written only where nothing is yet.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use super::{Done, Exit, Fault};

/// The most bytes of keys, words and other secrets.
pub(super) const SECRET: u64 = 64 << 10;
/// The most bytes of transactions, address books, cards and messages.
pub(super) const DOCUMENT: u64 = 1 << 20;

/// The bytes of a file that holds what is wanted, `-` for standard input.
pub(super) fn read(path: &Path, most: u64, wanted: &str) -> Result<Vec<u8>, Exit> {
    if path == Path::new("-") {
        return read_stdin(most, wanted).map(String::into_bytes);
    }
    let unread =
        |error: io::Error| Fault::failed("not_read", format!("{} cannot be read: {error}", path.display()));
    let file = hearth_node::open_plain(path).map_err(unread)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > most {
        let kib = most >> 10;
        let text = format!("{} is too large: more than {kib} KiB", path.display());
        return Err(Fault::failed("file_too_large", text)
            .remedy(format!("name {wanted}"))
            .into());
    }
    Ok(bytes)
}

/// The same of a file that is text.
pub(super) fn read_text(path: &Path, most: u64, wanted: &str) -> Result<String, Exit> {
    String::from_utf8(read(path, most, wanted)?).map_err(|_| {
        Fault::failed("not_read", format!("{} is no UTF-8 text", path.display()))
            .remedy(format!("name {wanted}"))
            .into()
    })
}

/// All of standard input, within the same bounds.
pub(super) fn read_stdin(most: u64, what: &str) -> Result<String, Exit> {
    let mut text = String::new();
    io::stdin()
        .take(most + 1)
        .read_to_string(&mut text)
        .map_err(|error| {
            Fault::failed(
                "not_read",
                format!("{what} cannot be read from standard input: {error}"),
            )
        })?;
    if text.len() as u64 > most {
        let kib = most >> 10;
        let text = format!("{what} on standard input cannot be more than {kib} KiB");
        return Err(Fault::failed("file_too_large", text).into());
    }
    Ok(text)
}

/// Refuses a name that is taken, before anything is done that would be written there.
pub(super) fn is_free(path: &Path, option: &str) -> Done {
    // A link that leads nowhere is there, too.
    if path.symlink_metadata().is_ok() {
        return Err(taken(path, option).into());
    }
    Ok(())
}

fn taken(path: &Path, option: &str) -> Fault {
    let text = format!("{} is there already", path.display());
    Fault::failed("file_exists", text).remedy(format!("name another file with {option}"))
}

/// A file that was not there before. It is gone again where it is not filled.
#[derive(Debug)]
pub(super) struct NewFile {
    path: PathBuf,
    file: Option<File>,
}

impl NewFile {
    /// Takes the name; a link that leads nowhere is there, too.
    pub(super) fn create(path: &Path, option: &str) -> Result<NewFile, Exit> {
        NewFile::open(path, option, OpenOptions::new().write(true).create_new(true))
    }

    /// The same for its owner alone, with the folders that are missing.
    pub(super) fn create_private(path: &Path, option: &str) -> Result<NewFile, Exit> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            hearth_base::private::create_private_folder(folder).map_err(|error| unwritten(path, &error))?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        NewFile::open(path, option, &options)
    }

    fn open(path: &Path, option: &str, options: &OpenOptions) -> Result<NewFile, Exit> {
        match options.open(path) {
            Ok(file) => Ok(NewFile {
                path: path.to_owned(),
                file: Some(file),
            }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(taken(path, option).into()),
            Err(error) => Err(unwritten(path, &error).into()),
        }
    }

    /// Writes all of it, and keeps it.
    pub(super) fn fill(mut self, bytes: &[u8]) -> Done {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(|error| unwritten(&self.path, &error))?;
        self.file = None;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // Closed before it is removed: Windows removes no open file.
        if self.file.take().is_some() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn unwritten(path: &Path, error: &io::Error) -> Fault {
    Fault::failed(
        "not_written",
        format!("{} cannot be written: {error}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(exit: Exit) -> String {
        match exit {
            Exit::Fault(fault) => fault.detail.code,
            Exit::Said(code) => panic!("said, {code}"),
        }
    }

    #[test]
    fn a_file_is_read_within_its_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card.json");
        std::fs::write(&path, "12345678").unwrap();
        assert_eq!(read_text(&path, 8, "a card").unwrap(), "12345678");
        assert_eq!(code(read(&path, 7, "a card").unwrap_err()), "file_too_large");
        std::fs::write(&path, b"\xff").unwrap();
        assert_eq!(code(read_text(&path, 8, "a card").unwrap_err()), "not_read");
        assert_eq!(
            code(read(&folder.path().join("none"), 8, "a card").unwrap_err()),
            "not_read"
        );
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_plain_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        for path in [pipe.as_path(), Path::new("/dev/zero"), folder.path()] {
            assert_eq!(code(read(path, SECRET, "a key").unwrap_err()), "not_read");
            assert!(hearth_node::secret_line(path).is_err());
        }
    }

    #[test]
    fn a_new_file_is_filled_or_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signed.json");
        drop(NewFile::create(&path, "--output").unwrap());
        assert!(!path.exists());
        is_free(&path, "--output").unwrap();
        NewFile::create(&path, "--output").unwrap().fill(b"{}").unwrap();
        assert_eq!(code(is_free(&path, "--output").unwrap_err()), "file_exists");
        assert_eq!(std::fs::read(&path).unwrap(), b"{}");
        assert_eq!(
            code(NewFile::create(&path, "--output").unwrap_err()),
            "file_exists"
        );
        // What was there stays there.
        assert_eq!(std::fs::read(&path).unwrap(), b"{}");
        let nowhere = folder.path().join("none").join("signed.json");
        assert_eq!(
            code(NewFile::create(&nowhere, "--output").unwrap_err()),
            "not_written"
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed_and_keys_are_their_owners_alone() {
        use std::os::unix::fs::{MetadataExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("link"), folder.path().join("target"));
        symlink(&target, &link).unwrap();
        assert_eq!(
            code(NewFile::create(&link, "--output").unwrap_err()),
            "file_exists"
        );
        assert!(!target.exists());
        let key = folder.path().join("keys").join("op.asc");
        NewFile::create_private(&key, "--armored")
            .unwrap()
            .fill(b"key")
            .unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&key), mode(&folder.path().join("keys"))), (0o600, 0o700));
    }

    #[test]
    fn a_bare_name_lies_in_the_folder_of_the_command() {
        let name = format!("hearth-test-{}.asc", std::process::id());
        let file = NewFile::create_private(Path::new(&name), "--armored").unwrap();
        assert!(Path::new(&name).exists());
        drop(file);
        assert!(!Path::new(&name).exists());
    }
}

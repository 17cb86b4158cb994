//! Secrets that lie in the first line of a file, as people and their editors write them.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// A secret is a line; what is longer is another file.
const MAX_BYTES: u64 = 64 * 1024;
/// The byte order mark that some editors put before UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Why a file gives no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretLineError {
    #[error("the password file {path} cannot be read: is it there, and may this user read it?")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the password file {0} is no UTF-8 text: save it as UTF-8 without formatting")]
    Encoding(PathBuf),
    #[error("the password file {0} is far too large: the password is its first line")]
    TooLarge(PathBuf),
}

/// The first line of a file, without a byte order mark and without its line end. Spaces belong to the secret.
///
/// # Errors
/// A file that cannot be read, is no UTF-8, or is far too large.
pub fn secret_line(path: &Path) -> Result<String, SecretLineError> {
    let read = |source| SecretLineError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = open_plain(path).map_err(read)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(read)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(SecretLineError::TooLarge(path.to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|_| SecretLineError::Encoding(path.to_owned()))?;
    let line = text.split('\n').next().unwrap_or_default();
    Ok(line
        .trim_start_matches(BYTE_ORDER_MARK)
        .trim_end_matches('\r')
        .to_owned())
}

/// Opens a file that a person named. What is no plain file may have no end, or nobody who writes into it: it would be
/// waited for without an end. What this process was given open is somebody's on purpose, as `<(…)` of a shell.
///
/// # Errors
/// A file that cannot be opened, or is none.
pub fn open_plain(path: &Path) -> io::Result<File> {
    let is_given = path == Path::new("/dev/stdin")
        || ["/dev/fd", "/proc/self/fd"]
            .iter()
            .any(|folder| path.starts_with(folder));
    if !is_given && !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other(
            "it is a folder, a pipe or a device, and no plain file",
        ));
    }
    File::open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_line_ends_of_editors_are_no_part_of_a_secret() {
        // Y33
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        for text in [
            "correct horse",
            "\u{feff}correct horse\r\n",
            "correct horse\nmore",
            "correct horse\r\n\r\n",
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(secret_line(&path).unwrap(), "correct horse", "{text:?}");
        }
        std::fs::write(&path, " spaces are typed, too ").unwrap();
        assert_eq!(secret_line(&path).unwrap(), " spaces are typed, too ");
    }

    #[test]
    fn what_is_no_secret_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        assert!(matches!(secret_line(&path), Err(SecretLineError::Read { .. })));
        // UTF-16, as some editors save it.
        std::fs::write(&path, b"\xff\xfec\0o\0").unwrap();
        assert!(matches!(secret_line(&path), Err(SecretLineError::Encoding(_))));
        std::fs::write(&path, vec![b'a'; 70_000]).unwrap();
        assert!(matches!(secret_line(&path), Err(SecretLineError::TooLarge(_))));
    }
}

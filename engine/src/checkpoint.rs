//! Files of models: opened once, checked against what was verified, read, and held open while in use.

mod dtype;
mod gguf;
mod value;

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

pub(crate) use dtype::TensorType;
pub(crate) use gguf::{Gguf, TensorInfo};
pub use value::GgufError;
pub(crate) use value::Value;

/// A file of a model and, if somebody verified it, the open file and how it looked then.
#[derive(Debug, Clone)]
pub struct WeightFile {
    /// Where it lies: for messages, and to open it if it is not open yet.
    pub path: PathBuf,
    held: Option<(Arc<File>, Stamp)>,
}

impl WeightFile {
    /// Names a file about which nothing is known.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            held: None,
        }
    }

    /// Takes an open file as it looks now; `path` serves messages only. It is refused once it looks otherwise.
    ///
    /// Whoever verified the file must find it unchanged after this call, or a write between the two is missed.
    ///
    /// # Errors
    /// The system's, if it does not say how the file looks.
    pub fn held(path: impl Into<PathBuf>, file: Arc<File>) -> io::Result<Self> {
        let stamp = Stamp::of(&file.metadata()?);
        Ok(Self {
            path: path.into(),
            held: Some((file, stamp)),
        })
    }
}

/// How a file looks. Its bytes cannot change without one of these changing with them: whoever sets the time of
/// writing back moves the time of change, which no program can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size_bytes: u64,
    modified: Option<SystemTime>,
    /// Seconds and nanoseconds of the last change of content, name or rights, where the system keeps it.
    changed: (i64, i64),
}

impl Stamp {
    fn of(stat: &Metadata) -> Self {
        #[cfg(unix)]
        let changed = {
            use std::os::unix::fs::MetadataExt;
            (stat.ctime(), stat.ctime_nsec())
        };
        #[cfg(not(unix))]
        let changed = (0, 0);
        Self {
            size_bytes: stat.len(),
            modified: stat.modified().ok(),
            changed,
        }
    }

    /// Says what differs from `now`. A file that nobody verified may be renamed or deleted: what was read of it
    /// is what the caller named.
    fn difference(&self, now: &Self, is_verified: bool) -> Option<(String, String)> {
        if self.size_bytes != now.size_bytes {
            let bytes = |stamp: &Self| format!("{} bytes", stamp.size_bytes);
            Some((bytes(self), bytes(now)))
        } else if self.modified != now.modified {
            Some(("its time of writing".to_owned(), "a later write".to_owned()))
        } else if is_verified && self.changed != now.changed {
            Some(("its time of change".to_owned(), "a later change".to_owned()))
        } else {
            None
        }
    }
}

/// Why a weight file cannot be used, whatever is in it.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {file} ({reason}): check that it exists and may be read")]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's kind of error.
        kind: io::ErrorKind,
        /// The system's words.
        reason: String,
    },
    /// It is not the file that was verified.
    #[error(
        "{file} changed since it was verified (expected {expected}, found {found}): verify the model again"
    )]
    Changed {
        /// The file.
        file: PathBuf,
        /// Size or time that was verified.
        expected: String,
        /// What is there.
        found: String,
    },
}

/// An open file, found to be the one that was verified. Nothing is read of it yet.
#[derive(Debug)]
pub(crate) struct OpenFile {
    path: PathBuf,
    file: Arc<File>,
    stamp: Stamp,
    is_verified: bool,
}

impl OpenFile {
    /// Opens `wanted` and compares it with what was verified.
    ///
    /// # Errors
    /// [`FileError::Read`] and [`FileError::Changed`].
    pub(crate) fn open(wanted: &WeightFile) -> Result<Self, FileError> {
        let failed = |source: io::Error| read_error(&wanted.path, &source);
        let file = match &wanted.held {
            Some((file, _)) => Arc::clone(file),
            None => Arc::new(File::open(&wanted.path).map_err(failed)?),
        };
        let stat = file.metadata().map_err(failed)?;
        if !stat.is_file() {
            return Err(failed(io::Error::other("it is not a file")));
        }
        let open = Self {
            path: wanted.path.clone(),
            file,
            stamp: wanted
                .held
                .as_ref()
                .map_or_else(|| Stamp::of(&stat), |(_, stamp)| *stamp),
            is_verified: wanted.held.is_some(),
        };
        open.check()?;
        Ok(open)
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.stamp.size_bytes
    }

    /// Gives its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Says whether the file still looks as it did when it was verified, or else opened.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.check().is_ok()
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// [`FileError::Read`] and [`FileError::Changed`].
    pub(crate) fn read(self) -> Result<HeldFile, FileError> {
        let mut bytes = Vec::new();
        self.read_range(0..self.stamp.size_bytes, &mut bytes)?;
        self.check()?;
        Ok(HeldFile {
            open: Arc::new(self),
            bytes,
        })
    }

    /// Reads a part of it in place of what is in `bytes`.
    ///
    /// Weights are never mapped: a file that is cut short while it is mapped kills the process, and a copy cannot
    /// change under us. Whether there is room for it was asked before.
    ///
    /// # Errors
    /// [`FileError::Read`], and [`FileError::Changed`] where the file has become shorter.
    pub(crate) fn read_range(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> Result<(), FileError> {
        let failed = |source: io::Error| read_error(&self.path, &source);
        let wanted = range.end.saturating_sub(range.start);
        let wanted = usize::try_from(wanted).map_err(|error| failed(io::Error::other(error)))?;
        bytes.resize(wanted, 0);
        let mut at = 0;
        while at < wanted {
            match read_at(&self.file, &mut bytes[at..], range.start + at as u64).map_err(failed)? {
                0 => {
                    self.check()?;
                    return Err(failed(io::ErrorKind::UnexpectedEof.into()));
                }
                n => at += n,
            }
        }
        Ok(())
    }

    /// Says what the file does not look like any more.
    ///
    /// # Errors
    /// [`FileError::Read`] and [`FileError::Changed`].
    pub(crate) fn check(&self) -> Result<(), FileError> {
        let stat = self
            .file
            .metadata()
            .map_err(|source| read_error(&self.path, &source))?;
        match self.stamp.difference(&Stamp::of(&stat), self.is_verified) {
            None => Ok(()),
            Some((expected, found)) => Err(FileError::Changed {
                file: self.path.clone(),
                expected,
                found,
            }),
        }
    }
}

fn read_error(file: &Path, source: &io::Error) -> FileError {
    FileError::Read {
        file: file.to_owned(),
        kind: source.kind(),
        reason: source.to_string(),
    }
}

/// Reads from a place, so that whoever shares the open file loses none of theirs.
#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    match std::os::unix::fs::FileExt::read_at(file, buffer, at) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => read_at(file, buffer, at),
        result => result,
    }
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

/// A file held open with its bytes in memory.
#[derive(Debug)]
pub(crate) struct HeldFile {
    open: Arc<OpenFile>,
    bytes: Vec<u8>,
}

impl HeldFile {
    /// Gives the file, to look whether it is still what it was.
    pub(crate) fn file(&self) -> Arc<OpenFile> {
        Arc::clone(&self.open)
    }

    /// Gives its path.
    pub(crate) fn path(&self) -> &Path {
        self.open.path()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

//! Files of weights: opened once, checked against what was verified, held open while in use.

mod dtype;
mod gguf;
mod value;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

pub(crate) use dtype::TensorType;
pub(crate) use gguf::{Gguf, TensorInfo};
pub use value::GgufError;
#[cfg(test)]
pub(crate) use value::Value;

/// A file and, if somebody verified it, how it looked then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its size when it was verified.
    pub size_bytes: Option<u64>,
    /// Its modification time when it was verified.
    pub modified: Option<SystemTime>,
}

impl WeightFile {
    /// Names a file about which nothing is known.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            size_bytes: None,
            modified: None,
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

/// A weight file held open with its bytes at hand.
///
/// Files that take less than half of the free memory are read; a copy cannot change under us, and a file
/// that is cut short while mapped would kill the process. Larger ones are mapped.
#[derive(Debug)]
pub(crate) struct HeldFile {
    path: PathBuf,
    file: File,
    size_bytes: u64,
    modified: Option<SystemTime>,
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    Read(Vec<u8>),
    Mapped(memmap2::Mmap),
}

impl HeldFile {
    /// Opens `wanted`, compares it with what was verified, and brings its bytes in.
    ///
    /// # Errors
    /// [`FileError::Read`] and [`FileError::Changed`].
    pub(crate) fn open(wanted: &WeightFile, free_bytes: u64) -> Result<Self, FileError> {
        let read_error = |source: std::io::Error| FileError::Read {
            file: wanted.path.clone(),
            reason: source.to_string(),
        };
        let mut file = File::open(&wanted.path).map_err(read_error)?;
        let stat = file.metadata().map_err(read_error)?;
        if !stat.is_file() {
            return Err(FileError::Read {
                file: wanted.path.clone(),
                reason: "it is not a file".to_owned(),
            });
        }
        let (size_bytes, modified) = (stat.len(), stat.modified().ok());
        check_stamp(wanted, size_bytes, modified)?;
        let bytes = if size_bytes <= free_bytes / 2 {
            let mut bytes = Vec::with_capacity(usize::try_from(size_bytes).unwrap_or(0));
            Read::by_ref(&mut file)
                .take(size_bytes)
                .read_to_end(&mut bytes)
                .map_err(read_error)?;
            Bytes::Read(bytes)
        } else {
            Bytes::Mapped(map(&file).map_err(read_error)?)
        };
        let held = Self {
            path: wanted.path.clone(),
            file,
            size_bytes,
            modified,
            bytes,
        };
        if held.is_unchanged() {
            Ok(held)
        } else {
            Err(held.changed())
        }
    }

    /// Says whether the file still has the size and time it had when it was opened.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.file
            .metadata()
            .is_ok_and(|stat| stat.len() == self.size_bytes && stat.modified().ok() == self.modified)
    }

    /// Gives the path it was opened by.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Read(bytes) => bytes,
            Bytes::Mapped(map) => map,
        }
    }

    fn changed(&self) -> FileError {
        FileError::Changed {
            file: self.path.clone(),
            expected: format!("{} bytes", self.size_bytes),
            found: "a write while it was being read".to_owned(),
        }
    }
}

fn check_stamp(wanted: &WeightFile, size_bytes: u64, modified: Option<SystemTime>) -> Result<(), FileError> {
    if let Some(expected) = wanted.size_bytes.filter(|&expected| expected != size_bytes) {
        return Err(FileError::Changed {
            file: wanted.path.clone(),
            expected: format!("{expected} bytes"),
            found: format!("{size_bytes} bytes"),
        });
    }
    if wanted.modified.is_some() && wanted.modified != modified {
        return Err(FileError::Changed {
            file: wanted.path.clone(),
            expected: "its time of verification".to_owned(),
            found: "a later write".to_owned(),
        });
    }
    Ok(())
}

#[allow(
    unsafe_code,
    reason = "mapping a file is unsafe because others may change it; see below"
)]
fn map(file: &File) -> std::io::Result<memmap2::Mmap> {
    // SAFETY: The map is read-only and only ever read as bytes, so a change by another process yields other
    // numbers, not undefined types; size and time are compared before every request, and the request is
    // refused if they moved.
    unsafe { memmap2::Mmap::map(file) }
}

/// The bytes of one tensor inside a held file.
#[derive(Debug, Clone)]
pub(crate) struct TensorBytes {
    file: Arc<HeldFile>,
    start: usize,
    len: usize,
}

impl TensorBytes {
    /// Cuts a tensor out of a file; its range was checked when the header was read.
    pub(crate) fn new(file: &Arc<HeldFile>, info: &TensorInfo) -> Self {
        Self {
            file: Arc::clone(file),
            start: info.range.start,
            len: info.range.len(),
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.file
            .bytes()
            .get(self.start..self.start + self.len)
            .unwrap_or_default()
    }
}

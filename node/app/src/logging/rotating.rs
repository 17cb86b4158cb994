//! The log files: `hearth.log` and the full ones before it, bounded in number and size.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use hearth_base::private::{check_plain, create_private_folder};

use crate::data_dir::Layout;

/// A file that would grow beyond this makes way for a new one.
const MAX_BYTES: u64 = 10_000_000;
/// Files that are kept, with the one that is written: 50 MB.
const KEPT: u32 = 5;

/// The log files of a data directory, the newest first, whether they are there or not.
#[must_use]
pub fn log_files(layout: &Layout) -> Vec<PathBuf> {
    (0..KEPT).map(|age| path_of(&layout.logs(), age)).collect()
}

fn path_of(folder: &Path, age: u32) -> PathBuf {
    folder.join(match age {
        0 => "hearth.log".to_owned(),
        age => format!("hearth.{age}.log"),
    })
}

/// Writes whole lines, each into one file.
pub(super) struct Rotating {
    folder: PathBuf,
    file: File,
    size: u64,
    max_bytes: u64,
}

impl Rotating {
    /// Goes on with the newest file.
    pub(super) fn open(layout: &Layout) -> io::Result<Rotating> {
        Rotating::with_limit(&layout.logs(), MAX_BYTES)
    }

    fn with_limit(folder: &Path, max_bytes: u64) -> io::Result<Rotating> {
        create_private_folder(folder)?;
        let file = append_to(&path_of(folder, 0))?;
        let size = file.metadata()?.len();
        Ok(Rotating {
            folder: folder.to_owned(),
            file,
            size,
            max_bytes,
        })
    }

    /// Renames each file to the next age; the oldest is written over.
    fn rotate(&mut self) -> io::Result<()> {
        for age in (1..KEPT).rev() {
            match fs::rename(path_of(&self.folder, age - 1), path_of(&self.folder, age)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        self.file = append_to(&path_of(&self.folder, 0))?;
        Ok(())
    }
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.size > 0 && self.size + line.len() as u64 > self.max_bytes {
            if self.rotate().is_err() {
                // A folder that takes no new names: the bound holds all the same.
                self.file.set_len(0)?;
            }
            self.size = 0;
        }
        self.file.write_all(line)?;
        self.size += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    check_plain(path)?;
    let mut options = File::options();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_place_of_the_log_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, folder.path().join("hearth.log")).unwrap();
        assert!(Rotating::with_limit(folder.path(), 100).is_err());
        assert!(!elsewhere.exists());
    }

    #[test]
    fn logs_are_bounded_and_the_newest_lines_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        for round in 0..3 {
            // A restart goes on with the file that is there.
            let mut log = Rotating::with_limit(&logs, 100).unwrap();
            for number in 0..50 {
                writeln!(log, "{}", format_args!("round {round} line {number:>3}")).unwrap();
            }
        }
        let sizes: Vec<u64> = (0..KEPT + 3)
            .filter_map(|age| fs::metadata(path_of(&logs, age)).ok())
            .map(|metadata| metadata.len())
            .collect();
        assert_eq!(sizes.len(), KEPT as usize);
        assert!(sizes.iter().all(|size| *size <= 100), "{sizes:?}");
        let newest = fs::read_to_string(path_of(&logs, 0)).unwrap();
        assert!(newest.ends_with("round 2 line  49\n"), "{newest}");
    }
}

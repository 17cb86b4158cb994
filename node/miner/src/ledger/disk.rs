//! The disk, as a trait: a folder in the program, one that fails in tests.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::{evidence, facts::Facts};

/// The ending of evidence files.
const ENDING: &str = ".evidence";
/// What is added to it for the copy of a damaged file.
const DAMAGED: &str = ".damaged";

/// A folder of files.
pub(crate) trait Disk: Send + Sync + 'static {
    /// Opens a file to append to, and creates it where there is none.
    ///
    /// # Errors
    /// As the system says.
    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>>;
    /// Opens a file to read; `None` where there is none.
    ///
    /// # Errors
    /// As the system says.
    fn reader(&self, name: &str) -> io::Result<Option<Box<dyn Read + Send>>>;
    /// Keeps a copy of a file as it is, beside it, unless there is one. Says where.
    ///
    /// # Errors
    /// As the system says.
    fn keep_copy(&self, name: &str) -> io::Result<PathBuf>;
    /// Deletes a file and its copy. One that is not there is no error.
    ///
    /// # Errors
    /// As the system says.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// The names of all files.
    ///
    /// # Errors
    /// As the system says.
    fn names(&self) -> io::Result<Vec<String>>;
    /// The path of a file, for messages.
    fn path(&self, name: &str) -> PathBuf;
    /// Bytes that can still be written, where the system says so.
    fn free_bytes(&self) -> Option<u64>;
}

/// A file that is appended to.
pub(crate) trait LogFile: Send {
    /// Writes at the end.
    ///
    /// # Errors
    /// As the system says. Part of it may be written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Asks the disk to keep what was written.
    ///
    /// # Errors
    /// As the system says.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file.
    ///
    /// # Errors
    /// As the system says.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    /// Reads from anywhere.
    ///
    /// # Errors
    /// As the system says.
    fn read_at(&mut self, at: u64, length: usize) -> io::Result<Vec<u8>>;
}

/// A folder on a real disk.
#[derive(Debug)]
pub(crate) struct RealDisk {
    folder: PathBuf,
    free_bytes: fn(&Path) -> Option<u64>,
}

impl RealDisk {
    /// The folder, made where there is none. `free_bytes` says how much its disk can still take.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub(crate) fn new(folder: PathBuf, free_bytes: fn(&Path) -> Option<u64>) -> io::Result<RealDisk> {
        fs::create_dir_all(&folder)?;
        Ok(RealDisk { folder, free_bytes })
    }

    fn copy_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}{ENDING}{DAMAGED}"))
    }
}

impl Disk for RealDisk {
    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let path = self.path(name);
        let is_new = !path.exists();
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)?;
        if is_new {
            // The name itself must survive a crash, too.
            #[cfg(unix)]
            File::open(&self.folder)?.sync_all()?;
        }
        Ok(Box::new(RealFile(file)))
    }

    fn reader(&self, name: &str) -> io::Result<Option<Box<dyn Read + Send>>> {
        match File::open(self.path(name)) {
            Ok(file) => Ok(Some(Box::new(BufReader::with_capacity(1 << 16, file)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn keep_copy(&self, name: &str) -> io::Result<PathBuf> {
        let copy = self.copy_path(name);
        if !copy.exists() {
            fs::copy(self.path(name), &copy)?;
            File::open(&copy)?.sync_all()?;
        }
        Ok(copy)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        for path in [self.copy_path(name), self.path(name)] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            if let Some(name) = name.to_str().and_then(|name| name.strip_suffix(ENDING)) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}{ENDING}"))
    }

    fn free_bytes(&self) -> Option<u64> {
        (self.free_bytes)(&self.folder)
    }
}

struct RealFile(File);

impl LogFile for RealFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn read_at(&mut self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        // Reading moves the place, but what is appended goes to the end anyway.
        self.0.seek(SeekFrom::Start(at))?;
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// The facts of all files that have a whole head.
    pub(crate) facts: Vec<Facts>,
    /// Whether every file could be read.
    pub(crate) whole: bool,
}

/// Reads the heads of all files. One that cannot be read now does not hide the others.
pub(super) fn found(disk: &dyn Disk) -> io::Result<Scan> {
    let (mut facts, mut whole) = (Vec::new(), true);
    for name in disk.names()? {
        let read = disk.reader(&name).and_then(|reader| match reader {
            Some(mut reader) => evidence::read_facts(&mut reader),
            None => Ok(None),
        });
        match read {
            Ok(head) => facts.extend(head.map(|(facts, _)| facts)),
            Err(error) => {
                tracing::error!(path = %disk.path(&name).display(), %error, "evidence cannot be read now");
                whole = false;
            }
        }
    }
    Ok(Scan { facts, whole })
}

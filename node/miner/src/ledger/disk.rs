//! The disk, as a trait: a folder in the program, one that fails in tests.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::{
    evidence::{HeadError, head},
    facts::Facts,
};

/// The ending of evidence files.
const ENDING: &str = ".evidence";
/// What is added to it for the copy of a damaged file.
const DAMAGED: &str = ".damaged";
/// What is added to it for a file that was set aside. Such a file is never deleted.
const SET_ASIDE: &str = ".unreadable";

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
    /// Gives a file that cannot be read another name, under which nobody touches it. Says which.
    ///
    /// # Errors
    /// As the system says.
    fn set_aside(&self, name: &str) -> io::Result<PathBuf>;
    /// Where the last one of that name was set aside.
    fn aside(&self, name: &str) -> Option<PathBuf>;
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

    /// The paths for what is set aside, one after the other.
    fn aside_paths(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        let first = self.folder.join(format!("{name}{ENDING}{SET_ASIDE}"));
        let path = move |number: u32| {
            if number == 1 {
                return first.clone();
            }
            let mut path = first.clone().into_os_string();
            path.push(format!("-{number}"));
            path.into()
        };
        (1..).map(path)
    }
}

impl Disk for RealDisk {
    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let path = self.path(name);
        hearth_base::private::check_plain(&path)?;
        let is_new = !path.exists();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        let length = file.metadata()?.len();
        if is_new {
            // The name itself must survive a crash, too.
            #[cfg(unix)]
            File::open(&self.folder)?.sync_all()?;
        }
        Ok(Box::new(RealFile {
            file,
            length,
            reserved: length,
        }))
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

    fn set_aside(&self, name: &str) -> io::Result<PathBuf> {
        // There is a number that is free.
        let mut free = self.aside_paths(name).filter(|path| !path.exists());
        let aside = free.next().ok_or(io::ErrorKind::AlreadyExists)?;
        fs::rename(self.path(name), &aside)?;
        #[cfg(unix)]
        File::open(&self.folder)?.sync_all()?;
        Ok(aside)
    }

    fn aside(&self, name: &str) -> Option<PathBuf> {
        self.aside_paths(name).take_while(|path| path.exists()).last()
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

/// How far ahead of its end a file is filled with zeros. The disk is asked to keep what was written after every
/// answer; while the file does not grow, that is one write less.
const RESERVE: usize = 256 << 10;

struct RealFile {
    file: File,
    /// Bytes that were appended.
    length: u64,
    /// Bytes of the file: zeros behind the length.
    reserved: u64,
}

impl RealFile {
    fn write_at(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(bytes)
    }

    /// Room for what is appended next. A full disk may still have room for that alone.
    fn reserve(&mut self, end: u64) {
        let zeros = vec![0; RESERVE];
        let filled = self.write_at(end, &zeros).is_ok();
        self.reserved = if filled { end + RESERVE as u64 } else { end };
        if !filled && let Err(error) = self.file.set_len(end) {
            tracing::warn!(%error, "evidence keeps zeros at its end");
        }
    }
}

impl LogFile for RealFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.length + bytes.len() as u64;
        let grows = end > self.reserved;
        self.write_at(self.length, bytes)?;
        self.length = end;
        if grows {
            self.reserve(end);
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        (self.length, self.reserved) = (length, length);
        Ok(())
    }

    fn read_at(&mut self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start(at))?;
        let mut bytes = vec![0; length];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// What a folder holds.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// The facts of all files that have a whole head.
    pub(crate) facts: Vec<Facts>,
    /// Files that hold what cannot be read, by name, each with the reason.
    pub(crate) unreadable: Vec<(String, String)>,
    /// Whether the disk gave every file.
    pub(crate) whole: bool,
}

/// Reads the heads of all files. One that cannot be read hides no other, and is left as it is: whoever opens its session
/// decides.
pub(super) fn found(disk: &dyn Disk) -> io::Result<Scan> {
    let mut scan = Scan {
        whole: true,
        ..Scan::default()
    };
    for name in disk.names()? {
        let read = match disk.reader(&name) {
            Ok(None) => continue,
            Ok(Some(mut reader)) => head::read(&mut reader, None),
            Err(error) => Err(error.into()),
        };
        let path = disk.path(&name);
        let path = path.display();
        match read {
            Ok((facts, _)) => scan.facts.push(facts),
            Err(HeadError::Torn) => {}
            Err(HeadError::Io(error)) => {
                tracing::error!(%path, %error, "evidence cannot be read now");
                scan.whole = false;
            }
            Err(error @ (HeadError::Damaged { .. } | HeadError::Newer { .. })) => {
                let why =
                    format!("the evidence in {path} cannot be read, and no open session has it: {error}");
                scan.unreadable.push((name, why));
            }
        }
    }
    Ok(scan)
}

//! A disk in memory: it tears files, turns bits, fills up and fails on demand.

use std::{
    collections::BTreeMap,
    io::{self, Cursor, Read},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
};

use crate::ledger::{Disk, LogFile};

/// Files in memory. What was not synced is lost at a crash; a limit makes writes fail half-way.
#[derive(Clone, Default)]
pub(crate) struct MemoryDisk(Arc<Mutex<MemoryState>>);

#[derive(Default)]
pub(crate) struct MemoryState {
    files: BTreeMap<String, Vec<u8>>,
    /// The most bytes that all files together may have.
    pub(crate) limit: Option<usize>,
    /// How often the disk was asked to keep something.
    pub(crate) n_syncs: usize,
    /// Copies of damaged files.
    pub(crate) copies: BTreeMap<String, Vec<u8>>,
    /// Files that were set aside.
    pub(crate) aside: BTreeMap<String, Vec<u8>>,
    /// No file can be opened.
    pub(crate) fails: bool,
    /// Whoever writes meets a fault of the program.
    pub(crate) is_faulty: bool,
}

struct MemoryFile {
    disk: MemoryDisk,
    name: String,
}

impl MemoryDisk {
    pub(crate) fn state(&self) -> MutexGuard<'_, MemoryState> {
        self.0.lock().unwrap()
    }

    /// The disk after a crash that tore the end of a file off.
    pub(crate) fn torn(&self, n_lost: usize) -> MemoryDisk {
        let mut files = self.state().files.clone();
        for bytes in files.values_mut() {
            bytes.truncate(bytes.len().saturating_sub(n_lost));
        }
        MemoryDisk(Arc::new(Mutex::new(MemoryState {
            files,
            ..MemoryState::default()
        })))
    }

    /// Turns a bit of every file, so many bytes before its end.
    pub(crate) fn turn_bit(&self, from_end: usize) {
        for bytes in self.state().files.values_mut() {
            let at = bytes.len() - from_end;
            bytes[at] ^= 1;
        }
    }

    /// Puts a file there as it is.
    pub(crate) fn put(&self, name: &str, bytes: Vec<u8>) {
        self.state().files.insert(name.to_owned(), bytes);
    }

    /// Turns a bit of every file, so many bytes after its beginning.
    pub(crate) fn turn_bit_of_the_head(&self, at: usize) {
        for bytes in self.state().files.values_mut() {
            bytes[at] ^= 1;
        }
    }

    fn works(&self) -> io::Result<()> {
        if self.state().fails {
            return Err(io::Error::other("too many open files"));
        }
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.state().files.values().map(Vec::len).sum()
    }
}

impl Disk for MemoryDisk {
    fn open(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        self.works()?;
        self.state().files.entry(name.to_owned()).or_default();
        Ok(Box::new(MemoryFile {
            disk: self.clone(),
            name: name.to_owned(),
        }))
    }

    fn reader(&self, name: &str) -> io::Result<Option<Box<dyn Read + Send>>> {
        self.works()?;
        let bytes = self.state().files.get(name).cloned();
        Ok(bytes.map(|bytes| Box::new(Cursor::new(bytes)) as Box<dyn Read + Send>))
    }

    fn keep_copy(&self, name: &str) -> io::Result<PathBuf> {
        let copy = format!("{name}.damaged");
        let mut state = self.state();
        let bytes = state.files[name].clone();
        state.copies.entry(copy.clone()).or_insert(bytes);
        Ok(copy.into())
    }

    fn set_aside(&self, name: &str) -> io::Result<PathBuf> {
        let mut state = self.state();
        let bytes = state.files.remove(name).ok_or(io::ErrorKind::NotFound)?;
        state.aside.insert(name.to_owned(), bytes);
        Ok(format!("{name}.unreadable").into())
    }

    fn aside(&self, name: &str) -> Option<PathBuf> {
        let is_aside = self.state().aside.contains_key(name);
        is_aside.then(|| format!("{name}.unreadable").into())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.state().files.remove(name);
        Ok(())
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.state().files.keys().cloned().collect())
    }

    fn path(&self, name: &str) -> PathBuf {
        name.into()
    }

    fn free_bytes(&self) -> Option<u64> {
        None
    }
}

impl LogFile for MemoryFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let is_faulty = self.disk.state().is_faulty;
        assert!(!is_faulty, "on purpose");
        let used = self.disk.len();
        let mut state = self.disk.state();
        let room = state.limit.map(|limit| limit.saturating_sub(used));
        let file = state.files.get_mut(&self.name).unwrap();
        match room.filter(|room| *room < bytes.len()) {
            Some(room) => {
                // As a real disk: what fits is written.
                file.extend_from_slice(&bytes[..room]);
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            None => {
                file.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.state().n_syncs += 1;
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.disk
            .state()
            .files
            .get_mut(&self.name)
            .unwrap()
            .truncate(usize::try_from(length).unwrap());
        Ok(())
    }

    fn read_at(&mut self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let (at, state) = (usize::try_from(at).unwrap(), self.disk.state());
        let bytes = state.files[&self.name].get(at..at + length);
        bytes
            .map(<[u8]>::to_vec)
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }
}

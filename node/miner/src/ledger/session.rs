//! One session's evidence and tree.

use std::{cell::RefCell, io, path::PathBuf, sync::Arc};

use hearth_pocket::{
    gob,
    trie::{SumTrie, Values, verify_closest},
};

use super::{Disk, LedgerError, LogFile, Reply, Sealed, Tally, answer};
use crate::{
    evidence::{self, Contents, Entry},
    facts::Facts,
};

pub(super) struct Session {
    facts: Arc<Facts>,
    path: PathBuf,
    file: RefCell<Box<dyn LogFile>>,
    trie: SumTrie,
    tally: Tally,
    sealed: bool,
    /// Records that wait for the disk, as they will stand in the file.
    buffer: Vec<u8>,
    waiting: Vec<Waiting>,
    /// A write failed and the file could not be cut back: only a restart helps.
    broken: bool,
}

/// An answer whose record waits for the disk.
struct Waiting {
    hash: [u8; 32],
    in_tree: bool,
    /// Where in the buffer its relay lies.
    relay: std::ops::Range<usize>,
    reply: Reply<Tally>,
}

impl Session {
    pub(super) fn open(
        disk: &dyn Disk,
        facts: &Arc<Facts>,
        sealed_bytes: Option<u64>,
    ) -> Result<Session, LedgerError> {
        let key = facts.key();
        let name = key.to_string();
        let path = disk.path(&name);
        if !key.is_plain() {
            return Err(LedgerError::Damaged {
                path,
                why: "its name is none of a session".to_owned(),
            });
        }
        let failed = |error: io::Error| LedgerError::Disk {
            path: path.clone(),
            why: error.to_string(),
        };
        let mut session = Session {
            facts: Arc::clone(facts),
            path: path.clone(),
            file: RefCell::new(disk.open(&name).map_err(failed)?),
            trie: SumTrie::new(),
            tally: Tally::default(),
            sealed: sealed_bytes.is_some(),
            buffer: Vec::new(),
            waiting: Vec::new(),
            broken: false,
        };
        let mut reader = disk.reader(&name).map_err(failed)?;
        let read = match &mut reader {
            Some(reader) => evidence::read_all(reader, sealed_bytes, |entry, at| session.rebuild(&entry, at)),
            None => Ok(None),
        };
        match read.map_err(failed)? {
            Some(contents) => session.resume(disk, &name, &contents, sealed_bytes)?,
            None => session.begin().map_err(failed)?,
        }
        Ok(session)
    }

    /// Puts an entry of the file back into the tree.
    fn rebuild(&mut self, entry: &Entry, relay_at: u64) {
        self.tally.answers += 1;
        if entry.in_tree {
            self.trie
                .insert(&entry.hash, &entry.relay, self.facts.compute_units, relay_at);
        }
        self.tally.leaves = self.trie.len() as u64;
    }

    /// Goes on with a file that was there.
    fn resume(
        &mut self,
        disk: &dyn Disk,
        name: &str,
        contents: &Contents,
        sealed_bytes: Option<u64>,
    ) -> Result<(), LedgerError> {
        let damaged = |why: String| LedgerError::Damaged {
            path: self.path.clone(),
            why,
        };
        let found = &contents.facts;
        if found.header != self.facts.header || found.compute_units != self.facts.compute_units {
            return Err(damaged("it belongs to another session".to_owned()));
        }
        let length = contents.length;
        if let Some(sealed) = sealed_bytes.filter(|sealed| *sealed > length) {
            return Err(damaged(format!(
                "{sealed} bytes were claimed, {length} are whole"
            )));
        }
        self.tally.bytes = length;
        let n_damaged: u64 = contents.damage.iter().map(|gap| gap.end - gap.start).sum();
        if n_damaged > 0 {
            let (path, answers) = (self.path.display(), self.tally.answers);
            match disk.keep_copy(name) {
                Ok(copy) => tracing::error!(
                    %path, n_damaged, answers, copy = %copy.display(),
                    "evidence is damaged: what is whole goes on, a copy is kept; check the disk"
                ),
                Err(error) => tracing::error!(
                    %path, n_damaged, answers, %error,
                    "evidence is damaged and cannot be copied: what is whole goes on; check the disk"
                ),
            }
        }
        if self.sealed {
            return Ok(());
        }
        let cut = self
            .file
            .get_mut()
            .truncate(length)
            .and_then(|()| self.file.get_mut().sync());
        cut.map_err(|error| LedgerError::Disk {
            path: self.path.clone(),
            why: error.to_string(),
        })
    }

    /// Writes the head of a new file. What was there had no whole head, so no answer was ever written to it.
    fn begin(&mut self) -> io::Result<()> {
        let head = evidence::write_facts(&self.facts).map_err(io::Error::other)?;
        let file = self.file.get_mut();
        file.truncate(0)?;
        file.append(&head)?;
        file.sync()?;
        self.tally.bytes = head.len() as u64;
        Ok(())
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// Queues an answer for the disk. Returns how many bytes it is.
    pub(super) fn queue(&mut self, entry: Entry, reply: Reply<Tally>) -> usize {
        if self.sealed {
            answer(
                reply,
                Err(LedgerError::Sealed {
                    session_id: self.facts.header.session_id.clone(),
                }),
            );
            return 0;
        }
        if self.broken {
            answer(reply, Err(self.disk_error("an earlier write failed")));
            return 0;
        }
        let already = self
            .waiting
            .iter()
            .any(|waiting| waiting.in_tree && waiting.hash == entry.hash);
        if entry.in_tree && (already || self.trie.contains(&entry.hash)) {
            // The very same relay again is the same leaf.
            answer(reply, Ok(self.tally));
            return 0;
        }
        let start = self.buffer.len();
        let relay_at = entry.write(&mut self.buffer);
        let relay = relay_at..self.buffer.len();
        self.waiting.push(Waiting {
            hash: entry.hash,
            in_tree: entry.in_tree,
            relay,
            reply,
        });
        self.buffer.len() - start
    }

    /// Writes what waits, and answers for it.
    pub(super) fn keep(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let buffer = std::mem::take(&mut self.buffer);
        let waiting = std::mem::take(&mut self.waiting);
        let file = self.file.get_mut();
        if let Err(error) = file.append(&buffer).and_then(|()| file.sync()) {
            tracing::error!(path = %self.path.display(), %error, "evidence cannot be written");
            if let Err(error) = file.truncate(self.tally.bytes) {
                tracing::error!(path = %self.path.display(), %error, "evidence cannot be cut back");
                self.broken = true;
            }
            let error = self.disk_error(&error.to_string());
            waiting
                .into_iter()
                .for_each(|waiting| answer(waiting.reply, Err(error.clone())));
            return;
        }
        let start = self.tally.bytes;
        self.tally.bytes += buffer.len() as u64;
        for waiting in waiting {
            self.tally.answers += 1;
            if waiting.in_tree {
                let relay = &buffer[waiting.relay.clone()];
                let at = start + waiting.relay.start as u64;
                self.trie
                    .insert(&waiting.hash, relay, self.facts.compute_units, at);
                self.tally.leaves += 1;
            }
            answer(waiting.reply, Ok(self.tally));
        }
        metrics::counter!("hearth_miner_evidence_bytes_total").increment(buffer.len() as u64);
        metrics::counter!("hearth_miner_evidence_syncs_total").increment(1);
        // The buffer's memory is used again, unless one huge round made it large.
        if buffer.capacity() <= 1 << 20 {
            self.buffer = buffer;
            self.buffer.clear();
        }
    }

    pub(super) fn seal(&mut self) -> Sealed {
        self.sealed = true;
        Sealed {
            root: self.trie.root(),
            tally: self.tally,
        }
    }

    pub(super) fn prove(&mut self, path: &[u8; 32]) -> Result<Vec<u8>, LedgerError> {
        let root = self.trie.root();
        let values = InFile(&self.file);
        let proof = self
            .trie
            .prove_closest(path, &values)
            .map_err(|error| self.disk_error(&error.to_string()))?;
        verify_closest(&proof, &root).map_err(|error| LedgerError::Damaged {
            path: self.path.clone(),
            why: format!("its proof does not hold: {error}"),
        })?;
        Ok(gob::encode(&proof.compact()))
    }

    fn disk_error(&self, why: &str) -> LedgerError {
        LedgerError::Disk {
            path: self.path.clone(),
            why: why.to_owned(),
        }
    }
}

/// The relays in the file; a locator is where one begins.
struct InFile<'file>(&'file RefCell<Box<dyn LogFile>>);

impl Values for InFile<'_> {
    type Error = io::Error;

    fn value(&self, locator: u64) -> Result<Vec<u8>, io::Error> {
        // The exact length stands right before the relay.
        let mut file = self.0.borrow_mut();
        let length = file.read_at(locator - 4, 4)?;
        let length = length
            .iter()
            .rev()
            .fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
        file.read_at(locator, length)
    }
}

//! One session's evidence and tree.

use std::{cell::RefCell, io, path::PathBuf, sync::Arc};

use hearth_pocket::{
    gob,
    trie::{SumTrie, Values, verify_closest},
};
use hearth_store::Problems;

use super::{Disk, LedgerError, LogFile, Reply, Sealed, Tally, Waiting, answer};
use crate::{
    evidence::{self, Contents, Entry, HeadError},
    facts::Facts,
};

pub(super) struct Session {
    facts: Arc<Facts>,
    path: PathBuf,
    file: RefCell<Box<dyn LogFile>>,
    trie: SumTrie,
    tally: Tally,
    state: State,
    /// The records of a round, as they will stand in the file.
    buffer: Vec<u8>,
}

enum State {
    Open,
    Sealed,
    Closed,
    /// File, tree and tally may not agree any more: only a restart helps.
    Broken(LedgerError),
}

/// An answer whose record is in the buffer.
struct Written {
    hash: [u8; 32],
    in_tree: bool,
    /// Where in the buffer its relay lies.
    relay: std::ops::Range<usize>,
    reply: Reply<Tally>,
}

impl Session {
    pub(super) fn open(
        disk: &dyn Disk,
        problems: &Problems,
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
        if let Some(aside) = disk.aside(&name) {
            return Err(set_aside(path, &aside, "it could not be read"));
        }
        let mut session = Session {
            facts: Arc::clone(facts),
            path: path.clone(),
            file: RefCell::new(disk.open(&name).map_err(failed)?),
            trie: SumTrie::new(),
            tally: Tally::default(),
            state: if sealed_bytes.is_some() {
                State::Sealed
            } else {
                State::Open
            },
            buffer: Vec::new(),
        };
        let mut reader = disk.reader(&name).map_err(failed)?;
        let read = match &mut reader {
            Some(reader) => evidence::read_all(reader, sealed_bytes, Some(facts), |entry, at| {
                session.rebuild(&entry, at);
            }),
            None => Err(HeadError::Torn),
        };
        match read {
            Ok(contents) => session.resume(disk, problems, &name, &contents, sealed_bytes)?,
            Err(HeadError::Torn) if sealed_bytes.is_none() => session.begin().map_err(failed)?,
            Err(HeadError::Torn) => {
                let why = "a claim was made from it, and nothing is in it any more".to_owned();
                return Err(LedgerError::Damaged { path, why });
            }
            Err(HeadError::Io(error)) => return Err(failed(error)),
            Err(HeadError::Damaged { why }) => {
                let aside = disk.set_aside(&name).map_err(failed)?;
                return Err(set_aside(path, &aside, &why));
            }
            Err(error @ HeadError::Newer { .. }) => {
                let why = error.to_string();
                return Err(LedgerError::Newer { path, why });
            }
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
        problems: &Problems,
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
                Ok(copy) => problems.report(format!(
                    "{n_damaged} bytes of the evidence in {path} are damaged: the {answers} answers that are whole go on, \
                     {} keeps the file as it was; check the disk",
                    copy.display()
                )),
                Err(error) => problems.report(format!(
                    "{n_damaged} bytes of the evidence in {path} are damaged: the {answers} answers that are whole go on, \
                     and the file cannot be copied ({error}); check the disk"
                )),
            }
        }
        if matches!(self.state, State::Sealed) {
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

    /// Writes the head of a new file. What was there was the beginning of a head at most, so no answer was ever written
    /// to it.
    fn begin(&mut self) -> io::Result<()> {
        let head = evidence::head::write(&self.facts).map_err(io::Error::other)?;
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

    /// Writes a round of answers, and answers for them.
    pub(super) fn keep(&mut self, round: Vec<Waiting>) {
        self.buffer.clear();
        let mut written: Vec<Written> = Vec::with_capacity(round.len());
        for (entry, reply) in round {
            match self.check(&entry, &written) {
                Ok(true) => written.push(self.write(&entry, reply)),
                // The very same relay again is the same leaf.
                Ok(false) => answer(reply, Ok(self.tally)),
                Err(error) => answer(reply, Err(error)),
            }
        }
        if written.is_empty() {
            return;
        }
        let buffer = std::mem::take(&mut self.buffer);
        let file = self.file.get_mut();
        if let Err(error) = file.append(&buffer).and_then(|()| file.sync()) {
            self.cut_back(&error, written);
            return;
        }
        let start = self.tally.bytes;
        self.tally.bytes += buffer.len() as u64;
        for written in written {
            self.tally.answers += 1;
            if written.in_tree {
                let relay = &buffer[written.relay.clone()];
                let at = start + written.relay.start as u64;
                self.trie
                    .insert(&written.hash, relay, self.facts.compute_units, at);
                self.tally.leaves += 1;
            }
            answer(written.reply, Ok(self.tally));
        }
        metrics::counter!("hearth_miner_evidence_bytes_total").increment(buffer.len() as u64);
        metrics::counter!("hearth_miner_evidence_syncs_total").increment(1);
        // The buffer's memory is used again, unless one huge round made it large.
        if buffer.capacity() <= 1 << 20 {
            self.buffer = buffer;
        }
    }

    /// Whether an answer is new; an error if none is taken.
    fn check(&self, entry: &Entry, written: &[Written]) -> Result<bool, LedgerError> {
        let session_id = || self.facts.header.session_id.clone();
        match &self.state {
            State::Open => {}
            State::Sealed => {
                return Err(LedgerError::Sealed {
                    session_id: session_id(),
                });
            }
            State::Closed => {
                return Err(LedgerError::Unknown {
                    session_id: session_id(),
                });
            }
            State::Broken(error) => return Err(error.clone()),
        }
        let in_round = || {
            let mut leaves = written.iter().filter(|written| written.in_tree);
            leaves.any(|written| written.hash == entry.hash)
        };
        Ok(!entry.in_tree || !(in_round() || self.trie.contains(&entry.hash)))
    }

    fn write(&mut self, entry: &Entry, reply: Reply<Tally>) -> Written {
        let relay_at = entry.write(&mut self.buffer);
        Written {
            hash: entry.hash,
            in_tree: entry.in_tree,
            relay: relay_at..self.buffer.len(),
            reply,
        }
    }

    /// After a failed write: the file is as before, and nobody's last byte leaves.
    fn cut_back(&mut self, error: &io::Error, written: Vec<Written>) {
        tracing::error!(path = %self.path.display(), %error, "evidence cannot be written");
        if let Err(error) = self.file.get_mut().truncate(self.tally.bytes) {
            tracing::error!(path = %self.path.display(), %error, "evidence cannot be cut back");
            let why = "an earlier write failed, and Hearth was not started again since";
            self.break_off(self.disk_error(why));
        }
        let error = self.disk_error(&error.to_string());
        for written in written {
            answer(written.reply, Err(error.clone()));
        }
    }

    /// Takes no answer from now on.
    pub(super) fn break_off(&mut self, error: LedgerError) {
        if matches!(self.state, State::Open) {
            self.state = State::Broken(error);
        }
    }

    pub(super) fn seal(&mut self) -> Sealed {
        if matches!(self.state, State::Open)
            && let Err(error) = self.file.get_mut().truncate(self.tally.bytes)
        {
            tracing::warn!(path = %self.path.display(), %error, "the evidence keeps the room at its end");
        }
        self.state = State::Sealed;
        Sealed {
            root: self.trie.root(),
            tally: self.tally,
        }
    }

    pub(super) fn close(&mut self) {
        self.state = State::Closed;
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

/// The file is kept under another name, since all answers of the session are in it.
fn set_aside(path: PathBuf, aside: &std::path::Path, why: &str) -> LedgerError {
    let why = format!("{why}; it is kept as {}", aside.display());
    LedgerError::Damaged { path, why }
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

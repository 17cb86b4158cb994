//! The ledger: the one thread that writes evidence and holds the trees.
//!
//! Answers of all sessions queue here. The thread takes what is queued, writes it, asks the disk once per file to keep
//! it, puts the leaves into the trees and only then tells the waiting answers that their last byte may leave; so many
//! answers share one wait for the disk. A write that fails takes nothing with it: the file is cut back to its last
//! whole record and the answers of that round are refused.

mod disk;
mod session;

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    sync::Arc,
};

use hearth_pocket::trie::Root;
use tokio::sync::{mpsc, oneshot};

pub(crate) use disk::{Disk, LogFile, RealDisk, Scan};
use session::Session;

use crate::{
    evidence::Entry,
    facts::{Facts, Key},
};

/// Answers that may wait for the disk at once. Above it, answers wait for room; nothing is dropped.
const QUEUE: usize = 1024;
/// The most that is written before the disk is asked to keep it: bounds memory and the time of one round.
const ROUND_BYTES: usize = 8 << 20;

/// Why something could not be written down, or not be proven.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    #[error("the answer could not be written down ({why}): free some space on the disk of {path}")]
    Disk { path: PathBuf, why: String },
    #[error("the evidence in {path} is damaged: {why}")]
    Damaged { path: PathBuf, why: String },
    #[error("the claim of session {session_id} is made: nothing can be added to it")]
    Sealed { session_id: String },
    #[error("session {session_id} is not open")]
    Unknown { session_id: String },
    #[error("the ledger has stopped")]
    Stopped,
}

/// What is in a session's evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Answers.
    pub(crate) answers: u64,
    /// Those of them that lie in the tree.
    pub(crate) leaves: u64,
    /// Length of the file.
    pub(crate) bytes: u64,
}

/// A session whose evidence takes nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// The root of its tree.
    pub(crate) root: Root,
    /// What is in it.
    pub(crate) tally: Tally,
}

enum Command {
    Open {
        facts: Arc<Facts>,
        sealed_bytes: Option<u64>,
        reply: Reply<Tally>,
    },
    Append {
        key: Key,
        entry: Entry,
        reply: Reply<Tally>,
    },
    Seal {
        key: Key,
        reply: Reply<Sealed>,
    },
    Prove {
        key: Key,
        path: [u8; 32],
        reply: Reply<Vec<u8>>,
    },
    Close {
        key: Key,
        reply: Reply<()>,
    },
    Forget {
        key: Key,
        reply: Reply<()>,
    },
}

type Reply<T> = oneshot::Sender<Result<T, LedgerError>>;

/// Speaks to the ledger's thread. The thread ends with the last handle, after it wrote what was queued.
#[derive(Clone)]
pub(crate) struct Ledger {
    commands: mpsc::Sender<Command>,
    disk: Arc<dyn Disk>,
}

impl Ledger {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(disk: Arc<dyn Disk>) -> std::io::Result<Ledger> {
        let (commands, queue) = mpsc::channel(QUEUE);
        let writer = Writer {
            disk: Arc::clone(&disk),
            sessions: BTreeMap::new(),
        };
        std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || writer.run(queue))?;
        Ok(Ledger { commands, disk })
    }

    /// The facts of all evidence on the disk.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub(crate) fn found(&self) -> std::io::Result<Scan> {
        disk::found(&*self.disk)
    }

    /// A part of the entries of a session's evidence, the newest first and without their relays, and how many there
    /// are in all. The file is read once, and only what is asked for is held.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn page(&self, key: &Key, limit: usize, offset: usize) -> std::io::Result<(Vec<Entry>, u64)> {
        let held = limit.saturating_add(offset);
        let (mut newest, mut total) = (VecDeque::new(), 0);
        if let Some(mut reader) = self.disk.reader(&key.to_string())? {
            crate::evidence::read_all(&mut reader, None, |entry, _| {
                total += 1;
                newest.push_front(Entry {
                    relay: Vec::new(),
                    ..entry
                });
                newest.truncate(held);
            })?;
        }
        Ok((newest.into_iter().skip(offset).collect(), total))
    }

    /// Opens a session's evidence, with the tree of what is in it. `sealed_bytes` is where a seal cut it before.
    ///
    /// # Errors
    /// A file that cannot be made or read.
    pub(crate) async fn open(
        &self,
        facts: Arc<Facts>,
        sealed_bytes: Option<u64>,
    ) -> Result<Tally, LedgerError> {
        self.ask(|reply| Command::Open {
            facts,
            sealed_bytes,
            reply,
        })
        .await
    }

    /// Writes down an answer. When this returns, it survives a crash.
    ///
    /// # Errors
    /// A full disk, or a session that is sealed or not open. Nothing was written then.
    pub(crate) async fn append(&self, key: Key, entry: Entry) -> Result<Tally, LedgerError> {
        self.ask(|reply| Command::Append { key, entry, reply }).await
    }

    /// Ends a session's evidence: everything queued before is in it, nothing after.
    ///
    /// # Errors
    /// A session that is not open.
    pub(crate) async fn seal(&self, key: Key) -> Result<Sealed, LedgerError> {
        self.ask(|reply| Command::Seal { key, reply }).await
    }

    /// The proof of the leaf closest to a path, as the chain takes it.
    ///
    /// # Errors
    /// A session that is not open, or evidence that changed on the disk.
    pub(crate) async fn prove(&self, key: Key, path: [u8; 32]) -> Result<Vec<u8>, LedgerError> {
        self.ask(|reply| Command::Prove { key, path, reply }).await
    }

    /// Lets a session's tree go. Its evidence stays on the disk.
    ///
    /// # Errors
    /// The ledger has stopped.
    pub(crate) async fn close(&self, key: Key) -> Result<(), LedgerError> {
        self.ask(|reply| Command::Close { key, reply }).await
    }

    /// Deletes a session's evidence.
    ///
    /// # Errors
    /// A file that cannot be deleted.
    pub(crate) async fn forget(&self, key: Key) -> Result<(), LedgerError> {
        self.ask(|reply| Command::Forget { key, reply }).await
    }

    /// The path of a session's evidence, for messages.
    pub(crate) fn path(&self, key: &Key) -> PathBuf {
        self.disk.path(&key.to_string())
    }

    /// Bytes free on the disk of the evidence, where the system says so.
    #[must_use]
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        self.disk.free_bytes()
    }

    /// Tries whether a file can be written now.
    #[must_use]
    pub(crate) fn is_writable(&self) -> bool {
        let name = "probe";
        let tried = self.disk.open(name).and_then(|mut file| {
            file.append(&[0; 4096])?;
            file.sync()
        });
        // What is left of it is no evidence, and is overwritten by the next try.
        let _ = self.disk.remove(name);
        tried.is_ok()
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, LedgerError> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(command(reply))
            .await
            .map_err(|_| LedgerError::Stopped)?;
        answer.await.map_err(|_| LedgerError::Stopped)?
    }
}

struct Writer {
    disk: Arc<dyn Disk>,
    sessions: BTreeMap<Key, Session>,
}

impl Writer {
    fn run(mut self, mut queue: mpsc::Receiver<Command>) {
        while let Some(command) = queue.blocking_recv() {
            let mut n_bytes = self.take(command);
            while n_bytes < ROUND_BYTES
                && let Ok(command) = queue.try_recv()
            {
                n_bytes += self.take(command);
            }
            self.keep();
        }
        self.keep();
    }

    /// Deals with a command, or queues it for the disk. Returns how many bytes that is.
    fn take(&mut self, command: Command) -> usize {
        match command {
            Command::Append { key, entry, reply } => match self.sessions.get_mut(&key) {
                Some(session) => return session.queue(entry, reply),
                None => answer(
                    reply,
                    Err(LedgerError::Unknown {
                        session_id: key.session_id,
                    }),
                ),
            },
            Command::Open {
                facts,
                sealed_bytes,
                reply,
            } => {
                let opened = self.open(&facts, sealed_bytes);
                answer(reply, opened);
            }
            Command::Seal { key, reply } => {
                let sealed = self.whole(&key).map(Session::seal);
                answer(reply, sealed);
            }
            Command::Prove { key, path, reply } => {
                let proof = self.whole(&key).and_then(|session| session.prove(&path));
                answer(reply, proof);
            }
            Command::Close { key, reply } => {
                if let Ok(session) = self.whole(&key) {
                    session.keep();
                }
                self.sessions.remove(&key);
                answer(reply, Ok(()));
            }
            Command::Forget { key, reply } => {
                self.sessions.remove(&key);
                let path = self.disk.path(&key.to_string());
                let removed = self.disk.remove(&key.to_string());
                answer(
                    reply,
                    removed.map_err(|error| LedgerError::Disk {
                        path,
                        why: error.to_string(),
                    }),
                );
            }
        }
        0
    }

    fn open(&mut self, facts: &Arc<Facts>, sealed_bytes: Option<u64>) -> Result<Tally, LedgerError> {
        let key = facts.key();
        if let Some(session) = self.sessions.get(&key) {
            return Ok(session.tally());
        }
        let session = Session::open(&*self.disk, facts, sealed_bytes)?;
        let tally = session.tally();
        self.sessions.insert(key, session);
        Ok(tally)
    }

    /// A session after everything that was queued for it is kept.
    fn whole(&mut self, key: &Key) -> Result<&mut Session, LedgerError> {
        let unknown = || LedgerError::Unknown {
            session_id: key.session_id.clone(),
        };
        let session = self.sessions.get_mut(key).ok_or_else(unknown)?;
        session.keep();
        Ok(session)
    }

    fn keep(&mut self) {
        self.sessions.values_mut().for_each(Session::keep);
    }
}

/// Whoever asked may have gone away meanwhile.
fn answer<T>(reply: Reply<T>, result: Result<T, LedgerError>) {
    let _ = reply.send(result);
}

#[cfg(test)]
mod tests;

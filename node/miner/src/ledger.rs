//! The ledger: the evidence and the trees of all open sessions.
//!
//! Answers queue at their session's [`Writer`]. The ledger's thread writes all that are queued, asks the disk once to
//! keep them, puts the leaves into the tree and only then tells the answers that their last byte may leave; so many
//! answers share one wait for the disk. One that is alone does it on its own thread, since waking another costs more
//! than the writing. A write that fails takes nothing with it: the file is cut back to its last whole record and the
//! answers of that round are refused.

mod disk;
mod session;

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{self, Arc, PoisonError, TryLockError, mpsc},
};

use hearth_pocket::trie::Root;
use hearth_store::Problems;
use parking_lot::Mutex;
use tokio::sync::oneshot;

pub(crate) use disk::{Disk, LogFile, RealDisk, Scan};
use session::Session;

use crate::{
    evidence::{self, Entry, HeadError},
    facts::{Facts, Key},
};

/// The most that is written before the disk is asked to keep it: bounds memory and the time of one round.
const ROUND_BYTES: usize = 8 << 20;

/// Why something could not be written down, or not be proven.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    #[error("the answer could not be written down ({why}): free some space on the disk of {path}")]
    Disk { path: PathBuf, why: String },
    #[error("the evidence in {path} is damaged: {why}")]
    Damaged { path: PathBuf, why: String },
    #[error("the evidence in {path} cannot be read: {why}")]
    Newer { path: PathBuf, why: String },
    #[error("the claim of session {session_id} is made: nothing can be added to it")]
    Sealed { session_id: String },
    #[error("session {session_id} is not open")]
    Unknown { session_id: String },
    #[error("a fault in this program broke the writing off: the log says where, please report it")]
    BrokenOff,
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

type Reply<T> = oneshot::Sender<Result<T, LedgerError>>;

/// The evidence of all open sessions. Clones share it.
#[derive(Clone)]
pub(crate) struct Ledger(Arc<Inner>);

struct Inner {
    disk: Arc<dyn Disk>,
    problems: Problems,
    writers: Mutex<BTreeMap<Key, Arc<Writer>>>,
    /// Files are opened and closed one by one.
    opening: Mutex<()>,
    /// Wakes the thread for a writer.
    thread: mpsc::Sender<Arc<Writer>>,
}

impl Ledger {
    /// Starts the thread. It ends with the last handle.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start(disk: Arc<dyn Disk>, problems: Problems) -> io::Result<Ledger> {
        let (thread, writers) = mpsc::channel::<Arc<Writer>>();
        std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || writers.iter().for_each(|writer| writer.keep_all()))?;
        Ok(Ledger(Arc::new(Inner {
            disk,
            problems,
            writers: Mutex::default(),
            opening: Mutex::default(),
            thread,
        })))
    }

    /// The facts of all evidence on the disk.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub(crate) fn found(&self) -> io::Result<Scan> {
        disk::found(&*self.0.disk)
    }

    /// A part of the entries of a session's evidence, the newest first and without their relays, and how many there
    /// are in all. The file is read once, and only what is asked for is held.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn page(&self, key: &Key, limit: usize, offset: usize) -> io::Result<(Vec<Entry>, u64)> {
        let held = limit.saturating_add(offset);
        let (mut newest, mut total) = (VecDeque::new(), 0);
        if let Some(mut reader) = self.0.disk.reader(&key.to_string())? {
            let read = evidence::read_all(&mut reader, None, None, |entry, _| {
                total += 1;
                newest.push_front(Entry {
                    relay: Vec::new(),
                    ..entry
                });
                newest.truncate(held);
            });
            match read {
                Ok(_) | Err(HeadError::Torn) => {}
                Err(error) => return Err(error.into()),
            }
        } else if let Some(aside) = self.0.disk.aside(&key.to_string()) {
            let why = format!(
                "the evidence could not be read: it is kept as {}",
                aside.display()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok((newest.into_iter().skip(offset).collect(), total))
    }

    /// What tells the requests in a session's evidence from others, so that a replay is known after a restart, too.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) async fn requests(&self, key: Key) -> Result<HashSet<[u8; 32]>, LedgerError> {
        self.blocking(move |inner| {
            let (name, mut requests) = (key.to_string(), HashSet::new());
            let failed = |error: io::Error| LedgerError::Disk {
                path: inner.disk.path(&name),
                why: error.to_string(),
            };
            let Some(mut reader) = inner.disk.reader(&name).map_err(failed)? else {
                return Ok(requests);
            };
            let each = |entry: Entry, _| requests.extend(entry.request());
            match evidence::read_all(&mut reader, None, None, each) {
                Ok(_) | Err(HeadError::Torn) => Ok(requests),
                Err(error) => Err(failed(error.into())),
            }
        })
        .await
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
        self.blocking(move |inner| inner.open(&facts, sealed_bytes)).await
    }

    /// Writes down an answer. When this returns, it survives a crash. `alone` says that no other of the session is
    /// being made: then the caller's thread waits for the disk.
    ///
    /// # Errors
    /// A full disk, or a session that is sealed or not open. Nothing was written then.
    pub(crate) async fn append(&self, key: &Key, entry: Entry, alone: bool) -> Result<Tally, LedgerError> {
        let writer = self.0.writer(key)?;
        let (reply, answer) = oneshot::channel();
        let is_first = {
            let mut waiting = writer.waiting.lock();
            waiting.push_back((entry, reply));
            waiting.len() == 1
        };
        // Whoever is not the first relies on the first, even if that meets a fault.
        let is_all_kept = || catch_unwind(AssertUnwindSafe(|| writer.keep())).unwrap_or(false);
        if is_first && !(alone && is_all_kept()) {
            self.0.thread.send(writer).map_err(|_| LedgerError::BrokenOff)?;
        }
        answer.await.map_err(|_| LedgerError::BrokenOff)?
    }

    /// Ends a session's evidence: everything queued before is in it, nothing after.
    ///
    /// # Errors
    /// A session that is not open.
    pub(crate) async fn seal(&self, key: Key) -> Result<Sealed, LedgerError> {
        self.blocking(move |inner| Ok(inner.writer(&key)?.whole(Session::seal)))
            .await
    }

    /// The proof of the leaf closest to a path, as the chain takes it.
    ///
    /// # Errors
    /// A session that is not open, or evidence that changed on the disk.
    pub(crate) async fn prove(&self, key: Key, path: [u8; 32]) -> Result<Vec<u8>, LedgerError> {
        self.blocking(move |inner| inner.writer(&key)?.whole(|session| session.prove(&path)))
            .await
    }

    /// Lets a session's tree go. Its evidence stays on the disk.
    ///
    /// # Errors
    /// A fault in this program.
    pub(crate) async fn close(&self, key: Key) -> Result<(), LedgerError> {
        self.blocking(move |inner| {
            let _alone = inner.opening.lock();
            inner.close(&key);
            Ok(())
        })
        .await
    }

    /// Deletes a session's evidence.
    ///
    /// # Errors
    /// A file that cannot be deleted.
    pub(crate) async fn forget(&self, key: Key) -> Result<(), LedgerError> {
        self.blocking(move |inner| inner.forget(&key)).await
    }

    /// What was found damaged or unreadable.
    pub(crate) fn problems(&self) -> &Problems {
        &self.0.problems
    }

    /// The path of a session's evidence, for messages.
    pub(crate) fn path(&self, key: &Key) -> PathBuf {
        self.0.disk.path(&key.to_string())
    }

    /// Bytes free on the disk of the evidence, where the system says so.
    #[must_use]
    pub(crate) fn free_bytes(&self) -> Option<u64> {
        self.0.disk.free_bytes()
    }

    /// Tries whether a file can be written now.
    #[must_use]
    pub(crate) fn is_writable(&self) -> bool {
        let name = "probe";
        let tried = self.0.disk.open(name).and_then(|mut file| {
            file.append(&[0; 4096])?;
            file.sync()
        });
        // What is left of it is no evidence, and is overwritten by the next try.
        let _ = self.0.disk.remove(name);
        tried.is_ok()
    }

    /// Runs what may take long away from the threads of tasks.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let inner = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.map_err(|_| LedgerError::BrokenOff)?
    }
}

impl Inner {
    fn writer(&self, key: &Key) -> Result<Arc<Writer>, LedgerError> {
        let writer = self.writers.lock().get(key).cloned();
        writer.ok_or_else(|| LedgerError::Unknown {
            session_id: key.session_id.clone(),
        })
    }

    fn open(&self, facts: &Arc<Facts>, sealed_bytes: Option<u64>) -> Result<Tally, LedgerError> {
        let _alone = self.opening.lock();
        let key = facts.key();
        if let Ok(writer) = self.writer(&key) {
            return Ok(writer.session().tally());
        }
        let session = Session::open(&*self.disk, &self.problems, facts, sealed_bytes)
            .inspect_err(|error| self.tell(error))?;
        let tally = session.tally();
        let writer = Writer {
            waiting: Mutex::default(),
            session: sync::Mutex::new(session),
        };
        self.writers.lock().insert(key, Arc::new(writer));
        Ok(tally)
    }

    /// A file that cannot be read is worth more than a line in the log.
    fn tell(&self, error: &LedgerError) {
        if matches!(error, LedgerError::Damaged { .. } | LedgerError::Newer { .. }) {
            self.problems.report(error);
        }
    }

    /// Whoever still holds the writer is refused from then on: the next one to open the file is alone with it.
    fn close(&self, key: &Key) {
        let writer = self.writers.lock().remove(key);
        if let Some(writer) = writer {
            writer.whole(Session::close);
        }
    }

    fn forget(&self, key: &Key) -> Result<(), LedgerError> {
        let _alone = self.opening.lock();
        self.close(key);
        let removed = self.disk.remove(&key.to_string());
        removed.map_err(|error| LedgerError::Disk {
            path: self.disk.path(&key.to_string()),
            why: error.to_string(),
        })
    }
}

/// An answer that waits to be written, and who waits for that.
type Waiting = (Entry, Reply<Tally>);

/// One session's evidence, and the answers that wait to be written to it.
struct Writer {
    waiting: Mutex<VecDeque<Waiting>>,
    /// A lock that knows of a fault while it was held.
    session: sync::Mutex<Session>,
}

impl Writer {
    /// Writes what waits, unless somebody holds the session. Says whether nothing is left.
    fn keep(&self) -> bool {
        let mut session = match self.session.try_lock() {
            Ok(session) => session,
            Err(TryLockError::Poisoned(poisoned)) => broken_off(poisoned),
            Err(TryLockError::WouldBlock) => return false,
        };
        let (round, is_all) = self.round();
        session.keep(round);
        is_all
    }

    /// Writes all that waits. A fault costs the answers of its round, and the session takes none after them.
    fn keep_all(&self) {
        while catch_unwind(AssertUnwindSafe(|| self.whole(|_| ()))).is_err() {}
    }

    fn session(&self) -> sync::MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(broken_off)
    }

    /// Works on the session after everything that was queued is written.
    fn whole<T>(&self, work: impl FnOnce(&mut Session) -> T) -> T {
        let mut session = self.session();
        loop {
            let (round, is_all) = self.round();
            session.keep(round);
            if is_all {
                return work(&mut session);
            }
        }
    }

    /// What is written next, within the bytes of a round, and whether that is all.
    fn round(&self) -> (Vec<Waiting>, bool) {
        let mut waiting = self.waiting.lock();
        let mut n_bytes = 0;
        let fits = |(entry, _): &&Waiting| {
            let fits = n_bytes < ROUND_BYTES;
            n_bytes += entry.relay.len();
            fits
        };
        let n_answers = waiting.iter().take_while(fits).count();
        let round = waiting.drain(..n_answers).collect();
        (round, waiting.is_empty())
    }
}

/// The session after a fault: file, tree and tally may say different things.
fn broken_off(poisoned: PoisonError<sync::MutexGuard<'_, Session>>) -> sync::MutexGuard<'_, Session> {
    let mut session = poisoned.into_inner();
    session.break_off(LedgerError::BrokenOff);
    session
}

/// Whoever asked may have gone away meanwhile.
fn answer<T>(reply: Reply<T>, result: Result<T, LedgerError>) {
    let _ = reply.send(result);
}

#[cfg(test)]
mod tests;

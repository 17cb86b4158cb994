//! The text of a PDF, found by a child process.
//!
//! A PDF is a stranger's program as much as a text: it may unpack to any size, refer to itself, or crash whoever reads
//! it. So it is read by a process of its own ([`serve`], `hearth read-pdf`), which gets the file on its standard input
//! and has bounds for time, memory and output; ended from outside, it leaves nothing behind. Few run at once.

mod extract;

use std::{ffi::OsString, io, path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    sync::Semaphore,
};

use crate::{
    Error,
    text::{self, FileText, MAX_TEXT_BYTES},
};

pub use extract::serve;

/// PDFs that are read at once.
const AT_ONCE: usize = 2;
/// How long one waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(60);
/// How long reading one may take. A thousand pages of a book take a few seconds.
pub(crate) const READ_WITHIN: Duration = Duration::from_secs(60);
/// The most memory of a reader: fifty times the largest file.
pub(crate) const MAX_MEMORY: u64 = 1 << 30;
/// How often its memory is looked at. What it can take between two looks is bounded by the system where it can be.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The most bytes that a reader may write: the text, its frame, and what libraries say on standard output.
const MAX_OUTPUT: u64 = (MAX_TEXT_BYTES + (1 << 20)) as u64;
/// What the answer of a reader begins with, on a line of its own before which libraries may have written anything.
const MARK: &[u8] = b"\nhearth-pdf ";

/// Reads PDFs, each in a process of its own. Clones share the turns.
#[derive(Clone, Debug)]
pub struct PdfReader {
    program: PathBuf,
    args: Vec<OsString>,
    turns: Arc<Semaphore>,
    bounds: Bounds,
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    within: Duration,
    memory: u64,
}

/// How reading ended, as the child says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Text,
    /// As `Text`, and the end is left out.
    Cut,
    Encrypted,
    NoText,
    Unreadable,
}

impl Outcome {
    const ALL: [Outcome; 5] = [
        Outcome::Text,
        Outcome::Cut,
        Outcome::Encrypted,
        Outcome::NoText,
        Outcome::Unreadable,
    ];

    const fn word(self) -> &'static str {
        match self {
            Outcome::Text => "text",
            Outcome::Cut => "cut",
            Outcome::Encrypted => "encrypted",
            Outcome::NoText => "no-text",
            Outcome::Unreadable => "unreadable",
        }
    }
}

impl PdfReader {
    /// Reads by this program, which calls [`serve`] when it is given these arguments.
    #[must_use]
    pub fn new(program: PathBuf, args: Vec<OsString>) -> PdfReader {
        PdfReader {
            program,
            args,
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            bounds: Bounds {
                within: READ_WITHIN,
                memory: MAX_MEMORY,
            },
        }
    }

    /// The text of a PDF.
    ///
    /// # Errors
    /// A file that is encrypted, has no text or cannot be read within the bounds.
    pub(crate) async fn read(&self, bytes: Vec<u8>) -> Result<FileText, Error> {
        let turn = tokio::time::timeout(TURN_WITHIN, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(Error::Busy);
        };
        let mut child = Command::new(&self.program)
            .args(&self.args)
            // It needs nothing of what this process was told, keys among it.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let id = child.id();
        let said = tokio::select! {
            said = talk(&mut child, bytes) => Some(said?),
            () = tokio::time::sleep(self.bounds.within) => None,
            () = outgrown(id, self.bounds.memory) => None,
        };
        // One that has ended already cannot be ended.
        let _ = child.start_kill();
        let _ = child.wait().await;
        match said {
            Some(said) => read_frame(&said),
            None => Err(Error::refused(
                "chat_pdf_too_much",
                "this PDF takes too much time or memory to read: save it anew, or as text",
            )),
        }
    }
}

/// Gives the child the file, and takes what it says.
async fn talk(child: &mut Child, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::Error::other("a child process has no pipes"));
    };
    let give = async move {
        // One that reads no further has its reasons, and says them.
        let _ = stdin.write_all(&bytes).await;
        drop(stdin);
    };
    let mut said = Vec::new();
    let take = async {
        // What is longer is cut off, and is no answer then.
        stdout.take(MAX_OUTPUT).read_to_end(&mut said).await
    };
    let ((), taken) = tokio::join!(give, take);
    taken?;
    Ok(said)
}

/// Ends when a process has more memory than it may.
async fn outgrown(id: Option<u32>, most: u64) {
    // Where it cannot be seen, time and the system's own bounds are what is left.
    let (Some(pid), Ok(mut system)) = (id.map(Pid::from_u32), System::new()) else {
        return std::future::pending().await;
    };
    loop {
        let what = ProcessRefreshKind::nothing().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
        if system.process(pid).is_some_and(|process| process.memory() > most) {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// What a child said, after whatever its libraries wrote.
fn read_frame(said: &[u8]) -> Result<FileText, Error> {
    let (outcome, content) = frame(said).unwrap_or((Outcome::Unreadable, &[]));
    let text = || String::from_utf8_lossy(content).into_owned();
    match outcome {
        Outcome::Text => text::cut("application/pdf", text()),
        Outcome::Cut => text::cut("application/pdf", text()).map(|found| FileText {
            is_cut: true,
            ..found
        }),
        Outcome::Encrypted => Err(Error::refused(
            "chat_pdf_locked",
            "this PDF is locked by a password: save it without one, and add it again",
        )),
        Outcome::NoText => Err(Error::refused(
            "chat_pdf_scan",
            "there is no text in this PDF, as in a scan: have its text recognised (OCR) first",
        )),
        Outcome::Unreadable => Err(Error::refused(
            "chat_pdf_damaged",
            "this PDF is damaged, or written in a way that is not read: save it anew, or as text",
        )),
    }
}

/// What a child may say, for those who make it up.
pub(crate) fn read_any(said: &[u8]) {
    let _ = read_frame(said);
}

fn frame(said: &[u8]) -> Option<(Outcome, &[u8])> {
    let begin = said.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    let rest = &said[begin..];
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let (word, length) = std::str::from_utf8(&rest[..end]).ok()?.split_once(' ')?;
    let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.word() == word)?;
    let length: usize = length.parse().ok()?;
    let content = rest.get(end + 1..)?.get(..length)?;
    Some((outcome, content))
}

#[cfg(test)]
mod tests;

//! What holds for the whole process: who may read its files and its memory, how many files it may open, and when it
//! ends at the latest.

use std::{io, time::Duration};

use hearth_chats::PdfReader;

/// The command under which this program reads a PDF as a child of another one of it.
const READ_PDF: &str = "read-pdf";

/// Begins the process: files are the owner's alone, a crash leaves no image of keys, other programs of the user do not
/// read the memory, and there are as many open files as the system allows. Call it first, before there are threads.
pub fn begin() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit, umask};
        // All of what others may do.
        umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
        let nothing = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        // A system that does not know it writes no image either.
        let _ = setrlimit(Resource::Core, nothing);
    }
    #[cfg(target_os = "linux")]
    {
        let behaviour = rustix::process::DumpableBehavior::NotDumpable;
        let _ = rustix::process::set_dumpable_behavior(behaviour);
    }
    hearth_listen::files::raise_limit();
}

/// Reads PDFs by children of this program.
pub(crate) fn pdf_reader() -> PdfReader {
    // A system that does not say where the program lies may find it by its name.
    let program = std::env::current_exe().unwrap_or_else(|_| "hearth".into());
    PdfReader::new(program, vec![READ_PDF.into()])
}

/// What such a child does: it reads a PDF from standard input and writes its text. Call it before there are threads,
/// whose stacks would count among the memory that it may have.
///
/// # Errors
/// Pipes that break.
pub fn read_pdf() -> io::Result<()> {
    hearth_chats::pdf::serve(io::stdin().lock(), io::stdout().lock())
}

/// Ends the process after this time, whatever hangs in it: a thread of its own waits, not a task among others.
pub fn end_within(time: Duration) {
    let waiting = std::thread::Builder::new().name("end".to_owned()).spawn(move || {
        std::thread::sleep(time);
        tracing::error!(
            seconds = time.as_secs(),
            "something did not end within the deadline (stop_within_s): the process ends now; what was answered is on \
             the disk"
        );
        std::process::exit(1);
    });
    if let Err(error) = waiting {
        tracing::error!(%error, "there is no thread to watch the deadline of the stop");
    }
}

/// How long an orderly stop may take, so that the process has ended after `stop_within`: the last tenth, a second at
/// most, is for what does not end by itself.
#[must_use]
pub fn orderly_within(stop_within: Duration) -> Duration {
    stop_within - (stop_within / 10).min(Duration::from_secs(1))
}

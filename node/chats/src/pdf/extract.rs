//! The child's half: reads a PDF from standard input, and writes what it found.

use std::{
    fmt,
    io::{self, Read, Write},
    panic::{AssertUnwindSafe, catch_unwind},
};

use pdf_extract::{ConvertToFmt, Document, PlainTextOutput, output_doc_page};

use super::{MARK, Outcome};
use crate::text::{MAX_FILE_BYTES, MAX_TEXT_BYTES};

/// The most pages that are looked at: each is found from the beginning.
const MAX_PAGES: usize = 10_000;

/// Reads a PDF and writes its text for a [`PdfReader`](super::PdfReader).
///
/// # Errors
/// Pipes that break.
pub fn serve(input: impl Read, mut output: impl Write) -> io::Result<()> {
    bound_this_process();
    let mut bytes = Vec::new();
    input.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    let (outcome, text) = text_of(&bytes, MAX_TEXT_BYTES);
    output.write_all(MARK)?;
    writeln!(output, "{} {}", outcome.word(), text.len())?;
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// Bounds of the system's own, where it has them: also for a child whose parent was killed.
fn bound_this_process() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let to = |most: u64| Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        // A system that refuses leaves the bounds from outside.
        let _ = setrlimit(Resource::As, to(2 * super::MAX_MEMORY));
        let _ = setrlimit(Resource::Cpu, to(super::READ_WITHIN.as_secs()));
    }
}

/// The text of a PDF, page by page: one that cannot be read is left out.
fn text_of(bytes: &[u8], most: usize) -> (Outcome, String) {
    let loaded = quiet(|| Document::load_mem(bytes).ok()).flatten();
    let Some(mut document) = loaded else {
        let outcome = if is_locked(bytes) {
            Outcome::Encrypted
        } else {
            Outcome::Unreadable
        };
        return (outcome, String::new());
    };
    // Most encrypted files open with an empty password: the other one only forbids.
    if document.is_encrypted() && !quiet(|| document.decrypt("").is_ok()).unwrap_or(false) {
        return (Outcome::Encrypted, String::new());
    }
    let pages = quiet(|| document.get_pages()).unwrap_or_default();
    let mut text = Bounded {
        text: String::new(),
        most,
        page: 0,
        is_full: false,
    };
    let mut n_read = 0;
    for number in pages.into_keys().take(MAX_PAGES) {
        let page = quiet(|| output_doc_page(&document, &mut PlainTextOutput::new(&mut text), number).is_ok());
        if text.is_full {
            return (Outcome::Cut, plain(&text.text));
        }
        n_read += usize::from(page == Some(true));
        text.end_page();
    }
    let text = plain(text.text.trim());
    match (text.is_empty(), n_read) {
        (false, _) => (Outcome::Text, text),
        (true, 0) => (Outcome::Unreadable, text),
        (true, _) => (Outcome::NoText, text),
    }
}

/// A text without what no text has.
fn plain(text: &str) -> String {
    text.replace('\0', "")
}

/// Whether a file that cannot be loaded says that it is encrypted.
fn is_locked(bytes: &[u8]) -> bool {
    bytes.windows(8).any(|window| window == b"/Encrypt")
}

/// The library panics at what it does not expect.
fn quiet<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// A text that takes no more than it may.
struct Bounded {
    text: String,
    most: usize,
    /// Where the page begins.
    page: usize,
    is_full: bool,
}

impl Bounded {
    /// Parts the pages by an empty line, also where their last lines have no end.
    fn end_page(&mut self) {
        let kept = self.text.trim_end().len();
        self.text.truncate(kept);
        if kept > 0 {
            self.text.push_str("\n\n");
        }
        self.page = self.text.len();
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let is_begin = self.text.len() == self.page;
        let more = if is_begin { more.trim_start() } else { more };
        let room = self.most - self.text.len().min(self.most);
        let fits = &more[..more.floor_char_boundary(room)];
        self.text.push_str(fits);
        if fits.len() < more.len() {
            self.is_full = true;
            return Err(fmt::Error);
        }
        Ok(())
    }
}

impl<'a> ConvertToFmt for &'a mut Bounded {
    type Writer = &'a mut Bounded;

    fn convert(self) -> &'a mut Bounded {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::pdf;

    #[test]
    fn pages_are_read_in_order() {
        let (outcome, text) = text_of(&pdf(&["Boats float.", "Stones sink."]), MAX_TEXT_BYTES);
        assert_eq!(outcome, Outcome::Text);
        assert_eq!(text, "Boats float.\n\nStones sink.");
    }

    #[test]
    fn a_long_text_is_cut() {
        let (outcome, text) = text_of(&pdf(&["Boats float.", "Stones sink."]), 8);
        assert_eq!((outcome, text.as_str()), (Outcome::Cut, "Boats fl"));
    }

    #[test]
    fn what_has_no_text_says_why() {
        let of = |bytes: &[u8]| text_of(bytes, MAX_TEXT_BYTES).0;
        assert_eq!(of(&pdf(&[""])), Outcome::NoText);
        assert_eq!(of(b"%PDF-1.4 rubbish"), Outcome::Unreadable);
        assert_eq!(of(b""), Outcome::Unreadable);
        assert_eq!(of(b"%PDF-1.4 trailer << /Encrypt 5 0 R >>"), Outcome::Encrypted);
        let mut cut = pdf(&["Boats float."]);
        cut.truncate(cut.len() / 2);
        assert_ne!(of(&cut), Outcome::Text);
    }
}

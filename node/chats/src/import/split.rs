//! Cuts a large file of JSON into its conversations by its brackets alone, so that one is in memory at a time, and one
//! that is broken inside spoils no other.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{Item, chatgpt, open_webui, own};
use crate::{
    Error,
    export::{FORMAT, VERSION},
};

/// The largest conversation that is taken in; a value of JSON takes several times its text while it is read.
const MAX_CHAT_BYTES: usize = 32 << 20;
/// The longest key or small value that is looked at.
const MAX_SMALL_BYTES: usize = 256;

/// Reads the conversations of a file one after the other, until `take` wants no more.
pub(crate) fn read(mut file: impl BufRead + Seek, mut take: impl FnMut(Item) -> bool) -> Result<(), Error> {
    let mut begin = [0; 4];
    let n_read = file.read(&mut begin)?;
    if begin[..n_read].starts_with(b"PK\x03\x04") {
        return Err(Error::refused(
            "this is a ZIP archive: unpack it, and choose the file conversations.json in it",
        ));
    }
    file.seek(SeekFrom::Start(0))?;
    let mut scanner = Scanner::new(&mut file);
    match scanner.begin()? {
        Some(b'[') => elements(&mut scanner, &mut take, foreign),
        Some(b'{') => {
            let Some(version) = own_version(&mut scanner)? else {
                file.seek(SeekFrom::Start(0))?;
                return whole(&mut file, take);
            };
            if version > VERSION {
                return Err(Error::refused(format!(
                    "this file was written by a newer Hearth (form {version}, this one reads up to {VERSION}): import it \
                     there, or update this Hearth"
                )));
            }
            file.seek(SeekFrom::Start(0))?;
            let mut scanner = Scanner::new(&mut file);
            scanner.begin()?;
            if to_key(&mut scanner, "conversations")? && scanner.peek()? == Some(b'[') {
                elements(&mut scanner, &mut take, own::chat)
            } else {
                Err(Error::refused(
                    "this export of Hearth has no list of conversations",
                ))
            }
        }
        _ => Err(unknown_file()),
    }
}

fn unknown_file() -> Error {
    Error::refused(
        "this file is no JSON with conversations: choose an export of Hearth or Open WebUI, or the \
         conversations.json of ChatGPT",
    )
}

/// The version of Hearth's own form; `None` where the object is another.
fn own_version(scanner: &mut Scanner<impl BufRead>) -> Result<Option<u64>, Error> {
    let (mut is_own, mut version) = (false, 1);
    scanner.next()?;
    while let Some(key) = scanner.key()? {
        match key.as_str() {
            "format" => {
                let value = scanner.small()?;
                is_own = value.as_ref().and_then(Value::as_str) == Some(FORMAT);
            }
            "version" => {
                let value = scanner.small()?;
                version = value.as_ref().and_then(Value::as_u64).unwrap_or(u64::MAX);
            }
            // What breaks off in the middle of a list has its beginning all the same.
            _ if scanner.value(0)? == Taken::BrokenOff => break,
            _ => {}
        }
    }
    Ok(is_own.then_some(version))
}

/// Goes to the value of a key of the object at hand, if it has it.
fn to_key(scanner: &mut Scanner<impl BufRead>, wanted: &str) -> Result<bool, Error> {
    scanner.next()?;
    while let Some(key) = scanner.key()? {
        if key == wanted {
            return Ok(true);
        }
        scanner.value(0)?;
    }
    Ok(false)
}

/// A file that is one conversation.
fn whole(file: &mut impl BufRead, mut take: impl FnMut(Item) -> bool) -> Result<(), Error> {
    let mut bytes = Vec::new();
    file.take(MAX_CHAT_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_CHAT_BYTES {
        return Err(Error::refused(format!(
            "this file is one conversation of more than {} MiB: it is too large",
            MAX_CHAT_BYTES >> 20
        )));
    }
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    if matches!(Kind::of(text), Some(Kind::Unknown) | None) {
        return Err(unknown_file());
    }
    take(foreign(text, 1));
    Ok(())
}

/// The elements of the list at hand, each read by `chat`.
fn elements(
    scanner: &mut Scanner<impl BufRead>,
    take: &mut impl FnMut(Item) -> bool,
    chat: fn(&[u8], usize) -> Item,
) -> Result<(), Error> {
    scanner.next()?;
    for number in 1.. {
        if number > 1 && scanner.peek()? == Some(b',') {
            scanner.next()?;
        }
        if scanner.peek()? == Some(b']') {
            return Ok(());
        }
        let item = match scanner.value(MAX_CHAT_BYTES)? {
            Taken::Whole(bytes) => chat(&bytes, number),
            Taken::TooLarge => Item::skipped(
                &numbered(number),
                format!("it is larger than {} MiB", MAX_CHAT_BYTES >> 20),
            ),
            Taken::BrokenOff => {
                take(Item::skipped(
                    &numbered(number),
                    "the file breaks off in the middle of it",
                ));
                return Ok(());
            }
        };
        if !take(item) {
            return Ok(());
        }
    }
    Ok(())
}

/// What a conversation without a title is called in reports.
pub(super) fn numbered(number: usize) -> String {
    format!("#{number}")
}

/// Whose conversation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ChatGpt,
    OpenWebUi,
    Unknown,
}

impl Kind {
    /// By its keys; `None` for what is no object.
    fn of(json: &[u8]) -> Option<Kind> {
        #[derive(Deserialize)]
        struct Probe<'a> {
            #[serde(borrow)]
            mapping: Option<&'a RawValue>,
            #[serde(borrow)]
            chat: Option<&'a RawValue>,
            #[serde(borrow)]
            history: Option<&'a RawValue>,
        }
        let probe: Probe = serde_json::from_slice(json).ok()?;
        Some(if probe.mapping.is_some() {
            Kind::ChatGpt
        } else if probe.chat.is_some() || probe.history.is_some() {
            Kind::OpenWebUi
        } else {
            Kind::Unknown
        })
    }
}

/// A conversation of another program.
fn foreign(json: &[u8], number: usize) -> Item {
    match Kind::of(json) {
        Some(Kind::ChatGpt) => chatgpt::chat(json, number),
        Some(Kind::OpenWebUi) => open_webui::chat(json, number),
        Some(Kind::Unknown) => Item::skipped(
            &numbered(number),
            "it is no conversation of Hearth, ChatGPT or Open WebUI",
        ),
        None => Item::skipped(&numbered(number), "it is no JSON object that can be read"),
    }
}

/// A value that was passed.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    Whole(Vec<u8>),
    TooLarge,
    BrokenOff,
}

/// Passes values of JSON without reading them.
struct Scanner<'a, R>(&'a mut R);

impl<'a, R: BufRead> Scanner<'a, R> {
    fn new(reader: &'a mut R) -> Scanner<'a, R> {
        Scanner(reader)
    }

    /// Passes the mark of UTF-8 and gives the first byte.
    fn begin(&mut self) -> io::Result<Option<u8>> {
        if self.0.fill_buf()?.starts_with(b"\xEF\xBB\xBF") {
            self.0.consume(3);
        }
        self.peek()
    }

    /// The next byte that is no space, which stays.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            let buffer = self.0.fill_buf()?;
            match buffer.iter().position(|byte| !byte.is_ascii_whitespace()) {
                Some(place) => {
                    let byte = buffer[place];
                    self.0.consume(place);
                    return Ok(Some(byte));
                }
                None if buffer.is_empty() => return Ok(None),
                None => {
                    let length = buffer.len();
                    self.0.consume(length);
                }
            }
        }
    }

    /// Passes a byte after spaces.
    fn next(&mut self) -> io::Result<Option<u8>> {
        let byte = self.peek()?;
        if byte.is_some() {
            self.0.consume(1);
        }
        Ok(byte)
    }

    /// The next key of the object at hand, whose value follows; `None` at its end. A broken object is an error.
    fn key(&mut self) -> Result<Option<String>, Error> {
        if self.peek()? == Some(b',') {
            self.next()?;
        }
        if self.peek()? != Some(b'"') {
            return match self.next()? {
                Some(b'}') => Ok(None),
                _ => Err(unknown_file()),
            };
        }
        // A key that is too long is none that is looked for.
        let key = match self.small()? {
            Some(Value::String(key)) => key,
            _ => String::new(),
        };
        match self.next()? {
            Some(b':') => {
                self.peek()?;
                Ok(Some(key))
            }
            _ => Err(unknown_file()),
        }
    }

    /// A value that is small.
    fn small(&mut self) -> io::Result<Option<Value>> {
        Ok(match self.value(MAX_SMALL_BYTES)? {
            Taken::Whole(bytes) => serde_json::from_slice(&bytes).ok(),
            Taken::TooLarge | Taken::BrokenOff => None,
        })
    }

    /// Passes a value, and gives it where it is not larger than `most` bytes.
    fn value(&mut self, most: usize) -> io::Result<Taken> {
        self.peek()?;
        let mut kept = Vec::new();
        let (mut is_large, mut state) = (false, Passing::default());
        loop {
            let buffer = self.0.fill_buf()?;
            if buffer.is_empty() {
                return Ok(Taken::BrokenOff);
            }
            let (n_bytes, is_over) = state.pass(buffer);
            if kept.len() + n_bytes > most {
                is_large = true;
                kept = Vec::new();
            } else if !is_large {
                kept.extend_from_slice(&buffer[..n_bytes]);
            }
            self.0.consume(n_bytes);
            if is_over {
                return Ok(if is_large {
                    Taken::TooLarge
                } else {
                    Taken::Whole(kept)
                });
            }
        }
    }
}

/// How far a value is passed.
#[derive(Default)]
struct Passing {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
    /// A number or a word has begun.
    in_word: bool,
}

impl Passing {
    /// How many of these bytes belong to the value, and whether it ends with them.
    fn pass(&mut self, bytes: &[u8]) -> (usize, bool) {
        for (place, byte) in bytes.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => {
                        self.in_string = false;
                        if self.depth == 0 {
                            return (place + 1, true);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return (place + 1, true);
                    }
                }
                // The bracket of what is around it, or a comma: a word ends before. Something is passed in any case.
                b'}' | b']' | b',' if self.depth == 0 => {
                    return (place.max(usize::from(!self.in_word)), true);
                }
                _ if self.depth == 0 && byte.is_ascii_whitespace() => return (place, true),
                _ => self.in_word = true,
            }
        }
        (bytes.len(), false)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn values(text: &str, buffer: usize) -> Vec<String> {
        let mut reader = io::BufReader::with_capacity(buffer, Cursor::new(text.as_bytes().to_vec()));
        let mut scanner = Scanner::new(&mut reader);
        let mut found = Vec::new();
        assert_eq!(scanner.next().unwrap(), Some(b'['));
        while scanner.peek().unwrap().is_some_and(|byte| byte != b']') {
            if scanner.peek().unwrap() == Some(b',') {
                scanner.next().unwrap();
                continue;
            }
            let Taken::Whole(bytes) = scanner.value(1000).unwrap() else {
                panic!("{text}")
            };
            found.push(String::from_utf8(bytes).unwrap());
        }
        found
    }

    #[test]
    fn values_end_where_they_end() {
        let text = r#" [ {"a":[1,"]}"]} , "x\"]," ,12 , true,[[]],null] "#;
        for buffer in [1, 2, 3, 7, 100] {
            assert_eq!(
                values(text, buffer),
                [r#"{"a":[1,"]}"]}"#, r#""x\"],""#, "12", "true", "[[]]", "null"],
                "{buffer}"
            );
        }
    }

    #[test]
    fn a_large_value_is_passed_and_not_kept() {
        let text = format!("\"{}\" 7", "x".repeat(1000));
        let mut reader = Cursor::new(text.into_bytes());
        let mut scanner = Scanner::new(&mut reader);
        assert_eq!(scanner.value(100).unwrap(), Taken::TooLarge);
        assert_eq!(scanner.peek().unwrap(), Some(b'7'));
        assert_eq!(scanner.value(100).unwrap(), Taken::BrokenOff);
    }

    proptest! {
        /// Rubbish is refused or left out; it neither hangs nor panics.
        #[test]
        fn rubbish_comes_to_an_end(text in "[\\[\\]{},:\"\\\\a1 ]{0,40}") {
            let mut n_items = 0;
            let _ = read(Cursor::new(text.into_bytes()), |_| {
                n_items += 1;
                n_items < 1000
            });
            prop_assert!(n_items < 100);
        }

        /// What serde writes is cut as it was put together.
        #[test]
        fn a_list_is_cut_into_its_elements(texts in proptest::collection::vec(any::<String>(), 0..5), buffer in 1_usize..9) {
            let elements: Vec<String> = texts.iter().map(|text| serde_json::json!({"t": [text]}).to_string()).collect();
            prop_assert_eq!(values(&format!("[{}]", elements.join(", ")), buffer), elements);
        }
    }
}

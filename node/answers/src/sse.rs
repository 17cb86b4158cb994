//! Server-sent events, both ways.
//!
//! Written: `data: …\n\n`, and `data: [DONE]\n\n` at the end, as OpenAI does. Read: whatever the standard allows, cut
//! at any byte: CRLF, CR or LF, comments, several `data` lines, a byte order mark.

use bytes::Bytes;

/// The media type of a stream.
pub const MEDIA_TYPE: &str = "text/event-stream";
/// What ends a stream of OpenAI's.
pub const DONE: &str = "[DONE]";
/// The most bytes of one event. A chunk with 20 log-probabilities has some 4 KiB; a whole answer in one event stays
/// below one MiB. More is an attack on our memory.
const MAX_EVENT_BYTES: usize = 8 << 20;

/// An event with this JSON as its data.
#[must_use]
pub fn encode(json: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(json.len() + 8);
    for line in json.split(|byte| *byte == b'\n') {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.push(b'\n');
    out.into()
}

/// The last event of a stream.
#[must_use]
pub fn done() -> Bytes {
    Bytes::from_static(b"data: [DONE]\n\n")
}

/// A comment, which keeps a quiet connection open.
#[must_use]
pub fn keep_alive() -> Bytes {
    Bytes::from_static(b": \n\n")
}

/// An event as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The `event` field; empty where there was none.
    pub name: String,
    /// All `data` lines, joined by a line break.
    pub data: String,
}

impl Event {
    /// The event as it is written.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = String::with_capacity(self.data.len() + 16);
        if !self.name.is_empty() {
            out.extend(["event: ", &self.name, "\n"]);
        }
        for line in self.data.split('\n') {
            out.extend(["data: ", line, "\n"]);
        }
        out.push('\n');
        out.into()
    }
}

/// An event that is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is larger than {MAX_EVENT_BYTES} bytes; the stream was left")]
pub struct TooLarge;

/// Reads events from bytes that come in any pieces.
#[derive(Debug, Default)]
pub struct Reader {
    /// The line that is not complete.
    line: Vec<u8>,
    /// The last byte was a CR: a LF that follows belongs to it.
    after_cr: bool,
    begun: bool,
    name: String,
    data: Option<String>,
}

impl Reader {
    /// A reader at the start of a stream.
    #[must_use]
    pub fn new() -> Reader {
        Reader::default()
    }

    /// Takes the next bytes and gives the events that they complete.
    ///
    /// # Errors
    /// An event beyond the limit.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLarge> {
        let mut events = Vec::new();
        for &byte in bytes {
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                _ => self.line.push(byte),
            }
            if self.line.len() + self.data.as_ref().map_or(0, String::len) > MAX_EVENT_BYTES {
                return Err(TooLarge);
            }
        }
        Ok(events)
    }

    /// The event that the end of the stream leaves without its empty line. The standard drops it; servers that
    /// forget the last line break are read all the same.
    #[must_use]
    pub fn finish(mut self) -> Option<Event> {
        if !self.line.is_empty() {
            let _ = self.end_line();
        }
        self.dispatch()
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        let line = if std::mem::replace(&mut self.begun, true) {
            &line[..]
        } else {
            line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&line)
        };
        if line.is_empty() {
            return self.dispatch();
        }
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "event" => value.clone_into(&mut self.name),
            // A comment has an empty name; `id` and `retry` mean nothing to us.
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Event> {
        let name = std::mem::take(&mut self.name);
        self.data.take().map(|data| Event { name, data })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let mut reader = Reader::new();
        let mut events: Vec<Event> = pieces
            .iter()
            .flat_map(|piece| reader.push(piece).unwrap())
            .collect();
        events.extend(reader.finish());
        events.into_iter().map(|event| event.data).collect()
    }

    #[test]
    fn every_line_end_and_comment_is_read() {
        let text = b"\xEF\xBB\xBF: hello\r\n\r\ndata: a\r\n\r\ndata:b\r\rid: 7\nretry: 3\ndata: c\ndata: d\nevent: e\n\ndata\n\ndata: [DONE]";
        assert_eq!(read(&[text]), ["a", "b", "c\nd", "", "[DONE]"]);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut reader = Reader::new();
        let line = [b"data: ", vec![b'x'; 1 << 20].as_slice(), b"\n"].concat();
        assert!((0..9).any(|_| reader.push(&line).is_err()));
    }

    #[test]
    fn what_is_written_is_read() {
        let value = serde_json::json!({"text": "a\nb: é"});
        let bytes = [encode(value.to_string().as_bytes()), keep_alive(), done()].concat();
        assert_eq!(read(&[&bytes]), [value.to_string(), DONE.to_owned()]);
        let event = Event {
            name: "error".to_owned(),
            data: "a\nb".to_owned(),
        };
        assert_eq!(Reader::new().push(&event.encode()), Ok(vec![event]));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "(data: [a-zé]{0,5}(\r\n|\n|\r)|: c\n|\n|\r\n){0,20}", cut in 0_usize..200) {
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            prop_assert_eq!(read(&[&bytes[..cut], &bytes[cut..]]), read(&[bytes]));
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(read(&single), read(&[bytes]));
        }
    }
}

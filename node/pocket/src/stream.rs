//! Streamed answers: signed answers one after another, each followed by a separator.
//!
//! The separator is not escaped inside a payload, so looking for its bytes would tear a batch that contains them.
//! The splitter walks the fields of each answer instead. At the border between two fields the separator cannot be
//! mistaken: its first byte, `|`, would be field 15 of wire type 4, which no message has.

use bytes::{Buf, Bytes, BytesMut};

/// What stands after every answer of a stream.
pub const SEPARATOR: &[u8] = b"||POKT_STREAM||";

/// Why bytes are no stream of answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    #[error("a part of the stream is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the stream is garbage at byte {at} of a part")]
    Garbage { at: usize },
    #[error("the stream breaks off inside a part, after {have} bytes of it")]
    BrokenOff { have: usize },
}

/// Cuts a stream into its parts as the bytes arrive.
#[derive(Debug)]
pub struct Splitter {
    buffer: BytesMut,
    /// How far the fields of the part at the buffer's start have been walked.
    walked: usize,
    limit: usize,
}

impl Splitter {
    /// A splitter that refuses parts above `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Splitter {
        Splitter {
            buffer: BytesMut::new(),
            walked: 0,
            limit,
        }
    }

    /// Takes what has arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole part, if there is one.
    ///
    /// # Errors
    /// Bytes that are no message, or a part above the limit.
    pub fn next_part(&mut self) -> Result<Option<Bytes>, StreamError> {
        loop {
            let rest = &self.buffer[self.walked..];
            if rest.starts_with(SEPARATOR) {
                let part = self.buffer.split_to(self.walked).freeze();
                self.buffer.advance(SEPARATOR.len());
                self.walked = 0;
                return Ok(Some(part));
            }
            if SEPARATOR.starts_with(rest) {
                return Ok(None);
            }
            match field_length(rest) {
                Field::Whole(length) => self.walked += length,
                Field::Needs(length) if self.walked.saturating_add(length) > self.limit => {
                    return Err(StreamError::TooLarge { limit: self.limit });
                }
                Field::Needs(_) => return Ok(None),
                Field::Garbage => return Err(StreamError::Garbage { at: self.walked }),
            }
            if self.walked > self.limit {
                return Err(StreamError::TooLarge { limit: self.limit });
            }
        }
    }

    /// What is left at the stream's end: a last part without separator, or nothing. Call it when
    /// [`Splitter::next_part`] has no more.
    ///
    /// # Errors
    /// A stream that ends inside a part.
    pub fn finish(self) -> Result<Option<Bytes>, StreamError> {
        let have = self.buffer.len();
        if have == 0 {
            return Ok(None);
        }
        if self.walked == have {
            Ok(Some(self.buffer.freeze()))
        } else {
            Err(StreamError::BrokenOff { have })
        }
    }
}

enum Field {
    /// The field's length.
    Whole(usize),
    /// At least this many bytes are needed.
    Needs(usize),
    Garbage,
}

/// The length of the field at the start of `bytes`.
fn field_length(bytes: &[u8]) -> Field {
    let (tag, head) = match varint(bytes) {
        Varint::Whole(tag, length) => (tag, length),
        Varint::More => return Field::Needs(bytes.len() + 1),
        Varint::Garbage => return Field::Garbage,
    };
    let body = match tag & 7 {
        0 => match varint(&bytes[head..]) {
            Varint::Whole(_, length) => length as u64,
            Varint::More => return Field::Needs(bytes.len() + 1),
            Varint::Garbage => return Field::Garbage,
        },
        1 => 8,
        2 => match varint(&bytes[head..]) {
            Varint::Whole(length, prefix) => length.saturating_add(prefix as u64),
            Varint::More => return Field::Needs(bytes.len() + 1),
            Varint::Garbage => return Field::Garbage,
        },
        5 => 4,
        _ => return Field::Garbage,
    };
    let length = usize::try_from(body).unwrap_or(usize::MAX).saturating_add(head);
    if length <= bytes.len() {
        Field::Whole(length)
    } else {
        Field::Needs(length)
    }
}

enum Varint {
    /// Its value and length.
    Whole(u64, usize),
    More,
    Garbage,
}

fn varint(bytes: &[u8]) -> Varint {
    let mut value = 0u64;
    for (i, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Varint::Whole(value, i + 1);
        }
    }
    if bytes.len() < 10 {
        Varint::More
    } else {
        Varint::Garbage
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::message::relay::RelayResponse;

    fn part(payload: &[u8]) -> Vec<u8> {
        let payload = Bytes::copy_from_slice(payload);
        RelayResponse {
            payload,
            ..RelayResponse::default()
        }
        .encode_to_vec()
    }

    fn split(stream: &[u8], step: usize) -> Result<Vec<Bytes>, StreamError> {
        let mut splitter = Splitter::new(1 << 20);
        let mut parts = Vec::new();
        for piece in stream.chunks(step) {
            splitter.push(piece);
            while let Some(part) = splitter.next_part()? {
                parts.push(part);
            }
        }
        parts.extend(splitter.finish()?);
        Ok(parts)
    }

    proptest! {
        #[test]
        fn parts_come_out_as_they_went_in(
            payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..6),
            inside in any::<bool>(),
            step in 1..300usize,
        ) {
            let mut stream = Vec::new();
            let mut parts = Vec::new();
            for mut payload in payloads {
                if inside {
                    payload.extend_from_slice(SEPARATOR);
                }
                parts.push(part(&payload));
                stream.extend_from_slice(&parts[parts.len() - 1]);
                stream.extend_from_slice(SEPARATOR);
            }
            prop_assert_eq!(split(&stream, step).unwrap(), parts);
        }

        #[test]
        fn rubbish_never_panics(stream in proptest::collection::vec(any::<u8>(), 0..300), step in 1..50usize) {
            let _ = split(&stream, step);
        }
    }

    #[test]
    fn a_last_part_needs_no_separator_and_a_torn_one_is_named() {
        let whole = part(b"hello");
        assert_eq!(split(&whole, 3).unwrap(), std::slice::from_ref(&whole));
        assert_eq!(
            split(&whole[..whole.len() - 1], 3),
            Err(StreamError::BrokenOff {
                have: whole.len() - 1
            })
        );
        assert!(matches!(split(b"<html>", 2), Err(StreamError::Garbage { at: 0 })));
    }

    #[test]
    fn a_part_above_the_limit_is_refused_before_it_is_kept() {
        let mut splitter = Splitter::new(100);
        splitter.push(&part(&[1; 200])[..20]);
        assert_eq!(splitter.next_part(), Err(StreamError::TooLarge { limit: 100 }));
    }
}

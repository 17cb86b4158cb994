//! The evidence of a session: a file of records, one for each answer, that is only ever appended to.
//!
//! ```text
//! magic "HEARTHEV" | u32 length of facts | u32 CRC of facts | facts as JSON
//! u32 CRC of what follows up to the relay | hash of the relay (32) | answered at ms i64 | duration ms u32
//!     | bytes out u64 | tokens u32 | status u16 | flags u8 | u32 length of relay | relay      … and again
//! ```
//! All numbers are little-endian. The relay is covered by its hash. A crash leaves at most a torn record at the end,
//! which no client got the last byte for: reading stops there and the tail is cut.

use std::io::{self, Read};

use hearth_pocket::relay;

use crate::facts::Facts;

const MAGIC: &[u8; 8] = b"HEARTHEV";
/// Bytes of a record before its relay.
const HEAD: usize = 4 + 32 + 8 + 4 + 8 + 4 + 2 + 1 + 4;
/// A relay holds a request, which is limited; a longer length is a torn record.
const MAX_RELAY: usize = 256 << 20;
/// Facts are a few hundred bytes.
const MAX_FACTS: usize = 1 << 20;
const IN_TREE: u8 = 1;

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The hash of the relay.
    pub hash: [u8; 32],
    /// When its last byte was ready, in milliseconds since the epoch.
    pub answered_ms: i64,
    /// How long it took.
    pub duration_ms: u32,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// Tokens of the answer, where the backend says so.
    pub tokens: Option<u32>,
    /// HTTP status of the answer.
    pub status: u16,
    /// Whether the relay meets the difficulty and lies in the tree.
    pub in_tree: bool,
    /// The relay as it lies in the tree; empty where it does not.
    pub relay: Vec<u8>,
}

impl Entry {
    /// Appends the entry's record to a buffer. Returns where in it the relay begins.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.hash);
        out.extend_from_slice(&self.answered_ms.to_le_bytes());
        out.extend_from_slice(&self.duration_ms.to_le_bytes());
        out.extend_from_slice(&self.bytes_out.to_le_bytes());
        out.extend_from_slice(&self.tokens.unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&self.status.to_le_bytes());
        out.push(if self.in_tree { IN_TREE } else { 0 });
        out.extend_from_slice(&u32::try_from(self.relay.len()).unwrap_or(u32::MAX).to_le_bytes());
        let crc = crc32(&out[start + 4..]);
        out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
        let relay_at = out.len();
        out.extend_from_slice(&self.relay);
        relay_at
    }

    /// Reads the next record; `None` at the end, and at a torn or damaged record.
    pub(crate) fn read(input: &mut impl Read) -> io::Result<Option<Entry>> {
        let mut head = [0; HEAD];
        if !fill(input, &mut head)? || crc32(&head[4..]) != u32::from_le_bytes(part(&head, 0)) {
            return Ok(None);
        }
        let length = u32::from_le_bytes(part(&head, HEAD - 4)) as usize;
        if length > MAX_RELAY {
            return Ok(None);
        }
        let mut bytes = vec![0; length];
        let hash: [u8; 32] = part(&head, 4);
        let in_tree = head[62] & IN_TREE != 0;
        if !fill(input, &mut bytes)? || in_tree && relay::relay_hash(&bytes) != hash {
            return Ok(None);
        }
        let tokens = u32::from_le_bytes(part(&head, 56));
        Ok(Some(Entry {
            hash,
            answered_ms: i64::from_le_bytes(part(&head, 36)),
            duration_ms: u32::from_le_bytes(part(&head, 44)),
            bytes_out: u64::from_le_bytes(part(&head, 48)),
            tokens: (tokens != u32::MAX).then_some(tokens),
            status: u16::from_le_bytes(part(&head, 60)),
            in_tree,
            relay: bytes,
        }))
    }

    /// Bytes of the record.
    pub(crate) fn len(&self) -> u64 {
        (HEAD + self.relay.len()) as u64
    }

    /// Where the relay begins in the record.
    pub(crate) const RELAY_AT: u64 = HEAD as u64;
}

/// The head of a file.
pub(crate) fn write_facts(facts: &Facts) -> Result<Vec<u8>, serde_json::Error> {
    let json = serde_json::to_vec(facts)?;
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&u32::try_from(json.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&crc32(&json).to_le_bytes());
    out.extend_from_slice(&json);
    Ok(out)
}

/// Reads the head of a file and its length; `None` where it is torn or none.
pub(crate) fn read_facts(input: &mut impl Read) -> io::Result<Option<(Facts, u64)>> {
    let mut head = [0; 16];
    if !fill(input, &mut head)? || &head[..8] != MAGIC {
        return Ok(None);
    }
    let length = u32::from_le_bytes(part(&head, 8)) as usize;
    if length > MAX_FACTS {
        return Ok(None);
    }
    let mut json = vec![0; length];
    if !fill(input, &mut json)? || crc32(&json) != u32::from_le_bytes(part(&head, 12)) {
        return Ok(None);
    }
    Ok(serde_json::from_slice(&json)
        .ok()
        .map(|facts| (facts, (16 + length) as u64)))
}

/// Reads a whole file: its facts, its entries, and the length up to which it is whole. `limit` cuts it there.
///
/// # Errors
/// A file that cannot be read, or one without a whole head.
pub(crate) fn read_all(
    input: &mut impl Read,
    limit: Option<u64>,
    mut each: impl FnMut(Entry, u64),
) -> io::Result<Option<(Facts, u64)>> {
    let Some((facts, mut at)) = read_facts(input)? else {
        return Ok(None);
    };
    while limit.is_none_or(|limit| at < limit)
        && let Some(entry) = Entry::read(input)?
    {
        let relay_at = at + Entry::RELAY_AT;
        at += entry.len();
        each(entry, relay_at);
    }
    Ok(Some((facts, at)))
}

/// Fills a buffer; `false` where the input ends before.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// A part of a fixed head; `at` is a constant within it.
fn part<const N: usize>(head: &[u8], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&head[at..at + N]);
    bytes
}

/// CRC-32 as in zip files.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        crc >> 8 ^ CRC_TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)]
    })
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            };
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::facts;

    fn entry(relay: Vec<u8>, number: i64, in_tree: bool) -> Entry {
        Entry {
            hash: relay::relay_hash(&relay),
            answered_ms: number,
            duration_ms: 7,
            bytes_out: 1 << 40,
            tokens: (number % 2 == 0).then_some(17),
            status: 200,
            in_tree,
            relay,
        }
    }

    fn file(entries: &[Entry]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = write_facts(&facts()).unwrap();
        let mut ends = vec![bytes.len()];
        for entry in entries {
            entry.write(&mut bytes);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn read(bytes: &[u8]) -> (Vec<Entry>, u64) {
        let mut entries = Vec::new();
        let (read_facts, length) = read_all(&mut &bytes[..], None, |entry, _| entries.push(entry))
            .unwrap()
            .unwrap();
        assert_eq!(read_facts, facts());
        (entries, length)
    }

    #[test]
    fn the_crc_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    proptest! {
        /// Whatever of the file reached the disk: the whole records before the tear are read, and nothing else.
        #[test]
        fn a_torn_tail_loses_nothing_before_it(
            relays in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..8),
            cut: prop::sample::Index,
            garbage: Vec<u8>,
        ) {
            let entries: Vec<Entry> =
                relays.into_iter().enumerate().map(|(at, relay)| entry(relay, at as i64, at % 3 != 0)).collect();
            let (bytes, ends) = file(&entries);
            let cut = ends[0] + cut.index(bytes.len() - ends[0] + 1);
            let n_whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            let torn = bytes[..cut].to_vec();
            let (found, length) = read(&torn);
            prop_assert_eq!(&found, &entries[..n_whole]);
            prop_assert_eq!(length, ends[n_whole] as u64);
            // Old blocks of the disk behind the tear.
            let with_garbage = [&bytes[..ends[n_whole]], garbage.as_slice()].concat();
            prop_assert!(read(&with_garbage).0.starts_with(&entries[..n_whole]));
        }

        #[test]
        fn a_flipped_bit_ends_the_file(
            relays in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..100), 1..5),
            at: prop::sample::Index,
            bit in 0_u8..8,
        ) {
            let entries: Vec<Entry> =
                relays.into_iter().enumerate().map(|(at, relay)| entry(relay, at as i64, true)).collect();
            let (mut bytes, ends) = file(&entries);
            let at = ends[0] + at.index(bytes.len() - ends[0]);
            bytes[at] ^= 1 << bit;
            let n_whole = ends.iter().filter(|end| **end <= at).count() - 1;
            prop_assert_eq!(&read(&bytes).0, &entries[..n_whole]);
        }
    }

    #[test]
    fn a_file_without_a_whole_head_is_none() {
        let (bytes, ends) = file(&[]);
        for length in 0..ends[0] {
            assert!(
                read_all(&mut &bytes[..length], None, |_, _| ())
                    .unwrap()
                    .is_none()
            );
        }
    }
}

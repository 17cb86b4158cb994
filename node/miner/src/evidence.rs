//! The evidence of a session: a file of records, one for each answer, that is only ever appended to.
//!
//! ```text
//! head: form, facts of the session ([`head`])
//! u32 CRC of what follows up to the relay | hash of the relay (32) | answered at ms i64 | duration ms u32
//!     | bytes out u64 | tokens u32 | status u16 | flags u8 | u32 length of relay | relay      … and again
//! ```
//! All numbers are little-endian. The relay is covered by its hash. Zeros at the end are room for what comes. A crash
//! leaves at most a torn record before them, which no client got the last byte for: the tail is cut. A disk may also
//! turn bits in the midst of a file: what is whole behind the damage is read all the same, and where it lies is told.

use std::{
    io::{self, Read},
    ops::Range,
};

use hearth_pocket::relay;

use crate::facts::Facts;

pub(crate) mod head;

pub(crate) use head::HeadError;

/// Bytes of a record before its relay.
const HEAD: usize = 4 + 32 + 8 + 4 + 8 + 4 + 2 + 1 + 4;
/// A relay holds a request, which is limited; a longer length is a torn record.
const MAX_RELAY: usize = 256 << 20;
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
    /// The relay as it lies in the tree. Where it does not lie there: what tells its request from others (32 bytes),
    /// or nothing, as earlier versions wrote it.
    pub relay: Vec<u8>,
}

impl Entry {
    /// What tells the answer's request from others.
    pub(crate) fn request(&self) -> Option<[u8; 32]> {
        if self.in_tree {
            relay::replay_id_of_relay(&self.relay)
        } else {
            self.relay.as_slice().try_into().ok()
        }
    }

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
        let crc = crc32fast::hash(&out[start + 4..]);
        out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
        let relay_at = out.len();
        out.extend_from_slice(&self.relay);
        relay_at
    }

    /// Takes a whole record apart.
    fn new(head: &[u8; HEAD], relay: Vec<u8>) -> Entry {
        let tokens = u32::from_le_bytes(part(head, 56));
        Entry {
            hash: part(head, 4),
            answered_ms: i64::from_le_bytes(part(head, 36)),
            duration_ms: u32::from_le_bytes(part(head, 44)),
            bytes_out: u64::from_le_bytes(part(head, 48)),
            tokens: (tokens != u32::MAX).then_some(tokens),
            status: u16::from_le_bytes(part(head, 60)),
            in_tree: head[62] & IN_TREE != 0,
            relay,
        }
    }

    /// Bytes of the record.
    pub(crate) fn len(&self) -> u64 {
        (HEAD + self.relay.len()) as u64
    }

    /// Where the relay begins in the record.
    pub(crate) const RELAY_AT: u64 = HEAD as u64;
}

/// What a file holds besides its entries.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Contents {
    /// Its head.
    pub(crate) facts: Facts,
    /// Where its last whole record ends; what follows is torn.
    pub(crate) length: u64,
    /// Damaged bytes with whole records behind them.
    pub(crate) damage: Vec<Range<u64>>,
}

/// Reads a whole file, entry by entry, each with the place of its relay. `limit` cuts it there. `expected` are the
/// facts of its session, where they are known.
///
/// # Errors
/// A file whose head cannot be read, or that the disk does not give.
pub(crate) fn read_all(
    input: &mut impl Read,
    limit: Option<u64>,
    expected: Option<&Facts>,
    mut each: impl FnMut(Entry, u64),
) -> Result<Contents, HeadError> {
    let (facts, mut at) = head::read(input, expected)?;
    let mut damage = Vec::new();
    let mut input = input.take(limit.map_or(u64::MAX, |limit| limit.saturating_sub(at)));
    let mut bytes = Vec::new();
    while let Some(entry) = read_entry(&mut input, &mut bytes)? {
        let relay_at = at + Entry::RELAY_AT;
        at += entry.len();
        each(entry, relay_at);
    }
    // Damaged or torn: whether whole records follow says which. That is rare, so all of it is taken into memory.
    input.read_to_end(&mut bytes)?;
    let mut rest = bytes.as_slice();
    while let Some((skipped, entry)) = next_whole(rest, &facts) {
        if skipped > 0 {
            damage.push(at..at + skipped as u64);
        }
        at += skipped as u64;
        let relay_at = at + Entry::RELAY_AT;
        at += entry.len();
        rest = rest.get(skipped + HEAD + entry.relay.len()..).unwrap_or_default();
        each(entry, relay_at);
    }
    Ok(Contents {
        facts,
        length: at,
        damage,
    })
}

/// Reads the next record; `None` at the end, and at a torn or damaged record. Then `bytes` holds what was read of it.
fn read_entry(input: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<Option<Entry>> {
    bytes.clear();
    input.by_ref().take(HEAD as u64).read_to_end(bytes)?;
    let Some(head) = head_of(bytes).filter(is_whole) else {
        return Ok(None);
    };
    let mut relay = Vec::new();
    input
        .by_ref()
        .take(relay_length(&head) as u64)
        .read_to_end(&mut relay)?;
    if relay.len() == relay_length(&head) && is_relay_of(&head, &relay) {
        return Ok(Some(Entry::new(&head, relay)));
    }
    bytes.append(&mut relay);
    Ok(None)
}

/// The next whole record of a damaged file, and how many bytes lie before it.
///
/// A client chooses most bytes of a relay, so whole records could be hidden in one: wherever the damage leaves a length
/// that can be trusted, that length says where to go on, and only otherwise each byte may begin a record. A record
/// that was found so must name the session; bytes of another file, which a crash may bring in, do not.
fn next_whole(rest: &[u8], facts: &Facts) -> Option<(usize, Entry)> {
    let whole = |at: usize| {
        let head = head_of(rest.get(at..)?).filter(is_whole)?;
        let from = at + HEAD;
        let relay = rest.get(from..from.checked_add(relay_length(&head))?)?;
        is_relay_of(&head, relay).then(|| Entry::new(&head, relay.to_vec()))
    };
    let mut at = 0;
    loop {
        if let Some(entry) = whole(at) {
            return Some((at, entry));
        }
        let head = head_of(rest.get(at..)?)?;
        // The length stands in the damaged record itself, and is right unless the damage hit it.
        let next = at.checked_add(HEAD)?.checked_add(relay_length(&head))?;
        let next_head = rest.get(next..).and_then(head_of);
        if !is_whole(&head) && !next_head.is_some_and(|head| is_whole(&head)) {
            break;
        }
        at = next;
    }
    let session = facts.header.session_id.as_bytes();
    // No record begins in the zeros at the end: their CRC is none.
    let n_zeros = rest.iter().rev().take_while(|byte| **byte == 0).count();
    (at + 1..rest.len() - n_zeros).find_map(|at| {
        let entry = whole(at)?;
        let names = entry
            .relay
            .windows(session.len().max(1))
            .any(|part| part == session);
        names.then_some((at, entry))
    })
}

fn head_of(bytes: &[u8]) -> Option<[u8; HEAD]> {
    bytes.get(..HEAD)?.try_into().ok()
}

fn is_whole(head: &[u8; HEAD]) -> bool {
    crc32fast::hash(&head[4..]) == u32::from_le_bytes(part(head, 0)) && relay_length(head) <= MAX_RELAY
}

/// A relay that lies in the tree is covered by its hash; others are not kept.
fn is_relay_of(head: &[u8; HEAD], relay: &[u8]) -> bool {
    head[62] & IN_TREE == 0 || relay::relay_hash(relay) == part::<32>(head, 4)
}

fn relay_length(head: &[u8; HEAD]) -> usize {
    u32::from_le_bytes(part(head, HEAD - 4)) as usize
}

/// A part of a fixed head; `at` is a constant within it.
fn part<const N: usize>(head: &[u8], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&head[at..at + N]);
    bytes
}

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
            // Only what is in the tree is kept.
            relay: if in_tree { relay } else { Vec::new() },
        }
    }

    fn file(entries: &[Entry]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = head::write(&facts()).unwrap();
        let mut ends = vec![bytes.len()];
        for entry in entries {
            entry.write(&mut bytes);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn read(bytes: &[u8]) -> (Vec<Entry>, Contents) {
        let mut entries = Vec::new();
        let contents = read_all(&mut &bytes[..], None, None, |entry, _| entries.push(entry)).unwrap();
        assert_eq!(contents.facts, facts());
        (entries, contents)
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
            let (found, contents) = read(&torn);
            prop_assert_eq!(&found, &entries[..n_whole]);
            prop_assert_eq!(contents.length, ends[n_whole] as u64);
            prop_assert!(contents.damage.is_empty());
            // Room for what comes.
            let with_room = [torn.as_slice(), &[0; 300]].concat();
            let (found, contents) = read(&with_room);
            // A record that lacked but zeros is whole again.
            prop_assert!(found.starts_with(&entries[..n_whole]) && entries.starts_with(&found));
            prop_assert_eq!((contents.length, contents.damage), (ends[found.len()] as u64, Vec::new()));
            // Old blocks of the disk behind the tear.
            let with_garbage = [&bytes[..ends[n_whole]], garbage.as_slice()].concat();
            prop_assert!(read(&with_garbage).0.starts_with(&entries[..n_whole]));
        }

        /// Bits that turned cost the records that they are in, and no other; and each record is where it was.
        #[test]
        fn flipped_bits_cost_only_their_own_records(
            relays in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..100), 1..12),
            flips in proptest::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..4),
        ) {
            let session = facts().header.session_id.into_bytes();
            let name = |relay: Vec<u8>| [relay, session.clone()].concat();
            let entries: Vec<Entry> =
                relays.into_iter().enumerate().map(|(at, relay)| entry(name(relay), at as i64, true)).collect();
            let (mut bytes, ends) = file(&entries);
            for (at, bit) in flips {
                let at = ends[0] + at.index(bytes.len() - ends[0]);
                bytes[at] ^= 1 << bit;
            }
            let (clean, _) = file(&entries);
            let is_clean = |at: &usize| clean[ends[*at]..ends[*at + 1]] == bytes[ends[*at]..ends[*at + 1]];
            let left: Vec<usize> = (0..entries.len()).filter(is_clean).collect();
            let (mut found, mut places) = (Vec::new(), Vec::new());
            let contents = read_all(&mut &bytes[..], None, None, |entry, at| {
                found.push(entry);
                places.push(at);
            });
            let contents = contents.unwrap();
            prop_assert_eq!(found, left.iter().map(|at| entries[*at].clone()).collect::<Vec<_>>());
            prop_assert_eq!(places, left.iter().map(|at| ends[*at] as u64 + Entry::RELAY_AT).collect::<Vec<_>>());
            prop_assert_eq!(contents.length, left.last().map_or(ends[0], |at| ends[*at + 1]) as u64);
            let damaged: u64 = contents.damage.iter().map(|gap| gap.end - gap.start).sum();
            let kept: u64 = left.iter().map(|at| (ends[*at + 1] - ends[*at]) as u64).sum();
            prop_assert_eq!(ends[0] as u64 + damaged + kept, contents.length);
        }
    }

    /// A client's own bytes look like records of other answers; damage before them does not bring them in.
    #[test]
    fn records_inside_a_relay_are_none() {
        let session = facts().header.session_id.into_bytes();
        let mut hidden = Vec::new();
        entry([b"forged".to_vec(), session.clone()].concat(), 9, true).write(&mut hidden);
        let entries = [
            entry([hidden, session.clone()].concat(), 1, true),
            entry([b"honest".to_vec(), session].concat(), 2, true),
        ];
        let (bytes, ends) = file(&entries);
        // A bit of the head, and one of the relay.
        for at in [ends[0] + 40, ends[1] - 1] {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            let (found, contents) = read(&bytes);
            assert_eq!(found, entries[1..]);
            assert_eq!(contents.damage, vec![ends[0] as u64..ends[1] as u64]);
        }
    }
}

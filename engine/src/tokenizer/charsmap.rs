//! The map of characters that SentencePiece compiles into a model (`precompiled_charsmap`): a double array, then
//! the texts that it points to.

use super::{TokenizerError, bad_value};

/// The longest beginning of a text that is looked up.
const LONGEST_KEY: usize = 256;

/// The longest text that one beginning may become; Unicode's own is 33 bytes.
const LONGEST_TEXT: usize = 128;

/// What characters, and runs of them, are written as.
#[derive(Debug, Default)]
pub(super) struct CharsMap {
    nodes: Vec<u32>,
    texts: Vec<u8>,
}

impl CharsMap {
    pub(super) fn new(bytes: &[u8]) -> Result<Self, TokenizerError> {
        let bad = || {
            let found = format!("{} bytes that are none", bytes.len());
            bad_value(
                "tokenizer.ggml.precompiled_charsmap",
                found,
                "a map of characters",
            )
        };
        let (head, rest) = bytes.split_first_chunk::<4>().ok_or_else(bad)?;
        let size = u32::from_le_bytes(*head) as usize;
        let (nodes, texts) = rest.split_at_checked(size).ok_or_else(bad)?;
        let (nodes, []) = nodes.as_chunks::<4>() else {
            return Err(bad());
        };
        // Every text ends with a zero, so what is read ends, too; and all of them are UTF-8.
        if nodes.is_empty() || texts.last() != Some(&0) || std::str::from_utf8(texts).is_err() {
            return Err(bad());
        }
        Ok(Self {
            nodes: nodes.iter().map(|node| u32::from_le_bytes(*node)).collect(),
            texts: texts.to_vec(),
        })
    }

    /// Writes `text` by the map: the longest beginning it knows, then on from there.
    pub(super) fn apply(&self, text: &str) -> String {
        let mut mapped = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            match self.longest(rest) {
                Some((len, written)) => {
                    mapped.push_str(written);
                    rest = &rest[len..];
                }
                None => {
                    mapped.push(letter);
                    rest = &rest[letter.len_utf8()..];
                }
            }
        }
        mapped
    }

    fn longest(&self, text: &str) -> Option<(usize, &str)> {
        let mut longest = None;
        let mut at = base(*self.nodes.first()?);
        for (len, &byte) in (1..=LONGEST_KEY).zip(text.as_bytes()) {
            at ^= u32::from(byte);
            let Some(&node) = self.nodes.get(at as usize) else {
                break;
            };
            if byte == 0 || node & 0x8000_00ff != u32::from(byte) {
                break;
            }
            at ^= base(node);
            let leaf = node >> 8 & 1 == 1;
            if leaf && text.is_char_boundary(len) {
                let value = self.nodes.get(at as usize).map(|value| value & 0x7fff_ffff);
                longest = value.map(|value| (len, value as usize)).or(longest);
            }
        }
        let (len, start) = longest?;
        let written = self.texts.get(start..)?.split(|&byte| byte == 0).next()?;
        let written = Some(written).filter(|written| written.len() <= LONGEST_TEXT)?;
        Some((len, std::str::from_utf8(written).ok()?))
    }
}

/// Where the children of a node begin.
fn base(node: u32) -> u32 {
    (node >> 10) << ((node & (1 << 9)) >> 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A map of `A` to `a` and of nothing else.
    fn map() -> Vec<u8> {
        let mut nodes = [0_u32; 128];
        // The root's children begin at 0, the children of `A` at its own place xor 1.
        nodes[usize::from(b'A')] = u32::from(b'A') | 1 << 8 | 1 << 10;
        nodes[usize::from(b'A') ^ 1] = 0x8000_0000;
        let mut bytes = (nodes.len() as u32 * 4).to_le_bytes().to_vec();
        bytes.extend(nodes.iter().flat_map(|node| node.to_le_bytes()));
        bytes.extend(b"a\0");
        bytes
    }

    #[test]
    fn what_the_map_knows_is_written_so_and_the_rest_stays() {
        let map = CharsMap::new(&map()).unwrap();
        assert_eq!(map.apply("AbA\0é"), "aba\0é");
        assert_eq!(CharsMap::default().apply("Aé"), "Aé");
    }

    #[test]
    fn damaged_maps_are_refused_or_do_nothing() {
        let whole = map();
        for len in 0..whole.len() {
            assert!(CharsMap::new(&whole[..len]).is_err(), "{len}");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0xff;
            if let Ok(map) = CharsMap::new(&damaged) {
                let _ = map.apply("AAA xyz \u{10ffff}");
            }
        }
    }
}

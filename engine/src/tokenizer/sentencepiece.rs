//! SentencePiece-type vocabularies, called `llama` in GGUF files: pieces joined by score.
//!
//! The rule, as in llama.cpp: text is cut into characters, and again and again the neighbours whose joined
//! piece has the best score are joined, the leftmost of equals first; what is no piece is written as bytes.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

use super::TokenKind;

/// How pieces write a space.
pub(super) const MARK: &str = "\u{2581}";

/// A vocabulary of pieces with their scores.
#[derive(Debug)]
pub(super) struct Pieces {
    ids: BTreeMap<String, u32>,
    scores: Vec<f32>,
    byte_ids: [Option<u32>; 256],
    adds_space: bool,
    /// What a byte without a token becomes.
    unknown: Option<u32>,
}

/// A pair of neighbours that could be joined.
struct Join {
    score: f32,
    left: usize,
    right: usize,
    len: usize,
}

#[derive(Clone, Copy)]
struct Symbol {
    start: usize,
    len: usize,
    previous: Option<usize>,
    next: Option<usize>,
}

impl Pieces {
    pub(super) fn new(
        texts: &[String],
        scores: &[f32],
        kinds: &[TokenKind],
        adds_space: bool,
        unknown: Option<u32>,
    ) -> Self {
        let mut ids = BTreeMap::new();
        let mut byte_ids = [None; 256];
        for (index, (text, kind)) in texts.iter().zip(kinds).enumerate() {
            match kind {
                TokenKind::Normal | TokenKind::UserDefined => {
                    ids.entry(text.clone()).or_insert(index as u32);
                }
                TokenKind::Byte => {
                    if let Some(byte) = parse_byte(text) {
                        byte_ids[usize::from(byte)] = Some(index as u32);
                    }
                }
                TokenKind::Control | TokenKind::Guarded => {}
            }
        }
        let scores = (0..texts.len())
            .map(|index| scores.get(index).copied().unwrap_or(0.0))
            .collect();
        Self {
            ids,
            scores,
            byte_ids,
            adds_space,
            unknown,
        }
    }

    pub(super) fn encode(&self, text: &str, tokens: &mut Vec<u32>) {
        let spaced = if self.adds_space {
            format!(" {text}")
        } else {
            text.to_owned()
        };
        let text = spaced.replace(' ', MARK);
        let mut symbols = symbols_of(&text);
        let mut joins = BinaryHeap::new();
        for right in 1..symbols.len() {
            self.propose(&text, &symbols, right - 1, right, &mut joins);
        }
        while let Some(join) = joins.pop() {
            let (left, right) = (symbols[join.left], symbols[join.right]);
            // Stale if one side was joined to something else meanwhile.
            if left.len == 0 || right.len == 0 || left.len + right.len != join.len {
                continue;
            }
            symbols[join.left].len = join.len;
            symbols[join.left].next = right.next;
            symbols[join.right].len = 0;
            if let Some(next) = right.next {
                symbols[next].previous = Some(join.left);
                self.propose(&text, &symbols, join.left, next, &mut joins);
            }
            if let Some(previous) = left.previous {
                self.propose(&text, &symbols, previous, join.left, &mut joins);
            }
        }
        let mut at = (!symbols.is_empty()).then_some(0);
        while let Some(index) = at {
            let symbol = symbols[index];
            self.emit(&text[symbol.start..symbol.start + symbol.len], tokens);
            at = symbol.next;
        }
    }

    fn propose(
        &self,
        text: &str,
        symbols: &[Symbol],
        left: usize,
        right: usize,
        joins: &mut BinaryHeap<Join>,
    ) {
        let len = symbols[left].len + symbols[right].len;
        let start = symbols[left].start;
        if let Some(&id) = self.ids.get(&text[start..start + len]) {
            joins.push(Join {
                score: self.scores[id as usize],
                left,
                right,
                len,
            });
        }
    }

    fn emit(&self, piece: &str, tokens: &mut Vec<u32>) {
        match self.ids.get(piece) {
            Some(&id) => tokens.push(id),
            None => tokens.extend(
                piece
                    .bytes()
                    .filter_map(|byte| self.byte_ids[usize::from(byte)].or(self.unknown)),
            ),
        }
    }
}

fn symbols_of(text: &str) -> Vec<Symbol> {
    let count = text.chars().count();
    text.char_indices()
        .enumerate()
        .map(|(index, (start, letter))| Symbol {
            start,
            len: letter.len_utf8(),
            previous: index.checked_sub(1),
            next: Some(index + 1).filter(|&next| next < count),
        })
        .collect()
}

impl Ord for Join {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score
            .total_cmp(&other.score)
            .then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Join {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Join {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Join {}

pub(super) fn parse_byte(text: &str) -> Option<u8> {
    u8::from_str_radix(text.strip_prefix("<0x")?.strip_suffix('>')?, 16).ok()
}

/// Gives what a piece adds to a text.
pub(super) fn bytes_of(text: &str, kind: TokenKind) -> Vec<u8> {
    match (kind, parse_byte(text)) {
        (TokenKind::Byte, Some(byte)) => vec![byte],
        (_, _) => text.replace(MARK, " ").into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(list: &[(&str, f32)]) -> Pieces {
        let mut texts: Vec<String> = (0..256).map(|byte| format!("<0x{byte:02X}>")).collect();
        let mut kinds = vec![TokenKind::Byte; 256];
        let mut scores = vec![0.0; 256];
        for (text, score) in list {
            texts.push((*text).to_owned());
            kinds.push(TokenKind::Normal);
            scores.push(*score);
        }
        Pieces::new(&texts, &scores, &kinds, true, None)
    }

    fn encode(pieces: &Pieces, text: &str) -> Vec<u32> {
        let mut tokens = Vec::new();
        pieces.encode(text, &mut tokens);
        tokens
    }

    #[test]
    fn the_best_score_is_joined_first() {
        let list = [
            ("▁", -9.0),
            ("a", -9.0),
            ("b", -9.0),
            ("ab", -1.0),
            ("▁a", -2.0),
            ("▁ab", -3.0),
            ("bb", -1.5),
        ];
        let pieces = pieces(&list);
        assert_eq!(encode(&pieces, "ab"), [256 + 5]);
        // "ab" is joined first, then "▁ab"; the second b stays alone.
        assert_eq!(encode(&pieces, "abb"), [256 + 5, 256 + 2]);
        assert_eq!(encode(&pieces, "bb a"), [256, 256 + 6, 256 + 4]);
    }

    #[test]
    fn unknown_characters_become_bytes() {
        let pieces = pieces(&[("▁", -1.0)]);
        assert_eq!(encode(&pieces, "é"), [256, 0xc3, 0xa9]);
        assert_eq!(encode(&pieces, ""), [256]);
        assert_eq!(bytes_of("<0xC3>", TokenKind::Byte), [0xc3]);
        assert_eq!(bytes_of("▁a", TokenKind::Normal), b" a");
    }
}

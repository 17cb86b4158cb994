//! Unigram: the vocabularies called `t5` in GGUF files. Of all ways to write a text in tokens, the one whose scores
//! add up to the most is taken; a character that no token writes is unknown.

use super::charsmap::CharsMap;
use super::sentencepiece::MARK;
use super::trie::Trie;
use super::{TokenKind, TokenizerError};

/// What an unknown character costs on top of the worst token.
const UNKNOWN_PENALTY: f32 = 10.0;

/// How a vocabulary writes white space.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spacing {
    /// Whether a text begins with a space.
    pub(super) prefix: bool,
    /// Whether runs of spaces are one, and those at the ends none.
    pub(super) merge: bool,
    /// Whether the added space comes after the text.
    pub(super) suffix: bool,
}

/// A vocabulary of tokens with their scores.
#[derive(Debug)]
pub(super) struct Unigram {
    trie: Trie,
    scores: Vec<f32>,
    unknown: u32,
    unknown_score: f32,
    charsmap: CharsMap,
    spacing: Spacing,
}

/// The best way to write a beginning of the text: its last token, where that begins, the sum of the scores.
#[derive(Clone, Copy)]
struct Best {
    token: u32,
    start: usize,
    score: f64,
}

impl Unigram {
    pub(super) fn new(
        texts: &[String],
        scores: &[f32],
        kinds: &[TokenKind],
        unknown: u32,
        charsmap: CharsMap,
        spacing: Spacing,
    ) -> Result<Self, TokenizerError> {
        let tokens = (0..).zip(texts.iter().zip(kinds));
        let tokens =
            tokens.filter(|(_, (_, kind))| matches!(kind, TokenKind::Normal | TokenKind::UserDefined));
        let score = |index: usize| match kinds[index] {
            // Taken before anything else.
            TokenKind::UserDefined => 0.0,
            TokenKind::Normal | TokenKind::Control | TokenKind::Guarded | TokenKind::Byte => {
                scores.get(index).copied().unwrap_or(0.0)
            }
        };
        let normal = (0..texts.len()).filter(|&index| kinds[index] == TokenKind::Normal);
        let worst = normal.map(score).fold(f32::MAX, f32::min);
        Ok(Self {
            trie: Trie::new(tokens.map(|(index, (text, _))| (text.as_str(), index)))?,
            scores: (0..texts.len()).map(score).collect(),
            unknown,
            unknown_score: worst - UNKNOWN_PENALTY,
            charsmap,
            spacing,
        })
    }

    pub(super) fn encode(&self, text: &str, tokens: &mut Vec<u32>) {
        let text = self.normalized(text);
        let nothing = Best {
            token: self.unknown,
            start: 0,
            score: f64::NEG_INFINITY,
        };
        let mut best = vec![nothing; text.len() + 1];
        best[0].score = 0.0;
        for (start, letter) in text.char_indices() {
            let mut known = false;
            let mut offer = |len: usize, token: u32, score: f32| {
                let score = best[start].score + f64::from(score);
                if score > best[start + len].score {
                    best[start + len] = Best { token, start, score };
                }
            };
            for (len, token) in self.trie.prefixes(&text.as_bytes()[start..]) {
                known |= len == letter.len_utf8();
                offer(len, token, self.scores[token as usize]);
            }
            if !known {
                offer(letter.len_utf8(), self.unknown, self.unknown_score);
            }
        }
        let first = tokens.len();
        let mut end = text.len();
        while end > 0 {
            let Best { token, start, .. } = best[end];
            // Unknown characters side by side are one unknown token.
            let joins = tokens.len() > first && token == self.unknown && tokens.last() == Some(&token);
            if !joins {
                tokens.push(token);
            }
            end = start;
        }
        tokens[first..].reverse();
    }

    /// Writes a text as the vocabulary has it: characters by the map, spaces as `▁`.
    fn normalized(&self, text: &str) -> String {
        let Spacing {
            prefix,
            merge,
            suffix,
        } = self.spacing;
        let mut normalized = String::with_capacity(text.len() + text.len() / 2 + MARK.len());
        let mut in_word = false;
        let mut prefixed = false;
        let mapped = self.charsmap.apply(text);
        for letter in mapped.chars() {
            if letter == ' ' {
                in_word = false;
                if !merge {
                    normalized.push_str(MARK);
                }
                continue;
            }
            if !in_word {
                in_word = true;
                if merge || (prefix && !suffix && !prefixed) {
                    normalized.push_str(MARK);
                    prefixed = true;
                }
            }
            normalized.push(letter);
        }
        if prefix && suffix {
            normalized.push_str(MARK);
        }
        normalized
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(text: &str, merge: bool) -> Vec<u32> {
        let texts = ["<unk>", "</s>", "▁", "a", "b", "ab", "▁a", "bab", "▁▁"].map(String::from);
        let scores = [0.0, 0.0, -3.0, -3.0, -3.0, -4.0, -3.5, -6.0, -4.0];
        let mut kinds = [TokenKind::Normal; 9];
        (kinds[0], kinds[1]) = (TokenKind::Control, TokenKind::Control);
        let spacing = Spacing {
            prefix: true,
            merge,
            suffix: false,
        };
        let map = CharsMap::default();
        let unigram = Unigram::new(&texts, &scores, &kinds, 0, map, spacing).unwrap();
        let mut tokens = Vec::new();
        unigram.encode(text, &mut tokens);
        tokens
    }

    #[test]
    fn the_best_sum_is_taken() {
        // "▁a" + "bab" is -9.5, "▁a" + "b" + "ab" is -10.5.
        assert_eq!(encode("abab", true), [6, 7]);
        assert_eq!(encode("b", true), [2, 4]);
        assert_eq!(encode("xyb", true), [2, 0, 4]);
    }

    #[test]
    fn spaces_are_merged_if_the_vocabulary_says_so() {
        assert_eq!(encode("  a   a ", true), [6, 6]);
        assert_eq!(encode("a   a ", false), [6, 8, 6, 2]);
        assert_eq!(encode("", true), [] as [u32; 0]);
    }

    #[test]
    fn control_tokens_are_not_among_them() {
        assert_eq!(encode("</s>", true), [2, 0]);
    }
}

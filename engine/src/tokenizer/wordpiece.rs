//! WordPiece: the vocabularies called `bert` in GGUF files. Words are written from the left in the longest tokens;
//! the first of them begins with `▁`. A word that cannot be written whole is unknown.

use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::tokenizer::{NormalizedString, Normalizer as _, OffsetReferential, OffsetType};
use tokenizers::tokenizer::{PreTokenizedString, PreTokenizer as _};

use super::sentencepiece::MARK;
use super::trie::Trie;
use super::{TokenKind, TokenizerError};

/// A vocabulary of word pieces.
#[derive(Debug)]
pub(super) struct WordPieces {
    trie: Trie,
    normalizer: BertNormalizer,
    unknown: u32,
}

impl WordPieces {
    pub(super) fn new(
        texts: &[String],
        kinds: &[TokenKind],
        lowercase: bool,
        strips_accents: bool,
        unknown: u32,
    ) -> Result<Self, TokenizerError> {
        let tokens = (0..).zip(texts.iter().zip(kinds));
        let tokens = tokens.filter(|(_, (_, kind))| !matches!(kind, TokenKind::Control | TokenKind::Guarded));
        Ok(Self {
            trie: Trie::new(tokens.map(|(index, (text, _))| (text.as_str(), index)))?,
            normalizer: BertNormalizer::new(true, true, Some(strips_accents), lowercase),
            unknown,
        })
    }

    pub(super) fn encode(&self, text: &str, tokens: &mut Vec<u32>) {
        let mut normalized = NormalizedString::from(text);
        // Neither step can fail; a text that could not be cut would be one word.
        let cleaned = self.normalizer.normalize(&mut normalized);
        let mut words = PreTokenizedString::from(if cleaned.is_ok() { normalized.get() } else { text });
        let _ = BertPreTokenizer.pre_tokenize(&mut words);
        for (word, _, _) in words.get_splits(OffsetReferential::Original, OffsetType::None) {
            self.word(&format!("{MARK}{word}"), tokens);
        }
    }

    fn word(&self, word: &str, tokens: &mut Vec<u32>) {
        let start = tokens.len();
        let mut rest = word.as_bytes();
        while !rest.is_empty() {
            let Some((len, token)) = self.trie.prefixes(rest).last() else {
                tokens.truncate(start);
                tokens.push(self.unknown);
                return;
            };
            tokens.push(token);
            rest = &rest[len..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(text: &str) -> Vec<u32> {
        let texts = ["[UNK]", "▁play", "ing", "▁,", "▁the", "▁中", "[SEP]", "ed"].map(String::from);
        let mut kinds = [TokenKind::Normal; 8];
        (kinds[0], kinds[6]) = (TokenKind::Control, TokenKind::Control);
        let pieces = WordPieces::new(&texts, &kinds, true, true, 0).unwrap();
        let mut tokens = Vec::new();
        pieces.encode(text, &mut tokens);
        tokens
    }

    #[test]
    fn words_are_written_in_their_longest_pieces() {
        assert_eq!(encode("Playing, the pláyed"), [1, 2, 3, 4, 1, 7]);
        assert_eq!(encode("the中the"), [4, 5, 4]);
        assert_eq!(encode("playful the"), [0, 4]);
        assert_eq!(encode("\u{0}the\u{fffd}\u{200b} \t\n"), [4]);
        assert_eq!(encode(" "), [] as [u32; 0]);
    }

    #[test]
    fn control_tokens_are_not_among_them() {
        assert!(!encode("[SEP]").contains(&6));
    }
}

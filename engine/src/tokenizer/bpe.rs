//! BPE: the vocabularies called `gpt2` in GGUF files and their kin, whose merges join what lies inside a piece of
//! text.

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::tokenizer::Model as _;
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use super::cuts::Cuts;
use super::pre::{Rules, Spelling};
use super::sentencepiece::{MARK, parse_byte};
use super::{TokenKind, TokenizerError, bad_value};

/// A BPE vocabulary with its rules for cutting text.
#[derive(Debug)]
pub(super) struct BytePairs {
    model: BPE,
    cuts: Cuts,
    letters: [char; 256],
    composes: bool,
    spelling: Spelling,
    /// Whether white space only parts words, as in the vocabularies called `whitespace`.
    drops_spaces: bool,
}

impl BytePairs {
    /// Builds the vocabulary; what people write can become any token of it but the control tokens.
    pub(super) fn new(
        texts: &[String],
        kinds: &[TokenKind],
        merges: &[String],
        rules: Rules,
        drops_spaces: bool,
    ) -> Result<Self, TokenizerError> {
        let mut vocab = Vocab::default();
        let mut control = std::collections::BTreeSet::new();
        for (index, (text, kind)) in (0..).zip(texts.iter().zip(kinds)) {
            if matches!(kind, TokenKind::Control | TokenKind::Guarded) {
                control.insert(text.as_str());
            } else {
                vocab.insert(text.clone(), index);
            }
        }
        let mut pairs = Vec::with_capacity(merges.len());
        for merge in merges {
            let (left, right) = pair(merge)
                .ok_or_else(|| bad_merges(format!("{:?} without a space between two", cut(merge))))?;
            let joined = format!("{left}{right}");
            if ![left, right, &joined]
                .into_iter()
                .any(|text| control.contains(text))
            {
                pairs.push((left.to_owned(), right.to_owned()));
            }
        }
        let model = BPE::builder()
            .vocab_and_merges(vocab, pairs)
            .ignore_merges(rules.whole_words)
            .byte_fallback(rules.spelling != Spelling::Letters)
            .build()
            .map_err(|source| bad_merges(source.to_string()))?;
        Ok(Self {
            model,
            cuts: Cuts::new(rules.cuts)?,
            letters: std::array::from_fn(|byte| letter_of(byte as u8)),
            composes: rules.composes,
            spelling: rules.spelling,
            drops_spaces,
        })
    }

    /// Whether tokens write bytes one by one.
    pub(super) fn is_byte_level(&self) -> bool {
        self.spelling == Spelling::Letters
    }

    pub(super) fn encode(&self, text: &str, tokens: &mut Vec<u32>) {
        let composed = (self.composes && is_nfc_quick(text.chars()) != IsNormalized::Yes)
            .then(|| text.nfc().collect::<String>());
        let text = composed.as_deref().unwrap_or(text);
        let marked = matches!(self.spelling, Spelling::Marked { .. }).then(|| text.replace(' ', MARK));
        let text = marked.as_deref().unwrap_or(text);
        for piece in self.cuts.pieces(text) {
            if self.drops_spaces && piece.trim().is_empty() {
                continue;
            }
            match self.spelling {
                Spelling::Letters => {
                    let spelled: String = piece
                        .bytes()
                        .map(|byte| self.letters[usize::from(byte)])
                        .collect();
                    self.join(&spelled, tokens);
                }
                Spelling::Marked { lines: true } if piece.starts_with('\n') => {
                    match self.model.token_to_id(piece) {
                        Some(token) => tokens.push(token),
                        None => self.join(piece, tokens),
                    }
                }
                Spelling::Marked { .. } | Spelling::Plain => self.join(piece, tokens),
            }
        }
    }

    fn join(&self, piece: &str, tokens: &mut Vec<u32>) {
        match self.model.tokenize(piece) {
            Ok(joined) => tokens.extend(joined.iter().map(|token| token.id)),
            // Not without an unknown token, and we name none; letter by letter says the same, at length.
            Err(_) => tokens.extend(
                piece
                    .chars()
                    .filter_map(|letter| self.model.token_to_id(letter.encode_utf8(&mut [0; 4]))),
            ),
        }
    }

    /// Gives what a token adds to a text.
    pub(super) fn bytes_of(&self, text: &str, kind: TokenKind) -> Vec<u8> {
        match (self.spelling, parse_byte(text)) {
            (Spelling::Letters, _) => bytes_of(text),
            (_, Some(byte)) if kind == TokenKind::Byte => vec![byte],
            (Spelling::Marked { .. }, _) => text.replace(MARK, " ").into_bytes(),
            (Spelling::Plain, _) => text.as_bytes().to_vec(),
        }
    }
}

/// Cuts a merge into its two tokens; the first may begin with a space.
fn pair(merge: &str) -> Option<(&str, &str)> {
    let first = merge.chars().next()?.len_utf8();
    let at = first + merge[first..].find(' ')?;
    Some((&merge[..at], &merge[at + 1..]))
}

fn cut(text: &str) -> String {
    text.chars().take(60).collect()
}

fn bad_merges(found: String) -> TokenizerError {
    bad_value("tokenizer.ggml.merges", found, "pairs of tokens")
}

/// Gives the letter by which byte-level vocabularies write a byte (GPT-2, `bytes_to_unicode`).
fn letter_of(byte: u8) -> char {
    let plain = |byte: u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    if plain(byte) {
        return char::from(byte);
    }
    let index = (0..byte).filter(|&other| !plain(other)).count() as u32;
    char::from_u32(256 + index).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Reads a token's text back into bytes; letters outside the alphabet stand for themselves.
fn bytes_of(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match byte_of(letter) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

fn byte_of(letter: char) -> Option<u8> {
    let code = u32::from(letter);
    match code {
        0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff => u8::try_from(code).ok(),
        // The 68 bytes without a letter of their own, in order: 0 to 0x20, 0x7f to 0xa0, 0xad.
        256..=288 => u8::try_from(code - 256).ok(),
        289..=322 => u8::try_from(code - 289 + 0x7f).ok(),
        323 => Some(0xad),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_one_letter() {
        for byte in 0..=255 {
            assert_eq!(byte_of(letter_of(byte)), Some(byte), "{byte}");
        }
        assert_eq!(letter_of(b' '), 'Ġ');
        assert_eq!(letter_of(b'\n'), 'Ċ');
    }
}

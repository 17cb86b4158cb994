//! Byte-level BPE: the vocabularies called `gpt2` in GGUF files, with the pre-tokenizers of our families.

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::NFC;

use super::TokenizerError;
use super::pre::Rules;
use crate::checkpoint::GgufError;

/// A byte-level BPE vocabulary with its rules for cutting text.
#[derive(Debug)]
pub(super) struct BytePairs {
    tokenizer: tokenizers::Tokenizer,
}

impl BytePairs {
    pub(super) fn new(texts: &[String], merges: &[String], rules: Rules) -> Result<Self, TokenizerError> {
        let vocab: Vocab = texts
            .iter()
            .enumerate()
            .map(|(index, text)| (text.clone(), index as u32))
            .collect();
        let pairs = merges
            .iter()
            .map(|merge| {
                merge
                    .split_once(' ')
                    .map(|(left, right)| (left.to_owned(), right.to_owned()))
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| bad_merges("a merge without a space".to_owned()))?;
        let model = BPE::builder()
            .vocab_and_merges(vocab, pairs)
            .ignore_merges(rules.whole_words)
            .build()
            .map_err(|source| bad_merges(source.to_string()))?;
        let mut tokenizer = tokenizers::Tokenizer::new(model);
        tokenizer.with_pre_tokenizer(Some(rules.pre_tokenizer()?));
        if rules.composes {
            tokenizer
                .with_normalizer(Some(NFC))
                .map_err(|source| TokenizerError::Unsupported {
                    part: "normalizer",
                    name: source.to_string(),
                })?;
        }
        Ok(Self { tokenizer })
    }

    pub(super) fn encode(&self, text: &str, tokens: &mut Vec<u32>) {
        match self.tokenizer.encode_fast(text, false) {
            Ok(encoding) => tokens.extend_from_slice(encoding.get_ids()),
            // Happens only if the pattern engine gives up on a text; byte tokens say the same, at length.
            Err(_) => tokens.extend(
                text.bytes()
                    .filter_map(|byte| self.tokenizer.token_to_id(&letter_of(byte).to_string())),
            ),
        }
    }
}

fn bad_merges(found: String) -> TokenizerError {
    TokenizerError::Gguf(GgufError::BadValue {
        key: "tokenizer.ggml.merges".to_owned(),
        found,
        expected: "pairs of tokens".to_owned(),
    })
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
pub(super) fn bytes_of(text: &str) -> Vec<u8> {
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

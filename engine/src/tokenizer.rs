//! Text to tokens and back, by the vocabulary inside a GGUF file.
//!
//! Special tokens such as `<|im_end|>` are recognised only in what a chat template wrote, never in what a
//! person wrote, so nobody can end a turn or play the system by spelling one out.

mod algorithm;
mod bpe;
mod charsmap;
mod cuts;
mod marks;
mod pre;
mod sentencepiece;
mod trie;
mod unigram;
mod wordpiece;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use algorithm::{Algorithm, Ends};
use marks::Marks;
use sentencepiece::MARK;

use crate::checkpoint::{Gguf, GgufError};
use crate::load::LoadError;

/// What the vocabulary says of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenKind {
    Normal,
    /// Never shown, recognised only in templates.
    Control,
    /// Recognised in any text, shown.
    UserDefined,
    /// Shown, but recognised only in templates: it is written as control tokens are.
    Guarded,
    /// One raw byte of a SentencePiece vocabulary.
    Byte,
}

/// The tokenizer of one model.
#[derive(Debug)]
pub(crate) struct Tokenizer {
    algorithm: Algorithm,
    /// What each token adds to a text.
    bytes: Vec<Vec<u8>>,
    marks: Marks,
    /// The token that begins a text, if the model has one.
    pub(crate) bos: Option<u32>,
    surroundings: Ends,
    /// Tokens that end an answer.
    ends: BTreeSet<u32>,
    /// Bytes of the longest text that one token can stand for.
    longest_piece: usize,
    bos_text: String,
    eos_text: String,
}

/// Control tokens that end an answer in the families we load, whatever the header names.
const END_TEXTS: [&str; 11] = [
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|end|>",
    "<end_of_turn>",
    "</s>",
    "<｜end▁of▁sentence｜>",
    "<|END_OF_TURN_TOKEN|>",
    "<EOT>",
];

impl Tokenizer {
    /// Builds the tokenizer that the header describes.
    pub(crate) fn from_gguf(gguf: &Gguf) -> Result<Self, TokenizerError> {
        let texts = gguf.texts("tokenizer.ggml.tokens")?;
        check_texts(texts)?;
        let kinds = token_kinds(gguf, texts)?;
        let (algorithm, surroundings) = Algorithm::new(gguf, texts, &kinds)?;
        let bytes: Vec<Vec<u8>> = texts
            .iter()
            .zip(&kinds)
            .map(|(text, kind)| algorithm.bytes_of(text, *kind))
            .collect();
        let id = |key: &str| -> Result<Option<u32>, GgufError> {
            Ok(gguf
                .optional_count(key, 0..texts.len().max(1))?
                .map(|id| id as u32))
        };
        let bos = surroundings.bos;
        let eos = id("tokenizer.ggml.eos_token_id")?;
        let mut ends: BTreeSet<u32> = texts
            .iter()
            .enumerate()
            .filter(|(index, text)| kinds[*index] == TokenKind::Control && END_TEXTS.contains(&text.as_str()))
            .map(|(index, _)| index as u32)
            .collect();
        ends.extend(eos);
        ends.extend(id("tokenizer.ggml.eot_token_id")?);
        let text_of = |token: Option<u32>| {
            token
                .and_then(|token| texts.get(token as usize))
                .cloned()
                .unwrap_or_default()
        };
        Ok(Self {
            marks: Marks::new(texts, &kinds)?,
            surroundings,
            bos_text: text_of(bos),
            eos_text: text_of(eos),
            longest_piece: texts
                .iter()
                .map(String::len)
                .chain(bytes.iter().map(Vec::len))
                .max()
                .unwrap_or(0)
                // A character that the vocabulary lacks may become one token.
                .max(char::MAX.len_utf8()),
            algorithm,
            bytes,
            bos,
            ends,
        })
    }

    /// Gives the number of tokens.
    pub(crate) fn vocabulary(&self) -> usize {
        self.bytes.len()
    }

    /// Gives the bytes of the longest text that one token can stand for.
    pub(crate) fn longest_piece(&self) -> usize {
        self.longest_piece
    }

    /// Gives the texts of the tokens that begin and end a text, for templates.
    pub(crate) fn boundary_texts(&self) -> (&str, &str) {
        (&self.bos_text, &self.eos_text)
    }

    /// Says whether `token` ends an answer.
    pub(crate) fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }

    /// Gives what `token` adds to a text; nothing for control tokens.
    pub(crate) fn piece(&self, token: u32) -> &[u8] {
        self.bytes.get(token as usize).map_or(&[], Vec::as_slice)
    }

    /// Gives the tokens that end an answer.
    pub(crate) fn ends(&self) -> impl Iterator<Item = u32> {
        self.ends.iter().copied()
    }

    /// Gives what `token` stands for, control tokens included.
    pub(crate) fn spelled(&self, token: u32) -> &[u8] {
        let control = || self.controls().find(|(_, id)| *id == token);
        match self.piece(token) {
            [] => control().map_or(&[], |(text, _)| text.as_bytes()),
            piece => piece,
        }
    }

    /// Gives all control tokens with their texts.
    pub(crate) fn controls(&self) -> impl Iterator<Item = (&str, u32)> {
        let marks = self.marks.iter().filter(|mark| mark.control);
        marks.map(|mark| (mark.text.as_str(), mark.token))
    }

    /// Calls `each` with every token that writes a beginning of `text`, or all of it and more.
    pub(crate) fn continuations(&self, text: &[u8], mut each: impl FnMut(u32)) {
        let fits = |token: &[u8]| !token.is_empty() && (text.starts_with(token) || token.starts_with(text));
        for (token, bytes) in (0..).zip(&self.bytes) {
            if fits(bytes) {
                each(token);
            }
        }
        for (bytes, token) in self.controls() {
            if fits(bytes.as_bytes()) {
                each(token);
            }
        }
    }

    /// Whether the tokens of a text are those of its parts, wherever it is cut between words.
    pub(crate) fn is_byte_level(&self) -> bool {
        self.algorithm.is_byte_level()
    }

    /// Whether the vocabulary has `text` as a token that is searched for before text is split.
    pub(crate) fn has_mark(&self, text: &str) -> bool {
        self.marks.get(text).is_some()
    }

    /// Gives the control token that is written so.
    pub(crate) fn control_token(&self, text: &str) -> Option<u32> {
        self.marks
            .get(text)
            .filter(|mark| mark.control)
            .map(|mark| mark.token)
    }

    /// Splits what a person wrote.
    pub(crate) fn encode_text(&self, text: &str) -> Vec<u32> {
        self.encode(text, false)
    }

    /// Splits a prompt for a completion: what a person wrote, between the tokens that the model wants around it.
    pub(crate) fn encode_prompt(&self, text: &str) -> Vec<u32> {
        let bos = self.bos.filter(|_| self.surroundings.adds_bos);
        let tokens = bos.into_iter().chain(self.encode(text, false));
        tokens.chain(self.surroundings.closing).collect()
    }

    /// Splits what a template wrote. `mask` stands inside special tokens that a person spelled out and is
    /// removed here.
    pub(crate) fn encode_template(&self, text: &str, mask: Option<char>) -> Vec<u32> {
        let tokens = self.split_marks(text, true, mask);
        match self
            .bos
            .filter(|bos| self.surroundings.adds_bos && tokens.first() != Some(bos))
        {
            Some(bos) => std::iter::once(bos).chain(tokens).collect(),
            None => tokens,
        }
    }

    /// Splits `text`, reading special tokens in it if `special`.
    pub(crate) fn encode(&self, text: &str, special: bool) -> Vec<u32> {
        self.split_marks(text, special, None)
    }

    /// Puts `mask` behind the first character of every control token spelled out in `text`.
    pub(crate) fn mask(&self, text: &str, mask: char) -> String {
        let mut masked = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, mark)) = self.marks.next(rest, true) {
            let at = before.len();
            masked.push_str(before);
            let first = mark.text.chars().next().map_or(0, char::len_utf8);
            masked.push_str(&rest[at..at + first]);
            if !mark.free {
                masked.push(mask);
            }
            rest = &rest[at + first..];
        }
        masked.push_str(rest);
        masked
    }

    /// Gives the text of `tokens`, that of control tokens too if `special`.
    pub(crate) fn decode(&self, tokens: &[u32], special: bool) -> String {
        let controls: BTreeMap<u32, &str> = if special {
            self.controls().map(|(text, token)| (token, text)).collect()
        } else {
            BTreeMap::new()
        };
        let mut bytes = Vec::new();
        for &token in tokens {
            match controls.get(&token) {
                Some(text) => bytes.extend_from_slice(text.as_bytes()),
                None => bytes.extend_from_slice(self.piece(token)),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn split_marks(&self, text: &str, special: bool, mask: Option<char>) -> Vec<u32> {
        let mut tokens = Vec::new();
        let mut rest = text;
        // SentencePiece puts its space before the first piece and after every special token: before all.
        while let Some((before, mark)) = self.marks.next(rest, special) {
            self.split_plain(before, mask, &mut tokens);
            tokens.push(mark.token);
            rest = &rest[before.len() + mark.text.len()..];
        }
        self.split_plain(rest, mask, &mut tokens);
        tokens
    }

    fn split_plain(&self, text: &str, mask: Option<char>, tokens: &mut Vec<u32>) {
        if text.is_empty() {
            return;
        }
        let unmasked = mask
            .filter(|&mask| text.contains(mask))
            .map(|mask| text.replace(mask, ""));
        let text = unmasked.as_deref().unwrap_or(text);
        self.algorithm.encode(text, tokens);
    }
}

/// Refuses a vocabulary without tokens, and one that has a token twice.
fn check_texts(texts: &[String]) -> Result<(), TokenizerError> {
    const KEY: &str = "tokenizer.ggml.tokens";
    if texts.is_empty() {
        return Err(bad_value(KEY, "no tokens".to_owned(), "tokens"));
    }
    let mut seen = HashMap::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
        if let Some(first) = seen.insert(text.as_str(), index) {
            let shown: String = text.chars().take(60).collect();
            let found = format!("{shown:?} as token {first} and as token {index}");
            return Err(bad_value(KEY, found, "each token once"));
        }
    }
    Ok(())
}

/// Gives the kinds of all tokens. What ends an answer, and what the header names as special, is a control token
/// even where the list of kinds forgets it.
fn token_kinds(gguf: &Gguf, texts: &[String]) -> Result<Vec<TokenKind>, TokenizerError> {
    const KEY: &str = "tokenizer.ggml.token_type";
    let ids = gguf.integers(KEY).unwrap_or_default();
    if !ids.is_empty() && ids.len() < texts.len() {
        let found = format!("{} numbers for {} tokens", ids.len(), texts.len());
        return Err(bad_value(KEY, found, "one for each token"));
    }
    let kind = |(index, text): (usize, &String)| match ids.get(index) {
        Some(2 | 3) => TokenKind::Control,
        Some(6) => TokenKind::Byte,
        _ if END_TEXTS.contains(&text.as_str()) => TokenKind::Control,
        Some(4) if is_turn_mark(text) => TokenKind::Guarded,
        Some(4) => TokenKind::UserDefined,
        Some(_) | None => TokenKind::Normal,
    };
    let mut kinds: Vec<TokenKind> = texts.iter().enumerate().map(kind).collect();
    for name in [
        "bos",
        "eos",
        "eot",
        "eom",
        "unknown",
        "seperator",
        "padding",
        "cls",
        "mask",
    ] {
        let key = format!("tokenizer.ggml.{name}_token_id");
        if let Some(id) = gguf.optional_count(&key, 0..texts.len())?
            && is_bracketed(&texts[id])
        {
            kinds[id] = TokenKind::Control;
        }
    }
    Ok(kinds)
}

/// Whether a token is written as those are that part the turns of a conversation.
fn is_turn_mark(text: &str) -> bool {
    let between = |open: &str, close: &str| text.strip_prefix(open).is_some_and(|rest| rest.ends_with(close));
    between("<|", "|>") || between("<｜", "｜>") || text == "<start_of_turn>"
}

fn is_bracketed(text: &str) -> bool {
    let text = text.trim_start_matches(MARK);
    text.len() > 2
        && (text.starts_with('<') && text.ends_with('>') || text.starts_with('[') && text.ends_with(']'))
}

fn bad_value(key: &str, found: String, expected: &str) -> TokenizerError {
    TokenizerError::Gguf(GgufError::BadValue {
        key: key.to_owned(),
        found,
        expected: expected.to_owned(),
    })
}

/// Why no tokenizer could be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenizerError {
    #[error(transparent)]
    Gguf(#[from] GgufError),
    #[error("the {part} {name:?} is not supported")]
    Unsupported { part: &'static str, name: String },
}

impl TokenizerError {
    pub(crate) fn into_load_error(self, file: &std::path::Path) -> LoadError {
        match self {
            Self::Gguf(source) => LoadError::Gguf {
                file: file.to_owned(),
                source,
            },
            Self::Unsupported { part, name } => LoadError::UnsupportedTokenizer { part, name },
        }
    }
}

#[cfg(all(test, feature = "rival"))]
mod rival;
#[cfg(test)]
mod tests;

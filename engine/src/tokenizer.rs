//! Text to tokens and back, by the vocabulary inside a GGUF file.
//!
//! Special tokens such as `<|im_end|>` are recognised only in what a chat template wrote, never in what a
//! person wrote, so nobody can end a turn or play the system by spelling one out.

mod bpe;
mod pre;
mod sentencepiece;

use std::collections::{BTreeMap, BTreeSet};

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
    /// One raw byte of a SentencePiece vocabulary.
    Byte,
}

#[derive(Debug)]
enum Algorithm {
    Bytes(Box<bpe::BytePairs>),
    Pieces(Box<sentencepiece::Pieces>),
}

/// The tokenizer of one model.
#[derive(Debug)]
pub(crate) struct Tokenizer {
    algorithm: Algorithm,
    /// What each token adds to a text.
    bytes: Vec<Vec<u8>>,
    /// Tokens that text is searched for before it is split, by first byte, longest first.
    marks: Vec<Vec<Mark>>,
    /// The token that begins a text, if the model has one.
    pub(crate) bos: Option<u32>,
    /// Whether plain text begins with it.
    adds_bos: bool,
    /// Tokens that end an answer.
    ends: BTreeSet<u32>,
    /// Bytes of the longest text that one token can stand for.
    longest_piece: usize,
    bos_text: String,
    eos_text: String,
}

#[derive(Debug)]
struct Mark {
    text: String,
    token: u32,
    control: bool,
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
        let kinds = token_kinds(gguf, texts.len());
        let model = gguf.text("tokenizer.ggml.model")?;
        let (algorithm, default_adds_bos) = match model {
            "gpt2" => {
                let pre = gguf.optional_text("tokenizer.ggml.pre").unwrap_or("default");
                let rules = pre::rules(pre)?;
                let pairs = bpe::BytePairs::new(texts, gguf.texts("tokenizer.ggml.merges")?, rules)?;
                (Algorithm::Bytes(Box::new(pairs)), rules.begins_with_bos)
            }
            "llama" => {
                let prefix = gguf
                    .optional_bool("tokenizer.ggml.add_space_prefix")
                    .unwrap_or(true);
                let scores = gguf.floats("tokenizer.ggml.scores").unwrap_or_default();
                (
                    Algorithm::Pieces(Box::new(sentencepiece::Pieces::new(
                        texts, scores, &kinds, prefix,
                    ))),
                    true,
                )
            }
            other => {
                return Err(TokenizerError::Unsupported {
                    part: "tokenizer",
                    name: other.to_owned(),
                });
            }
        };
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
        let bos = id("tokenizer.ggml.bos_token_id")?;
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
            marks: marks(texts, &kinds),
            adds_bos: gguf
                .optional_bool("tokenizer.ggml.add_bos_token")
                .unwrap_or(default_adds_bos),
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
        let marks = self.marks.iter().flatten().filter(|mark| mark.control);
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
        matches!(self.algorithm, Algorithm::Bytes(_))
    }

    fn mark(&self, text: &str) -> Option<&Mark> {
        let first = *text.as_bytes().first()?;
        self.marks[usize::from(first)]
            .iter()
            .find(|mark| mark.text == text)
    }

    /// Whether the vocabulary has `text` as a token that is searched for before text is split.
    pub(crate) fn has_mark(&self, text: &str) -> bool {
        self.mark(text).is_some()
    }

    /// Gives the control token that is written so.
    pub(crate) fn control_token(&self, text: &str) -> Option<u32> {
        self.mark(text).filter(|mark| mark.control).map(|mark| mark.token)
    }

    /// Splits what a person wrote.
    pub(crate) fn encode_text(&self, text: &str) -> Vec<u32> {
        self.encode(text, false)
    }

    /// Splits a prompt for a completion: what a person wrote, after the BOS token if the model wants one.
    pub(crate) fn encode_prompt(&self, text: &str) -> Vec<u32> {
        let bos = self.bos.filter(|_| self.adds_bos);
        bos.into_iter().chain(self.encode(text, false)).collect()
    }

    /// Splits what a template wrote. `mask` stands inside special tokens that a person spelled out and is
    /// removed here.
    pub(crate) fn encode_template(&self, text: &str, mask: Option<char>) -> Vec<u32> {
        let tokens = self.split_marks(text, true, mask);
        match self
            .bos
            .filter(|bos| self.adds_bos && tokens.first() != Some(bos))
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
        while let Some((before, mark)) = self.next_mark(rest, true) {
            let at = before.len();
            masked.push_str(before);
            let first = mark.text.chars().next().map_or(0, char::len_utf8);
            masked.push_str(&rest[at..at + first]);
            if mark.control {
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
        while let Some((before, mark)) = self.next_mark(rest, special) {
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
        match &self.algorithm {
            Algorithm::Bytes(pairs) => pairs.encode(text, tokens),
            Algorithm::Pieces(pieces) => pieces.encode(text, tokens),
        }
    }

    /// Finds the first special token in `text`, the longest of those that begin there.
    fn next_mark<'t>(&self, text: &'t str, special: bool) -> Option<(&'t str, &Mark)> {
        text.bytes().enumerate().find_map(|(at, byte)| {
            let mark = self.marks[usize::from(byte)].iter().find(|mark| {
                (special || !mark.control) && text.as_bytes()[at..].starts_with(mark.text.as_bytes())
            })?;
            Some((&text[..at], mark))
        })
    }
}

impl Algorithm {
    fn bytes_of(&self, text: &str, kind: TokenKind) -> Vec<u8> {
        match (kind, self) {
            (TokenKind::Control, _) => Vec::new(),
            (TokenKind::UserDefined, _) => text.as_bytes().to_vec(),
            (TokenKind::Normal | TokenKind::Byte, Self::Bytes(_)) => bpe::bytes_of(text),
            (TokenKind::Normal | TokenKind::Byte, Self::Pieces(_)) => sentencepiece::bytes_of(text, kind),
        }
    }
}

fn token_kinds(gguf: &Gguf, n_tokens: usize) -> Vec<TokenKind> {
    let ids = gguf.integers("tokenizer.ggml.token_type").unwrap_or_default();
    (0..n_tokens)
        .map(|index| match ids.get(index) {
            Some(3) => TokenKind::Control,
            Some(4) => TokenKind::UserDefined,
            Some(6) => TokenKind::Byte,
            Some(_) | None => TokenKind::Normal,
        })
        .collect()
}

fn marks(texts: &[String], kinds: &[TokenKind]) -> Vec<Vec<Mark>> {
    let mut marks: Vec<Vec<Mark>> = (0..256).map(|_| Vec::new()).collect();
    for (index, (text, kind)) in texts.iter().zip(kinds).enumerate() {
        let control = match kind {
            TokenKind::Control => true,
            TokenKind::UserDefined => false,
            TokenKind::Normal | TokenKind::Byte => continue,
        };
        if let Some(&first) = text.as_bytes().first() {
            marks[usize::from(first)].push(Mark {
                text: text.clone(),
                token: index as u32,
                control,
            });
        }
    }
    for list in &mut marks {
        list.sort_by_key(|mark| std::cmp::Reverse(mark.text.len()));
    }
    marks
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

#[cfg(test)]
mod tests;

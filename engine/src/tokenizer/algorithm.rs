//! Which algorithm a header names, and what it needs of the header.

use super::charsmap::CharsMap;
use super::unigram::{Spacing, Unigram};
use super::wordpiece::WordPieces;
use super::{TokenKind, TokenizerError, bad_value, bpe, pre, sentencepiece};
use crate::checkpoint::{Gguf, GgufError, Value};

/// How text becomes tokens.
#[derive(Debug)]
pub(super) enum Algorithm {
    Bytes(Box<bpe::BytePairs>),
    Pieces(Box<sentencepiece::Pieces>),
    Unigram(Box<Unigram>),
    Words(Box<WordPieces>),
}

/// What stands around a text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ends {
    /// The token that begins a text, if the model has one.
    pub(super) bos: Option<u32>,
    /// Whether plain text begins with it.
    pub(super) adds_bos: bool,
    /// The token that plain text ends with, if any.
    pub(super) closing: Option<u32>,
}

/// What a family has unless the header says otherwise: its unknown, first and last token, and whether text gets them.
struct Defaults {
    unknown: u32,
    bos: Option<u32>,
    eos: Option<u32>,
    adds_bos: bool,
    adds_eos: bool,
    /// The key of the token that texts end with.
    closing: &'static str,
}

const EOS_KEY: &str = "tokenizer.ggml.eos_token_id";

const SPM: Defaults = Defaults {
    unknown: 0,
    bos: Some(1),
    eos: Some(2),
    adds_bos: true,
    adds_eos: false,
    closing: EOS_KEY,
};

const T5: Defaults = Defaults {
    unknown: 2,
    bos: None,
    eos: Some(1),
    adds_bos: false,
    adds_eos: true,
    closing: EOS_KEY,
};

const BERT: Defaults = Defaults {
    unknown: 100,
    bos: Some(101),
    eos: Some(102),
    adds_bos: true,
    adds_eos: true,
    // Written so by the tools that make these files.
    closing: "tokenizer.ggml.seperator_token_id",
};

impl Algorithm {
    /// Builds what the header names.
    pub(super) fn new(
        gguf: &Gguf,
        texts: &[String],
        kinds: &[TokenKind],
    ) -> Result<(Self, Ends), TokenizerError> {
        let flag = |key: &str, default| {
            gguf.optional_bool(&format!("tokenizer.ggml.{key}"))
                .unwrap_or(default)
        };
        match gguf.text("tokenizer.ggml.model")? {
            model @ ("gpt2" | "gemma4" | "whitespace") => {
                let named = gguf.optional_text("tokenizer.ggml.pre").unwrap_or("default");
                let rules = pre::rules(if model == "gemma4" { model } else { named })?;
                let merges = gguf.texts("tokenizer.ggml.merges")?;
                let pairs = bpe::BytePairs::new(texts, kinds, merges, rules, model == "whitespace")?;
                let defaults = Defaults {
                    unknown: 0,
                    bos: None,
                    eos: None,
                    adds_bos: rules.begins_with_bos,
                    adds_eos: false,
                    closing: EOS_KEY,
                };
                Ok((Self::Bytes(Box::new(pairs)), ends(gguf, kinds, &defaults)?))
            }
            "llama" => {
                let scores = scores(gguf, texts.len())?;
                let unknown = unknown(gguf, kinds, &SPM)?;
                let prefix = flag("add_space_prefix", true);
                let pieces = sentencepiece::Pieces::new(texts, scores, kinds, prefix, unknown);
                Ok((Self::Pieces(Box::new(pieces)), ends(gguf, kinds, &SPM)?))
            }
            "t5" => {
                let spacing = Spacing {
                    prefix: flag("add_space_prefix", false),
                    merge: flag("remove_extra_whitespaces", false),
                    suffix: false,
                };
                let unknown = unknown(gguf, kinds, &T5)?.ok_or_else(no_unknown)?;
                let scores = scores(gguf, texts.len())?;
                let unigram = Unigram::new(texts, scores, kinds, unknown, charsmap(gguf)?, spacing)?;
                Ok((Self::Unigram(Box::new(unigram)), ends(gguf, kinds, &T5)?))
            }
            "bert" => {
                let lowercase = flag("normalizer.lowercase", true);
                let accents = flag("normalizer.strip_accents", lowercase);
                let unknown = unknown(gguf, kinds, &BERT)?.ok_or_else(no_unknown)?;
                let words = WordPieces::new(texts, kinds, lowercase, accents, unknown)?;
                Ok((Self::Words(Box::new(words)), ends(gguf, kinds, &BERT)?))
            }
            other => Err(TokenizerError::Unsupported {
                part: "tokenizer",
                name: other.to_owned(),
            }),
        }
    }

    pub(super) fn encode(&self, text: &str, tokens: &mut Vec<u32>) {
        match self {
            Self::Bytes(pairs) => pairs.encode(text, tokens),
            Self::Pieces(pieces) => pieces.encode(text, tokens),
            Self::Unigram(unigram) => unigram.encode(text, tokens),
            Self::Words(words) => words.encode(text, tokens),
        }
    }

    /// Gives what a token adds to a text.
    pub(super) fn bytes_of(&self, text: &str, kind: TokenKind) -> Vec<u8> {
        match (kind, self) {
            (TokenKind::Control, _) => Vec::new(),
            (TokenKind::UserDefined | TokenKind::Guarded, _) => text.as_bytes().to_vec(),
            (TokenKind::Normal | TokenKind::Byte, Self::Bytes(pairs)) => pairs.bytes_of(text, kind),
            (TokenKind::Normal | TokenKind::Byte, Self::Pieces(_) | Self::Unigram(_) | Self::Words(_)) => {
                sentencepiece::bytes_of(text, kind)
            }
        }
    }

    /// Whether the tokens of a text are those of its parts, wherever it is cut between words.
    pub(super) fn is_byte_level(&self) -> bool {
        match self {
            Self::Bytes(pairs) => pairs.is_byte_level(),
            Self::Pieces(_) | Self::Unigram(_) | Self::Words(_) => false,
        }
    }
}

/// Gives the token whose id the header names under `key`, or else the default, if the vocabulary has it as a control
/// token.
fn token(
    gguf: &Gguf,
    kinds: &[TokenKind],
    key: &str,
    default: Option<u32>,
) -> Result<Option<u32>, GgufError> {
    let named = gguf
        .optional_count(key, 0..kinds.len().max(1))?
        .map(|id| id as u32);
    let is_control = |id: &u32| kinds.get(*id as usize) == Some(&TokenKind::Control);
    Ok(named.or(default.filter(is_control)))
}

fn unknown(gguf: &Gguf, kinds: &[TokenKind], defaults: &Defaults) -> Result<Option<u32>, GgufError> {
    token(
        gguf,
        kinds,
        "tokenizer.ggml.unknown_token_id",
        Some(defaults.unknown),
    )
}

fn ends(gguf: &Gguf, kinds: &[TokenKind], defaults: &Defaults) -> Result<Ends, GgufError> {
    let adds = |key: &str, default| gguf.optional_bool(key).unwrap_or(default);
    let closing = token(gguf, kinds, defaults.closing, defaults.eos)?;
    Ok(Ends {
        bos: token(gguf, kinds, "tokenizer.ggml.bos_token_id", defaults.bos)?,
        adds_bos: adds("tokenizer.ggml.add_bos_token", defaults.adds_bos),
        closing: closing.filter(|_| adds("tokenizer.ggml.add_eos_token", defaults.adds_eos)),
    })
}

fn no_unknown() -> TokenizerError {
    bad_value(
        "tokenizer.ggml.unknown_token_id",
        "nothing".to_owned(),
        "the token of what is unknown",
    )
}

/// Gives the scores, one a token and each a number, or none at all.
fn scores(gguf: &Gguf, count: usize) -> Result<&[f32], TokenizerError> {
    const KEY: &str = "tokenizer.ggml.scores";
    let scores = gguf.floats(KEY).unwrap_or_default();
    if let Some(index) = scores.iter().position(|score| !score.is_finite()) {
        let found = format!("{} for token {index}", scores[index]);
        return Err(bad_value(KEY, found, "finite figures"));
    }
    if !scores.is_empty() && scores.len() < count {
        let found = format!("{} figures for {count} tokens", scores.len());
        return Err(bad_value(KEY, found, "one for each token"));
    }
    Ok(scores)
}

fn charsmap(gguf: &Gguf) -> Result<CharsMap, TokenizerError> {
    match gguf.values.get("tokenizer.ggml.precompiled_charsmap") {
        Some(Value::Integers(bytes)) if !bytes.is_empty() => {
            CharsMap::new(&bytes.iter().map(|byte| *byte as u8).collect::<Vec<_>>())
        }
        Some(_) | None => Ok(CharsMap::default()),
    }
}

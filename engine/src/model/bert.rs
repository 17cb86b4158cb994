//! BERT as an embedding model (arXiv 1810.04805, pooling as in sentence-transformers), from safetensors.

use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use serde::Deserialize;

use super::side;
use crate::checkpoint::{HeldFile, OpenFile, WeightFile};
use crate::load::{LoadError, ModelInfo, ModelKind};
use crate::request::{EmbedInput, GenerateError};
use crate::sampling::SuggestedSampling;

/// The model's files in memory.
pub(super) struct Files {
    pub(super) weights: Arc<HeldFile>,
    pub(super) tokenizer: Arc<HeldFile>,
    pub(super) config: Arc<HeldFile>,
    pub(super) pooling: Option<Arc<HeldFile>>,
    pub(super) limits: Option<Arc<HeldFile>>,
}

impl Files {
    /// Gives all of them, to be looked at again before every request; what was read of them is let go.
    pub(super) fn all(self) -> Vec<Arc<OpenFile>> {
        let side = [self.pooling, self.limits].into_iter().flatten();
        let all = [self.weights, self.tokenizer, self.config];
        all.into_iter().chain(side).map(|held| held.file()).collect()
    }
}

/// How the vectors of all tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pooling {
    Mean,
    First,
}

#[derive(Deserialize)]
struct PoolingFile {
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
}

#[derive(Deserialize)]
struct LimitsFile {
    max_seq_length: Option<usize>,
}

/// A loaded embedding model.
pub(crate) struct Bert {
    name: String,
    model: BertModel,
    tokenizer: tokenizers::Tokenizer,
    pooling: Pooling,
    longest: usize,
    width: usize,
    vocabulary: usize,
}

/// More bytes of text than this for each token of the limit are not even split. A word of any length is one token,
/// and so is any run of spaces; nothing that a person wrote comes near.
const BYTES_PER_TOKEN: usize = 512;
/// Checks the files beside the weights.
pub(crate) fn check(config: &WeightFile, tokenizer_file: &WeightFile) -> Result<(), LoadError> {
    let (config, tokenizer_file) = (side::hold(config)?, side::hold(tokenizer_file)?);
    let figures = figures(&config)?;
    fitting_tokenizer(&tokenizer_file, &figures).map(drop)
}

fn figures(file: &HeldFile) -> Result<Config, LoadError> {
    let value: serde_json::Value = read_json(file)?;
    let architecture = value
        .get("model_type")
        .and_then(|kind| kind.as_str())
        .unwrap_or("unknown");
    if architecture != "bert" {
        let supported = "bert, for embeddings";
        return Err(LoadError::UnsupportedArchitecture {
            architecture: architecture.to_owned(),
            supported: supported.to_owned(),
        });
    }
    let config: Config =
        serde_json::from_value(value).map_err(|error| damaged(file.path(), error.to_string()))?;
    check_figures(&config).map_err(|reason| damaged(file.path(), reason))?;
    Ok(config)
}

fn fitting_tokenizer(file: &HeldFile, config: &Config) -> Result<tokenizers::Tokenizer, LoadError> {
    let tokenizer = tokenizer(file)?;
    if tokenizer.get_vocab_size(true) > config.vocab_size {
        return Err(damaged(
            file.path(),
            "it has more tokens than the model".to_owned(),
        ));
    }
    Ok(tokenizer)
}

/// Builds the model from its files.
pub(super) fn load(name: &str, files: &Files) -> Result<(Bert, ModelInfo), LoadError> {
    let held = &files.weights;
    let config = figures(&files.config)?;
    let pooling = pooling(files.pooling.as_deref())?;
    let limits: Option<LimitsFile> = files.limits.as_deref().map(read_json).transpose()?;
    let longest = limits
        .and_then(|limits| limits.max_seq_length)
        .unwrap_or(config.max_position_embeddings)
        .clamp(2, config.max_position_embeddings);
    let tokenizer = fitting_tokenizer(&files.tokenizer, &config)?;
    let parameters = parameters(held)?;
    let weights = VarBuilder::from_slice_safetensors(held.bytes(), DType::F32, &Device::Cpu)
        .and_then(|weights| BertModel::load(weights, &config))
        .map_err(|error| damaged(held.path(), error.to_string()))?;
    let info = ModelInfo {
        name: name.to_owned(),
        kind: ModelKind::Embedding,
        architecture: "bert".to_owned(),
        quantisation: "F32".to_owned(),
        parameters,
        context_tokens: longest,
        vocabulary: config.vocab_size,
        width: config.hidden_size,
        has_chat_template: false,
        chat_template: None,
        tool_template: None,
        weight_bytes: held.bytes().len() as u64,
        cache_bytes_per_token: 0,
        sampling: SuggestedSampling::default(),
        system: None,
    };
    Ok((
        Bert {
            name: name.to_owned(),
            model: weights,
            tokenizer,
            pooling,
            longest,
            width: config.hidden_size,
            vocabulary: config.vocab_size,
        },
        info,
    ))
}

fn damaged(file: &Path, reason: String) -> LoadError {
    LoadError::Damaged {
        file: file.to_owned(),
        reason,
    }
}

fn read_json<T: serde::de::DeserializeOwned>(file: &HeldFile) -> Result<T, LoadError> {
    serde_json::from_slice(file.bytes()).map_err(|error| damaged(file.path(), error.to_string()))
}

fn check_figures(config: &Config) -> Result<(), String> {
    let heads_fit =
        config.num_attention_heads > 0 && config.hidden_size.is_multiple_of(config.num_attention_heads);
    let bounded = config.num_hidden_layers <= 1024
        && (1..=1 << 20).contains(&config.max_position_embeddings)
        && config.hidden_size <= 1 << 16;
    if heads_fit && bounded {
        Ok(())
    } else {
        Err("its figures do not fit each other".to_owned())
    }
}

fn pooling(file: Option<&HeldFile>) -> Result<Pooling, LoadError> {
    let Some(file) = file else {
        return Ok(Pooling::Mean);
    };
    let modes: PoolingFile = read_json(file)?;
    match (modes.pooling_mode_mean_tokens, modes.pooling_mode_cls_token) {
        (true, false) => Ok(Pooling::Mean),
        (false, true) => Ok(Pooling::First),
        (true, true) | (false, false) => Err(LoadError::UnsupportedFeature {
            feature: "pooling other than mean or first token".to_owned(),
        }),
    }
}

fn tokenizer(file: &HeldFile) -> Result<tokenizers::Tokenizer, LoadError> {
    let mut tokenizer = tokenizers::Tokenizer::from_bytes(file.bytes())
        .map_err(|error| damaged(file.path(), error.to_string()))?;
    // Length is ours to decide: the file's own limit is that of its training run.
    tokenizer
        .with_truncation(None)
        .map_err(|error| damaged(file.path(), error.to_string()))?;
    tokenizer.with_padding(None);
    // Nobody can end a text, or begin another, by spelling such a token out.
    tokenizer.set_encode_special_tokens(true);
    Ok(tokenizer)
}

fn parameters(held: &HeldFile) -> Result<u64, LoadError> {
    let header = safetensors::SafeTensors::deserialize(held.bytes())
        .map_err(|error| damaged(held.path(), error.to_string()))?;
    Ok(header
        .iter()
        .map(|(_, tensor)| tensor.shape().iter().map(|&n| n as u64).product::<u64>())
        .sum())
}

impl Bert {
    /// Splits a text, with the tokens that open and close it if `add_special`.
    pub(crate) fn tokenize(&self, text: &str, add_special: bool) -> Result<Vec<u32>, GenerateError> {
        let encoding = self.tokenizer.encode_fast(text, add_special);
        let encoding = encoding.map_err(|error| self.defect(&error))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Gives the text of tokens, without those that open and close it unless `special`.
    pub(crate) fn detokenize(&self, tokens: &[u32], special: bool) -> Result<String, GenerateError> {
        self.check_tokens(tokens)?;
        let text = self.tokenizer.decode(tokens, !special);
        text.map_err(|error| self.defect(&error))
    }

    /// Refuses a text that is not even split, because it cannot be read whole whatever it says.
    pub(crate) fn check_length(&self, index: usize, text: &str) -> Result<(), GenerateError> {
        let limit_bytes = self.longest * BYTES_PER_TOKEN;
        if text.len() <= limit_bytes {
            return Ok(());
        }
        Err(GenerateError::TextTooLarge {
            index,
            bytes: text.len(),
            limit_bytes,
            limit_tokens: self.longest,
        })
    }

    /// Refuses vectors of so many dimensions unless the model's have as many.
    pub(crate) fn check_dimensions(&self, dimensions: usize) -> Result<(), GenerateError> {
        if (1..=self.width).contains(&dimensions) {
            return Ok(());
        }
        Err(GenerateError::BadParameter {
            field: "dimensions",
            value: format!("{dimensions}, and this model's vectors have {}", self.width),
            range: "from 1 to as many as they have",
        })
    }

    /// Gives the tokens of an input, cut or refused if there are too many.
    pub(crate) fn tokens_of(
        &self,
        input: &EmbedInput,
        index: usize,
        truncate: bool,
    ) -> Result<Vec<u32>, GenerateError> {
        let mut tokens = match input {
            EmbedInput::Text(text) if truncate => {
                let end = text.floor_char_boundary(self.longest * BYTES_PER_TOKEN);
                self.tokenize(&text[..end], true)?
            }
            EmbedInput::Text(text) => {
                self.check_length(index, text)?;
                self.tokenize(text, true)?
            }
            EmbedInput::Tokens(tokens) => {
                self.check_tokens(tokens)?;
                tokens.clone()
            }
        };
        if tokens.is_empty() {
            return Err(GenerateError::EmptyPrompt);
        }
        if tokens.len() > self.longest {
            if !truncate {
                return Err(GenerateError::TextTooLong {
                    index,
                    tokens: tokens.len(),
                    limit_tokens: self.longest,
                });
            }
            // The last token closes every text.
            let close = tokens.split_off(tokens.len() - 1);
            tokens.truncate(self.longest - 1);
            tokens.extend(close);
        }
        Ok(tokens)
    }

    /// Makes a unit vector of at most [`Self::longest`] tokens, of the first `dimensions` figures if so asked.
    pub(crate) fn embed(&self, tokens: &[u32], dimensions: Option<usize>) -> Result<Vec<f32>, GenerateError> {
        let mut vector = self.vector(tokens).map_err(|error| self.defect(&error))?;
        vector.truncate(dimensions.unwrap_or(self.width));
        bring_to_length_one(&mut vector);
        Ok(vector)
    }

    fn check_tokens(&self, tokens: &[u32]) -> Result<(), GenerateError> {
        let vocabulary = self.vocabulary;
        match tokens.iter().find(|&&token| token as usize >= vocabulary) {
            Some(&token) => Err(GenerateError::UnknownToken { token, vocabulary }),
            None => Ok(()),
        }
    }

    fn defect(&self, error: &dyn std::fmt::Display) -> GenerateError {
        GenerateError::Internal {
            reason: format!("{}: {error}", self.name),
        }
    }

    fn vector(&self, tokens: &[u32]) -> candle_core::Result<Vec<f32>> {
        let tokens = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
        let hidden = self
            .model
            .forward(&tokens, &tokens.zeros_like()?, None)?
            .squeeze(0)?;
        let pooled = match self.pooling {
            Pooling::Mean => hidden.mean(0)?,
            Pooling::First => hidden.get(0)?,
        };
        pooled.to_vec1()
    }
}

fn bring_to_length_one(vector: &mut [f32]) {
    let squares = vector.iter().map(|x| f64::from(x * x)).sum::<f64>();
    let length = squares.sqrt().max(1e-12);
    for x in vector {
        *x = (f64::from(*x) / length) as f32;
    }
}

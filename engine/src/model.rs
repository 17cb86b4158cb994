//! Loaded models: what a file becomes, one architecture per file.

mod bert;
mod cache;
mod decoder;
mod family;
mod mask;
mod rope;
mod shape;
mod side;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use bert::{Bert, check as check_bert};
pub(crate) use cache::KvCache;
use family::Family;

pub(crate) use decoder::{Decoder, LogitRows, Piece, Workspace};
pub(crate) use shape::DecoderConfig;

use crate::chat_template::{TemplateInput, Templates, normal};
use crate::checkpoint::{Gguf, HeldFile, OpenFile, TensorInfo, TensorType, WeightFile};
use crate::config::Precision;
use crate::constraint::Grammars;
use crate::kernels::Matrix;
pub(crate) use crate::kernels::PAGE_TOKENS;
use crate::load::{LoadError, ModelFiles, ModelInfo, ModelKind, ModelSource, header_of};
use crate::request::{GenerateError, Message, Prompt, Rendered};
use crate::sampling::SuggestedSampling;
use crate::tokenizer::Tokenizer;

/// Working space of a round and the tokenizer, beside weights and caches.
pub(crate) const WORKING_BYTES: u64 = 96 << 20;
/// A context below this is of no use to a person.
const SMALLEST_CONTEXT: usize = 512;

/// What loading needs to know of the engine.
pub(crate) struct LoadSettings {
    /// Memory that weights and caches may take.
    pub(crate) free_bytes: u64,
    pub(crate) precision: Precision,
    pub(crate) unix_now: Option<fn() -> i64>,
}

/// A model in memory.
pub(crate) struct Loaded {
    pub(crate) info: ModelInfo,
    pub(crate) kind: LoadedKind,
    files: Vec<Arc<OpenFile>>,
    /// Set when a defect was met while it ran; nothing runs on it any more.
    broken: AtomicBool,
}

/// What a model can do.
pub(crate) enum LoadedKind {
    Text(Box<TextModel>),
    Embedding(Box<Bert>),
}

/// A model that continues text.
pub(crate) struct TextModel {
    pub(crate) decoder: Decoder,
    pub(crate) tokenizer: Arc<Tokenizer>,
    pub(crate) grammars: Grammars,
    templates: Templates,
    unix_now: Option<fn() -> i64>,
}

impl Loaded {
    /// Refuses to go on with files that are no longer what they were, or after a defect.
    pub(crate) fn check(&self) -> Result<(), GenerateError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(GenerateError::Internal {
                reason: format!("{} broke earlier", self.info.name),
            });
        }
        match self.files.iter().find(|file| !file.is_unchanged()) {
            Some(file) => Err(GenerateError::WeightsChanged {
                file: file.path().display().to_string(),
            }),
            None => Ok(()),
        }
    }

    pub(crate) fn mark_broken(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }
}

/// Loads what `source` names.
pub(crate) fn load(source: &ModelSource, settings: &LoadSettings) -> Result<Loaded, LoadError> {
    match &source.files {
        ModelFiles::Gguf { parts, generation } => load_gguf(source, parts, generation.as_ref(), settings),
        ModelFiles::Bert {
            weights,
            tokenizer,
            config,
            pooling,
            limits,
        } => {
            let beside = |file: &Option<WeightFile>| file.as_ref().map(side::hold).transpose();
            let files = bert::Files {
                weights: Arc::new(
                    open_parts(source, std::slice::from_ref(weights), settings)?
                        .remove(0)
                        .read()?,
                ),
                tokenizer: side::hold(tokenizer)?,
                config: side::hold(config)?,
                pooling: beside(pooling)?,
                limits: beside(limits)?,
            };
            let (bert, info) = bert::load(&source.name, &files)?;
            let kind = LoadedKind::Embedding(Box::new(bert));
            Ok(Loaded {
                info,
                kind,
                files: files.all(),
                broken: AtomicBool::new(false),
            })
        }
    }
}

fn fits(source: &ModelSource, need: u64, file_bytes: u64, settings: &LoadSettings) -> Result<(), LoadError> {
    let need_bytes = need.saturating_add(WORKING_BYTES);
    if need_bytes <= settings.free_bytes {
        return Ok(());
    }
    // A file grows in memory by the same factor whatever its size.
    let room = settings.free_bytes.saturating_sub(WORKING_BYTES);
    let fits_bytes = u128::from(room) * u128::from(file_bytes) / u128::from(need.max(1));
    Err(LoadError::TooLarge {
        name: source.name.clone(),
        need_bytes,
        available_bytes: settings.free_bytes,
        fits_bytes: u64::try_from(fits_bytes).unwrap_or(room),
    })
}

fn load_gguf(
    source: &ModelSource,
    wanted: &[WeightFile],
    generation: Option<&WeightFile>,
    settings: &LoadSettings,
) -> Result<Loaded, LoadError> {
    let files: Vec<Arc<OpenFile>> = open_parts(source, wanted, settings)?
        .into_iter()
        .map(Arc::new)
        .collect();
    let parts = files
        .iter()
        .map(|file| header_of(file))
        .collect::<Result<_, _>>()?;
    let first = wanted.first().map(|file| file.path.clone()).unwrap_or_default();
    let gguf = Gguf::joined(parts).map_err(|error| LoadError::of_gguf(&first, error))?;
    let Figures {
        architecture,
        mut config,
        tokenizer,
    } = figures(&gguf, &first)?;
    let weight_bytes = resident_bytes(&gguf, settings.precision);
    let per_token = config.cache_bytes_per_token(settings.precision);
    let file_bytes = files.iter().map(|file| file.size_bytes()).sum();
    fits(
        source,
        weight_bytes + per_token * SMALLEST_CONTEXT as u64,
        file_bytes,
        settings,
    )?;
    config.context = usable_context(
        source,
        config.context,
        per_token,
        settings.free_bytes.saturating_sub(weight_bytes),
    );
    let generation = generation.map(side::hold).transpose()?;
    let templates = Templates::from_gguf(&gguf, |text| tokenizer.has_mark(text));
    let info = ModelInfo {
        name: source.name.clone(),
        kind: ModelKind::Text,
        architecture,
        quantisation: main_type(&gguf).name().to_owned(),
        parameters: gguf.tensors.values().map(|tensor| tensor.elements()).sum(),
        context_tokens: config.context,
        vocabulary: tokenizer.vocabulary(),
        width: config.width,
        has_chat_template: templates.chat.is_some(),
        chat_template: templates.chat.clone(),
        tool_template: templates.tools.clone(),
        weight_bytes,
        cache_bytes_per_token: per_token,
        sampling: suggested(&gguf, generation.as_deref(), source),
        system: source.system.clone(),
    };
    let decoder = Decoder::load(config, &gguf, &files, tokenizer.vocabulary(), settings.precision)
        .map_err(|error| error.into_load_error(&first))?;
    for file in &files {
        file.check()?;
    }
    let tokenizer = Arc::new(tokenizer);
    let model = TextModel {
        decoder,
        grammars: Grammars::new(Arc::clone(&tokenizer)),
        tokenizer,
        templates,
        unix_now: settings.unix_now,
    };
    let kind = LoadedKind::Text(Box::new(model));
    Ok(Loaded {
        info,
        kind,
        files: files
            .into_iter()
            .chain(generation.map(|held| held.file()))
            .collect(),
        broken: AtomicBool::new(false),
    })
}

/// What a header says of a model, checked as far as it can be without the weights.
pub(crate) struct Figures {
    pub(crate) architecture: String,
    pub(crate) config: DecoderConfig,
    pub(crate) tokenizer: Tokenizer,
}

/// Reads the figures of a model and looks for each of its tensors.
pub(crate) fn figures(gguf: &Gguf, file: &Path) -> Result<Figures, LoadError> {
    let damaged = |error| LoadError::of_gguf(file, error);
    let architecture = gguf.text("general.architecture").map_err(damaged)?.to_owned();
    let Some(family) = Family::of(&architecture) else {
        return Err(LoadError::UnsupportedArchitecture {
            architecture,
            supported: Family::supported(),
        });
    };
    let config = DecoderConfig::from_gguf(gguf, family);
    let config = config.map_err(|error| error.into_load_error(file))?;
    let tokenizer = Tokenizer::from_gguf(gguf).map_err(|error| error.into_load_error(file))?;
    config
        .check_tensors(gguf, tokenizer.vocabulary())
        .map_err(|error| error.into_load_error(file))?;
    Ok(Figures {
        architecture,
        config,
        tokenizer,
    })
}

/// What the file suggests, else what lies beside it, else what the catalogue knows, else what suits most models.
fn suggested(gguf: &Gguf, generation: Option<&HeldFile>, source: &ModelSource) -> SuggestedSampling {
    let beside = generation.map(|file| SuggestedSampling::from_generation_config(file.bytes()));
    SuggestedSampling::from_gguf(gguf)
        .or(beside.unwrap_or_default())
        .or(source.suggested)
        .or(SuggestedSampling::GENERAL)
}

/// Opens all parts of a model after asking whether they fit into memory together.
fn open_parts(
    source: &ModelSource,
    wanted: &[WeightFile],
    settings: &LoadSettings,
) -> Result<Vec<OpenFile>, LoadError> {
    let files: Vec<OpenFile> = wanted.iter().map(OpenFile::open).collect::<Result<_, _>>()?;
    let size = files
        .iter()
        .map(OpenFile::size_bytes)
        .fold(0, u64::saturating_add);
    fits(source, size, size, settings)?;
    Ok(files)
}

/// Gives the context window: what was asked for, at most the model's, at most what memory holds in whole pages.
fn usable_context(source: &ModelSource, of_model: usize, per_token: u64, free_bytes: u64) -> usize {
    let room =
        usize::try_from(free_bytes.saturating_sub(WORKING_BYTES) / per_token.max(1)).unwrap_or(usize::MAX);
    let room = room / PAGE_TOKENS * PAGE_TOKENS;
    let wanted = source.context_tokens.unwrap_or(of_model).min(of_model);
    wanted.min(room.max(SMALLEST_CONTEXT)).max(1)
}

/// Adds up what the weights take in memory.
fn resident_bytes(gguf: &Gguf, precision: Precision) -> u64 {
    let bytes = |tensor: &TensorInfo| match tensor.shape.as_slice() {
        [rows, columns] => Matrix::packed_bytes(tensor.dtype, precision, *rows, *columns),
        [experts, rows, columns] => {
            let each = Matrix::packed_bytes(tensor.dtype, precision, *rows, *columns);
            each.saturating_mul(*experts as u64)
        }
        _ => tensor.elements().saturating_mul(4),
    };
    gguf.tensors.values().map(bytes).fold(0, u64::saturating_add)
}

/// Gives the type that most weights have.
fn main_type(gguf: &Gguf) -> TensorType {
    let mut counts = std::collections::BTreeMap::<TensorType, u64>::new();
    for tensor in gguf.tensors.values() {
        *counts.entry(tensor.dtype).or_default() += tensor.elements();
    }
    counts
        .into_iter()
        .max_by_key(|(_, count)| *count)
        .map_or(TensorType::F32, |(dtype, _)| dtype)
}

/// A prompt as tokens, and what is to be known of how it came about.
#[derive(Debug, Default)]
pub(crate) struct PromptTokens {
    pub(crate) tokens: Vec<u32>,
    pub(crate) fallbacks: Vec<&'static str>,
    pub(crate) opens_thinking: bool,
}

impl TextModel {
    /// Renders a conversation as the model's template wants it.
    pub(crate) fn render(
        &self,
        messages: &[Message],
        tools: Option<&serde_json::Value>,
        kwargs: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<Rendered, GenerateError> {
        self.render_normal(&normal_conversation(messages, tools, kwargs))
    }

    fn render_normal(&self, conversation: &mask::Conversation) -> Result<Rendered, GenerateError> {
        let (bos, eos) = self.tokenizer.boundary_texts();
        self.templates.render(&TemplateInput {
            messages: &conversation.messages,
            tools: conversation.tools.as_ref(),
            kwargs: &conversation.kwargs,
            bos,
            eos,
            unix_now: self.unix_now.map(|now| now()),
            input_bytes: mask::bytes(conversation),
        })
    }

    /// Turns a prompt into tokens; one that cannot fit into `context_tokens` is refused first.
    pub(crate) fn tokens_of(
        &self,
        prompt: &Prompt,
        context_tokens: usize,
    ) -> Result<PromptTokens, GenerateError> {
        let plain = |tokens| PromptTokens {
            tokens,
            ..PromptTokens::default()
        };
        match prompt {
            Prompt::Tokens(tokens) => {
                self.check_tokens(tokens)?;
                Ok(plain(tokens.clone()))
            }
            Prompt::Text(text) => {
                self.check_length(text.len(), context_tokens)?;
                Ok(plain(self.tokenizer.encode_prompt(text)))
            }
            Prompt::Chat {
                messages,
                tools,
                kwargs,
            } => {
                let conversation = normal_conversation(messages, tools.as_ref(), kwargs);
                self.check_length(mask::bytes(&conversation), context_tokens)?;
                let (masked, letter) = mask::masked(&conversation, &self.tokenizer);
                let rendered = self.render_normal(&masked)?;
                Ok(PromptTokens {
                    tokens: self.tokenizer.encode_template(&rendered.text, Some(letter)),
                    fallbacks: rendered.fallbacks,
                    opens_thinking: rendered.opens_thinking,
                })
            }
        }
    }

    /// Refuses tokens that the vocabulary does not have.
    pub(crate) fn check_tokens(&self, tokens: &[u32]) -> Result<(), GenerateError> {
        let vocabulary = self.tokenizer.vocabulary();
        match tokens.iter().find(|&&token| token as usize >= vocabulary) {
            Some(&token) => Err(GenerateError::UnknownToken { token, vocabulary }),
            None => Ok(()),
        }
    }

    /// Refuses a prompt that cannot fit whatever its tokens are, before any work is done for it.
    pub(crate) fn check_length(&self, bytes: usize, context_tokens: usize) -> Result<(), GenerateError> {
        let limit_bytes = context_tokens.saturating_mul(self.tokenizer.longest_piece());
        if bytes <= limit_bytes {
            return Ok(());
        }
        Err(GenerateError::PromptTooLong {
            bytes,
            limit_bytes,
            context_tokens,
        })
    }
}

fn normal_conversation(
    messages: &[Message],
    tools: Option<&serde_json::Value>,
    kwargs: &serde_json::Map<String, serde_json::Value>,
) -> mask::Conversation {
    mask::Conversation {
        messages: normal(messages),
        tools: tools.cloned(),
        kwargs: kwargs.clone(),
    }
}

#[cfg(test)]
mod tests;

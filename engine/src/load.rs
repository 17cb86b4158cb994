//! From files on disk to a model that can run: what is asked for, what came of it, what can go wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::checkpoint::{FileError, Gguf, GgufError, OpenFile, WeightFile};
use crate::sampling::SuggestedSampling;

/// The files of one model.
#[derive(Debug, Clone)]
pub enum ModelFiles {
    /// A GGUF file with weights, tokenizer and chat template inside.
    Gguf {
        /// The file, or the files that it is split into, in their order.
        parts: Vec<WeightFile>,
        /// `generation_config.json`, which may suggest how to sample.
        generation: Option<WeightFile>,
    },
    /// A BERT-type embedding model.
    Bert {
        /// `model.safetensors`.
        weights: WeightFile,
        /// `tokenizer.json`.
        tokenizer: WeightFile,
        /// `config.json`.
        config: WeightFile,
        /// `1_Pooling/config.json`; without it the mean over all tokens is taken.
        pooling: Option<WeightFile>,
        /// `sentence_bert_config.json`, which may limit the length of a text.
        limits: Option<WeightFile>,
    },
}

/// What to load.
#[derive(Debug, Clone)]
pub struct ModelSource {
    /// The name used in messages, such as the manifest's slug.
    pub name: String,
    /// Its files.
    pub files: ModelFiles,
    /// A smaller context window than the model's own.
    pub context_tokens: Option<usize>,
    /// How to sample where the files do not say it.
    pub suggested: SuggestedSampling,
    /// Said to the model before a conversation that has no such message of its own.
    pub system: Option<String>,
}

/// What a model can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelKind {
    /// Continues text.
    Text,
    /// Makes embeddings.
    Embedding,
}

/// What is known about a loaded model.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInfo {
    /// The name it was loaded under.
    pub name: String,
    /// What it is for.
    pub kind: ModelKind,
    /// Its architecture as its file says, such as `llama`.
    pub architecture: String,
    /// The tensor type most of its weights have, such as `Q4_1`.
    pub quantisation: String,
    /// Weights counted one by one.
    pub parameters: u64,
    /// The context window as loaded; for embeddings, the longest text.
    pub context_tokens: usize,
    /// Size of the vocabulary.
    pub vocabulary: usize,
    /// Width of its embeddings, or of its hidden state.
    pub width: usize,
    /// Whether its files bring a chat template; a model of text without one is given a usual one.
    pub has_chat_template: bool,
    /// The source of that template.
    pub chat_template: Option<Arc<str>>,
    /// The source of the template that requests with tools are rendered by; `None` if the model knows no tools.
    pub tool_template: Option<Arc<str>>,
    /// Bytes of weights held in memory.
    pub weight_bytes: u64,
    /// Bytes of KV cache per token of one conversation.
    pub cache_bytes_per_token: u64,
    /// How to sample where a request does not say it.
    pub sampling: SuggestedSampling,
    /// Said before a conversation that has no such message of its own.
    pub system: Option<String>,
}

/// Why a model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Neither a GGUF file nor a folder with a model.
    #[error(
        "{path} holds no model we know: give a GGUF file, or a folder with one GGUF file or with \
         model.safetensors, tokenizer.json and config.json"
    )]
    Unrecognised {
        /// What was looked at.
        path: PathBuf,
    },
    /// One of several files that a model is split into is not there.
    #[error(
        "{file} is part of a model that is split into {count} files, and {missing} is not beside it: fetch all \
         parts into one folder"
    )]
    PartMissing {
        /// The file that was given.
        file: PathBuf,
        /// How many parts there are.
        count: usize,
        /// What was looked for.
        missing: String,
    },
    /// A file cannot be read, or is not the one that was verified.
    #[error(transparent)]
    File(#[from] FileError),
    /// The GGUF file is damaged or not one.
    #[error("{file} is not usable: {source}")]
    Gguf {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: GgufError,
    },
    /// A file of a BERT model is damaged.
    #[error("{file} is not usable ({reason}): fetch the model again")]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The architecture is none of ours.
    #[error("the architecture {architecture:?} is not supported: choose a model of {supported}")]
    UnsupportedArchitecture {
        /// As the file says.
        architecture: String,
        /// Those that work.
        supported: String,
    },
    /// The file of the weights is shorter than its header says.
    #[error("{file} is cut short: it has {found_bytes} bytes of {wanted_bytes}; fetch it again")]
    Truncated {
        /// The file.
        file: PathBuf,
        /// Its size.
        found_bytes: u64,
        /// As its header says.
        wanted_bytes: u64,
    },
    /// The model's text is cut in a way that is not built.
    #[error("the {part} {name:?} is not supported: choose another model")]
    UnsupportedTokenizer {
        /// The tokenizer, or which part of it.
        part: &'static str,
        /// As the file says.
        name: String,
    },
    /// A feature of a known architecture that is not built.
    #[error("{feature} is not supported: choose another model")]
    UnsupportedFeature {
        /// What it is.
        feature: String,
    },
    /// A tensor has a type without kernels.
    #[error(
        "tensor {tensor} has the type {dtype}, which is not supported: choose a file quantised to {supported}"
    )]
    UnsupportedTensorType {
        /// Its name.
        tensor: String,
        /// Its type.
        dtype: String,
        /// Those that work.
        supported: &'static str,
    },
    /// The model does not fit into memory.
    #[error(
        "{name} needs {need_bytes} bytes of memory and {available_bytes} are free: choose a model file of at \
         most {fits_bytes} bytes, or close other programs"
    )]
    TooLarge {
        /// The model.
        name: String,
        /// Weights, smallest useful cache and working space.
        need_bytes: u64,
        /// What the engine may use.
        available_bytes: u64,
        /// The largest model file that would fit.
        fits_bytes: u64,
    },
    /// The engine stops.
    #[error("the engine is stopping: start it again to go on")]
    Stopped,
}

/// As much of a file is read first; the headers of small models end in it.
const FIRST_BYTES: u64 = 4 << 20;
/// The largest vocabularies take some twenty megabytes of header.
const MAX_HEADER_BYTES: u64 = 256 << 20;

/// Reads the header of a GGUF file, as much of the file as it takes.
///
/// # Errors
/// What cannot be read, and what is no such header.
pub(crate) fn header_of(file: &OpenFile) -> Result<Gguf, LoadError> {
    let size = file.size_bytes();
    let (mut bytes, mut wanted) = (Vec::new(), FIRST_BYTES);
    loop {
        file.read_range(0..wanted.min(size), &mut bytes)?;
        match Gguf::parse_beginning(&bytes, size) {
            Err(GgufError::Truncated { .. }) if wanted < size.min(MAX_HEADER_BYTES) => wanted *= 4,
            result => return result.map_err(|error| LoadError::of_gguf(file.path(), error)),
        }
    }
}

impl LoadError {
    /// Says what is wrong with a GGUF file; a type we do not know is no damage.
    pub(crate) fn of_gguf(file: &Path, source: GgufError) -> Self {
        match source {
            GgufError::UnsupportedType {
                tensor,
                dtype,
                supported,
            } => Self::UnsupportedTensorType {
                tensor,
                dtype,
                supported,
            },
            source @ (GgufError::NotGguf { .. }
            | GgufError::Version { .. }
            | GgufError::ByteOrder
            | GgufError::Split { .. }
            | GgufError::Truncated { .. }
            | GgufError::TooMany { .. }
            | GgufError::NotUtf8 { .. }
            | GgufError::UnknownValueType { .. }
            | GgufError::Duplicate { .. }
            | GgufError::MissingKey { .. }
            | GgufError::BadValue { .. }
            | GgufError::MissingTensor { .. }
            | GgufError::TensorShape { .. }
            | GgufError::BadShape { .. }
            | GgufError::Overlap { .. }
            | GgufError::NotFinite { .. }
            | GgufError::TensorOutside { .. }) => Self::Gguf {
                file: file.to_owned(),
                source,
            },
        }
    }
}

//! OpenAI's requests and answers: lenient in, exact out.
//!
//! A request may have fields we do not know, `null` wherever a field may be absent, content as text or as parts, and
//! the older `functions`. An answer has exactly the fields of OpenAI's reference, `null` where it says so.

mod chat;
mod completion;
mod embedding;
mod lenient;
mod model;
mod sampling_params;

pub use chat::{
    ChatAnswer, ChatChoice, ChatChunk, ChatDelta, ChatLogprob, ChatLogprobs, ChatMessage, ChatRequest,
    ChunkChoice, Content, OutMessage, Part, TopLogprob,
};
pub use completion::{CompletionAnswer, CompletionChoice, CompletionLogprobs, CompletionRequest, TextPrompt};
pub use embedding::{
    EmbeddingAnswer, EmbeddingInput, EmbeddingItem, EmbeddingRequest, EmbeddingUsage, EmbeddingVector,
};
pub use model::{ModelItem, ModelList};
pub use sampling_params::{SamplingParams, Stop};

use serde::{Deserialize, Serialize};

/// Counted tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub prompt_tokens: u32,
    pub completion_tokens: u32,
    pub total_tokens: u32,
}

impl From<hearth_engine::Usage> for Usage {
    fn from(usage: hearth_engine::Usage) -> Usage {
        Usage {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            total_tokens: usage.prompt_tokens.saturating_add(usage.completion_tokens),
        }
    }
}

/// `stream_options`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct StreamOptions {
    #[serde(default, deserialize_with = "lenient::flag")]
    pub include_usage: bool,
}

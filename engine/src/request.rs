//! What a caller asks of a loaded model, and what it hears back.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::thinking::Thinking;

/// Receives the events of one generation; [`ControlFlow::Break`] cancels it.
///
/// It is called on the worker thread and must return at once.
pub type Sink = Box<dyn FnMut(Event) -> ControlFlow<()> + Send>;

/// Receives the one answer of an embedding request, on the worker thread.
pub type EmbedSink = Box<dyn FnOnce(Result<Embeddings, GenerateError>) + Send>;

/// Who goes first when the machine is busy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// The owner of the machine: overtakes everything else.
    #[default]
    Local,
    /// Work done for somebody else: gets one round in eight while local work runs.
    Paid,
}

/// For whom an answer is made, and with which others: places are shared between those who ask, and between their
/// requests. Nobody's many answers hold up another's one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// Who asks.
    pub asker: u64,
    /// What the answers of one request have in common.
    pub request: u64,
}

/// One message of a conversation, as the model's chat template sees it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Message {
    /// Usually `system`, `user`, `assistant` or `tool`; the template decides which it knows.
    pub role: String,
    /// The text. Special tokens spelled out in it are never read as special.
    pub content: String,
    /// Further fields the template may look at (`name`, `tool_calls`, `tool_call_id` …).
    pub extra: BTreeMap<String, serde_json::Value>,
}

impl Message {
    /// Makes a message with only a role and a text.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            content: content.into(),
            extra: BTreeMap::new(),
        }
    }
}

/// What the model continues.
#[derive(Debug, Clone, PartialEq)]
pub enum Prompt {
    /// A conversation, rendered by the model's chat template with the opening of an answer at its end.
    Chat {
        /// The conversation, oldest first.
        messages: Vec<Message>,
        /// Tool descriptions, as OpenAI's `tools`. A model whose template knows none refuses them.
        tools: Option<serde_json::Value>,
        /// Further names that the template gets to see, such as `enable_thinking`.
        kwargs: serde_json::Map<String, serde_json::Value>,
    },
    /// Plain text; begins with the model's BOS token if its file says so.
    Text(String),
    /// Tokens, used as they are.
    Tokens(Vec<u32>),
}

impl Prompt {
    /// Makes a conversation prompt without tools.
    pub fn chat(messages: Vec<Message>) -> Self {
        Self::Chat {
            messages,
            tools: None,
            kwargs: serde_json::Map::new(),
        }
    }
}

/// A conversation as the model gets to see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The prompt, with the opening of an answer at its end.
    pub text: String,
    /// What was done because the template wants it otherwise, a stable word each: `system_folded`, `roles_joined`,
    /// `tools_folded`, `calls_split`, `arguments_as_text`; `chatml_template`, `llama3_template`, `gemma_template`,
    /// `llama2_template` if the file has none.
    pub fallbacks: Vec<&'static str>,
    /// Whether the prompt ends inside a block of reasoning: the answer begins with reasoning.
    pub opens_thinking: bool,
}

/// How the next token is chosen. The default is OpenAI's: temperature 1, nothing cut off.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// 0 chooses the most probable token.
    pub temperature: f32,
    /// Keeps the most probable tokens whose probabilities sum to this; 1 keeps all.
    pub top_p: f32,
    /// Keeps this many of the most probable tokens; 0 keeps all.
    pub top_k: u32,
    /// Drops tokens less probable than this share of the best one; 0 keeps all.
    pub min_p: f32,
    /// Makes the choice repeatable; without it every request draws its own.
    pub seed: Option<u64>,
    /// Divides the logits of tokens seen in the last 64 (positive ones, multiplies negative ones); 1 is off.
    pub repetition_penalty: f32,
    /// Subtracted once from the logit of every token the answer already holds.
    pub presence_penalty: f32,
    /// Subtracted from a token's logit for each time the answer already holds it.
    pub frequency_penalty: f32,
    /// Added to the logits of single tokens.
    pub logit_bias: BTreeMap<u32, f32>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_p: 1.0,
            top_k: 0,
            min_p: 0.0,
            seed: None,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            logit_bias: BTreeMap::new(),
        }
    }
}

impl Sampling {
    /// Always the most probable token.
    pub fn greedy() -> Self {
        Self {
            temperature: 0.0,
            ..Self::default()
        }
    }
}

/// What an answer must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Constraint {
    /// A JSON object.
    JsonObject,
    /// JSON that a schema describes. Properties come in the order in which the schema names them.
    JsonSchema(serde_json::Value),
    /// Text that a regular expression matches as a whole.
    Regex(String),
    /// Text of a grammar in llguidance's variant of Lark; special tokens may be named in it.
    Lark(String),
}

/// The most bytes that the stop strings of a request may have together.
pub const MAX_STOP_BYTES: usize = 64 << 10;

/// A request for one answer.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateRequest {
    /// What is continued.
    pub prompt: Prompt,
    /// At most this many tokens; without it, up to the end of the context window. 0 draws none: with
    /// `prompt_logprobs` it scores the prompt, which may then fill the whole window.
    pub max_tokens: Option<u32>,
    /// The answer ends before the first of these strings; they are not part of it. Any number of them, of
    /// [`MAX_STOP_BYTES`] together.
    pub stop: Vec<String>,
    /// The answer ends with the first of these tokens, beside those that always end it; its text is not part of it.
    pub stop_tokens: Vec<u32>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Who goes first.
    pub priority: Priority,
    /// For whom it is.
    pub origin: Origin,
    /// Reports each token with this many alternatives (0: only the chosen one's probability).
    pub logprobs: Option<u8>,
    /// Reports the prompt's tokens, too, with the log-probability of each but the first and as many alternatives.
    pub prompt_logprobs: bool,
    /// What the answer must be. It costs nothing where there is none.
    pub constraint: Option<Constraint>,
    /// How the model thinks before it answers: a `constraint` counts once that is over.
    pub thinking: Option<Thinking>,
    /// Goes on after the model's end token, up to `max_tokens`: for measurements.
    pub ignore_end: bool,
    /// Control tokens whose text is part of the answer, such as the marks of tool calls; all others are never shown.
    pub shown_tokens: Vec<String>,
}

impl GenerateRequest {
    /// Makes a request with default sampling, no limit but the context window, and local priority.
    pub fn new(prompt: Prompt) -> Self {
        Self {
            prompt,
            max_tokens: None,
            stop: Vec::new(),
            stop_tokens: Vec::new(),
            sampling: Sampling::default(),
            priority: Priority::Local,
            origin: Origin::default(),
            logprobs: None,
            prompt_logprobs: false,
            constraint: None,
            thinking: None,
            ignore_end: false,
            shown_tokens: Vec::new(),
        }
    }
}

/// One token with its probability, before temperature and penalties.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenLogprob {
    /// The id in the model's vocabulary.
    pub token: u32,
    /// Its bytes; not always whole characters.
    pub bytes: Vec<u8>,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// The most probable tokens at this place with their log-probabilities, best first.
    pub top: Vec<(u32, Vec<u8>, f32)>,
}

/// One token of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptToken {
    /// The id in the model's vocabulary.
    pub token: u32,
    /// Its bytes; not always whole characters, and none for special tokens.
    pub bytes: Vec<u8>,
    /// Natural logarithm of its probability after the tokens before it; the first one has none.
    pub logprob: Option<f32>,
    /// The most probable tokens at this place with their log-probabilities, best first; empty for the first.
    pub top: Vec<(u32, Vec<u8>, f32)>,
}

/// What a request named that ended its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// One of `stop`.
    Text(String),
    /// One of `stop_tokens`.
    Token(u32),
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended its turn, the constraint was fulfilled, or a stop string or token was reached.
    Stop,
    /// `max_tokens` or the end of the context window was reached.
    Length,
    /// The sink asked for the end.
    Cancelled,
}

/// What a request used. Tokens are counted where they pass through the model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, with the template's own.
    pub prompt_tokens: u32,
    /// Tokens drawn for the answer, the model's end token among them.
    pub completion_tokens: u32,
    /// Those of the prompt that were known from an earlier request and not computed again.
    pub cached_prompt_tokens: u32,
    /// Those of the answer that were thinking, with the marks around it; 0 unless `thinking` was asked for.
    pub thinking_tokens: u32,
}

/// Where the time went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// From the request to its admission.
    pub queued: Duration,
    /// From admission to the first token.
    pub prefill: Duration,
    /// From the first token to the last.
    pub decode: Duration,
}

/// What a sink hears, in this order: `Started`, `Prompt` if asked for, any number of `Token`, then
/// `Finished`; or `Failed` at any point, which is the last event.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The request was admitted and its prompt counted.
    Started {
        /// Tokens of the prompt, with the template's own.
        prompt_tokens: u32,
        /// As [`Rendered::fallbacks`]; empty for a prompt that is no conversation.
        fallbacks: Vec<&'static str>,
        /// As [`Rendered::opens_thinking`].
        opens_thinking: bool,
    },
    /// The prompt's tokens.
    Prompt {
        /// All of them, in order.
        tokens: Vec<PromptToken>,
    },
    /// A piece of the answer. Always whole characters; never part of a stop string.
    Token {
        /// May be empty when only probabilities are reported.
        text: String,
        /// The tokens drawn since the last event, if asked for; text can lag behind them.
        tokens: Vec<TokenLogprob>,
    },
    /// The answer is complete.
    Finished {
        /// Why it ended.
        reason: FinishReason,
        /// What of the request's own ended it.
        stop: Option<Stopped>,
        /// Tokens counted.
        usage: Usage,
        /// Time measured.
        timings: Timings,
    },
    /// The answer ends here, incomplete.
    Failed(GenerateError),
}

/// Why a request was refused or broke off.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GenerateError {
    /// The prompt leaves no room for an answer.
    #[error(
        "the prompt has {prompt_tokens} tokens and the model's context window holds {context_tokens}, \
         one of which the answer needs: shorten the conversation"
    )]
    ContextOverflow {
        /// Tokens of the prompt.
        prompt_tokens: usize,
        /// Tokens the model can see at once, as loaded.
        context_tokens: usize,
    },
    /// The prompt is so long that it was not even split into tokens.
    #[error(
        "the prompt has {bytes} bytes, and the model's context window of {context_tokens} tokens cannot hold more \
         than {limit_bytes}: shorten it"
    )]
    PromptTooLong {
        /// Bytes of the prompt.
        bytes: usize,
        /// What the window could hold at the very most.
        limit_bytes: usize,
        /// Tokens the model can see at once, as loaded.
        context_tokens: usize,
    },
    /// A text to be embedded has more tokens than the model reads.
    #[error(
        "text {index} has {tokens} tokens and this model reads at most {limit_tokens}: make it shorter, send it in \
         parts, or ask for it to be cut (truncate)"
    )]
    TextTooLong {
        /// Which of the texts, counted from 0.
        index: usize,
        /// Its tokens.
        tokens: usize,
        /// What the model can read.
        limit_tokens: usize,
    },
    /// A text to be embedded is so long that it was not even split into tokens.
    #[error(
        "text {index} has {bytes} bytes, and the {limit_tokens} tokens that this model reads cannot hold more than \
         {limit_bytes}: make it shorter, send it in parts, or ask for it to be cut (truncate)"
    )]
    TextTooLarge {
        /// Which of the texts, counted from 0.
        index: usize,
        /// Its bytes.
        bytes: usize,
        /// What is split at most.
        limit_bytes: usize,
        /// What the model can read.
        limit_tokens: usize,
    },
    /// The constraint cannot be used, or became too complex on the way.
    #[error("the form asked of the answer cannot be kept: {reason}")]
    BadConstraint {
        /// What is wrong with it, in plain words.
        reason: String,
    },
    /// Too many requests wait already.
    #[error("{queued} requests wait already: try again in a moment")]
    Busy {
        /// Requests in the queue.
        queued: usize,
    },
    /// The prompt has no token.
    #[error("the prompt is empty: send at least one token")]
    EmptyPrompt,
    /// A token id the vocabulary does not have.
    #[error("token {token} is not in the model's vocabulary of {vocabulary}: use ids below that")]
    UnknownToken {
        /// The id.
        token: u32,
        /// Size of the vocabulary.
        vocabulary: usize,
    },
    /// A sampling figure outside its range.
    #[error("{field} is {value}: it must be {range}")]
    BadParameter {
        /// Name of the field.
        field: &'static str,
        /// What was sent.
        value: String,
        /// What is allowed.
        range: &'static str,
    },
    /// The model's file has no chat template.
    #[error("this model's file has no chat template: send plain text to it as a completion")]
    NoChatTemplate,
    /// The chat template refused the conversation or is broken.
    #[error("the model's chat template refused this conversation: {reason}")]
    Template {
        /// The template's own words.
        reason: String,
    },
    /// The chat template takes more time or memory than it may for a conversation of that length.
    #[error(
        "the chat template of this model was stopped: {reason}. Shorten the conversation if it is a long one; if it is \
         not, the model file is at fault: choose another model"
    )]
    TemplateBroken {
        /// What it did.
        reason: String,
    },
    /// Text was asked of an embedding model.
    #[error("{model} makes embeddings, not text: choose a chat model")]
    NotGenerative {
        /// The model's name.
        model: String,
    },
    /// An embedding was asked of a chat model.
    #[error("{model} makes text, not embeddings: choose an embedding model")]
    NotEmbedding {
        /// The model's name.
        model: String,
    },
    /// The request's KV cache does not fit into memory, even alone.
    #[error(
        "{tokens} tokens need {need_bytes} bytes of KV cache and {limit_bytes} are allowed: ask for fewer \
         tokens (max_tokens)"
    )]
    CacheTooLarge {
        /// Prompt and answer together.
        tokens: usize,
        /// What they would take.
        need_bytes: u64,
        /// What the engine may use for caches.
        limit_bytes: u64,
    },
    /// The answer had to give its KV cache up for others.
    #[error(
        "the memory for KV caches ({limit_bytes} bytes) is full, and this answer had to make way for others: ask \
         again in a moment, or for fewer tokens (max_tokens)"
    )]
    CachesFull {
        /// What the engine may use for caches.
        limit_bytes: u64,
    },
    /// Whoever asked has gone away.
    #[error("the request was cancelled")]
    Cancelled,
    /// The weight files changed after they were checked.
    #[error("the model's files changed on disk after loading ({file}): verify the model and load it again")]
    WeightsChanged {
        /// The file that changed.
        file: String,
    },
    /// The engine stops.
    #[error("the engine is stopping: start it again to go on")]
    Stopped,
    /// A defect inside the engine; the model was unloaded.
    #[error("the engine failed inside ({reason}): load the model again and report this")]
    Internal {
        /// What is known.
        reason: String,
    },
}

/// What one embedding is made of.
#[derive(Debug, Clone, PartialEq)]
pub enum EmbedInput {
    /// A text; it is split, with the tokens that open and close it.
    Text(String),
    /// Tokens of the model's vocabulary, used as they are.
    Tokens(Vec<u32>),
}

/// A request for embeddings.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbedRequest {
    /// One embedding is made of each.
    pub inputs: Vec<EmbedInput>,
    /// Cuts texts at the model's limit instead of refusing them.
    pub truncate: bool,
    /// Keeps so many of the first figures of each vector, brought to length one again; without it, all. Useful with
    /// models that were trained for it (Matryoshka).
    pub dimensions: Option<usize>,
    /// Who asks.
    pub priority: Priority,
}

/// The answer to an embedding request.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// One unit vector per input, in the order asked.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens of all inputs together.
    pub prompt_tokens: u32,
}

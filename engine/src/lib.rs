//! Turns model files into tokens: loading, tokenising, scheduling, decoding and embedding.
//!
//! The crate knows files, prompts and tokens; it knows no CID, session, HTTP or coin, and it uses no
//! asynchronous runtime. One [`Engine`] owns one worker thread that serves every loaded model, and one
//! pool of compute threads. Callers hand a request and a sink; the worker calls the sink from its own
//! thread, so **a sink must return at once** (hand the event to a channel, never wait in it).
//!
//! The way of a prompt: [`ModelHandle::generate`] → a thread renders a conversation and compiles a constraint → worker
//! admits it (tokens counted, KV cache reserved) → prefill in chunks → one token per round, interleaved with every
//! other running sequence → choice (constraint, thinking, sampler) → UTF-8 and stop-string stages → sink.

mod chat_template;
mod checkpoint;
mod choice;
mod command;
mod config;
mod constraint;
mod engine;
mod fact;
pub mod fuzz;
mod hardware;
mod inspect;
mod job;
mod kernels;
mod load;
mod model;
mod prefix;
mod prepare;
mod reply;
mod request;
mod sampler;
mod sampling;
mod scheduler;
mod sequence;
mod simd;
mod stop;
pub mod testing;
mod thinking;
mod tokenizer;
mod worker;

pub use checkpoint::{FileError, GgufError, WeightFile};
pub use config::{Config, Precision, StartError};
pub use engine::{Engine, ModelHandle};
pub use hardware::{Gpu, Hardware};
pub use inspect::inspect;
pub use load::{LoadError, ModelFiles, ModelInfo, ModelKind, ModelSource};
pub use reply::Ticket;
pub use request::{
    Constraint, EmbedInput, EmbedRequest, EmbedSink, Embeddings, Event, FinishReason, GenerateError,
    GenerateRequest, MAX_STOP_BYTES, Message, Origin, Priority, Prompt, PromptToken, Rendered, Sampling,
    Sink, Stopped, Timings, TokenLogprob, Usage,
};
pub use sampling::SuggestedSampling;
pub use simd::SimdLevel;
pub use thinking::Thinking;

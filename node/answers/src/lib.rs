//! OpenAI's API in front of the engine: types, server-sent events, the loaded models by name, and
//! request → engine → answer.
//!
//! The crate knows HTTP as values, no socket. [`serve_http`] is the whole of it for most callers: the API serves it to
//! people, the miner's engine backend calls it for the network. A reader who drops an answer stops the engine's work.

pub mod answer;
mod chat;
mod complete;
mod config;
mod embed;
mod error;
pub mod fuzz;
mod generation;
mod http;
mod json_size;
mod models;
mod serve;
pub mod sse;
pub mod types;

pub use config::Config;
pub use error::{Error, ErrorType};
pub use generation::Generation;
pub use hearth_engine::Priority;
pub use http::{Body, HttpAnswer, HttpRequest};
pub use json_size::has_too_many_values;
pub use models::{Args, Library, LibraryError, LoadedModel, ModelEntry, Models, Snapshot};
pub use serve::serve_http;

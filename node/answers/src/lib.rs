//! One contract from every source of answers to everybody who asks.
//!
//! Who asks (the page, the terminal, a client of OpenAI's API, a buyer of the network) makes a [`Request`] and names
//! itself as a [`Principal`]; who answers (this computer's engine, a server by its address, the network, nobody) is a
//! [`Backend`] and gives an [`Answer`]. [`Router`] finds the backend of a name. Text there is at the edge alone:
//! [`openai`], and the thinner [`responses`], [`anthropic`] and [`ollama`] for clients that are wired to those APIs.

pub mod answer;
pub mod anthropic;
mod backend;
mod config;
pub mod dialect;
mod engine;
mod error;
pub mod fuzz;
mod harmless;
mod json;
pub mod judge;
mod null;
pub mod ollama;
pub mod openai;
mod operation;
mod principal;
pub mod request;
pub mod responses;
mod router;
mod shape;
pub mod sse;
mod url;
mod watch;
mod wire;

pub use self::url::{Limits, UrlBackend, UrlSettings, check_address, setting_beside};
pub use answer::Answer;
pub use backend::{Backend, Capacity, Health, ModelEntry, SharedBackend, Task};
pub use config::Config;
pub use engine::{Args, EngineBackend, Library, LibraryError, LoadedModel, Models, Snapshot};
pub use error::{Code, Error, ErrorType};
pub use hearth_engine::Priority;
pub use null::NullBackend;
pub use operation::{Operation, route};
pub use principal::Principal;
pub use request::Request;
pub use router::{NETWORK_PREFIX, Named, Router, resolved_aliases};
pub use watch::{watch, watch_backend};

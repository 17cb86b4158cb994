//! The served surface of a node: OpenAI API, control API, events, login and the UI.
//!
//! This crate translates only: HTTP in, a call of another part, HTTP out. What it keeps of its own are
//! settings of the page, API keys with their usage, and sign-ins.
//!
//! ```text
//! socket → plain path → security headers → guard (Host, Origin, credential, zone) → cut at stop → routes → parts
//! ```

mod access;
mod answers;
mod app;
mod auth;
mod chats;
mod config;
pub mod control;
mod error;
mod events;
mod explanations;
pub mod host;
mod lookalike;
mod metering;
pub mod parts;
mod routes;
mod server;
mod signing;
mod storage;
mod ui;

pub use access::Access;
pub use auth::{OriginError, OriginPattern, free_name, proof};
pub use config::Config;
pub use error::ApiError;
pub use host::Host;
pub use server::{Api, Args, Error};

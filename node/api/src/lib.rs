//! The served surface of a node: OpenAI API, control API, events, login and the UI.
//!
//! This crate translates only: HTTP in, a call of another part, HTTP out.

pub mod control;
pub mod host;

pub use host::Host;

//! What the control API says, as types: one file per page of the UI.
//!
//! They are also what the command line reads. Amounts are decimal strings of upokt, times RFC 3339 in UTC, heights
//! numbers. Enums are snake_case words; a union carries its variant in `type`.

pub mod access;
pub mod chat;
pub mod chats;
pub mod common;
pub mod connect;
pub mod earning;
pub mod event;
pub mod models;
pub mod network;
pub mod roles;
pub mod settings;
pub mod status;
pub mod usage;
pub mod wallet;

pub use access::*;
pub use chat::*;
pub use chats::*;
pub use common::*;
pub use connect::*;
pub use earning::*;
pub use event::*;
pub use models::*;
pub use network::*;
pub use roles::*;
pub use settings::*;
pub use status::*;
pub use usage::*;
pub use wallet::*;

//! What the control API says, as types: one file per page of the UI.
//!
//! They are also what the command line reads. Amounts are decimal strings of upokt, times RFC 3339 in UTC, heights
//! numbers. Enums are snake_case words; a union carries its variant in `type`.

pub mod access;
pub mod backup;
pub mod chat;
pub mod chats;
pub mod common;
pub mod config;
pub mod connect;
pub mod contacts;
pub mod earning;
pub mod event;
pub mod first_run;
pub mod models;
pub mod money;
pub mod morse;
pub mod network;
pub mod roles;
pub mod settings;
pub mod signing;
pub mod status;
pub mod usage;
pub mod wallet;

pub use access::*;
pub use backup::*;
pub use chat::*;
pub use chats::*;
pub use common::*;
pub use config::*;
pub use connect::*;
pub use contacts::*;
pub use earning::*;
pub use event::*;
pub use first_run::*;
pub use models::*;
pub use money::*;
pub use morse::*;
pub use network::*;
pub use roles::*;
pub use settings::*;
pub use signing::*;
pub use status::*;
pub use usage::*;
pub use wallet::*;

//! Joins the parts to a node: configuration, building, stopping; what runs at start.
//!
//! Only this crate reads files, flags and environment. It builds the parts in the order of their ranks and stops
//! them in reverse, within one deadline.

mod auto_lock;
mod backends;
mod backup;
mod build;
pub mod config;
mod config_page;
pub mod data_dir;
mod database;
mod doctor;
#[cfg(test)]
mod easy_questions;
mod error;
mod host;
mod identity;
mod library;
pub mod logging;
pub mod network;
mod node;
pub mod notify;
mod offline_access;
mod offline_doctor;
mod offline_weights;
pub mod process;
mod reach;
mod reconfigure;
mod scratch;
mod secret_line;
mod setup;
mod standalone;
mod started;
mod stop_warning;

pub use backup::{
    BackupError, Rehearsal, Restored, SealError, back_up, back_up_sealed, is_sealed, rehearse, restore_any,
};
pub use error::NodeError;
pub use hearth_api::control::types as control;
pub use hearth_api::parts::adapters::wallet_page;
pub use hearth_api::{ApiError, free_name};
pub use hearth_connect as connect;
pub use hearth_pocket::Address;
pub use hearth_store::Store;
pub use hearth_wallet::{
    Entry as WalletEntry, Form as KeyForm, SignedMessage, Wallet, Words, WordsError, verify_message,
};
pub use hearth_weights as weights;
pub use identity::Challenge;
pub use node::{Node, NodeArgs};
pub use offline_access::OfflineAccess;
pub use offline_doctor::offline_doctor;
pub use offline_weights::OfflineWeights;
pub use reconfigure::reconfigure;
pub use secret_line::{SecretLineError, open_plain, secret_line};
pub use standalone::{StandaloneDevnet, offline_wallet};
pub use stop_warning::StopWarning;

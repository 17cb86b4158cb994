//! Joins the parts to a node: configuration, building, stopping; what runs at start.
//!
//! Only this crate reads files, flags and environment. It builds the parts in the order of their ranks and stops
//! them in reverse, within one deadline.

mod alone;
mod alone_access;
mod alone_weights;
mod backup;
mod build;
pub mod config;
pub mod data_dir;
mod doctor;
mod doctor_alone;
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
pub mod process;
mod secret_line;
mod setup;
mod started;

pub use alone::{DevnetAlone, offline_wallet};
pub use alone_access::AccessAlone;
pub use alone_weights::WeightsAlone;
pub use backup::{BackupError, back_up, restore};
pub use doctor_alone::doctor_alone;
pub use error::NodeError;
pub use hearth_api::ApiError;
pub use hearth_api::control::types as control;
pub use hearth_store::Store;
pub use hearth_weights as weights;
pub use identity::Challenge;
pub use node::{Node, NodeArgs};
pub use secret_line::{SecretLineError, secret_line};

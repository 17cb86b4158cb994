//! Joins the parts to a node: configuration, building, stopping; what runs at start.
//!
//! Only this crate reads files, flags and environment. It builds the parts in the order of their ranks and stops
//! them in reverse, within one deadline.

mod alone;
mod alone_weights;
mod build;
pub mod config;
pub mod data_dir;
mod doctor;
#[cfg(test)]
mod easy_questions;
mod error;
mod host;
mod library;
pub mod logging;
pub mod network;
mod node;
pub mod notify;
mod setup;

pub use alone::{DevnetAlone, offline_wallet};
pub use alone_weights::WeightsAlone;
pub use error::NodeError;
pub use hearth_api::control::types as control;
pub use hearth_weights as weights;
pub use node::{Node, NodeArgs};

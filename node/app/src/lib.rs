//! Joins the parts to a node: configuration, building, stopping; what runs at start.
//!
//! Only this crate reads files, flags and environment. It builds the parts in the order of their ranks and stops
//! them in reverse, within one deadline.

pub mod config;
pub mod data_dir;
pub mod network;

//! The control API: its types, its table of operations, its document.

pub mod openapi;
pub mod operation;
pub(crate) mod spec;
pub mod types;

//! The control API: its types, its table of operations, its document.

pub mod openapi;
pub mod operation;
pub mod types;

//! Go's `gob` encoding, as far as a closest proof travels in it.
//!
//! A stream is a row of messages: type definitions first, then a value that refers to them by id. Ids are given out
//! by each Go process in order of first use, so the reader follows the definitions it is sent and matches fields by
//! name; the writer emits the definitions that a Go relay miner usually emits.

mod reader;
mod schema;
mod value;
mod writer;

pub use reader::{DecodeError, decode};
pub use writer::encode;

#[cfg(test)]
mod tests;

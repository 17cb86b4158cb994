//! Architecture `llama`: Llama 1 to 3, SmolLM, Mistral 7B and others in their shape.
//!
//! Its GGUF files hold queries and keys reordered so that neighbours are rotated together.

use super::shape::{DecoderConfig, ModelError, Pairing};
use crate::checkpoint::Gguf;

/// Reads the figures of a llama file.
pub(super) fn config(gguf: &Gguf) -> Result<DecoderConfig, ModelError> {
    DecoderConfig::from_gguf(gguf, "llama", Pairing::Neighbours)
}

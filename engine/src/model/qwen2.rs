//! Architecture `qwen2`: Qwen 2 and 2.5 and their descendants.
//!
//! It differs from llama in the biases of queries, keys and values and in rotating the halves of a head.

use super::shape::{DecoderConfig, ModelError, Pairing};
use crate::checkpoint::{Gguf, GgufError};

/// Reads the figures of a qwen2 file.
pub(super) fn config(gguf: &Gguf) -> Result<DecoderConfig, ModelError> {
    let bias = "blk.0.attn_q.bias";
    if !gguf.tensors.contains_key(bias) {
        return Err(GgufError::MissingTensor {
            tensor: bias.to_owned(),
        }
        .into());
    }
    DecoderConfig::from_gguf(gguf, "qwen2", Pairing::Halves)
}

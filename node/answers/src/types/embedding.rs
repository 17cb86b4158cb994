//! `/v1/embeddings`.

use serde::{Deserialize, Serialize};

use super::lenient;

/// A request for embeddings.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct EmbeddingRequest {
    #[serde(default)]
    pub model: Option<String>,
    #[serde(default)]
    pub input: Option<EmbeddingInput>,
    #[serde(default)]
    pub encoding_format: Option<String>,
    #[serde(default, deserialize_with = "lenient::count")]
    pub dimensions: Option<u32>,
}

/// One text or several. Tokens are read too, so that they can be refused by name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum EmbeddingInput {
    One(String),
    Many(Vec<String>),
    Tokens(Vec<u32>),
    TokenLists(Vec<Vec<u32>>),
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EmbeddingAnswer {
    pub object: &'static str,
    pub data: Vec<EmbeddingItem>,
    pub model: String,
    pub usage: EmbeddingUsage,
}

/// The embedding of one text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EmbeddingItem {
    pub object: &'static str,
    pub index: usize,
    pub embedding: EmbeddingVector,
}

/// The vector as numbers, or as base64 of little-endian 32-bit floats, which the official clients ask for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum EmbeddingVector {
    Floats(Vec<f32>),
    Base64(String),
}

/// Counted tokens of an embedding request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EmbeddingUsage {
    pub prompt_tokens: u32,
    pub total_tokens: u32,
}

//! The families of decoders: what distinguishes each from the others, a table per file.
//!
//! Everything that a file's header says is read by [`super::shape`]; here is what only the name of the architecture says.

mod gemma2;
mod gemma3;
mod gpt_oss;
mod granite;
mod llama;
mod phi3;
mod qwen2;
mod qwen3;
mod qwen3moe;
mod smollm3;

use super::shape::Pairing;
use crate::kernels::Activation;

/// What the name of an architecture says of a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Family {
    /// As `general.architecture` has it.
    pub(crate) name: &'static str,
    /// Models of it that people know.
    pub(crate) models: &'static str,
    pub(crate) pairing: Pairing,
    pub(crate) activation: Activation,
    /// Queries, keys and values have biases in every file of it; in others some have.
    pub(crate) needs_biases: bool,
    /// Queries, keys and values are one tensor, and so are gate and up.
    pub(crate) joined: bool,
    /// Each head of queries and keys is normed before it is rotated.
    pub(crate) head_norms: bool,
    /// What attention and the feed-forward part give is normed before it is added.
    pub(crate) post_norms: bool,
    /// What the norm before the feed-forward part is called.
    pub(crate) feed_forward_norm: &'static str,
    /// Every head has a score that goes into its sum and stands for no token.
    pub(crate) sinks: bool,
    /// Embeddings are multiplied with the root of the width.
    pub(crate) scales_embeddings: bool,
    /// Of so many layers in a row all but the last see a window only.
    pub(crate) windows: Option<usize>,
    /// The base of rotations in layers with a window, where it is another one.
    pub(crate) window_rope_base: Option<f64>,
    /// The last of so many layers in a row does not rotate.
    pub(crate) unrotated: Option<usize>,
    /// Models with so many layers divide scores by the root of the width per head, not of the head.
    pub(crate) wide_scores_at: Option<usize>,
}

/// What most families have.
const PLAIN: Family = Family {
    name: "",
    models: "",
    pairing: Pairing::Halves,
    activation: Activation::Silu,
    needs_biases: false,
    joined: false,
    head_norms: false,
    post_norms: false,
    feed_forward_norm: "ffn_norm",
    sinks: false,
    scales_embeddings: false,
    windows: None,
    window_rope_base: None,
    unrotated: None,
    wide_scores_at: None,
};

/// All of them.
const ALL: [Family; 10] = [
    llama::FAMILY,
    qwen2::FAMILY,
    qwen3::FAMILY,
    qwen3moe::FAMILY,
    gemma2::FAMILY,
    gemma3::FAMILY,
    phi3::FAMILY,
    granite::FAMILY,
    gpt_oss::FAMILY,
    smollm3::FAMILY,
];

impl Family {
    /// Finds a family by its name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        ALL.into_iter().find(|family| family.name == name)
    }

    /// Names all families with their models, for the message that refuses another one.
    pub(crate) fn supported() -> String {
        let each = ALL.map(|family| format!("{} ({})", family.name, family.models));
        each.join(", ")
    }
}

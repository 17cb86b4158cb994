//! Gemma 3: as Gemma 2 with norms of each head, five of six layers with a window, and those with a base of their own.

use super::{Family, PLAIN};
use crate::kernels::Activation;

pub(super) const FAMILY: Family = Family {
    name: "gemma3",
    models: "Gemma 3",
    activation: Activation::Gelu,
    head_norms: true,
    post_norms: true,
    scales_embeddings: true,
    windows: Some(6),
    window_rope_base: Some(10_000.0),
    wide_scores_at: Some(62),
    ..PLAIN
};

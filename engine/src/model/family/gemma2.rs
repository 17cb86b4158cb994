//! Gemma 2: norms on both sides, every other layer with a window, scores and logits that are capped.

use super::{Family, PLAIN};
use crate::kernels::Activation;

pub(super) const FAMILY: Family = Family {
    name: "gemma2",
    models: "Gemma 2",
    activation: Activation::Gelu,
    post_norms: true,
    scales_embeddings: true,
    windows: Some(2),
    wide_scores_at: Some(46),
    ..PLAIN
};

//! gpt-oss: experts with biases, a score per head that stands for no token, every other layer with a window.

use super::{Family, PLAIN};
use crate::kernels::Activation;

pub(super) const FAMILY: Family = Family {
    name: "gpt-oss",
    models: "gpt-oss",
    activation: Activation::ClampedSilu,
    needs_biases: true,
    feed_forward_norm: "post_attention_norm",
    sinks: true,
    windows: Some(2),
    ..PLAIN
};

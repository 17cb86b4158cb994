//! Qwen 3: norms of each head in place of biases.

use super::{Family, PLAIN};

pub(super) const FAMILY: Family = Family {
    name: "qwen3",
    models: "Qwen 3",
    head_norms: true,
    ..PLAIN
};

//! Qwen 2 and 2.5: biases of queries, keys and values.

use super::{Family, PLAIN};

pub(super) const FAMILY: Family = Family {
    name: "qwen2",
    models: "Qwen 2 and 2.5, DeepSeek-R1 distills",
    needs_biases: true,
    ..PLAIN
};

//! Qwen 3 as a mixture of experts.

use super::{Family, PLAIN};

pub(super) const FAMILY: Family = Family {
    name: "qwen3moe",
    models: "Qwen 3 with experts",
    head_norms: true,
    ..PLAIN
};

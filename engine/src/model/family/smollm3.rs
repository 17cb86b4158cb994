//! SmolLM 3: Llama in which every fourth layer does not rotate.

use super::{Family, PLAIN};
use crate::model::shape::Pairing;

pub(super) const FAMILY: Family = Family {
    name: "smollm3",
    models: "SmolLM 3",
    pairing: Pairing::Neighbours,
    unrotated: Some(4),
    ..PLAIN
};

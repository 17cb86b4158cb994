//! Llama 1 to 3 and what has their shape. Files hold queries and keys reordered, so that neighbours are rotated
//! together.

use super::{Family, PLAIN};
use crate::model::shape::Pairing;

pub(super) const FAMILY: Family = Family {
    name: "llama",
    models: "Llama, Mistral, Mixtral, SmolLM, DeepSeek-R1 distills",
    pairing: Pairing::Neighbours,
    ..PLAIN
};

//! Granite 3: Llama with factors for embeddings, scores, what is added, and logits.

use super::{Family, PLAIN};
use crate::model::shape::Pairing;

pub(super) const FAMILY: Family = Family {
    name: "granite",
    models: "Granite 3",
    pairing: Pairing::Neighbours,
    ..PLAIN
};

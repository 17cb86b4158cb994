//! Phi 3 and 4: queries, keys and values in one tensor, gate and up in another.

use super::{Family, PLAIN};

pub(super) const FAMILY: Family = Family {
    name: "phi3",
    models: "Phi 3 and 4",
    joined: true,
    ..PLAIN
};

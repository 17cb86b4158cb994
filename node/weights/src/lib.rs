//! hearth-weights.

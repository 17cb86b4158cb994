//! hearth-pocket.

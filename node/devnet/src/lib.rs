//! hearth-devnet.

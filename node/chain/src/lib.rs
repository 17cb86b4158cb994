//! hearth-chain.

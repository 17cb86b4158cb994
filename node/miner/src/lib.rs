//! hearth-miner.

//! hearth-node.

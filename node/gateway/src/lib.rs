//! hearth-gateway.

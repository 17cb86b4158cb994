//! hearth-wallet.

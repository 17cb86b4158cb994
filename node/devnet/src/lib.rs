//! The embedded devnet: a Pocket chain in one process, with real transactions, real headers and signatures, real
//! state proofs, and the chain's own rules for stakes, sessions, claims, proofs and settlement.
//!
//! ```text
//! rpc ──► mempool ──► core: seal header ─► machine (begin, transactions, end) ─► state trees ─► database
//!  └──────────────────► queries and proofs at any of the last 1000 heights ◄────────┘
//! ```
//! It is no CometBFT node: one validator, no gossip. It exists to be checked against: it shares only the protocol's
//! verifying half with what it checks.

mod address;
mod ante;
mod block;
mod config;
mod core;
mod ctx;
mod db;
mod devnet;
mod error;
mod events;
mod faucet;
mod faults;
mod genesis;
mod keys;
mod machine;
mod mempool;
mod modules;
mod msg;
mod query;
mod rpc;
mod state;

pub use config::{BlockTime, Blocks, Config, ConfigError};
pub use db::DbError;
pub use devnet::{Devnet, Error, Trust};
pub use faucet::FaucetError;
pub use faults::Fault;
pub use genesis::{Account, Authorization, Genesis, Params};
pub use mempool::MAX_TX_BYTES;

#[cfg(test)]
mod tests;

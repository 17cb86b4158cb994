//! The chain, from outside: endpoints, a light client, verified queries, transactions, block events.
//!
//! ```text
//! Chain ─┬─ watcher ── asks endpoints for the newest block, has it verified, tells everybody
//!        ├─ light ──── headers: from a trust anchor, forward by signatures, backward by hashes
//!        ├─ query ──── values with height and standing: Proven, Unproven, Stale
//!        ├─ tx ─────── price, sign, send, wait; typed reasons of failure
//!        ├─ follow ─── events block by block, each acknowledged
//!        ├─ verify ─── pure: what may be believed
//!        └─ rpc ────── JSON-RPC with time limits, health, failover; nothing of it is believed
//! ```
//! An endpoint that gives a false answer is banned and shown with what it did. What the light client protects from is a
//! lying endpoint; it cannot protect from a third of the validators.

mod chain;
pub mod config;
mod db;
pub mod events;
mod faucet;
mod follow;
pub mod fuzz;
#[cfg(test)]
mod golden;
mod head;
mod light;
pub mod query;
pub mod rpc;
pub mod tx;
pub mod verify;
mod watcher;

pub use chain::{Args, Chain, StartError, Trust};
pub use config::{Anchor, Config, ConfigError};
pub use db::DbError;
pub use events::{BlockEvent, ChainEvent, EventOrigin};
pub use faucet::{Faucet, FaucetError, Gift};
pub use follow::{BlockEvents, Follower, Heights, StartFrom};
pub use head::{Head, Standing};
pub use light::LightError;
pub use query::{Account, FoundTx, Params, ProofStatus, Query, QueryError, ReadAt, Verified};
pub use rpc::{EndpointState, EndpointStatus, RpcError};
pub use tx::{
    Included, Options, Prepared, Reason, Sent, Stage, TxError, TxStatus, Validity, reason_of, valid_until,
};

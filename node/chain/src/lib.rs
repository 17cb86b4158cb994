//! The chain, from outside: endpoints, a light client, verified queries, transactions, block events.
//!
//! ```text
//! Chain ─┬─ watcher ── asks endpoints for the newest block, has it verified, tells everybody
//!        ├─ endpoints  the list that a person may change; trials; what was said that is false
//!        ├─ light ──── headers: from a trust anchor, forward by signatures, backward by hashes
//!        ├─ query ──── what is told of the state: Proven may decide about money, Seen and Stale are shown
//!        ├─ tx ─────── price, sign, send, wait; typed reasons of failure
//!        ├─ follow ─── events block by block, each acknowledged
//!        ├─ verify ─── pure: what may be believed
//!        └─ rpc ────── JSON-RPC with time limits, scores, pauses, failover; nothing of it is believed
//! ```
//! An endpoint that gives a false answer is banned and shown with what it did. What the light client protects from is a
//! lying endpoint; it cannot protect from a third of the validators.

mod chain;
pub mod config;
mod db;
mod endpoints;
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

pub use chain::{Args, Chain, Program, StartError, TESTED_WITH, Trust, Upgrade};
pub use config::{Anchor, Config, ConfigError};
pub use db::DbError;
pub use endpoints::{EndpointError, Trial};
pub use events::{BlockEvent, ChainEvent, EventOrigin};
pub use faucet::{Faucet, FaucetError, Gift};
pub use follow::{BlockEvents, Follower, Heights, StartFrom};
pub use head::{Head, Standing};
pub use light::LightError;
pub use query::{Account, FoundTx, Params, ProofStatus, Query, QueryError, ReadAt, Seen, Stale, Told};
pub use rpc::{EndpointState, EndpointStatus, Evidence, RpcError};
pub use tx::{
    MOST_GAS_EACH, Options, Prepared, Reason, Sent, Stage, TxError, TxStatus, Validity, fee_for, reason_of,
    valid_until,
};
#[cfg(any(test, debug_assertions))]
#[doc(hidden)]
pub use verify::proven_for_tests;
pub use verify::{NoSession, Outcome, Proven};

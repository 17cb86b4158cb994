//! Sells answers to the network: a relay server, and the claims that turn answers into money.
//!
//! ```text
//! serve (HTTP) → admit (session, ring, meter) → backend → ledger (evidence, trees)
//! driver: blocks and events of the chain → claim (pure machine) → session_db (database) → outbox (transactions)
//! supplier: one operator's sessions, claims and standing; several share one relay port
//! miner: the handle; earning (pure machine) says whether the relay port is open
//! ```
//! No answer's last byte leaves before the answer is on the disk, and nothing is sent to the chain before it is in
//! the database. So a crash at any moment loses no answer that a client has, and signs nothing twice.

mod admit;
pub mod claim;
mod config;
mod costs;
mod driver;
mod earning;
mod events;
mod evidence;
mod facts;
#[cfg(test)]
mod formats;
mod keys;
mod ledger;
mod miner;
mod network;
mod outlook;
mod record;
mod refusal;
mod serve;
mod session_db;
mod sessions;
mod supplier;
#[cfg(test)]
mod testing;
mod threads;

pub use claim::{ClaimState, End, Inclusion, Outcome, Paid, Seal, Slash, Stage};
pub use config::{Config, ConfigError, MAX_REQUEST_BYTES, ServiceConfig};
pub use earning::{Earning, EarningState, OffWhy, Reason, ReasonCode, SupplierEarning};
pub use events::{MinerEvent, Running, RunningAnswer};
pub use evidence::Entry;
pub use facts::{Facts, Key};
pub use keys::{FixedKey, KeyProblem, Keys};
pub use miner::{Args, Error, Figures, Miner, RelayPage, SessionView};
pub use network::{ClaimSeen, LiveParams, Network, NetworkError};
pub use outlook::ProofsDue;
pub use refusal::Refusal;
pub use session_db::{DayTotal, Record, SessionDbError, Sum, SupplierTotal, Totals};

//! The gateway: sends a request over the network, pays with an application's stake, and hands on only bytes that
//! the supplier signed.
//!
//! ```text
//! send ─ session of the service (cached, rolled over) ─ supplier by recent results ─ ring signature ─ POST
//!                                                                                        │
//! reader ◄─ bytes ◄─ signature, session, payload hash, chunk rules of every part ◄───────┘
//!                └─ receipt
//! ```
//! The ring is [application, own gateway] and the gateway's key signs: the application's own key stays cold. An own
//! application that has not delegated to this gateway signs for itself where the owner says so, and where its ring is not
//! completed by a key that everybody knows, or a session may cost no more than a limit.
//!
//! Money is set aside in the database before a request is signed: no application is spent below its minimum stake,
//! and no day costs more than its cap, whatever restarts in between.

mod answer;
mod attempt;
mod backend;
mod chain_queries;
mod choice;
mod config;
mod error;
mod exchange;
mod gateway;
mod inner;
mod payers;
mod receipt;
mod refusal;
mod request;
mod services;
mod session;
mod spending;
mod stream_check;

pub use chain_queries::{ChainQueries, ChainQueryError, RelayTerms, VerifiedChain};
pub use choice::Avoided;
pub use config::{Config, ConfigError};
pub use error::{Error, Fault, SupplierError};
pub use exchange::Answer;
pub use gateway::{Args, Gateway, SessionSupplier, StartError};
pub use payers::Keys;
pub use receipt::{Asker, Charge, Outcome, Receipt};
pub use refusal::{Refusal, RefusalReason};
pub use request::Request;
pub use services::{NetworkModel, Unavailable};
pub use spending::Budget;

#[cfg(test)]
mod tests;

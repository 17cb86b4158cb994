//! What the screen is told.

use std::collections::BTreeMap;

use crate::{book::Record, earning::Earning, evidence::Entry, facts::Facts};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum MinerEvent {
    /// The state of earning.
    Earning(Box<Earning>),
    /// An answer was given.
    Relay(RelayAnswered),
    /// A session began, or its claim moved on.
    Claim(Box<Record>),
}

/// An answer that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayAnswered {
    /// The session.
    pub session_id: String,
    /// The service.
    pub service: String,
    /// The hash of the relay.
    pub hash: [u8; 32],
    /// When, in milliseconds since the epoch.
    pub answered_ms: i64,
    /// How long it took.
    pub duration_ms: u32,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// Tokens of the answer.
    pub tokens: Option<u32>,
    /// HTTP status.
    pub status: u16,
    /// It lies in the tree.
    pub in_tree: bool,
    /// It came after the claim and is not paid.
    pub unpaid: bool,
}

impl RelayAnswered {
    pub(crate) fn new(facts: &Facts, entry: &Entry) -> RelayAnswered {
        RelayAnswered {
            session_id: facts.header.session_id.clone(),
            service: facts.header.service_id.clone(),
            hash: entry.hash,
            answered_ms: entry.answered_ms,
            duration_ms: entry.duration_ms,
            bytes_out: entry.bytes_out,
            tokens: entry.tokens,
            status: entry.status,
            in_tree: entry.in_tree,
            unpaid: false,
        }
    }
}

/// The answers that are being made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Running {
    pub(crate) next: u64,
    /// By number.
    pub answers: BTreeMap<u64, RunningAnswer>,
}

/// An answer that is being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningAnswer {
    /// The service.
    pub service: String,
    /// The session.
    pub session_id: String,
    /// Since when, in milliseconds since the epoch.
    pub started_ms: i64,
}

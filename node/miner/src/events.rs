//! What the screen is told.

use std::collections::BTreeMap;

use crate::{earning::Earning, session_db::Record};

/// Something that happened.
#[derive(Clone, Debug)]
pub enum MinerEvent {
    /// The state of earning.
    Earning(Box<Earning>),
    /// Answers were begun or given since the last of these. Told a few times a second at most, however many there are.
    Relays,
    /// A session began, or its claim moved on.
    Claim(Box<Record>),
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
    /// The operator of the supplier that was asked.
    pub supplier: String,
    /// Since when, in milliseconds since the epoch.
    pub started_ms: i64,
}

//! What became of what was wanted.

use std::fmt;

use hearth_base::{Amount, Height};
use hearth_pocket::address::Address;
use hearth_store::stored::Stored;
use serde::{Deserialize, Serialize};

use crate::intent::Reason;

/// Something that was wanted, and how far it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub id: i64,
    /// When it was wanted, in milliseconds since the epoch.
    pub at_ms: i64,
    pub account: Address,
    pub reason: Reason,
    pub about: Option<String>,
    pub counterparty: Option<String>,
    pub amount: Amount,
    pub memo: String,
    /// The messages; empty where they were not kept.
    pub messages: Vec<hearth_pocket::message::Any>,
    pub max_fee: Amount,
    pub last_height: Option<Height>,
    pub after: Option<i64>,
    pub is_patient: bool,
    pub(crate) is_alone: bool,
    pub state: State,
    pub updated_ms: i64,
    /// The newest of its transactions.
    pub tx: Option<Part>,
}

/// A transaction that does it, with others or alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Upper-case hex, as the chain names it; `None` until it is signed.
    pub hash: Option<String>,
    /// The fee of the whole transaction.
    pub fee: Amount,
    /// How many share it.
    pub n_items: u32,
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Nothing is signed for it now. `trouble` says what stands in its way.
    Waiting {
        #[serde(default)]
        trouble: Option<String>,
    },
    /// Bytes are kept for it. `trouble` says what the endpoints said of them, which ends nothing.
    Signed {
        #[serde(default)]
        trouble: Option<String>,
    },
    /// A block holds it, which is not proven yet.
    Placed { tx: String, height: Height },
    /// Nothing can happen any more.
    Ended {
        #[serde(flatten)]
        outcome: Outcome,
    },
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It did what it should.
    Included { tx: String, height: Height },
    /// It failed in a block: the fee is lost.
    Failed {
        tx: String,
        height: Option<Height>,
        why: String,
    },
    /// Nothing was sent. `code` is a stable word.
    Refused { code: String, why: String },
    /// No block holds it, and none ever will.
    Expired { tx: String },
    /// No endpoint has the blocks any more that would tell.
    Unknown { tx: String, why: String },
}

impl Item {
    /// The transaction that did it, and its block.
    #[must_use]
    pub fn placed(&self) -> Option<(&str, Height)> {
        match &self.state {
            State::Placed { tx, height }
            | State::Ended {
                outcome: Outcome::Included { tx, height },
            } => Some((tx, *height)),
            State::Ended { .. } | State::Waiting { .. } | State::Signed { .. } => None,
        }
    }
}

impl State {
    pub(crate) const WAITING: State = State::Waiting { trouble: None };

    /// The word in the database.
    #[must_use]
    pub fn stage(&self) -> &'static str {
        match self {
            State::Waiting { .. } => "waiting",
            State::Signed { .. } => "signed",
            State::Placed { .. } => "placed",
            State::Ended { .. } => "ended",
        }
    }

    /// How it ended; `None` while it is on its way.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        match self {
            State::Ended { outcome } => Some(outcome),
            State::Waiting { .. } | State::Signed { .. } | State::Placed { .. } => None,
        }
    }

    /// What stands in its way.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        match self {
            State::Waiting { trouble } | State::Signed { trouble } => trouble.as_deref(),
            State::Placed { .. } | State::Ended { .. } => None,
        }
    }
}

impl Stored for State {
    const WHAT: &'static str = "the state of a transaction";
    const VERSION: u64 = 1;
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Included { tx, height } => write!(f, "block {height} holds it: {tx}"),
            Outcome::Failed { why, .. } | Outcome::Unknown { why, .. } | Outcome::Refused { why, .. } => {
                f.write_str(why)
            }
            Outcome::Expired { tx } => {
                write!(f, "{tx} was in no block when its time ran out: it never will be")
            }
        }
    }
}

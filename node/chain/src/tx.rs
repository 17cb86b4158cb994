//! The steps of a transaction: price, sign, send, look; and a typed reason where one fails.
//!
//! ```text
//! prepare (account, gas by simulation, fee) ─► sign ─► [keep the bytes] ─► broadcast ─► tx_status
//! ```
//! The outbox takes them one by one, and keeps the signed bytes before they leave: the very same bytes may be sent again at any time, since the chain takes them at most once. Transactions are unordered: each carries an
//! own moment until which it is valid, so senders of one key do not wait for each other, and after that moment it is certain that a transaction which is in no block never will be. What an endpoint says to
//! a transaction ends nothing: only verified blocks do (see [`TxStatus`]).

mod failure;
mod gas;
mod send;
mod status;
mod timestamps;

use std::time::Duration;

use hearth_base::{Amount, Failure, Height, Kind};
use hearth_pocket::{
    address::Address,
    keys::SignError,
    tx::{Plan, SignedTx},
};

pub use failure::{Reason, reason_of};
pub use gas::MOST_GAS_EACH;
pub(crate) use send::Sender;
pub use send::valid_until;
pub use status::{TxStatus, Validity};
pub(crate) use timestamps::UniqueTimestamps;

use crate::{query::QueryError, rpc::RpcError};

/// How a transaction is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// A text that everybody can read; at most 256 characters.
    pub memo: String,
    /// The gas limit; `None` finds it by simulation.
    pub gas_limit: Option<u64>,
    /// The last height at which it may be included; `None` for none.
    pub timeout_height: Option<Height>,
    /// How long an unordered transaction stays valid; at most ten minutes of the chain's time.
    pub lifetime: Duration,
    /// A transaction of the same account that may still be included: the new one takes its moment of validity, so that
    /// the chain takes at most one of both.
    pub in_place_of: Option<SignedTx>,
    /// The fee is at least so much: what an endpoint asked for.
    pub least_fee: Option<Amount>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            memo: String::new(),
            gas_limit: None,
            timeout_height: None,
            // A minute less than the chain's limit, for the time between our head and the block that takes it.
            lifetime: Duration::from_secs(9 * 60),
            in_place_of: None,
            least_fee: None,
        }
    }
}

/// A transaction with its price, ready to be reviewed and signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    pub(crate) plan: Plan,
    pub(crate) account_number: u64,
    /// The fee.
    pub fee: Amount,
    /// The gas limit.
    pub gas_limit: u64,
    /// What the simulation used; `None` where the limit was given.
    pub gas_simulated: Option<u64>,
}

impl Prepared {
    /// The transaction without its signature, to be kept before it is signed.
    #[must_use]
    pub fn unsigned(&self, public_key: &[u8; 33]) -> Vec<u8> {
        self.plan.unsigned(public_key)
    }

    /// The number of the account, which is signed with it.
    #[must_use]
    pub fn account_number(&self) -> u64 {
        self.account_number
    }
}

/// What became of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// A node took it.
    New,
    /// The very same bytes were there already, waiting or in a block.
    Already,
}

/// Where a transaction was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// In the simulation: nothing was sent, nothing is lost.
    Simulation,
    /// By every node that was asked. It is only their word: until its time has passed it may be included all the same.
    Check,
}

/// Why a transaction did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum TxError {
    #[error("{}", refusal(.stage, .reason, .log, .codespace, *.code))]
    Refused {
        stage: Stage,
        reason: Reason,
        codespace: String,
        code: i64,
        log: String,
    },
    #[error("nothing is signed or sent while the trust anchor and the chain contradict each other: {why}")]
    TrustConflict { why: String },
    #[error("the account {address} is not on the chain yet: send it some POKT first")]
    NoAccount { address: Address },
    #[error("the endpoint asks for a fee of {asked}, more than the limit of {limit}: ask another endpoint")]
    FeeTooHigh { asked: Amount, limit: Amount },
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error(
        "no endpoint said that it has the transaction {hash}, and one may have it: look whether a block has it before you make \
         another"
    )]
    Unsent {
        hash: String,
        #[source]
        source: RpcError,
    },
    #[error(transparent)]
    Query(#[from] QueryError),
}

impl Failure for TxError {
    fn kind(&self) -> Kind {
        match self {
            TxError::Refused { reason, .. } => reason.kind(),
            TxError::Unsent { .. } => Kind::Retry,
            TxError::TrustConflict { .. } => Kind::Stop,
            TxError::NoAccount { .. } | TxError::FeeTooHigh { .. } | TxError::Sign(_) => Kind::Skip,
            TxError::Query(error) => error.kind(),
        }
    }
}

impl TxError {
    /// The reason, where the chain refused.
    #[must_use]
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            TxError::Refused { reason, .. } => Some(reason),
            TxError::NoAccount { .. }
            | TxError::FeeTooHigh { .. }
            | TxError::TrustConflict { .. }
            | TxError::Sign(_)
            | TxError::Unsent { .. }
            | TxError::Query(_) => None,
        }
    }

    /// Whether it is certain that the transaction did nothing and never will. `false`: it may have left, so it is asked
    /// for until its time is over, and the same bytes are sent again rather than others.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        match self {
            TxError::Refused { stage, .. } => match stage {
                Stage::Simulation => true,
                // Whoever says so may have passed it on.
                Stage::Check => false,
            },
            TxError::NoAccount { .. }
            | TxError::FeeTooHigh { .. }
            | TxError::TrustConflict { .. }
            | TxError::Sign(_) => true,
            TxError::Unsent { .. } | TxError::Query(_) => false,
        }
    }
}

fn refusal(stage: &Stage, reason: &Reason, log: &str, codespace: &str, code: i64) -> String {
    let place = match stage {
        Stage::Simulation => "the chain would refuse the transaction (nothing was sent)".to_owned(),
        Stage::Check => {
            "the endpoints refuse the transaction (it counts as sent until its time is over)".to_owned()
        }
    };
    format!("{place}: {}", reason.words(codespace, code, log))
}

/// The fee for an amount of gas: its price, rounded up, and at least 1 upokt.
#[must_use]
pub fn fee_for(gas: u64, gas_price_micro: u64) -> Amount {
    let micro = u128::from(gas) * u128::from(gas_price_micro);
    Amount::from_upokt(micro.div_ceil(1_000_000).max(1))
}

#[cfg(test)]
mod tests;

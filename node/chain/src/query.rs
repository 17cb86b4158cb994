//! Reading the chain: every answer says of which height it is and how far it was verified.

mod epochs;
mod fresh;
mod hints;
mod in_force;
mod listed;
mod params;
mod reader;
pub mod record;
mod session;
mod supplier;
mod told;

use hearth_base::{Failure, Height, Kind};

pub(crate) use listed::AbsencePolicy;
pub use listed::FoundTx;
pub use params::Params;
pub(crate) use reader::Reader;
pub use record::{Account, Query};
pub use told::{ProofStatus, Seen, Stale, Told};

use crate::{db::DbError, light::LightError, rpc::RpcError, verify::NoSession};

/// Which state is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadAt {
    /// The newest state that can be proven: one or two blocks old.
    Newest,
    /// The state after this block. Proven once the next block is there, unproven at the very head.
    Height(Height),
    /// The newest state, on the word of one endpoint.
    Unproven,
}

/// Why a question has no answer. A record that is not there is an answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error(transparent)]
    Rpc(#[from] RpcError),
    #[error(transparent)]
    Light(#[from] LightError),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("the chain refuses the question {path}: {log} ({codespace} {code})")]
    Refused {
        path: String,
        codespace: String,
        code: i64,
        log: String,
    },
    #[error("the chain's {what} cannot be read: {why}; this Hearth may be older than the chain's version")]
    Unreadable { what: &'static str, why: String },
    #[error("nothing decides about money here, since nothing of it is proven: {why}")]
    NotProven { why: String },
    #[error("no endpoint answers; what was proven last, after block {height}, decides nothing any more")]
    Old { height: Height },
    #[error(transparent)]
    NoSession(#[from] NoSession),
    #[error("more than {most} suppliers offer the service {service}: their session cannot be proven")]
    TooMany { service: String, most: usize },
    #[error("nothing can be proven yet: the chain has only {height} blocks")]
    TooEarly { height: Height },
}

impl Failure for QueryError {
    fn kind(&self) -> Kind {
        match self {
            QueryError::Rpc(error) => error.kind(),
            QueryError::Light(error) => error.kind(),
            QueryError::Db(error) => error.kind(),
            QueryError::Refused { .. }
            | QueryError::Unreadable { .. }
            | QueryError::NoSession(_)
            | QueryError::TooMany { .. } => Kind::Skip,
            QueryError::TooEarly { .. } | QueryError::NotProven { .. } | QueryError::Old { .. } => {
                Kind::Retry
            }
        }
    }
}

impl QueryError {
    /// Whether the chain said that there is no such record (`sdk` 22).
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, QueryError::Refused { codespace, code: 22, .. } if codespace == "sdk")
    }
}

#[cfg(test)]
mod tests;

//! Reading the chain: every answer says of which height it is and how far it was verified.

mod derived;
mod epochs;
mod listed;
mod reader;
pub mod record;

use hearth_base::{Failure, Height, Kind};

pub use derived::Params;
pub(crate) use listed::AbsencePolicy;
pub use listed::FoundTx;
pub(crate) use reader::Reader;
pub use record::{Account, Query};

use crate::{db::DbError, light::LightError, rpc::RpcError};

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

/// How far an answer was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofStatus {
    /// By a proof under a header that the validators signed.
    Proven,
    /// On the word of an endpoint.
    Unproven,
    /// Proven, but long ago: no endpoint answers now.
    Stale,
}

/// A value, the height of the state it is from, and how far it was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T> {
    /// The value.
    pub value: T,
    /// The state after this block.
    pub height: Height,
    /// How far it was verified.
    pub how: ProofStatus,
}

impl<T> Verified<T> {
    /// The same standing with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Verified<U> {
        Verified {
            value: change(self.value),
            height: self.height,
            how: self.how,
        }
    }

    /// Whether it was proven, now.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.how == ProofStatus::Proven
    }
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
    #[error(
        "the endpoints {one} and {other} give different suppliers for the same session: add a third endpoint, or remove \
         the one that is wrong"
    )]
    Disagree { one: String, other: String },
    #[error("nothing can be proven yet: the chain has only {height} blocks")]
    TooEarly { height: Height },
}

impl Failure for QueryError {
    fn kind(&self) -> Kind {
        match self {
            QueryError::Rpc(error) => error.kind(),
            QueryError::Light(error) => error.kind(),
            QueryError::Db(error) => error.kind(),
            QueryError::Refused { .. } | QueryError::Unreadable { .. } => Kind::Skip,
            QueryError::TooEarly { .. } | QueryError::Disagree { .. } => Kind::Retry,
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

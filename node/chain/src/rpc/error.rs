//! Why a call to an endpoint brought no answer.

use std::time::Duration;

use hearth_base::{Failure, Kind};

/// How much of a foreign text enters an error.
const EXCERPT_CHARS: usize = 200;

/// Why a call brought no answer. `endpoint` is host and port: the rest of the address may hold an access key.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    #[error("the endpoint {endpoint} gave no answer within {limit:?}")]
    Timeout { endpoint: String, limit: Duration },
    #[error("the endpoint {endpoint} cannot be reached")]
    Unreachable {
        endpoint: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("the endpoint {endpoint} ended the connection before its answer was there")]
    BrokenOff {
        endpoint: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("the endpoint {endpoint} takes no more questions for {}", seconds(*.pause))]
    Limited { endpoint: String, pause: Duration },
    #[error("the endpoint {endpoint} answered with HTTP status {status}")]
    HttpStatus { endpoint: String, status: u16 },
    #[error("the endpoint {endpoint} answers rubbish to {method}: {what}")]
    Rubbish {
        endpoint: String,
        method: String,
        what: String,
    },
    #[error("the endpoint {endpoint} sends more than {limit} bytes")]
    TooLarge { endpoint: String, limit: usize },
    #[error("the endpoint {endpoint} refuses {method}: {message} ({data})")]
    Refused {
        endpoint: String,
        method: String,
        code: i64,
        message: String,
        data: String,
    },
    #[error("no endpoint of this chain can be asked: {}", reasons.join("; "))]
    NoneLeft { reasons: Vec<String> },
}

impl Failure for RpcError {
    fn kind(&self) -> Kind {
        match self {
            // An endpoint refuses, not the chain; only what it has pruned it will not have later either.
            RpcError::Refused { data, .. } if is_pruned(data) => Kind::Skip,
            RpcError::Refused { .. }
            | RpcError::Timeout { .. }
            | RpcError::Unreachable { .. }
            | RpcError::BrokenOff { .. }
            | RpcError::Limited { .. }
            | RpcError::HttpStatus { .. }
            | RpcError::Rubbish { .. }
            | RpcError::TooLarge { .. }
            | RpcError::NoneLeft { .. } => Kind::Retry,
        }
    }
}

impl RpcError {
    /// Whether another endpoint may do better.
    pub(crate) fn is_worth_another(&self) -> bool {
        match self {
            // Pruned, or behind the others.
            RpcError::Refused { data, .. } => is_pruned(data) || data.contains("must be less than or equal"),
            RpcError::Timeout { .. }
            | RpcError::Unreachable { .. }
            | RpcError::BrokenOff { .. }
            | RpcError::Limited { .. }
            | RpcError::HttpStatus { .. }
            | RpcError::Rubbish { .. }
            | RpcError::TooLarge { .. }
            | RpcError::NoneLeft { .. } => true,
        }
    }
}

/// Whether a refusal means that the endpoint has what was asked for no more.
pub(crate) fn is_pruned(data: &str) -> bool {
    ["lowest height", "could not find results", "not available"]
        .iter()
        .any(|text| data.contains(text))
}

/// The beginning of a foreign text, without control characters.
pub(super) fn excerpt(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(EXCERPT_CHARS)
        .collect()
}

pub(super) fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs().max(1))
}

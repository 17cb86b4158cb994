//! Why a request is not served, in the words of the official miners.
//!
//! Every refusal is JSON with the status that it deserves, and unsigned. It is never a relay response at status 200,
//! although the classic miner answers so: PATH, which most users come through, does not ask a supplier for fifteen
//! minutes after a response at 200 that it cannot verify. Gateways read both kinds.

use std::borrow::Cow;

use bytes::Bytes;
use hearth_pocket::{payload::PayloadError, relay::RelayError, ring::RingError};

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("failed to unmarshal relay request: {why}")]
    Garbage { why: String },
    #[error("the request is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the request did not arrive within {seconds} s")]
    TooSlow { seconds: u64 },
    #[error("{0}: invalid relay request")]
    Invalid(RelayError),
    #[error("supplier(s) not reachable: {supplier} is not served here")]
    OtherSupplier { supplier: String },
    #[error("supplier(s) not reachable: {supplier} takes no work now: ask another supplier")]
    SupplierAway { supplier: String },
    #[error("service \"{service}\" not configured: service endpoint not handled by relayer proxy")]
    UnknownService { service: String },
    #[error("failed to build the service backend request: {why}")]
    Payload { why: String },
    #[error("{0}")]
    Headers(PayloadError),
    #[error("this very request was answered before: sign it anew to ask again")]
    Replay,
    #[error("{0}: invalid relay request signature or bytes")]
    Ring(RingError),
    #[error(
        "a ring of {size} members is refused, {most} are enough for an application and its gateways: invalid relay \
         request signature or bytes"
    )]
    LargeRing { size: usize, most: usize },
    #[error(
        "application {application} has no gateway, and this ring holds a key that everybody has, so anybody could have signed: \
         sign with the application's key alone (its ring is that key twice), or delegate to a gateway"
    )]
    NoGateway { application: String },
    #[error("{what} mismatch, expecting: {wanted}, got: {got}: invalid session in relayer request")]
    OtherSession {
        what: &'static str,
        wanted: String,
        got: String,
    },
    #[error("session {session} takes no more answers of this supplier: its claim is made or given up")]
    Closed { session: String },
    #[error(
        "this supplier was unstaked, or dropped service \"{service}\", and the chain pays no more answers of this session: ask \
         another supplier"
    )]
    Retired { service: String },
    #[error("this supplier begins no session now: it could not pay for its claim; ask another supplier")]
    Poor,
    #[error("session expired, expecting: {end}, got: {height}: invalid session in relayer request")]
    Expired { end: u64, height: u64 },
    #[error("supplier {supplier} not found in session")]
    NotInSession { supplier: String },
    #[error("error while trying to retrieve a session: {why}")]
    NoSession { why: String },
    #[error("the chain cannot be asked now: try again soon, or another supplier")]
    NoChain { why: String },
    #[error(
        "offchain rate limit hit by relayer proxy: the application's stake pays no more answers of this session"
    )]
    OverMeter,
    #[error(
        "all {slots} places for answers (miner.slots) and {queue} for those that wait (miner.queue) are taken: try \
         again soon, or another supplier"
    )]
    Busy { slots: usize, queue: usize },
    #[error("too many large requests arrive at once: try again soon, or another supplier")]
    Crowded,
    #[error("request to service {service} timed out: no first byte within {seconds} s")]
    FirstByte { service: String, seconds: u64 },
    #[error("request to service {service} timed out: no whole answer within {seconds} s")]
    Total { service: String, seconds: u64 },
    #[error("the service's backend failed, and another supplier may do better")]
    Backend { why: String },
    #[error("the service's backend is overloaded: try again soon, or another supplier")]
    Overloaded { why: String },
    #[error("the reader went away")]
    ReaderGone,
    #[error("the answer is larger than {limit} bytes")]
    AnswerTooLarge { limit: usize },
    #[error("the answer could not be written down, so it is not given")]
    Evidence { why: String },
    #[error("the answer cannot be signed now")]
    Signing { why: String },
    #[error(
        "internal error: a fault in this program broke the relay off; the log says where, please report it"
    )]
    Fault,
}

impl Refusal {
    /// The HTTP status of the refusal, and a short name for gateways and metrics.
    fn names(&self) -> (u16, &'static str) {
        match self {
            Refusal::Garbage { .. } => (400, "garbage"),
            Refusal::TooLarge { .. } => (413, "too_large"),
            Refusal::TooSlow { .. } => (408, "too_slow"),
            Refusal::Invalid(_) => (400, "invalid"),
            Refusal::OtherSupplier { .. } => (503, "other_supplier"),
            Refusal::SupplierAway { .. } => (503, "supplier_away"),
            Refusal::UnknownService { .. } => (404, "unknown_service"),
            Refusal::Payload { .. } => (400, "payload"),
            Refusal::Headers(_) => (431, "headers"),
            Refusal::Replay => (409, "replay"),
            Refusal::Ring(_) => (403, "ring"),
            Refusal::LargeRing { .. } => (403, "large_ring"),
            Refusal::NoGateway { .. } => (403, "no_gateway"),
            Refusal::OtherSession { .. } => (403, "other_session"),
            Refusal::Closed { .. } => (503, "closed"),
            Refusal::Retired { .. } => (503, "retired"),
            Refusal::Poor => (503, "no_funds"),
            Refusal::Expired { .. } => (403, "expired"),
            Refusal::NotInSession { .. } => (403, "not_in_session"),
            Refusal::NoSession { .. } => (403, "no_session"),
            Refusal::NoChain { .. } => (503, "no_chain"),
            Refusal::OverMeter => (429, "over_meter"),
            Refusal::Busy { .. } | Refusal::Overloaded { .. } => (503, "busy"),
            Refusal::Crowded => (503, "crowded"),
            Refusal::FirstByte { .. } => (504, "first_byte"),
            Refusal::Total { .. } => (504, "total_time"),
            Refusal::Backend { .. } => (502, "backend"),
            Refusal::ReaderGone => (499, "reader_gone"),
            Refusal::AnswerTooLarge { .. } => (502, "answer_too_large"),
            Refusal::Evidence { .. } => (500, "evidence"),
            Refusal::Signing { .. } => (500, "signing"),
            Refusal::Fault => (500, "internal"),
        }
    }

    /// A short name for gateways and metrics.
    pub(crate) fn label(&self) -> &'static str {
        self.names().1
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.names().0
    }

    /// After how many seconds the same may be asked again; `None`: that would change nothing.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        if let Refusal::Busy { .. } | Refusal::Crowded = self {
            Some(1)
        } else if let Refusal::Overloaded { .. } | Refusal::NoChain { .. } = self {
            Some(5)
        } else {
            None
        }
    }

    /// What only the operator is told: it may name addresses and folders.
    pub(crate) fn detail(&self) -> &str {
        if let Refusal::Backend { why }
        | Refusal::Overloaded { why }
        | Refusal::NoChain { why }
        | Refusal::Evidence { why }
        | Refusal::Signing { why } = self
        {
            why
        } else {
            ""
        }
    }

    /// The refusal as JSON.
    #[must_use]
    pub fn to_json(&self) -> Bytes {
        /// What is repeated of a request is not repeated at any length.
        const MOST: usize = 500;
        let text = self.to_string();
        let text = match text.char_indices().nth(MOST) {
            Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
            None => Cow::Borrowed(text.as_str()),
        };
        serde_json::json!({ "error": text, "code": self.label() })
            .to_string()
            .into()
    }
}

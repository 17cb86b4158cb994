//! Why a request is not served, in the words of the official miners.
//!
//! A single answer is refused as the classic miner does it: HTTP status 200 with an unsigned relay response. A stream
//! is refused as the high-availability miner does it: a real status with JSON. Gateways read both.

use bytes::Bytes;
use hearth_pocket::{
    message::{relay::RelayMinerError, session::SessionHeader},
    relay::{RelayError, error_response},
    ring::RingError,
};
use prost::Message as _;

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
    #[error("service \"{service}\" not configured: service endpoint not handled by relayer proxy")]
    UnknownService { service: String },
    #[error("failed to build the service backend request: {why}: internal error")]
    Payload { why: String },
    #[error("{0}: invalid relay request signature or bytes")]
    Ring(RingError),
    #[error(
        "a ring of {size} members is refused, {most} are enough for an application and its gateways: invalid relay \
         request signature or bytes"
    )]
    LargeRing { size: usize, most: usize },
    #[error(
        "application {application} has no gateway, so anybody could sign in its name: delegate to a gateway first"
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
    #[error("session expired, expecting: {end}, got: {height}: invalid session in relayer request")]
    Expired { end: u64, height: u64 },
    #[error("supplier {supplier} not found in session")]
    NotInSession { supplier: String },
    #[error("error while trying to retrieve a session: {why}")]
    NoSession { why: String },
    #[error("the chain cannot be asked now: {why}")]
    NoChain { why: String },
    #[error(
        "offchain rate limit hit by relayer proxy: the application's stake pays no more answers of this session"
    )]
    OverMeter,
    #[error("all {slots} places are taken: try again soon, or another supplier")]
    Busy { slots: usize },
    #[error("too many large requests arrive at once: try again soon, or another supplier")]
    Crowded,
    #[error("request to service {service} timed out: no first byte within {seconds} s")]
    FirstByte { service: String, seconds: u64 },
    #[error("request to service {service} timed out: no whole answer within {seconds} s")]
    Total { service: String, seconds: u64 },
    #[error("the service's backend failed: {why}")]
    Backend { why: String },
    #[error("the answer is larger than {limit} bytes")]
    AnswerTooLarge { limit: usize },
    #[error("the answer could not be written down, so it is not given: {why}")]
    Evidence { why: String },
    #[error("the answer cannot be signed: {why}")]
    Signing { why: String },
    #[error(
        "internal error: a fault in this program broke the relay off; the log says where, please report it"
    )]
    Fault,
}

/// How both kinds of miner name a refusal.
struct Names {
    codespace: &'static str,
    code: u32,
    description: &'static str,
    status: u16,
}

impl Refusal {
    fn names(&self) -> Names {
        let names = |codespace, code, description, status| Names {
            codespace,
            code,
            description,
            status,
        };
        let proxy = |code, description, status| names("relayer_proxy", code, description, status);
        match self {
            Refusal::Garbage { .. } => proxy(14, "failed to unmarshal relay request", 400),
            Refusal::TooLarge { .. } => proxy(11, "max body size exceeded", 413),
            Refusal::TooSlow { .. } => proxy(10, "relayer proxy request timed out", 408),
            Refusal::Invalid(_) => names("service", 1111, "invalid relay request", 400),
            Refusal::OtherSupplier { .. } => proxy(9, "supplier(s) not reachable", 503),
            Refusal::UnknownService { .. } => proxy(3, "service endpoint not handled by relayer proxy", 404),
            Refusal::Payload { .. } => proxy(5, "internal error", 400),
            Refusal::Ring(_) | Refusal::LargeRing { .. } => {
                names("rings", 3, "invalid relay request signature", 403)
            }
            Refusal::NoGateway { .. } => names("rings", 2, "invalid relay request", 403),
            Refusal::OtherSession { .. } | Refusal::Expired { .. } => names(
                "relay_authenticator",
                1,
                "invalid session in relayer request",
                403,
            ),
            Refusal::NotInSession { .. } => names(
                "relay_authenticator",
                2,
                "supplier does not belong to session",
                403,
            ),
            Refusal::NoSession { .. } => names("query", 3, "error while trying to retrieve a session", 403),
            Refusal::NoChain { .. } => names("query", 3, "error while trying to retrieve a session", 503),
            Refusal::OverMeter => proxy(7, "offchain rate limit hit by relayer proxy", 429),
            Refusal::Busy { .. } | Refusal::Crowded | Refusal::Closed { .. } => {
                proxy(9, "supplier(s) not reachable", 503)
            }
            Refusal::FirstByte { .. } | Refusal::Total { .. } => {
                proxy(10, "relayer proxy request timed out", 504)
            }
            Refusal::Backend { .. } => proxy(5, "internal error", 502),
            Refusal::AnswerTooLarge { .. } => proxy(12, "response limit exceeded", 502),
            Refusal::Evidence { .. } | Refusal::Signing { .. } | Refusal::Fault => {
                proxy(5, "internal error", 500)
            }
        }
    }

    /// A short name for metrics.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Refusal::Garbage { .. } => "garbage",
            Refusal::TooLarge { .. } => "too_large",
            Refusal::TooSlow { .. } => "too_slow",
            Refusal::Invalid(_) => "invalid",
            Refusal::OtherSupplier { .. } => "other_supplier",
            Refusal::UnknownService { .. } => "unknown_service",
            Refusal::Payload { .. } => "payload",
            Refusal::Ring(_) => "ring",
            Refusal::LargeRing { .. } => "large_ring",
            Refusal::NoGateway { .. } => "no_gateway",
            Refusal::OtherSession { .. } => "other_session",
            Refusal::Expired { .. } => "expired",
            Refusal::NotInSession { .. } => "not_in_session",
            Refusal::NoSession { .. } => "no_session",
            Refusal::NoChain { .. } => "no_chain",
            Refusal::OverMeter => "over_meter",
            Refusal::Busy { .. } => "busy",
            Refusal::Crowded => "crowded",
            Refusal::Closed { .. } => "closed",
            Refusal::FirstByte { .. } => "first_byte",
            Refusal::Total { .. } => "total_time",
            Refusal::Backend { .. } => "backend",
            Refusal::AnswerTooLarge { .. } => "answer_too_large",
            Refusal::Evidence { .. } => "evidence",
            Refusal::Signing { .. } => "signing",
            Refusal::Fault => "internal",
        }
    }

    /// The status of the refusal where it is JSON.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.names().status
    }

    /// The refusal as a relay response.
    #[must_use]
    pub fn to_response(&self, header: Option<SessionHeader>) -> Bytes {
        let names = self.names();
        let error = RelayMinerError {
            codespace: names.codespace.to_owned(),
            code: names.code,
            description: names.description.to_owned(),
            message: self.to_string(),
        };
        error_response(header, error).encode_to_vec().into()
    }

    /// The refusal as JSON.
    #[must_use]
    pub fn to_json(&self) -> Bytes {
        serde_json::json!({ "error": self.to_string() })
            .to_string()
            .into()
    }
}

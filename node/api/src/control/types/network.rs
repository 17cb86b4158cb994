//! The Network page: can I trust what I see?

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Head, NetworkName, Reason, Standing, Upokt};

/// The chain, its proof, the session and the endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkPage {
    pub network: NetworkName,
    pub denom: String,
    pub head: Option<Head>,
    /// What is wrong between this node and the chain, with what to do about it.
    #[serde(default)]
    pub problem: Option<Reason>,
    pub trust: Option<TrustAnchor>,
    /// This computer's clock minus the chain's; only large values mean anything.
    pub clock_skew_ms: Option<i64>,
    pub session: Option<SessionStrip>,
    pub endpoints: Vec<Endpoint>,
    pub services: Vec<NetworkService>,
    /// Suppliers of this node's application in the current session.
    pub suppliers: Vec<SessionSupplier>,
    /// What this node has staked.
    pub roles: Vec<StakedRole>,
}

/// Where trust starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrustAnchor {
    pub height: u64,
    /// Block hash in upper-case hex.
    pub hash: String,
    /// `preset`, `network file`, or `agreed by 2 endpoints`.
    pub source: String,
}

/// The windows of the current session, as heights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionStrip {
    pub number: u64,
    pub start: u64,
    pub end: u64,
    pub grace_end: u64,
    pub claim_opens: u64,
    pub claim_closes: u64,
    pub proof_opens: u64,
    pub proof_closes: u64,
}

/// How an endpoint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    Ok,
    /// It answers, but is behind the chain, went back, or stands still.
    Stale,
    Down,
    /// It contradicted the signed chain and is not used any more.
    Lied,
    /// It belongs to another chain.
    OtherChain,
    Unknown,
}

/// One endpoint of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Endpoint {
    pub url: String,
    pub state: EndpointState,
    pub height: Option<u64>,
    pub latency_ms: Option<u64>,
    pub error: Option<String>,
}

/// A service of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkService {
    pub id: String,
    pub name: String,
    pub owner: String,
    pub compute_units_per_answer: u64,
    pub price: Option<Upokt>,
    pub suppliers: Option<u32>,
    pub standing: Standing,
}

/// A supplier of the current session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionSupplier {
    pub address: String,
    pub service: String,
    pub url: Option<String>,
    /// It is this node.
    pub own: bool,
    pub answered: u64,
    pub failed: u64,
    pub first_token_ms: Option<u64>,
    /// Why it is not chosen at present.
    pub avoided: Option<String>,
}

/// A role that this node has staked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StakedRole {
    /// `supplier`, `application` or `gateway`.
    pub role: String,
    pub address: String,
    pub stake: Upokt,
    pub services: Vec<String>,
    pub standing: Standing,
    /// First block in which it is active, where that lies ahead; last one where it unstakes.
    pub note: Option<String>,
}

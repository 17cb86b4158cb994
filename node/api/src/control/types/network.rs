//! The Network page: can I trust what I see?

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Head, NetworkName, Reason, Standing, Timestamp, Upokt};

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
    /// The program that the chain runs; `None` where no endpoint tells.
    #[serde(default)]
    pub program: Option<ChainProgram>,
    /// In the order in which they are asked now, those that are not asked last.
    pub endpoints: Vec<Endpoint>,
    /// A block that an endpoint shows, where nothing is trusted yet: to be compared with others, and accepted.
    #[serde(default)]
    pub offered: Option<OfferedBlock>,
    /// False answers that are kept as evidence; `GET /network/evidence` has them.
    #[serde(default)]
    pub false_answers: u32,
    pub services: Vec<NetworkService>,
    /// Suppliers of this node's application in the current session.
    pub suppliers: Vec<SessionSupplier>,
    /// What this node has staked.
    pub roles: Vec<StakedRole>,
}

/// The program that the chain runs, on an endpoint's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChainProgram {
    /// Such as `v0.1.35`.
    pub version: String,
    /// The newest version that this release was tested with.
    pub tested_with: String,
    /// It is newer than that: messages, events or rules may have changed.
    pub is_newer: bool,
    /// The upgrade that the chain has planned.
    pub upgrade: Option<PlannedUpgrade>,
}

/// An upgrade of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedUpgrade {
    pub name: String,
    /// The block at which the chain waits for it.
    pub height: u64,
    /// About how many seconds until then.
    pub seconds: Option<u64>,
    /// It brings what this release was not tested with.
    pub is_newer: bool,
}

/// Where trust starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrustAnchor {
    pub height: u64,
    /// Block hash in upper-case hex.
    pub hash: String,
    /// `a person`, `network file`, `configuration`, or `agreed by 2 endpoints`.
    pub source: String,
    /// When a person gave it.
    #[serde(default)]
    pub given_at: Option<Timestamp>,
}

/// A block on an endpoint's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OfferedBlock {
    pub height: u64,
    /// Block hash in upper-case hex.
    pub hash: String,
}

/// The block that a person trusts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiveAnchor {
    pub height: u64,
    /// Block hash, hex.
    pub hash: String,
    /// Whether it counts also where it contradicts what was verified, which is forgotten then.
    #[serde(default)]
    pub instead: bool,
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
    /// It takes no more questions for a while.
    Limited,
    /// It belongs to another chain.
    OtherChain,
    Unknown,
}

/// One endpoint of the chain. Its whole address may hold an access key and is never shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Endpoint {
    /// What tells it from others of the same host.
    #[serde(default)]
    pub id: String,
    /// Host and port.
    pub url: String,
    pub state: EndpointState,
    /// How gladly it is asked, of 100.
    #[serde(default)]
    pub score: u8,
    /// Whether it was added here; else it is configured.
    #[serde(default)]
    pub added: bool,
    pub height: Option<u64>,
    pub latency_ms: Option<u64>,
    /// Of a thousand of the last questions, how many failed.
    #[serde(default)]
    pub failed_permille: u16,
    /// False answers that are known of it.
    #[serde(default)]
    pub lies: u32,
    /// What it was asked since the program started.
    #[serde(default)]
    pub asked: u64,
    /// How long it is left alone from now.
    #[serde(default)]
    pub rests_s: Option<u64>,
    pub error: Option<String>,
}

/// An endpoint to add.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddEndpoint {
    /// Its whole address, with its access key where it has one.
    pub url: String,
}

impl std::fmt::Debug for AddEndpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AddEndpoint")
    }
}

/// An endpoint that is meant: by its id, or by host and port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NameEndpoint {
    pub endpoint: String,
}

/// Which endpoints are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TryEndpoints {
    /// One of them; without it all are tried.
    #[serde(default)]
    pub endpoint: Option<String>,
}

/// What an endpoint showed when it was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndpointTrial {
    pub id: String,
    pub url: String,
    pub latency_ms: Option<u64>,
    pub height: Option<u64>,
    /// The chain that it serves.
    pub chain: String,
    /// Whether it has the newest verified block; `None` where that cannot be said.
    pub agrees: Option<bool>,
    /// Whether it gives proofs of the state.
    pub proves: bool,
    pub error: Option<String>,
}

/// What all that were tried showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndpointTrialList {
    pub trials: Vec<EndpointTrial>,
}

/// A false answer of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FalseAnswer {
    pub at: Timestamp,
    /// Host and port.
    pub endpoint: String,
    /// What is false about it.
    pub why: String,
    /// The question; empty where no single answer shows it.
    pub question: String,
    /// The answer as it came, cut where it is long.
    pub answer: String,
}

/// False answers, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FalseAnswerList {
    pub answers: Vec<FalseAnswer>,
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

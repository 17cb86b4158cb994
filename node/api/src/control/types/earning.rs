//! The Earn page: the state with its reasons, the pipeline of money, sessions and their answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Reason, Timestamp, Upokt};

/// The state of earning, a view of the core's machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Earning {
    pub state: EarningState,
    /// Why it is in this state: a code (`stopped`, `key_locked`, `local_chat` …).
    pub why: Option<String>,
    /// The same for people: `loading the model`, `waiting for work`.
    pub detail: Option<String>,
    pub since: Timestamp,
    /// Answers being served now.
    pub serving: u32,
    /// What stands in the way of earning. Empty: it can start.
    pub reasons: Vec<Reason>,
    /// What is worth knowing and does not stop all of it.
    pub notes: Vec<Reason>,
    /// Each supplier of this node for itself, the usual one first. What stands in the way of one stops no other.
    #[serde(default)]
    pub suppliers: Vec<SupplierEarning>,
}

/// What of earning is one supplier's alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SupplierEarning {
    /// Its operator's address.
    pub operator: String,
    /// Its owner's address, where the chain has said so.
    pub owner: Option<String>,
    pub state: EarningState,
    /// Answers that it serves now.
    pub serving: u32,
    /// What stands in its way alone. Empty: it serves while earning is on.
    pub reasons: Vec<Reason>,
    /// What is worth knowing and stops nothing.
    pub notes: Vec<Reason>,
}

/// The states of earning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EarningState {
    Off,
    Starting,
    Idle,
    Serving,
    Yielding,
    Draining,
}

/// What the Earn page shows beside money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EarningPage {
    pub earning: Earning,
    /// The usual supplier's address on chain.
    pub supplier: Option<String>,
    /// Where the relay server listens; `None` while earning is off.
    pub listen: Option<String>,
    /// The URL that is staked.
    pub public_url: Option<String>,
    pub services: Vec<ServedService>,
    pub running: Vec<RunningAnswer>,
    /// The most answers served at once.
    pub max_running: u32,
    /// Answers since the node started.
    pub answered: u64,
    /// Requests refused since the node started.
    pub refused: u64,
    /// Answers that were given but came too late to be paid.
    pub unpaid_late: u64,
}

/// A service that this node serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServedService {
    pub id: String,
}

/// An answer that is being served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunningAnswer {
    pub id: String,
    pub service: String,
    pub session_id: String,
    /// The operator of the supplier that answers.
    #[serde(default)]
    pub supplier: String,
    pub started_at: Timestamp,
}

/// The six stages of money, in the order in which they are always drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MoneyStage {
    /// Accumulating: never summed into a balance.
    Estimate,
    /// Sealed, ClaimSent.
    Pending,
    /// ClaimIncluded, ProofDue, ProofSent.
    Claimed,
    /// ProofIncluded, ProofNotRequired.
    Proven,
    /// Settled.
    Settled,
    /// Bank balance of both keys.
    Spendable,
    /// It ended badly: skipped, missed, invalid, expired.
    Lost,
}

/// One stage of the pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StageSum {
    pub stage: MoneyStage,
    /// Your share; of `spendable` what both keys hold. `None`: not known, since the chain does not answer.
    pub amount: Option<Upokt>,
    /// How many sessions it is made of.
    pub sessions: u32,
}

/// Sums for the head of the Earn page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EarningSummary {
    /// All six stages, then `lost`.
    pub pipeline: Vec<StageSum>,
    pub settled_today: Upokt,
    pub settled_total: Upokt,
    pub sessions_settled: u64,
    pub answers_today: u64,
    /// The last 14 days, the oldest first.
    pub days: Vec<EarningDay>,
    /// The share of the minted amount that is yours, in tenths of a percent. `None` until a session settled.
    pub share_permille: Option<u32>,
    /// What was settled for each supplier and owner. That of another owner is in no sum above.
    #[serde(default)]
    pub suppliers: Vec<SupplierSum>,
}

/// What was settled for one supplier of this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SupplierSum {
    /// Its operator's address.
    pub operator: String,
    /// Who owned it then; empty where no session says.
    #[serde(default)]
    pub owner: String,
    /// Whether that is this wallet, so that it counts in the sums.
    #[serde(default)]
    pub is_own: bool,
    /// What came to its operator and its owner.
    pub settled: Upokt,
    pub sessions: u64,
    /// What is claimed or to be claimed, as far as it is known.
    #[serde(default)]
    pub open: Upokt,
}

/// One day of the chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EarningDay {
    /// `2026-11-21`, in UTC.
    pub date: String,
    pub settled: Upokt,
    /// Claimed but not settled, drawn as an estimate.
    pub unsettled: Upokt,
    pub answers: u64,
}

/// The states of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClaimState {
    Accumulating,
    Sealed,
    ClaimSent,
    ClaimIncluded,
    ProofNotRequired,
    ProofDue,
    ProofSent,
    ProofIncluded,
    Settled,
    Skipped,
    ClaimMissed,
    ProofMissed,
    ProofInvalid,
    Expired,
}

/// One session of one application with this supplier, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EarnedSession {
    pub id: String,
    pub service: String,
    /// The operator of the supplier that served. Two of this node may serve in one session.
    #[serde(default)]
    pub supplier: String,
    /// Its owner when the session began.
    #[serde(default)]
    pub owner: String,
    pub application: String,
    pub start_height: u64,
    pub end_height: u64,
    pub state: ClaimState,
    pub stage: MoneyStage,
    /// Why it ended badly, or was not worth claiming.
    pub why: Option<String>,
    /// Answers in the evidence.
    pub answers: u64,
    pub compute_units: u64,
    /// Your share: settled where it is known, else what the arithmetic gives.
    pub amount: Upokt,
    /// `amount` is an estimate.
    pub estimated: bool,
    pub claimed: Option<Upokt>,
    pub minted: Option<Upokt>,
    pub settled: Option<Upokt>,
    /// What was lost by a bad end.
    pub lost: Option<Upokt>,
    pub slash: Option<Slash>,
    pub claim_opens: Option<u64>,
    pub claim_closes: Option<u64>,
    pub proof_opens: Option<u64>,
    pub proof_closes: Option<u64>,
    pub claim_tx: Option<String>,
    pub claim_height: Option<u64>,
    pub proof_tx: Option<String>,
    pub proof_height: Option<u64>,
    pub settled_height: Option<u64>,
    pub updated_at: Timestamp,
}

/// What the chain took of the stake for a claim without a valid proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Slash {
    pub height: u64,
    pub amount: Upokt,
    pub stake_after: Upokt,
}

/// Sessions, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EarnedSessionList {
    pub sessions: Vec<EarnedSession>,
    /// How many there are in all.
    pub total: u64,
}

/// One answered request of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EarnedRelay {
    /// Hash of the relay, in hex.
    pub hash: String,
    pub answered_at: Timestamp,
    pub duration_ms: Option<u64>,
    pub bytes_out: u64,
    pub completion_tokens: Option<u32>,
    pub status: u16,
    /// It met the difficulty, so it lies in the tree.
    pub in_tree: bool,
    /// Why it failed or is not paid.
    pub failure: Option<String>,
}

/// The answers of one session, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EarnedRelayList {
    pub relays: Vec<EarnedRelay>,
    pub total: u64,
}

//! What runs: the status that every page shows, the set-up of devnet, the doctor.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Earning, Reason, Standing, Timestamp};

/// The whole node at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    pub version: String,
    pub started_at: Timestamp,
    pub network: NetworkName,
    /// `None` until an endpoint of the chain answered.
    pub head: Option<Head>,
    /// What is wrong between this node and the chain, with what to do about it.
    #[serde(default)]
    pub chain_problem: Option<Reason>,
    pub earning: Earning,
    pub wallet: WalletStatus,
    pub setup: Setup,
    /// Names of the models in memory.
    pub loaded_models: Vec<String>,
    /// Answers that are being written now, of all callers.
    pub running_answers: u32,
    /// What is stored and was found damaged or unreadable: each names the row or the file, and says what to do.
    #[serde(default)]
    pub problems: Vec<String>,
}

/// Which chain this node is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkName {
    /// `mainnet`, `beta`, `devnet` or the name in the network file.
    pub name: String,
    pub chain_id: String,
    /// Play money: nothing here has value.
    pub is_devnet: bool,
}

/// The newest block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Head {
    pub height: u64,
    pub time: Timestamp,
    /// The newest height whose header the light client verified.
    pub verified_height: Option<u64>,
    pub standing: Standing,
    /// Mean time between the last blocks.
    pub block_time_ms: Option<u64>,
}

/// Whether there is a wallet, and what it can sign now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WalletStatus {
    pub exists: bool,
    /// The main key needs the password.
    pub main_locked: bool,
    /// The working key cannot sign, so nothing can be earned.
    pub working_locked: bool,
    pub main_address: Option<String>,
    pub working_address: Option<String>,
    /// The recovery words were checked by the owner; also where there are none.
    pub words_checked: bool,
    /// There are recovery words. Keys that were brought in by themselves have none.
    #[serde(default)]
    pub has_words: bool,
}

/// The set-up of devnet: the wizard's own job, step by step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Setup {
    pub running: bool,
    pub done: bool,
    /// Empty where there is nothing to set up (any network but devnet).
    pub steps: Vec<SetupStep>,
}

/// One step of the set-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetupStep {
    /// `model`, `wallet`, `faucet`, `service`, `supplier`, `application`, `gateway`, `delegation`, `earning`.
    pub id: String,
    pub title: String,
    pub state: SetupState,
    /// A small fact: `earning from block 31`.
    pub fact: Option<String>,
    /// Why it failed and what to do.
    pub error: Option<String>,
}

/// Where a step of the set-up stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SetupState {
    Waiting,
    Running,
    Done,
    Failed,
}

/// All checks of the doctor, fails last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Doctor {
    pub checks: Vec<Check>,
}

/// One check of the doctor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    pub level: Level,
    /// A stable word, for the reasons of the interface design the same code.
    pub code: String,
    pub subject: String,
    pub fact: String,
    /// Empty where the check passed.
    pub meaning: String,
    pub remedy: Option<String>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Ok,
    Warn,
    Fail,
}

/// The answer of `/health` and `/ready`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`; `local` where only models of this computer answer, since the chain is away; `not ready`.
    pub status: String,
    /// What is missing; empty where it is `ok`.
    pub reasons: Vec<String>,
}

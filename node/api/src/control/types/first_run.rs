//! The first run: this computer, a model, a wallet, a role, ready.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A step, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FirstStepId {
    Computer,
    Model,
    Wallet,
    Role,
    Ready,
}

impl FirstStepId {
    /// All of them, in order.
    pub const ALL: [FirstStepId; 5] = [
        FirstStepId::Computer,
        FirstStepId::Model,
        FirstStepId::Wallet,
        FirstStepId::Role,
        FirstStepId::Ready,
    ];
}

/// What a person did with a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FirstStepState {
    Open,
    Done,
    Skipped,
}

/// What a person wants of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FirstRole {
    /// Only chat.
    Chat,
    /// Earn with a stake of one's own.
    Earn,
    /// Try it with play money.
    Devnet,
}

/// A step with its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstStep {
    pub id: FirstStepId,
    pub state: FirstStepState,
}

/// How far the first run is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FirstRun {
    /// Whether the page begins with it: it was begun and not ended, or nothing is set up yet.
    pub wanted: bool,
    /// All steps in order.
    pub steps: Vec<FirstStep>,
    pub role: Option<FirstRole>,
    pub computer: Computer,
}

/// What this computer has. A figure that nobody knows is zero or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Computer {
    pub cpu: String,
    pub threads: u32,
    pub memory_bytes: u64,
    pub available_bytes: u64,
    /// Names of graphics processors.
    pub graphics: Vec<String>,
    /// Free where models are kept.
    pub disk_free_bytes: u64,
}

/// What is to be noted; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstRunPatch {
    pub step: Option<FirstStep>,
    pub role: Option<FirstRole>,
    /// `true` ends it; `false` begins it anew.
    pub ended: Option<bool>,
}

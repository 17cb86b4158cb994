//! What was asked for, by whom, and what it cost.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Upokt;

/// Counts of requests for answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageCounts {
    pub requests: u64,
    /// Of the requests, those without an answer.
    pub errors: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    /// What answers of the network cost.
    pub cost: Upokt,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AskerKind {
    /// The page and the command line.
    Owner,
    /// Programs of this computer that show no key.
    Local,
    Key,
}

/// One day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageDay {
    /// `2026-11-30`, in UTC.
    pub date: String,
    pub counts: UsageCounts,
}

/// What one asked of one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageSum {
    pub asker: AskerKind,
    pub key_id: Option<String>,
    /// Of the key, if it is still there.
    pub key_name: Option<String>,
    /// Empty where the requests named none, or too many different ones.
    pub model: String,
    pub counts: UsageCounts,
}

/// The usage of some days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageReport {
    /// Every day, the oldest first; the last is today.
    pub days: Vec<UsageDay>,
    /// Sums over these days, the most requests first; 500 at most.
    pub sums: Vec<UsageSum>,
    /// How many sums there are.
    pub total: u64,
}

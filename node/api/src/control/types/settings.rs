//! The Settings page: what the UI may change, licences.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Upokt;

/// The theme of the UI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

/// How much of a streamed answer a screen reader says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Announce {
    #[default]
    Sentences,
    End,
    Nothing,
}

/// All settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Settings {
    pub theme: Theme,
    /// A language tag; `None` follows the browser.
    pub language: Option<String>,
    pub announce: Announce,
    /// The model of a new chat; `None` takes the first that is ready.
    pub default_model: Option<String>,
    /// What every new chat starts with.
    pub system_prompt: Option<String>,
    /// What answers of the network may cost.
    pub network_budget: NetworkBudget,
    /// Origins of pages that browsers let call the OpenAI API, beside those of the configuration
    /// (`api.allowed_origins`).
    pub allowed_origins: Vec<String>,
    /// Those of the configuration.
    pub configured_origins: Vec<String>,
}

/// Settings to change; what is absent stays. An empty text clears a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsPatch {
    pub theme: Option<Theme>,
    pub language: Option<String>,
    pub announce: Option<Announce>,
    pub default_model: Option<String>,
    pub system_prompt: Option<String>,
    /// The most that answers of the network may cost in a day, in upokt; zero buys none.
    pub daily_cap: Option<Upokt>,
    /// Replaces all of them.
    pub allowed_origins: Option<Vec<String>>,
}

/// What answers of the network may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkBudget {
    /// In a day (UTC).
    pub daily_cap: Upokt,
    /// What they cost today, answers whose cost is unknown included.
    pub spent_today: Upokt,
}

/// A part of other people that Hearth is built from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Licence {
    pub name: String,
    pub version: String,
    /// SPDX expression.
    pub licence: String,
    pub repository: Option<String>,
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LicenceList {
    pub licences: Vec<Licence>,
}

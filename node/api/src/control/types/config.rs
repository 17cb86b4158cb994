//! The configuration as the Settings page shows and changes it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConfigKind {
    Text,
    /// A file or a folder of the node's computer.
    Path,
    Url,
    /// Where something listens, `127.0.0.1:4327`.
    Address,
    Number,
    /// `true` or `false`.
    YesNo,
    /// One of `choices`.
    Choice,
    /// Several texts, one in each line.
    List,
    /// Names that people choose, each with a text: `KEY.NAME`. It is listed itself only while it has none.
    Names,
    /// Names that people choose, each with settings of its own: `KEY.NAME.SETTING`.
    Tables,
}

/// One setting of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigSetting {
    /// `api.listen`.
    pub key: String,
    pub kind: ConfigKind,
    /// Where `kind` is a choice.
    pub choices: Vec<String>,
    /// What counts, or will with the next start; empty where nothing is set. Passwords in addresses are left out.
    pub value: String,
    /// What counts until the next start, where that is something else.
    pub in_force: Option<String>,
    /// `built-in`, the file, or the variable or flag it comes from.
    pub origin: String,
    /// Environment or flag set it, so the file cannot.
    pub locked: bool,
    /// Whether a change counts at once; else with the next start.
    pub at_once: bool,
}

/// All settings of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigPage {
    /// The file that changes are written to.
    pub file: String,
    pub settings: Vec<ConfigSetting>,
    /// Some of them wait for the next start.
    pub needs_restart: bool,
    /// Whether this program can start itself anew when it is asked to; else a person does.
    pub can_restart: bool,
    /// Why the file as it is cannot be read, if so: somebody wrote it since the start.
    pub problem: Option<String>,
}

/// Settings to change, all together or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigPatch {
    pub changes: Vec<ConfigChange>,
}

/// A setting that is to have another value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigChange {
    pub key: String,
    /// As people type it; `null` takes it out of the file.
    pub value: Option<String>,
}

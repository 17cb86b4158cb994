//! Connecting other programs: their settings to copy, and files of this computer that are written and taken back.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{KeyLimits, Timestamp};

/// The programs that can be connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProgramList {
    pub programs: Vec<Program>,
    /// The model that the lines name; `None` where there is none to ask.
    pub model: Option<String>,
    /// What stands in them for the API key.
    pub key_placeholder: String,
    /// Whether the caller may have files written: from this computer, and where the node runs as a person.
    pub may_write: bool,
}

/// A program that asks models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Program {
    pub id: String,
    pub title: String,
    /// What it is, in a few words.
    pub what: String,
    /// Whether it is on the node's computer; `None` where nobody can know.
    pub found: Option<bool>,
    /// The file with its settings, where it has one that is written.
    pub path: Option<String>,
    /// Whether the key lies in that file; else the person gives it to the program.
    pub keeps_key_in_file: bool,
    pub snippets: Vec<Snippet>,
    pub connected: Option<ConnectedProgram>,
}

/// Text to copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Snippet {
    /// Where it goes: a path, or a word.
    pub label: String,
    pub language: String,
    pub text: String,
}

/// What was written for a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConnectedProgram {
    pub path: String,
    pub model: String,
    /// The node's address in it.
    pub root: String,
    /// The API key's id.
    pub key_id: String,
    pub at: Timestamp,
}

/// What would be written into a program's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConnectPreview {
    pub path: String,
    pub lines: Vec<DiffLine>,
    /// Stands for the file as it was read, to be sent back: what is written is what was shown.
    pub seen: String,
}

/// One line of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiffLine {
    pub kind: DiffKind,
    pub text: String,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiffKind {
    Same,
    Added,
    Removed,
    /// Lines that stay were left out here.
    Gap,
}

/// Has a program's file written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectOrder {
    pub model: String,
    /// Of the preview.
    pub seen: String,
    /// What the program's key may do; models of this computer unless told.
    pub limits: Option<KeyLimits>,
}

/// A program that was connected. Without `Debug`: it may have a key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Connected {
    pub connected: ConnectedProgram,
    /// The API key, where the program keeps it elsewhere than in its file: shown once.
    pub secret: Option<String>,
}

/// A program that is not connected any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Disconnected {
    pub path: String,
    /// Settings that were changed since, and stay as they are.
    pub kept: Vec<String>,
    /// The file is gone: there was none before.
    pub removed: bool,
}

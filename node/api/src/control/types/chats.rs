//! Around conversations: folders, files that go with a question, presets, import, how full the context is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AnswerParams;

/// A folder of conversations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Folder {
    pub name: String,
    /// How many lie in it; archived ones are not counted.
    pub conversations: u32,
}

/// Gives a folder another name. An empty one takes its conversations out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameFolder {
    pub from: String,
    pub to: String,
}

/// A file whose text goes with a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attachment {
    pub id: String,
    pub name: String,
    /// What its content is, whatever its name says: `text/plain` or `application/pdf`.
    pub media_type: String,
    /// Of the file.
    pub bytes: u64,
    /// Of the text that was found in it.
    pub characters: u64,
    /// The text was too long, and its end is left out.
    pub is_cut: bool,
}

/// Settings to begin a conversation with. A conversation copies them: a later change of the preset changes no
/// conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Preset {
    pub id: String,
    pub name: String,
    pub system_prompt: Option<String>,
    pub model: Option<String>,
    pub params: AnswerParams,
}

/// All presets, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PresetList {
    pub presets: Vec<Preset>,
}

/// A new preset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPreset {
    pub name: String,
    pub system_prompt: Option<String>,
    pub model: Option<String>,
    pub params: Option<AnswerParams>,
}

/// What to change about a preset; what is absent stays, and an empty text clears.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PresetPatch {
    pub name: Option<String>,
    pub system_prompt: Option<String>,
    pub model: Option<String>,
    /// Takes the place of all that were there.
    pub params: Option<AnswerParams>,
}

/// What came in of a file with conversations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Imported {
    pub conversations: u32,
    pub messages: u32,
    /// What is left out, and why: the first hundred.
    pub skipped: Vec<SkippedChat>,
}

/// A conversation that did not come in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SkippedChat {
    pub title: String,
    pub reason: String,
}

/// A question that is not asked yet, of which one wants to know how much of the context it takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContextDraft {
    /// In place of the conversation's model.
    pub model: Option<String>,
    /// In place of the conversation's system prompt.
    pub system_prompt: Option<String>,
    /// What is typed so far.
    pub draft: Option<String>,
    /// The files that are to go with it.
    #[serde(default)]
    pub attachments: Vec<String>,
}

/// How much of a model's context the next question takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContextUse {
    pub tokens: u64,
    /// How many tokens the model's context has, where that is known.
    pub limit: Option<u64>,
    /// Counted by the model's own template and tokenizer; else it is an estimate.
    pub is_exact: bool,
}

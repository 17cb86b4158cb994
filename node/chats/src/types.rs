//! Conversations as values. Times are milliseconds since the epoch.

/// A conversation in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    pub id: String,
    pub title: String,
    pub model: Option<String>,
    pub pinned: bool,
    pub folder: Option<String>,
    pub archived: bool,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub messages: u32,
    /// Text around the first hit, when a search was asked for.
    pub snippet: Option<String>,
    /// The message of the first hit.
    pub hit_id: Option<String>,
}

/// A conversation with all its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    pub id: String,
    pub title: String,
    pub model: Option<String>,
    pub pinned: bool,
    pub folder: Option<String>,
    pub archived: bool,
    pub system_prompt: Option<String>,
    /// How answers are made, as the API writes it.
    pub params: Option<String>,
    /// Where it was imported from.
    pub origin: Option<String>,
    pub created_ms: i64,
    pub updated_ms: i64,
    /// The last message of the branch that is shown.
    pub head_id: Option<String>,
    /// In the order in which they were written.
    pub messages: Vec<Message>,
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    User,
    Assistant,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Streaming,
    Done,
    /// The reader or the end of the program stopped it; the text so far is kept.
    Stopped,
    /// The model's context or the asked length was used up.
    Cut,
    Failed,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: String,
    pub parent_id: Option<String>,
    pub role: Role,
    pub content: String,
    pub state: State,
    pub created_ms: i64,
    /// The model that answered.
    pub model: Option<String>,
    /// Why it failed, as the API writes it.
    pub error: Option<String>,
    /// What it cost, as the API writes it.
    pub receipt: Option<String>,
    /// How long the model reasoned before it answered.
    pub thought_ms: Option<u64>,
    pub attachments: Vec<Attachment>,
}

/// A file whose text goes with a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub id: String,
    pub name: String,
    pub media_type: String,
    /// Of the file.
    pub bytes: u64,
    /// Of its text.
    pub characters: u64,
    /// The end of the text is left out.
    pub is_cut: bool,
}

/// A new conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewConversation {
    pub title: Option<String>,
    pub model: Option<String>,
    pub system_prompt: Option<String>,
    pub folder: Option<String>,
    pub params: Option<String>,
}

/// What to change about a conversation; what is absent stays, and an empty text clears.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    pub title: Option<String>,
    pub model: Option<String>,
    pub pinned: Option<bool>,
    pub system_prompt: Option<String>,
    pub head_id: Option<String>,
    pub folder: Option<String>,
    pub archived: Option<bool>,
    pub params: Option<String>,
}

/// Which conversations a list has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Words that title, messages or files must have, each somewhere.
    pub search: String,
    /// Only archived ones, or only the others. Without it a search finds both, and a list the others.
    pub archived: Option<bool>,
    pub folder: Option<String>,
    pub limit: u32,
    pub offset: u32,
}

/// A folder of conversations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    pub name: String,
    /// How many lie in it; archived ones are not counted.
    pub conversations: u32,
}

/// Settings to begin a conversation with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset {
    pub id: String,
    pub name: String,
    pub system_prompt: Option<String>,
    pub model: Option<String>,
    /// How answers are made, as the API writes it.
    pub params: Option<String>,
}

/// A new preset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewPreset {
    pub name: String,
    pub system_prompt: Option<String>,
    pub model: Option<String>,
    pub params: Option<String>,
}

/// What to change about a preset; what is absent stays, and an empty text clears.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresetPatch {
    pub name: Option<String>,
    pub system_prompt: Option<String>,
    pub model: Option<String>,
    pub params: Option<String>,
}

impl Role {
    pub(crate) const ALL: [Role; 2] = [Role::User, Role::Assistant];

    /// The word for it in the database and in files.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }

    pub(crate) fn of(word: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.word() == word)
    }
}

impl State {
    const ALL: [State; 5] = [
        State::Streaming,
        State::Done,
        State::Stopped,
        State::Cut,
        State::Failed,
    ];

    /// The word for it in the database and in files.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            State::Streaming => "streaming",
            State::Done => "done",
            State::Stopped => "stopped",
            State::Cut => "cut",
            State::Failed => "failed",
        }
    }

    pub(crate) fn of(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// A changed text: an empty one clears, an absent one leaves the old.
pub(crate) fn changed(new: Option<String>, old: Option<String>) -> Option<String> {
    new.map_or(old, |text| Some(text).filter(|text| !text.is_empty()))
}

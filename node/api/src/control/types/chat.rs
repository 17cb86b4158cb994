//! The Chat page: conversations with branches, answers as a stream, receipts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AskerKind, ErrorDetail, ModelKind, Timestamp, TokenUsage, Upokt};

/// A conversation in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConversationSummary {
    pub id: String,
    pub title: String,
    pub model: Option<String>,
    pub pinned: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub messages: u32,
    /// Text around the first hit, when a search was asked for.
    pub snippet: Option<String>,
}

/// Conversations: pinned first, then the newest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConversationList {
    pub conversations: Vec<ConversationSummary>,
}

/// A new conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewConversation {
    pub title: Option<String>,
    pub model: Option<String>,
    pub system_prompt: Option<String>,
}

/// What to change about a conversation; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConversationPatch {
    pub title: Option<String>,
    pub model: Option<String>,
    pub pinned: Option<bool>,
    pub system_prompt: Option<String>,
    /// The last message of the branch that is shown.
    pub head_id: Option<String>,
}

/// A conversation with all its messages. They form a tree by `parent_id`; siblings are branches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Conversation {
    pub id: String,
    pub title: String,
    pub model: Option<String>,
    pub pinned: bool,
    pub system_prompt: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// The last message of the branch that is shown.
    pub head_id: Option<String>,
    /// In the order in which they were written.
    pub messages: Vec<Message>,
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageRole {
    User,
    Assistant,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageState {
    Streaming,
    Done,
    /// The reader stopped it; the text so far is kept.
    Stopped,
    /// The model's context or the asked length was used up.
    Cut,
    Failed,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    pub id: String,
    pub parent_id: Option<String>,
    pub role: MessageRole,
    pub content: String,
    pub state: MessageState,
    pub created_at: Timestamp,
    /// The model that answered.
    pub model: Option<String>,
    pub error: Option<ErrorDetail>,
    pub receipt: Option<Receipt>,
}

/// What an answer cost and who gave it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    pub kind: ModelKind,
    /// What it cost; where `network.charge` is unknown, the most that the supplier may claim. `None`: free.
    pub cost: Option<Upokt>,
    pub usage: Option<TokenUsage>,
    pub first_token_ms: Option<u64>,
    pub total_ms: u64,
    /// Tokens per second of decoding.
    pub tokens_per_second: Option<f64>,
    /// The CID of the weights, where they are known.
    pub weights_cid: Option<String>,
    /// Only for network answers.
    pub network: Option<NetworkReceipt>,
}

/// The part of a receipt that only network answers have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkReceipt {
    /// Its id under `/receipts`; receipts of older versions have none.
    #[serde(default)]
    pub id: Option<String>,
    /// Whether the supplier is paid.
    #[serde(default)]
    pub charge: Charge,
    pub service: String,
    pub supplier: String,
    pub supplier_url: Option<String>,
    pub application: String,
    pub session_id: String,
    pub session_start: u64,
    pub session_end: u64,
    /// Batches whose signature was verified before a byte was passed on.
    pub verified_batches: u32,
    /// Hash of the request, in hex.
    pub request_hash: Option<String>,
    /// Suppliers that were tried before and failed.
    pub failed_tries: u32,
}

/// Whether a supplier is paid for an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Charge {
    /// It gave a whole answer.
    Paid,
    /// It gave nothing that it could claim.
    Unpaid,
    /// It may have served it: the answer broke off, came too late, or was stopped.
    #[default]
    Unknown,
}

/// One answer that was asked for on the network, in a conversation or over `/v1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BoughtAnswer {
    pub asked_at: Timestamp,
    /// What it cost; where the charge is unknown, the most that the supplier may claim. `None`: nothing.
    pub cost: Option<Upokt>,
    /// The status that the supplier signed; 0 where none came.
    pub status: u16,
    pub bytes: u64,
    pub total_ms: u64,
    /// How it ended: `complete`, `cancelled` or `failed`.
    pub outcome: String,
    /// Why it failed.
    pub error: Option<String>,
    /// Who asked; receipts of older versions do not say it.
    pub asker: Option<AskerKind>,
    pub key_id: Option<String>,
    /// The key's name when it asked.
    pub key_name: Option<String>,
    pub receipt: NetworkReceipt,
}

/// Answers that were asked for on the network, the newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BoughtAnswerList {
    pub answers: Vec<BoughtAnswer>,
    /// How many there are in all.
    pub total: u64,
}

/// How to answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AnswerParams {
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub top_k: Option<u32>,
    pub seed: Option<u64>,
    pub max_tokens: Option<u32>,
    pub frequency_penalty: Option<f64>,
    pub presence_penalty: Option<f64>,
    pub stop: Option<Vec<String>>,
}

/// Asks for an answer. With `content` it follows a new message below `parent_id` (absent: below the head; edit and
/// resend: the parent of the edited message); without, it is another answer to the message `parent_id`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewAnswer {
    pub parent_id: Option<String>,
    /// With `content`: it is the first message, not one below the head.
    #[serde(default)]
    pub at_root: bool,
    pub content: Option<String>,
    pub model: Option<String>,
    pub params: Option<AnswerParams>,
}

/// The stream of an answer: `started`, any number of `delta`, then `finished` or `failed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AnswerEvent {
    Started {
        /// The new message of the person; `None` for another answer to an old one.
        question: Option<Message>,
        answer: Message,
    },
    Delta {
        text: String,
    },
    Finished {
        answer: Message,
    },
    Failed {
        answer: Message,
        error: ErrorDetail,
    },
}

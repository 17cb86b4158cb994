//! Events of the node as one tagged union, sent over `/api/v1/events`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ConversationSummary, Download, EarnedSession, Earning, Head, Setup, Status, WalletStatus};

/// Something changed. The first event of every stream is `status`; a reader that fell behind gets `status` again and
/// should read its page anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Status(Box<Status>),
    Head(Head),
    Earning(Earning),
    /// An answer was served.
    Relay(RelayServed),
    /// A session moved on.
    Claim(Box<EarnedSession>),
    Download(Download),
    Setup(Setup),
    Wallet(WalletStatus),
    /// Balances may have changed: read them again.
    Balances(Changed),
    /// A program asks for a signature, or one was decided.
    Signatures(Changed),
    /// The list of models changed.
    Models(Changed),
    /// A conversation was made or changed.
    Conversation(ConversationSummary),
    ConversationDeleted(Deleted),
}

/// Something is to be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Changed {
    /// The height it was seen at, where a block caused it.
    pub height: Option<u64>,
}

/// Something is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deleted {
    pub id: String,
}

/// Counters after an answer was served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RelayServed {
    pub answered: u64,
    pub running: u32,
}

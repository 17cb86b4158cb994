//! Who asks.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use hearth_base::ServiceId;
use hearth_engine::Priority;

/// Who asks, all the way from the edge to the scheduler and the receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The owner of this computer, on the page or in the terminal.
    Owner,
    /// A program of this computer without a key.
    Program,
    /// The holder of an API key, by the key's id and its name when it asked.
    Key { id: String, name: String },
    /// A buyer of the network, in a session.
    Relay { service: ServiceId, session_id: String },
}

impl Principal {
    /// Who goes first when the machine is busy.
    #[must_use]
    pub fn priority(&self) -> Priority {
        match self {
            Principal::Owner | Principal::Program | Principal::Key { .. } => Priority::Local,
            Principal::Relay { .. } => Priority::Paid,
        }
    }

    /// Tells one asker from another where the engine shares its places between them.
    #[must_use]
    pub(crate) fn asker(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match self {
            Principal::Owner => "owner".hash(&mut hasher),
            Principal::Program => "program".hash(&mut hasher),
            Principal::Key { id, .. } => ("key", id).hash(&mut hasher),
            Principal::Relay { session_id, .. } => ("relay", session_id).hash(&mut hasher),
        }
        hasher.finish()
    }

    /// Whether the answer is sold: who pays for it did not choose the model file.
    #[must_use]
    pub fn is_buyer(&self) -> bool {
        matches!(self, Principal::Relay { .. })
    }
}

//! Conversations: kept, searched, branched; answers as they are written.

mod answer;
mod running;
mod search;
mod store;
mod upstream;

pub(crate) use answer::ask;
pub(crate) use running::Running;
pub(crate) use store::Conversations;
pub(crate) use upstream::send;

/// What the routes of conversations share.
#[derive(Clone)]
pub(crate) struct Chat {
    pub(crate) store: Conversations,
    pub(crate) running: Running,
}

//! Requests on their way to the worker.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use crate::model::Loaded;
use crate::reply::{EmbedReply, Reply, Ticket};
use crate::request::{EmbedRequest, GenerateRequest};
use crate::sequence::Prepared;

/// What façade and handles send.
pub(crate) enum Command {
    /// A request for text that has no conversation to be rendered.
    Generate(Box<GenerateJob>),
    /// One whose conversation was rendered.
    Ready(Box<Prepared>),
    Embed(Box<EmbedJob>),
    /// Drop the caches that are kept for later, count what runs, and say when that is done.
    DropKept(Sender<()>),
    /// Look at the stop flag, and at models that are gone.
    Wake,
}

/// A request for text, on its way to the worker.
pub(crate) struct GenerateJob {
    pub(crate) model: Arc<Loaded>,
    pub(crate) request: GenerateRequest,
    pub(crate) reply: Reply,
    pub(crate) ticket: Ticket,
    pub(crate) since: Instant,
}

/// A request for embeddings, on its way to the worker.
pub(crate) struct EmbedJob {
    pub(crate) model: Arc<Loaded>,
    pub(crate) request: EmbedRequest,
    pub(crate) reply: EmbedReply,
    pub(crate) ticket: Ticket,
}

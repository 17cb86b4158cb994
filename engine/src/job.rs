//! Requests on their way to the worker.

use std::sync::Arc;
use std::time::Instant;

use crate::model::Loaded;
use crate::reply::{EmbedReply, Reply, Ticket};
use crate::request::{EmbedRequest, GenerateRequest};

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

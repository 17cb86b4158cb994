//! What the worker is told.

use std::sync::mpsc::Sender;

use crate::job::{EmbedJob, GenerateJob};
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

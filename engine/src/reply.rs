//! The way back to the caller, the caller's place in the queue, and the caller's way to end it.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::request::{EmbedSink, Embeddings, Event, GenerateError, Sink};

/// Cancels one request from another thread. Dropping it cancels nothing.
#[derive(Debug, Clone, Default)]
pub struct Ticket {
    cancelled: Arc<AtomicBool>,
}

impl Ticket {
    /// Ends the request at the next round, even while it waits or its prompt is still being read.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// A request's place among those that run or wait.
pub(crate) struct QueueSlot {
    queued: Arc<AtomicUsize>,
}

impl QueueSlot {
    /// Takes a place; refuses if there are `limit` already.
    pub(crate) fn take(queued: &Arc<AtomicUsize>, limit: usize) -> Result<Self, GenerateError> {
        let before = queued.fetch_add(1, Ordering::Relaxed);
        let place = Self {
            queued: Arc::clone(queued),
        };
        if before >= limit {
            Err(GenerateError::Busy { queued: before })
        } else {
            Ok(place)
        }
    }
}

impl Drop for QueueSlot {
    fn drop(&mut self) {
        self.queued.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A sink with the place it holds. The place is free before the last event goes out, so that a caller who
/// has heard the end never finds it still taken.
pub(crate) struct Reply {
    sink: Sink,
    place: Option<QueueSlot>,
}

impl Reply {
    pub(crate) fn new(sink: Sink, place: QueueSlot) -> Self {
        Self {
            sink,
            place: Some(place),
        }
    }

    pub(crate) fn send(&mut self, event: Event) -> ControlFlow<()> {
        match event {
            Event::Finished { .. } | Event::Failed(_) => self.place = None,
            Event::Started { .. } | Event::Prompt { .. } | Event::Token { .. } => {}
        }
        (self.sink)(event)
    }

    /// Sends the last event; what the sink says to it does not matter.
    pub(crate) fn fail(&mut self, error: GenerateError) {
        let _ = self.send(Event::Failed(error));
    }
}

/// The same for embeddings.
pub(crate) struct EmbedReply {
    sink: EmbedSink,
    place: QueueSlot,
}

impl EmbedReply {
    pub(crate) fn new(sink: EmbedSink, place: QueueSlot) -> Self {
        Self { sink, place }
    }

    pub(crate) fn answer(self, answer: Result<Embeddings, GenerateError>) {
        drop(self.place);
        (self.sink)(answer);
    }
}

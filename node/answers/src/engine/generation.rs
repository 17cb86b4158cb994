//! One text of the engine as it is written: queueing, and cancelling when the reader goes away.

use std::{ops::ControlFlow, sync::Arc};

use hearth_engine::{EmbedRequest, Embeddings, Event, GenerateRequest, Ticket};
use tokio::sync::{mpsc, oneshot};

use super::models::{Lease, Models};
use crate::error::{Error, internal};

/// Events of a generation that are not tokens: `Started`, `Prompt`, `Finished`, and a flush of held-back text.
const OTHER_EVENTS: usize = 4;

/// A text that is being written. Dropping it stops the engine's work on it.
pub(crate) struct Generation {
    events: mpsc::Receiver<Event>,
    ticket: Ticket,
    _lease: Arc<Lease>,
}

/// What the engine made of a prompt.
pub(crate) struct Started {
    pub(crate) prompt_tokens: u32,
    /// How the conversation was bent to fit the model's template.
    pub(crate) fallbacks: Vec<&'static str>,
    /// Whether the answer begins inside its reasoning.
    pub(crate) opens_thinking: bool,
}

impl Generation {
    /// Queues a request and waits until the engine took it on: refusals are errors here, not events. What the engine
    /// made of the prompt is given beside it.
    ///
    /// # Errors
    /// The engine's refusals.
    pub(crate) async fn begin(
        lease: Arc<Lease>,
        request: GenerateRequest,
    ) -> Result<(Generation, Started), Error> {
        // A generation has at most one event per token and no more tokens than the context window, so the engine
        // never finds the channel full: a slow reader costs 131,072 events of some 100 bytes at worst, 13 MB.
        let (sender, mut events) = mpsc::channel(lease.handle.info().context_tokens + OTHER_EVENTS);
        let sink = Box::new(move |event| match sender.try_send(event) {
            Ok(()) => ControlFlow::Continue(()),
            Err(mpsc::error::TrySendError::Full(_) | mpsc::error::TrySendError::Closed(_)) => {
                ControlFlow::Break(())
            }
        });
        let ticket = lease.handle.generate(request, sink);
        // From here on a caller that goes away cancels the request, even while it waits.
        let mut generation = Generation {
            events: mpsc::channel(1).1,
            ticket,
            _lease: lease,
        };
        let first = events.recv().await;
        generation.events = events;
        match first {
            Some(Event::Started {
                prompt_tokens,
                fallbacks,
                opens_thinking,
            }) => Ok((
                generation,
                Started {
                    prompt_tokens,
                    fallbacks,
                    opens_thinking,
                },
            )),
            Some(Event::Failed(error)) => Err(error.into()),
            // The engine promises `Started` or `Failed` first.
            Some(Event::Prompt { .. } | Event::Token { .. } | Event::Finished { .. }) | None => {
                Err(internal())
            }
        }
    }

    /// The next event; `None` after the last one.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.ticket.cancel();
    }
}

/// An embedding request at work. Dropping it stops the engine's work on it.
struct EmbedWork(Ticket);

impl Drop for EmbedWork {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Models {
    /// Makes embeddings.
    ///
    /// # Errors
    /// The engine's refusals, a model that cannot be loaded.
    pub async fn embed(&self, model: &str, request: EmbedRequest) -> Result<Embeddings, Error> {
        let lease = self.lease(model, request.priority).await?;
        let (sender, answer) = oneshot::channel();
        let sink = Box::new(move |result| drop(sender.send(result)));
        // From here on a caller that goes away cancels the request.
        let _work = EmbedWork(lease.handle.embed(request, sink));
        answer.await.map_err(|_| internal())?.map_err(Error::from)
    }
}

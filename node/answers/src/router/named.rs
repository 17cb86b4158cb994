//! A configured backend, and how much it has to do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::StreamExt as _;

use crate::{
    answer::{Answer, Body},
    backend::SharedBackend,
};

/// A configured backend. Clones count their answers together.
#[derive(Clone)]
pub struct Named {
    pub backend: SharedBackend,
    /// The models that it serves under their bare names; empty serves them as `BACKEND/MODEL` alone.
    pub models: Vec<String>,
    /// How often it is chosen beside others of the same model.
    pub weight: u32,
    /// Where a stream has no first part after so long, the next backend of the model is asked as well.
    pub(super) hedge_after: Option<Duration>,
    running: Arc<AtomicUsize>,
}

impl Named {
    /// A backend that serves these models under their bare names.
    #[must_use]
    pub fn new(backend: SharedBackend, models: Vec<String>, weight: u32) -> Named {
        Named {
            backend,
            models,
            weight,
            hedge_after: None,
            running: Arc::default(),
        }
    }

    /// The same, beside which another is asked for a stream that has not begun after so long.
    #[must_use]
    pub fn hedged(self, hedge_after: Option<Duration>) -> Named {
        Named { hedge_after, ..self }
    }

    /// Whether it serves a model under this bare name.
    #[must_use]
    pub fn serves(&self, model: &str) -> bool {
        self.models.iter().any(|served| served == model)
    }

    /// Whether it makes fewer answers than it can at once.
    pub(super) fn has_place(&self, model: &str) -> bool {
        self.running.load(Ordering::Relaxed) < self.backend.capacity(Some(model)).slots
    }

    /// One answer more is being made by it, until the place is dropped.
    pub(super) fn take_place(&self) -> Place {
        self.running.fetch_add(1, Ordering::Relaxed);
        Place(Arc::clone(&self.running))
    }
}

/// One of the answers that a backend makes.
pub(super) struct Place(Arc<AtomicUsize>);

impl Place {
    /// The answer, which holds the place to its end.
    pub(super) fn kept_by(self, answer: Answer) -> Answer {
        match answer.body {
            Body::Stream(chunks) => Answer {
                body: Body::Stream(
                    chunks
                        .inspect(move |_| {
                            let _held = &self;
                        })
                        .boxed(),
                ),
                ..answer
            },
            Body::Whole(_) => answer,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

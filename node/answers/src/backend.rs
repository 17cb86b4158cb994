//! The one contract of everything that answers: this computer's engine, a server by its address, the network, nobody.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{answer::Answer, error::Error, principal::Principal, request::Request};

/// What a backend can do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Answers at once. More than that are refused, so that the client can ask another supplier.
    pub slots: usize,
}

/// A model that a backend can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    /// The backend's name for it.
    pub name: String,
    /// When it was added, in seconds since the epoch; 0 where that is not known.
    pub added_at: i64,
    pub task: Task,
}

/// What a model is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Task {
    #[default]
    Chat,
    Embedding,
    Rerank,
}

/// Whoever answers.
///
/// A request is cancelled by dropping the future, or the answer's stream. Inside this program nothing is written as
/// text: bytes, server-sent events and names for the client are the edges'.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Makes an answer. A stream is given back once its first part is there, so that a failure before it is an error
    /// here and another backend can be asked.
    ///
    /// # Errors
    /// Why there is none; [`Error::verdict`] says whose fault it is.
    async fn answer(&self, request: Request, principal: &Principal) -> Result<Answer, Error>;

    /// Gets ready for a model, `None` for its own choice: loads it, looks whether a server is there.
    ///
    /// # Errors
    /// Why no answer can be made.
    async fn prepare(&self, model: Option<&str>) -> Result<(), Error>;

    /// Looks whether it is well, without getting ready for a model.
    ///
    /// # Errors
    /// Why no answer can be made.
    async fn probe(&self, _model: Option<&str>) -> Result<(), Error> {
        Ok(())
    }

    /// Asks one that failed whether it is well again, as nobody's request may: also with a small question of its own
    /// where it was an answer that failed. Of one that is well it learns what it has.
    ///
    /// # Errors
    /// Why no answer can be made.
    async fn recover(&self) -> Result<(), Error> {
        self.probe(None).await
    }

    /// The models that it can be asked for.
    ///
    /// # Errors
    /// They cannot be asked for now.
    async fn models(&self) -> Result<Vec<ModelEntry>, Error>;

    /// Whether it has this model.
    async fn has(&self, model: &str) -> bool {
        let models = self.models().await.unwrap_or_default();
        models.iter().any(|known| known.name == model)
    }

    /// What it can do for a model.
    fn capacity(&self, model: Option<&str>) -> Capacity;

    /// How it fares.
    fn health(&self) -> &Health;

    /// Where it is, if it is not in this program.
    fn address(&self) -> Option<&str> {
        None
    }
}

/// A backend that is shared.
pub type SharedBackend = Arc<dyn Backend>;

/// How a backend fares: what its owner is told of its failures, until it answers again.
#[derive(Debug)]
pub struct Health(watch::Sender<Option<String>>);

impl Default for Health {
    fn default() -> Health {
        Health(watch::Sender::new(None))
    }
}

impl Health {
    /// It answered as it should.
    pub fn well(&self) {
        let changed = self.0.send_if_modified(|ailment| ailment.take().is_some());
        if changed {
            tracing::info!("the backend answers again");
        }
    }

    /// It failed. Only a change is told: a backend that is down fails with every request.
    pub fn failed(&self, why: &str) {
        let changed = self.0.send_if_modified(|ailment| {
            let changes = ailment.as_deref() != Some(why);
            if changes {
                *ailment = Some(why.to_owned());
            }
            changes
        });
        if changed {
            tracing::warn!(why, "the backend fails");
        }
    }

    /// Why it fails, if it does.
    #[must_use]
    pub fn ailment(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Whether it fails.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// The same at every change.
    pub(crate) fn changes(&self) -> watch::Receiver<Option<String>> {
        self.0.subscribe()
    }
}

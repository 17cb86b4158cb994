//! Who makes the answers: the built-in engine, any OpenAI-compatible server, nobody.

mod engine;
mod null;
mod url;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use hearth_base::ServiceId;

pub use engine::EngineBackend;
pub use null::NullBackend;
pub use url::UrlBackend;

/// A request for an answer.
#[derive(Clone, Debug)]
pub struct BackendRequest {
    /// The service that was asked for.
    pub service: ServiceId,
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers by canonical name.
    pub headers: BTreeMap<String, Vec<String>>,
    /// The body.
    pub body: Bytes,
}

/// An answer, as far as it is there.
pub struct BackendAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The headers that the client gets.
    pub headers: BTreeMap<String, Vec<String>>,
    /// The body.
    pub body: BackendBody,
}

/// The body of an answer.
pub enum BackendBody {
    /// All of it.
    Full(Bytes),
    /// One answer that is still arriving. It is handed out as a whole, so its limits are the server's.
    Parts {
        /// What arrives. Dropping it cancels the work.
        parts: BoxStream<'static, Result<Bytes, BackendError>>,
        /// What is done to the whole of it.
        finish: Box<dyn FnOnce(Bytes) -> Bytes + Send>,
    },
    /// Events as they are made. Dropping it cancels the work.
    Stream(BoxStream<'static, Result<Bytes, BackendError>>),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    #[error("no backend serves {service}")]
    NoService { service: ServiceId },
    #[error("the backend cannot be reached: {0}")]
    Unreachable(String),
    #[error("the backend broke off: {0}")]
    BrokenOff(String),
    #[error("{method} {path} is none of the requests that are served here: they are those of OpenAI's API")]
    NotServed { method: String, path: String },
}

/// What a backend can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Answers at once. More than that are refused, so that the client can ask another supplier.
    pub slots: usize,
}

/// Makes answers.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Gets ready: loads a model, looks whether a server is there. Called before earning starts.
    ///
    /// # Errors
    /// Why no answer can be made.
    async fn prepare(&self, service: &ServiceId) -> Result<(), BackendError>;

    /// Makes an answer. Dropping the future, or the answer's body, cancels the work.
    ///
    /// # Errors
    /// No answer can be made. An HTTP answer that says so itself is no error.
    async fn serve(&self, request: BackendRequest) -> Result<BackendAnswer, BackendError>;

    /// What it can do for a service.
    fn capacity(&self, service: &ServiceId) -> Capacity;
}

/// A backend that is shared.
pub type SharedBackend = Arc<dyn Backend>;

/// A header map from pairs.
pub(crate) fn headers<'a>(
    pairs: impl IntoIterator<Item = (&'a str, String)>,
) -> BTreeMap<String, Vec<String>> {
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in pairs {
        headers
            .entry(hearth_pocket::payload::canonical_header(name))
            .or_default()
            .push(value);
    }
    headers
}

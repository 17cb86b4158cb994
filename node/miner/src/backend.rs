//! Who makes the answers: the built-in engine, any OpenAI-compatible server, nobody.

mod engine;
mod health;
mod model_name;
mod null;
mod url;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use hearth_answers::answer::route;
use hearth_base::ServiceId;

pub use engine::EngineBackend;
pub(crate) use health::Health;
pub use null::NullBackend;
pub use url::{UrlBackend, UrlSettings, check_address};

pub(crate) use model_name::ModelName;

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
    /// The model's name as the client asked for it, where the answer has another one.
    pub model: Option<String>,
}

/// The body of an answer. Its limits are the server's.
pub enum BackendBody {
    /// All of it.
    Full(Bytes),
    /// One answer that is still arriving. It is handed out as a whole. Dropping it cancels the work.
    Parts(BoxStream<'static, Result<Bytes, BackendError>>),
    /// Server-sent events as they are made. Dropping it cancels the work.
    Stream(BoxStream<'static, Result<Bytes, BackendError>>),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    #[error("no backend serves {service}")]
    NoService { service: ServiceId },
    #[error("{0}")]
    NoModel(String),
    #[error("the backend at {address} cannot be reached: {why}")]
    Unreachable { address: String, why: String },
    #[error("the backend at {address} is not ready: {why}")]
    NotReady { address: String, why: String },
    #[error("the backend broke off: {0}")]
    BrokenOff(String),
    /// What is asked for is none of the requests that are served. `allowed` is the method of that route, if there is
    /// one.
    #[error("{method} {path} is none of the requests that are served here: they are those of OpenAI's API")]
    NotServed {
        method: String,
        path: String,
        allowed: Option<&'static str>,
    },
}

/// Method and path of what is asked of backends.
const ROUTES: [(&str, &str); 3] = [
    ("POST", "chat/completions"),
    ("POST", "completions"),
    ("POST", "embeddings"),
];

/// The route of a request, with and without `/v1` before it. Only what is in the table leaves for a backend: anything
/// else at its address may be somebody's administration.
///
/// # Errors
/// Another path, or another method.
pub(crate) fn known_route(method: &str, path: &str) -> Result<&'static str, BackendError> {
    let asked = route(path);
    let found = ROUTES.iter().find(|(_, route)| *route == asked);
    match found {
        Some((wanted, route)) if *wanted == method => Ok(route),
        Some(_) | None => Err(BackendError::NotServed {
            method: method.to_owned(),
            path: asked.to_owned(),
            allowed: found.map(|(wanted, _)| *wanted),
        }),
    }
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

    /// Looks whether it is well, without getting ready.
    ///
    /// # Errors
    /// Why no answer can be made.
    async fn probe(&self, _service: &ServiceId) -> Result<(), BackendError> {
        Ok(())
    }

    /// Makes an answer. Dropping the future, or the answer's body, cancels the work.
    ///
    /// # Errors
    /// No answer can be made. An HTTP answer that says so itself is no error.
    async fn serve(&self, request: BackendRequest) -> Result<BackendAnswer, BackendError>;

    /// What it can do for a service.
    fn capacity(&self, service: &ServiceId) -> Capacity;

    /// Where it is, if it is not in this program.
    fn address(&self) -> Option<&str> {
        None
    }
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

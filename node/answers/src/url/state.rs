//! How a server fares, and the small question by which it is tried again.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use parking_lot::Mutex;
use serde_json::json;

use crate::{
    answer::ChunkStream,
    backend::Health,
    error::{Code, Error},
    operation::Operation,
    request::Request,
};

/// What is known of a server's answers.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) health: Health,
    /// What it failed to answer last, until it answers the like.
    failed: Mutex<Option<Trial>>,
}

/// The kind of a request that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trial {
    operation: Operation,
    model: Option<String>,
    is_stream: bool,
}

impl State {
    /// It answered.
    pub(super) fn well(&self) {
        *self.failed.lock() = None;
        self.health.well();
    }

    /// It did not answer a request. That its list of models can be read says nothing then.
    pub(super) fn failed(&self, request: &Request, error: &Error) {
        if error.code != Code::BackendUnreachable {
            *self.failed.lock() = Some(Trial {
                operation: request.operation,
                model: request.model.clone(),
                is_stream: request.stream,
            });
        }
        self.health.failed(&error.message);
    }

    /// By what it is to be tried.
    pub(super) fn trial(&self) -> Option<Trial> {
        self.failed.lock().clone()
    }
}

impl Trial {
    /// A question whose answer takes one token; none for what has no question that fits every model.
    pub(super) fn request(&self) -> Option<Request> {
        let mut body = match self.operation {
            Operation::Chat => json!({ "messages": [{ "role": "user", "content": "Hi" }], "max_tokens": 1 }),
            Operation::Completion => json!({ "prompt": "Hi", "max_tokens": 1 }),
            Operation::Embedding => json!({ "input": "Hi" }),
            Operation::Rerank
            | Operation::Tokenize
            | Operation::Detokenize
            | Operation::Models
            | Operation::Health
            | Operation::Other => return None,
        };
        if let Some(model) = &self.model {
            body["model"] = model.as_str().into();
        }
        if self.is_stream {
            body["stream"] = true.into();
        }
        Request::read(self.operation, Bytes::from(body.to_string())).ok()
    }
}

/// The stream of an answer, which counts for or against its server when it ends. `words` tells a failure to the owner.
pub(super) fn noted(
    chunks: ChunkStream,
    state: Arc<State>,
    request: Request,
    words: impl Fn(Error) -> Error + Send + 'static,
) -> ChunkStream {
    stream::unfold(Some((chunks, state, request, words)), |going| async move {
        let (mut chunks, state, request, words) = going?;
        match chunks.next().await {
            Some(Ok(chunk)) => Some((Ok(chunk), Some((chunks, state, request, words)))),
            Some(Err(error)) => {
                if error.is_of_the_backend() {
                    state.failed(&request, &words(error.clone()));
                }
                Some((Err(error), None))
            }
            None => {
                state.well();
                None
            }
        }
    })
    .boxed()
}

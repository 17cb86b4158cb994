//! Answers of models, wherever they run, and those that belong to a conversation.

mod answer;
mod context;
mod prompt;
mod text;

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use futures::{StreamExt as _, stream};
use hearth_answers::{
    Answer, Backend as _, Error, NETWORK_PREFIX, Operation, Principal, Request,
    answer::{Body, Chunk},
};
use uuid::Uuid;

use crate::{
    app::App,
    auth::{Caller, may_spend},
    error::ApiError,
    metering::{Asked, Asker, metered},
};

pub(crate) use answer::ask;
pub(crate) use context::context_use;

/// An answer that may be given, and is counted as it passes.
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    /// What the key that was shown may still ask.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) error: Error,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused {
            error,
            headers: Vec::new(),
        }
    }
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Refused {
        Refused {
            error: error.openai(),
            headers: error.headers,
        }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> ApiError {
        ApiError::from(refused.error)
    }
}

/// Asks whoever serves the model that is named, if whoever asks may.
pub(crate) async fn send(
    app: &App,
    caller: Caller,
    asker: &Asker,
    mut request: Request,
) -> Result<Answered, Refused> {
    if is_network(app, &request) {
        may_spend(caller, app.config.network.is_devnet)?;
    }
    let mut admission = app.meter.admit(asker, asked(app, &request)).await?;
    // The price may rise between the look at it and the signature.
    request.most = admission.most();
    match app.router.answer(request, &principal(asker)).await {
        Ok(answer) => {
            admission.begun();
            Ok(Answered {
                headers: admission.headers().to_vec(),
                answer: metered(answer, admission),
            })
        }
        Err(error) => {
            admission.refused();
            let headers = admission.headers().to_vec();
            Err(Refused { error, headers })
        }
    }
}

/// Loads a model, if whoever asks may ask it. Gives what the key that was shown may still ask.
pub(crate) async fn prepare(
    app: &App,
    asker: &Asker,
    model: Option<&str>,
) -> Result<Vec<(HeaderName, HeaderValue)>, Refused> {
    let asked = Asked {
        model: model.map(|model| app.router.unaliased(model).to_owned()),
        name: model.map(str::to_owned),
        service: None,
        is_embedding: false,
        bytes: 0,
        id: Uuid::new_v4(),
    };
    let mut admission = app.meter.admit(asker, asked).await?;
    let headers = admission.headers().to_vec();
    match app.router.prepare(model).await {
        Ok(()) => {
            admission.begun();
            Ok(headers)
        }
        Err(error) => {
            admission.refused();
            Err(Refused { error, headers })
        }
    }
}

/// What a request asks, as whoever checks and counts it needs to know.
fn asked(app: &App, request: &Request) -> Asked {
    let model = request.model.as_deref().map(|model| app.router.unaliased(model));
    Asked {
        model: model.map(str::to_owned),
        name: request.model.clone(),
        service: model
            .and_then(|model| model.strip_prefix(NETWORK_PREFIX))
            .map(str::to_owned),
        is_embedding: request.operation == Operation::Embedding,
        bytes: request.json().len(),
        id: request.id,
    }
}

/// Whether an answer is bought.
fn is_network(app: &App, request: &Request) -> bool {
    let model = request.model.as_deref();
    model.is_some_and(|model| app.router.is_network(model))
}

/// How long a client hears nothing before it is told that somebody is still there: a long prompt takes minutes.
pub(crate) const QUIET: Duration = Duration::from_secs(10);

/// Ends after [`QUIET`].
pub(crate) async fn quiet() {
    tokio::time::sleep(QUIET).await;
}

/// An answer with an empty part wherever nothing came for a while, and with an error as its last where this program
/// stops in the middle of it: an end alone would look like the end of the answer.
pub(crate) fn lively(app: &App, answer: Answer) -> Answer {
    let Body::Stream(chunks) = answer.body else {
        return answer;
    };
    let chunks = stream::unfold(Some((chunks, app.cut.clone())), |state| async move {
        let (mut chunks, cut) = state?;
        tokio::select! {
            biased;
            chunk = chunks.next() => Some((chunk?, Some((chunks, cut)))),
            () = cut.cancelled() => Some((Err(stopping().openai()), None)),
            () = quiet() => Some((Ok(Chunk::default()), Some((chunks, cut)))),
        }
    });
    Answer {
        body: Body::Stream(chunks.boxed()),
        ..answer
    }
}

/// What an answer ends with when this program stops in the middle of it.
pub(crate) fn stopping() -> ApiError {
    ApiError::unavailable("stopping", "Hearth is stopping: this answer is not whole")
}

/// Who asks, as answers know it.
pub(crate) fn principal(asker: &Asker) -> Principal {
    match asker {
        Asker::Owner => Principal::Owner,
        Asker::Local => Principal::Program,
        Asker::Key(grant) => Principal::Key {
            id: grant.id.clone(),
            name: grant.name.clone(),
        },
    }
}

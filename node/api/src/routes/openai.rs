//! `/v1`: OpenAI's API in front of local and network models.

use std::convert::Infallible;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use hearth_answers::{
    ErrorType, sse,
    types::{ModelItem, ModelList},
};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{extract::body, models};
use crate::{answers, app::App, auth::Caller, control::types::ModelKind, error::ApiError};

pub(crate) async fn list_models(State(app): State<App>) -> Response {
    match items(&app).await {
        Ok(items) => Json(ModelList::new(items)).into_response(),
        Err(error) => error.into_openai_response(),
    }
}

pub(crate) async fn get_model(State(app): State<App>, Path(id): Path<String>) -> Response {
    match items(&app).await {
        Ok(items) => items.into_iter().find(|item| item.id == id).map_or_else(
            || ApiError::from(hearth_answers::Error::no_model(&id)).into_openai_response(),
            |item| Json(item).into_response(),
        ),
        Err(error) => error.into_openai_response(),
    }
}

pub(crate) async fn chat_completions(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    answer(&app, caller, "/v1/chat/completions", request).await
}

pub(crate) async fn completions(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    answer(&app, caller, "/v1/completions", request).await
}

pub(crate) async fn embeddings(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    answer(&app, caller, "/v1/embeddings", request).await
}

pub(crate) async fn unknown() -> Response {
    let message = "there is no such route here: use /v1/chat/completions, /v1/completions, /v1/embeddings or /v1/models";
    let error = hearth_answers::Error::new(404, ErrorType::NotFoundError, "unknown_url", message);
    std::future::ready(ApiError::from(error).into_openai_response()).await
}

pub(crate) async fn wrong_method(method: Method) -> Response {
    let message = format!("{method} is not allowed here");
    let error = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
    std::future::ready(error.into_openai_response()).await
}

async fn answer(app: &App, caller: Caller, path: &str, request: Request) -> Response {
    match forward(app, caller, path, request).await {
        Ok(response) => response,
        Err(error) => error.into_openai_response(),
    }
}

async fn forward(app: &App, caller: Caller, path: &str, request: Request) -> Result<Response, ApiError> {
    let bytes = body(request).await?;
    let upstream = answers::send(app, caller, path, bytes, Uuid::now_v7()).await?;
    let mut response = Response::builder().status(upstream.status);
    for (name, value) in upstream.headers {
        response = response.header(name, value);
    }
    let pieces = until_cut(upstream.body, app.cut.clone());
    let body = if upstream.is_stream {
        Body::from_stream(pieces.map(|piece| Ok::<_, Infallible>(piece.unwrap_or_else(error_event))))
    } else {
        // An error in the middle breaks the connection off, which every client takes for what it is.
        Body::from_stream(pieces)
    };
    response.body(body).map_err(|error| ApiError::internal(&error))
}

/// The pieces of an answer. A stop in the middle of it is an error: an end alone would look like the end of the answer.
fn until_cut(
    body: BoxStream<'static, Result<Bytes, ApiError>>,
    cut: CancellationToken,
) -> impl Stream<Item = Result<Bytes, ApiError>> + Send {
    stream::unfold(Some((body, cut)), |state| async move {
        let (mut body, cut) = state?;
        tokio::select! {
            biased;
            piece = body.next() => Some((piece?, Some((body, cut)))),
            () = cut.cancelled() => {
                let text = "Hearth is stopping: this answer is not whole";
                Some((Err(ApiError::unavailable("stopping", text)), None))
            }
        }
    })
}

/// What a reader of a stream is told in place of the rest: the connection ends cleanly behind it, so that no client
/// loses what came before.
fn error_event(error: ApiError) -> Bytes {
    let data = String::from_utf8_lossy(&error.openai().body()).into_owned();
    let name = String::new();
    sse::Event { name, data }.encode()
}

/// Models that can be asked now.
async fn items(app: &App) -> Result<Vec<ModelItem>, ApiError> {
    let models = models::all(app)
        .await?
        .into_iter()
        .filter(|model| model.unavailable.is_none());
    let items = models.map(|model| {
        let created = model.added_at.map_or(0, |added| added.0.unix_timestamp());
        let owner = match model.kind {
            ModelKind::Local => "hearth",
            ModelKind::Network => "pocket",
        };
        ModelItem::new(model.id, created, owner)
    });
    Ok(items.collect())
}

//! `/v1`: OpenAI's API in front of local and network models.

use std::convert::Infallible;

use axum::{
    Extension, Json,
    body::Body,
    extract::{OriginalUri, Path, Request, State},
    http::{HeaderValue, Method, StatusCode},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use hearth_answers::{
    Error,
    openai::{self, HttpAnswer, HttpBody, ModelItem, ModelList, Writer},
    sse,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{extract::plain_body, models};
use crate::{
    answers::{self, Refused},
    app::App,
    auth::Caller,
    control::types::ModelKind,
    error::ApiError,
    metering::Asker,
};

pub(crate) async fn list_models(State(app): State<App>, Extension(asker): Extension<Asker>) -> Response {
    match items(&app, &asker).await {
        Ok(items) => Json(ModelList::new(items)).into_response(),
        Err(error) => error.into_openai_response(),
    }
}

pub(crate) async fn get_model(
    State(app): State<App>,
    Extension(asker): Extension<Asker>,
    Path(id): Path<String>,
) -> Response {
    match items(&app, &asker).await {
        Ok(items) => items.into_iter().find(|item| item.id == id).map_or_else(
            || response(Error::no_model(&id).into()),
            |item| Json(item).into_response(),
        ),
        Err(error) => error.into_openai_response(),
    }
}

/// Any route that is asked of a model.
pub(crate) async fn ask(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let id = Uuid::now_v7();
    let answered = answer(&app, caller, request, id).await;
    let mut answered = answered.unwrap_or_else(|refused| {
        let mut response = response(refused.error.into());
        response.headers_mut().extend(refused.headers);
        response
    });
    // Clients show it where something failed, and the log of requests has it.
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        answered.headers_mut().insert("x-request-id", id);
    }
    answered
}

async fn answer(app: &App, caller: Caller, http: Request, id: Uuid) -> Result<Response, Refused> {
    let (method, path, asker) = (
        http.method().to_string(),
        http.uri().path().to_owned(),
        Asker::of(&http),
    );
    let bytes = plain_body(app, http).await?;
    let mut request = openai::read(&method, &path, bytes)?;
    request.id = id;
    let answered = answers::send(app, caller, &asker, request.clone()).await?;
    let written = openai::written(&request, answered.answer);
    let mut response = until_cut(written, app.cut.clone());
    response.headers_mut().extend(answered.headers);
    Ok(response)
}

pub(crate) async fn unknown(method: Method, OriginalUri(uri): OriginalUri) -> Response {
    let error = Error::not_served(method.as_str(), uri.path(), None);
    std::future::ready(response(error.into())).await
}

pub(crate) async fn wrong_method(method: Method) -> Response {
    let message = format!("{method} is not allowed here");
    let error = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
    std::future::ready(error.into_openai_response()).await
}

/// An answer that ends when this program does. A stop in the middle of it is an error: an end alone would look like the
/// end of the answer.
fn until_cut(answer: HttpAnswer, cut: CancellationToken) -> Response {
    let body = match answer.body {
        HttpBody::Stream(events) => HttpBody::Stream(cut_off(events, cut).boxed()),
        whole => whole,
    };
    response(HttpAnswer { body, ..answer })
}

fn cut_off(events: BoxStream<'static, Bytes>, cut: CancellationToken) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(Some((events, cut)), |state| async move {
        let (mut events, cut) = state?;
        tokio::select! {
            biased;
            event = events.next() => Some((event?, Some((events, cut)))),
            () = cut.cancelled() => {
                Some((Writer::error(&answers::stopping().openai()), None))
            }
            () = tokio::time::sleep(answers::QUIET) => Some((sse::keep_alive(), Some((events, cut)))),
        }
    })
}

/// An HTTP answer of whatever shape.
pub(super) fn response(answer: HttpAnswer) -> Response {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let body = match answer.body {
        HttpBody::Full(bytes) => Body::from(bytes),
        HttpBody::Stream(events) => Body::from_stream(events.map(Ok::<_, Infallible>)),
    };
    response
        .body(body)
        .unwrap_or_else(|error| ApiError::internal(&error).into_openai_response())
}

/// Models that can be asked now, by whoever asks.
async fn items(app: &App, asker: &Asker) -> Result<Vec<ModelItem>, ApiError> {
    let models = models::all(app)
        .await?
        .into_iter()
        .filter(|model| model.unavailable.is_none() && asker.may_see(model));
    let items = models.map(|model| {
        let created = model.added_at.map_or(0, |added| added.0.unix_timestamp());
        let owner = match model.kind {
            ModelKind::Local => "hearth",
            ModelKind::Server => "server",
            ModelKind::Network => "pocket",
        };
        ModelItem::new(model.id, created, owner)
    });
    Ok(items.collect())
}

//! `/v1`: OpenAI's API in front of local and network models.

use std::convert::Infallible;

use axum::{
    Extension, Json,
    body::Body,
    extract::{OriginalUri, Path, Request, State},
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use hearth_answers::{
    Error, anthropic,
    openai::{self, HttpAnswer, HttpBody, ModelItem, ModelList, Writer},
    sse,
};
use tokio_util::sync::CancellationToken;

use super::{
    asking::{Asking, Headers, shown},
    extract::plain_body,
    models,
};
use crate::{
    answers::{self, Refused},
    app::App,
    control::types::ModelKind,
    error::ApiError,
    metering::Asker,
};

/// The header that tells Anthropic's clients from OpenAI's, which ask the same path.
const ANTHROPICS: &str = "anthropic-version";

pub(crate) async fn list_models(
    State(app): State<App>,
    Extension(asker): Extension<Asker>,
    headers: HeaderMap,
) -> Response {
    match items(&app, &asker).await {
        Ok(items) if headers.contains_key(ANTHROPICS) => response(anthropic::models(&items)),
        Ok(items) => Json(ModelList::new(items)).into_response(),
        Err(error) => refused(&headers, error),
    }
}

pub(crate) async fn get_model(
    State(app): State<App>,
    Extension(asker): Extension<Asker>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let items = match items(&app, &asker).await {
        Ok(items) => items,
        Err(error) => return refused(&headers, error),
    };
    let named = |id: &str| items.iter().find(|item| item.id == id);
    match named(&id).or_else(|| named(app.router.unaliased(&id))) {
        Some(item) if headers.contains_key(ANTHROPICS) => response(anthropic::one_model(item)),
        Some(item) => Json(item).into_response(),
        None => refused(&headers, Error::no_model(&id).into()),
    }
}

fn refused(headers: &HeaderMap, error: ApiError) -> Response {
    if headers.contains_key(ANTHROPICS) {
        response(anthropic::refused(&error.openai()))
    } else {
        error.into_openai_response()
    }
}

/// Any route that is asked of a model.
pub(crate) async fn ask(State(app): State<App>, asking: Asking, request: Request) -> Response {
    let answered = answer(&app, &asking, request).await;
    shown(answered, |error| error.clone().into())
}

async fn answer(app: &App, asking: &Asking, http: Request) -> Result<(HttpAnswer, Headers), Refused> {
    let (method, path) = (http.method().to_string(), http.uri().path().to_owned());
    let bytes = plain_body(app, http).await?;
    let request = openai::read(&method, &path, bytes)?;
    let answered = asking.ask(app, request.clone()).await?;
    let written = openai::written(&request, answered.answer);
    Ok((until_cut(written, app.cut.clone()), answered.headers))
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
fn until_cut(answer: HttpAnswer, cut: CancellationToken) -> HttpAnswer {
    let body = match answer.body {
        HttpBody::Stream(events) => HttpBody::Stream(cut_off(events, cut, answers::quiet).boxed()),
        whole => whole,
    };
    HttpAnswer { body, ..answer }
}

/// `quiet` ends when a client has heard nothing for so long that it must be told that somebody is still there.
fn cut_off<Q: Future<Output = ()> + Send + 'static>(
    events: BoxStream<'static, Bytes>,
    cut: CancellationToken,
    quiet: impl Fn() -> Q + Send + 'static,
) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(Some((events, cut, quiet)), |state| async move {
        let (mut events, cut, quiet) = state?;
        tokio::select! {
            biased;
            event = events.next() => Some((event?, Some((events, cut, quiet)))),
            () = cut.cancelled() => {
                Some((Writer::error(&answers::stopping().openai()), None))
            }
            () = quiet() => Some((sse::keep_alive(), Some((events, cut, quiet)))),
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
    let items = models::to_ask(app, asker).await?.into_iter().map(|model| {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::{Semaphore, mpsc};
    use tokio_stream::wrappers::ReceiverStream;

    use super::*;

    /// S10: while a prompt is read nothing of the answer comes, and clients and proxies give silent connections up.
    #[tokio::test]
    async fn a_silent_stream_says_now_and_then_that_it_is_there() {
        // A clock that stands: ten seconds pass where a permit is given.
        let ten_seconds = Arc::new(Semaphore::new(0));
        let clock = Arc::clone(&ten_seconds);
        let quiet = move || {
            let clock = Arc::clone(&clock);
            async move { clock.acquire().await.unwrap().forget() }
        };
        let (sender, events) = mpsc::channel(1);
        let cut = CancellationToken::new();
        let mut heard = cut_off(ReceiverStream::new(events).boxed(), cut.clone(), quiet).boxed();
        ten_seconds.add_permits(2);
        for _ in 0..2 {
            let comment = heard.next().await.unwrap();
            assert!(
                comment.starts_with(b":") && comment.ends_with(b"\n\n"),
                "{comment:?}"
            );
        }
        // What comes is given out at once, and no comment stands between.
        for event in ["data: a\n\n", "data: b\n\n"] {
            sender.send(Bytes::from(event)).await.unwrap();
            assert_eq!(heard.next().await.unwrap(), event);
        }
        ten_seconds.add_permits(1);
        assert!(heard.next().await.unwrap().starts_with(b":"));
        cut.cancel();
        assert!(String::from_utf8_lossy(&heard.next().await.unwrap()).contains("stopping"));
        assert_eq!(heard.next().await, None);
        assert_eq!(answers::QUIET.as_secs(), 10);
    }
}

//! HTTP requests as values in, HTTP answers as values out.

use bytes::Bytes;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};

use super::{ModelItem, ModelList, Writer, whole};
use crate::{
    answer::{Answer, Body},
    backend::Backend,
    error::Error,
    operation::Operation,
    principal::Principal,
    request::Request,
    sse,
};

/// An HTTP answer.
pub struct HttpAnswer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: HttpBody,
}

/// The body of an HTTP answer.
pub enum HttpBody {
    Full(Bytes),
    /// Server-sent events. Dropping it cancels the answer. A stream that breaks off ends with an event that has `error`
    /// in it, and without `[DONE]`.
    Stream(BoxStream<'static, Bytes>),
}

impl HttpBody {
    /// All of the body. For a stream: waits to its end.
    pub async fn collect(self) -> Bytes {
        match self {
            HttpBody::Full(bytes) => bytes,
            HttpBody::Stream(stream) => stream.collect::<Vec<Bytes>>().await.concat().into(),
        }
    }
}

impl From<Error> for HttpAnswer {
    fn from(error: Error) -> HttpAnswer {
        let mut headers = vec![("content-type", "application/json".to_owned())];
        if let Some(seconds) = error.retry_after_seconds {
            headers.push(("retry-after", seconds.to_string()));
        }
        HttpAnswer {
            status: error.status,
            headers,
            body: HttpBody::Full(error.body()),
        }
    }
}

/// Reads a request by its path.
///
/// # Errors
/// No such route, another method, a body that is no JSON object.
pub fn read(method: &str, path: &str, body: Bytes) -> Result<Request, Error> {
    let operation = Operation::of(path);
    if operation.route().is_none() {
        let allowed = (operation == Operation::Models).then_some("GET");
        return Err(Error::not_served(method, path, allowed));
    }
    if !method.eq_ignore_ascii_case("POST") {
        return Err(Error::not_served(method, path, Some("POST")));
    }
    Request::read(operation, body)
}

/// Answers one request. Never fails: an error is an answer too.
pub async fn serve(
    backend: &dyn Backend,
    method: &str,
    path: &str,
    body: Bytes,
    principal: &Principal,
) -> HttpAnswer {
    if Operation::of(path) == Operation::Models && method.eq_ignore_ascii_case("GET") {
        return match backend.models().await {
            Ok(models) => {
                let items = models
                    .into_iter()
                    .map(|model| ModelItem::new(model.name, model.added_at, "hearth"));
                json(
                    serde_json::to_vec(&ModelList::new(items.collect()))
                        .unwrap_or_default()
                        .into(),
                )
            }
            Err(error) => error.into(),
        };
    }
    let request = match read(method, path, body) {
        Ok(request) => request,
        Err(error) => return error.into(),
    };
    match backend.answer(request.clone(), principal).await {
        Ok(answer) => written(&request, answer),
        Err(error) => error.into(),
    }
}

/// An answer as HTTP.
#[must_use]
pub fn written(request: &Request, answer: Answer) -> HttpAnswer {
    let Answer { head, body } = answer;
    let body = match body {
        // A client that reads a stream gets one, also from a server that does not make any.
        Body::Whole(whole) if request.stream => match whole.generation() {
            Ok(generation) => Body::Stream(generation.into_stream()),
            Err(error) => return error.into(),
        },
        body @ Body::Whole(_) | body @ Body::Stream(_) => body,
    };
    let mut written = match body {
        Body::Whole(content) => json(whole(request, &head, &content)),
        Body::Stream(chunks) => {
            let writer = Writer::new(request, head.clone());
            // `None` ends it: an error is the last event and no end follows it.
            let events = stream::unfold(Some((chunks, writer)), |state| async move {
                let (mut chunks, mut writer) = state?;
                match chunks.next().await {
                    Some(Ok(chunk)) => Some((writer.chunk(&chunk), Some((chunks, writer)))),
                    Some(Err(error)) => Some((Writer::error(&error), None)),
                    None => Some((sse::done(), None)),
                }
            });
            HttpAnswer {
                status: 200,
                headers: vec![
                    ("content-type", sse::MEDIA_TYPE.to_owned()),
                    ("cache-control", "no-cache".to_owned()),
                    // Asks proxies not to collect the stream.
                    ("x-accel-buffering", "no".to_owned()),
                ],
                body: HttpBody::Stream(
                    events
                        .filter(|bytes| std::future::ready(!bytes.is_empty()))
                        .boxed(),
                ),
            }
        }
    };
    if let Some(receipt) = head.receipt {
        written.headers.push(("x-hearth-receipt", receipt.to_string()));
    }
    if !head.notes.is_empty() {
        written.headers.push(("x-hearth-notes", head.notes.join(", ")));
    }
    written
}

fn json(body: Bytes) -> HttpAnswer {
    HttpAnswer {
        status: 200,
        headers: vec![("content-type", "application/json".to_owned())],
        body: HttpBody::Full(body),
    }
}

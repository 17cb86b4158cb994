//! HTTP requests and answers as values.

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use hearth_engine::{Event, FinishReason, Priority};

use crate::{
    error::{Error, internal},
    generation::Generation,
    sse,
};

/// A request, with and without `/v1` in its path.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// The path; a query is ignored.
    pub path: String,
    pub body: Bytes,
    /// Who asks.
    pub priority: Priority,
    /// Takes this model whatever the body says, and writes the body's name into the answer. A miner maps a service
    /// to a model with it.
    pub model: Option<String>,
}

/// An answer.
pub struct HttpAnswer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
}

/// The body of an answer.
pub enum Body {
    Full(Bytes),
    /// Server-sent events, as the engine writes. Dropping it stops the engine. A stream that breaks off ends with an
    /// event that has `error` in it, and without `[DONE]`.
    Stream(BoxStream<'static, Bytes>),
}

impl Body {
    /// All of the body. For a stream: waits to its end.
    pub async fn collect(self) -> Bytes {
        match self {
            Body::Full(bytes) => bytes,
            Body::Stream(stream) => stream.collect::<Vec<Bytes>>().await.concat().into(),
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
            body: Body::Full(error.body().into()),
        }
    }
}

pub(crate) fn json<T: serde::Serialize>(value: &T) -> Result<HttpAnswer, Error> {
    let body = serde_json::to_vec(value).map_err(|_| internal())?;
    let headers = vec![("content-type", "application/json".to_owned())];
    Ok(HttpAnswer {
        status: 200,
        headers,
        body: Body::Full(body.into()),
    })
}

/// The model to load and the name to answer with.
pub(crate) fn names(request: &HttpRequest, asked: Option<&str>) -> Result<(String, String), Error> {
    let asked = asked.filter(|name| !name.is_empty());
    match (&request.model, asked) {
        (Some(model), asked) => Ok((model.clone(), asked.unwrap_or(model).to_owned())),
        (None, Some(asked)) => Ok((asked.to_owned(), asked.to_owned())),
        (None, None) => Err(Error::bad_field(
            "model",
            "model is missing: GET /v1/models lists those there are",
        )),
    }
}

/// An id as OpenAI writes them.
pub(crate) fn new_id(prefix: &str) -> String {
    format!("{prefix}-{}", uuid::Uuid::new_v4().simple())
}

pub(crate) fn reason(reason: FinishReason) -> &'static str {
    match reason {
        // Only a reader who is gone cancels, so nobody reads it.
        FinishReason::Stop | FinishReason::Cancelled => "stop",
        FinishReason::Length => "length",
    }
}

/// Writes the events of a generation as a stream. `first` is sent before the first token; `write` makes the chunks of
/// an event, and the last event is followed by `[DONE]`.
pub(crate) fn stream<F>(generation: Generation, first: Option<Bytes>, write: F) -> HttpAnswer
where
    F: FnMut(&Event) -> Result<Bytes, serde_json::Error> + Send + 'static,
{
    let chunks = stream::unfold(Some((generation, write)), |state| async {
        let (mut generation, mut write) = state?;
        let event = generation.next().await;
        let (bytes, goes_on) = match &event {
            None => (broken(&internal()), false),
            Some(Event::Failed(error)) => (broken(&error.clone().into()), false),
            Some(event @ (Event::Started { .. } | Event::Prompt { .. } | Event::Token { .. })) => {
                (write(event).unwrap_or_else(|_| broken(&internal())), true)
            }
            Some(event @ Event::Finished { .. }) => {
                let last = write(event).unwrap_or_else(|_| broken(&internal()));
                (Bytes::from([last, sse::done()].concat()), false)
            }
        };
        Some((bytes, goes_on.then_some((generation, write))))
    });
    let chunks = stream::iter(first)
        .chain(chunks)
        .filter(|bytes| std::future::ready(!bytes.is_empty()));
    let headers = vec![
        ("content-type", sse::MEDIA_TYPE.to_owned()),
        ("cache-control", "no-cache".to_owned()),
        // Asks proxies not to collect the stream.
        ("x-accel-buffering", "no".to_owned()),
    ];
    HttpAnswer {
        status: 200,
        headers,
        body: Body::Stream(chunks.boxed()),
    }
}

fn broken(error: &Error) -> Bytes {
    sse::event(&error.value()).unwrap_or_default()
}

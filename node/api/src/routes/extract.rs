//! What several routes extract and answer with.

use std::{convert::Infallible, io::Read as _, sync::Arc};

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request, State},
    http::{StatusCode, Uri, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use hearth_answers::{Code, Error, sse};
use hearth_listen::{BodyError, MemoryShare};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::Semaphore;

use crate::{app::App, error::ApiError, parts::Window};

/// How many items a list has unless told.
const DEFAULT_LIMIT: u32 = 50;
/// How much of a gzip is unpacked at once.
const PIECE: usize = 64 << 10;
/// The parts a gzip may have: programs send one. Each costs work also where nothing is in it.
const MAX_MEMBERS: usize = 4;
/// Bodies that are unpacked at once, a thread each.
static UNPACKING: Semaphore = Semaphore::const_new(2);
/// The most items of a list.
const MAX_LIMIT: u32 = 500;

/// A JSON body. Its media type does not matter: a foreign page cannot call at all.
pub(crate) struct Input<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Input<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &App) -> Result<Input<T>, ApiError> {
        let bytes = body(request).await?;
        serde_json::from_slice(&bytes)
            .map(Input)
            .map_err(|error| ApiError::bad_request(format!("the body cannot be read: {error}")))
    }
}

/// The bytes of a body within the limits. Who may not call at all does not come this far.
pub(crate) async fn body(request: Request) -> Result<Bytes, ApiError> {
    // The listener counts.
    axum::body::to_bytes(request.into_body(), usize::MAX)
        .await
        .map_err(|error| ApiError::from_body(&error))
}

/// The bytes of a body that asks a model, also one that was sent as gzip.
pub(crate) async fn plain_body(app: &App, request: Request) -> Result<Bytes, Error> {
    let encoding = request.headers().get(header::CONTENT_ENCODING).cloned();
    let share = request.extensions().get::<Arc<MemoryShare>>().cloned();
    let bytes = body(request).await.map_err(|error| error.openai())?;
    let encoding = encoding.as_ref().map(|encoding| encoding.as_bytes().trim_ascii());
    match encoding {
        None | Some(b"" | b"identity") => Ok(bytes),
        Some(b"gzip" | b"x-gzip") => unpacked_aside(bytes, app.config.max_body_bytes, share).await,
        Some(other) => Err(Error {
            status: 415,
            ..Error::new(
                Code::Of("unsupported_encoding"),
                format!(
                    "a body of Content-Encoding {} is not read: send it plain or as gzip",
                    other.escape_ascii()
                ),
            )
        }),
    }
}

/// Unpacks on a thread of its own: what others ask meanwhile does not wait for it.
async fn unpacked_aside(gzip: Bytes, limit: usize, share: Option<Arc<MemoryShare>>) -> Result<Bytes, Error> {
    let place = UNPACKING.acquire().await;
    let unpacking = tokio::task::spawn_blocking(move || {
        // Held until the work ends, also where nobody waits for it any more.
        let _place = place;
        unpacked(&gzip, limit, share.as_deref())
    });
    unpacking
        .await
        .unwrap_or_else(|error| Err(ApiError::internal(&error).openai()))
}

/// What is in a gzip, which takes its room and has its limit as if it had come plain.
fn unpacked(gzip: &[u8], limit: usize, share: Option<&MemoryShare>) -> Result<Bytes, Error> {
    let refused = |error: &BodyError| ApiError::from(error).openai();
    let no_gzip = |reason: String| Error::bad_json(format!("the body is no gzip: {reason}"));
    let (mut rest, mut plain, mut piece) = (gzip, Vec::new(), vec![0; PIECE]);
    for _ in 0..MAX_MEMBERS {
        let mut member = flate2::bufread::GzDecoder::new(rest);
        loop {
            let n_bytes = member
                .read(&mut piece)
                .map_err(|error| no_gzip(error.to_string()))?;
            let Some(piece) = piece.get(..n_bytes).filter(|piece| !piece.is_empty()) else {
                break;
            };
            if plain.len() + n_bytes > limit {
                return Err(refused(&BodyError::TooLarge { limit }));
            }
            if let Some(share) = share {
                share.take(n_bytes).map_err(|error| refused(&error))?;
            }
            plain.extend_from_slice(piece);
        }
        rest = member.into_inner();
        if rest.is_empty() {
            return Ok(plain.into());
        }
    }
    Err(no_gzip(format!(
        "it has more than {MAX_MEMBERS} members; send it as one"
    )))
}

/// `q`, `limit` and `offset` of a list.
pub(crate) struct ListQuery {
    pub(crate) search: String,
    pub(crate) window: Window,
}

impl ListQuery {
    /// Reads them; `other` says whether it knows another parameter, and takes it.
    pub(crate) fn read(
        uri: &Uri,
        mut other: impl FnMut(&str, &str) -> Result<bool, ApiError>,
    ) -> Result<ListQuery, ApiError> {
        let mut query = ListQuery {
            search: String::new(),
            window: Window {
                limit: DEFAULT_LIMIT,
                offset: 0,
            },
        };
        let number = |name: &str, text: &str| {
            text.parse::<u32>().map_err(|_| {
                ApiError::bad_request(format!("{name} is \"{text}\": it must be a whole number"))
            })
        };
        for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            match name.as_ref() {
                "q" => query.search = value.into_owned(),
                "limit" => query.window.limit = number("limit", &value)?.clamp(1, MAX_LIMIT),
                "offset" => query.window.offset = number("offset", &value)?,
                name if other(name, &value)? => {}
                name => return Err(unknown_parameter(name)),
            }
        }
        Ok(query)
    }
}

impl FromRequestParts<App> for ListQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<ListQuery, ApiError> {
        ListQuery::read(&parts.uri, |_, _| Ok(false))
    }
}

/// The only parameter that a call knows, if it is given.
pub(crate) fn only_parameter(uri: &Uri, wanted: &str) -> Result<Option<String>, ApiError> {
    let mut found = None;
    for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        if name != wanted {
            return Err(unknown_parameter(&name));
        }
        found = Some(value.into_owned());
    }
    Ok(found)
}

fn unknown_parameter(name: &str) -> ApiError {
    ApiError::bad_request(format!("\"{name}\" is no parameter of this call"))
}

/// Server-sent events with these values as data.
pub(crate) fn event_stream<T, S>(values: S) -> Response
where
    T: Serialize,
    S: Stream<Item = T> + Send + 'static,
{
    // A value of ours that JSON cannot write would be a defect; the reader misses one event then, not all.
    stream_of(values.map(|value| sse::encode(&serde_json::to_vec(&value).unwrap_or_default())))
}

/// Server-sent events as they are.
pub(crate) fn stream_of<S: Stream<Item = Bytes> + Send + 'static>(bytes: S) -> Response {
    let headers = [
        (header::CONTENT_TYPE, sse::MEDIA_TYPE),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (
        headers,
        [("x-accel-buffering", "no")],
        Body::from_stream(bytes.map(Ok::<Bytes, Infallible>)),
    )
        .into_response()
}

pub(crate) async fn wrong_method() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this call has another method",
    )
    .remedy("Look at /api/v1/openapi.json.")
}

/// Ends calls that are still being answered when the time for it is over.
pub(crate) async fn until_cut(State(app): State<App>, request: Request, next: Next) -> Response {
    tokio::select! {
        biased;
        response = next.run(request) => response,
        () = app.cut.cancelled() => ApiError::unavailable("stopping", "Hearth is stopping").into_response(),
    }
}

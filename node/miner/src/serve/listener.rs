//! The relay port: what HTTP brings to the server, and takes from it.

use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures::{FutureExt as _, StreamExt as _};
use hearth_listen::{Body, BodyError, Peer};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body as _, Frame},
    header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use tokio_util::sync::CancellationToken;

use super::{BrokenOff, Reply, ReplyBody, Server};
use crate::refusal::Refusal;

type OutBody = UnsyncBoxBody<Bytes, BrokenOff>;

/// Why the relay port cannot be taken.
#[derive(Debug, thiserror::Error)]
#[error(
    "the relay port {address} cannot be taken: is another program on it? Choose another with --miner-listen"
)]
pub(crate) struct BindError {
    address: SocketAddr,
    #[source]
    source: std::io::Error,
}

/// A bound socket that serves until it is stopped, or the miner is.
pub(crate) struct Listener {
    stopped: CancellationToken,
}

impl Listener {
    /// Takes the port and begins to serve.
    pub(crate) fn start(server: Arc<Server>) -> Result<Listener, BindError> {
        let address = server.config.listen;
        let socket = hearth_listen::bind(address).map_err(|source| BindError { address, source })?;
        let stopped = server.tasks.token().child_token();
        // What runs when a connection is to end may take as long as an answer and its reader may.
        let answers = server.places.values().map(|places| places.config.answer_within);
        let longest = answers.max().unwrap_or_default() + server.config.read_within;
        let threads = Arc::clone(&server.threads);
        hearth_listen::start(hearth_listen::Args {
            socket,
            limits: server.config.limits(longest),
            tasks: server.tasks.clone(),
            stopped: stopped.clone(),
            threads: Box::new(move || threads.next().clone()),
            service: Port(server),
        });
        tracing::info!(%address, "the relay server listens");
        Ok(Listener { stopped })
    }

    /// Takes no new connection; those that are open end after their answer.
    pub(crate) fn stop(&self) {
        self.stopped.cancel();
    }
}

/// The server as the listener sees it.
#[derive(Clone)]
struct Port(Arc<Server>);

impl hearth_listen::Service for Port {
    type Body = OutBody;

    async fn call(&self, request: Request<Body>, peer: Peer) -> Response<OutBody> {
        let server = &self.0;
        let is_head = request.method() == Method::HEAD;
        // With a body it is a relay: PATH sends one by the method of what it carries.
        if (is_head || request.method() == Method::GET) && request.body().is_end_stream() {
            let height = server.admission.network.head().borrow().height.0;
            return match request.uri().path() {
                "/health" | "/healthz" | "/ready" => {
                    let body = serde_json::json!({ "status": "healthy", "block_height": height });
                    respond(Reply::json(200, body.to_string().into()))
                }
                _ => {
                    let body = Bytes::from_static(br#"{"error":"send a relay by POST"}"#);
                    respond(Reply::json(404, body))
                }
            };
        }
        let body = read(request.into_body()).await;
        let reply = AssertUnwindSafe(Arc::clone(server).serve(body))
            .catch_unwind()
            .await;
        // A fault costs the request that it was met in. Its own report says where it is.
        let mut reply = reply.unwrap_or_else(|_| server.broken());
        if reply.status == 200 {
            // Somebody pays for this one.
            peer.vouch();
            if is_head {
                // No body goes with it, and a gateway would take a 200 without one for an answer that does not verify.
                reply = Reply::json(204, Bytes::new());
            }
        }
        respond(reply)
    }

    fn refuse(&self, why: hearth_listen::Refusal) -> Response<OutBody> {
        let json = |status, text: String| {
            let body = serde_json::json!({ "error": text });
            respond(Reply::json(status, body.to_string().into()))
        };
        match why {
            hearth_listen::Refusal::LargeHead { headers, bytes } => json(
                431,
                format!("a request may have {headers} headers and {bytes} bytes of them"),
            ),
            hearth_listen::Refusal::TooMany { retry_after } => {
                let seconds = retry_after.as_secs() + 1;
                let text =
                    format!("too many requests of this address were refused: try again in {seconds} s");
                let mut response = json(429, text);
                response
                    .headers_mut()
                    .insert(RETRY_AFTER, HeaderValue::from(seconds));
                response
            }
            hearth_listen::Refusal::Fault => respond(self.0.broken()),
        }
    }
}

/// Reads a body. Most come in one piece, which is not copied.
async fn read(mut body: Body) -> Result<Bytes, Refusal> {
    let mut first: Option<Bytes> = None;
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(refusal)?.into_data() else {
            continue;
        };
        match first.take() {
            None if all.is_empty() => first = Some(data),
            None => all.extend_from_slice(&data),
            Some(before) => {
                all.reserve(before.len() + data.len());
                all.extend_from_slice(&before);
                all.extend_from_slice(&data);
            }
        }
    }
    Ok(first.unwrap_or_else(|| all.freeze()))
}

fn refusal(error: BodyError) -> Refusal {
    match error {
        BodyError::TooLarge { limit } => Refusal::TooLarge { limit },
        BodyError::Crowded => Refusal::Crowded,
        BodyError::TooSlow { seconds } => Refusal::TooSlow { seconds },
        BodyError::BrokenOff(error) => Refusal::Garbage {
            why: error.to_string(),
        },
    }
}

fn respond(reply: Reply) -> Response<OutBody> {
    let body = match reply.body {
        ReplyBody::Full(bytes) => Full::new(bytes).map_err(|never| match never {}).boxed_unsync(),
        ReplyBody::Stream(parts) => StreamBody::new(parts.map(|part| part.map(Frame::data))).boxed_unsync(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let content_type = HeaderValue::from_str(&reply.content_type);
    let content_type = content_type.unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    if let Some(seconds) = reply.retry_after {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

//! The socket: connections, their limits, and bodies in and out.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body as _, Frame, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{net::TcpListener, sync::Semaphore};
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
    pub(crate) async fn start(server: Arc<Server>) -> Result<Listener, BindError> {
        let address = server.config.listen;
        let failed = |source| BindError { address, source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let stopped = server.tasks.token().child_token();
        let tasks = server.tasks.clone();
        tasks.spawn("relay server", accept(server, socket, stopped.clone()));
        tracing::info!(%address, "the relay server listens");
        Ok(Listener { stopped })
    }

    /// Takes no new connection; those that are open end after their answer.
    pub(crate) fn stop(&self) {
        self.stopped.cancel();
    }
}

async fn accept(server: Arc<Server>, socket: TcpListener, stopped: CancellationToken) {
    let places = Arc::new(Semaphore::new(server.config.max_connections));
    loop {
        let place = tokio::select! {
            () = stopped.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let accepted = tokio::select! {
            () = stopped.cancelled() => break,
            accepted = socket.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Too many open files, mostly: waiting helps.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        // Small batches of a stream leave at once.
        let _ = stream.set_nodelay(true);
        let server = Arc::clone(&server);
        let (stopped, tasks) = (stopped.clone(), server.tasks.clone());
        tasks.spawn("relay connection", async move {
            let _place = place;
            let read_within = server.config.read_within;
            let service = service_fn(move |request| {
                let server = Arc::clone(&server);
                async move { Ok::<_, Infallible>(handle(server, request).await) }
            });
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder
                .http1()
                .timer(TokioTimer::new())
                .header_read_timeout(read_within);
            builder.http2().timer(TokioTimer::new());
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            tokio::pin!(connection);
            let served = tokio::select! {
                served = connection.as_mut() => served,
                () = stopped.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = served {
                tracing::trace!(%error, "a relay connection ended");
            }
        });
    }
}

async fn handle(server: Arc<Server>, request: Request<Incoming>) -> Response<OutBody> {
    if request.method() == Method::GET {
        let height = server.admission.network.head().borrow().height.0;
        return match request.uri().path() {
            "/health" | "/healthz" | "/ready" => {
                let body = serde_json::json!({ "status": "healthy", "block_height": height });
                respond(Reply::json(200, body.to_string().into()))
            }
            _ => respond(Reply::json(
                404,
                Bytes::from_static(br#"{"error":"send a relay by POST"}"#),
            )),
        };
    }
    let body = read(&server, request.into_body()).await;
    respond(server.serve(body).await)
}

/// Reads a body within its limits.
async fn read(server: &Server, body: Incoming) -> Result<Bytes, Refusal> {
    let limit = server.config.max_request_bytes;
    let within = server.config.read_within;
    let hint = body.size_hint();
    if hint.lower() > limit as u64 {
        return Err(Refusal::TooLarge { limit });
    }
    let collect = async {
        let mut body = body;
        // Most bodies come in one piece, which is not copied.
        let mut first: Option<Bytes> = None;
        let mut all = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Refusal::Garbage {
                why: error.to_string(),
            })?;
            let Ok(data) = frame.into_data() else { continue };
            let length = first.as_ref().map_or(all.len(), Bytes::len) + data.len();
            if length > limit {
                return Err(Refusal::TooLarge { limit });
            }
            match first.take() {
                None if all.is_empty() => first = Some(data),
                None => all.extend_from_slice(&data),
                Some(before) => {
                    all.reserve(usize::try_from(hint.lower()).unwrap_or(0).max(length));
                    all.extend_from_slice(&before);
                    all.extend_from_slice(&data);
                }
            }
        }
        Ok(first.unwrap_or_else(|| all.freeze()))
    };
    match tokio::time::timeout(within, collect).await {
        Ok(body) => body,
        Err(_) => Err(Refusal::TooSlow {
            seconds: within.as_secs(),
        }),
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
    response
}

//! The socket: connections, their limits, and bodies in and out.

use std::{
    convert::Infallible,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::{FutureExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Method, Request, Response, StatusCode, Version,
    body::{Body as _, Frame, Incoming},
    header::{CONNECTION, CONTENT_TYPE, HeaderValue},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

use super::{BrokenOff, Reply, ReplyBody, Server};
use crate::{refusal::Refusal, threads::Home};

/// How every connection of HTTP/2 begins.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";
/// Requests of one connection at once. A gateway that sends more opens another.
const STREAMS: u32 = 8;
/// How often a silent connection of HTTP/2 is asked whether it still lives, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(20);
/// Bytes of a connection that may wait to be read: not counted among those of the requests, so there are few.
const WINDOW: u32 = 64 << 10;
const BUFFER: usize = 64 << 10;

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
        let threads = Arc::clone(&server.threads);
        let _on_it = threads.next().enter();
        let socket = bind(address).map_err(|source| BindError { address, source })?;
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

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = std::net::TcpListener::bind(address)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}

async fn accept(server: Arc<Server>, socket: TcpListener, stopped: CancellationToken) {
    let places = Arc::new(Semaphore::new(server.config.max_connections));
    loop {
        let place = tokio::select! {
            () = stopped.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        // The places are never closed.
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            () = stopped.cancelled() => break,
            accepted = socket.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Too many open files, mostly: waiting helps.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Small batches of a stream leave at once.
        let _ = stream.set_nodelay(true);
        let Ok(stream) = stream.into_std() else { continue };
        let _on_it = server.threads.next().enter();
        let Ok(stream) = TcpStream::from_std(stream) else {
            continue;
        };
        let connection = connection(Arc::clone(&server), stream, stopped.clone(), place);
        server.tasks.spawn("relay connection", connection);
    }
}

/// Which HTTP a client speaks.
enum Protocol {
    Http1,
    Http2,
}

/// The protocol, from the first bytes of a connection, which stay unread.
async fn protocol(stream: &TcpStream) -> Option<Protocol> {
    let mut seen = [0; PREFACE.len()];
    loop {
        let n = stream.peek(&mut seen).await.ok()?;
        if n == 0 {
            return None;
        }
        if seen[..n] != PREFACE[..n] {
            return Some(Protocol::Http1);
        }
        if n == PREFACE.len() {
            return Some(Protocol::Http2);
        }
        // The bytes that were seen are there still, so the next look would not wait.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What a connection has done, so that one that does nothing can be ended.
#[derive(Default)]
struct Activity {
    requests: AtomicUsize,
    open: AtomicUsize,
}

impl Activity {
    /// Waits until nothing was asked for `within` and nothing runs; or for `longest`, when whatever runs has a reader
    /// that does not read. Looks now and then, rather than being told of every request.
    async fn idle(&self, home: &Home, within: Duration, longest: Duration) {
        let (mut before, mut quiet) = (0, Duration::ZERO);
        loop {
            home.wait(within).await;
            let requests = self.requests.load(Ordering::SeqCst);
            quiet = if requests == before {
                quiet + within
            } else {
                Duration::ZERO
            };
            let nothing_runs = self.open.load(Ordering::SeqCst) == 0;
            if quiet >= longest || (nothing_runs && quiet >= within) {
                return;
            }
            before = requests;
        }
    }
}

/// One request of a connection, until its answer is made; of a stream, until it is read.
struct Asked(Arc<Activity>);

impl Asked {
    fn begin(activity: &Arc<Activity>) -> Asked {
        activity.requests.fetch_add(1, Ordering::SeqCst);
        activity.open.fetch_add(1, Ordering::SeqCst);
        Asked(Arc::clone(activity))
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn connection(
    server: Arc<Server>,
    stream: TcpStream,
    stopped: CancellationToken,
    _place: OwnedSemaphorePermit,
) {
    let read_within = server.config.read_within;
    let protocol = tokio::select! {
        protocol = tokio::time::timeout(read_within, protocol(&stream)) => protocol.ok().flatten(),
        () = stopped.cancelled() => None,
    };
    let Some(protocol) = protocol else { return };
    let activity = Arc::new(Activity::default());
    // What runs when a connection is to end may take as long as an answer and its reader may.
    let limits = server.places.values().map(|places| places.config.answer_within);
    let longest = limits.max().unwrap_or_default() + read_within;
    let end_idle_within = match protocol {
        // Nothing is left to do but to send the rest of an answer.
        Protocol::Http1 => longest,
        // A silent client does not even say that it knows of the end.
        Protocol::Http2 => read_within,
    };
    let (counted, home) = (Arc::clone(&activity), server.threads.home().clone());
    let service = service_fn(move |request| {
        let (server, asked) = (Arc::clone(&server), Asked::begin(&counted));
        async move { Ok::<_, Infallible>(handle(server, request, asked).await) }
    });
    let builder = builder(protocol, read_within, &home);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let served = tokio::select! {
        biased;
        served = connection.as_mut() => Ok(served),
        () = stopped.cancelled() => Err(longest),
        () = activity.idle(&home, read_within, longest) => Err(end_idle_within),
    };
    let served = match served {
        Ok(served) => served,
        Err(end_within) => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(end_within, connection)
                .await
                .unwrap_or(Ok(()))
        }
    };
    if let Err(error) = served {
        tracing::trace!(%error, "a relay connection ended");
    }
}

fn builder(protocol: Protocol, read_within: Duration, home: &Home) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(home.clone())
        .header_read_timeout(read_within)
        .max_buf_size(BUFFER);
    builder
        .http2()
        .timer(home.clone())
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(WINDOW);
    match protocol {
        Protocol::Http1 => builder.http1_only(),
        Protocol::Http2 => builder.http2_only(),
    }
}

async fn handle(server: Arc<Server>, request: Request<Incoming>, asked: Asked) -> Response<OutBody> {
    let is_head = request.method() == Method::HEAD;
    // With a body it is a relay: PATH sends one by the method of what it carries.
    if (is_head || request.method() == Method::GET) && request.body().is_end_stream() {
        let height = server.admission.network.head().borrow().height.0;
        return match request.uri().path() {
            "/health" | "/healthz" | "/ready" => {
                let body = serde_json::json!({ "status": "healthy", "block_height": height });
                respond(Reply::json(200, body.to_string().into()), asked)
            }
            _ => {
                let body = Bytes::from_static(br#"{"error":"send a relay by POST"}"#);
                respond(Reply::json(404, body), asked)
            }
        };
    }
    // Given back once it is clear what the request is answered with.
    let mut room = Room::of(&server.room);
    let is_http1 = request.version() < Version::HTTP_2;
    let body = read(&server, request.into_body(), &mut room).await;
    let is_read = body.is_ok();
    let reply = AssertUnwindSafe(Arc::clone(&server).serve(body))
        .catch_unwind()
        .await;
    // A fault costs the request that it was met in. Its own report says where it is.
    let mut reply = reply.unwrap_or_else(|_| server.broken());
    if is_head && reply.status == 200 {
        // No body goes with it, and a gateway would take a 200 without one for an answer that does not verify.
        reply = Reply::json(204, Bytes::new());
    }
    let mut response = respond(reply, asked);
    if is_http1 && !is_read {
        // What is left of the body ends the connection: its client must not send the next request on it.
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A request's part of the memory for all of them. It grows with what arrives, so that who only promises bytes takes
/// no room.
struct Room {
    all: Arc<Semaphore>,
    taken: usize,
}

impl Room {
    fn of(all: &Arc<Semaphore>) -> Room {
        Room {
            all: Arc::clone(all),
            taken: 0,
        }
    }

    fn take(&mut self, n_bytes: usize) -> Result<(), Refusal> {
        let permits = u32::try_from(n_bytes).map_err(|_| Refusal::Crowded)?;
        let taken = self.all.try_acquire_many(permits).map_err(|_| Refusal::Crowded)?;
        taken.forget();
        self.taken += n_bytes;
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.all.add_permits(self.taken);
    }
}

/// Reads a body within its limits.
async fn read(server: &Server, body: Incoming, room: &mut Room) -> Result<Bytes, Refusal> {
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
            room.take(data.len())?;
            match first.take() {
                None if all.is_empty() => first = Some(data),
                None => all.extend_from_slice(&data),
                Some(before) => {
                    all.reserve(length);
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

fn respond(reply: Reply, asked: Asked) -> Response<OutBody> {
    let body = match reply.body {
        ReplyBody::Full(bytes) => Full::new(bytes).map_err(|never| match never {}).boxed_unsync(),
        ReplyBody::Stream(parts) => {
            let frames = parts.map(move |part| {
                let _until_it_is_read = &asked;
                part.map(Frame::data)
            });
            StreamBody::new(frames).boxed_unsync()
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let content_type = HeaderValue::from_str(&reply.content_type);
    let content_type = content_type.unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

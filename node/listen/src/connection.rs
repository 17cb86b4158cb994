//! One connection: its requests, each within its limits, until it ends or is told to.

use std::{
    convert::Infallible,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::FutureExt as _;
use hearth_base::Tasks;
use hyper::{
    Request, Response, Version,
    body::{Frame, Incoming, SizeHint},
    header::{CONNECTION, HeaderValue},
    http::request,
    rt::{Executor, Sleep, Timer},
    service::service_fn,
};
use hyper_util::{rt::TokioTimer, server::conn::auto};
use tokio::{net::TcpStream, runtime::Handle};

use crate::{
    activity::{Activity, RequestGuard, Signal},
    body::{Body, BodyRule, Memory, MemoryShare},
    origin::TokenBucket,
    stream::TrackedStream,
    table::{Slot, Table},
};

/// Requests of one connection at once. Who wants more opens another.
const STREAMS: u32 = 8;
/// How often a silent connection of HTTP/2 is asked whether it still lives, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(20);
/// Bytes of a connection that may wait to be read: not counted among those of the bodies, so there are few.
const WINDOW: u32 = 64 << 10;
const BUFFER: usize = 64 << 10;

/// What answers requests.
pub trait Service: Clone + Send + Sync + 'static {
    type Body: hyper::body::Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + Unpin
        + 'static;

    /// Answers a request.
    fn call(&self, request: Request<Body>, peer: Peer) -> impl Future<Output = Response<Self::Body>> + Send;

    /// What the body of a request may have, where it is not as usual.
    fn body_rule(&self, _head: &request::Parts) -> Option<BodyRule> {
        None
    }

    /// The answer to what is refused before or in place of [`Service::call`].
    fn refuse(&self, why: Refusal) -> Response<Self::Body>;
}

/// Why a request does not come to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// More headers, or more bytes of them, than a request may have.
    LargeHead { headers: usize, bytes: usize },
    /// The address makes too many requests that are not worth their work.
    TooMany { retry_after: Duration },
    /// A panic in the service. It costs this request alone.
    Fault,
}

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: SocketAddr,
    bucket: Arc<TokenBucket>,
    activity: Arc<Activity>,
}

impl Peer {
    /// The request was worth its work: it does not count against its address, and its connection makes way after those
    /// for which nobody said so.
    pub fn vouch(&self) {
        self.bucket.give_back();
        self.activity.vouch();
    }
}

/// What all connections of a listener share.
pub(crate) struct Shared<S> {
    pub(crate) service: S,
    pub(crate) table: Arc<Table>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) tasks: Tasks,
    /// The program's own threads.
    pub(crate) runtime: Handle,
}

/// Serves a connection until it ends.
pub(crate) async fn serve<S: Service>(
    shared: Arc<Shared<S>>,
    socket: TcpStream,
    address: SocketAddr,
    slot: Slot,
) {
    let activity = Arc::clone(&slot.activity);
    let stream = TrackedStream::new(socket, Arc::clone(&activity));
    let builder = builder(&shared);
    let call = Arc::new(Call {
        shared,
        peer: Peer {
            address,
            bucket: Arc::clone(&slot.bucket),
            activity: Arc::clone(&activity),
        },
        slot,
    });
    let service = service_fn(move |request| {
        let (call, guard) = (Arc::clone(&call), RequestGuard::begin(&call.slot.activity));
        async move { Ok::<_, Infallible>(call.handle(request, guard).await) }
    });
    let connection = builder.serve_connection(stream, service);
    tokio::pin!(connection);
    let mut known = Signal::Continue;
    loop {
        tokio::select! {
            biased;
            served = connection.as_mut() => {
                if let Err(error) = served {
                    tracing::trace!(%error, "a connection ended");
                }
                return;
            }
            signal = activity.signalled(known) => {
                known = signal;
                if signal == Signal::Close {
                    return;
                }
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn builder<S>(shared: &Shared<S>) -> auto::Builder<TaskExecutor> {
    let limits = shared.table.limits();
    let timer = RuntimeTimer(shared.runtime.clone());
    let mut builder = auto::Builder::new(TaskExecutor(shared.tasks.clone()));
    builder
        .http1()
        // The sweep ends who sends no head.
        .header_read_timeout(None)
        .max_headers(limits.headers)
        .max_buf_size(BUFFER);
    builder
        .http2()
        .timer(timer)
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX));
    builder
}

struct Call<S> {
    shared: Arc<Shared<S>>,
    peer: Peer,
    slot: Slot,
}

impl<S: Service> Call<S> {
    async fn handle(&self, request: Request<Incoming>, guard: RequestGuard) -> Response<AnswerBody<S::Body>> {
        let shared = &self.shared;
        let limits = shared.table.limits();
        let is_http1 = request.version() < Version::HTTP_2;
        let (mut head, incoming) = request.into_parts();
        let share = Arc::new(MemoryShare::of(&shared.memory, &self.slot.activity));
        head.extensions.insert(Arc::clone(&share));
        let usual = BodyRule {
            bytes: limits.body_bytes,
            is_passed_on: false,
        };
        let body = Body::new(
            incoming,
            Arc::clone(&share),
            Arc::clone(&self.slot.activity),
            shared.service.body_rule(&head).unwrap_or(usual),
            limits.read_within,
            shared.runtime.clone(),
        );
        let mut response = match self.admit(&head) {
            Ok(()) => {
                let answer = shared
                    .service
                    .call(Request::from_parts(head, body), self.peer.clone());
                // The panic's own report says where it is.
                let answer = AssertUnwindSafe(answer).catch_unwind().await;
                answer.unwrap_or_else(|_| shared.service.refuse(Refusal::Fault))
            }
            Err(why) => shared.service.refuse(why),
        };
        if is_http1 && !share.is_read() {
            // What is left of the body ends the connection: its client must not send the next request on it.
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        response.map(|body| AnswerBody { body, _guard: guard })
    }

    fn admit(&self, head: &request::Parts) -> Result<(), Refusal> {
        let limits = self.shared.table.limits();
        let bytes = head
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len());
        if head.headers.len() > limits.headers || bytes.sum::<usize>() > limits.head_bytes {
            return Err(Refusal::LargeHead {
                headers: limits.headers,
                bytes: limits.head_bytes,
            });
        }
        if limits.rate.is_none() {
            return Ok(());
        }
        let taken = self.slot.bucket.take(self.shared.table.now());
        taken.map_err(|retry_after| Refusal::TooMany { retry_after })
    }
}

/// The body of an answer. Its request is over when this is sent or dropped.
struct AnswerBody<B> {
    body: B,
    _guard: RequestGuard,
}

impl<B: hyper::body::Body<Data = Bytes> + Unpin> hyper::body::Body for AnswerBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Runs the requests of HTTP/2 as tasks that are owned.
#[derive(Clone)]
struct TaskExecutor(Tasks);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for TaskExecutor {
    fn execute(&self, request: F) {
        self.0.spawn_contained("request", request.map(drop));
    }
}

/// A timer that runs on the program's own threads: a thread that has a timer sets the computer's clock whenever it
/// goes to sleep, which costs a virtual computer 10 µs and more.
#[derive(Clone)]
struct RuntimeTimer(Handle);

impl Timer for RuntimeTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        let _entered = self.0.enter();
        TokioTimer::new().sleep(duration)
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn Sleep>> {
        let _entered = self.0.enter();
        TokioTimer::new().sleep_until(deadline)
    }
}

//! A supplier over HTTP that checks requests as a miner does and answers as a test tells it to.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body, extract::State, http::StatusCode, response::Response, routing::post};
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use hearth_base::Tasks;
use hearth_pocket::{
    RingSignature, SecretKey,
    message::{
        relay::{RelayMinerError, RelayRequest, RelayResponse},
        session::SessionHeader,
    },
    payload::{Headers, HttpRequest, HttpResponse},
    relay::{error_response, request_hash, sign_response, validate_request},
    stream::SEPARATOR,
};
use prost::Message;

/// What the supplier does with the next request. The last of the list is repeated.
#[derive(Clone, Debug)]
pub(super) enum Behaviour {
    /// One signed answer.
    Whole { status: u32, body: &'static str },
    /// A signed stream of these bodies.
    Stream(Vec<&'static str>),
    /// As [`Behaviour::Stream`], cut off inside the last part.
    Torn(Vec<&'static str>),
    /// As [`Behaviour::Stream`], with a pause before every part.
    Slow(Vec<&'static str>, Duration),
    /// As [`Behaviour::Stream`], where the last part is signed by a stranger.
    LastPartForged(Vec<&'static str>),
    /// As [`Behaviour::Stream`], where the last part has another status.
    LastPartOtherStatus(Vec<&'static str>),
    /// Signed by a stranger.
    BadSignature,
    /// Signed well, for another session.
    OtherSession,
    /// Another payload than the one that was signed.
    OtherPayload,
    /// Silence.
    Silent,
    /// Bytes that mean nothing.
    Garbage,
    /// Nothing at all.
    Empty,
    /// The classic miner's refusal.
    Classic { codespace: &'static str, code: u32 },
    /// One signed answer after a while.
    Late { after: Duration, body: &'static str },
    /// One signed answer that holds a whole stream.
    WholeStream(Vec<&'static str>),
    /// A signed answer with another status than 200 around it.
    SignedAt {
        outer: u16,
        status: u32,
        body: &'static str,
    },
    /// As [`Behaviour::Stream`], where the last part does not come.
    HangsBeforeItsLastPart(Vec<&'static str>),
    /// A signed stream of this body without end.
    Endless(&'static str),
    /// A page of a reverse proxy.
    Page { status: u16, text: &'static str },
    /// The HA miner's refusal.
    Http { status: u16, error: &'static str },
}

pub(super) struct FakeSupplier {
    pub(super) key: SecretKey,
    pub(super) url: String,
    state: Arc<Shared>,
}

struct Shared {
    key: SecretKey,
    behaviours: Mutex<VecDeque<Behaviour>>,
    seen: Mutex<Vec<(RelayRequest, HttpRequest)>>,
    /// How many answers were dropped before their end.
    dropped: Mutex<usize>,
}

impl FakeSupplier {
    pub(super) async fn start(
        seed: u8,
        behaviours: impl Into<VecDeque<Behaviour>>,
        tasks: &Tasks,
    ) -> FakeSupplier {
        let secret = || SecretKey::from_bytes(&[seed; 32]).unwrap();
        let state = Arc::new(Shared {
            key: secret(),
            behaviours: Mutex::new(behaviours.into()),
            seen: Mutex::default(),
            dropped: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/relay", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/relay", post(answer))
            .with_state(Arc::clone(&state));
        tasks.spawn_until_stopped("supplier", async move {
            axum::serve(listener, router).await.unwrap();
        });
        FakeSupplier {
            key: secret(),
            url,
            state,
        }
    }

    pub(super) fn seen(&self) -> Vec<(RelayRequest, HttpRequest)> {
        self.state.seen.lock().unwrap().clone()
    }

    pub(super) fn dropped(&self) -> usize {
        *self.state.dropped.lock().unwrap()
    }
}

/// Counts an answer that was dropped before its end.
struct DropGuard {
    shared: Arc<Shared>,
    finished: bool,
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if !self.finished {
            *self.shared.dropped.lock().unwrap() += 1;
        }
    }
}

async fn answer(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let request = RelayRequest::decode(body).unwrap();
    validate_request(&request).unwrap();
    let signature = RingSignature::parse(&request.meta.signature).unwrap();
    signature.verify(&request_hash(&request)).unwrap();
    let http = HttpRequest::decode(request.payload.clone()).unwrap();
    let header = request.meta.session_header.clone().unwrap();
    shared.seen.lock().unwrap().push((request, http));
    let behaviour = {
        let mut behaviours = shared.behaviours.lock().unwrap();
        if behaviours.len() > 1 {
            behaviours.pop_front().unwrap()
        } else {
            behaviours[0].clone()
        }
    };
    behave(shared, header, behaviour).await
}

fn part(key: &SecretKey, header: &SessionHeader, status: u32, body: &str) -> RelayResponse {
    let payload = HttpResponse {
        status,
        headers: Headers::new(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    sign_response(key, header.clone(), payload.encode()).unwrap()
}

fn whole(response: &RelayResponse) -> Response {
    Response::new(Body::from(response.encode_to_vec()))
}

#[allow(clippy::too_many_lines, reason = "a table: one arm per behaviour")]
async fn behave(shared: Arc<Shared>, header: SessionHeader, behaviour: Behaviour) -> Response {
    let stranger = SecretKey::from_bytes(&[99; 32]).unwrap();
    let key = &shared.key;
    match behaviour {
        Behaviour::Whole { status, body } => {
            let mut headers = Headers::new();
            headers.insert("Content-Type".to_owned(), vec!["application/json".to_owned()]);
            let payload = HttpResponse {
                status,
                headers,
                body: Bytes::from(body),
            };
            whole(&sign_response(key, header, payload.encode()).unwrap())
        }
        Behaviour::Stream(bodies) => {
            let parts = bodies.iter().map(|body| part(key, &header, 200, body)).collect();
            streamed(shared, parts, Duration::ZERO, false)
        }
        Behaviour::Torn(bodies) => {
            let parts = bodies.iter().map(|body| part(key, &header, 200, body)).collect();
            streamed(shared, parts, Duration::ZERO, true)
        }
        Behaviour::Slow(bodies, pause) => {
            let parts = bodies.iter().map(|body| part(key, &header, 200, body)).collect();
            streamed(shared, parts, pause, false)
        }
        Behaviour::LastPartForged(bodies) => {
            let signer = |i: usize| if i + 1 == bodies.len() { &stranger } else { key };
            let parts = bodies
                .iter()
                .enumerate()
                .map(|(i, body)| part(signer(i), &header, 200, body))
                .collect();
            streamed(shared, parts, Duration::ZERO, false)
        }
        Behaviour::LastPartOtherStatus(bodies) => {
            let status = |i: usize| if i + 1 == bodies.len() { 500 } else { 200 };
            let parts = bodies
                .iter()
                .enumerate()
                .map(|(i, body)| part(key, &header, status(i), body))
                .collect();
            streamed(shared, parts, Duration::ZERO, false)
        }
        Behaviour::BadSignature => whole(&part(&stranger, &header, 200, "{}")),
        Behaviour::OtherSession => {
            let other = SessionHeader {
                session_id: "ab".repeat(32),
                ..header
            };
            whole(&part(key, &other, 200, "{}"))
        }
        Behaviour::OtherPayload => {
            let mut response = part(key, &header, 200, "{}");
            response.payload = part(key, &header, 200, "{\"evil\":1}").payload;
            whole(&response)
        }
        Behaviour::Late { after, body } => {
            tokio::time::sleep(after).await;
            whole(&part(key, &header, 200, body))
        }
        Behaviour::WholeStream(bodies) => {
            let kind = "text/event-stream; charset=utf-8".to_owned();
            let payload = HttpResponse {
                status: 200,
                headers: [("Content-Type".to_owned(), vec![kind])].into(),
                body: Bytes::from(bodies.concat()),
            };
            whole(&sign_response(key, header, payload.encode()).unwrap())
        }
        Behaviour::SignedAt { outer, status, body } => {
            let mut response = whole(&part(key, &header, status, body));
            *response.status_mut() = StatusCode::from_u16(outer).unwrap();
            response
        }
        Behaviour::HangsBeforeItsLastPart(bodies) => {
            let chunks: Vec<Bytes> = bodies[..bodies.len() - 1]
                .iter()
                .map(|body| separated(&part(key, &header, 200, body)))
                .collect();
            let body = stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>)).chain(stream::pending());
            event_stream(Body::from_stream(body))
        }
        Behaviour::Endless(body) => {
            let chunk = separated(&part(key, &header, 200, body));
            event_stream(Body::from_stream(stream::repeat_with(move || {
                Ok::<_, std::io::Error>(chunk.clone())
            })))
        }
        Behaviour::Page { status, text } => {
            let mut response = Response::new(Body::from(text));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            response
        }
        Behaviour::Silent => std::future::pending().await,
        Behaviour::Garbage => Response::new(Body::from("<html>It works!</html>")),
        Behaviour::Empty => Response::new(Body::empty()),
        Behaviour::Classic { codespace, code } => {
            let error = RelayMinerError {
                codespace: codespace.to_owned(),
                code,
                description: "description".to_owned(),
                message: "said no".to_owned(),
            };
            whole(&error_response(Some(header), error))
        }
        Behaviour::Http { status, error } => {
            let mut response = Response::new(Body::from(format!("{{\"error\":\"{error}\"}}")));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            response
        }
    }
}

fn streamed(shared: Arc<Shared>, parts: Vec<RelayResponse>, pause: Duration, torn: bool) -> Response {
    let mut chunks: Vec<Bytes> = parts.iter().map(separated).collect();
    if torn && let Some(last) = chunks.last_mut() {
        last.truncate(last.len() / 2);
    }
    let last = chunks.len() - 1;
    let mut guard = DropGuard {
        shared,
        finished: false,
    };
    let body = stream::iter(chunks.into_iter().enumerate()).then(move |(i, chunk)| {
        // The whole guard moves in here, to be dropped with the answer.
        let guard: &mut DropGuard = &mut guard;
        guard.finished = i == last;
        async move {
            tokio::time::sleep(pause).await;
            Ok::<_, std::io::Error>(chunk)
        }
    });
    event_stream(Body::from_stream(body))
}

fn separated(part: &RelayResponse) -> Bytes {
    [part.encode_to_vec().as_slice(), SEPARATOR].concat().into()
}

fn event_stream(body: Body) -> Response {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert("content-type", "text/event-stream".parse().unwrap());
    response
}

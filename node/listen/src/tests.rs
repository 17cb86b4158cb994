//! A listener over a small service: floods, half-open connections, faults, stops.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::stream;
use hearth_base::Tasks;
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::{Request, Response, body::Frame};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Handle,
};
use tokio_util::sync::CancellationToken;

use super::*;

/// Answers a body with its length, and knows some paths.
#[derive(Clone)]
struct Small;

type Answer = UnsyncBoxBody<Bytes, Infallible>;

fn whole(text: impl Into<Bytes>) -> Answer {
    http_body_util::Full::new(text.into()).boxed_unsync()
}

/// The body, and its part of the memory.
async fn read(request: Request<Body>) -> Result<(Bytes, Arc<MemoryShare>), BodyError> {
    let share = request.extensions().get::<Arc<MemoryShare>>().unwrap().clone();
    let body = request.into_body().collect().await?;
    Ok((body.to_bytes(), share))
}

impl Service for Small {
    type Body = Answer;

    async fn call(&self, request: Request<Body>, peer: Peer) -> Response<Answer> {
        match request.uri().path() {
            "/fault" => panic!("on purpose"),
            // An answer that begins, and goes on for ever without a byte.
            "/events" => {
                let first = stream::iter([Ok(Frame::data(Bytes::from_static(b"data: 1\n\n")))]);
                let all = futures::StreamExt::chain(first, stream::pending());
                Response::new(StreamBody::new(all).boxed_unsync())
            }
            "/paid" => {
                peer.vouch();
                Response::new(whole("paid"))
            }
            // Keeps nothing of what it reads.
            "/passed-on" => {
                let mut body = request.into_body();
                let mut status = 200;
                while let Some(frame) = body.frame().await {
                    if frame.is_err() {
                        status = 413;
                        break;
                    }
                }
                Response::builder().status(status).body(whole("")).unwrap()
            }
            // Looks at the head alone.
            "/refused" => Response::builder().status(401).body(whole("")).unwrap(),
            path => match (path == "/doubled", read(request).await) {
                (false, Ok((body, _))) => Response::new(whole(body.len().to_string())),
                // As much again is made of the body.
                (true, Ok((body, share))) => {
                    let status = if share.take(body.len()).is_ok() { 200 } else { 503 };
                    Response::builder().status(status).body(whole("")).unwrap()
                }
                (_, Err(error)) => {
                    let status = match error {
                        BodyError::TooLarge { .. } => 413,
                        BodyError::Crowded => 503,
                        BodyError::TooSlow { .. } => 408,
                        BodyError::BrokenOff(_) => 400,
                    };
                    Response::builder().status(status).body(whole("")).unwrap()
                }
            },
        }
    }

    fn body_rule(&self, head: &hyper::http::request::Parts) -> Option<BodyRule> {
        (head.uri.path() == "/passed-on").then_some(BodyRule {
            bytes: 3_000_000,
            is_passed_on: true,
        })
    }

    fn refuse(&self, why: Refusal) -> Response<Answer> {
        let status = match why {
            Refusal::LargeHead { .. } => 431,
            Refusal::TooMany { .. } => 429,
            Refusal::Fault => 500,
        };
        Response::builder().status(status).body(whole("")).unwrap()
    }
}

fn limits() -> Limits {
    Limits {
        connections: 8,
        per_address: 8,
        loopback: 8,
        read_within: Duration::from_secs(600),
        busy_within: None,
        drain: Duration::from_millis(100),
        headers: 64,
        head_bytes: 8 << 10,
        body_bytes: 100_000,
        memory_bytes: 1 << 20,
        rate: None,
    }
}

struct Stage {
    address: SocketAddr,
    tasks: Tasks,
    stopped: CancellationToken,
}

impl Stage {
    fn new(limits: Limits) -> Stage {
        let socket = bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = socket.local_addr().unwrap();
        let (tasks, stopped) = (Tasks::root(), CancellationToken::new());
        start(Args {
            socket,
            limits,
            service: Small,
            tasks: tasks.clone(),
            stopped: stopped.clone(),
            threads: Box::new(Handle::current),
        });
        Stage {
            address,
            tasks,
            stopped,
        }
    }

    async fn open(&self, sent: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        stream
    }

    /// The status of an answer.
    async fn status(&self, request: &str) -> u16 {
        status(&mut self.open(request).await).await
    }

    async fn has_ended(&self) {
        self.tasks.stop();
        assert!(
            self.tasks.join_within(Duration::from_secs(60)).await,
            "it does not end"
        );
    }
}

async fn status(stream: &mut TcpStream) -> u16 {
    let mut head = [0; 12];
    let read = tokio::time::timeout(Duration::from_secs(60), stream.read_exact(&mut head));
    read.await.expect("an answer").unwrap();
    String::from_utf8_lossy(&head[9..]).parse().unwrap()
}

/// Waits until the other side ends the connection.
async fn ended(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // One that is cut may be reset.
    let _ = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut rest))
        .await
        .expect("still open");
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0";

#[tokio::test]
async fn a_flood_of_half_open_connections_locks_nobody_out() {
    let stage = Stage::new(limits());
    // One that hears events: it is being answered, so it stays.
    let mut events = stage.open("GET /events HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(status(&mut events).await, 200);
    let mut flood = Vec::new();
    for round in 0..40 {
        let sent = [
            "",
            "GET / HT",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx",
            PREFACE,
        ];
        flood.push(stage.open(sent[round % sent.len()]).await);
        assert_eq!(stage.status(GET).await, 200, "round {round}");
    }
    for mut stream in flood.drain(..20) {
        ended(&mut stream).await;
    }
    let mut rest = [0; 256];
    let _head_and_first_event = events.read(&mut rest).await.unwrap();
    let quiet = tokio::time::timeout(Duration::from_millis(50), events.read(&mut rest)).await;
    assert!(
        quiet.is_err() || quiet.unwrap().unwrap() > 0,
        "the listener's stream was ended"
    );
}

#[tokio::test]
async fn connections_that_send_no_head_are_ended() {
    let stage = Stage::new(Limits {
        read_within: Duration::from_millis(100),
        ..limits()
    });
    for sent in [
        "",
        "GET / HT",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "PRI * HT",
        PREFACE,
        GET,
    ] {
        ended(&mut stage.open(sent).await).await;
    }
    // A byte now and then does not help.
    let mut drip = stage.open("GET / HTTP/1.1\r\n").await;
    let drips = async {
        while drip.write_all(b"a: b\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), drips)
        .await
        .expect("still open");
    // A stream without a byte may stay open.
    let mut events = stage.open("GET /events HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(status(&mut events).await, 200);
    tokio::time::sleep(Duration::from_millis(400)).await;
    let mut rest = vec![0; 4096];
    while let Ok(read) = tokio::time::timeout(Duration::from_millis(20), events.read(&mut rest)).await {
        assert!(read.unwrap() > 0, "the stream was ended");
    }
}

#[tokio::test]
async fn a_body_has_its_size_its_deadline_and_its_share_of_the_memory() {
    let stage = Stage::new(Limits {
        read_within: Duration::from_millis(150),
        ..limits()
    });
    let post = |n_bytes: usize| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {n_bytes}\r\n\r\n");
    assert_eq!(stage.status(&post(100_001)).await, 413);
    assert_eq!(stage.status(&format!("{}x", post(2))).await, 408);
}

#[tokio::test]
async fn bodies_share_one_memory_and_give_it_back() {
    let stage = Stage::new(Limits {
        memory_bytes: 100_000,
        ..limits()
    });
    let post = |n_bytes: usize| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {n_bytes}\r\n\r\n");
    let half = format!("{}{}", post(90_001), "x".repeat(90_000));
    let (mut one, mut other) = (stage.open(&half).await, stage.open(&half).await);
    // Whoever is second gets none of it; the first goes on.
    let (refused, first) = tokio::select! {
        refused = status(&mut one) => (refused, &mut other),
        refused = status(&mut other) => (refused, &mut one),
    };
    assert_eq!(refused, 503);
    first.write_all(b"x").await.unwrap();
    assert_eq!(status(first).await, 200);
    let whole = format!("{}{}", post(90_000), "x".repeat(90_000));
    assert_eq!(stage.status(&whole).await, 200);
}

#[tokio::test]
async fn what_is_made_of_a_body_takes_its_share_too() {
    let stage = Stage::new(Limits {
        memory_bytes: 100_000,
        ..limits()
    });
    let body = "x".repeat(90_000);
    for (path, status) in [("doubled", 503), ("", 200), ("doubled", 503)] {
        let request = format!("POST /{path} HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n{body}");
        assert_eq!(stage.status(&request).await, status, "{path}");
    }
}

#[tokio::test]
async fn a_body_that_is_passed_on_may_be_larger_than_the_memory() {
    let stage = Stage::new(Limits {
        memory_bytes: 500_000,
        ..limits()
    });
    for (length, expected) in [(3_000_000, 200), (3_000_001, 413)] {
        let head = format!("POST /passed-on HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        // What is too large by its own word is refused before a byte of it comes.
        let sent = if expected == 200 {
            head + &" ".repeat(length)
        } else {
            head
        };
        assert_eq!(stage.status(&sent).await, expected, "{length}");
    }
    // All of it was given back: a usual body has the whole memory.
    let usual = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{}",
        " ".repeat(100_000)
    );
    assert_eq!(stage.status(&usual).await, 200);
}

#[tokio::test]
async fn who_fills_the_memory_keeps_nobody_from_a_usual_question() {
    let stage = Stage::new(Limits {
        memory_bytes: 100_000,
        read_within: Duration::from_millis(600),
        ..limits()
    });
    let post = |n_bytes: usize| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {n_bytes}\r\n\r\n");
    let half = format!("{}{}", post(100_000), "x".repeat(99_999));
    let _fills = stage.open(&half).await;
    let mut refused = stage.open(&half).await;
    let small = format!("{}{}", post(20_000), "x".repeat(20_000));
    for _ in 0..3 {
        assert_eq!(stage.status(&small).await, 200);
    }
    // A large one comes through as soon as the one that is slow has made way.
    let large = format!("{}{}", post(90_000), "x".repeat(90_000));
    while stage.status(&large).await != 200 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ended(&mut refused).await;
}

#[tokio::test]
async fn who_is_refused_by_its_head_is_not_read() {
    let stage = Stage::new(limits());
    let mut stream = stage
        .open("POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n")
        .await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer));
    read.await.expect("the connection ends").unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(
        answer.starts_with("HTTP/1.1 401") && answer.contains("connection: close"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_fault_costs_its_request_alone() {
    let stage = Stage::new(limits());
    let mut stream = stage.open("GET /fault HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(status(&mut stream).await, 500);
    assert_eq!(stage.status(GET).await, 200);
    let panicked = tokio::time::timeout(Duration::from_millis(50), stage.tasks.panicked());
    assert!(panicked.await.is_err(), "the node would stop");
}

#[tokio::test]
async fn requests_that_are_not_worth_their_work_have_to_wait() {
    let rate = Rate {
        per_minute: 1,
        burst: 1,
    };
    let stage = Stage::new(Limits {
        rate: Some(rate),
        ..limits()
    });
    let paid = "GET /paid HTTP/1.1\r\nHost: a\r\n\r\n";
    for _ in 0..60 {
        assert_eq!(stage.status(paid).await, 200);
    }
    let n_waits = AtomicUsize::new(0);
    for _ in 0..60 {
        if stage.status(GET).await == 429 {
            n_waits.fetch_add(1, Ordering::Relaxed);
        }
    }
    assert!(n_waits.load(Ordering::Relaxed) > 0, "none had to wait");
}

#[tokio::test]
async fn a_head_is_bounded_in_number_and_bytes() {
    let stage = Stage::new(limits());
    let get = |n_headers: usize, n_bytes: usize| {
        let headers: String = (0..n_headers)
            .map(|n| format!("x{n}: {}\r\n", "a".repeat(n_bytes)))
            .collect();
        format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
    };
    for (n_headers, n_bytes, expected) in [(60, 1, 200), (80, 1, 431), (8, 1_000, 200), (9, 1_000, 431)] {
        assert_eq!(
            stage.status(&get(n_headers, n_bytes)).await,
            expected,
            "{n_headers} of {n_bytes}"
        );
    }
}

#[tokio::test]
async fn nothing_holds_up_a_stop() {
    let stage = Stage::new(limits());
    let mut open = Vec::new();
    for sent in [
        "",
        "GET / HT",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx",
        PREFACE,
        GET,
        "GET /events HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        open.push(stage.open(sent).await);
    }
    assert_eq!(status(open.last_mut().unwrap()).await, 200);
    stage.stopped.cancel();
    stage.has_ended().await;
}

#[test]
fn few_files_make_few_places() {
    let few = limits_of(1024, 1024).fitting(Some(1024));
    assert!(few.connections + few.loopback <= 1024 / 3 && few.per_address <= few.connections);
    assert!(few.loopback >= 100, "the owner has places left");
    let many = limits_of(1024, 1024).fitting(Some(1 << 16));
    assert_eq!((many.connections, many.loopback), (1024, 1024));
}

fn limits_of(connections: usize, loopback: usize) -> Limits {
    Limits {
        connections,
        per_address: 256,
        loopback,
        ..limits()
    }
}

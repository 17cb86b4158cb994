//! What the listener allows: half-open connections, bodies, faults, and a stop that nothing holds up.

use std::time::Duration;

use reqwest::Method;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    parts::Fake,
    support::{World, config, with, world},
};

impl World {
    /// A connection on which these bytes were sent.
    async fn open(&self, sent: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.api.addr()).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        stream
    }

    /// The whole answer to these bytes.
    pub(crate) async fn raw(&self, sent: &str) -> String {
        rest(self.open(sent).await).await
    }
}

/// Everything until the other side ends the connection.
async fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer));
    // One that is cut may be reset.
    let _ = read.await.expect("the connection is still open");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn half_open_connections_lock_nobody_out_and_are_ended() {
    let mut small = config(true);
    small.limits.loopback = 6;
    small.limits.read_within = Duration::from_millis(300);
    let world = with(small, Fake::default()).await;
    let mut flood = Vec::new();
    for _ in 0..30 {
        flood.push(world.open("GET / HT").await);
        assert_eq!(
            world.bare(Method::GET, "/health").send().await.unwrap().status(),
            200
        );
    }
    for stream in flood {
        rest(stream).await;
    }
}

#[tokio::test]
async fn who_may_not_call_is_refused_before_the_body() {
    let world = world().await;
    let head = "POST /api/v1/keys HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n\r\n";
    let answer = rest(world.open(head).await).await;
    assert!(
        answer.starts_with("HTTP/1.1 401") && answer.contains("connection: close"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let mut short = config(true);
    short.limits.read_within = Duration::from_millis(100);
    let world = with(short, Fake::default()).await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n{";
    let answer = rest(world.open(head).await).await;
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains("did not arrive"),
        "{answer}"
    );
}

#[tokio::test]
async fn bodies_share_one_memory() {
    let mut small = config(true);
    small.limits.memory_bytes = 50_000;
    small.limits.read_within = Duration::from_secs(600);
    let world = with(small, Fake::default()).await;
    let half = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60001\r\n\r\n{}",
        " ".repeat(60_000)
    );
    // Whoever is second gets none of it.
    let (one, other) = (world.open(&half).await, world.open(&half).await);
    let refused = tokio::select! {
        refused = rest(one) => refused,
        refused = rest(other) => refused,
    };
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.to_lowercase().contains("retry-after"), "{refused}");
}

#[tokio::test]
async fn half_open_connections_do_not_hold_up_a_stop() {
    let mut slow = config(true);
    slow.drain = Duration::from_secs(600);
    slow.limits.read_within = Duration::from_secs(600);
    let world = with(slow, Fake::default()).await;
    let mut open = Vec::new();
    for sent in [
        "",
        "GET / HT",
        "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
        "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        open.push(world.open(sent).await);
    }
    world.api.stop();
    tokio::time::timeout(Duration::from_secs(60), world.api.join())
        .await
        .expect("half-open connections hold up the stop");
}

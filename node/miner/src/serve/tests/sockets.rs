//! The socket: connections that do nothing, and floods.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::*;

impl Stage {
    /// A server that reads for so long, with so much room for requests, on a free port.
    async fn listening(
        backend: impl Backend,
        read_within: Duration,
        room: usize,
    ) -> (Stage, Listener, std::net::SocketAddr) {
        Stage::listening_with(backend, |config| {
            config.read_within = read_within;
            config.max_waiting_bytes = room;
        })
        .await
    }

    async fn listening_with(
        backend: impl Backend,
        change: impl FnOnce(&mut Config),
    ) -> (Stage, Listener, std::net::SocketAddr) {
        let address = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let stage = Stage::with(backend, limits(), |server| {
            let mut config = (*server.config).clone();
            config.listen = address;
            change(&mut config);
            server.config = Arc::new(config);
        })
        .await;
        let listener = Listener::start(Arc::clone(&stage.server)).unwrap();
        (stage, listener, address)
    }
}

/// Waits until the other side ends the connection.
async fn ended(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest));
    read.await.is_ok()
}

#[tokio::test]
async fn connections_that_do_nothing_are_ended() {
    let (_stage, _listener, address) =
        Stage::listening(NullBackend::default(), Duration::from_millis(200), 8 << 20).await;
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let http2 = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &settings].concat();
    for (name, sent) in [
        ("silent", b"".as_slice()),
        ("half a method", b"PO"),
        ("half a preface", b"PRI * HT"),
        ("half a head", b"POST / HTTP/1.1\r\nHost: a\r\n"),
        ("HTTP/2 without a request", &http2),
        (
            "a connection that was used",
            b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        assert!(ended(&mut stream).await, "{name}: still open");
    }
}

#[tokio::test]
async fn a_flood_of_large_bodies_takes_no_more_than_the_room() {
    let (_stage, _listener, address) =
        Stage::listening(NullBackend::default(), Duration::from_secs(600), 1 << 20).await;
    // Each promises 400 KB, sends 300 KB and then waits.
    let (part, mut open) = (vec![b'x'; 300_000], Vec::new());
    let mut refused = 0;
    for _ in 0..6 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        // Who is refused may find the connection closed.
        let _ = stream.write_all(&part).await;
        let mut answer = [0; 12];
        let read = tokio::time::timeout(Duration::from_millis(500), stream.read(&mut answer)).await;
        if read.is_ok() {
            refused += 1;
        } else {
            open.push(stream);
        }
    }
    assert_eq!((open.len(), refused), (3, 3));
    // They go away, and there is room again.
    drop(open);
    let large = vec![b'x'; 400_000];
    for _ in 0..200 {
        let answer = post(address, &large).await;
        if !String::from_utf8_lossy(&answer).contains("too many large requests") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the room is not free again");
}

#[tokio::test]
async fn a_get_with_a_body_is_a_relay_and_one_without_is_for_people() {
    let (stage, _listener, address) =
        Stage::listening(NullBackend::default(), Duration::from_secs(5), 8 << 20).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = |method: &str, path: &str, body: Vec<u8>| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        http.request(method, format!("http://{address}{path}"))
            .body(body)
            .send()
    };
    let relay = || good(false).encode_to_vec();
    for path in ["/", "/health", "/v1/models"] {
        let answer = ask("GET", path, relay()).await.unwrap();
        assert_eq!(answer.status(), 200);
        let response = RelayResponse::decode(answer.bytes().await.unwrap()).unwrap();
        assert!(!response.meta.supplier_operator_signature.is_empty(), "{path}");
    }
    // HTTP lets no body go with a HEAD, so it must not look like an answer whose signature is missing.
    assert_eq!(ask("HEAD", "/", relay()).await.unwrap().status(), 204);
    assert_eq!(stage.counted(), [4, 0, 0]);
    let refused = ask("GET", "/", b"rubbish".to_vec()).await.unwrap();
    assert_eq!(refused.status(), 400);
    assert_eq!(ask("GET", "/health", Vec::new()).await.unwrap().status(), 200);
    assert_eq!(ask("GET", "/", Vec::new()).await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_fault_costs_the_relay_that_it_was_met_in() {
    let backend = made(|request: Request| {
        assert!(request.json().ends_with(b"true}"), "on purpose");
        Made::Stream(
            parts(futures::stream::iter(0..2).map(|number| {
                assert_eq!(number, 0, "on purpose");
                Bytes::from_static(EVENT)
            }))
            .boxed(),
        )
    });
    let (stage, _listener, address) = Stage::listening(backend, Duration::from_secs(5), 8 << 20).await;
    // More than there are places: each gives its own back.
    for stream in [false, true, false, true] {
        let answer = post(address, &good(stream).encode_to_vec()).await;
        let answer = String::from_utf8_lossy(&answer);
        if stream {
            assert!(answer.contains("transfer-encoding: chunked"), "{answer}");
            assert!(!answer.ends_with("0\r\n\r\n"), "no proper end: {answer}");
        } else {
            assert!(answer.contains("internal error"), "{answer}");
        }
    }
    let refused = || stage.server.counts.refused.load(Ordering::SeqCst) == 4;
    soon("all are counted", refused).await;
    let panicked = tokio::time::timeout(Duration::from_millis(100), stage.tasks.panicked());
    assert!(panicked.await.is_err(), "the node would stop");
}

/// R33b: the status, what came, the error and the end of the body.
#[tokio::test]
async fn an_answer_that_fails_on_its_way_arrives_to_its_end() {
    let failing = made(|_| {
        let error = Bytes::from_static(b"data: {\"error\":{\"message\":\"out of memory\"}}\n\n");
        let event = Bytes::from_static(EVENT);
        Made::Stream(parts(futures::stream::iter([
            event.clone(),
            event.clone(),
            event,
            error,
        ])))
    });
    let (stage, _listener, address) = Stage::listening(failing, Duration::from_secs(5), 8 << 20).await;
    for _ in 0..10 {
        let answer = post(address, &good(true).encode_to_vec()).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(answer.matches("\"content\":\"a\"").count(), 3, "{answer}");
        assert!(answer.contains("broken_off"), "{answer}");
        assert!(answer.ends_with("0\r\n\r\n"), "no proper end: {answer}");
    }
    assert_eq!(stage.counted(), [0, 0, 10]);
}

#[tokio::test]
async fn a_body_that_is_not_read_ends_its_connection() {
    let (stage, _listener, address) =
        Stage::listening(NullBackend::default(), Duration::from_secs(5), 8 << 20).await;
    let length = stage.server.config.max_request_bytes + 1;
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut answer));
    read.await.expect("the connection ends").unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("connection: close"), "{answer}");
}

/// What comes back for a body, to the end of the connection.
async fn post(address: std::net::SocketAddr, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    // A stream that breaks off may be reset.
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

#[tokio::test]
async fn who_sends_what_nobody_pays_for_waits_before_the_curve_is_asked() {
    // Twenty times that for this computer.
    let refused = hearth_listen::Rate {
        per_minute: 1,
        burst: 1,
    };
    let (stage, _listener, address) =
        Stage::listening_with(NullBackend::default(), |config| config.refused = refused).await;
    let status = |answer: Vec<u8>| String::from_utf8_lossy(&answer[9..12]).into_owned();
    // Those that are paid do not count against their address, however many there are.
    for _ in 0..30 {
        assert_eq!(status(post(address, &good(false).encode_to_vec()).await), "200");
    }
    let n_refused = || stage.server.counts.refused.load(Ordering::SeqCst);
    let mut n_waits = 0;
    for _ in 0..60 {
        n_waits += usize::from(status(post(address, b"garbage").await) == "429");
    }
    assert!(n_waits > 0, "none had to wait");
    assert_eq!(
        n_refused() + n_waits as u64,
        60,
        "who waits does not come to the server"
    );
}

#[tokio::test]
async fn a_head_is_bounded() {
    let (_stage, _listener, address) =
        Stage::listening(NullBackend::default(), Duration::from_secs(5), 8 << 20).await;
    let header = |number: usize, bytes: usize| format!("x-{number}: {}\r\n", "a".repeat(bytes));
    let many: String = (0..250).map(|number| header(number, 1)).collect();
    let too_many: String = (0..300).map(|number| header(number, 1)).collect();
    let large: String = (0..4).map(|number| header(number, 7_000)).collect();
    let too_large: String = (0..5).map(|number| header(number, 7_000)).collect();
    for (headers, status) in [(many, 200), (too_many, 431), (large, 200), (too_large, 431)] {
        let head = format!("GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), format!("HTTP/1.1 {status}"));
    }
}

#[tokio::test]
async fn half_sent_requests_do_not_hold_up_a_stop() {
    let (stage, listener, address) =
        Stage::listening(NullBackend::default(), Duration::from_secs(600), 8 << 20).await;
    let mut open = Vec::new();
    for sent in [
        "",
        "POST / HT",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nxx",
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        open.push(stream);
    }
    listener.stop();
    stage.tasks.stop();
    assert!(
        stage.tasks.join_within(Duration::from_secs(60)).await,
        "half-open connections hold up the stop"
    );
}

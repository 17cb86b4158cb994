//! Streams as servers write them, and as they end.

use super::*;

/// A backend that streams these pieces; after them, whatever `rest` brings.
fn streaming(
    pieces: &'static [&'static str],
    rest: impl Fn() -> Parts + Send + Sync + 'static,
) -> impl Backend {
    made(move |_| {
        let pieces = pieces
            .iter()
            .map(|piece| Ok(Bytes::from_static(piece.as_bytes())));
        Made::Stream(futures::stream::iter(pieces).chain(rest()).boxed())
    })
}

fn nothing() -> Parts {
    futures::stream::empty().boxed()
}

const A: &str = r#"{"choices":[{"delta":{"content":"a"}}]}"#;

/// R22, R24: with and without a space, with any line ends, with and without the last line.
#[tokio::test]
async fn streams_are_whole_however_they_are_written() {
    const PLAIN: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    for (name, pieces) in [
        ("usual", &[PLAIN] as &'static [&'static str]),
        (
            "no space",
            &[
                "data:{\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\ndata:[DONE]\n\n",
            ],
        ),
        (
            "CRLF and comments, torn anywhere",
            &[
                ": hi\r\n\r\nda",
                "ta: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\r",
                "\n\r\ndata: [DO",
                "NE]\r\n\r\n",
            ],
        ),
        (
            "something behind the end",
            &[PLAIN, "data: {\"choices\":[{}]}\n\n"],
        ),
    ] {
        let stage = Stage::new(streaming(pieces, nothing)).await;
        let text = text_of(stage.serve(&good(true)).await).await.unwrap();
        assert_eq!(text, PLAIN, "{name}");
        assert_eq!(stage.counted(), [1, 0, 0], "{name}");
        // Who reads one response gets the same text in it.
        let mut one = chat(true);
        one.headers.clear();
        let answer = stage.signed(&good_of(&one)).await;
        assert_eq!(
            (answer.status, answer.body.as_ref()),
            (200, PLAIN.as_bytes()),
            "{name}"
        );
        assert_eq!(stage.counted(), [2, 0, 0], "{name}");
    }
}

/// R33b: what came, the error, a clean end; and nobody pays.
#[tokio::test]
async fn an_answer_that_fails_on_its_way_ends_cleanly_and_is_not_paid() {
    const PIECES: &[&str] = &[
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n",
        "data: {\"error\":{\"message\":\"out of memory\"}}\n\n",
    ];
    let stage = Stage::new(streaming(PIECES, nothing)).await;
    let text = text_of(stage.serve(&good(true)).await)
        .await
        .expect("a proper end");
    // The backend's own words stay here: they may tell of the operator's computer.
    let begins = format!("data: {A}\n\ndata: {{\"error\":");
    assert!(
        text.starts_with(&begins) && text.ends_with("}\n\ndata: [DONE]\n\n"),
        "{text}"
    );
    assert!(!text.contains("out of memory"), "{text}");

    let breaks = || parts(futures::stream::empty()).chain(broken()).boxed();
    let broken_off = Stage::new(streaming(&PIECES[..1], breaks)).await;
    let text = text_of(broken_off.serve(&good(true)).await)
        .await
        .expect("a proper end");
    assert!(
        text.starts_with(&begins) && text.ends_with("}\n\ndata: [DONE]\n\n"),
        "{text}"
    );
    assert!(!text.contains("10.0.0.7"), "{text}");

    for stage in [&stage, &broken_off] {
        assert_eq!(stage.counted(), [0, 0, 1]);
        assert!(stage.server.backend.health().ailment().is_some());
        soon("the place is free again", || stage.free() == 2).await;
        // Who reads one response can still ask another supplier.
        let mut one = chat(true);
        one.headers.clear();
        let refused = stage.refused(&good_of(&one)).await;
        assert_eq!((refused.status, refused.code.as_str()), (502, "backend"));
    }
}

fn broken() -> Parts {
    let error = Error::new(Code::AnswerBrokeOff, "reset by http://10.0.0.7");
    futures::stream::iter([Err(error)]).boxed()
}

#[tokio::test]
async fn a_stream_that_takes_too_long_says_so_and_ends() {
    let limits = ServiceConfig {
        first_byte_within: Duration::from_millis(800),
        answer_within: Duration::from_millis(1_000),
        ..limits()
    };
    let silent = || futures::stream::pending().boxed();
    let begins = &["data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"];
    let stage = Stage::with(streaming(begins, silent), limits, |_| ()).await;
    let text = text_of(stage.serve(&good(true)).await)
        .await
        .expect("a proper end");
    assert!(
        text.starts_with(&format!("data: {A}")) && text.contains("no whole answer within"),
        "{text}"
    );
    assert_eq!(stage.counted(), [0, 0, 1]);

    // Comments are no first byte.
    let stage = Stage::with(streaming(&[": wait\n\n"], silent), limits, |_| ()).await;
    let refused = stage.refused(&good(true)).await;
    assert_eq!((refused.status, refused.code.as_str()), (504, "first_byte"));
}

/// R08: it takes a request and says nothing.
#[tokio::test]
async fn a_backend_that_never_answers_is_given_up_in_time() {
    let silent = || made(|_| Made::Parts(futures::stream::pending().boxed()));
    let limits = ServiceConfig {
        first_byte_within: Duration::from_millis(50),
        answer_within: Duration::from_millis(100),
        ..limits()
    };
    // An answer that comes whole has no first byte before its last.
    for (in_parts, code) in [(true, "first_byte"), (false, "total_time")] {
        let stage = Stage::with(silent(), limits, |_| ()).await;
        let refused = stage.refused(&good(in_parts)).await;
        assert_eq!((refused.status, refused.code.as_str()), (504, code));
        assert_eq!(stage.counted(), [0, 0, 1]);
        assert_eq!(stage.free(), 2, "its place is free again");
        assert!(
            stage.server.backend.health().ailment().is_some(),
            "the owner is told"
        );
    }
}

#[tokio::test]
async fn a_reader_who_leaves_pays_for_what_he_got() {
    let gate = Arc::new(Semaphore::new(0));
    let waits = Arc::clone(&gate);
    let stage = Stage::new(made(move |_| {
        let begins = parts(futures::stream::iter([Bytes::from_static(EVENT)]));
        Made::Stream(begins.chain(after(&waits, DONE)).boxed())
    }))
    .await;
    let request = good(true);
    let ReplyBody::Stream(mut body) = stage.serve(&request).await.body else {
        panic!("no stream")
    };
    assert!(body.next().await.unwrap().is_ok());
    drop(body);
    soon("it is counted", || stage.counted()[0] == 1).await;
    soon("the place is free again", || stage.free() == 2).await;
    assert_eq!(stage.refused(&request).await.code, "replay");
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_no_place() {
    let limits = ServiceConfig {
        first_byte_within: Duration::from_millis(100),
        answer_within: Duration::from_millis(400),
        slots: 1,
        queue: 0,
    };
    let line = format!(
        "data: {{\"choices\":[{{\"text\":\"{}\"}}]}}\n\n",
        "x".repeat(2_000)
    );
    let line = Bytes::from(line);
    let endless = made(move |_| Made::Stream(parts(futures::stream::repeat(line.clone()))));
    let stage = Stage::with(endless, limits, |_| ()).await;
    let reply = stage.serve(&good(true)).await;
    soon("the place is free again", || stage.free() == 1).await;
    let ReplyBody::Stream(body) = reply.body else {
        panic!("no stream")
    };
    // Where the queue still has room it ends with an error event; else the connection is cut.
    let read: Result<Vec<Bytes>, BrokenOff> = body.try_collect().await;
    if let Ok(parts) = read {
        let text = String::from_utf8_lossy(&parts.concat()).into_owned();
        assert!(
            text.contains("\"error\""),
            "an answer that was cut off has no proper end"
        );
    }
}

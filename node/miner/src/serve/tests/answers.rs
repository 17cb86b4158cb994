//! What of a backend's answers is signed, what is counted, and what is refused.

use super::*;

use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

/// A server that answers everything with one status and body.
async fn fixed(status: u16, content_type: &'static str, body: &'static str) -> (MockServer, UrlBackend) {
    let server = MockServer::start().await;
    let template = ResponseTemplate::new(status).set_body_raw(body, content_type);
    Mock::given(any()).respond_with(template).mount(&server).await;
    let backend = url_backend(&server.uri());
    (server, backend)
}

/// What R04, R05, R10, R11 and R40 found signed, counted and paid.
#[tokio::test]
async fn what_is_no_answer_is_refused_in_other_words_and_not_counted() {
    const JSON: &str = "application/json";
    for (status, content_type, body, wanted) in [
        (
            500,
            "text/html",
            "<html><h1>500 secret</h1></html>",
            (502, "backend"),
        ),
        (502, "text/html", "<html>secret</html>", (502, "backend")),
        (503, JSON, r#"{"error":"secret"}"#, (503, "busy")),
        (429, JSON, r#"{"error":{"message":"secret"}}"#, (503, "busy")),
        (
            401,
            JSON,
            r#"{"error":{"message":"sk-secret is wrong"}}"#,
            (502, "backend"),
        ),
        (403, JSON, r#"{"error":"secret"}"#, (502, "backend")),
        (307, JSON, "", (502, "backend")),
        (200, JSON, "", (502, "backend")),
        (200, "text/html", "<html>secret login</html>", (502, "backend")),
        (200, JSON, r#"{"error":"secret"}"#, (502, "backend")),
        (200, JSON, r#"{"choices":[]}"#, (502, "backend")),
        (
            200,
            "text/event-stream",
            "data: {\"error\":\"secret\"}\n\n",
            (502, "backend"),
        ),
        (200, "text/event-stream", "data: [DONE]\n\n", (502, "backend")),
        (200, "text/event-stream", "<html>secret</html>", (502, "backend")),
    ] {
        for in_parts in [false, true] {
            let (upstream, backend) = fixed(status, content_type, body).await;
            let stage = Stage::new(backend).await;
            let refused = stage.refused(&good(in_parts)).await;
            assert_eq!((refused.status, refused.code.as_str()), wanted, "{status} {body}");
            assert!(
                !refused.text.contains("secret") && !refused.text.contains("127.0.0.1"),
                "{refused:?}"
            );
            assert_eq!(stage.counted(), [0, 0, 1]);
            let ailment = stage
                .server
                .backend
                .health()
                .ailment()
                .expect("the owner is told");
            assert!(ailment.contains(&upstream.uri()), "{ailment}");
            // Nothing was spent, and the same request may come again.
            assert_eq!(stage.refused(&good(in_parts)).await.status, wanted.0);
            assert_eq!(stage.record().await.unwrap().answers, 0);
        }
    }
}

#[tokio::test]
async fn errors_of_the_request_are_signed_and_counted() {
    let own = r#"{"error":{"message":"max_tokens is too large"}}"#;
    for (status, body, wanted) in [
        (400, own, "max_tokens is too large"),
        (422, own, "max_tokens is too large"),
        (413, "<html>nginx</html>", "status 413"),
        (415, "no", "status 415"),
    ] {
        let (_upstream, backend) = fixed(status, "application/json", body).await;
        let stage = Stage::new(backend).await;
        let answer = stage.signed(&good(true)).await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert_eq!(answer.status, u32::from(status));
        assert!(text.starts_with('{') && text.contains(wanted), "{text}");
        assert_eq!(stage.counted(), [1, 0, 0]);
        assert_eq!(stage.server.backend.health().ailment(), None);
    }
}

#[tokio::test]
async fn a_route_that_is_missing_is_signed_and_not_counted() {
    let (_upstream, backend) = fixed(404, "text/plain", "404 page not found").await;
    let stage = Stage::new(backend).await;
    let answer = stage.signed(&good(false)).await;
    assert_eq!((answer.status, answer.body.first()), (404, Some(&b'{')));
    let stage = Stage::new(NullBackend::default()).await;
    for (method, path, wanted) in [
        ("POST", "/v1/responses", 404),
        ("GET", "/", 404),
        ("GET", "/v1/chat/completions", 405),
        ("DELETE", "/v1/models", 405),
        ("POST", "/health", 405),
    ] {
        let http = HttpRequest {
            method: method.to_owned(),
            url: format!("http://gateway{path}"),
            ..chat(false)
        };
        let answer = stage.signed(&good_of(&http)).await;
        assert_eq!(answer.status, wanted, "{method} {path}");
        let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(said["error"]["message"].is_string());
    }
    assert_eq!(stage.counted()[0], 0);
}

/// What PATH's health checks ask, with the method inside.
#[tokio::test]
async fn probes_of_gateways_are_answered_signed() {
    let ask = |method: &str, path: &str| {
        good_of(&HttpRequest {
            method: method.to_owned(),
            url: format!("http://gateway{path}"),
            body: Bytes::new(),
            ..chat(false)
        })
    };
    let stage = Stage::with(NullBackend::default(), limits(), |server| {
        let mut config = (*server.config).clone();
        config.aliases = [("fast", "svc"), ("other", "elsewhere")]
            .map(|(name, service)| (name.to_owned(), ServiceId::new(service)))
            .into();
        server.config = Arc::new(config);
    })
    .await;
    for path in ["/models", "/v1/models", "/health", "/v1/health"] {
        let answer = stage.signed(&ask("GET", path)).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("application/json"))
        );
        let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        if path.ends_with("models") {
            let names: Vec<&str> = said["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|model| model["id"].as_str().unwrap())
                .collect();
            assert_eq!(
                names,
                ["svc", "fast"],
                "the service's names and no other model of this computer"
            );
        }
        let head = stage.signed(&ask("HEAD", path)).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
    }
    // A supplier is as well as its backend.
    let (_upstream, backend) = fixed(500, "text/plain", "").await;
    let stage = Stage::new(backend).await;
    let refused = stage.refused(&ask("GET", "/health")).await;
    assert_eq!((refused.status, refused.code.as_str()), (502, "backend"));
}

/// PATH cuts bodies at 100 KiB where a client does not say which kind of call it makes.
#[tokio::test]
async fn a_body_that_was_cut_is_a_signed_400() {
    let (_upstream, backend) = fixed(500, "text/plain", "").await;
    let stage = Stage::new(backend).await;
    let long = format!(r#"{{"messages":[{{"content":"{}"#, "x".repeat(100 << 10));
    for body in [long.as_str(), "", "<html>"] {
        let http = HttpRequest {
            body: Bytes::copy_from_slice(body.as_bytes()),
            ..chat(true)
        };
        let answer = stage.signed(&good_of(&http)).await;
        assert_eq!(answer.status, 400);
        assert!(String::from_utf8_lossy(&answer.body).contains("invalid_json"));
    }
    assert_eq!(stage.counted(), [3, 0, 0]);
}

#[tokio::test]
async fn the_model_is_named_as_it_was_asked_for() {
    let whole = || {
        Made::Whole(Bytes::from_static(
            br#"{"model":"upstream","choices":[{"message":{}}]}"#,
        ))
    };
    let event = Bytes::from_static(
        b"data:{\"choices\":[{\"finish_reason\":\"stop\"}],\"model\":\"upstream\"}\n\ndata: [DONE]\n\n",
    );
    let asked = |stream: bool| {
        let body = if stream {
            r#"{"model":"pocket_network","stream":true}"#
        } else {
            r#"{"model":"pocket_network"}"#
        };
        good_of(&HttpRequest {
            body: Bytes::from(body),
            ..chat(stream)
        })
    };
    // The service's names mean whatever model the backend has.
    let stage = Stage::new(made(move |request| {
        assert_eq!(request.model, None);
        whole()
    }))
    .await;
    let answer = stage.signed(&asked(false)).await;
    assert_eq!(
        answer.body,
        br#"{"model":"pocket_network","choices":[{"message":{}}]}"#.as_slice()
    );
    let streamed = move |_| Made::Stream(parts(futures::stream::iter([event.clone()])));
    let stage = Stage::new(made(streamed)).await;
    let text = text_of(stage.serve(&asked(true)).await).await.unwrap();
    assert_eq!(
        text,
        "data: {\"choices\":[{\"finish_reason\":\"stop\"}],\"model\":\"pocket_network\"}\n\ndata: [DONE]\n\n"
    );
}

#[tokio::test]
async fn aliases_mean_the_services_model_and_other_names_stay() {
    for (configured, asked, wanted) in [
        (None, "pocket_network", None),
        (None, "pocket/svc", None),
        (None, "svc", None),
        (None, "fast", None),
        (None, "b", Some("b")),
        (Some("own"), "svc", Some("own")),
        (Some("own"), "b", Some("own")),
    ] {
        let seen = Arc::new(parking_lot::Mutex::new(None));
        let kept = Arc::clone(&seen);
        let backend = made(move |request| {
            *kept.lock() = Some(request.model);
            Made::Whole(Bytes::from_static(ANSWER))
        });
        let stage = Stage::with(backend, limits(), |server| {
            let mut config = (*server.config).clone();
            config.aliases = [("fast".to_owned(), ServiceId::new("svc"))].into();
            config.models = configured
                .map(|model: &str| (ServiceId::new("svc"), model.to_owned()))
                .into_iter()
                .collect();
            server.config = Arc::new(config);
        })
        .await;
        let http = HttpRequest {
            body: serde_json::json!({ "model": asked }).to_string().into(),
            ..chat(false)
        };
        stage.signed(&good_of(&http)).await;
        assert_eq!(
            seen.lock().take().unwrap().as_deref(),
            wanted,
            "{configured:?} {asked}"
        );
    }
}

#[tokio::test]
async fn one_price_buys_few_texts() {
    let stage = Stage::new(NullBackend::default()).await;
    for (body, status) in [(r#"{"n":4}"#, 200), (r#"{"n":5}"#, 400), (r#"{"n":"128"}"#, 400)] {
        let http = HttpRequest {
            body: Bytes::from(body),
            ..chat(false)
        };
        assert_eq!(stage.signed(&good_of(&http)).await.status, status, "{body}");
    }
    let prompts = HttpRequest {
        url: "http://gateway/v1/completions".to_owned(),
        body: Bytes::from(r#"{"prompt":["a","b","c","d","e"]}"#),
        ..chat(false)
    };
    assert_eq!(stage.signed(&good_of(&prompts)).await.status, 400);
}

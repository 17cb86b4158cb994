//! A server that is asked: its address, its state, and the model's name on both sides.

use bytes::Bytes;
use serde_json::json;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_partial_json, method, path},
};

use super::*;

fn settings(base: &str) -> UrlSettings {
    UrlSettings {
        base: base.parse().unwrap(),
        services: [(ServiceId::new("svc"), "upstream".to_owned())].into(),
        extra: BTreeMap::new(),
        slots: 4,
        health: None,
        aliases: BTreeMap::new(),
    }
}

fn with(settings: UrlSettings) -> UrlBackend {
    hearth_base::tls::init();
    UrlBackend::new(settings).unwrap()
}

fn backend(base: &str) -> UrlBackend {
    with(settings(base))
}

fn request(path: &str) -> BackendRequest {
    BackendRequest {
        service: ServiceId::new("svc"),
        method: "POST".to_owned(),
        path: path.to_owned(),
        headers: headers([("content-type", "application/json".to_owned())]),
        body: Bytes::from_static(br#"{"model":"pocket/svc","messages":[]}"#),
    }
}

async fn probe(backend: &UrlBackend) -> Result<(), BackendError> {
    backend.prepare(&ServiceId::new("svc")).await
}

#[test]
fn an_address_that_cannot_work_is_refused_with_the_right_form_d12_y52_y55() {
    for (text, right) in [
        ("localhost:11434", "http://localhost:11434"),
        ("192.168.1.7:8000/v1", "http://192.168.1.7:8000/v1"),
        ("ftp://host", "http://"),
        ("http://", "http://"),
        ("http://h:1/v1/chat/completions", "http://h:1/v1"),
        ("http://h:1/v1/models/", "http://h:1/v1"),
        ("http://h:1/?a=1", "leave out"),
    ] {
        let refused = check_address(text).unwrap_err();
        assert!(refused.contains(right) && refused.contains(text), "{refused}");
    }
    for text in ["http://h:1", "https://h/a/v1/", "http://[::1]:8000"] {
        assert_eq!(check_address(text), Ok(text.parse().unwrap()));
    }
}

#[test]
fn paths_with_and_without_v1() {
    for base in ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"] {
        for path in ["/v1/chat/completions", "/chat/completions", "chat/completions"] {
            let route = known_route("POST", path).unwrap();
            let url = backend(base).url(route, None);
            assert_eq!(url.as_str(), "http://h:1/v1/chat/completions");
        }
    }
    assert_eq!(
        backend("http://h:1/a/v1").url("embeddings", Some("y=1")).as_str(),
        "http://h:1/a/v1/embeddings?y=1"
    );
    for (method, path, allowed) in [
        ("POST", "/v1/../admin", None),
        ("POST", "/%2E%2e/admin", None),
        ("POST", "/v1/.%2e/admin", None),
        ("POST", "/v1/%2e./chat/completions", None),
        ("POST", "/v1/..\\admin", None),
        ("PUT", "/v1/chat/completions", Some("POST")),
        ("GET", "/v1/embeddings", Some("POST")),
    ] {
        let refused = known_route(method, path);
        assert!(
            matches!(&refused, Err(BackendError::NotServed { allowed: is, .. }) if *is == allowed),
            "{method} {path}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_server_is_asked_whether_it_is_well_and_its_status_counts_y52_y54() {
    for (status, body, said) in [
        (404, "404 page not found", "miner.backend_health"),
        (401, "{}", "miner.backend_key_file"),
        (500, "{}", "status 500"),
        (307, "", "status 307"),
        (200, "<html>login</html>", "no JSON"),
        (200, "{}", "another shape"),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .and(path("/v1/models"))
            .respond_with(ResponseTemplate::new(status).set_body_raw(body, "text/plain"))
            .mount(&server)
            .await;
        let why = probe(&backend(&server.uri())).await.unwrap_err().to_string();
        assert!(why.contains(said) && why.contains(&server.uri()), "{why}");
    }
    let why = probe(&backend("http://user:secret@127.0.0.1:1")).await;
    let why = why.unwrap_err().to_string();
    assert!(
        why.contains("http://127.0.0.1:1") && !why.contains("secret"),
        "{why}"
    );
    let unknown = backend("http://127.0.0.1:1")
        .probe(&ServiceId::new("other"))
        .await;
    assert!(matches!(unknown, Err(BackendError::NoService { .. })));
}

#[tokio::test]
async fn a_path_of_ones_own_says_whether_the_server_is_well() {
    let server = MockServer::start().await;
    Mock::given(path("/healthz"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let health = Some("/healthz".to_owned());
    let base = format!("{}/v1", server.uri());
    let settings = UrlSettings {
        health,
        ..settings(&base)
    };
    probe(&with(settings)).await.unwrap();
}

async fn whole(answer: BackendAnswer) -> Bytes {
    match answer.body {
        BackendBody::Full(body) => body,
        BackendBody::Parts(parts) | BackendBody::Stream(parts) => {
            parts.try_collect::<Vec<Bytes>>().await.unwrap().concat().into()
        }
    }
}

#[tokio::test]
async fn the_key_is_sent_along() {
    let server = MockServer::start().await;
    Mock::given(wiremock::matchers::header("Authorization", "Bearer secret"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": []})))
        .expect(2)
        .mount(&server)
        .await;
    let settings = UrlSettings {
        extra: [("Authorization".to_owned(), "Bearer secret".to_owned())].into(),
        ..settings(&server.uri())
    };
    let backend = with(settings);
    probe(&backend).await.unwrap();
    let answer = backend.serve(request("/v1/chat/completions")).await.unwrap();
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn the_model_is_replaced_and_the_answer_says_by_which_name() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .and(body_partial_json(json!({"model": "upstream"})))
        .respond_with(ResponseTemplate::new(200).set_body_raw(r#"{"id":"1"}"#, "application/json"))
        .mount(&server)
        .await;
    let answer = backend(&server.uri())
        .serve(request("/chat/completions"))
        .await
        .unwrap();
    assert_eq!(
        (answer.status, answer.model.as_deref()),
        (200, Some("pocket/svc"))
    );
    assert_eq!(whole(answer).await, r#"{"id":"1"}"#);
}

#[tokio::test]
async fn aliases_name_the_servers_model_where_none_is_configured() {
    let server = MockServer::start().await;
    Mock::given(path("/v1/models"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": [{"id": "own"}, {"id": "b"}]})))
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .respond_with(|request: &wiremock::Request| {
            ResponseTemplate::new(200).set_body_raw(request.body.clone(), "application/json")
        })
        .mount(&server)
        .await;
    let backend = with(UrlSettings {
        services: [(ServiceId::new("svc"), String::new())].into(),
        aliases: [("fast".to_owned(), ServiceId::new("svc"))].into(),
        ..settings(&server.uri())
    });
    probe(&backend).await.unwrap();
    for (asked, sent) in [
        ("pocket_network", "own"),
        ("pocket/svc", "own"),
        ("svc", "own"),
        ("fast", "own"),
        ("b", "b"),
    ] {
        let body = json!({ "model": asked }).to_string();
        let request = BackendRequest {
            body: body.into(),
            ..request("/v1/chat/completions")
        };
        let got = whole(backend.serve(request).await.unwrap()).await;
        assert_eq!(got, json!({ "model": sent }).to_string(), "{asked}");
    }
}

//! A server that is asked: its address, its state, and the model's name on both sides.

use serde_json::json;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_partial_json, method, path},
};

use super::*;
use crate::openai;

fn settings(base: &str) -> UrlSettings {
    UrlSettings {
        base: base.parse().unwrap(),
        extra: BTreeMap::new(),
        slots: 4,
        health: None,
        limits: Limits::default(),
        setting: "miner.backend".to_owned(),
    }
}

fn with(settings: UrlSettings) -> UrlBackend {
    hearth_base::tls::init();
    UrlBackend::new(settings).unwrap()
}

fn backend(base: &str) -> UrlBackend {
    with(settings(base))
}

fn request(model: Option<&str>) -> Request {
    let body = Bytes::from_static(br#"{"model":"pocket/svc","messages":[]}"#);
    let mut request = openai::read("POST", "/v1/chat/completions", body).unwrap();
    request.model = model.map(str::to_owned);
    request
}

async fn answered(backend: &UrlBackend, request: Request) -> Result<serde_json::Value, Error> {
    let answer = backend.answer(request.clone(), &Principal::Owner).await?;
    let written = openai::written(&request, answer).body.collect().await;
    Ok(serde_json::from_slice(&written).unwrap())
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
fn only_known_routes_leave_for_a_server() {
    for base in ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"] {
        let backend = backend(base);
        assert_eq!(backend.url("embeddings").as_str(), "http://h:1/v1/embeddings");
        assert_eq!(backend.url("tokenize").as_str(), "http://h:1/tokenize");
    }
    assert_eq!(
        backend("http://h:1/a/v1").url("embeddings").as_str(),
        "http://h:1/a/v1/embeddings"
    );
    for (method, path, status) in [
        ("POST", "/v1/../admin", 404),
        ("POST", "/%2E%2e/admin", 404),
        ("POST", "/v1/.%2e/admin", 404),
        ("POST", "/v1/%2e./chat/completions", 404),
        ("POST", "/v1/..\\admin", 404),
        ("PUT", "/v1/chat/completions", 405),
        ("GET", "/v1/embeddings", 405),
        ("POST", "/v1/models", 405),
    ] {
        let refused = openai::read(method, path, Bytes::from_static(b"{}")).unwrap_err();
        assert_eq!(refused.status, status, "{method} {path}: {refused}");
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
        let backend = backend(&server.uri());
        let why = backend.prepare(None).await.unwrap_err().to_string();
        assert!(why.contains(said) && why.contains(&server.uri()), "{why}");
        assert_eq!(backend.health().ailment(), Some(why));
    }
    let why = backend("http://user:secret@127.0.0.1:1").probe(None).await;
    let why = why.unwrap_err().to_string();
    assert!(
        why.contains("http://127.0.0.1:1") && !why.contains("secret"),
        "{why}"
    );
}

#[test]
fn a_remedy_names_the_setting_that_there_is() {
    assert_eq!(
        setting_beside("miner.backend", "key_file"),
        "miner.backend_key_file"
    );
    assert_eq!(
        setting_beside("backends.box.url", "key_file"),
        "backends.box.key_file"
    );
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
    with(settings).probe(None).await.unwrap();
}

#[tokio::test]
async fn the_key_is_sent_along() {
    let server = MockServer::start().await;
    let both = json!({"data": [], "choices": [{}]});
    Mock::given(wiremock::matchers::header("Authorization", "Bearer secret"))
        .respond_with(ResponseTemplate::new(200).set_body_json(both))
        .expect(2)
        .mount(&server)
        .await;
    let settings = UrlSettings {
        extra: [("Authorization".to_owned(), "Bearer secret".to_owned())].into(),
        ..settings(&server.uri())
    };
    let backend = with(settings);
    backend.probe(None).await.unwrap();
    answered(&backend, request(None)).await.unwrap();
}

#[tokio::test]
async fn the_model_is_replaced_and_the_answer_has_the_clients_name() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .and(body_partial_json(json!({"model": "upstream"})))
        .respond_with(ResponseTemplate::new(200).set_body_raw(
            r#"{"id":"1","model":"upstream","choices":[{}],"own":1}"#,
            "application/json",
        ))
        .mount(&server)
        .await;
    let answer = answered(&backend(&server.uri()), request(Some("upstream")))
        .await
        .unwrap();
    assert_eq!(
        answer,
        json!({"id": "1", "model": "pocket/svc", "choices": [{}], "own": 1})
    );
}

#[tokio::test]
async fn where_no_model_is_named_the_servers_first_one_is_taken() {
    let server = MockServer::start().await;
    Mock::given(path("/v1/models"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": [{"id": "own"}, {"id": "b"}]})))
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .and(body_partial_json(json!({"model": "own"})))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"choices": [{}]})))
        .mount(&server)
        .await;
    let backend = backend(&server.uri());
    assert_eq!(backend.models().await.unwrap()[0].name, "own");
    answered(&backend, request(None)).await.unwrap();
}

#[tokio::test]
async fn a_servers_own_refusal_is_passed_on_and_its_failure_is_not() {
    let own = r#"{"error":{"message":"max_tokens is too large"}}"#;
    for (status, body, passed_on) in [
        (400, own, true),
        (422, own, true),
        (404, own, true),
        (400, "<html>no</html>", false),
        (401, own, false),
        (429, own, false),
        (500, own, false),
        (302, "", false),
        (200, "", false),
        (200, "<html></html>", false),
        (200, "{}", false),
        (200, "{\"choices\":[{}", false),
    ] {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(status).set_body_raw(body, "application/json"))
            .mount(&server)
            .await;
        let backend = backend(&server.uri());
        let error = answered(&backend, request(Some("m"))).await.unwrap_err();
        assert_eq!(error.body() == own, passed_on, "{status} {body}: {error}");
        let is_requests = (400..500).contains(&status) && status != 401 && status != 429;
        assert_eq!(error.is_of_the_backend(), !is_requests, "{status}");
        assert_eq!(backend.health().ailment().is_some(), !is_requests, "{status}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_or_sends_without_end_is_left() {
    let server = MockServer::start().await;
    Mock::given(body_partial_json(json!({"model": "slow"})))
        .respond_with(ResponseTemplate::new(200).set_delay(Duration::from_secs(60)))
        .mount(&server)
        .await;
    Mock::given(body_partial_json(json!({"model": "long"})))
        .respond_with(ResponseTemplate::new(200).set_body_string("x".repeat(5_000)))
        .mount(&server)
        .await;
    let backend = with(UrlSettings {
        limits: Limits {
            first_byte_within: Duration::from_millis(200),
            answer_within: Duration::from_millis(400),
            bytes: 4_000,
            ..Limits::default()
        },
        ..settings(&server.uri())
    });
    let slow = answered(&backend, request(Some("slow"))).await.unwrap_err();
    assert_eq!(slow.code, Code::BackendTooSlow);
    let long = answered(&backend, request(Some("long"))).await.unwrap_err();
    assert_eq!(long.code, Code::BackendTooLarge);
}

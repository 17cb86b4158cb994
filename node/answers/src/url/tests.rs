//! A server that is asked: its address, its state, and the model's name on both sides.

use serde_json::json;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_partial_json, method, path},
};

use super::*;
use crate::{backend::Task, openai};

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
    let both = json!({"data": [], "choices": [{"message": {}}]});
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
            r#"{"id":"1","model":"upstream","choices":[{"message":{}}],"own":1}"#,
            "application/json",
        ))
        .mount(&server)
        .await;
    let answer = answered(&backend(&server.uri()), request(Some("upstream")))
        .await
        .unwrap();
    assert_eq!(
        answer,
        json!({"id": "1", "model": "pocket/svc", "choices": [{"message": {}}], "own": 1})
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
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"choices": [{"message": {}}]})))
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
async fn an_overflow_in_llama_cpps_words_is_told_in_openais() {
    let own = r#"{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it",
        "type":"exceed_context_size_error","n_prompt_tokens":3021,"n_ctx":2048}}"#;
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(400).set_body_raw(own, "application/json"))
        .mount(&server)
        .await;
    let refused = backend(&server.uri())
        .answer(request(Some("m")), &Principal::Program)
        .await;
    let error = refused.err().expect("a refusal");
    assert_eq!(error.code, Code::ContextLengthExceeded);
    assert_eq!((error.status, error.param.as_deref()), (400, Some("messages")));
    let words =
        "This model's maximum context length is 2048 tokens. However, your messages resulted in 3021 tokens";
    assert!(error.message.starts_with(words), "{}", error.message);
}

/// The body of a refusal.
async fn said(backend: &UrlBackend, principal: &Principal) -> String {
    let refused = backend.answer(request(Some("m")), principal).await;
    let error = refused.err().expect("a refusal");
    assert_eq!(error.status, 400);
    String::from_utf8(error.body().to_vec()).unwrap()
}

#[tokio::test]
async fn a_refusal_is_told_without_credentials() {
    let own = r#"{"error":{"message":"no such model for sk-abcdefgh12345678, sent with the-operators-key"}}"#;
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(400).set_body_raw(own, "application/json"))
        .mount(&server)
        .await;
    let key = ("Authorization".to_owned(), "Bearer the-operators-key".to_owned());
    let backend = with(UrlSettings {
        extra: [key].into(),
        ..settings(&server.uri())
    });
    let buyer = Principal::Relay {
        service: "svc".into(),
        session_id: "1".to_owned(),
    };
    for principal in [Principal::Program, buyer] {
        let said = said(&backend, &principal).await;
        assert!(
            said.contains("no such model for [removed], sent with [removed]"),
            "{said}"
        );
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

async fn lists(server: &MockServer, ids: &[&str]) {
    let data: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
    Mock::given(path("/v1/models"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "data": data })))
        .mount(server)
        .await;
}

fn streamed(model: &str) -> Request {
    let body = json!({ "model": model, "messages": [], "stream": true }).to_string();
    openai::read("POST", "/v1/chat/completions", body.into()).unwrap()
}

async fn streams(server: &MockServer, text: &str) {
    Mock::given(method("POST"))
        .and(body_partial_json(json!({ "stream": true })))
        .respond_with(ResponseTemplate::new(200).set_body_raw(text, "text/event-stream"))
        .mount(server)
        .await;
}

/// All of a stream, to its end or its error.
async fn to_the_end(backend: &UrlBackend, request: Request) -> Result<Generation, Error> {
    let answer = backend.answer(request, &Principal::Owner).await?;
    Ok(answer.into_generation().await?.1)
}

const WORD: &str = "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
const LAST: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

#[tokio::test]
async fn a_stream_that_breaks_off_counts_against_its_server() {
    for (text, is_well) in [
        ([WORD, LAST].concat(), true),
        (WORD.to_owned(), false),
        (
            [WORD, "data: {\"error\":{\"message\":\"x\"}}\n\n"].concat(),
            false,
        ),
    ] {
        let server = MockServer::start().await;
        streams(&server, &text).await;
        let backend = backend(&server.uri());
        backend.health().failed("as it was before");
        let answer = to_the_end(&backend, streamed("m")).await;
        assert_eq!(answer.is_ok(), is_well, "{text}");
        let ailment = backend.health().ailment();
        let is_told = ailment.as_ref().is_some_and(|why| why.contains(&server.uri()));
        assert_eq!((ailment.is_some(), is_told), (!is_well, !is_well), "{text}");
    }
}

#[tokio::test]
async fn a_stream_that_hangs_in_the_middle_counts_against_its_server() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let backend = with(UrlSettings {
        limits: Limits {
            answer_within: Duration::from_millis(300),
            ..Limits::default()
        },
        ..settings(&format!("http://{}", listener.local_addr().unwrap()))
    });
    let serving = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        // Whoever answers before he is asked is no server.
        assert_ne!(socket.read(&mut [0; 4096]).await.unwrap(), 0);
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        socket.write_all([head, WORD].concat().as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = serving => {}
        answer = to_the_end(&backend, streamed("m")) => {
            assert_eq!(answer.unwrap_err().code, Code::BackendTooSlow);
        }
    }
    assert!(backend.health().is_failing());
}

#[tokio::test]
async fn a_server_that_failed_to_answer_is_tried_by_a_question_of_ones_own() {
    let server = MockServer::start().await;
    lists(&server, &["m"]).await;
    let failing = Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(500))
        .mount_as_scoped(&server)
        .await;
    let backend = backend(&server.uri());
    assert!(answered(&backend, request(Some("m"))).await.is_err());
    let ailment = backend.health().ailment();
    // That it lists its models says nothing of its answers.
    assert!(backend.probe(None).await.is_err());
    assert_eq!(backend.health().ailment(), ailment);
    assert!(backend.recover().await.is_err() && backend.health().is_failing());
    drop(failing);
    Mock::given(method("POST"))
        .and(body_partial_json(json!({"model": "m", "max_tokens": 1})))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"choices": [{"message": {}}]})))
        .expect(1)
        .mount(&server)
        .await;
    backend.recover().await.unwrap();
    assert_eq!(backend.health().ailment(), None);
    // Nothing is asked of one that is well.
    backend.recover().await.unwrap();
    backend.probe(None).await.unwrap();
}

#[tokio::test]
async fn the_list_of_models_is_read_again_and_also_beside_a_path_of_health() {
    let server = MockServer::start().await;
    Mock::given(path("/healthz"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let first = Mock::given(path("/v1/models"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": [{"id": "old"}]})))
        .mount_as_scoped(&server)
        .await;
    let backend = with(UrlSettings {
        health: Some("/healthz".to_owned()),
        ..settings(&server.uri())
    });
    let names = || async {
        let models = backend.models().await.unwrap();
        models.into_iter().map(|model| model.name).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["old"]);
    drop(first);
    // A list that cannot be read now is kept, and no ailment where the server says elsewhere that it is well.
    backend.recover().await.unwrap();
    assert_eq!(names().await, ["old"]);
    lists(&server, &["new", "newer"]).await;
    backend.recover().await.unwrap();
    assert_eq!(names().await, ["new", "newer"]);
    assert_eq!(backend.health().ailment(), None);
}

#[tokio::test]
async fn an_answer_of_another_model_of_the_server_is_refused() {
    for (answered_by, is_refused) in [
        ("small", true),
        ("m", false),
        ("/models/small.gguf", false),
        ("gpt-3.5-turbo", false),
    ] {
        let server = MockServer::start().await;
        lists(&server, &["m", "small"]).await;
        let part = |rest: &str| format!("data: {{\"model\":\"{answered_by}\",{rest}}}\n\n");
        let word = part("\"choices\":[{\"delta\":{\"content\":\"a\"}}]");
        // The first part that names a model decides, also where content came before it.
        let nameless = WORD.replace("\"model\":\"m\",", "");
        for (text, begins) in [
            ([&word, LAST].concat(), false),
            ([&nameless, &word, LAST].concat(), true),
        ] {
            let stream = Mock::given(body_partial_json(json!({ "stream": true })))
                .respond_with(ResponseTemplate::new(200).set_body_raw(text, "text/event-stream"))
                .mount_as_scoped(&server)
                .await;
            let backend = backend(&server.uri());
            backend.probe(None).await.unwrap();
            let answer = backend.answer(streamed("m"), &Principal::Owner).await;
            assert_eq!(answer.is_ok(), begins || !is_refused, "{answered_by}");
            if let Ok(answer) = answer {
                assert_eq!(
                    answer.into_generation().await.is_err(),
                    is_refused,
                    "{answered_by}"
                );
            }
            assert_eq!(backend.health().is_failing(), is_refused, "{answered_by}");
            drop(stream);
        }
        Mock::given(method("POST"))
            .respond_with(
                ResponseTemplate::new(200)
                    .set_body_json(json!({"model": answered_by, "choices": [{"message": {}}]})),
            )
            .mount(&server)
            .await;
        let backend = backend(&server.uri());
        backend.probe(None).await.unwrap();
        match answered(&backend, request(Some("m"))).await {
            Ok(_) => assert!(!is_refused, "{answered_by}"),
            Err(error) => {
                assert!(is_refused && error.is_of_the_backend(), "{error}");
                assert!(error.message.contains("\"small\" where \"m\""), "{error}");
                assert_eq!(backend.health().ailment(), Some(error.message));
            }
        }
    }
}

#[tokio::test]
async fn ollama_is_asked_once_what_its_models_are_for() {
    let server = MockServer::start().await;
    let listed = |id: &str| json!({ "id": id, "owned_by": "library" });
    Mock::given(path("/v1/models"))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(json!({"data": [listed("texts"), listed("vectors")]})),
        )
        .mount(&server)
        .await;
    for (model, can) in [("texts", "completion"), ("vectors", "embedding")] {
        Mock::given(path("/api/show"))
            .and(body_partial_json(json!({ "model": model })))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "capabilities": [can] })))
            .expect(1)
            .mount(&server)
            .await;
    }
    let backend = backend(&format!("{}/v1", server.uri()));
    for _ in 0..2 {
        backend.recover().await.unwrap();
        let tasks: Vec<Task> = backend
            .models()
            .await
            .unwrap()
            .iter()
            .map(|model| model.task)
            .collect();
        assert_eq!(tasks, [Task::Chat, Task::Embedding]);
    }
}

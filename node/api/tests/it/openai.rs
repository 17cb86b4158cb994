//! `/v1` for local and network models.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    parts::{Fake, Misbehaviour},
    support::{config, events, json, with, world},
};

fn ask(model: &str, stream: bool) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 5, "seed": 1, "stream": stream})
}

#[tokio::test]
async fn a_local_model_answers_whole_and_streamed_without_a_key() {
    let world = with(config(false), Fake::default()).await;
    let send = |stream| {
        world
            .bare(Method::POST, "/v1/chat/completions")
            .json(&ask("chat", stream))
            .send()
    };
    let whole = json(send(false).await.unwrap()).await;
    let response = send(true).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let chunks = events(response).await;
    let text: String = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(text, whole["choices"][0]["message"]["content"].as_str().unwrap());
    let embedding = world
        .bare(Method::POST, "/v1/embeddings")
        .json(&json!({"model": "embed", "input": "x"}))
        .send()
        .await
        .unwrap();
    assert_eq!(json(embedding).await["object"], "list");
    let text = world
        .bare(Method::POST, "/v1/completions")
        .json(&json!({"model": "chat", "prompt": "a"}))
        .send()
        .await
        .unwrap();
    assert_eq!(json(text).await["object"], "text_completion");
}

#[tokio::test]
async fn a_network_model_is_renamed_on_both_sides() {
    let world = world().await;
    let send = |stream| {
        world
            .bare(Method::POST, "/v1/chat/completions")
            .json(&ask("pocket/svc", stream))
            .send()
    };
    let whole = json(send(false).await.unwrap()).await;
    assert_eq!(whole["model"], "pocket/svc");
    let chunks = events(send(true).await.unwrap()).await;
    assert!(
        chunks.iter().all(|chunk| chunk["model"] == "pocket/svc"),
        "{chunks:?}"
    );
    let relayed = world.fake.relayed.lock().unwrap();
    let body: Value = serde_json::from_slice(&relayed[0].json()).unwrap();
    assert_eq!(
        (relayed[0].model.as_deref(), body["model"].as_str()),
        (Some("svc"), Some("svc"))
    );
}

#[tokio::test]
async fn both_kinds_are_listed_and_found() {
    let world = world().await;
    let list = json(world.bare(Method::GET, "/v1/models").send().await.unwrap()).await;
    let ids: Vec<&str> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["chat", "embed", "pocket/svc"]);
    let one = json(
        world
            .bare(Method::GET, "/v1/models/pocket/svc")
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(one["owned_by"], "pocket");
    assert_eq!(
        world
            .bare(Method::GET, "/v1/models/nobody")
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
}

#[tokio::test]
async fn errors_are_openais() {
    let world = world().await;
    let large = json!({"model": "chat", "messages": [{"role": "user", "content": "x".repeat(200_000)}]});
    for (method, path, body, status, code) in [
        (
            Method::POST,
            "/v1/chat/completions",
            ask("nobody", false),
            404,
            "model_not_found",
        ),
        (Method::POST, "/v1/chat/completions", large, 413, "too_large"),
        (
            Method::GET,
            "/v1/chat/completions",
            json!({}),
            405,
            "method_not_allowed",
        ),
        (Method::POST, "/v1/nothing", json!({}), 404, "unknown_url"),
    ] {
        let response = world.bare(method, path).json(&body).send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let error = json(response).await;
        assert_eq!(error["error"]["code"], code, "{error}");
        assert!(error["error"]["type"].is_string(), "{error}");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_cleanly_with_an_error_event_r33b() {
    let fake = Fake::default();
    *fake.misbehaviour.lock().unwrap() = Some(Misbehaviour::BreaksOff);
    let world = with(config(true), fake).await;
    let response = world
        .bare(Method::POST, "/v1/chat/completions")
        .json(&ask("pocket/svc", true))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let chunks = events(response).await;
    assert_eq!(chunks[0]["choices"][0]["delta"]["content"], "hi");
    assert_eq!(chunks[1]["error"]["code"], "broken_off");
    assert_eq!(chunks.len(), 2);
}

#[tokio::test]
async fn an_answer_names_its_receipt_and_the_receipt_is_listed() {
    let world = world().await;
    let response = world
        .bare(Method::POST, "/v1/chat/completions")
        .json(&ask("pocket/svc", false))
        .send()
        .await
        .unwrap();
    let id = response.headers()["x-hearth-receipt"]
        .to_str()
        .unwrap()
        .to_owned();
    let one = world.get(&format!("/receipts/{id}")).await;
    assert_eq!(one["receipt"]["id"], id.as_str());
    let all = world.get("/receipts?limit=10").await;
    assert_eq!((&all["answers"][0], &all["total"]), (&one, &json!(1)));
    for unknown in ["00000000-0000-0000-0000-000000000000", "x"] {
        let missing = world
            .own(Method::GET, &format!("/receipts/{unknown}"))
            .send()
            .await
            .unwrap();
        assert_eq!(missing.status(), 404);
    }
}

#[tokio::test]
async fn bodies_come_as_gzip_and_answers_have_an_id_t13() {
    use std::io::Write as _;

    let world = world().await;
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let many = |n_empty: usize| [gzip("").repeat(n_empty), gzip(&ask("chat", false).to_string())].concat();
    let bomb = format!("{{\"model\":\"chat\",\"x\":\"{}\"}}", "x".repeat(1_000_000));
    for (encoding, body, status) in [
        ("gzip", gzip(&ask("chat", false).to_string()), 200),
        ("identity", ask("chat", false).to_string().into_bytes(), 200),
        ("gzip", b"no gzip".to_vec(), 400),
        ("gzip", gzip(&bomb), 413),
        ("gzip", many(3), 200),
        // Parts that unpack to nothing are work, too.
        ("gzip", many(64), 400),
        ("br", ask("chat", false).to_string().into_bytes(), 415),
    ] {
        let response = world
            .bare(Method::POST, "/v1/chat/completions")
            .header("content-encoding", encoding)
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), status, "{encoding}");
        assert!(response.headers()["x-request-id"].to_str().unwrap().len() > 30);
    }
}

#[tokio::test]
async fn tokens_are_split_and_joined_at_the_root_too() {
    let world = world().await;
    for path in ["/tokenize", "/v1/tokenize"] {
        let response = world
            .bare(Method::POST, path)
            .json(&json!({"model": "chat", "prompt": "hello"}))
            .send()
            .await
            .unwrap();
        let split = json(response).await;
        assert_eq!(
            split["count"].as_u64(),
            split["tokens"].as_array().map(|list| list.len() as u64),
            "{split}"
        );
    }
}

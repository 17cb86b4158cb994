//! `/v1/responses`, Anthropic's and Ollama's API, and what there is not.

use std::time::Duration;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    parts::Fake,
    support::{TOKEN, World, config, events, json, with, world},
};

impl World {
    async fn send(&self, path: &str, body: Value) -> Response {
        self.bare(Method::POST, path).json(&body).send().await.unwrap()
    }

    async fn read(&self, path: &str) -> Response {
        self.bare(Method::GET, path).send().await.unwrap()
    }
}

async fn lines(response: Response) -> Vec<Value> {
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let text = response.text().await.unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn a_response_is_made_kept_gone_on_from_and_deleted() {
    let world = with(config(false), Fake::default()).await;
    let body = json!({"model": "chat", "input": "hello", "max_output_tokens": 3});
    let made = json(world.send("/v1/responses", body).await).await;
    assert_eq!(
        (&made["object"], &made["status"]),
        (&json!("response"), &json!("incomplete"))
    );
    let path = format!("/v1/responses/{}", made["id"].as_str().unwrap());
    assert_eq!(json(world.read(&path).await).await, made);
    let streamed = world.read(&format!("{path}?stream=true")).await;
    assert_eq!(json(streamed).await["error"]["param"], "stream");
    let items = json(world.read(&format!("{path}/input_items")).await).await;
    assert_eq!(items["data"][0]["content"][0]["text"], "hello");

    let next = json!({"model": "chat", "input": "more", "previous_response_id": made["id"], "stream": true, "max_output_tokens": 3});
    let events = events(world.send("/v1/responses", next).await).await;
    assert_eq!(events[0]["type"], "response.created");
    let last = &events.last().unwrap()["response"];
    assert_eq!(last["previous_response_id"], made["id"]);
    let tokens = |response: &Value| response["usage"]["input_tokens"].as_u64().unwrap();
    assert!(tokens(last) > tokens(&made), "the earlier items are there");
    let items = json(
        world
            .read(&format!(
                "/v1/responses/{}/input_items",
                last["id"].as_str().unwrap()
            ))
            .await,
    )
    .await;
    let roles: Vec<&str> = items["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["user", "assistant", "user"]);

    // Nobody else finds it.
    let owners = world
        .bare(Method::GET, &path)
        .bearer_auth(TOKEN)
        .send()
        .await
        .unwrap();
    assert_eq!(owners.status(), 404);
    let gone = world.bare(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(json(gone).await["deleted"], true);
    let missing = world.read(&path).await;
    assert_eq!(missing.status(), 404);
    assert_eq!(json(missing).await["error"]["code"], "response_not_found");
    let broken = json!({"model": "chat", "input": "more", "previous_response_id": made["id"]});
    let refused = world.send("/v1/responses", broken).await;
    assert_eq!(refused.status(), 400);
    assert_eq!(json(refused).await["error"]["param"], "previous_response_id");
}

#[tokio::test]
async fn a_response_is_gone_after_a_day_and_at_once_where_it_is_not_stored() {
    let world = world().await;
    let body = |store| json!({"model": "chat", "input": "hello", "max_output_tokens": 1, "store": store});
    let path = |made: &Value| format!("/v1/responses/{}", made["id"].as_str().unwrap());
    let kept = path(&json(world.send("/v1/responses", body(true)).await).await);
    let not_kept = path(&json(world.send("/v1/responses", body(false)).await).await);
    assert_eq!(world.read(&not_kept).await.status(), 404);
    assert_eq!(world.read(&kept).await.status(), 200);
    world.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(world.read(&kept).await.status(), 404);
}

#[tokio::test]
async fn anthropics_api_answers_whole_streamed_and_counted() {
    let world = with(config(false), Fake::default()).await;
    let body = |stream| {
        json!({
            "model": "chat", "max_tokens": 3, "stream": stream, "messages": [{"role": "user", "content": "hello"}],
        })
    };
    let whole = json(world.send("/v1/messages", body(false)).await).await;
    assert_eq!(
        (&whole["type"], &whole["stop_reason"]),
        (&json!("message"), &json!("max_tokens"))
    );
    let events = events(world.send("/v1/messages?beta=true", body(true)).await).await;
    assert_eq!(events[0]["type"], "message_start");
    assert_eq!(events.last().unwrap()["type"], "message_stop");
    let counted = json(world.send("/v1/messages/count_tokens", body(false)).await).await;
    assert_eq!(counted["input_tokens"], whole["usage"]["input_tokens"]);

    let nobody = json!({"model": "nobody", "max_tokens": 3, "messages": [{"role": "user", "content": "x"}]});
    let refused = world.send("/v1/messages", nobody).await;
    assert_eq!(refused.status(), 404);
    let error = json(refused).await;
    assert_eq!(
        (&error["type"], &error["error"]["type"]),
        (&json!("error"), &json!("not_found_error"))
    );
    let wrong = world.read("/v1/messages").await;
    assert_eq!(wrong.status(), 405);
    assert!(
        json(wrong).await["error"]["message"]
            .as_str()
            .unwrap()
            .contains("use POST")
    );
}

#[tokio::test]
async fn a_key_may_be_shown_as_anthropics_clients_do() {
    let world = world().await;
    let body = json!({"model": "chat", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]});
    let send = |key: &str| {
        world
            .bare(Method::POST, "/v1/messages")
            .header("x-forwarded-for", "203.0.113.9")
            .header("x-api-key", key)
            .json(&body)
            .send()
    };
    assert_eq!(send(TOKEN).await.unwrap().status(), 200);
    let key = world.post("/keys", json!({"name": "k"})).await;
    assert_eq!(send(key["secret"].as_str().unwrap()).await.unwrap().status(), 200);
    let refused = send("sk-hearth-wrong").await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(json(refused).await["error"]["type"], "authentication_error");
}

#[tokio::test]
async fn ollamas_api_answers_in_lines_and_whole() {
    let world = with(config(false), Fake::default()).await;
    let options = json!({"num_predict": 3, "seed": 1, "temperature": 0});
    let body = json!({"model": "chat:latest", "messages": [{"role": "user", "content": "hello"}], "options": options});
    let lines = lines(world.send("/api/chat", body.clone()).await).await;
    let text: String = lines
        .iter()
        .filter_map(|line| line["message"]["content"].as_str())
        .collect();
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["done"], &last["done_reason"]),
        (&json!(true), &json!("length"))
    );
    assert_eq!(last["eval_count"], 3);
    let mut whole = body;
    whole["stream"] = false.into();
    let whole = json(world.send("/api/chat", whole).await).await;
    assert_eq!(whole["message"]["content"], text.as_str());
    for raw in [false, true] {
        let body =
            json!({"model": "chat", "prompt": "hello", "stream": false, "raw": raw, "options": options});
        let made = json(world.send("/api/generate", body).await).await;
        assert!(made["response"].is_string() && made["done"] == true, "{made}");
    }
    let vectors = json(
        world
            .send("/api/embed", json!({"model": "embed", "input": ["a", "b"]}))
            .await,
    )
    .await;
    assert_eq!(vectors["embeddings"].as_array().unwrap().len(), 2);
    let one = json(
        world
            .send("/api/embeddings", json!({"model": "embed", "prompt": "a"}))
            .await,
    )
    .await;
    assert_eq!(one["embedding"], vectors["embeddings"][0]);
    let loaded = json(world.send("/api/generate", json!({"model": "chat"})).await).await;
    assert_eq!(loaded["done_reason"], "load");
    let running = json(world.read("/api/ps").await).await;
    assert_eq!(running["models"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn ollamas_api_tells_of_models_and_changes_none() {
    let world = world().await;
    let tags = json(world.read("/api/tags").await).await;
    let names: Vec<&str> = tags["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["chat", "embed", "pocket/svc"]);
    let shown = json(world.send("/api/show", json!({"model": "embed:latest"})).await).await;
    assert_eq!(shown["capabilities"], json!(["embedding"]));
    assert!(json(world.read("/api/version").await).await["version"].is_string());
    for (method, path, body, status) in [
        (Method::POST, "/api/show", json!({"model": "nobody"}), 404),
        (
            Method::POST,
            "/api/chat",
            json!({"model": "nobody", "messages": [{"role": "user", "content": "x"}]}),
            404,
        ),
        (Method::GET, "/api/chat", json!({}), 405),
        (Method::POST, "/api/pull", json!({"model": "x"}), 405),
        (Method::DELETE, "/api/delete", json!({"model": "chat"}), 405),
        (Method::POST, "/api/blobs/sha256:00", json!({}), 405),
    ] {
        let response = world.bare(method, path).json(&body).send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let error = json(response).await;
        assert!(error["error"].is_string(), "{error}");
        assert!(
            status != 405
                || path == "/api/chat"
                || error["error"].as_str().unwrap().contains("hearth model add")
        );
    }
}

#[tokio::test]
async fn ollamas_paths_open_nothing_of_the_owners() {
    let world = world().await;
    for path in [
        "/api/v1/status",
        "/api/v1/keys",
        "/api/v1/chat",
        "/api/tags/../v1/status",
        "/api/tags/v1/status",
        "/api/blobs/../v1/keys",
        "/api//v1/status",
        "/api/%761/status",
        "/api/tags%2f..%2fv1%2fstatus",
        "/api/nothing",
    ] {
        // A client that resolves dots would ask for something else.
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answer = world.raw(&request).await;
        let head = answer.lines().next().unwrap().to_owned();
        assert!(head.contains(" 401 ") || head.contains(" 404 "), "{path}: {head}");
        assert!(answer.contains("application/json"), "{path}: {answer}");
    }
    let unknown = world
        .bare(Method::GET, "/api/nothing")
        .bearer_auth(TOKEN)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (unknown.status(), json(unknown).await["error"]["code"].clone()),
        (StatusCode::NOT_FOUND, json!("not_found"))
    );
    // From elsewhere they need a key, and say so in their own shape.
    let stranger = world
        .bare(Method::GET, "/api/tags")
        .header("x-forwarded-for", "203.0.113.9");
    let refused = stranger.send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert!(json(refused).await["error"].as_str().unwrap().contains("API key"));
}

#[tokio::test]
async fn what_there_is_not_is_said_in_json() {
    let world = world().await;
    for (path, says) in [
        ("/v1/audio/speech", "no sound"),
        ("/v1/audio/transcriptions", "no sound"),
        ("/v1/images/generations", "pictures"),
        ("/v1/files", "no files"),
        ("/v1/assistants", "previous_response_id"),
        ("/v1/threads/t/runs", "previous_response_id"),
        ("/v1/vector_stores", "no files"),
        ("/v1/nothing", "/v1/responses"),
    ] {
        let refused = world.send(path, json!({})).await;
        assert_eq!(refused.status(), 404, "{path}");
        let error = json(refused).await;
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.contains(says) && message.contains(path), "{message}");
    }
}

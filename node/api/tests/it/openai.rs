//! `/v1` for local and network models.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    parts::{Fake, Misbehaviour},
    support::{TOKEN, config, events, json, with, world},
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

/// A server with a model of its own and one of embeddings.
struct Server(hearth_answers::NullBackend);

#[async_trait::async_trait]
impl hearth_answers::Backend for Server {
    async fn answer(
        &self,
        request: hearth_answers::Request,
        principal: &hearth_answers::Principal,
    ) -> Result<hearth_answers::Answer, hearth_answers::Error> {
        self.0.answer(request, principal).await
    }
    async fn prepare(&self, model: Option<&str>) -> Result<(), hearth_answers::Error> {
        self.0.prepare(model).await
    }
    async fn models(&self) -> Result<Vec<hearth_answers::ModelEntry>, hearth_answers::Error> {
        use hearth_answers::Task::{Chat, Embedding, Rerank};
        let entry = |(name, task): (&str, _)| hearth_answers::ModelEntry {
            name: name.to_owned(),
            added_at: 0,
            task,
        };
        let all = [
            ("big", Chat),
            ("vectors", Embedding),
            ("judge", Rerank),
            ("chat", Chat),
        ];
        Ok(all.into_iter().map(entry).collect())
    }
    fn capacity(&self, model: Option<&str>) -> hearth_answers::Capacity {
        self.0.capacity(model)
    }
    fn health(&self) -> &hearth_answers::Health {
        self.0.health()
    }
}

#[tokio::test]
async fn every_name_of_a_model_is_listed_once_with_its_kind() {
    let server = Arc::new(Server(hearth_answers::NullBackend::default()));
    let bare = ["big", "vectors", "chat"].map(str::to_owned).to_vec();
    let text = |text: &str| text.to_owned();
    let fake = Fake {
        servers: [(text("box"), hearth_answers::Named::new(server, bare, 1))].into(),
        aliases: [
            (text("gpt-4o"), text("box/big")),
            (text("own"), text("chat")),
            (text("bought"), text("pocket/svc")),
            (text("nobody"), text("not-here")),
        ]
        .into(),
        ..Fake::default()
    };
    let world = with(config(true), fake).await;
    let listed = json(world.bare(Method::GET, "/v1/models").send().await.unwrap()).await;
    let listed = listed["data"].as_array().unwrap();
    let owner = |id: &str| {
        let found: Vec<_> = listed.iter().filter(|item| item["id"] == id).collect();
        assert!(found.len() <= 1, "{id} is listed twice");
        found.first().map(|item| item["owned_by"].as_str().unwrap())
    };
    for (id, wanted) in [
        ("gpt-4o", Some("server")),
        ("own", Some("hearth")),
        ("bought", Some("pocket")),
        ("nobody", None),
        ("big", Some("server")),
        ("box/big", Some("server")),
        // This computer's own wins; the server's stays under its full name.
        ("chat", Some("hearth")),
        ("box/chat", Some("server")),
    ] {
        assert_eq!(owner(id), wanted, "{id}: {listed:?}");
        let one = world.bare(Method::GET, &format!("/v1/models/{id}"));
        let status = one.send().await.unwrap().status().as_u16();
        assert_eq!(status, if wanted.is_some() { 200 } else { 404 }, "{id}");
    }
    let models = world.get("/models").await;
    let task = |id: &str| {
        let models = models["models"].as_array().unwrap();
        models.iter().find(|model| model["id"] == id).unwrap()["task"].clone()
    };
    for (id, wanted) in [
        ("box/big", "chat"),
        ("box/vectors", "embedding"),
        ("vectors", "embedding"),
        ("box/judge", "rerank"),
    ] {
        assert_eq!(task(id), wanted, "{id}");
    }
    let tags = json(world.bare(Method::GET, "/api/tags").send().await.unwrap()).await;
    let has_tag = |name: &str| {
        tags["models"]
            .as_array()
            .unwrap()
            .iter()
            .any(|tag| tag["name"] == name)
    };
    assert!(has_tag("gpt-4o") && has_tag("own"), "{tags}");
    let body = json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]});
    let call = world.bare(Method::POST, "/v1/chat/completions").json(&body);
    assert_eq!(json(call.send().await.unwrap()).await["model"], "gpt-4o");
    // A key for a model is one for its other names.
    let (_, key) = world.key(json!({"models": ["chat"]})).await;
    let call = world.bare(Method::GET, "/v1/models").bearer_auth(key);
    let seen = json(call.send().await.unwrap()).await;
    let seen: Vec<_> = seen["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].clone())
        .collect();
    assert_eq!(seen, ["chat", "own"]);
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let world = world().await;
    let ask = json!({"model": "chat", "max_tokens": 2, "messages": [{"role": "user", "content": "hi"}]});
    let mut ids = std::collections::BTreeSet::new();
    for (method, path) in [
        (Method::GET, "/v1/models"),
        (Method::GET, "/v1/models/none"),
        (Method::GET, "/v1/nowhere"),
        (Method::POST, "/v1/chat/completions"),
        (Method::POST, "/v1/embeddings"),
        (Method::POST, "/v1/responses"),
        (Method::POST, "/v1/messages"),
        (Method::POST, "/v1/messages/count_tokens"),
        (Method::GET, "/v1/messages/none"),
        (Method::GET, "/api/tags"),
        (Method::POST, "/api/chat"),
        (Method::POST, "/api/pull"),
        (Method::GET, "/api/v1/status"),
        (Method::GET, "/health"),
    ] {
        let call = world.bare(method, path);
        let call = if path.contains("status") {
            call.bearer_auth(TOKEN)
        } else {
            call
        };
        let answer = call.json(&ask).send().await.unwrap();
        let id = answer
            .headers()
            .get("x-request-id")
            .unwrap_or_else(|| panic!("{path}"))
            .clone();
        assert!(
            uuid::Uuid::parse_str(id.to_str().unwrap()).is_ok(),
            "{path} {id:?}"
        );
        let anthropics = answer.headers().get("request-id").cloned();
        assert_eq!(
            anthropics,
            path.starts_with("/v1/messages").then(|| id.clone()),
            "{path}"
        );
        assert!(ids.insert(id), "{path}");
        answer.bytes().await.unwrap();
    }
    // A refusal before anything is read has one as well.
    let refused = world.bare(Method::GET, "/api/v1/status").send().await.unwrap();
    assert!(refused.status() == 401 && refused.headers().contains_key("x-request-id"));
    let bought = json!({"model": "pocket/svc", "messages": []});
    let bought = world
        .bare(Method::POST, "/v1/chat/completions")
        .json(&bought)
        .send()
        .await
        .unwrap();
    assert_eq!(
        bought.headers()["x-request-id"],
        bought.headers()["x-hearth-receipt"]
    );
}

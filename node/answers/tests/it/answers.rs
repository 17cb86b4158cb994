//! Answers, whole and streamed, and refusals.

use futures::StreamExt;
use hearth_answers::{
    Backend as _, Config, EngineBackend, Operation, Principal, Priority, Request,
    openai::{HttpBody, written},
    sse,
};
use hearth_base::ServiceId;
use hearth_engine::{EmbedInput, EmbedRequest};
use serde_json::{Value, json};

use crate::support::{World, world};

fn hello(extra: Value) -> Value {
    let mut body = json!({"model": "chat", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 6, "seed": 1});
    for (name, value) in extra.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

async fn events(world: &World, path: &str, body: Value) -> Vec<String> {
    let answer = world.post(path, body).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .headers
            .contains(&("content-type", "text/event-stream".to_owned()))
    );
    let bytes = answer.body.collect().await;
    sse::Reader::new()
        .push(&bytes)
        .unwrap()
        .into_iter()
        .map(|event| event.data)
        .collect()
}

#[tokio::test]
async fn a_stream_says_the_same_as_a_whole_answer() {
    let world = world(Config::default());
    let (status, whole) = world.json("/v1/chat/completions", hello(json!({}))).await;
    assert_eq!((status, &whole["object"]), (200, &json!("chat.completion")));
    assert_eq!(whole["choices"][0]["message"]["role"], "assistant");
    let usage = &whole["usage"];
    assert_eq!(
        usage["total_tokens"].as_u64(),
        Some(usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap())
    );
    let events = events(
        &world,
        "/chat/completions",
        hello(json!({"stream": true, "stream_options": {"include_usage": true}})),
    )
    .await;
    assert_eq!(events.last().map(String::as_str), Some("[DONE]"));
    let chunks: Vec<Value> = events[..events.len() - 1]
        .iter()
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let text: String = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(text, whole["choices"][0]["message"]["content"].as_str().unwrap());
    let n = chunks.len();
    assert_eq!(
        chunks[n - 2]["choices"][0]["finish_reason"],
        whole["choices"][0]["finish_reason"]
    );
    for count in ["prompt_tokens", "completion_tokens", "total_tokens"] {
        assert_eq!(chunks[n - 1]["usage"][count], whole["usage"][count]);
    }
    assert_eq!(chunks[n - 1]["choices"], json!([]));
    assert!(
        chunks[..n - 1]
            .iter()
            .all(|chunk| chunk["usage"] == Value::Null && chunk.get("usage").is_some())
    );
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk["id"] == chunks[0]["id"] && chunk["model"] == "chat")
    );
}

#[tokio::test]
async fn a_stream_without_usage_has_no_such_field() {
    let world = world(Config::default());
    let events = events(&world, "/v1/chat/completions", hello(json!({"stream": true}))).await;
    assert!(
        events
            .iter()
            .filter(|data| *data != "[DONE]")
            .all(|data| !data.contains("usage")),
        "{events:?}"
    );
}

#[tokio::test]
async fn completions_echo_and_count() {
    let world = world(Config::default());
    let body = json!({"model": "chat", "prompt": ["hello"], "max_tokens": 4, "seed": 3, "echo": true, "logprobs": 2});
    let (status, whole) = world.json("/v1/completions", body.clone()).await;
    assert_eq!(status, 200, "{whole}");
    let choice = &whole["choices"][0];
    assert!(choice["text"].as_str().unwrap().starts_with("hello"));
    assert_eq!(
        choice["logprobs"]["tokens"].as_array().unwrap().len(),
        choice["logprobs"]["token_logprobs"].as_array().unwrap().len()
    );
    assert_eq!(choice["logprobs"]["text_offset"][0], 0);
    let mut body = body;
    body["stream"] = json!(true);
    let events = events(&world, "/v1/completions", body).await;
    let text: String = events
        .iter()
        .filter_map(|data| serde_json::from_str::<Value>(data).ok())
        .filter_map(|chunk| chunk["choices"][0]["text"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(text, choice["text"].as_str().unwrap());
}

#[tokio::test]
async fn logprobs_come_with_their_tokens() {
    let world = world(Config::default());
    let (_, whole) = world
        .json(
            "/v1/chat/completions",
            hello(json!({"logprobs": true, "top_logprobs": 2})),
        )
        .await;
    let tokens = whole["choices"][0]["logprobs"]["content"].as_array().unwrap();
    assert_eq!(
        tokens.len() as u64,
        whole["usage"]["completion_tokens"].as_u64().unwrap()
    );
    assert!(
        tokens
            .iter()
            .all(|token| token["top_logprobs"].as_array().unwrap().len() == 2
                && token["logprob"].as_f64().unwrap() <= 0.0)
    );
}

#[tokio::test]
async fn embeddings_are_unit_vectors_in_both_forms() {
    let world = world(Config::default());
    let (status, floats) = world
        .json(
            "/v1/embeddings",
            json!({"model": "embed", "input": ["hello", "world"]}),
        )
        .await;
    assert_eq!(status, 200, "{floats}");
    let vector: Vec<f64> = floats["data"][1]["embedding"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n.as_f64().unwrap())
        .collect();
    assert!((vector.iter().map(|n| n * n).sum::<f64>() - 1.0).abs() < 1e-3);
    let (_, packed) = world
        .json(
            "/v1/embeddings",
            json!({"model": "embed", "input": "hello", "encoding_format": "base64"}),
        )
        .await;
    let expected = vector.len() * 4;
    assert_eq!(
        packed["data"][0]["embedding"].as_str().unwrap().len(),
        expected.div_ceil(3) * 4
    );
}

#[tokio::test]
async fn refusals_have_their_status_and_openais_shape() {
    let world = world(Config::default());
    let long = "hello ".repeat(20_000);
    for (path, body, status, code) in [
        (
            "/v1/chat/completions",
            hello(json!({"model": "nobody"})),
            404,
            "model_not_found",
        ),
        (
            "/v1/chat/completions",
            hello(json!({"model": null})),
            400,
            "invalid_value",
        ),
        (
            "/v1/completions",
            json!({"model": "chat", "prompt": long}),
            400,
            "context_length_exceeded",
        ),
        (
            "/v1/chat/completions",
            hello(json!({"model": "embed"})),
            400,
            "wrong_model_kind",
        ),
        (
            "/v1/embeddings",
            json!({"model": "chat", "input": "x"}),
            400,
            "wrong_model_kind",
        ),
        (
            "/v1/chat/completions",
            hello(json!({"model": "broken"})),
            422,
            "model_damaged",
        ),
        (
            "/v1/chat/completions",
            hello(json!({"temperature": -1})),
            400,
            "invalid_value",
        ),
        (
            "/v1/chat/completions",
            hello(json!({"messages": [{"role": "user", "content": long}]})),
            400,
            "context_length_exceeded",
        ),
        (
            "/v1/chat/completions",
            json!({"model": "chat", "messages": 7}),
            400,
            "invalid_value",
        ),
        ("/v1/nothing", json!({}), 404, "unknown_url"),
    ] {
        let (found, error) = world.json(path, body).await;
        assert_eq!(
            (found, error["error"]["code"].as_str()),
            (status, Some(code)),
            "{path} {error}"
        );
        assert!(
            error["error"]["message"]
                .as_str()
                .is_some_and(|message| message.len() > 10)
        );
    }
    let get = world
        .call("GET", "/v1/embeddings", json!({}), &Principal::Owner)
        .await;
    assert_eq!(get.status, 405);
}

#[tokio::test]
async fn an_overflow_names_the_field_that_was_too_long_c14_e16() {
    let world = world(Config::default());
    let body = json!({"model": "chat", "prompt": "hello ".repeat(20_000)});
    let (_, error) = world.json("/v1/completions", body).await;
    assert_eq!(error["error"]["param"], "prompt");
    let body = json!({"model": "embed", "input": "hello ".repeat(2_000)});
    let (_, error) = world.json("/v1/embeddings", body).await;
    assert_eq!(error["error"]["param"], "input");
}

#[tokio::test]
async fn models_are_listed_with_and_without_v1() {
    let world = world(Config::default());
    for path in ["/models", "/v1/models", "/v1/models/?x=1"] {
        let answer = world.call("GET", path, json!({}), &Principal::Program).await;
        let list: Value = serde_json::from_slice(&answer.body.collect().await).unwrap();
        assert_eq!(
            list["data"][0],
            json!({"id": "chat", "object": "model", "created": 7, "owned_by": "hearth"})
        );
    }
}

fn buyer() -> Principal {
    Principal::Relay {
        service: ServiceId::new("some-service"),
        session_id: "s".to_owned(),
    }
}

#[tokio::test]
async fn a_miner_names_the_model_and_keeps_the_callers_name() {
    let world = world(Config::default());
    let body = hello(json!({"model": "some-service"})).to_string();
    let mut request = Request::read(Operation::Chat, body.into()).unwrap();
    request.model = Some("chat".to_owned());
    let backend = EngineBackend::new(world.models.clone(), 1);
    let answer = backend.answer(request.clone(), &buyer()).await.unwrap();
    let whole: Value = serde_json::from_slice(&written(&request, answer).body.collect().await).unwrap();
    assert_eq!(whole["model"], "some-service");
    // A model file that cannot be used is the seller's fault.
    request.model = Some("broken".to_owned());
    let error = backend.answer(request, &buyer()).await.err().unwrap();
    assert_eq!(error.status, 503);
}

#[tokio::test]
async fn several_texts_are_made_at_once_c01_c08() {
    let world = world(Config::default());
    let body = json!({"model": "chat", "prompt": ["hello", "world"], "n": 2, "max_tokens": 3, "seed": 1, "temperature": 1});
    let (status, whole) = world.json("/v1/completions", body.clone()).await;
    assert_eq!(status, 200, "{whole}");
    let choices = whole["choices"].as_array().unwrap();
    let indexes: Vec<u64> = choices
        .iter()
        .map(|choice| choice["index"].as_u64().unwrap())
        .collect();
    assert_eq!(indexes, [0, 1, 2, 3]);
    // Each prompt is counted once, each text by itself.
    let one = json!({"model": "chat", "prompt": "hello", "max_tokens": 3, "seed": 1, "temperature": 1});
    let (_, one) = world.json("/v1/completions", one).await;
    assert_eq!(one["choices"][0]["text"], choices[0]["text"]);
    let mut streamed = body;
    streamed["stream"] = json!(true);
    let events = events(&world, "/v1/completions", streamed).await;
    let mut texts = vec![String::new(); 4];
    for chunk in events
        .iter()
        .filter_map(|data| serde_json::from_str::<Value>(data).ok())
    {
        let choice = &chunk["choices"][0];
        texts[usize::try_from(choice["index"].as_u64().unwrap()).unwrap()]
            .push_str(choice["text"].as_str().unwrap());
    }
    let wanted: Vec<&str> = choices
        .iter()
        .map(|choice| choice["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, wanted);
    let (status, chat) = world.json("/v1/chat/completions", hello(json!({"n": 3}))).await;
    assert_eq!((status, chat["choices"].as_array().unwrap().len()), (200, 3));
}

#[tokio::test]
async fn tokens_are_split_and_joined() {
    let world = world(Config::default());
    let (status, split) = world
        .json("/tokenize", json!({"model": "chat", "prompt": "hello world"}))
        .await;
    assert_eq!(status, 200, "{split}");
    let (_, joined) = world
        .json("/detokenize", json!({"model": "chat", "tokens": split["tokens"]}))
        .await;
    assert_eq!(joined["prompt"], "hello world");
    assert_eq!(
        split["count"].as_u64(),
        split["tokens"].as_array().map(|list| list.len() as u64)
    );
    let (status, error) = world
        .json("/detokenize", json!({"model": "chat", "tokens": [4_000_000]}))
        .await;
    assert_eq!((status, error["error"]["param"].as_str()), (400, Some("tokens")));
}

#[tokio::test]
async fn where_no_model_is_named_the_only_one_in_memory_is_taken() {
    let world = world(Config::default());
    let mut body = hello(json!({}));
    body.as_object_mut().unwrap().remove("model");
    assert_eq!(world.json("/v1/chat/completions", body.clone()).await.0, 400);
    world.models.load("chat").await.unwrap();
    let (status, whole) = world.json("/v1/chat/completions", body).await;
    assert_eq!((status, whole["model"].as_str()), (200, Some("chat")));
}

#[tokio::test]
async fn a_reader_who_goes_away_stops_the_work() {
    let world = world(Config::default());
    let answer = world
        .post(
            "/v1/chat/completions",
            hello(json!({"stream": true, "max_tokens": 100_000})),
        )
        .await;
    let HttpBody::Stream(mut stream) = answer.body else {
        panic!("a stream")
    };
    stream.next().await.unwrap();
    world.until_running(1).await;
    drop(stream);
    world.until_running(0).await;
}

#[tokio::test]
async fn a_reader_of_embeddings_who_goes_away_stops_the_work() {
    let world = world(Config::default());
    world.models.load("embed").await.unwrap();
    let request = |n: usize, priority| EmbedRequest {
        inputs: vec![EmbedInput::Text("hello there, all of you out there".to_owned()); n],
        truncate: true,
        dimensions: None,
        priority,
    };
    let mut long = Box::pin(world.models.embed("embed", request(50_000, Priority::Paid)));
    while world.engine.load_level() == 0 {
        assert!(futures::poll!(&mut long).is_pending());
        tokio::task::yield_now().await;
    }
    drop(long);
    // The next request is taken up in a round that begins with dropping what was cancelled.
    let short = world
        .models
        .embed("embed", request(1, Priority::Local))
        .await
        .unwrap();
    assert_eq!((short.vectors.len(), world.engine.load_level()), (1, 0));
}

//! Ollama's requests and answers, whole and in parts.

use super::*;
use crate::{
    answer::{Chunk, Embeddings, FinishReason, Head},
    operation::Operation,
    request::RequestBody,
    shape::testing::{answer, ends, everything, text, value},
};

type Read = fn(&[u8]) -> Result<Asked, Error>;

fn read(read: Read, body: Value) -> Result<Asked, Error> {
    read(body.to_string().as_bytes())
}

fn asked(body: Value) -> Value {
    let asked = read(Asked::chat, body).unwrap();
    serde_json::from_slice(&asked.request().unwrap().json()).unwrap()
}

fn hello() -> Value {
    json!({"model": "m", "messages": [{"role": "user", "content": "Hello"}]})
}

fn with(name: &str, value: Value) -> Value {
    let mut body = hello();
    body[name] = value;
    body
}

async fn lines(answer: HttpAnswer) -> Vec<Value> {
    assert!(answer.headers.contains(&("content-type", LINES.to_owned())));
    let body = answer.body.collect().await;
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(body.ends_with('\n'));
    body.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_request_is_read_into_a_conversation() {
    let body = json!({
        "model": "m:latest", "keep_alive": "5m", "think": true, "format": {"type": "object"},
        "options": {
            "num_predict": 5, "num_ctx": 4096, "num_gpu": 1, "temperature": 0.5, "top_k": 7, "top_p": 0.9, "min_p": 0.1,
            "seed": 3, "stop": ["x"], "repeat_penalty": 1.5, "mirostat": 0,
        },
        "tools": [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "1 and 2", "images": []},
            {"role": "assistant", "content": "", "thinking": "hm", "tool_calls": [{"id": "c1", "function": {"name": "add", "arguments": {"a": 1}}}]},
            {"role": "tool", "content": "3", "tool_name": "add"},
        ],
    });
    assert_eq!(
        asked(body),
        json!({
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "1 and 2"},
                {"role": "assistant", "content": "", "reasoning_content": "hm", "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{\"a\":1}"}},
                ]},
                {"role": "tool", "content": "3", "tool_call_id": "c1", "name": "add"},
            ],
            "temperature": 0.5, "top_p": 0.9, "top_k": 7, "min_p": 0.1, "seed": 3, "repetition_penalty": 1.5,
            "stop": ["x"], "max_tokens": 5,
            "tools": [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": true}},
            "chat_template_kwargs": {"enable_thinking": true},
            // Ollama streams unless told not to.
            "model": "m", "stream": true, "stream_options": {"include_usage": true},
        })
    );
    assert_eq!(
        asked(with("options", json!({"num_predict": -2})))["max_tokens"],
        Value::Null
    );
    for unlimited in [json!({}), json!({"num_predict": -1})] {
        let request = read(Asked::chat, with("options", unlimited)).unwrap().request();
        let Some(RequestBody::Chat(chat)) = request.map(|request| request.body().unwrap().into_owned())
        else {
            panic!("a conversation");
        };
        assert_eq!(chat.sampling.max_tokens, Some(u32::MAX), "no usual end");
    }
    assert_eq!(
        asked(with("format", "json".into()))["response_format"],
        json!({"type": "json_object"})
    );
}

#[test]
fn generate_is_one_question_or_a_raw_text() {
    let asked = read(
        Asked::generate,
        json!({"model": "m", "prompt": "Hello", "system": "Be brief.", "stream": false}),
    );
    let request = asked.unwrap().request().unwrap();
    let json: Value = serde_json::from_slice(&request.json()).unwrap();
    assert_eq!(
        json["messages"],
        json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}])
    );
    // Whole answers are made in parts, too, so that the times of their stages are known.
    assert!(request.stream);
    let raw = read(
        Asked::generate,
        json!({"model": "m", "prompt": "Once", "raw": true}),
    )
    .unwrap();
    let request = raw.request().unwrap();
    assert_eq!((request.operation, request.stream), (Operation::Completion, true));
    // Nothing to answer asks for the model to be loaded.
    assert!(
        read(Asked::generate, json!({"model": "m"}))
            .unwrap()
            .request()
            .is_none()
    );
    assert!(
        read(Asked::chat, json!({"model": "m"}))
            .unwrap()
            .request()
            .is_none()
    );
}

#[test]
fn names_with_latest_are_the_bare_ones() {
    assert_eq!(
        (bare("m:latest"), bare("m:7b"), bare("m"), bare(":latest")),
        ("m", "m:7b", "m", ":latest")
    );
    assert_eq!(shown_model(br#"{"name":"m:latest"}"#).unwrap(), "m");
    assert_eq!(shown_model(b"{}").unwrap_err().param.as_deref(), Some("model"));
}

#[test]
fn what_is_wrong_or_not_here_is_named() {
    let chat: Read = Asked::chat;
    let generate: Read = Asked::generate;
    let embed: Read = |body| Asked::embed(body, false);
    let embeddings: Read = |body| Asked::embed(body, true);
    let image = json!([{"role": "user", "content": "x", "images": ["aGk="]}]);
    for (route, body, param) in [
        (chat, with("messages", image), "messages[0].images"),
        (
            chat,
            with("messages", json!([{"role": "king"}])),
            "messages[0].role",
        ),
        (chat, with("format", "xml".into()), "format"),
        (chat, with("think", 5.into()), "think"),
        (
            chat,
            with("options", json!({"temperature": "hot"})),
            "options.temperature",
        ),
        (
            chat,
            with("options", json!({"num_predict": "x"})),
            "options.num_predict",
        ),
        (chat, with("options", json!({"mirostat": 2})), "options.mirostat"),
        (chat, with("tools", json!([{"type": "x"}])), "tools[0].type"),
        (generate, json!({"prompt": "x", "suffix": "y"}), "suffix"),
        (generate, json!({"prompt": "x", "context": [1]}), "context"),
        (generate, json!({"prompt": "x", "images": ["aGk="]}), "images"),
        (embed, json!({"model": "m"}), "input"),
        (embeddings, json!({"model": "m"}), "prompt"),
    ] {
        let error = read(route, body.clone()).unwrap_err();
        assert_eq!(
            (error.status, error.param.as_deref()),
            (400, Some(param)),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_stream_is_lines_with_whole_calls() {
    let asked = read(Asked::chat, hello()).unwrap();
    let mut chunks = everything();
    chunks.insert(0, Ok(Chunk::default()));
    let lines = lines(written(&asked, Instant::now(), answer(chunks)).await).await;
    let said = |line: &Value, name: &str| line["message"][name].as_str().unwrap_or_default().to_owned();
    let join = |name| lines.iter().map(|line| said(line, name)).collect::<String>();
    assert_eq!(
        (join("content"), join("thinking")),
        ("hello".to_owned(), "hmm".to_owned())
    );
    let calls: Vec<&Value> = lines
        .iter()
        .flat_map(|line| line["message"]["tool_calls"].as_array().into_iter().flatten())
        .map(|call| &call["function"])
        .collect();
    assert_eq!(
        calls,
        [
            &json!({"index": 0, "name": "add", "arguments": {"a": 1}}),
            &json!({"index": 1, "name": "add", "arguments": {}}),
        ]
    );
    let (last, others) = lines.split_last().unwrap();
    assert!(
        others
            .iter()
            .all(|line| line["done"] == false && line["model"] == "m")
    );
    assert_eq!(
        (&last["done"], &last["done_reason"]),
        (&json!(true), &json!("stop"))
    );
    assert_eq!(
        (&last["prompt_eval_count"], &last["eval_count"]),
        (&json!(10), &json!(7))
    );
    for name in [
        "total_duration",
        "load_duration",
        "prompt_eval_duration",
        "eval_duration",
    ] {
        assert!(last[name].is_u64(), "{name}");
    }
    assert_eq!(last["created_at"], "2023-11-14T22:13:20Z");
}

#[tokio::test]
async fn a_whole_answer_says_the_same() {
    let asked = read(Asked::chat, with("stream", false.into())).unwrap();
    let (status, body) = value(written(&asked, Instant::now(), answer(everything())).await).await;
    assert_eq!((status, &body["done"]), (200, &json!(true)));
    assert_eq!(
        (&body["message"]["content"], &body["message"]["thinking"]),
        (&json!("hello"), &json!("hmm"))
    );
    assert_eq!(body["message"]["tool_calls"].as_array().unwrap().len(), 2);
    let asked = read(Asked::generate, json!({"prompt": "x", "stream": false})).unwrap();
    let cut = vec![text("hel"), ends(FinishReason::Length)];
    let (_, body) = value(written(&asked, Instant::now(), answer(cut)).await).await;
    assert_eq!(
        (&body["response"], &body["done_reason"]),
        (&json!("hel"), &json!("length"))
    );
}

#[tokio::test]
async fn errors_have_ollamas_shape() {
    let (status, body) = value(refused(&Error::no_model("m"))).await;
    assert_eq!(status, 404);
    assert!(body["error"].as_str().unwrap().contains("\"m\""));
    let asked = read(Asked::chat, hello()).unwrap();
    let lines = lines(written(&asked, Instant::now(), answer(vec![text("a")])).await).await;
    assert!(lines.last().unwrap()["error"].is_string(), "{lines:?}");
}

#[tokio::test]
async fn embeddings_come_in_both_forms() {
    let of = |whole| Answer {
        head: Head {
            model: "e".to_owned(),
            ..Head::default()
        },
        body: Body::Whole(whole),
    };
    let made = || {
        of(Whole::Embeddings(Embeddings {
            vectors: vec![vec![0.5], vec![1.0]],
            prompt_tokens: 4,
        }))
    };
    let asked = read(
        |body| Asked::embed(body, false),
        json!({"model": "e", "input": ["a", "b"]}),
    )
    .unwrap();
    let request = asked.request().unwrap();
    let RequestBody::Embedding(embedding) = request.body().unwrap().into_owned() else {
        panic!("embeddings")
    };
    assert!(embedding.truncate && embedding.inputs.len() == 2);
    let (_, body) = value(written(&asked, Instant::now(), made()).await).await;
    assert_eq!(
        (&body["embeddings"], &body["prompt_eval_count"]),
        (&json!([[0.5], [1.0]]), &json!(4))
    );
    let foreign = r#"{"data":[{"embedding":[2.0]}],"usage":{"prompt_tokens":3}}"#;
    let foreign = of(Whole::Foreign(Operation::Embedding, foreign.into()));
    let (_, body) = value(written(&asked, Instant::now(), foreign).await).await;
    assert_eq!(
        (&body["embeddings"], &body["prompt_eval_count"]),
        (&json!([[2.0]]), &json!(3))
    );
    let one = read(
        |body| Asked::embed(body, true),
        json!({"model": "e", "prompt": "a", "truncate": false}),
    )
    .unwrap();
    let (_, body) = value(written(&one, Instant::now(), made()).await).await;
    assert_eq!(body, json!({"embedding": [0.5]}));
}

#[tokio::test]
async fn models_are_told_of() {
    let card = ModelCard {
        name: "m".to_owned(),
        size_bytes: 7,
        digest: "cid".to_owned(),
        architecture: Some("llama".to_owned()),
        parameters: Some(134_515_008),
        quantisation: Some("Q4_1".to_owned()),
        context_tokens: Some(2048),
        ..ModelCard::default()
    };
    let (_, body) = value(tags(std::slice::from_ref(&card))).await;
    let model = &body["models"][0];
    assert_eq!(
        (&model["name"], &model["model"], &model["size"]),
        (&json!("m"), &json!("m"), &json!(7))
    );
    assert_eq!(model["details"]["parameter_size"], "134.5M");
    let (_, body) = value(show(&card)).await;
    assert_eq!(body["model_info"]["llama.context_length"], 2048);
    assert_eq!(body["capabilities"], json!(["completion"]));
    let (_, body) = value(running(&[card])).await;
    assert_eq!(body["models"][0]["context_length"], 2048);
}

#[test]
fn a_model_is_let_go_by_a_keep_alive_of_zero() {
    let unloads = |keep: Value| {
        let body = json!({"model": "m", "keep_alive": keep});
        read(Asked::generate, body).map(|asked| asked.unloads())
    };
    for zero in [json!(0), json!(0.0), json!("0"), json!("0s"), json!("0m0s")] {
        assert_eq!(unloads(zero.clone()), Ok(true), "{zero}");
    }
    for longer in [
        json!(300),
        json!(-1),
        json!("5m"),
        json!("1h30m"),
        json!("-1m"),
        json!("1.5s"),
    ] {
        assert_eq!(unloads(longer.clone()), Ok(false), "{longer}");
    }
    for wrong in [json!("zzz"), json!("5"), json!(""), json!("5x"), json!(true)] {
        let error = unloads(wrong.clone()).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("keep_alive"), "{wrong}");
    }
    let asks = json!({"model": "m", "keep_alive": 0, "prompt": "Hello"});
    assert!(
        !read(Asked::generate, asks).unwrap().unloads(),
        "it is answered first"
    );
}

#[test]
fn an_answer_that_is_begun_is_gone_on_with() {
    let mut body = json!({"model": "m", "messages": [
        {"role": "user", "content": "Where is Paris?"}, {"role": "assistant", "content": "It is in"},
    ]});
    let json = asked(body.clone());
    assert_eq!(json["continue_final_message"], true);
    assert_eq!(json["add_generation_prompt"], false);
    body["messages"].as_array_mut().unwrap().pop();
    assert_eq!(asked(body)["continue_final_message"], Value::Null);
}

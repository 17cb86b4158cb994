//! Anthropic's requests and answers, whole and in parts.

use super::*;
use crate::{
    answer::{Chunk, FinishReason, Head},
    openai::ModelItem,
    request::{RequestBody, TokenizeRequest, ToolChoice},
    shape::testing::{answer, ends, events, everything, names, text, value},
};

fn read(body: Value) -> Result<Messages, Error> {
    Messages::read(body.to_string().as_bytes())
}

fn asked(body: Value) -> Value {
    serde_json::from_slice(&read(body).unwrap().request().json()).unwrap()
}

fn hello() -> Value {
    json!({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello"}]})
}

fn with(name: &str, value: Value) -> Value {
    let mut body = hello();
    body[name] = value;
    body
}

#[test]
fn a_request_is_read_into_a_conversation() {
    let body = json!({
        "model": "m", "max_tokens": 5, "temperature": 0.5, "top_p": 0.9, "top_k": 7, "stop_sequences": ["x"],
        "stream": true, "metadata": {"user_id": "u"}, "service_tier": "auto",
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "tools": [{"name": "add", "description": "Adds.", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "tool", "name": "add", "disable_parallel_tool_use": true},
        "messages": [
            {"role": "user", "content": "1 and 2"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": ""},
                {"type": "text", "text": "I add."},
                {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "3"}]},
                {"type": "text", "text": "Well?"},
            ]},
        ],
    });
    assert_eq!(
        asked(body),
        json!({
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "1 and 2"},
                {"role": "assistant", "content": "I add.", "reasoning_content": "hm", "tool_calls": [
                    {"id": "t1", "type": "function", "function": {"name": "add", "arguments": "{\"a\":1}"}},
                ]},
                {"role": "tool", "content": "3", "tool_call_id": "t1", "name": "add"},
                {"role": "user", "content": "Well?"},
            ],
            "temperature": 0.5, "top_p": 0.9, "top_k": 7, "stop": ["x"], "max_tokens": 5,
            "tools": [{"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}}],
            "tool_choice": {"type": "function", "function": {"name": "add"}}, "parallel_tool_calls": false,
            "chat_template_kwargs": {"enable_thinking": true}, "thinking_budget": 1024,
            "model": "m", "stream": true, "stream_options": {"include_usage": true},
        })
    );
}

#[test]
fn choices_of_tools_are_anthropics() {
    let tools = json!([{"name": "add", "input_schema": {}}]);
    for (choice, wanted) in [
        ("auto", ToolChoice::Auto),
        ("any", ToolChoice::Required),
        ("none", ToolChoice::None),
    ] {
        let mut body = with("tools", tools.clone());
        body["tool_choice"] = json!({ "type": choice });
        let request = read(body).unwrap().request();
        let RequestBody::Chat(chat) = request.body().unwrap().into_owned() else {
            panic!("a chat")
        };
        assert_eq!(chat.tool_choice, wanted);
    }
    let counts = read(hello()).unwrap().count();
    assert!(matches!(
        counts.body().unwrap().as_ref(),
        RequestBody::Tokenize(TokenizeRequest::Chat(_))
    ));
}

#[test]
fn what_is_wrong_or_not_here_is_named() {
    let says = |content: Value| json!([{ "role": "user", "content": content }]);
    for (body, param) in [
        (json!({"model": "m", "max_tokens": 5}), "messages"),
        (with("messages", says(7.into())), "messages[0].content"),
        (
            with("messages", json!([{"role": "king", "content": "x"}])),
            "messages[0].role",
        ),
        (
            with("messages", says(json!([{"text": "x"}]))),
            "messages[0].content[0].type",
        ),
        (
            with("messages", says(json!([{"type": "image", "source": {}}]))),
            "messages[0].content[0].type",
        ),
        (
            with("messages", says(json!([{"type": "tool_result"}]))),
            "messages[0].content[0].tool_use_id",
        ),
        (
            with("tools", json!([{"type": "web_search_20250305", "name": "x"}])),
            "tools[0].type",
        ),
        (
            with("tools", json!([{"name": "x", "input_schema": 5}])),
            "tools[0].input_schema",
        ),
        (with("tool_choice", json!({"type": "any"})), "tool_choice"),
        (
            with("tool_choice", json!({"type": "tool", "name": "x"})),
            "tool_choice.name",
        ),
        (with("tool_choice", json!({"type": "all"})), "tool_choice.type"),
        (with("thinking", json!({"type": "much"})), "thinking.type"),
        (with("max_tokens", "many".into()), "max_tokens"),
        (with("stop_sequences", json!([5])), "stop_sequences"),
        (with("mcp_servers", json!([{}])), "mcp_servers"),
        (
            with("output_config", json!({"format": {"type": "xml"}})),
            "output_config.format.type",
        ),
    ] {
        let error = read(body.clone()).unwrap_err();
        assert_eq!(
            (error.status, error.param.as_deref()),
            (400, Some(param)),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_stream_has_anthropics_events() {
    let mut chunks = everything();
    chunks.insert(2, Ok(Chunk::default()));
    let messages = read(with("stream", true.into())).unwrap();
    let events = events(written(&messages, answer(chunks)).await).await;
    let (start, delta, stop) = ("content_block_start", "content_block_delta", "content_block_stop");
    let wanted = [
        "message_start",
        "ping",
        start,
        delta,
        delta,
        "ping",
        stop,
        start,
        delta,
        delta,
        stop,
        start,
        delta,
        delta,
        stop,
        start,
        delta,
        stop,
        "message_delta",
        "message_stop",
    ];
    assert_eq!(names(&events), wanted);
    assert_eq!(events[0]["message"]["role"], "assistant");
    assert_eq!(
        events[2]["content_block"],
        json!({"type": "thinking", "thinking": "", "signature": ""})
    );
    assert_eq!(
        events[3]["delta"],
        json!({"type": "thinking_delta", "thinking": "hm"})
    );
    assert_eq!(
        (&events[8]["delta"], &events[8]["index"]),
        (&json!({"type": "text_delta", "text": "hel"}), &json!(1))
    );
    assert_eq!(
        events[11]["content_block"],
        json!({"type": "tool_use", "id": "c1", "name": "add", "input": {}})
    );
    assert_eq!(
        events[12]["delta"],
        json!({"type": "input_json_delta", "partial_json": "{\"a\""})
    );
    let end = &events[18];
    assert_eq!(
        end["delta"],
        json!({"stop_reason": "tool_use", "stop_sequence": null})
    );
    assert_eq!(
        end["usage"],
        json!({"input_tokens": 6, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 4, "output_tokens": 7})
    );
}

#[tokio::test]
async fn a_whole_message_is_what_the_events_add_up_to() {
    let messages = read(hello()).unwrap();
    let (status, message) = value(written(&messages, answer(everything())).await).await;
    assert_eq!(
        (status, &message["type"], &message["model"]),
        (200, &json!("message"), &json!("m"))
    );
    assert_eq!(
        message["content"],
        json!([
            {"type": "thinking", "thinking": "hmm", "signature": ""},
            {"type": "text", "text": "hello"},
            {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}},
            {"type": "tool_use", "id": "c2", "name": "add", "input": {}},
        ])
    );
    for (reason, word) in [
        (FinishReason::Stop, "end_turn"),
        (FinishReason::Length, "max_tokens"),
        (FinishReason::ContentFilter, "refusal"),
    ] {
        let (_, message) = value(written(&messages, answer(vec![text("a"), ends(reason)])).await).await;
        assert_eq!(message["stop_reason"], word);
    }
}

#[tokio::test]
async fn errors_have_anthropics_shape() {
    let (status, body) = value(refused(&Error::no_model("m"))).await;
    assert_eq!(
        (status, &body["type"], &body["error"]["type"]),
        (404, &json!("error"), &json!("not_found_error"))
    );
    assert!(body["error"]["message"].as_str().unwrap().contains("\"m\""));
    let busy = refused(&Error::new(Code::EngineOverloaded, "busy").retry_after(1));
    assert!(busy.headers.contains(&("retry-after", "1".to_owned())));
    let (status, body) = value(busy).await;
    assert_eq!(
        (status, &body["error"]["type"]),
        (503, &json!("overloaded_error"))
    );
    let (_, body) = value(refused(&Error {
        own_words: Some(r#"{"error":{"message":"no credit"}}"#.into()),
        ..Error::bad_json("refused")
    }))
    .await;
    assert_eq!(
        body["error"],
        json!({"type": "invalid_request_error", "message": "no credit"})
    );
    // A stream that breaks off ends with an error, and without the end of a message.
    let messages = read(with("stream", true.into())).unwrap();
    let events = events(written(&messages, answer(vec![text("a")])).await).await;
    assert_eq!(*names(&events).last().unwrap(), "error");
    assert!(!names(&events).contains(&"message_stop"));
}

#[tokio::test]
async fn a_message_begins_with_the_tokens_of_its_prompt() {
    let messages = read(with("stream", true.into())).unwrap();
    let mut answer = answer(everything());
    answer.head.prompt_tokens = Some(12);
    let events = events(written(&messages, answer).await).await;
    let usage = &events[0]["message"]["usage"];
    assert_eq!(
        (&usage["input_tokens"], &usage["output_tokens"]),
        (&json!(12), &json!(0))
    );
}

#[tokio::test]
async fn models_are_listed_in_one_page() {
    let items = [
        ModelItem::new("a", 0, "hearth"),
        ModelItem::new("pocket/b", 86_400, "pocket"),
    ];
    let b = json!({
        "type": "model", "id": "pocket/b", "display_name": "pocket/b", "created_at": "1970-01-02T00:00:00Z",
    });
    let (status, list) = value(models(&items)).await;
    assert_eq!((status, &list["data"][1]), (200, &b));
    assert_eq!(
        (&list["has_more"], &list["first_id"], &list["last_id"]),
        (&json!(false), &json!("a"), &json!("pocket/b"))
    );
    assert_eq!(value(one_model(&items[1])).await, (200, b));
    assert_eq!(value(models(&[])).await.1["last_id"], Value::Null);
}

#[tokio::test]
async fn tokens_are_counted() {
    let of = |whole| Answer {
        head: Head::default(),
        body: crate::answer::Body::Whole(whole),
    };
    let whole = crate::answer::Whole::Tokens(vec![1, 2, 3]);
    assert_eq!(value(counted(of(whole))).await, (200, json!({"input_tokens": 3})));
    let foreign = |json: &'static str| {
        let operation = crate::Operation::Tokenize;
        counted(of(crate::answer::Whole::Foreign(operation, json.into())))
    };
    assert_eq!(
        value(foreign(r#"{"count":4}"#)).await.1,
        json!({"input_tokens": 4})
    );
    assert_eq!(
        value(foreign(r#"{"tokens":[1]}"#)).await.1,
        json!({"input_tokens": 1})
    );
    assert_eq!(value(foreign("{}")).await.0, 502);
}

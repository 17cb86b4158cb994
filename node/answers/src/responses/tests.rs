//! Requests of the Responses API, and the events of its answers.

use std::sync::{Arc, Mutex};

use futures::FutureExt as _;

use super::*;
use crate::{
    answer::{Chunk, FinishReason},
    request::{ChatRequest, RequestBody, ResponseFormat, ToolChoice},
    shape::testing::{answer, ends, events, everything, names, text, value},
};

fn create(body: Value) -> Result<Create, Error> {
    Create::read(body.to_string().as_bytes())
}

fn chat(create: &Create) -> ChatRequest {
    let request = create.request().unwrap();
    let body = request.body().unwrap().into_owned();
    let RequestBody::Chat(chat) = body else {
        panic!("a chat")
    };
    chat
}

fn messages(create: &Create) -> Value {
    let json: Value = serde_json::from_slice(&create.request().unwrap().json()).unwrap();
    json["messages"].clone()
}

/// Keeps into the list.
fn keeper(kept: &Arc<Mutex<Vec<Kept>>>) -> Keeper {
    let kept = Arc::clone(kept);
    Box::new(move |one| async move { kept.lock().unwrap().push(one) }.boxed())
}

async fn write(body: Value, chunks: Vec<Result<Chunk, Error>>) -> (HttpAnswer, Arc<Mutex<Vec<Kept>>>) {
    let kept = Arc::default();
    let written = written(create(body).unwrap(), answer(chunks), keeper(&kept)).await;
    (written, kept)
}

#[test]
fn a_request_is_read_into_a_conversation() {
    let body = json!({
        "model": "m", "instructions": "Be brief.", "input": "Hello", "max_output_tokens": 5, "temperature": 0.5,
        "top_p": 0.9, "reasoning": {"effort": "low"}, "parallel_tool_calls": false, "stream": true,
        "tools": [{"type": "function", "name": "add", "parameters": {"type": "object"}, "strict": true}],
        "tool_choice": {"type": "function", "name": "add"},
        "text": {"format": {"type": "json_schema", "name": "sum", "schema": {"type": "object"}, "strict": true}},
        "include": ["reasoning.encrypted_content"], "prompt_cache_key": "k", "service_tier": "auto",
    });
    let create = create(body).unwrap();
    assert!(create.is_stream() && create.is_kept());
    let request = create.request().unwrap();
    assert_eq!((request.model.as_deref(), request.stream), (Some("m"), true));
    let chat = chat(&create);
    assert_eq!(
        messages(&create),
        json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}])
    );
    assert_eq!(
        (chat.sampling.max_tokens, chat.sampling.temperature),
        (Some(5), Some(0.5))
    );
    assert_eq!((chat.tools[0].name.as_str(), chat.tools[0].strict), ("add", true));
    assert_eq!(chat.tool_choice, ToolChoice::Named("add".to_owned()));
    assert_eq!(chat.parallel_tool_calls, Some(false));
    assert_eq!(chat.template_kwargs["reasoning_effort"], "low");
    let ResponseFormat::JsonSchema { name, strict, .. } = &chat.response_format else {
        panic!("a schema")
    };
    assert_eq!((name.as_deref(), *strict), (Some("sum"), true));
}

#[test]
fn items_become_turns() {
    let body = json!({"input": [
        {"role": "developer", "content": "Add."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "1"}, {"type": "input_text", "text": "2"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I add.", "annotations": []}]},
        {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{\"a\":1}"},
        {"type": "function_call", "call_id": "c2", "name": "sub", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c2", "output": "7"},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "3"}]},
        {"role": "user", "content": "Thanks"},
    ]});
    let call = |id, name, arguments| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    assert_eq!(
        messages(&create(body).unwrap()),
        json!([
            {"role": "developer", "content": "Add."},
            {"role": "user", "content": "1\n2"},
            {"role": "assistant", "content": "I add.", "tool_calls": [call("c1", "add", "{\"a\":1}"), call("c2", "sub", "{}")]},
            {"role": "tool", "content": "7", "tool_call_id": "c2", "name": "sub"},
            {"role": "tool", "content": "3", "tool_call_id": "c1", "name": "add"},
            {"role": "user", "content": "Thanks"},
        ])
    );
}

#[test]
fn what_is_wrong_or_not_here_is_named() {
    let with = |name: &str, value: Value| {
        let mut body = json!({"input": "x"});
        body[name] = value;
        body
    };
    let image = json!([{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]);
    for (body, param) in [
        (json!({}), "input"),
        (json!({"input": 5}), "input"),
        (json!({"input": []}), "input"),
        (with("input", image), "input[0].content[0]"),
        (
            with("input", json!([{"role": "king", "content": "x"}])),
            "input[0].role",
        ),
        (
            with("input", json!([{"type": "item_reference", "id": "x"}])),
            "input[0].type",
        ),
        (with("input", json!([{"type": "computer_call"}])), "input[0].type"),
        (
            with("input", json!([{"type": "function_call", "name": "f"}])),
            "input[0].call_id",
        ),
        (with("tools", json!([{"type": "web_search"}])), "tools[0].type"),
        (with("tool_choice", "required".into()), "tool_choice"),
        (
            with("text", json!({"format": {"type": "xml"}})),
            "text.format.type",
        ),
        (
            with("text", json!({"format": {"type": "json_schema"}})),
            "text.format.schema",
        ),
        (with("text", json!({"verbosity": "low"})), "text.verbosity"),
        (with("moderation", json!({"model": "omni"})), "moderation"),
        (
            with("context_management", json!([{"type": "compaction"}])),
            "context_management",
        ),
        (with("truncation", "auto".into()), "truncation"),
        (with("background", true.into()), "background"),
        (with("conversation", "conv_1".into()), "conversation"),
        (with("prompt", json!({"id": "x"})), "prompt"),
        (with("metadata", json!({"a": 1})), "metadata"),
        (with("temperature", 3.into()), "temperature"),
        (with("top_logprobs", 21.into()), "top_logprobs"),
    ] {
        let error = create(body.clone())
            .and_then(|create| create.request())
            .map(drop)
            .unwrap_err();
        assert_eq!(
            (error.status, error.param.as_deref()),
            (400, Some(param)),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_stream_has_every_typed_event_in_order() {
    let (written, kept) = write(
        json!({"input": "x", "stream": true, "metadata": {"a": "b"}}),
        everything(),
    )
    .await;
    assert_eq!(written.status, 200);
    let events = events(written).await;
    let item = ["response.output_item.added", "response.output_item.done"];
    let text = |kind: &str| {
        let delta = format!("response.{kind}.delta");
        [
            item[0].to_owned(),
            "response.content_part.added".to_owned(),
            delta.clone(),
            delta,
            format!("response.{kind}.done"),
            "response.content_part.done".to_owned(),
            item[1].to_owned(),
        ]
    };
    let mut wanted = vec!["response.created".to_owned(), "response.in_progress".to_owned()];
    wanted.extend(text("reasoning_text"));
    wanted.extend(text("output_text"));
    let arguments = "response.function_call_arguments";
    let (delta, done) = (format!("{arguments}.delta"), format!("{arguments}.done"));
    wanted.extend([
        item[0].to_owned(),
        delta.clone(),
        delta.clone(),
        done.clone(),
        item[1].to_owned(),
    ]);
    wanted.extend([item[0].to_owned(), delta, done, item[1].to_owned()]);
    wanted.push("response.completed".to_owned());
    assert_eq!(names(&events), wanted);
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
    }
    assert_eq!(events[0]["response"]["status"], "in_progress");
    let response = &events.last().unwrap()["response"];
    assert_eq!(response["status"], "completed");
    assert_eq!(response["metadata"], json!({"a": "b"}));
    assert_eq!(
        response["usage"],
        json!({"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 17})
    );
    let output = response["output"].as_array().unwrap();
    let kinds: Vec<&str> = output.iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call", "function_call"]);
    assert_eq!(output[0]["content"][0]["text"], "hmm");
    assert_eq!(output[1]["content"][0]["text"], "hello");
    assert_eq!(
        (&output[2]["arguments"], &output[2]["call_id"]),
        (&json!("{\"a\":1}"), &json!("c1"))
    );
    // What is added to an item names it by its place and id.
    for event in &events {
        if let Some(id) = event["item_id"].as_str() {
            let at = usize::try_from(event["output_index"].as_u64().unwrap()).unwrap();
            assert_eq!(output[at]["id"], id, "{event}");
        }
    }
    let kept = kept.lock().unwrap();
    assert_eq!((kept.len(), &kept[0].response), (1, response));
}

#[tokio::test]
async fn a_whole_answer_is_what_the_events_add_up_to() {
    let (written, _) = write(json!({"input": "x", "model": "m"}), everything()).await;
    let (status, response) = value(written).await;
    assert_eq!(
        (status, &response["object"], &response["status"]),
        (200, &json!("response"), &json!("completed"))
    );
    assert!(response["id"].as_str().unwrap().starts_with("resp_"));
    assert_eq!(response["output"].as_array().unwrap().len(), 4);
    assert_eq!(response["text"], json!({"format": {"type": "text"}}));
    assert_eq!(
        (&response["tool_choice"], &response["truncation"]),
        (&json!("auto"), &json!("disabled"))
    );
}

#[tokio::test]
async fn an_answer_that_was_cut_is_incomplete() {
    let cut = vec![text("hel"), ends(FinishReason::Length)];
    let (written, _) = write(json!({"input": "x"}), cut).await;
    let (_, response) = value(written).await;
    assert_eq!(response["status"], "incomplete");
    assert_eq!(
        response["incomplete_details"],
        json!({"reason": "max_output_tokens"})
    );
    assert_eq!(response["output"][0]["status"], "incomplete");
    let (written, _) = write(
        json!({"input": "x", "stream": true}),
        vec![ends(FinishReason::Length)],
    )
    .await;
    let events = events(written).await;
    assert_eq!(*names(&events).last().unwrap(), "response.incomplete");
}

#[tokio::test]
async fn a_stream_that_breaks_off_fails_and_nothing_is_kept() {
    for chunks in [vec![text("hel")], vec![text("hel"), Err(Error::broken_off())]] {
        let (written, kept) = write(json!({"input": "x", "stream": true}), chunks).await;
        let events = events(written).await;
        let last = events.last().unwrap();
        assert_eq!(last["type"], "response.failed");
        assert_eq!(last["response"]["error"]["code"], "server_error");
        assert!(kept.lock().unwrap().is_empty());
    }
    let (written, _) = write(json!({"input": "x"}), vec![text("hel")]).await;
    let (status, body) = value(written).await;
    assert_eq!((status, &body["error"]["code"]), (502, &json!("broken_off")));
}

#[tokio::test]
async fn a_later_request_goes_on_from_what_is_kept() {
    let (_, kept) = write(json!({"input": "one", "instructions": "Old."}), everything()).await;
    let kept = kept.lock().unwrap()[0].clone();
    let body = json!({
        "previous_response_id": kept.id, "instructions": "New.",
        "input": [{"type": "function_call_output", "call_id": "c1", "output": "3"}],
    });
    let next = create(body).unwrap();
    assert_eq!(next.previous(), Some(kept.id.as_str()));
    let next = next.after(kept.clone()).unwrap();
    let messages = messages(&next);
    let roles: Vec<&str> = messages
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool"]);
    assert_eq!(messages[0]["content"], "New.");
    assert_eq!(messages[2]["tool_calls"].as_array().unwrap().len(), 2);
    assert_eq!(messages[3]["name"], "add");
    // The items that it was made from are listed by pages.
    let mut query = ListQuery::default();
    query.set("order", "asc").unwrap();
    query.set("limit", "1").unwrap();
    let (_, page) = value(item_list(kept, &query)).await;
    assert_eq!(page["data"][0]["content"][0]["text"], "one");
    assert_eq!(
        (&page["has_more"], &page["first_id"]),
        (&json!(false), &page["data"][0]["id"])
    );
    assert_eq!(
        query.set("limit", "0").unwrap_err().param.as_deref(),
        Some("limit")
    );
}

#[tokio::test]
async fn nothing_is_kept_where_the_client_says_so() {
    let (written, kept) = write(json!({"input": "x", "store": false}), everything()).await;
    assert_eq!(value(written).await.1["store"], false);
    assert!(kept.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_quiet_stream_is_kept_open_by_comments() {
    let chunks = vec![Ok(Chunk::default()), text("a"), ends(FinishReason::Stop)];
    let (written, _) = write(json!({"input": "x", "stream": true}), chunks).await;
    let body = written.body.collect().await;
    assert!(String::from_utf8_lossy(&body).contains("\n\n: \n\n"));
}

//! Answers of a given form: JSON of a schema, calls of tools, reasoning apart, scored prompts. The model's words are noise;
//! their form must be right all the same.

use hearth_answers::{Config, sse};
use serde_json::{Value, json};

use crate::support::{World, world};

fn ask(extra: Value) -> Value {
    let mut body = json!({
        "model": "tools", "messages": [{"role": "user", "content": "hello"}], "temperature": 1, "max_tokens": 400,
        "chat_template_kwargs": {"enable_thinking": false},
    });
    for (name, value) in extra.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn weather() -> Value {
    json!([
        {"type": "function", "function": {"name": "weather", "description": "the weather", "parameters": {
            "type": "object", "properties": {"city": {"type": "string", "maxLength": 8}, "days": {"enum": [1, 2, 3]}},
            "required": ["city", "days"], "additionalProperties": false,
        }}},
        {"type": "function", "function": {"name": "now"}},
    ])
}

async fn chat(world: &World, extra: Value) -> Value {
    let (status, answer) = world.json("/v1/chat/completions", ask(extra)).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn chunks(world: &World, extra: Value) -> Vec<Value> {
    let mut body = ask(extra);
    body["stream"] = json!(true);
    let answer = world.post("/v1/chat/completions", body).await;
    let bytes = answer.body.collect().await;
    let events = sse::Reader::new().push(&bytes).unwrap();
    let values = events
        .iter()
        .filter_map(|event| serde_json::from_str(&event.data).ok());
    values.collect()
}

#[tokio::test]
async fn json_is_of_the_schema_o18_o19() {
    let world = world(Config::default());
    let schema = json!({
        "type": "object", "required": ["city", "size"], "additionalProperties": false,
        "properties": {"city": {"type": "string", "maxLength": 10}, "size": {"type": "integer", "minimum": 1, "maximum": 9}},
    });
    for seed in 0..4 {
        let format =
            json!({"type": "json_schema", "json_schema": {"name": "c", "strict": true, "schema": schema}});
        let answer = chat(&world, json!({"response_format": format, "seed": seed})).await;
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
        let city: Value = serde_json::from_str(text).unwrap();
        assert!(city["city"].as_str().unwrap().chars().count() <= 10, "{city}");
        assert!((1..=9).contains(&city["size"].as_i64().unwrap()), "{city}");
        assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    }
    let choice = chat(&world, json!({"guided_choice": ["yes", "no"]})).await;
    let said = choice["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(["yes", "no"].contains(&said), "{said}");
    let regex = chat(&world, json!({"guided_regex": "[0-9]{3}-[a-c]"})).await;
    let said = regex["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(said.len() == 5 && said.as_bytes()[3] == b'-', "{said}");
    let bad = json!({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "cow"}}}});
    let (status, error) = world.json("/v1/chat/completions", ask(bad)).await;
    assert_eq!(
        (status, &error["error"]["param"]),
        (400, &json!("response_format")),
        "{error}"
    );
}

#[tokio::test]
async fn a_tool_is_called_where_it_must_be_l13_n13() {
    let world = world(Config::default());
    let named = json!({"type": "function", "function": {"name": "weather"}});
    for (choice, seed) in [
        (json!("required"), 1),
        (json!("any"), 2),
        (named.clone(), 3),
        (named, 4),
    ] {
        let extra =
            json!({"tools": weather(), "tool_choice": choice, "seed": seed, "parallel_tool_calls": false});
        let answer = chat(&world, extra.clone()).await;
        let said = &answer["choices"][0];
        assert_eq!(said["finish_reason"], "tool_calls", "{answer}");
        let call = &said["message"]["tool_calls"][0];
        let name = call["function"]["name"].as_str().unwrap();
        let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
        match name {
            "weather" => assert!(
                arguments["city"].is_string() && [1, 2, 3].contains(&arguments["days"].as_i64().unwrap())
            ),
            "now" => assert_ne!(
                choice,
                json!({"type": "function", "function": {"name": "weather"}})
            ),
            other => panic!("{other} is no tool"),
        }
        assert_eq!(
            (call["type"].as_str(), &said["message"]["content"]),
            (Some("function"), &Value::Null)
        );

        // The same in parts.
        let (mut streamed, mut names) = (String::new(), Vec::new());
        for chunk in chunks(&world, extra).await {
            for part in chunk["choices"][0]["delta"]["tool_calls"]
                .as_array()
                .into_iter()
                .flatten()
            {
                streamed.push_str(part["function"]["arguments"].as_str().unwrap());
                names.extend(part["function"]["name"].as_str().map(str::to_owned));
            }
        }
        assert_eq!(
            (streamed.as_str(), names),
            (
                call["function"]["arguments"].as_str().unwrap(),
                vec![name.to_owned()]
            )
        );
    }
}

#[tokio::test]
async fn older_functions_are_answered_as_they_were_asked() {
    let world = world(Config::default());
    let functions = json!([{"name": "now", "parameters": {"type": "object", "properties": {}}}]);
    let extra = json!({"functions": functions, "function_call": {"name": "now"}});
    let answer = chat(&world, extra).await;
    assert_eq!(answer["choices"][0]["finish_reason"], "function_call");
    assert_eq!(answer["choices"][0]["message"]["function_call"]["name"], "now");
}

#[tokio::test]
async fn a_model_without_tools_says_so_g10_o20() {
    let world = world(Config::default());
    for choice in ["auto", "required"] {
        let body = ask(json!({"model": "chat", "tools": weather(), "tool_choice": choice}));
        let (status, error) = world.json("/v1/chat/completions", body).await;
        assert_eq!(
            (status, &error["error"]["code"]),
            (400, &json!("no_tools")),
            "{error}"
        );
    }
    let none = ask(json!({"model": "chat", "tools": weather(), "tool_choice": "none", "max_tokens": 4}));
    assert_eq!(world.json("/v1/chat/completions", none).await.0, 200);
}

#[tokio::test]
async fn an_answer_beside_tools_is_a_call_or_of_the_form() {
    let world = world(Config::default());
    for seed in 0..4 {
        let schema = json!({"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"], "additionalProperties": false});
        let format = json!({"type": "json_schema", "json_schema": {"schema": schema}});
        let answer = chat(
            &world,
            json!({"tools": weather(), "response_format": format, "seed": seed}),
        )
        .await;
        let said = &answer["choices"][0];
        match said["message"]["content"].as_str() {
            Some(text) => {
                let value: Value = serde_json::from_str(text).unwrap();
                assert!([1, 2].contains(&value["a"].as_i64().unwrap()), "{answer}");
            }
            None => assert_eq!(said["finish_reason"], "tool_calls", "{answer}"),
        }
    }
    let regex = ask(json!({"tools": weather(), "guided_regex": "a+"}));
    let (status, error) = world.json("/v1/chat/completions", regex).await;
    assert_eq!(
        (status, &error["error"]["param"]),
        (400, &json!("response_format"))
    );
}

#[tokio::test]
async fn reasoning_is_told_apart_and_has_its_budget_g04() {
    let world = world(Config::default());
    // The grammar makes the noise think first.
    let grammar = "start: \"<think>\" /[a-z]{5}/ \"</think>\" /[0-9]{4}/";
    let extra = json!({"guided_grammar": grammar, "chat_template_kwargs": {}});
    let (status, answer) = world.json("/v1/chat/completions", ask(extra.clone())).await;
    assert_eq!(status, 200, "{answer}");
    let message = &answer["choices"][0]["message"];
    let reasoning = message["reasoning_content"].as_str();
    // Where the engine lets reasoning pass before the form counts, the form begins behind it.
    if let Some(reasoning) = reasoning {
        assert!(!reasoning.contains("think>"), "{reasoning}");
    }
    assert!(
        !message["content"].as_str().unwrap().contains("</think>"),
        "{answer}"
    );
}

#[tokio::test]
async fn prompts_are_scored_without_an_answer_c04_c05() {
    let world = world(Config::default());
    for max_tokens in [0, 1] {
        let body = json!({
            "model": "chat", "prompt": "hello there", "echo": true, "logprobs": 1, "max_tokens": max_tokens,
        });
        let (status, scored) = world.json("/v1/completions", body).await;
        assert_eq!(status, 200, "{scored}");
        let choice = &scored["choices"][0];
        assert!(choice["text"].as_str().unwrap().starts_with("hello there"));
        let logprobs = choice["logprobs"]["token_logprobs"].as_array().unwrap();
        assert_eq!(logprobs[0], Value::Null);
        assert!(
            logprobs[1..]
                .iter()
                .all(|logprob| logprob.as_f64().unwrap() <= 0.0),
            "{choice}"
        );
        let n_prompt = scored["usage"]["prompt_tokens"].as_u64().unwrap();
        assert!(logprobs.len() as u64 >= n_prompt, "{choice}");
        assert_eq!(scored["usage"]["completion_tokens"], max_tokens);
    }
}

#[tokio::test]
async fn embeddings_take_tokens_of_their_own_vocabulary_and_fewer_figures_e03_e04() {
    let world = world(Config::default());
    let (_, split) = world
        .json("/tokenize", json!({"model": "embed", "prompt": "hello"}))
        .await;
    let own = split["tokens"].clone();
    let (_, text) = world
        .json("/v1/embeddings", json!({"model": "embed", "input": "hello"}))
        .await;
    let (status, tokens) = world
        .json("/v1/embeddings", json!({"model": "embed", "input": [own]}))
        .await;
    assert_eq!(status, 200, "{tokens}");
    assert_eq!(text["data"][0]["embedding"], tokens["data"][0]["embedding"]);
    for foreign in [json!([[15, 19]]), json!([15, 19])] {
        let body = json!({"model": "embed", "input": foreign});
        let (status, error) = world.json("/v1/embeddings", body).await;
        assert_eq!(status, 400, "{error}");
        assert!(
            error["error"]["message"]
                .as_str()
                .unwrap()
                .contains("check_embedding_ctx_length"),
            "{error}"
        );
    }
    let body = json!({"model": "embed", "input": "hello", "dimensions": 8});
    let (status, cut) = world.json("/v1/embeddings", body).await;
    assert_eq!(
        (status, cut["data"][0]["embedding"].as_array().unwrap().len()),
        (200, 8)
    );
}

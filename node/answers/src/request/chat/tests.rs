//! Conversations as clients write them, and what is wrong with them by its path.

use super::*;

fn read(body: Value) -> Result<ChatRequest, Error> {
    ChatRequest::read(&mut Fields::of_body(body).unwrap())
}

fn with(extra: Value) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": "hello"}]});
    for (name, value) in extra.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[test]
fn nulls_and_unknown_fields_are_fine() {
    let request = read(with(json!({
        "n": null, "stop": null, "logit_bias": null, "tools": null, "top_logprobs": null, "made_up": {"x": 1},
        "response_format": null, "tool_choice": null,
    })));
    assert_eq!(request.unwrap().tools, []);
}

#[test]
fn content_may_be_text_or_parts_m06() {
    let request = read(json!({"messages": [
        {"role": "system", "content": "a"},
        {"role": "user", "content": [{"type": "text", "text": "b"}, "c", {"text": "d"}], "name": "n"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"role": "assistant", "content": null},
    ]}))
    .unwrap();
    let texts: Vec<_> = request.messages[..4]
        .iter()
        .map(|message| message.content.as_ref().unwrap().text())
        .collect();
    assert_eq!(
        texts,
        [
            Ok("a".to_owned()),
            Ok("b\nc\nd".to_owned()),
            Err("image_url".to_owned()),
            Ok("no".to_owned())
        ]
    );
    assert_eq!(request.messages[1].extra["name"], "n");
    assert_eq!(request.messages[4].content, None);
}

#[test]
fn roles_are_known_in_any_case_and_others_refused_by_name_m23() {
    let request = read(json!({"messages": [{"role": "User", "content": "Hi"}]})).unwrap();
    assert_eq!(request.messages[0].role, "user");
    let error = read(json!({"messages": [{"role": "boss", "content": "Hi"}]})).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("messages[0].role"));
}

#[test]
fn older_functions_become_tools() {
    let tool = json!({"type": "function", "function": {"name": "g", "parameters": {"type": "object"}}});
    let request = read(with(json!({"functions": [{"name": "f"}], "tools": [tool]}))).unwrap();
    let names: Vec<_> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!((names, request.legacy_functions), (vec!["g", "f"], false));
    let request = read(with(
        json!({"functions": [{"name": "f"}], "function_call": {"name": "f"}}),
    ))
    .unwrap();
    assert!(request.legacy_functions);
    // Their answer carries one call.
    assert_eq!(request.parallel_tool_calls, Some(false));
    assert_eq!(request.tool_choice, ToolChoice::Named("f".to_owned()));
}

#[test]
fn only_the_tools_that_are_allowed_are_left() {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name}});
    let tools = json!([tool("f"), tool("g"), tool("h")]);
    let chat = json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [tool("h"), tool("f")]}});
    let flat = json!({"type": "function", "name": "g"});
    let responses = json!({"type": "allowed_tools", "mode": "auto", "tools": [flat]});
    for (choice, names, expected) in [
        (chat, vec!["f", "h"], ToolChoice::Required),
        (responses, vec!["g"], ToolChoice::Auto),
    ] {
        let request = read(with(json!({"tools": tools, "tool_choice": choice}))).unwrap();
        let left: Vec<_> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!((left, request.tool_choice), (names, expected));
    }
}

#[test]
fn what_is_wrong_is_named_by_its_path_m01() {
    let tool = json!({"type": "function", "function": {"name": "g"}});
    for (body, param) in [
        (json!({"messages": []}), "messages"),
        (with(json!({"audio": {"voice": "alloy"}})), "audio"),
        (
            with(json!({"functions": [{"name": "f"}], "parallel_tool_calls": true})),
            "parallel_tool_calls",
        ),
        (
            with(json!({"tools": [tool], "tool_choice": {"type": "allowed_tools", "allowed_tools": {}}})),
            "tool_choice.allowed_tools.tools",
        ),
        (
            with(
                json!({"tools": [tool], "tool_choice": {"type": "allowed_tools", "mode": "never", "tools": [tool]}}),
            ),
            "tool_choice.mode",
        ),
        (
            with(
                json!({"tools": [tool], "tool_choice": {"type": "allowed_tools", "tools": [{"name": "h"}]}}),
            ),
            "tool_choice.tools[0]",
        ),
        (
            with(json!({"tools": [tool], "tool_choice": {"type": "custom", "name": "g"}})),
            "tool_choice.type",
        ),
        (json!({}), "messages"),
        (json!({"messages": 7}), "messages"),
        (json!({"messages": [7]}), "messages[0]"),
        (json!({"messages": [{"content": "x"}]}), "messages[0].role"),
        (
            json!({"messages": [{"role": "user", "content": 7}]}),
            "messages[0].content",
        ),
        (
            json!({"messages": [{"role": "user", "content": [7]}]}),
            "messages[0].content[0]",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
            "messages[0].content[0]",
        ),
        (with(json!({"response_format": "json_object"})), "response_format"),
        (
            with(json!({"response_format": {"type": "xml"}})),
            "response_format.type",
        ),
        (
            with(json!({"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}})),
            "response_format.json_schema.schema",
        ),
        (
            with(json!({"logprobs": true, "top_logprobs": 21})),
            "top_logprobs",
        ),
        (with(json!({"tools": [{"type": "web_search"}]})), "tools[0].type"),
        (with(json!({"tools": [{"type": "function"}]})), "tools[0]"),
        (
            with(json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": [1]}}]})),
            "tools[0].function.parameters",
        ),
        (with(json!({"tool_choice": "required"})), "tool_choice"),
        (
            with(json!({"tools": [tool], "tool_choice": "maybe"})),
            "tool_choice",
        ),
        (
            with(json!({"tools": [tool], "tool_choice": {"type": "function", "function": {"name": "h"}}})),
            "tool_choice",
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

#[test]
fn forms_of_the_answer_are_read_in_the_words_of_several_servers() {
    let format = |extra| read(with(extra)).unwrap().response_format;
    let schema = json!({"type": "object"});
    let wanted = ResponseFormat::JsonSchema {
        name: Some("a".to_owned()),
        schema: schema.clone(),
        strict: true,
    };
    assert_eq!(
        format(
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "a", "strict": true, "schema": schema}}})
        ),
        wanted
    );
    for other in [
        json!({"response_format": {"type": "json_object", "schema": schema}}),
        json!({"guided_json": schema}),
        json!({"guided_json": schema.to_string()}),
        json!({"json_schema": schema}),
    ] {
        assert!(
            matches!(format(other.clone()), ResponseFormat::JsonSchema { .. }),
            "{other}"
        );
    }
    assert_eq!(
        format(json!({"response_format": {"type": "json_object"}})),
        ResponseFormat::JsonObject
    );
    assert_eq!(
        format(json!({"guided_regex": "a+"})),
        ResponseFormat::Regex("a+".to_owned())
    );
    assert_eq!(
        format(json!({"guided_choice": ["a", "b"]})),
        ResponseFormat::Choice(vec!["a".to_owned(), "b".to_owned()])
    );
}

#[test]
fn what_the_template_may_look_at_is_read_g11() {
    let request = read(with(json!({
        "chat_template_kwargs": {"enable_thinking": false, "x": 1}, "reasoning_effort": "low",
    })))
    .unwrap();
    assert_eq!(
        Value::from(request.template_kwargs),
        json!({"enable_thinking": false, "x": 1, "reasoning_effort": "low"})
    );
}

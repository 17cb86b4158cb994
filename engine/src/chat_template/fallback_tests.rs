//! Tests of conversations that templates refuse or drop a part of, by minimal templates that behave as public ones do.

use serde_json::{Map, Value, json};

use super::*;
use crate::testing::{GgufWriter, WriteType, llama_gguf};

fn templates_of(gguf: &GgufWriter, tokens: &[&str]) -> Templates {
    let bytes = gguf.bytes();
    Templates::from_gguf(&Gguf::parse(&bytes).unwrap(), |text| tokens.contains(&text))
}

fn templates(chat: &str) -> Templates {
    templates_of(&GgufWriter::default().text("tokenizer.chat_template", chat), &[])
}

fn with(mut message: Message, key: &str, value: Value) -> Message {
    message.extra.insert(key.to_owned(), value);
    message
}

fn ask(
    templates: &Templates,
    messages: &[Message],
    tools: Option<Value>,
    kwargs: Value,
) -> Result<Rendered, GenerateError> {
    let Value::Object(kwargs) = kwargs else {
        panic!("an object")
    };
    templates.render(&TemplateInput {
        messages: &normal(messages),
        tools: tools.as_ref(),
        kwargs: &kwargs,
        bos: "<s>",
        eos: "</s>",
        unix_now: None,
        input_bytes: 100,
    })
}

fn plain(templates: &Templates, messages: &[Message]) -> Rendered {
    ask(templates, messages, None, json!({})).unwrap()
}

fn user() -> Message {
    Message::new("user", "What?")
}

/// A round of a tool: a call, its answer.
fn round(calls: Value) -> Vec<Message> {
    vec![
        user(),
        with(Message::new("assistant", ""), "tool_calls", calls),
        with(Message::new("tool", "18 degrees"), "tool_call_id", "1".into()),
    ]
}

fn one_call() -> Value {
    json!([{"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\": \"Paris\"}"}}])
}

/// As Gemma: no system, roles in turn, nothing else.
const GEMMA: &str = "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}\
    {% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}\
    {{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}\
    <start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}<end_of_turn>\n{% endfor %}\
    {% if add_generation_prompt %}<start_of_turn>model\n{% endif %}";

#[test]
fn a_system_that_is_refused_is_put_before_the_first_words_g05() {
    let rendered = plain(
        &templates(GEMMA),
        &[Message::new("developer", "Be brief."), user()],
    );
    assert_eq!(
        rendered.text,
        "<s><start_of_turn>user\nBe brief.\n\nWhat?<end_of_turn>\n<start_of_turn>model\n"
    );
    assert_eq!(
        (rendered.fallbacks, rendered.opens_thinking),
        (vec!["system_folded"], false)
    );
    // One that is left out without a word is noticed.
    let deaf =
        templates("{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}");
    let rendered = plain(&deaf, &[Message::new("system", "Be brief."), user()]);
    assert_eq!(
        (rendered.text.as_str(), rendered.fallbacks),
        ("Be brief.\n\nWhat?", vec!["system_folded"])
    );
}

#[test]
fn neighbours_of_one_role_are_joined_where_they_are_refused_g06() {
    let two = [user(), Message::new("user", "Why?")];
    let rendered = plain(&templates(GEMMA), &two);
    assert!(
        rendered.text.contains("user\nWhat?\n\nWhy?<end_of_turn>"),
        "{}",
        rendered.text
    );
    assert_eq!(rendered.fallbacks, ["roles_joined"]);
    let tolerant = templates("{% for m in messages %}[{{ m.content }}]{% endfor %}");
    assert_eq!(plain(&tolerant, &two).text, "[What?][Why?]");
    assert_eq!(plain(&tolerant, &two).fallbacks, [] as [&str; 0]);
}

#[test]
fn tool_rounds_are_said_in_words_where_no_tools_are_known_g07() {
    let rendered = plain(&templates(GEMMA), &round(one_call()));
    assert!(
        rendered
            .text
            .contains("Call of get_weather: {\"city\":\"Paris\"}"),
        "{}",
        rendered.text
    );
    assert!(
        rendered.text.contains("user\nResult:\n18 degrees<end_of_turn>"),
        "{}",
        rendered.text
    );
    assert_eq!(rendered.fallbacks, ["tools_folded"]);
    let all = [
        vec![Message::new("system", "S1"), Message::new("system", "S2"), user()],
        round(one_call()),
    ]
    .concat();
    let rendered = plain(&templates(GEMMA), &all);
    assert!(
        rendered.text.contains("S1\n\nS2\n\nWhat?\n\nWhat?"),
        "{}",
        rendered.text
    );
    assert_eq!(
        rendered.fallbacks,
        ["system_folded", "tools_folded", "roles_joined"]
    );
}

#[test]
fn a_file_without_template_is_given_one_by_its_vocabulary_g08() {
    let none = GgufWriter::default().number("x", 1);
    let chat = [
        Message::new("system", "S"),
        user(),
        Message::new("assistant", "A"),
        Message::new("user", "B"),
    ];
    let with_marks = plain(&templates_of(&none, &["<|im_start|>"]), &chat);
    assert!(
        with_marks
            .text
            .starts_with("<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nWhat?<|im_end|>\n")
    );
    assert!(with_marks.text.ends_with("<|im_start|>assistant\n"));
    assert_eq!(with_marks.fallbacks, ["chatml_template"]);
    let without = plain(&templates_of(&none, &[]), &chat);
    assert_eq!(
        without.text,
        "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nWhat? [/INST] A </s><s>[INST] B [/INST]"
    );
    assert_eq!(without.fallbacks, ["llama2_template"]);
    let gemma = plain(&templates_of(&none, &["<start_of_turn>"]), &chat);
    assert_eq!(gemma.fallbacks, ["gemma_template", "system_folded"]);
    let llama = plain(&templates_of(&none, &["<|start_header_id|>"]), &chat);
    assert!(
        llama
            .text
            .ends_with("<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n")
    );
}

fn tools() -> Value {
    json!([{"type": "function", "function": {"name": "get_weather"}}])
}

#[test]
fn a_template_for_tools_is_used_when_tools_are_sent_g09() {
    let gguf = llama_gguf(WriteType::Q8_0).text(
        "tokenizer.chat_template.tool_use",
        "with {{ tools[0].function.name }}",
    );
    let templates = templates_of(&gguf, &[]);
    let with_tools = ask(&templates, &[user()], Some(tools()), json!({})).unwrap();
    assert_eq!(with_tools.text, "with get_weather");
    let without = ask(&templates, &[user()], Some(json!([])), json!({})).unwrap();
    assert!(without.text.starts_with("<|im_start|>user"));
    assert!(templates.tools.is_some());
}

#[test]
fn tools_are_refused_by_templates_that_know_none_g10() {
    let deaf = templates("{{ messages[0].content }} 'tools'");
    assert!(deaf.tools.is_none());
    let error = ask(&deaf, &[user()], Some(tools()), json!({})).unwrap_err();
    assert!(error.to_string().contains("it knows no tools"), "{error}");
}

#[test]
fn further_names_reach_the_template_and_none_of_its_own_g11() {
    let template = "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% else %}<think>\n{% endif %}";
    let templates = templates(template);
    let said = |kwargs| ask(&templates, &[user()], None, kwargs).unwrap();
    assert!(said(json!({})).opens_thinking);
    let off = said(json!({"enable_thinking": false}));
    assert_eq!(
        (off.text.as_str(), off.opens_thinking),
        ("<think>\n\n</think>\n\n", false)
    );
    let error = ask(&templates, &[user()], None, json!({"messages": []})).unwrap_err();
    assert!(error.to_string().contains("chat_template_kwargs"), "{error}");
}

#[test]
fn arguments_reach_the_template_in_the_form_it_wants_g15() {
    // As Qwen and Llama: an object that the template writes as JSON.
    let object = templates(
        "{% for m in messages %}{% for c in m.tool_calls %}{{ c.function.arguments | tojson }}{% endfor %}{{ m.content }}{% endfor %}",
    );
    let rendered = plain(&object, &round(one_call()));
    assert_eq!(
        (rendered.text.as_str(), rendered.fallbacks.len()),
        ("What?{\"city\": \"Paris\"}18 degrees", 0)
    );
    // As DeepSeek: a text that is put between other texts.
    let text = templates(
        "{% for m in messages %}{% for c in m.tool_calls %}{{ 'call ' + c.function.arguments }}{% endfor %}{{ m.content }}{% endfor %}",
    );
    let rendered = plain(&text, &round(one_call()));
    assert_eq!(
        (rendered.text.as_str(), rendered.fallbacks),
        (
            "What?call {\"city\":\"Paris\"}18 degrees",
            vec!["arguments_as_text"]
        )
    );
    // As Llama 3.1: one call a turn.
    let single = "{% for m in messages %}{% if m.tool_calls and m.tool_calls | length != 1 %}{{ raise_exception('single') }}{% endif %}\
        {% for c in m.tool_calls %}<{{ c.id }}>{% endfor %}{{ m.content }}{% endfor %}";
    let two = json!([one_call()[0], {"id": "2", "function": {"name": "now", "arguments": {}}}]);
    let mut messages = round(two);
    messages.push(with(Message::new("tool", "noon"), "tool_call_id", "2".into()));
    let rendered = plain(&templates(single), &messages);
    assert_eq!(
        (rendered.text.as_str(), rendered.fallbacks),
        ("What?<1>18 degrees<2>noon", vec!["calls_split"])
    );
}

#[test]
fn a_refusal_that_nothing_helps_keeps_its_words() {
    let stubborn = templates("{{ raise_exception('no') }}");
    let all = [vec![Message::new("system", "S")], round(one_call())].concat();
    let error = ask(&stubborn, &all, None, Value::Object(Map::new())).unwrap_err();
    assert_eq!(
        error,
        GenerateError::Template {
            reason: "no".to_owned()
        }
    );
}

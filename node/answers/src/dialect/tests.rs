//! Dialects: found by what templates say, read however an answer is cut, and written as grammars demand.

mod grammars;

use proptest::prelude::*;
use serde_json::json;

use super::*;

const HERMES: ToolSyntax = ToolSyntax::Tagged {
    open: "<tool_call>",
    close: "</tool_call>",
};

fn tools() -> Tools {
    let tool = |name: &str, parameters: serde_json::Value| json!({"type": "function", "function": {"name": name, "parameters": parameters}});
    let weather = json!({
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"type": "string", "enum": ["c", "f"]}},
        "required": ["city"],
    });
    Tools::read(&json!([
        tool("get_weather", weather),
        tool("now", json!({"type": "object", "properties": {}}))
    ]))
    .unwrap()
}

fn dialect(syntax: ToolSyntax) -> Dialect {
    Dialect {
        tools: Some(syntax),
        thinking: ("<think>", "</think>"),
        thinks: true,
    }
}

/// What an answer holds, joined.
#[derive(Clone, Debug, Default, PartialEq)]
struct Parts {
    text: String,
    reasoning: String,
    calls: Vec<(String, String)>,
}

fn join(parser: &mut Parser, pieces: impl IntoIterator<Item = impl AsRef<str>>) -> Parts {
    let mut parts = Parts::default();
    let mut all = Vec::new();
    for piece in pieces {
        all.extend(parser.push(piece.as_ref()));
    }
    all.extend(parser.finish(false));
    let mut ids = std::collections::BTreeSet::new();
    for piece in all {
        match piece {
            Piece::Text(text) => parts.text.push_str(&text),
            Piece::Reasoning(text) => parts.reasoning.push_str(&text),
            Piece::ToolCall { index, id, name } => {
                assert_eq!(index as usize, parts.calls.len());
                assert!(ids.insert(id));
                parts.calls.push((name, String::new()));
            }
            Piece::Arguments { index, text } => {
                assert_eq!(index as usize + 1, parts.calls.len());
                parts.calls[index as usize].1.push_str(&text);
            }
        }
    }
    parts
}

fn read(syntax: ToolSyntax, answer: &str) -> Parts {
    let letters: Vec<String> = answer.chars().map(String::from).collect();
    let parts = join(&mut Parser::new(dialect(syntax), tools(), false), &letters);
    let whole = join(&mut Parser::new(dialect(syntax), tools(), false), [answer]);
    assert_eq!(parts, whole, "cut into letters: {answer}");
    parts
}

fn paris() -> (String, String) {
    ("get_weather".to_owned(), "{\"city\": \"Paris\"}".to_owned())
}

#[test]
fn templates_tell_their_dialect() {
    let of = |source: &str| Dialect::of(Some(source), true, "llama").tools.unwrap();
    for (source, syntax) in [
        ("{{ '<tool_call>\\n{\"name\": ' }}", HERMES),
        (
            "<tool_call>\n<function=example>\n<parameter=key>",
            ToolSyntax::Xml,
        ),
        ("<function={name}>{json}</function>", ToolSyntax::Json),
        ("Action: tool_name <|START_ACTION|>", ToolSyntax::CommandAction),
        ("{{ '[TOOL_CALLS] [' }}", ToolSyntax::MistralList),
        ("{{ '[TOOL_CALLS]' + name + '[ARGS]' }}", ToolSyntax::MistralArgs),
        ("<｜tool▁calls▁begin｜> ```json", ToolSyntax::DeepSeekFenced),
        (
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>",
            ToolSyntax::DeepSeek,
        ),
        (
            "<|start_header_id|> {\"name\": f, \"parameters\": d}",
            ToolSyntax::Llama,
        ),
        ("<start_of_turn> tools", ToolSyntax::Gemma),
        ("Action: ```json [{\"tool_name\": ", ToolSyntax::CommandR),
        ("{{ tools | tojson }}", ToolSyntax::Json),
        ("<tool_call>{name}<arg_key>{k}</arg_key>", ToolSyntax::Json),
    ] {
        assert_eq!(of(source), syntax, "{source}");
    }
    let thinking = |source: &str| Dialect::of(Some(source), false, "qwen2");
    assert!(thinking("content.split('</think>')").thinks);
    assert_eq!(thinking("[THINK]").thinking, ("[THINK]", "[/THINK]"));
    assert!(!thinking("plain").thinks);
    assert_eq!(Dialect::of(None, false, "llama").tools, None);
}

#[test]
fn a_model_without_tools_says_so_g10_o20() {
    let error = Dialect::of(Some("{{ messages }}"), false, "llama")
        .tool_syntax("smollm2")
        .unwrap_err();
    assert_eq!(error.param, "tools");
    assert!(
        error.message.starts_with("smollm2 does not support tools"),
        "{error}"
    );
}

#[test]
fn hermes_calls_are_read_with_text_around_and_several_of_them() {
    let parts = read(
        HERMES,
        "Let me see. \n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>\n<tool_call>\n\
         {\"name\": \"now\", \"arguments\": {}}\n</tool_call>\nDone <b>.",
    );
    assert_eq!(parts.text, "Let me see.Done <b>.");
    assert_eq!(parts.calls, [paris(), ("now".to_owned(), "{}".to_owned())]);
    // Nothing between the marks has to be exactly as it should.
    for answer in [
        "<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}",
        "<tool_call>\n{\"arguments\": {\"city\": \"Paris\"}, \"name\": \"get_weather\"}\n</tool_call>",
        "<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}</tool_call>",
        "<tool_call>{\"type\": \"function\", \"function\": {\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}}</tool_call>",
        "{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}",
        "```json\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}\n```",
        "<tool_call>{\"name\": \"get_weather\", \"arguments\": \"{\\\"city\\\": \\\"Paris\\\"}\", \"id\": \"x\"}</tool_call>",
        "<tool_call>[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}]</tool_call>",
    ] {
        let parts = read(HERMES, answer);
        let calls: Vec<serde_json::Value> = parts
            .calls
            .iter()
            .map(|(_, text)| serde_json::from_str(text).unwrap())
            .collect();
        assert_eq!(
            (calls, parts.text.as_str()),
            (vec![json!({"city": "Paris"})], ""),
            "{answer}"
        );
    }
}

/// An answer of a family, and the calls in it.
type Case = (ToolSyntax, String, Vec<(String, String)>);

fn llama_and_mistral() -> Vec<Case> {
    let city = "{\"city\": \"Paris\"}";
    let named = |key: &str| format!("{{\"name\": \"get_weather\", \"{key}\": {city}}}");
    let now = ("now".to_owned(), "{}".to_owned());
    vec![
        (ToolSyntax::Llama, named("parameters"), vec![paris()]),
        (
            ToolSyntax::Llama,
            format!("<|python_tag|>{}", named("parameters")),
            vec![paris()],
        ),
        (
            ToolSyntax::Llama,
            format!(
                "{}; {{\"name\": \"now\", \"parameters\": {{}}}}",
                named("parameters")
            ),
            vec![paris(), now.clone()],
        ),
        (
            ToolSyntax::MistralList,
            format!("[TOOL_CALLS] [{}]", named("arguments")),
            vec![paris()],
        ),
        (
            ToolSyntax::MistralList,
            format!(
                "[TOOL_CALLS][{}, {{\"name\": \"now\", \"arguments\": {{}}}}]",
                named("arguments")
            ),
            vec![paris(), now.clone()],
        ),
        (
            ToolSyntax::MistralArgs,
            format!("[TOOL_CALLS]get_weather[ARGS]{city}[TOOL_CALLS]now[ARGS]{{}}"),
            vec![paris(), now.clone()],
        ),
    ]
}

fn newer_families() -> Vec<Case> {
    let city = "{\"city\": \"Paris\"}";
    let named = |key: &str| format!("{{\"name\": \"get_weather\", \"{key}\": {city}}}");
    let now = ("now".to_owned(), "{}".to_owned());
    vec![        (
            ToolSyntax::DeepSeekFenced,
            format!(
                "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{city}\n```<｜tool▁call▁end｜>\n\
                 <｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{{}}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
            ),
            vec![paris(), now.clone()],
        ),
        (
            ToolSyntax::DeepSeek,
            format!(
                "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{city}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
            ),
            vec![paris()],
        ),
        (
            ToolSyntax::CommandR,
            format!("Action: ```json\n[\n {{\"tool_name\": \"get_weather\", \"parameters\": {city}}}\n]\n```"),
            vec![paris()],
        ),
        (
            ToolSyntax::CommandAction,
            format!("<|START_ACTION|>[\n {{\"tool_call_id\": \"0\", \"tool_name\": \"get_weather\", \"parameters\": {city}}}\n]<|END_ACTION|>"),
            vec![paris()],
        ),
        (ToolSyntax::Json, format!("<function=get_weather>{city}</function>"), vec![paris()]),
        (
            ToolSyntax::Gemma,
            "```tool_code\nprint(get_weather(city=\"Paris\"))\n```".to_owned(),
            vec![("get_weather".to_owned(), "{\"city\":\"Paris\"}".to_owned())],
        ),
        (ToolSyntax::Gemma, format!("```json\n{}\n```", named("arguments")), vec![paris()]),
        (
            ToolSyntax::Xml,
            "<tool_call>\n<function=get_weather>\n<parameter=city>\nPa\"ris\n</parameter>\n<parameter=days>\n3\n</parameter>\n\
             </function>\n</tool_call>"
                .to_owned(),
            vec![(
                "get_weather".to_owned(),
                "{\"city\": \"Pa\\\"ris\", \"days\": 3}".to_owned(),
            )],
        ),
        (
            ToolSyntax::Xml,
            "<function=now>\n</function>\n</tool_call>".to_owned(),
            vec![now],
        ),
    ]
}

#[test]
fn other_families_are_read() {
    for (syntax, answer, calls) in [llama_and_mistral(), newer_families()].concat() {
        let parts = read(syntax, &answer);
        assert_eq!(
            (parts.calls, parts.text.as_str()),
            (calls, ""),
            "{syntax:?}: {answer}"
        );
    }
}

#[test]
fn what_is_no_call_comes_out_as_text_and_nothing_is_lost() {
    for (syntax, answer) in [
        (HERMES, "<tool_call>\nI cannot do that</tool_call>"),
        (HERMES, "<tool_call>\n{\"name\": \"get_wea"),
        (HERMES, "a < b, and <tool, and <tool_cal"),
        (HERMES, "{\"name\": \"Bob\", \"age\": 3}"),
        (HERMES, "{\"name\": \"now\"}"),
        (HERMES, "```json\n{\"name\": \"Bob\", \"arguments\": {}}\n```"),
        (HERMES, "<tool_call>{\"arguments\": {\"x\": 1}}</tool_call>"),
        (HERMES, "  [1, 2] "),
        (ToolSyntax::MistralList, "[TOOL_CALLS][]"),
        (ToolSyntax::MistralArgs, "[TOO many"),
        (ToolSyntax::DeepSeek, "<｜tool▁calls▁begin｜>hm"),
        (ToolSyntax::Gemma, "```tool_code\nx = 1\n```"),
        (ToolSyntax::Xml, "<function>x</function>"),
    ] {
        let parts = read(syntax, answer);
        assert_eq!(
            (parts.text.as_str(), parts.calls.len()),
            (answer, 0),
            "{syntax:?}"
        );
    }
    let long = format!("<tool_call>{{\"name\": \"{}", "x".repeat(5000));
    assert_eq!(read(HERMES, &long).text, long);
    let long = format!("<tool_call>{{\"arguments\": \"{}", "x".repeat(70_000));
    assert_eq!(read(HERMES, &long).text, long);
}

#[test]
fn no_part_of_a_mark_is_passed_on_and_arguments_stream() {
    let mut parser = Parser::new(dialect(HERMES), tools(), false);
    assert_eq!(parser.push("Hi <tool"), [Piece::Text("Hi".to_owned())]);
    assert_eq!(parser.push("_call>\n{\"name\": \"get_weather\", \"argu"), []);
    let pieces = parser.push("ments\": {\"city\"");
    assert!(matches!(&pieces[0], Piece::ToolCall { index: 0, name, .. } if name == "get_weather"));
    let part = |text: &str| Piece::Arguments {
        index: 0,
        text: text.to_owned(),
    };
    assert_eq!(pieces[1..], [part("{\"city\"")]);
    assert_eq!(parser.push(": \"Par"), [part(": \"Par")]);
    assert_eq!(parser.push("is\"}}\n</tool_"), [part("is\"}")]);
    assert_eq!(parser.finish(false), []);
    assert!(parser.has_calls());
}

#[test]
fn a_call_that_the_limit_cut_off_is_no_text() {
    let cut = |answer: &str| {
        let mut parser = Parser::new(dialect(HERMES), tools(), false);
        let mut pieces = parser.push(answer);
        pieces.extend(parser.finish(true));
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Reasoning(_) | Piece::ToolCall { .. } | Piece::Arguments { .. } => String::new(),
        };
        pieces.iter().map(text).collect::<String>()
    };
    let call =
        "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>\n";
    for begun in [
        "<tool_c",
        "<tool_call>\n{\"name\": \"get_wea",
        "<tool_call>\n{\"arguments\": {\"city\": \"Par",
    ] {
        assert_eq!(cut(&format!("Well. {begun}")).trim_end(), "Well.", "{begun}");
        assert_eq!(cut(&format!("{call}{begun}")).trim_end(), "", "{begun}");
    }
    assert_eq!(cut("1 <"), "1 <", "a bracket alone is text");
}

#[test]
fn reasoning_is_told_apart_g04() {
    let opened = |answer: &str| {
        join(
            &mut Parser::new(dialect(HERMES), tools(), true),
            answer.split_inclusive(' '),
        )
    };
    let parts = opened("2 + 2 is 4. \n</think>\n\nThe answer is 4.");
    assert_eq!(
        (parts.reasoning.as_str(), parts.text.as_str()),
        ("2 + 2 is 4.", "The answer is 4.")
    );
    // Some models repeat the mark.
    assert_eq!(opened("<think>\nhm</think> a").reasoning, "hm");
    assert_eq!(opened("never ends").reasoning, "never ends");
    let parts = read(
        HERMES,
        "<think>\nhm < 3\n</think>\n\n<tool_call>{\"name\": \"now\", \"arguments\": {}}</tool_call>",
    );
    assert_eq!(
        (parts.reasoning.as_str(), parts.text.as_str(), parts.calls.len()),
        ("hm < 3", "", 1)
    );
    let parts = read(HERMES, "The mark is <think>, is it not?");
    assert_eq!(
        (parts.text.as_str(), parts.reasoning.as_str()),
        ("The mark is <think>, is it not?", "")
    );
    // Without tools nothing but reasoning is looked for.
    let plain = join(
        &mut Parser::new(dialect(HERMES), Tools::default(), false),
        ["<think>a</think>", "<tool_call>{}</tool_call>", "\n "],
    );
    assert_eq!(
        (plain.reasoning.as_str(), plain.text.as_str()),
        ("a", "<tool_call>{}</tool_call>\n ")
    );
}

#[test]
fn ids_of_mistral_have_nine_letters() {
    let mut parser = Parser::new(dialect(ToolSyntax::MistralArgs), tools(), false);
    let pieces = parser.push("[TOOL_CALLS]now[ARGS]{}");
    assert!(matches!(&pieces[0], Piece::ToolCall { id, .. } if id.len() == 9));
}

fn any_syntax() -> impl Strategy<Value = ToolSyntax> {
    proptest::sample::select(vec![
        HERMES,
        ToolSyntax::Xml,
        ToolSyntax::Llama,
        ToolSyntax::MistralList,
        ToolSyntax::MistralArgs,
        ToolSyntax::DeepSeekFenced,
        ToolSyntax::DeepSeek,
        ToolSyntax::CommandR,
        ToolSyntax::CommandAction,
        ToolSyntax::Gemma,
        ToolSyntax::Json,
    ])
}

/// Pieces that answers are made of, in any order.
fn any_answer() -> impl Strategy<Value = String> {
    let parts = [
        "<think>",
        "</think>",
        "<tool_call>",
        "</tool_call>",
        "\n",
        " ",
        "text ü",
        "{",
        "}",
        "[",
        "]",
        ",",
        ";",
        "\"",
        "<function=now>",
        "<parameter=city>",
        "</parameter>",
        "</function>",
        "[TOOL_CALLS]",
        "[ARGS]",
        "now",
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁call▁begin｜>",
        "function",
        "<｜tool▁sep｜>",
        "<｜tool▁call▁end｜>",
        "<｜tool▁calls▁end｜>",
        "```",
        "```json\n",
        "```tool_code\n",
        "now()",
        "Action:",
        "<|START_ACTION|>",
        "<|END_ACTION|>",
        "<|python_tag|>",
        "{\"name\": \"now\", \"arguments\": {}}",
        "{\"name\": \"now\", \"parameters\": ",
        "{\"arguments\": {\"a\": [1]}, \"name\": \"now\"}",
        "\"name\": \"now\"",
        "null",
        "<",
        "<too",
        "[TOO",
    ];
    proptest::collection::vec(proptest::sample::select(parts.to_vec()), 0..14)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn an_answer_without_calls_comes_out_as_it_is(syntax in any_syntax(), answer in any_answer()) {
        let parts = join(&mut Parser::new(dialect(syntax), tools(), false), answer.split_inclusive(' '));
        if parts.calls.is_empty() && !answer.trim_start().starts_with("<think>") {
            prop_assert_eq!((parts.text, parts.reasoning), (answer, String::new()));
        }
    }

    #[test]
    fn any_cut_gives_the_same_parts(
        syntax in any_syntax(), answer in any_answer(), opens in any::<bool>(), cuts in proptest::collection::vec(1_usize..9, 1..40),
    ) {
        let parser = || Parser::new(dialect(syntax), tools(), opens);
        let whole = join(&mut parser(), [&answer]);
        let letters: Vec<char> = answer.chars().collect();
        let (mut pieces, mut rest, mut sizes) = (Vec::new(), letters.as_slice(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
            pieces.push(piece.iter().collect::<String>());
            rest = more;
        }
        prop_assert_eq!(join(&mut parser(), &pieces), whole);
    }
}

//! What grammars let through, asked of the library that enforces them.

use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, TokEnv};
use llguidance::{Matcher, ParserFactory};

use super::*;

/// Number of a control token in the vocabulary of the tests: `<|tool|>`.
const CONTROL: u32 = 256;

fn written(
    syntax: ToolSyntax,
    choice: &Choice,
    parallel: bool,
    opens_thinking: bool,
    thinks: bool,
) -> Option<String> {
    let tools = tools();
    let grammar = Grammar {
        dialect: Dialect {
            thinks,
            ..dialect(syntax)
        },
        tools: &tools,
        choice,
        parallel,
        opens_thinking,
        text: None,
    };
    tool_grammar(&grammar, &|_| None).unwrap()
}

fn matcher(env: &TokEnv, lark: &str) -> Matcher {
    let factory = ParserFactory::new_simple(env).unwrap();
    let matcher = Matcher::new(factory.create_parser(TopLevelGrammar::from_lark(lark.to_owned())));
    assert_eq!(matcher.get_error(), None, "{lark}");
    matcher
}

/// Whether the grammar lets `answer` through as a whole.
fn lets_through(lark: &str, answer: &str) -> bool {
    let env = ApproximateTokEnv::single_byte_env();
    let mut matcher = matcher(&env, lark);
    let tokens: Vec<u32> = answer.bytes().map(u32::from).collect();
    let accepted = matcher.try_consume_tokens(&tokens).unwrap();
    accepted == tokens.len() && matcher.is_accepting().unwrap()
}

const SYNTAXES: [ToolSyntax; 11] = [
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
];

/// Writes an answer at random under a grammar, quotes and brackets as often as they may stand.
fn random_answer(lark: &str, seed: u64) -> String {
    let env = ApproximateTokEnv::single_byte_env();
    let mut matcher = matcher(&env, lark);
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize
    };
    let mut answer = Vec::new();
    while !matcher.is_stopped() {
        assert!(answer.len() < 4000, "{}", String::from_utf8_lossy(&answer));
        let mask = matcher.compute_mask_or_eos().unwrap();
        let allowed: Vec<u32> = mask.iter().collect();
        // Text between marks ends with one, which chance alone would never write.
        if allowed.contains(&u32::from(b'\n')) && next() % 8 == 0 {
            let end: Vec<u32> = b"\n</parameter>\n".iter().map(|byte| u32::from(*byte)).collect();
            let taken = matcher.try_consume_tokens(&end).unwrap();
            answer.extend(end.iter().take(taken).map(|token| *token as u8));
            continue;
        }
        let ends: Vec<u32> = allowed
            .iter()
            .copied()
            .filter(|token| b"\"}\n< ".iter().any(|byte| u32::from(*byte) == *token))
            .collect();
        let pool = if !ends.is_empty() && next() % 3 > 0 {
            &ends
        } else {
            &allowed
        };
        let token = pool[next() % pool.len()];
        if token < 256 {
            answer.push(token as u8);
        }
        matcher.consume_token(token).unwrap();
    }
    String::from_utf8(answer).unwrap()
}

#[test]
fn a_required_call_is_always_one_of_a_tool_with_its_schema() {
    for syntax in SYNTAXES {
        for (seed, choice) in [Choice::Required, Choice::Named("get_weather".to_owned())]
            .iter()
            .enumerate()
        {
            let lark = written(syntax, choice, false, false, false).unwrap();
            for round in 0..6 {
                let answer = random_answer(&lark, 100 * seed as u64 + round + 1);
                let parts = read(syntax, &answer);
                assert_eq!(
                    (parts.text.as_str(), parts.calls.len()),
                    ("", 1),
                    "{syntax:?}: {answer}"
                );
                let (name, arguments) = &parts.calls[0];
                let arguments: serde_json::Value = serde_json::from_str(arguments).unwrap();
                if name == "get_weather" {
                    assert!(arguments["city"].is_string(), "{syntax:?}: {answer}");
                    assert!(
                        matches!(arguments["unit"].as_str(), None | Some("c" | "f")),
                        "{answer}"
                    );
                    assert!(
                        arguments.get("days").is_none_or(serde_json::Value::is_i64),
                        "{answer}"
                    );
                } else {
                    assert_eq!((name.as_str(), arguments), ("now", json!({})));
                    assert_eq!(seed, 0, "another tool than the one that was named: {answer}");
                }
            }
        }
    }
}

#[test]
fn several_calls_may_follow_each_other_where_a_family_can() {
    for (syntax, answer) in [
        (
            HERMES,
            "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>\n<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>",
        ),
        (
            ToolSyntax::MistralList,
            "[TOOL_CALLS][{\"name\": \"now\", \"arguments\": {}}, {\"name\": \"now\", \"arguments\": {}}]",
        ),
        (
            ToolSyntax::MistralArgs,
            "[TOOL_CALLS]now[ARGS]{}[TOOL_CALLS]now[ARGS]{}",
        ),
    ] {
        let lark = |parallel| written(syntax, &Choice::Required, parallel, false, false).unwrap();
        assert!(lets_through(&lark(true), answer), "{answer}");
        assert!(!lets_through(&lark(false), answer), "{answer}");
        assert_eq!(read(syntax, answer).calls.len(), 2);
    }
}

#[test]
fn auto_lets_text_through_and_calls_only_as_they_must_be() {
    let call = "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>";
    let wrong =
        "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"town\": \"Paris\"}}\n</tool_call>";
    for parallel in [true, false] {
        let lark = written(HERMES, &Choice::Auto, parallel, false, false).unwrap();
        assert!(lets_through(&lark, "It rains: a < b.\n"));
        assert!(lets_through(&lark, call));
        assert!(lets_through(&lark, &format!("Let me see.\n{call}")));
        assert!(!lets_through(&lark, wrong));
        assert_eq!(lets_through(&lark, &format!("{call}\n{call}")), parallel);
    }
    assert_eq!(
        written(ToolSyntax::Llama, &Choice::Auto, true, false, false),
        None
    );
}

#[test]
fn reasoning_may_come_first() {
    let call = "<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>";
    let lark = written(HERMES, &Choice::Required, true, true, true).unwrap();
    assert!(lets_through(&lark, &format!("hm\n</think>\n\n{call}")));
    assert!(!lets_through(&lark, call));
    let lark = written(HERMES, &Choice::Required, true, false, true).unwrap();
    assert!(lets_through(&lark, &format!("<think>\nhm\n</think>\n\n{call}")));
    assert!(lets_through(&lark, call));
    assert!(!lets_through(&lark, &format!("hm {call}")));
}

#[test]
fn control_tokens_are_written_by_their_number() {
    let tools = tools();
    let grammar = |choice| Grammar {
        dialect: dialect(ToolSyntax::MistralArgs),
        tools: &tools,
        choice,
        parallel: true,
        opens_thinking: false,
        text: None,
    };
    let control = |text: &str| (text == "[TOOL_CALLS]").then_some(CONTROL);
    let lark = tool_grammar(&grammar(&Choice::Auto), &control).unwrap().unwrap();
    let env = ApproximateTokEnv::single_byte_env();
    let tokens = |text: &str| text.bytes().map(u32::from).collect::<Vec<u32>>();
    let mut answer = tokens("Let me see: ");
    answer.push(CONTROL);
    answer.extend(tokens("now[ARGS]{}"));
    let mut matcher = matcher(&env, &lark);
    assert_eq!(
        matcher.try_consume_tokens(&answer).unwrap(),
        answer.len(),
        "{lark}"
    );
    assert!(matcher.is_accepting().unwrap());
}

#[test]
fn a_mark_that_a_family_may_leave_out_may_be_left_out() {
    let tools = tools();
    let grammar = Grammar {
        dialect: Dialect {
            thinks: false,
            ..dialect(ToolSyntax::Llama)
        },
        tools: &tools,
        choice: &Choice::Required,
        parallel: true,
        opens_thinking: false,
        text: None,
    };
    let control = |text: &str| (text == PYTHON_TAG).then_some(CONTROL);
    let lark = tool_grammar(&grammar, &control).unwrap().unwrap();
    let call: Vec<u32> = b"{\"name\": \"now\", \"parameters\": {}}"
        .iter()
        .map(|byte| u32::from(*byte))
        .collect();
    for answer in [call.clone(), [vec![CONTROL], call].concat()] {
        let env = ApproximateTokEnv::single_byte_env();
        let mut matcher = matcher(&env, &lark);
        assert_eq!(
            matcher.try_consume_tokens(&answer).unwrap(),
            answer.len(),
            "{lark}"
        );
        assert!(matcher.is_accepting().unwrap());
    }
}

#[test]
fn many_and_recursive_schemas_compile() {
    let node =
        json!({"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "n": {"type": "integer"}}});
    let tree = json!({"type": "object", "properties": {"root": {"$ref": "#/$defs/node"}}, "$defs": {"node": node}, "required": ["root"]});
    let mut list = vec![json!({"function": {"name": "tree", "parameters": tree}})];
    list.extend((0..255).map(
        |n| json!({"function": {"name": format!("t{n}"), "parameters": {"not": {}, "type": "object"}}}),
    ));
    let tools = Tools::read(&list.into()).unwrap();
    for syntax in SYNTAXES {
        let grammar = Grammar {
            dialect: dialect(syntax),
            tools: &tools,
            choice: &Choice::Required,
            parallel: true,
            opens_thinking: false,
            text: None,
        };
        let lark = tool_grammar(&grammar, &|_| None).unwrap().unwrap();
        matcher(&ApproximateTokEnv::single_byte_env(), &lark);
        if syntax == HERMES {
            let call = |root: &str| {
                format!(
                    "<tool_call>\n{{\"name\": \"tree\", \"arguments\": {{\"root\": {root}}}}}\n</tool_call>"
                )
            };
            assert!(lets_through(&lark, &call("{\"next\": {\"n\": 1}}")));
            assert!(!lets_through(&lark, &call("{\"next\": 1}")));
        }
    }
}

#[test]
fn what_cannot_be_chosen_is_refused_by_name() {
    let (tools, none) = (tools(), Tools::default());
    let refused = |tools: &Tools, choice: &Choice| {
        let grammar = Grammar {
            dialect: dialect(HERMES),
            tools,
            choice,
            parallel: true,
            opens_thinking: false,
            text: None,
        };
        tool_grammar(&grammar, &|_| None).unwrap_err().to_string()
    };
    assert!(refused(&tools, &Choice::Named("fly".to_owned())).contains("\"fly\""));
    assert!(refused(&none, &Choice::Required).contains("no tools"));
    let odd = json!([{"name": "f", "parameters": {"type": "object", "properties": {"a>b": {}}}}]);
    let odd = Tools::read(&odd).unwrap();
    let grammar = Grammar {
        dialect: dialect(ToolSyntax::Xml),
        tools: &odd,
        choice: &Choice::Required,
        parallel: true,
        opens_thinking: false,
        text: None,
    };
    assert!(
        tool_grammar(&grammar, &|_| None)
            .unwrap_err()
            .to_string()
            .contains("a>b")
    );
}

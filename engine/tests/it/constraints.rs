//! Answers that must have a form, from models that say anything; and forms that cannot be had.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hearth_engine::testing::{Tiny, WriteType};
use hearth_engine::{
    Config, Constraint, Engine, FinishReason, GenerateError, GenerateRequest, ModelHandle, ModelSource,
    Priority, Prompt, Sampling, Stopped,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::{Answer, ask, collect, send, tiny};

/// Compiling gives up after two seconds; the rest is for a machine that does much else.
const BOUNDED: Duration = Duration::from_secs(20);

fn constrained(constraint: Constraint, seed: u64) -> GenerateRequest {
    GenerateRequest {
        max_tokens: Some(1000),
        sampling: Sampling {
            seed: Some(seed),
            ..Sampling::default()
        },
        constraint: Some(constraint),
        ..GenerateRequest::new(Prompt::Text("hello".to_owned()))
    }
}

fn long_tiny() -> (Engine, ModelHandle) {
    let engine = Engine::start(Config::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    let tiny = Tiny {
        context: 2048,
        ..Tiny::new(WriteType::Q4_1)
    };
    std::fs::write(&path, tiny.llama().bytes()).unwrap();
    let model = engine.load(&ModelSource::at("tiny", &path).unwrap()).unwrap();
    (engine, model)
}

fn text() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0_usize..3, 0_usize..8).prop_map(
            |(least, more)| json!({"type": "string", "minLength": least, "maxLength": least + more})
        ),
        Just(json!({"type": "string", "pattern": "^[a-c]{2,4}$"})),
        Just(json!({"type": "string", "pattern": "x+y", "maxLength": 9})),
        Just(json!({"type": "string", "format": "date"})),
        Just(json!({"enum": ["red", "green", "bl\"ue", "é🙂"]})),
        Just(json!({"const": "fixed"})),
    ]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        text(),
        Just(json!({"type": "boolean"})),
        Just(json!({"type": "null"})),
        Just(json!({"enum": [1, "one", null, true, [1, 2], {"a": 1}]})),
        (-1000_i32..1000, 0_i32..500)
            .prop_map(|(low, width)| json!({"type": "integer", "minimum": low, "maximum": low + width})),
        Just(json!({"type": "integer"})),
        (-100_i32..100, 1_i32..50).prop_map(
            |(low, width)| json!({"type": "number", "minimum": low, "exclusiveMaximum": low + width})
        ),
        Just(json!({"type": ["integer", "null"], "minimum": 0, "maximum": 20, "multipleOf": 5})),
    ]
}

/// Properties, which of them are required, and what else an object may have.
fn object(inner: impl Strategy<Value = Value> + Clone) -> impl Strategy<Value = Value> {
    let properties = proptest::collection::btree_map("[a-z]{1,4}", inner.clone(), 0..4);
    (properties, any::<u8>(), proptest::option::weighted(0.2, inner)).prop_map(|(properties, mask, rest)| {
        let names = properties.keys().enumerate();
        let required: Vec<&String> = names
            .filter(|(index, _)| mask >> index & 1 == 1)
            .map(|(_, name)| name)
            .collect();
        let rest = rest.unwrap_or(Value::Bool(false));
        json!({"type": "object", "required": required, "properties": properties, "additionalProperties": rest})
    })
}

fn schema() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 12, 4, |inner| {
        let list = (inner.clone(), 0_usize..3, 0_usize..3).prop_map(|(items, least, more)| {
            json!({"type": "array", "items": items, "minItems": least, "maxItems": least + more})
        });
        let pair = (inner.clone(), inner.clone()).prop_map(|(first, second)| {
            json!({"type": "array", "prefixItems": [first, second], "items": false, "minItems": 2})
        });
        let either = proptest::collection::vec(inner.clone(), 1..4).prop_map(|all| json!({"anyOf": all}));
        prop_oneof![3 => object(inner), 1 => list, 1 => pair, 1 => either]
    })
}

/// Says what is wrong with a finished answer.
fn judge(schema: &Value, answer: &Answer) -> Result<(), String> {
    let instance: Value =
        serde_json::from_str(&answer.text).map_err(|error| format!("{error}: {}", answer.text))?;
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(schema)
        .map_err(|error| error.to_string())?;
    let fault = validator
        .iter_errors(&instance)
        .next()
        .map(|error| error.to_string());
    fault.map_or(Ok(()), |fault| Err(format!("{fault}: {}", answer.text)))
}

#[test]
fn every_finished_answer_is_valid_json_of_its_schema() {
    let (_engine, model) = long_tiny();
    let mut runner = TestRunner::deterministic();
    let (mut finished, mut streams) = (0, Vec::new());
    for seed in 0..240 {
        let schema = schema().new_tree(&mut runner).unwrap().current();
        let mut request = constrained(Constraint::JsonSchema(schema.clone()), seed);
        // A third draws with a temperature of one, a third always takes the best, a third is pushed about.
        match seed % 3 {
            0 => {}
            1 => request.sampling.temperature = 0.0,
            _ => {
                request.sampling.repetition_penalty = 1.3;
                request.sampling.presence_penalty = 0.5;
                request.sampling.top_k = 40;
                request.sampling.min_p = 0.01;
                request.priority = Priority::Paid;
            }
        }
        streams.push((schema, send(&model, request)));
    }
    for (schema, stream) in streams {
        let answer = collect(&stream);
        assert_eq!(answer.error, None, "{schema}");
        if answer.reason == Some(FinishReason::Stop) {
            finished += 1;
            judge(&schema, &answer).unwrap_or_else(|fault| panic!("{fault}\n{schema}"));
        }
    }
    assert!(finished >= 200, "only {finished} of 240 came to an end");
}

#[test]
fn an_object_without_a_schema_is_one() {
    let (_engine, model) = long_tiny();
    let mut finished = 0;
    for seed in 0..20 {
        // The quotation mark and the closing brace are made likely, so that random text comes to an end.
        let mut request = constrained(Constraint::JsonObject, seed);
        request.sampling.logit_bias =
            BTreeMap::from([(3 + u32::from(b'"'), 4.0), (3 + u32::from(b'}'), 4.0)]);
        let answer = ask(&model, request);
        assert_eq!(answer.error, None);
        if answer.reason == Some(FinishReason::Stop) {
            finished += 1;
            assert!(
                serde_json::from_str::<Value>(&answer.text).unwrap().is_object(),
                "{}",
                answer.text
            );
        }
    }
    assert!(finished >= 10, "only {finished} of 20 came to an end");
}

#[test]
fn real_models_of_another_vocabulary_keep_the_form() {
    let engine = Engine::start(Config::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = hearth_engine::testing::tiny_qwen2(folder.path()).unwrap();
    let model = engine.load(&ModelSource::at("q", &path).unwrap()).unwrap();
    // Its tokenizer composes characters, which a grammar must not notice.
    let schema = json!({"enum": ["e\u{301}te\u{301}", "o\u{308}l"]});
    for seed in 0..4 {
        let answer = ask(&model, constrained(Constraint::JsonSchema(schema.clone()), seed));
        assert_eq!((&answer.error, answer.reason), (&None, Some(FinishReason::Stop)));
        judge(&schema, &answer).unwrap();
    }
}

#[test]
fn regular_expressions_and_grammars_are_matched_as_a_whole() {
    let (_engine, model) = tiny();
    for seed in 0..6 {
        let answer = ask(
            &model,
            constrained(Constraint::Regex("(yes|no), [0-9]{2,3}/".to_owned()), seed),
        );
        assert_eq!(answer.reason, Some(FinishReason::Stop), "{:?}", answer.error);
        let digits = answer
            .text
            .strip_prefix("yes, ")
            .or(answer.text.strip_prefix("no, "));
        let digits = digits.and_then(|rest| rest.strip_suffix('/')).unwrap();
        assert!((2..=3).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit()));
        let sum = "start: NUMBER (\"+\" NUMBER)~2\nNUMBER: /[0-9]/\n";
        let answer = ask(&model, constrained(Constraint::Lark(sum.to_owned()), seed));
        assert_eq!(
            (answer.text.len(), answer.reason),
            (5, Some(FinishReason::Stop)),
            "{:?}",
            answer.error
        );
    }
}

#[test]
fn grammars_can_name_special_tokens_and_text_never_makes_one() {
    let (_engine, model) = tiny();
    let with_logprobs = |constraint| GenerateRequest {
        logprobs: Some(0),
        ..constrained(constraint, 1)
    };
    let tokens = |answer: &Answer| answer.tokens.iter().map(|one| one.token).collect::<Vec<u32>>();
    let grammar = "start: \"a\" <|im_start|> \"b\"".to_owned();
    let named = ask(&model, with_logprobs(Constraint::Lark(grammar)));
    assert_eq!((&named.error, named.text.as_str()), (&None, "ab"));
    assert_eq!(tokens(&named), model.tokenize_special("a<|im_start|>b"));
    let spelled = ask(
        &model,
        with_logprobs(Constraint::Regex(r"<\|im_start\|>".to_owned())),
    );
    assert_eq!((&spelled.error, spelled.text.as_str()), (&None, "<|im_start|>"));
    assert!(tokens(&spelled).iter().all(|&token| token >= 3));
}

#[test]
fn the_end_comes_where_the_grammar_accepts_it_and_nowhere_else() {
    let (_engine, model) = tiny();
    // The model would end at once, with either of its end tokens.
    let eager = |constraint: &str| {
        let mut request = constrained(Constraint::Regex(constraint.to_owned()), 1);
        request.sampling.logit_bias = BTreeMap::from([(0, 100.0), (2, 100.0)]);
        request
    };
    let answer = ask(&model, eager("abc(def)*"));
    assert_eq!(
        (answer.text.as_str(), answer.reason),
        ("abc", Some(FinishReason::Stop))
    );
    // The other way round: a model that never ends is ended when nothing can follow.
    let mut reluctant = eager("abc");
    reluctant.sampling.logit_bias = BTreeMap::from([(0, -100.0), (2, -100.0)]);
    reluctant.ignore_end = true;
    let answer = ask(&model, reluctant);
    assert_eq!(
        (answer.text.as_str(), answer.reason),
        ("abc", Some(FinishReason::Stop))
    );
    assert_eq!(answer.usage.completion_tokens, 3);
}

#[test]
fn limits_stops_and_probabilities_work_as_without_a_constraint() {
    let (_engine, model) = tiny();
    let digits = || constrained(Constraint::Regex("[0-9]{40}".to_owned()), 9);
    let whole = ask(&model, digits());
    assert_eq!((whole.text.len(), whole.reason), (40, Some(FinishReason::Stop)));
    assert_eq!(ask(&model, digits()).text, whole.text);
    let cut = ask(
        &model,
        GenerateRequest {
            max_tokens: Some(7),
            ..digits()
        },
    );
    assert_eq!(
        (cut.text.as_str(), cut.reason),
        (&whole.text[..7], Some(FinishReason::Length))
    );
    let stop = whole.text[10..13].to_owned();
    let stopped = ask(
        &model,
        GenerateRequest {
            stop: vec![stop.clone()],
            logprobs: Some(3),
            ..digits()
        },
    );
    assert_eq!(stopped.text, whole.text[..whole.text.find(&stop).unwrap()]);
    assert_eq!(stopped.stop, Some(Stopped::Text(stop)));
    // Probabilities are the model's own: what the grammar forbids may be more probable.
    assert!(
        stopped
            .tokens
            .iter()
            .all(|one| one.top.len() == 3 && one.logprob < 0.0)
    );
    let banned = GenerateRequest {
        sampling: Sampling {
            logit_bias: (0..10)
                .map(|digit| (3 + u32::from(b'0') + digit, f32::NEG_INFINITY))
                .collect(),
            ..Sampling::greedy()
        },
        ..digits()
    };
    let refused = ask(&model, banned).error.unwrap().to_string();
    assert!(refused.contains("logit_bias"), "{refused}");
}

#[test]
fn others_in_a_batch_do_not_notice() {
    let (_engine, model) = tiny();
    let plain = || GenerateRequest {
        max_tokens: Some(40),
        sampling: Sampling::greedy(),
        ignore_end: true,
        ..GenerateRequest::new(Prompt::Text("the us".to_owned()))
    };
    let alone = ask(&model, plain()).text;
    let constrained: Vec<_> = (0..4)
        .map(|seed| {
            send(
                &model,
                constrained(Constraint::Regex("[a-z ]{50}".to_owned()), seed),
            )
        })
        .collect();
    let together = ask(&model, plain()).text;
    let same = together
        .chars()
        .zip(alone.chars())
        .take_while(|(a, b)| a == b)
        .count();
    assert!(same >= 5, "{together:?} is not {alone:?}");
    for stream in &constrained {
        assert_eq!(collect(stream).text.len(), 50);
    }
}

fn refusal(model: &ModelHandle, constraint: Constraint) -> String {
    let began = Instant::now();
    let answer = ask(
        model,
        GenerateRequest {
            max_tokens: Some(300),
            ..constrained(constraint, 1)
        },
    );
    assert!(began.elapsed() < BOUNDED, "{:?}", began.elapsed());
    match answer.error {
        Some(error @ GenerateError::BadConstraint { .. }) => {
            // It came before the answer began.
            assert_eq!((answer.prompt_tokens, answer.text.as_str()), (0, ""));
            error.to_string()
        }
        other => panic!("{other:?}: {:?} {:?}", answer.reason, answer.text),
    }
}

#[test]
fn a_schema_that_cannot_be_kept_is_refused_in_words() {
    let (_engine, model) = tiny();
    let list = json!({"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]});
    for (schema, words) in [
        (json!(5), "must be an object"),
        (json!({"type": "strung"}), "strung"),
        (json!({"type": "object", "properties": 5}), "properties"),
        (
            json!({"type": "object", "properties": {"a": {"not": {}}}}),
            "\"not\" is not supported (#/properties/a/not)",
        ),
        (json!({"type": "array", "uniqueItems": true}), "uniqueItems"),
        (json!({"if": {"type": "string"}}), "\"if\" is not supported"),
        (
            json!({"$ref": "https://example.org/x.json"}),
            "leads out of the schema",
        ),
        (json!({"$ref": "#/$defs/none"}), "leads nowhere"),
        (json!({"$ref": "#"}), "recursive without an end"),
        (list, "recursive without an end"),
        (
            json!({"type": "array", "minItems": 1, "items": {"$ref": "#"}}),
            "recursive without an end",
        ),
        (
            json!({"anyOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}}),
            "recursive without",
        ),
        (json!({"type": "string", "pattern": "("}), "unclosed group"),
        (json!({"type": "integer", "minimum": 5, "maximum": 3}), ""),
        (json!(false), ""),
    ] {
        let refused = refusal(&model, Constraint::JsonSchema(schema.clone()));
        assert!(refused.contains(words), "{schema}: {refused}");
        assert!(!refused.contains('\n') && refused.len() < 400, "{refused}");
    }
}

#[test]
fn a_schema_that_other_programs_write_is_taken() {
    let (_engine, model) = tiny();
    // As pydantic writes alternatives told apart by a field, a recursive model, and remarks that constrain nothing.
    let kinds = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://example.org/pet", "title": "Pet",
        "$defs": {
            "Cat": {"type": "object", "properties": {"kind": {"const": "cat", "type": "string"},
                "secret": {"type": "string", "format": "password", "maxLength": 3}}, "required": ["kind"],
                "additionalProperties": false},
            "Dog": {"type": "object", "properties": {"kind": {"const": "dog", "type": "string"},
                "friend": {"anyOf": [{"$ref": "#/$defs/Pet"}, {"type": "null"}]}}, "required": ["kind"],
                "additionalProperties": false},
            "Pet": {"discriminator": {"propertyName": "kind"}, "oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}]},
        },
        "$ref": "#/$defs/Pet",
    });
    let mut finished = 0;
    for seed in 0..12 {
        let answer = ask(
            &model,
            GenerateRequest {
                max_tokens: Some(400),
                ..constrained(Constraint::JsonSchema(kinds.clone()), seed)
            },
        );
        assert_eq!(answer.error, None);
        if answer.reason == Some(FinishReason::Stop) {
            finished += 1;
            judge(&kinds, &answer).unwrap();
        }
    }
    assert!(finished >= 4, "only {finished} of 12 came to an end");
}

#[test]
fn regular_expressions_and_grammars_that_cannot_be_used_are_refused_in_words() {
    let (_engine, model) = tiny();
    for constraint in [
        Constraint::Regex("(".to_owned()),
        Constraint::Regex("x".repeat(40 << 10)),
        Constraint::Regex("(".repeat(10_000)),
        Constraint::Lark(String::new()),
        Constraint::Lark("start: nothing".to_owned()),
        Constraint::Lark("start: <|no_such_token|>".to_owned()),
        Constraint::Lark(format!("start: {}", "(".repeat(20_000))),
        Constraint::Lark(format!(
            "start: {}\"a\"{}",
            "(".repeat(15_000),
            ")".repeat(15_000)
        )),
    ] {
        let refused = refusal(&model, constraint);
        assert!(refused.len() < 400, "{refused}");
    }
}

#[test]
fn a_grammar_without_an_end_breaks_off_or_is_cut() {
    let (_engine, model) = tiny();
    for grammar in ["start: \"a\" start", "start: /[ab]/ start"] {
        let answer = ask(
            &model,
            GenerateRequest {
                max_tokens: Some(300),
                ..constrained(Constraint::Lark(grammar.to_owned()), 1)
            },
        );
        let bad = matches!(answer.error, Some(GenerateError::BadConstraint { .. }));
        assert!(bad || answer.reason == Some(FinishReason::Length), "{answer:?}");
    }
}

/// Schemas and patterns that grow beyond all bounds when they are written out.
fn exploding() -> Vec<Constraint> {
    let options = |n: usize, name: &str| -> Vec<Value> {
        let one = |i| json!({"type": "object", "properties": {format!("{name}{i}"): {"type": "string"}}});
        (0..n).map(one).collect()
    };
    let mut nested = json!({"type": "string"});
    for _ in 0..1_000 {
        nested = json!({"type": "array", "items": nested});
    }
    let chain: serde_json::Map<String, Value> = (0..6_000)
        .map(|i| (format!("a{i}"), json!({"$ref": format!("#/$defs/a{}", i + 1)})))
        .chain([("a6000".to_owned(), json!({"type": "string"}))])
        .collect();
    let doubling: serde_json::Map<String, Value> = (0..60)
        .map(|i| {
            let next = format!("#/$defs/d{}", i + 1);
            let either = json!({"oneOf": [{"$ref": next}, {"type": "array", "items": {"oneOf": [{"$ref": next}, {"type": "null"}]}}]});
            (format!("d{i}"), either)
        })
        .chain([("d60".to_owned(), json!({"type": "string"}))])
        .collect();
    vec![
        Constraint::JsonSchema(
            json!({"allOf": [{"anyOf": options(300, "a")}, {"anyOf": options(300, "b")}, {"anyOf": options(300, "c")}]}),
        ),
        Constraint::JsonSchema(nested),
        Constraint::JsonSchema(json!({"$ref": "#/$defs/a0", "$defs": chain})),
        Constraint::JsonSchema(json!({"$ref": "#/$defs/d0", "$defs": doubling})),
        Constraint::JsonSchema(json!({"enum": (0..200_000).collect::<Vec<u32>>()})),
        Constraint::JsonSchema(json!({"oneOf": options(1_000, "a")})),
        Constraint::JsonSchema(json!({"type": "object", "patternProperties":
            (0..100).map(|i| (format!("a.*{i}.*b"), json!({}))).collect::<serde_json::Map<_, _>>()})),
        Constraint::Regex("(((a{1,1000}){1,1000}){1,1000}){1,1000}".to_owned()),
        Constraint::Regex(r"(\w{1,500}\W{1,500}){1,500}\p{L}{400}".to_owned()),
        Constraint::Regex(format!(".*{}", "(a|b).{20}".repeat(200))),
        Constraint::Lark((0..2_000).fold("start: a0\n".to_owned(), |text, i| {
            text + &format!("a{i}: a{}\n", i + 1)
        })),
        Constraint::Lark(
            (0..60).fold("start: a0\n".to_owned(), |text, i| {
                text + &format!("a{i}: a{} a{} | \"x\" a{i}\n", i + 1, i + 1)
            }) + "a60: \"y\"\n",
        ),
    ]
}

#[test]
fn constraints_that_explode_end_in_bounded_time_and_harm_nobody() {
    let (_engine, model) = tiny();
    for constraint in exploding() {
        let began = Instant::now();
        let answer = ask(
            &model,
            GenerateRequest {
                max_tokens: Some(40),
                ..constrained(constraint.clone(), 1)
            },
        );
        let shown: String = format!("{constraint:?}").chars().take(80).collect();
        assert!(began.elapsed() < BOUNDED, "{:?}: {shown}", began.elapsed());
        // It may work after all; if not, it says so.
        let bad = matches!(answer.error, Some(GenerateError::BadConstraint { .. }));
        assert!(bad || answer.error.is_none(), "{:?}: {shown}", answer.error);
    }
    let whole = ask(&model, constrained(Constraint::Regex("abc".to_owned()), 1));
    assert_eq!(whole.text, "abc");
}

#[test]
fn any_bytes_as_a_constraint_are_survived() {
    let (_engine, model) = tiny();
    let mut runner = TestRunner::deterministic();
    let schema = "\\{\"(type|anyOf|items|\\$ref|pattern|enum|required)\":(\"[a-z#/(]{0,6}\"|[0-9]|\\[\\]|\\{\\}|null)\\}";
    for seed in 0..150 {
        let text = match seed % 3 {
            0 => schema.new_tree(&mut runner).unwrap().current(),
            1 => "[\\[\\](){}|*+?a\\\\dpLw^$.0-9,-]{0,20}"
                .new_tree(&mut runner)
                .unwrap()
                .current(),
            _ => "start: [a\"/<>|()\\[\\]{}%~0-9 \n:]{0,30}"
                .new_tree(&mut runner)
                .unwrap()
                .current(),
        };
        let constraint = match (seed % 3, serde_json::from_str(&text)) {
            (0, Ok(schema)) => Constraint::JsonSchema(schema),
            (1, _) => Constraint::Regex(text.clone()),
            _ => Constraint::Lark(text.clone()),
        };
        let answer = ask(
            &model,
            GenerateRequest {
                max_tokens: Some(5),
                ..constrained(constraint, seed)
            },
        );
        let fine = matches!(answer.error, None | Some(GenerateError::BadConstraint { .. }));
        assert!(fine, "{text:?}: {:?}", answer.error);
    }
}

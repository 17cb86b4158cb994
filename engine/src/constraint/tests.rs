//! What compiling takes, and what is left of it when nobody waits any more.

use std::time::Instant;

use super::*;
use crate::checkpoint::Gguf;
use crate::testing::{WriteType, llama_gguf};

fn grammars() -> Grammars {
    let gguf = Gguf::parse(&llama_gguf(WriteType::Q8_0).bytes()).unwrap();
    Grammars::new(Arc::new(Tokenizer::from_gguf(&gguf).unwrap()))
}

/// Rules that each only name the next, and the last of them.
fn chain(n_rules: usize, last: &str) -> Constraint {
    let rules = (0..n_rules).map(|n| format!("a{n}: a{}\n", n + 1));
    Constraint::Lark(format!("start: a0\n{}{last}", rules.collect::<String>()))
}

#[test]
fn a_place_is_free_again_whether_compiling_is_waited_for_or_not() {
    let grammars = grammars();
    assert!(grammars.compile(&chain(2000, "a2000: \"x\"\n")).is_ok());
    assert_eq!(grammars.compiling.load(Ordering::Relaxed), 0);
    // Naming what there is not, at the end of a long way, takes longest.
    assert!(grammars.compile(&chain(2000, "")).is_err());
    let began = Instant::now();
    while grammars.compiling.load(Ordering::Relaxed) > 0 && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(grammars.compiling.load(Ordering::Relaxed), 0);
}

#[test]
fn no_more_are_compiled_at_once_than_there_are_places() {
    let grammars = grammars();
    let places: Vec<Place> = (0..MAX_COMPILING)
        .map(|_| Place::take(&grammars.compiling).unwrap())
        .collect();
    let refused = grammars.compile(&Constraint::JsonObject).map(drop);
    assert_eq!(refused, Err(Refusal::Busy(MAX_COMPILING)));
    drop(places);
    assert!(grammars.compile(&Constraint::JsonObject).is_ok());
}

#[test]
fn a_guide_leads_through_a_schema_and_looks_ahead_where_it_may() {
    let grammars = grammars();
    let schema = json!({"type": "object", "properties": {"colour": {"enum": ["red"]}}, "required": ["colour"],
        "additionalProperties": false});
    let mut guide = grammars.compile(&Constraint::JsonSchema(schema)).unwrap();
    let mut text = String::new();
    let (mut drawn, mut given) = (0, 0);
    guide.looks_ahead = true;
    while !guide.is_complete() {
        guide.prepare();
        let token = match guide.forced() {
            Some(token) => {
                given += 1;
                token
            }
            None => {
                drawn += 1;
                let mask = guide.mask().unwrap();
                // Anything but space.
                let letter = |token: &u32| {
                    !grammars
                        .tokenizer
                        .piece(*token)
                        .first()
                        .is_none_or(u8::is_ascii_whitespace)
                };
                mask.iter().find(letter).unwrap()
            }
        };
        text.push_str(std::str::from_utf8(grammars.tokenizer.piece(token)).unwrap());
        guide.take(token).unwrap();
    }
    assert_eq!(text, r#"{"colour":"red"}"#);
    assert!(given > drawn, "{given} were given and {drawn} drawn");
}

#[test]
fn an_ambiguous_grammar_ends_in_words_before_it_takes_long() {
    let grammars = grammars();
    let grammar = "start: s\ns: s s s | s s | \"a\" | \"b\" | \"c\" | \"\"";
    let mut guide = grammars.compile(&Constraint::Lark(grammar.to_owned())).unwrap();
    let letter = grammars.tokenizer.encode_text("a");
    let refused = (0..1000).find_map(|_| {
        guide.prepare();
        let refused = guide.mask().map(drop).err();
        refused.or_else(|| guide.take(letter[0]).err())
    });
    let refused = refused.expect("a thousand tokens");
    assert!(
        refused.contains("too complex") || refused.contains("too costly"),
        "{refused}"
    );
}

#[test]
fn patience_with_one_answer_has_an_end() {
    let grammars = grammars();
    for time in [STEP_PATIENCE, MASK_PATIENCE] {
        let mut guide = grammars.compile(&Constraint::JsonObject).unwrap();
        guide.take(grammars.tokenizer.encode_text("{")[0]).unwrap();
        assert!(guide.mask().is_ok());
        guide.spend(time * 2);
        let refused = guide.mask().map(drop).unwrap_err();
        assert!(refused.contains("too costly"), "{refused}");
    }
}

#[test]
fn faults_of_a_form_are_told_without_words_of_the_library() {
    let grammars = grammars();
    let refusal = |constraint: Constraint| match grammars.compile(&constraint).map(drop) {
        Err(Refusal::Bad(reason)) => reason,
        other => panic!("{other:?}: {constraint:?}"),
    };
    for number in [
        json!(1_234_567_891),
        json!(999_983),
        json!(0.1234567891),
        json!(1e300),
        json!(0),
        json!(-2),
        json!("2"),
    ] {
        let reason = refusal(Constraint::JsonSchema(
            json!({"type": "integer", "multipleOf": number}),
        ));
        assert!(reason.contains("#/multipleOf"), "{number}: {reason}");
    }
    for number in [json!(0.01), json!(5), json!(20_000)] {
        let schema = json!({"type": "number", "multipleOf": number});
        assert!(
            grammars.compile(&Constraint::JsonSchema(schema)).is_ok(),
            "{number}"
        );
    }
    let both = json!({"allOf": [{"multipleOf": 9_973}, {"multipleOf": 9_967}]});
    assert!(refusal(Constraint::JsonSchema(both)).contains("too many states"));
    let many: serde_json::Map<String, serde_json::Value> = (0..20)
        .map(|n| (format!("f{n}"), json!({"multipleOf": 16_384})))
        .collect();
    let many = json!({"type": "object", "properties": many});
    assert!(refusal(Constraint::JsonSchema(many)).contains("too many states"));
    let reason = refusal(Constraint::Lark("start: %json {\"$ref\":\"#\"}".to_owned()));
    assert!(
        !reason.contains("NoExtension") && reason.contains("no answer can fulfil it"),
        "{reason}"
    );
    for (text, word) in [
        ("panic: attempt to multiply with overflow\n<backtrace>", "smaller"),
        ("SomeCode", "cannot be used"),
    ] {
        let reason = plain(&text);
        assert!(reason.contains(word) && !reason.contains("overflow"), "{reason}");
    }
}

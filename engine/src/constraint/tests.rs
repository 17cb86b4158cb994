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

//! Thinking that a budget ends, and constraints that begin behind it.

use std::collections::BTreeMap;

use hearth_engine::{Constraint, FinishReason, GenerateRequest, Prompt, Sampling, Thinking};
use serde_json::json;

use crate::support::{ask, tiny};

const CLOSE: &str = "\n</think>\n\n";

fn think(prompt: &str, max_tokens: Option<u32>) -> GenerateRequest {
    GenerateRequest {
        max_tokens: Some(60),
        sampling: Sampling {
            seed: Some(5),
            ..Sampling::default()
        },
        logprobs: Some(0),
        thinking: Some(Thinking {
            open: "<think>".to_owned(),
            close: CLOSE.to_owned(),
            max_tokens,
        }),
        ignore_end: true,
        ..GenerateRequest::new(Prompt::Text(prompt.to_owned()))
    }
}

/// The id of a byte's token in the tiny vocabulary.
fn byte(byte: u8) -> u32 {
    3 + u32::from(byte)
}

fn an_object() -> Option<Constraint> {
    Some(Constraint::JsonSchema(json!({
        "type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"],
        "additionalProperties": false,
    })))
}

#[test]
fn a_budget_closes_what_the_prompt_opened() {
    let (_engine, model) = tiny();
    for budget in [0, 1, 7] {
        let answer = ask(&model, think("hello<think>\n", Some(budget)));
        assert_eq!(answer.error, None);
        let written: Vec<u8> = answer.tokens.iter().flat_map(|one| one.bytes.clone()).collect();
        let thought: usize = answer.tokens[..budget as usize]
            .iter()
            .map(|one| one.bytes.len())
            .sum();
        assert!(
            written[thought..].starts_with(CLOSE.as_bytes()),
            "{:?}",
            answer.text
        );
        assert_eq!(answer.usage.completion_tokens, 60);
        // The mark's own tokens count up to its last sign.
        let of_mark = model.tokenize("\n</think>", false).unwrap().len() as u32;
        assert_eq!(answer.usage.thinking_tokens, budget + of_mark);
    }
}

#[test]
fn without_a_budget_or_without_thinking_nothing_is_written() {
    let (_engine, model) = tiny();
    let plain = GenerateRequest {
        thinking: None,
        ..think("hello<think>\n", None)
    };
    let (plain, open) = (ask(&model, plain), ask(&model, think("hello<think>\n", None)));
    assert_eq!(plain.text, open.text);
    assert_eq!((plain.usage.thinking_tokens, open.usage.thinking_tokens), (0, 60));
    let never_opened = ask(&model, think("hello", Some(0)));
    assert!(!never_opened.text.contains("</think>"));
    assert_eq!(never_opened.usage.thinking_tokens, 0);
}

#[test]
fn a_constraint_begins_behind_the_thinking_that_the_prompt_opened() {
    let (_engine, model) = tiny();
    let request = GenerateRequest {
        constraint: an_object(),
        ..think("hello<think>\n", Some(9))
    };
    let answer = ask(&model, request);
    assert_eq!(
        (answer.error.clone(), answer.reason),
        (None, Some(FinishReason::Stop))
    );
    let (_, spoken) = answer.text.split_once("</think>").unwrap();
    let spoken: serde_json::Value = serde_json::from_str(spoken).unwrap();
    assert!(spoken["ok"].is_boolean());
}

#[test]
fn a_constraint_begins_behind_the_thinking_that_the_answer_opens_or_at_once() {
    let (_engine, model) = tiny();
    let with_bias = |bias: &[(u8, f32)]| GenerateRequest {
        constraint: an_object(),
        sampling: Sampling {
            seed: Some(3),
            logit_bias: bias.iter().map(|&(sign, bias)| (byte(sign), bias)).collect(),
            ..Sampling::default()
        },
        ..think("hello", Some(12))
    };
    let thinks = ask(&model, with_bias(&[(b'<', 50.0)]));
    assert_eq!(
        (thinks.error.clone(), thinks.reason),
        (None, Some(FinishReason::Stop))
    );
    assert!(thinks.text.starts_with("<think>"), "{}", thinks.text);
    let (_, spoken) = thinks.text.split_once("</think>").unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(spoken).unwrap()["ok"].is_boolean());
    assert!(thinks.usage.thinking_tokens > 12);

    let speaks = ask(&model, with_bias(&[(b'{', 50.0)]));
    assert!(serde_json::from_str::<serde_json::Value>(&speaks.text).unwrap()["ok"].is_boolean());
    assert_eq!(speaks.usage.thinking_tokens, 0);
}

#[test]
fn an_answer_that_needs_a_form_does_not_end_in_its_thinking() {
    let (_engine, model) = tiny();
    // The model wants to end at once: the mark is written instead, and the form follows.
    let request = GenerateRequest {
        constraint: an_object(),
        ignore_end: false,
        sampling: Sampling {
            seed: Some(3),
            logit_bias: BTreeMap::from([(2, 80.0)]),
            ..Sampling::default()
        },
        ..think("hello<think>\n", None)
    };
    let answer = ask(&model, request);
    assert_eq!(answer.error, None);
    let (before, spoken) = answer.text.split_once("</think>").unwrap();
    assert_eq!(before, "\n");
    assert!(serde_json::from_str::<serde_json::Value>(spoken).unwrap()["ok"].is_boolean());
}

//! Prompts that are scored, stop strings and tokens, and text that is split and joined for its own sake.

use hearth_engine::{
    FinishReason, GenerateError, GenerateRequest, MAX_STOP_BYTES, Message, Prompt, Sampling, Stopped,
};

use crate::support::{ask, tiny};

fn score(prompt: Prompt, max_tokens: u32) -> GenerateRequest {
    GenerateRequest {
        max_tokens: Some(max_tokens),
        prompt_logprobs: true,
        logprobs: Some(1),
        sampling: Sampling::greedy(),
        ..GenerateRequest::new(prompt)
    }
}

#[test]
fn a_prompt_is_scored_without_drawing_a_token_c05() {
    let (_engine, model) = tiny();
    let text = "the us hello";
    let answer = ask(&model, score(Prompt::Text(text.to_owned()), 0));
    assert_eq!(answer.error, None);
    assert_eq!(
        (
            answer.reason,
            answer.usage.completion_tokens,
            answer.text.as_str()
        ),
        (Some(FinishReason::Length), 0, "")
    );
    let tokens: Vec<u32> = answer.prompt.iter().map(|token| token.token).collect();
    assert_eq!(tokens, model.tokenize(text, true).unwrap());
    let bytes: Vec<u8> = answer
        .prompt
        .iter()
        .flat_map(|token| token.bytes.clone())
        .collect();
    assert_eq!(bytes, text.as_bytes());
    let (first, rest) = answer.prompt.split_first().unwrap();
    assert_eq!((first.logprob, first.top.len()), (None, 0));
    for token in rest {
        assert!(
            token.logprob.unwrap() <= token.top[0].2 && token.top.len() == 1,
            "{token:?}"
        );
    }
}

#[test]
fn echo_lists_the_prompt_and_the_answer_c04() {
    let (_engine, model) = tiny();
    let scored = ask(&model, score(Prompt::Text("the us hello".to_owned()), 0));
    let answer = ask(&model, score(Prompt::Text("the us hello".to_owned()), 1));
    assert_eq!(answer.prompt, scored.prompt);
    assert_eq!((answer.tokens.len(), answer.usage.completion_tokens), (1, 1));
}

#[test]
fn a_prompt_that_is_only_scored_may_fill_the_window() {
    let (_engine, model) = tiny();
    let full: Vec<u32> = (0..512).map(|n| 3 + n % 200).collect();
    let answer = ask(&model, score(Prompt::Tokens(full.clone()), 0));
    assert_eq!((answer.error, answer.prompt.len()), (None, 512));
    let refused = ask(&model, score(Prompt::Tokens(full), 1)).error;
    assert!(matches!(refused, Some(GenerateError::ContextOverflow { .. })));
    let one = ask(&model, score(Prompt::Tokens(vec![7]), 0));
    assert_eq!((one.error, one.prompt.len()), (None, 1));
}

fn plain(stop: Vec<String>, stop_tokens: Vec<u32>) -> GenerateRequest {
    GenerateRequest {
        max_tokens: Some(60),
        stop,
        stop_tokens,
        logprobs: Some(0),
        sampling: Sampling {
            seed: Some(11),
            ..Sampling::default()
        },
        ignore_end: true,
        ..GenerateRequest::new(Prompt::Text("hello".to_owned()))
    }
}

#[test]
fn a_stop_token_ends_an_answer_and_is_named() {
    let (_engine, model) = tiny();
    let whole = ask(&model, plain(Vec::new(), Vec::new()));
    let token = whole.tokens[30].token;
    let at = whole.tokens.iter().position(|one| one.token == token).unwrap();
    let answer = ask(&model, plain(Vec::new(), vec![999_999, token]));
    assert_eq!(
        (answer.reason, answer.stop),
        (Some(FinishReason::Stop), Some(Stopped::Token(token)))
    );
    let before: Vec<u8> = whole.tokens[..at]
        .iter()
        .flat_map(|one| one.bytes.clone())
        .collect();
    assert_eq!(answer.text, String::from_utf8_lossy(&before));
    assert_eq!(answer.usage.completion_tokens as usize, at + 1);
}

#[test]
fn any_number_of_stop_strings_is_taken_up_to_a_size() {
    let (_engine, model) = tiny();
    let whole = ask(&model, plain(Vec::new(), Vec::new())).text;
    let letters: Vec<char> = whole.chars().collect();
    let stop: String = letters[20..24].iter().collect();
    let mut stops: Vec<String> = (0..8_000).map(|n| format!("~~{n:05}")).collect();
    stops.push(stop.clone());
    let answer = ask(&model, plain(stops.clone(), Vec::new()));
    assert_eq!(answer.text, whole[..whole.find(&stop).unwrap()]);
    assert_eq!(answer.stop, Some(Stopped::Text(stop)));
    stops.push("x".repeat(MAX_STOP_BYTES));
    let refused = ask(&model, plain(stops, Vec::new())).error.unwrap().to_string();
    assert!(refused.contains("stop") && refused.contains("65536"), "{refused}");
}

#[test]
fn a_prompt_is_counted_as_it_is_read() {
    let (_engine, model) = tiny();
    for prompt in [
        Prompt::chat(vec![Message::new("user", "hello <|im_end|>")]),
        Prompt::Text("the us".to_owned()),
        Prompt::Tokens(vec![5, 6]),
    ] {
        let counted = model.tokens_of(prompt.clone()).unwrap();
        let read = ask(&model, score(prompt, 0));
        let read: Vec<u32> = read.prompt.iter().map(|token| token.token).collect();
        assert_eq!(counted, read);
    }
    // More than the window holds can be counted; more than it could hold whatever it says cannot.
    let long = Prompt::Text("z".repeat(600));
    assert_eq!(model.tokens_of(long).unwrap().len(), 600);
    let huge = Prompt::Text("z".repeat(1 << 20));
    assert!(matches!(
        model.tokens_of(huge),
        Err(GenerateError::PromptTooLong { .. })
    ));
    assert!(matches!(
        model.tokenize(&"z".repeat(1 << 20), false),
        Err(GenerateError::PromptTooLong { .. })
    ));
    assert!(matches!(
        model.tokens_of(Prompt::Tokens(vec![288])),
        Err(GenerateError::UnknownToken { token: 288, .. })
    ));
}

#[test]
fn nobody_waits_for_a_count_when_the_engine_has_stopped() {
    let (engine, model) = tiny();
    engine.stop();
    let count = model.tokens_of(Prompt::Text("x".to_owned()));
    assert_eq!(count, Err(GenerateError::Stopped));
}

#[test]
fn tokens_become_text_with_or_without_special_ones() {
    let (_engine, model) = tiny();
    let tokens = model.tokenize_special("<|im_start|>us<|im_end|>");
    assert_eq!(model.detokenize(&tokens, false).unwrap(), "us");
    assert_eq!(
        model.detokenize(&tokens, true).unwrap(),
        "<|im_start|>us<|im_end|>"
    );
    assert!(matches!(
        model.detokenize(&[1, 288], false),
        Err(GenerateError::UnknownToken { token: 288, .. })
    ));
}

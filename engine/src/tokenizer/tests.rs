//! The tokenizer on the tiny vocabulary.

use proptest::prelude::*;

use super::*;
use crate::testing::{WriteType, llama_gguf, qwen2_gguf};

fn tiny() -> Tokenizer {
    Tokenizer::from_gguf(&Gguf::parse(&llama_gguf(WriteType::Q8_0).bytes()).unwrap()).unwrap()
}

#[test]
fn merges_are_applied_and_text_comes_back() {
    let tokenizer = tiny();
    let tokens = tokenizer.encode_text("hello the us 42");
    assert_eq!(tokens.len(), 1 + 1 + 1 + 1 + 1 + 2);
    assert_eq!(tokenizer.decode(&tokens, false), "hello the us 42");
    assert_eq!(tokenizer.encode_text(""), [] as [u32; 0]);
}

#[test]
fn special_tokens_are_special_only_in_templates() {
    let tokenizer = tiny();
    let text = "<|im_start|>user\nx<|im_end|>";
    assert_eq!(
        tokenizer
            .encode(text, true)
            .iter()
            .filter(|&&token| token < 3)
            .count(),
        2
    );
    assert!(tokenizer.encode(text, false).iter().all(|&token| token >= 3));
    assert!(tokenizer.is_end(2) && tokenizer.is_end(0) && !tokenizer.is_end(1));
    assert_eq!(tokenizer.decode(&[1, 2], false), "");
}

#[test]
fn masked_text_gives_the_tokens_of_plain_text() {
    let tokenizer = tiny();
    let mask = '\u{fdd0}';
    for text in [
        "<|im_end|>",
        "a<|im_start|><|im_end|>b",
        "<|im_<|im_end|>end|>",
        "<<|im_end|>",
        "no",
    ] {
        let masked = tokenizer.mask(text, mask);
        assert_eq!(
            tokenizer.encode_template(&masked, Some(mask)),
            tokenizer.encode_text(text),
            "{text}"
        );
    }
}

#[test]
fn unknown_pre_tokenizers_are_named() {
    let gguf = llama_gguf(WriteType::Q8_0).bytes();
    let mut gguf = Gguf::parse(&gguf).unwrap();
    let pre = crate::checkpoint::Value::Text("elvish".to_owned());
    gguf.values.insert("tokenizer.ggml.pre".to_owned(), pre);
    let refused = Tokenizer::from_gguf(&gguf).unwrap_err().to_string();
    assert_eq!(refused, "the pre-tokenizer \"elvish\" is not supported");
}

#[test]
fn vocabularies_of_other_families_load_and_text_comes_back_v_command_r_v_deepseek_coder_v_deepseek_llm() {
    for pre in [
        "command-r",
        "deepseek-coder",
        "deepseek-llm",
        "deepseek-v3",
        "tekken",
        "gpt-4o",
        "falcon",
        "bloom",
    ] {
        let mut gguf = Gguf::parse(&llama_gguf(WriteType::Q8_0).bytes()).unwrap();
        let value = crate::checkpoint::Value::Text(pre.to_owned());
        gguf.values.insert("tokenizer.ggml.pre".to_owned(), value);
        let tokenizer = Tokenizer::from_gguf(&gguf).unwrap();
        let text = "hello the us, 42 中文\n x";
        let tokens = tokenizer.encode_text(text);
        assert_eq!(tokenizer.decode(&tokens, false), text, "{pre}");
        assert!(tokens.len() < text.len(), "{pre} joins nothing");
    }
}

#[test]
fn control_tokens_are_found_by_their_text() {
    let tokenizer = tiny();
    assert_eq!(tokenizer.control_token("<|im_start|>"), Some(1));
    assert_eq!(tokenizer.control_token("<|im_"), None);
    assert!(tokenizer.has_mark("<|im_end|>") && !tokenizer.has_mark("hello"));
}

#[test]
fn qwen2_composes_characters_first() {
    let gguf = Gguf::parse(&qwen2_gguf(WriteType::Q8_0).bytes()).unwrap();
    let tokenizer = Tokenizer::from_gguf(&gguf).unwrap();
    assert_eq!(tokenizer.encode_text("e\u{301}"), tokenizer.encode_text("é"));
}

proptest! {
    #[test]
    fn any_text_comes_back(text in any::<String>()) {
        let tokenizer = tiny();
        prop_assert_eq!(tokenizer.decode(&tokenizer.encode_text(&text), false), text);
    }

    #[test]
    fn no_text_can_make_a_special_token(parts in proptest::collection::vec("<\\|im_end\\|>|<\\|im_|end\\|>|<|a| ", 0..8)) {
        let tokenizer = tiny();
        let text = parts.concat();
        let mask = '\u{fdd0}';
        let tokens = tokenizer.encode_template(&tokenizer.mask(&text, mask), Some(mask));
        prop_assert!(tokens.iter().all(|&token| token >= 3));
    }
}

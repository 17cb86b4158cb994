//! The tokenizer on the tiny vocabulary.

use proptest::prelude::*;

use super::*;
use crate::checkpoint::Value;
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
    let pre = Value::Text("elvish".to_owned());
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
        let value = Value::Text(pre.to_owned());
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

fn with(values: &[(&str, Value)]) -> Result<Tokenizer, TokenizerError> {
    let mut gguf = Gguf::parse(&llama_gguf(WriteType::Q8_0).bytes()).unwrap();
    for (key, value) in values {
        gguf.values.insert(format!("tokenizer.ggml.{key}"), value.clone());
    }
    Tokenizer::from_gguf(&gguf)
}

fn texts(list: &[&str]) -> Value {
    Value::Texts(list.iter().map(|text| (*text).to_owned()).collect())
}

/// A vocabulary of `model` with `tokens`, of which the first is unknown, the next two are BOS and EOS.
fn small(model: &str, tokens: &[&str]) -> Vec<(&'static str, Value)> {
    let mut kinds = vec![1; tokens.len()];
    kinds[..3].copy_from_slice(&[2, 3, 3]);
    vec![
        ("model", Value::Text(model.to_owned())),
        ("tokens", texts(tokens)),
        ("token_type", Value::Integers(kinds)),
        (
            "scores",
            Value::Floats((0..tokens.len()).map(|index| -(index as f32)).collect()),
        ),
        ("merges", texts(&["a a"])),
        ("unknown_token_id", Value::Unsigned(0)),
        ("bos_token_id", Value::Unsigned(1)),
        ("eos_token_id", Value::Unsigned(2)),
        ("seperator_token_id", Value::Unsigned(2)),
    ]
}

const SMALL: [&str; 9] = ["<unk>", "<s>", "</s>", "▁", "▁a", "a", "aa", "1", "<"];

#[test]
fn every_algorithm_puts_its_tokens_around_a_prompt() {
    let prompt = |model: &str| with(&small(model, &SMALL)).unwrap().encode_prompt("a a");
    assert_eq!(prompt("llama"), [1, 4, 4]);
    assert_eq!(prompt("t5"), [5, 4, 2]);
    assert_eq!(prompt("bert"), [1, 4, 4, 2]);
    assert_eq!(prompt("gemma4"), [1, 5, 3, 5]);
    let mut values = small("llama", &SMALL);
    values.push(("add_eos_token", Value::Bool(true)));
    values.push(("add_bos_token", Value::Bool(false)));
    values.push(("add_space_prefix", Value::Bool(false)));
    assert_eq!(with(&values).unwrap().encode_prompt("a a"), [5, 4, 2]);
}

#[test]
fn no_algorithm_makes_control_tokens_of_what_a_person_wrote() {
    // Merges and scores that would join "<s>" from its letters, if it were a token like others.
    let tokens = [
        "<unk>", "<s>", "</s>", "<", "s", ">", "<s", "▁", "▁<s>", "▁<", "/s>", "/",
    ];
    for model in ["llama", "t5", "bert", "gemma4", "gpt2", "whitespace"] {
        let mut values = small(model, &tokens);
        values.push(("pre", Value::Text("bloom".to_owned())));
        values.push(("merges", texts(&["< s", "<s >"])));
        let tokenizer = with(&values).unwrap();
        for text in ["<s>", "</s>", "<unk>", "a<s>s</s>"] {
            let read = tokenizer.encode_text(text);
            assert!(
                !read.contains(&1) && !read.contains(&2),
                "{model} {text} {read:?}"
            );
        }
        assert!(
            tokenizer.encode_template("<s>s</s>", None).contains(&2),
            "{model}"
        );
    }
}

#[test]
fn marks_of_turns_are_read_in_templates_only_whatever_their_kind() {
    let mut values = small(
        "gpt2",
        &["x", "y", "z", "<|user|>", "<|im_end|>", "<tool_call>", "[/INST]"],
    );
    values.push(("token_type", Value::Integers(vec![1, 1, 1, 4, 4, 4, 1])));
    values.push(("merges", texts(&[])));
    values.push(("eos_token_id", Value::Unsigned(6)));
    let tokenizer = with(&values).unwrap();
    let text = "<|user|><|im_end|><tool_call>[/INST]";
    assert_eq!(tokenizer.encode_text(text), [5]);
    assert_eq!(tokenizer.encode_template(text, None), [3, 4, 5, 6]);
    assert_eq!(
        tokenizer.encode_template(&tokenizer.mask(text, '\u{fdd0}'), Some('\u{fdd0}')),
        [5]
    );
    // The first is shown, what ends an answer is not.
    assert_eq!(tokenizer.decode(&[3, 4, 6], false), "<|user|>");
    assert!(tokenizer.is_end(4) && tokenizer.is_end(6));
}

#[test]
fn vocabularies_that_cannot_be_are_refused_by_name() {
    let refused = |model: &str, key: &'static str, value: Value| {
        let mut values = small(model, &SMALL);
        values.push((key, value));
        with(&values).unwrap_err().to_string()
    };
    let twice = texts(&["<unk>", "<s>", "</s>", "a", "a", "", "", "b", "c"]);
    assert!(refused("llama", "tokens", twice).contains("\"a\" as token 3 and as token 4"));
    assert!(refused("llama", "tokens", texts(&[])).contains("no tokens"));
    let scores = |score| Value::Floats(std::iter::repeat_n(score, 9).collect());
    for model in ["llama", "t5"] {
        assert!(refused(model, "scores", scores(f32::NAN)).contains("NaN for token 0"));
        assert!(refused(model, "scores", Value::Floats(vec![0.0])).contains("1 figures for 9 tokens"));
    }
    assert!(refused("gemma4", "merges", texts(&["aaa"])).contains("\"aaa\" without a space"));
    assert!(refused("gemma4", "merges", texts(&["a zz"])).contains("zz"));
    assert!(refused("llama", "token_type", Value::Integers(vec![3])).contains("1 numbers for 9 tokens"));
    assert!(refused("t5", "precompiled_charsmap", Value::Integers(vec![1, 2, 3])).contains("3 bytes"));
    let long = "a".repeat(5000);
    assert!(refused("bert", "tokens", texts(&["<unk>", "<s>", "</s>", &long])).contains("5000 bytes"));
    assert!(refused("rwkv", "pre", Value::Bool(true)).contains("\"rwkv\" is not supported"));
}

#[test]
fn one_token_is_a_vocabulary_and_empty_tokens_say_nothing() {
    for model in ["llama", "gemma4", "gpt2"] {
        for tokens in [&["a"][..], &["", "", "a"]] {
            let values = [
                ("model", Value::Text(model.to_owned())),
                ("tokens", texts(tokens)),
                ("token_type", Value::Integers(vec![])),
                ("merges", texts(&[])),
                ("bos_token_id", Value::Unsigned(0)),
                ("eos_token_id", Value::Unsigned(0)),
            ];
            let tokenizer = with(&values).unwrap();
            let read = tokenizer.encode_text("aba");
            assert_eq!(read, [tokens.len() as u32 - 1; 2], "{model}");
            assert_eq!(tokenizer.decode(&read, true), "aa");
        }
    }
}

/// With an algorithm whose time grows with the square of the text, this would not end today.
#[test]
fn long_runs_of_one_letter_are_read_like_any_text() {
    let mut tokenizers: Vec<(&str, Tokenizer)> = ["llama", "t5", "bert", "gemma4"]
        .iter()
        .map(|model| (*model, with(&small(model, &SMALL)).unwrap()))
        .collect();
    for pre in [
        "qwen2",
        "gpt-4o",
        "jais-2",
        "tiny_aya",
        "superbpe",
        "deepseek-llm",
        "spark2_5",
        "gpt-2",
    ] {
        tokenizers.push((pre, with(&[("pre", Value::Text(pre.to_owned()))]).unwrap()));
    }
    for (name, tokenizer) in tokenizers {
        for (letter, end) in [
            ("a", ""),
            ("a", "<"),
            (" ", "1"),
            ("1", "a"),
            ("\n", "a"),
            ("<", "|"),
            ("\u{301}", ""),
        ] {
            let text = format!("{}{end}", letter.repeat(300_000));
            let tokens = tokenizer.encode_text(&text);
            assert!(tokens.len() <= 2 * text.len() + 1, "{name} {letter:?}");
            if tokenizer.is_byte_level() {
                assert_eq!(
                    tokenizer.decode(&tokens, false).len(),
                    text.len(),
                    "{name} {letter:?}"
                );
            }
        }
    }
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

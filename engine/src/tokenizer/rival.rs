//! Against llama.cpp: its vocabularies and its tokens of random texts, as `tests/interop/tokenizers.sh` makes them.

use std::path::{Path, PathBuf};

use super::*;
use crate::checkpoint::Value;

/// Where we follow the model's own tokenizer and llama.cpp does so only nearly: it leaves out the vowels of Hangul
/// (WordPiece), joins digits to what stands before them and asks for no word's end after them (AFMoE, Tiny Aya), knows
/// only ASCII digits (SuperBPE), takes no wide space for more than a space (DeepSeek), keeps apart what a byte without
/// a token parts (Falcon), and counts no accents among letters (the rest).
const NEARLY: [&str; 18] = [
    "ggml-vocab-bert-bge",
    "ggml-vocab-deepseek-coder",
    "ggml-vocab-deepseek-llm",
    "ggml-vocab-falcon",
    "pre-afmoe",
    "pre-cohere2moe",
    "pre-deepseek-coder",
    "pre-deepseek-llm",
    "pre-gpt-4o",
    "pre-granite-embed-multi-97m",
    "pre-kanana2",
    "pre-kimi-k2",
    "pre-llama4",
    "pre-minimax-m2",
    "pre-superbpe",
    "pre-talkie",
    "pre-tekken",
    "pre-tiny_aya",
];

#[derive(serde::Deserialize)]
struct Answers {
    vocabulary: String,
    /// The pre-tokenizer, where it is not the vocabulary's own.
    pre: Option<String>,
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    text: String,
    /// Of the text alone.
    tokens: Vec<u32>,
    /// With what the model wants around it.
    prompt: Vec<u32>,
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("{name} names no folder")))
}

/// Counts the texts that become other tokens, and shows the first of them.
fn differences(answers: &Answers, vocabularies: &Path) -> usize {
    let bytes = std::fs::read(vocabularies.join(&answers.vocabulary)).unwrap();
    let mut gguf = Gguf::parse_beginning(&bytes, bytes.len() as u64).unwrap();
    if let Some(pre) = &answers.pre {
        gguf.values
            .insert("tokenizer.ggml.pre".to_owned(), Value::Text(pre.clone()));
    }
    let tokenizer = Tokenizer::from_gguf(&gguf).unwrap();
    let mut count = 0;
    for Case { text, tokens, prompt } in &answers.cases {
        let (ours, ours_prompt) = (tokenizer.encode_text(text), tokenizer.encode_prompt(text));
        if ours == *tokens && ours_prompt == *prompt {
            continue;
        }
        count += 1;
        if count <= 3 {
            let spell = |tokens: &[u32]| -> Vec<String> {
                tokens
                    .iter()
                    .map(|&token| tokenizer.decode(&[token], true))
                    .collect()
            };
            eprintln!(
                " {text:?}\n  ours {:?}\n  its  {:?}",
                spell(&ours_prompt),
                spell(prompt)
            );
        }
    }
    count
}

#[test]
fn tokens_are_those_of_llama_cpp() {
    let (vocabularies, answers) = (folder("TOKENIZER_VOCABULARIES"), folder("TOKENIZER_ANSWERS"));
    let mut files: Vec<PathBuf> = std::fs::read_dir(answers)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut differ = Vec::new();
    for file in files {
        let answers: Answers = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let count = differences(&answers, &vocabularies);
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        eprintln!("{name}: {count} of {} texts differ", answers.cases.len());
        let allowed = if NEARLY.contains(&name.as_str()) {
            answers.cases.len() / 10
        } else {
            0
        };
        if count > allowed {
            differ.push(name);
        }
    }
    assert_eq!(differ, [] as [String; 0]);
}

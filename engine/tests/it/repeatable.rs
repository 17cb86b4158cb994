//! The same file, request and seed give the same tokens: whatever runs beside it, whatever was cached, however the
//! prompt was cut, and however many threads there are.

use std::path::Path;

use hearth_engine::testing::{WriteType, family_gguf, llama_gguf};
use hearth_engine::{Config, Engine, GenerateRequest, ModelHandle, ModelSource, Priority, Prompt, Sampling};

use crate::support::{Answer, ask, collect, send};

/// Tokens with their log-probabilities, to the last bit.
fn figures(answer: &Answer) -> Vec<(u32, u32)> {
    assert_eq!(answer.error, None);
    let of = |token: &hearth_engine::TokenLogprob| (token.token, token.logprob.to_bits());
    answer.tokens.iter().map(of).collect()
}

fn request(n_prompt: u32, priority: Priority) -> GenerateRequest {
    GenerateRequest {
        max_tokens: Some(24),
        sampling: Sampling {
            temperature: 0.9,
            seed: Some(7),
            ..Sampling::default()
        },
        logprobs: Some(0),
        ignore_end: true,
        priority,
        ..GenerateRequest::new(Prompt::Tokens((0..n_prompt).map(|i| 3 + i * 37 % 250).collect()))
    }
}

fn loaded(path: &Path, threads: usize, prefill_tokens_per_round: usize) -> (Engine, ModelHandle) {
    let config = Config {
        threads,
        prefill_tokens_per_round,
        ..Config::default()
    };
    let engine = Engine::start(config).unwrap();
    let model = engine.load(&ModelSource::at("tiny", path).unwrap()).unwrap();
    (engine, model)
}

fn is_repeatable(name: &str, path: &Path) {
    let n_prompt = 90;
    let (_engine, model) = loaded(path, 1, 4096);
    let alone = figures(&ask(&model, request(n_prompt, Priority::Paid)));
    assert_eq!(alone.len(), 24);
    for (threads, at_once) in [(1, 1), (2, 7), (3, 64), (2, 128)] {
        let (_engine, model) = loaded(path, threads, at_once);
        let again = figures(&ask(&model, request(n_prompt, Priority::Paid)));
        assert_eq!(
            again, alone,
            "{name}: {threads} threads, {at_once} tokens at once"
        );

        // Among others of all lengths, which begin and end beside it.
        let others: Vec<_> = (0..5)
            .map(|i| send(&model, request(5 + 20 * i, Priority::Paid)))
            .collect();
        let among = figures(&ask(&model, request(n_prompt, Priority::Paid)));
        assert_eq!(among, alone, "{name}: among others, {threads} threads");
        for other in &others {
            assert_eq!(collect(other).error, None);
        }

        // What it has computed is found again, whole and in part.
        let first = ask(&model, request(n_prompt, Priority::Local));
        let cached = ask(&model, request(n_prompt, Priority::Local));
        assert!(cached.usage.cached_prompt_tokens > 0);
        assert_eq!(
            (figures(&first), figures(&cached)),
            (alone.clone(), alone.clone()),
            "{name}: cached"
        );
        ask(&model, request(40, Priority::Local));
        let partly = ask(&model, request(n_prompt, Priority::Local));
        assert_eq!(figures(&partly), alone, "{name}: partly cached");
    }
}

#[test]
fn the_same_request_gives_the_same_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.gguf");
    for dtype in [WriteType::Q4_1, WriteType::Q8_0, WriteType::F16] {
        std::fs::write(&path, llama_gguf(dtype).bytes()).unwrap();
        is_repeatable(&format!("{dtype:?}"), &path);
    }
    for family in ["gemma3", "qwen3moe", "gpt-oss"] {
        std::fs::write(&path, family_gguf(family).bytes()).unwrap();
        is_repeatable(family, &path);
    }
}

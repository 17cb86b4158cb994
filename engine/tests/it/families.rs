//! Tiny models of every family beside what llama.cpp computes with them.
//!
//! `tests/oracle/families.py` made the figures; it says how.

use hearth_engine::testing::{FAMILIES, family_gguf};
use hearth_engine::{Config, Engine, GenerateRequest, ModelSource, Precision, Prompt, Sampling};
use serde_json::Value;

use crate::support::{ask, tokens_of};

/// The log-probabilities that follow from logits.
fn logprobs(logits: &Value) -> Vec<f64> {
    let logits: Vec<f64> = logits
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect();
    let top = logits.iter().copied().fold(f64::MIN, f64::max);
    let total: f64 = logits.iter().map(|x| (x - top).exp()).sum();
    logits.iter().map(|x| x - top - total.ln()).collect()
}

#[test]
fn every_family_computes_what_llama_cpp_does() {
    let golden: Value = serde_json::from_str(include_str!("../golden/families.json")).unwrap();
    let tokens = tokens_of(&golden["tokens"]);
    let kept = tokens_of(&golden["kept"]);
    for family in FAMILIES {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tiny.gguf");
        std::fs::write(&path, family_gguf(family).bytes()).unwrap();
        for (precision, near) in [(Precision::Exact, 2e-3), (Precision::Fast, 2e-2)] {
            let engine = Engine::start(Config {
                precision,
                threads: 2,
                ..Config::default()
            })
            .unwrap();
            let model = engine.load(&ModelSource::at("tiny", &path).unwrap()).unwrap();
            for (index, &last) in kept.iter().enumerate() {
                let theirs = logprobs(&golden["families"][family][index]);
                let request = GenerateRequest {
                    max_tokens: Some(1),
                    sampling: Sampling::greedy(),
                    logprobs: Some(20),
                    ignore_end: true,
                    ..GenerateRequest::new(Prompt::Tokens(tokens[..=last as usize].to_vec()))
                };
                let answer = ask(&model, request);
                assert_eq!(answer.error, None, "{family}");
                let top = &answer.tokens[0].top;
                assert_eq!(top.len(), 20);
                for (token, _, ours) in top {
                    let theirs = theirs[*token as usize];
                    let off = (f64::from(*ours) - theirs).abs();
                    assert!(
                        off < near,
                        "{family} {precision:?} at {last}: {ours}, not {theirs}"
                    );
                }
            }
        }
    }
}

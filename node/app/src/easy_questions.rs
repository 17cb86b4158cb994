//! The first question of a new user gets a sane answer: ten easy ones to the demo model, at the sampling that the
//! catalogue suggests for it, three seeds each.

use std::path::PathBuf;

use hearth_answers::{EngineBackend, Models, Principal, openai::serve};
use hearth_base::{Clock, Tasks};
use hearth_engine::Engine;
use hearth_weights::AddOptions;
use serde::Deserialize;
use serde_json::json;

use crate::library::{WeightLibrary, tests::weights_in};

const DEMO: &str = "smollm2-135m-instruct";
/// 23 of 30 where this was measured; other processors round otherwise.
const RIGHT_AT_LEAST: usize = 20;

#[derive(Deserialize)]
struct Cases {
    seeds: Vec<u64>,
    max_tokens: u32,
    questions: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    ask: String,
    words: Vec<String>,
}

async fn demo(folder: &std::path::Path) -> Models {
    let models = std::env::var_os("TEST_MODELS_DIR").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/hearth/models"),
        PathBuf::from,
    );
    let weights = weights_in(folder).await;
    let file = models.join("SmolLM2-135M-Instruct.Q4_1.gguf");
    weights.add(&file, AddOptions::default()).await.unwrap();
    Models::start(hearth_answers::Args {
        config: hearth_answers::Config::default(),
        engine: Engine::start(hearth_engine::Config::default()).unwrap(),
        library: std::sync::Arc::new(WeightLibrary {
            weights,
            context_tokens: None,
        }),
        clock: Clock::system(),
        tasks: Tasks::root(),
    })
}

async fn answer(models: &Models, question: &str, seed: u64, max_tokens: u32) -> String {
    let body = json!({
        "model": DEMO, "seed": seed, "max_tokens": max_tokens,
        "messages": [{"role": "user", "content": question}],
    });
    let backend = EngineBackend::new(models.clone(), 1);
    let path = "/v1/chat/completions";
    let answer = serve(&backend, "POST", path, body.to_string().into(), &Principal::Owner).await;
    let answer = answer.body.collect().await;
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    answer["choices"][0]["message"]["content"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
        .to_lowercase()
}

#[tokio::test]
async fn the_demo_model_answers_easy_questions_at_its_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let models = demo(folder.path()).await;
    let cases = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/cases/easy-questions.json"
    );
    let cases: Cases = serde_json::from_str(&std::fs::read_to_string(cases).unwrap()).unwrap();
    let asked = cases.questions.iter().flat_map(|question| {
        let ask = |seed: &u64| answer(&models, &question.ask, *seed, cases.max_tokens);
        cases.seeds.iter().map(ask).collect::<Vec<_>>()
    });
    let answers = futures::future::join_all(asked).await;
    let mut right = 0;
    for (index, answer) in answers.iter().enumerate() {
        let question = &cases.questions[index / cases.seeds.len()];
        if question.words.iter().any(|word| answer.contains(word.as_str())) {
            right += 1;
        } else {
            println!("{} {answer:?}", question.ask);
        }
    }
    println!("{right} of {} are right", answers.len());
    assert!(right >= RIGHT_AT_LEAST, "{right} of {} are right", answers.len());
}

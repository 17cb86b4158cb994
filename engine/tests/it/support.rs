//! Helpers: where models lie, and how to wait for an answer.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use hearth_engine::{
    Config, Engine, Event, FinishReason, GenerateError, GenerateRequest, ModelHandle, ModelSource, Precision,
    PromptToken, Stopped, TokenLogprob, Usage,
};

/// The longest any answer here may take, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(300);

/// Finds a real model, or says how to get it.
pub(crate) fn real_model(name: &str) -> PathBuf {
    let folder = std::env::var_os("TEST_MODELS_DIR")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/hearth/models")
        });
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{} is missing: `make test` fetches it, or set TEST_MODELS_DIR to a folder that holds it",
        path.display()
    );
    path
}

pub(crate) const SMOLLM2: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";

/// Reads a file of golden data.
pub(crate) fn vectors(name: &str) -> serde_json::Value {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors")).join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap()
}

pub(crate) fn tokens_of(value: &serde_json::Value) -> Vec<u32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|token| token.as_u64().unwrap() as u32)
        .collect()
}

pub(crate) fn figures_of(value: &serde_json::Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|figure| figure.as_f64().unwrap())
        .collect()
}

pub(crate) fn engine(precision: Precision) -> Engine {
    Engine::start(Config {
        precision,
        ..Config::default()
    })
    .unwrap()
}

/// A tiny llama in an engine; the folder must outlive nothing, the bytes are in memory.
pub(crate) fn tiny() -> (Engine, ModelHandle) {
    tiny_with(Config::default())
}

pub(crate) fn tiny_with(config: Config) -> (Engine, ModelHandle) {
    let engine = Engine::start(config).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = hearth_engine::testing::tiny_llama(folder.path()).unwrap();
    let model = engine.load(&ModelSource::at("tiny", &path).unwrap()).unwrap();
    (engine, model)
}

/// What came of a request.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) pieces: Vec<String>,
    pub(crate) tokens: Vec<TokenLogprob>,
    pub(crate) prompt: Vec<PromptToken>,
    pub(crate) prompt_tokens: u32,
    pub(crate) reason: Option<FinishReason>,
    pub(crate) stop: Option<Stopped>,
    pub(crate) usage: Usage,
    pub(crate) error: Option<GenerateError>,
}

/// Sends a request and hears its events.
pub(crate) fn send(model: &ModelHandle, request: GenerateRequest) -> Receiver<Event> {
    let (sender, events) = channel();
    model.generate(
        request,
        Box::new(move |event| match sender.send(event) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }),
    );
    events
}

/// Waits for the end of an answer.
pub(crate) fn collect(events: &Receiver<Event>) -> Answer {
    let mut answer = Answer::default();
    loop {
        match events.recv_timeout(PATIENCE).expect("the engine went silent") {
            Event::Started { prompt_tokens, .. } => answer.prompt_tokens = prompt_tokens,
            Event::Prompt { tokens } => answer.prompt = tokens,
            Event::Token { text, tokens } => {
                answer.text.push_str(&text);
                answer.pieces.push(text);
                answer.tokens.extend(tokens);
            }
            Event::Finished {
                reason, stop, usage, ..
            } => {
                (answer.reason, answer.stop, answer.usage) = (Some(reason), stop, usage);
                return answer;
            }
            Event::Failed(error) => {
                answer.error = Some(error);
                return answer;
            }
        }
    }
}

pub(crate) fn ask(model: &ModelHandle, request: GenerateRequest) -> Answer {
    collect(&send(model, request))
}

//! What is told of models.

use serde_json::{Map, Value, json};

use crate::{
    backend::Task,
    openai::HttpAnswer,
    shape::{self, time_of},
};

/// A model as Ollama's API tells of it. What is not known is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelCard {
    pub name: String,
    /// When it was added, in seconds since the epoch.
    pub added_at: i64,
    pub size_bytes: u64,
    /// What tells its content from another's.
    pub digest: String,
    pub architecture: Option<String>,
    pub parameters: Option<u64>,
    pub quantisation: Option<String>,
    pub context_tokens: Option<u32>,
    pub licence: Option<String>,
    pub task: Task,
    /// What its template knows, where the model was loaded and so is known.
    pub knows_tools: bool,
    pub thinks: bool,
}

/// When a model leaves the memory by itself, as Ollama writes it of those that stay.
const NEVER: &str = "2318-01-01T00:00:00Z";

impl ModelCard {
    fn details(&self) -> Value {
        let family = self.architecture.clone().unwrap_or_default();
        json!({
            "parent_model": "", "format": "gguf", "families": [family], "family": family,
            "parameter_size": self.parameters.map(size).unwrap_or_default(),
            "quantization_level": self.quantisation.clone().unwrap_or_default(),
        })
    }
}

/// `GET /api/tags`.
#[must_use]
pub fn tags(models: &[ModelCard]) -> HttpAnswer {
    let models: Value = models
        .iter()
        .map(|model| {
            json!({
                "name": model.name, "model": model.name, "modified_at": time_of(model.added_at),
                "size": model.size_bytes, "digest": model.digest, "details": model.details(),
            })
        })
        .collect();
    shape::json(200, &json!({ "models": models }))
}

/// `GET /api/ps`: those in memory.
#[must_use]
pub fn running(models: &[ModelCard]) -> HttpAnswer {
    let models: Value = models
        .iter()
        .map(|model| {
            json!({
                "name": model.name, "model": model.name, "size": model.size_bytes, "digest": model.digest,
                "details": model.details(), "size_vram": 0, "expires_at": NEVER,
                "context_length": model.context_tokens,
            })
        })
        .collect();
    shape::json(200, &json!({ "models": models }))
}

/// `POST /api/show`.
#[must_use]
pub fn show(model: &ModelCard) -> HttpAnswer {
    let mut info = Map::new();
    if let Some(architecture) = &model.architecture {
        info.insert("general.architecture".to_owned(), architecture.as_str().into());
        if let Some(tokens) = model.context_tokens {
            info.insert(format!("{architecture}.context_length"), tokens.into());
        }
    }
    if let Some(parameters) = model.parameters {
        info.insert("general.parameter_count".to_owned(), parameters.into());
    }
    let mut capabilities = vec![match model.task {
        Task::Chat => "completion",
        Task::Embedding => "embedding",
        Task::Rerank => "rerank",
    }];
    capabilities.extend(model.knows_tools.then_some("tools"));
    capabilities.extend(model.thinks.then_some("thinking"));
    let body = json!({
        "modelfile": "", "parameters": "", "template": "", "license": model.licence.clone().unwrap_or_default(),
        "details": model.details(), "model_info": info, "capabilities": capabilities,
        "modified_at": time_of(model.added_at),
    });
    shape::json(200, &body)
}

/// A number of parameters as people say it: `134.5M`, `7.6B`.
fn size(parameters: u64) -> String {
    let (unit, name) = if parameters >= 1_000_000_000 {
        (1_000_000_000, "B")
    } else {
        (1_000_000, "M")
    };
    let tenths = parameters / (unit / 10);
    format!("{}.{}{name}", tenths / 10, tenths % 10)
}

//! Ollama's API (`/api/chat`, `/api/generate`, `/api/embed`, `/api/tags` …) over the same contract, with lines of JSON
//! for a stream.

mod models;
mod read;
mod write;

use std::time::Instant;

use serde_json::{Value, json};

pub use models::{ModelCard, running, show, tags};
pub use read::{Asked, bare, shown_model};

use crate::{
    answer::{Answer, Body, Whole},
    error::Error,
    openai::HttpAnswer,
    shape,
};
use read::Form;
use write::Writer;

/// The version of Ollama whose API this is: clients ask for it before they use what is newer.
const VERSION: &str = "0.12.6";
const LINES: &str = "application/x-ndjson";

/// An answer as HTTP. `begun` is when the request came.
pub async fn written(asked: &Asked, begun: Instant, answer: Answer) -> HttpAnswer {
    match asked.form {
        Form::Embed => return embedded(begun, answer, false),
        Form::OneEmbedding => return embedded(begun, answer, true),
        Form::Chat | Form::Generate => {}
    }
    let (head, chunks) = match shape::parts(answer) {
        Ok(parts) => parts,
        Err(error) => return refused(&error),
    };
    let writer = Writer::new(asked, begun, &head);
    if asked.is_stream() {
        return shape::streamed(LINES, shape::stream(writer, chunks));
    }
    match shape::whole(writer, chunks).await {
        Ok(mut writer) => shape::json(200, &writer.whole()),
        Err(error) => refused(&error),
    }
}

/// The answer to a request that has nothing to answer, by which clients load a model or let it go. `now` is in seconds.
#[must_use]
pub fn loaded(asked: &Asked, now: i64) -> HttpAnswer {
    let reason = if asked.unloads() { "unload" } else { "load" };
    let mut body = json!({
        "model": asked.model(), "created_at": shape::time_of(now), "done": true, "done_reason": reason,
    });
    match asked.form {
        Form::Chat => body["message"] = json!({ "role": "assistant", "content": "" }),
        Form::Generate | Form::Embed | Form::OneEmbedding => body["response"] = "".into(),
    }
    shape::json(200, &body)
}

/// `GET /api/version`.
#[must_use]
pub fn version() -> HttpAnswer {
    shape::json(200, &json!({ "version": VERSION }))
}

/// A refusal in Ollama's shape.
#[must_use]
pub fn refused(error: &Error) -> HttpAnswer {
    shape::refusal(error, &json!({ "error": shape::said(error) }))
}

fn embedded(begun: Instant, answer: Answer, one_alone: bool) -> HttpAnswer {
    let model = answer.head.model;
    let (vectors, prompt_tokens) = match answer.body {
        Body::Whole(Whole::Embeddings(made)) => (json!(made.vectors), made.prompt_tokens.into()),
        Body::Whole(Whole::Foreign(_, json)) => {
            let made: Value = serde_json::from_slice(&json).unwrap_or_default();
            let list = made["data"].as_array().into_iter().flatten();
            let vectors: Value = list.map(|item| item["embedding"].clone()).collect();
            (vectors, made["usage"]["prompt_tokens"].clone())
        }
        Body::Whole(Whole::Generation(_) | Whole::Tokens(_) | Whole::Text(_)) | Body::Stream(_) => {
            return refused(&crate::error::internal());
        }
    };
    if one_alone {
        return shape::json(200, &json!({ "embedding": vectors[0] }));
    }
    let body = json!({
        "model": model, "embeddings": vectors, "total_duration": write::nanoseconds(begun.elapsed()),
        "load_duration": 0, "prompt_eval_count": prompt_tokens,
    });
    shape::json(200, &body)
}

#[cfg(test)]
mod tests;

//! Anthropic's Messages API (`/v1/messages`, `/v1/messages/count_tokens`) over the same contract.

mod read;
mod write;

use serde_json::{Value, json};

pub use read::Messages;

use crate::{
    answer::Answer,
    error::{Code, Error},
    openai::{HttpAnswer, ModelItem},
    shape, sse,
};
use write::Writer;

/// An answer as HTTP.
pub async fn written(messages: &Messages, answer: Answer) -> HttpAnswer {
    let (head, chunks) = match shape::parts(answer) {
        Ok(parts) => parts,
        Err(error) => return refused(&error),
    };
    let writer = Writer::new(&head);
    if messages.is_stream() {
        return shape::streamed(sse::MEDIA_TYPE, shape::stream(writer, chunks));
    }
    match shape::whole(writer, chunks).await {
        Ok(writer) => shape::json(200, &writer.into_message()),
        Err(error) => refused(&error),
    }
}

/// The number of tokens of a request, from the answer to [`Messages::count`].
#[must_use]
pub fn counted(answer: Answer) -> HttpAnswer {
    match shape::token_count(answer) {
        Ok(count) => shape::json(200, &json!({ "input_tokens": count })),
        Err(error) => refused(&error),
    }
}

/// The list of models, all of it in one page.
#[must_use]
pub fn models(list: &[ModelItem]) -> HttpAnswer {
    let data: Vec<Value> = list.iter().map(model).collect();
    let id = |item: Option<&ModelItem>| item.map(|item| item.id.clone());
    shape::json(
        200,
        &json!({
            "data": data, "has_more": false, "first_id": id(list.first()), "last_id": id(list.last()),
        }),
    )
}

/// One model.
#[must_use]
pub fn one_model(item: &ModelItem) -> HttpAnswer {
    shape::json(200, &model(item))
}

fn model(item: &ModelItem) -> Value {
    json!({
        "type": "model", "id": item.id, "display_name": item.id, "created_at": shape::time_of(item.created),
    })
}

/// A refusal in Anthropic's shape.
#[must_use]
pub fn refused(error: &Error) -> HttpAnswer {
    shape::refusal(error, &error_body(error))
}

fn error_body(error: &Error) -> Value {
    let kind = match (error.status, error.code) {
        (_, Code::EngineOverloaded | Code::BackendBusy) => "overloaded_error",
        (401, _) => "authentication_error",
        (402, _) => "billing_error",
        (403, _) => "permission_error",
        (404 | 405, _) => "not_found_error",
        (413, _) => "request_too_large",
        (429, _) => "rate_limit_error",
        (408 | 504, _) => "timeout_error",
        (500.., _) => "api_error",
        (_, _) => "invalid_request_error",
    };
    json!({ "type": "error", "error": { "type": kind, "message": shape::said(error) } })
}

#[cfg(test)]
mod tests;

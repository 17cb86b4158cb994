//! Requests as HTTP in, answers as HTTP out: what `hearth-api` serves and what the miner's engine backend calls.

use crate::json_size::{MAX_VALUES, has_too_many_values};
use serde::de::DeserializeOwned;

use hearth_engine::Priority;

use crate::{
    chat, complete,
    embed::embeddings,
    error::{Error, ErrorType},
    http::{HttpAnswer, HttpRequest, json},
    models::Models,
    types::{ModelItem, ModelList},
};

/// Answers one request by the engine. Never fails: an error is an answer too.
pub async fn serve_http(models: &Models, request: HttpRequest) -> HttpAnswer {
    let is_paid = request.priority == Priority::Paid;
    match route(models, request).await {
        Ok(answer) => answer,
        // Who pays did not choose the model file: its faults are the seller's.
        Err(error) if is_paid => error.towards_a_buyer().into(),
        Err(error) => error.into(),
    }
}

async fn route(models: &Models, request: HttpRequest) -> Result<HttpAnswer, Error> {
    let path = request
        .path
        .split('?')
        .next()
        .unwrap_or_default()
        .trim_end_matches('/');
    let path = path.strip_prefix("/v1").unwrap_or(path);
    let allowed = match path {
        "/models" => "GET",
        "/chat/completions" | "/completions" | "/embeddings" => "POST",
        _ => {
            let message = "there is no such route here: use /v1/chat/completions, /v1/completions, /v1/embeddings or /v1/models";
            return Err(Error::new(404, ErrorType::NotFoundError, "unknown_url", message));
        }
    };
    if !request.method.eq_ignore_ascii_case(allowed) {
        let message = format!("{} is not allowed here: use {allowed}", request.method);
        return Err(Error::new(
            405,
            ErrorType::InvalidRequestError,
            "method_not_allowed",
            message,
        ));
    }
    match path {
        "/models" => list(models).await,
        "/chat/completions" => chat::answer(models, &request, read(&request.body)?).await,
        "/completions" => complete::answer(models, &request, read(&request.body)?).await,
        _ => embeddings(models, &request, read(&request.body)?).await,
    }
}

async fn list(models: &Models) -> Result<HttpAnswer, Error> {
    let items = models
        .list()
        .await
        .into_iter()
        .map(|model| ModelItem::new(model.name, model.added_at, "hearth"));
    json(&ModelList::new(items.collect()))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    if has_too_many_values(body) {
        return Err(Error::bad_request(
            "too_many_values",
            format!("the request has more than {MAX_VALUES} values: send less at once"),
        ));
    }
    serde_json::from_slice(body)
        .map_err(|error| Error::bad_request("invalid_json", format!("the body cannot be read: {error}")))
}

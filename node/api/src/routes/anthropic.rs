//! `/v1/messages`: Anthropic's API.

use axum::{
    extract::{OriginalUri, Request, State},
    http::Method,
    response::Response,
};
use hearth_answers::{
    Error,
    anthropic::{self, Messages},
};

use super::{
    asking::{Asking, shown},
    extract::plain_body,
    openai::response,
};
use crate::{
    answers::{Answered, lively},
    app::App,
    error::ApiError,
};

/// Whether a path is one of this API, whose errors have a shape of their own.
pub(crate) fn is_path(path: &str) -> bool {
    path == "/v1/messages" || path.starts_with("/v1/messages/")
}

pub(crate) fn refused(error: &ApiError) -> Response {
    response(anthropic::refused(&error.openai()))
}

pub(crate) async fn create(State(app): State<App>, asking: Asking, request: Request) -> Response {
    let answered = async {
        let messages = read(&app, request).await?;
        let Answered { answer, headers } = asking.ask(&app, messages.request()).await?;
        let written = anthropic::written(&messages, lively(&app, answer)).await;
        Ok((written, headers))
    };
    shown(answered.await, anthropic::refused)
}

pub(crate) async fn count_tokens(State(app): State<App>, asking: Asking, request: Request) -> Response {
    let counted = async {
        let messages = read(&app, request).await?;
        let Answered { answer, headers } = asking.ask(&app, messages.count()).await?;
        Ok((anthropic::counted(answer), headers))
    };
    shown(counted.await, anthropic::refused)
}

async fn read(app: &App, request: Request) -> Result<Messages, Error> {
    let bytes = plain_body(app, request).await?;
    Messages::read(&bytes)
}

/// What there is not.
pub(crate) async fn unknown(method: Method, OriginalUri(uri): OriginalUri) -> Response {
    let known = matches!(uri.path(), "/v1/messages" | "/v1/messages/count_tokens");
    let error = Error::not_served(method.as_str(), uri.path(), known.then_some("POST"));
    std::future::ready(response(anthropic::refused(&error))).await
}

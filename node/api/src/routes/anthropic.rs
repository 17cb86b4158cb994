//! `/v1/messages`: Anthropic's API.

use axum::{
    Extension,
    extract::{OriginalUri, Request, State},
    http::Method,
    response::Response,
};
use hearth_answers::{
    Error,
    anthropic::{self, Messages},
    openai::HttpAnswer,
};

use super::{extract::plain_body, openai::response};
use crate::{
    answers::{self, lively},
    app::App,
    auth::Caller,
    error::ApiError,
    metering::Asker,
};

/// Whether a path is one of this API, whose errors have a shape of their own.
pub(crate) fn is_path(path: &str) -> bool {
    path == "/v1/messages" || path.starts_with("/v1/messages/")
}

pub(crate) fn refused(error: &ApiError) -> Response {
    response(anthropic::refused(&error.openai()))
}

pub(crate) async fn create(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(asker): Extension<Asker>,
    request: Request,
) -> Response {
    let answered = async {
        let messages = read(&app, request).await?;
        let answer = answers::answer_to(&app, caller, &asker, messages.request()).await?;
        Ok(anthropic::written(&messages, lively(&app, answer)).await)
    };
    shown(answered.await)
}

pub(crate) async fn count_tokens(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Extension(asker): Extension<Asker>,
    request: Request,
) -> Response {
    let counted = async {
        let messages = read(&app, request).await?;
        let answer = answers::answer_to(&app, caller, &asker, messages.count()).await?;
        Ok(anthropic::counted(answer))
    };
    shown(counted.await)
}

async fn read(app: &App, request: Request) -> Result<Messages, Error> {
    let bytes = plain_body(app, request).await?;
    Messages::read(&bytes)
}

fn shown(answered: Result<HttpAnswer, Error>) -> Response {
    response(answered.unwrap_or_else(|error| anthropic::refused(&error)))
}

/// What there is not.
pub(crate) async fn unknown(method: Method, OriginalUri(uri): OriginalUri) -> Response {
    let known = matches!(uri.path(), "/v1/messages" | "/v1/messages/count_tokens");
    let error = Error::not_served(method.as_str(), uri.path(), known.then_some("POST"));
    std::future::ready(response(anthropic::refused(&error))).await
}

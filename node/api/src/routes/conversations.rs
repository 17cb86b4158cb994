//! Conversations and their answers.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use tokio_stream::wrappers::ReceiverStream;

use super::extract::{Input, ListQuery, event_stream};
use crate::{
    answers::ask,
    app::App,
    auth::Caller,
    control::types::{
        Conversation, ConversationList, ConversationPatch, Deleted, Event, NewAnswer, NewConversation,
    },
    error::ApiError,
};

pub(crate) async fn list(
    State(app): State<App>,
    query: ListQuery,
) -> Result<Json<ConversationList>, ApiError> {
    let conversations = app.conversations.list(&query.search, query.window).await?;
    Ok(Json(ConversationList {
        conversations,
        folders: Vec::new(),
    }))
}

pub(crate) async fn create(
    State(app): State<App>,
    Input(new): Input<NewConversation>,
) -> Result<Json<Conversation>, ApiError> {
    let conversation = app.conversations.create(new).await?;
    tell(&app, &conversation.id).await?;
    Ok(Json(conversation))
}

pub(crate) async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Conversation>, ApiError> {
    Ok(Json(app.conversations.get(&id).await?))
}

pub(crate) async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    Input(patch): Input<ConversationPatch>,
) -> Result<Json<Conversation>, ApiError> {
    let conversation = app.conversations.change(&id, patch).await?;
    tell(&app, &id).await?;
    Ok(Json(conversation))
}

pub(crate) async fn delete(State(app): State<App>, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    app.running.stop_all(&id);
    app.conversations.delete(&id).await?;
    app.tell(Event::ConversationDeleted(Deleted { id }));
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn answer(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Input(new): Input<NewAnswer>,
) -> Result<Response, ApiError> {
    let events = ask(&app, caller, &id, new).await?;
    tell(&app, &id).await?;
    Ok(event_stream(ReceiverStream::new(events)))
}

pub(crate) async fn stop(
    State(app): State<App>,
    Path((id, answer_id)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    if !app.running.stop(&id, &answer_id) {
        // It may have ended just now, which is what was wanted; an answer that never was is an error.
        app.conversations.message(&id, &answer_id).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn tell(app: &App, id: &str) -> Result<(), ApiError> {
    app.tell(Event::Conversation(app.conversations.summary(id).await?));
    Ok(())
}

/// A call that is described and not served yet.
pub(crate) async fn not_served() -> ApiError {
    std::future::ready(ApiError::unavailable(
        "unavailable",
        "this call is not served yet",
    ))
    .await
}

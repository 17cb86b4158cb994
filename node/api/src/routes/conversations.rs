//! Conversations and their answers.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{StatusCode, Uri},
    response::Response,
};
use futures::stream;
use hearth_chats::Filter;

use super::extract::{Input, ListQuery, event_stream};
use crate::{
    answers::{ask, context_use},
    app::App,
    auth::Caller,
    chats,
    control::types::{
        AnswerEvent, ContextDraft, ContextUse, Conversation, ConversationList, ConversationPatch, Deleted,
        Event, Message, NewAnswer, NewConversation, RenameFolder,
    },
    error::ApiError,
};

/// The id of a conversation that is still to be made.
const TO_COME: &str = "new";

pub(crate) async fn list(State(app): State<App>, uri: Uri) -> Result<Json<ConversationList>, ApiError> {
    let (mut archived, mut folder) = (None, None);
    let query = ListQuery::read(&uri, |name, value| {
        match (name, value) {
            ("archived", "true") => archived = Some(true),
            ("archived", "false") => archived = Some(false),
            ("archived", other) => {
                return Err(ApiError::bad_request(format!(
                    "archived is \"{other}\": it must be true or false"
                )));
            }
            ("folder", name) => folder = Some(name.to_owned()),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let filter = Filter {
        search: query.search,
        archived,
        folder,
        limit: query.window.limit,
        offset: query.window.offset,
    };
    let conversations = app.conversations.list(&filter).await?;
    let folders = app.conversations.folders().await?;
    Ok(Json(ConversationList {
        conversations: conversations.into_iter().map(|kept| app.summary(kept)).collect(),
        folders: folders.into_iter().map(chats::folder).collect(),
    }))
}

pub(crate) async fn create(
    State(app): State<App>,
    Input(new): Input<NewConversation>,
) -> Result<Json<Conversation>, ApiError> {
    let conversation = app.conversations.create(chats::new_conversation(new)?).await?;
    tell(&app, &conversation.id).await?;
    Ok(Json(app.conversation(conversation)))
}

pub(crate) async fn get(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Conversation>, ApiError> {
    Ok(Json(app.conversation(app.conversations.get(&id).await?)))
}

pub(crate) async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    Input(patch): Input<ConversationPatch>,
) -> Result<Json<Conversation>, ApiError> {
    let conversation = app.conversations.change(&id, chats::patch(patch)?).await?;
    tell(&app, &id).await?;
    Ok(Json(app.conversation(conversation)))
}

pub(crate) async fn delete(State(app): State<App>, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    app.running.stop_all(&id);
    app.conversations.delete(&id).await?;
    app.tell(Event::ConversationDeleted(Deleted { id }));
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn rename_folder(
    State(app): State<App>,
    Input(names): Input<RenameFolder>,
) -> Result<StatusCode, ApiError> {
    for id in app.conversations.rename_folder(&names.from, &names.to).await? {
        tell(&app, &id).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn context(
    State(app): State<App>,
    Path(id): Path<String>,
    Input(draft): Input<ContextDraft>,
) -> Result<Json<ContextUse>, ApiError> {
    let id = Some(id.as_str()).filter(|id| *id != TO_COME);
    Ok(Json(context_use(&app, id, draft).await?))
}

pub(crate) async fn answer(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Input(new): Input<NewAnswer>,
) -> Result<Response, ApiError> {
    let reader = ask(&app, caller, &id, new).await?;
    tell(&app, &id).await?;
    Ok(event_stream(reader.events()))
}

pub(crate) async fn follow(
    State(app): State<App>,
    Path((id, answer_id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    if let Some(reader) = app.running.follow(&id, &answer_id) {
        return Ok(event_stream(reader.events()));
    }
    // What is not written any more is kept whole.
    let answer = app.message(app.conversations.message(&id, &answer_id).await?);
    Ok(event_stream(stream::iter([ended(answer)])))
}

fn ended(answer: Message) -> AnswerEvent {
    match answer.error.clone() {
        Some(error) => AnswerEvent::Failed { answer, error },
        None => AnswerEvent::Finished { answer },
    }
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
    let summary = app.conversations.summary(id).await?;
    app.tell(Event::Conversation(app.summary(summary)));
    Ok(())
}

//! How much of a model's context the next question takes.

use hearth_answers::{
    Backend as _, Principal, Request,
    answer::{Body, Whole},
    request::{ChatRequest, RequestBody, TokenizeRequest},
};
use hearth_chats::{PromptMessage, Role, with_files};

use super::prompt::{conversation, without_reasoning};
use crate::{
    app::App,
    control::types::{AnswerParams, ContextDraft, ContextUse},
    error::ApiError,
    metering::BYTES_PER_TOKEN,
};

/// Tokens around each message, in an estimate: who speaks, and that the message ends.
const TOKENS_PER_MESSAGE: u64 = 4;

/// What the next question of a conversation takes, or the first of a new one. A model in memory counts it by its own
/// template and tokenizer; none is loaded for it, and for others it is estimated.
pub(crate) async fn context_use(
    app: &App,
    conversation_id: Option<&str>,
    draft: ContextDraft,
) -> Result<ContextUse, ApiError> {
    let settings = app.settings.get().await?;
    let (chat, mut turns) = match conversation_id {
        None => (None, Vec::new()),
        Some(id) => {
            let chat = app.conversations.get(id).await?;
            let turns = match &chat.head_id {
                Some(head_id) => app.conversations.path_to(id, head_id).await?,
                None => Vec::new(),
            };
            (Some(chat), turns)
        }
    };
    let (model, system) = chat.map_or((None, None), |chat| (chat.model, chat.system_prompt));
    let named = |text: Option<String>| text.filter(|text| !text.is_empty());
    let model = named(draft.model).or(model).or(settings.default_model);
    let system = draft.system_prompt.or(system);
    let system = named(system).or(settings.system_prompt);
    let files = app.conversations.files(&draft.attachments).await?;
    let question = with_files(&draft.draft.unwrap_or_default(), &files);
    if !question.is_empty() {
        turns.push(PromptMessage {
            role: Role::User,
            content: question,
        });
    }
    let estimated = estimate(system.as_deref(), &turns);
    let chat = conversation(system.as_deref(), &turns, &AnswerParams::default());
    let Some(model) = model else {
        return Ok(estimated);
    };
    let loaded = {
        let snapshot = app.models.snapshot();
        let snapshot = snapshot.borrow();
        let loaded = snapshot.loaded.get(app.router.unaliased(&model));
        loaded.map(|loaded| loaded.info.context_tokens as u64)
    };
    if loaded.is_some()
        && let Some(tokens) = counted(app, &model, &chat).await
    {
        return Ok(ContextUse {
            tokens,
            limit: loaded,
            is_exact: true,
        });
    }
    let limit = match loaded {
        Some(limit) => Some(limit),
        None => known_limit(app, &model).await,
    };
    Ok(ContextUse { limit, ..estimated })
}

/// By a model in memory; `None` where its template does not take the conversation.
async fn counted(app: &App, model: &str, chat: &ChatRequest) -> Option<u64> {
    let body = RequestBody::Tokenize(TokenizeRequest::Chat(Box::new(chat.clone())));
    let request = Request::whole(Some(model.to_owned()), body);
    // Nothing is answered, so nothing is metered.
    let answer = app.router.answer(request, &Principal::Owner).await.ok()?;
    match answer.body {
        Body::Whole(Whole::Tokens(tokens)) => Some(tokens.len() as u64),
        Body::Whole(_) | Body::Stream(_) => None,
    }
}

/// The context of a model that is not in memory, where its files or the network say it.
async fn known_limit(app: &App, model: &str) -> Option<u64> {
    let id = app.router.unaliased(model);
    let models = if app.router.is_network(model) {
        app.parts.relay.models().await
    } else {
        app.parts.model_store.list().await
    };
    let found = models.ok()?.into_iter().find(|model| model.id == id)?;
    found.context_tokens.map(u64::from)
}

fn estimate(system: Option<&str>, turns: &[PromptMessage]) -> ContextUse {
    let told = turns.iter().map(|turn| without_reasoning(&turn.content));
    let tokens = |text: &str| (text.len() / BYTES_PER_TOKEN) as u64 + TOKENS_PER_MESSAGE;
    ContextUse {
        tokens: system.into_iter().chain(told).map(tokens).sum(),
        limit: None,
        is_exact: false,
    }
}

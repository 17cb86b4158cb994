//! Conversations as the API says them, from the values of `hearth_chats`, and back.

use std::fmt::Display;

use hearth_chats as kept;
use hearth_store::stored::{self, Stored};

use crate::{
    app::App,
    control::types::{
        AnswerParams, Attachment, Conversation, ConversationPatch, ConversationSummary, ErrorDetail, Folder,
        Imported, Message, MessageRole, MessageState, NewConversation, NewPreset, Preset, PresetPatch,
        Receipt, SkippedChat, Timestamp,
    },
    error::ApiError,
};

impl Stored for ErrorDetail {
    const WHAT: &'static str = "the error of a message";
    const VERSION: u64 = 1;
}

impl Stored for Receipt {
    const WHAT: &'static str = "the receipt of a message";
    const VERSION: u64 = 1;
}

impl Stored for AnswerParams {
    const WHAT: &'static str = "the settings of answers";
    const VERSION: u64 = 1;
}

impl App {
    /// A conversation as it is in the list.
    pub(crate) fn summary(&self, kept: kept::Summary) -> ConversationSummary {
        ConversationSummary {
            answering: self.running.of(&kept.id),
            id: kept.id,
            title: kept.title,
            model: kept.model,
            pinned: kept.pinned,
            folder: kept.folder,
            archived: kept.archived,
            created_at: Timestamp::from_ms(kept.created_ms),
            updated_at: Timestamp::from_ms(kept.updated_ms),
            messages: kept.messages,
            snippet: kept.snippet,
            hit_id: kept.hit_id,
        }
    }

    pub(crate) fn conversation(&self, kept: kept::Conversation) -> Conversation {
        Conversation {
            answering: self.running.of(&kept.id),
            params: self.params(kept.params, || format!("conversation {}", kept.id)),
            id: kept.id,
            title: kept.title,
            model: kept.model,
            pinned: kept.pinned,
            system_prompt: kept.system_prompt,
            folder: kept.folder,
            archived: kept.archived,
            created_at: Timestamp::from_ms(kept.created_ms),
            updated_at: Timestamp::from_ms(kept.updated_ms),
            head_id: kept.head_id,
            messages: kept
                .messages
                .into_iter()
                .map(|message| self.message(message))
                .collect(),
        }
    }

    /// A message. What cannot be read of it hides neither the message nor the conversation; it is told.
    pub(crate) fn message(&self, kept: kept::Message) -> Message {
        let place = || format!("message {}", kept.id);
        Message {
            role: role(kept.role),
            state: state(kept.state),
            error: self.read(kept.error, place),
            receipt: self.read(kept.receipt, place),
            id: kept.id,
            parent_id: kept.parent_id,
            content: kept.content,
            created_at: Timestamp::from_ms(kept.created_ms),
            model: kept.model,
            thought_ms: kept.thought_ms,
            attachments: kept.attachments.into_iter().map(attachment).collect(),
        }
    }

    pub(crate) fn preset(&self, kept: kept::Preset) -> Preset {
        Preset {
            params: self.params(kept.params, || format!("preset {}", kept.id)),
            id: kept.id,
            name: kept.name,
            system_prompt: kept.system_prompt,
            model: kept.model,
        }
    }

    /// Settings of answers; those that cannot be read are the usual ones, and told.
    pub(crate) fn params<P: Display>(&self, text: Option<String>, place: impl Fn() -> P) -> AnswerParams {
        self.read(text, place).unwrap_or_default()
    }

    fn read<T: Stored, P: Display>(&self, text: Option<String>, place: impl Fn() -> P) -> Option<T> {
        let told = |error| self.problems.report(error);
        stored::read(text?, place()).map_err(told).ok()
    }
}

/// Refuses parameters outside the ranges that OpenAI's API has.
///
/// # Errors
/// A number that is too small or too large, by its name.
pub(crate) fn check_params(params: &AnswerParams) -> Result<(), ApiError> {
    for (name, value, least, most) in [
        ("temperature", params.temperature, 0.0, 2.0),
        ("top_p", params.top_p, 0.0, 1.0),
        ("frequency_penalty", params.frequency_penalty, -2.0, 2.0),
        ("presence_penalty", params.presence_penalty, -2.0, 2.0),
    ] {
        if let Some(value) = value
            && !(least..=most).contains(&value)
        {
            return Err(ApiError::bad_request(format!(
                "{name} is {value}: it must be from {least} to {most}"
            )));
        }
    }
    Ok(())
}

/// A value as it is kept.
pub(crate) fn text_of<T: Stored>(value: Option<&T>) -> Result<Option<String>, ApiError> {
    value
        .map(stored::write)
        .transpose()
        .map_err(|error| ApiError::internal(&error))
}

/// Settings as they are kept: the usual ones are none.
fn params_text(params: Option<AnswerParams>) -> Result<Option<String>, ApiError> {
    params.as_ref().map_or(Ok(()), check_params)?;
    match params {
        Some(params) if params == AnswerParams::default() => Ok(Some(String::new())),
        params => text_of(params.as_ref()),
    }
}

pub(crate) fn new_conversation(new: NewConversation) -> Result<kept::NewConversation, ApiError> {
    Ok(kept::NewConversation {
        title: new.title,
        model: new.model,
        system_prompt: new.system_prompt,
        folder: new.folder,
        params: params_text(new.params)?,
    })
}

pub(crate) fn patch(patch: ConversationPatch) -> Result<kept::Patch, ApiError> {
    Ok(kept::Patch {
        title: patch.title,
        model: patch.model,
        pinned: patch.pinned,
        system_prompt: patch.system_prompt,
        head_id: patch.head_id,
        folder: patch.folder,
        archived: patch.archived,
        params: params_text(patch.params)?,
    })
}

pub(crate) fn new_preset(new: NewPreset) -> Result<kept::NewPreset, ApiError> {
    Ok(kept::NewPreset {
        name: new.name,
        system_prompt: new.system_prompt,
        model: new.model,
        params: params_text(new.params)?,
    })
}

pub(crate) fn preset_patch(patch: PresetPatch) -> Result<kept::PresetPatch, ApiError> {
    Ok(kept::PresetPatch {
        name: patch.name,
        system_prompt: patch.system_prompt,
        model: patch.model,
        params: params_text(patch.params)?,
    })
}

pub(crate) fn attachment(kept: kept::Attachment) -> Attachment {
    Attachment {
        id: kept.id,
        name: kept.name,
        media_type: kept.media_type,
        bytes: kept.bytes,
        characters: kept.characters,
        is_cut: kept.is_cut,
    }
}

pub(crate) fn folder(kept: kept::Folder) -> Folder {
    Folder {
        name: kept.name,
        conversations: kept.conversations,
    }
}

pub(crate) fn imported(kept: kept::Imported) -> Imported {
    let skipped = |chat: kept::Skipped| SkippedChat {
        title: chat.title,
        reason: chat.reason,
    };
    Imported {
        conversations: kept.conversations,
        messages: kept.messages,
        skipped: kept.skipped.into_iter().map(skipped).collect(),
    }
}

const fn role(kept: kept::Role) -> MessageRole {
    match kept {
        kept::Role::User => MessageRole::User,
        kept::Role::Assistant => MessageRole::Assistant,
    }
}

const fn state(kept: kept::State) -> MessageState {
    match kept {
        kept::State::Streaming => MessageState::Streaming,
        kept::State::Done => MessageState::Done,
        kept::State::Stopped => MessageState::Stopped,
        kept::State::Cut => MessageState::Cut,
        kept::State::Failed => MessageState::Failed,
    }
}

pub(crate) const fn kept_state(state: MessageState) -> kept::State {
    match state {
        MessageState::Streaming => kept::State::Streaming,
        MessageState::Done => kept::State::Done,
        MessageState::Stopped => kept::State::Stopped,
        MessageState::Cut => kept::State::Cut,
        MessageState::Failed => kept::State::Failed,
    }
}

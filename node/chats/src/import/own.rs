//! Hearth's own export: everything comes in as it went out, ids included.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Chat, Entry, Item, MAX_TITLE_CHARS, attachment, split::numbered};
use crate::{
    Role, State,
    export::{ChatFile, MessageFile},
    text::MAX_TEXT_BYTES,
};

/// The longest id: those of Hearth have 36 characters.
const MAX_ID_CHARS: usize = 64;

/// The longest name of a model or of a kind of file.
const MAX_NAME_CHARS: usize = 500;

/// Reads a conversation.
pub(super) fn chat(json: &[u8], number: usize) -> Item {
    let file: ChatFile = match serde_json::from_slice(json) {
        Ok(file) => file,
        Err(error) => return Item::skipped(&numbered(number), format!("it cannot be read: {error}")),
    };
    let called = file.title.clone();
    match convert(file) {
        Ok(chat) => Item::Chat(Box::new(chat)),
        Err(reason) => Item::skipped(&called, reason),
    }
}

fn convert(file: ChatFile) -> Result<Chat, String> {
    check_id(&file.id)?;
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut messages = Vec::with_capacity(file.messages.len());
    for message in file.messages {
        check_id(&message.id)?;
        let id = message.id.clone();
        messages.push(entry(message, &places)?);
        if places.insert(id.clone(), messages.len() - 1).is_some() {
            return Err(format!("it has two messages {id}"));
        }
    }
    let head = match &file.head_id {
        None => None,
        Some(id) => Some(
            *places
                .get(id)
                .ok_or_else(|| format!("its shown message {id} is missing"))?,
        ),
    };
    Ok(Chat {
        id: Some(file.id),
        origin: file.origin,
        title: file.title.chars().take(MAX_TITLE_CHARS).collect(),
        model: file.model.map(|model| short(&model)),
        pinned: file.pinned,
        archived: file.archived,
        folder: file.folder,
        system_prompt: file.system_prompt,
        params: as_text(file.params),
        created_ms: file.created_ms,
        updated_ms: file.updated_ms,
        head,
        messages,
    })
}

fn entry(message: MessageFile, places: &BTreeMap<String, usize>) -> Result<Entry, String> {
    let MessageFile { id, role, state, .. } = &message;
    let parent =
        match &message.parent_id {
            None => None,
            Some(parent) => Some(*places.get(parent).ok_or_else(|| {
                format!("its message {id} follows {parent}, which does not stand before it")
            })?),
        };
    let role = Role::of(role).ok_or_else(|| format!("the role \"{role}\" of its message {id} is unknown"))?;
    let state = State::of(state)
        .filter(|state| *state != State::Streaming)
        .ok_or_else(|| format!("the state \"{state}\" of its message {id} is unknown"))?;
    let mut attachments = Vec::with_capacity(message.attachments.len());
    for file in message.attachments {
        if file.text.len() > MAX_TEXT_BYTES {
            return Err(format!("its file {} is too large", file.name));
        }
        attachments.push(attachment(
            &file.name,
            &short(&file.media_type),
            file.bytes,
            file.is_cut,
            file.text,
        ));
    }
    Ok(Entry {
        id: Some(message.id),
        parent,
        role,
        content: message.content,
        state,
        model: message.model.map(|model| short(&model)),
        error: as_text(message.error),
        receipt: as_text(message.receipt),
        thought_ms: message.thought_ms,
        created_ms: message.created_ms,
        attachments,
    })
}

/// A name on one line, and no longer than names are.
fn short(name: &str) -> String {
    let letters = name.chars().filter(|c| !c.is_control());
    letters.take(MAX_NAME_CHARS).collect()
}

fn check_id(id: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if id.is_empty() || id.len() > MAX_ID_CHARS || !id.chars().all(is_plain) {
        return Err(format!(
            "\"{}\" is no id",
            id.chars().take(MAX_ID_CHARS).collect::<String>()
        ));
    }
    Ok(())
}

/// A part of the JSON as the text that the API reads; what is no object is left out.
fn as_text(value: Option<Value>) -> Option<String> {
    value.filter(Value::is_object).map(|value| value.to_string())
}

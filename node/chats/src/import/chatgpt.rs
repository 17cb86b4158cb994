//! ChatGPT's `conversations.json`: a tree of nodes (`mapping`) with messages of people, models, tools and the system.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Chat, Entry, Item, milliseconds, split::numbered, title, tree};
use crate::Role;

#[derive(Deserialize)]
struct Conversation {
    title: Option<String>,
    create_time: Option<f64>,
    update_time: Option<f64>,
    mapping: Map<String, Value>,
    current_node: Option<String>,
    conversation_id: Option<String>,
    id: Option<String>,
    is_archived: Option<bool>,
}

#[derive(Deserialize)]
struct Node {
    message: Option<Message>,
    parent: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    author: Author,
    create_time: Option<f64>,
    content: Content,
    #[serde(default)]
    metadata: Option<Metadata>,
    /// Whom it is for: `all`, or a tool.
    recipient: Option<String>,
}

#[derive(Deserialize)]
struct Author {
    role: String,
}

#[derive(Deserialize)]
struct Content {
    content_type: String,
    parts: Option<Vec<Value>>,
    text: Option<String>,
    language: Option<String>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    model_slug: Option<String>,
    is_visually_hidden_from_conversation: Option<bool>,
    is_user_system_message: Option<bool>,
    user_context_message_data: Option<OwnWords>,
}

/// What the person told ChatGPT for all conversations.
#[derive(Deserialize)]
struct OwnWords {
    about_user_message: Option<String>,
    about_model_message: Option<String>,
}

/// Reads a conversation.
pub(super) fn chat(json: &[u8], number: usize) -> Item {
    let conversation: Conversation = match serde_json::from_slice(json) {
        Ok(conversation) => conversation,
        Err(error) => return Item::skipped(&numbered(number), format!("it cannot be read: {error}")),
    };
    let called = conversation.title.clone().unwrap_or_else(|| numbered(number));
    match convert(conversation) {
        Ok(chat) => Item::Chat(Box::new(chat)),
        Err(reason) => Item::skipped(&called, reason),
    }
}

fn convert(conversation: Conversation) -> Result<Chat, String> {
    let created_ms = milliseconds(conversation.create_time).unwrap_or_default();
    let mut system = Vec::new();
    let mut nodes = Vec::with_capacity(conversation.mapping.len());
    for (id, value) in conversation.mapping {
        let node: Node = serde_json::from_value(value)
            .map_err(|error| format!("its message {id} cannot be read: {error}"))?;
        let entry = node
            .message
            .and_then(|message| taken(message, created_ms, &mut system));
        nodes.push(tree::Node {
            id,
            parent: node.parent,
            entry,
        });
    }
    let (messages, head) = tree::grow(nodes, conversation.current_node.as_deref())?;
    if messages.is_empty() {
        return Err("it has no messages with text".to_owned());
    }
    let last_ms = messages
        .iter()
        .map(|entry| entry.created_ms)
        .max()
        .unwrap_or(created_ms);
    let own_title = title(conversation.title.as_deref(), &messages);
    let id = conversation.conversation_id.or(conversation.id);
    Ok(Chat {
        // A few old exports have no ids; when it began and what it is called is as good.
        origin: Some(format!(
            "chatgpt:{}",
            id.unwrap_or_else(|| format!("{created_ms} {own_title}"))
        )),
        title: own_title,
        archived: conversation.is_archived.unwrap_or(false),
        system_prompt: Some(system.join("\n\n")).filter(|prompt| !prompt.is_empty()),
        created_ms,
        updated_ms: milliseconds(conversation.update_time).unwrap_or(last_ms),
        head,
        messages,
        ..Chat::default()
    })
}

/// A message that is taken in. What the person can see of the system's goes into the system prompt.
fn taken(message: Message, conversation_ms: i64, system: &mut Vec<String>) -> Option<Entry> {
    let metadata = message.metadata.unwrap_or_default();
    if metadata.is_user_system_message == Some(true) {
        let words = metadata.user_context_message_data?;
        let words = [words.about_user_message, words.about_model_message];
        system.extend(words.into_iter().flatten().filter(|text| !text.trim().is_empty()));
        return None;
    }
    if metadata.is_visually_hidden_from_conversation == Some(true) {
        return None;
    }
    let text = text(&message.content).filter(|text| !text.trim().is_empty())?;
    let role = match message.author.role.as_str() {
        "system" => {
            system.push(text);
            return None;
        }
        // What it tells a tool is no answer.
        "assistant" if message.recipient.is_none_or(|recipient| recipient == "all") => Role::Assistant,
        "user" => Role::User,
        _ => return None,
    };
    let created_ms = milliseconds(message.create_time).unwrap_or(conversation_ms);
    Some(Entry {
        model: metadata.model_slug.filter(|_| role == Role::Assistant),
        ..Entry::of(role, text, created_ms)
    })
}

/// The text of a message; `None` for what a person does not see as text.
fn text(content: &Content) -> Option<String> {
    match content.content_type.as_str() {
        "text" | "multimodal_text" => {
            let parts = content.parts.iter().flatten().filter_map(part);
            let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
            Some(parts.join("\n\n"))
        }
        "code" => {
            let language = content
                .language
                .as_deref()
                .filter(|language| *language != "unknown");
            let text = content.text.as_deref()?;
            Some(format!("```{}\n{text}\n```", language.unwrap_or_default()))
        }
        _ => None,
    }
}

fn part(part: &Value) -> Option<String> {
    match part {
        Value::String(text) => Some(text.clone()),
        Value::Object(fields) => match fields.get("content_type")?.as_str()? {
            "audio_transcription" => Some(fields.get("text")?.as_str()?.to_owned()),
            "image_asset_pointer" => Some("[picture]".to_owned()),
            _ => None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

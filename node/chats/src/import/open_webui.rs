//! Open WebUI's export: a chat with its history, a tree of messages; older ones have a list.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Chat, Entry, Item, milliseconds, split::numbered, title, tree};
use crate::Role;

/// A chat with what the database knows of it. Old exports are of the inner part alone.
#[derive(Deserialize)]
struct Export {
    id: Option<String>,
    title: Option<String>,
    chat: Option<Inner>,
    history: Option<History>,
    timestamp: Option<f64>,
    created_at: Option<f64>,
    updated_at: Option<f64>,
    archived: Option<bool>,
    pinned: Option<bool>,
}

#[derive(Deserialize)]
struct Inner {
    id: Option<String>,
    title: Option<String>,
    history: Option<History>,
    /// The shown branch.
    messages: Option<Vec<Value>>,
    params: Option<Params>,
    system: Option<String>,
    timestamp: Option<f64>,
}

#[derive(Deserialize)]
struct Params {
    system: Option<String>,
}

#[derive(Deserialize)]
struct History {
    messages: Map<String, Value>,
    #[serde(rename = "currentId")]
    current_id: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    id: Option<String>,
    #[serde(rename = "parentId")]
    parent_id: Option<String>,
    role: String,
    content: Option<Value>,
    timestamp: Option<f64>,
    model: Option<String>,
}

/// Reads a chat.
pub(super) fn chat(json: &[u8], number: usize) -> Item {
    let export: Export = match serde_json::from_slice(json) {
        Ok(export) => export,
        Err(error) => return Item::skipped(&numbered(number), format!("it cannot be read: {error}")),
    };
    let inner_title = export.chat.as_ref().and_then(|chat| chat.title.clone());
    let called = export.title.clone().or(inner_title);
    match convert(export, called.as_deref()) {
        Ok(chat) => Item::Chat(Box::new(chat)),
        Err(reason) => Item::skipped(&called.unwrap_or_else(|| numbered(number)), reason),
    }
}

fn convert(export: Export, called: Option<&str>) -> Result<Chat, String> {
    let inner = export.chat.unwrap_or(Inner {
        id: None,
        title: None,
        history: export.history,
        messages: None,
        params: None,
        system: None,
        timestamp: export.timestamp,
    });
    let created_ms = milliseconds(export.created_at.or(inner.timestamp)).unwrap_or_default();
    let (nodes, head) = match (inner.history, inner.messages) {
        (Some(history), _) if !history.messages.is_empty() => {
            (tree_of(history.messages, created_ms)?, history.current_id)
        }
        (_, Some(list)) => (list_of(list, created_ms)?, None),
        _ => (Vec::new(), None),
    };
    let said = inner.params.and_then(|params| params.system).or(inner.system);
    let mut system: Vec<String> = said.into_iter().collect();
    for node in &nodes {
        if let Kept::System(text) = &node.kept {
            system.push(text.clone());
        }
    }
    let nodes = nodes.into_iter().map(Read::node).collect();
    let (messages, head) = tree::grow(nodes, head.as_deref())?;
    if messages.is_empty() {
        return Err("it has no messages with text".to_owned());
    }
    let last_ms = messages
        .iter()
        .map(|entry| entry.created_ms)
        .max()
        .unwrap_or(created_ms);
    let own_title = title(called, &messages);
    let id = export
        .id
        .or(inner.id)
        .filter(|id| !id.is_empty() && id != "local");
    Ok(Chat {
        origin: Some(format!(
            "open-webui:{}",
            id.unwrap_or_else(|| format!("{created_ms} {own_title}"))
        )),
        title: own_title,
        pinned: export.pinned.unwrap_or(false),
        archived: export.archived.unwrap_or(false),
        system_prompt: Some(system.join("\n\n")).filter(|prompt| !prompt.trim().is_empty()),
        created_ms,
        updated_ms: milliseconds(export.updated_at).unwrap_or(last_ms),
        head,
        messages,
        ..Chat::default()
    })
}

/// A message with its place in the tree.
struct Read {
    id: String,
    parent: Option<String>,
    kept: Kept,
}

enum Kept {
    Entry(Box<Entry>),
    System(String),
    Nothing,
}

impl Read {
    fn node(self) -> tree::Node {
        tree::Node {
            id: self.id,
            parent: self.parent,
            entry: match self.kept {
                Kept::Entry(entry) => Some(*entry),
                Kept::System(_) | Kept::Nothing => None,
            },
        }
    }
}

fn tree_of(messages: Map<String, Value>, created_ms: i64) -> Result<Vec<Read>, String> {
    let read = |(id, value): (String, Value)| {
        let message = message(value, &id)?;
        Ok(Read {
            parent: message.parent_id.clone(),
            kept: kept(message, created_ms),
            id,
        })
    };
    messages.into_iter().map(read).collect()
}

/// A list, each message below the one before.
fn list_of(messages: Vec<Value>, created_ms: i64) -> Result<Vec<Read>, String> {
    let mut nodes: Vec<Read> = Vec::with_capacity(messages.len());
    for (index, value) in messages.into_iter().enumerate() {
        let message = message(value, &index.to_string())?;
        nodes.push(Read {
            id: message.id.clone().unwrap_or_else(|| index.to_string()),
            parent: nodes.last().map(|last| last.id.clone()),
            kept: kept(message, created_ms),
        });
    }
    Ok(nodes)
}

fn message(value: Value, id: &str) -> Result<Message, String> {
    serde_json::from_value(value).map_err(|error| format!("its message {id} cannot be read: {error}"))
}

fn kept(message: Message, conversation_ms: i64) -> Kept {
    let text = message.content.as_ref().map(text).unwrap_or_default();
    if text.trim().is_empty() {
        return Kept::Nothing;
    }
    let role = match message.role.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => return Kept::System(text),
        _ => return Kept::Nothing,
    };
    let created_ms = milliseconds(message.timestamp).unwrap_or(conversation_ms);
    Kept::Entry(Box::new(Entry {
        model: message.model.filter(|_| role == Role::Assistant),
        ..Entry::of(role, text, created_ms)
    }))
}

/// A text, or the texts of a list of parts.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part.get("text")?.as_str());
            texts.collect::<Vec<&str>>().join("\n\n")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}

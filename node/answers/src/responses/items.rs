//! The items of a conversation as the Responses API writes them, and the messages that they are.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::{
    answer::ToolCall,
    error::Error,
    json::fields::{Fields, wrong},
    request::ChatMessage,
    shape::{Turn, new_id, required, tool_result},
};

/// One item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Message {
        id: String,
        role: String,
        texts: Vec<String>,
    },
    Call {
        id: String,
        call: ToolCall,
    },
    Output {
        id: String,
        call_id: String,
        text: String,
    },
    /// What a model thought on its way: it is not said again.
    Reasoning(Value),
}

impl Item {
    /// All items of a request: a text, or a list.
    pub(super) fn read_all(input: Value) -> Result<Vec<Item>, Error> {
        let list = match input {
            Value::String(text) => return Ok(vec![Item::message("user", text)]),
            Value::Array(list) => list,
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
                return Err(wrong("input", &other, "a text or a list of items"));
            }
        };
        list.into_iter()
            .enumerate()
            .map(|(index, item)| Item::read(item, format!("input[{index}]")))
            .collect()
    }

    fn message(role: &str, text: String) -> Item {
        Item::Message {
            id: new_id("msg"),
            role: role.to_owned(),
            texts: vec![text],
        }
    }

    pub(super) fn read(value: Value, path: String) -> Result<Item, Error> {
        let whole = value.clone();
        let mut fields = Fields::of(value, path)?;
        let at = fields.path("type");
        let kind = fields.text("type")?;
        let id = fields.text("id")?;
        let id = |prefix| id.unwrap_or_else(|| new_id(prefix));
        match kind.as_deref() {
            None | Some("message") => {
                let role = required(&mut fields, "role")?.to_ascii_lowercase();
                if !matches!(role.as_str(), "user" | "assistant" | "system" | "developer") {
                    let at = fields.path("role");
                    let message = format!(
                        "{at} is \"{role}\": say \"user\", \"assistant\", \"system\" or \"developer\""
                    );
                    return Err(Error::bad_field(&at, message));
                }
                Ok(Item::Message {
                    id: id("msg"),
                    role,
                    texts: texts(&mut fields, "content")?,
                })
            }
            Some("function_call") => Ok(Item::Call {
                id: id("fc"),
                call: ToolCall {
                    id: required(&mut fields, "call_id")?,
                    name: required(&mut fields, "name")?,
                    arguments: fields.text("arguments")?.unwrap_or_default(),
                },
            }),
            Some("function_call_output") => Ok(Item::Output {
                id: id("fco"),
                call_id: required(&mut fields, "call_id")?,
                text: texts(&mut fields, "output")?.join("\n"),
            }),
            Some("reasoning") => Ok(Item::Reasoning(whole)),
            Some("item_reference") => Err(Error::bad_field(
                &at,
                format!("{at} is \"item_reference\": send the item itself, or previous_response_id"),
            )),
            Some(other) => Err(Error::bad_field(
                &at,
                format!(
                    "{at} is \"{other}\": items of type \"message\", \"function_call\", \"function_call_output\" and \
                     \"reasoning\" are read here"
                ),
            )),
        }
    }

    /// The item as it is kept and listed.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Item::Message { id, role, texts } => {
                let is_answer = role == "assistant";
                let parts = texts.iter().map(|text| {
                    if is_answer {
                        json!({ "type": "output_text", "text": text, "annotations": [] })
                    } else {
                        json!({ "type": "input_text", "text": text })
                    }
                });
                let content: Value = parts.collect();
                json!({ "id": id, "type": "message", "role": role, "status": "completed", "content": content })
            }
            Item::Call { id, call } => json!({
                "id": id, "type": "function_call", "status": "completed", "call_id": call.id, "name": call.name,
                "arguments": call.arguments,
            }),
            Item::Output { id, call_id, text } => json!({
                "id": id, "type": "function_call_output", "status": "completed", "call_id": call_id, "output": text,
            }),
            Item::Reasoning(value) => value.clone(),
        }
    }
}

/// The messages that items are. Calls that follow a text of the model belong to the same turn.
pub(super) fn messages(items: &[Item]) -> Vec<ChatMessage> {
    let mut messages = Vec::new();
    let mut turn = Turn::default();
    let mut names: HashMap<&str, &str> = HashMap::new();
    for item in items {
        match item {
            Item::Message { role, texts, .. } if role == "assistant" => {
                messages.extend(turn.take());
                turn.text = texts.join("\n");
            }
            Item::Message { role, texts, .. } => {
                messages.extend(turn.take());
                messages.push(ChatMessage::new(role.as_str(), texts.join("\n")));
            }
            Item::Call { call, .. } => {
                names.insert(&call.id, &call.name);
                turn.calls.push(call.clone());
            }
            Item::Output { call_id, text, .. } => {
                messages.extend(turn.take());
                let name = names.get(call_id.as_str()).copied();
                messages.push(tool_result(call_id, name, text.clone()));
            }
            Item::Reasoning(_) => {}
        }
    }
    messages.extend(turn.take());
    messages
}

/// A text, or the texts of a list of parts.
fn texts(fields: &mut Fields, name: &str) -> Result<Vec<String>, Error> {
    let path = fields.path(name);
    let parts = match fields.any(name) {
        None => return Ok(vec![String::new()]),
        Some(Value::String(text)) => return Ok(vec![text]),
        Some(Value::Array(parts)) => parts,
        Some(other) => return Err(wrong(&path, &other, "a text or a list of parts")),
    };
    parts
        .into_iter()
        .enumerate()
        .map(|(index, part)| {
            let path = format!("{path}[{index}]");
            let mut part = Fields::of(part, path.clone())?;
            match part.text("type")?.as_deref() {
                None | Some("input_text" | "output_text" | "text") => required(&mut part, "text"),
                Some("refusal") => required(&mut part, "refusal"),
                Some(other) => Err(Error::bad_field(
                    &path,
                    format!("{path} is of type \"{other}\": models are given text alone here, leave it out"),
                )),
            }
        })
        .collect()
}

//! Keeps what a person wrote apart from what a template wrote: control tokens spelled out in a conversation get a
//! letter put into them before rendering, which the tokenizer takes out again.
//!
//! Everything that a template can print is masked: roles, texts, and all strings and keys in the further fields and
//! the tool descriptions, which come from outside just as the texts do.

use serde_json::{Map, Value};

use crate::request::Message;
use crate::tokenizer::Tokenizer;

/// All that a caller puts into a conversation.
pub(super) struct Conversation {
    pub(super) messages: Vec<Message>,
    pub(super) tools: Option<Value>,
    pub(super) kwargs: Map<String, Value>,
}

/// Gives the conversation with its control tokens masked, and the letter that masks them.
pub(super) fn masked(from: &Conversation, tokenizer: &Tokenizer) -> (Conversation, char) {
    let letter = free_letter(from);
    let text = |text: &str| tokenizer.mask(text, letter);
    let messages = from.messages.iter().map(|message| Message {
        role: text(&message.role),
        content: text(&message.content),
        extra: message
            .extra
            .iter()
            .map(|(key, value)| (text(key), changed(value, &text)))
            .collect(),
    });
    let masked = Conversation {
        messages: messages.collect(),
        tools: from.tools.as_ref().map(|tools| changed(tools, &text)),
        // The names are those of the template; one that is none of them is never printed.
        kwargs: from
            .kwargs
            .iter()
            .map(|(name, value)| (name.clone(), changed(value, &text)))
            .collect(),
    };
    (masked, letter)
}

/// Counts the bytes of all strings a template could print.
pub(super) fn bytes(from: &Conversation) -> usize {
    let mut bytes = 0;
    each(from, &mut |text: &str| bytes += text.len());
    bytes
}

/// Finds a letter that nothing in the conversation holds. There are 32 that Unicode reserves for such uses; a
/// conversation that holds them all loses one.
fn free_letter(from: &Conversation) -> char {
    let mut taken = std::collections::BTreeSet::new();
    each(from, &mut |text: &str| {
        taken.extend(text.chars().filter(|letter| LETTERS.contains(letter)));
    });
    LETTERS
        .into_iter()
        .find(|letter| !taken.contains(letter))
        .unwrap_or(*LETTERS.start())
}

const LETTERS: std::ops::RangeInclusive<char> = '\u{fdd0}'..='\u{fdef}';

fn each(from: &Conversation, see: &mut impl FnMut(&str)) {
    for message in &from.messages {
        see(&message.role);
        see(&message.content);
        for (key, value) in &message.extra {
            see(key);
            each_in(value, see);
        }
    }
    for value in from.tools.iter().chain(from.kwargs.values()) {
        each_in(value, see);
    }
}

fn each_in(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(list) => list.iter().for_each(|value| each_in(value, see)),
        Value::Object(object) => {
            for (key, value) in object {
                see(key);
                each_in(value, see);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Changes every string and key in `value`. Depth is that of the reader of the JSON, which bounds it.
fn changed(value: &Value, text: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(string) => Value::String(text(string)),
        Value::Array(list) => list.iter().map(|value| changed(value, text)).collect(),
        Value::Object(object) => {
            let fields = object
                .iter()
                .map(|(key, value)| (text(key), changed(value, text)));
            Value::Object(fields.collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

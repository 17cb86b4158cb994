//! Keeps what a person wrote apart from what a template wrote: control tokens spelled out in a conversation get a
//! letter put into them before rendering, which the tokenizer takes out again.
//!
//! Everything that a template can print is masked: roles, texts, and all strings and keys in the further fields and
//! the tool descriptions, which come from outside just as the texts do.

use serde_json::Value;

use crate::request::Message;
use crate::tokenizer::Tokenizer;

/// Gives the conversation with its control tokens masked, and the letter that masks them.
pub(super) fn masked(
    messages: &[Message],
    tools: Option<&Value>,
    tokenizer: &Tokenizer,
) -> (Vec<Message>, Option<Value>, char) {
    let letter = free_letter(messages, tools);
    let text = |text: &str| tokenizer.mask(text, letter);
    let messages = messages.iter().map(|message| Message {
        role: text(&message.role),
        content: text(&message.content),
        extra: message
            .extra
            .iter()
            .map(|(key, value)| (text(key), changed(value, &text)))
            .collect(),
    });
    (
        messages.collect(),
        tools.map(|tools| changed(tools, &text)),
        letter,
    )
}

/// Counts the bytes of all strings a template could print.
pub(super) fn bytes(messages: &[Message], tools: Option<&Value>) -> usize {
    let mut bytes = 0;
    each(messages, tools, &mut |text: &str| bytes += text.len());
    bytes
}

/// Finds a letter that nothing in the conversation holds. There are 32 that Unicode reserves for such uses; a
/// conversation that holds them all loses one.
fn free_letter(messages: &[Message], tools: Option<&Value>) -> char {
    let mut taken = std::collections::BTreeSet::new();
    each(messages, tools, &mut |text: &str| {
        taken.extend(text.chars().filter(|letter| LETTERS.contains(letter)));
    });
    LETTERS
        .into_iter()
        .find(|letter| !taken.contains(letter))
        .unwrap_or(*LETTERS.start())
}

const LETTERS: std::ops::RangeInclusive<char> = '\u{fdd0}'..='\u{fdef}';

fn each(messages: &[Message], tools: Option<&Value>, see: &mut impl FnMut(&str)) {
    for message in messages {
        see(&message.role);
        see(&message.content);
        for (key, value) in &message.extra {
            see(key);
            each_in(value, see);
        }
    }
    if let Some(tools) = tools {
        each_in(tools, see);
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

//! Conversations in the form that templates expect, and in other forms for those that refuse it.

use serde_json::{Map, Value};

use crate::request::Message;

/// What is changed in a conversation that a template refuses or drops a part of. They are reported by these words.
pub(super) const SYSTEM_FOLDED: &str = "system_folded";
pub(super) const TOOLS_FOLDED: &str = "tools_folded";
pub(super) const ROLES_JOINED: &str = "roles_joined";
pub(super) const CALLS_SPLIT: &str = "calls_split";
pub(super) const ARGUMENTS_AS_TEXT: &str = "arguments_as_text";

/// Roles that templates know, in the words they use.
const ROLES: [(&str, &str); 6] = [
    ("system", "system"),
    ("developer", "system"),
    ("user", "user"),
    ("assistant", "assistant"),
    ("tool", "tool"),
    ("function", "tool"),
];

/// Brings roles into the words of templates, and arguments of calls into objects: clients send them as JSON in a text,
/// which a template would quote once more.
pub(crate) fn normal(messages: &[Message]) -> Vec<Message> {
    messages.iter().map(normal_one).collect()
}

fn normal_one(message: &Message) -> Message {
    let mut message = message.clone();
    let lower = message.role.trim().to_lowercase();
    if let Some((_, role)) = ROLES.iter().find(|(word, _)| *word == lower) {
        (*role).clone_into(&mut message.role);
    }
    each_function(&mut message, |function| {
        if let Some(Value::String(text)) = function.get("arguments") {
            let text = if text.trim().is_empty() { "{}" } else { text };
            if let Ok(parsed @ Value::Object(_)) = serde_json::from_str(text) {
                function.insert("arguments".to_owned(), parsed);
            }
        }
    });
    message
}

fn each_function(message: &mut Message, mut change: impl FnMut(&mut Map<String, Value>)) {
    let calls = message.extra.get_mut("tool_calls").and_then(Value::as_array_mut);
    for call in calls.into_iter().flatten() {
        if let Some(function) = call.get_mut("function").and_then(Value::as_object_mut) {
            change(function);
        }
    }
}

fn calls(message: &Message) -> &[Value] {
    let calls = message.extra.get("tool_calls").and_then(Value::as_array);
    calls.map_or(&[], Vec::as_slice)
}

fn is_system(message: &Message) -> bool {
    message.role == "system"
}

/// Gives the changes that could make a difference to a conversation.
pub(super) fn possible(messages: &[Message]) -> Vec<&'static str> {
    let mut changes = Vec::new();
    let has_calls = messages.iter().any(|message| !calls(message).is_empty());
    if messages.iter().any(is_system) {
        changes.push(SYSTEM_FOLDED);
    }
    if has_calls {
        changes.push(ARGUMENTS_AS_TEXT);
    }
    if messages.iter().any(|message| calls(message).len() > 1) {
        changes.push(CALLS_SPLIT);
    }
    if has_calls || messages.iter().any(|message| message.role == "tool") {
        changes.push(TOOLS_FOLDED);
    }
    // Folding the others makes neighbours as well.
    if !changes.is_empty() || messages.windows(2).any(|pair| pair[0].role == pair[1].role) {
        changes.push(ROLES_JOINED);
    }
    changes
}

/// Makes the changes, in the order that they build upon each other.
pub(super) fn changed(messages: &[Message], changes: &[&str]) -> Vec<Message> {
    let mut messages = messages.to_vec();
    if changes.contains(&ARGUMENTS_AS_TEXT) {
        messages.iter_mut().for_each(arguments_as_text);
    }
    if changes.contains(&CALLS_SPLIT) {
        messages = split(&messages);
    }
    if changes.contains(&TOOLS_FOLDED) {
        messages = messages.iter().map(tools_folded).collect();
    }
    if changes.contains(&SYSTEM_FOLDED) {
        messages = system_folded(messages);
    }
    if changes.contains(&ROLES_JOINED) {
        messages = joined(messages);
    }
    messages
}

fn arguments_as_text(message: &mut Message) {
    each_function(message, |function| {
        if let Some(arguments @ Value::Object(_)) = function.get("arguments") {
            let text = Value::String(arguments.to_string());
            function.insert("arguments".to_owned(), text);
        }
    });
}

/// Puts each call of a message into one of its own, with its answer behind it.
fn split(messages: &[Message]) -> Vec<Message> {
    let mut made = Vec::new();
    let mut rest = messages;
    while let Some((message, after)) = rest.split_first() {
        rest = after;
        if calls(message).len() < 2 {
            made.push(message.clone());
            continue;
        }
        let count = after.iter().take_while(|next| next.role == "tool").count();
        let (answers, after) = after.split_at(count);
        rest = after;
        let mut left: Vec<&Message> = answers.iter().collect();
        for (index, call) in calls(message).iter().enumerate() {
            let mut one = message.clone();
            if index > 0 {
                one.content.clear();
            }
            one.extra
                .insert("tool_calls".to_owned(), vec![call.clone()].into());
            made.push(one);
            let id = call.get("id");
            let found = left
                .iter()
                .position(|answer| id.is_some() && answer.extra.get("tool_call_id") == id);
            if !left.is_empty() {
                made.push(left.remove(found.unwrap_or(0)).clone());
            }
        }
        made.extend(left.into_iter().cloned());
    }
    made
}

/// Says calls and their answers in words.
fn tools_folded(message: &Message) -> Message {
    if message.role == "tool" {
        let name = message.extra.get("name").and_then(Value::as_str);
        let of = name.map_or_else(String::new, |name| format!(" of {name}"));
        return Message::new("user", format!("Result{of}:\n{}", message.content));
    }
    if calls(message).is_empty() {
        return message.clone();
    }
    let mut message = message.clone();
    let said: Vec<String> = calls(&message).iter().filter_map(said).collect();
    message.extra.remove("tool_calls");
    if !message.content.is_empty() {
        message.content.push('\n');
    }
    message.content.push_str(&said.join("\n"));
    message
}

fn said(call: &Value) -> Option<String> {
    let function = call.get("function")?;
    let name = function.get("name")?.as_str()?;
    let arguments = match function.get("arguments") {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "{}".to_owned(),
    };
    Some(format!("Call of {name}: {arguments}"))
}

/// Puts what the system says in front of the first words of the user.
fn system_folded(messages: Vec<Message>) -> Vec<Message> {
    let (system, mut rest): (Vec<Message>, Vec<Message>) = messages.into_iter().partition(is_system);
    let texts: Vec<&str> = system.iter().map(|message| message.content.as_str()).collect();
    let text = texts.join("\n\n");
    match rest.iter_mut().find(|message| message.role == "user") {
        Some(first) => first.content = format!("{text}\n\n{}", first.content),
        None => rest.insert(0, Message::new("user", text)),
    }
    rest
}

/// Makes one message of neighbours of one role. Calls and their answers stay apart.
fn joined(messages: Vec<Message>) -> Vec<Message> {
    let mut made: Vec<Message> = Vec::new();
    for message in messages {
        let joins = |last: &&mut Message| {
            last.role == message.role
                && message.role != "tool"
                && calls(last).is_empty()
                && calls(&message).is_empty()
        };
        match made.last_mut().filter(joins) {
            Some(last) => {
                if !last.content.is_empty() && !message.content.is_empty() {
                    last.content.push_str("\n\n");
                }
                last.content.push_str(&message.content);
            }
            None => made.push(message),
        }
    }
    made
}

/// What a template dropped without a word: the change that brings it back.
pub(super) fn dropped(messages: &[Message], rendered: &str) -> Option<&'static str> {
    let is_lost = |message: &&Message| {
        // Templates may quote a text; a word of it stays a word.
        let words = message
            .content
            .split(|letter: char| !letter.is_ascii_alphanumeric());
        words
            .max_by_key(|word| word.len())
            .is_some_and(|word| !word.is_empty() && !rendered.contains(word))
    };
    if messages
        .iter()
        .filter(|message| is_system(message))
        .any(|message| is_lost(&message))
    {
        return Some(SYSTEM_FOLDED);
    }
    let mut answers = messages.iter().filter(|message| message.role == "tool");
    answers.any(|message| is_lost(&message)).then_some(TOOLS_FOLDED)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(id: &str, arguments: Value) -> Value {
        json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}})
    }

    fn with(mut message: Message, key: &str, value: Value) -> Message {
        message.extra.insert(key.to_owned(), value);
        message
    }

    fn said(messages: &[Message]) -> Vec<(&str, &str)> {
        let mut list = Vec::new();
        for message in messages {
            list.push((message.role.as_str(), message.content.as_str()));
        }
        list
    }

    #[test]
    fn roles_and_arguments_are_brought_into_form_m23_g15() {
        let calls = json!([
            call("1", "{\"a\": 1}".into()),
            call("2", "no json".into()),
            call("3", "".into())
        ]);
        let messages = normal(&[
            Message::new("Developer", "d"),
            Message::new("User", "u"),
            with(Message::new("ASSISTANT", ""), "tool_calls", calls),
            Message::new("narrator", "n"),
        ]);
        let roles: Vec<&str> = messages.iter().map(|message| message.role.as_str()).collect();
        assert_eq!(roles, ["system", "user", "assistant", "narrator"]);
        let arguments: Vec<&Value> = super::calls(&messages[2])
            .iter()
            .map(|call| &call["function"]["arguments"])
            .collect();
        assert_eq!(arguments, [&json!({"a": 1}), &json!("no json"), &json!({})]);
    }

    #[test]
    fn each_change_does_what_its_word_says() {
        let messages = [
            Message::new("system", "S"),
            Message::new("user", "U"),
            with(
                Message::new("assistant", "A"),
                "tool_calls",
                json!([call("1", json!({"x": 1})), call("2", json!({}))]),
            ),
            with(Message::new("tool", "two"), "tool_call_id", "2".into()),
            with(Message::new("tool", "one"), "tool_call_id", "1".into()),
            Message::new("user", "V"),
        ];
        assert_eq!(
            said(&changed(&messages, &[SYSTEM_FOLDED]))[..2],
            [("user", "S\n\nU"), ("assistant", "A")]
        );
        assert_eq!(
            said(&changed(&messages, &[CALLS_SPLIT]))[2..6],
            [
                ("assistant", "A"),
                ("tool", "one"),
                ("assistant", ""),
                ("tool", "two")
            ]
        );
        let folded = changed(&messages, &[TOOLS_FOLDED, ROLES_JOINED, SYSTEM_FOLDED]);
        assert_eq!(
            said(&folded),
            [
                ("user", "S\n\nU"),
                ("assistant", "A\nCall of f: {\"x\":1}\nCall of f: {}"),
                ("user", "Result:\ntwo\n\nResult:\none\n\nV")
            ]
        );
        let text = changed(&messages, &[ARGUMENTS_AS_TEXT]);
        assert_eq!(calls(&text[2])[0]["function"]["arguments"], "{\"x\":1}");
    }

    #[test]
    fn what_is_dropped_is_noticed() {
        let messages = [
            Message::new("system", "Be \"kind\"!"),
            Message::new("tool", "{\"t\": 18}"),
        ];
        assert_eq!(dropped(&messages, "18"), Some(SYSTEM_FOLDED));
        assert_eq!(dropped(&messages, "Be \\\"kind\\\"!"), Some(TOOLS_FOLDED));
        assert_eq!(dropped(&messages, "kind 18"), None);
    }
}

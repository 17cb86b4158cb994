//! Calls and arguments as models write them, read as a whole.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Tool, ToolSyntax, python};

/// An id as the family's template accepts it when the call comes back: Mistral's has nine letters.
pub(super) fn new_id(syntax: Option<ToolSyntax>) -> String {
    let id = Uuid::new_v4().simple().to_string();
    match syntax {
        Some(ToolSyntax::MistralList | ToolSyntax::MistralArgs) => id[..9].to_owned(),
        _ => format!("call_{}", &id[..24]),
    }
}

/// Reads a call as a whole: its name, and its arguments as JSON.
pub(super) fn named_call(text: &str) -> Option<(String, String)> {
    let value: Value = serde_json::from_str(text).ok()?;
    let call = value
        .get("function")
        .filter(|inner| inner.is_object())
        .unwrap_or(&value);
    let name = ["name", "tool_name", "function"]
        .iter()
        .find_map(|key| call.get(*key)?.as_str())?;
    let arguments = call.get("arguments").or_else(|| call.get("parameters"));
    let arguments = arguments.map_or_else(|| "{}".to_owned(), |value| unwrapped(&value.to_string()));
    super::tools::is_name(name).then(|| (name.to_owned(), arguments))
}

/// Arguments that are nothing, or JSON within a string.
pub(super) fn unwrapped(value: &str) -> String {
    match serde_json::from_str(value.trim()) {
        Ok(Value::Null) => "{}".to_owned(),
        Ok(Value::String(text)) => text,
        _ => value.to_owned(),
    }
}

/// Reads a block of code as calls: Python, or JSON.
pub(super) fn code_calls(text: &str) -> Option<Vec<(String, String)>> {
    let text = text.trim();
    if let Some(calls) = python::calls(text) {
        let arguments = |arguments: Map<String, Value>| Value::Object(arguments).to_string();
        return Some(
            calls
                .into_iter()
                .map(|(name, map)| (name, arguments(map)))
                .collect(),
        );
    }
    match serde_json::from_str(text).ok()? {
        Value::Array(calls) => calls.iter().map(|call| named_call(&call.to_string())).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            named_call(text).map(|call| vec![call])
        }
    }
}

/// Gives an argument that was written as plain text in the type that the tool's schema wants.
pub(super) fn typed(tool: Option<&Tool>, key: &str, value: &str) -> Value {
    let value = value.strip_prefix('\n').unwrap_or(value);
    let value = value.strip_suffix('\n').unwrap_or(value);
    let schema = tool.and_then(|tool| tool.parameters.get("properties")?.get(key));
    let as_text = || Value::from(value);
    let Some(schema) = schema else {
        return as_text();
    };
    if schema.get("type").is_some_and(|kind| kind == "string") {
        return as_text();
    }
    let word = match value.trim() {
        "True" => "true",
        "False" => "false",
        "None" => "null",
        word => word,
    };
    serde_json::from_str(word).unwrap_or_else(|_| as_text())
}

//! The tools of a request: checked names, and schemas in the form that constrained decoding takes.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// The most tools of a request; OpenAI has 128.
const MAX_TOOLS: usize = 256;
/// The longest name; OpenAI has 64 letters.
const MAX_NAME: usize = 128;
/// Bytes of all schemas together.
const MAX_SCHEMA_BYTES: usize = 256 * 1024;
/// Schemas nested deeper are refused.
const MAX_DEPTH: usize = 64;

/// What is wrong with the tools of a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ToolError {
    /// The path of the field, such as `tools[0].function.name`.
    pub param: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl ToolError {
    pub(crate) fn new(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            param: param.into(),
            message: message.into(),
        }
    }
}

/// One tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// The JSON schema of its arguments, always one of an object.
    pub parameters: Map<String, Value>,
    /// Whether a schema that cannot be enforced in full is an error.
    pub strict: bool,
}

/// The tools of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tools {
    list: Vec<Tool>,
}

impl Tools {
    /// Reads OpenAI's `tools`: a list of `{"type": "function", "function": {"name", "parameters", "strict"}}`.
    ///
    /// # Errors
    /// What cannot be served, with the path of the field.
    pub fn read(tools: &Value) -> Result<Self, ToolError> {
        let Some(items) = tools.as_array() else {
            return Err(ToolError::new("tools", "tools must be a list"));
        };
        if items.len() > MAX_TOOLS {
            let message = format!("there are {} tools: send at most {MAX_TOOLS}", items.len());
            return Err(ToolError::new("tools", message));
        }
        let mut names = BTreeSet::new();
        let (mut list, mut bytes) = (Vec::new(), 0);
        for (index, item) in items.iter().enumerate() {
            let tool = read_one(index, item)?;
            if !names.insert(tool.name.clone()) {
                let message = format!(
                    "two tools are called {:?}: give each a name of its own",
                    tool.name
                );
                return Err(ToolError::new(format!("tools[{index}].function.name"), message));
            }
            bytes += Value::Object(tool.parameters.clone()).to_string().len();
            if bytes > MAX_SCHEMA_BYTES {
                let message = format!(
                    "the schemas of the tools have more than {} KiB: send fewer or smaller ones",
                    MAX_SCHEMA_BYTES / 1024
                );
                return Err(ToolError::new("tools", message));
            }
            list.push(tool);
        }
        Ok(Self { list })
    }

    /// All of them, in the order sent.
    #[must_use]
    pub fn as_slice(&self) -> &[Tool] {
        &self.list
    }

    /// Gives the tool of that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Tool> {
        self.list.iter().find(|tool| tool.name == name)
    }
}

fn read_one(index: usize, item: &Value) -> Result<Tool, ToolError> {
    let at = |field: &str| format!("tools[{index}]{field}");
    let kind = item.get("type").and_then(Value::as_str);
    if !matches!(kind, None | Some("function")) {
        let message = format!(
            "tools of the type {:?} are not supported: use \"function\"",
            kind.unwrap_or_default()
        );
        return Err(ToolError::new(at(".type"), message));
    }
    // Some clients leave the envelope out.
    let function = item.get("function").unwrap_or(item);
    let Some(name) = function.get("name").and_then(Value::as_str) else {
        return Err(ToolError::new(at(".function.name"), "a tool needs a name"));
    };
    if !is_name(name) {
        let message = format!(
            "{name:?} cannot be the name of a tool: use 1 to {MAX_NAME} letters, digits, underscores, dashes, dots, colons \
             or slashes"
        );
        return Err(ToolError::new(at(".function.name"), message));
    }
    let field = at(".function.parameters");
    let parameters = match function.get("parameters") {
        None | Some(Value::Null) => nothing(),
        Some(Value::Object(schema)) => object_schema(schema, &field)?,
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            return Err(ToolError::new(
                field,
                "parameters must be the JSON schema of an object",
            ));
        }
    };
    Ok(Tool {
        name: name.to_owned(),
        parameters,
        strict: function.get("strict") == Some(&Value::Bool(true)),
    })
}

/// Whether a tool can be called so. Nothing else can stand in all marks that models write around names.
pub(super) fn is_name(name: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "_-.:/".contains(letter);
    (1..=MAX_NAME).contains(&name.len()) && name.chars().all(fits)
}

fn nothing() -> Map<String, Value> {
    let empty = json!({"type": "object", "properties": {}, "additionalProperties": false});
    empty.as_object().cloned().unwrap_or_default()
}

fn object_schema(schema: &Map<String, Value>, field: &str) -> Result<Map<String, Value>, ToolError> {
    let mut schema = schema.clone();
    let is_object = match schema.get("type") {
        None | Some(Value::Null) => true,
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => false,
    };
    if !is_object {
        let message = "parameters must be the JSON schema of an object: set its \"type\" to \"object\"";
        return Err(ToolError::new(field, message));
    }
    if schema
        .get("properties")
        .is_some_and(|properties| !properties.is_object())
    {
        let message = "properties must be an object of names and schemas";
        return Err(ToolError::new(format!("{field}.properties"), message));
    }
    if depth(&Value::Object(schema.clone()), MAX_DEPTH).is_none() {
        let message = format!("the schema is nested more than {MAX_DEPTH} deep: make it flatter");
        return Err(ToolError::new(field, message));
    }
    schema.insert("type".to_owned(), "object".into());
    // The library's own switch; nobody else's business.
    schema.remove("x-guidance");
    let composed = ["allOf", "anyOf", "oneOf", "$ref", "patternProperties"];
    if schema.contains_key("properties") && !composed.iter().any(|key| schema.contains_key(*key)) {
        // A schema that leaves it open means the properties it names: small models invent others.
        schema.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    Ok(schema)
}

fn depth(value: &Value, left: usize) -> Option<()> {
    let left = left.checked_sub(1)?;
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| depth(item, left)),
        Value::Object(fields) => fields.values().try_for_each(|field| depth(field, left)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(tools: &Value) -> (String, String) {
        let error = Tools::read(tools).unwrap_err();
        (error.param, error.message)
    }

    #[test]
    fn what_cannot_be_a_tool_is_refused_by_name() {
        let tool = |name: &str, parameters: Value| json!({"type": "function", "function": {"name": name, "parameters": parameters}});
        let deep = (0..70).fold(
            json!({}),
            |inner, _| json!({"type": "object", "properties": {"x": inner}}),
        );
        for (tools, param, words) in [
            (json!({}), "tools", "list"),
            (json!([tool("a b", json!({}))]), "tools[0].function.name", "a b"),
            (json!([tool("", json!({}))]), "tools[0].function.name", "letters"),
            (
                json!([{"type": "function", "function": {}}]),
                "tools[0].function.name",
                "needs a name",
            ),
            (json!([{"type": "web_search"}]), "tools[0].type", "web_search"),
            (
                json!([tool("a", json!({})), tool("a", json!({}))]),
                "tools[1].function.name",
                "two tools",
            ),
            (
                json!([tool("a", json!([1]))]),
                "tools[0].function.parameters",
                "object",
            ),
            (
                json!([tool("a", json!({"type": "string"}))]),
                "tools[0].function.parameters",
                "object",
            ),
            (
                json!([tool("a", json!({"properties": [1]}))]),
                "tools[0].function.parameters.properties",
                "names",
            ),
            (json!([tool("a", deep)]), "tools[0].function.parameters", "deep"),
            (
                json!([tool("a", json!({"description": "x".repeat(300_000)}))]),
                "tools",
                "256 KiB",
            ),
        ] {
            let (said, message) = refused(&tools);
            assert_eq!(said, param, "{message}");
            assert!(message.contains(words), "{message}");
        }
        let many: Vec<Value> = (0..257).map(|n| tool(&format!("t{n}"), json!({}))).collect();
        assert!(refused(&Value::from(many)).1.contains("at most 256"));
    }

    #[test]
    fn schemas_become_those_of_objects_that_are_closed() {
        let tools = json!([
            {"type": "function", "function": {"name": "a", "strict": true}},
            {"name": "b", "parameters": {"properties": {"x": {"type": "string"}}, "x-guidance": {"lenient": true}}},
            {"function": {"name": "c", "parameters": {"type": ["object", "null"]}}},
        ]);
        let tools = Tools::read(&tools).unwrap();
        let of = |name: &str| Value::Object(tools.named(name).unwrap().parameters.clone());
        assert_eq!(
            of("a"),
            json!({"type": "object", "properties": {}, "additionalProperties": false})
        );
        assert_eq!(
            of("b"),
            json!({"properties": {"x": {"type": "string"}}, "type": "object", "additionalProperties": false})
        );
        assert_eq!(of("c"), json!({"type": "object"}));
        assert!(tools.as_slice()[0].strict && !tools.as_slice()[1].strict);
    }
}

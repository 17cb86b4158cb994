//! Tools of a conversation, and which of them may be called.

use serde_json::{Map, Value, json};

use crate::{
    error::Error,
    json::fields::{Fields, wrong},
};

/// A tool that the model may ask for.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    pub name: String,
    pub description: Option<String>,
    /// The JSON schema of its arguments; `None` takes none.
    pub parameters: Option<Value>,
    /// Whether its arguments must be of the schema.
    pub strict: bool,
}

/// Whether tools are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    #[default]
    Auto,
    None,
    Required,
    Named(String),
}

impl Tool {
    pub(crate) fn read(value: Value, path: String) -> Result<Tool, Error> {
        let mut outer = Fields::of(value, path.clone())?;
        let kind = outer.text("type")?;
        if kind.as_deref().is_some_and(|kind| kind != "function") {
            let kind = kind.unwrap_or_default();
            return Err(Error::bad_field(
                &outer.path("type"),
                format!("a tool of type \"{kind}\" cannot be called here: send those of type \"function\""),
            ));
        }
        // The Responses API writes the function's fields without a folder of their own.
        match outer.object("function")? {
            Some(fields) => Tool::read_function(fields, &path),
            None => Tool::read_function(outer, &path),
        }
    }

    fn read_function(mut fields: Fields, path: &str) -> Result<Tool, Error> {
        let name = fields
            .text("name")?
            .ok_or_else(|| Error::bad_field(path, format!("{path} has no name of a function")))?;
        let at = fields.path("parameters");
        let parameters = fields.any("parameters");
        if let Some(other) = parameters.as_ref().filter(|schema| !schema.is_object()) {
            return Err(wrong(&at, other, "a JSON schema"));
        }
        Ok(Tool {
            name,
            description: fields.text("description")?,
            parameters,
            strict: fields.flag("strict")?.unwrap_or(false),
        })
    }

    /// The tool in OpenAI's form, as templates know it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut function = Map::new();
        function.insert("name".to_owned(), self.name.as_str().into());
        if let Some(description) = &self.description {
            function.insert("description".to_owned(), description.as_str().into());
        }
        if let Some(parameters) = &self.parameters {
            function.insert("parameters".to_owned(), parameters.clone());
        }
        if self.strict {
            function.insert("strict".to_owned(), true.into());
        }
        json!({ "type": "function", "function": function })
    }
}

/// The tools, those of the older `functions` among them, and whether only those came.
pub(super) fn read_tools(fields: &mut Fields) -> Result<(Vec<Tool>, bool), Error> {
    let tools = fields.list("tools")?.unwrap_or_default();
    let functions = fields.list("functions")?.unwrap_or_default();
    let is_legacy = tools.is_empty() && !functions.is_empty();
    let mut all: Vec<Tool> = Vec::new();
    for (index, tool) in tools.into_iter().enumerate() {
        all.push(Tool::read(tool, format!("tools[{index}]"))?);
    }
    for (index, function) in functions.into_iter().enumerate() {
        let path = format!("functions[{index}]");
        all.push(Tool::read_function(Fields::of(function, path.clone())?, &path)?);
    }
    Ok((all, is_legacy))
}

/// Whether several tools may be called at once. An answer in the older form carries one call.
pub(super) fn read_parallel(fields: &mut Fields, legacy_functions: bool) -> Result<Option<bool>, Error> {
    let parallel = fields.flag("parallel_tool_calls")?;
    if !legacy_functions {
        return Ok(parallel);
    }
    if parallel == Some(true) {
        return Err(Error::bad_field(
            "parallel_tool_calls",
            "parallel_tool_calls is true beside functions, whose answers carry one call: send tools instead",
        ));
    }
    Ok(Some(false))
}

/// Whether tools are called. Where only some of them may be, the others are taken out.
pub(crate) fn read_choice(fields: &mut Fields, tools: &mut Vec<Tool>) -> Result<ToolChoice, Error> {
    let (name, value) = match (fields.any("tool_choice"), fields.any("function_call")) {
        (Some(value), _) => ("tool_choice", value),
        (None, Some(value)) => ("function_call", value),
        (None, None) => return Ok(ToolChoice::Auto),
    };
    let choice = match &value {
        Value::String(word) => match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            // LangChain's word.
            "required" | "any" => ToolChoice::Required,
            _ => {
                return Err(wrong(
                    name,
                    &value,
                    "\"auto\", \"none\", \"required\" or a function",
                ));
            }
        },
        Value::Object(map) if map.get("type").is_some_and(|kind| kind == "allowed_tools") => {
            read_allowed(Fields::of(value, name.to_owned())?, tools)?
        }
        Value::Object(map) if map.get("type").is_some_and(|kind| kind != "function") => {
            let kind = map.get("type").cloned().unwrap_or_default();
            return Err(Error::bad_field(
                &format!("{name}.type"),
                format!(
                    "{name}.type is {kind}, and only functions can be called here: send \"function\" or \
                     \"allowed_tools\""
                ),
            ));
        }
        Value::Object(map) => {
            let function = map.get("function").unwrap_or(&value);
            let Some(wanted) = function.get("name").and_then(Value::as_str) else {
                return Err(Error::bad_field(name, format!("{name} names no function")));
            };
            ToolChoice::Named(wanted.to_owned())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            return Err(wrong(
                name,
                &value,
                "\"auto\", \"none\", \"required\" or a function",
            ));
        }
    };
    match &choice {
        ToolChoice::Named(wanted) if tools.iter().all(|tool| tool.name != *wanted) => Err(Error::bad_field(
            name,
            format!("{name} names \"{wanted}\", which is none of the tools"),
        )),
        ToolChoice::Required if tools.is_empty() => Err(Error::bad_field(
            name,
            format!("{name} wants a tool, and there are none"),
        )),
        ToolChoice::Auto | ToolChoice::None | ToolChoice::Required | ToolChoice::Named(_) => Ok(choice),
    }
}

/// Which tools may be called: those of a list, whose form differs between chat and the Responses API.
fn read_allowed(mut outer: Fields, tools: &mut Vec<Tool>) -> Result<ToolChoice, Error> {
    let mut fields = match outer.object("allowed_tools")? {
        Some(inner) => inner,
        None => outer,
    };
    let mode = fields.text("mode")?;
    let choice = match mode.as_deref() {
        None | Some("auto") => ToolChoice::Auto,
        Some("required") => ToolChoice::Required,
        Some(other) => {
            let at = fields.path("mode");
            return Err(wrong(&at, &other.into(), "\"auto\" or \"required\""));
        }
    };
    let at = fields.path("tools");
    let mut allowed = Vec::new();
    for (index, tool) in fields.list("tools")?.unwrap_or_default().into_iter().enumerate() {
        let path = format!("{at}[{index}]");
        let wanted = Tool::read(tool, path.clone())?.name;
        if tools.iter().all(|tool| tool.name != wanted) {
            return Err(Error::bad_field(
                &path,
                format!("{path} names \"{wanted}\", which is none of the tools"),
            ));
        }
        allowed.push(wanted);
    }
    if allowed.is_empty() {
        return Err(Error::bad_field(
            &at,
            format!("{at} is empty: name the tools that may be called, or send tool_choice \"none\""),
        ));
    }
    tools.retain(|tool| allowed.contains(&tool.name));
    Ok(choice)
}

//! `/v1/chat/completions`.

mod tools;

use serde_json::{Map, Value, json};

pub(crate) use tools::read_choice;
pub use tools::{Tool, ToolChoice};
use tools::{read_parallel, read_tools};

use super::{
    sampling::{SamplingParams, top_logprobs},
    unserved::refuse_of_chat,
};
use crate::{
    error::Error,
    json::{
        fields::{Fields, wrong},
        size,
    },
};

/// The most messages of a conversation: each takes memory beside its text.
const MAX_MESSAGES: usize = 100_000;
const ROLES: &str = "\"system\", \"developer\", \"user\", \"assistant\", \"tool\" or \"function\"";

/// A conversation to go on with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatRequest {
    pub messages: Vec<ChatMessage>,
    pub sampling: SamplingParams,
    /// Reports each token with so many alternatives.
    pub logprobs: Option<u8>,
    pub tools: Vec<Tool>,
    pub tool_choice: ToolChoice,
    /// Whether several tools may be called at once; `None` leaves it to the model.
    pub parallel_tool_calls: Option<bool>,
    /// Tools came as the older `functions`, and calls go back so.
    pub legacy_functions: bool,
    pub response_format: ResponseFormat,
    /// What the chat template may look at beside messages and tools, such as `enable_thinking`.
    pub template_kwargs: Map<String, Value>,
    /// The most tokens of reasoning.
    pub thinking_tokens: Option<u32>,
}

/// One message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatMessage {
    pub role: String,
    pub content: Option<Content>,
    /// Everything else that the chat template may look at: `name`, `tool_calls`, `tool_call_id` …
    pub extra: Map<String, Value>,
}

/// Content as a text or as parts.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Text(String),
    Parts(Vec<Part>),
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Text(String),
    /// Something else, with its kind and as it was written.
    Other(String, Value),
}

/// What form the answer has.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ResponseFormat {
    #[default]
    Text,
    JsonObject,
    JsonSchema {
        name: Option<String>,
        schema: Value,
        strict: bool,
    },
    Regex(String),
    /// In Lark's form, as llguidance reads it.
    Grammar(String),
    /// One of these texts.
    Choice(Vec<String>),
}

impl ChatMessage {
    /// A message of a text.
    pub fn new(role: impl Into<String>, text: impl Into<String>) -> ChatMessage {
        ChatMessage {
            role: role.into(),
            content: Some(Content::Text(text.into())),
            extra: Map::new(),
        }
    }

    fn read(value: Value, path: String) -> Result<ChatMessage, Error> {
        let mut fields = Fields::of(value, path)?;
        let at = fields.path("role");
        let role = fields
            .text("role")?
            .ok_or_else(|| Error::bad_field(&at, format!("{at} is missing: say {ROLES}")))?;
        let role = role.to_ascii_lowercase();
        if !matches!(
            role.as_str(),
            "system" | "developer" | "user" | "assistant" | "tool" | "function" | "model" | "ipython"
        ) {
            return Err(Error::bad_field(&at, format!("{at} is \"{role}\": say {ROLES}")));
        }
        let at = fields.path("content");
        let content = fields
            .any("content")
            .map(|value| Content::read(value, &at))
            .transpose()?;
        Ok(ChatMessage {
            role,
            content,
            extra: fields.rest(),
        })
    }

    fn to_json(&self) -> Value {
        let mut message = Map::new();
        message.insert("role".to_owned(), self.role.as_str().into());
        let content = match &self.content {
            None => Value::Null,
            Some(Content::Text(text)) => text.as_str().into(),
            Some(Content::Parts(parts)) => parts.iter().map(Part::to_json).collect(),
        };
        message.insert("content".to_owned(), content);
        message.extend(self.extra.clone());
        message.into()
    }
}

impl Part {
    fn to_json(&self) -> Value {
        match self {
            Part::Text(text) => json!({ "type": "text", "text": text }),
            Part::Other(_, value) => value.clone(),
        }
    }
}

impl Content {
    fn read(value: Value, path: &str) -> Result<Content, Error> {
        let parts = match value {
            Value::String(text) => return Ok(Content::Text(text)),
            Value::Array(parts) => parts,
            // One part alone.
            part @ Value::Object(_) => vec![part],
            other @ Value::Null | other @ Value::Bool(_) | other @ Value::Number(_) => {
                return Err(wrong(path, &other, "a text or a list of parts"));
            }
        };
        let parts = parts
            .into_iter()
            .enumerate()
            .map(|(index, part)| read_part(part, &format!("{path}[{index}]")));
        Ok(Content::Parts(parts.collect::<Result<_, Error>>()?))
    }

    /// The text of all parts, one below the other.
    ///
    /// # Errors
    /// The kind of the first part that is no text.
    pub fn text(&self) -> Result<String, String> {
        let parts = match self {
            Content::Text(text) => return Ok(text.clone()),
            Content::Parts(parts) => parts,
        };
        let texts: Result<Vec<&str>, String> = parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => Ok(text.as_str()),
                Part::Other(kind, _) => Err(kind.clone()),
            })
            .collect();
        Ok(texts?.join("\n"))
    }
}

fn read_part(part: Value, path: &str) -> Result<Part, Error> {
    if let Value::String(text) = part {
        return Ok(Part::Text(text));
    }
    let mut fields = Fields::of(part.clone(), path.to_owned())?;
    let kind = fields.text("type")?;
    let is_text = matches!(
        kind.as_deref(),
        None | Some("text" | "input_text" | "output_text" | "refusal")
    );
    let text = match fields.text("text")? {
        Some(text) => Some(text),
        None => fields.text("refusal")?,
    };
    match (text, kind) {
        (Some(text), _) if is_text => Ok(Part::Text(text)),
        (_, Some(kind)) if !is_text => Ok(Part::Other(kind, part)),
        (_, _) => Err(Error::bad_field(
            path,
            format!("{path} has neither a text nor a type: write {{\"type\": \"text\", \"text\": …}}"),
        )),
    }
}

/// What says that the last message, the assistant's own, is to be gone on with.
const CONTINUES: &str = "continue_final_message";

impl ChatRequest {
    pub(crate) fn read(fields: &mut Fields) -> Result<ChatRequest, Error> {
        // It was looked at before; what is no flag is refused here.
        fields.flag("stream")?;
        refuse_of_chat(fields)?;
        let sampling = SamplingParams::read(fields)?;
        let list = fields.list("messages")?.unwrap_or_default();
        if list.is_empty() || list.len() > MAX_MESSAGES {
            let message = format!("messages has {} messages: send 1 to {MAX_MESSAGES}", list.len());
            return Err(Error::bad_field("messages", message));
        }
        let messages = list
            .into_iter()
            .enumerate()
            .map(|(index, message)| ChatMessage::read(message, format!("messages[{index}]")))
            .collect::<Result<_, Error>>()?;
        let top = fields.limit("top_logprobs")?;
        let logprobs = match fields.flag("logprobs")? {
            Some(true) => Some(top_logprobs("top_logprobs", top.unwrap_or(0))?),
            Some(false) | None => None,
        };
        let (mut tools, legacy_functions) = read_tools(fields)?;
        let tool_choice = read_choice(fields, &mut tools)?;
        let response_format = ResponseFormat::read(fields)?;
        Ok(ChatRequest {
            messages,
            sampling,
            logprobs,
            tools,
            tool_choice,
            parallel_tool_calls: read_parallel(fields, legacy_functions)?,
            legacy_functions,
            response_format,
            template_kwargs: read_kwargs(fields)?,
            thinking_tokens: fields.limit("thinking_budget")?,
        })
    }

    /// Goes on with the last message where it is the assistant's own, as clients of some programs mean it.
    pub(crate) fn continuing(mut self) -> ChatRequest {
        let is_begun = self.messages.last().is_some_and(|last| {
            let has_text = last
                .content
                .as_ref()
                .and_then(|content| content.text().ok())
                .is_some_and(|text| !text.trim().is_empty());
            last.role == "assistant" && has_text && !last.extra.contains_key("tool_calls")
        });
        if is_begun {
            self.template_kwargs.insert(CONTINUES.to_owned(), true.into());
        }
        self
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut request = Map::new();
        request.insert(
            "messages".to_owned(),
            self.messages.iter().map(ChatMessage::to_json).collect(),
        );
        self.sampling.write(&mut request);
        let mut set = |name: &str, value: Value| {
            request.insert(name.to_owned(), value);
        };
        if let Some(top) = self.logprobs {
            set("logprobs", true.into());
            set("top_logprobs", top.into());
        }
        if !self.tools.is_empty() {
            set("tools", self.tools.iter().map(Tool::to_json).collect());
            match &self.tool_choice {
                ToolChoice::Auto => {}
                ToolChoice::None => set("tool_choice", "none".into()),
                ToolChoice::Required => set("tool_choice", "required".into()),
                ToolChoice::Named(name) => set(
                    "tool_choice",
                    json!({ "type": "function", "function": { "name": name } }),
                ),
            }
        }
        if let Some(parallel) = self.parallel_tool_calls {
            set("parallel_tool_calls", parallel.into());
        }
        if let Some((name, value)) = self.response_format.to_json() {
            set(name, value);
        }
        let mut kwargs = self.template_kwargs.clone();
        if kwargs.remove(CONTINUES).is_some() {
            set(CONTINUES, true.into());
            set("add_generation_prompt", false.into());
        }
        if !kwargs.is_empty() {
            set("chat_template_kwargs", kwargs.into());
        }
        if let Some(tokens) = self.thinking_tokens {
            set("thinking_budget", tokens.into());
        }
        request.into()
    }
}

/// `chat_template_kwargs`, and the words of other servers for the same.
pub(crate) fn read_kwargs(fields: &mut Fields) -> Result<Map<String, Value>, Error> {
    let mut kwargs = fields
        .object("chat_template_kwargs")?
        .map(Fields::rest)
        .unwrap_or_default();
    if let Some(thinks) = fields.flag("enable_thinking")? {
        kwargs.insert("enable_thinking".to_owned(), thinks.into());
    }
    if let Some(effort) = fields.text("reasoning_effort")? {
        set_effort(&mut kwargs, effort);
    }
    // vLLM's word for an answer that is begun already.
    if fields.flag(CONTINUES)? == Some(true) {
        kwargs.insert(CONTINUES.to_owned(), true.into());
    }
    Ok(kwargs)
}

/// How much the model shall think, in the words that templates know.
pub(crate) fn set_effort(kwargs: &mut Map<String, Value>, effort: String) {
    if !kwargs.contains_key("enable_thinking") {
        kwargs.insert("enable_thinking".to_owned(), (effort != "none").into());
    }
    kwargs.insert("reasoning_effort".to_owned(), effort.into());
}

impl ResponseFormat {
    pub(crate) fn read(fields: &mut Fields) -> Result<ResponseFormat, Error> {
        // vLLM's words.
        if let Some(schema) = fields.any("guided_json") {
            return ResponseFormat::schema("guided_json", None, schema, true);
        }
        if let Some(regex) = fields.text("guided_regex")? {
            return Ok(ResponseFormat::Regex(regex));
        }
        if let Some(grammar) = fields.text("guided_grammar")? {
            return Ok(ResponseFormat::Grammar(grammar));
        }
        if let Some(list) = fields.list("guided_choice")? {
            return ResponseFormat::choice(list);
        }
        // llama.cpp's word.
        if let Some(schema) = fields.any("json_schema") {
            return ResponseFormat::schema("json_schema", None, schema, true);
        }
        match fields.object("response_format")? {
            Some(format) => ResponseFormat::of(format),
            None => Ok(ResponseFormat::Text),
        }
    }

    /// The form that is named by a `type`.
    pub(crate) fn of(mut format: Fields) -> Result<ResponseFormat, Error> {
        let at = format.path("type");
        let kind = format.text("type")?.unwrap_or_default();
        match kind.as_str() {
            "text" => Ok(ResponseFormat::Text),
            "json_object" => match format.any("schema") {
                Some(schema) => ResponseFormat::schema(&format.path("schema"), None, schema, true),
                None => Ok(ResponseFormat::JsonObject),
            },
            "json_schema" => ResponseFormat::read_schema(format),
            "regex" => required(&mut format, &["regex", "pattern", "value"]).map(ResponseFormat::Regex),
            "grammar" | "lark" => {
                required(&mut format, &["grammar", "lark", "value"]).map(ResponseFormat::Grammar)
            }
            other => Err(Error::bad_field(
                &at,
                format!(
                    "{at} is \"{other}\": use \"text\", \"json_object\", \"json_schema\", \"regex\" or \"grammar\""
                ),
            )),
        }
    }

    fn read_schema(mut format: Fields) -> Result<ResponseFormat, Error> {
        // The Responses API writes the schema beside the type.
        let mut inner = match format.object("json_schema")? {
            Some(inner) => inner,
            None => format,
        };
        let at = inner.path("schema");
        let name = inner.text("name")?;
        let strict = inner.flag("strict")?.unwrap_or(false);
        let Some(schema) = inner.any("schema") else {
            return Err(Error::bad_field(
                &at,
                format!("{at} is missing: send the JSON schema"),
            ));
        };
        ResponseFormat::schema(&at, name, schema, strict)
    }

    pub(crate) fn schema(
        path: &str,
        name: Option<String>,
        schema: Value,
        strict: bool,
    ) -> Result<ResponseFormat, Error> {
        let schema = match schema {
            // Some clients send it as a text.
            Value::String(text) => {
                size::check(text.as_bytes())?;
                serde_json::from_str(&text)
                    .map_err(|error| Error::bad_field(path, format!("{path} is no JSON schema: {error}")))?
            }
            schema @ Value::Null
            | schema @ Value::Bool(_)
            | schema @ Value::Number(_)
            | schema @ Value::Array(_)
            | schema @ Value::Object(_) => schema,
        };
        if !schema.is_object() && !schema.is_boolean() {
            return Err(wrong(path, &schema, "a JSON schema"));
        }
        Ok(ResponseFormat::JsonSchema { name, schema, strict })
    }

    fn choice(list: Vec<Value>) -> Result<ResponseFormat, Error> {
        let texts: Result<Vec<String>, Error> = list
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                other @ Value::Null
                | other @ Value::Bool(_)
                | other @ Value::Number(_)
                | other @ Value::Array(_)
                | other @ Value::Object(_) => Err(wrong("guided_choice", &other, "a list of texts")),
            })
            .collect();
        match texts? {
            texts if texts.is_empty() => Err(Error::bad_field("guided_choice", "guided_choice is empty")),
            texts => Ok(ResponseFormat::Choice(texts)),
        }
    }

    fn to_json(&self) -> Option<(&'static str, Value)> {
        Some(match self {
            ResponseFormat::Text => return None,
            ResponseFormat::JsonObject => ("response_format", json!({ "type": "json_object" })),
            ResponseFormat::JsonSchema { name, schema, strict } => {
                let name = name.as_deref().unwrap_or("answer");
                let schema = json!({ "name": name, "schema": schema, "strict": strict });
                (
                    "response_format",
                    json!({ "type": "json_schema", "json_schema": schema }),
                )
            }
            ResponseFormat::Regex(regex) => ("guided_regex", regex.as_str().into()),
            ResponseFormat::Grammar(grammar) => ("guided_grammar", grammar.as_str().into()),
            ResponseFormat::Choice(texts) => ("guided_choice", texts.clone().into()),
        })
    }
}

fn required(fields: &mut Fields, names: &[&str]) -> Result<String, Error> {
    for name in names {
        if let Some(text) = fields.text(name)? {
            return Ok(text);
        }
    }
    let at = fields.path(names.first().copied().unwrap_or_default());
    Err(Error::bad_field(&at, format!("{at} is missing")))
}

#[cfg(test)]
mod tests;

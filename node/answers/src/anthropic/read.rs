//! Reading what is asked: messages of content blocks, tools, thinking.

use serde_json::{Map, Value};

use crate::{
    answer::ToolCall,
    error::Error,
    json::fields::{Fields, wrong},
    request::{
        ChatMessage, ChatRequest, Request, RequestBody, ResponseFormat, SamplingParams, TokenizeRequest,
        Tool, ToolChoice, set_effort, stops,
    },
    shape::{self, Turn, required, tool_result},
};

/// The most messages of a conversation.
const MAX_MESSAGES: usize = 100_000;

/// A conversation to go on with.
#[derive(Clone, Debug, PartialEq)]
pub struct Messages {
    model: Option<String>,
    stream: bool,
    chat: ChatRequest,
}

impl Messages {
    /// Reads the body of an HTTP request.
    ///
    /// # Errors
    /// A field that is wrong or cannot be obeyed, by its path.
    pub fn read(body: &[u8]) -> Result<Messages, Error> {
        let mut fields = shape::fields(body)?;
        for (name, why) in [
            (
                "mcp_servers",
                "tools of other servers are not called from here: call them yourself",
            ),
            ("container", "there are no containers here"),
        ] {
            if fields
                .any(name)
                .is_some_and(|value| value != Value::Array(Vec::new()))
            {
                return Err(Error::bad_field(name, format!("{name} is not known here: {why}")));
            }
        }
        let mut messages = Vec::new();
        let system = texts(&mut fields, "system")?.filter(|text| !text.is_empty());
        messages.extend(system.map(|text| ChatMessage::new("system", text)));
        read_messages(&mut fields, &mut messages)?;
        let tools = fields.list("tools")?.unwrap_or_default().into_iter().enumerate();
        let tools = tools
            .map(|(index, tool)| read_tool(tool, format!("tools[{index}]")))
            .collect::<Result<Vec<Tool>, Error>>()?;
        let (tool_choice, parallel_tool_calls) = read_choice(&mut fields, &tools)?;
        let mut template_kwargs = Map::new();
        let thinking_tokens = read_thinking(&mut fields, &mut template_kwargs)?;
        let response_format = read_output(&mut fields, &mut template_kwargs)?;
        let top_k = fields.limit("top_k")?;
        let sampling = SamplingParams {
            temperature: fields.number("temperature", 0.0, 2.0)?,
            top_p: fields.number("top_p", 0.0, 1.0)?,
            top_k,
            max_tokens: fields.most("max_tokens")?,
            stop: stops(&mut fields, "stop_sequences")?,
            ..SamplingParams::default()
        };
        Ok(Messages {
            model: shape::model(&mut fields)?,
            stream: fields.flag("stream")?.unwrap_or(false),
            chat: ChatRequest {
                messages,
                sampling,
                tools,
                tool_choice,
                parallel_tool_calls,
                response_format,
                template_kwargs,
                thinking_tokens,
                ..ChatRequest::default()
            }
            .continuing(),
        })
    }

    /// Whether the answer is wanted in parts.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.stream
    }

    /// What is asked of a backend.
    #[must_use]
    pub fn request(&self) -> Request {
        Request::chat(self.model.clone(), self.stream, self.chat.clone())
    }

    /// Asks for the tokens that the request has.
    #[must_use]
    pub fn count(&self) -> Request {
        let chat = TokenizeRequest::Chat(Box::new(self.chat.clone()));
        Request::whole(self.model.clone(), RequestBody::Tokenize(chat))
    }
}

fn read_messages(fields: &mut Fields, into: &mut Vec<ChatMessage>) -> Result<(), Error> {
    let list = fields.list("messages")?.unwrap_or_default();
    if list.is_empty() || list.len() > MAX_MESSAGES {
        let message = format!("messages has {} messages: send 1 to {MAX_MESSAGES}", list.len());
        return Err(Error::bad_field("messages", message));
    }
    // Results of tools name their call alone, and some templates want the tool's name.
    let mut calls = Map::new();
    for (index, message) in list.into_iter().enumerate() {
        let mut fields = Fields::of(message, format!("messages[{index}]"))?;
        let at = fields.path("role");
        match fields.text("role")?.as_deref() {
            Some("user") => read_user(&mut fields, &calls, into)?,
            Some("assistant") => {
                let turn = read_assistant(&mut fields)?;
                calls.extend(
                    turn.calls
                        .iter()
                        .map(|call| (call.id.clone(), call.name.as_str().into())),
                );
                into.extend({ turn }.take());
            }
            Some("system") => {
                let text = texts(&mut fields, "content")?.unwrap_or_default();
                into.push(ChatMessage::new("system", text));
            }
            Some(other) => {
                let message = format!("{at} is \"{other}\": say \"user\" or \"assistant\"");
                return Err(Error::bad_field(&at, message));
            }
            None => {
                return Err(Error::bad_field(
                    &at,
                    format!("{at} is missing: say \"user\" or \"assistant\""),
                ));
            }
        }
    }
    Ok(())
}

/// A content block with its kind. A text alone is a block of it.
fn blocks(fields: &mut Fields, name: &str) -> Result<Vec<(String, Fields)>, Error> {
    let path = fields.path(name);
    let list = match fields.any(name) {
        None => return Ok(Vec::new()),
        Some(Value::String(text)) => vec![serde_json::json!({ "type": "text", "text": text })],
        Some(Value::Array(list)) => list,
        Some(other) => return Err(wrong(&path, &other, "a text or a list of content blocks")),
    };
    list.into_iter()
        .enumerate()
        .map(|(index, block)| {
            let mut block = Fields::of(block, format!("{path}[{index}]"))?;
            let at = block.path("type");
            let kind = block.text("type")?;
            let kind = kind.ok_or_else(|| Error::bad_field(&at, format!("{at} is missing")))?;
            Ok((kind, block))
        })
        .collect()
}

fn read_user(
    fields: &mut Fields,
    calls: &Map<String, Value>,
    into: &mut Vec<ChatMessage>,
) -> Result<(), Error> {
    let mut said: Vec<String> = Vec::new();
    let mut n_results = 0_usize;
    for (kind, mut block) in blocks(fields, "content")? {
        match kind.as_str() {
            "text" => said.push(required(&mut block, "text")?),
            "tool_result" => {
                if !said.is_empty() {
                    into.push(ChatMessage::new("user", std::mem::take(&mut said).join("\n")));
                }
                let id = required(&mut block, "tool_use_id")?;
                let text = texts(&mut block, "content")?.unwrap_or_default();
                into.push(tool_result(&id, calls.get(&id).and_then(Value::as_str), text));
                n_results += 1;
            }
            other => return Err(other_block(other, &block)),
        }
    }
    if !said.is_empty() || n_results == 0 {
        into.push(ChatMessage::new("user", said.join("\n")));
    }
    Ok(())
}

fn read_assistant(fields: &mut Fields) -> Result<Turn, Error> {
    let mut turn = Turn::default();
    for (kind, mut block) in blocks(fields, "content")? {
        match kind.as_str() {
            "text" => turn.text.push_str(&required(&mut block, "text")?),
            "thinking" => turn.reasoning.push_str(&required(&mut block, "thinking")?),
            // Nobody but Anthropic can read it.
            "redacted_thinking" => {}
            "tool_use" => {
                let input = block.any("input").unwrap_or_else(|| Map::new().into());
                turn.calls.push(ToolCall {
                    id: required(&mut block, "id")?,
                    name: required(&mut block, "name")?,
                    arguments: input.to_string(),
                });
            }
            other => return Err(other_block(other, &block)),
        }
    }
    Ok(turn)
}

fn other_block(kind: &str, block: &Fields) -> Error {
    let at = block.path("type");
    let message = match kind {
        "image" | "document" => format!("{at} is \"{kind}\": models are given text alone here, leave it out"),
        _ => format!("{at} is \"{kind}\": such a content block is not read here, leave it out"),
    };
    Error::bad_field(&at, message)
}

/// A text, or blocks of text.
fn texts(fields: &mut Fields, name: &str) -> Result<Option<String>, Error> {
    let texts = blocks(fields, name)?
        .into_iter()
        .map(|(kind, mut block)| match kind.as_str() {
            "text" => required(&mut block, "text"),
            other => Err(other_block(other, &block)),
        });
    let texts = texts.collect::<Result<Vec<String>, Error>>()?;
    Ok((!texts.is_empty()).then(|| texts.join("\n")))
}

fn read_tool(value: Value, path: String) -> Result<Tool, Error> {
    let mut fields = Fields::of(value, path)?;
    let at = fields.path("type");
    if let Some(kind) = fields.text("type")?.filter(|kind| kind != "custom") {
        let message = format!("{at} is \"{kind}\": only tools of your own (\"custom\") can be called here");
        return Err(Error::bad_field(&at, message));
    }
    let at = fields.path("input_schema");
    let parameters = fields.any("input_schema");
    if let Some(other) = parameters.as_ref().filter(|schema| !schema.is_object()) {
        return Err(wrong(&at, other, "a JSON schema"));
    }
    Ok(Tool {
        name: required(&mut fields, "name")?,
        description: fields.text("description")?,
        parameters,
        strict: fields.flag("strict")?.unwrap_or(false),
    })
}

fn read_choice(fields: &mut Fields, tools: &[Tool]) -> Result<(ToolChoice, Option<bool>), Error> {
    let Some(mut choice) = fields.object("tool_choice")? else {
        return Ok((ToolChoice::Auto, None));
    };
    let one_alone = choice.flag("disable_parallel_tool_use")?;
    let at = choice.path("type");
    let wanted = match choice.text("type")?.as_deref() {
        Some("auto") => ToolChoice::Auto,
        Some("none") => ToolChoice::None,
        Some("any") if tools.is_empty() => {
            return Err(Error::bad_field(
                "tool_choice",
                "tool_choice wants a tool, and there are none",
            ));
        }
        Some("any") => ToolChoice::Required,
        Some("tool") => {
            let name = required(&mut choice, "name")?;
            if tools.iter().all(|tool| tool.name != name) {
                let at = choice.path("name");
                return Err(Error::bad_field(
                    &at,
                    format!("{at} is \"{name}\", which is none of the tools"),
                ));
            }
            ToolChoice::Named(name)
        }
        Some(_) | None => {
            return Err(Error::bad_field(
                &at,
                format!("{at} must be \"auto\", \"any\", \"tool\" or \"none\""),
            ));
        }
    };
    Ok((wanted, one_alone.map(|one_alone| !one_alone)))
}

/// Whether the model thinks, and the most tokens of it.
fn read_thinking(fields: &mut Fields, kwargs: &mut Map<String, Value>) -> Result<Option<u32>, Error> {
    let Some(mut thinking) = fields.object("thinking")? else {
        return Ok(None);
    };
    let at = thinking.path("type");
    let kind = thinking.text("type")?;
    let thinks = match kind.as_deref() {
        Some("enabled" | "adaptive" | "between_tools") => true,
        Some("disabled") => false,
        Some(_) | None => {
            return Err(Error::bad_field(
                &at,
                format!("{at} must be \"enabled\", \"adaptive\" or \"disabled\""),
            ));
        }
    };
    kwargs.insert("enable_thinking".to_owned(), thinks.into());
    let budget = thinking.limit("budget_tokens")?;
    Ok(budget.filter(|_| thinks))
}

/// `output_config`: how much the model thinks, and the form of the answer.
fn read_output(fields: &mut Fields, kwargs: &mut Map<String, Value>) -> Result<ResponseFormat, Error> {
    let Some(mut output) = fields.object("output_config")? else {
        return Ok(ResponseFormat::Text);
    };
    if let Some(effort) = output.text("effort")? {
        set_effort(kwargs, effort);
    }
    output
        .object("format")?
        .map_or(Ok(ResponseFormat::Text), ResponseFormat::of)
}

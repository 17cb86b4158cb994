//! `POST /v1/responses`: reading what is asked.

use serde_json::{Map, Value, json};

use super::{
    Kept,
    items::{Item, messages},
};
use crate::{
    error::{Code, Error},
    json::fields::Fields,
    request::{
        ChatMessage, ChatRequest, Request, RequestBody, ResponseFormat, SamplingParams, TokenizeRequest,
        Tool, ToolChoice, read_choice, read_kwargs, refuse_of_responses, refuse_verbosity, set_effort,
        top_logprobs,
    },
    shape,
};

/// The most pairs of `metadata`, and the most characters of a name and of a value, as OpenAI has it.
const MAX_METADATA: (usize, usize, usize) = (16, 64, 512);
/// The most items of a conversation.
const MAX_ITEMS: usize = 100_000;

/// A response to make.
pub struct Create {
    model: Option<String>,
    stream: bool,
    store: bool,
    previous: Option<String>,
    instructions: Option<String>,
    chat: ChatRequest,
    pub(super) id: String,
    pub(super) items: Vec<Item>,
    /// What the answer says again of its request.
    echo: Map<String, Value>,
}

impl Create {
    /// Reads the body of an HTTP request.
    ///
    /// # Errors
    /// A field that is wrong or cannot be obeyed, by its path.
    pub fn read(body: &[u8]) -> Result<Create, Error> {
        let mut fields = shape::fields(body)?;
        refuse(&mut fields)?;
        let items = match fields.any("input") {
            None => {
                return Err(Error::bad_field(
                    "input",
                    "input is missing: send a text or a list of items",
                ));
            }
            Some(input) => Item::read_all(input)?,
        };
        let tools = fields.list("tools")?.unwrap_or_default().into_iter().enumerate();
        let mut tools = tools
            .map(|(index, tool)| Tool::read(tool, format!("tools[{index}]")))
            .collect::<Result<Vec<Tool>, Error>>()?;
        let tool_choice = read_choice(&mut fields, &mut tools)?;
        let (response_format, format) = match fields.object("text")? {
            None => (ResponseFormat::Text, None),
            Some(mut text) => {
                refuse_verbosity(&mut text)?;
                read_format(&mut text)?
            }
        };
        let mut template_kwargs = read_kwargs(&mut fields)?;
        let effort = match fields.object("reasoning")? {
            Some(mut reasoning) => reasoning.text("effort")?,
            None => None,
        };
        if let Some(effort) = &effort {
            set_effort(&mut template_kwargs, effort.clone());
        }
        let logprobs = read_logprobs(&mut fields)?;
        let sampling = SamplingParams {
            max_tokens: fields.most("max_output_tokens")?,
            n: None,
            ..SamplingParams::read(&mut fields)?
        };
        let chat = ChatRequest {
            messages: Vec::new(),
            sampling,
            logprobs,
            tools,
            tool_choice,
            parallel_tool_calls: fields.flag("parallel_tool_calls")?,
            legacy_functions: false,
            response_format,
            template_kwargs,
            thinking_tokens: fields.limit("thinking_budget")?,
        };
        let mut create = Create {
            model: shape::model(&mut fields)?,
            stream: fields.flag("stream")?.unwrap_or(false),
            store: fields.flag("store")?.unwrap_or(true),
            previous: fields.text("previous_response_id")?.filter(|id| !id.is_empty()),
            instructions: fields.text("instructions")?,
            chat,
            id: shape::new_id("resp"),
            items,
            echo: Map::new(),
        };
        create.echo = create.echoed(format, effort, metadata(&mut fields)?);
        Ok(create)
    }

    /// The kept answer that this one goes on from.
    #[must_use]
    pub fn previous(&self) -> Option<&str> {
        self.previous.as_deref()
    }

    /// Whether the answer is to be kept.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.store
    }

    /// Whether the answer is wanted in parts.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.stream
    }

    /// There is no answer to go on from.
    #[must_use]
    pub fn no_previous(&self) -> Error {
        let id = self.previous.as_deref().unwrap_or_default();
        let id: String = id.chars().take(100).collect();
        let message = format!(
            "previous response \"{id}\" is not here: responses are kept for a day, for whoever made them. Send the \
             earlier items in input"
        );
        Error::new(Code::Of("previous_response_not_found"), message).param("previous_response_id")
    }

    /// The same after the items of the answer that it goes on from.
    ///
    /// # Errors
    /// Items that cannot be read, or too many of them.
    pub fn after(mut self, kept: Kept) -> Result<Create, Error> {
        let output = match kept.response {
            Value::Object(mut response) => response.remove("output"),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
        };
        let output = match output {
            Some(Value::Array(items)) => items,
            Some(_) | None => Vec::new(),
        };
        let before = kept.input.into_iter().chain(output);
        let mut items = before
            .map(|item| Item::read(item, "previous_response_id".to_owned()))
            .collect::<Result<Vec<Item>, Error>>()?;
        items.append(&mut self.items);
        self.items = items;
        Ok(self)
    }

    /// What is asked of a backend.
    ///
    /// # Errors
    /// No items, or too many.
    pub fn request(&self) -> Result<Request, Error> {
        Ok(Request::chat(
            self.model.clone(),
            self.stream,
            self.conversation()?,
        ))
    }

    /// Asks for the tokens that the request has.
    ///
    /// # Errors
    /// No items, or too many.
    pub fn count(&self) -> Result<Request, Error> {
        let chat = TokenizeRequest::Chat(Box::new(self.conversation()?));
        Ok(Request::whole(self.model.clone(), RequestBody::Tokenize(chat)))
    }

    fn conversation(&self) -> Result<ChatRequest, Error> {
        if self.items.len() > MAX_ITEMS {
            let message = format!("input has {} items: send at most {MAX_ITEMS}", self.items.len());
            return Err(Error::bad_field("input", message));
        }
        let instructions = self.instructions.as_deref().filter(|text| !text.is_empty());
        let system = instructions.map(|text| ChatMessage::new("system", text));
        let messages: Vec<ChatMessage> = system.into_iter().chain(messages(&self.items)).collect();
        if messages.is_empty() {
            return Err(Error::bad_field(
                "input",
                "input has nothing to answer: send a text or a list of items",
            ));
        }
        Ok(ChatRequest {
            messages,
            ..self.chat.clone()
        })
    }

    fn echoed(&self, format: Option<Value>, effort: Option<String>, metadata: Value) -> Map<String, Value> {
        let tools: Value = self.chat.tools.iter().map(tool).collect();
        let choice = match &self.chat.tool_choice {
            ToolChoice::Auto => "auto".into(),
            ToolChoice::None => "none".into(),
            ToolChoice::Required => "required".into(),
            ToolChoice::Named(name) => json!({ "type": "function", "name": name }),
        };
        let sampling = &self.chat.sampling;
        let fields = [
            ("background", false.into()),
            ("instructions", self.instructions.clone().into()),
            (
                "max_output_tokens",
                sampling.max_tokens.filter(|most| *most != u32::MAX).into(),
            ),
            ("max_tool_calls", Value::Null),
            ("metadata", metadata),
            (
                "parallel_tool_calls",
                self.chat.parallel_tool_calls.unwrap_or(true).into(),
            ),
            ("previous_response_id", self.previous.clone().into()),
            ("reasoning", json!({ "effort": effort, "summary": null })),
            ("service_tier", "default".into()),
            ("store", self.store.into()),
            ("temperature", sampling.temperature.into()),
            (
                "text",
                json!({ "format": format.unwrap_or_else(|| json!({ "type": "text" })) }),
            ),
            ("tool_choice", choice),
            ("tools", tools),
            ("top_logprobs", self.chat.logprobs.unwrap_or(0).into()),
            ("top_p", sampling.top_p.into()),
            ("truncation", "disabled".into()),
            ("user", Value::Null),
        ];
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// The answer before anything of it is there.
    pub(super) fn empty_response(&self, model: &str, created: i64) -> Value {
        let mut response = json!({
            "id": self.id, "object": "response", "created_at": created, "status": "in_progress", "error": null,
            "incomplete_details": null, "model": model, "output": [], "usage": null,
        });
        if let Some(map) = response.as_object_mut() {
            map.extend(self.echo.clone());
        }
        response
    }
}

fn tool(tool: &Tool) -> Value {
    json!({
        "type": "function", "name": tool.name, "description": tool.description, "parameters": tool.parameters,
        "strict": tool.strict,
    })
}

/// What this API has and this node does not.
fn refuse(fields: &mut Fields) -> Result<(), Error> {
    refuse_of_responses(fields)?;
    if fields.flag("background")? == Some(true) {
        let message = "background is true: answers are made while the client waits, leave it out";
        return Err(Error::bad_field("background", message));
    }
    match fields.text("truncation")?.as_deref() {
        None | Some("disabled") => {}
        Some(other) => {
            let message = format!(
                "truncation is \"{other}\": nothing is left out of a conversation here, say \"disabled\" and send less"
            );
            return Err(Error::bad_field("truncation", message));
        }
    }
    for (name, instead) in [
        ("conversation", "use previous_response_id"),
        ("prompt", "send the text in instructions and input"),
    ] {
        if fields.any(name).is_some() {
            return Err(Error::bad_field(
                name,
                format!("{name} is not known here: {instead}"),
            ));
        }
    }
    Ok(())
}

/// The form of the text, and how it was written.
fn read_format(text: &mut Fields) -> Result<(ResponseFormat, Option<Value>), Error> {
    let Some(format) = text.any("format") else {
        return Ok((ResponseFormat::Text, None));
    };
    let fields = Fields::of(format.clone(), text.path("format"))?;
    Ok((ResponseFormat::of(fields)?, Some(format)))
}

/// Log-probabilities are asked for among what is to be included. All else there is of tools that there are none of.
fn read_logprobs(fields: &mut Fields) -> Result<Option<u8>, Error> {
    let include = fields.list("include")?.unwrap_or_default();
    let is_included = include.iter().any(|name| name == "message.output_text.logprobs");
    let top = fields.limit("top_logprobs")?;
    match top.or(is_included.then_some(0)) {
        Some(0) if !is_included => Ok(None),
        Some(top) => Ok(Some(top_logprobs("top_logprobs", top)?)),
        None => Ok(None),
    }
}

fn metadata(fields: &mut Fields) -> Result<Value, Error> {
    let pairs = fields.object("metadata")?.map(Fields::rest).unwrap_or_default();
    let (most, name_chars, value_chars) = MAX_METADATA;
    let fits = |(name, value): (&String, &Value)| {
        let is_short = value
            .as_str()
            .is_some_and(|text| text.chars().count() <= value_chars);
        name.chars().count() <= name_chars && is_short
    };
    if pairs.len() > most || !pairs.iter().all(fits) {
        let message = format!(
            "metadata is too large: {most} pairs of texts are kept, names of {name_chars} and values of {value_chars} \
             characters"
        );
        return Err(Error::bad_field("metadata", message));
    }
    Ok(pairs.into())
}

//! Reading what is asked.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use crate::{
    answer::ToolCall,
    error::Error,
    json::fields::{Count, Fields, wrong},
    request::{
        ChatMessage, ChatRequest, CompletionRequest, EmbeddingInput, EmbeddingRequest, Request, RequestBody,
        ResponseFormat, SamplingParams, TextPrompt, Tool, set_effort, stops, top_logprobs,
    },
    router::LATEST,
    shape::{self, Turn, new_id, tool_result},
};

/// The most messages of a conversation.
const MAX_MESSAGES: usize = 100_000;
/// The most calls of tools that wait for their result; of more the oldest have none.
const MAX_OPEN_CALLS: usize = 1000;

/// How the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Chat,
    Generate,
    Embed,
    /// The older route for one text.
    OneEmbedding,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub(super) form: Form,
    model: Option<String>,
    stream: bool,
    /// Whether the model shall be let go. For how long else it stays is the node's own business.
    unloads: bool,
    /// `None` asks for nothing: the model shall be loaded, or let go.
    body: Option<RequestBody>,
}

/// The model's name without the tag that says nothing.
#[must_use]
pub fn bare(name: &str) -> &str {
    name.strip_suffix(LATEST)
        .filter(|bare| !bare.is_empty())
        .unwrap_or(name)
}

/// The model that `POST /api/show` asks for.
///
/// # Errors
/// It is not named.
pub fn shown_model(body: &[u8]) -> Result<String, Error> {
    let mut fields = shape::fields(body)?;
    // Its older name.
    let older = fields.text("name")?;
    let name = shape::model(&mut fields)?.or(older);
    let name = name
        .ok_or_else(|| Error::bad_field("model", "model is missing: GET /api/tags lists those there are"))?;
    Ok(bare(&name).to_owned())
}

impl Asked {
    /// Reads the body of a request to `/api/chat`.
    ///
    /// # Errors
    /// A field that is wrong or cannot be obeyed, by its path.
    pub fn chat(body: &[u8]) -> Result<Asked, Error> {
        let mut fields = shape::fields(body)?;
        let messages = read_messages(&mut fields)?;
        let tools = fields.list("tools")?.unwrap_or_default().into_iter().enumerate();
        let tools = tools
            .map(|(index, tool)| Tool::read(tool, format!("tools[{index}]")))
            .collect::<Result<Vec<Tool>, Error>>()?;
        let chat = ChatRequest {
            tools,
            ..read_chat(&mut fields)?
        };
        let is_empty = messages.is_empty();
        let body = RequestBody::Chat(ChatRequest { messages, ..chat }.continuing());
        Asked::of(&mut fields, Form::Chat, Some(body).filter(|_| !is_empty))
    }

    /// Reads the body of a request to `/api/generate`.
    ///
    /// # Errors
    /// A field that is wrong or cannot be obeyed, by its path.
    pub fn generate(body: &[u8]) -> Result<Asked, Error> {
        let mut fields = shape::fields(body)?;
        refuse_images(&mut fields)?;
        for (name, why) in [
            ("suffix", "texts are not filled in the middle here"),
            (
                "template",
                "the model's own is used; send \"raw\": true to write the prompt yourself",
            ),
            ("context", "send the conversation to /api/chat"),
        ] {
            if fields
                .any(name)
                .is_some_and(|value| value != "" && value != Value::Array(Vec::new()))
            {
                return Err(Error::bad_field(name, format!("{name} is not supported: {why}")));
            }
        }
        let prompt = fields.text("prompt")?.unwrap_or_default();
        let system = fields.text("system")?.filter(|system| !system.is_empty());
        let is_raw = fields.flag("raw")?.unwrap_or(false);
        let chat = read_chat(&mut fields)?;
        let is_empty = prompt.is_empty();
        let body = if is_raw {
            RequestBody::Completion(CompletionRequest {
                prompts: vec![TextPrompt::Text(prompt)],
                sampling: chat.sampling,
                logprobs: chat.logprobs,
                echo: false,
                response_format: chat.response_format,
            })
        } else {
            let system = system.map(|system| ChatMessage::new("system", system));
            let question = ChatMessage::new("user", prompt);
            RequestBody::Chat(ChatRequest {
                messages: system.into_iter().chain([question]).collect(),
                ..chat
            })
        };
        Asked::of(&mut fields, Form::Generate, Some(body).filter(|_| !is_empty))
    }

    /// Reads the body of a request to `/api/embed`, or to the older `/api/embeddings`, which takes one text.
    ///
    /// # Errors
    /// A field that is wrong or cannot be obeyed, by its path.
    pub fn embed(body: &[u8], one_alone: bool) -> Result<Asked, Error> {
        let mut fields = shape::fields(body)?;
        // Ollama cuts unless told not to.
        let truncate = fields.flag("truncate")?.unwrap_or(true);
        let embedding = if one_alone {
            EmbeddingRequest {
                inputs: vec![EmbeddingInput::Text(shape::required(&mut fields, "prompt")?)],
                ..EmbeddingRequest::default()
            }
        } else {
            EmbeddingRequest::read(&mut fields)?
        };
        let body = RequestBody::Embedding(EmbeddingRequest {
            as_base64: false,
            truncate,
            ..embedding
        });
        let form = if one_alone {
            Form::OneEmbedding
        } else {
            Form::Embed
        };
        let mut asked = Asked::of(&mut fields, form, Some(body))?;
        asked.stream = false;
        Ok(asked)
    }

    fn of(fields: &mut Fields, form: Form, body: Option<RequestBody>) -> Result<Asked, Error> {
        let model = shape::model(fields)?.map(|name| bare(&name).to_owned());
        Ok(Asked {
            form,
            model,
            stream: fields.flag("stream")?.unwrap_or(true),
            unloads: read_keep_alive(fields)?,
            body,
        })
    }

    /// Whether nothing is asked but that the model is let go.
    #[must_use]
    pub fn unloads(&self) -> bool {
        self.unloads && self.body.is_none()
    }

    /// Whether the answer is wanted in parts.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.stream
    }

    /// The model by its bare name, where one is named.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// What is asked of a backend; `None` where the model shall be loaded alone.
    #[must_use]
    pub fn request(&self) -> Option<Request> {
        let request = match self.body.clone()? {
            // In parts also where the client wants it whole: Ollama's answers tell how long each stage took.
            RequestBody::Chat(chat) => Request::chat(self.model.clone(), true, chat),
            body @ RequestBody::Completion(_) => {
                let mut request = Request::whole(self.model.clone(), body);
                request.stream = true;
                request.with_usage = true;
                request
            }
            body @ (RequestBody::Embedding(_) | RequestBody::Tokenize(_) | RequestBody::Detokenize(_)) => {
                Request::whole(self.model.clone(), body)
            }
        };
        Some(request)
    }
}

/// Reads `keep_alive`, seconds or a duration as Go writes it, and says whether it is zero.
fn read_keep_alive(fields: &mut Fields) -> Result<bool, Error> {
    let path = fields.path("keep_alive");
    let wanted = "seconds, or a duration such as \"5m\"";
    match fields.any("keep_alive") {
        None => Ok(false),
        Some(Value::Number(seconds)) => Ok(seconds.as_f64() == Some(0.0)),
        Some(Value::String(text)) => match is_zero_duration(&text) {
            Some(is_zero) => Ok(is_zero),
            None => Err(wrong(&path, &text.into(), wanted)),
        },
        Some(other) => Err(wrong(&path, &other, wanted)),
    }
}

/// Whether a duration is zero; `None` where it is none.
fn is_zero_duration(text: &str) -> Option<bool> {
    let mut rest = text.trim().trim_start_matches(['-', '+']);
    if rest == "0" {
        return Some(true);
    }
    let mut is_zero = true;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        is_zero &= number == 0.0;
        rest = &rest[end..];
        let unit = ["ns", "us", "µs", "ms", "s", "m", "h"]
            .into_iter()
            .filter(|unit| rest.starts_with(unit))
            .max_by_key(|unit| unit.len())?;
        rest = &rest[unit.len()..];
    }
    (!text.trim().is_empty()).then_some(is_zero)
}

/// What both text routes share, without messages and tools.
fn read_chat(fields: &mut Fields) -> Result<ChatRequest, Error> {
    let mut sampling = match fields.object("options")? {
        Some(mut options) => read_options(&mut options)?,
        None => SamplingParams::default(),
    };
    // Unlike OpenAI's, these routes have no usual end.
    sampling.max_tokens.get_or_insert(u32::MAX);
    let mut template_kwargs = Map::new();
    match fields.any("think") {
        None => {}
        Some(Value::Bool(thinks)) => {
            template_kwargs.insert("enable_thinking".to_owned(), thinks.into());
        }
        Some(Value::String(effort)) => set_effort(&mut template_kwargs, effort),
        Some(other) => return Err(wrong("think", &other, "true, false or how much")),
    }
    let response_format = match fields.any("format") {
        None => ResponseFormat::Text,
        Some(Value::String(word)) if word.is_empty() => ResponseFormat::Text,
        Some(Value::String(word)) if word == "json" => ResponseFormat::JsonObject,
        Some(schema @ Value::Object(_)) => ResponseFormat::schema("format", None, schema, true)?,
        Some(other) => return Err(wrong("format", &other, "\"json\" or a JSON schema")),
    };
    let top = fields.limit("top_logprobs")?;
    let logprobs = match fields.flag("logprobs")? {
        Some(true) => Some(top_logprobs("top_logprobs", top.unwrap_or(0))?),
        Some(false) | None => None,
    };
    Ok(ChatRequest {
        sampling,
        response_format,
        template_kwargs,
        logprobs,
        ..ChatRequest::default()
    })
}

/// Options. Those of the machine (`num_ctx`, `num_gpu`, `num_thread` …) are the node's own business and passed over.
fn read_options(options: &mut Fields) -> Result<SamplingParams, Error> {
    for (name, off) in [("mirostat", 0.0), ("tfs_z", 1.0), ("typical_p", 1.0)] {
        let at = options.path(name);
        let is_off = |value: &f32| (*value - off).abs() < f32::EPSILON;
        if options
            .number(name, 0.0, f32::MAX)?
            .is_some_and(|value| !is_off(&value))
        {
            let message = format!("{at} is not supported: use temperature, top_k, top_p or min_p");
            return Err(Error::bad_field(&at, message));
        }
    }
    let at = options.path("num_predict");
    let num_predict = match options.any("num_predict") {
        // -1: no limit; -2: until the context is full, which is the same here.
        Some(Value::Number(number)) if number.as_i64().is_some_and(|number| number < 0) => None,
        Some(value) => {
            let mut field = Map::new();
            field.insert(at.clone(), value);
            Fields::of_body(field.into())?.limit(&at)?
        }
        None => None,
    };
    Ok(SamplingParams {
        temperature: options.number("temperature", 0.0, 2.0)?,
        top_p: options.number("top_p", 0.0, 1.0)?,
        top_k: options.count("top_k")?.map(|count| match count {
            Count::Of(count) => count,
            Count::NoLimit => 0,
        }),
        min_p: options.number("min_p", 0.0, 1.0)?,
        seed: options.seed("seed")?,
        presence_penalty: options.number("presence_penalty", -2.0, 2.0)?,
        frequency_penalty: options.number("frequency_penalty", -2.0, 2.0)?,
        repetition_penalty: options.number("repeat_penalty", 0.01, 10.0)?,
        stop: stops(options, "stop")?,
        max_tokens: num_predict,
        ..SamplingParams::default()
    })
}

fn refuse_images(fields: &mut Fields) -> Result<(), Error> {
    let at = fields.path("images");
    match fields.list("images")? {
        Some(images) if !images.is_empty() => Err(Error::bad_field(
            &at,
            format!("{at} has images: models are given text alone here, leave them out"),
        )),
        Some(_) | None => Ok(()),
    }
}

fn read_messages(fields: &mut Fields) -> Result<Vec<ChatMessage>, Error> {
    let list = fields.list("messages")?.unwrap_or_default();
    if list.len() > MAX_MESSAGES {
        let message = format!(
            "messages has {} messages: send at most {MAX_MESSAGES}",
            list.len()
        );
        return Err(Error::bad_field("messages", message));
    }
    let mut messages = Vec::with_capacity(list.len());
    // Ollama names no calls: a result belongs to the first call of its tool that has none yet.
    let mut open: VecDeque<(String, String)> = VecDeque::new();
    for (index, message) in list.into_iter().enumerate() {
        let mut fields = Fields::of(message, format!("messages[{index}]"))?;
        refuse_images(&mut fields)?;
        let at = fields.path("role");
        let role = shape::required(&mut fields, "role")?;
        let text = fields.text("content")?.unwrap_or_default();
        match role.as_str() {
            "system" | "user" | "developer" => messages.push(ChatMessage::new(role, text)),
            "assistant" => {
                let turn = read_turn(&mut fields, text)?;
                open.extend(turn.calls.iter().map(|call| (call.id.clone(), call.name.clone())));
                // Each result looks through them all.
                open.drain(..open.len().saturating_sub(MAX_OPEN_CALLS));
                messages.extend({ turn }.take());
            }
            "tool" => {
                let name = fields.text("tool_name")?;
                let call_id = fields.text("tool_call_id")?;
                let fits = |(id, known): &(String, String)| match (&call_id, &name) {
                    (Some(call_id), _) => id == call_id,
                    (None, Some(name)) => known == name,
                    (None, None) => true,
                };
                let call = open.iter().position(fits).and_then(|at| open.remove(at));
                let (id, known) = call.unzip();
                let id = id.or(call_id).unwrap_or_default();
                messages.push(tool_result(&id, name.or(known).as_deref(), text));
            }
            other => {
                let message =
                    format!("{at} is \"{other}\": say \"system\", \"user\", \"assistant\" or \"tool\"");
                return Err(Error::bad_field(&at, message));
            }
        }
    }
    Ok(messages)
}

fn read_turn(fields: &mut Fields, text: String) -> Result<Turn, Error> {
    let path = fields.path("tool_calls");
    let mut calls = Vec::new();
    for (index, call) in fields
        .list("tool_calls")?
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        let mut call = Fields::of(call, format!("{path}[{index}]"))?;
        let id = call.text("id")?.unwrap_or_else(|| new_id("call"));
        let at = call.path("function");
        let function = call.object("function")?;
        let mut function = function.ok_or_else(|| Error::bad_field(&at, format!("{at} is missing")))?;
        let arguments = match function.any("arguments") {
            None => "{}".to_owned(),
            Some(Value::String(text)) => text,
            Some(object) => object.to_string(),
        };
        let name = shape::required(&mut function, "name")?;
        calls.push(ToolCall { id, name, arguments });
    }
    Ok(Turn {
        text,
        reasoning: fields.text("thinking")?.unwrap_or_default(),
        calls,
    })
}

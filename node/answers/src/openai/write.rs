//! Answers as OpenAI writes them: exactly the fields of its reference, `null` where it says so.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hearth_engine::TokenLogprob;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::json::scan::renamed;
use crate::{
    answer::{Choice, Chunk, Delta, Embeddings, FinishReason, Head, ToolCall, Usage, Whole},
    error::Error,
    operation::Operation,
    request::Request,
    sse,
};

/// A whole answer as JSON.
#[must_use]
pub fn whole(request: &Request, head: &Head, whole: &Whole) -> Bytes {
    if let Whole::Foreign(_, json) = whole {
        return renamed(json, &head.model);
    }
    let value = match whole {
        Whole::Foreign(_, _) => Value::Null,
        Whole::Generation(generation) if request.operation == Operation::Completion => {
            let choices = generation.choices.iter().map(TextChoice::of).collect();
            return written(&Answered::of(
                request,
                "cmpl",
                "text_completion",
                head,
                choices,
                generation.usage,
            ));
        }
        Whole::Generation(generation) => {
            let legacy_functions = head.form.legacy_functions;
            let choices = generation.choices.iter();
            let choices = choices
                .map(|choice| ChatChoice::of(choice, legacy_functions))
                .collect();
            return written(&Answered::of(
                request,
                "chatcmpl",
                "chat.completion",
                head,
                choices,
                generation.usage,
            ));
        }
        Whole::Embeddings(embeddings) => embedding(head, embeddings),
        Whole::Tokens(tokens) => json!({
            "tokens": tokens, "count": tokens.len(), "model": head.model,
        }),
        Whole::Text(text) => json!({ "prompt": text, "content": text, "model": head.model }),
    };
    value.to_string().into()
}

/// Texts and numbers always make JSON.
fn written(answer: &impl Serialize) -> Bytes {
    serde_json::to_vec(answer).unwrap_or_default().into()
}

/// A whole answer of texts. Values are written as they stand: a tree of them would be most of a relay's own cost.
#[derive(Serialize)]
struct Answered<'a, C> {
    id: String,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: Vec<C>,
    usage: Counts,
    system_fingerprint: Option<&'a str>,
}

impl<'a, C> Answered<'a, C> {
    fn of(
        request: &Request,
        prefix: &str,
        object: &'static str,
        head: &'a Head,
        choices: Vec<C>,
        usage: Option<Usage>,
    ) -> Answered<'a, C> {
        Answered {
            id: id_of(prefix, request),
            object,
            created: head.created,
            model: &head.model,
            choices,
            usage: usage.unwrap_or_default().into(),
            system_fingerprint: head.fingerprint.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct ChatChoice<'a> {
    index: u32,
    message: Message<'a>,
    logprobs: Option<Value>,
    finish_reason: Option<&'a str>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<Function<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct TextChoice<'a> {
    index: u32,
    text: &'a str,
    logprobs: Option<Value>,
    finish_reason: Option<&'a str>,
}

#[derive(Serialize)]
struct Counts {
    prompt_tokens: u32,
    completion_tokens: u32,
    total_tokens: u32,
    prompt_tokens_details: PromptCounts,
    completion_tokens_details: CompletionCounts,
}

#[derive(Serialize)]
struct PromptCounts {
    cached_tokens: u32,
}

#[derive(Serialize)]
struct CompletionCounts {
    reasoning_tokens: u32,
}

impl From<Usage> for Counts {
    fn from(usage: Usage) -> Counts {
        Counts {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            total_tokens: usage.total(),
            prompt_tokens_details: PromptCounts {
                cached_tokens: usage.cached_tokens,
            },
            completion_tokens_details: CompletionCounts {
                reasoning_tokens: usage.reasoning_tokens,
            },
        }
    }
}

impl<'a> ChatChoice<'a> {
    fn of(choice: &'a Choice, legacy_functions: bool) -> ChatChoice<'a> {
        ChatChoice {
            index: choice.index,
            message: Message::of(choice, legacy_functions),
            logprobs: choice.logprobs.as_deref().map(chat_logprobs),
            finish_reason: choice
                .finish_reason
                .as_ref()
                .map(|reason| finish(reason, legacy_functions)),
        }
    }
}

impl<'a> Message<'a> {
    fn of(choice: &'a Choice, legacy_functions: bool) -> Message<'a> {
        // Beside calls, OpenAI writes no text as null.
        let is_silent = choice.text.is_empty() && !choice.tool_calls.is_empty();
        let (first, calls) = if legacy_functions {
            (choice.tool_calls.first(), &[][..])
        } else {
            (None, choice.tool_calls.as_slice())
        };
        Message {
            role: "assistant",
            content: (!is_silent).then_some(choice.text.as_str()),
            refusal: choice.refusal.as_deref(),
            reasoning_content: Some(choice.reasoning.as_str()).filter(|text| !text.is_empty()),
            function_call: first.map(Function::of),
            tool_calls: calls.iter().map(Call::of).collect(),
        }
    }
}

impl<'a> Call<'a> {
    fn of(call: &'a ToolCall) -> Call<'a> {
        Call {
            id: &call.id,
            kind: "function",
            function: Function::of(call),
        }
    }
}

impl<'a> Function<'a> {
    fn of(call: &'a ToolCall) -> Function<'a> {
        Function {
            name: &call.name,
            arguments: &call.arguments,
        }
    }
}

impl<'a> TextChoice<'a> {
    fn of(choice: &'a Choice) -> TextChoice<'a> {
        TextChoice {
            index: choice.index,
            text: &choice.text,
            logprobs: choice
                .logprobs
                .as_deref()
                .map(|tokens| completion_logprobs(tokens, 0)),
            finish_reason: choice.finish_reason.as_ref().map(FinishReason::word),
        }
    }
}

/// Writes the parts of a stream.
pub struct Writer {
    is_completion: bool,
    with_usage: bool,
    id: String,
    head: Head,
    /// Characters of each text so far, for the older route's log-probabilities.
    n_chars: BTreeMap<u32, usize>,
}

impl Writer {
    /// A writer of the answer to `request`.
    #[must_use]
    pub fn new(request: &Request, head: Head) -> Writer {
        let is_completion = request.operation == Operation::Completion;
        Writer {
            is_completion,
            with_usage: request.with_usage,
            id: id_of(if is_completion { "cmpl" } else { "chatcmpl" }, request),
            head,
            n_chars: BTreeMap::new(),
        }
    }

    /// A part as server-sent events; nothing where the client gets nothing of it.
    pub fn chunk(&mut self, chunk: &Chunk) -> Bytes {
        if let Some(json) = &chunk.foreign {
            if chunk.choices.is_empty() && chunk.usage.is_some() && !self.with_usage {
                return Bytes::new();
            }
            return sse::encode(&renamed(json, &self.head.model));
        }
        let mut out = Vec::new();
        for delta in &chunk.choices {
            if delta.is_empty() {
                continue;
            }
            let choice = if self.is_completion {
                self.completion_choice(delta)
            } else {
                chat_choice(delta, self.head.form.legacy_functions)
            };
            let usage = self.with_usage.then_some(Value::Null);
            let event = self.envelope(vec![choice], usage);
            out.extend_from_slice(&sse::encode(event.to_string().as_bytes()));
        }
        if let Some(usage) = chunk.usage.filter(|_| self.with_usage) {
            let event = self.envelope(Vec::new(), serde_json::to_value(Counts::from(usage)).ok());
            out.extend_from_slice(&sse::encode(event.to_string().as_bytes()));
        }
        out.into()
    }

    /// What stands in place of the rest of a stream that cannot go on. No end follows it.
    #[must_use]
    pub fn error(error: &Error) -> Bytes {
        sse::encode(&error.body())
    }

    fn envelope(&self, choices: Vec<Value>, usage: Option<Value>) -> Value {
        let object = if self.is_completion {
            "text_completion"
        } else {
            "chat.completion.chunk"
        };
        let mut envelope = json!({
            "id": self.id, "object": object, "created": self.head.created, "model": self.head.model,
            "choices": choices, "system_fingerprint": self.head.fingerprint,
        });
        if let Some(usage) = usage {
            envelope["usage"] = usage;
        }
        envelope
    }

    fn completion_choice(&mut self, delta: &Delta) -> Value {
        let n_chars = self.n_chars.entry(delta.index).or_default();
        let logprobs = completion_logprobs(&delta.logprobs, *n_chars);
        *n_chars += delta.text.chars().count();
        json!({
            "index": delta.index, "text": delta.text, "logprobs": logprobs,
            "finish_reason": delta.finish_reason.as_ref().map(FinishReason::word),
        })
    }
}

fn chat_choice(delta: &Delta, legacy_functions: bool) -> Value {
    let mut said = Map::new();
    if delta.opens {
        said.insert("role".to_owned(), "assistant".into());
    }
    if delta.opens || !delta.text.is_empty() {
        said.insert("content".to_owned(), delta.text.as_str().into());
    }
    if !delta.reasoning.is_empty() {
        said.insert("reasoning_content".to_owned(), delta.reasoning.as_str().into());
    }
    if !delta.refusal.is_empty() {
        said.insert("refusal".to_owned(), delta.refusal.as_str().into());
    }
    // The older form has room for one call.
    let shown = delta
        .tool_calls
        .iter()
        .filter(|call| !legacy_functions || call.index == 0);
    let calls = shown.map(|call| {
        let mut function = Map::new();
        if let Some(name) = &call.name {
            function.insert("name".to_owned(), name.as_str().into());
        }
        function.insert("arguments".to_owned(), call.arguments.as_str().into());
        match (&call.id, legacy_functions) {
            (_, true) => function.into(),
            (Some(id), false) => {
                json!({ "index": call.index, "id": id, "type": "function", "function": function })
            }
            (None, false) => json!({ "index": call.index, "function": function }),
        }
    });
    let mut calls: Vec<Value> = calls.collect();
    if legacy_functions {
        if !calls.is_empty() {
            said.insert("function_call".to_owned(), calls.swap_remove(0));
        }
    } else if !calls.is_empty() {
        said.insert("tool_calls".to_owned(), calls.into());
    }
    let logprobs = (!delta.logprobs.is_empty()).then(|| chat_logprobs(&delta.logprobs));
    json!({
        "index": delta.index, "delta": said, "logprobs": logprobs,
        "finish_reason": delta.finish_reason.as_ref().map(|reason| finish(reason, legacy_functions)),
    })
}

fn embedding(head: &Head, embeddings: &Embeddings) -> Value {
    let data: Vec<Value> = embeddings
        .vectors
        .iter()
        .enumerate()
        .map(|(index, vector)| {
            let vector: Value = if head.form.as_base64 {
                let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                BASE64_STANDARD.encode(bytes).into()
            } else {
                vector.clone().into()
            };
            json!({ "object": "embedding", "index": index, "embedding": vector })
        })
        .collect();
    json!({
        "object": "list", "data": data, "model": head.model,
        "usage": { "prompt_tokens": embeddings.prompt_tokens, "total_tokens": embeddings.prompt_tokens },
    })
}

fn finish(reason: &FinishReason, legacy_functions: bool) -> &str {
    match reason {
        FinishReason::ToolCalls if legacy_functions => "function_call",
        FinishReason::ToolCalls
        | FinishReason::Stop
        | FinishReason::StopText(_)
        | FinishReason::Length
        | FinishReason::ContentFilter
        | FinishReason::Other(_) => reason.word(),
    }
}

/// Tokens with their log-probabilities, as the newer routes write them.
pub(crate) fn logprobs(tokens: &[TokenLogprob]) -> Value {
    tokens
        .iter()
        .map(|token| {
            let top: Vec<Value> = token
                .top
                .iter()
                .map(|(_, bytes, logprob)| {
                    json!({ "token": String::from_utf8_lossy(bytes), "logprob": logprob, "bytes": bytes })
                })
                .collect();
            json!({
                "token": String::from_utf8_lossy(&token.bytes), "logprob": token.logprob, "bytes": token.bytes,
                "top_logprobs": top,
            })
        })
        .collect()
}

fn chat_logprobs(tokens: &[TokenLogprob]) -> Value {
    json!({ "content": logprobs(tokens), "refusal": null })
}

/// Log-probabilities in the form of the older route. `offset` is where the first token begins, in characters.
fn completion_logprobs(tokens: &[TokenLogprob], mut offset: usize) -> Value {
    if tokens.is_empty() {
        return Value::Null;
    }
    let (mut texts, mut logprobs, mut tops, mut offsets) = (vec![], vec![], vec![], vec![]);
    for token in tokens {
        let text = String::from_utf8_lossy(&token.bytes).into_owned();
        offsets.push(offset);
        offset += text.chars().count();
        texts.push(text);
        // Nothing stands before the first token of a prompt that could make it likely.
        let is_known = token.logprob.is_finite();
        logprobs.push(is_known.then_some(token.logprob));
        let top: Map<String, Value> = token
            .top
            .iter()
            .map(|(_, bytes, logprob)| (String::from_utf8_lossy(bytes).into_owned(), (*logprob).into()))
            .collect();
        tops.push(is_known.then_some(top));
    }
    json!({ "tokens": texts, "token_logprobs": logprobs, "top_logprobs": tops, "text_offset": offsets })
}

/// An id as OpenAI writes them. It is the request's own, by which its headers, receipts and logs are found.
fn id_of(prefix: &str, request: &Request) -> String {
    format!("{prefix}-{}", request.id.simple())
}

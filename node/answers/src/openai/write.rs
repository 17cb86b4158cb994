//! Answers as OpenAI writes them: exactly the fields of its reference, `null` where it says so.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hearth_engine::TokenLogprob;
use serde_json::{Map, Value, json};

use crate::json::scan::renamed;
use crate::{
    answer::{Choice, Chunk, Delta, Embeddings, FinishReason, Generation, Head, ToolCall, Usage, Whole},
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
            completion(head, generation)
        }
        Whole::Generation(generation) => chat(head, generation),
        Whole::Embeddings(embeddings) => embedding(head, embeddings),
        Whole::Tokens(tokens) => json!({
            "tokens": tokens, "count": tokens.len(), "model": head.model,
        }),
        Whole::Text(text) => json!({ "prompt": text, "content": text, "model": head.model }),
    };
    value.to_string().into()
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
            id: new_id(if is_completion { "cmpl" } else { "chatcmpl" }),
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
            let event = self.envelope(Vec::new(), Some(counted(usage)));
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

fn chat(head: &Head, generation: &Generation) -> Value {
    let legacy_functions = head.form.legacy_functions;
    let choices: Vec<Value> = generation
        .choices
        .iter()
        .map(|choice| {
            let message = message(choice, legacy_functions);
            let logprobs = choice.logprobs.as_deref().map(chat_logprobs);
            json!({
                "index": choice.index, "message": message, "logprobs": logprobs,
                "finish_reason": choice.finish_reason.as_ref().map(|reason| finish(reason, legacy_functions)),
            })
        })
        .collect();
    json!({
        "id": new_id("chatcmpl"), "object": "chat.completion", "created": head.created, "model": head.model,
        "choices": choices, "usage": counted(generation.usage.unwrap_or_default()),
        "system_fingerprint": head.fingerprint,
    })
}

fn message(choice: &Choice, legacy_functions: bool) -> Value {
    // Beside calls, OpenAI writes no text as null.
    let content = if choice.text.is_empty() && !choice.tool_calls.is_empty() {
        Value::Null
    } else {
        choice.text.as_str().into()
    };
    let mut message = json!({ "role": "assistant", "content": content, "refusal": choice.refusal });
    if !choice.reasoning.is_empty() {
        message["reasoning_content"] = choice.reasoning.as_str().into();
    }
    let function = |call: &ToolCall| json!({ "name": call.name, "arguments": call.arguments });
    match choice.tool_calls.first() {
        None => {}
        Some(first) if legacy_functions => message["function_call"] = function(first),
        Some(_) => {
            message["tool_calls"] = choice
                .tool_calls
                .iter()
                .map(|call| json!({ "id": call.id, "type": "function", "function": function(call) }))
                .collect();
        }
    }
    message
}

fn completion(head: &Head, generation: &Generation) -> Value {
    let choices: Vec<Value> = generation
        .choices
        .iter()
        .map(|choice| {
            json!({
                "index": choice.index, "text": choice.text,
                "logprobs": choice.logprobs.as_deref().map(|tokens| completion_logprobs(tokens, 0)),
                "finish_reason": choice.finish_reason.as_ref().map(FinishReason::word),
            })
        })
        .collect();
    json!({
        "id": new_id("cmpl"), "object": "text_completion", "created": head.created, "model": head.model,
        "choices": choices, "usage": counted(generation.usage.unwrap_or_default()),
        "system_fingerprint": head.fingerprint,
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

fn counted(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total(),
        "prompt_tokens_details": { "cached_tokens": usage.cached_tokens },
        "completion_tokens_details": { "reasoning_tokens": usage.reasoning_tokens },
    })
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

/// An id as OpenAI writes them.
pub(crate) fn new_id(prefix: &str) -> String {
    format!("{prefix}-{}", uuid::Uuid::new_v4().simple())
}

//! Answers as lines of JSON, or as one.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::{Asked, read::Form};
use crate::{
    answer::{Chunk, Delta, FinishReason, Head, ToolCall, ToolCallDelta, Usage},
    error::Error,
    openai::logprobs,
    shape::{self, time_of},
};

/// Writes one answer.
pub(super) struct Writer {
    is_chat: bool,
    model: String,
    created_at: String,
    /// When the request came, when a model had it, and when it wrote its first and last token.
    begun: Instant,
    taken_on: Instant,
    first: Option<Instant>,
    last: Instant,
    /// What came so far, for an answer that is whole.
    text: String,
    reasoning: String,
    tokens: Vec<Value>,
    calls: Vec<Value>,
    /// The call that is being written: a line has whole calls alone.
    call: Option<(u32, ToolCall)>,
    finish_reason: Option<FinishReason>,
    usage: Usage,
    is_stream: bool,
    ending: Value,
}

impl Writer {
    pub(super) fn new(asked: &Asked, begun: Instant, head: &Head) -> Writer {
        let now = Instant::now();
        Writer {
            is_chat: asked.form == Form::Chat,
            model: head.model.clone(),
            created_at: time_of(head.created),
            begun,
            taken_on: now,
            first: None,
            last: now,
            text: String::new(),
            reasoning: String::new(),
            tokens: Vec::new(),
            calls: Vec::new(),
            call: None,
            finish_reason: None,
            usage: Usage::default(),
            is_stream: asked.is_stream(),
            ending: Value::Null,
        }
    }

    /// The whole answer at its end.
    pub(super) fn whole(&mut self) -> Value {
        let (text, reasoning) = (
            std::mem::take(&mut self.text),
            std::mem::take(&mut self.reasoning),
        );
        let (calls, tokens) = (std::mem::take(&mut self.calls), std::mem::take(&mut self.tokens));
        let mut answer = self.line(&text, &reasoning, calls, tokens);
        if let (Some(answer), Value::Object(ending)) =
            (answer.as_object_mut(), std::mem::take(&mut self.ending))
        {
            answer.extend(ending);
        }
        answer
    }

    fn line(&self, text: &str, reasoning: &str, calls: Vec<Value>, tokens: Vec<Value>) -> Value {
        let mut line = json!({ "model": self.model, "created_at": self.created_at });
        let mut said = Map::new();
        if self.is_chat {
            said.insert("role".to_owned(), "assistant".into());
        }
        said.insert(
            if self.is_chat { "content" } else { "response" }.to_owned(),
            text.into(),
        );
        if !reasoning.is_empty() {
            said.insert("thinking".to_owned(), reasoning.into());
        }
        if !calls.is_empty() {
            said.insert("tool_calls".to_owned(), calls.into());
        }
        if self.is_chat {
            line["message"] = said.into();
        } else if let Some(line) = line.as_object_mut() {
            line.extend(said);
        }
        line["done"] = false.into();
        if !tokens.is_empty() {
            line["logprobs"] = tokens.into();
        }
        line
    }

    /// The call that is complete, as an object.
    fn end_call(&mut self) -> Option<Value> {
        let (index, call) = self.call.take()?;
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
        let arguments = match arguments {
            Value::Object(map) => map,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                let mut map = Map::new();
                if !call.arguments.trim().is_empty() {
                    map.insert("arguments".to_owned(), call.arguments.into());
                }
                map
            }
        };
        let function = json!({ "index": index, "name": call.name, "arguments": arguments });
        Some(json!({ "id": call.id, "function": function }))
    }

    /// Takes parts of calls and gives those that are complete.
    fn add_calls(&mut self, deltas: Vec<ToolCallDelta>) -> Vec<Value> {
        let mut complete = Vec::new();
        for delta in deltas {
            if self.call.as_ref().is_none_or(|(index, _)| *index != delta.index) {
                complete.extend(self.end_call());
                self.call = Some((delta.index, ToolCall::default()));
            }
            if let Some((_, call)) = &mut self.call {
                call.id.push_str(&delta.id.unwrap_or_default());
                call.name.push_str(&delta.name.unwrap_or_default());
                call.arguments.push_str(&delta.arguments);
            }
        }
        complete
    }

    fn delta(&mut self, delta: Delta) -> Bytes {
        self.finish_reason = delta.finish_reason.or(self.finish_reason.take());
        let calls = self.add_calls(delta.tool_calls);
        let text = delta.text + &delta.refusal;
        let tokens = match logprobs(&delta.logprobs) {
            Value::Array(tokens) => tokens,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                Vec::new()
            }
        };
        if text.is_empty() && delta.reasoning.is_empty() && calls.is_empty() {
            return Bytes::new();
        }
        self.last = Instant::now();
        self.first.get_or_insert(self.last);
        if self.is_stream {
            return written(&self.line(&text, &delta.reasoning, calls, tokens));
        }
        self.text.push_str(&text);
        self.reasoning.push_str(&delta.reasoning);
        self.calls.extend(calls);
        self.tokens.extend(tokens);
        Bytes::new()
    }
}

impl shape::Writer for Writer {
    fn chunk(&mut self, chunk: Chunk) -> Bytes {
        if let Some(usage) = chunk.usage {
            self.usage = usage;
        } else if chunk.choices.is_empty() {
            // A line that says nothing keeps a quiet connection open.
            return written(&self.line("", "", Vec::new(), Vec::new()));
        }
        let mut out = Vec::new();
        for delta in chunk.choices.into_iter().filter(|delta| delta.index == 0) {
            out.extend_from_slice(&self.delta(delta));
        }
        out.into()
    }

    fn end(&mut self) -> Result<Bytes, Error> {
        let reason = self.finish_reason.take().ok_or_else(Error::broken_off)?;
        let calls: Vec<Value> = self.end_call().into_iter().collect();
        let first = self.first.unwrap_or(self.last);
        self.ending = json!({
            "done": true, "done_reason": if reason == FinishReason::Length { "length" } else { "stop" },
            "total_duration": nanoseconds(self.begun.elapsed()),
            "load_duration": nanoseconds(self.taken_on - self.begun),
            "prompt_eval_count": self.usage.prompt_tokens,
            "prompt_eval_duration": nanoseconds(first - self.taken_on),
            "eval_count": self.usage.completion_tokens,
            "eval_duration": nanoseconds(self.last - first),
        });
        if !self.is_stream {
            self.calls.extend(calls);
            return Ok(Bytes::new());
        }
        let mut out = Vec::new();
        if !calls.is_empty() {
            out.extend_from_slice(&written(&self.line("", "", calls, Vec::new())));
        }
        out.extend_from_slice(&written(&self.whole()));
        Ok(out.into())
    }

    fn error(&mut self, error: &Error) -> Bytes {
        written(&json!({ "error": shape::said(error) }))
    }
}

fn written(line: &Value) -> Bytes {
    format!("{line}\n").into()
}

pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

//! The events of a message, and the message itself, which is what they add up to.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::error_body;
use crate::{
    answer::{Chunk, Delta, FinishReason, Head, ToolCallDelta, Usage},
    error::Error,
    shape::{self, new_id},
    sse,
};

/// The content block that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Nothing,
    Thinking,
    Text,
    /// The call of this number.
    Call(u32),
}

/// Writes one message.
pub(super) struct Writer {
    message: Value,
    content: Vec<Value>,
    open: Open,
    /// What the open block has so far.
    text: String,
    finish_reason: Option<FinishReason>,
    usage: Option<Usage>,
    out: Vec<u8>,
}

impl Writer {
    pub(super) fn new(head: &Head) -> Writer {
        // Programs show how full the context is by what a message begins with.
        let known = Usage {
            prompt_tokens: head.prompt_tokens.unwrap_or_default(),
            ..Usage::default()
        };
        let message = json!({
            "id": new_id("msg"), "type": "message", "role": "assistant", "model": head.model, "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": counted(known),
        });
        Writer {
            message,
            content: Vec::new(),
            open: Open::Nothing,
            text: String::new(),
            finish_reason: None,
            usage: None,
            out: Vec::new(),
        }
    }

    /// The message at its end.
    pub(super) fn into_message(self) -> Value {
        self.message
    }

    fn event(&mut self, name: &str, mut data: Value) {
        data["type"] = name.into();
        let event = sse::Event {
            name: name.to_owned(),
            data: data.to_string(),
        };
        self.out.extend_from_slice(&event.encode());
    }

    fn index(&self) -> usize {
        self.content.len().saturating_sub(1)
    }

    fn open_block(&mut self, open: Open, block: Value) {
        self.end_block();
        self.open = open;
        self.content.push(block.clone());
        let index = self.index();
        self.event(
            "content_block_start",
            json!({ "index": index, "content_block": block }),
        );
    }

    fn end_block(&mut self) {
        if self.open == Open::Nothing {
            return;
        }
        let index = self.index();
        let text = std::mem::take(&mut self.text);
        if let Some(block) = self.content.last_mut() {
            match self.open {
                Open::Thinking => block["thinking"] = text.into(),
                Open::Text => block["text"] = text.into(),
                Open::Call(_) => block["input"] = arguments(&text),
                Open::Nothing => {}
            }
        }
        self.open = Open::Nothing;
        self.event("content_block_stop", json!({ "index": index }));
    }

    fn add(&mut self, delta: Value, new: &str) {
        self.text.push_str(new);
        let index = self.index();
        self.event("content_block_delta", json!({ "index": index, "delta": delta }));
    }

    fn add_text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.open != Open::Text {
            self.open_block(Open::Text, json!({ "type": "text", "text": "" }));
        }
        self.add(json!({ "type": "text_delta", "text": text }), text);
    }

    fn call(&mut self, call: ToolCallDelta) {
        if self.open != Open::Call(call.index) {
            let id = call
                .id
                .filter(|id| !id.is_empty())
                .unwrap_or_else(|| new_id("toolu"));
            let name = call.name.unwrap_or_default();
            self.open_block(
                Open::Call(call.index),
                json!({ "type": "tool_use", "id": id, "name": name, "input": {} }),
            );
        }
        if !call.arguments.is_empty() {
            let delta = json!({ "type": "input_json_delta", "partial_json": call.arguments });
            self.add(delta, &call.arguments);
        }
    }

    fn delta(&mut self, delta: Delta) {
        if !delta.reasoning.is_empty() {
            if self.open != Open::Thinking {
                let block = json!({ "type": "thinking", "thinking": "", "signature": "" });
                self.open_block(Open::Thinking, block);
            }
            let new = json!({ "type": "thinking_delta", "thinking": delta.reasoning });
            self.add(new, &delta.reasoning);
        }
        self.add_text(&delta.text);
        self.add_text(&delta.refusal);
        for call in delta.tool_calls {
            self.call(call);
        }
        self.finish_reason = delta.finish_reason.or(self.finish_reason.take());
    }

    fn taken(&mut self) -> Bytes {
        std::mem::take(&mut self.out).into()
    }
}

impl shape::Writer for Writer {
    fn begin(&mut self) -> Bytes {
        let message = self.message.clone();
        self.event("message_start", json!({ "message": message }));
        self.event("ping", json!({}));
        self.taken()
    }

    fn chunk(&mut self, chunk: Chunk) -> Bytes {
        self.usage = chunk.usage.or(self.usage);
        if chunk.choices.is_empty() && chunk.usage.is_none() {
            self.event("ping", json!({}));
        }
        for delta in chunk.choices.into_iter().filter(|delta| delta.index == 0) {
            self.delta(delta);
        }
        self.taken()
    }

    fn end(&mut self) -> Result<Bytes, Error> {
        let reason = self.finish_reason.take().ok_or_else(Error::broken_off)?;
        if self.content.is_empty() {
            self.open_block(Open::Text, json!({ "type": "text", "text": "" }));
        }
        self.end_block();
        let stop_text = match &reason {
            FinishReason::StopText(text) => Some(text.clone()),
            FinishReason::Stop
            | FinishReason::Length
            | FinishReason::ToolCalls
            | FinishReason::ContentFilter
            | FinishReason::Other(_) => None,
        };
        let reason = match reason {
            FinishReason::StopText(_) => "stop_sequence",
            FinishReason::Stop | FinishReason::Other(_) => "end_turn",
            FinishReason::Length => "max_tokens",
            FinishReason::ToolCalls => "tool_use",
            FinishReason::ContentFilter => "refusal",
        };
        let usage = counted(self.usage.unwrap_or_default());
        self.message["content"] = std::mem::take(&mut self.content).into();
        self.message["stop_reason"] = reason.into();
        self.message["stop_sequence"] = stop_text.clone().into();
        self.message["usage"] = usage.clone();
        let delta = json!({ "stop_reason": reason, "stop_sequence": stop_text });
        self.event("message_delta", json!({ "delta": delta, "usage": usage }));
        self.event("message_stop", json!({}));
        Ok(self.taken())
    }

    fn error(&mut self, error: &Error) -> Bytes {
        self.out.clear();
        self.event("error", error_body(error));
        self.taken()
    }
}

/// The arguments of a call as an object; what the model wrote otherwise is kept under a name of its own.
fn arguments(text: &str) -> Value {
    if text.trim().is_empty() {
        return Map::new().into();
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => map.into(),
        Ok(_) | Err(_) => json!({ "arguments": text }),
    }
}

/// Anthropic counts the tokens that were not computed again beside the others, not among them.
fn counted(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt_tokens.saturating_sub(usage.cached_tokens),
        "cache_creation_input_tokens": 0, "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
    })
}

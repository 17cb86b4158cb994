//! The events of a response, and the response itself, which is what they add up to.

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::{Create, Keeper, Kept, items::Item};
use crate::{
    answer::{Chunk, Delta, FinishReason, Head, ToolCallDelta, Usage},
    error::Error,
    openai::logprobs,
    shape::{self, new_id},
    sse,
};

/// What is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Nothing,
    Reasoning,
    Text,
    Refusal,
    /// The call of this number.
    Call(u32),
}

/// Writes one response.
pub(super) struct Writer {
    create: Create,
    keeper: Option<Keeper>,
    response: Value,
    output: Vec<Value>,
    open: Open,
    /// The text of the part that is open, and its tokens.
    text: String,
    tokens: Vec<Value>,
    finish_reason: Option<FinishReason>,
    usage: Option<Usage>,
    sequence: u64,
    out: Vec<u8>,
}

impl Writer {
    pub(super) fn new(create: Create, head: &Head, keeper: Keeper) -> Writer {
        Writer {
            response: create.empty_response(&head.model, head.created),
            create,
            keeper: Some(keeper),
            output: Vec::new(),
            open: Open::Nothing,
            text: String::new(),
            tokens: Vec::new(),
            finish_reason: None,
            usage: None,
            sequence: 0,
            out: Vec::new(),
        }
    }

    /// The response at its end.
    pub(super) fn response(&self) -> &Value {
        &self.response
    }

    fn event(&mut self, name: &str, fields: Value) {
        let mut event = json!({ "type": name, "sequence_number": self.sequence });
        if let (Some(event), Value::Object(fields)) = (event.as_object_mut(), fields) {
            event.extend(fields);
        }
        self.sequence += 1;
        let event = sse::Event {
            name: name.to_owned(),
            data: event.to_string(),
        };
        self.out.extend_from_slice(&event.encode());
    }

    fn response_event(&mut self, name: &str) {
        let response = self.response.clone();
        self.event(name, json!({ "response": response }));
    }

    /// An event about the open item, with its place.
    fn item_event(&mut self, name: &str, mut fields: Value) {
        fields["output_index"] = self.output.len().saturating_sub(1).into();
        fields["item_id"] = self.item()["id"].clone();
        if name.starts_with("response.content_part") || self.has_parts() {
            fields["content_index"] = self.part_index().into();
        }
        self.event(name, fields);
    }

    fn has_parts(&self) -> bool {
        matches!(self.open, Open::Reasoning | Open::Text | Open::Refusal)
    }

    fn item(&self) -> &Value {
        self.output.last().unwrap_or(&Value::Null)
    }

    /// The place of the open part: it is put into its item when it is whole.
    fn part_index(&self) -> usize {
        self.item()["content"].as_array().map_or(0, Vec::len)
    }

    fn part(&self) -> Value {
        match self.open {
            Open::Reasoning => json!({ "type": "reasoning_text", "text": self.text }),
            Open::Refusal => json!({ "type": "refusal", "refusal": self.text }),
            Open::Text | Open::Call(_) | Open::Nothing => json!({
                "type": "output_text", "text": self.text, "annotations": [], "logprobs": self.tokens,
            }),
        }
    }

    fn begin_item(&mut self, open: Open, item: Value) {
        self.end_item("completed");
        self.open = open;
        self.output.push(item.clone());
        let index = self.output.len() - 1;
        self.event(
            "response.output_item.added",
            json!({ "output_index": index, "item": item }),
        );
        self.begin_part();
    }

    fn begin_part(&mut self) {
        if self.has_parts() {
            let part = self.part();
            self.item_event("response.content_part.added", json!({ "part": part }));
        }
    }

    /// Makes sure that this kind of text is open.
    fn open_text(&mut self, open: Open) {
        if self.open == open {
            return;
        }
        let is_message = matches!(open, Open::Text | Open::Refusal);
        if is_message && matches!(self.open, Open::Text | Open::Refusal) {
            self.end_part();
            self.open = open;
            self.begin_part();
            return;
        }
        let item = if is_message {
            json!({
                "id": new_id("msg"), "type": "message", "role": "assistant", "status": "in_progress", "content": [],
            })
        } else {
            json!({ "id": new_id("rs"), "type": "reasoning", "status": "in_progress", "summary": [], "content": [] })
        };
        self.begin_item(open, item);
    }

    fn end_part(&mut self) {
        let (name, field) = match self.open {
            Open::Reasoning => ("response.reasoning_text.done", "text"),
            Open::Text => ("response.output_text.done", "text"),
            Open::Refusal => ("response.refusal.done", "refusal"),
            Open::Call(_) | Open::Nothing => return,
        };
        let mut done = json!({ field: self.text });
        if self.open == Open::Text {
            done["logprobs"] = self.tokens.clone().into();
        }
        self.item_event(name, done);
        let part = self.part();
        self.item_event("response.content_part.done", json!({ "part": part }));
        if let Some(Value::Array(parts)) = self.output.last_mut().map(|item| &mut item["content"]) {
            parts.push(part);
        }
        self.text.clear();
        self.tokens.clear();
    }

    fn end_item(&mut self, status: &str) {
        match self.open {
            Open::Nothing => return,
            Open::Reasoning | Open::Text | Open::Refusal => self.end_part(),
            Open::Call(_) => {
                let arguments = std::mem::take(&mut self.text);
                let name = self.item()["name"].clone();
                let done = json!({ "name": name, "arguments": arguments });
                self.item_event("response.function_call_arguments.done", done);
                if let Some(item) = self.output.last_mut() {
                    item["arguments"] = arguments.into();
                }
            }
        }
        self.open = Open::Nothing;
        if let Some(item) = self.output.last_mut() {
            item["status"] = status.into();
        }
        let (index, item) = (self.output.len().saturating_sub(1), self.item().clone());
        self.event(
            "response.output_item.done",
            json!({ "output_index": index, "item": item }),
        );
    }

    fn add(&mut self, open: Open, name: &str, new: String, tokens: Vec<Value>) {
        self.open_text(open);
        self.text.push_str(&new);
        let mut delta = json!({ "delta": new });
        if open == Open::Text {
            delta["logprobs"] = tokens.clone().into();
            self.tokens.extend(tokens);
        }
        self.item_event(name, delta);
    }

    fn call(&mut self, delta: ToolCallDelta) {
        if self.open != Open::Call(delta.index) {
            let id = delta.id.filter(|id| !id.is_empty());
            let item = json!({
                "id": new_id("fc"), "type": "function_call", "status": "in_progress",
                "call_id": id.unwrap_or_else(|| new_id("call")), "name": delta.name.unwrap_or_default(), "arguments": "",
            });
            self.begin_item(Open::Call(delta.index), item);
        }
        if !delta.arguments.is_empty() {
            self.text.push_str(&delta.arguments);
            self.item_event(
                "response.function_call_arguments.delta",
                json!({ "delta": delta.arguments }),
            );
        }
    }

    fn delta(&mut self, delta: Delta) {
        if !delta.reasoning.is_empty() {
            self.add(
                Open::Reasoning,
                "response.reasoning_text.delta",
                delta.reasoning,
                Vec::new(),
            );
        }
        if !delta.text.is_empty() {
            let tokens = match logprobs(&delta.logprobs) {
                Value::Array(tokens) => tokens,
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                    Vec::new()
                }
            };
            self.add(Open::Text, "response.output_text.delta", delta.text, tokens);
        }
        if !delta.refusal.is_empty() {
            self.add(Open::Refusal, "response.refusal.delta", delta.refusal, Vec::new());
        }
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
        self.response_event("response.created");
        self.response_event("response.in_progress");
        self.taken()
    }

    fn chunk(&mut self, chunk: Chunk) -> Bytes {
        self.usage = chunk.usage.or(self.usage);
        if chunk.choices.is_empty() && chunk.usage.is_none() {
            return sse::keep_alive();
        }
        // Nobody can ask for more than one text.
        for delta in chunk.choices.into_iter().filter(|delta| delta.index == 0) {
            self.delta(delta);
        }
        self.taken()
    }

    fn end(&mut self) -> Result<Bytes, Error> {
        let reason = self.finish_reason.take().ok_or_else(Error::broken_off)?;
        if self.output.is_empty() {
            self.open_text(Open::Text);
        }
        let cut = match reason {
            FinishReason::Length => Some("max_output_tokens"),
            FinishReason::ContentFilter => Some("content_filter"),
            FinishReason::Stop
            | FinishReason::StopText(_)
            | FinishReason::ToolCalls
            | FinishReason::Other(_) => None,
        };
        let status = if cut.is_some() { "incomplete" } else { "completed" };
        self.end_item(status);
        self.response["status"] = status.into();
        if let Some(reason) = cut {
            self.response["incomplete_details"] = json!({ "reason": reason });
        }
        self.response["output"] = std::mem::take(&mut self.output).into();
        self.response["usage"] = counted(self.usage.unwrap_or_default());
        self.response_event(if cut.is_some() {
            "response.incomplete"
        } else {
            "response.completed"
        });
        Ok(self.taken())
    }

    fn error(&mut self, error: &Error) -> Bytes {
        let code = match error.status {
            429 => "rate_limit_exceeded",
            500.. => "server_error",
            _ => "invalid_prompt",
        };
        self.out.clear();
        self.response["status"] = "failed".into();
        self.response["error"] = json!({ "code": code, "message": shape::said(error) });
        self.response["output"] = std::mem::take(&mut self.output).into();
        self.response_event("response.failed");
        self.taken()
    }

    fn closing(&mut self) -> Option<BoxFuture<'static, ()>> {
        let keeper = self.keeper.take().filter(|_| self.create.is_kept())?;
        Some(keeper(Kept {
            id: self.create.id.clone(),
            input: self.create.items.iter().map(Item::to_json).collect(),
            response: self.response.clone(),
        }))
    }
}

fn counted(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt_tokens, "input_tokens_details": { "cached_tokens": usage.cached_tokens },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": { "reasoning_tokens": usage.reasoning_tokens },
        "total_tokens": usage.total(),
    })
}

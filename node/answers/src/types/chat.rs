//! `/v1/chat/completions`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{SamplingParams, StreamOptions, Usage, lenient};

/// A request for a chat completion.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ChatRequest {
    #[serde(default)]
    pub model: Option<String>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub messages: Vec<ChatMessage>,
    #[serde(default, deserialize_with = "lenient::flag")]
    pub stream: bool,
    #[serde(default)]
    pub stream_options: Option<StreamOptions>,
    #[serde(default, deserialize_with = "lenient::count")]
    pub n: Option<u32>,
    #[serde(default, deserialize_with = "lenient::count")]
    pub max_tokens: Option<u32>,
    #[serde(default, deserialize_with = "lenient::count")]
    pub max_completion_tokens: Option<u32>,
    #[serde(flatten)]
    pub sampling: SamplingParams,
    #[serde(default, deserialize_with = "lenient::flag")]
    pub logprobs: bool,
    #[serde(default, deserialize_with = "lenient::count")]
    pub top_logprobs: Option<u32>,
    #[serde(default)]
    pub tools: Option<Vec<Value>>,
    /// The older form of `tools`.
    #[serde(default)]
    pub functions: Option<Vec<Value>>,
    #[serde(default)]
    pub response_format: Option<Value>,
}

impl ChatRequest {
    /// The tools of the request, older `functions` brought into their form.
    #[must_use]
    pub fn all_tools(&self) -> Option<Value> {
        let tools = self.tools.clone().unwrap_or_default();
        let functions = self
            .functions
            .iter()
            .flatten()
            .map(|function| json!({"type": "function", "function": function}));
        let all: Vec<Value> = tools.into_iter().chain(functions).collect();
        (!all.is_empty()).then_some(Value::Array(all))
    }
}

/// One message of a request.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct ChatMessage {
    pub role: String,
    #[serde(default)]
    pub content: Option<Content>,
    /// Everything else, which the chat template may look at: `name`, `tool_calls`, `tool_call_id` …
    #[serde(flatten)]
    pub extra: BTreeMap<String, Value>,
}

/// Content as a text or as parts.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Content {
    Text(String),
    Parts(Vec<Part>),
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Part {
    Plain(String),
    Typed {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        text: Option<String>,
    },
}

impl Content {
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
                Part::Plain(text) | Part::Typed { text: Some(text), .. } => Ok(text.as_str()),
                Part::Typed { kind, text: None } => Err(kind.clone()),
            })
            .collect();
        Ok(texts?.join("\n"))
    }
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChatAnswer {
    pub id: String,
    pub object: &'static str,
    pub created: i64,
    pub model: String,
    pub choices: Vec<ChatChoice>,
    pub usage: Usage,
    pub system_fingerprint: Option<String>,
}

/// The one choice of a whole answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChatChoice {
    pub index: u32,
    pub message: OutMessage,
    pub logprobs: Option<ChatLogprobs>,
    pub finish_reason: &'static str,
}

/// The message of a whole answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutMessage {
    pub role: &'static str,
    pub content: String,
    pub refusal: Option<String>,
}

/// A part of a streamed answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChatChunk {
    pub id: String,
    pub object: &'static str,
    pub created: i64,
    pub model: String,
    pub choices: Vec<ChunkChoice>,
    /// With `include_usage`: `null` in all chunks but the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Option<Usage>>,
    pub system_fingerprint: Option<String>,
}

/// The one choice of a chunk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChunkChoice {
    pub index: u32,
    pub delta: ChatDelta,
    pub logprobs: Option<ChatLogprobs>,
    pub finish_reason: Option<&'static str>,
}

/// What a chunk adds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ChatDelta {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// Log-probabilities of an answer's tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ChatLogprobs {
    pub content: Vec<ChatLogprob>,
    pub refusal: Option<()>,
}

/// One token of the answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChatLogprob {
    pub token: String,
    pub logprob: f32,
    pub bytes: Vec<u8>,
    pub top_logprobs: Vec<TopLogprob>,
}

/// A token that could have stood there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TopLogprob {
    pub token: String,
    pub logprob: f32,
    pub bytes: Vec<u8>,
}

impl From<&hearth_engine::TokenLogprob> for ChatLogprob {
    fn from(from: &hearth_engine::TokenLogprob) -> ChatLogprob {
        let top = from.top.iter().map(|(_, bytes, logprob)| TopLogprob {
            token: String::from_utf8_lossy(bytes).into_owned(),
            logprob: *logprob,
            bytes: bytes.clone(),
        });
        ChatLogprob {
            token: String::from_utf8_lossy(&from.bytes).into_owned(),
            logprob: from.logprob,
            bytes: from.bytes.clone(),
            top_logprobs: top.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: Value) -> ChatRequest {
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn nulls_and_unknown_fields_are_fine() {
        let request = read(json!({
            "model": "m", "messages": [{"role": "user", "content": null}], "stream": null, "n": null, "stop": null,
            "logit_bias": null, "tools": null, "stream_options": null, "top_logprobs": null, "made_up": {"x": 1},
        }));
        assert_eq!(request.messages[0].content, None);
        assert!(!request.stream);
    }

    #[test]
    fn content_may_be_text_or_parts() {
        let request = read(json!({"messages": [
            {"role": "system", "content": "a"},
            {"role": "user", "content": [{"type": "text", "text": "b"}, "c"], "name": "n"},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
        ]}));
        let texts: Vec<_> = request
            .messages
            .iter()
            .map(|message| message.content.as_ref().unwrap().text())
            .collect();
        assert_eq!(
            texts,
            [
                Ok("a".to_owned()),
                Ok("b\nc".to_owned()),
                Err("image_url".to_owned())
            ]
        );
        assert_eq!(request.messages[1].extra["name"], "n");
    }

    #[test]
    fn numbers_come_in_several_forms() {
        let request = read(json!({"max_tokens": 20.0, "seed": -1, "stop": "x", "logit_bias": {"7": -100}}));
        assert_eq!(
            (request.max_tokens, request.sampling.seed),
            (Some(20), Some(u64::MAX))
        );
        assert_eq!(request.sampling.stop.unwrap().into_texts(), ["x"]);
        assert_eq!(request.sampling.logit_bias[&7], -100.0);
        assert!(serde_json::from_value::<ChatRequest>(json!({"max_tokens": 1.5})).is_err());
        assert!(serde_json::from_value::<ChatRequest>(json!({"max_tokens": -1})).is_err());
    }

    #[test]
    fn older_functions_become_tools() {
        let request = read(
            json!({"functions": [{"name": "f"}], "tools": [{"type": "function", "function": {"name": "g"}}]}),
        );
        let names: Vec<_> = request
            .all_tools()
            .unwrap()
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool["function"]["name"].clone())
            .collect();
        assert_eq!(names, ["g", "f"]);
        assert_eq!(read(json!({"functions": []})).all_tools(), None);
    }
}

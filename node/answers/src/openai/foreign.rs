//! Reading what other servers write: parts of streams and whole answers. Only what somebody here looks at is built in
//! memory; the text is kept beside it, so that nothing that a server says of its own is lost on the way.

use std::fmt;

use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};

use crate::{
    answer::{Choice, Chunk, Delta, FinishReason, Generation, ToolCall, ToolCallDelta, Usage, Whole},
    error::{Code, Error},
};

/// The most texts that one part speaks of.
const MAX_CHOICES: usize = 1024;

#[derive(Deserialize)]
struct Wire {
    error: Option<WireError>,
    usage: Option<WireUsage>,
    #[serde(default, deserialize_with = "choices")]
    choices: Vec<WireChoice>,
}

#[derive(Deserialize)]
struct WireError {
    #[serde(default, deserialize_with = "lenient_text")]
    message: Option<String>,
}

#[derive(Deserialize)]
struct WireUsage {
    #[serde(default, deserialize_with = "count")]
    prompt_tokens: u32,
    #[serde(default, deserialize_with = "count")]
    completion_tokens: u32,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    #[serde(default, deserialize_with = "count")]
    cached_tokens: u32,
}

#[derive(Deserialize)]
struct CompletionDetails {
    #[serde(default, deserialize_with = "count")]
    reasoning_tokens: u32,
}

#[derive(Deserialize)]
struct WireChoice {
    #[serde(default, deserialize_with = "count")]
    index: u32,
    finish_reason: Option<String>,
    text: Option<String>,
    delta: Option<WireMessage>,
    message: Option<WireMessage>,
}

#[derive(Default, Deserialize)]
struct WireMessage {
    content: Option<String>,
    /// DeepSeek's name, and vLLM's newer one.
    #[serde(alias = "reasoning")]
    reasoning_content: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<Vec<WireCall>>,
}

#[derive(Deserialize)]
struct WireCall {
    #[serde(default)]
    index: Option<u32>,
    id: Option<String>,
    function: Option<WireFunction>,
}

#[derive(Deserialize)]
struct WireFunction {
    name: Option<String>,
    arguments: Option<String>,
}

/// Reads a part of a stream.
///
/// # Errors
/// What the part says itself, where it is an error; what is no part of an answer.
pub(crate) fn chunk(json: Bytes) -> Result<Chunk, Error> {
    let wire = read(&json)?;
    let choices = wire.choices.into_iter().map(|choice| {
        let said = choice.delta.or(choice.message).unwrap_or_default();
        let calls = (0..).zip(said.tool_calls.unwrap_or_default()).map(|(at, call)| {
            let (name, arguments) = call
                .function
                .map_or((None, None), |function| (function.name, function.arguments));
            ToolCallDelta {
                index: call.index.unwrap_or(at),
                id: call.id,
                name,
                arguments: arguments.unwrap_or_default(),
            }
        });
        Delta {
            index: choice.index,
            opens: false,
            text: said.content.or(choice.text).unwrap_or_default(),
            reasoning: said.reasoning_content.unwrap_or_default(),
            refusal: said.refusal.unwrap_or_default(),
            tool_calls: calls.collect(),
            logprobs: Vec::new(),
            finish_reason: choice.finish_reason.as_deref().map(FinishReason::of),
        }
    });
    Ok(Chunk {
        choices: choices.collect(),
        usage: wire.usage.map(Usage::from),
        foreign: Some(json),
    })
}

/// Reads a whole answer.
///
/// # Errors
/// As [`chunk`].
pub(crate) fn generation(json: Bytes) -> Result<Generation, Error> {
    let chunk = chunk(json)?;
    let choices = chunk.choices.into_iter().map(|delta| {
        let calls = delta.tool_calls.into_iter().map(|call| ToolCall {
            id: call.id.unwrap_or_default(),
            name: call.name.unwrap_or_default(),
            arguments: call.arguments,
        });
        Choice {
            index: delta.index,
            text: delta.text,
            reasoning: delta.reasoning,
            refusal: Some(delta.refusal).filter(|refusal| !refusal.is_empty()),
            tool_calls: calls.collect(),
            logprobs: None,
            finish_reason: delta.finish_reason.or(Some(FinishReason::Stop)),
        }
    });
    Ok(Generation {
        choices: choices.collect(),
        usage: chunk.usage,
    })
}

impl Whole {
    /// The counts, where they are said.
    #[must_use]
    pub fn usage(&self) -> Option<Usage> {
        match self {
            Whole::Generation(generation) => generation.usage,
            Whole::Embeddings(embeddings) => Some(Usage {
                prompt_tokens: embeddings.prompt_tokens,
                ..Usage::default()
            }),
            Whole::Foreign(_, json) => usage(json),
            Whole::Tokens(_) | Whole::Text(_) => None,
        }
    }

    /// The texts, also those that another server wrote.
    ///
    /// # Errors
    /// It is an answer of another kind.
    pub fn generation(self) -> Result<Generation, Error> {
        match self {
            Whole::Generation(generation) => Ok(generation),
            Whole::Foreign(_, json) => generation(json),
            Whole::Embeddings(_) | Whole::Tokens(_) | Whole::Text(_) => Err(crate::error::internal()),
        }
    }
}

/// The counts of a whole answer, without the rest of it.
fn usage(json: &[u8]) -> Option<Usage> {
    #[derive(Deserialize)]
    struct Counted {
        usage: Option<WireUsage>,
    }
    let counted: Counted = serde_json::from_slice(json).ok()?;
    counted.usage.map(Usage::from)
}

fn read(json: &[u8]) -> Result<Wire, Error> {
    let wire: Wire = serde_json::from_slice(json).map_err(|error| {
        Error::new(
            Code::BackendFailed,
            format!("the answer is of another shape than what was asked for: {error}"),
        )
    })?;
    match wire.error {
        None => Ok(wire),
        Some(error) => {
            let said = error.message.unwrap_or_else(|| "it does not say why".to_owned());
            Err(Error::new(
                Code::AnswerBrokeOff,
                format!("the answer broke off: {said}"),
            ))
        }
    }
}

impl From<WireUsage> for Usage {
    fn from(wire: WireUsage) -> Usage {
        Usage {
            prompt_tokens: wire.prompt_tokens,
            completion_tokens: wire.completion_tokens,
            cached_tokens: wire
                .prompt_tokens_details
                .map_or(0, |details| details.cached_tokens),
            reasoning_tokens: wire
                .completion_tokens_details
                .map_or(0, |details| details.reasoning_tokens),
        }
    }
}

/// A number of tokens; one that is none counts as zero.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = Option::<serde_json::Number>::deserialize(deserializer)?;
    let count = number.and_then(|number| number.as_u64());
    Ok(count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0))
}

/// A text; anything else is as good as none.
fn lenient_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().map(str::to_owned))
}

/// A list of choices, of which no more are kept than anybody asks for.
fn choices<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<WireChoice>, D::Error> {
    struct Some_;
    impl<'de> Visitor<'de> for Some_ {
        type Value = Vec<WireChoice>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list or null")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut kept = Vec::new();
            while kept.len() < MAX_CHOICES {
                match list.next_element()? {
                    Some(choice) => kept.push(choice),
                    None => return Ok(kept),
                }
            }
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(kept)
        }
    }
    deserializer.deserialize_any(Some_)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_read_and_kept() {
        let text = r#"{"id":1,"choices":[{"delta":{"content":"a","reasoning_content":"r","x":[1]},"finish_reason":null},
            {"index":1,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{"}}]}},
            {"index":2,"text":"t","finish_reason":"length"}],
            "usage":{"prompt_tokens":3,"completion_tokens":-1,"prompt_tokens_details":{"cached_tokens":2}}}"#;
        let chunk = chunk(Bytes::from(text)).unwrap();
        assert_eq!(chunk.choices[0].text, "a");
        assert_eq!(chunk.choices[0].reasoning, "r");
        assert_eq!(chunk.choices[1].tool_calls[0].name.as_deref(), Some("f"));
        assert_eq!(chunk.choices[2].finish_reason, Some(FinishReason::Length));
        assert_eq!(chunk.choices[2].text, "t");
        let usage = chunk.usage.unwrap();
        assert_eq!(
            (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens),
            (3, 0, 2)
        );
        assert_eq!(chunk.foreign.unwrap(), text);
    }

    #[test]
    fn an_error_is_an_error_and_nothing_is_nothing() {
        for none in [
            r#"{"choices":[]}"#,
            r#"{"choices":null,"usage":null,"error":null}"#,
            "{}",
        ] {
            assert!(chunk(Bytes::from(none)).unwrap().choices.is_empty(), "{none}");
        }
        for bad in [
            r#"{"error":{"message":"x"}}"#,
            r#"{"error":{"message":7}}"#,
            r#"{"choices":7}"#,
            "x",
        ] {
            assert!(chunk(Bytes::from(bad)).is_err(), "{bad}");
        }
        let many = format!(r#"{{"choices":[{}{{}}]}}"#, "{},".repeat(5_000));
        assert_eq!(chunk(Bytes::from(many)).unwrap().choices.len(), MAX_CHOICES);
    }
}

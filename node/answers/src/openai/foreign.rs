//! Reading what other servers write: parts of streams and whole answers. Only what somebody here looks at is built in
//! memory; the text is kept beside it, so that nothing that a server says of its own is lost on the way.

use bytes::Bytes;
use serde::Deserialize;

use crate::{
    answer::{Choice, Chunk, Delta, FinishReason, Generation, ToolCall, ToolCallDelta, Usage, Whole},
    error::{Code, Error},
    harmless::harmless,
    wire::{self, Fault, Wire, WireUsage, lenient},
};

/// Tokens of which no text need have come: hidden reasoning.
const HIDDEN_TOKENS: usize = 1 << 16;

/// Reads a part of a stream.
///
/// # Errors
/// What the part says itself, where it is an error; what is no part of an answer.
pub(crate) fn chunk(json: Bytes) -> Result<Chunk, Error> {
    let wire = read(&json)?;
    let choices = wire.choices.into_iter().map(|choice| {
        let said = choice.delta.or(choice.message).unwrap_or_default();
        let calls = (0..).zip(said.tool_calls).map(|(at, call)| {
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
    let n_bytes = json.len();
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
        usage: chunk.usage.map(|usage| usage.within(n_bytes)),
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
        #[serde(default, deserialize_with = "lenient")]
        usage: Option<WireUsage>,
    }
    let counted: Counted = serde_json::from_slice(json).ok()?;
    counted.usage.map(|usage| Usage::from(usage).within(json.len()))
}

fn read(json: &[u8]) -> Result<Wire, Error> {
    wire::read(json).map_err(|fault| match fault {
        Fault::Shape(why) => Error::new(
            Code::BackendFailed,
            format!("the answer is of another shape than what was asked for: {why}"),
        ),
        Fault::Failed(error) => {
            // What is wrong with the request is for whoever asks; anything else is between the server and its operator.
            let is_of_the_request = matches!(error.code, Some(400 | 413 | 422));
            let said = error.message.filter(|_| is_of_the_request);
            let said = said.map_or_else(
                || "the server says that it failed".to_owned(),
                |said| harmless(&said),
            );
            Error::new(Code::AnswerBrokeOff, format!("the answer broke off: {said}"))
        }
    })
}

impl Usage {
    /// What is believed of the counts that came with so many bytes of an answer: a token has a byte at least.
    pub(crate) fn within(self, n_bytes: usize) -> Usage {
        let most = u32::try_from(n_bytes.saturating_add(HIDDEN_TOKENS)).unwrap_or(u32::MAX);
        let completion_tokens = self.completion_tokens.min(most);
        Usage {
            completion_tokens,
            cached_tokens: self.cached_tokens.min(self.prompt_tokens),
            reasoning_tokens: self.reasoning_tokens.min(completion_tokens),
            ..self
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
    fn calls_are_bounded_however_they_are_numbered() {
        let whole = |n: usize| {
            let calls = vec!["{}"; n].join(",");
            Bytes::from(format!(
                r#"{{"choices":[{{"message":{{"tool_calls":[{calls}]}}}}]}}"#
            ))
        };
        assert_eq!(generation(whole(128)).unwrap().choices[0].tool_calls.len(), 128);
        for n in [129, 300_000] {
            assert_eq!(generation(whole(n)).unwrap_err().code, Code::BackendFailed, "{n}");
        }
        let many = whole(128);
        let choice = std::str::from_utf8(&many[12..many.len() - 2]).unwrap().to_owned();
        let all = format!(r#"{{"choices":[{}]}}"#, vec![choice; 9].join(","));
        assert!(generation(Bytes::from(all)).is_err(), "all texts together");
        for far in [
            r#"{"choices":[{"delta":{"tool_calls":[{"index":128}]}}]}"#,
            r#"{"choices":[{"index":1024,"delta":{"content":"a"}}]}"#,
        ] {
            assert!(chunk(Bytes::from(far)).is_err(), "{far}");
        }
    }

    #[test]
    fn texts_and_arguments_are_read_in_all_forms_and_counts_are_believed_within_reason() {
        let text = r#"{"choices":[{"message":{"content":[{"type":"thinking"},{"type":"text","text":"a"},{"text":"b"}],
            "tool_calls":[{"function":{"name":"f","arguments":{"a":1}}},{"function":{"arguments":null}}]}}],
            "usage":{"prompt_tokens":4000000000,"completion_tokens":4000000000,
            "completion_tokens_details":{"reasoning_tokens":4000000000}}}"#;
        let made = generation(Bytes::from(text)).unwrap();
        assert_eq!(made.choices[0].text, "ab");
        assert_eq!(made.choices[0].tool_calls[0].arguments, r#"{"a":1}"#);
        assert_eq!(made.choices[0].tool_calls[1].arguments, "");
        let usage = made.usage.unwrap();
        let most = u32::try_from(text.len() + HIDDEN_TOKENS).unwrap();
        assert_eq!((usage.completion_tokens, usage.reasoning_tokens), (most, most));
        assert_eq!(super::usage(text.as_bytes()), Some(usage));
        let odd = r#"{"choices":[{"message":{"content":"a"}}],"usage":"much"}"#;
        assert_eq!(generation(Bytes::from(odd)).unwrap().usage, None);
        for bad in [
            r#"{"choices":[1]}"#,
            r#"{"choices":[{"message":{"content":[1]}}]}"#,
            r#"{"choices":[{"message":{"content":7}}]}"#,
        ] {
            assert!(generation(Bytes::from(bad)).is_err(), "{bad}");
            assert!(wire::read(bad.as_bytes()).is_err(), "{bad}");
        }
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
        let said = |code: &str| {
            let text =
                format!(r#"{{"error":{{"message":"prompt too long for sk-abcdef123","code":{code}}}}}"#);
            chunk(Bytes::from(text)).unwrap_err().message
        };
        assert!(
            said("400").contains("prompt too long for [removed]"),
            "{}",
            said("400")
        );
        for code in ["401", "\"invalid_api_key\"", "null", "500"] {
            assert!(!said(code).contains("prompt"), "{}", said(code));
        }
        let many = format!(r#"{{"choices":[{}{{}}]}}"#, "{},".repeat(5_000));
        assert_eq!(chunk(Bytes::from(many)).unwrap().choices.len(), wire::MAX_CHOICES);
    }
}

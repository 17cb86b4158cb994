//! An answer as values: whole, or part by part. No bytes, no names of a protocol: those are the edge's.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use hearth_engine::TokenLogprob;
use uuid::Uuid;

use crate::{error::Error, judge::StreamJudge, operation::Operation};

/// An answer that has begun.
pub struct Answer {
    pub head: Head,
    pub body: Body,
}

impl Answer {
    /// The parts of it: one, where it came whole.
    ///
    /// # Errors
    /// It is an answer of another kind than texts.
    pub fn into_stream(self) -> Result<(Head, ChunkStream), Error> {
        let chunks = match self.body {
            Body::Stream(chunks) => chunks,
            Body::Whole(whole) => whole.generation()?.into_stream(),
        };
        Ok((self.head, chunks))
    }

    /// The texts of it, once all of them are there.
    ///
    /// # Errors
    /// It broke off, or is an answer of another kind.
    pub async fn into_generation(self) -> Result<(Head, Generation), Error> {
        let generation = match self.body {
            Body::Stream(chunks) => Generation::collect(chunks).await?,
            Body::Whole(whole) => whole.generation()?,
        };
        Ok((self.head, generation))
    }
}

/// What is known before the first part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The name of the model towards the client.
    pub model: String,
    /// When it began, in seconds since the epoch.
    pub created: i64,
    /// What exactly answers: the model's content address and the engine's version.
    pub fingerprint: Option<String>,
    /// Tokens of the prompt, where they are counted before the answer begins.
    pub prompt_tokens: Option<u32>,
    /// How the request was bent to fit the model, in short words.
    pub notes: Vec<&'static str>,
    /// The id of its receipt, where it was bought.
    pub receipt: Option<Uuid>,
    pub form: Form,
}

/// What of the request's content decides how the answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Vectors as base64.
    pub as_base64: bool,
    /// Calls of tools as the older `function_call`.
    pub legacy_functions: bool,
}

/// The body of an answer.
pub enum Body {
    Whole(Whole),
    /// Dropping it cancels the work. An error is the last item; without one the answer is whole.
    Stream(ChunkStream),
}

/// The parts of an answer as they are made.
pub type ChunkStream = BoxStream<'static, Result<Chunk, Error>>;

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Whole {
    Generation(Generation),
    Embeddings(Embeddings),
    Tokens(Vec<u32>),
    Text(String),
    /// What another server wrote: JSON in the shape of the operation.
    Foreign(Operation, Bytes),
}

/// Texts that a model wrote.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generation {
    pub choices: Vec<Choice>,
    pub usage: Option<Usage>,
}

/// One of the texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    pub index: u32,
    pub text: String,
    pub reasoning: String,
    pub refusal: Option<String>,
    pub tool_calls: Vec<ToolCall>,
    pub logprobs: Option<Vec<TokenLogprob>>,
    pub finish_reason: Option<FinishReason>,
}

/// A call of a tool that the model asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// JSON, as the model wrote it.
    pub arguments: String,
}

/// Vectors of an embedding model, in the order of the texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Embeddings {
    pub vectors: Vec<Vec<f32>>,
    pub prompt_tokens: u32,
}

/// Why a text ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinishReason {
    Stop,
    /// One of the request's own stop texts came.
    StopText(String),
    Length,
    ToolCalls,
    ContentFilter,
    /// Another server's own word.
    Other(String),
}

impl FinishReason {
    /// OpenAI's word for it.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            FinishReason::Stop | FinishReason::StopText(_) => "stop",
            FinishReason::Length => "length",
            FinishReason::ToolCalls => "tool_calls",
            FinishReason::ContentFilter => "content_filter",
            FinishReason::Other(word) => word,
        }
    }

    /// The reason of a word.
    #[must_use]
    pub fn of(word: &str) -> FinishReason {
        match word {
            "stop" => FinishReason::Stop,
            "length" => FinishReason::Length,
            "tool_calls" | "function_call" => FinishReason::ToolCalls,
            "content_filter" => FinishReason::ContentFilter,
            other => FinishReason::Other(other.to_owned()),
        }
    }
}

/// Counted tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub prompt_tokens: u32,
    pub completion_tokens: u32,
    /// Of the prompt's tokens, those that were not computed again.
    pub cached_tokens: u32,
    /// Of the answer's tokens, those of its reasoning.
    pub reasoning_tokens: u32,
}

impl Usage {
    /// Both counts together.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }

    /// Adds the counts of another text to the same prompt.
    pub fn add(&mut self, other: Usage) {
        self.prompt_tokens = self.prompt_tokens.saturating_add(other.prompt_tokens);
        self.completion_tokens = self.completion_tokens.saturating_add(other.completion_tokens);
        self.cached_tokens = self.cached_tokens.saturating_add(other.cached_tokens);
        self.reasoning_tokens = self.reasoning_tokens.saturating_add(other.reasoning_tokens);
    }
}

/// A part of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chunk {
    pub choices: Vec<Delta>,
    pub usage: Option<Usage>,
    /// The part as another server wrote it, as JSON.
    pub foreign: Option<Bytes>,
}

/// What a part adds to one of the texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    pub index: u32,
    /// It is the first of its text, and nothing need be in it.
    pub opens: bool,
    pub text: String,
    pub reasoning: String,
    pub refusal: String,
    pub tool_calls: Vec<ToolCallDelta>,
    pub logprobs: Vec<TokenLogprob>,
    pub finish_reason: Option<FinishReason>,
}

/// What a part adds to a call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCallDelta {
    pub index: u32,
    /// With the first part of a call.
    pub id: Option<String>,
    pub name: Option<String>,
    pub arguments: String,
}

impl Delta {
    /// A part that adds nothing yet to this text.
    #[must_use]
    pub fn of(index: u32) -> Delta {
        Delta {
            index,
            ..Delta::default()
        }
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Delta::of(self.index)
    }
}

impl Chunk {
    /// A part of one text.
    #[must_use]
    pub fn of(delta: Delta) -> Chunk {
        Chunk {
            choices: vec![delta],
            ..Chunk::default()
        }
    }

    /// Shows it to the judge of its stream.
    pub fn show(&self, judge: &mut StreamJudge) {
        let has_finished = self.choices.iter().any(|delta| delta.finish_reason.is_some());
        judge.part(!self.choices.is_empty(), has_finished);
    }

    /// The counts at the end.
    #[must_use]
    pub fn counted(usage: Usage) -> Chunk {
        Chunk {
            usage: Some(usage),
            ..Chunk::default()
        }
    }
}

impl Generation {
    /// All of a stream.
    ///
    /// # Errors
    /// The stream's own, and an end without a reason.
    pub async fn collect(mut stream: ChunkStream) -> Result<Generation, Error> {
        let mut texts: BTreeMap<u32, Choice> = BTreeMap::new();
        let mut usage = None;
        while let Some(chunk) = stream.next().await {
            let chunk = chunk?;
            usage = chunk.usage.or(usage);
            for delta in chunk.choices {
                let choice = texts.entry(delta.index).or_default();
                choice.index = delta.index;
                choice.add(delta);
            }
        }
        let choices: Vec<Choice> = texts.into_values().collect();
        if choices.is_empty() || choices.iter().any(|choice| choice.finish_reason.is_none()) {
            return Err(Error::broken_off());
        }
        Ok(Generation { choices, usage })
    }

    /// The same as the parts of a stream.
    #[must_use]
    pub fn into_stream(self) -> ChunkStream {
        let choices = self.choices.into_iter().map(Choice::into_delta).map(Chunk::of);
        let chunks: Vec<_> = choices.chain(self.usage.map(Chunk::counted)).map(Ok).collect();
        stream::iter(chunks).boxed()
    }
}

impl Choice {
    fn add(&mut self, delta: Delta) {
        self.text.push_str(&delta.text);
        self.reasoning.push_str(&delta.reasoning);
        if !delta.refusal.is_empty() {
            self.refusal.get_or_insert_default().push_str(&delta.refusal);
        }
        for call in delta.tool_calls {
            let Ok(index) = usize::try_from(call.index) else {
                continue;
            };
            // Calls come one after the other.
            if index > self.tool_calls.len() {
                continue;
            }
            if index == self.tool_calls.len() {
                self.tool_calls.push(ToolCall::default());
            }
            let known = &mut self.tool_calls[index];
            known.id.push_str(&call.id.unwrap_or_default());
            known.name.push_str(&call.name.unwrap_or_default());
            known.arguments.push_str(&call.arguments);
        }
        if !delta.logprobs.is_empty() {
            self.logprobs.get_or_insert_default().extend(delta.logprobs);
        }
        self.finish_reason = delta.finish_reason.or(self.finish_reason.take());
    }

    fn into_delta(self) -> Delta {
        let tool_calls = (0..).zip(self.tool_calls).map(|(index, call)| ToolCallDelta {
            index,
            id: Some(call.id),
            name: Some(call.name),
            arguments: call.arguments,
        });
        Delta {
            index: self.index,
            opens: true,
            text: self.text,
            reasoning: self.reasoning,
            refusal: self.refusal.unwrap_or_default(),
            tool_calls: tool_calls.collect(),
            logprobs: self.logprobs.unwrap_or_default(),
            finish_reason: self.finish_reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_and_its_whole_say_the_same() {
        let call = |index, id: Option<&str>, arguments: &str| ToolCallDelta {
            index,
            id: id.map(str::to_owned),
            name: id.map(|_| "f".to_owned()),
            arguments: arguments.to_owned(),
        };
        let part = |text: &str, tool_calls, finish_reason| {
            Ok(Chunk::of(Delta {
                text: text.to_owned(),
                tool_calls,
                finish_reason,
                ..Delta::default()
            }))
        };
        let usage = Usage {
            prompt_tokens: 3,
            completion_tokens: 2,
            ..Usage::default()
        };
        let chunks = vec![
            part("a", vec![call(0, Some("1"), "{")], None),
            part("b", vec![call(0, None, "}"), call(1, Some("2"), "{}")], None),
            // A call that skips one is left out, however far it is.
            part(
                "",
                vec![call(u32::MAX, Some("9"), "{}")],
                Some(FinishReason::ToolCalls),
            ),
            Ok(Chunk::counted(usage)),
        ];
        let whole = Generation::collect(stream::iter(chunks).boxed()).await.unwrap();
        let choice = &whole.choices[0];
        assert_eq!((choice.text.as_str(), choice.tool_calls.len()), ("ab", 2));
        assert_eq!(choice.tool_calls[0].arguments, "{}");
        assert_eq!((whole.usage, usage.total()), (Some(usage), 5));
        let again = Generation::collect(whole.clone().into_stream()).await.unwrap();
        assert_eq!(again, whole);
        let cut = stream::iter([part("a", Vec::new(), None)]).boxed();
        assert_eq!(Generation::collect(cut).await, Err(Error::broken_off()));
    }
}

//! The text of an answer as it comes, and what is counted and timed of it.

use std::time::{Duration, Instant};

use hearth_answers::answer::{Chunk, FinishReason};

use super::prompt::REASONING;
use crate::{
    control::types::{ModelKind, Receipt, TokenUsage},
    parts::RelayReceipt,
};

/// The longest text of an answer that is kept: a million tokens and more. What is longer is cut there.
pub(super) const MAX_TEXT_BYTES: usize = 4 << 20;

/// What has come so far.
pub(super) struct Text {
    pub(super) content: String,
    begun: Instant,
    first: Option<Instant>,
    last: Instant,
    /// When it began to reason, and when it began to answer after that.
    thought: Option<Instant>,
    answered: Option<Instant>,
    usage: Option<TokenUsage>,
    pub(super) finish_reason: Option<FinishReason>,
    /// Where it is in its reasoning.
    reasoning: Reasoning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reasoning {
    None,
    Open,
    Closed,
}

impl Text {
    pub(super) fn begin() -> Text {
        let begun = Instant::now();
        Text {
            content: String::new(),
            begun,
            first: None,
            last: begun,
            thought: None,
            answered: None,
            usage: None,
            finish_reason: None,
            reasoning: Reasoning::None,
        }
    }

    /// What a part adds to the kept text: reasoning between its marks, then the answer.
    fn marked(&mut self, reasoning: &str, text: &str) -> String {
        let mut marked = String::new();
        if !reasoning.is_empty() {
            if self.reasoning == Reasoning::None && self.content.is_empty() {
                marked.push_str(REASONING.0);
                self.reasoning = Reasoning::Open;
                self.thought = Some(Instant::now());
            }
            if self.reasoning == Reasoning::Open {
                marked.push_str(reasoning);
            }
        }
        if !text.is_empty() {
            if self.reasoning == Reasoning::Open {
                marked.push_str(REASONING.1);
                marked.push_str("\n\n");
                self.reasoning = Reasoning::Closed;
                self.answered = Some(Instant::now());
            }
            marked.push_str(text);
        }
        marked
    }

    /// Takes a chunk and gives its text.
    pub(super) fn take(&mut self, chunk: Chunk) -> String {
        if let Some(usage) = chunk.usage {
            self.usage = Some(TokenUsage {
                prompt_tokens: usage.prompt_tokens,
                completion_tokens: usage.completion_tokens,
            });
        }
        // Nobody asks for more than one text.
        let Some(delta) = chunk.choices.into_iter().next() else {
            return String::new();
        };
        if delta.finish_reason.is_some() {
            self.finish_reason = delta.finish_reason;
        }
        let mut text = self.marked(&delta.reasoning, &delta.text);
        if !text.is_empty() {
            self.last = Instant::now();
            self.first.get_or_insert(self.last);
            // What is cut off here ends the answer.
            let room = (MAX_TEXT_BYTES + 1).saturating_sub(self.content.len());
            text.truncate(text.floor_char_boundary(room));
            self.content.push_str(&text);
        }
        text
    }

    /// How long the model reasoned, if it did: until it answered, or until it ended.
    pub(super) fn thought_ms(&self) -> Option<u64> {
        let until = self.answered.unwrap_or(self.last);
        self.thought
            .map(|since| milliseconds(until.saturating_duration_since(since)))
    }

    pub(super) fn receipt(
        &self,
        relayed: Option<RelayReceipt>,
        is_network: bool,
        weights_cid: Option<String>,
    ) -> Receipt {
        let decode = self
            .first
            .map(|first| (self.last - first).as_secs_f64())
            .filter(|seconds| *seconds > 0.0);
        let tokens = self
            .usage
            .map(|usage| f64::from(usage.completion_tokens.saturating_sub(1)));
        let ms = |until: Instant| milliseconds(until - self.begun);
        Receipt {
            kind: if is_network {
                ModelKind::Network
            } else {
                ModelKind::Local
            },
            cost: relayed.as_ref().and_then(|receipt| receipt.cost),
            usage: self.usage,
            first_token_ms: self.first.map(ms),
            total_ms: ms(Instant::now()),
            tokens_per_second: decode.zip(tokens).map(|(seconds, tokens)| tokens / seconds),
            weights_cid,
            network: relayed.map(|receipt| receipt.network),
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use hearth_answers::answer::{Delta, Usage};

    use super::*;

    #[test]
    fn reasoning_is_kept_between_its_marks_and_not_told_again() {
        let mut text = Text::begin();
        let part = |reasoning: &str, said: &str| {
            Chunk::of(Delta {
                reasoning: reasoning.to_owned(),
                text: said.to_owned(),
                ..Delta::of(0)
            })
        };
        let shown: Vec<String> = [part("a", ""), part("b", "c"), part("", "d")]
            .into_iter()
            .map(|chunk| text.take(chunk))
            .collect();
        assert_eq!(shown, ["<think>a", "b</think>\n\nc", "d"]);
        assert_eq!(text.content, "<think>ab</think>\n\ncd");
        assert!(text.thought_ms().is_some());
    }

    #[test]
    fn chunks_add_up() {
        let mut text = Text::begin();
        text.take(Chunk::of(Delta {
            opens: true,
            ..Delta::of(0)
        }));
        assert!(text.first.is_none());
        text.take(Chunk::of(Delta {
            text: "a".to_owned(),
            ..Delta::of(0)
        }));
        text.take(Chunk::of(Delta {
            finish_reason: Some(FinishReason::Length),
            ..Delta::of(0)
        }));
        text.take(Chunk::counted(Usage {
            prompt_tokens: 3,
            completion_tokens: 1,
            ..Usage::default()
        }));
        assert_eq!(
            (text.content.as_str(), text.finish_reason),
            ("a", Some(FinishReason::Length))
        );
        assert_eq!(
            text.usage,
            Some(TokenUsage {
                prompt_tokens: 3,
                completion_tokens: 1
            })
        );
    }

    #[test]
    fn reasoning_lasts_until_the_answer_begins() {
        let part = |reasoning: &str, said: &str| {
            Chunk::of(Delta {
                reasoning: reasoning.to_owned(),
                text: said.to_owned(),
                ..Delta::of(0)
            })
        };
        let mut text = Text::begin();
        text.take(part("", "said"));
        assert_eq!(text.thought_ms(), None);
        let mut text = Text::begin();
        text.take(part("hm", ""));
        let since = text.thought.unwrap();
        text.take(part("hm", ""));
        // Until its last part, where no answer came.
        text.last = since + Duration::from_millis(40);
        assert_eq!(text.thought_ms(), Some(40));
        text.take(part("", "so"));
        text.answered = Some(since + Duration::from_millis(60));
        text.take(part("", " it is"));
        assert_eq!(text.thought_ms(), Some(60));
    }
}

//! Counts the tokens of an answer that passes.

use futures::StreamExt as _;
use hearth_answers::{
    Answer,
    answer::{Body, Chunk, Delta},
};

use super::Admission;

/// The answer; what it took is counted with it, whenever it ends.
pub(crate) fn metered(answer: Answer, mut admission: Admission) -> Answer {
    let body = match answer.body {
        Body::Whole(whole) => {
            if let Some(usage) = whole.usage() {
                admission.tokens(Some(usage.prompt_tokens.into()), usage.completion_tokens.into());
            }
            Body::Whole(whole)
        }
        Body::Stream(chunks) => {
            let mut tally = Tally { admission, parts: 0 };
            Body::Stream(
                chunks
                    .inspect(move |chunk| match chunk {
                        Ok(chunk) => tally.take(chunk),
                        Err(_) => tally.admission.failed(),
                    })
                    .boxed(),
            )
        }
    };
    Answer { body, ..answer }
}

struct Tally {
    admission: Admission,
    /// Parts that say something, for an answer that does not say how many tokens it has: each is one, or nearly so.
    parts: u64,
}

impl Tally {
    fn take(&mut self, chunk: &Chunk) {
        let says_something = chunk.choices.iter().filter(|delta| says_something(delta));
        self.parts += u64::try_from(says_something.count()).unwrap_or_default();
        match chunk.usage {
            Some(usage) => {
                self.parts = usage.completion_tokens.into();
                self.admission
                    .tokens(Some(usage.prompt_tokens.into()), self.parts);
            }
            None => self.admission.tokens(None, self.parts),
        }
    }
}

/// Whether a part took the model a token.
fn says_something(delta: &Delta) -> bool {
    let texts = [&delta.text, &delta.reasoning, &delta.refusal];
    texts.iter().any(|text| !text.is_empty()) || !delta.tool_calls.is_empty()
}

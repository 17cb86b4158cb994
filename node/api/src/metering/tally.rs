//! Counts the tokens of an answer that passes.

use futures::StreamExt as _;
use hearth_answers::{
    Answer,
    answer::{Body, Chunk, Delta},
};

use super::Admission;

/// Tokens of a prompt that are in no byte of the request.
const ADDED_TOKENS: u64 = 16 << 10;

/// The answer; what it took is counted with it, whenever it ends.
pub(crate) fn metered(answer: Answer, mut admission: Admission) -> Answer {
    let body = match answer.body {
        Body::Whole(whole) => {
            if let Some(usage) = whole.usage() {
                let prompt = admission.believed(usage.prompt_tokens);
                admission.tokens(Some(prompt), usage.completion_tokens.into());
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

impl Admission {
    /// What is believed of the tokens that whoever answers counted in the request: each has a byte at least, but for
    /// those of a template and of pictures that are named by their address.
    fn believed(&self, prompt_tokens: u32) -> u64 {
        let most = u64::try_from(self.asked.bytes).unwrap_or(u64::MAX);
        u64::from(prompt_tokens).min(most.saturating_add(ADDED_TOKENS))
    }
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
                let prompt = self.admission.believed(usage.prompt_tokens);
                self.admission.tokens(Some(prompt), self.parts);
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

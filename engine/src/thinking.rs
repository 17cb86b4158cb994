//! Thinking before an answer: where it begins and ends, and how it is ended from outside.

/// How a model thinks before it answers: between two marks, at the beginning of the answer.
///
/// The prompt may have opened it already, as many chat templates do; the engine looks at the prompt's end. An answer
/// that does not begin with the opening mark does not think.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thinking {
    /// The mark that opens it, such as `<think>`. Empty if the answer begins inside it.
    pub open: String,
    /// The mark that closes it, such as `</think>`. Space around it is written where the engine closes, and not
    /// waited for where the model does.
    pub close: String,
    /// After this many tokens of thinking the engine writes `close` itself; without it, the model ends when it likes.
    pub max_tokens: Option<u32>,
}

/// Where an answer is in its thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It has said nothing yet, but for space and the beginning of the opening mark.
    Before,
    /// It thinks.
    Inside,
    /// It is over, or there was none.
    After,
}

/// The thinking of one answer.
#[derive(Debug)]
pub(crate) struct Thought {
    open: Vec<u8>,
    close: Vec<u8>,
    /// The closing mark with the space around it.
    close_text: String,
    max_tokens: Option<u32>,
    phase: Phase,
    /// The last bytes, which may be the beginning of a mark.
    tail: Vec<u8>,
    n_tokens: u32,
}

impl Thought {
    /// Begins an answer behind a prompt that ends with these bytes.
    pub(crate) fn new(thinking: Thinking, prompt_end: &[u8]) -> Self {
        let Thinking {
            open,
            close,
            max_tokens,
        } = thinking;
        let (open, close_text) = (open.trim().as_bytes().to_vec(), close);
        let close = close_text.trim().as_bytes().to_vec();
        let end = prompt_end.trim_ascii_end();
        let phase = if close.is_empty() {
            Phase::After
        } else if end.ends_with(&open) {
            Phase::Inside
        } else if end.ends_with(&close) {
            Phase::After
        } else {
            Phase::Before
        };
        Self {
            open,
            close,
            close_text,
            max_tokens,
            phase,
            tail: Vec::new(),
            n_tokens: 0,
        }
    }

    /// Whether the answer proper has begun.
    pub(crate) fn is_over(&self) -> bool {
        self.phase == Phase::After
    }

    /// Whether the answer thinks.
    pub(crate) fn is_inside(&self) -> bool {
        self.phase == Phase::Inside
    }

    /// Gives what is missing of the opening mark while it may still come, and whether none of it has come.
    pub(crate) fn opening(&self) -> Option<(&[u8], bool)> {
        let missing = self.open.get(self.tail.len()..)?;
        (self.phase == Phase::Before).then_some((missing, self.tail.is_empty()))
    }

    /// Tokens of the thinking so far, with its marks.
    pub(crate) fn n_tokens(&self) -> u32 {
        match self.phase {
            Phase::Before => 0,
            Phase::Inside | Phase::After => self.n_tokens,
        }
    }

    /// Whether the thinking has used up what it may.
    pub(crate) fn is_spent(&self) -> bool {
        self.is_inside() && self.max_tokens.is_some_and(|max| self.n_tokens >= max)
    }

    /// Gives what must be written to close it: the rest of the mark if the model has begun it.
    pub(crate) fn rest_of_close(&self) -> &str {
        let begun = (1..self.close.len()).rfind(|&n| self.tail.ends_with(&self.close[..n]));
        let mark = self.close_text.trim();
        let rest = begun.and_then(|n| mark.get(n..));
        rest.unwrap_or(&self.close_text)
    }

    /// Whether a token would close it and go on behind the mark with more than space.
    pub(crate) fn overruns(&self, token: &[u8]) -> bool {
        let with_token = [self.tail.as_slice(), token].concat();
        let behind = |at: usize| &with_token[at + self.close.len()..];
        self.is_inside()
            && find(&with_token, &self.close).is_some_and(|at| !behind(at).trim_ascii().is_empty())
    }

    /// Takes the bytes of the next token.
    pub(crate) fn take(&mut self, token: &[u8]) {
        if self.phase == Phase::After {
            return;
        }
        self.n_tokens += 1;
        self.tail.extend_from_slice(token);
        if self.phase == Phase::Before {
            let text = self.tail.trim_ascii_start();
            if let Some(rest) = text.strip_prefix(self.open.as_slice()) {
                self.tail = rest.to_vec();
                self.phase = Phase::Inside;
            } else if !self.open.starts_with(text) {
                self.skip();
            }
        }
        if self.phase == Phase::Inside {
            if find(&self.tail, &self.close).is_some() {
                self.end();
            } else {
                let surplus = self.tail.len().saturating_sub(self.close.len() - 1);
                self.tail.drain(..surplus);
            }
        }
    }

    /// The answer has begun without thinking.
    pub(crate) fn skip(&mut self) {
        self.n_tokens = 0;
        self.end();
    }

    /// The closing mark is written.
    pub(crate) fn end(&mut self) {
        self.phase = Phase::After;
        self.tail = Vec::new();
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thought(max_tokens: Option<u32>, prompt_end: &str) -> Thought {
        let thinking = Thinking {
            open: "<think>".to_owned(),
            close: "\n</think>\n\n".to_owned(),
            max_tokens,
        };
        Thought::new(thinking, prompt_end.as_bytes())
    }

    #[test]
    fn a_prompt_opens_it_or_closes_it() {
        assert!(thought(None, "assistant\n<think>\n").is_inside());
        assert!(thought(None, "<think>\n\n</think>\n\n").is_over());
        let neither = thought(None, "what is <think>?\nassistant\n");
        assert!(!neither.is_inside() && !neither.is_over());
    }

    #[test]
    fn an_answer_opens_it_across_tokens_and_closes_it() {
        let mut thought = thought(None, "assistant\n");
        for token in ["\n", "<th", "ink>", "\nhm </", "thi"] {
            thought.take(token.as_bytes());
        }
        assert!(thought.is_inside());
        assert_eq!(thought.rest_of_close(), "nk>");
        assert!(!thought.overruns(b"nk>\n") && thought.overruns(b"nk>x"));
        thought.take(b"nk>\n");
        assert_eq!((thought.is_over(), thought.n_tokens()), (true, 6));
        thought.take(b"more");
        assert_eq!(thought.n_tokens(), 6);
    }

    #[test]
    fn an_answer_without_it_has_none() {
        let mut thought = thought(Some(0), "assistant\n");
        assert!(!thought.is_spent());
        thought.take(b"<table>");
        assert_eq!((thought.is_over(), thought.n_tokens()), (true, 0));
    }

    #[test]
    fn a_budget_ends_it_with_the_whole_mark() {
        let mut thought = thought(Some(2), "<think>");
        assert!(!thought.is_spent());
        thought.take(b"a");
        thought.take(b"b");
        assert!(thought.is_spent());
        assert_eq!(thought.rest_of_close(), "\n</think>\n\n");
    }
}

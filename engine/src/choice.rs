//! Chooses the next token of an answer: what must come, what may come, and of that what the sampler draws.

use std::collections::VecDeque;

use crate::constraint::Guide;
use crate::request::GenerateError;
use crate::sampler::Sampler;
use crate::thinking::Thought;
use crate::tokenizer::Tokenizer;

/// What decides on the tokens of one answer.
pub(crate) struct Choice {
    sampler: Sampler,
    /// The answer's form. It counts once thinking is over.
    guide: Option<Guide>,
    thought: Option<Thought>,
    /// Tokens that come next whatever the model says, to close its thinking.
    forced: VecDeque<u32>,
    /// Whether tokens without a choice are taken without the model's figures for them.
    skips_forced: bool,
}

impl Choice {
    pub(crate) fn new(
        sampler: Sampler,
        guide: Option<Guide>,
        thought: Option<Thought>,
        skips_forced: bool,
    ) -> Self {
        Self {
            sampler,
            guide,
            thought,
            forced: VecDeque::new(),
            skips_forced,
        }
    }

    /// Gives the guide if the next token needs its mask, so that it can be computed beside the logits.
    pub(crate) fn guide_in_use(&mut self) -> Option<&mut Guide> {
        let thinks = self.thought.as_ref().is_some_and(Thought::is_inside);
        let is_over = self.thought.as_ref().is_none_or(Thought::is_over);
        let guide = self.guide.as_mut().filter(|_| !thinks)?;
        guide.looks_ahead = self.skips_forced && is_over;
        Some(guide)
    }

    /// Tokens of the answer that were thinking.
    pub(crate) fn thinking_tokens(&self) -> u32 {
        self.thought.as_ref().map_or(0, Thought::n_tokens)
    }

    /// Whether the answer has its form and nothing can follow.
    pub(crate) fn is_complete(&self) -> bool {
        self.guide.as_ref().is_some_and(Guide::is_complete)
    }

    /// Chooses a token and takes it as said.
    pub(crate) fn next(&mut self, logits: &[f32], tokenizer: &Tokenizer) -> Result<u32, GenerateError> {
        if self.forced.is_empty() && self.thought.as_ref().is_some_and(Thought::is_spent) {
            self.force_close(tokenizer);
        }
        if let Some(token) = self.forced.pop_front() {
            return Ok(self.say_forced(token, tokenizer));
        }
        if let Some(token) = self.next_forced()? {
            return Ok(token);
        }
        let token = self.draw(logits, tokenizer)?;
        if self.leaves_its_thinking_badly(token, tokenizer) {
            self.force_close(tokenizer);
            if let Some(token) = self.forced.pop_front() {
                return Ok(self.say_forced(token, tokenizer));
            }
        }
        self.say(token, tokenizer)?;
        Ok(token)
    }

    /// Gives a token about which the answer's form leaves no choice, and takes it as said. The model need not be
    /// asked for it.
    pub(crate) fn next_forced(&mut self) -> Result<Option<u32>, GenerateError> {
        let Some(guide) = &mut self.guide else {
            return Ok(None);
        };
        let Some(token) = guide.forced() else {
            return Ok(None);
        };
        guide.take(token).map_err(bad_constraint)?;
        self.sampler.remember(token);
        Ok(Some(token))
    }

    fn force_close(&mut self, tokenizer: &Tokenizer) {
        if let Some(thought) = &mut self.thought {
            self.forced
                .extend(tokenizer.encode(thought.rest_of_close(), true));
            if self.forced.is_empty() {
                thought.end();
            }
        }
    }

    fn say_forced(&mut self, token: u32, tokenizer: &Tokenizer) -> u32 {
        self.sampler.remember(token);
        if let Some(thought) = &mut self.thought {
            thought.take(tokenizer.spelled(token));
            if self.forced.is_empty() {
                thought.end();
            }
        }
        token
    }

    /// Whether an answer that needs a form would end in its thinking, or begin before the form does.
    fn leaves_its_thinking_badly(&self, token: u32, tokenizer: &Tokenizer) -> bool {
        let (Some(thought), Some(_)) = (&self.thought, &self.guide) else {
            return false;
        };
        thought.is_inside() && (tokenizer.is_end(token) || thought.overruns(tokenizer.spelled(token)))
    }

    fn draw(&mut self, logits: &[f32], tokenizer: &Tokenizer) -> Result<u32, GenerateError> {
        let opening = self.thought.as_ref().and_then(Thought::opening);
        let is_over = self.thought.as_ref().is_none_or(Thought::is_over);
        let either;
        let mask = match (&mut self.guide, opening) {
            (Some(guide), None) if is_over => Some(guide.mask().map_err(bad_constraint)?),
            (None, _) | (Some(_), None) => None,
            // The answer may begin with its form, or with the mark that opens its thinking.
            (Some(guide), Some((missing, is_first))) => {
                let mut mask = guide.mask().map_err(bad_constraint)?.clone();
                if !is_first {
                    mask.set_all(false);
                }
                tokenizer.continuations(missing, |token| mask.allow_token(token));
                either = mask;
                Some(&either)
            }
        };
        self.sampler.sample(logits, mask).ok_or_else(|| match mask {
            Some(_) => bad_constraint(
                "no token is left that it allows: logit_bias may forbid what the form needs".to_owned(),
            ),
            None => GenerateError::Internal {
                reason: "the model gave no numbers".to_owned(),
            },
        })
    }

    fn say(&mut self, token: u32, tokenizer: &Tokenizer) -> Result<(), GenerateError> {
        if let Some(thought) = &mut self.thought
            && !thought.is_over()
        {
            let is_first = thought.opening().is_some_and(|(_, is_first)| is_first);
            let is_form = match &mut self.guide {
                Some(guide) if is_first => guide.mask().map_err(bad_constraint)?.is_allowed(token),
                Some(_) | None => false,
            };
            if !is_form {
                thought.take(tokenizer.spelled(token));
                return Ok(());
            }
            thought.skip();
        }
        match &mut self.guide {
            Some(guide) => guide.take(token).map_err(bad_constraint),
            None => Ok(()),
        }
    }
}

fn bad_constraint(reason: String) -> GenerateError {
    GenerateError::BadConstraint { reason }
}

//! One answer in the making: its tokens, its cache, and the stages between a drawn token and the sink.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use crate::job::GenerateJob;
use crate::model::{KvCache, Loaded, LogitRows, PAGE_TOKENS, Piece, TextModel};
use crate::prefix::PrefixCache;
use crate::reply::{Reply, Ticket};
use crate::request::{
    Event, FinishReason, GenerateError, GenerateRequest, Priority, Timings, TokenLogprob, Usage,
};
use crate::sampler::{Sampler, best_of, check, log_total};
use crate::scheduler::Running;
use crate::stop::{StopMatcher, Utf8Stream};
use crate::tokenizer::Tokenizer;

/// Cache counted for an answer whose length nobody limited, in tokens. It grows on demand beyond that.
const USUAL_ANSWER: usize = 512;

/// A request whose prompt is counted and found fit.
pub(crate) struct Prepared {
    pub(crate) model: Arc<Loaded>,
    pub(crate) priority: Priority,
    /// Cache it will need at least.
    pub(crate) cache_bytes: u64,
    /// Tokens that figure stands for.
    pub(crate) cache_tokens: usize,
    pub(crate) ticket: Ticket,
    request: GenerateRequest,
    prompt: Vec<u32>,
    max_new: usize,
    reply: Reply,
    since: Instant,
}

impl Prepared {
    /// Counts the prompt and checks the request; on refusal the sink is told.
    pub(crate) fn new(job: GenerateJob, model: &TextModel) -> Option<Self> {
        let GenerateJob {
            model: loaded,
            request,
            mut reply,
            ticket,
            since,
        } = job;
        match prompt_of(&loaded, model, &request) {
            Ok(prompt) => {
                let room = loaded.info.context_tokens - prompt.len();
                let max_new = request.max_tokens.map_or(room, |max| room.min(max as usize));
                let cache_tokens = prompt.len() + max_new.min(USUAL_ANSWER);
                Some(Self {
                    priority: request.priority,
                    cache_bytes: cache_tokens.next_multiple_of(PAGE_TOKENS) as u64
                        * loaded.info.cache_bytes_per_token,
                    cache_tokens,
                    ticket,
                    request,
                    prompt,
                    max_new,
                    reply,
                    since,
                    model: loaded,
                })
            }
            Err(error) => {
                reply.fail(error);
                None
            }
        }
    }

    pub(crate) fn fail(mut self, error: GenerateError) {
        self.reply.fail(error);
    }

    /// Tells the sink that the request was cancelled before it ran.
    pub(crate) fn cancel(mut self) {
        let usage = Usage {
            prompt_tokens: self.prompt.len() as u32,
            completion_tokens: 0,
        };
        let timings = Timings {
            queued: self.since.elapsed(),
            ..Timings::default()
        };
        let reason = FinishReason::Cancelled;
        let _ = self.reply.send(Event::Finished {
            reason,
            stop: None,
            usage,
            timings,
        });
    }
}

fn prompt_of(
    loaded: &Loaded,
    model: &TextModel,
    request: &GenerateRequest,
) -> Result<Vec<u32>, GenerateError> {
    loaded.check()?;
    check(&request.sampling)?;
    let context_tokens = loaded.info.context_tokens;
    // Templates and patterns come with the model; a defect met there must not end the engine.
    let tokens = || model.tokens_of(&request.prompt, context_tokens);
    let prompt = catch_unwind(AssertUnwindSafe(tokens)).map_err(|_| GenerateError::Internal {
        reason: "reading the prompt panicked".to_owned(),
    })??;
    if prompt.is_empty() {
        return Err(GenerateError::EmptyPrompt);
    }
    if prompt.len() >= context_tokens {
        return Err(GenerateError::ContextOverflow {
            prompt_tokens: prompt.len(),
            context_tokens,
        });
    }
    Ok(prompt)
}

/// Whether a sequence goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Going,
    Done,
}

/// A sequence that runs.
pub(crate) struct Sequence {
    pub(crate) model: Arc<Loaded>,
    priority: Priority,
    ticket: Ticket,
    reply: Reply,
    /// Prompt and answer; those beyond the cache are still to be computed.
    tokens: Vec<u32>,
    n_prompt: usize,
    max_new: usize,
    cache: KvCache,
    reserved_bytes: u64,
    sampler: Sampler,
    utf8: Utf8Stream,
    stops: StopMatcher,
    logprobs: Option<u8>,
    prompt_logprobs: Option<Vec<TokenLogprob>>,
    ignore_end: bool,
    /// Text and probabilities drawn since the last event.
    text: String,
    drawn: Vec<TokenLogprob>,
    since: Instant,
    admitted: Instant,
    first_token: Option<Instant>,
}

impl Sequence {
    /// Starts an admitted request; `None` if its reader is gone.
    pub(crate) fn start(prepared: Prepared, model: &TextModel, kept: &mut PrefixCache) -> Option<Self> {
        let Prepared { request, prompt, .. } = prepared;
        // Probabilities of a prompt need all of it computed.
        let known = match prepared.priority {
            Priority::Local if !request.prompt_logprobs => kept.take(&prepared.model, &prompt),
            Priority::Local | Priority::Paid => None,
        };
        let mut sequence = Self {
            priority: prepared.priority,
            ticket: prepared.ticket,
            reply: prepared.reply,
            n_prompt: prompt.len(),
            max_new: prepared.max_new,
            cache: known.unwrap_or_else(|| model.decoder.new_cache()),
            reserved_bytes: prepared.cache_bytes,
            sampler: Sampler::new(request.sampling, &prompt),
            utf8: Utf8Stream::default(),
            stops: StopMatcher::new(&request.stop),
            logprobs: request.logprobs,
            prompt_logprobs: request.prompt_logprobs.then(Vec::new),
            ignore_end: request.ignore_end,
            text: String::new(),
            drawn: Vec::new(),
            since: prepared.since,
            admitted: Instant::now(),
            first_token: None,
            tokens: prompt,
            model: prepared.model,
        };
        let started = Event::Started {
            prompt_tokens: sequence.n_prompt as u32,
        };
        match sequence.reply.send(started) {
            ControlFlow::Continue(()) => Some(sequence),
            ControlFlow::Break(()) => None,
        }
    }

    /// Gives what the scheduler needs to know.
    pub(crate) fn standing(&self) -> Running {
        Running {
            priority: self.priority,
            pending: self.tokens.len() - self.cache.n_tokens,
        }
    }

    /// Gives the cache it holds, or will at least need.
    pub(crate) fn cache_bytes(&self) -> u64 {
        self.reserved_bytes.max(self.cache.bytes())
    }

    /// Gives the cache it will hold when `n` more tokens are computed.
    pub(crate) fn cache_bytes_after(&self, n: usize) -> u64 {
        self.cache.bytes_with(self.cache.n_tokens + n)
    }

    /// Hands the cache on when the sequence has ended.
    pub(crate) fn end(self, kept: &mut PrefixCache) {
        match self.priority {
            Priority::Local => kept.put(&self.model, self.tokens, self.cache),
            Priority::Paid => {}
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.ticket.is_cancelled()
    }

    /// Gives its next `n` tokens to a round.
    pub(crate) fn piece(&mut self, n: usize) -> Piece<'_> {
        let computed = self.cache.n_tokens;
        let wants = if self.prompt_logprobs.is_some() && computed < self.n_prompt {
            LogitRows::All
        } else if computed + n == self.tokens.len() {
            LogitRows::Last
        } else {
            LogitRows::None
        };
        Piece {
            tokens: &self.tokens[computed..computed + n],
            cache: &mut self.cache,
            wants,
        }
    }

    /// Takes the logits of the round in which `n` of its tokens were computed: (rows, vocabulary).
    pub(crate) fn advance(&mut self, n: usize, logits: &[f32], model: &TextModel) -> Step {
        let vocabulary = model.tokenizer.vocabulary();
        let first = self.cache.n_tokens - n;
        if first < self.n_prompt && self.prompt_logprobs.is_some() {
            self.note_prompt(first, logits, vocabulary, &model.tokenizer);
        }
        if self.cache.n_tokens < self.tokens.len() || logits.len() < vocabulary {
            return Step::Going;
        }
        if let Some(tokens) = self.prompt_logprobs.take()
            && self.reply.send(Event::Prompt { tokens }).is_break()
        {
            return self.finish(FinishReason::Cancelled, None);
        }
        if self.max_new == 0 {
            return self.finish(FinishReason::Length, None);
        }
        self.draw(&logits[logits.len() - vocabulary..], &model.tokenizer)
    }

    fn note_prompt(&mut self, first: usize, logits: &[f32], vocabulary: usize, tokenizer: &Tokenizer) {
        let n_top = self.logprobs.unwrap_or(0);
        let rows = logits.chunks_exact(vocabulary).enumerate();
        let known = rows.filter_map(|(row, logits)| {
            let &token = self.tokens.get(first + row + 1)?;
            Some(logprob(token, logits, n_top, tokenizer))
        });
        let known: Vec<TokenLogprob> = known.collect();
        if let Some(list) = &mut self.prompt_logprobs {
            list.extend(known);
        }
    }

    fn draw(&mut self, logits: &[f32], tokenizer: &Tokenizer) -> Step {
        let Some(token) = self.sampler.sample(logits) else {
            return self.fail(GenerateError::Internal {
                reason: "the model gave no numbers".to_owned(),
            });
        };
        self.first_token.get_or_insert_with(Instant::now);
        self.tokens.push(token);
        if tokenizer.is_end(token) && !self.ignore_end {
            return self.finish(FinishReason::Stop, None);
        }
        if let Some(n_top) = self.logprobs {
            self.drawn.push(logprob(token, logits, n_top, tokenizer));
        }
        let text = self.utf8.push(tokenizer.piece(token));
        let matched = self.stops.push(&text);
        self.text.push_str(&matched.text);
        if matched.stop.is_some() {
            return self.finish(FinishReason::Stop, matched.stop);
        }
        if self.tokens.len() - self.n_prompt >= self.max_new {
            return self.finish(FinishReason::Length, None);
        }
        if self.flush().is_break() {
            return self.finish(FinishReason::Cancelled, None);
        }
        Step::Going
    }

    fn flush(&mut self) -> ControlFlow<()> {
        if self.text.is_empty() && self.drawn.is_empty() {
            return ControlFlow::Continue(());
        }
        let event = Event::Token {
            text: std::mem::take(&mut self.text),
            tokens: std::mem::take(&mut self.drawn),
        };
        self.reply.send(event)
    }

    /// Ends the answer; nothing is drawn after it.
    pub(crate) fn finish(&mut self, reason: FinishReason, stop: Option<String>) -> Step {
        if stop.is_none() && reason != FinishReason::Cancelled {
            let rest = self.utf8.finish();
            let matched = self.stops.push(&rest);
            self.text.push_str(&matched.text);
            self.text.push_str(&self.stops.finish());
        }
        let reason = match self.flush() {
            ControlFlow::Continue(()) => reason,
            ControlFlow::Break(()) => FinishReason::Cancelled,
        };
        let event = Event::Finished {
            reason,
            stop,
            usage: self.usage(),
            timings: self.timings(),
        };
        let _ = self.reply.send(event);
        Step::Done
    }

    /// Breaks the answer off.
    pub(crate) fn fail(&mut self, error: GenerateError) -> Step {
        self.reply.fail(error);
        Step::Done
    }

    fn usage(&self) -> Usage {
        let prompt_tokens = self.n_prompt as u32;
        Usage {
            prompt_tokens,
            completion_tokens: (self.tokens.len() - self.n_prompt) as u32,
        }
    }

    fn timings(&self) -> Timings {
        let now = Instant::now();
        let first = self.first_token.unwrap_or(now);
        Timings {
            queued: self.admitted - self.since,
            prefill: first - self.admitted,
            decode: now - first,
        }
    }
}

fn logprob(token: u32, logits: &[f32], n_top: u8, tokenizer: &Tokenizer) -> TokenLogprob {
    let total = log_total(logits);
    let of = |token: u32| {
        let logit = logits.get(token as usize).copied().unwrap_or(f32::NEG_INFINITY);
        (f64::from(logit) - total) as f32
    };
    let top = best_of(logits, usize::from(n_top));
    TokenLogprob {
        token,
        bytes: tokenizer.piece(token).to_vec(),
        logprob: of(token),
        top: top
            .into_iter()
            .map(|token| (token, tokenizer.piece(token).to_vec(), of(token)))
            .collect(),
    }
}

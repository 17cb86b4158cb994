//! One answer in the making: its tokens, its cache, and the stages between a drawn token and the sink.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use crate::choice::Choice;
use crate::constraint::{Guide, Refusal};
use crate::job::GenerateJob;
use crate::model::{KvCache, Loaded, LogitRows, PAGE_TOKENS, Piece, PromptTokens, TextModel};
use crate::prefix::PrefixCache;
use crate::reply::{Reply, Ticket};
use crate::request::{
    Event, FinishReason, GenerateError, GenerateRequest, MAX_STOP_BYTES, Origin, Priority, Prompt,
    PromptToken, Stopped, Timings, TokenLogprob, Usage,
};
use crate::sampler::{Sampler, best_of, check, log_total};
use crate::scheduler::Running;
use crate::stop::{StopMatcher, Utf8Stream};
use crate::thinking::Thought;
use crate::tokenizer::Tokenizer;

/// Cache counted for an answer whose length nobody limited, in tokens. It grows on demand beyond that.
const USUAL_ANSWER: usize = 512;
/// Tokens at the end of a prompt that may have opened thinking: a mark and the space behind it.
const PROMPT_END: usize = 32;

/// A request whose prompt is counted and found fit.
pub(crate) struct Prepared {
    pub(crate) model: Arc<Loaded>,
    pub(crate) priority: Priority,
    pub(crate) origin: Origin,
    /// Cache it will need at least.
    pub(crate) cache_bytes: u64,
    /// Tokens that figure stands for.
    pub(crate) cache_tokens: usize,
    pub(crate) ticket: Ticket,
    request: GenerateRequest,
    prompt: PromptTokens,
    guide: Option<Guide>,
    stops: StopMatcher,
    max_new: usize,
    reply: Reply,
    since: Instant,
}

impl Prepared {
    /// Counts the prompt, checks the request and compiles its constraint; on refusal the sink is told.
    pub(crate) fn new(job: GenerateJob, model: &TextModel) -> Option<Self> {
        let GenerateJob {
            model: loaded,
            request,
            mut reply,
            ticket,
            since,
        } = job;
        let made = prompt_of(&loaded, model, &request)
            .and_then(|prompt| Ok((prompt, guide_of(model, &request)?, stops_of(&request)?)));
        match made {
            Ok((prompt, guide, stops)) => {
                let length = prompt.tokens.len();
                let room = loaded.info.context_tokens - length;
                let max_new = request.max_tokens.map_or(room, |max| room.min(max as usize));
                let cache_tokens = length + max_new.min(USUAL_ANSWER);
                Some(Self {
                    priority: request.priority,
                    origin: request.origin,
                    cache_bytes: cache_tokens.next_multiple_of(PAGE_TOKENS) as u64
                        * loaded.info.cache_bytes_per_token,
                    cache_tokens,
                    ticket,
                    request,
                    prompt,
                    guide,
                    stops,
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
            prompt_tokens: self.prompt.tokens.len() as u32,
            ..Usage::default()
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
) -> Result<PromptTokens, GenerateError> {
    loaded.check()?;
    check(&request.sampling)?;
    let context_tokens = loaded.info.context_tokens;
    // Each message is a token at least: what cannot fit is not rendered to find that out.
    if let Prompt::Chat { messages, .. } = &request.prompt
        && messages.len() > context_tokens
    {
        return Err(GenerateError::ContextOverflow {
            prompt_tokens: messages.len(),
            context_tokens,
        });
    }
    // Templates and patterns come with the model; a defect met there must not end the engine.
    let tokens = || model.tokens_of(&request.prompt, context_tokens);
    let prompt = catch_unwind(AssertUnwindSafe(tokens)).map_err(|_| GenerateError::Internal {
        reason: "reading the prompt panicked".to_owned(),
    })??;
    if prompt.tokens.is_empty() {
        return Err(GenerateError::EmptyPrompt);
    }
    // One that is only scored may fill the window.
    let needed = usize::from(request.max_tokens != Some(0));
    if prompt.tokens.len() + needed > context_tokens {
        return Err(GenerateError::ContextOverflow {
            prompt_tokens: prompt.tokens.len(),
            context_tokens,
        });
    }
    Ok(prompt)
}

fn guide_of(model: &TextModel, request: &GenerateRequest) -> Result<Option<Guide>, GenerateError> {
    let compile = |constraint| model.grammars.compile(constraint);
    let guide = request.constraint.as_ref().map(compile).transpose();
    guide.map_err(|refusal| match refusal {
        Refusal::Bad(reason) => GenerateError::BadConstraint { reason },
        Refusal::Busy(queued) => GenerateError::Busy { queued },
    })
}

fn stops_of(request: &GenerateRequest) -> Result<StopMatcher, GenerateError> {
    let n_bytes: usize = request.stop.iter().map(String::len).sum();
    if n_bytes > MAX_STOP_BYTES {
        return Err(GenerateError::BadParameter {
            field: "stop",
            value: format!("{n_bytes} bytes long"),
            range: "at most 65536 bytes, all stop strings together",
        });
    }
    Ok(StopMatcher::new(&request.stop))
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
    origin: Origin,
    ticket: Ticket,
    reply: Reply,
    /// Prompt and answer; those beyond the cache are still to be computed.
    tokens: Vec<u32>,
    n_prompt: usize,
    max_new: usize,
    cache: KvCache,
    reserved_bytes: u64,
    /// Tokens of the prompt that the cache held from the start.
    n_cached: usize,
    choice: Choice,
    utf8: Utf8Stream,
    stops: StopMatcher,
    stop_tokens: BTreeSet<u32>,
    logprobs: Option<u8>,
    prompt_logprobs: Option<Vec<PromptToken>>,
    ignore_end: bool,
    /// Control tokens whose text is part of the answer.
    shown: BTreeMap<u32, String>,
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
        let PromptTokens {
            tokens: prompt,
            fallbacks,
            opens_thinking,
        } = prompt;
        let shown = request.shown_tokens.iter().filter_map(|text| {
            let token = model.tokenizer.control_token(text)?;
            Some((token, text.clone()))
        });
        // Probabilities of a prompt need all of it computed.
        let known = match prepared.priority {
            Priority::Local if !request.prompt_logprobs => kept.take(&prepared.model, &prompt),
            Priority::Local | Priority::Paid => None,
        };
        let cache = known.unwrap_or_else(|| model.decoder.new_cache());
        let end = &prompt[prompt.len().saturating_sub(PROMPT_END)..];
        let end: Vec<u8> = end
            .iter()
            .flat_map(|&token| model.tokenizer.spelled(token))
            .copied()
            .collect();
        let thought = request.thinking.map(|thinking| Thought::new(thinking, &end));
        let sampler = Sampler::new(request.sampling, &prompt);
        let mut sequence = Self {
            priority: prepared.priority,
            origin: prepared.origin,
            ticket: prepared.ticket,
            reply: prepared.reply,
            n_prompt: prompt.len(),
            max_new: prepared.max_new,
            n_cached: cache.n_tokens,
            cache,
            reserved_bytes: prepared.cache_bytes,
            choice: Choice::new(sampler, prepared.guide, thought, request.logprobs.is_none()),
            utf8: Utf8Stream::default(),
            stops: prepared.stops,
            stop_tokens: request.stop_tokens.into_iter().collect(),
            logprobs: request.logprobs,
            prompt_logprobs: request
                .prompt_logprobs
                .then(|| first_of(&prompt, &model.tokenizer)),
            ignore_end: request.ignore_end,
            shown: shown.collect(),
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
            fallbacks,
            opens_thinking,
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
            origin: self.origin,
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

    /// Gives its next `n` tokens to a round, and the guide whose mask is needed when they are computed.
    pub(crate) fn work(&mut self, n: usize) -> (Piece<'_>, Option<&mut Guide>) {
        let computed = self.cache.n_tokens;
        let wants = if self.prompt_logprobs.is_some() && computed < self.n_prompt {
            LogitRows::All
        } else if computed + n == self.tokens.len() {
            LogitRows::Last
        } else {
            LogitRows::None
        };
        let draws = computed + n == self.tokens.len() && self.max_new > 0;
        let piece = Piece {
            tokens: &self.tokens[computed..computed + n],
            cache: &mut self.cache,
            wants,
        };
        (piece, self.choice.guide_in_use().filter(|_| draws))
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
        let prompt = &self.tokens[..self.n_prompt];
        let scored = rows.filter_map(|(row, logits)| {
            let &token = prompt.get(first + row + 1)?;
            let scored = logprob(token, logits, n_top, tokenizer);
            Some(PromptToken {
                token,
                bytes: scored.bytes,
                logprob: Some(scored.logprob),
                top: scored.top,
            })
        });
        if let Some(list) = &mut self.prompt_logprobs {
            list.extend(scored);
        }
    }

    fn draw(&mut self, logits: &[f32], tokenizer: &Tokenizer) -> Step {
        // Figures that grew beyond all measure: nothing that is drawn from them is an answer.
        if logits.iter().any(|logit| logit.is_nan()) {
            return self.fail(GenerateError::Internal {
                reason: format!(
                    "{} computes what is no figure: its weights are damaged or unfit",
                    self.model.info.name
                ),
            });
        }
        let token = match self.choice.next(logits, tokenizer) {
            Ok(token) => token,
            Err(error) => return self.fail(error),
        };
        self.first_token.get_or_insert_with(Instant::now);
        if let Some(n_top) = self.logprobs
            && !self.ends_with(token, tokenizer)
        {
            self.drawn.push(logprob(token, logits, n_top, tokenizer));
        }
        let mut step = self.say(token, tokenizer);
        while step == Step::Going {
            match self.choice.next_forced() {
                Ok(Some(token)) => step = self.say(token, tokenizer),
                Ok(None) => break,
                Err(error) => return self.fail(error),
            }
        }
        if step == Step::Going && self.flush().is_break() {
            return self.finish(FinishReason::Cancelled, None);
        }
        step
    }

    fn ends_with(&self, token: u32, tokenizer: &Tokenizer) -> bool {
        tokenizer.is_end(token) && !self.ignore_end
    }

    /// Adds a token to the answer, and ends it where it ends.
    fn say(&mut self, token: u32, tokenizer: &Tokenizer) -> Step {
        self.tokens.push(token);
        if self.ends_with(token, tokenizer) {
            return self.finish(FinishReason::Stop, None);
        }
        if self.stop_tokens.contains(&token) {
            return self.finish(FinishReason::Stop, Some(Stopped::Token(token)));
        }
        let shown = self.shown.get(&token).map(String::as_bytes);
        let text = self.utf8.push(shown.unwrap_or_else(|| tokenizer.piece(token)));
        let matched = self.stops.push(&text);
        self.text.push_str(&matched.text);
        if let Some(stop) = matched.stop {
            return self.finish(FinishReason::Stop, Some(Stopped::Text(stop)));
        }
        if self.choice.is_complete() {
            return self.finish(FinishReason::Stop, None);
        }
        if self.tokens.len() - self.n_prompt >= self.max_new {
            return self.finish(FinishReason::Length, None);
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
    pub(crate) fn finish(&mut self, reason: FinishReason, stop: Option<Stopped>) -> Step {
        let is_cut = matches!(stop, Some(Stopped::Text(_)));
        if !is_cut && reason != FinishReason::Cancelled {
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
            cached_prompt_tokens: self.n_cached as u32,
            thinking_tokens: self.choice.thinking_tokens(),
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

/// The first token of a prompt has nothing before it that could make it probable.
fn first_of(prompt: &[u32], tokenizer: &Tokenizer) -> Vec<PromptToken> {
    let first = prompt.first().map(|&token| PromptToken {
        token,
        bytes: tokenizer.piece(token).to_vec(),
        logprob: None,
        top: Vec::new(),
    });
    first.into_iter().collect()
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

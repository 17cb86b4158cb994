//! Constraints: what an answer must be, compiled to a grammar that says at every step which tokens may come.
//!
//! The grammar, its parser and the masks are those of llguidance. Here are what it is fed, what it may cost, and how
//! it says no.

mod schema;
mod vocabulary;

use std::collections::VecDeque;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use llguidance::api::{ParserLimits, TopLevelGrammar};
use llguidance::{JsonCompileOptions, Matcher, ParserFactory};
use serde_json::{Value, json};
use toktrie::SimpleVob;

use crate::request::Constraint;
use crate::tokenizer::Tokenizer;
use vocabulary::Vocabulary;

/// The longest constraint. Schemas of whole APIs have some ten thousand bytes.
const MAX_BYTES: usize = 256 << 10;
/// The longest grammar: its parser goes deeper with it, and people write grammars by hand.
const MAX_GRAMMAR_BYTES: usize = 32 << 10;
/// The longest that compiling may take. A usual schema takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// What finding out what may come next may take for one token; and in one answer, all its tokens together: so much, and
/// so much for each token. A usual one takes less than a millisecond, and others of the batch wait for it.
const STEP_PATIENCE: Duration = Duration::from_millis(500);
const MASK_PATIENCE: Duration = Duration::from_secs(5);
const MASK_PATIENCE_PER_TOKEN: Duration = Duration::from_millis(10);
/// Constraints of a model that are compiled at once, those that nobody waits for any more among them.
const MAX_COMPILING: usize = 4;
/// What is said of a fault at most.
const MAX_REASON_BYTES: usize = 240;
/// Stack of a thread that compiles. Its pages are taken only where they are used.
const STACK_BYTES: usize = 64 << 20;
/// Space between the parts of JSON: little, so that a model that likes space comes to an end.
const JSON_SPACE: &str = r"[ \t]{1,2}|\r?\n[ \t]{0,60}";

/// Why there is no guide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The constraint is at fault; in plain words.
    Bad(String),
    /// So many are compiled already.
    Busy(usize),
}

/// What compiles the constraints of one model.
pub(crate) struct Grammars {
    tokenizer: Arc<Tokenizer>,
    /// Made for the first constraint: most models never meet one.
    factory: OnceLock<Result<Arc<ParserFactory>, String>>,
    compiling: Arc<AtomicUsize>,
}

impl Grammars {
    pub(crate) fn new(tokenizer: Arc<Tokenizer>) -> Self {
        Self {
            tokenizer,
            factory: OnceLock::new(),
            compiling: Arc::default(),
        }
    }

    /// Compiles a constraint. Blocks for up to [`PATIENCE`].
    pub(crate) fn compile(&self, constraint: &Constraint) -> Result<Guide, Refusal> {
        // A value nested beyond all bounds cannot even be copied.
        if let Constraint::JsonSchema(schema) = constraint {
            schema::check_depth(schema).map_err(Refusal::Bad)?;
        }
        let constraint = constraint.clone();
        let factory = self.factory.get_or_init(|| factory(&self.tokenizer));
        let factory = Arc::clone(factory.as_ref().map_err(|reason| Refusal::Bad(reason.clone()))?);
        let place = Place::take(&self.compiling)?;
        let (sender, made) = channel();
        let compile = move || {
            let guide = catch_unwind(AssertUnwindSafe(|| {
                Guide::new(&factory, grammar_of(&constraint)?)
            }));
            let broken = || Err("compiling it met a defect".to_owned());
            drop(place);
            // Whoever asked may have lost patience.
            let _ = sender.send(guide.unwrap_or_else(|_| broken()));
        };
        let thread = std::thread::Builder::new()
            .name("engine-grammar".to_owned())
            .stack_size(STACK_BYTES);
        // Nothing in a compiling grammar looks at a signal, so the thread is left behind when it takes too long. What
        // the limits let through ends within seconds.
        thread
            .spawn(compile)
            .map_err(|error| Refusal::Bad(format!("the system gave no thread for it ({error})")))?;
        match made.recv_timeout(PATIENCE) {
            Ok(guide) => guide.map_err(Refusal::Bad),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(Refusal::Bad(format!(
                "it is too complex: compiling it took longer than {} seconds",
                PATIENCE.as_secs()
            ))),
        }
    }
}

/// A place among the constraints that are compiled.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(compiling: &Arc<AtomicUsize>) -> Result<Self, Refusal> {
        let before = compiling.fetch_add(1, Ordering::Relaxed);
        let place = Self(Arc::clone(compiling));
        if before < MAX_COMPILING {
            Ok(place)
        } else {
            Err(Refusal::Busy(before))
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn factory(tokenizer: &Arc<Tokenizer>) -> Result<Arc<ParserFactory>, String> {
    let make = || {
        let vocabulary = Vocabulary::new(tokenizer)?.into_env();
        let mut factory = ParserFactory::new_simple(&vocabulary).map_err(|error| plain(&error))?;
        factory.quiet();
        *factory.limits_mut() = ParserLimits {
            // Ambiguous grammars need more with each token, and time by its square: some hundred milliseconds here.
            // Schemas with hundreds of properties, and grammars of whole languages, need a third of it.
            step_max_items: 10_000,
            // About 2 kB each.
            max_lexer_states: 20_000,
            verbose_errors: false,
            ..ParserLimits::default()
        };
        Ok(Arc::new(factory))
    };
    // The vocabulary comes from the model's file.
    let made = catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|_| Err("it met a defect".to_owned()));
    made.map_err(|reason| format!("this model's vocabulary cannot be constrained ({reason})"))
}

fn grammar_of(constraint: &Constraint) -> Result<TopLevelGrammar, String> {
    let text = |text: &str, limit: usize| {
        if text.len() > limit {
            return Err(format!("it has {} bytes and may have {limit}", text.len()));
        }
        Ok(())
    };
    match constraint {
        Constraint::JsonObject => Ok(json_grammar(json!({"type": "object"}))),
        Constraint::JsonSchema(schema) => looked_over(schema).map(json_grammar),
        Constraint::Regex(pattern) => {
            text(pattern, MAX_GRAMMAR_BYTES)?;
            Ok(TopLevelGrammar::from_regex(pattern))
        }
        Constraint::Lark(grammar) => {
            text(grammar, MAX_GRAMMAR_BYTES)?;
            Ok(TopLevelGrammar::from_lark(grammar.clone()))
        }
    }
}

/// Gives a schema as it is compiled.
pub(crate) fn looked_over(schema: &Value) -> Result<Value, String> {
    schema::checked(schema, MAX_BYTES)
}

fn json_grammar(mut schema: Value) -> TopLevelGrammar {
    let options = JsonCompileOptions {
        whitespace_pattern: Some(JSON_SPACE.to_owned()),
        ..JsonCompileOptions::default()
    };
    // A schema that is `true` or `false` has no room for them and no need of them.
    if schema.is_object() {
        options.apply_to(&mut schema);
    }
    TopLevelGrammar::from_json_schema(schema)
}

/// Gives the words of an error that say something to whoever wrote the constraint.
fn plain(error: &impl Display) -> String {
    let text = error.to_string();
    // What the compiler says to those who wrote it says nothing to anybody else.
    if text.starts_with("panic") {
        return "the compiler of such forms cannot work with it: make it simpler, or its numbers smaller"
            .to_owned();
    }
    if text.starts_with("NoExtension") {
        return "no answer can fulfil it: there is nothing that may come next".to_owned();
    }
    // Parsers of regular expressions point at the place in several lines, and say what is wrong in the last.
    let last = text.lines().find_map(|line| line.strip_prefix("error: "));
    let first = last.or(text.lines().next()).unwrap_or_default().trim();
    // Some repeat the whole constraint.
    let first = &first[..first.floor_char_boundary(MAX_REASON_BYTES)];
    if ["fuel", "too big", "oo many", "Complex", "items; max"]
        .iter()
        .any(|word| first.contains(word))
    {
        return format!("it is too complex ({first})");
    }
    if !first.contains(' ') {
        return format!("it cannot be used ({first})");
    }
    first.to_owned()
}

/// The way of one answer through its grammar.
pub(crate) struct Guide {
    matcher: Matcher,
    /// What may come next, once it is computed.
    mask: Option<Result<SimpleVob, String>>,
    /// Tokens that come next because the grammar leaves no choice.
    forced: VecDeque<u32>,
    /// What was taken of [`MASK_PATIENCE`].
    spent: Duration,
    n_taken: u32,
    /// Whether such tokens are looked for: they are then read together, like a prompt.
    pub(crate) looks_ahead: bool,
}

impl Guide {
    /// Compiles a grammar and computes its first mask, which finds most of what is wrong with it.
    fn new(factory: &ParserFactory, grammar: TopLevelGrammar) -> Result<Self, String> {
        let parser = factory.create_parser(grammar).map_err(|error| plain(&error))?;
        let mut guide = Self {
            matcher: Matcher::new(Ok(parser)),
            mask: None,
            forced: VecDeque::new(),
            spent: Duration::ZERO,
            n_taken: 0,
            looks_ahead: false,
        };
        guide.mask().map(drop)?;
        Ok(guide)
    }

    /// Computes what must or may come next, if that is not known. Takes up to some milliseconds.
    pub(crate) fn prepare(&mut self) {
        let began = Instant::now();
        if self.looks_ahead && self.forced.is_empty() {
            self.forced = self.matcher.compute_ff_tokens().into();
        }
        if self.forced.is_empty() && self.mask.is_none() {
            let mask = self.matcher.compute_mask_or_eos();
            self.mask = Some(mask.map_err(|error| plain(&error)));
        }
        self.spend(began.elapsed());
    }

    /// Counts what was taken of the patience; beyond it, nothing more is computed.
    fn spend(&mut self, time: Duration) {
        self.spent += time;
        // What the first one takes is a part of compiling.
        let is_slow = self.n_taken > 0 && time > STEP_PATIENCE;
        if is_slow || self.spent > MASK_PATIENCE + MASK_PATIENCE_PER_TOKEN * self.n_taken {
            self.forced.clear();
            self.mask = Some(Err(format!(
                "it is too costly: finding out what may come next took {:.1} seconds for {} tokens, which others wait \
                 for; make it less ambiguous, or smaller",
                self.spent.as_secs_f32(),
                self.n_taken
            )));
        }
    }

    /// Gives the next token if there is no choice about it and tokens are looked for that are not.
    pub(crate) fn forced(&mut self) -> Option<u32> {
        self.forced.pop_front()
    }

    /// Gives the tokens that may come next.
    pub(crate) fn mask(&mut self) -> Result<&SimpleVob, String> {
        self.prepare();
        match &self.mask {
            Some(Ok(mask)) => Ok(mask),
            Some(Err(reason)) => Err(reason.clone()),
            None => Err("its mask is missing".to_owned()),
        }
    }

    /// Goes on by a token that the mask allowed.
    pub(crate) fn take(&mut self, token: u32) -> Result<(), String> {
        self.mask = None;
        let began = Instant::now();
        let taken = self.matcher.consume_token(token).map_err(|error| plain(&error));
        self.n_taken = self.n_taken.saturating_add(1);
        self.spend(began.elapsed());
        taken
    }

    /// Whether the grammar is fulfilled and nothing can follow.
    pub(crate) fn is_complete(&self) -> bool {
        self.matcher.is_stopped()
    }
}

#[cfg(test)]
mod tests;

//! Takes an answer apart while it is written: text, reasoning, tool calls with their arguments.
//!
//! What may be part of a mark is held back, nothing else is. What looked like a call and is none comes out as text.
//! However the answer is cut into pieces, what comes out is the same once joined.

mod calls;

use super::call::{Head, head};
use super::marks::{JSON_FENCE, Mark, marks};
use super::scan::{Scan, begun, trailing_space};
use super::written::new_id;
use super::{CALL_BEGIN, CALLS_BEGIN, Dialect, FUNCTION, TOOL_CALLS, TOOL_CODE, ToolSyntax, Tools};

/// A part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A part of the text.
    Text(String),
    /// A part of the reasoning.
    Reasoning(String),
    /// A call begins.
    ToolCall {
        /// Its place among the calls of the answer, from 0.
        index: u32,
        /// An id of its own.
        id: String,
        /// The tool's name.
        name: String,
    },
    /// A part of a call's arguments, which are JSON.
    Arguments {
        /// The call's place.
        index: u32,
        /// The next part.
        text: String,
    },
}

/// What stands between a mark and the arguments is shorter.
const HEAD_BYTES: usize = 2048;
/// So much of a mark at the end of an answer that was cut off is a mark, and no bracket of the text.
const BEGUN_MARK_BYTES: usize = 2;
/// Takes one answer apart.
pub struct Parser {
    dialect: Dialect,
    tools: Tools,
    held: String,
    state: State,
    /// White space that stood before a mark, until it is known whether a call follows.
    gap: String,
    /// Nothing has come out yet but reasoning.
    at_start: bool,
    skips_space: bool,
    calls: u32,
    /// The tool that is being called.
    current: String,
    is_over: bool,
    /// The answer was cut off by its limit: a call that has begun is none, and no text either.
    is_cut: bool,
    out: Vec<Piece>,
}

/// What the held text begins with.
enum State {
    Reasoning {
        fresh: bool,
    },
    Text,
    /// A mark of `skip` bytes and what may be a call. If it is none, `release` bytes of it are text.
    Head {
        kind: Mark,
        skip: usize,
        release: usize,
    },
    /// The same, with an object from `begin` on that has its arguments before its name.
    Whole {
        kind: Mark,
        begin: usize,
        release: usize,
        scan: Scan,
        seen: usize,
    },
    /// The same, with a fence of code that has been searched for its end so far.
    Code {
        seen: usize,
    },
    Arguments {
        kind: Mark,
        objects: usize,
        scan: Option<Scan>,
    },
    Xml {
        is_first: bool,
        seen: usize,
    },
    /// The rest of the objects around arguments.
    Tail {
        kind: Mark,
        scan: Scan,
    },
    After {
        kind: Mark,
    },
}

impl Parser {
    /// Begins an answer to a request with these tools. `opens_thinking`: the prompt ended inside a block of reasoning.
    #[must_use]
    pub fn new(dialect: Dialect, tools: Tools, opens_thinking: bool) -> Self {
        let state = if opens_thinking {
            State::Reasoning { fresh: true }
        } else {
            State::Text
        };
        Self {
            dialect,
            tools,
            held: String::new(),
            state,
            gap: String::new(),
            at_start: true,
            skips_space: opens_thinking,
            calls: 0,
            current: String::new(),
            is_over: false,
            is_cut: false,
            out: Vec::new(),
        }
    }

    /// Takes the next piece of the answer and gives what is decided.
    pub fn push(&mut self, text: &str) -> Vec<Piece> {
        self.held.push_str(text);
        while self.step() {}
        std::mem::take(&mut self.out)
    }

    /// Gives what was held back: the answer is over, or was cut off by its limit.
    pub fn finish(&mut self, is_cut: bool) -> Vec<Piece> {
        self.is_over = true;
        self.is_cut = is_cut;
        while self.step() {}
        std::mem::take(&mut self.out)
    }

    /// Whether the answer called a tool so far.
    #[must_use]
    pub fn has_calls(&self) -> bool {
        self.calls > 0
    }

    /// Decides about the beginning of the held text; `false` if it takes more to do so.
    fn step(&mut self) -> bool {
        match std::mem::replace(&mut self.state, State::Text) {
            State::Reasoning { fresh } => self.reasoning(fresh),
            State::Text => self.text(),
            State::Head { kind, skip, release } => self.head(kind, skip, release),
            State::Whole {
                kind,
                begin,
                release,
                scan,
                seen,
            } => self.whole(kind, begin, release, scan, seen),
            State::Code { seen } => self.code(seen),
            State::Arguments { kind, objects, scan } => self.arguments(kind, objects, scan),
            State::Xml { is_first, seen } => self.xml(is_first, seen),
            State::Tail { kind, scan } => self.tail(kind, scan),
            State::After { kind } => self.after(kind),
        }
    }

    fn syntax(&self) -> Option<ToolSyntax> {
        self.dialect.tools.filter(|_| !self.tools.as_slice().is_empty())
    }

    fn wait(&mut self, state: State) -> bool {
        self.state = state;
        false
    }

    fn go(&mut self, state: State) -> bool {
        self.state = state;
        true
    }

    fn reasoning(&mut self, fresh: bool) -> bool {
        let (open, close) = self.dialect.thinking;
        if fresh {
            // Some models repeat the mark that the prompt ended with.
            let rest = self.held.trim_start();
            if open.starts_with(rest) && rest != open && !self.is_over {
                return self.wait(State::Reasoning { fresh });
            }
            let begin = self.held.len() - rest.strip_prefix(open).unwrap_or(rest).len();
            self.held.drain(..begin);
            self.skips_space = true;
            return self.go(State::Reasoning { fresh: false });
        }
        if let Some(at) = self.held.find(close) {
            let text = self.held[..at - trailing_space(&self.held[..at])].to_owned();
            self.emit_reasoning(text);
            self.held.drain(..at + close.len());
            self.skips_space = true;
            return self.go(State::Text);
        }
        let undecided = begun(&self.held, close);
        let text = self.release(undecided);
        self.emit_reasoning(text);
        self.wait(State::Reasoning { fresh })
    }

    /// Takes what is decided out of the held text: all but a begun mark and the white space before it.
    fn release(&mut self, undecided: usize) -> String {
        let decided = self.held.len() - if self.is_over { 0 } else { undecided };
        let space = if self.is_over {
            0
        } else {
            trailing_space(&self.held[..decided])
        };
        self.held.drain(..decided - space).collect()
    }

    fn text(&mut self) -> bool {
        let syntax = self.syntax();
        if self.at_start {
            match self.start(syntax) {
                Some(decided) => return decided,
                None => self.at_start = false,
            }
        }
        let Some(syntax) = syntax else {
            let text = std::mem::take(&mut self.held);
            self.emit_text(text);
            return false;
        };
        let marks = marks(syntax);
        let found = marks
            .iter()
            .filter_map(|mark| Some((self.held.find(mark)?, *mark)))
            .min_by_key(|(at, _)| *at);
        if let Some((at, mark)) = found {
            let space = trailing_space(&self.held[..at]);
            let text = self.held.drain(..at - space).collect();
            self.emit_text(text);
            self.gap = self.held.drain(..space).collect();
            return self.open(mark);
        }
        let undecided = marks
            .iter()
            .map(|mark| begun(&self.held, mark))
            .max()
            .unwrap_or(0);
        if self.is_cut && undecided >= BEGUN_MARK_BYTES {
            self.held.truncate(self.held.len() - undecided);
        }
        let text = self.release(undecided);
        self.emit_text(text);
        self.wait(State::Text)
    }

    /// Goes on behind a mark that the held text begins with.
    fn open(&mut self, mark: &str) -> bool {
        let release = mark.len();
        if mark == TOOL_CODE {
            return self.go(State::Code { seen: release });
        }
        // Marks that say what follows them are read with it.
        let is_part = [FUNCTION, CALLS_BEGIN, CALL_BEGIN, JSON_FENCE].contains(&mark);
        self.go(State::Head {
            kind: if mark == JSON_FENCE {
                Mark::Fence
            } else {
                Mark::Own
            },
            skip: if is_part { 0 } else { release },
            release,
        })
    }

    /// Looks for what only the beginning of an answer can be. `None`: it is ordinary text.
    fn start(&mut self, syntax: Option<ToolSyntax>) -> Option<bool> {
        let (open, _) = self.dialect.thinking;
        let rest = self.held.trim_start();
        let space = self.held.len() - rest.len();
        if rest.starts_with(open) && self.calls == 0 {
            self.held.drain(..space + open.len());
            self.skips_space = true;
            return Some(self.go(State::Reasoning { fresh: false }));
        }
        if open.starts_with(rest) && !self.is_over {
            // White space alone may be as long as it likes; all but its end is text.
            if rest.is_empty() {
                let text = self.release(0);
                self.emit_text(text);
            }
            return Some(self.wait(State::Text));
        }
        if syntax.is_some() && rest.starts_with(['{', '[']) && !rest.starts_with(TOOL_CALLS) {
            if rest.len() < TOOL_CALLS.len() && TOOL_CALLS.starts_with(rest) && !self.is_over {
                return Some(self.wait(State::Text));
            }
            self.gap = self.held.drain(..space).collect();
            self.at_start = false;
            return Some(self.go(State::Head {
                kind: Mark::Bare,
                skip: 0,
                release: 1,
            }));
        }
        None
    }

    fn head(&mut self, kind: Mark, skip: usize, release: usize) -> bool {
        let Some(syntax) = self.syntax() else {
            return self.give_up(release);
        };
        let limit = self.held.floor_char_boundary(skip + HEAD_BYTES);
        let found = head(syntax, &self.held[skip..limit], &self.tools, kind != Mark::Own);
        match found {
            Head::More if self.is_cut && kind == Mark::Own => self.drop_begun(),
            Head::More if self.is_over || self.held.len() > skip + HEAD_BYTES => self.give_up(release),
            Head::More => self.wait(State::Head { kind, skip, release }),
            Head::Broken => self.give_up(release),
            Head::Call {
                name,
                arguments,
                objects,
            } => {
                self.begin_call(name);
                self.held.drain(..skip + arguments);
                self.go(State::Arguments {
                    kind,
                    objects,
                    scan: None,
                })
            }
            Head::Bare { name, end } => {
                self.begin_call(name);
                self.emit_arguments("{}".to_owned());
                self.held.drain(..skip + end);
                self.go(State::After { kind })
            }
            Head::Whole { begin } => self.go(State::Whole {
                kind,
                begin: skip + begin,
                release,
                scan: Scan::default(),
                seen: skip + begin,
            }),
            Head::Xml { name, arguments } => {
                self.begin_call(name);
                self.held.drain(..skip + arguments);
                self.go(State::Xml {
                    is_first: true,
                    seen: 0,
                })
            }
        }
    }

    /// A call that was cut off before it said what is called.
    fn drop_begun(&mut self) -> bool {
        self.gap.clear();
        self.held.clear();
        self.wait(State::Text)
    }

    /// What seemed to be a call is text.
    fn give_up(&mut self, release: usize) -> bool {
        let mut text = std::mem::take(&mut self.gap);
        text.extend(self.held.drain(..release));
        self.at_start = false;
        self.emit_text(text);
        self.go(State::Text)
    }

    fn begin_call(&mut self, name: String) {
        self.gap.clear();
        self.at_start = false;
        self.current.clone_from(&name);
        let id = new_id(self.dialect.tools);
        let index = self.calls;
        self.calls += 1;
        self.out.push(Piece::ToolCall { index, id, name });
    }

    fn emit_arguments(&mut self, text: String) {
        if !text.is_empty() {
            let index = self.calls.saturating_sub(1);
            self.out.push(Piece::Arguments { index, text });
        }
    }

    fn emit_text(&mut self, text: String) {
        let text = self.unspaced(text);
        if !text.is_empty() {
            self.out.push(Piece::Text(text));
        }
    }

    fn emit_reasoning(&mut self, text: String) {
        let text = self.unspaced(text);
        if !text.is_empty() {
            self.out.push(Piece::Reasoning(text));
        }
    }

    /// Drops the white space behind a mark.
    fn unspaced(&mut self, text: String) -> String {
        if !self.skips_space {
            return text;
        }
        let rest = text.trim_start();
        self.skips_space = rest.is_empty();
        rest.to_owned()
    }
}

//! Inside a call: its arguments, in whatever form, and what stands behind them.

use serde_json::Value;

use super::super::marks::{Mark, around};
use super::super::scan::{Scan, Scanned, value_end};
use super::super::written::{code_calls, named_call, typed, unwrapped};
use super::super::{PARAMETER, PARAMETER_END, TOOL_CODE};
use super::{Parser, State};

/// Arguments that must be held back as a whole (before their name, in Python) are shorter.
const WHOLE_BYTES: usize = 64 * 1024;
/// So is an argument in a mark of its own.
const VALUE_BYTES: usize = 1024 * 1024;

impl Parser {
    /// Arguments that come before the name.
    pub(super) fn whole(
        &mut self,
        kind: Mark,
        begin: usize,
        release: usize,
        mut scan: Scan,
        seen: usize,
    ) -> bool {
        let limit = self.held.floor_char_boundary(begin + WHOLE_BYTES);
        let end = match scan.feed(&self.held[seen..limit]) {
            Scanned::Ends(end) => seen + end,
            Scanned::Broken(_) => return self.give_up(release),
            Scanned::Going if self.is_cut && kind == Mark::Own => return self.drop_begun(),
            Scanned::Going if self.is_over || limit < self.held.len() => return self.give_up(release),
            Scanned::Going => {
                return self.wait(State::Whole {
                    kind,
                    begin,
                    release,
                    scan,
                    seen: limit,
                });
            }
        };
        let Some((name, arguments)) = named_call(&self.held[begin..end]) else {
            return self.give_up(release);
        };
        if kind != Mark::Own && self.tools.named(&name).is_none() {
            return self.give_up(release);
        }
        self.held.drain(..end);
        self.begin_call(name);
        self.emit_arguments(arguments);
        self.go(State::After { kind })
    }

    pub(super) fn code(&mut self, seen: usize) -> bool {
        let body = TOOL_CODE.len();
        let limit = self.held.floor_char_boundary(body + WHOLE_BYTES);
        let end = self.held[seen.min(limit)..limit].find("```").map(|at| seen + at);
        let is_last = self.is_over || limit < self.held.len();
        if end.is_none() && !is_last {
            // The fence may have begun.
            let seen = self.held.floor_char_boundary(limit.saturating_sub(2)).max(body);
            return self.wait(State::Code { seen });
        }
        let text = &self.held[body..end.unwrap_or(limit)];
        let text = text.strip_prefix('\n').unwrap_or(text);
        let found = if end.is_none() && !self.is_over {
            None
        } else {
            code_calls(text)
        };
        let Some(calls) = found else {
            if self.is_cut && end.is_none() {
                return self.drop_begun();
            }
            return self.give_up(body);
        };
        self.held.drain(..end.map_or(limit, |end| end + 3));
        for (name, arguments) in calls {
            self.begin_call(name);
            self.emit_arguments(arguments);
        }
        self.skips_space = true;
        self.go(State::Text)
    }

    pub(super) fn arguments(&mut self, kind: Mark, objects: usize, scan: Option<Scan>) -> bool {
        let next = |parser: &mut Self| {
            let state = match objects {
                0 => State::After { kind },
                _ => State::Tail {
                    kind,
                    scan: Scan::inside(objects),
                },
            };
            parser.go(state)
        };
        let mut scan = match scan {
            Some(scan) => scan,
            None if self.held.starts_with('{') => Scan::default(),
            None => {
                // Nothing, or an object written as a text: rare, and short enough to be held back.
                let end = value_end(&self.held).filter(|end| *end <= WHOLE_BYTES);
                if end.is_none() && !self.is_over && self.held.len() <= WHOLE_BYTES {
                    return self.wait(State::Arguments {
                        kind,
                        objects,
                        scan: None,
                    });
                }
                if let Some(end) = end {
                    let value: String = self.held.drain(..end).collect();
                    self.emit_arguments(unwrapped(&value));
                    return next(self);
                }
                Scan::default()
            }
        };
        match scan.feed(&self.held) {
            Scanned::Going => {
                let text = std::mem::take(&mut self.held);
                self.emit_arguments(text);
                self.wait(State::Arguments {
                    kind,
                    objects,
                    scan: Some(scan),
                })
            }
            Scanned::Ends(end) => {
                let text = self.held.drain(..end).collect();
                self.emit_arguments(text);
                next(self)
            }
            Scanned::Broken(at) => {
                let text = self.held.drain(..at).collect();
                self.emit_arguments(text);
                self.go(State::Text)
            }
        }
    }

    pub(super) fn xml(&mut self, is_first: bool, seen: usize) -> bool {
        let space = self.held.len() - self.held.trim_start().len();
        self.held.drain(..space);
        let ends = ["</function>", "</tool_call>"];
        if let Some(end) = ends.iter().find(|end| self.held.starts_with(**end)) {
            self.held.drain(..end.len());
            self.emit_arguments(if is_first { "{}" } else { "}" }.to_owned());
            return self.go(State::After { kind: Mark::Own });
        }
        let may_be = |mark: &&&str| mark.starts_with(self.held.as_str());
        if ends.iter().chain(&[PARAMETER]).any(|mark| may_be(&mark)) && !self.is_over {
            return self.wait(State::Xml { is_first, seen });
        }
        let from = self.held.floor_char_boundary(seen);
        let end = self.held[from..].find(PARAMETER_END).map(|at| from + at);
        let end = end.filter(|end| *end <= VALUE_BYTES);
        let is_whole = self.is_over || self.held.len() > VALUE_BYTES + PARAMETER_END.len();
        if self.held.starts_with(PARAMETER) && end.is_none() && !is_whole {
            let seen = (self.held.len() + 1).saturating_sub(PARAMETER_END.len());
            return self.wait(State::Xml { is_first, seen });
        }
        let inner = end.and_then(|end| self.held[..end].strip_prefix(PARAMETER)?.split_once('>'));
        let Some((key, value)) = inner else {
            // Neither an argument nor the end: what was read so far is the call.
            self.emit_arguments(if is_first { "{}" } else { "}" }.to_owned());
            return self.go(State::After { kind: Mark::Own });
        };
        let value = typed(self.tools.named(&self.current), key.trim(), value);
        let begin = if is_first { "{" } else { ", " };
        let text = format!("{begin}{}: {value}", Value::from(key.trim()));
        self.held.drain(..end.map_or(0, |end| end + PARAMETER_END.len()));
        self.emit_arguments(text);
        self.go(State::Xml {
            is_first: false,
            seen: 0,
        })
    }

    /// What stands between arguments and the end of the objects around them: further keys, which nobody needs.
    pub(super) fn tail(&mut self, kind: Mark, mut scan: Scan) -> bool {
        let space = self.held.len() - self.held.trim_start().len();
        self.held.drain(..space);
        match self.held.bytes().next() {
            None => return self.wait(State::Tail { kind, scan }),
            Some(b'}') => {}
            Some(b',') => return self.further_keys(kind, scan),
            // Models forget the last bracket.
            Some(_) => return self.go(State::After { kind }),
        }
        let ends = scan.feed("}") != Scanned::Going;
        self.held.drain(..1);
        self.go(if ends {
            State::After { kind }
        } else {
            State::Tail { kind, scan }
        })
    }

    fn further_keys(&mut self, kind: Mark, mut scan: Scan) -> bool {
        let limit = self.held.floor_char_boundary(WHOLE_BYTES);
        // Read again from here with the next piece: such keys are short and rare.
        let before = scan.clone();
        match scan.feed(&self.held[..limit]) {
            Scanned::Ends(end) => {
                self.held.drain(..end);
                self.go(State::After { kind })
            }
            Scanned::Going if !self.is_over && self.held.len() <= WHOLE_BYTES => {
                self.wait(State::Tail { kind, scan: before })
            }
            Scanned::Going | Scanned::Broken(_) => self.go(State::After { kind }),
        }
    }

    /// What stands between calls and behind the last one.
    pub(super) fn after(&mut self, kind: Mark) -> bool {
        let Some(syntax) = self.syntax() else {
            return self.go(State::Text);
        };
        let (closers, opener) = around(syntax, kind);
        loop {
            let space = self.held.len() - self.held.trim_start().len();
            self.held.drain(..space);
            let closer = closers.iter().find(|(mark, _)| self.held.starts_with(mark));
            if let Some((mark, ends)) = closer {
                self.held.drain(..mark.len());
                if *ends {
                    break;
                }
                continue;
            }
            if self.held.starts_with(opener) {
                return self.go(State::Head {
                    kind,
                    skip: 0,
                    release: opener.len(),
                });
            }
            let mut marks = closers.iter().map(|(mark, _)| *mark).chain([opener]);
            if marks.any(|mark| mark.starts_with(self.held.as_str())) {
                if !self.is_over {
                    return self.wait(State::After { kind });
                }
                // The end of an answer that was cut off within a mark.
                self.held.clear();
            }
            break;
        }
        self.skips_space = true;
        self.go(State::Text)
    }
}

//! Cutting text into the pieces inside which tokens are joined. No pattern looks around or goes back, so the time
//! is that of reading the text, whatever stands in it.

use std::sync::LazyLock;

use regex::Regex;

use super::TokenizerError;

/// One way to cut: what it finds becomes a piece, and what lies between is one, too.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cut {
    /// Whatever matches.
    Find(&'static str),
    /// Words: as above, but the last character of white space before a word is left to the word. Where `lines`,
    /// that does not hold for white space that ends a line.
    Words { pattern: &'static str, lines: bool },
    /// Digits in threes, counted from the last of a run; only of runs that end a word if `alone`.
    Threes { run: &'static str, alone: bool },
    /// White space without line ends, in lengths that are powers of two.
    Spaces,
    /// The white space that ends a piece.
    TrailingSpace,
}

/// The longest of the lengths into which Jais 2 cuts white space.
const LONGEST_SPACE: usize = 512;

/// What goes on with a word.
static IN_WORD: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\w").ok());

/// Ways to cut, one after another.
#[derive(Debug)]
pub(super) struct Cuts(Vec<(Cut, Option<Regex>)>);

impl Cuts {
    pub(super) fn new(cuts: &[Cut]) -> Result<Self, TokenizerError> {
        let compiled = |cut: &Cut| {
            let pattern = match *cut {
                Cut::Find(pattern) | Cut::Words { pattern, .. } | Cut::Threes { run: pattern, .. } => pattern,
                Cut::Spaces | Cut::TrailingSpace => return Ok((*cut, None)),
            };
            let regex = Regex::new(pattern).map_err(|source| TokenizerError::Unsupported {
                part: "pattern",
                name: source.to_string(),
            })?;
            Ok((*cut, Some(regex)))
        };
        cuts.iter().map(compiled).collect::<Result<_, _>>().map(Self)
    }

    /// Gives the pieces of `text`; none is empty and together they are the text.
    pub(super) fn pieces<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let mut pieces: Vec<&str> = Some(text).filter(|text| !text.is_empty()).into_iter().collect();
        for (cut, regex) in &self.0 {
            let mut finer = Vec::with_capacity(pieces.len());
            for piece in pieces {
                match (cut, regex) {
                    (Cut::Find(_), Some(regex)) => find(regex, piece, &mut finer),
                    (Cut::Words { lines, .. }, Some(regex)) => words(regex, *lines, piece, &mut finer),
                    (Cut::Threes { alone, .. }, Some(regex)) => threes(regex, *alone, piece, &mut finer),
                    (Cut::Spaces, _) => spaces(piece, &mut finer),
                    (Cut::TrailingSpace, _) => {
                        let word = piece.trim_end().len();
                        finer.extend(
                            [&piece[..word], &piece[word..]]
                                .into_iter()
                                .filter(|part| !part.is_empty()),
                        );
                    }
                    (Cut::Find(_) | Cut::Words { .. } | Cut::Threes { .. }, None) => finer.push(piece),
                }
            }
            pieces = finer;
        }
        pieces
    }
}

fn find<'t>(regex: &Regex, piece: &'t str, pieces: &mut Vec<&'t str>) {
    let mut end = 0;
    for found in regex.find_iter(piece) {
        push(piece, end, found.start(), pieces);
        push(piece, found.start(), found.end(), pieces);
        end = found.end();
    }
    push(piece, end, piece.len(), pieces);
}

fn words<'t>(regex: &Regex, lines: bool, piece: &'t str, pieces: &mut Vec<&'t str>) {
    let mut at = 0;
    while let Some(found) = regex.find_at(piece, at).filter(|found| !found.is_empty()) {
        push(piece, at, found.start(), pieces);
        let end = found.start() + kept(found.as_str(), lines, found.end() == piece.len());
        push(piece, found.start(), end, pieces);
        at = end;
    }
    push(piece, at, piece.len(), pieces);
}

/// Gives how much of what was found stays: all of it, or all but the space before a word.
fn kept(found: &str, lines: bool, last: bool) -> usize {
    let ends_line = lines && found.ends_with(['\r', '\n']);
    let mut letters = found.chars();
    match letters.next_back() {
        Some(letter)
            if !last && !ends_line && found.trim_start().is_empty() && !letters.as_str().is_empty() =>
        {
            found.len() - letter.len_utf8()
        }
        Some(_) | None => found.len(),
    }
}

fn threes<'t>(regex: &Regex, alone: bool, piece: &'t str, pieces: &mut Vec<&'t str>) {
    let mut end = 0;
    for run in regex.find_iter(piece) {
        let rest = &piece[run.end()..];
        if alone && IN_WORD.as_ref().is_some_and(|word| word.is_match(rest)) {
            continue;
        }
        push(piece, end, run.start(), pieces);
        let starts: Vec<usize> = run
            .as_str()
            .char_indices()
            .map(|(at, _)| run.start() + at)
            .collect();
        end = run.start();
        let first = starts.len() % 3;
        for next in (first..starts.len()).step_by(3) {
            push(piece, end, starts[next], pieces);
            end = starts[next];
        }
        push(piece, end, run.end(), pieces);
        end = run.end();
    }
    push(piece, end, piece.len(), pieces);
}

fn spaces<'t>(piece: &'t str, pieces: &mut Vec<&'t str>) {
    if piece.ends_with(['\r', '\n']) || !piece.trim_start().is_empty() {
        pieces.push(piece);
        return;
    }
    let mut rest = piece;
    let mut length = LONGEST_SPACE;
    while !rest.is_empty() {
        let end = rest
            .char_indices()
            .nth(length - 1)
            .map(|(at, letter)| at + letter.len_utf8());
        match end {
            Some(end) => {
                pieces.push(&rest[..end]);
                rest = &rest[end..];
            }
            None => length = (length / 2).max(1),
        }
    }
}

fn push<'t>(text: &'t str, from: usize, to: usize, pieces: &mut Vec<&'t str>) {
    if from < to {
        pieces.push(&text[from..to]);
    }
}

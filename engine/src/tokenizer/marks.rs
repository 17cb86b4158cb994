//! Tokens that text is searched for before it is split.

use aho_corasick::{AhoCorasick, MatchKind};

use super::{TokenKind, TokenizerError, bad_value};

#[derive(Debug)]
pub(super) struct Mark {
    pub(super) text: String,
    pub(super) token: u32,
    /// Whether it is shown to nobody.
    pub(super) control: bool,
    /// Whether it is recognised in what a person wrote, too.
    pub(super) free: bool,
}

/// All of them; which stand in a text is found in one reading.
#[derive(Debug)]
pub(super) struct Marks {
    /// By their texts.
    list: Vec<Mark>,
    all: AhoCorasick,
    /// Those in any text, by their places in the list.
    free: AhoCorasick,
    free_places: Vec<usize>,
}

impl Marks {
    pub(super) fn new(texts: &[String], kinds: &[TokenKind]) -> Result<Self, TokenizerError> {
        let mut list = Vec::new();
        for (token, (text, kind)) in (0..).zip(texts.iter().zip(kinds)) {
            let (control, free) = match kind {
                TokenKind::Control => (true, false),
                TokenKind::Guarded => (false, false),
                TokenKind::UserDefined => (false, true),
                TokenKind::Normal | TokenKind::Byte => continue,
            };
            if !text.is_empty() {
                list.push(Mark {
                    text: text.clone(),
                    token,
                    control,
                    free,
                });
            }
        }
        list.sort_by(|left, right| left.text.cmp(&right.text));
        let free_places: Vec<usize> = (0..list.len()).filter(|&place| list[place].free).collect();
        Ok(Self {
            all: finder(list.iter())?,
            free: finder(free_places.iter().map(|&place| &list[place]))?,
            list,
            free_places,
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Mark> {
        self.list.iter()
    }

    /// Gives the one that is written so.
    pub(super) fn get(&self, text: &str) -> Option<&Mark> {
        let place = self
            .list
            .binary_search_by(|mark| mark.text.as_str().cmp(text))
            .ok()?;
        self.list.get(place)
    }

    /// Finds the first in `text`, the longest of those that begin there, and what stands before it.
    pub(super) fn next<'t>(&self, text: &'t str, special: bool) -> Option<(&'t str, &Mark)> {
        let finder = if special { &self.all } else { &self.free };
        let found = finder.find(text)?;
        let index = found.pattern().as_usize();
        let place = if special {
            index
        } else {
            *self.free_places.get(index)?
        };
        Some((&text[..found.start()], self.list.get(place)?))
    }
}

fn finder<'m>(marks: impl Iterator<Item = &'m Mark>) -> Result<AhoCorasick, TokenizerError> {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(marks.map(|mark| &mark.text))
        .map_err(|source| {
            bad_value(
                "tokenizer.ggml.tokens",
                source.to_string(),
                "fewer control tokens",
            )
        })
}

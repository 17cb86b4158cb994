//! Edits of settings files that keep everything else: other settings, comments, order and line ends.
//!
//! An edit sets values at paths and remembers what stood there. Taking it back restores exactly these, and leaves alone
//! what somebody has changed since.

mod json;
mod toml;
mod yaml;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// With comments and trailing commas, as editors allow them.
    Json,
    Toml,
    Yaml,
}

impl Format {
    /// As code blocks name it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Toml => "toml",
            Format::Yaml => "yaml",
        }
    }
}

/// A value that is to stand at a path. Without `Debug`: one of them is a key.
#[derive(Clone, PartialEq)]
pub struct Setting {
    pub path: Vec<String>,
    pub value: Value,
    /// What is there already stays.
    pub only_where_none: bool,
}

impl Setting {
    pub(crate) fn new(path: &[&str], value: impl Into<Value>) -> Setting {
        Setting {
            path: path.iter().map(|&part| part.to_owned()).collect(),
            value: value.into(),
            only_where_none: false,
        }
    }

    pub(crate) fn unless_there(self) -> Setting {
        Setting {
            only_where_none: true,
            ..self
        }
    }
}

/// What was done at one path, to be taken back. Without `Debug`: what stood there may be a key of another service.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub path: Vec<String>,
    /// SHA-256 of what was written, in hex: the key itself is kept in the program's file alone.
    pub written: String,
    /// What stood there, as it was written.
    pub before: Option<String>,
}

/// A text with its settings.
pub struct Edited {
    pub text: String,
    pub changes: Vec<Change>,
    /// Tables that were made for them, the outer ones first.
    pub made: Vec<Vec<String>>,
}

/// A text without them.
pub struct Taken {
    pub text: String,
    /// Paths that hold something else by now, and keep it.
    pub kept: Vec<String>,
}

/// Why a text is not edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("line {line} cannot be read as {format}: {why}")]
    Syntax {
        format: &'static str,
        line: usize,
        why: String,
    },
    #[error("{0} is no table")]
    NoTable(String),
    #[error("{0} is not a plain value")]
    NotPlain(String),
    #[error("{0} stands in it twice")]
    Twice(String),
    #[error("{0}, which cannot be edited without loss")]
    Style(String),
}

/// What stands at a path.
struct Found {
    /// The same for the same meaning, however it is spaced.
    meaning: String,
    /// As it is written.
    raw: String,
}

/// What is put at a path.
enum New<'a> {
    Value(&'a Value),
    /// As it was written before.
    Raw(&'a str),
}

/// A text of one format that can be edited in place.
trait Document: Sized {
    fn parse(text: &str) -> Result<Self, EditError>;
    fn get(&self, path: &[String]) -> Result<Option<Found>, EditError>;
    /// Puts a value there. Gives the tables that were made on the way.
    fn put(&mut self, path: &[String], new: New<'_>) -> Result<Vec<Vec<String>>, EditError>;
    fn remove(&mut self, path: &[String]) -> Result<(), EditError>;
    /// Whether there is a table with nothing in it.
    fn is_empty_table(&self, path: &[String]) -> bool;
    fn text(&self) -> String;
}

/// Sets values in a text; an empty one is a file with nothing in it yet.
///
/// # Errors
/// A text that is not of the format, or that cannot be edited without loss.
pub fn set(format: Format, text: &str, settings: &[Setting]) -> Result<Edited, EditError> {
    match format {
        Format::Json => set_in::<json::Json>(text, settings),
        Format::Toml => set_in::<toml::Toml>(text, settings),
        Format::Yaml => set_in::<yaml::Yaml>(text, settings),
    }
}

/// Takes changes back. Tables that were made for them go where nobody put anything else into them.
///
/// # Errors
/// A text that is not of the format, or that cannot be edited without loss.
pub fn take(
    format: Format,
    text: &str,
    changes: &[Change],
    made: &[Vec<String>],
) -> Result<Taken, EditError> {
    match format {
        Format::Json => take_from::<json::Json>(text, changes, made),
        Format::Toml => take_from::<toml::Toml>(text, changes, made),
        Format::Yaml => take_from::<yaml::Yaml>(text, changes, made),
    }
}

fn set_in<D: Document>(text: &str, settings: &[Setting]) -> Result<Edited, EditError> {
    let (ends, plain) = LineEnds::of(text);
    let mut document = D::parse(&plain)?;
    let (mut changes, mut made) = (Vec::new(), Vec::new());
    for setting in settings {
        let before = document.get(&setting.path)?;
        if setting.only_where_none && before.is_some() {
            continue;
        }
        made.extend(document.put(&setting.path, New::Value(&setting.value))?);
        let written = document.get(&setting.path)?;
        changes.push(Change {
            path: setting.path.clone(),
            written: hash(&written.map(|found| found.meaning).unwrap_or_default()),
            before: before.map(|found| found.raw),
        });
    }
    Ok(Edited {
        text: ends.restore(&document.text()),
        changes,
        made,
    })
}

fn take_from<D: Document>(text: &str, changes: &[Change], made: &[Vec<String>]) -> Result<Taken, EditError> {
    let (ends, plain) = LineEnds::of(text);
    let mut document = D::parse(&plain)?;
    let mut kept = Vec::new();
    for change in changes.iter().rev() {
        // Where the way to it is gone, so is what was written.
        let Ok(Some(found)) = document.get(&change.path) else {
            continue;
        };
        if hash(&found.meaning) != change.written {
            kept.push(dotted(&change.path));
            continue;
        }
        match &change.before {
            Some(before) => {
                document.put(&change.path, New::Raw(before))?;
            }
            None => document.remove(&change.path)?,
        }
    }
    for path in made.iter().rev() {
        if document.is_empty_table(path) {
            document.remove(path)?;
        }
    }
    kept.reverse();
    Ok(Taken {
        text: ends.restore(&document.text()),
        kept,
    })
}

fn hash(meaning: &str) -> String {
    hex::encode(Sha256::digest(meaning.as_bytes()))
}

/// `env.ANTHROPIC_MODEL`
fn dotted(path: &[String]) -> String {
    path.join(".")
}

/// The number of the line of a byte.
fn line_of(text: &str, byte: usize) -> usize {
    let before = text.as_bytes().get(..byte).unwrap_or(text.as_bytes());
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// What differs between systems about the same text.
struct LineEnds {
    mark: bool,
    windows: bool,
}

impl LineEnds {
    /// The text without them.
    fn of(text: &str) -> (LineEnds, String) {
        let (mark, text) = text
            .strip_prefix('\u{feff}')
            .map_or((false, text), |rest| (true, rest));
        let n_lines = text.matches('\n').count();
        let windows = n_lines > 0 && text.matches("\r\n").count() == n_lines;
        let plain = if windows {
            text.replace("\r\n", "\n")
        } else {
            text.to_owned()
        };
        (LineEnds { mark, windows }, plain)
    }

    fn restore(&self, text: &str) -> String {
        let mark = if self.mark { "\u{feff}" } else { "" };
        if self.windows {
            format!("{mark}{}", text.replace('\n', "\r\n"))
        } else {
            format!("{mark}{text}")
        }
    }
}

#[cfg(test)]
mod tests;

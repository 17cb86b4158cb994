//! The part of YAML that settings are kept in: one mapping, whose values are plain or lists of mappings.
//!
//! Lines are added, replaced and removed, never written anew. A path of one part is a plain value at the top
//! (`model`); one of two parts is the entry with that `name` of a list at the top (`models`, `Hearth`). What is laid out in
//! another way is refused: the person is shown the lines instead.

use std::ops::Range;

use serde_json::Value;

use super::{Document, EditError, Found, New, dotted};

pub(super) struct Yaml {
    lines: Vec<String>,
    /// The text ended without a line end.
    is_open: bool,
}

/// A key at the top, with the lines that belong to it.
struct Entry {
    key: String,
    /// The line of the key, then what is below it.
    lines: Range<usize>,
}

impl Yaml {
    fn entries(&self) -> Result<Vec<Entry>, EditError> {
        let mut entries: Vec<Entry> = Vec::new();
        for (at, line) in self.lines.iter().enumerate() {
            let is_below = line.starts_with([' ', '-']) && line != "---";
            if is_blank(line) || (line == "---" && entries.is_empty()) {
                continue;
            }
            if line.starts_with('\t')
                || line.starts_with(['%', '{', '[', '?', '&', '!', '*', '|', '>'])
                || line.starts_with("...")
            {
                return Err(EditError::Style(format!("line {} is laid out", at + 1)));
            }
            if is_below {
                let entry = entries
                    .last_mut()
                    .ok_or_else(|| EditError::NoTable("the file".to_owned()))?;
                entry.lines.end = at + 1;
                continue;
            }
            let (key, _) = key_and_value(line).ok_or_else(|| EditError::Syntax {
                format: "YAML",
                line: at + 1,
                why: "a key and a colon are expected".to_owned(),
            })?;
            if entries.iter().any(|entry| entry.key == key) {
                return Err(EditError::Twice(key));
            }
            entries.push(Entry {
                key,
                lines: at..at + 1,
            });
        }
        Ok(entries)
    }

    fn entry(&self, key: &str) -> Result<Option<Entry>, EditError> {
        Ok(self.entries()?.into_iter().find(|entry| entry.key == key))
    }

    /// What stands after the colon of an entry, with its comment.
    fn value_of(&self, entry: &Entry) -> String {
        let line = self.lines.get(entry.lines.start);
        line.and_then(|line| key_and_value(line))
            .map(|(_, value)| value)
            .unwrap_or_default()
    }

    /// The blocks of an entry's list, and how far its dashes are indented.
    fn items(&self, entry: &Entry) -> Result<(usize, Vec<Range<usize>>), EditError> {
        let no_list = || EditError::Style(format!("{} is laid out", entry.key));
        let value = self.value_of(entry);
        let value = without_comment(&value);
        if value == "[]" && entry.lines.len() == 1 {
            return Ok((DASH_INDENT, Vec::new()));
        }
        if !value.is_empty() {
            return Err(no_list());
        }
        let (mut indent, mut items): (Option<usize>, Vec<Range<usize>>) = (None, Vec::new());
        for at in entry.lines.start + 1..entry.lines.end {
            let line = &self.lines[at];
            if is_blank(line) {
                continue;
            }
            let depth = line.len() - line.trim_start_matches(' ').len();
            let dashes = *indent.get_or_insert(depth);
            if depth == dashes && line[depth..].starts_with("- ") {
                items.push(at..at + 1);
            } else if depth > dashes
                && let Some(last) = items.last_mut()
            {
                last.end = at + 1;
            } else {
                return Err(no_list());
            }
        }
        Ok((indent.unwrap_or(DASH_INDENT), items))
    }

    /// The entry of a list that has a name.
    fn item(&self, list: &str, name: &str) -> Result<Option<Range<usize>>, EditError> {
        let Some(entry) = self.entry(list)? else {
            return Ok(None);
        };
        let (indent, items) = self.items(&entry)?;
        let has_name = |item: &Range<usize>| {
            self.lines[item.clone()].iter().enumerate().any(|(at, line)| {
                let inside = line.get(indent + 2..).unwrap_or_default();
                let is_field = at == 0 || line.get(indent..indent + 2) == Some("  ");
                is_field
                    && key_and_value(inside)
                        .is_some_and(|(key, value)| key == "name" && scalar(without_comment(&value)) == name)
            })
        };
        let mut named = items.into_iter().filter(has_name);
        let first = named.next();
        if named.next().is_some() {
            return Err(EditError::Twice(format!("{list}.{name}")));
        }
        Ok(first)
    }

    fn put_plain(&mut self, key: &str, text: &str) -> Result<(), EditError> {
        match self.entry(key)? {
            None => self.append(vec![format!("{key}: {text}")]),
            Some(entry) => {
                let old = self.value_of(&entry);
                let plain = without_comment(&old);
                if entry.lines.len() > 1 || !is_plain(plain) {
                    return Err(EditError::NotPlain(key.to_owned()));
                }
                let comment = old[plain.len()..].trim_start();
                let comment = if comment.is_empty() {
                    String::new()
                } else {
                    format!(" {comment}")
                };
                self.lines[entry.lines.start] = format!("{key}: {text}{comment}");
            }
        }
        Ok(())
    }

    fn put_item(
        &mut self,
        path: &[String],
        list: &str,
        name: &str,
        new: &New<'_>,
    ) -> Result<bool, EditError> {
        let there = self.item(list, name)?;
        let entry = self.entry(list)?;
        let indent = match &entry {
            Some(entry) => self.items(entry)?.0,
            None => DASH_INDENT,
        };
        let block: Vec<String> = match new {
            New::Value(value) => item_lines(value, indent),
            New::Raw(raw) => raw.lines().map(str::to_owned).collect(),
        };
        if block.is_empty() {
            return Err(EditError::NotPlain(dotted(path)));
        }
        match (there, entry) {
            (Some(lines), _) => {
                drop(self.lines.splice(lines, block));
                Ok(false)
            }
            (None, Some(entry)) => {
                let start = entry.lines.start;
                if without_comment(&self.value_of(&entry)) == "[]" {
                    self.lines[start] = self.lines[start].replacen(": []", ":", 1);
                }
                // First: what stands first is what such programs choose.
                drop(self.lines.splice(start + 1..start + 1, block));
                Ok(false)
            }
            (None, None) => {
                self.append([vec![format!("{list}:")], block].concat());
                Ok(true)
            }
        }
    }

    fn append(&mut self, lines: Vec<String>) {
        self.lines.extend(lines);
        self.is_open = false;
    }
}

/// How far the dashes of a new list are indented.
const DASH_INDENT: usize = 2;

impl Document for Yaml {
    fn parse(text: &str) -> Result<Yaml, EditError> {
        let yaml = Yaml {
            lines: text.lines().map(str::to_owned).collect(),
            is_open: !text.is_empty() && !text.ends_with('\n'),
        };
        yaml.entries()?;
        Ok(yaml)
    }

    fn get(&self, path: &[String]) -> Result<Option<Found>, EditError> {
        match path {
            [key] => Ok(self.entry(key)?.map(|entry| {
                let value = self.value_of(&entry);
                let raw = without_comment(&value).to_owned();
                let below = self.lines[entry.lines].get(1..).unwrap_or_default().join("\n");
                Found {
                    meaning: format!("{}{below}", scalar(&raw)),
                    raw,
                }
            })),
            [list, name] => Ok(self.item(list, name)?.map(|lines| {
                let raw = self.lines[lines].join("\n");
                let words: Vec<&str> = raw
                    .lines()
                    .map(str::trim)
                    .filter(|line| !is_blank(line))
                    .collect();
                Found {
                    meaning: words.join("\n"),
                    raw,
                }
            })),
            _ => Err(EditError::NoTable(dotted(path))),
        }
    }

    fn put(&mut self, path: &[String], new: New<'_>) -> Result<Vec<Vec<String>>, EditError> {
        match path {
            [key] => {
                let text = match new {
                    New::Value(value) => plain(value),
                    New::Raw(raw) => raw.to_owned(),
                };
                self.put_plain(key, &text)?;
                Ok(Vec::new())
            }
            [list, name] => {
                let is_made = self.put_item(path, list, name, &new)?;
                Ok(if is_made {
                    vec![vec![list.clone()]]
                } else {
                    Vec::new()
                })
            }
            _ => Err(EditError::NoTable(dotted(path))),
        }
    }

    fn remove(&mut self, path: &[String]) -> Result<(), EditError> {
        match path {
            [key] => {
                if let Some(entry) = self.entry(key)? {
                    self.lines.drain(entry.lines);
                }
            }
            [list, name] => {
                if let Some(lines) = self.item(list, name)? {
                    self.lines.drain(lines);
                }
                // A key without a value would be no list any more.
                if let Some(entry) = self.entry(list)?
                    && self.items(&entry)?.1.is_empty()
                    && let Some(line) = self.lines.get_mut(entry.lines.start)
                    && without_comment(line).ends_with(':')
                {
                    let end = without_comment(line).len();
                    line.insert_str(end, " []");
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn is_empty_table(&self, path: &[String]) -> bool {
        let [list] = path else {
            return false;
        };
        let entry = self.entry(list).ok().flatten();
        entry.is_some_and(|entry| self.items(&entry).is_ok_and(|(_, items)| items.is_empty()))
    }

    fn text(&self) -> String {
        let mut text = self.lines.join("\n");
        if !text.is_empty() && !self.is_open {
            text.push('\n');
        }
        text
    }
}

/// `key: value` of a line, the value with its comment.
fn key_and_value(line: &str) -> Option<(String, String)> {
    let (key, rest) = match line.chars().next()? {
        quote @ ('"' | '\'') => {
            let (key, rest) = line[1..].split_once(quote)?;
            (key, rest.strip_prefix(':')?)
        }
        _ => line.split_once(':')?,
    };
    let is_key = !key.is_empty() && !key.contains([' ', '#', '"', '\'', '\\']);
    (is_key && (rest.is_empty() || rest.starts_with(' '))).then(|| (key.to_owned(), rest.trim().to_owned()))
}

fn is_blank(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// A value without the comment behind it.
fn without_comment(value: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, letter) in value.char_indices() {
        match (quote, letter) {
            (None, '#') if before.is_whitespace() => return value[..at].trim_end(),
            // A quote opens only where a value begins.
            (None, '"' | '\'') if before.is_whitespace() => quote = Some(letter),
            (Some(open), _) if open == letter && !(open == '"' && before == '\\') => quote = None,
            _ => {}
        }
        before = letter;
    }
    value.trim_end()
}

/// Whether a value stands on its line whole.
fn is_plain(value: &str) -> bool {
    match value.chars().next() {
        None => true,
        Some(quote @ ('"' | '\'')) => value.len() > 1 && value.ends_with(quote),
        Some(first) => !"|>&*!{[%@`?".contains(first),
    }
}

/// What a plain or quoted value says, as far as names and keys go.
fn scalar(value: &str) -> String {
    if value.starts_with('"') {
        return serde_json::from_str(value).unwrap_or_else(|_| value.to_owned());
    }
    let single = value
        .strip_prefix('\'')
        .and_then(|value| value.strip_suffix('\''));
    single.map_or_else(|| value.to_owned(), |text| text.replace("''", "'"))
}

/// A value on one line.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if needs_no_quotes(text) => text.clone(),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(plain).collect();
            format!("[{}]", values.join(", "))
        }
        // JSON is YAML, too.
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}

/// Words that YAML takes for something else when they stand without quotes.
const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

fn needs_no_quotes(text: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(is_letter)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// An entry of a list, with a dash before its first field.
fn item_lines(value: &Value, indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        let dash = if lines.is_empty() { "- " } else { "  " };
        let margin = format!("{}{dash}", " ".repeat(indent));
        match value.as_object() {
            None => lines.push(format!("{margin}{name}: {}", plain(value))),
            Some(fields) => {
                lines.push(format!("{margin}{name}:"));
                let inner = " ".repeat(indent + 4);
                lines.extend(
                    fields
                        .iter()
                        .map(|(name, value)| format!("{inner}{name}: {}", plain(value))),
                );
            }
        }
    }
    lines
}

//! JSON as Python writes it.

use std::io;

use minijinja::value::Kwargs;
use minijinja::{Error, ErrorKind, Value};
use serde::Serialize;
use serde_json::ser::Formatter;

use super::budget::{Budget, broken};

/// How JSON is laid out.
pub(super) struct Style {
    indent: Option<usize>,
    item_separator: String,
    key_separator: String,
    sort_keys: bool,
    ensure_ascii: bool,
}

/// The widest indentation, and the longest separator.
const MAX_LAYOUT: usize = 16;

impl Style {
    /// Reads the arguments of `tojson`, which are those of `json.dumps`.
    pub(super) fn from_options(options: &Kwargs) -> Result<Self, Error> {
        let indent: Option<Value> = options.get("indent")?;
        let indent = indent
            .as_ref()
            .and_then(Value::as_usize)
            .map(|width| width.min(MAX_LAYOUT));
        let separators: Option<Value> = options.get("separators")?;
        let separator = |at: usize, usual: &str| {
            let given = separators
                .as_ref()
                .and_then(|pair| pair.get_item(&Value::from(at)).ok());
            let text = given.as_ref().and_then(Value::as_str).unwrap_or(usual);
            text.chars().take(MAX_LAYOUT).collect::<String>()
        };
        let is_set = |name: &str| -> Result<bool, Error> {
            let flag: Option<Value> = options.get(name)?;
            Ok(flag.is_some_and(|flag| flag.is_true()))
        };
        Ok(Self {
            item_separator: separator(0, if indent.is_some() { "," } else { ", " }),
            key_separator: separator(1, ": "),
            indent,
            sort_keys: is_set("sort_keys")?,
            ensure_ascii: is_set("ensure_ascii")?,
        })
    }
}

/// Writes JSON as Python's `json.dumps` does; letters stay letters unless the style asks for ASCII.
pub(super) fn python_json(budget: &Budget, value: &Value, style: &Style) -> Result<String, Error> {
    budget.weigh(std::slice::from_ref(value))?;
    let mut bytes = BudgetedWriter {
        bytes: Vec::new(),
        budget,
        refused: None,
    };
    let formatter = PythonFormatter {
        style,
        holds: Vec::new(),
    };
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    let written = if style.sort_keys {
        let sorted = sorted(serde_json::to_value(value).map_err(unwritable)?);
        sorted.serialize(&mut writer)
    } else {
        value.serialize(&mut writer)
    };
    if let Some(error) = bytes.refused {
        return Err(error);
    }
    written.map_err(unwritable)?;
    String::from_utf8(bytes.bytes).map_err(|_| broken("it writes JSON that is no text"))
}

#[allow(clippy::needless_pass_by_value, reason = "an argument of map_err")]
fn unwritable(source: serde_json::Error) -> Error {
    Error::new(ErrorKind::BadSerialization, source.to_string())
}

/// Puts keys in order, all the way down. The depth is that of a value that was weighed.
fn sorted(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(fields) => {
            let mut fields: Vec<_> = fields
                .into_iter()
                .map(|(key, value)| (key, sorted(value)))
                .collect();
            fields.sort_by(|(one, _), (other, _)| one.cmp(other));
            serde_json::Value::Object(fields.into_iter().collect())
        }
        serde_json::Value::Array(items) => items.into_iter().map(sorted).collect(),
        other @ (serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_)) => other,
    }
}

/// Takes each piece from the budget before it is kept.
struct BudgetedWriter<'a> {
    bytes: Vec<u8>,
    budget: &'a Budget,
    refused: Option<Error>,
}

impl io::Write for BudgetedWriter<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.budget.charge(piece.len() as u64) {
            self.refused = Some(error);
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct PythonFormatter<'a> {
    style: &'a Style,
    /// For each list or object that is open, whether it holds anything yet.
    holds: Vec<bool>,
}

impl PythonFormatter<'_> {
    fn open<W: ?Sized + io::Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.holds.push(false);
        out.write_all(bracket)
    }

    fn line<W: ?Sized + io::Write>(&self, out: &mut W) -> io::Result<()> {
        match self.style.indent {
            Some(width) => {
                out.write_all(b"\n")?;
                (0..self.holds.len()).try_for_each(|_| out.write_all(" ".repeat(width).as_bytes()))
            }
            None => Ok(()),
        }
    }

    fn next<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if let Some(holds) = self.holds.last_mut() {
            *holds = true;
        }
        if !first {
            out.write_all(self.style.item_separator.as_bytes())?;
        }
        self.line(out)
    }

    fn close<W: ?Sized + io::Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        if self.holds.pop() == Some(true) {
            self.line(out)?;
        }
        out.write_all(bracket)
    }
}

impl Formatter for PythonFormatter<'_> {
    fn begin_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"]")
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next(out, first)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"}")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next(out, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(self.style.key_separator.as_bytes())
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if !self.style.ensure_ascii || fragment.is_ascii() {
            return out.write_all(fragment.as_bytes());
        }
        let mut units = [0; 2];
        fragment.chars().try_for_each(|letter| {
            if letter.is_ascii() {
                return out.write_all(&[letter as u8]);
            }
            let units = letter.encode_utf16(&mut units).iter();
            units.copied().try_for_each(|unit| write!(out, "\\u{unit:04x}"))
        })
    }
}

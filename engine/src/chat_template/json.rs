//! JSON as Python writes it.

use std::io;

use minijinja::{Error, ErrorKind, Value};
use serde::Serialize;
use serde_json::ser::Formatter;

use super::budget::{Budget, broken};

/// Writes JSON as Python's `json.dumps(value, ensure_ascii=False)` does.
pub(super) fn python_json(budget: &Budget, value: &Value, indent: Option<usize>) -> Result<String, Error> {
    budget.weigh(std::slice::from_ref(value))?;
    let mut bytes = BudgetedWriter {
        bytes: Vec::new(),
        budget,
        refused: None,
    };
    let written = match indent {
        Some(width) => {
            let spaces = " ".repeat(width);
            let formatter = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))
        }
        None => value.serialize(&mut serde_json::Serializer::with_formatter(
            &mut bytes,
            PythonFormatter,
        )),
    };
    if let Some(error) = bytes.refused {
        return Err(error);
    }
    written.map_err(|source| Error::new(ErrorKind::BadSerialization, source.to_string()))?;
    String::from_utf8(bytes.bytes).map_err(|_| broken("it writes JSON that is no text"))
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

struct PythonFormatter;

impl Formatter for PythonFormatter {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, out: &mut W) -> std::io::Result<()> {
        out.write_all(b": ")
    }
}

//! TOML.

use serde_json::Value;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike};

use super::{Document, EditError, Found, New, dotted, line_of};

pub(super) struct Toml(DocumentMut);

impl Toml {
    /// The table that holds the last part of a path; `None` where there is none.
    fn table(&self, path: &[String]) -> Result<Option<&dyn TableLike>, EditError> {
        let mut table: &dyn TableLike = self.0.as_table();
        for (at, name) in path.iter().enumerate() {
            let Some(item) = table.get(name) else {
                return Ok(None);
            };
            table = item
                .as_table_like()
                .ok_or_else(|| EditError::NoTable(dotted(&path[..=at])))?;
        }
        Ok(Some(table))
    }

    fn table_mut(&mut self, path: &[String]) -> Result<Option<&mut dyn TableLike>, EditError> {
        let mut table: &mut dyn TableLike = self.0.as_table_mut();
        for (at, name) in path.iter().enumerate() {
            let Some(item) = table.get_mut(name) else {
                return Ok(None);
            };
            table = item
                .as_table_like_mut()
                .ok_or_else(|| EditError::NoTable(dotted(&path[..=at])))?;
        }
        Ok(Some(table))
    }

    /// Makes the tables on the way. Gives those that were not there.
    fn make_tables(&mut self, path: &[String]) -> Result<Vec<Vec<String>>, EditError> {
        let (mut table, mut made): (&mut dyn TableLike, _) = (self.0.as_table_mut(), Vec::new());
        let mut is_inline = false;
        for (at, name) in path.iter().enumerate() {
            if !table.contains_key(name) {
                made.push(path[..=at].to_vec());
                let fresh = if is_inline {
                    Item::Value(InlineTable::new().into())
                } else {
                    let mut fresh = Table::new();
                    // One that only holds tables needs no head of its own.
                    fresh.set_implicit(at + 1 < path.len());
                    Item::Table(fresh)
                };
                table.insert(name, fresh);
            }
            let no_table = || EditError::NoTable(dotted(&path[..=at]));
            let item = table.get_mut(name).ok_or_else(no_table)?;
            is_inline = item.is_inline_table();
            table = item.as_table_like_mut().ok_or_else(no_table)?;
        }
        Ok(made)
    }
}

impl Document for Toml {
    fn parse(text: &str) -> Result<Toml, EditError> {
        text.parse()
            .map(Toml)
            .map_err(|error: toml_edit::TomlError| EditError::Syntax {
                format: "TOML",
                line: line_of(text, error.span().map_or(0, |span| span.start)),
                why: error.message().to_owned(),
            })
    }

    fn get(&self, path: &[String]) -> Result<Option<Found>, EditError> {
        let Some((last, way)) = path.split_last() else {
            return Ok(None);
        };
        let Some(item) = self.table(way)?.and_then(|table| table.get(last)) else {
            return Ok(None);
        };
        let value = item.as_value().ok_or_else(|| EditError::NotPlain(dotted(path)))?;
        let mut bare = value.clone();
        bare.decor_mut().clear();
        Ok(Some(Found {
            meaning: meaning(&bare),
            raw: bare.to_string(),
        }))
    }

    fn put(&mut self, path: &[String], new: New<'_>) -> Result<Vec<Vec<String>>, EditError> {
        let Some((last, way)) = path.split_last() else {
            return Ok(Vec::new());
        };
        let mut value = match new {
            New::Value(value) => of_json(value),
            New::Raw(raw) => raw
                .parse()
                .map_err(|error: toml_edit::TomlError| EditError::Syntax {
                    format: "TOML",
                    line: 1,
                    why: error.message().to_owned(),
                })?,
        };
        let made = self.make_tables(way)?;
        let Some(table) = self.table_mut(way)? else {
            return Ok(made);
        };
        match table.get_mut(last) {
            None => {
                value.decor_mut().clear();
                table.insert(last, Item::Value(value));
            }
            Some(item) => {
                let old = item
                    .as_value_mut()
                    .ok_or_else(|| EditError::NotPlain(dotted(path)))?;
                // The space and the comment around it stay.
                *value.decor_mut() = old.decor().clone();
                *old = value;
            }
        }
        Ok(made)
    }

    fn remove(&mut self, path: &[String]) -> Result<(), EditError> {
        if let Some((last, way)) = path.split_last()
            && let Some(table) = self.table_mut(way)?
        {
            table.remove(last);
        }
        Ok(())
    }

    fn is_empty_table(&self, path: &[String]) -> bool {
        self.table(path).ok().flatten().is_some_and(TableLike::is_empty)
    }

    fn text(&self) -> String {
        self.0.to_string()
    }
}

/// The same for texts that are quoted differently.
fn meaning(value: &toml_edit::Value) -> String {
    match value {
        toml_edit::Value::String(text) => format!("text {}", text.value()),
        toml_edit::Value::Integer(number) => format!("integer {}", number.value()),
        toml_edit::Value::Float(number) => format!("float {}", number.value()),
        toml_edit::Value::Boolean(value) => format!("boolean {}", value.value()),
        toml_edit::Value::Datetime(time) => format!("time {}", time.value()),
        toml_edit::Value::Array(_) | toml_edit::Value::InlineTable(_) => format!("other {value}"),
    }
}

fn of_json(value: &Value) -> toml_edit::Value {
    match value {
        Value::Null => "".into(),
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => number
            .as_i64()
            .map_or_else(|| number.as_f64().unwrap_or_default().into(), Into::into),
        Value::String(text) => text.as_str().into(),
        Value::Array(values) => toml_edit::Value::Array(values.iter().map(of_json).collect::<Array>()),
        Value::Object(fields) => toml_edit::Value::InlineTable(
            fields
                .iter()
                .map(|(name, value)| (name.as_str(), of_json(value)))
                .collect::<InlineTable>(),
        ),
    }
}

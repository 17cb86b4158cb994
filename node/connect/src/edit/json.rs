//! JSON with comments, as editors keep their settings.

use jsonc_parser::{
    ParseOptions,
    cst::{CstInputValue, CstObject, CstObjectProp, CstRootNode},
};
use serde_json::Value;

use super::{Document, EditError, Found, New, dotted, line_of};

/// What stands for a text that is put back as it was: no file has it.
const RESTORED: &str = "@hearth-restored-0b6a7c1e@";

pub(super) struct Json {
    root: CstRootNode,
    /// There was nothing in it.
    is_new: bool,
}

/// What editors read. More than that, no program here writes.
fn options() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

impl Json {
    fn root(&self) -> Result<CstObject, EditError> {
        self.root
            .object_value()
            .ok_or_else(|| EditError::NoTable("the file".to_owned()))
    }

    /// The property at a path, and the object that holds it or would.
    fn find(&self, path: &[String]) -> Result<Option<CstObjectProp>, EditError> {
        let mut object = self.root()?;
        for (at, name) in path.iter().enumerate() {
            let Some(property) = only(&object, name, &path[..=at])? else {
                return Ok(None);
            };
            if at + 1 == path.len() {
                return Ok(Some(property));
            }
            object = property
                .object_value()
                .ok_or_else(|| EditError::NoTable(dotted(&path[..=at])))?;
        }
        Ok(None)
    }
}

/// The property of a name: readers differ in which of two counts.
fn only(object: &CstObject, name: &str, path: &[String]) -> Result<Option<CstObjectProp>, EditError> {
    let mut found = object
        .properties()
        .into_iter()
        .filter(|property| property.decoded_name().as_deref() == Some(name));
    let first = found.next();
    match found.next() {
        Some(_) => Err(EditError::Twice(dotted(path))),
        None => Ok(first),
    }
}

impl Document for Json {
    fn parse(text: &str) -> Result<Json, EditError> {
        let root = CstRootNode::parse(text, &options()).map_err(|error| EditError::Syntax {
            format: "JSON",
            line: line_of(text, error.range().start),
            why: error.kind().to_string(),
        })?;
        let is_new = root.value().is_none();
        if is_new {
            root.set_value(CstInputValue::Object(Vec::new()));
        }
        let json = Json { root, is_new };
        json.root()?;
        Ok(json)
    }

    fn get(&self, path: &[String]) -> Result<Option<Found>, EditError> {
        let Some(value) = self.find(path)?.and_then(|property| property.value()) else {
            return Ok(None);
        };
        let meaning = value.to_serde_value().map(|value| value.to_string());
        Ok(Some(Found {
            meaning: meaning.unwrap_or_default(),
            raw: value.to_string(),
        }))
    }

    fn put(&mut self, path: &[String], new: New<'_>) -> Result<Vec<Vec<String>>, EditError> {
        let (value, raw) = match new {
            New::Value(value) => (input(value), None),
            New::Raw(raw) => (CstInputValue::String(RESTORED.to_owned()), Some(raw)),
        };
        let (Some(last), mut object, mut made) = (path.last(), self.root()?, Vec::new()) else {
            return Ok(Vec::new());
        };
        for (at, name) in path.iter().enumerate().take(path.len() - 1) {
            let property = match only(&object, name, &path[..=at])? {
                Some(property) => property,
                None => {
                    made.push(path[..=at].to_vec());
                    object.append(name, CstInputValue::Object(Vec::new()))
                }
            };
            object = property
                .object_value()
                .ok_or_else(|| EditError::NoTable(dotted(&path[..=at])))?;
        }
        match only(&object, last, path)? {
            Some(property) => property.set_value(value),
            None => {
                object.append(last, value);
            }
        }
        if let Some(raw) = raw {
            let text = self.root.to_string().replacen(&format!("\"{RESTORED}\""), raw, 1);
            *self = Json {
                is_new: self.is_new,
                ..Json::parse(&text)?
            };
        }
        Ok(made)
    }

    fn remove(&mut self, path: &[String]) -> Result<(), EditError> {
        if let Some(property) = self.find(path)? {
            property.remove();
        }
        Ok(())
    }

    fn is_empty_table(&self, path: &[String]) -> bool {
        let object = self
            .find(path)
            .ok()
            .flatten()
            .and_then(|property| property.object_value());
        // A comment is somebody's words.
        object.is_some_and(|object| {
            object.children().iter().all(|child| !child.is_comment()) && object.properties().is_empty()
        })
    }

    fn text(&self) -> String {
        let text = self.root.to_string();
        if self.is_new {
            format!("{}\n", text.trim_end())
        } else {
            text
        }
    }
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(values) => CstInputValue::Array(values.iter().map(input).collect()),
        Value::Object(fields) => CstInputValue::Object(
            fields
                .iter()
                .map(|(name, value)| (name.clone(), input(value)))
                .collect(),
        ),
    }
}

//! Reading the fields of a request by name. What is wrong is said with the path of the field and in plain words; what
//! clients write in more than one way is read in all of them.
//!
//! `null` is as good as a field left out. Numbers may come as texts (`"0.1"`) and whole ones as `20.0`; what is merely
//! too large is brought to the largest that is taken, and `-1` stands for "no limit" where clients use it so.

use serde_json::{Map, Value};

use crate::error::Error;

/// The fields of one object.
pub(crate) struct Fields {
    /// Where the object is in the request; empty for the request itself.
    path: String,
    map: Map<String, Value>,
}

impl Fields {
    /// The fields of the request's body.
    pub(crate) fn of_body(body: Value) -> Result<Fields, Error> {
        Fields::of(body, String::new())
    }

    /// The fields of an object at `path`.
    pub(crate) fn of(value: Value, path: String) -> Result<Fields, Error> {
        match value {
            Value::Object(map) => Ok(Fields { path, map }),
            other @ Value::Null
            | other @ Value::Bool(_)
            | other @ Value::Number(_)
            | other @ Value::String(_)
            | other @ Value::Array(_)
                if path.is_empty() =>
            {
                Err(Error::bad_json(format!(
                    "the body is {}: send a JSON object",
                    kind(&other)
                )))
            }
            other @ Value::Null
            | other @ Value::Bool(_)
            | other @ Value::Number(_)
            | other @ Value::String(_)
            | other @ Value::Array(_) => Err(wrong(&path, &other, "an object")),
        }
    }

    /// The path of a field.
    pub(crate) fn path(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// Whatever a field holds.
    pub(crate) fn any(&mut self, name: &str) -> Option<Value> {
        self.map.shift_remove(name).filter(|value| !value.is_null())
    }

    /// All fields that were not read.
    pub(crate) fn rest(self) -> Map<String, Value> {
        self.map
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Error> {
        match self.any(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(&self.path(name), &other, "a text")),
        }
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<Option<bool>, Error> {
        match self.any(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(Value::String(text)) if text == "true" || text == "false" => Ok(Some(text == "true")),
            Some(other) => Err(wrong(&self.path(name), &other, "true or false")),
        }
    }

    pub(crate) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, Error> {
        match self.any(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(other) => Err(wrong(&self.path(name), &other, "a list")),
        }
    }

    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Fields>, Error> {
        let path = self.path(name);
        self.any(name).map(|value| Fields::of(value, path)).transpose()
    }

    /// A number from `least` to `most`.
    pub(crate) fn number(&mut self, name: &str, least: f32, most: f32) -> Result<Option<f32>, Error> {
        let path = self.path(name);
        let Some(value) = self.any(name) else {
            return Ok(None);
        };
        let number = number(&value).ok_or_else(|| wrong(&path, &value, "a number"))?;
        #[allow(clippy::cast_possible_truncation, reason = "the range is far smaller")]
        let small = number as f32;
        if (least..=most).contains(&small) {
            return Ok(Some(small));
        }
        Err(Error::bad_field(
            &path,
            format!("{path} is {value}: it must be from {least} to {most}"),
        ))
    }

    /// A count. What is too large is brought to the largest; `-1` is [`Count::NoLimit`].
    pub(crate) fn count(&mut self, name: &str) -> Result<Option<Count>, Error> {
        let path = self.path(name);
        let Some(value) = self.any(name) else {
            return Ok(None);
        };
        match number(&value) {
            Some(-1.0) => Ok(Some(Count::NoLimit)),
            Some(number) if number >= 0.0 && number.fract() == 0.0 => {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "it is whole, not negative, and brought to the largest"
                )]
                let count = number.min(f64::from(u32::MAX)) as u32;
                Ok(Some(Count::Of(count)))
            }
            Some(_) | None => Err(wrong(&path, &value, "a whole number, 0 or more")),
        }
    }

    /// A count where "no limit" is as good as nothing said.
    pub(crate) fn limit(&mut self, name: &str) -> Result<Option<u32>, Error> {
        Ok(match self.count(name)? {
            Some(Count::Of(count)) => Some(count),
            Some(Count::NoLimit) | None => None,
        })
    }

    /// The most of something, where `-1` is "as much as there is room for" and not as good as nothing said.
    pub(crate) fn most(&mut self, name: &str) -> Result<Option<u32>, Error> {
        Ok(self.count(name)?.map(|count| match count {
            Count::Of(count) => count,
            Count::NoLimit => u32::MAX,
        }))
    }

    /// A seed: any whole number; a negative one is as good as another.
    pub(crate) fn seed(&mut self, name: &str) -> Result<Option<u64>, Error> {
        let path = self.path(name);
        let Some(value) = self.any(name) else {
            return Ok(None);
        };
        if let Some(seed) = value.as_u64().or_else(|| value.as_i64().map(i64::cast_unsigned)) {
            return Ok(Some(seed));
        }
        match number(&value) {
            #[allow(clippy::cast_possible_truncation, reason = "whole, and within 53 bits")]
            Some(number) if number.fract() == 0.0 && number.abs() < 9.0e15 => {
                Ok(Some((number as i64).cast_unsigned()))
            }
            Some(_) | None => Err(wrong(&path, &value, "a whole number")),
        }
    }
}

/// A count as clients write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Of(u32),
    /// `-1`.
    NoLimit,
}

/// A number, also one that is written as a text.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
    .filter(|number: &f64| number.is_finite())
}

/// The error of a field that holds something else than it should.
pub(crate) fn wrong(path: &str, found: &Value, wanted: &str) -> Error {
    let shown = found.to_string();
    let found = if shown.len() <= 40 && !found.is_object() && !found.is_array() {
        shown
    } else {
        kind(found).to_owned()
    };
    Error::bad_field(path, format!("{path} is {found}: it must be {wanted}"))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        Fields::of_body(value).unwrap()
    }

    #[test]
    fn numbers_come_in_several_forms_o12_o14_o15_m15() {
        let mut all = fields(json!({
            "a": 20.0, "b": "5", "c": -1, "d": 9_007_199_254_740_991_u64, "e": null, "f": "0.1", "g": -7, "h": 1.5,
        }));
        assert_eq!(all.limit("a"), Ok(Some(20)));
        assert_eq!(all.limit("b"), Ok(Some(5)));
        assert_eq!(all.count("c"), Ok(Some(Count::NoLimit)));
        assert_eq!(all.limit("d"), Ok(Some(u32::MAX)));
        assert_eq!(all.limit("e"), Ok(None));
        assert_eq!(all.number("f", 0.0, 2.0), Ok(Some(0.1)));
        assert_eq!(all.seed("g"), Ok(Some((-7_i64).cast_unsigned())));
        let error = all.limit("h").unwrap_err();
        assert_eq!(error.param.as_deref(), Some("h"));
        assert_eq!(error.message, "h is 1.5: it must be a whole number, 0 or more");
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let mut all = fields(json!({"a": {"b": [1]}}));
        let mut inner = all.object("a").unwrap().unwrap();
        let error = inner.text("b").unwrap_err();
        assert_eq!(
            (error.param.as_deref(), error.message.as_str()),
            (Some("a.b"), "a.b is a list: it must be a text")
        );
        let mut all = fields(json!({"temperature": 3}));
        let error = all.number("temperature", 0.0, 2.0).unwrap_err();
        assert_eq!(error.message, "temperature is 3: it must be from 0 to 2");
        assert!(Fields::of_body(json!([1])).is_err());
    }
}

//! The model's name in a JSON body, which is replaced on the way to a backend and back.
//!
//! The body is cut where the name stands and nothing of it is built in memory: a body of 20 MiB may be a list of ten
//! million numbers. All else stays as it was written.

use std::{borrow::Cow, fmt, ops::Range};

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Where a body names its model.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ModelName {
    /// The name; the last one, where a body has several.
    pub(crate) asked: Option<String>,
    places: Vec<Range<usize>>,
}

impl ModelName {
    /// Looks for it; `None` in what is no JSON object.
    pub(crate) fn find(body: &[u8]) -> Option<ModelName> {
        let mut json = serde_json::Deserializer::from_slice(body);
        let name = json.deserialize_map(Places { body }).ok()?;
        json.end().ok()?;
        Some(name)
    }

    /// The body with this name, which is added where there was none.
    pub(crate) fn set(&self, body: &[u8], name: &str) -> Bytes {
        let Some(begin) = body.iter().position(|byte| *byte == b'{') else {
            return Bytes::copy_from_slice(body);
        };
        let name = serde_json::Value::from(name).to_string();
        let mut out = BytesMut::with_capacity(body.len() + name.len() + 16);
        let mut at = 0;
        if self.places.is_empty() {
            at = begin + 1;
            out.put_slice(&body[..at]);
            out.put_slice(b"\"model\":");
            out.put_slice(name.as_bytes());
            if !body[at..].trim_ascii_start().starts_with(b"}") {
                out.put_u8(b',');
            }
        }
        for place in &self.places {
            out.put_slice(&body[at..place.start]);
            out.put_slice(name.as_bytes());
            at = place.end;
        }
        out.put_slice(&body[at..]);
        out.freeze()
    }

    /// As [`ModelName::set`], of a body that may have no name; `None` where it has none.
    pub(crate) fn replaced(body: &[u8], name: &str) -> Option<Bytes> {
        let found = ModelName::find(body).filter(|found| !found.places.is_empty())?;
        Some(found.set(body, name))
    }
}

struct Places<'body> {
    body: &'body [u8],
}

impl<'body> Visitor<'body> for Places<'body> {
    type Value = ModelName;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'body>>(self, mut map: M) -> Result<ModelName, M::Error> {
        let (mut asked, mut places) = (None, Vec::new());
        while let Some(key) = map.next_key::<Cow<'body, str>>()? {
            if key != "model" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = map.next_value::<&'body RawValue>()?.get();
            // The value is a part of the body.
            let begin = value.as_ptr().addr().saturating_sub(self.body.as_ptr().addr());
            places.push(begin..begin + value.len());
            asked = serde_json::from_str(value).ok();
        }
        Ok(ModelName { asked, places })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_replaced_and_nothing_else() {
        for (body, asked, wanted) in [
            (
                r#"{"model":"a","x":[1.00,{"model":"a"}]}"#,
                Some("a"),
                r#"{"model":"new","x":[1.00,{"model":"a"}]}"#,
            ),
            (
                r#" { "x":1, "model" : "a\"b" } "#,
                Some("a\"b"),
                r#" { "x":1, "model" : "new" } "#,
            ),
            (r#"{"model":null}"#, None, r#"{"model":"new"}"#),
            (r#"{"model":{"a":1},"n":2}"#, None, r#"{"model":"new","n":2}"#),
            (
                r#"{"model":"a","model":"b"}"#,
                Some("b"),
                r#"{"model":"new","model":"new"}"#,
            ),
            (r#"{"mod\u0065l":"a"}"#, Some("a"), r#"{"mod\u0065l":"new"}"#),
            ("{}", None, r#"{"model":"new"}"#),
            (r#"{ "x":1}"#, None, r#"{"model":"new", "x":1}"#),
        ] {
            let found = ModelName::find(body.as_bytes()).unwrap();
            assert_eq!(found.asked.as_deref(), asked, "{body}");
            assert_eq!(found.set(body.as_bytes(), "new"), wanted);
        }
        for other in [
            "",
            "[]",
            "\"model\"",
            "{\"model\":",
            "{} {}",
            "{\"model\":\"a\"}x",
        ] {
            assert_eq!(ModelName::find(other.as_bytes()), None, "{other}");
        }
        assert_eq!(ModelName::replaced(b"{\"x\":1}", "new"), None);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_replaced_is_json_with_that_name(
            before in "[a-z\"\\\\ é]{0,6}", keys in proptest::collection::vec("model|[a-z]{1,3}", 0..6), name in ".{0,8}",
        ) {
            let fields: Vec<String> =
                keys.iter().map(|key| format!("\"{key}\" :{}", serde_json::Value::from(before.as_str()))).collect();
            let body = format!("{{{}}}", fields.join(", "));
            let set = ModelName::find(body.as_bytes()).unwrap().set(body.as_bytes(), &name);
            let set: serde_json::Value = serde_json::from_slice(&set).unwrap();
            proptest::prop_assert_eq!(set["model"].as_str(), Some(name.as_str()));
        }
    }
}

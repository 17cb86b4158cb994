//! What everybody needs of a request's body, found without building the rest of it in memory: a body of 20 MiB may be
//! a list of ten million numbers. The model's name is replaced where it stands; all else stays as it was written.

use std::{borrow::Cow, fmt, ops::Range};

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::de::{Deserializer as _, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::Error;

/// A name that nobody gives a model; each place of it is written anew on the way to a backend.
const MAX_NAME_BYTES: usize = 512;
/// The most places where a body may name its model. Honest clients have one, a careless one two.
const MAX_PLACES: usize = 4;

/// What is known of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// The model's name; the last one, where a body has several.
    pub(crate) model: Option<String>,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    /// Texts of each prompt, and prompts, as far as the body says more than one.
    n: u64,
    prompts: u64,
    places: Vec<Range<usize>>,
}

impl Scan {
    /// How many texts are asked for.
    pub(crate) fn n_texts(&self) -> u64 {
        self.n.max(1).saturating_mul(self.prompts.max(1))
    }

    /// Looks at a body.
    ///
    /// # Errors
    /// It is no JSON object.
    pub(crate) fn of(body: &[u8]) -> Result<Scan, Error> {
        let mut json = serde_json::Deserializer::from_slice(body);
        let scan = json.deserialize_map(Places { body });
        scan.and_then(|scan| json.end().map(|()| scan)).map_err(|error| {
            let n_bytes = body.len();
            // PATH cuts bodies at 100 KiB, so honest clients send such, too.
            Error::bad_json(format!(
                "the body of {n_bytes} bytes is no JSON object, it may have been cut on its way: {error}"
            ))
        })
    }

    /// The body with this name, which is added where there was none.
    pub(crate) fn with_model(&self, body: &[u8], name: &str) -> Bytes {
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
}

/// How many prompts a value is: a list of texts, or of lists of tokens, is several.
fn prompts(value: &str) -> u64 {
    struct Several;
    impl<'de> Visitor<'de> for Several {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<u64, A::Error> {
            let (mut several, mut n) = (false, 0);
            while let Some(item) = list.next_element::<&'de RawValue>()? {
                several |= item.get().starts_with(['"', '[']);
                n += 1;
            }
            Ok(if several { n } else { 1 })
        }
    }
    let mut json = serde_json::Deserializer::from_str(value);
    json.deserialize_seq(Several).unwrap_or(1)
}

/// An answer with this name for its model, where it has one; anything else stays as it is.
pub(crate) fn renamed(body: &Bytes, name: &str) -> Bytes {
    match Scan::of(body) {
        Ok(scan) if !scan.places.is_empty() && scan.model.as_deref() != Some(name) => {
            scan.with_model(body, name)
        }
        Ok(_) | Err(_) => body.clone(),
    }
}

struct Places<'body> {
    body: &'body [u8],
}

impl<'body> Visitor<'body> for Places<'body> {
    type Value = Scan;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'body>>(self, mut map: M) -> Result<Scan, M::Error> {
        #[derive(serde::Deserialize)]
        struct StreamOptions {
            include_usage: Option<bool>,
        }
        let mut scan = Scan::default();
        while let Some(key) = map.next_key::<Cow<'body, str>>()? {
            match key.as_ref() {
                "model" => {
                    let value = map.next_value::<&'body RawValue>()?.get();
                    // The value is a part of the body.
                    let begin = value.as_ptr().addr().saturating_sub(self.body.as_ptr().addr());
                    scan.places.push(begin..begin + value.len());
                    if scan.places.len() > MAX_PLACES || value.len() > MAX_NAME_BYTES {
                        return Err(M::Error::custom(format!(
                            "model is named {MAX_PLACES} times or in {MAX_NAME_BYTES} bytes at most"
                        )));
                    }
                    let name: Option<String> = serde_json::from_str(value).ok();
                    scan.model = name.filter(|name| !name.is_empty());
                }
                "stream" => scan.stream = matches!(map.next_value::<&RawValue>()?.get(), "true" | "\"true\""),
                // `best_of` is made as well, and thrown away.
                "n" | "best_of" => {
                    let value = map.next_value::<&RawValue>()?.get();
                    let value: Option<f64> = serde_json::from_str(value.trim_matches('"')).ok();
                    #[allow(
                        clippy::cast_possible_truncation,
                        clippy::cast_sign_loss,
                        reason = "a large number is as good as another"
                    )]
                    let n = value.unwrap_or(0.0) as u64;
                    scan.n = scan.n.max(n);
                }
                "prompt" => scan.prompts = prompts(map.next_value::<&RawValue>()?.get()),
                "stream_options" => {
                    let options = map.next_value::<&RawValue>()?.get();
                    let options: Option<StreamOptions> = serde_json::from_str(options).ok();
                    scan.include_usage = options.is_some_and(|options| options.include_usage == Some(true));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(scan)
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
            let found = Scan::of(body.as_bytes()).unwrap();
            assert_eq!(found.model.as_deref(), asked, "{body}");
            assert_eq!(found.with_model(body.as_bytes(), "new"), wanted);
        }
        for other in [
            "",
            "[]",
            "\"model\"",
            "{\"model\":",
            "{} {}",
            "{\"model\":\"a\"}x",
        ] {
            assert!(Scan::of(other.as_bytes()).is_err(), "{other}");
        }
    }

    #[test]
    fn only_the_name_changes_in_an_answer() {
        for (json, wanted) in [
            (
                r#"{ "a":[1 , 2],"model" : "x","b":1e400}"#,
                r#"{ "a":[1 , 2],"model" : "n\"e","b":1e400}"#,
            ),
            (r#"{"m":{"model":"x"}}"#, r#"{"m":{"model":"x"}}"#),
            (r#"{"model":null}"#, r#"{"model":"n\"e"}"#),
            ("[1]", "[1]"),
            ("{\"model\":", "{\"model\":"),
        ] {
            assert_eq!(renamed(&Bytes::from(json), "n\"e"), wanted, "{json}");
        }
    }

    #[test]
    fn texts_are_counted_and_names_are_few_and_short() {
        let texts = |body: &str| Scan::of(body.as_bytes()).unwrap().n_texts();
        assert_eq!(texts(r#"{"prompt":"a"}"#), 1);
        assert_eq!(texts(r#"{"prompt":[1,2,3],"n":2}"#), 2);
        assert_eq!(texts(r#"{"prompt":["a","b"],"n":"3"}"#), 6);
        assert_eq!(texts(r#"{"prompt":[[1],[2]],"best_of":4}"#), 8);
        assert_eq!(texts(r#"{"n":-1}"#), 1);
        let many = format!("{{{}\"model\":\"b\"}}", "\"model\":1,".repeat(MAX_PLACES));
        let long = format!("{{\"model\":\"{}\"}}", "a".repeat(MAX_NAME_BYTES));
        for body in [many, long] {
            assert!(Scan::of(body.as_bytes()).is_err());
            assert_eq!(renamed(&Bytes::from(body.clone()), "n"), body);
        }
    }

    #[test]
    fn a_stream_is_asked_for_at_the_top_of_the_body_alone() {
        let stream = |body: &str| Scan::of(body.as_bytes()).unwrap().stream;
        assert!(stream(r#"{"stream": true}"#));
        for whole in [
            r#"{"stream":false}"#,
            r#"{"stream":null}"#,
            r#"{"messages":[{"content":"\"stream\":true", "stream":true}]}"#,
        ] {
            assert!(!stream(whole), "{whole}");
        }
        let options = Scan::of(br#"{"stream_options":{"include_usage":true}}"#).unwrap();
        assert!(options.include_usage);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_replaced_is_json_with_that_name(
            before in "[a-z\"\\\\ é]{0,6}", keys in proptest::collection::vec("model|[a-z]{1,3}", 0..=MAX_PLACES), name in ".{0,8}",
        ) {
            let fields: Vec<String> =
                keys.iter().map(|key| format!("\"{key}\" :{}", serde_json::Value::from(before.as_str()))).collect();
            let body = format!("{{{}}}", fields.join(", "));
            let set = Scan::of(body.as_bytes()).unwrap().with_model(body.as_bytes(), &name);
            let set: serde_json::Value = serde_json::from_slice(&set).unwrap();
            proptest::prop_assert_eq!(set["model"].as_str(), Some(name.as_str()));
        }
    }
}

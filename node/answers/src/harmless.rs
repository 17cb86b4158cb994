//! Words of another server as they may be shown: without what looks like a credential.

use bytes::Bytes;

/// What keys of well-known services begin with.
const PREFIXES: [&str; 14] = [
    "sk-", "sk_", "pk-", "pk_", "rk_", "gsk_", "hf_", "xai-", "nvapi-", "AIza", "ghp_", "eyJ", "AKIA",
    "Bearer",
];
/// Letters and digits without a break between them that are no word and no name any more.
const RANDOM_LETTERS: usize = 32;
/// What stands in the place of one.
const REMOVED: &str = "[removed]";
/// What is shown of a text.
const SHOWN_BYTES: usize = 2000;

/// A text without what looks like a credential, and not longer than anybody reads.
pub(crate) fn harmless(text: &str) -> String {
    let shown = &text[..text.floor_char_boundary(SHOWN_BYTES)];
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "-_*+=.~".contains(letter);
    let mut out = String::new();
    let mut rest = shown;
    while !rest.is_empty() {
        let length = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(length);
        if is_credential(word) {
            out.push_str(REMOVED);
            // What follows the word for it is the credential itself.
            if word == "Bearer" {
                let next = behind.trim_start_matches(' ');
                let length = next.find(|letter| !is_part(letter)).unwrap_or(next.len());
                rest = &next[length..];
                continue;
            }
        } else {
            out.push_str(word);
        }
        let mut letters = behind.chars();
        out.extend(letters.next());
        rest = letters.as_str();
    }
    out
}

/// The body of an error without credentials: those that are known, and what looks like one.
pub(crate) fn harmless_body(body: &[u8], known: impl Iterator<Item = String>) -> Option<Bytes> {
    let mut text = std::str::from_utf8(body).ok()?.to_owned();
    for value in known {
        for part in value.split_ascii_whitespace().filter(|part| part.len() >= 6) {
            text = text.replace(part, REMOVED);
        }
    }
    // Texts in it are looked at one by one, so that it stays the JSON that it was.
    let mut json = serde_json::from_str(&text).ok()?;
    make_harmless(&mut json, 0);
    Some(json.to_string().into())
}

fn make_harmless(value: &mut serde_json::Value, depth: usize) {
    use serde_json::Value;
    match value {
        Value::String(text) => *text = harmless(text),
        // Nobody writes errors so deep.
        Value::Array(_) | Value::Object(_) if depth == 16 => *value = Value::Null,
        Value::Array(items) => items.iter_mut().for_each(|item| make_harmless(item, depth + 1)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|field| make_harmless(field, depth + 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_credential(word: &str) -> bool {
    let is_prefixed = PREFIXES
        .iter()
        .any(|prefix| word.starts_with(prefix) && (word == "Bearer" || word.len() >= prefix.len() + 4));
    let is_random = word
        .split(['-', '.', '='])
        .any(|part| part.len() >= RANDOM_LETTERS && part.bytes().any(|byte| byte.is_ascii_digit()));
    is_prefixed || is_random
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out_and_the_rest_stays() {
        for (text, shown) in [
            (
                "Incorrect API key provided: sk-abc***********xyz. Find",
                "Incorrect API key provided: [removed] Find",
            ),
            (
                "header Authorization: Bearer abc.def was bad",
                "header Authorization: [removed] was bad",
            ),
            (
                "token 0123456789abcdef0123456789abcdef is void",
                "token [removed] is void",
            ),
            (
                "model Qwen2.5-Coder-32B-Instruct-AWQ has 32768 tokens, and you asked for 40000",
                "model Qwen2.5-Coder-32B-Instruct-AWQ has 32768 tokens, and you asked for 40000",
            ),
            (
                "für \u{1f642} sk- und so weiter",
                "für \u{1f642} sk- und so weiter",
            ),
            ("", ""),
        ] {
            assert_eq!(harmless(text), shown);
        }
        assert!(harmless(&"a b ".repeat(10_000)).len() <= SHOWN_BYTES);
    }

    #[test]
    fn a_body_stays_json_and_loses_the_backends_own_key() {
        let known = || ["Bearer my own secret".to_owned()].into_iter();
        let body = br#"{"error":{"message":"no \"secret\" and hf_abcdefgh","param":"n","deep":[1,null]}}"#;
        let shown = harmless_body(body, known()).unwrap();
        assert_eq!(
            shown,
            r#"{"error":{"message":"no \"[removed]\" and [removed]","param":"n","deep":[1,null]}}"#
        );
        assert_eq!(harmless_body(b"<html>", known()), None);
    }
}

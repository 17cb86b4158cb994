//! Halves of characters beyond the first 65,536, which JavaScript writes when it cuts a text in the middle of one. No
//! JSON reader of ours takes them, so each becomes the character for "unreadable", as browsers do it.

use std::borrow::Cow;

/// The text with lone halves replaced.
pub(crate) fn replaced(json: &[u8]) -> Cow<'_, [u8]> {
    if !json
        .windows(3)
        .any(|window| matches!(window, [b'\\', b'u', b'd' | b'D']))
    {
        return Cow::Borrowed(json);
    }
    let mut out = Vec::with_capacity(json.len());
    let mut at = 0;
    while at < json.len() {
        match json.get(at..at + 2) {
            Some([b'\\', b'u']) => match (unit(json, at), unit(json, at + 6)) {
                (Some(0xD800..0xDC00), Some(0xDC00..0xE000)) => {
                    out.extend_from_slice(&json[at..at + 12]);
                    at += 12;
                }
                (Some(0xD800..0xE000), _) => {
                    out.extend_from_slice(b"\\ufffd");
                    at += 6;
                }
                (_, _) => {
                    out.extend_from_slice(&json[at..at + 2]);
                    at += 2;
                }
            },
            // Another escape: what follows the backslash begins none.
            Some([b'\\', next]) => {
                out.extend_from_slice(&[b'\\', *next]);
                at += 2;
            }
            Some(_) | None => {
                out.push(json[at]);
                at += 1;
            }
        }
    }
    Cow::Owned(out)
}

/// The number of an escape `\uXXXX` at this place.
fn unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_halves_are_replaced_and_pairs_stay() {
        for (json, wanted) in [
            (r#""a\ud83d""#, r#""a\ufffd""#),
            (r#""\uDE00b""#, r#""\ufffdb""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""\u00e9\n\ud83d"#, r#""\u00e9\n\ufffd"#),
            (r#""\ud8"#, r#""\ud8"#),
        ] {
            assert_eq!(replaced(json.as_bytes()), wanted.as_bytes(), "{json}");
        }
    }
}

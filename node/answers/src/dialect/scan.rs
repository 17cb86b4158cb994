//! Finds where a JSON value ends while it is still being written.

/// Where the text of a value stands: how deep, and whether within a string.
#[derive(Clone, Debug, Default)]
pub(super) struct Scan {
    open: Vec<u8>,
    in_string: bool,
    escaped: bool,
}

/// What a piece of text did to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// All of it belongs to the value, which goes on.
    Going,
    /// The value ends before this byte.
    Ends(usize),
    /// What stands at this byte cannot belong to it.
    Broken(usize),
}

/// Deeper values are no arguments of a tool.
const MAX_DEPTH: usize = 128;

impl Scan {
    /// Begins inside so many objects.
    pub(super) fn inside(objects: usize) -> Self {
        Self {
            open: vec![b'}'; objects],
            ..Self::default()
        }
    }

    /// Reads on. A value that is no list, object or string ends only with what stands around it.
    pub(super) fn feed(&mut self, text: &str) -> Scanned {
        for (at, byte) in text.bytes().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_string = false;
                        if self.open.is_empty() {
                            return Scanned::Ends(at + 1);
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' => self.open.push(b'}'),
                b'[' => self.open.push(b']'),
                b'}' | b']' => {
                    if self.open.pop() != Some(byte) {
                        return Scanned::Broken(at);
                    }
                    if self.open.is_empty() {
                        return Scanned::Ends(at + 1);
                    }
                }
                _ => {}
            }
            if self.open.len() > MAX_DEPTH {
                return Scanned::Broken(at);
            }
        }
        Scanned::Going
    }
}

/// Gives the end of the JSON value that `text` begins with; `None` while it is not known.
pub(super) fn value_end(text: &str) -> Option<usize> {
    if text.starts_with(['{', '[', '"']) {
        return match Scan::default().feed(text) {
            Scanned::Ends(end) => Some(end),
            Scanned::Going | Scanned::Broken(_) => None,
        };
    }
    text.find(|letter: char| letter.is_whitespace() || matches!(letter, ',' | '}' | ']'))
}

/// Gives how many bytes at the end of `text` may be the beginning of `mark`.
pub(super) fn begun(text: &str, mark: &str) -> usize {
    let longest = text.len().min(mark.len().saturating_sub(1));
    (1..=longest)
        .rev()
        .find(|&length| mark.is_char_boundary(length) && text.ends_with(&mark[..length]))
        .unwrap_or(0)
}

/// White space at the end of `text`, at most so many bytes that are looked at.
pub(super) fn trailing_space(text: &str) -> usize {
    /// As much white space may be dropped before a mark.
    const MOST: usize = 64;
    text.bytes()
        .rev()
        .take(MOST)
        .take_while(u8::is_ascii_whitespace)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_ends_with_its_own_bracket() {
        let text = r#"{"a": "}\"]", "b": [1, {}]} rest"#;
        assert_eq!(value_end(text), Some(text.len() - 5));
        assert_eq!(value_end(r#""a\"b" x"#), Some(6));
        assert_eq!(value_end("12, "), Some(2));
        assert_eq!((value_end("{\"a\""), value_end("tru")), (None, None));
        assert_eq!(Scan::default().feed("{]"), Scanned::Broken(1));
        assert_eq!(Scan::inside(2).feed(", \"x\": 1} } z"), Scanned::Ends(11));
        assert_eq!(Scan::default().feed(&"[".repeat(200)), Scanned::Broken(128));
    }

    #[test]
    fn the_beginning_of_a_mark_is_seen() {
        assert_eq!(begun("a <tool", "<tool_call>"), 5);
        assert_eq!(begun("a <tool_call>", "<tool_call>"), 0);
        assert_eq!(begun("x<｜tool", "<｜tool▁sep｜>"), "<｜tool".len());
        assert_eq!(trailing_space(&format!("a{}", " ".repeat(100))), 64);
    }
}

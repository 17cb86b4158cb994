//! How many values a JSON text has, before it is parsed: each takes a hundred bytes of memory and more, whatever it takes
//! as text.

use crate::error::{Code, Error};

/// Values that a request may have: every token of a long list of embeddings counts as one.
const MAX_VALUES: usize = 400_000;

/// Refuses a text with more values than a request may have.
///
/// # Errors
/// It has more.
pub(crate) fn check(text: &[u8]) -> Result<(), Error> {
    if has_too_many_values(text) {
        return Err(Error::new(
            Code::TooManyValues,
            format!("the request has more than {MAX_VALUES} values: send less at once"),
        ));
    }
    Ok(())
}

/// Whether a JSON text has more values than a request may have. Commas and opening brackets outside of strings are
/// counted, which is what values hang on.
fn has_too_many_values(text: &[u8]) -> bool {
    let (mut n_values, mut in_string, mut is_escaped) = (0_usize, false, false);
    for byte in text {
        match (in_string, byte) {
            (true, _) if is_escaped => is_escaped = false,
            (true, b'\\') => is_escaped = true,
            (true, b'"') => in_string = false,
            (true, _) => {}
            (false, b'"') => in_string = true,
            (false, b',' | b'[' | b'{') => {
                n_values += 1;
                if n_values > MAX_VALUES {
                    return true;
                }
            }
            (false, _) => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_text_is_not() {
        let lists = format!("[{}[0]]", "[0],".repeat(MAX_VALUES / 2));
        assert!(has_too_many_values(lists.as_bytes()));
        let numbers = format!("[{}0]", "0,".repeat(MAX_VALUES / 2));
        assert!(!has_too_many_values(numbers.as_bytes()));
        let text = format!(r#"{{"content":"\"{}"}}"#, "[,{".repeat(MAX_VALUES));
        assert!(!has_too_many_values(text.as_bytes()));
    }
}

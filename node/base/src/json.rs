//! What is wrong with a JSON text.

/// How deep values may lie in values: serde's limit, which keeps the reader's stack whole.
pub const MAX_DEPTH: usize = 127;

/// Why a text could not be read, to be put after its name: "is no JSON: …".
#[must_use]
pub fn fault(error: &serde_json::Error) -> String {
    // The kind is in the text alone.
    if error.to_string().starts_with("recursion limit exceeded") {
        format!("is nested deeper than {MAX_DEPTH} levels")
    } else {
        format!("is no JSON: {error}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_is_nested_too_deep_is_said_to_be_so() {
        let read = |text: &str| serde_json::from_str::<Value>(text).map_err(|error| fault(&error));
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(
            read(&nested(MAX_DEPTH + 1)).unwrap_err(),
            "is nested deeper than 127 levels"
        );
        assert!(read("[").unwrap_err().starts_with("is no JSON: EOF"));
    }
}

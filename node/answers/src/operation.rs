//! What is asked for, by the path of an HTTP request.

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    Chat,
    Completion,
    Embedding,
    Rerank,
    Tokenize,
    Detokenize,
    Models,
    Health,
    /// Any JSON is an answer.
    Other,
}

impl Operation {
    /// The operation of a path, with and without `/v1`.
    #[must_use]
    pub fn of(path: &str) -> Operation {
        match route(path) {
            "chat/completions" => Operation::Chat,
            "completions" => Operation::Completion,
            "embeddings" => Operation::Embedding,
            "rerank" => Operation::Rerank,
            "tokenize" => Operation::Tokenize,
            "detokenize" => Operation::Detokenize,
            "models" => Operation::Models,
            "health" => Operation::Health,
            _ => Operation::Other,
        }
    }

    /// Its route, for those that are asked of a model.
    #[must_use]
    pub fn route(self) -> Option<&'static str> {
        match self {
            Operation::Chat => Some("chat/completions"),
            Operation::Completion => Some("completions"),
            Operation::Embedding => Some("embeddings"),
            Operation::Rerank => Some("rerank"),
            Operation::Tokenize => Some("tokenize"),
            Operation::Detokenize => Some("detokenize"),
            Operation::Models | Operation::Health | Operation::Other => None,
        }
    }

    /// Whether its answer may come in parts.
    #[must_use]
    pub fn may_stream(self) -> bool {
        matches!(self, Operation::Chat | Operation::Completion)
    }
}

/// A path without its query, `/v1` and slashes around it; some clients write `/v1` twice, or slashes.
#[must_use]
pub fn route(path: &str) -> &str {
    let mut route = path.split('?').next().unwrap_or_default().trim_matches('/');
    while let Some(rest) = route.strip_prefix("v1/") {
        route = rest.trim_start_matches('/');
    }
    route
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_known_with_and_without_v1() {
        for path in [
            "/v1/chat/completions",
            "chat/completions/",
            "/v1/v1/chat/completions?a=1",
            "//v1//chat/completions",
        ] {
            assert_eq!(Operation::of(path), Operation::Chat, "{path}");
        }
        assert_eq!(Operation::of("/models"), Operation::Models);
        assert_eq!(Operation::of("/v1beta/models"), Operation::Other);
    }
}

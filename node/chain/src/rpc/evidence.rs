//! What an endpoint said that is false, kept so that it can be shown to whoever runs it.

/// How much of an answer is kept: a whole proof of a large store has some 10 KB.
const KEPT_BYTES: usize = 16 * 1024;
/// How much of a question is kept.
const KEPT_CHARS: usize = 1024;

/// A question and what came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The method with its parameters.
    pub(crate) question: String,
    /// The answer as it came, cut where it is long.
    pub(crate) answer: Vec<u8>,
}

impl Heard {
    pub(crate) fn new(method: &str, params: &serde_json::Value, mut answer: Vec<u8>) -> Heard {
        answer.truncate(KEPT_BYTES);
        answer.shrink_to_fit();
        let question = format!("{method} {params}").chars().take(KEPT_CHARS).collect();
        Heard { question, answer }
    }
}

/// A false answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lie {
    /// What is false about it.
    pub(crate) why: String,
    /// What was heard, where one answer alone shows it.
    pub(crate) heard: Option<Heard>,
}

impl Lie {
    pub(crate) fn new(why: impl Into<String>) -> Lie {
        Lie {
            why: why.into(),
            heard: None,
        }
    }

    /// The same lie with what was heard.
    #[must_use]
    pub(crate) fn heard(self, heard: Heard) -> Lie {
        Lie {
            heard: Some(heard),
            ..self
        }
    }
}

/// A false answer of an endpoint, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// When it was given, by our clock, in milliseconds since the epoch.
    pub at_ms: i64,
    /// Host and port.
    pub endpoint: String,
    /// What is false about it.
    pub why: String,
    /// The question; empty where no single answer shows the lie.
    pub question: String,
    /// The answer, cut where it is long.
    pub answer: Vec<u8>,
}

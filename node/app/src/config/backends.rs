//! `[backends.NAME]`: other servers that answer beside the built-in engine.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::settings::hide;

/// A server that answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackendSettings {
    pub kind: BackendKind,
    /// The server's address, with or without `/v1`: `http://10.0.0.5:8000`.
    pub url: Option<String>,
    /// A file whose first line is the key that the server wants, sent as `Authorization: Bearer`.
    pub key_file: Option<PathBuf>,
    /// The environment variable that holds the key, in place of a file.
    pub key_env: Option<String>,
    /// Models that it serves under their own names; all it lists are there as `NAME/MODEL` without that.
    pub models: Vec<String>,
    /// How often it is chosen beside other backends of the same model.
    pub weight: u32,
    /// Answers at once.
    pub slots: usize,
    /// The path by which it says whether it is well; without it its models are asked for.
    pub health: Option<String>,
    /// Seconds that it may take to its first byte.
    pub first_byte_within_s: u64,
    /// Seconds that a whole answer may take.
    pub answer_within_s: u64,
    /// Milliseconds after which a stream of it that has not begun is asked of the next server of the same model as well:
    /// the first part wins, the other is left. Without it nothing is asked twice.
    pub hedge_after_ms: Option<u64>,
}

/// What a backend is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// An OpenAI-compatible server.
    #[default]
    Url,
    /// Answers at once with the same words: for tests and measurements.
    Null,
}

impl Default for BackendSettings {
    fn default() -> BackendSettings {
        BackendSettings {
            kind: BackendKind::Url,
            url: None,
            key_file: None,
            key_env: None,
            models: Vec::new(),
            weight: 1,
            slots: 16,
            health: None,
            first_byte_within_s: 60,
            answer_within_s: 600,
            hedge_after_ms: None,
        }
    }
}

impl BackendSettings {
    /// What the variable of `key_env` holds.
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the configuration, which names the variable"
    )]
    pub(crate) fn key_of_the_environment(&self) -> Option<String> {
        std::env::var(self.key_env.as_deref()?).ok()
    }

    /// What no type can say.
    ///
    /// # Errors
    /// The first rule that is broken, in words.
    pub(super) fn check(&self, name: &str) -> Result<(), String> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
        if name.is_empty() || !name.chars().all(is_word) || name == "pocket" {
            return Err(format!(
                "backends.{name}: a backend's name has letters, digits, -, _ and . alone, and is not \"pocket\""
            ));
        }
        match (&self.url, self.kind) {
            (Some(text), BackendKind::Url) => hearth_answers::check_address(text)
                .map(drop)
                .map_err(|why| format!("backends.{name}.url cannot work: {}", hide(&why, text)))?,
            (None, BackendKind::Url) => {
                return Err(format!(
                    "backends.{name} has no url: write url = \"http://localhost:11434\""
                ));
            }
            (Some(_), BackendKind::Null) => {
                return Err(format!("backends.{name} is of kind \"null\", which has no url"));
            }
            (None, BackendKind::Null) => {}
        }
        if self.key_file.is_some() && self.key_env.is_some() {
            return Err(format!("backends.{name} has key_file and key_env: leave out one"));
        }
        if let Some(path) = self.health.as_ref().filter(|path| !path.starts_with('/')) {
            return Err(format!(
                "backends.{name}.health is the path of an address: write \"/{path}\""
            ));
        }
        if self.weight == 0 {
            return Err(format!("backends.{name}.weight must be 1 or more"));
        }
        if self.first_byte_within_s == 0 || self.answer_within_s < self.first_byte_within_s {
            return Err(format!(
                "backends.{name}.first_byte_within_s must be at least 1 and at most answer_within_s"
            ));
        }
        if self.hedge_after_ms == Some(0) {
            return Err(format!(
                "backends.{name}.hedge_after_ms must be 1 or more: leave it out to ask one server at a time"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, text: &str) -> Result<(), String> {
        let settings: BackendSettings = toml::from_str(text).map_err(|error| error.to_string())?;
        settings.check(name)
    }

    #[test]
    fn a_backend_that_cannot_work_is_refused_in_words() {
        for (name, text, said) in [
            ("big", "", "has no url"),
            ("big", "url = \"localhost:1\"", "http://localhost:1"),
            ("big", "url = \"u:geheim@h:1\"", "http://u:********@h:1"),
            ("a/b", "url = \"http://h\"", "name"),
            ("pocket", "url = \"http://h\"", "name"),
            ("big", "kind = \"null\"\nurl = \"http://h\"", "no url"),
            ("big", "url = \"http://h\"\nweight = 0", "weight"),
            ("big", "url = \"http://h\"\nhealth = \"x\"", "\"/x\""),
            (
                "big",
                "url = \"http://h\"\nkey_file = \"a\"\nkey_env = \"B\"",
                "leave out one",
            ),
            (
                "big",
                "url = \"http://h\"\nfirst_byte_within_s = 9\nanswer_within_s = 3",
                "answer_within_s",
            ),
            ("big", "url = \"http://h\"\nurll = 1", "urll"),
            ("big", "url = \"http://h\"\nhedge_after_ms = 0", "hedge_after_ms"),
        ] {
            let refused = check(name, text).unwrap_err();
            assert!(refused.contains(said), "{text}: {refused}");
        }
        for good in [
            "url = \"http://h:8000/v1\"\nmodels = [\"a\"]\nkey_env = \"KEY\"\nhedge_after_ms = 800",
            "kind = \"null\"",
        ] {
            assert_eq!(check("big-1", good), Ok(()), "{good}");
        }
    }
}

//! What a server says it has: names, kinds, and which names mean the same model.

use bytes::Bytes;
use serde_json::Value;

use crate::backend::{ModelEntry, Task};

/// The most models of one server that are kept.
const MAX_MODELS: usize = 10_000;
/// What Ollama says of its own models; it tells their kinds on a route of its own.
const OLLAMAS: &str = "library";

/// The models of a server.
#[derive(Clone, Debug, Default)]
pub(super) struct List(Vec<Listed>);

#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) entry: ModelEntry,
    /// Whether the server was heard about what the model is for; else its name tells.
    pub(super) is_said: bool,
    pub(super) is_ollamas: bool,
    /// Where its weights are. vLLM lists one model under several names and answers under the first of them.
    root: Option<String>,
}

impl List {
    /// Reads `/v1/models`. A list of another form is a list all the same; only no name is learnt from it.
    pub(super) fn read(json: &Bytes) -> List {
        let body: Value = serde_json::from_slice(json).unwrap_or_default();
        let entries = |name: &str| body.get(name).and_then(Value::as_array).into_iter().flatten();
        // llama.cpp's server tells the kinds in a second list, in Ollama's form.
        let beside = |id: &str| entries("models").find(|entry| text(entry, "name") == Some(id));
        let listed = entries("data").filter_map(|entry| {
            // A name is shown and copied: one that moves a terminal's cursor is none.
            let id = text(entry, "id").filter(|id| !id.contains(char::is_control))?;
            let said = said(entry).or_else(|| beside(id).and_then(said));
            Some(Listed {
                entry: ModelEntry {
                    name: id.to_owned(),
                    added_at: entry.get("created").and_then(Value::as_i64).unwrap_or(0),
                    task: said.unwrap_or_else(|| Task::of_name(id)),
                },
                is_said: said.is_some(),
                is_ollamas: text(entry, "owned_by") == Some(OLLAMAS),
                root: text(entry, "root").map(str::to_owned),
            })
        });
        List(listed.take(MAX_MODELS).collect())
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Listed> {
        self.0.iter_mut()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Listed> {
        self.0.iter().find(|listed| listed.entry.name == name)
    }

    pub(super) fn first(&self) -> Option<&str> {
        self.0.first().map(|listed| listed.entry.name.as_str())
    }

    pub(super) fn entries(&self) -> Vec<ModelEntry> {
        self.0.iter().map(|listed| listed.entry.clone()).collect()
    }

    /// Whether `answered` is another model of this server than the one that was asked for. A name that is none of the
    /// list says nothing: servers write paths, and names of models that they stand in for.
    pub(super) fn is_another(&self, asked: &str, answered: &str) -> bool {
        if asked.is_empty() || stem(asked) == stem(answered) {
            return false;
        }
        let Some(other) = self.get(answered) else {
            return false;
        };
        let root = |listed: &Listed| listed.root.clone().filter(|root| !root.is_empty());
        let is_same = self
            .get(asked)
            .is_some_and(|one| root(one).is_some() && root(one) == root(other));
        !is_same
    }
}

/// A name without what says which edition of the model it is: `:latest`, `-2024-08-06`, `-0613`.
fn stem(name: &str) -> String {
    let mut stem = name.to_ascii_lowercase();
    while let Some(at) = stem.rfind(['-', ':', '@']) {
        let last = &stem[at + 1..];
        let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
        let rest = &stem[..at];
        // Of a date with dashes the days and months are short.
        let is_date = last.len() == 2
            && rest
                .rsplit('-')
                .take(2)
                .any(|part| part.len() == 4 && part.bytes().all(|byte| byte.is_ascii_digit()));
        if last != "latest" && !(is_number && (matches!(last.len(), 4 | 6 | 8) || is_date)) {
            break;
        }
        stem.truncate(at);
    }
    stem
}

fn text<'a>(entry: &'a Value, name: &str) -> Option<&'a str> {
    entry.get(name).and_then(Value::as_str)
}

/// What a server says itself that a model is for: Ollama's and llama.cpp's `capabilities`, Mistral's as flags, the `type`
/// or `task` of others.
pub(super) fn said(entry: &Value) -> Option<Task> {
    let capabilities: Vec<&str> = match entry.get("capabilities") {
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect(),
        Some(Value::Object(flags)) => flags
            .iter()
            .filter(|(_, flag)| **flag == Value::Bool(true))
            .map(|(word, _)| word.as_str())
            .collect(),
        Some(_) | None => Vec::new(),
    };
    let words = ["type", "task", "model_type"].map(|name| text(entry, name));
    let mut tasks = capabilities
        .into_iter()
        .chain(words.into_iter().flatten())
        .filter_map(Task::of_word);
    let first = tasks.next()?;
    // What writes texts is asked for texts, whatever else it can do.
    Some(if tasks.any(|task| task == Task::Chat) {
        Task::Chat
    } else {
        first
    })
}

impl Task {
    /// The task of a word that servers use for it.
    fn of_word(word: &str) -> Option<Task> {
        let word = word.to_ascii_lowercase();
        match word.as_str() {
            "completion" | "completion_chat" | "completions" | "chat" | "chat_completion" | "generate"
            | "text-generation" | "llm" | "vlm" | "language" => Some(Task::Chat),
            "embed" | "embedding" | "embeddings" | "feature-extraction" | "sentence-similarity" => {
                Some(Task::Embedding)
            }
            "rerank" | "reranker" | "reranking" | "score" | "text-ranking" => Some(Task::Rerank),
            _ => None,
        }
    }

    /// The task that well-known parts of a name tell.
    #[must_use]
    pub fn of_name(name: &str) -> Task {
        let name = name.to_ascii_lowercase();
        let mut words = name.split(|sign: char| !sign.is_ascii_alphanumeric());
        if name.contains("rerank") {
            Task::Rerank
        } else if name.contains("embed")
            || words.any(|word| matches!(word, "bge" | "e5" | "gte" | "minilm" | "colbert"))
        {
            Task::Embedding
        } else {
            Task::Chat
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list(body: &Value) -> List {
        List::read(&body.to_string().into())
    }

    #[test]
    fn names_with_control_characters_are_left_out() {
        let json = r#"{"data": [{"id": "\u001b]0;x\u0007m1\nkey"}, {"id": "m2"}]}"#;
        let list = List::read(&Bytes::from_static(json.as_bytes()));
        assert_eq!(list.first(), Some("m2"));
        assert_eq!(list.entries().len(), 1);
    }

    #[test]
    fn the_kind_is_what_the_server_says_and_else_what_the_name_tells() {
        let listed = list(&json!({
            "data": [
                {"id": "gpt", "capabilities": ["completion", "tools"]},
                {"id": "vectors", "capabilities": ["embedding"]},
                {"id": "bge-chat", "type": "chat"},
                {"id": "judge", "task": "rerank"},
                {"id": "mistral-embed-2", "capabilities": {"completion_chat": false, "embeddings": true}},
                {"id": "both", "capabilities": ["embedding", "completion"]},
                {"id": "beside.gguf"},
                {"id": "BAAI/bge-m3"}, {"id": "intfloat/multilingual-e5-large"}, {"id": "nomic-embed-text:latest"},
                {"id": "BAAI/bge-reranker-v2-m3"}, {"id": "Qwen/Qwen3-Embedding-0.6B"}, {"id": "code5-7b"}, {"id": "llama"},
                {"name": "no id"}, 7,
            ],
            "models": [{"name": "beside.gguf", "capabilities": ["embedding"]}],
        }));
        let tasks: Vec<Task> = listed.entries().iter().map(|entry| entry.task).collect();
        use Task::{Chat, Embedding, Rerank};
        assert_eq!(
            tasks,
            [
                Chat, Embedding, Chat, Rerank, Embedding, Chat, Embedding, Embedding, Embedding, Embedding,
                Rerank, Embedding, Chat, Chat
            ]
        );
        for odd in [
            json!({}),
            json!([1]),
            json!({"data": 7}),
            json!({"data": [{"id": 7}]}),
        ] {
            assert!(list(&odd).first().is_none(), "{odd}");
        }
    }

    #[test]
    fn another_model_is_another_entry_of_the_list_and_no_other_word_for_the_same() {
        let listed = list(&json!({"data": [
            {"id": "big"}, {"id": "small"}, {"id": "gpt-4o"}, {"id": "gpt-4o-mini"}, {"id": "gpt-4o-2024-08-06"},
            {"id": "llama3.2:latest"}, {"id": "llama3.2:1b"},
            {"id": "a", "root": "/w/1"}, {"id": "b", "root": "/w/1"}, {"id": "c", "root": "/w/2"},
        ]}));
        for (asked, answered) in [
            ("big", "small"),
            ("not listed", "small"),
            ("gpt-4o", "gpt-4o-mini"),
            ("llama3.2", "llama3.2:1b"),
            ("a", "c"),
        ] {
            assert!(listed.is_another(asked, answered), "{asked} {answered}");
        }
        for (asked, answered) in [
            ("big", "big"),
            ("big", "BIG"),
            ("big", "/models/small.gguf"),
            ("big", "gpt-3.5-turbo"),
            ("gpt-4o", "gpt-4o-2024-08-06"),
            ("llama3.2", "llama3.2:latest"),
            ("b", "a"),
            ("", "small"),
        ] {
            assert!(!listed.is_another(asked, answered), "{asked} {answered}");
        }
    }
}

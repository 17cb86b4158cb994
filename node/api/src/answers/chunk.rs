//! The fields of an OpenAI answer that a conversation keeps. Nothing else of it takes memory, however much there is.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, SeqAccess, Visitor},
};

/// A chunk of a stream, or a whole answer.
#[derive(Debug, Deserialize)]
pub(super) struct Chunk {
    pub(super) error: Option<IgnoredAny>,
    pub(super) usage: Option<Usage>,
    /// The first choice; nobody asks for more.
    #[serde(default, deserialize_with = "first")]
    pub(super) choices: Option<Choice>,
}

/// Tokens in and out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Usage {
    #[serde(deserialize_with = "count")]
    pub(super) prompt_tokens: u32,
    #[serde(deserialize_with = "count")]
    pub(super) completion_tokens: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    pub(super) finish_reason: Option<String>,
    pub(super) delta: Option<ChunkMessage>,
    pub(super) message: Option<ChunkMessage>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ChunkMessage {
    pub(super) content: Option<String>,
}

/// A number of tokens; one that is none counts as zero.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = Option::<serde_json::Number>::deserialize(deserializer)?;
    let count = number.and_then(|number| number.as_u64());
    Ok(count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0))
}

/// The first element of a list.
fn first<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    struct First<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for First<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list or null")
        }

        fn visit_unit<E>(self) -> Result<Option<T>, E> {
            Ok(None)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<T>, A::Error> {
            let first = list.next_element()?;
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(first)
        }
    }
    deserializer.deserialize_any(First(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_choice_is_read_and_the_rest_passed_over() {
        let text = r#"{"id":1,"choices":[{"delta":{"content":"a","x":[1]},"finish_reason":null},{"delta":7}],
            "usage":{"prompt_tokens":3,"completion_tokens":-1}}"#;
        let chunk: Chunk = serde_json::from_str(text).unwrap();
        let choice = chunk.choices.unwrap();
        assert_eq!(choice.delta.unwrap().content.as_deref(), Some("a"));
        let usage = chunk.usage.unwrap();
        assert_eq!((usage.prompt_tokens, usage.completion_tokens), (3, 0));
        for none in [
            r#"{"choices":[]}"#,
            r#"{"choices":null,"usage":null,"error":null}"#,
            "{}",
        ] {
            let chunk: Chunk = serde_json::from_str(none).unwrap();
            assert!(chunk.choices.is_none() && chunk.error.is_none(), "{none}");
        }
        assert!(
            serde_json::from_str::<Chunk>(r#"{"error":{"message":"x"}}"#)
                .unwrap()
                .error
                .is_some()
        );
        assert!(serde_json::from_str::<Chunk>(r#"{"choices":7}"#).is_err());
    }
}

//! The JSON of other servers' answers, as far as anybody here looks at it: what is read of it, and how much. Who passes
//! an answer on and who judges what it is worth read it alike.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// The most texts that an answer has.
pub(crate) const MAX_CHOICES: usize = 1024;
/// The most calls that one text has, as many as OpenAI takes tools. A call takes three bytes to send and a thousand
/// times as many to be written again.
const MAX_CALLS: usize = 128;
/// The most calls of one part, all its texts together.
const MAX_CALLS_OF_ALL: usize = 1024;

/// Why it cannot be passed on.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It is of another shape.
    Shape(String),
    /// It says that it failed.
    Failed(WireError),
}

#[derive(Deserialize)]
pub(crate) struct Wire {
    pub(crate) error: Option<WireError>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) usage: Option<WireUsage>,
    #[serde(default, deserialize_with = "choices")]
    pub(crate) choices: Vec<WireChoice>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct WireError {
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) message: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) code: Option<u16>,
}

#[derive(Deserialize)]
pub(crate) struct WireUsage {
    #[serde(default, deserialize_with = "count")]
    pub(crate) prompt_tokens: u32,
    #[serde(default, deserialize_with = "count")]
    pub(crate) completion_tokens: u32,
    pub(crate) prompt_tokens_details: Option<PromptDetails>,
    pub(crate) completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Deserialize)]
pub(crate) struct PromptDetails {
    #[serde(default, deserialize_with = "count")]
    pub(crate) cached_tokens: u32,
}

#[derive(Deserialize)]
pub(crate) struct CompletionDetails {
    #[serde(default, deserialize_with = "count")]
    pub(crate) reasoning_tokens: u32,
}

#[derive(Deserialize)]
pub(crate) struct WireChoice {
    #[serde(default, deserialize_with = "count")]
    pub(crate) index: u32,
    pub(crate) finish_reason: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) delta: Option<WireMessage>,
    pub(crate) message: Option<WireMessage>,
}

#[derive(Default, Deserialize)]
pub(crate) struct WireMessage {
    #[serde(default, deserialize_with = "content")]
    pub(crate) content: Option<String>,
    /// DeepSeek's name, and vLLM's newer one.
    #[serde(alias = "reasoning")]
    pub(crate) reasoning_content: Option<String>,
    pub(crate) refusal: Option<String>,
    #[serde(default, deserialize_with = "calls")]
    pub(crate) tool_calls: Vec<WireCall>,
}

#[derive(Deserialize)]
pub(crate) struct WireCall {
    #[serde(default)]
    pub(crate) index: Option<u32>,
    pub(crate) id: Option<String>,
    pub(crate) function: Option<WireFunction>,
}

#[derive(Deserialize)]
pub(crate) struct WireFunction {
    pub(crate) name: Option<String>,
    #[serde(default, deserialize_with = "arguments")]
    pub(crate) arguments: Option<String>,
}

/// A part of a text that comes as a list of them.
#[derive(Deserialize)]
pub(crate) struct WirePart {
    pub(crate) text: Option<String>,
}

/// Reads an answer or a part of one.
///
/// # Errors
/// It is of another shape, too large in numbers, or says that it failed.
pub(crate) fn read(json: &[u8]) -> Result<Wire, Fault> {
    let wire: Wire = serde_json::from_slice(json).map_err(|error| Fault::Shape(error.to_string()))?;
    match wire.error {
        Some(error) => Err(Fault::Failed(error)),
        None => check_indexes(&wire).map(|()| wire),
    }
}

/// No more texts and calls than anybody asks for, whatever the numbers that they have.
fn check_indexes(wire: &Wire) -> Result<(), Fault> {
    let mut n_calls = 0;
    for choice in &wire.choices {
        let said = choice.delta.as_ref().or(choice.message.as_ref());
        let calls = said.map(|said| said.tool_calls.as_slice()).unwrap_or_default();
        n_calls += calls.len();
        let call = calls.iter().filter_map(|call| call.index).max().unwrap_or(0);
        let is_far = |index: u32, most: usize| usize::try_from(index).is_ok_and(|index| index >= most);
        if is_far(choice.index, MAX_CHOICES) || is_far(call, MAX_CALLS) || n_calls > MAX_CALLS_OF_ALL {
            return Err(Fault::Shape(format!(
                "it has more than {MAX_CHOICES} texts, or more than {MAX_CALLS} calls of tools in one"
            )));
        }
    }
    Ok(())
}

impl Wire {
    /// Whether it is a whole answer: messages of a conversation, or the texts of the older route.
    pub(crate) fn is_whole(&self, is_completion: bool) -> bool {
        let has_text =
            |choice: &WireChoice| choice.message.is_some() || (is_completion && choice.text.is_some());
        !self.choices.is_empty() && self.choices.iter().all(has_text)
    }
}

/// A number of tokens; one that is none counts as zero.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = Option::<serde_json::Number>::deserialize(deserializer)?;
    let count = number.and_then(|number| number.as_u64());
    Ok(count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0))
}

/// Whatever is of the right shape; anything else is as good as nothing.
pub(crate) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

/// The arguments of a call, as text; some servers write the object itself.
fn arguments<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?.get();
    match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw).map(Some).map_err(D::Error::custom),
        Some(b'n') | None => Ok(None),
        Some(_) => Ok(Some(raw.to_owned())),
    }
}

/// The text of a message, in one or in parts of which those that are none are passed over.
fn content<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Text;
    impl<'de> Visitor<'de> for Text {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text, a list of its parts, or null")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(text.to_owned()))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut text = String::new();
            while let Some(part) = list.next_element::<WirePart>()? {
                text.push_str(part.text.as_deref().unwrap_or_default());
            }
            Ok(Some(text))
        }
    }
    deserializer.deserialize_any(Text)
}

/// The calls of a text; more than [`MAX_CALLS`] are refused before they are built.
fn calls<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<WireCall>, D::Error> {
    struct Calls;
    impl<'de> Visitor<'de> for Calls {
        type Value = Vec<WireCall>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of calls or null")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut kept = Vec::new();
            while let Some(call) = list.next_element()? {
                if kept.len() == MAX_CALLS {
                    return Err(A::Error::custom(format_args!(
                        "more than {MAX_CALLS} calls of tools"
                    )));
                }
                kept.push(call);
            }
            Ok(kept)
        }
    }
    deserializer.deserialize_any(Calls)
}

/// A list of choices, of which no more are kept than anybody asks for.
fn choices<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<WireChoice>, D::Error> {
    struct Some_;
    impl<'de> Visitor<'de> for Some_ {
        type Value = Vec<WireChoice>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list or null")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Vec::new())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut kept = Vec::new();
            while kept.len() < MAX_CHOICES {
                match list.next_element()? {
                    Some(choice) => kept.push(choice),
                    None => return Ok(kept),
                }
            }
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(kept)
        }
    }
    deserializer.deserialize_any(Some_)
}

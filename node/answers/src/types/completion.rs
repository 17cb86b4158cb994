//! `/v1/completions`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{SamplingParams, StreamOptions, Usage, lenient};

/// A request for a completion of plain text.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct CompletionRequest {
    #[serde(default)]
    pub model: Option<String>,
    #[serde(default)]
    pub prompt: Option<TextPrompt>,
    #[serde(default, deserialize_with = "lenient::flag")]
    pub stream: bool,
    #[serde(default)]
    pub stream_options: Option<StreamOptions>,
    #[serde(default, deserialize_with = "lenient::count")]
    pub n: Option<u32>,
    #[serde(default, deserialize_with = "lenient::count")]
    pub best_of: Option<u32>,
    #[serde(default, deserialize_with = "lenient::count")]
    pub max_tokens: Option<u32>,
    #[serde(flatten)]
    pub sampling: SamplingParams,
    #[serde(default, deserialize_with = "lenient::count")]
    pub logprobs: Option<u32>,
    #[serde(default, deserialize_with = "lenient::flag")]
    pub echo: bool,
    #[serde(default)]
    pub suffix: Option<String>,
}

/// The prompt: a text or tokens, alone or as the one item of a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum TextPrompt {
    Text(String),
    Tokens(Vec<u32>),
    Texts(Vec<String>),
    TokenLists(Vec<Vec<u32>>),
}

/// A whole answer, and with `choices[0].text` as what is new, also a part of a streamed one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CompletionAnswer {
    pub id: String,
    pub object: &'static str,
    pub created: i64,
    pub model: String,
    pub choices: Vec<CompletionChoice>,
    /// Absent in a stream without `include_usage`; with it `null` in all chunks but the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Option<Usage>>,
    pub system_fingerprint: Option<String>,
}

/// The one choice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CompletionChoice {
    pub index: u32,
    pub text: String,
    pub logprobs: Option<CompletionLogprobs>,
    pub finish_reason: Option<&'static str>,
}

/// Log-probabilities in the form of this older route.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CompletionLogprobs {
    pub tokens: Vec<String>,
    pub token_logprobs: Vec<f32>,
    pub top_logprobs: Vec<BTreeMap<String, f32>>,
    /// Where each token begins in the text, in characters.
    pub text_offset: Vec<usize>,
}

impl CompletionLogprobs {
    /// Adds a token.
    pub fn push(&mut self, token: &hearth_engine::TokenLogprob, offset: usize) {
        self.tokens
            .push(String::from_utf8_lossy(&token.bytes).into_owned());
        self.token_logprobs.push(token.logprob);
        let top = token
            .top
            .iter()
            .map(|(_, bytes, logprob)| (String::from_utf8_lossy(bytes).into_owned(), *logprob));
        self.top_logprobs.push(top.collect());
        self.text_offset.push(offset);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_prompt_has_four_forms() {
        let prompt = |value| {
            serde_json::from_value::<CompletionRequest>(json!({"model": "m", "prompt": value}))
                .unwrap()
                .prompt
                .unwrap()
        };
        assert_eq!(prompt(json!("a")), TextPrompt::Text("a".into()));
        assert_eq!(prompt(json!([1, 2])), TextPrompt::Tokens(vec![1, 2]));
        assert_eq!(prompt(json!(["a"])), TextPrompt::Texts(vec!["a".into()]));
        assert_eq!(prompt(json!([[1]])), TextPrompt::TokenLists(vec![vec![1]]));
    }
}

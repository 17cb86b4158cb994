//! What both text routes say about how tokens are chosen and where an answer ends.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::lenient;

/// The fields that `/v1/chat/completions` and `/v1/completions` share.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct SamplingParams {
    #[serde(default)]
    pub temperature: Option<f32>,
    #[serde(default)]
    pub top_p: Option<f32>,
    #[serde(default, deserialize_with = "lenient::count")]
    pub top_k: Option<u32>,
    #[serde(default)]
    pub min_p: Option<f32>,
    #[serde(default, deserialize_with = "lenient::seed")]
    pub seed: Option<u64>,
    #[serde(default)]
    pub presence_penalty: Option<f32>,
    #[serde(default)]
    pub frequency_penalty: Option<f32>,
    #[serde(default)]
    pub repetition_penalty: Option<f32>,
    #[serde(default, deserialize_with = "lenient::bias")]
    pub logit_bias: BTreeMap<u32, f32>,
    #[serde(default)]
    pub stop: Option<Stop>,
}

/// `stop`: one text or several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Stop {
    One(String),
    Many(Vec<String>),
}

impl Stop {
    /// The texts, without empty ones, which would stop at once.
    #[must_use]
    pub fn into_texts(self) -> Vec<String> {
        let texts = match self {
            Stop::One(text) => vec![text],
            Stop::Many(texts) => texts,
        };
        texts.into_iter().filter(|text| !text.is_empty()).collect()
    }
}

//! Sampling figures that whoever made a model suggests for it: in the GGUF header, in `generation_config.json`, or in a
//! catalogue.

use serde::Deserialize;

use crate::checkpoint::Gguf;
use crate::request::Sampling;

/// What is suggested; what nobody says is left open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SuggestedSampling {
    /// 0 chooses the most probable token.
    pub temperature: Option<f32>,
    /// Keeps the most probable tokens whose probabilities sum to this.
    pub top_p: Option<f32>,
    /// Keeps this many of the most probable tokens.
    pub top_k: Option<u32>,
    /// Drops tokens less probable than this share of the best one.
    pub min_p: Option<f32>,
    /// Divides the logits of tokens seen lately.
    pub repetition_penalty: Option<f32>,
    /// The longest answer, in tokens.
    pub max_tokens: Option<u32>,
}

impl SuggestedSampling {
    /// Takes figures nobody suggests better: between the most probable and the whole vocabulary.
    pub const GENERAL: Self = Self {
        temperature: Some(0.7),
        top_p: Some(0.9),
        top_k: Some(0),
        min_p: Some(0.05),
        repetition_penalty: Some(1.0),
        // Some two pages: an answer that nobody limits ends before a small model has gone round in circles for long.
        max_tokens: Some(2048),
    };

    /// Reads `general.sampling.*`, as llama.cpp writes it.
    pub(crate) fn from_gguf(gguf: &Gguf) -> Self {
        let figure = |name: &str| {
            let value = gguf.values.get(&format!("general.sampling.{name}"))?;
            let whole = value.as_u64().map(|whole| whole as f64);
            value.as_f64().or(whole).map(|figure| figure as f32)
        };
        Self {
            temperature: figure("temp"),
            top_p: figure("top_p"),
            top_k: figure("top_k").map(|k| k as u32),
            min_p: figure("min_p"),
            repetition_penalty: figure("penalty_repeat"),
            max_tokens: None,
        }
        .within_bounds()
    }

    /// Reads a `generation_config.json`. One that cannot be read suggests nothing.
    pub(crate) fn from_generation_config(json: &[u8]) -> Self {
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct File {
            do_sample: Option<bool>,
            temperature: Option<f32>,
            top_p: Option<f32>,
            top_k: Option<u32>,
            min_p: Option<f32>,
            repetition_penalty: Option<f32>,
        }
        let file: File = serde_json::from_slice(json).unwrap_or_default();
        let greedy = (file.do_sample == Some(false)).then_some(0.0);
        Self {
            temperature: greedy.or(file.temperature),
            top_p: file.top_p,
            top_k: file.top_k,
            min_p: file.min_p,
            repetition_penalty: file.repetition_penalty,
            max_tokens: None,
        }
        .within_bounds()
    }

    /// Takes each figure from here, or else from `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            temperature: self.temperature.or(other.temperature),
            top_p: self.top_p.or(other.top_p),
            top_k: self.top_k.or(other.top_k),
            min_p: self.min_p.or(other.min_p),
            repetition_penalty: self.repetition_penalty.or(other.repetition_penalty),
            max_tokens: self.max_tokens.or(other.max_tokens),
        }
    }

    /// Gives figures to sample with.
    #[must_use]
    pub fn sampling(self) -> Sampling {
        let neutral = Sampling::default();
        Sampling {
            temperature: self.temperature.unwrap_or(neutral.temperature),
            top_p: self.top_p.unwrap_or(neutral.top_p),
            top_k: self.top_k.unwrap_or(neutral.top_k),
            min_p: self.min_p.unwrap_or(neutral.min_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(neutral.repetition_penalty),
            ..neutral
        }
    }

    /// Drops figures that no request may have: they come with the model's files.
    fn within_bounds(self) -> Self {
        let within = |figure: Option<f32>, low: f32, high: f32| figure.filter(|n| (low..=high).contains(n));
        Self {
            temperature: within(self.temperature, 0.0, 2.0),
            top_p: within(self.top_p, f32::MIN_POSITIVE, 1.0),
            min_p: within(self.min_p, 0.0, 1.0),
            repetition_penalty: within(self.repetition_penalty, 0.5, 2.0),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{WriteType, llama_gguf};

    #[test]
    fn a_header_suggests_what_it_names_and_nothing_absurd() {
        let bytes = llama_gguf(WriteType::Q4_1)
            .figure("general.sampling.temp", 0.6)
            .number("general.sampling.top_k", 20)
            .figure("general.sampling.top_p", 7.0)
            .bytes();
        let suggested = SuggestedSampling::from_gguf(&Gguf::parse(&bytes).unwrap());
        let expected = SuggestedSampling {
            temperature: Some(0.6),
            top_k: Some(20),
            ..SuggestedSampling::default()
        };
        assert_eq!(suggested, expected);
        let whole = suggested.or(SuggestedSampling::GENERAL).sampling();
        assert_eq!((whole.temperature, whole.top_p, whole.top_k), (0.6, 0.9, 20));
        assert_eq!((whole.min_p, whole.repetition_penalty), (0.05, 1.0));
    }

    #[test]
    fn a_generation_config_is_read_and_a_broken_one_says_nothing() {
        let read = SuggestedSampling::from_generation_config;
        let file = br#"{"do_sample": true, "temperature": 0.6, "top_k": 20, "eos_token_id": [1, 2]}"#;
        assert_eq!((read(file).temperature, read(file).top_k), (Some(0.6), Some(20)));
        assert_eq!(
            read(br#"{"do_sample": false, "temperature": 1.0}"#).temperature,
            Some(0.0)
        );
        assert_eq!(read(br#"{"temperature": -3}"#), SuggestedSampling::default());
        assert_eq!(read(b"{"), SuggestedSampling::default());
    }
}

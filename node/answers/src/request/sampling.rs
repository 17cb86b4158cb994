//! What both text routes say about how tokens are chosen and where an answer ends.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{
    error::Error,
    json::fields::{Count, Fields, number, wrong},
};

/// Bytes of all stop strings together: each is looked for after every token.
const MAX_STOP_BYTES: usize = 64 << 10;
/// The most alternatives of a token, as OpenAI has it.
pub(crate) const MAX_TOP_LOGPROBS: u32 = 20;
/// The most texts at once, as OpenAI has it.
const MAX_CHOICES: u32 = 128;

/// The fields that `/v1/chat/completions` and `/v1/completions` share. What is left out is the model's own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SamplingParams {
    pub temperature: Option<f32>,
    pub top_p: Option<f32>,
    /// 0 is off.
    pub top_k: Option<u32>,
    pub min_p: Option<f32>,
    pub seed: Option<u64>,
    pub presence_penalty: Option<f32>,
    pub frequency_penalty: Option<f32>,
    pub repetition_penalty: Option<f32>,
    /// Added to the logits of single tokens.
    pub logit_bias: BTreeMap<u32, f32>,
    pub stop: Vec<String>,
    pub stop_token_ids: Vec<u32>,
    /// The most tokens of the answer; `u32::MAX` is as many as the context has room for, `None` as suits the model.
    pub max_tokens: Option<u32>,
    /// How many texts; `None` is one.
    pub n: Option<u32>,
}

impl SamplingParams {
    pub(crate) fn read(fields: &mut Fields) -> Result<SamplingParams, Error> {
        let top_k = fields.count("top_k")?.map(|count| match count {
            Count::Of(count) => count,
            Count::NoLimit => 0,
        });
        let newer = fields.most("max_completion_tokens")?;
        let older = fields.most("max_tokens")?;
        let repetition = fields.number("repetition_penalty", 0.01, 10.0)?;
        let repeat = fields.number("repeat_penalty", 0.01, 10.0)?;
        Ok(SamplingParams {
            temperature: fields.number("temperature", 0.0, 2.0)?,
            top_p: fields.number("top_p", 0.0, 1.0)?,
            top_k,
            min_p: fields.number("min_p", 0.0, 1.0)?,
            seed: fields.seed("seed")?,
            presence_penalty: fields.number("presence_penalty", -2.0, 2.0)?,
            frequency_penalty: fields.number("frequency_penalty", -2.0, 2.0)?,
            repetition_penalty: repetition.or(repeat),
            logit_bias: bias(fields)?,
            stop: stops(fields, "stop")?,
            stop_token_ids: token_ids(fields, "stop_token_ids")?,
            max_tokens: newer.or(older),
            n: choices(fields)?,
        })
    }

    pub(crate) fn write(&self, into: &mut Map<String, Value>) {
        let bias: Map<String, Value> = self
            .logit_bias
            .iter()
            .map(|(token, bias)| (token.to_string(), (*bias).into()))
            .collect();
        let fields: [(&str, Value); 13] = [
            ("temperature", self.temperature.map(short).into()),
            ("top_p", self.top_p.map(short).into()),
            ("top_k", self.top_k.into()),
            ("min_p", self.min_p.map(short).into()),
            ("seed", self.seed.into()),
            ("presence_penalty", self.presence_penalty.map(short).into()),
            ("frequency_penalty", self.frequency_penalty.map(short).into()),
            ("repetition_penalty", self.repetition_penalty.map(short).into()),
            ("logit_bias", non_empty(bias.is_empty(), bias.into())),
            ("stop", non_empty(self.stop.is_empty(), self.stop.clone().into())),
            (
                "stop_token_ids",
                non_empty(self.stop_token_ids.is_empty(), self.stop_token_ids.clone().into()),
            ),
            // Other servers know no such limit, and refuse one beyond their context.
            (
                "max_tokens",
                self.max_tokens.filter(|most| *most != u32::MAX).into(),
            ),
            ("n", self.n.into()),
        ];
        into.extend(
            fields
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name.to_owned(), value)),
        );
    }
}

/// A number of few digits, as it was written: 0.1 and not 0.10000000149011612.
fn short(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

fn non_empty(is_empty: bool, value: Value) -> Value {
    if is_empty { Value::Null } else { value }
}

/// `logit_bias`: token ids as texts. PHP writes an empty map as a list.
fn bias(fields: &mut Fields) -> Result<BTreeMap<u32, f32>, Error> {
    let path = fields.path("logit_bias");
    let map = match fields.any("logit_bias") {
        None => return Ok(BTreeMap::new()),
        Some(Value::Array(list)) if list.is_empty() => return Ok(BTreeMap::new()),
        Some(Value::Object(map)) => map,
        Some(other) => return Err(wrong(&path, &other, "an object of token ids and numbers")),
    };
    map.into_iter()
        .map(|(token, bias)| {
            let at = format!("{path}.{token}");
            let Ok(id) = token.parse::<u32>() else {
                return Err(Error::bad_field(
                    &at,
                    format!("\"{token}\" in {path} is not a token id"),
                ));
            };
            let number = number(&bias).filter(|number| (-100.0..=100.0).contains(number));
            #[allow(clippy::cast_possible_truncation, reason = "it is small")]
            number
                .map(|number| (id, number as f32))
                .ok_or_else(|| wrong(&at, &bias, "a number from -100 to 100"))
        })
        .collect()
}

/// Stop strings: one text or several; empty ones would stop at once and are left out.
pub(crate) fn stops(fields: &mut Fields, name: &str) -> Result<Vec<String>, Error> {
    let path = fields.path(name);
    let texts = match fields.any(name) {
        None => Vec::new(),
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) => list
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                other @ Value::Null
                | other @ Value::Bool(_)
                | other @ Value::Number(_)
                | other @ Value::Array(_)
                | other @ Value::Object(_) => Err(wrong(&path, &other, "a text or a list of texts")),
            })
            .collect::<Result<_, Error>>()?,
        Some(other) => return Err(wrong(&path, &other, "a text or a list of texts")),
    };
    let texts: Vec<String> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    let n_bytes: usize = texts.iter().map(String::len).sum();
    if n_bytes > MAX_STOP_BYTES {
        let message = format!("{path} has {n_bytes} bytes of text: at most {MAX_STOP_BYTES} are read");
        return Err(Error::bad_field(&path, message));
    }
    Ok(texts)
}

/// A list of token ids.
pub(crate) fn token_ids(fields: &mut Fields, name: &str) -> Result<Vec<u32>, Error> {
    let path = fields.path(name);
    fields
        .list(name)?
        .unwrap_or_default()
        .iter()
        .map(|item| token_id(item).ok_or_else(|| wrong(&path, item, "a list of token ids")))
        .collect()
}

/// A token id.
pub(crate) fn token_id(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|id| u32::try_from(id).ok())
}

fn choices(fields: &mut Fields) -> Result<Option<u32>, Error> {
    match fields.limit("n")? {
        Some(0) => Err(Error::bad_field("n", "n is 0: it must be at least 1")),
        Some(n) if n > MAX_CHOICES => Err(Error::bad_field(
            "n",
            format!("n is {n}: at most {MAX_CHOICES} texts are made at once"),
        )),
        n => Ok(n),
    }
}

/// How many alternatives of each token are wanted.
pub(crate) fn top_logprobs(name: &str, top: u32) -> Result<u8, Error> {
    u8::try_from(top)
        .ok()
        .filter(|top| u32::from(*top) <= MAX_TOP_LOGPROBS)
        .ok_or_else(|| {
            Error::bad_field(
                name,
                format!("{name} is {top}: it must be 0 to {MAX_TOP_LOGPROBS}"),
            )
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: Value) -> Result<SamplingParams, Error> {
        SamplingParams::read(&mut Fields::of_body(body).unwrap())
    }

    #[test]
    fn what_clients_write_in_several_ways_is_read_o07_o11_o12_m15() {
        let read = |body| read(body).unwrap();
        assert_eq!(read(json!({"max_tokens": -1})).max_tokens, Some(u32::MAX));
        assert_eq!(read(json!({"max_tokens": null})).max_tokens, None);
        assert_eq!(
            read(json!({"max_tokens": 3, "max_completion_tokens": 4})).max_tokens,
            Some(4)
        );
        assert_eq!(
            read(json!({"max_tokens": 9_007_199_254_740_991_u64})).max_tokens,
            Some(u32::MAX)
        );
        assert_eq!(read(json!({"top_k": -1})).top_k, Some(0));
        assert_eq!(read(json!({"logit_bias": []})).logit_bias, BTreeMap::new());
        assert_eq!(read(json!({"logit_bias": {"7": "-100"}})).logit_bias[&7], -100.0);
        assert_eq!(read(json!({"stop": ["x", ""]})).stop, ["x"]);
        assert_eq!(read(json!({"stop": "x"})).stop, ["x"]);
        assert_eq!(read(json!({"stop": vec!["x"; 1000]})).stop.len(), 1000);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, param) in [
            (json!({"temperature": "hot"}), "temperature"),
            (json!({"temperature": 2.5}), "temperature"),
            (json!({"top_p": -1}), "top_p"),
            (json!({"logit_bias": {"x": 1}}), "logit_bias.x"),
            (json!({"logit_bias": {"1": 200}}), "logit_bias.1"),
            (json!({"logit_bias": [1]}), "logit_bias"),
            (json!({"stop": 5}), "stop"),
            (json!({"stop": "x".repeat(MAX_STOP_BYTES + 1)}), "stop"),
            (json!({"n": 0}), "n"),
            (json!({"n": 129}), "n"),
            (json!({"max_tokens": 1.5}), "max_tokens"),
            (json!({"stop_token_ids": ["a"]}), "stop_token_ids"),
        ] {
            let error = read(body.clone()).unwrap_err();
            assert_eq!(
                (error.status, error.param.as_deref()),
                (400, Some(param)),
                "{body}"
            );
        }
    }
}

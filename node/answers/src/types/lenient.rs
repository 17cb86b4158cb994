//! Readers for values that clients write in more than one way.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

/// A flag; `null` is `false`.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::<bool>::deserialize(deserializer)?.unwrap_or_default())
}

/// A list; `null` is empty.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

/// A count, also as `20.0`, which some JSON writers make of 20.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let Some(value) = Option::<Value>::deserialize(deserializer)? else {
        return Ok(None);
    };
    whole(&value)
        .and_then(|whole| u32::try_from(whole).ok())
        .map(Some)
        .ok_or_else(|| D::Error::custom(format!("{value} is not a whole number from 0 to {}", u32::MAX)))
}

/// A seed: any whole number; a negative one is as good as another.
pub(super) fn seed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let Some(value) = Option::<Value>::deserialize(deserializer)? else {
        return Ok(None);
    };
    if let Some(seed) = value.as_u64() {
        return Ok(Some(seed));
    }
    whole(&value)
        .map(|seed| Some(seed.cast_unsigned()))
        .ok_or_else(|| D::Error::custom(format!("{value} is not a whole number")))
}

/// `logit_bias`: token ids as texts.
pub(super) fn bias<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<u32, f32>, D::Error> {
    let raw = Option::<BTreeMap<String, f32>>::deserialize(deserializer)?.unwrap_or_default();
    raw.into_iter()
        .map(|(token, bias)| match token.parse() {
            Ok(token) => Ok((token, bias)),
            Err(_) => Err(D::Error::custom(format!("\"{token}\" is not a token id"))),
        })
        .collect()
}

fn whole(value: &Value) -> Option<i64> {
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the number is whole and small enough, as the filter says"
    )]
    value.as_i64().or_else(|| {
        value
            .as_f64()
            .filter(|number| number.fract() == 0.0 && number.abs() < 9.0e15)
            .map(|number| number as i64)
    })
}

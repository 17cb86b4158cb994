//! How often a key may ask, and for how many tokens: two buckets for each key that has such limits, which fill as time
//! passes.
//!
//! A bucket holds one minute. Requests are taken one by one. Of tokens an estimate of the prompt is taken before, and
//! what the answer really took is made up for after it: the bucket may fall below nothing then, and the next request
//! waits until it is above.

use std::collections::HashMap;

use axum::http::{HeaderName, HeaderValue, StatusCode};

use crate::{auth::Grant, error::ApiError};

/// Units in a bucket for one request or token: a bucket gains its limit in units for each millisecond.
const UNIT: i64 = 60_000;

/// The buckets of all keys that were used and have limits.
#[derive(Debug, Default)]
pub(super) struct Rates(HashMap<String, Buckets>);

#[derive(Clone, Copy, Debug, Default)]
struct Buckets {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bucket {
    limit: u32,
    /// Below nothing after answers that were longer than thought.
    level: i64,
    at_ms: i64,
}

impl Rates {
    /// Takes a request of about `tokens`. Gives the headers that say what is left.
    pub(super) fn take(
        &mut self,
        grant: &Grant,
        tokens: u64,
        now_ms: i64,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, ApiError> {
        let limits = &grant.limits;
        if limits.requests_per_minute.is_none() && limits.tokens_per_minute.is_none() {
            self.0.remove(&grant.id);
            return Ok(Vec::new());
        }
        let buckets = self.0.entry(grant.id.clone()).or_default();
        buckets.requests = limits
            .requests_per_minute
            .map(|limit| Bucket::now(buckets.requests, limit, now_ms));
        buckets.tokens = limits
            .tokens_per_minute
            .map(|limit| Bucket::now(buckets.tokens, limit, now_ms));
        // A prompt that is larger than a minute's tokens waits for a full bucket; it could not be asked at all otherwise.
        let prompt = buckets
            .tokens
            .map_or(0, |bucket| units(tokens).min(bucket.full()));
        let lacking = [
            ("requests", buckets.requests, UNIT),
            ("tokens", buckets.tokens, prompt.max(1)),
        ];
        for (what, bucket, wanted) in lacking {
            let Some(bucket) = bucket.filter(|bucket| bucket.level < wanted) else {
                continue;
            };
            let message = format!(
                "the API key \"{}\" may ask for {} {what} a minute, and they are used up",
                grant.name, bucket.limit
            );
            let seconds = u64::try_from(bucket.ms_until(wanted))
                .unwrap_or_default()
                .div_ceil(1000);
            let mut refused = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", message)
                .remedy("Wait, or raise the key's limit under Settings, API and keys.")
                .retry_after(seconds.max(1));
            refused.headers = buckets.headers();
            return Err(refused);
        }
        if let Some(bucket) = &mut buckets.requests {
            bucket.level -= UNIT;
        }
        if let Some(bucket) = &mut buckets.tokens {
            bucket.level -= prompt;
        }
        Ok(buckets.headers())
    }

    /// Makes up for what an answer took beside its estimate.
    pub(super) fn correct(&mut self, grant: &Grant, estimate: u64, real: u64, now_ms: i64) {
        let bucket = self
            .0
            .get_mut(&grant.id)
            .and_then(|buckets| buckets.tokens.as_mut());
        if let Some(bucket) = bucket {
            *bucket = Bucket::now(Some(*bucket), bucket.limit, now_ms);
            let taken = units(estimate).min(bucket.full());
            bucket.level = bucket
                .level
                .saturating_add(taken)
                .saturating_sub(units(real))
                .min(bucket.full());
        }
    }
}

impl Buckets {
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let of = |bucket: Option<Bucket>, names: [&'static str; 3]| {
            bucket.map(|bucket| {
                let left = bucket.level.max(0) / UNIT;
                let full_in = bucket.ms_until(bucket.full());
                let texts = [bucket.limit.to_string(), left.to_string(), span(full_in)];
                names.into_iter().zip(texts)
            })
        };
        let requests = [
            "x-ratelimit-limit-requests",
            "x-ratelimit-remaining-requests",
            "x-ratelimit-reset-requests",
        ];
        let tokens = [
            "x-ratelimit-limit-tokens",
            "x-ratelimit-remaining-tokens",
            "x-ratelimit-reset-tokens",
        ];
        let all = [of(self.requests, requests), of(self.tokens, tokens)];
        let header = |(name, text): (&'static str, String)| {
            let value = HeaderValue::from_str(&text).ok()?;
            Some((HeaderName::from_static(name), value))
        };
        all.into_iter().flatten().flatten().filter_map(header).collect()
    }
}

impl Bucket {
    /// The bucket as it is now. One with another limit than before begins anew, full.
    fn now(old: Option<Bucket>, limit: u32, now_ms: i64) -> Bucket {
        let Some(old) = old.filter(|old| old.limit == limit) else {
            return Bucket {
                limit,
                level: i64::from(limit) * UNIT,
                at_ms: now_ms,
            };
        };
        // A clock that was set back gains nothing and loses nothing.
        let passed = now_ms.saturating_sub(old.at_ms).max(0);
        let gained = passed.saturating_mul(i64::from(limit));
        Bucket {
            limit,
            level: old.level.saturating_add(gained).min(i64::from(limit) * UNIT),
            at_ms: now_ms,
        }
    }

    fn full(self) -> i64 {
        i64::from(self.limit) * UNIT
    }

    fn ms_until(self, level: i64) -> i64 {
        let lacking = level.saturating_sub(self.level).max(0);
        let rate = i64::from(self.limit).max(1);
        lacking / rate + i64::from(lacking % rate > 0)
    }
}

fn units(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX).saturating_mul(UNIT)
}

/// As OpenAI writes spans: `20ms`, `1.5s`, `6m0s`.
fn span(ms: i64) -> String {
    let (minutes, rest) = (ms / 60_000, ms % 60_000);
    let seconds = match rest % 1000 {
        0 => format!("{}s", rest / 1000),
        part => format!("{}.{}s", rest / 1000, format!("{part:03}").trim_end_matches('0')),
    };
    match (minutes, ms) {
        (0, 1..1000) => format!("{ms}ms"),
        (0, _) => seconds,
        _ => format!("{minutes}m{seconds}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::types::KeyLimits;

    fn grant(requests: Option<u32>, tokens: Option<u32>) -> Grant {
        Grant {
            id: "k".to_owned(),
            name: "editor".to_owned(),
            limits: KeyLimits {
                requests_per_minute: requests,
                tokens_per_minute: tokens,
                ..KeyLimits::default()
            },
        }
    }

    fn text(headers: &[(HeaderName, HeaderValue)], name: &str) -> String {
        let found = headers.iter().find(|(header, _)| header == name);
        found.map_or_else(String::new, |(_, value)| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn requests_are_taken_one_by_one_and_come_back_with_time() {
        let (mut rates, key) = (Rates::default(), grant(Some(3), None));
        for left in ["2", "1", "0"] {
            let headers = rates.take(&key, 1_000_000, 0).unwrap();
            assert_eq!(text(&headers, "x-ratelimit-remaining-requests"), left);
            assert_eq!(text(&headers, "x-ratelimit-limit-requests"), "3");
            assert_eq!(text(&headers, "x-ratelimit-limit-tokens"), "");
        }
        let refused = rates.take(&key, 0, 0).unwrap_err();
        assert_eq!(
            (refused.status.as_u16(), refused.code),
            (429, "rate_limit_exceeded")
        );
        assert_eq!(refused.retry_after_seconds, Some(20));
        assert_eq!(text(&refused.headers, "x-ratelimit-reset-requests"), "1m0s");
        assert!(rates.take(&key, 0, 19_999).is_err());
        assert!(rates.take(&key, 0, 20_000).is_ok());
        // A clock that is set back does not lock the key out for longer.
        assert!(rates.take(&key, 0, 0).is_err());
        assert!(rates.take(&key, 0, 20_000).is_ok());
        // Another limit begins anew; none has no headers.
        assert!(rates.take(&grant(Some(4), None), 0, 20_000).is_ok());
        assert!(rates.take(&grant(None, None), 0, 20_000).unwrap().is_empty());
        assert!(rates.0.is_empty());
    }

    #[test]
    fn long_answers_are_made_up_for() {
        let (mut rates, key) = (Rates::default(), grant(None, Some(600)));
        rates.take(&key, 100, 0).unwrap();
        // It took 900 tokens in place of 100: 300 too many, that are 30 s, and one token more.
        rates.correct(&key, 100, 900, 0);
        let refused = rates.take(&key, 0, 0).unwrap_err();
        assert_eq!(refused.retry_after_seconds, Some(31));
        assert_eq!(text(&refused.headers, "x-ratelimit-remaining-tokens"), "0");
        assert!(rates.take(&key, 0, 30_001).is_ok());
        // A prompt that is larger than the limit waits for a full bucket and no longer.
        assert!(rates.take(&key, 1_000_000, 60_000).is_err());
        rates.take(&key, 1_000_000, 100_000).unwrap();
        rates.correct(&key, 1_000_000, 0, 100_000);
        assert!(
            rates.take(&key, 600, 100_000).is_ok(),
            "what was not taken comes back"
        );
    }

    #[test]
    fn spans_are_written_as_openai_does() {
        for (ms, written) in [
            (0, "0s"),
            (20, "20ms"),
            (1_500, "1.5s"),
            (60_000, "1m0s"),
            (361_005, "6m1.005s"),
        ] {
            assert_eq!(span(ms), written);
        }
    }
}

//! What one key may do.

use axum::http::StatusCode;

use super::origins::OriginPattern;
use crate::{
    control::types::{KeyLimits, Scope},
    error::ApiError,
};

/// Entries of one list of a key.
const MAX_ENTRIES: usize = 100;
const MAX_MODEL_CHARS: usize = 200;

/// A key that was shown and is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) limits: KeyLimits,
}

impl Grant {
    /// Whether the key is for answers of this kind.
    pub(crate) fn opens(&self, scope: Scope) -> Result<(), ApiError> {
        self.opens_as(
            scope,
            match scope {
                Scope::Local => "models on this computer",
                Scope::Network => "models of the network",
                Scope::Embeddings => "embeddings",
                Scope::Signatures => "signatures",
            },
        )
    }

    /// Whether the key is for `what`, which a scope opens.
    pub(crate) fn opens_as(&self, scope: Scope, what: &str) -> Result<(), ApiError> {
        if self.limits.scopes.contains(&scope) {
            return Ok(());
        }
        Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "key_scope",
            format!("the API key \"{}\" is not for {what}", self.name),
        )
        .remedy(format!(
            "Give it the scope {} under Settings, API and keys, or use another key.",
            scope.word()
        )))
    }

    /// Whether the key may ask this model. `None` is a request that names none.
    pub(crate) fn may_ask(&self, model: Option<&str>) -> Result<(), ApiError> {
        let patterns = &self.limits.models;
        if patterns.is_empty()
            || model.is_some_and(|model| patterns.iter().any(|pattern| fits(pattern, model)))
        {
            return Ok(());
        }
        let message = match model {
            Some(model) => format!("the API key \"{}\" is not for the model \"{model}\"", self.name),
            None => format!(
                "the API key \"{}\" is for some models only, and the request names none",
                self.name
            ),
        };
        Err(
            ApiError::new(StatusCode::FORBIDDEN, "key_model", message).remedy(format!(
                "It is for {}; other models are added under Settings, API and keys.",
                patterns.join(", ")
            )),
        )
    }

    /// Whether the key may ask this model by the name that was used for it: a key that lists an alias is for what the
    /// owner made it stand for. A pattern is not enough, since it was made for the names of models.
    pub(crate) fn may_ask_as(&self, model: Option<&str>, name: Option<&str>) -> Result<(), ApiError> {
        let patterns = &self.limits.models;
        if name.is_some_and(|name| patterns.iter().any(|pattern| pattern == name)) {
            return Ok(());
        }
        self.may_ask(model)
    }

    /// Whether a page of this origin may call with the key.
    pub(crate) fn admits_origin(&self, origin: &str) -> bool {
        self.limits.origins.is_empty() || self.lists_origin(origin)
    }

    /// Whether the key's own list has this origin.
    pub(crate) fn lists_origin(&self, origin: &str) -> bool {
        lists(&self.limits.origins, origin)
    }
}

/// Whether a list of entries of keys has this origin.
pub(crate) fn lists(entries: &[String], origin: &str) -> bool {
    let patterns = entries
        .iter()
        .filter_map(|entry| OriginPattern::of_key(entry).ok());
    patterns.into_iter().any(|pattern| pattern.fits(origin))
}

/// Limits as they are kept: each entry once and as it is compared; refused where one means nothing.
pub(super) fn checked(limits: KeyLimits, now_ms: i64) -> Result<KeyLimits, ApiError> {
    let mut scopes = limits.scopes;
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        return Err(ApiError::refused(
            "key_no_scope",
            "a key needs one scope or more: local, network, embeddings, signatures",
        ));
    }
    if [limits.requests_per_minute, limits.tokens_per_minute].contains(&Some(0)) {
        return Err(ApiError::refused(
            "key_no_rate",
            "a key that may ask nothing in a minute is of no use: leave the limit out, or revoke the key",
        ));
    }
    let budgets = [limits.daily_budget, limits.total_budget].into_iter().flatten();
    if let Some(budget) = budgets
        .into_iter()
        .find(|budget| i64::try_from(budget.0.upokt()).is_err())
    {
        return Err(ApiError::refused(
            "key_budget",
            format!("a budget of {} upokt is more than there can be", budget.0.upokt()),
        ));
    }
    if let Some(until) = limits.expires_at
        && i128::from(now_ms) * 1_000_000 >= until.0.unix_timestamp_nanos()
    {
        return Err(ApiError::refused(
            "key_expired",
            "the time at which the key expires has passed already",
        ));
    }
    Ok(KeyLimits {
        scopes,
        models: entries(limits.models, "models", |model| {
            let is_name = !model.is_empty()
                && model.chars().count() <= MAX_MODEL_CHARS
                && !model
                    .chars()
                    .any(|sign| sign.is_whitespace() || sign.is_control());
            if is_name {
                Ok(model.to_owned())
            } else {
                let message = format!("\"{model}\" is no name of a model");
                Err(ApiError::refused("key_model_name", message).value("model", model))
            }
        })?,
        origins: entries(limits.origins, "origins", |origin| {
            OriginPattern::of_key(origin)
                .map(|pattern| pattern.to_string())
                .map_err(ApiError::from)
        })?,
        ..limits
    })
}

fn entries(
    list: Vec<String>,
    what: &str,
    read: impl Fn(&str) -> Result<String, ApiError>,
) -> Result<Vec<String>, ApiError> {
    if list.len() > MAX_ENTRIES {
        let message = format!("a key has at most {MAX_ENTRIES} {what}; a * in one stands for many");
        return Err(ApiError::refused("key_entries", message).value("most", MAX_ENTRIES));
    }
    let mut read: Vec<String> = list
        .iter()
        .map(|entry| read(entry.trim()))
        .collect::<Result<_, _>>()?;
    read.sort_unstable();
    read.dedup();
    Ok(read)
}

/// Whether a name fits a pattern in which `*` stands for any letters. Takes time in proportion to both lengths.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        // The first place is the best: it leaves the most for what follows.
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::types::{Timestamp, Upokt};

    fn grant(limits: KeyLimits) -> Grant {
        Grant {
            id: "1".to_owned(),
            name: "editor".to_owned(),
            limits,
        }
    }

    #[test]
    fn a_star_stands_for_any_letters_and_nothing_else_does() {
        for (pattern, fitting, others) in [
            ("chat", &["chat"][..], &["chats", "chat/x", "Chat", ""][..]),
            (
                "pocket/*",
                &["pocket/", "pocket/svc", "pocket/a/b"],
                &["pocket", "xpocket/svc"],
            ),
            ("*", &["", "x"], &[]),
            ("q*-7b*", &["qwen-7b", "q-7b-it"], &["q7b", "qwen-8b"]),
            ("*a*b*a", &["aba", "xaxbxa"], &["ab", "aab", "ba"]),
            ("a*a", &["aa", "aba"], &["a"]),
            ("a.c", &["a.c"], &["abc"]),
        ] {
            for name in fitting {
                assert!(fits(pattern, name), "{pattern} {name}");
            }
            for name in others {
                assert!(!fits(pattern, name), "{pattern} {name}");
            }
        }
        let (pattern, name) = ("*a".repeat(100), "a".repeat(100_000) + "b");
        assert!(!fits(&pattern, &name), "no pattern takes long");
    }

    #[test]
    fn scope_and_model_are_refused_by_name() {
        let key = grant(KeyLimits {
            scopes: vec![Scope::Local],
            models: vec!["chat".to_owned(), "q*".to_owned()],
            ..KeyLimits::default()
        });
        assert!(key.opens(Scope::Local).is_ok());
        let refused = key.opens(Scope::Network).unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.code), (403, "key_scope"));
        assert!(refused.remedy.unwrap().contains("scope network"));
        assert!(key.may_ask(Some("qwen")).is_ok());
        for model in [Some("other"), None] {
            let refused = key.may_ask(model).unwrap_err();
            assert_eq!((refused.status.as_u16(), refused.code), (403, "key_model"));
            assert!(refused.remedy.unwrap().contains("chat, q*"));
        }
        assert!(grant(KeyLimits::default()).may_ask(None).is_ok());
    }

    #[test]
    fn limits_that_mean_nothing_are_refused() {
        let refused = |limits| checked(limits, 1_000).unwrap_err().message;
        let all = KeyLimits::default;
        for (limits, word) in [
            (
                KeyLimits {
                    scopes: vec![],
                    ..all()
                },
                "scope",
            ),
            (
                KeyLimits {
                    requests_per_minute: Some(0),
                    ..all()
                },
                "minute",
            ),
            (
                KeyLimits {
                    tokens_per_minute: Some(0),
                    ..all()
                },
                "minute",
            ),
            (
                KeyLimits {
                    expires_at: Some(Timestamp::from_ms(1_000)),
                    ..all()
                },
                "passed",
            ),
            (
                KeyLimits {
                    models: vec!["a b".into()],
                    ..all()
                },
                "a b",
            ),
            (
                KeyLimits {
                    models: vec![String::new()],
                    ..all()
                },
                "no name",
            ),
            (
                KeyLimits {
                    models: vec!["m".into(); 101],
                    ..all()
                },
                "100 models",
            ),
            (
                KeyLimits {
                    origins: vec!["localhost".into()],
                    ..all()
                },
                "http://localhost:5173",
            ),
            (
                KeyLimits {
                    total_budget: Some(Upokt(hearth_base::Amount::from_upokt(u128::MAX))),
                    ..all()
                },
                "more than there can be",
            ),
        ] {
            assert!(refused(limits.clone()).contains(word), "{limits:?}");
        }
        let kept = checked(
            KeyLimits {
                scopes: vec![Scope::Network, Scope::Local, Scope::Local],
                origins: vec![" HTTP://LocalHost:80/ ".into(), "*".into()],
                ..all()
            },
            1_000,
        );
        let kept = kept.unwrap();
        assert_eq!(kept.scopes, [Scope::Local, Scope::Network]);
        assert_eq!(kept.origins, ["*", "http://localhost"]);
    }
}

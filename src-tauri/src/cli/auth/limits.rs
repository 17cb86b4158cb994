//! Flags that say what an API key may do.

use hearth_base::{Amount, Clock};
use hearth_node::control::{KeyLimits, Scope, Timestamp, Upokt};

/// What a key may do. What is not given is not limited, or stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub(crate) struct LimitFlags {
    /// What it opens: local, network, embeddings; all of them unless told. May be given several times, as may the next
    /// two.
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',', value_parser = scope)]
    scopes: Vec<Scope>,
    /// A model that it may ask, as pocket/* or smollm2; `*` stands for any letters.
    #[arg(long = "model", value_name = "NAME")]
    models: Vec<String>,
    /// A page that may use it, as http://localhost:5173; none takes them away.
    #[arg(long = "origin", value_name = "ORIGIN|none")]
    origins: Vec<String>,
    /// The most requests in a minute, or none.
    #[arg(long, value_name = "N|none", value_parser = count)]
    requests_per_minute: Option<Limit<u32>>,
    /// The most tokens in a minute, of prompts and answers together, or none.
    #[arg(long, value_name = "N|none", value_parser = count)]
    tokens_per_minute: Option<Limit<u32>>,
    /// The most POKT that its answers of the network may cost in a day (UTC), as 0.5, or none.
    #[arg(long, value_name = "POKT|none", value_parser = amount)]
    daily_budget: Option<Limit<Upokt>>,
    /// The most POKT that they may cost in all, or none.
    #[arg(long, value_name = "POKT|none", value_parser = amount)]
    total_budget: Option<Limit<Upokt>>,
    /// When it ends: in 90m, 12h or 30d, at 2026-12-31T00:00:00Z, or none.
    #[arg(long, value_name = "SPAN|TIME|none", value_parser = moment)]
    expires: Option<Limit<Timestamp>>,
}

/// A limit that was given; `None` is the word none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit<T>(Option<T>);

impl LimitFlags {
    /// Whether nothing was given.
    pub(super) fn is_empty(&self) -> bool {
        *self == LimitFlags::default()
    }

    /// These limits with what was given in place of theirs.
    pub(super) fn over(&self, limits: KeyLimits) -> KeyLimits {
        let list = |given: &[String], old: Vec<String>| match given {
            [] => old,
            [only] if only == NONE => Vec::new(),
            given => given.to_vec(),
        };
        KeyLimits {
            scopes: if self.scopes.is_empty() {
                limits.scopes
            } else {
                self.scopes.clone()
            },
            models: list(&self.models, limits.models),
            origins: list(&self.origins, limits.origins),
            requests_per_minute: given(self.requests_per_minute, limits.requests_per_minute),
            tokens_per_minute: given(self.tokens_per_minute, limits.tokens_per_minute),
            daily_budget: given(self.daily_budget, limits.daily_budget),
            total_budget: given(self.total_budget, limits.total_budget),
            expires_at: given(self.expires, limits.expires_at),
        }
    }
}

fn given<T>(limit: Option<Limit<T>>, old: Option<T>) -> Option<T> {
    limit.map_or(old, |Limit(limit)| limit)
}

/// Takes a limit away.
const NONE: &str = "none";

fn scope(text: &str) -> Result<Scope, String> {
    Scope::ALL
        .into_iter()
        .find(|scope| scope.word() == text)
        .ok_or_else(|| format!("\"{text}\" is no scope: it is local, network, embeddings or signatures"))
}

fn count(text: &str) -> Result<Limit<u32>, String> {
    if text == NONE {
        return Ok(Limit(None));
    }
    let number = text.parse::<u32>().ok().filter(|number| *number > 0);
    number
        .map(|number| Limit(Some(number)))
        .ok_or_else(|| format!("\"{text}\" is no whole number from 1: use none for no limit"))
}

fn amount(text: &str) -> Result<Limit<Upokt>, String> {
    if text == NONE {
        return Ok(Limit(None));
    }
    let amount = Amount::parse_pokt(text).map_err(|error| error.to_string())?;
    Ok(Limit(Some(Upokt(amount))))
}

/// A budget that has to be named.
pub(crate) fn daily_budget(text: &str) -> Result<Upokt, String> {
    Amount::parse_pokt(text)
        .map(Upokt)
        .map_err(|error| error.to_string())
}

fn moment(text: &str) -> Result<Limit<Timestamp>, String> {
    if text == NONE {
        return Ok(Limit(None));
    }
    let span = [("m", 60_000), ("h", 3_600_000), ("d", 86_400_000_i64)]
        .into_iter()
        .find_map(|(unit, ms)| Some(i64::from(text.strip_suffix(unit)?.parse::<u32>().ok()?) * ms));
    if let Some(span) = span {
        return Ok(Limit(Some(Timestamp::from_ms(
            Clock::system().now_ms().saturating_add(span),
        ))));
    }
    serde_json::from_value(serde_json::Value::String(text.to_owned()))
        .map(|time| Limit(Some(time)))
        .map_err(|_| format!("\"{text}\" is no time: write 90m, 12h, 30d, or 2026-12-31T00:00:00Z"))
}

/// What a key may do, in a few words.
pub(super) fn words(limits: &KeyLimits) -> String {
    let scopes: Vec<&str> = limits.scopes.iter().map(|scope| scope.word()).collect();
    let count = |count: Option<u32>, what: &str| count.map(|count| format!("{count} {what}/min"));
    let budget = |budget: Option<Upokt>, what: &str| {
        budget.map(|budget| format!("{} POKT {what}", super::super::out::pokt(budget.0)))
    };
    let list = |list: &[String]| (!list.is_empty()).then(|| list.join(" "));
    let all = [
        Some(scopes.join("+")),
        list(&limits.models),
        list(&limits.origins),
        count(limits.requests_per_minute, "requests"),
        count(limits.tokens_per_minute, "tokens"),
        budget(limits.daily_budget, "a day"),
        budget(limits.total_budget, "in all"),
        limits.expires_at.map(|until| format!("until {}", until.0.date())),
    ];
    all.into_iter().flatten().collect::<Vec<String>>().join(", ")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        limits: LimitFlags,
    }

    fn read(flags: &str) -> Result<LimitFlags, String> {
        let line = Line::try_parse_from(std::iter::once("x").chain(flags.split_whitespace()));
        line.map(|line| line.limits).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_become_limits_and_none_takes_one_away() {
        assert!(read("").unwrap().is_empty());
        let flags = "--scope local,network --model pocket/* --model q --origin http://localhost:1 --requests-per-minute 60 \
                     --tokens-per-minute 1000 --daily-budget 0.5 --total-budget 2 --expires 2030-01-01T00:00:00Z";
        let limits = read(flags).unwrap().over(KeyLimits::default());
        assert_eq!(limits.scopes, [Scope::Local, Scope::Network]);
        assert_eq!((limits.models.len(), limits.origins.len()), (2, 1));
        assert_eq!(limits.daily_budget.unwrap().0.upokt(), 500_000);
        assert_eq!(
            words(&limits),
            "local+network, pocket/* q, http://localhost:1, 60 requests/min, 1000 tokens/min, 0.500000 POKT a day, \
             2.000000 POKT in all, until 2030-01-01"
        );
        let kept = read("").unwrap().over(limits.clone());
        assert_eq!(kept, limits);
        let none = "--model none --origin none --requests-per-minute none --tokens-per-minute none --daily-budget none \
                    --total-budget none --expires none";
        let freed = read(none).unwrap().over(limits);
        assert_eq!(words(&freed), "local+network");
    }

    #[test]
    fn spans_count_from_now_and_nonsense_is_refused_in_words() {
        let until = read("--expires 30d")
            .unwrap()
            .over(KeyLimits::default())
            .expires_at
            .unwrap();
        let days = (until.0 - Clock::system().now()).whole_hours();
        assert!((719..=720).contains(&days), "{days}");
        for (flags, word) in [
            ("--scope admin", "local, network, embeddings or signatures"),
            ("--requests-per-minute 0", "none for no limit"),
            ("--tokens-per-minute many", "none for no limit"),
            ("--daily-budget 1,5", "not an amount"),
            ("--expires soon", "30d"),
        ] {
            let refused = read(flags).unwrap_err();
            assert!(refused.contains(word), "{flags}: {refused}");
        }
    }
}

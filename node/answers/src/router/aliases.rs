//! Other names of models, as they are configured.

use std::collections::{BTreeMap, BTreeSet};

use super::NETWORK_PREFIX;

/// The aliases, each with the name at the end of its chain. `is_backend` says whether there is a backend of a name.
///
/// # Errors
/// The first one that can stand for nothing, in words.
pub fn resolved_aliases(
    aliases: &BTreeMap<String, String>,
    is_backend: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, String>, String> {
    let is_of_a_backend = |name: &str| {
        name.split_once('/')
            .is_some_and(|(backend, _)| is_backend(backend))
    };
    let mut resolved = BTreeMap::new();
    for alias in aliases.keys() {
        if alias.is_empty() || alias.starts_with(NETWORK_PREFIX) || is_of_a_backend(alias) {
            return Err(format!(
                "\"{alias}\" cannot be another name of a model: pocket/… and BACKEND/… mean models already"
            ));
        }
        let mut seen = BTreeSet::from([alias]);
        let mut at = alias;
        while let Some(next) = aliases.get(at) {
            if !seen.insert(next) {
                return Err(if next == alias && at == alias {
                    format!("\"{alias}\" stands for itself: write the name of a model")
                } else {
                    format!("\"{alias}\" goes in a circle by \"{next}\": end it with the name of a model")
                });
            }
            at = next;
        }
        let is_nothing = at.is_empty() || at == NETWORK_PREFIX;
        let is_nobodys = at.contains('/') && !at.starts_with(NETWORK_PREFIX) && !is_of_a_backend(at);
        if is_nothing || is_nobodys {
            return Err(format!(
                "\"{alias}\" stands for \"{at}\", which is nothing: write a model of this computer, BACKEND/MODEL of a \
                 configured backend, or pocket/SERVICE"
            ));
        }
        resolved.insert(alias.clone(), at.clone());
    }
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(pairs: &[(&str, &str)]) -> Result<BTreeMap<String, String>, String> {
        let aliases = pairs
            .iter()
            .map(|(alias, of)| ((*alias).to_owned(), (*of).to_owned()));
        resolved_aliases(&aliases.collect(), |name| name == "big")
    }

    #[test]
    fn an_alias_stands_for_the_end_of_its_chain() {
        let aliases = resolved(&[
            ("a", "b"),
            ("b", "big/m"),
            ("c", "pocket/svc"),
            ("d", "local-model"),
        ])
        .unwrap();
        let of = |alias: &str| aliases[alias].as_str();
        assert_eq!((of("a"), of("b")), ("big/m", "big/m"));
        assert_eq!((of("c"), of("d")), ("pocket/svc", "local-model"));
    }

    #[test]
    fn one_that_stands_for_nothing_is_refused_in_words() {
        for (pairs, said) in [
            (&[("a", "a")][..], "\"a\" stands for itself"),
            (&[("a", "b"), ("b", "a")], "circle"),
            (&[("x", "a"), ("a", "b"), ("b", "a")], "circle"),
            (&[("a", "")], "is nothing"),
            (&[("a", "pocket/")], "is nothing"),
            (&[("a", "small/m")], "\"small/m\", which is nothing"),
            (&[("", "m")], "another name"),
            (&[("pocket/svc", "m")], "another name"),
            (&[("big/m", "m")], "another name"),
        ] {
            let refused = resolved(pairs).unwrap_err();
            assert!(refused.contains(said), "{pairs:?}: {refused}");
        }
    }
}

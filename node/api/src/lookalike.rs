//! Addresses made to be taken for others.
//!
//! Whoever copies an address compares its ends, so that is what attackers make alike: they pay a trifle from such an
//! address, and wait until it is copied out of the history.

use crate::control::types::LooksLike;

/// How many letters after `pokt1` and at the end must be alike. One of 32^6 addresses is so by chance.
const ENDS: usize = 3;

/// The known address that one which is not known looks like. Of several it is the one that it is most like.
pub(crate) fn looks_like<'a>(
    address: &str,
    known: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> Option<LooksLike> {
    let mut best: Option<LooksLike> = None;
    for (other, name) in known {
        if other == address {
            return None;
        }
        let Some(differs) = alike(address, other) else {
            continue;
        };
        if best.as_ref().is_none_or(|best| differs < best.differs) {
            best = Some(LooksLike {
                address: other.to_owned(),
                name: name.map(str::to_owned),
                differs,
            });
        }
    }
    best
}

/// In how many letters two addresses differ that begin and end alike.
fn alike(one: &str, other: &str) -> Option<u32> {
    let data =
        |address: &'_ str| -> Option<Vec<char>> { Some(address.strip_prefix("pokt1")?.chars().collect()) };
    let (one, other) = (data(one)?, data(other)?);
    let short = one.len().min(other.len());
    if short < 2 * ENDS {
        return None;
    }
    let begins = one[..ENDS] == other[..ENDS];
    let ends = one[one.len() - ENDS..] == other[other.len() - ENDS..];
    if !begins || !ends {
        return None;
    }
    let same = one.iter().zip(&other).filter(|(one, other)| one == other).count();
    u32::try_from(one.len().max(other.len()) - same).ok()
}

/// A name as the eye reads it: small letters, and those of other scripts that look like Latin ones as these.
pub(crate) fn as_seen(name: &str) -> String {
    name.trim().to_lowercase().chars().map(latin).collect()
}

/// The Latin letter that a Cyrillic or Greek one, or its capital, looks like.
fn latin(letter: char) -> char {
    const ALIKE: [(&str, char); 24] = [
        ("аα", 'a'),
        ("вβ", 'b'),
        ("сϲ", 'c'),
        ("ԁ", 'd'),
        ("еε", 'e'),
        ("ԍ", 'g'),
        ("нһη", 'h'),
        ("іιı", 'i'),
        ("јϳ", 'j'),
        ("кκ", 'k'),
        ("ӏ", 'l'),
        ("мμ", 'm'),
        ("ν", 'n'),
        ("оο", 'o'),
        ("рρ", 'p'),
        ("ԛ", 'q'),
        ("ѕ", 's'),
        ("тτ", 't'),
        ("υ", 'y'),
        ("у", 'y'),
        ("ѵ", 'v'),
        ("ԝ", 'w'),
        ("хχ", 'x'),
        ("ζ", 'z'),
    ];
    let alike = ALIKE.iter().find(|(others, _)| others.contains(letter));
    alike.map_or(letter, |(_, latin)| *latin)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &str = "pokt1p4hyq70rvup7h5muqpez7ky3629su2q3lsdkpd";

    #[test]
    fn an_address_that_begins_and_ends_alike_is_found() {
        let alike = "pokt1p4hxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxsdkpd";
        let known = || [(KNOWN, Some("Exchange")), ("pokt1other", None)].into_iter();
        let found = looks_like(alike, known()).unwrap();
        assert_eq!(
            (found.address.as_str(), found.name.as_deref()),
            (KNOWN, Some("Exchange"))
        );
        assert!(found.differs > 20, "{found:?}");
        // What is known itself is no look-alike, and what differs at one end is none.
        assert_eq!(looks_like(KNOWN, known()), None);
        for other in [
            "pokt1p4hxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "pokt1xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxdkpd",
            "p4hdkpd",
            "",
        ] {
            assert_eq!(looks_like(other, known()), None, "{other}");
        }
    }

    #[test]
    fn names_are_compared_as_they_are_seen() {
        // Cyrillic, Greek capitals, mixed.
        for (name, seen) in [
            ("Ехсһаngе", "exchange"),
            ("ΒΑΝΚ", "bank"),
            (" Воb ", "bob"),
            ("Савва", "cabba"),
            ("Zoë", "zoë"),
        ] {
            assert_eq!(as_seen(name), seen);
        }
    }

    #[test]
    fn the_nearest_of_several_is_named() {
        let near = KNOWN.replace("rvup", "rvvp");
        let far = "pokt1p4hxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxsdkpd";
        let known = [(far, None), (KNOWN, None)];
        let found = looks_like(&near, known.into_iter()).unwrap();
        assert_eq!((found.address.as_str(), found.differs), (KNOWN, 1));
    }
}

//! What was told of the chain's state, and how far it may be believed.
//!
//! ```text
//! Told ─┬─ Proven   a check showed it under a verified header         may decide about money
//!       ├─ Stale    a check showed it once; nobody answers now        is shown, with its height and age
//!       └─ Seen     an endpoint says so                               is shown as such
//! ```
//! One rule for all of them: what decides about money is proven. Where nothing of a network can be proven yet (no trust
//! anchor, a chain of three blocks) nothing decides, and [`Told::proven`] says why; the way out is a trust anchor, which a
//! person gives or accepts, never an exception for a caller.

use hearth_base::Height;

use super::QueryError;
use crate::verify::Proven;

/// How far an answer was verified, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofStatus {
    /// By a proof under a header that the validators signed.
    Proven,
    /// On the word of an endpoint.
    Unproven,
    /// Proven, but long ago: no endpoint answers now.
    Stale,
}

/// An endpoint's word. It decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen<T> {
    /// The value.
    pub value: T,
    /// The block after which it is said to be so; 0 where nobody says.
    pub height: Height,
    /// Why nobody proved it.
    pub why: String,
}

/// What was proven once, while nobody answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale<T> {
    /// The value.
    pub value: T,
    /// The block after which it was so.
    pub height: Height,
}

/// What was told of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told<T> {
    Proven(Proven<T>),
    Stale(Stale<T>),
    Seen(Seen<T>),
}

impl<T> Told<T> {
    /// The value, to be shown with its standing.
    #[must_use]
    pub fn value(&self) -> &T {
        match self {
            Told::Proven(proven) => proven.value(),
            Told::Stale(stale) => &stale.value,
            Told::Seen(seen) => &seen.value,
        }
    }

    /// The value alone, to be shown.
    #[must_use]
    pub fn into_value(self) -> T {
        match self {
            Told::Proven(proven) => proven.into_value(),
            Told::Stale(stale) => stale.value,
            Told::Seen(seen) => seen.value,
        }
    }

    /// The state after this block.
    #[must_use]
    pub fn height(&self) -> Height {
        match self {
            Told::Proven(proven) => proven.height(),
            Told::Stale(stale) => stale.height,
            Told::Seen(seen) => seen.height,
        }
    }

    /// How far it was verified.
    #[must_use]
    pub fn how(&self) -> ProofStatus {
        match self {
            Told::Proven(_) => ProofStatus::Proven,
            Told::Stale(_) => ProofStatus::Stale,
            Told::Seen(_) => ProofStatus::Unproven,
        }
    }

    /// Whether it was proven, now.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.how() == ProofStatus::Proven
    }

    /// What may decide about money.
    ///
    /// # Errors
    /// It is an endpoint's word, or old.
    pub fn proven(self) -> Result<Proven<T>, QueryError> {
        match self {
            Told::Proven(proven) => Ok(proven),
            Told::Stale(Stale { height, .. }) => Err(QueryError::Old { height }),
            Told::Seen(Seen { why, .. }) => Err(QueryError::NotProven { why }),
        }
    }

    /// The same standing with what follows from the value.
    #[must_use]
    pub fn map<U>(self, follows: fn(T) -> U) -> Told<U> {
        match self {
            Told::Proven(proven) => Told::Proven(proven.map(follows)),
            Told::Stale(Stale { value, height }) => Told::Stale(Stale {
                value: follows(value),
                height,
            }),
            Told::Seen(Seen { value, height, why }) => Told::Seen(Seen {
                value: follows(value),
                height,
                why,
            }),
        }
    }

    /// Both, with the weaker of their standings.
    #[must_use]
    pub fn zip<U>(self, other: Told<U>) -> Told<(T, U)> {
        match (self, other) {
            (Told::Proven(one), Told::Proven(other)) => Told::Proven(one.zip(other)),
            (Told::Seen(one), other) => Told::Seen(Seen {
                height: one.height.min(other.height()),
                value: (one.value, other.into_value()),
                why: one.why,
            }),
            (one, Told::Seen(other)) => Told::Seen(Seen {
                height: other.height.min(one.height()),
                value: (one.into_value(), other.value),
                why: other.why,
            }),
            (one, other) => Told::Stale(Stale {
                height: one.height().min(other.height()),
                value: (one.into_value(), other.into_value()),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::proven_for_tests;

    fn three() -> [Told<u8>; 3] {
        [
            Told::Proven(proven_for_tests(1, Height(9))),
            Told::Stale(Stale {
                value: 1,
                height: Height(5),
            }),
            Told::Seen(Seen {
                value: 1,
                height: Height(12),
                why: "nobody is trusted".to_owned(),
            }),
        ]
    }

    #[test]
    fn only_what_is_proven_decides() {
        let [proven, stale, seen] = three();
        assert_eq!(proven.proven().unwrap().height(), Height(9));
        assert!(matches!(
            stale.proven(),
            Err(QueryError::Old { height: Height(5) })
        ));
        let error = seen.proven().unwrap_err().to_string();
        assert!(error.contains("nobody is trusted"), "{error}");
    }

    #[test]
    fn a_sum_is_worth_its_weakest_part() {
        let rank = |how| match how {
            ProofStatus::Proven => 2,
            ProofStatus::Stale => 1,
            ProofStatus::Unproven => 0,
        };
        for one in three() {
            for other in three() {
                let (weaker, older) = (
                    rank(one.how()).min(rank(other.how())),
                    one.height().min(other.height()),
                );
                let both = one.clone().zip(other);
                assert_eq!((rank(both.how()), both.height()), (weaker, older));
            }
        }
    }
}

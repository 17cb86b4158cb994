//! What a check has shown to be so. Only this part of the crate makes a [`Proven`]: an endpoint's word has another type, so
//! the compiler keeps it away from whatever decides about money.

use hearth_base::Height;

use super::Statement;

/// A value of the state after a block, which follows from a proof under a header that the validators signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proven<T> {
    value: T,
    height: Height,
}

impl<T> Proven<T> {
    pub(in crate::verify) const fn new(value: T, height: Height) -> Proven<T> {
        Proven { value, height }
    }

    /// The state after this block holds it.
    #[must_use]
    pub fn height(&self) -> Height {
        self.height
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The value alone.
    #[must_use]
    pub fn into_value(self) -> T {
        self.value
    }

    /// What follows from it. A function that takes nothing from around it: nothing unproven can come in.
    pub fn map<U>(self, follows: fn(T) -> U) -> Proven<U> {
        Proven::new(follows(self.value), self.height)
    }

    /// As [`Proven::map`], for what may not follow.
    ///
    /// # Errors
    /// Those of `follows`.
    pub fn try_map<U, E>(self, follows: fn(T) -> Result<U, E>) -> Result<Proven<U>, E> {
        Ok(Proven::new(follows(self.value)?, self.height))
    }

    /// Both, of the older of their states.
    pub fn zip<U>(self, other: Proven<U>) -> Proven<(T, U)> {
        let height = self.height.min(other.height);
        Proven::new((self.value, other.value), height)
    }

    /// The value with the height of its state, which is proven as well.
    pub fn with_height(self) -> Proven<(T, Height)> {
        let height = self.height;
        Proven::new((self.value, height), height)
    }

    /// Itself, to look at.
    #[must_use]
    pub fn as_ref(&self) -> Proven<&T> {
        Proven::new(&self.value, self.height)
    }

    /// All of them, of the oldest of their states; `None` of none.
    #[must_use]
    pub fn all(values: Vec<Proven<T>>) -> Option<Proven<Vec<T>>> {
        let height = values.iter().map(Proven::height).min()?;
        let values = values.into_iter().map(Proven::into_value).collect();
        Some(Proven::new(values, height))
    }
}

impl<T> Proven<Option<T>> {
    /// What is there; `None` where it is proven that there is nothing.
    #[must_use]
    pub fn transpose(self) -> Option<Proven<T>> {
        let height = self.height;
        self.value.map(|value| Proven::new(value, height))
    }
}

impl Proven<Statement> {
    /// The record that the state holds under the key, read.
    ///
    /// # Errors
    /// Those of `parse`.
    pub(crate) fn record<T>(
        self,
        parse: fn(&[u8]) -> Result<T, String>,
    ) -> Result<Proven<Option<T>>, String> {
        let value = match self.value {
            Statement::Present(bytes) => Some(parse(&bytes)?),
            Statement::Absent { .. } => None,
        };
        Ok(Proven::new(value, self.height))
    }
}

/// A value that nobody proved, for the tests of parts that ask for proven ones. Release builds have no such door.
#[cfg(any(test, debug_assertions))]
#[doc(hidden)]
#[must_use]
pub fn proven_for_tests<T>(value: T, height: Height) -> Proven<T> {
    Proven::new(value, height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_several_is_of_the_oldest_of_their_states() {
        let (old, new) = (Proven::new(2_u8, Height(5)), Proven::new(3_u8, Height(9)));
        let sum = new.zip(old).map(|(one, other)| one + other);
        assert_eq!((*sum.value(), sum.height()), (5, Height(5)));
        let all = Proven::all(vec![new, old, new]).unwrap();
        assert_eq!(
            (all.value().as_slice(), all.height()),
            ([3, 2, 3].as_slice(), Height(5))
        );
        assert!(Proven::<u8>::all(Vec::new()).is_none());
        assert_eq!(old.with_height().into_value(), (2, Height(5)));
        assert!(old.try_map(|value| u8::checked_sub(value, 3).ok_or(())).is_err());
        assert_eq!(Proven::new(None::<u8>, Height(5)).transpose(), None);
    }
}

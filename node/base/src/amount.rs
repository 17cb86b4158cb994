//! Money as integers of upokt; 1 POKT = 1,000,000 upokt.

use std::{fmt, iter::Sum, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount of upokt. Serialised as a decimal string, since JSON numbers lose integers above 2^53.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u128);

/// Why a text is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("\"{0}\" is not an amount: write digits, with at most six after the point (for example 12.5)")]
    NotANumber(String),
    #[error("\"{0}\" is finer than 1 upokt: at most six digits after the point")]
    TooFine(String),
    #[error("\"{0}\" is larger than all POKT there can be")]
    TooLarge(String),
}

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);
    /// How many upokt make one POKT.
    pub const UPOKT_PER_POKT: u128 = 1_000_000;

    /// An amount of `upokt`.
    #[must_use]
    pub const fn from_upokt(upokt: u128) -> Amount {
        Amount(upokt)
    }

    /// The amount in upokt.
    #[must_use]
    pub const fn upokt(self) -> u128 {
        self.0
    }

    /// The sum, or `None` where it does not fit.
    #[must_use]
    pub fn checked_add(self, other: Amount) -> Option<Amount> {
        self.0.checked_add(other.0).map(Amount)
    }

    /// The difference, or `None` where `other` is larger.
    #[must_use]
    pub fn checked_sub(self, other: Amount) -> Option<Amount> {
        self.0.checked_sub(other.0).map(Amount)
    }

    /// The difference, or zero where `other` is larger.
    #[must_use]
    pub fn saturating_sub(self, other: Amount) -> Amount {
        Amount(self.0.saturating_sub(other.0))
    }

    /// The sum, held at the largest amount.
    #[must_use]
    pub fn saturating_add(self, other: Amount) -> Amount {
        Amount(self.0.saturating_add(other.0))
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Reads an amount of POKT as people write it: `12`, `12.5`, `0.000001`.
    ///
    /// # Errors
    /// A text that is no decimal number, is finer than 1 upokt or does not fit.
    pub fn parse_pokt(text: &str) -> Result<Amount, AmountError> {
        let not_a_number = || AmountError::NotANumber(text.to_owned());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(not_a_number());
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > 6 {
            return Err(AmountError::TooFine(text.to_owned()));
        }
        let too_large = || AmountError::TooLarge(text.to_owned());
        let whole: u128 = whole.parse().map_err(|_| too_large())?;
        let fraction: u128 = format!("{fraction:0<6}").parse().map_err(|_| not_a_number())?;
        whole
            .checked_mul(Amount::UPOKT_PER_POKT)
            .and_then(|upokt| upokt.checked_add(fraction))
            .map(Amount)
            .ok_or_else(too_large)
    }

    /// The amount in POKT with all six decimals: `12.500000`.
    #[must_use]
    pub fn pokt(self) -> String {
        format!(
            "{}.{:06}",
            self.0 / Amount::UPOKT_PER_POKT,
            self.0 % Amount::UPOKT_PER_POKT
        )
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}upokt", self.0)
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Amount>>(iter: I) -> Amount {
        iter.fold(Amount::ZERO, Amount::saturating_add)
    }
}

impl FromStr for Amount {
    type Err = AmountError;

    /// Reads whole upokt, with or without the denomination: `1500` or `1500upokt`.
    fn from_str(text: &str) -> Result<Amount, AmountError> {
        let digits = text.strip_suffix("upokt").unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(AmountError::NotANumber(text.to_owned()));
        }
        digits
            .parse()
            .map(Amount)
            .map_err(|_| AmountError::TooLarge(text.to_owned()))
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn people_write_pokt() {
        assert_eq!(Amount::parse_pokt("12.5"), Ok(Amount(12_500_000)));
        assert_eq!(Amount::parse_pokt("0.0000010"), Ok(Amount(1)));
        assert!(matches!(
            Amount::parse_pokt("0.0000001"),
            Err(AmountError::TooFine(_))
        ));
        for bad in ["", ".", "1.", ".5", "-1", "1e3", "1,5", " 1"] {
            assert!(
                matches!(Amount::parse_pokt(bad), Err(AmountError::NotANumber(_))),
                "{bad}"
            );
        }
        assert!(matches!(
            Amount::parse_pokt(&"9".repeat(40)),
            Err(AmountError::TooLarge(_))
        ));
    }

    proptest! {
        #[test]
        fn pokt_text_round_trips(upokt in 0..u128::from(u64::MAX)) {
            let amount = Amount(upokt);
            prop_assert_eq!(Amount::parse_pokt(&amount.pokt()), Ok(amount));
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
            let json = serde_json::to_string(&amount).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(&json, &format!("\"{upokt}\""));
            prop_assert_eq!(serde_json::from_str::<Amount>(&json).ok(), Some(amount));
        }
    }
}

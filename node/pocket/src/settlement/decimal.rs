//! Doubles as exact decimal fractions.

use hearth_base::Amount;
use num_bigint::BigUint;
use num_integer::Integer as _;

/// A fraction of at least zero with a power of ten below the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    digits: BigUint,
    scale: BigUint,
}

/// Why a double is no fraction to reckon with.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DecimalError {
    #[error("{0} is not a finite number of at least zero")]
    Value(f64),
}

impl TryFrom<f64> for Decimal {
    type Error = DecimalError;

    /// The fraction that the shortest decimal text of the double says: 0.975 is 975/1000.
    fn try_from(value: f64) -> Result<Decimal, DecimalError> {
        if !value.is_finite() || value < 0.0 {
            return Err(DecimalError::Value(value));
        }
        let text = value.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = format!("{whole}{fraction}");
        let digits = digits.parse().map_err(|_| DecimalError::Value(value))?;
        let n_places = u32::try_from(fraction.len()).map_err(|_| DecimalError::Value(value))?;
        Ok(Decimal {
            digits,
            scale: BigUint::from(10_u8).pow(n_places),
        })
    }
}

impl Decimal {
    /// `amount` times the fraction, rounded down.
    #[must_use]
    pub fn floor_of(&self, amount: &BigUint) -> BigUint {
        amount * &self.digits / &self.scale
    }

    /// `amount` times the fraction, rounded up.
    #[must_use]
    pub fn ceil_of(&self, amount: &BigUint) -> BigUint {
        (amount * &self.digits).div_ceil(&self.scale)
    }

    /// `amount` divided by one plus the fraction, rounded down.
    #[must_use]
    pub fn without_surcharge(&self, amount: &BigUint) -> BigUint {
        amount * &self.scale / (&self.scale + &self.digits)
    }
}

/// An amount as a number without bounds.
pub(super) fn number(amount: Amount) -> BigUint {
    BigUint::from(amount.upokt())
}

/// A number as an amount, if it fits.
pub(super) fn amount(number: &BigUint) -> Option<Amount> {
    u128::try_from(number).ok().map(Amount::from_upokt)
}

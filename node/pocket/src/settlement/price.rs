//! What the compute units of a tree are worth.

use hearth_base::Amount;
use num_bigint::BigUint;

use super::decimal::amount;
use crate::{
    difficulty::{BASE_TARGET, Target},
    trie::Root,
};

/// What a compute unit costs. All three are those of the session's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Price {
    /// The service's difficulty target.
    pub target: Target,
    /// Tokens per compute unit, as a multiple of the granularity.
    pub compute_units_to_tokens_multiplier: u64,
    /// The parts of a upokt that the multiplier counts.
    pub granularity: u64,
}

/// Why a claim has no price.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    #[error("the difficulty target or the granularity is zero")]
    DivisionByZero,
    #[error("the claim is worth more than any amount can say")]
    TooLarge,
}

/// What the chain estimates from a root: the figures of its events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimates {
    /// Compute units of all relays, those below the difficulty included.
    pub compute_units: u64,
    /// All relays, those below the difficulty included.
    pub relays: u64,
}

impl Price {
    /// What a tree with this root is worth.
    ///
    /// # Errors
    /// Parameters of zero, or an amount that does not fit.
    pub fn claimed(&self, root: &Root) -> Result<Amount, PriceError> {
        self.of_compute_units(root.sum())
    }

    /// What `compute_units` in leaves are worth: one rounding, down, at the very end.
    ///
    /// # Errors
    /// As [`Price::claimed`].
    pub fn of_compute_units(&self, compute_units: u64) -> Result<Amount, PriceError> {
        let below = self.target.number() * self.granularity;
        if below == BigUint::ZERO {
            return Err(PriceError::DivisionByZero);
        }
        let above = BASE_TARGET.number() * compute_units * self.compute_units_to_tokens_multiplier;
        amount(&(above / below)).ok_or(PriceError::TooLarge)
    }

    /// What the chain estimates from a root. Figures that do not fit are held at the largest.
    #[must_use]
    pub fn estimates(&self, root: &Root) -> Estimates {
        let target = self.target.number();
        if target == BigUint::ZERO {
            return Estimates::default();
        }
        let compute_units = BASE_TARGET.number() * root.sum() / target;
        let per_relay = root.sum().checked_div(root.count()).unwrap_or(0);
        let relays = if per_relay == 0 {
            BigUint::ZERO
        } else {
            &compute_units / per_relay
        };
        let held = |number: &BigUint| u64::try_from(number).unwrap_or(u64::MAX);
        Estimates {
            compute_units: held(&compute_units),
            relays: held(&relays),
        }
    }
}

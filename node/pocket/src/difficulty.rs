//! Relay mining difficulty: which relays count, and how the target follows the traffic.

use num_bigint::BigUint;

/// The easiest target: every relay counts, but for a hash of nothing but ones.
pub const BASE_TARGET: Target = Target([0xff; 32]);

/// Relays count whose hash is less than this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Target([u8; 32]);

/// Why bytes are no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("a target hash has 32 bytes, this one has {len}")]
    Length { len: usize },
    #[error("a target hash of zero admits no relay and has no price")]
    Zero,
}

impl Target {
    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether a relay with this hash counts.
    #[must_use]
    pub fn admits(&self, relay_hash: &[u8; 32]) -> bool {
        *relay_hash < self.0
    }

    /// The target as a number: what a relay's price is divided by.
    pub(crate) fn number(&self) -> BigUint {
        BigUint::from_bytes_be(&self.0)
    }

    /// The target under which `target_num_relays` relays count of `num_relays_ema` served. It is computed from the
    /// easiest target, never from the former one. `None` for an average of zero, for which the chain has no answer.
    #[must_use]
    pub fn for_average(target_num_relays: u64, num_relays_ema: u64) -> Option<Target> {
        if target_num_relays == num_relays_ema {
            return Some(BASE_TARGET);
        }
        if num_relays_ema == 0 {
            return None;
        }
        let number = BASE_TARGET.number() * target_num_relays / num_relays_ema;
        let bytes = number.to_bytes_be();
        let mut target = [0; 32];
        match 32_usize.checked_sub(bytes.len()) {
            Some(n_zeros) => target[n_zeros..].copy_from_slice(&bytes),
            // More than 32 bytes: easier than the easiest.
            None => return Some(BASE_TARGET),
        }
        Some(Target(target))
    }
}

impl From<[u8; 32]> for Target {
    fn from(bytes: [u8; 32]) -> Target {
        Target(bytes)
    }
}

impl TryFrom<&[u8]> for Target {
    type Error = TargetError;

    fn try_from(bytes: &[u8]) -> Result<Target, TargetError> {
        let bytes: [u8; 32] = bytes
            .try_into()
            .map_err(|_| TargetError::Length { len: bytes.len() })?;
        if bytes == [0; 32] {
            Err(TargetError::Zero)
        } else {
            Ok(Target(bytes))
        }
    }
}

impl From<Target> for String {
    fn from(target: Target) -> String {
        hex::encode(target.0)
    }
}

impl TryFrom<String> for Target {
    type Error = TargetError;

    /// Reads 64 hex digits.
    fn try_from(text: String) -> Result<Target, TargetError> {
        let bytes = hex::decode(&text).map_err(|_| TargetError::Length { len: text.len() / 2 })?;
        Target::try_from(bytes.as_slice())
    }
}

/// The weight of the newest number in the average: the double nearest 0.1, as a multiple of 2^-55.
const ALPHA: u128 = 3_602_879_701_896_397;
/// One, as a multiple of 2^-55.
const ONE: u128 = 1 << 55;

/// The moving average after a settlement with `num_relays` leaves: Go's `big.Float` arithmetic with 64 bits of
/// mantissa, so every intermediate result is rounded.
#[must_use]
pub fn next_average(previous: u64, num_relays: u64) -> u64 {
    let newest = round_to_64_bits(ALPHA * u128::from(num_relays));
    let rest = round_to_64_bits((ONE - ALPHA) * u128::from(previous));
    let average = round_to_64_bits(newest + rest) >> 55;
    // A weighted mean of two 64-bit numbers fits 64 bits, but for a rounding at the very top.
    u64::try_from(average).unwrap_or(u64::MAX)
}

/// Keeps the 64 most significant bits; halves go to the even neighbour.
fn round_to_64_bits(number: u128) -> u128 {
    let Some(n_cut) = (128 - number.leading_zeros())
        .checked_sub(64)
        .filter(|n_cut| *n_cut > 0)
    else {
        return number;
    };
    let (kept, cut, half) = (number >> n_cut, number & ((1 << n_cut) - 1), 1 << (n_cut - 1));
    let up = cut > half || cut == half && kept & 1 == 1;
    (kept + u128::from(up)) << n_cut
}

/// The difficulty of a service after a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update {
    /// The moving average of settled leaves.
    pub num_relays_ema: u64,
    /// The target that counts from the next session on.
    pub target: Target,
}

/// What a settlement with `num_relays` settled leaves makes of a service's difficulty. A service without a record
/// starts with that number as its average. `None` where the average falls to zero, for which the chain has no answer.
#[must_use]
pub fn update(previous_ema: Option<u64>, num_relays: u64, target_num_relays: u64) -> Option<Update> {
    let num_relays_ema = previous_ema.map_or(num_relays, |previous| next_average(previous, num_relays));
    Target::for_average(target_num_relays, num_relays_ema).map(|target| Update {
        num_relays_ema,
        target,
    })
}

#[cfg(test)]
mod tests;

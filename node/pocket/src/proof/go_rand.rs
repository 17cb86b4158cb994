//! Go's `math/rand` (version 1), as far as the chain draws from it: the first number of a fresh source.

use sha2::{Digest as _, Sha256};

/// The modulus of the generator that fills the register.
const M: u64 = (1 << 31) - 1;
/// The words of Go's constant table that the first four draws meet: for each draw the index into the register and
/// the table's word there, for the feed and for the tap.
const DRAWS: [[(usize, i64); 2]; 4] = [
    [
        (333, -4_633_371_852_008_891_965),
        (606, 4_152_330_101_494_654_406),
    ],
    [(332, 4_287_360_518_296_753_003), (605, 9_103_922_860_780_351_547)],
    [
        (331, -1_072_987_336_855_386_047),
        (604, 8_382_142_935_188_824_023),
    ],
    [(330, 220_828_013_409_515_943), (603, -2_171_292_963_361_310_674)],
];

/// The first four numbers of `rand.NewSource(seed).Int63()`.
#[must_use]
pub fn raw_draws(seed: i64) -> [i64; 4] {
    DRAWS.map(|[feed, tap]| {
        let sum = register(seed, feed).wrapping_add(register(seed, tap));
        sum & i64::MAX
    })
}

/// The word that seeding puts at an index of the register.
fn register(seed: i64, (index, cooked): (usize, i64)) -> i64 {
    // The generator is multiplicative, so word `index` is reached by a power instead of a loop.
    let start =
        (u128::from(first_state(seed)) * u128::from(power(21 + 3 * index as u64)) % u128::from(M)) as i64;
    let step = |state: i64| state * 48_271 % (M as i64);
    let (one, two, three) = (start, step(start), step(step(start)));
    one << 40 ^ two << 20 ^ three ^ cooked
}

fn first_state(seed: i64) -> u64 {
    match seed.rem_euclid(M as i64) {
        0 => 89_482_311,
        state => state.unsigned_abs(),
    }
}

/// 48271 to the given power, modulo M.
fn power(mut exponent: u64) -> u64 {
    let (mut result, mut base) = (1, 48_271);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result * base % M;
        }
        base = base * base % M;
        exponent >>= 1;
    }
    result
}

/// The seed that the chain makes of some bytes: their SHA-256, read as a Go signed varint.
#[must_use]
pub fn seed_from(parts: &[&[u8]]) -> i64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    varint(&hash.finalize())
}

/// A zig-zag varint; 0 where it is too long for 64 bits or has no end.
fn varint(bytes: &[u8]) -> i64 {
    let mut folded = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        if index == 9 && *byte > 1 {
            return 0;
        }
        folded |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let magnitude = (folded >> 1).cast_signed();
            return if folded & 1 == 1 { !magnitude } else { magnitude };
        }
    }
    0
}

/// The chain's `SeededInt63`.
#[must_use]
pub fn seeded_int63(parts: &[&[u8]]) -> i64 {
    raw_draws(seed_from(parts))[0]
}

/// The chain's `SeededFloat64`: between 0 and 1, without 1.
#[must_use]
pub fn seeded_float64(parts: &[&[u8]]) -> f64 {
    float64(seed_from(parts))
}

/// The first `Float64` of a source with this seed. Go draws again where the quotient rounds to 1, which happens
/// once in 2^54 seeds; four times in a row never.
#[allow(clippy::cast_precision_loss, reason = "Go rounds in the same way")]
pub(super) fn float64(seed: i64) -> f64 {
    let quotients = raw_draws(seed).map(|draw| draw as f64 / (1_u64 << 63) as f64);
    quotients
        .into_iter()
        .find(|quotient| *quotient < 1.0)
        .unwrap_or_default()
}

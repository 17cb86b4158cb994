//! Fixed-base tables: a multiplication of a point that comes back in every relay becomes 24 additions and 5 doublings,
//! and two that are added share the doublings.
//!
//! They are signed combs (M. Hamburg, "Fast and compact elliptic-curve cryptography", 2012, section 3.3). A scalar is
//! written with 264 digits that are 1 or -1, and these in 6 columns: digit `i` stands in column `i mod 6`. Of the 44
//! digits of a column, 11 together choose a point, the sum of their `±2^6j·P`. The table holds the sums whose last sign
//! is +, all others are these with the sign changed: 4 · 1024 points of 88 bytes are 361 KB. The columns are added one
//! after the other, and what is there is doubled in between.
//!
//! Variable time: for public data only.

use std::{
    fmt,
    sync::{LazyLock, OnceLock},
};

use k256::{
    AffinePoint, ProjectivePoint, Scalar,
    elliptic_curve::{BatchNormalize, Field, PrimeField},
};

/// Digits that choose a point together.
const TEETH: usize = 11;
/// Choices in a column.
const BLOCKS: usize = 4;
/// Columns.
const COLUMNS: usize = 6;
/// Points of a block.
const CHOICES: usize = 1 << (TEETH - 1);

/// Sums of multiples of one point.
#[derive(Clone)]
pub(super) struct Table(Vec<AffinePoint>);

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Table")
    }
}

/// The table of the generator.
pub(super) fn generator() -> &'static Table {
    static GENERATOR: OnceLock<Table> = OnceLock::new();
    GENERATOR.get_or_init(|| Table::new(&ProjectivePoint::GENERATOR))
}

impl Table {
    /// The table of `point`: 4132 additions, 304 doublings and one inversion, about three milliseconds.
    pub(super) fn new(point: &ProjectivePoint) -> Table {
        let mut points = Vec::with_capacity(BLOCKS * CHOICES);
        let mut tooth = *point;
        for _ in 0..BLOCKS {
            // All signs but the last are -; each of them is then turned in all that is there.
            let start = points.len();
            let mut twice = Vec::with_capacity(TEETH - 1);
            let mut sum = ProjectivePoint::IDENTITY;
            for _ in 1..TEETH {
                sum -= &tooth;
                twice.push(tooth.double());
                tooth = times_column(&tooth);
            }
            points.push(sum + tooth);
            tooth = times_column(&tooth);
            for twice in twice {
                for at in start..points.len() {
                    points.push(points[at] + twice);
                }
            }
        }
        Table(
            <ProjectivePoint as BatchNormalize<[ProjectivePoint]>>::batch_normalize_vartime(
                points.as_slice(),
            ),
        )
    }

    fn point(&self, block: usize, choice: Choice) -> AffinePoint {
        self.0[block * CHOICES + usize::from(choice.index)]
    }
}

/// The next tooth's point.
fn times_column(point: &ProjectivePoint) -> ProjectivePoint {
    (0..COLUMNS).fold(*point, |point, _| point.double())
}

/// The sum of scalars times the tables' points.
pub(super) fn lincomb<const N: usize>(terms: [(&Table, &Digits); N]) -> ProjectivePoint {
    // All points are fetched before the first is added: a table is larger than the near caches, and so the fetches
    // overlap.
    let mut points = [[[AffinePoint::IDENTITY; N]; BLOCKS]; COLUMNS];
    for (column, points) in points.iter_mut().enumerate() {
        for (block, points) in points.iter_mut().enumerate() {
            for (point, (table, digits)) in points.iter_mut().zip(terms) {
                *point = table.point(block, digits.0[column][block]);
            }
        }
    }
    let mut sum = ProjectivePoint::IDENTITY;
    for column in (0..COLUMNS).rev() {
        if column + 1 < COLUMNS {
            sum = sum.double();
        }
        for (block, points) in points[column].iter().enumerate() {
            for (point, (_, digits)) in points.iter().zip(terms) {
                if digits.0[column][block].is_negative {
                    sum -= point;
                } else {
                    sum += point;
                }
            }
        }
    }
    sum
}

/// A scalar as [`lincomb`] takes it.
pub(super) struct Digits([[Choice; BLOCKS]; COLUMNS]);

/// A point of a block.
#[derive(Clone, Copy, Default)]
struct Choice {
    index: u16,
    is_negative: bool,
}

impl Digits {
    /// With `n` digits, `s = Σ ±2^i` where the `+` are the ones of `(s + 2^n - 1) / 2`.
    pub(super) fn of(s: &Scalar) -> Digits {
        static HALF: LazyLock<[Scalar; 2]> = LazyLock::new(|| {
            let n = (TEETH * BLOCKS * COLUMNS) as u64;
            let all_ones = Scalar::from(2u64).pow_vartime([n]) - Scalar::ONE;
            [Scalar::TWO_INV, Scalar::TWO_INV * all_ones]
        });
        let [half, shift] = *HALF;
        let big_endian = (s * &half + shift).to_bytes();
        let bit = |at: usize| match big_endian.len().checked_sub(at / 8 + 1) {
            Some(byte) => u16::from(big_endian[byte] >> (at % 8) & 1),
            // A scalar has fewer bits than there are digits.
            None => 0,
        };
        let mut digits = [[Choice::default(); BLOCKS]; COLUMNS];
        for (column, digits) in digits.iter_mut().enumerate() {
            for (block, digit) in digits.iter_mut().enumerate() {
                let teeth = (0..TEETH).map(|tooth| bit((block * TEETH + tooth) * COLUMNS + column) << tooth);
                let signs = teeth.sum::<u16>();
                let is_negative = usize::from(signs) < CHOICES;
                let signs = if is_negative { !signs } else { signs };
                *digit = Choice {
                    index: signs % CHOICES as u16,
                    is_negative,
                };
            }
        }
        Digits(digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::curve;

    #[test]
    fn a_table_multiplies_as_the_curve_does() {
        let point = ProjectivePoint::GENERATOR * Scalar::from(12345u64);
        let table = Table::new(&point);
        let mut scalars = vec![
            Scalar::ZERO,
            Scalar::ONE,
            -Scalar::ONE,
            Scalar::from(64u64),
            Scalar::from(65u64),
        ];
        scalars.push(curve::reduce(&[0xff; 32]));
        let mut bytes = [7_u8; 32];
        for round in 0..200u16 {
            bytes[usize::from(round) % 32] = bytes[usize::from(round) % 32].wrapping_mul(31).wrapping_add(17);
            scalars.push(curve::reduce(&bytes));
        }
        for pair in scalars.windows(2) {
            let (a, b) = (Digits::of(&pair[0]), Digits::of(&pair[1]));
            assert_eq!(lincomb([(&table, &a)]), point * pair[0]);
            assert_eq!(
                lincomb([(generator(), &a), (&table, &b)]),
                ProjectivePoint::GENERATOR * pair[0] + point * pair[1]
            );
        }
    }
}

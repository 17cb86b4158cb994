//! Fixed-base tables: a multiplication of a point that comes back in every relay becomes 33 additions.
//!
//! A scalar is cut into 33 signed digits of 8 bits; the table holds, for every digit, the 128 multiples of
//! `2^(8·digit)·P`. 33 · 128 points of 88 bytes are 372 KB. Variable time: for public data only.

use std::{fmt, sync::OnceLock};

use k256::{AffinePoint, ProjectivePoint, Scalar, elliptic_curve::BatchNormalize};

/// Bits of a digit.
const WIDTH: usize = 8;
/// Digits of a scalar: 33 · 8 = 264 bits, so that the last carry fits.
const DIGITS: usize = 33;
/// Multiples of one digit; the negative ones are these with their sign changed.
const MULTIPLES: usize = 1 << (WIDTH - 1);

/// Multiples of one point.
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
    /// The table of `point`: 4224 additions and one inversion, about two milliseconds.
    pub(super) fn new(point: &ProjectivePoint) -> Table {
        let mut points = Vec::with_capacity(DIGITS * MULTIPLES);
        let mut base = *point;
        for _ in 0..DIGITS {
            let mut multiple = base;
            for _ in 1..MULTIPLES {
                points.push(multiple);
                multiple += &base;
            }
            points.push(multiple);
            // The last multiple is 2^(WIDTH-1) times the base; twice that is the next digit's base.
            base = multiple.double();
        }
        Table(
            <ProjectivePoint as BatchNormalize<[ProjectivePoint]>>::batch_normalize_vartime(
                points.as_slice(),
            ),
        )
    }

    /// `a·P`.
    pub(super) fn mul(&self, a: &Scalar) -> ProjectivePoint {
        self.mul_add(a, ProjectivePoint::IDENTITY)
    }

    /// `a·P + sum`.
    pub(super) fn mul_add(&self, a: &Scalar, mut sum: ProjectivePoint) -> ProjectivePoint {
        // All multiples are fetched before the first is added: the table is larger than the near caches, and so the
        // fetches overlap.
        let mut multiples = [AffinePoint::IDENTITY; DIGITS];
        let digits = digits(a);
        for ((multiple, row), digit) in multiples
            .iter_mut()
            .zip(self.0.chunks_exact(MULTIPLES))
            .zip(digits)
        {
            if digit != 0 {
                *multiple = row[usize::from(digit.unsigned_abs()) - 1];
            }
        }
        for (multiple, digit) in multiples.iter().zip(digits) {
            match digit {
                0 => {}
                1.. => sum += multiple,
                ..=-1 => sum -= multiple,
            }
        }
        sum
    }
}

/// The scalar's digits, lowest first, each from -127 to 128.
fn digits(a: &Scalar) -> [i16; DIGITS] {
    let bytes = a.to_bytes();
    // Little endian, with room for the last digit to read beyond the end.
    let mut little = [0u8; 34];
    for (to, from) in little.iter_mut().zip(bytes.iter().rev()) {
        *to = *from;
    }
    let mut digits = [0i16; DIGITS];
    let mut carry = 0i16;
    for (i, digit) in digits.iter_mut().enumerate() {
        let bit = i * WIDTH;
        let pair = u16::from_le_bytes([little[bit / 8], little[bit / 8 + 1]]);
        let window = (pair >> (bit % 8)) & ((1 << WIDTH) - 1);
        let value = i16::try_from(window).unwrap_or(0) + carry;
        carry = i16::from(value > 128);
        *digit = value - (carry << WIDTH);
    }
    digits
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
            Scalar::from(128u64),
            Scalar::from(129u64),
        ];
        scalars.push(curve::reduce(&[0xff; 32]));
        let mut bytes = [7_u8; 32];
        for round in 0..200u16 {
            bytes[usize::from(round) % 32] = bytes[usize::from(round) % 32].wrapping_mul(31).wrapping_add(17);
            scalars.push(curve::reduce(&bytes));
        }
        for scalar in &scalars {
            assert_eq!(table.mul(scalar), point * scalar);
            assert_eq!(generator().mul(scalar), ProjectivePoint::GENERATOR * scalar);
        }
    }
}

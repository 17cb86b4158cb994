//! The plain form: what the others are compared with, and what processors without a form of their own run.

use half::{bf16, f16};

use super::{Lanes, ROWS};

/// Sixteen rows in arrays, which the compiler turns into whatever vectors there are.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Lanes for Portable {
    const PARTS: usize = 1;
    type Ints = [i32; ROWS];
    type Floats = [f32; ROWS];
    type Codes = [u8; 64];

    #[inline(always)]
    fn codes(at: &[u8; 64], _: usize) -> [u8; 64] {
        *at
    }

    #[inline(always)]
    fn low(codes: [u8; 64]) -> [u8; 64] {
        codes.map(|code| code & 15)
    }

    #[inline(always)]
    fn high(codes: [u8; 64]) -> [u8; 64] {
        codes.map(|code| code >> 4)
    }

    #[inline(always)]
    fn two_bits(codes: [u8; 64], index: usize) -> [u8; 64] {
        codes.map(|code| code >> (2 * index) & 3)
    }

    #[inline(always)]
    fn with_bit(mut codes: [u8; 64], mask: &[u8; 8], value: u8, _: usize) -> [u8; 64] {
        let mask = u64::from_le_bytes(*mask);
        for (index, code) in codes.iter_mut().enumerate() {
            *code += value * (mask >> index & 1) as u8;
        }
        codes
    }

    #[inline(always)]
    fn look_up(codes: [u8; 64], table: &[u8; 16]) -> [u8; 64] {
        codes.map(|code| table[usize::from(code & 15)])
    }

    #[inline(always)]
    fn ints(of: i32) -> [i32; ROWS] {
        [of; ROWS]
    }

    #[inline(always)]
    fn dot<const SMALL: bool>(mut sum: [i32; ROWS], codes: [u8; 64], x: i32) -> [i32; ROWS] {
        let x = x.to_le_bytes().map(|byte| i32::from(byte as i8));
        for (sum, codes) in sum.iter_mut().zip(codes.as_chunks::<4>().0) {
            for (code, x) in codes.iter().zip(x) {
                *sum += i32::from(*code) * x;
            }
        }
        sum
    }

    #[inline(always)]
    fn joined(high: [i32; ROWS], low: [i32; ROWS]) -> [i32; ROWS] {
        std::array::from_fn(|row| (high[row] << 8) + low[row])
    }

    #[inline(always)]
    fn floats(of: f32) -> [f32; ROWS] {
        [of; ROWS]
    }

    #[inline(always)]
    fn converted(ints: [i32; ROWS]) -> [f32; ROWS] {
        ints.map(|int| int as f32)
    }

    #[inline(always)]
    fn singles(at: &[u8; 64], _: usize) -> [f32; ROWS] {
        let four = at.as_chunks::<4>().0;
        std::array::from_fn(|row| f32::from_le_bytes(four[row]))
    }

    #[inline(always)]
    fn halves(at: &[u8; 32], _: usize) -> [f32; ROWS] {
        let two = at.as_chunks::<2>().0;
        std::array::from_fn(|row| f16::from_le_bytes(two[row]).to_f32())
    }

    #[inline(always)]
    fn upper_halves(at: &[u8; 32], _: usize) -> [f32; ROWS] {
        let two = at.as_chunks::<2>().0;
        std::array::from_fn(|row| bf16::from_le_bytes(two[row]).to_f32())
    }

    #[inline(always)]
    fn unsigned(at: &[u8; 16], _: usize) -> [f32; ROWS] {
        at.map(f32::from)
    }

    #[inline(always)]
    fn signed(at: &[u8; 16], _: usize) -> [f32; ROWS] {
        at.map(|byte| f32::from(byte as i8))
    }

    #[inline(always)]
    fn times(a: [f32; ROWS], b: [f32; ROWS]) -> [f32; ROWS] {
        std::array::from_fn(|row| a[row] * b[row])
    }

    #[inline(always)]
    fn plus(a: [f32; ROWS], b: [f32; ROWS]) -> [f32; ROWS] {
        std::array::from_fn(|row| a[row] + b[row])
    }

    #[inline(always)]
    fn times_plus(a: [f32; ROWS], b: [f32; ROWS], c: [f32; ROWS]) -> [f32; ROWS] {
        std::array::from_fn(|row| a[row].mul_add(b[row], c[row]))
    }

    #[inline(always)]
    fn store(of: [f32; ROWS], out: &mut [f32; ROWS], _: usize) {
        *out = of;
    }
}

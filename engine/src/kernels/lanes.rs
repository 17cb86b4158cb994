//! Sixteen rows of a matrix at once: the few vector operations that the products are written in, for each processor.
//!
//! The products are written once, over [`Lanes`]; each processor gives its own vectors. The portable form computes the
//! same numbers in the same order, so that it can judge the others bit by bit.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use crate::simd::SimdLevel;

/// Rows of a tile.
pub(super) const ROWS: usize = 16;

/// Vectors over some rows of a tile: all sixteen, or a half of them at a time.
///
/// Methods of a processor's form may be called only where the processor has its instructions.
pub(super) trait Lanes: Copy {
    /// How many times a tile is gone through.
    const PARTS: usize;
    /// One whole number of 32 bits for each row.
    type Ints: Copy;
    /// One figure for each row.
    type Floats: Copy;
    /// Codes of four columns for each row.
    type Codes: Copy;

    /// Loads codes of four columns of all rows, a byte each.
    fn codes(at: &[u8; 64], part: usize) -> Self::Codes;
    /// Gives the low halves of the bytes.
    fn low(codes: Self::Codes) -> Self::Codes;
    /// Gives the high halves of the bytes.
    fn high(codes: Self::Codes) -> Self::Codes;
    /// Gives two bits of each byte, from bit `2 * index` on.
    fn two_bits(codes: Self::Codes, index: usize) -> Self::Codes;
    /// Adds `value` to the codes whose bit is set in `mask`, for which it is not set yet.
    fn with_bit(codes: Self::Codes, mask: &[u8; 8], value: u8, part: usize) -> Self::Codes;
    /// Gives the byte of the table that each code, below 16, stands for.
    fn look_up(codes: Self::Codes, table: &[u8; 16]) -> Self::Codes;

    /// The same whole number for every row.
    fn ints(of: i32) -> Self::Ints;
    /// Adds the products of unsigned codes with four signed bytes, which `x` holds. `SMALL` says that no code is above 63.
    fn dot<const SMALL: bool>(sum: Self::Ints, codes: Self::Codes, x: i32) -> Self::Ints;
    /// `high * 256 + low`
    fn joined(high: Self::Ints, low: Self::Ints) -> Self::Ints;

    /// The same figure for every row.
    fn floats(of: f32) -> Self::Floats;
    /// Converts whole numbers.
    fn converted(ints: Self::Ints) -> Self::Floats;
    /// Loads figures of 32 bits.
    fn singles(at: &[u8; 64], part: usize) -> Self::Floats;
    /// Loads figures of 16 bits (IEEE).
    fn halves(at: &[u8; 32], part: usize) -> Self::Floats;
    /// Loads figures of which the upper 16 bits are kept.
    fn upper_halves(at: &[u8; 32], part: usize) -> Self::Floats;
    /// Loads whole numbers from 0 to 255.
    fn unsigned(at: &[u8; 16], part: usize) -> Self::Floats;
    /// Loads whole numbers from -128 to 127.
    fn signed(at: &[u8; 16], part: usize) -> Self::Floats;
    /// `a * b`
    fn times(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `a + b`
    fn plus(a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `a * b + c`, rounded once
    fn times_plus(a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    /// Writes the figures to their rows.
    fn store(of: Self::Floats, out: &mut [f32; ROWS], part: usize);
}

/// Something to compute that is written for any processor.
pub(super) trait Work {
    type Output;

    /// Does it. To be compiled for each processor it must be inlined, with all that it calls.
    fn run<L: Lanes>(self) -> Self::Output;
}

/// Does a piece of work with the instructions of a level.
pub(super) fn dispatch<W: Work>(level: SimdLevel, work: W) -> W::Output {
    match level {
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx512 => {
            #[allow(unsafe_code, reason = "the processor was asked for these instructions")]
            // SAFETY: this level is only ever detected on a processor with these instructions.
            unsafe {
                with_avx512(work)
            }
        }
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx2 => {
            #[allow(unsafe_code, reason = "the processor was asked for these instructions")]
            // SAFETY: this level is only ever detected on a processor with these instructions.
            unsafe {
                with_avx2(work)
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        SimdLevel::Avx512 | SimdLevel::Avx2 => work.run::<portable::Portable>(),
        SimdLevel::Portable => work.run::<portable::Portable>(),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
fn with_avx512<W: Work>(work: W) -> W::Output {
    work.run::<avx512::Avx512>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn with_avx2<W: Work>(work: W) -> W::Output {
    work.run::<avx2::Avx2>()
}

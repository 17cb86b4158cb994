//! Chooses the form of each matrix kernel that this processor runs fastest.

use super::activations::Codes;
#[cfg(target_arch = "x86_64")]
use super::avx2;
use super::blocks::{BlockKind, HalfKind};
use super::portable;
use crate::simd::{SimdLevel, simd_level};

/// Writes a function that calls the form for this processor.
macro_rules! dispatch {
    ($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*)) => {
        $(#[$doc])*
        pub(super) fn $name($($argument: $type),*) {
            match simd_level() {
                #[cfg(target_arch = "x86_64")]
                SimdLevel::Avx2 => {
                    #[allow(unsafe_code, reason = "the processor was asked for these instructions")]
                    // SAFETY: This level is only ever detected on a processor with AVX2, FMA and F16C.
                    unsafe {
                        avx2::$name($($argument),*);
                    }
                }
                #[cfg(not(target_arch = "x86_64"))]
                SimdLevel::Avx2 => portable::$name($($argument),*),
                SimdLevel::Portable => portable::$name($($argument),*),
            }
        }
    };
}

dispatch! {
    /// Multiplies one weight row with one to three columns.
    dot_blocks(kind: BlockKind, row: &[u8], x: &Codes, out: &mut [f32])
}
dispatch! {
    /// Widens a row of blocks to f32.
    widen_blocks(kind: BlockKind, row: &[u8], out: &mut [f32])
}
dispatch! {
    /// Widens a row of 16-bit numbers to f32.
    widen_halves(kind: HalfKind, row: &[u8], out: &mut [f32])
}
dispatch! {
    /// Multiplies weight rows (rows, width) with vectors (n, width); row `r` of the product begins at
    /// `out[r * stride]`.
    multiply_wide(rows: &[f32], x: &[f32], width: usize, out: &mut [f32], stride: usize)
}
dispatch! {
    /// Adds rows (n, width) of `values`, each times its share, to `out` (width).
    weighted_sum(shares: &[f32], values: &[f32], width: usize, out: &mut [f32])
}
dispatch! {
    /// Turns every number into `exp(x - top)`.
    exp_below(x: &mut [f32], top: f32)
}

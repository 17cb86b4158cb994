//! Arithmetic on the processor: quantised matrices times activations, attention, and small vector work.
//!
//! Every kernel has a portable form, which is the reference, and where it pays an AVX2 form chosen at run
//! time, so one build runs on every processor. Other instruction sets come under the same dispatch.

mod activations;
mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
mod blocks;
mod kernel;
mod matrix;
mod ops;
mod portable;

use std::sync::OnceLock;

pub(crate) use attention::{KvSpan, Queries, attend};
pub(crate) use matrix::{Matrix, Stack};
pub(crate) use ops::{add_in_place, rms_norm, rotate_halves, rotate_pairs, silu_mul};

use crate::hardware::SimdLevel;

/// Gives the widest instructions this processor has, looked up once.
pub(crate) fn simd_level() -> SimdLevel {
    static LEVEL: OnceLock<SimdLevel> = OnceLock::new();
    *LEVEL.get_or_init(detect)
}

#[cfg(target_arch = "x86_64")]
fn detect() -> SimdLevel {
    let all = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c");
    if all { SimdLevel::Avx2 } else { SimdLevel::Portable }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> SimdLevel {
    SimdLevel::Portable
}

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

pub(crate) use attention::{KvSpan, Queries, attend};
pub(crate) use matrix::{Matrix, Stack};
pub(crate) use ops::{add_in_place, rms_norm, rotate_halves, rotate_pairs, silu_mul};

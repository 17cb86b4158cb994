//! Arithmetic on the processor: packed matrices times activations, attention, and small vector work.
//!
//! What takes time is written once over a few vector operations, and compiled for each set of instructions; the best
//! of them is chosen at run time, so one build runs on every processor. All sets give the same figures.

mod attention;
mod columns;
mod compute;
mod format;
mod lanes;
mod matrix;
mod memory;
mod ops;
mod pack;
mod pool;
mod product;
mod source;

pub(crate) use attention::{Attention, KvLayout, KvSpan, KvWidth, PAGE_TOKENS, Queries, Scratch, attend};
pub(crate) use columns::{CodeBits, Columns};
pub(crate) use compute::Compute;
pub(crate) use matrix::{Matrix, PackError, Stack};
pub(crate) use memory::Aligned;
pub(crate) use ops::{
    Activation, add_in_place, capped, rms_norm, rms_norm_in_place, rotate_halves, rotate_pairs,
};
pub(crate) use pool::Cut;

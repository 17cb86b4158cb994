//! The plain form of the matrix kernels: the reference for every other.

use super::activations::{BLOCK, Codes};
use super::blocks::{BlockKind, HalfKind};
use super::ops::exp;

/// Multiplies one weight row with a few columns.
pub(super) fn dot_blocks(kind: BlockKind, row: &[u8], x: &Codes, out: &mut [f32]) {
    out.fill(0.0);
    for (index, block) in row.chunks_exact(kind.bytes()).enumerate() {
        let opened = kind.open(block);
        for (column, out) in out.iter_mut().enumerate() {
            let at = index * x.columns + column;
            let codes = &x.codes[at * BLOCK..(at + 1) * BLOCK];
            let product: i32 = opened
                .codes
                .iter()
                .zip(codes)
                .map(|(&w, &x)| i32::from(w) * i32::from(x))
                .sum();
            *out += opened.step * x.scales[at] * product as f32 + opened.offset * x.sums[at];
        }
    }
}

/// Widens a row of blocks.
pub(super) fn widen_blocks(kind: BlockKind, row: &[u8], out: &mut [f32]) {
    kind.widen(row, out);
}

/// Widens a row of 16-bit numbers.
pub(super) fn widen_halves(kind: HalfKind, row: &[u8], out: &mut [f32]) {
    kind.widen(row, out);
}

/// Multiplies weight rows (rows, width) with vectors (n, width); row `r` of the product begins at
/// `out[r * stride]`.
pub(super) fn multiply_wide(rows: &[f32], x: &[f32], width: usize, out: &mut [f32], stride: usize) {
    for (row, out) in rows.chunks_exact(width).zip(out.chunks_mut(stride)) {
        for (x, out) in x.chunks_exact(width).zip(out) {
            *out = dot(row, x);
        }
    }
}

/// Adds rows (n, width) of `values`, each times its share, to `out` (width).
pub(super) fn weighted_sum(shares: &[f32], values: &[f32], width: usize, out: &mut [f32]) {
    for (share, row) in shares.iter().zip(values.chunks_exact(width)) {
        for (out, value) in out.iter_mut().zip(row) {
            *out += share * value;
        }
    }
}

/// Turns every number into `exp(x - top)`.
pub(super) fn exp_below(x: &mut [f32], top: f32) {
    exp_plain(x, top);
}

#[inline(always)]
pub(super) fn exp_plain(x: &mut [f32], top: f32) {
    for x in x {
        *x = exp(*x - top);
    }
}

/// Multiplies two vectors. Thirty-two running sums let the compiler use whatever vectors there are.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 32];
    let (a_parts, a_tail) = a.as_chunks::<32>();
    let (b_parts, b_tail) = b.as_chunks::<32>();
    let tail: f32 = a_tail.iter().zip(b_tail).map(|(a, b)| a * b).sum();
    for (a, b) in a_parts.iter().zip(b_parts) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let mut width = 16;
    while width > 0 {
        for index in 0..width {
            sums[index] += sums[index + width];
        }
        width /= 2;
    }
    sums[0] + tail
}

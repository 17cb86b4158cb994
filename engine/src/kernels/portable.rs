//! The plain form of the matrix kernels: the reference for every other.

use super::activations::{BLOCK, TILE, Tile};
use super::blocks::BlockKind;

/// Multiplies one weight row with the columns of a tile.
pub(super) fn dot_blocks(kind: BlockKind, row: &[u8], tile: &Tile, out: &mut [f32]) {
    let columns = tile.columns;
    let mut sums = [0.0_f32; TILE];
    for (index, block) in row.chunks_exact(kind.bytes()).enumerate() {
        let opened = kind.open(block);
        for (column, sum) in sums.iter_mut().enumerate().take(columns) {
            let at = index * columns + column;
            let codes = &tile.codes[at * BLOCK..(at + 1) * BLOCK];
            let product: i32 = opened
                .codes
                .iter()
                .zip(codes)
                .map(|(&w, &x)| i32::from(w) * i32::from(x))
                .sum();
            *sum += opened.step * tile.scales[at] * product as f32 + opened.offset * tile.sums[at];
        }
    }
    out.copy_from_slice(&sums[..columns]);
}

/// Multiplies two vectors. Thirty-two running sums let the compiler use whatever vectors there are.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 32];
    let (a_parts, b_parts) = (a.chunks_exact(32), b.chunks_exact(32));
    let tail: f32 = a_parts
        .remainder()
        .iter()
        .zip(b_parts.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in a_parts.zip(b_parts) {
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

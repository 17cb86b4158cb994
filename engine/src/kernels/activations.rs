//! Activations quantised to 8 bits in blocks of 32, laid out as the kernels read them.

use rayon::prelude::*;

/// Weights and activations are cut into blocks of this many.
pub(crate) const BLOCK: usize = 32;
/// Columns (tokens) that one pass over a weight row serves. Four accumulators, four activation loads and the
/// unpacked codes fit into the sixteen vector registers of AVX2 with room for the scales.
pub(crate) const TILE: usize = 4;

/// Up to [`TILE`] activation vectors, interleaved by block.
#[derive(Debug)]
pub(crate) struct Tile {
    /// How many vectors.
    pub(crate) columns: usize,
    /// (block, column, 32) codes from -127 to 127.
    pub(crate) codes: Vec<i8>,
    /// (block, column) step of the codes.
    pub(crate) scales: Vec<f32>,
    /// (block, column) sum of the codes times the step: what a weight block's offset is multiplied by.
    pub(crate) sums: Vec<f32>,
}

/// Quantises `x` (rows, width) into tiles.
pub(crate) fn quantise(x: &[f32], width: usize) -> Vec<Tile> {
    let groups: Vec<&[f32]> = x.chunks(width * TILE).collect();
    if let [group] = groups.as_slice() {
        return vec![tile(group, width)];
    }
    groups.into_par_iter().map(|group| tile(group, width)).collect()
}

fn tile(group: &[f32], width: usize) -> Tile {
    let (columns, blocks) = (group.len() / width, width / BLOCK);
    let mut tile = Tile {
        columns,
        codes: vec![0; blocks * columns * BLOCK],
        scales: vec![0.0; blocks * columns],
        sums: vec![0.0; blocks * columns],
    };
    for (column, vector) in group.chunks_exact(width).enumerate() {
        for (index, block) in vector.chunks_exact(BLOCK).enumerate() {
            let at = index * columns + column;
            let codes = &mut tile.codes[at * BLOCK..(at + 1) * BLOCK];
            let (scale, sum) = quantise_block(block, codes);
            tile.scales[at] = scale;
            tile.sums[at] = sum;
        }
    }
    tile
}

fn quantise_block(block: &[f32], codes: &mut [i8]) -> (f32, f32) {
    let mut top = [0.0_f32; 8];
    for part in block.chunks_exact(8) {
        for (top, x) in top.iter_mut().zip(part) {
            *top = top.max(x.abs());
        }
    }
    let top = top.iter().copied().fold(0.0, f32::max);
    let scale = top / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let mut sum = 0_i32;
    for (code, x) in codes.iter_mut().zip(block) {
        let rounded = round(x * inverse);
        *code = rounded as i8;
        sum += rounded;
    }
    (scale, scale * sum as f32)
}

/// Rounds to the nearest whole number, ties to even, for numbers below 2^22: adding this constant leaves the
/// whole part in the low bits. Unlike `round` it needs no call and vectorises on every processor.
#[inline(always)]
pub(crate) fn round(x: f32) -> i32 {
    const MAGIC: f32 = 12_582_912.0;
    (x + MAGIC).to_bits() as i32 - MAGIC.to_bits() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_times_step_are_near_the_numbers() {
        let x: Vec<f32> = (0..64 * 6)
            .map(|i| ((i * 37 % 101) as f32 - 50.0) / 7.0)
            .collect();
        let tiles = quantise(&x, 64);
        assert_eq!(tiles.iter().map(|tile| tile.columns).collect::<Vec<_>>(), [4, 2]);
        for (index, value) in x.iter().enumerate() {
            let (row, position) = (index / 64, index % 64);
            let tile = &tiles[row / TILE];
            let at = (position / BLOCK) * tile.columns + row % TILE;
            let code = tile.codes[at * BLOCK + position % BLOCK];
            assert!(
                (f32::from(code) * tile.scales[at] - value).abs() <= tile.scales[at] * 0.51,
                "{index}"
            );
        }
        assert_eq!(
            [round(-2.5), round(1.4999), round(-127.0), round(0.0)],
            [-2, 1, -127, 0]
        );
    }
}

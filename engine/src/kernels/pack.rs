//! Packs the rows of a file into tiles, and opens a row again.

use half::{bf16, f16};

use super::format::{BLOCK, Format, GROUPS, Packing, Steps};
use super::lanes::ROWS;
use super::source::{Block, Head};

/// Packs up to sixteen rows; those that are missing are zero.
pub(super) fn pack<F: Format>(packing: Packing, rows: &[&[u8]], tile: &mut [u8], columns: usize) {
    let (codes, steps) = tile.split_at_mut(columns / BLOCK * F::CODE_BYTES);
    let spans = steps.chunks_exact_mut(F::SPAN_BYTES);
    let blocks = codes.chunks_exact_mut(F::CODE_BYTES * F::BLOCKS);
    for (index, (steps, codes)) in spans.zip(blocks).enumerate() {
        for (row, bytes) in rows.iter().enumerate() {
            let len = bytes.len() / (columns / BLOCK / F::BLOCKS);
            let span = &bytes[index * len..][..len];
            let (head, steps) = steps.split_at_mut(F::HEAD_BYTES);
            if F::HEAD_BYTES > 0 {
                write_head(packing.head(span), head, row);
            }
            let steps = steps.chunks_exact_mut(F::ALL_STEP_BYTES);
            for (block, (steps, codes)) in steps.zip(codes.chunks_exact_mut(F::CODE_BYTES)).enumerate() {
                let block = packing.block(span, block);
                write_codes::<F>(&block.codes, codes, row);
                write_steps::<F>(&block, steps, row);
            }
        }
    }
}

fn write_head(head: Head, out: &mut [u8], row: usize) {
    let (steps, offsets) = out.split_at_mut(2 * ROWS);
    steps[2 * row..][..2].copy_from_slice(&head.step.to_le_bytes());
    if !offsets.is_empty() {
        offsets[2 * row..][..2].copy_from_slice(&head.offset.to_le_bytes());
    }
}

fn write_steps<F: Format>(block: &Block, out: &mut [u8], row: usize) {
    let figures = block.steps.iter().take(F::PARTS);
    let offsets = block.offsets.iter().take(F::PARTS * usize::from(F::OFFSETS));
    for (figure, out) in figures.chain(offsets).zip(out.chunks_exact_mut(F::STEP_BYTES)) {
        match F::STEPS {
            Steps::Half | Steps::UpperHalf => out[2 * row..][..2].copy_from_slice(&figure.to_le_bytes()),
            Steps::Unsigned | Steps::Signed => out[row] = *figure as u8,
        }
    }
}

#[inline(always)]
fn write_codes<F: Format>(codes: &[u8; BLOCK], out: &mut [u8], row: usize) {
    let (whole, masks) = out.split_at_mut(BLOCK * ROWS * F::BYTE_BITS / 8);
    let sharing = 8 / F::BYTE_BITS;
    let low = ((1_u16 << F::BYTE_BITS) - 1) as u8;
    for (group, four) in codes.as_chunks::<4>().0.iter().enumerate() {
        let bytes = &mut whole[group / sharing * 64 + 4 * row..][..4];
        let shift = F::BYTE_BITS * (group % sharing);
        for (byte, code) in bytes.iter_mut().zip(four) {
            *byte |= (code & low) << shift;
        }
        for plane in 0..F::BITS - F::BYTE_BITS {
            let bits = (0..4).fold(0, |bits, i| bits | (four[i] >> (F::BYTE_BITS + plane) & 1) << i);
            masks[(plane * GROUPS + group) * 8 + row / 2] |= bits << (4 * (row % 2));
        }
    }
}

/// Opens one row of a tile.
pub(super) fn open_row<F: Format>(tile: &[u8], row: usize, out: &mut [f32]) {
    let (codes, steps) = tile.split_at(out.len() / BLOCK * F::CODE_BYTES);
    let blocks = codes.chunks_exact(F::CODE_BYTES);
    for (index, (codes, out)) in blocks.zip(out.chunks_exact_mut(BLOCK)).enumerate() {
        let span = &steps[index / F::BLOCKS * F::SPAN_BYTES..][..F::SPAN_BYTES];
        let (head, steps) = span.split_at(F::HEAD_BYTES);
        let steps = &steps[index % F::BLOCKS * F::ALL_STEP_BYTES..][..F::ALL_STEP_BYTES];
        let figure = |part: usize, offset: usize| {
            let at = &steps[(offset * F::PARTS + part) * F::STEP_BYTES..][..F::STEP_BYTES];
            match F::STEPS {
                Steps::Half => half_at(at, row),
                Steps::UpperHalf => bf16::from_le_bytes([at[2 * row], at[2 * row + 1]]).to_f32(),
                Steps::Unsigned => f32::from(at[row]) * half_at(&head[2 * ROWS * offset..], row),
                Steps::Signed => f32::from(at[row] as i8) * half_at(&head[2 * ROWS * offset..], row),
            }
        };
        for (part, out) in out.chunks_exact_mut(F::SHARED_BY).enumerate() {
            let step = figure(part, 0);
            let offset = if F::OFFSETS { figure(part, 1) } else { 0.0 };
            for (i, out) in out.iter_mut().enumerate() {
                let code = code_at::<F>(codes, row, part * F::SHARED_BY + i);
                *out = step * (i32::from(code) - F::ZERO) as f32 + offset;
            }
        }
    }
}

fn half_at(figures: &[u8], row: usize) -> f32 {
    f16::from_le_bytes([figures[2 * row], figures[2 * row + 1]]).to_f32()
}

fn code_at<F: Format>(bytes: &[u8], row: usize, column: usize) -> u8 {
    let (whole, masks) = bytes.split_at(BLOCK * ROWS * F::BYTE_BITS / 8);
    let sharing = 8 / F::BYTE_BITS;
    let (group, place) = (column / 4, 4 * row + column % 4);
    let low = ((1_u16 << F::BYTE_BITS) - 1) as u8;
    let mut code = whole[group / sharing * 64 + place] >> (F::BYTE_BITS * (group % sharing)) & low;
    if let Some(table) = F::TABLE {
        code = table[usize::from(code & 15)];
    }
    for plane in 0..F::BITS - F::BYTE_BITS {
        let bit = masks[(plane * GROUPS + group) * 8 + place / 8] >> (place % 8) & 1;
        code |= bit << (F::BYTE_BITS + plane);
    }
    code
}

//! The quantised formats of GGUF files: what their bytes mean (ggml: `ggml-common.h`, `ggml-quants.c`).

use super::format::{BLOCK, Packing};
use super::product::{Form, Width};
use crate::checkpoint::TensorType;

/// 32 weights of a row as a packed form has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) codes: [u8; BLOCK],
    /// The step of each half; one step for all is in both.
    pub(super) steps: [u16; 2],
    pub(super) offsets: [u16; 2],
}

/// What the steps and the offsets of a span are multiplied with: figures of 16 bits (IEEE).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) step: u16,
    pub(super) offset: u16,
}

/// The sign of a figure of 16 bits.
const MINUS: u16 = 1 << 15;

/// Gives the form in which a type of file is kept.
pub(super) fn form_of(dtype: TensorType) -> Form {
    match dtype {
        TensorType::F32 => Form::Plain(Width::F32),
        TensorType::F16 => Form::Plain(Width::F16),
        TensorType::Bf16 => Form::Plain(Width::Bf16),
        TensorType::Q4_0 => Form::Packed(Packing::Four),
        TensorType::Q4_1 => Form::Packed(Packing::FourOffset),
        TensorType::Q5_0 => Form::Packed(Packing::Five),
        TensorType::Q5_1 => Form::Packed(Packing::FiveOffset),
        TensorType::Q8_0 => Form::Packed(Packing::Eight),
        TensorType::Q2K => Form::Packed(Packing::Two),
        TensorType::Q3K => Form::Packed(Packing::Three),
        TensorType::Q4K => Form::Packed(Packing::FourSpan),
        TensorType::Q5K => Form::Packed(Packing::FiveSpan),
        TensorType::Q6K => Form::Packed(Packing::Six),
        TensorType::Iq4Nl => Form::Packed(Packing::Uneven),
        TensorType::Iq4Xs => Form::Packed(Packing::UnevenSpan),
        TensorType::Mxfp4 => Form::Packed(Packing::Micro),
    }
}

impl Packing {
    /// Reads what a span of 256 columns begins with, as the file has it.
    pub(super) fn head(self, span: &[u8]) -> Head {
        let with_offset = |at: usize| Head {
            step: two(span, at),
            // What files take off is an offset here.
            offset: two(span, at + 2) ^ MINUS,
        };
        let step = |at| Head {
            step: two(span, at),
            offset: 0,
        };
        match self {
            Self::Two => with_offset(80),
            Self::FourSpan | Self::FiveSpan => with_offset(0),
            Self::Three | Self::Six => step(span.len() - 2),
            Self::UnevenSpan => step(0),
            Self::Four | Self::FourOffset | Self::Five | Self::FiveOffset => Head::default(),
            Self::Eight | Self::Uneven | Self::Micro => Head::default(),
        }
    }

    /// Reads one block. `bytes` are those of the block, or of its span, in which it is the `index`th.
    #[inline]
    pub(super) fn block(self, bytes: &[u8], index: usize) -> Block {
        let alone = |codes, step| Block {
            codes,
            steps: [step; 2],
            offsets: [0; 2],
        };
        let with_offset = |codes| Block {
            codes,
            steps: [two(bytes, 0); 2],
            offsets: [two(bytes, 2); 2],
        };
        match self {
            Self::Four | Self::Uneven => alone(nibbles(&bytes[2..18], 0), two(bytes, 0)),
            Self::FourOffset => with_offset(nibbles(&bytes[4..20], 0)),
            Self::Five => alone(nibbles(&bytes[6..22], four(bytes, 2)), two(bytes, 0)),
            Self::FiveOffset => with_offset(nibbles(&bytes[8..24], four(bytes, 4))),
            Self::Eight => alone(each(|i| bytes[2 + i] ^ 128), two(bytes, 0)),
            Self::Micro => alone(nibbles(&bytes[1..17], 0), power_of_two(bytes[0])),
            Self::Two => two_bits(bytes, index),
            Self::Three => three_bits(bytes, index),
            Self::FourSpan => four_bits(bytes, index, None),
            Self::FiveSpan => four_bits(bytes, index, Some(16)),
            Self::Six => six_bits(bytes, index),
            Self::UnevenSpan => {
                let low = bytes[4 + index / 2] >> (4 * (index % 2)) & 15;
                let high = (two(bytes, 2) >> (2 * index) & 3) as u8;
                let step = (low | high << 4).wrapping_sub(32);
                alone(nibbles(&bytes[8 + 16 * index..][..16], 0), u16::from(step))
            }
        }
    }
}

fn two(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn four(bytes: &[u8], at: usize) -> u32 {
    u32::from(two(bytes, at)) | u32::from(two(bytes, at + 2)) << 16
}

#[inline(always)]
fn each(code: impl Fn(usize) -> u8) -> [u8; BLOCK] {
    std::array::from_fn(code)
}

/// The low halves of 16 bytes are the first 16 codes, the high halves the others; `fifth` holds their fifth bits.
#[inline(always)]
fn nibbles(bytes: &[u8], fifth: u32) -> [u8; BLOCK] {
    let mut codes = [0; BLOCK];
    for (index, byte) in bytes.iter().enumerate().take(16) {
        codes[index] = byte & 15 | ((fifth >> index & 1) << 4) as u8;
        codes[index + 16] = byte >> 4 | ((fifth >> (index + 16) & 1) << 4) as u8;
    }
    codes
}

/// The upper 16 bits of half of `2^(exponent - 127)`: the levels of the format are doubled to be whole.
fn power_of_two(exponent: u8) -> u16 {
    match exponent {
        0 => 0x20,
        1 => 0x40,
        _ => (u16::from(exponent) - 1) << 7,
    }
}

/// Q2_K: 16 scales with their offsets, 64 bytes of codes, two figures.
fn two_bits(bytes: &[u8], index: usize) -> Block {
    let codes = &bytes[16 + 32 * (index / 4)..][..32];
    let scales = [bytes[2 * index], bytes[2 * index + 1]];
    Block {
        codes: each(|i| codes[i] >> (2 * (index % 4)) & 3),
        steps: scales.map(|scale| u16::from(scale & 15)),
        offsets: scales.map(|scale| u16::from(scale >> 4)),
    }
}

/// Q3_K: 32 bytes of third bits, 64 bytes of codes, 12 bytes of scales, a figure.
fn three_bits(bytes: &[u8], index: usize) -> Block {
    let codes = &bytes[32 + 32 * (index / 4)..][..32];
    let scales = &bytes[96..108];
    let step = |at: usize| {
        let low = scales[at % 8] >> (4 * (at / 8)) & 15;
        let high = scales[8 + at % 4] >> (2 * (at / 4)) & 3;
        u16::from((low | high << 4).wrapping_sub(32))
    };
    Block {
        codes: each(|i| codes[i] >> (2 * (index % 4)) & 3 | (bytes[i] >> index & 1) << 2),
        steps: [step(2 * index), step(2 * index + 1)],
        offsets: [0; 2],
    }
}

/// Q4_K and Q5_K: two figures, 12 bytes of scales and offsets, in Q5_K 32 bytes of fifth bits, 128 bytes of codes.
fn four_bits(bytes: &[u8], index: usize, fifths: Option<usize>) -> Block {
    let packed = &bytes[4..16];
    let (step, offset) = match index {
        0..4 => (packed[index] & 63, packed[index + 4] & 63),
        _ => (
            packed[index + 4] & 15 | packed[index - 4] >> 6 << 4,
            packed[index + 4] >> 4 | packed[index] >> 6 << 4,
        ),
    };
    let start = fifths.map_or(16, |at| at + 32);
    let codes = &bytes[start + 32 * (index / 2)..][..32];
    let fifth = |i: usize| fifths.map_or(0, |at| (bytes[at + i] >> index & 1) << 4);
    Block {
        codes: each(|i| codes[i] >> (4 * (index % 2)) & 15 | fifth(i)),
        steps: [u16::from(step); 2],
        offsets: [u16::from(offset); 2],
    }
}

/// Q6_K: 128 bytes of low bits, 64 bytes of high bits, 16 scales, a figure.
fn six_bits(bytes: &[u8], index: usize) -> Block {
    let (half, quarter) = (index / 4, index % 4);
    let low = &bytes[64 * half + 32 * (quarter % 2)..][..32];
    let high = &bytes[128 + 32 * half..][..32];
    let step = |at: usize| u16::from(bytes[192 + 2 * index + at]);
    Block {
        codes: each(|i| low[i] >> (4 * (quarter / 2)) & 15 | (high[i] >> (2 * quarter) & 3) << 4),
        steps: [step(0), step(1)],
        offsets: [0; 2],
    }
}

//! The block-of-32 weight formats of GGUF files: what their bytes mean.
//!
//! A weight is `step * code + offset`; the formats differ in the width of the code and in where offset and
//! signs come from (ggml: `ggml-common.h`).

use half::{bf16, f16};

use super::activations::BLOCK;
use crate::checkpoint::TensorType;

/// A format whose rows are chains of blocks of 32 weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockKind {
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
}

/// One block, opened: codes as they are multiplied, with step and offset.
pub(crate) struct Opened {
    pub(crate) codes: [i8; BLOCK],
    pub(crate) step: f32,
    pub(crate) offset: f32,
}

impl BlockKind {
    pub(crate) fn of(dtype: TensorType) -> Option<Self> {
        match dtype {
            TensorType::Q4_0 => Some(Self::Q4_0),
            TensorType::Q4_1 => Some(Self::Q4_1),
            TensorType::Q5_0 => Some(Self::Q5_0),
            TensorType::Q5_1 => Some(Self::Q5_1),
            TensorType::Q8_0 => Some(Self::Q8_0),
            TensorType::F32 | TensorType::F16 | TensorType::Bf16 => None,
            TensorType::Q2K | TensorType::Q3K | TensorType::Q4K | TensorType::Q5K | TensorType::Q6K => None,
        }
    }

    /// Gives the bytes of one block.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
        }
    }

    /// Opens one block of [`BlockKind::bytes`] bytes.
    #[inline(always)]
    pub(crate) fn open(self, block: &[u8]) -> Opened {
        let step = half_at(block, 0);
        match self {
            Self::Q4_0 => Opened {
                codes: nibbles(&block[2..18], 0),
                step,
                offset: -8.0 * step,
            },
            Self::Q4_1 => Opened {
                codes: nibbles(&block[4..20], 0),
                step,
                offset: half_at(block, 2),
            },
            Self::Q5_0 => Opened {
                codes: nibbles(&block[6..22], bits_at(block, 2)),
                step,
                offset: -16.0 * step,
            },
            Self::Q5_1 => Opened {
                codes: nibbles(&block[8..24], bits_at(block, 4)),
                step,
                offset: half_at(block, 2),
            },
            Self::Q8_0 => {
                let mut codes = [0; BLOCK];
                for (code, byte) in codes.iter_mut().zip(&block[2..34]) {
                    *code = *byte as i8;
                }
                Opened {
                    codes,
                    step,
                    offset: 0.0,
                }
            }
        }
    }

    /// Widens a whole row.
    pub(crate) fn widen(self, row: &[u8], out: &mut [f32]) {
        for (block, out) in row.chunks_exact(self.bytes()).zip(out.chunks_exact_mut(BLOCK)) {
            let opened = self.open(block);
            for (out, code) in out.iter_mut().zip(opened.codes) {
                *out = opened.step * f32::from(code) + opened.offset;
            }
        }
    }
}

/// Gives the fifth bits of a block's codes, the first code's in the lowest.
fn bits_at(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// The low halves of 16 bytes are the first 16 codes, the high halves the others.
#[inline(always)]
fn nibbles(bytes: &[u8], fifth: u32) -> [i8; BLOCK] {
    let mut codes = [0; BLOCK];
    for (index, byte) in bytes.iter().enumerate() {
        codes[index] = ((byte & 15) | ((fifth >> index & 1) << 4) as u8) as i8;
        codes[index + 16] = ((byte >> 4) | ((fifth >> (index + 16) & 1) << 4) as u8) as i8;
    }
    codes
}

/// A 16-bit format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HalfKind {
    F16,
    Bf16,
}

impl HalfKind {
    /// Widens a row of little-endian 16-bit numbers.
    pub(crate) fn widen(self, row: &[u8], out: &mut [f32]) {
        for (pair, out) in row.chunks_exact(2).zip(out) {
            let bytes = [pair[0], pair[1]];
            *out = match self {
                Self::F16 => f16::from_le_bytes(bytes).to_f32(),
                Self::Bf16 => bf16::from_le_bytes(bytes).to_f32(),
            };
        }
    }
}

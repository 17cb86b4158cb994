//! AVX2 forms of the matrix kernels.
//!
//! Products of 8-bit codes are summed in pairs to 16 bits (`maddubs`, unsigned times signed), then to 32, then
//! scaled in f32. The pair sums cannot overflow: codes of 4 and 5 bits reach 31 * 127 * 2 = 7,874, those of
//! 8 bits 128 * 127 * 2 = 32,512, below 32,767.
#![allow(
    unsafe_code,
    reason = "vector loads take raw pointers; each is inside a slice of known length"
)]

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_add_ps, _mm_add_ss, _mm_and_si128, _mm_cvtph_ps, _mm_cvtsi32_si128,
    _mm_cvtss_f32, _mm_loadu_si128, _mm_movehl_ps, _mm_set1_epi8, _mm_shuffle_ps, _mm_srli_epi16,
    _mm256_and_si256, _mm256_castps256_ps128, _mm256_cmpeq_epi8, _mm256_cvtepi32_ps, _mm256_extractf128_ps,
    _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
    _mm256_mul_ps, _mm256_or_si256, _mm256_set_epi64x, _mm256_set_m128i, _mm256_set1_epi8, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_set1_ps, _mm256_setzero_ps, _mm256_shuffle_epi8,
    _mm256_sign_epi8,
};

use super::activations::{BLOCK, TILE, Tile};
use super::blocks::BlockKind;

/// Multiplies one weight row with the columns of a tile.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn dot_blocks(kind: BlockKind, row: &[u8], tile: &Tile, out: &mut [f32]) {
    match (kind, tile.columns) {
        (BlockKind::Q4_0, 1) => q4_0::<1>(row, tile, out),
        (BlockKind::Q4_0, 2) => q4_0::<2>(row, tile, out),
        (BlockKind::Q4_0, 3) => q4_0::<3>(row, tile, out),
        (BlockKind::Q4_0, _) => q4_0::<TILE>(row, tile, out),
        (BlockKind::Q4_1, 1) => q4_1::<1>(row, tile, out),
        (BlockKind::Q4_1, 2) => q4_1::<2>(row, tile, out),
        (BlockKind::Q4_1, 3) => q4_1::<3>(row, tile, out),
        (BlockKind::Q4_1, _) => q4_1::<TILE>(row, tile, out),
        (BlockKind::Q5_0, 1) => q5_0::<1>(row, tile, out),
        (BlockKind::Q5_0, 2) => q5_0::<2>(row, tile, out),
        (BlockKind::Q5_0, 3) => q5_0::<3>(row, tile, out),
        (BlockKind::Q5_0, _) => q5_0::<TILE>(row, tile, out),
        (BlockKind::Q5_1, 1) => q5_1::<1>(row, tile, out),
        (BlockKind::Q5_1, 2) => q5_1::<2>(row, tile, out),
        (BlockKind::Q5_1, 3) => q5_1::<3>(row, tile, out),
        (BlockKind::Q5_1, _) => q5_1::<TILE>(row, tile, out),
        (BlockKind::Q8_0, 1) => q8_0::<1>(row, tile, out),
        (BlockKind::Q8_0, 2) => q8_0::<2>(row, tile, out),
        (BlockKind::Q8_0, 3) => q8_0::<3>(row, tile, out),
        (BlockKind::Q8_0, _) => q8_0::<TILE>(row, tile, out),
    }
}

/// Writes the loop of one format: `$open` gives codes, step and offset of a block, `$multiply` the 32-bit
/// sums of four products each.
macro_rules! kernel {
    ($name:ident, $bytes:literal, $open:ident, $multiply:ident) => {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn $name<const C: usize>(row: &[u8], tile: &Tile, out: &mut [f32]) {
            let mut sums = [_mm256_setzero_ps(); C];
            let mut offsets = [0.0_f32; C];
            let (blocks, _) = row.as_chunks::<$bytes>();
            let (codes, _) = tile.codes.as_chunks::<BLOCK>();
            let columns = codes
                .chunks_exact(C)
                .zip(tile.scales.chunks_exact(C))
                .zip(tile.sums.chunks_exact(C));
            for (block, ((codes, scales), block_sums)) in blocks.iter().zip(columns) {
                let (weights, step, offset) = $open(block);
                let step = _mm256_set1_ps(step);
                for column in 0..C {
                    let product = _mm256_cvtepi32_ps($multiply(weights, load_codes(&codes[column])));
                    let scale = _mm256_mul_ps(step, _mm256_set1_ps(scales[column]));
                    sums[column] = _mm256_fmadd_ps(scale, product, sums[column]);
                    offsets[column] += offset * block_sums[column];
                }
            }
            for ((out, sum), offset) in out.iter_mut().zip(sums).zip(offsets) {
                *out = total(sum) + offset;
            }
        }
    };
}

kernel!(q4_0, 18, open_q4_0, multiply_unsigned);
kernel!(q4_1, 20, open_q4_1, multiply_unsigned);
kernel!(q5_0, 22, open_q5_0, multiply_unsigned);
kernel!(q5_1, 24, open_q5_1, multiply_unsigned);
kernel!(q8_0, 34, open_q8_0, multiply_signed);

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn load_codes(codes: &[i8; BLOCK]) -> __m256i {
    // SAFETY: The array holds the 32 bytes that are read; the load needs no alignment.
    unsafe { _mm256_loadu_si256(codes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn load16(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: The array holds the 16 bytes that are read; the load needs no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn multiply_unsigned(weights: __m256i, codes: __m256i) -> __m256i {
    _mm256_madd_epi16(_mm256_maddubs_epi16(weights, codes), _mm256_set1_epi16(1))
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn multiply_signed(weights: __m256i, codes: __m256i) -> __m256i {
    let magnitude = _mm256_sign_epi8(weights, weights);
    multiply_unsigned(magnitude, _mm256_sign_epi8(codes, weights))
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn half(low: u8, high: u8) -> f32 {
    let bits = i32::from(u16::from_le_bytes([low, high]));
    _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)))
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn nibbles(bytes: &[u8; 16]) -> __m256i {
    let (both, low) = (load16(bytes), _mm_set1_epi8(15));
    _mm256_set_m128i(
        _mm_and_si128(_mm_srli_epi16::<4>(both), low),
        _mm_and_si128(both, low),
    )
}

/// Spreads 32 bits over 32 bytes: 16 where the bit is set, else 0.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn fifth_bits(bits: [u8; 4]) -> __m256i {
    let all = _mm256_set1_epi32(i32::from_le_bytes(bits));
    let spread = _mm256_set_epi64x(
        0x0303_0303_0303_0303,
        0x0202_0202_0202_0202,
        0x0101_0101_0101_0101,
        0x0000_0000_0000_0000,
    );
    let bytes = _mm256_shuffle_epi8(all, spread);
    // Every bit but the one asked for is set, so the byte becomes all ones exactly if that one is, too.
    let others = _mm256_set1_epi64x(0x7fbf_dfef_f7fb_fdfe);
    let set = _mm256_cmpeq_epi8(_mm256_or_si256(bytes, others), _mm256_set1_epi8(-1));
    _mm256_and_si256(set, _mm256_set1_epi8(16))
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn open_q4_0(block: &[u8; 18]) -> (__m256i, f32, f32) {
    let [d0, d1, codes @ ..] = block;
    let step = half(*d0, *d1);
    (nibbles(codes), step, -8.0 * step)
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn open_q4_1(block: &[u8; 20]) -> (__m256i, f32, f32) {
    let [d0, d1, m0, m1, codes @ ..] = block;
    (nibbles(codes), half(*d0, *d1), half(*m0, *m1))
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn open_q5_0(block: &[u8; 22]) -> (__m256i, f32, f32) {
    let [d0, d1, h0, h1, h2, h3, codes @ ..] = block;
    let step = half(*d0, *d1);
    (
        _mm256_or_si256(nibbles(codes), fifth_bits([*h0, *h1, *h2, *h3])),
        step,
        -16.0 * step,
    )
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn open_q5_1(block: &[u8; 24]) -> (__m256i, f32, f32) {
    let [d0, d1, m0, m1, h0, h1, h2, h3, codes @ ..] = block;
    let codes = _mm256_or_si256(nibbles(codes), fifth_bits([*h0, *h1, *h2, *h3]));
    (codes, half(*d0, *d1), half(*m0, *m1))
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn open_q8_0(block: &[u8; 34]) -> (__m256i, f32, f32) {
    let [d0, d1, codes @ ..] = block;
    // SAFETY: The array holds the 32 bytes that are read; the load needs no alignment.
    let codes: __m256i = unsafe { _mm256_loadu_si256(<*const [u8; 32]>::from(codes).cast()) };
    (codes, half(*d0, *d1), 0.0)
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn total(sum: __m256) -> f32 {
    let four = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps::<1>(sum));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
}

/// Multiplies a row of f32 weights with up to [`TILE`] activation vectors of the same length.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn dot_wide(row: &[f32], columns: &[&[f32]], out: &mut [f32]) {
    match columns {
        [a, b, c, d] => out.copy_from_slice(&dot_columns(row, [a, b, c, d])),
        [a, b, c] => out.copy_from_slice(&dot_columns(row, [a, b, c])),
        [a, b] => out.copy_from_slice(&dot_columns(row, [a, b])),
        others => {
            for (out, column) in out.iter_mut().zip(others) {
                [*out] = dot_columns(row, [column]);
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn dot_columns<const C: usize>(row: &[f32], columns: [&[f32]; C]) -> [f32; C] {
    let mut sums = [[_mm256_setzero_ps(); 2]; C];
    let (parts, tail) = row.as_chunks::<16>();
    let split = columns.map(|column| column[..row.len()].as_chunks::<16>());
    for (index, part) in parts.iter().enumerate() {
        let weights = load_pair(part);
        for (sum, (column, _)) in sums.iter_mut().zip(&split) {
            let x = load_pair(&column[index]);
            sum[0] = _mm256_fmadd_ps(weights[0], x[0], sum[0]);
            sum[1] = _mm256_fmadd_ps(weights[1], x[1], sum[1]);
        }
    }
    let mut out = [0.0; C];
    for ((out, sum), (_, rest)) in out.iter_mut().zip(sums).zip(split) {
        let tail: f32 = tail.iter().zip(rest).map(|(a, b)| a * b).sum();
        *out = total(sum[0]) + total(sum[1]) + tail;
    }
    out
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn load_pair(part: &[f32; 16]) -> [__m256; 2] {
    // SAFETY: The array holds the 16 numbers that are read; the loads need no alignment.
    unsafe {
        [
            _mm256_loadu_ps(part.as_ptr()),
            _mm256_loadu_ps(part.as_ptr().add(8)),
        ]
    }
}

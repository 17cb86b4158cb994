//! AVX2 forms of the matrix kernels.
//!
//! Few columns: weight codes are widened to 16 bits and multiplied with 16-bit activations (`madd`), summed
//! in 32 bits and scaled once per block. No sum overflows: 32 products of at most 128 * 32,767 make
//! 134 million, and 2^31 is sixteen times that.
//! Many columns: weights are widened to f32 once and multiplied with fused multiply-adds, three rows and four
//! columns at a time: twelve sums, three weights and one activation fill the sixteen registers.
#![allow(
    unsafe_code,
    reason = "vector loads take raw pointers; each is inside a slice of known length"
)]
#![allow(
    clippy::needless_range_loop,
    reason = "indices of small arrays of registers, known to the compiler"
)]

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _mm_add_ps, _mm_add_ss, _mm_and_si128, _mm_cvtph_ps, _mm_cvtsi32_si128,
    _mm_cvtss_f32, _mm_loadu_si128, _mm_movehl_ps, _mm_set1_epi8, _mm_shuffle_ps, _mm_srli_epi16,
    _mm_srli_si128, _mm256_add_epi32, _mm256_add_ps, _mm256_and_si256, _mm256_castps256_ps128,
    _mm256_castsi256_ps, _mm256_castsi256_si128, _mm256_cmpeq_epi8, _mm256_cvtepi8_epi16,
    _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps, _mm256_cvtepu16_epi32, _mm256_cvtph_ps, _mm256_extractf128_ps,
    _mm256_extracti128_si256, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16,
    _mm256_or_si256, _mm256_set_epi64x, _mm256_set_m128i, _mm256_set1_epi8, _mm256_set1_epi32,
    _mm256_set1_epi64x, _mm256_set1_ps, _mm256_setzero_ps, _mm256_shuffle_epi8, _mm256_slli_epi32,
    _mm256_storeu_ps,
};

use super::activations::{BLOCK, Codes};
use super::blocks::{BlockKind, HalfKind};
use super::portable::exp_plain;

/// Multiplies one weight row with one to three columns.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn dot_blocks(kind: BlockKind, row: &[u8], x: &Codes, out: &mut [f32]) {
    match (kind, x.columns) {
        (BlockKind::Q4_0, 1) => q4_0::<1>(row, x, out),
        (BlockKind::Q4_0, 2) => q4_0::<2>(row, x, out),
        (BlockKind::Q4_0, _) => q4_0::<3>(row, x, out),
        (BlockKind::Q4_1, 1) => q4_1::<1>(row, x, out),
        (BlockKind::Q4_1, 2) => q4_1::<2>(row, x, out),
        (BlockKind::Q4_1, _) => q4_1::<3>(row, x, out),
        (BlockKind::Q5_0, 1) => q5_0::<1>(row, x, out),
        (BlockKind::Q5_0, 2) => q5_0::<2>(row, x, out),
        (BlockKind::Q5_0, _) => q5_0::<3>(row, x, out),
        (BlockKind::Q5_1, 1) => q5_1::<1>(row, x, out),
        (BlockKind::Q5_1, 2) => q5_1::<2>(row, x, out),
        (BlockKind::Q5_1, _) => q5_1::<3>(row, x, out),
        (BlockKind::Q8_0, 1) => q8_0::<1>(row, x, out),
        (BlockKind::Q8_0, 2) => q8_0::<2>(row, x, out),
        (BlockKind::Q8_0, _) => q8_0::<3>(row, x, out),
    }
}

/// Writes the loop of one format; `$open` gives codes, step and offset of a block.
macro_rules! kernel {
    ($name:ident, $widen:ident, $bytes:literal, $open:ident) => {
        #[target_feature(enable = "avx2,fma,f16c")]
        fn $name<const C: usize>(row: &[u8], x: &Codes, out: &mut [f32]) {
            let mut sums = [_mm256_setzero_ps(); C];
            let mut offsets = [0.0_f32; C];
            let (blocks, _) = row.as_chunks::<$bytes>();
            let (codes, _) = x.codes.as_chunks::<BLOCK>();
            let columns = codes
                .chunks_exact(C)
                .zip(x.scales.chunks_exact(C))
                .zip(x.sums.chunks_exact(C));
            for (block, ((codes, scales), block_sums)) in blocks.iter().zip(columns) {
                let (weights, step, offset) = $open(block);
                let low = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(weights));
                let high = _mm256_cvtepi8_epi16(_mm256_extracti128_si256::<1>(weights));
                for column in 0..C {
                    let [first, second] = load_codes(&codes[column]);
                    let product = _mm256_add_epi32(
                        _mm256_madd_epi16(low, first),
                        _mm256_madd_epi16(high, second),
                    );
                    let scale = _mm256_set1_ps(step * scales[column]);
                    sums[column] = _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(product), sums[column]);
                    offsets[column] += offset * block_sums[column];
                }
            }
            for ((out, sum), offset) in out.iter_mut().zip(sums).zip(offsets) {
                *out = total(sum) + offset;
            }
        }

        #[target_feature(enable = "avx2,fma,f16c")]
        fn $widen(row: &[u8], out: &mut [f32]) {
            let (blocks, _) = row.as_chunks::<$bytes>();
            let (out, _) = out.as_chunks_mut::<BLOCK>();
            for (block, out) in blocks.iter().zip(out) {
                let (codes, step, offset) = $open(block);
                let (step, offset) = (_mm256_set1_ps(step), _mm256_set1_ps(offset));
                let halves = [
                    _mm256_castsi256_si128(codes),
                    _mm256_extracti128_si256::<1>(codes),
                ];
                let (out, _) = out.as_chunks_mut::<8>();
                for (half, out) in halves.into_iter().zip(out.chunks_exact_mut(2)) {
                    for (eight, out) in [half, _mm_srli_si128::<8>(half)].into_iter().zip(out) {
                        let wide = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight));
                        store(out, _mm256_fmadd_ps(wide, step, offset));
                    }
                }
            }
        }
    };
}

kernel!(q4_0, widen_q4_0, 18, open_q4_0);
kernel!(q4_1, widen_q4_1, 20, open_q4_1);
kernel!(q5_0, widen_q5_0, 22, open_q5_0);
kernel!(q5_1, widen_q5_1, 24, open_q5_1);
kernel!(q8_0, widen_q8_0, 34, open_q8_0);

/// Widens a row of blocks to f32.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn widen_blocks(kind: BlockKind, row: &[u8], out: &mut [f32]) {
    match kind {
        BlockKind::Q4_0 => widen_q4_0(row, out),
        BlockKind::Q4_1 => widen_q4_1(row, out),
        BlockKind::Q5_0 => widen_q5_0(row, out),
        BlockKind::Q5_1 => widen_q5_1(row, out),
        BlockKind::Q8_0 => widen_q8_0(row, out),
    }
}

/// Widens a row of 16-bit numbers to f32.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn widen_halves(kind: HalfKind, row: &[u8], out: &mut [f32]) {
    let (parts, tail) = row.as_chunks::<16>();
    let (wide, rest) = out.as_chunks_mut::<8>();
    for (part, out) in parts.iter().zip(wide) {
        let bits = load16(part);
        let numbers = match kind {
            HalfKind::F16 => _mm256_cvtph_ps(bits),
            HalfKind::Bf16 => _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(bits))),
        };
        store(out, numbers);
    }
    kind.widen(tail, rest);
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn store(out: &mut [f32; 8], numbers: __m256) {
    // SAFETY: The array holds the 8 numbers that are written; the store needs no alignment.
    unsafe { _mm256_storeu_ps(out.as_mut_ptr(), numbers) }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn load_codes(codes: &[i16; BLOCK]) -> [__m256i; 2] {
    let pointer = codes.as_ptr();
    // SAFETY: The array holds the 32 codes that are read; the loads need no alignment.
    unsafe {
        [
            _mm256_loadu_si256(pointer.cast()),
            _mm256_loadu_si256(pointer.add(16).cast()),
        ]
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn load16(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: The array holds the 16 bytes that are read; the load needs no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
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

/// Multiplies weight rows (rows, width) with vectors (n, width); row `r` of the product begins at
/// `out[r * stride]`.
///
/// Columns are the outer loop: four of them stay in the first-level cache while the rows pass by.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn multiply_wide(rows: &[f32], x: &[f32], width: usize, out: &mut [f32], stride: usize) {
    let (n_rows, n) = (rows.len() / width, x.len() / width);
    for column in (0..n).step_by(4) {
        for row in (0..n_rows).step_by(3) {
            let (rows, x) = (&rows[row * width..], &x[column * width..]);
            let out = &mut out[row * stride + column..];
            match (n_rows - row, n - column) {
                (1, 1) => multiply_block::<1, 1>(rows, x, width, out, stride),
                (1, 2) => multiply_block::<1, 2>(rows, x, width, out, stride),
                (1, 3) => multiply_block::<1, 3>(rows, x, width, out, stride),
                (1, _) => multiply_block::<1, 4>(rows, x, width, out, stride),
                (2, 1) => multiply_block::<2, 1>(rows, x, width, out, stride),
                (2, 2) => multiply_block::<2, 2>(rows, x, width, out, stride),
                (2, 3) => multiply_block::<2, 3>(rows, x, width, out, stride),
                (2, _) => multiply_block::<2, 4>(rows, x, width, out, stride),
                (_, 1) => multiply_block::<3, 1>(rows, x, width, out, stride),
                (_, 2) => multiply_block::<3, 2>(rows, x, width, out, stride),
                (_, 3) => multiply_block::<3, 3>(rows, x, width, out, stride),
                (_, _) => multiply_block::<3, 4>(rows, x, width, out, stride),
            }
        }
    }
}

/// Multiplies the first `R` rows with the first `C` vectors.
#[target_feature(enable = "avx2,fma,f16c")]
fn multiply_block<const R: usize, const C: usize>(
    rows: &[f32],
    x: &[f32],
    width: usize,
    out: &mut [f32],
    stride: usize,
) {
    // The loop below reads without bounds checks, which would take more time than the sums.
    assert!(rows.len() >= R * width && x.len() >= C * width);
    let (row_start, x_start) = (rows.as_ptr(), x.as_ptr());
    let mut sums = [[_mm256_setzero_ps(); C]; R];
    let whole = width / 8 * 8;
    let mut at = 0;
    while at < whole {
        let mut weights = [_mm256_setzero_ps(); R];
        for row in 0..R {
            // SAFETY: `row * width + at + 8` is at most `R * width`, which was checked above.
            weights[row] = unsafe { _mm256_loadu_ps(row_start.add(row * width + at)) };
        }
        for column in 0..C {
            // SAFETY: `column * width + at + 8` is at most `C * width`, which was checked above.
            let x = unsafe { _mm256_loadu_ps(x_start.add(column * width + at)) };
            for row in 0..R {
                sums[row][column] = _mm256_fmadd_ps(weights[row], x, sums[row][column]);
            }
        }
        at += 8;
    }
    for row in 0..R {
        for column in 0..C {
            let (row_tail, x_tail) = (&rows[row * width..], &x[column * width..]);
            let tail: f32 = row_tail[whole..width]
                .iter()
                .zip(&x_tail[whole..width])
                .map(|(a, b)| a * b)
                .sum();
            out[row * stride + column] = total(sums[row][column]) + tail;
        }
    }
}

/// Turns every number into `exp(x - top)`.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn exp_below(x: &mut [f32], top: f32) {
    exp_plain(x, top);
}

/// Adds rows (n, width) of `values`, each times its share, to `out` (width).
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn weighted_sum(shares: &[f32], values: &[f32], width: usize, out: &mut [f32]) {
    let mut from = 0;
    while width - from >= 64 {
        weighted_part::<8>(shares, values, width, from, out);
        from += 64;
    }
    while width - from >= 8 {
        weighted_part::<1>(shares, values, width, from, out);
        from += 8;
    }
    for (share, row) in shares.iter().zip(values.chunks_exact(width)) {
        for (out, value) in out[from..].iter_mut().zip(&row[from..]) {
            *out += share * value;
        }
    }
}

/// Sums `8 * N` elements from `from` on, in registers.
#[target_feature(enable = "avx2,fma,f16c")]
fn weighted_part<const N: usize>(shares: &[f32], values: &[f32], width: usize, from: usize, out: &mut [f32]) {
    assert!(values.len() >= shares.len() * width && from + 8 * N <= width && out.len() >= width);
    let mut sums = [_mm256_setzero_ps(); N];
    let (start, target) = (values.as_ptr(), out.as_mut_ptr());
    for (row, share) in shares.iter().enumerate() {
        let share = _mm256_set1_ps(*share);
        for part in 0..N {
            // SAFETY: The offset plus 8 is at most `shares.len() * width`, which was checked above.
            let value = unsafe { _mm256_loadu_ps(start.add(row * width + from + part * 8)) };
            sums[part] = _mm256_fmadd_ps(share, value, sums[part]);
        }
    }
    for part in 0..N {
        // SAFETY: `from + 8 * N` is at most `width`, and `out` is at least that long, as was checked above.
        unsafe {
            let place = target.add(from + part * 8);
            _mm256_storeu_ps(place, _mm256_add_ps(sums[part], _mm256_loadu_ps(place)));
        }
    }
}

//! AVX2 with FMA and F16C: eight rows in one register, a tile in two halves.
#![allow(
    unsafe_code,
    reason = "intrinsics of a processor that was asked for them; loads and stores are of arrays of the right size"
)]

use std::arch::x86_64::{
    __m256, __m256i, _mm_loadl_epi64, _mm_loadu_si128, _mm256_add_epi8, _mm256_add_epi32, _mm256_add_ps,
    _mm256_and_si256, _mm256_broadcastsi128_si256, _mm256_castsi256_ps, _mm256_castsi256_si128,
    _mm256_cmpeq_epi8, _mm256_cvtepi8_epi16, _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps, _mm256_cvtepu8_epi16,
    _mm256_cvtepu8_epi32, _mm256_cvtepu16_epi32, _mm256_cvtph_ps, _mm256_extracti128_si256, _mm256_fmadd_ps,
    _mm256_hadd_epi32, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
    _mm256_mul_ps, _mm256_permute4x64_epi64, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32,
    _mm256_set1_epi64x, _mm256_set1_ps, _mm256_setr_epi8, _mm256_shuffle_epi8, _mm256_slli_epi32,
    _mm256_srli_epi16, _mm256_storeu_ps,
};

use super::{Lanes, ROWS};

/// For processors with AVX2, FMA and F16C.
#[derive(Clone, Copy)]
pub(super) struct Avx2;

// SAFETY (of every block below): only `super::with_avx2` calls these methods, after the processor was asked for the
// instructions; every load and store is of a whole array behind a reference, or of a half of it.
impl Lanes for Avx2 {
    const PARTS: usize = 2;
    type Ints = __m256i;
    type Floats = __m256;
    type Codes = __m256i;

    #[inline(always)]
    fn codes(at: &[u8; 64], part: usize) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_loadu_si256(half::<64, 32>(at, part).as_ptr().cast()) }
    }

    #[inline(always)]
    fn low(codes: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_and_si256(codes, _mm256_set1_epi8(15)) }
    }

    #[inline(always)]
    fn high(codes: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_and_si256(_mm256_srli_epi16::<4>(codes), _mm256_set1_epi8(15)) }
    }

    #[inline(always)]
    fn two_bits(codes: __m256i, index: usize) -> __m256i {
        // SAFETY: as above.
        unsafe {
            let moved = match index {
                0 => codes,
                1 => _mm256_srli_epi16::<2>(codes),
                2 => _mm256_srli_epi16::<4>(codes),
                _ => _mm256_srli_epi16::<6>(codes),
            };
            _mm256_and_si256(moved, _mm256_set1_epi8(3))
        }
    }

    #[inline(always)]
    fn with_bit(codes: __m256i, mask: &[u8; 8], value: u8, part: usize) -> __m256i {
        let mask = i32::from_le_bytes(*half::<8, 4>(mask, part));
        // SAFETY: as above.
        unsafe {
            #[rustfmt::skip]
            let spread = _mm256_setr_epi8(
                0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1,
                2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3,
            );
            let bits = _mm256_set1_epi64x(i64::from_le_bytes([1, 2, 4, 8, 16, 32, 64, 128]));
            let bytes = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(mask), spread), bits);
            let set = _mm256_cmpeq_epi8(bytes, bits);
            _mm256_add_epi8(codes, _mm256_and_si256(set, _mm256_set1_epi8(value as i8)))
        }
    }

    #[inline(always)]
    fn look_up(codes: __m256i, table: &[u8; 16]) -> __m256i {
        // SAFETY: as above.
        unsafe {
            let table = _mm256_broadcastsi128_si256(_mm_loadu_si128(table.as_ptr().cast()));
            _mm256_shuffle_epi8(table, codes)
        }
    }

    #[inline(always)]
    fn ints(of: i32) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_set1_epi32(of) }
    }

    #[inline(always)]
    fn dot<const SMALL: bool>(sum: __m256i, codes: __m256i, x: i32) -> __m256i {
        // SAFETY: as above.
        unsafe {
            let x = _mm256_set1_epi32(x);
            if SMALL {
                let pairs = _mm256_maddubs_epi16(codes, x);
                return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
            }
            let x = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(x));
            let low = _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm256_castsi256_si128(codes)), x);
            let high = _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm256_extracti128_si256::<1>(codes)), x);
            // Rows 0, 1, 4, 5, 2, 3, 6, 7.
            let rows = _mm256_hadd_epi32(low, high);
            _mm256_add_epi32(sum, _mm256_permute4x64_epi64::<0b11_01_10_00>(rows))
        }
    }

    #[inline(always)]
    fn joined(high: __m256i, low: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_add_epi32(_mm256_slli_epi32::<8>(high), low) }
    }

    #[inline(always)]
    fn floats(of: f32) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_set1_ps(of) }
    }

    #[inline(always)]
    fn converted(ints: __m256i) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_cvtepi32_ps(ints) }
    }

    #[inline(always)]
    fn singles(at: &[u8; 64], part: usize) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_loadu_ps(half::<64, 32>(at, part).as_ptr().cast()) }
    }

    #[inline(always)]
    fn halves(at: &[u8; 32], part: usize) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(half::<32, 16>(at, part).as_ptr().cast())) }
    }

    #[inline(always)]
    fn upper_halves(at: &[u8; 32], part: usize) -> __m256 {
        // SAFETY: as above.
        unsafe {
            let two = _mm_loadu_si128(half::<32, 16>(at, part).as_ptr().cast());
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(two)))
        }
    }

    #[inline(always)]
    fn unsigned(at: &[u8; 16], part: usize) -> __m256 {
        // SAFETY: as above.
        unsafe {
            let bytes = _mm_loadl_epi64(half::<16, 8>(at, part).as_ptr().cast());
            _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes))
        }
    }

    #[inline(always)]
    fn signed(at: &[u8; 16], part: usize) -> __m256 {
        // SAFETY: as above.
        unsafe {
            let bytes = _mm_loadl_epi64(half::<16, 8>(at, part).as_ptr().cast());
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes))
        }
    }

    #[inline(always)]
    fn times(a: __m256, b: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    fn plus(a: __m256, b: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    fn times_plus(a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn store(of: __m256, out: &mut [f32; ROWS], part: usize) {
        // SAFETY: as above.
        unsafe { _mm256_storeu_ps(out.as_chunks_mut::<8>().0[part].as_mut_ptr(), of) }
    }
}

/// The first or the second half of an array.
#[inline(always)]
fn half<const ALL: usize, const HALF: usize>(all: &[u8; ALL], part: usize) -> &[u8; HALF] {
    const { assert!(ALL == 2 * HALF) }
    &all.as_chunks::<HALF>().0[part]
}

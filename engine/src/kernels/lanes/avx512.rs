//! AVX-512 with VNNI: sixteen rows in one register, four columns in one instruction.
#![allow(
    unsafe_code,
    reason = "intrinsics of a processor that was asked for them; loads and stores are of arrays of the right size"
)]

use std::arch::x86_64::{
    __m512, __m512i, _mm_loadu_si128, _mm256_loadu_si256, _mm512_add_epi32, _mm512_add_ps, _mm512_and_si512,
    _mm512_broadcast_i32x4, _mm512_castsi512_ps, _mm512_cvtepi8_epi32, _mm512_cvtepi32_ps,
    _mm512_cvtepu8_epi32, _mm512_cvtepu16_epi32, _mm512_cvtph_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mask_add_epi8, _mm512_mul_ps, _mm512_set1_epi8,
    _mm512_set1_epi32, _mm512_set1_ps, _mm512_shuffle_epi8, _mm512_slli_epi32, _mm512_srli_epi16,
    _mm512_storeu_ps,
};

use super::{Lanes, ROWS};

/// For processors with AVX-512 F, BW, VL and VNNI.
#[derive(Clone, Copy)]
pub(super) struct Avx512;

// SAFETY (of every block below): only `super::with_avx512` calls these methods, after the processor was asked for the
// instructions; every load and store is of a whole array behind a reference.
impl Lanes for Avx512 {
    const PARTS: usize = 1;
    type Ints = __m512i;
    type Floats = __m512;
    type Codes = __m512i;

    #[inline(always)]
    fn codes(at: &[u8; 64], _: usize) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_loadu_si512(at.as_ptr().cast()) }
    }

    #[inline(always)]
    fn low(codes: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_and_si512(codes, _mm512_set1_epi8(15)) }
    }

    #[inline(always)]
    fn high(codes: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_and_si512(_mm512_srli_epi16::<4>(codes), _mm512_set1_epi8(15)) }
    }

    #[inline(always)]
    fn two_bits(codes: __m512i, index: usize) -> __m512i {
        // SAFETY: as above.
        unsafe {
            let moved = match index {
                0 => codes,
                1 => _mm512_srli_epi16::<2>(codes),
                2 => _mm512_srli_epi16::<4>(codes),
                _ => _mm512_srli_epi16::<6>(codes),
            };
            _mm512_and_si512(moved, _mm512_set1_epi8(3))
        }
    }

    #[inline(always)]
    fn with_bit(codes: __m512i, mask: &[u8; 8], value: u8, _: usize) -> __m512i {
        // SAFETY: as above.
        unsafe {
            let value = _mm512_set1_epi8(value as i8);
            _mm512_mask_add_epi8(codes, u64::from_le_bytes(*mask), codes, value)
        }
    }

    #[inline(always)]
    fn look_up(codes: __m512i, table: &[u8; 16]) -> __m512i {
        // SAFETY: as above.
        unsafe {
            let table = _mm512_broadcast_i32x4(_mm_loadu_si128(table.as_ptr().cast()));
            _mm512_shuffle_epi8(table, codes)
        }
    }

    #[inline(always)]
    fn ints(of: i32) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_set1_epi32(of) }
    }

    #[inline(always)]
    fn dot<const SMALL: bool>(sum: __m512i, codes: __m512i, x: i32) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_dpbusd_epi32(sum, codes, _mm512_set1_epi32(x)) }
    }

    #[inline(always)]
    fn joined(high: __m512i, low: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_add_epi32(_mm512_slli_epi32::<8>(high), low) }
    }

    #[inline(always)]
    fn floats(of: f32) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_set1_ps(of) }
    }

    #[inline(always)]
    fn converted(ints: __m512i) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_cvtepi32_ps(ints) }
    }

    #[inline(always)]
    fn singles(at: &[u8; 64], _: usize) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_loadu_ps(at.as_ptr().cast()) }
    }

    #[inline(always)]
    fn halves(at: &[u8; 32], _: usize) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(at.as_ptr().cast())) }
    }

    #[inline(always)]
    fn upper_halves(at: &[u8; 32], _: usize) -> __m512 {
        // SAFETY: as above.
        unsafe {
            let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(at.as_ptr().cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
        }
    }

    #[inline(always)]
    fn unsigned(at: &[u8; 16], _: usize) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(at.as_ptr().cast()))) }
    }

    #[inline(always)]
    fn signed(at: &[u8; 16], _: usize) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(at.as_ptr().cast()))) }
    }

    #[inline(always)]
    fn times(a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn plus(a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn times_plus(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn store(of: __m512, out: &mut [f32; ROWS], _: usize) {
        // SAFETY: as above.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), of) }
    }
}

//! Which vector instructions this processor has.

use std::sync::OnceLock;

/// The widest vector instructions the kernels use on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimdLevel {
    /// Plain code; also what other processors than x86-64 run, vectorised by the compiler.
    Portable,
    /// AVX2 with FMA and F16C.
    Avx2,
    /// AVX-512 with VNNI.
    Avx512,
}

/// Gives the widest instructions this processor has, looked up once.
pub(crate) fn simd_level() -> SimdLevel {
    static LEVEL: OnceLock<SimdLevel> = OnceLock::new();
    *LEVEL.get_or_init(detect)
}

/// All levels that this processor has, the plainest first.
#[cfg(test)]
pub(crate) fn levels() -> impl Iterator<Item = SimdLevel> {
    let all = [SimdLevel::Portable, SimdLevel::Avx2, SimdLevel::Avx512];
    let n = all.iter().position(|level| *level == simd_level()).unwrap_or(0) + 1;
    all.into_iter().take(n)
}

#[cfg(target_arch = "x86_64")]
fn detect() -> SimdLevel {
    let all = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c");
    let wide = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni");
    match (all, wide) {
        (true, true) => SimdLevel::Avx512,
        (true, false) => SimdLevel::Avx2,
        (false, _) => SimdLevel::Portable,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> SimdLevel {
    SimdLevel::Portable
}

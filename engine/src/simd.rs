//! Which vector instructions this processor has.

use std::sync::OnceLock;

/// The widest vector instructions the kernels use on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimdLevel {
    /// Plain code; also what other processors than x86-64 run, vectorised by the compiler.
    Portable,
    /// AVX2 with FMA and F16C.
    Avx2,
}

/// Gives the widest instructions this processor has, looked up once.
pub(crate) fn simd_level() -> SimdLevel {
    static LEVEL: OnceLock<SimdLevel> = OnceLock::new();
    *LEVEL.get_or_init(detect)
}

#[cfg(target_arch = "x86_64")]
fn detect() -> SimdLevel {
    let all = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c");
    if all { SimdLevel::Avx2 } else { SimdLevel::Portable }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> SimdLevel {
    SimdLevel::Portable
}

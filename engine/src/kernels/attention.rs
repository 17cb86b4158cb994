//! Attention of the query heads that share one key-value head, over a cache that lies in pages.

use super::ops::exp;
use super::portable::dot;
use crate::hardware::SimdLevel;

/// Keys and values of one key-value head inside one page: (tokens, head_dim) each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KvSpan<'a> {
    pub(crate) keys: &'a [f32],
    pub(crate) values: &'a [f32],
}

/// The query heads of one token that share a key-value head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heads<'a> {
    /// (heads, head_dim)
    pub(crate) queries: &'a [f32],
    pub(crate) head_dim: usize,
    /// Multiplies the products before the softmax: 1 / sqrt(head_dim).
    pub(crate) scale: f32,
}

/// Writes `softmax(q k^T) v` of every head to `out` (heads, head_dim); `spans` together hold the tokens seen.
pub(crate) fn attend(
    level: SimdLevel,
    heads: Heads<'_>,
    spans: &[KvSpan<'_>],
    scores: &mut Vec<f32>,
    out: &mut [f32],
) {
    match level {
        #[cfg(target_arch = "x86_64")]
        SimdLevel::Avx2 => {
            #[allow(unsafe_code, reason = "the processor was asked for these instructions")]
            // SAFETY: This level is only ever detected on a processor with AVX2, FMA and F16C.
            unsafe {
                attend_avx2(heads, spans, scores, out);
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        SimdLevel::Avx2 => attend_plain(heads, spans, scores, out),
        SimdLevel::Portable => attend_plain(heads, spans, scores, out),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn attend_avx2(heads: Heads<'_>, spans: &[KvSpan<'_>], scores: &mut Vec<f32>, out: &mut [f32]) {
    attend_plain(heads, spans, scores, out);
}

/// The same source for every level: compiled once for each, with the vectors that level has.
#[inline(always)]
fn attend_plain(heads: Heads<'_>, spans: &[KvSpan<'_>], scores: &mut Vec<f32>, out: &mut [f32]) {
    let dim = heads.head_dim;
    let n_heads = heads.queries.len() / dim;
    let n_seen: usize = spans.iter().map(|span| span.keys.len() / dim).sum();
    scores.clear();
    scores.resize(n_heads * n_seen, 0.0);
    let keys = spans.iter().flat_map(|span| span.keys.chunks_exact(dim));
    for (seen, key) in keys.enumerate() {
        for (head, query) in heads.queries.chunks_exact(dim).enumerate() {
            scores[head * n_seen + seen] = dot(query, key) * heads.scale;
        }
    }
    for row in scores.chunks_exact_mut(n_seen) {
        softmax(row);
    }
    out.fill(0.0);
    let values = spans.iter().flat_map(|span| span.values.chunks_exact(dim));
    for (seen, value) in values.enumerate() {
        for (head, out) in out.chunks_exact_mut(dim).enumerate() {
            let share = scores[head * n_seen + seen];
            for (out, value) in out.iter_mut().zip(value) {
                *out += share * value;
            }
        }
    }
}

#[inline(always)]
fn softmax(row: &mut [f32]) {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for x in row.iter_mut() {
        *x = exp(*x - top);
    }
    let inverse = 1.0 / row.iter().sum::<f32>();
    for x in row {
        *x *= inverse;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd_level;

    #[test]
    fn pages_and_levels_change_nothing() {
        let dim = 40;
        let number = |i: usize| ((i * 7919 % 997) as f32 - 498.0) / 400.0;
        let queries: Vec<f32> = (0..3 * dim).map(number).collect();
        let keys: Vec<f32> = (0..9 * dim).map(|i| number(i + 31)).collect();
        let values: Vec<f32> = (0..9 * dim).map(|i| number(i + 77)).collect();
        let heads = Heads {
            queries: &queries,
            head_dim: dim,
            scale: 0.3,
        };
        let run = |level, cut: usize| {
            let (k, v) = (keys.split_at(cut * dim), values.split_at(cut * dim));
            let spans = [
                KvSpan {
                    keys: k.0,
                    values: v.0,
                },
                KvSpan {
                    keys: k.1,
                    values: v.1,
                },
            ];
            let mut out = vec![0.0; 3 * dim];
            attend(level, heads, &spans, &mut Vec::new(), &mut out);
            out
        };
        let whole = run(SimdLevel::Portable, 0);
        // The reference in f64, from the definition.
        for head in 0..3 {
            let score = |t: usize| -> f64 {
                (0..dim)
                    .map(|d| f64::from(queries[head * dim + d]) * f64::from(keys[t * dim + d]))
                    .sum::<f64>()
                    * 0.3
            };
            let total: f64 = (0..9).map(|t| score(t).exp()).sum();
            for d in 0..dim {
                let expected: f64 = (0..9)
                    .map(|t| score(t).exp() / total * f64::from(values[t * dim + d]))
                    .sum();
                assert!((f64::from(whole[head * dim + d]) - expected).abs() < 1e-5);
            }
        }
        for out in [
            run(SimdLevel::Portable, 4),
            run(simd_level(), 0),
            run(simd_level(), 8),
        ] {
            assert!(out.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-5));
        }
    }
}

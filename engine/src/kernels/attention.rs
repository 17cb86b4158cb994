//! Attention of query heads that share one key-value head, over a cache that lies in pages.

use super::kernel::{exp_below, multiply_wide, weighted_sum};

/// Keys and values of one key-value head inside one page: (tokens, head_dim) each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KvSpan<'a> {
    pub(crate) keys: &'a [f32],
    pub(crate) values: &'a [f32],
}

/// Query vectors that read the same keys and values: some heads of some tokens in a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queries<'a> {
    /// (queries, head_dim), already divided by the root of head_dim.
    pub(crate) vectors: &'a [f32],
    pub(crate) head_dim: usize,
    /// Queries per token.
    pub(crate) heads: usize,
    /// Tokens that the first token's queries see; each later token's see one more.
    pub(crate) first_sees: usize,
}

/// Gives `softmax(q k^T) v` of every query, (queries, head_dim). `spans` hold what the last token sees.
pub(crate) fn attend(queries: Queries<'_>, spans: &[KvSpan<'_>], scores: &mut Vec<f32>) -> Vec<f32> {
    let dim = queries.head_dim;
    let n_queries = queries.vectors.len() / dim;
    let n_keys: usize = spans.iter().map(|span| span.keys.len() / dim).sum();
    scores.clear();
    scores.resize(n_queries * n_keys, 0.0);
    let mut start = 0;
    for span in spans {
        multiply_wide(queries.vectors, span.keys, dim, &mut scores[start..], n_keys);
        start += span.keys.len() / dim;
    }
    let mut out = vec![0.0; n_queries * dim];
    for (index, (row, out)) in scores
        .chunks_exact_mut(n_keys)
        .zip(out.chunks_exact_mut(dim))
        .enumerate()
    {
        let seen = &mut row[..queries.first_sees + index / queries.heads];
        softmax(seen);
        let mut rest: &[f32] = seen;
        for span in spans {
            let (shares, after) = rest.split_at(rest.len().min(span.keys.len() / dim));
            weighted_sum(shares, span.values, dim, out);
            rest = after;
        }
    }
    out
}

fn softmax(row: &mut [f32]) {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    exp_below(row, top);
    let inverse = 1.0 / row.iter().sum::<f32>();
    for x in row {
        *x *= inverse;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cut_into_pages_gives_the_definition() {
        let (dim, heads, n_keys) = (76, 3, 9);
        let number = |i: usize| ((i * 7919 % 997) as f32 - 498.0) / 1200.0;
        // Two tokens: the first sees eight tokens, the second nine.
        let vectors: Vec<f32> = (0..2 * heads * dim).map(number).collect();
        let keys: Vec<f32> = (0..n_keys * dim).map(|i| number(i + 31)).collect();
        let values: Vec<f32> = (0..n_keys * dim).map(|i| number(i + 77)).collect();
        let queries = Queries {
            vectors: &vectors,
            head_dim: dim,
            heads,
            first_sees: 8,
        };
        for cut in [0, 4, 8] {
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
            let out = attend(queries, &spans, &mut Vec::new());
            for query in 0..2 * heads {
                let seen = 8 + query / heads;
                let score = |t: usize| -> f64 {
                    let q = &vectors[query * dim..][..dim];
                    q.iter()
                        .zip(&keys[t * dim..])
                        .map(|(q, k)| f64::from(*q) * f64::from(*k))
                        .sum()
                };
                let total: f64 = (0..seen).map(|t| score(t).exp()).sum();
                for d in 0..dim {
                    let expected: f64 = (0..seen)
                        .map(|t| score(t).exp() / total * f64::from(values[t * dim + d]))
                        .sum();
                    assert!((f64::from(out[query * dim + d]) - expected).abs() < 1e-5);
                }
            }
        }
    }
}

//! Attention of query heads that share one key-value head, over a cache that lies in pages.
//!
//! A page of keys is a matrix of one row per token, a page of values one of one row per element: both are tiles, and
//! both products are those of weights with columns. For each query the scores and the sums are added up in the order of
//! the tokens, whatever is computed beside it.

use half::{f16, slice::HalfFloatSliceExt as _};

use super::lanes::{Lanes, ROWS, Work, dispatch};
use super::ops::{capped, exp};
use super::product::{Figure, Half, Single, plain};
use crate::simd::SimdLevel;

/// Tokens of a page.
pub(crate) const PAGE_TOKENS: usize = 64;

/// Keys and values of one key-value head in one page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KvSpan<'a> {
    /// (16 tokens, head_dim, token)
    pub(crate) keys: &'a [u8],
    /// (16 elements, token, element)
    pub(crate) values: &'a [u8],
}

/// How exactly keys and values are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KvWidth {
    F32,
    F16,
}

/// How the keys and values of one head stand in a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KvLayout {
    pub(crate) head_dim: usize,
    pub(crate) width: KvWidth,
}

impl KvLayout {
    fn figure_bytes(self) -> usize {
        match self.width {
            KvWidth::F32 => 4,
            KvWidth::F16 => 2,
        }
    }

    /// Bytes of the keys of one head in a page.
    pub(crate) fn key_bytes(self) -> usize {
        PAGE_TOKENS * self.head_dim * self.figure_bytes()
    }

    /// Bytes of its values, filled up to whole tiles.
    pub(crate) fn value_bytes(self) -> usize {
        PAGE_TOKENS * self.head_dim.next_multiple_of(ROWS) * self.figure_bytes()
    }

    /// Writes key and value of one token.
    pub(crate) fn write(self, keys: &mut [u8], values: &mut [u8], token: usize, key: &[f32], value: &[f32]) {
        let bytes = self.figure_bytes();
        let tile = token / ROWS * ROWS * self.head_dim;
        for (index, part) in key.chunks(ROWS).enumerate() {
            let figures = self.encoded(part);
            let places = keys[(tile + index * ROWS * ROWS) * bytes..].chunks_exact_mut(ROWS * bytes);
            for (place, figure) in places.zip(figures.chunks_exact(bytes)).take(part.len()) {
                place[token % ROWS * bytes..][..bytes].copy_from_slice(figure);
            }
        }
        for (index, part) in value.chunks(ROWS).enumerate() {
            let figures = self.encoded(part);
            let at = (index * PAGE_TOKENS + token) * ROWS * bytes;
            values[at..at + part.len() * bytes].copy_from_slice(&figures[..part.len() * bytes]);
        }
    }

    /// The bytes of up to sixteen figures.
    fn encoded(self, part: &[f32]) -> [u8; 4 * ROWS] {
        let mut bytes = [0; 4 * ROWS];
        match self.width {
            KvWidth::F32 => {
                for (out, x) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(part) {
                    *out = x.to_le_bytes();
                }
            }
            KvWidth::F16 => {
                let (mut singles, mut halves) = ([0.0; ROWS], [f16::ZERO; ROWS]);
                for (single, x) in singles.iter_mut().zip(part) {
                    // Beyond its range a figure stays the largest; infinite ones would spoil what does not see them.
                    *single = x.clamp(f16::MIN.to_f32_const(), f16::MAX.to_f32_const());
                }
                halves.convert_from_f32_slice(&singles);
                for (out, half) in bytes.as_chunks_mut::<2>().0.iter_mut().zip(halves) {
                    *out = half.to_le_bytes();
                }
            }
        }
        bytes
    }
}

/// Query vectors that read the same keys and values: some heads of some tokens in a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queries<'a> {
    /// (queries, head_dim), already scaled.
    pub(crate) vectors: &'a [f32],
    /// Queries per token.
    pub(crate) heads: usize,
    /// Tokens that the first token's queries see; each later token's see one more.
    pub(crate) first_sees: usize,
    /// The last of them that are seen indeed, if not all.
    pub(crate) window: Option<usize>,
    /// Scores are brought below this.
    pub(crate) cap: Option<f32>,
    /// A score of each head that goes into its sum and stands for no token.
    pub(crate) sinks: Option<&'a [f32]>,
}

/// Memory of one thread, used again.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// (head_dim, query)
    queries: Vec<f32>,
    /// (token, query), tokens filled up to whole tiles
    scores: Vec<f32>,
}

/// What is attended to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attention<'a> {
    pub(crate) layout: KvLayout,
    pub(crate) queries: Queries<'a>,
    /// What the last token sees, page by page.
    pub(crate) spans: &'a [KvSpan<'a>],
}

/// Writes `softmax(q k^T) v` of every query to `out`, (queries, head_dim).
pub(crate) fn attend(level: SimdLevel, task: Attention<'_>, scratch: &mut Scratch, out: &mut [f32]) {
    dispatch(level, Attend { task, scratch, out });
}

struct Attend<'a> {
    task: Attention<'a>,
    scratch: &'a mut Scratch,
    out: &'a mut [f32],
}

impl Work for Attend<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        match self.task.layout.width {
            KvWidth::F32 => self.with::<L, Single>(),
            KvWidth::F16 => self.with::<L, Half>(),
        }
    }
}

impl Attend<'_> {
    /// Takes as many queries together as there are, eight at the most.
    #[inline(always)]
    fn with<L: Lanes, W: Figure>(mut self) {
        let n = self.task.queries.vectors.len() / self.task.layout.head_dim;
        let mut first = 0;
        while first < n {
            first += match n - first {
                8.. => self.some::<L, W, 8>(first),
                4.. => self.some::<L, W, 4>(first),
                _ => self.some::<L, W, 1>(first),
            };
        }
    }

    /// Computes `C` queries from `first` on.
    #[inline(always)]
    fn some<L: Lanes, W: Figure, const C: usize>(&mut self, first: usize) -> usize {
        let Attention {
            layout,
            queries,
            spans,
        } = self.task;
        let dim = layout.head_dim;
        let mut sees = [queries.first_sees; C];
        for (index, sees) in sees.iter_mut().enumerate() {
            *sees += (first + index) / queries.heads;
        }
        // Whole pages before the window are passed over.
        let hidden = |sees: usize| queries.window.map_or(0, |window| sees.saturating_sub(window));
        let pages = hidden(sees[0]) / PAGE_TOKENS;
        let spans = &spans[pages..];
        let seen = Seen {
            from: sees.map(|sees| hidden(sees) - pages * PAGE_TOKENS),
            to: sees.map(|sees| sees - pages * PAGE_TOKENS),
        };
        let n_seen = seen.to[C - 1];
        let mut sinks = [f32::NEG_INFINITY; C];
        if let Some(all) = queries.sinks {
            for (index, sink) in sinks.iter_mut().enumerate() {
                *sink = all[(first + index) % queries.heads];
            }
        }
        let Scratch {
            queries: turned,
            scores,
        } = &mut *self.scratch;
        turned.clear();
        turned.resize(dim * C, 0.0);
        for (query, vector) in queries.vectors[first * dim..]
            .chunks_exact(dim)
            .take(C)
            .enumerate()
        {
            for (turned, x) in turned.chunks_exact_mut(C).zip(vector) {
                turned[query] = *x;
            }
        }
        scores.clear();
        scores.resize(n_seen.next_multiple_of(ROWS) * C, 0.0);
        let key_tile = ROWS * dim * W::BYTES;
        let tiles = spans.iter().flat_map(|span| span.keys.chunks_exact(key_tile));
        for (scores, keys) in scores.chunks_exact_mut(ROWS * C).zip(tiles) {
            for (query, products) in plain::<L, W, C>(keys, turned).iter().enumerate() {
                for (scores, x) in scores.chunks_exact_mut(C).zip(products) {
                    scores[query] = *x;
                }
            }
        }
        if let Some(cap) = queries.cap {
            for score in scores.iter_mut() {
                *score = capped(*score, cap);
            }
        }
        softmax::<C>(scores, seen, sinks);
        let out = &mut self.out[first * dim..(first + C) * dim];
        out.fill(0.0);
        let value_tile = PAGE_TOKENS * ROWS * W::BYTES;
        for (span, shares) in spans.iter().zip(scores[..n_seen * C].chunks(PAGE_TOKENS * C)) {
            for (tile, values) in span.values.chunks_exact(value_tile).enumerate() {
                for (query, products) in plain::<L, W, C>(values, shares).iter().enumerate() {
                    let end = dim.min((tile + 1) * ROWS);
                    let out = &mut out[query * dim + tile * ROWS..query * dim + end];
                    for (out, x) in out.iter_mut().zip(products) {
                        *out += x;
                    }
                }
            }
        }
        C
    }
}

/// The tokens that each of `C` queries sees.
#[derive(Clone, Copy)]
struct Seen<const C: usize> {
    from: [usize; C],
    to: [usize; C],
}

/// Turns the scores of `C` queries, (tokens, `C`) in whole tiles, into shares of what each sees. Sums are made over
/// every sixteenth token, then over those.
#[inline(always)]
fn softmax<const C: usize>(scores: &mut [f32], seen: Seen<C>, sinks: [f32; C]) {
    let mut tops = sinks;
    for (token, scores) in scores.chunks_exact(C).enumerate() {
        for query in 0..C {
            let sees = token >= seen.from[query] && token < seen.to[query];
            let x = if sees { scores[query] } else { f32::NEG_INFINITY };
            tops[query] = tops[query].max(x);
        }
    }
    let mut sums = [[0.0_f32; C]; ROWS];
    for (tile, scores) in scores.chunks_exact_mut(ROWS * C).enumerate() {
        for (row, (scores, sums)) in scores.chunks_exact_mut(C).zip(&mut sums).enumerate() {
            let token = tile * ROWS + row;
            for query in 0..C {
                let sees = token >= seen.from[query] && token < seen.to[query];
                let share = exp(scores[query] - tops[query]);
                scores[query] = if sees { share } else { 0.0 };
                sums[query] += scores[query];
            }
        }
    }
    let mut inverse = [0.0; C];
    for query in 0..C {
        let total: f32 = sums.iter().map(|sums| sums[query]).sum();
        // Without a sink this adds the least figure that there is, which changes no sum.
        inverse[query] = 1.0 / (total + exp(sinks[query] - tops[query]));
    }
    for scores in scores.chunks_exact_mut(C) {
        for query in 0..C {
            scores[query] *= inverse[query];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of so many tokens with keys and values by a rule.
    fn pages(layout: KvLayout, n: usize, number: impl Fn(usize) -> f32) -> Vec<(Vec<u8>, Vec<u8>)> {
        let dim = layout.head_dim;
        let mut pages = Vec::new();
        for token in 0..n {
            if token % PAGE_TOKENS == 0 {
                pages.push((vec![0; layout.key_bytes()], vec![0; layout.value_bytes()]));
            }
            let vector =
                |shift: usize| -> Vec<f32> { (0..dim).map(|d| number(token * dim + d + shift)).collect() };
            let (keys, values) = pages.last_mut().unwrap();
            layout.write(keys, values, token % PAGE_TOKENS, &vector(31), &vector(77));
        }
        pages
    }

    fn attended(
        level: SimdLevel,
        layout: KvLayout,
        queries: Queries<'_>,
        pages: &[(Vec<u8>, Vec<u8>)],
    ) -> Vec<f32> {
        let spans: Vec<KvSpan<'_>> = pages
            .iter()
            .map(|(keys, values)| KvSpan { keys, values })
            .collect();
        let task = Attention {
            layout,
            queries,
            spans: &spans,
        };
        let mut out = vec![f32::NAN; queries.vectors.len()];
        attend(level, task, &mut Scratch::default(), &mut out);
        out
    }

    /// What a query attends to, by the definition.
    fn in_f64(
        dim: usize,
        vector: &[f32],
        sees: std::ops::Range<usize>,
        cap: Option<f32>,
        sink: Option<f32>,
        number: impl Fn(usize) -> f32,
    ) -> Vec<f64> {
        let share = |t: usize| -> f64 {
            let score: f64 = (0..dim)
                .map(|d| f64::from(vector[d]) * f64::from(number(t * dim + d + 31)))
                .sum();
            cap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh())
                .exp()
        };
        let shares: Vec<f64> = sees.clone().map(share).collect();
        let total: f64 = shares.iter().sum::<f64>() + sink.map_or(0.0, |sink| f64::from(sink).exp());
        let one = |d: usize| -> f64 {
            let values = sees.clone().map(|t| f64::from(number(t * dim + d + 77)));
            values
                .zip(&shares)
                .map(|(value, share)| value * share / total)
                .sum()
        };
        (0..dim).map(one).collect()
    }

    #[test]
    fn all_levels_and_cuts_give_the_definition() {
        let number = |i: usize| ((i * 7919 % 997) as f32 - 498.0) / 600.0;
        for (dim, heads, width, near, window, cap) in [
            (76, 3, KvWidth::F32, 1e-5, None, None),
            (64, 3, KvWidth::F16, 1e-3, None, Some(2.0)),
            (16, 8, KvWidth::F16, 1e-3, Some(70), None),
            (40, 1, KvWidth::F32, 1e-5, Some(7), Some(1.5)),
        ] {
            let layout = KvLayout { head_dim: dim, width };
            let sinks: Option<Vec<f32>> = (heads == 8).then(|| (0..heads).map(|i| i as f32 / 2.0).collect());
            // Three tokens, the first of which would see 140 tokens.
            let (n_tokens, first_sees) = (3, 140);
            let vectors: Vec<f32> = (0..n_tokens * heads * dim).map(|i| number(i) / 3.0).collect();
            let pages = pages(layout, first_sees + n_tokens - 1, number);
            let queries = Queries {
                vectors: &vectors,
                heads,
                first_sees,
                window,
                cap,
                sinks: sinks.as_deref(),
            };
            let outs: Vec<Vec<f32>> = crate::simd::levels()
                .map(|level| attended(level, layout, queries, &pages))
                .collect();
            assert!(outs.iter().all(|out| *out == outs[0]), "levels differ");
            for query in 0..n_tokens * heads {
                let seen = first_sees + query / heads;
                let from = window.map_or(0, |window| seen - window);
                let vector = &vectors[query * dim..][..dim];
                let sink = sinks.as_ref().map(|sinks| sinks[query % heads]);
                let exact = in_f64(dim, vector, from..seen, cap, sink, number);
                let own: Vec<f32> = sink.into_iter().collect();
                let ours = &outs[0][query * dim..][..dim];
                for (ours, exact) in ours.iter().zip(exact) {
                    assert!((f64::from(*ours) - exact).abs() < near, "{ours}, not {exact}");
                }
                // Alone it is the same to the last digit.
                let alone = Queries {
                    vectors: vector,
                    heads: 1,
                    first_sees: seen,
                    sinks: sink.is_some().then_some(own.as_slice()),
                    ..queries
                };
                assert_eq!(attended(SimdLevel::Portable, layout, alone, &pages), ours);
            }
        }
    }
}

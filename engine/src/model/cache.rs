//! Keys and values of one sequence, in pages that are never copied or moved.

use crate::kernels::KvSpan;

/// Tokens per page. The demo model's page takes 2.9 MB: small beside its weights, large beside a token.
pub(crate) const PAGE_TOKENS: usize = 64;

/// What a cache holds per token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheShape {
    pub(crate) layers: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
}

impl CacheShape {
    /// Gives the bytes of one token.
    pub(crate) fn bytes_per_token(self) -> u64 {
        (self.layers * self.kv_heads * self.head_dim * 2 * size_of::<f32>()) as u64
    }
}

/// The cache of one sequence. Pages come as the sequence grows; what is in them stays where it is.
#[derive(Debug)]
pub(crate) struct KvCache {
    shape: CacheShape,
    /// (layer, kv_head, keys then values, token, head_dim)
    pages: Vec<Box<[f32]>>,
    /// Tokens whose keys and values are complete in every layer.
    pub(crate) n_tokens: usize,
}

impl KvCache {
    pub(crate) fn new(shape: CacheShape) -> Self {
        Self {
            shape,
            pages: Vec::new(),
            n_tokens: 0,
        }
    }

    /// Gives the bytes it has taken.
    pub(crate) fn bytes(&self) -> u64 {
        (self.pages.len() * PAGE_TOKENS) as u64 * self.shape.bytes_per_token()
    }

    /// Gives the bytes it will have taken once it holds `n_tokens`.
    pub(crate) fn bytes_with(&self, n_tokens: usize) -> u64 {
        let n_pages = n_tokens.div_ceil(PAGE_TOKENS).max(self.pages.len());
        (n_pages * PAGE_TOKENS) as u64 * self.shape.bytes_per_token()
    }

    /// Copies what the first `n_tokens` take.
    pub(crate) fn copy_of_first(&self, n_tokens: usize) -> Self {
        let n_tokens = n_tokens.min(self.n_tokens);
        Self {
            shape: self.shape,
            pages: self.pages[..n_tokens.div_ceil(PAGE_TOKENS)].to_vec(),
            n_tokens,
        }
    }

    /// Forgets all but the first `n_tokens`.
    pub(crate) fn truncate(&mut self, n_tokens: usize) {
        self.n_tokens = self.n_tokens.min(n_tokens);
        self.pages.truncate(self.n_tokens.div_ceil(PAGE_TOKENS));
    }

    /// Makes room for `n_tokens` in all.
    pub(crate) fn reserve(&mut self, n_tokens: usize) {
        let CacheShape {
            layers,
            kv_heads,
            head_dim,
        } = self.shape;
        while self.pages.len() * PAGE_TOKENS < n_tokens {
            self.pages
                .push(vec![0.0; layers * kv_heads * 2 * PAGE_TOKENS * head_dim].into_boxed_slice());
        }
    }

    /// Writes key and value of one head of one token, for which room was made.
    pub(crate) fn write(
        &mut self,
        layer: usize,
        kv_head: usize,
        position: usize,
        key: &[f32],
        value: &[f32],
    ) {
        let dim = self.shape.head_dim;
        let start = self.start(layer, kv_head) + position % PAGE_TOKENS * dim;
        let page = &mut self.pages[position / PAGE_TOKENS];
        page[start..start + dim].copy_from_slice(key);
        let start = start + PAGE_TOKENS * dim;
        page[start..start + dim].copy_from_slice(value);
    }

    /// Gives keys and values of one head for the first `n_tokens`, page by page.
    pub(crate) fn spans(&self, layer: usize, kv_head: usize, n_tokens: usize) -> Vec<KvSpan<'_>> {
        let start = self.start(layer, kv_head);
        let whole = PAGE_TOKENS * self.shape.head_dim;
        (0..n_tokens.div_ceil(PAGE_TOKENS))
            .map(|index| {
                let len = (n_tokens - index * PAGE_TOKENS).min(PAGE_TOKENS) * self.shape.head_dim;
                let page = &self.pages[index][start..start + 2 * whole];
                KvSpan {
                    keys: &page[..len],
                    values: &page[whole..whole + len],
                }
            })
            .collect()
    }

    fn start(&self, layer: usize, kv_head: usize) -> usize {
        (layer * self.shape.kv_heads + kv_head) * 2 * PAGE_TOKENS * self.shape.head_dim
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_found_again_across_pages() {
        let mut cache = KvCache::new(CacheShape {
            layers: 2,
            kv_heads: 3,
            head_dim: 4,
        });
        let n = PAGE_TOKENS + 3;
        cache.reserve(n);
        for position in 0..n {
            for layer in 0..2 {
                for head in 0..3 {
                    let base = (position * 100 + layer * 10 + head) as f32;
                    cache.write(layer, head, position, &[base; 4], &[-base; 4]);
                }
            }
        }
        let spans = cache.spans(1, 2, n - 1);
        assert_eq!(
            spans.iter().map(|span| span.keys.len() / 4).collect::<Vec<_>>(),
            [PAGE_TOKENS, 2]
        );
        assert_eq!(spans[0].keys[5 * 4], 512.0);
        assert_eq!(spans[1].values[4], -((PAGE_TOKENS + 1) as f32 * 100.0 + 12.0));
        assert_eq!(cache.bytes(), 2 * PAGE_TOKENS as u64 * 2 * 3 * 4 * 2 * 4);
    }
}

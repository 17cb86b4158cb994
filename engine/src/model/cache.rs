//! Keys and values of one sequence, in pages that are never copied or moved.

use crate::kernels::{Aligned, KvLayout, KvSpan, PAGE_TOKENS};

/// What a cache holds per token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheShape {
    pub(crate) layers: usize,
    pub(crate) kv_heads: usize,
    pub(crate) layout: KvLayout,
}

impl CacheShape {
    /// Gives the bytes of one token.
    pub(crate) fn bytes_per_token(self) -> u64 {
        (self.page_bytes() / PAGE_TOKENS) as u64
    }

    fn page_bytes(self) -> usize {
        self.layers * self.kv_heads * self.head_bytes()
    }

    fn head_bytes(self) -> usize {
        self.layout.key_bytes() + self.layout.value_bytes()
    }
}

/// The cache of one sequence. Pages come as the sequence grows; what is in them stays where it is.
#[derive(Debug)]
pub(crate) struct KvCache {
    shape: CacheShape,
    /// (layer, kv_head, keys then values)
    pages: Vec<Aligned>,
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
        while self.pages.len() * PAGE_TOKENS < n_tokens {
            self.pages.push(Aligned::zeroed(self.shape.page_bytes()));
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
        let CacheShape { layout, .. } = self.shape;
        let start = self.start(layer, kv_head);
        let head = &mut self.pages[position / PAGE_TOKENS][start..start + self.shape.head_bytes()];
        let (keys, values) = head.split_at_mut(layout.key_bytes());
        layout.write(keys, values, position % PAGE_TOKENS, key, value);
    }

    /// Gives keys and values of one head for the first `n_tokens`, page by page.
    pub(crate) fn spans(
        &self,
        layer: usize,
        kv_head: usize,
        n_tokens: usize,
    ) -> impl Iterator<Item = KvSpan<'_>> {
        let start = self.start(layer, kv_head);
        self.pages[..n_tokens.div_ceil(PAGE_TOKENS)]
            .iter()
            .map(move |page| {
                let head = &page[start..start + self.shape.head_bytes()];
                let (keys, values) = head.split_at(self.shape.layout.key_bytes());
                KvSpan { keys, values }
            })
    }

    fn start(&self, layer: usize, kv_head: usize) -> usize {
        (layer * self.shape.kv_heads + kv_head) * self.shape.head_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::KvWidth;

    #[test]
    fn what_is_written_is_found_again_across_pages() {
        let layout = KvLayout {
            head_dim: 4,
            width: KvWidth::F32,
        };
        let mut cache = KvCache::new(CacheShape {
            layers: 2,
            kv_heads: 3,
            layout,
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
        let spans: Vec<_> = cache.spans(1, 2, n).collect();
        assert_eq!(spans.len(), 2);
        let read = |bytes: &[u8], at: usize| f32::from_le_bytes(*bytes[4 * at..].first_chunk().unwrap());
        // The sixth token is the sixth of the first sixteen; the third of the second page follows two others.
        assert_eq!(read(spans[0].keys, 5), 512.0);
        assert_eq!(
            read(spans[1].values, 2 * 16),
            -((PAGE_TOKENS + 2) as f32 * 100.0 + 12.0)
        );
        // Values are filled up to sixteen elements.
        assert_eq!(cache.bytes(), 2 * PAGE_TOKENS as u64 * 2 * 3 * (4 + 16) * 4);
    }
}

//! Caches of answers that have ended, kept so that the next turn of a conversation need not read it again.
//!
//! Only the owner's own conversations are kept: between strangers, a prompt that is answered faster than it
//! should be would tell what somebody else has asked.

use std::sync::{Arc, Weak};

use crate::model::{KvCache, Loaded};

/// Conversations kept. Each holds its pages, so there are few.
const KEPT: usize = 4;
/// Sharing less than this is not worth the search.
const LEAST: usize = 16;

/// A cache without a sequence.
pub(crate) struct Idle {
    model: Weak<Loaded>,
    /// What the cache has computed.
    tokens: Vec<u32>,
    cache: KvCache,
}

/// The kept caches, oldest first.
#[derive(Default)]
pub(crate) struct PrefixCache {
    list: Vec<Idle>,
}

impl PrefixCache {
    /// Keeps a cache that has computed the first of `tokens`.
    pub(crate) fn put(&mut self, model: &Arc<Loaded>, mut tokens: Vec<u32>, cache: KvCache) {
        tokens.truncate(cache.n_tokens);
        if tokens.len() < LEAST {
            return;
        }
        if self.list.len() == KEPT {
            self.drop_oldest();
        }
        self.list.push(Idle {
            model: Arc::downgrade(model),
            tokens,
            cache,
        });
    }

    /// Gives a cache with the longest beginning that a kept one shares with `prompt`: the kept one itself if the
    /// prompt goes on with most of it, else a copy, so that a new conversation under a common opening destroys none.
    /// At least one token of the prompt stays to be computed, for its logits.
    pub(crate) fn take(&mut self, model: &Arc<Loaded>, prompt: &[u32]) -> Option<KvCache> {
        self.drop_orphans();
        let of_model = |idle: &Idle| std::ptr::eq(idle.model.as_ptr(), Arc::as_ptr(model));
        let shared = |idle: &Idle| {
            let same = idle.tokens.iter().zip(prompt).take_while(|(a, b)| a == b).count();
            same.min(prompt.len().saturating_sub(1))
        };
        let candidates = self.list.iter().enumerate().filter(|(_, idle)| of_model(idle));
        let (index, n_shared) = candidates
            .map(|(index, idle)| (index, shared(idle)))
            .max_by_key(|(_, n)| *n)?;
        if n_shared < LEAST {
            return None;
        }
        if n_shared < self.list[index].tokens.len() / 2 {
            return Some(self.list[index].cache.copy_of_first(n_shared));
        }
        let mut cache = self.list.remove(index).cache;
        cache.truncate(n_shared);
        Some(cache)
    }

    /// Drops the caches of models that are gone.
    pub(crate) fn drop_orphans(&mut self) {
        self.list.retain(|idle| idle.model.strong_count() > 0);
    }

    /// Drops all of them.
    pub(crate) fn drop_all(&mut self) {
        self.list.clear();
    }

    /// Gives memory back; says whether there was any.
    pub(crate) fn drop_oldest(&mut self) -> bool {
        if self.list.is_empty() {
            return false;
        }
        self.list.remove(0);
        true
    }

    /// Gives the bytes that are kept.
    pub(crate) fn bytes(&self) -> u64 {
        self.list.iter().map(|idle| idle.cache.bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Precision;
    use crate::load::ModelSource;
    use crate::model::{LoadSettings, LoadedKind, load};

    fn tiny() -> Arc<Loaded> {
        let folder = tempfile::tempdir().unwrap();
        let path = crate::testing::tiny_llama(folder.path()).unwrap();
        let settings = LoadSettings {
            free_bytes: u64::MAX / 2,
            precision: Precision::Fast,
            unix_now: None,
        };
        Arc::new(load(&ModelSource::at("tiny", &path).unwrap(), &settings).unwrap())
    }

    fn cache_of(model: &Loaded, n_tokens: usize) -> KvCache {
        let LoadedKind::Text(text) = &model.kind else {
            panic!("a text model")
        };
        let mut cache = text.decoder.new_cache();
        cache.reserve(n_tokens);
        cache.n_tokens = n_tokens;
        cache
    }

    #[test]
    fn a_common_opening_is_copied_and_a_conversation_is_taken() {
        let model = tiny();
        let mut kept = PrefixCache::default();
        let first: Vec<u32> = (0..200).collect();
        kept.put(&model, first.clone(), cache_of(&model, 200));
        let before = kept.bytes();

        // Another conversation under the same opening of 40 tokens.
        let mut other: Vec<u32> = first[..40].to_vec();
        other.extend([7; 100]);
        let copy = kept.take(&model, &other).unwrap();
        assert_eq!((copy.n_tokens, kept.bytes()), (40, before));

        // The first one goes on: all of it is still there, and is handed over.
        let mut next = first.clone();
        next.extend([9; 30]);
        assert_eq!(kept.take(&model, &next).unwrap().n_tokens, 200);
        assert_eq!(kept.bytes(), 0);
        assert!(kept.take(&model, &next).is_none());
    }

    #[test]
    fn caches_of_models_that_are_gone_are_dropped() {
        let model = tiny();
        let mut kept = PrefixCache::default();
        kept.put(&model, (0..100).collect(), cache_of(&model, 100));
        kept.drop_orphans();
        assert!(kept.bytes() > 0);
        drop(model);
        kept.drop_orphans();
        assert_eq!(kept.bytes(), 0);
    }
}

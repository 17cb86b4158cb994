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
pub(crate) struct Kept {
    list: Vec<Idle>,
}

impl Kept {
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

    /// Takes the cache that shares the longest beginning with `prompt`, cut to what they share. At least one
    /// token of the prompt stays to be computed, for its logits.
    pub(crate) fn take(&mut self, model: &Arc<Loaded>, prompt: &[u32]) -> Option<KvCache> {
        self.list.retain(|idle| idle.model.strong_count() > 0);
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
        let mut cache = self.list.remove(index).cache;
        cache.truncate(n_shared);
        Some(cache)
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

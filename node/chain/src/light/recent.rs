//! The headers that were verified last, in memory: most questions are about them, and a full disk does not lose them.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use hearth_base::Height;
use parking_lot::Mutex;

use crate::{db::DbError, verify::VerifiedHeader};

/// More than a session and its windows; a kilobyte each.
const MOST: usize = 512;

#[derive(Debug, Default)]
pub(super) struct Recent {
    headers: Mutex<BTreeMap<Height, VerifiedHeader>>,
    is_said: AtomicBool,
}

impl Recent {
    pub(super) fn put(&self, header: &VerifiedHeader) {
        let mut headers = self.headers.lock();
        headers.insert(header.height(), header.clone());
        while headers.len() > MOST {
            headers.pop_first();
        }
    }

    pub(super) fn get(&self, height: Height) -> Option<VerifiedHeader> {
        self.headers.lock().get(&height).cloned()
    }

    pub(super) fn at_or_above(&self, height: Height) -> Option<VerifiedHeader> {
        let headers = self.headers.lock();
        headers.range(height..).next().map(|(_, header)| header.clone())
    }

    /// Trust begins anew: what was verified before followed from another beginning.
    pub(super) fn clear(&self) {
        self.headers.lock().clear();
    }

    /// Says once in a run that verified headers cannot be written.
    pub(super) fn say_unwritten(&self, error: &DbError) {
        let error = hearth_base::failure::chain(error);
        if self.is_said.swap(true, Ordering::Relaxed) {
            tracing::debug!(error, "a verified header cannot be written");
        } else {
            tracing::error!(
                error,
                "verified headers cannot be written: they are kept in memory until that works again"
            );
        }
    }
}

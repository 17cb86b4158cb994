//! Payments that were reviewed and not yet sent.

use std::collections::BTreeMap;

use hearth_base::Clock;
use parking_lot::Mutex;

use crate::{
    control::types::{SendDraft, SendReview, Upokt},
    error::ApiError,
};

/// How long a review may be sent.
const GOOD_FOR_MS: i64 = 5 * 60_000;
/// Reviews that are kept at once; the oldest goes first. One has some 200 bytes.
const MAX_REVIEWS: usize = 100;

/// Payments that were reviewed and not yet sent.
pub(crate) struct Reviews {
    clock: Clock,
    /// By id. Ids are made in order of time.
    open: Mutex<BTreeMap<String, OpenReview>>,
}

/// A payment that was reviewed.
pub(crate) struct OpenReview {
    pub(crate) draft: SendDraft,
    pub(crate) fee: Upokt,
    pub(crate) needs_password: bool,
    until_ms: i64,
}

impl Reviews {
    pub(crate) fn new(clock: Clock) -> Reviews {
        Reviews {
            clock,
            open: Mutex::default(),
        }
    }

    /// Keeps a review and names it.
    pub(crate) fn keep(&self, draft: SendDraft, review: &SendReview) -> String {
        let id = uuid::Uuid::now_v7().to_string();
        let until_ms = self.clock.now_ms() + GOOD_FOR_MS;
        let mut open = self.open.lock();
        while open.len() >= MAX_REVIEWS {
            open.pop_first();
        }
        open.insert(
            id.clone(),
            OpenReview {
                draft,
                fee: review.fee,
                needs_password: review.needs_password,
                until_ms,
            },
        );
        id
    }

    /// Takes a review away, so that no second call can send it.
    pub(crate) fn take(&self, id: &str) -> Result<OpenReview, ApiError> {
        let open = self
            .open
            .lock()
            .remove(id)
            .filter(|open| open.until_ms >= self.clock.now_ms());
        open.ok_or_else(|| {
            ApiError::conflict(
                "no_review",
                "this payment was sent already, or its review is older than 5 minutes; nothing was sent",
            )
            .remedy("Review it again.")
        })
    }

    /// Puts a review back that came to nothing.
    pub(crate) fn put_back(&self, id: String, review: OpenReview) {
        self.open.lock().insert(id, review);
    }
}

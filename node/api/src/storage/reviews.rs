//! What was reviewed and not yet sent: payments, changes of roles.

use std::collections::BTreeMap;

use hearth_base::Clock;
use parking_lot::Mutex;

use crate::{
    control::types::{RoleOrder, RoleReview, SendDraft, Upokt},
    error::ApiError,
};

/// How long a review may be sent.
const GOOD_FOR_MS: i64 = 5 * 60_000;
/// Reviews that are kept at once; the oldest goes first. One has some 200 bytes.
const MAX_REVIEWS: usize = 100;

/// What was reviewed and not yet sent.
pub(crate) struct Reviews<T> {
    clock: Clock,
    /// By id. Ids are made in order of time.
    open: Mutex<BTreeMap<String, OpenReview<T>>>,
}

/// Something that was reviewed.
pub(crate) struct OpenReview<T> {
    pub(crate) what: T,
    until_ms: i64,
}

/// A payment that was reviewed.
pub(crate) struct ReviewedPayment {
    pub(crate) draft: SendDraft,
    pub(crate) fee: Upokt,
    pub(crate) needs_password: bool,
}

/// A change of a role that was reviewed.
pub(crate) struct ReviewedRole {
    pub(crate) order: RoleOrder,
    pub(crate) review: RoleReview,
}

impl<T> Reviews<T> {
    pub(crate) fn new(clock: Clock) -> Reviews<T> {
        Reviews {
            clock,
            open: Mutex::default(),
        }
    }

    /// Keeps a review and names it.
    pub(crate) fn keep(&self, what: T) -> String {
        let id = uuid::Uuid::now_v7().to_string();
        let until_ms = self.clock.now_ms() + GOOD_FOR_MS;
        let mut open = self.open.lock();
        while open.len() >= MAX_REVIEWS {
            open.pop_first();
        }
        open.insert(id.clone(), OpenReview { what, until_ms });
        id
    }

    /// Takes a review away, so that no second call can send it.
    pub(crate) fn take(&self, id: &str) -> Result<OpenReview<T>, ApiError> {
        let open = self
            .open
            .lock()
            .remove(id)
            .filter(|open| open.until_ms >= self.clock.now_ms());
        open.ok_or_else(|| {
            ApiError::conflict(
                "no_review",
                "this was sent already, or its review is older than 5 minutes; nothing was sent",
            )
            .remedy("Review it again.")
        })
    }

    /// Puts a review back that came to nothing.
    pub(crate) fn put_back(&self, id: String, review: OpenReview<T>) {
        self.open.lock().insert(id, review);
    }
}

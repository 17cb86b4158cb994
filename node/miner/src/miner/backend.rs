//! Looks after the backend: whether it is well, and what of it stands in the way of earning.

use hearth_answers::{Code, Error, watch, watch_backend};

use super::Miner;
use crate::earning::{EarningState, Reason, ReasonCode};

impl Miner {
    /// Looks at the backend now and then, and again and again as long as it fails, so that its end is noticed before a
    /// buyer meets it.
    pub(super) async fn look_after_backend(self) {
        let backend = &self.0.backend;
        // A server alone is tried; among several each is watched for itself.
        if backend.address().is_some() {
            return watch_backend(backend.clone()).await;
        }
        watch(backend.health(), || async {
            match self.probe_backend().await {
                Ok(()) => backend.health().well(),
                Err(error) => backend.health().failed(&error.text()),
            }
        })
        .await;
    }

    /// What the backend's failure stands in the way of: a start; an earning that runs goes on, and refuses what the
    /// backend does not answer.
    pub(super) fn backend_reason(&self, reasons: &mut Vec<Reason>, notes: &mut Vec<Reason>) {
        let Some(fact) = self.0.backend.health().ailment() else {
            return;
        };
        let reason = Reason {
            code: ReasonCode::Backend,
            fact,
        };
        match self.0.earning.borrow().state {
            // It comes first: whatever else is missing, nothing can be answered.
            EarningState::Off(_) | EarningState::Starting => reasons.insert(0, reason),
            EarningState::Idle | EarningState::Serving | EarningState::Draining => notes.push(reason),
        }
    }

    /// Why the backend could not be made ready.
    pub(super) fn not_prepared(&self, error: &Error) -> Reason {
        let fact = error.text();
        // Another server's failure is told by its address; what the engine cannot load is its model's.
        let code = if self.0.backend.address().is_some()
            || matches!(
                error.code,
                Code::BackendUnreachable | Code::BackendNotReady | Code::BackendFailed
            ) {
            self.0.backend.health().failed(&fact);
            ReasonCode::Backend
        } else {
            ReasonCode::NoModel
        };
        Reason { code, fact }
    }
}

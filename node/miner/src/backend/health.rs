//! How the backend fares: what the owner is told of its failures, until it answers again.

use parking_lot::Mutex;

/// The last failure that no good answer followed.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<Option<String>>);

impl Health {
    /// It answered as it should.
    pub(crate) fn well(&self) {
        if self.0.lock().take().is_some() {
            tracing::info!("the backend answers again");
        }
    }

    /// It failed. Only a change is told: a backend that is down fails with every relay.
    pub(crate) fn failed(&self, why: &str) {
        let mut ailment = self.0.lock();
        if ailment.as_deref() != Some(why) {
            tracing::warn!(why, "the backend fails");
            *ailment = Some(why.to_owned());
        }
    }

    /// Why it fails, if it does.
    pub(crate) fn ailment(&self) -> Option<String> {
        self.0.lock().clone()
    }
}

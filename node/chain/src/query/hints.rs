//! Who was a candidate of a service last.

use std::collections::BTreeMap;

use hearth_base::{Height, ServiceId};
use hearth_pocket::message::shared::ServiceConfigUpdate;

use crate::verify::{Neighbour, Proven};

/// Services whose candidates are remembered.
const MAX_SERVICES: usize = 64;

/// What was proven of the candidates of a service last.
#[derive(Clone, Debug)]
struct Candidates {
    /// Their keys: most of them are candidates of the next session, too, and then all are proven at once. They are guesses:
    /// what is missing or gone is found by the proofs themselves.
    keys: Vec<Vec<u8>>,
    configs: Proven<Vec<ServiceConfigUpdate>>,
}

/// The candidates of each service.
#[derive(Debug, Default)]
pub(crate) struct Hints(BTreeMap<ServiceId, Candidates>);

impl Hints {
    /// Keys of those that are probably candidates.
    pub(super) fn keys(&self, service: &ServiceId) -> Option<Vec<Vec<u8>>> {
        Some(self.0.get(service)?.keys.clone())
    }

    /// The candidates of a session that were proven of any of its states, or the one before its first. Whoever stakes,
    /// changes or leaves in a session does so for the next one, so all of them tell the same.
    pub(super) fn within(
        &self,
        service: &ServiceId,
        (start, end): (Height, Height),
    ) -> Option<Proven<Vec<ServiceConfigUpdate>>> {
        let known = &self.0.get(service)?.configs;
        let is_within = known.height().plus(1) >= start && known.height() <= end;
        is_within.then(|| known.clone())
    }

    pub(super) fn put(
        &mut self,
        service: &ServiceId,
        found: &[Neighbour],
        configs: &Proven<Vec<ServiceConfigUpdate>>,
    ) {
        if self.0.len() >= MAX_SERVICES && !self.0.contains_key(service) {
            self.0.pop_first();
        }
        let keys = found.iter().map(|one| one.key.clone()).collect();
        let configs = configs.clone();
        self.0.insert(service.clone(), Candidates { keys, configs });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::proven_for_tests;

    #[test]
    fn candidates_count_for_the_session_of_their_state() {
        let (service, mut hints) = (ServiceId::new("svc"), Hints::default());
        hints.put(&service, &[], &proven_for_tests(Vec::new(), Height(20)));
        let within = |start, end| hints.within(&service, (Height(start), Height(end))).is_some();
        assert!(within(21, 30) && within(11, 20));
        assert!(!within(22, 30) && !within(1, 19));
        assert!(hints.within(&"other".into(), (Height(11), Height(20))).is_none());
    }
}

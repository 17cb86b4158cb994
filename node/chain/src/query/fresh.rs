//! What was proven of the newest state in this run: asked again before the next block, it needs no question.

use std::collections::BTreeMap;

use hearth_base::Height;

use crate::verify::{Proven, Statement};

/// Statements of one state that are kept; a kilobyte each.
const MOST: usize = 2048;

/// Proven statements of one state, by store and key.
#[derive(Debug, Default)]
pub(crate) struct Fresh {
    height: Height,
    statements: BTreeMap<(&'static str, Vec<u8>), Proven<Statement>>,
}

impl Fresh {
    pub(crate) fn find(&self, store: &'static str, key: &[u8], height: Height) -> Option<Proven<Statement>> {
        let known = self.statements.get(&(store, key.to_vec()))?;
        (self.height == height).then(|| known.clone())
    }

    pub(crate) fn note(&mut self, store: &'static str, key: &[u8], statement: &Proven<Statement>) {
        let height = statement.height();
        if height < self.height {
            return;
        }
        if height > self.height || self.statements.len() >= MOST {
            self.statements.clear();
            self.height = height;
        }
        self.statements.insert((store, key.to_vec()), statement.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::proven_for_tests;

    #[test]
    fn what_is_fresh_is_of_one_state() {
        let mut fresh = Fresh::default();
        let at = |height| proven_for_tests(Statement::Present(vec![1]), Height(height));
        fresh.note("bank", b"a", &at(5));
        assert!(fresh.find("bank", b"a", Height(5)).is_some());
        assert!(
            fresh.find("bank", b"a", Height(6)).is_none() && fresh.find("acc", b"a", Height(5)).is_none()
        );
        fresh.note("bank", b"b", &at(6));
        assert!(fresh.find("bank", b"a", Height(5)).is_none());
        // An older state that was asked for by its height takes nothing away.
        fresh.note("bank", b"a", &at(4));
        assert!(fresh.find("bank", b"b", Height(6)).is_some());
        for key in 0..=MOST {
            fresh.note("bank", &key.to_be_bytes(), &at(6));
        }
        assert!(fresh.statements.len() <= MOST);
    }
}

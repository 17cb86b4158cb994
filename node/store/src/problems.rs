//! What was found damaged or unreadable since the start: told in the log once, and shown until it is mended.

use std::{
    collections::BTreeSet,
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// More than this many tell nothing new.
const MOST: usize = 100;

/// The list. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Problems(Arc<Mutex<BTreeSet<String>>>);

impl Problems {
    /// Adds a problem, whose text names the row or the file and says what to do.
    pub fn report(&self, problem: impl Display) {
        let problem = problem.to_string();
        let mut all = self.lock();
        if all.len() < MOST && !all.contains(&problem) {
            tracing::error!("{problem}");
            all.insert(problem);
        }
    }

    /// All that were reported.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        // A text is in the set or not, whatever happened to whoever held the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_listed_once_and_their_number_is_bounded() {
        let problems = Problems::default();
        for number in 0..2 * MOST {
            problems.clone().report(format!("row {}", number / 2));
            problems.report(format!("another row {number}"));
        }
        assert_eq!(problems.all().len(), MOST);
        assert!(problems.all().contains(&"row 0".to_owned()));
    }
}

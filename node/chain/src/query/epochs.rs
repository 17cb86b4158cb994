//! What was proven of the past: which entry of a history is in force from when to when. It does not change, so whoever
//! begins a session asks for its parameters once.

use std::{collections::BTreeMap, ops::RangeInclusive};

use hearth_base::Height;

use crate::verify::Proven;

/// Histories that are remembered: a few of each service.
const MAX_HISTORIES: usize = 1024;
/// Epochs of each.
const MAX_EPOCHS: usize = 8;

/// What a history says about a height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The entry in force.
    At(Vec<u8>),
    /// The first entry is later; it holds what was in force until then.
    Before(Vec<u8>),
    /// There is no entry: what is in force now always was. `None` where there is nothing now.
    Always(Option<Vec<u8>>),
}

/// Proven entries of histories, by the heights for which they are in force.
#[derive(Debug, Default)]
pub(crate) struct Epochs(BTreeMap<(&'static str, String), Vec<(RangeInclusive<Height>, Proven<Entry>)>>);

impl Epochs {
    pub(crate) fn find(&self, store: &'static str, prefix: &str, height: Height) -> Option<Proven<Entry>> {
        let epochs = self.0.get(&(store, prefix.to_owned()))?;
        let known = epochs.iter().find(|(heights, _)| heights.contains(&height));
        known.map(|(_, entry)| entry.clone())
    }

    pub(crate) fn note(
        &mut self,
        store: &'static str,
        prefix: &str,
        heights: RangeInclusive<Height>,
        entry: Proven<Entry>,
    ) {
        if heights.is_empty() {
            return;
        }
        if self.0.len() >= MAX_HISTORIES {
            self.0.pop_first();
        }
        let epochs = self.0.entry((store, prefix.to_owned())).or_default();
        // A newer state knows the same epoch for longer.
        epochs.retain(|(known, _)| known.start() != heights.start());
        if epochs.len() >= MAX_EPOCHS {
            epochs.remove(0);
        }
        epochs.push((heights, entry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::proven_for_tests;

    #[test]
    fn an_epoch_is_known_as_far_as_it_was_proven() {
        let mut epochs = Epochs::default();
        let entry = |byte| proven_for_tests(Entry::At(vec![byte]), Height(50));
        let value = |epochs: &Epochs, height| match epochs.find("shared", "p/", Height(height))?.into_value()
        {
            Entry::At(bytes) => bytes.first().copied(),
            Entry::Before(_) | Entry::Always(_) => None,
        };
        epochs.note("shared", "p/", Height(20)..=Height(39), entry(1));
        epochs.note("shared", "p/", Height(40)..=Height(50), entry(2));
        assert_eq!(
            [20, 39, 40, 50].map(|at| value(&epochs, at)),
            [Some(1), Some(1), Some(2), Some(2)]
        );
        assert_eq!([19, 51].map(|at| value(&epochs, at)), [None, None]);
        assert!(epochs.find("session", "p/", Height(20)).is_none());
        // The same epoch, seen from a later state.
        epochs.note("shared", "p/", Height(40)..=Height(70), entry(2));
        assert_eq!((value(&epochs, 51), value(&epochs, 71)), (Some(2), None));
        for since in 100..100 + MAX_EPOCHS as u64 {
            epochs.note("shared", "p/", Height(since)..=Height(since), entry(3));
        }
        assert_eq!(value(&epochs, 20), None);
    }
}

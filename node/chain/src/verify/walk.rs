//! Everything under a prefix of a store, with the proof that nothing was left out: each step shows two neighbours and that
//! nothing lies between them.

use std::collections::BTreeMap;

use hearth_base::Height;

use super::{Neighbour, Proven, Statement};

/// The gaps that were proven so far, all of one state and one store.
#[derive(Debug)]
pub(crate) struct Walk {
    prefix: Vec<u8>,
    height: Height,
    /// What comes after a key; the empty key stands for everything before the prefix.
    after: BTreeMap<Vec<u8>, Option<Neighbour>>,
}

/// How far the gaps lead.
#[derive(Debug)]
pub(crate) enum Walked {
    /// All records under the prefix, in the order of their keys.
    Whole(Proven<Vec<Neighbour>>),
    /// Nothing is known of what comes after a key: ask for this one.
    Ask(Vec<u8>),
    /// There are more than anybody wants to read.
    TooMany,
}

impl Walk {
    pub(crate) fn new(prefix: &[u8], height: Height) -> Walk {
        Walk {
            prefix: prefix.to_vec(),
            height,
            after: BTreeMap::new(),
        }
    }

    /// The key to ask for, so that the answer says what comes after `key`.
    pub(crate) fn just_after(key: &[u8]) -> Vec<u8> {
        [key, &[0]].concat()
    }

    /// Takes what was proven. A statement of another state, or that a record is there, says nothing of a gap.
    pub(crate) fn take(&mut self, statement: &Proven<Statement>) {
        let Statement::Absent { left, right } = statement.value() else {
            return;
        };
        if statement.height() != self.height {
            return;
        }
        let is_inside = |neighbour: &&Neighbour| neighbour.key.starts_with(&self.prefix);
        let begins = match left {
            Some(left) if is_inside(&left) => left.key.clone(),
            // A gap that lies behind everything under the prefix, or before it.
            Some(left) if left.key > self.prefix => return,
            Some(_) | None if right.as_ref().is_some_and(|right| right.key < self.prefix) => return,
            Some(_) | None => Vec::new(),
        };
        self.after
            .insert(begins, right.as_ref().filter(is_inside).cloned());
    }

    /// What is proven of all records, or what to ask for next.
    pub(crate) fn walked(&self, most: usize) -> Walked {
        let mut found: Vec<Neighbour> = Vec::new();
        let mut key: &[u8] = &[];
        loop {
            match self.after.get(key) {
                None if key.is_empty() => return Walked::Ask(self.prefix.clone()),
                None => return Walked::Ask(Walk::just_after(key)),
                Some(None) => return Walked::Whole(Proven::new(found, self.height)),
                Some(Some(_)) if found.len() >= most => return Walked::TooMany,
                Some(Some(next)) => {
                    found.push(next.clone());
                    key = &next.key;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: Height = Height(7);

    /// What an honest store says of an absent key.
    fn gap(store: &[Vec<u8>], key: &[u8]) -> Proven<Statement> {
        let neighbour = |key: &Vec<u8>| Neighbour {
            key: key.clone(),
            value: key.clone(),
        };
        let left = store.iter().rfind(|one| one.as_slice() < key).map(neighbour);
        let right = store.iter().find(|one| one.as_slice() > key).map(neighbour);
        Proven::new(Statement::Absent { left, right }, AT)
    }

    proptest! {
        /// Whatever was guessed before, the walk ends with exactly what the store holds under the prefix.
        #[test]
        fn a_walk_ends_with_all_records(
            keys in proptest::collection::btree_set("[abc]/[a-c]{0,3}", 0..14),
            guesses in proptest::collection::vec("[abc]/[a-c]{0,3}", 0..6),
        ) {
            let store: Vec<Vec<u8>> = keys.iter().map(|key| key.clone().into_bytes()).filter(|key| key != b"b/").collect();
            let mut walk = Walk::new(b"b/", AT);
            for guess in guesses {
                let key = Walk::just_after(guess.as_bytes());
                if !store.contains(&key) {
                    walk.take(&gap(&store, &key));
                }
            }
            let mut asked = 0;
            let found = loop {
                match walk.walked(100) {
                    Walked::Whole(found) => break found,
                    Walked::TooMany => unreachable!("there are not that many"),
                    Walked::Ask(key) => {
                        asked += 1;
                        prop_assert!(asked <= store.len() + 2, "it goes in a circle");
                        walk.take(&gap(&store, &key));
                    }
                }
            };
            let wanted: Vec<&Vec<u8>> = store.iter().filter(|key| key.starts_with(b"b/")).collect();
            let keys: Vec<&Vec<u8>> = found.value().iter().map(|one| &one.key).collect();
            prop_assert_eq!(keys, wanted);
            prop_assert_eq!(found.height(), AT);
        }
    }

    #[test]
    fn a_gap_of_another_state_closes_nothing() {
        let mut walk = Walk::new(b"b/", AT);
        let elsewhere = Statement::Absent {
            left: None,
            right: None,
        };
        walk.take(&Proven::new(elsewhere, Height(8)));
        assert!(matches!(walk.walked(9), Walked::Ask(key) if key == b"b/"));
        // Nor does one that ends before the prefix begins.
        let before = Neighbour {
            key: b"a/x".to_vec(),
            value: Vec::new(),
        };
        let early = Statement::Absent {
            left: None,
            right: Some(before),
        };
        walk.take(&Proven::new(early, AT));
        assert!(matches!(walk.walked(9), Walked::Ask(_)));
        // Nor does one behind all of them.
        let behind = Neighbour {
            key: b"c/x".to_vec(),
            value: Vec::new(),
        };
        let late = Statement::Absent {
            left: Some(behind),
            right: None,
        };
        walk.take(&Proven::new(late, AT));
        assert!(matches!(walk.walked(9), Walked::Ask(_)));
    }
}

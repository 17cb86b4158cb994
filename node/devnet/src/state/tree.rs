//! One store's tree: persistent, with the node encodings of IAVL, so that the IAVL proof spec of ICS23 fits it.
//!
//! Its shape depends on the keys alone: the gap before a key has a priority made of that key's hash, and the tree is
//! the heap of those priorities. Node versions are the greatest version of the leaves below. So the root is a pure
//! function of the set of (key, value, version): a restart that replays the leaves finds the same roots, and
//! no inner node has to be stored. Old versions cost what differs from the new one.

use std::{cmp::Ordering, sync::Arc, sync::OnceLock};

use sha2::{Digest, Sha256};

pub(crate) type Hash = [u8; 32];

/// A tree, or nothing. Clones share all nodes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    root: Link,
}

type Link = Option<Arc<Node>>;

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Leaves below.
    size: u64,
    /// Steps to the deepest leaf.
    height: u64,
    /// The height at which the youngest leaf below was written.
    version: u64,
    hash: OnceLock<Hash>,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Leaf {
        key: Vec<u8>,
        value: Vec<u8>,
    },
    Inner {
        left: Arc<Node>,
        right: Arc<Node>,
        priority: Priority,
    },
}

/// The priority of the gap before a key; the key itself breaks ties.
type Priority = u64;

/// A leaf as the database stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leaf<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    pub(crate) version: u64,
}

impl Tree {
    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let mut node = self.root.as_deref()?;
        loop {
            match &node.kind {
                Kind::Leaf { key: found, value } => {
                    return (found.as_slice() == key).then_some(value.as_slice());
                }
                Kind::Inner { left, right, .. } => node = if key < right.first_key() { left } else { right },
            }
        }
    }

    /// Writes a value at `version`. Writing the same value again is a write all the same.
    pub(crate) fn insert(&mut self, key: &[u8], value: Vec<u8>, version: u64) {
        let leaf = Arc::new(Node {
            kind: Kind::Leaf {
                key: key.to_vec(),
                value,
            },
            size: 1,
            height: 0,
            version,
            hash: OnceLock::new(),
        });
        let (before, from) = split(self.root.take(), key);
        let (_, after) = split_first_if(from, key);
        self.root = join(join(before, Some(leaf)), after);
    }

    /// Takes a key out. Says whether it was there.
    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        let (before, from) = split(self.root.take(), key);
        let (found, after) = split_first_if(from, key);
        self.root = join(before, after);
        found
    }

    /// All leaves whose key starts with `prefix`, in order.
    pub(crate) fn prefix(&self, prefix: &[u8]) -> Vec<Leaf<'_>> {
        let mut found = Vec::new();
        if let Some(root) = &self.root {
            collect(root, prefix, &mut found);
        }
        found
    }

    /// The root hash; of an empty tree, the hash of nothing.
    pub(crate) fn root_hash(&self) -> Hash {
        self.root
            .as_ref()
            .map_or_else(|| Sha256::digest([]).into(), |root| root.hash())
    }

    pub(crate) fn root(&self) -> Option<&Node> {
        self.root.as_deref()
    }

    /// The last key below `key`, and the first key above it.
    pub(crate) fn neighbours(&self, key: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
        let (mut left, mut right) = (None, None);
        let mut node = self.root.as_deref();
        while let Some(current) = node {
            node = match &current.kind {
                Kind::Leaf { key: found, .. } => {
                    match found.as_slice().cmp(key) {
                        Ordering::Less => left = Some(found.as_slice()),
                        Ordering::Greater => right = Some(found.as_slice()),
                        Ordering::Equal => {}
                    }
                    None
                }
                Kind::Inner {
                    left: below,
                    right: above,
                    ..
                } => {
                    if key < above.first_key() {
                        right = Some(above.first_key());
                        Some(below.as_ref())
                    } else {
                        left = Some(below.last_key());
                        Some(above.as_ref())
                    }
                }
            };
        }
        (left, right)
    }
}

impl Node {
    fn inner(left: Arc<Node>, right: Arc<Node>) -> Arc<Node> {
        Arc::new(Node {
            size: left.size + right.size,
            height: left.height.max(right.height) + 1,
            version: left.version.max(right.version),
            hash: OnceLock::new(),
            kind: Kind::Inner {
                priority: priority(right.first_key()),
                left,
                right,
            },
        })
    }

    fn first_key(&self) -> &[u8] {
        let mut node = self;
        loop {
            match &node.kind {
                Kind::Leaf { key, .. } => return key,
                Kind::Inner { left, .. } => node = left,
            }
        }
    }

    fn last_key(&self) -> &[u8] {
        let mut node = self;
        loop {
            match &node.kind {
                Kind::Leaf { key, .. } => return key,
                Kind::Inner { right, .. } => node = right,
            }
        }
    }

    /// Whether `key` lies below the left child.
    pub(crate) fn goes_left(&self, key: &[u8]) -> bool {
        match &self.kind {
            Kind::Leaf { .. } => false,
            Kind::Inner { right, .. } => key < right.first_key(),
        }
    }

    /// Whether this node lies above the gap before `key`, whose priority is `priority`.
    fn outranks(&self, priority: Priority, key: &[u8]) -> bool {
        match &self.kind {
            Kind::Leaf { .. } => false,
            Kind::Inner {
                priority: own, right, ..
            } => (*own, right.first_key()) > (priority, key),
        }
    }

    /// Height, size and version as zigzag varints: the head of every node encoding of IAVL.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut head = Vec::with_capacity(12);
        for number in [self.height, self.size, self.version] {
            push_varint(&mut head, number << 1);
        }
        head
    }

    pub(crate) fn hash(&self) -> Hash {
        *self.hash.get_or_init(|| {
            let mut hasher = Sha256::new();
            hasher.update(self.head());
            match &self.kind {
                Kind::Leaf { key, value } => {
                    let mut length = Vec::with_capacity(3);
                    push_varint(&mut length, key.len() as u64);
                    hasher.update(length);
                    hasher.update(key);
                    hasher.update([32]);
                    hasher.update(Sha256::digest(value));
                }
                Kind::Inner { left, right, .. } => {
                    for child in [left, right] {
                        hasher.update([32]);
                        hasher.update(child.hash());
                    }
                }
            }
            hasher.finalize().into()
        })
    }
}

fn priority(key: &[u8]) -> Priority {
    let digest: Hash = Sha256::digest(key).into();
    digest
        .iter()
        .take(8)
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// The keys below `at`, and those from it on.
fn split(link: Link, at: &[u8]) -> (Link, Link) {
    let Some(node) = link else { return (None, None) };
    match &node.kind {
        Kind::Leaf { key, .. } if key.as_slice() < at => (Some(node), None),
        Kind::Leaf { .. } => (None, Some(node)),
        Kind::Inner { left, right, .. } => match at.cmp(right.first_key()) {
            Ordering::Equal => (Some(Arc::clone(left)), Some(Arc::clone(right))),
            Ordering::Less => {
                let (before, rest) = split(Some(Arc::clone(left)), at);
                (before, inner_or_right(rest, right))
            }
            Ordering::Greater => {
                let (rest, after) = split(Some(Arc::clone(right)), at);
                (inner_or_left(left, rest), after)
            }
        },
    }
}

/// Takes the first leaf off if it is `key`.
fn split_first_if(link: Link, key: &[u8]) -> (bool, Link) {
    match link {
        Some(node) if node.first_key() == key => (true, without_first(&node)),
        other => (false, other),
    }
}

fn without_first(node: &Arc<Node>) -> Link {
    match &node.kind {
        Kind::Leaf { .. } => None,
        Kind::Inner { left, right, .. } => inner_or_right(without_first(left), right),
    }
}

fn inner_or_right(left: Link, right: &Arc<Node>) -> Link {
    Some(match left {
        Some(left) => Node::inner(left, Arc::clone(right)),
        None => Arc::clone(right),
    })
}

fn inner_or_left(left: &Arc<Node>, right: Link) -> Link {
    Some(match right {
        Some(right) => Node::inner(Arc::clone(left), right),
        None => Arc::clone(left),
    })
}

/// Puts two trees together; all keys of the first are smaller.
fn join(left: Link, right: Link) -> Link {
    match (left, right) {
        (None, one) | (one, None) => one,
        (Some(left), Some(right)) => {
            let first = right.first_key().to_vec();
            Some(join_at(left, right, priority(&first), &first))
        }
    }
}

fn join_at(left: Arc<Node>, right: Arc<Node>, gap: Priority, first: &[u8]) -> Arc<Node> {
    let (left_outranks, right_outranks) = (left.outranks(gap, first), right.outranks(gap, first));
    let take_left = match (left_outranks, right_outranks) {
        (false, false) => return Node::inner(left, right),
        (true, false) => true,
        (false, true) => false,
        (true, true) => rank(&left) > rank(&right),
    };
    let from = Arc::clone(if take_left { &left } else { &right });
    match &from.kind {
        // A leaf outranks nothing.
        Kind::Leaf { .. } => Node::inner(left, right),
        Kind::Inner {
            left: below,
            right: above,
            ..
        } if take_left => Node::inner(Arc::clone(below), join_at(Arc::clone(above), right, gap, first)),
        Kind::Inner {
            left: below,
            right: above,
            ..
        } => Node::inner(join_at(left, Arc::clone(below), gap, first), Arc::clone(above)),
    }
}

fn rank(node: &Node) -> Option<(Priority, &[u8])> {
    match &node.kind {
        Kind::Leaf { .. } => None,
        Kind::Inner { priority, right, .. } => Some((*priority, right.first_key())),
    }
}

fn collect<'a>(node: &'a Node, prefix: &[u8], found: &mut Vec<Leaf<'a>>) {
    match &node.kind {
        Kind::Leaf { key, value } => {
            if key.starts_with(prefix) {
                found.push(Leaf {
                    key,
                    value,
                    version: node.version,
                });
            }
        }
        Kind::Inner { left, right, .. } => {
            let first = right.first_key();
            // Everything on the left is below `first`; if that does not exceed the prefix, nothing there starts with it.
            if first > prefix {
                collect(left, prefix, found);
            }
            if first <= prefix || first.starts_with(prefix) {
                collect(right, prefix, found);
            }
        }
    }
}

/// An unsigned LEB128 number.
pub(crate) fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn build(leaves: &BTreeMap<Vec<u8>, (Vec<u8>, u64)>) -> Tree {
        let mut tree = Tree::default();
        for (key, (value, version)) in leaves.iter().rev() {
            tree.insert(key, value.clone(), *version);
        }
        tree
    }

    proptest! {
        #[test]
        fn behaves_as_a_map_and_its_root_forgets_the_way(
            steps in prop::collection::vec((prop::collection::vec(0_u8..4, 0..5), prop::option::of(0_u8..3)), 0..80)
        ) {
            let mut map: BTreeMap<Vec<u8>, (Vec<u8>, u64)> = BTreeMap::new();
            let mut tree = Tree::default();
            for (version, (key, value)) in (1_u64..).zip(steps) {
                match value {
                    Some(value) => {
                        map.insert(key.clone(), (vec![value], version));
                        tree.insert(&key, vec![value], version);
                    }
                    None => {
                        prop_assert_eq!(tree.remove(&key), map.remove(&key).is_some());
                    }
                }
            }
            prop_assert_eq!(tree.root_hash(), build(&map).root_hash());
            for prefix in [&[][..], &[1], &[1, 2], &[3]] {
                let expected: Vec<_> = map.iter().filter(|(key, _)| key.starts_with(prefix)).collect();
                let found = tree.prefix(prefix);
                prop_assert_eq!(found.len(), expected.len());
                for (leaf, (key, (value, version))) in found.iter().zip(expected) {
                    prop_assert_eq!(*leaf, Leaf { key, value, version: *version });
                }
            }
            for key in [vec![], vec![0], vec![1, 2], vec![2, 2, 2], vec![4]] {
                prop_assert_eq!(tree.get(&key), map.get(&key).map(|(value, _)| value.as_slice()));
                let left = map.range(..key.clone()).next_back().map(|(key, _)| key.as_slice());
                let mut above = key.clone();
                above.push(0);
                let right = map.range(above..).next().map(|(key, _)| key.as_slice());
                prop_assert_eq!(tree.neighbours(&key), (left, right));
            }
        }
    }

    #[test]
    fn stays_shallow() {
        let mut tree = Tree::default();
        for number in 0_u32..5000 {
            tree.insert(&number.to_be_bytes(), vec![1], 1);
        }
        assert!(tree.root().unwrap().height < 60);
    }
}

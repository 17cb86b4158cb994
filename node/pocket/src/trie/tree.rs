//! The tree itself: nodes in three arenas, inserted in O(depth), hashed only when the root or a proof is asked for.

use std::convert::Infallible;

use super::{
    closest::ClosestProof,
    digest::{self, Node, PATH_LEN, Root, bit, leaf_path},
};

/// Where a tree finds the values of its leaves again.
pub trait Values {
    /// Why a value cannot be had.
    type Error;

    /// The value that was inserted with this locator.
    ///
    /// # Errors
    /// The value cannot be had.
    fn value(&self, locator: u64) -> Result<Vec<u8>, Self::Error>;
}

/// A list of values by index, for short trees.
impl Values for [Vec<u8>] {
    type Error = Infallible;

    fn value(&self, locator: u64) -> Result<Vec<u8>, Infallible> {
        let value = usize::try_from(locator).ok().and_then(|index| self.get(index));
        Ok(value.cloned().unwrap_or_default())
    }
}

/// A node by arena and index: two bits of kind, thirty of index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Id(u32);

#[derive(Clone, Copy)]
enum Kind {
    None,
    Leaf(usize),
    Inner(usize),
    Extension(usize),
}

impl Id {
    const NONE: Id = Id(0);
    const INDEX: u32 = (1 << 30) - 1;

    /// Leaves per tree are limited by [`SumTrie::MAX_LEAVES`], so an index never reaches the bits of the kind.
    #[allow(clippy::cast_possible_truncation, reason = "see above")]
    const fn new(kind: u32, index: usize) -> Id {
        Id(kind << 30 | index as u32 & Id::INDEX)
    }

    const fn leaf(index: usize) -> Id {
        Id::new(1, index)
    }

    const fn inner(index: usize) -> Id {
        Id::new(2, index)
    }

    const fn extension(index: usize) -> Id {
        Id::new(3, index)
    }

    const fn kind(self) -> Kind {
        let index = (self.0 & Id::INDEX) as usize;
        match self.0 >> 30 {
            0 => Kind::None,
            1 => Kind::Leaf(index),
            2 => Kind::Inner(index),
            _ => Kind::Extension(index),
        }
    }
}

struct Leaf {
    path: [u8; PATH_LEN],
    node: Node,
    locator: u64,
}

struct Inner {
    children: [Id; 2],
    /// `None` since a leaf below changed.
    node: Option<Node>,
}

struct Extension {
    start: u8,
    end: u8,
    path: [u8; PATH_LEN],
    child: Id,
    /// The digest of what the extension stands for; `None` since a leaf below changed.
    node: Option<Node>,
}

/// A sum trie that grows. About 190 bytes a leaf, whatever the size of the values.
pub struct SumTrie {
    root: Id,
    leaves: Vec<Leaf>,
    inners: Vec<Inner>,
    extensions: Vec<Extension>,
}

impl Default for SumTrie {
    fn default() -> SumTrie {
        SumTrie::new()
    }
}

impl SumTrie {
    /// The most leaves of one tree: 2^30 − 1, some 200 GB.
    pub const MAX_LEAVES: usize = Id::INDEX as usize;

    /// A tree without leaves.
    #[must_use]
    pub const fn new() -> SumTrie {
        SumTrie {
            root: Id::NONE,
            leaves: Vec::new(),
            inners: Vec::new(),
            extensions: Vec::new(),
        }
    }

    /// A tree without leaves, with room for some.
    #[must_use]
    pub fn with_capacity(n_leaves: usize) -> SumTrie {
        SumTrie {
            root: Id::NONE,
            leaves: Vec::with_capacity(n_leaves),
            inners: Vec::with_capacity(n_leaves),
            extensions: Vec::new(),
        }
    }

    /// How many leaves there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether there is no leaf.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// Puts a value under a key (for a relay: its hash) with a weight and a count of one. A second value under the
    /// same key replaces the first. `locator` is how [`Values`] finds the value again. Says whether the key is new.
    ///
    /// # Panics
    /// At more than [`SumTrie::MAX_LEAVES`] leaves.
    pub fn insert(&mut self, key: &[u8; 32], value: &[u8], weight: u64, locator: u64) -> bool {
        let path = leaf_path(key);
        let leaf = Leaf {
            path,
            node: Node::leaf(&path, value, weight, 1),
            locator,
        };
        self.insert_leaf(leaf)
    }

    /// Whether a value lies under this key.
    #[must_use]
    pub fn contains(&self, key: &[u8; 32]) -> bool {
        let path = leaf_path(key);
        let (mut id, mut depth) = (self.root, 0);
        loop {
            match id.kind() {
                Kind::None => return false,
                Kind::Leaf(index) => return self.leaves[index].path == path,
                Kind::Inner(index) => {
                    id = self.inners[index].children[usize::from(bit(&path, depth))];
                    depth += 1;
                }
                Kind::Extension(index) => {
                    let extension = &self.extensions[index];
                    (id, depth) = (extension.child, usize::from(extension.end));
                }
            }
        }
    }

    fn insert_leaf(&mut self, leaf: Leaf) -> bool {
        assert!(
            self.leaves.len() < SumTrie::MAX_LEAVES,
            "a session tree cannot hold more leaves"
        );
        // Walks down to where the new leaf differs, remembering the edge that will point to what grows there.
        let (mut edge, mut id, mut depth) = (Edge::Root, self.root, 0);
        loop {
            match id.kind() {
                Kind::None => {
                    let new = self.push_leaf(leaf);
                    self.set(edge, new);
                    return true;
                }
                Kind::Leaf(index) => return self.split_leaf(edge, index, depth, leaf),
                Kind::Inner(index) => {
                    let side = usize::from(bit(&leaf.path, depth));
                    let inner = &mut self.inners[index];
                    inner.node = None;
                    (edge, id) = (Edge::Inner(index, side), inner.children[side]);
                    depth += 1;
                }
                Kind::Extension(index) => {
                    let extension = &mut self.extensions[index];
                    extension.node = None;
                    let (start, end) = (usize::from(extension.start), usize::from(extension.end));
                    match first_difference(&extension.path, &leaf.path, start).filter(|split| *split < end) {
                        None => {
                            (edge, id) = (Edge::Extension(index), extension.child);
                            depth = end;
                        }
                        Some(split) => {
                            self.split_extension(edge, index, split, leaf);
                            return true;
                        }
                    }
                }
            }
        }
    }

    fn split_leaf(&mut self, edge: Edge, index: usize, depth: usize, leaf: Leaf) -> bool {
        let path = leaf.path;
        let Some(split) = first_difference(&self.leaves[index].path, &path, depth) else {
            self.leaves[index] = leaf;
            return false;
        };
        let new = self.push_leaf(leaf);
        let inner = self.push_inner(bit(&path, split), new, Id::leaf(index));
        let grown = if depth < split {
            self.push_extension(depth, split, path, inner)
        } else {
            inner
        };
        self.set(edge, grown);
        true
    }

    fn split_extension(&mut self, edge: Edge, index: usize, split: usize, leaf: Leaf) {
        let Extension {
            start,
            end,
            path,
            child,
            ..
        } = self.extensions[index];
        let (start, end) = (usize::from(start), usize::from(end));
        let tail = if split == end - 1 {
            child
        } else {
            self.push_extension(split + 1, end, path, child)
        };
        let side = bit(&leaf.path, split);
        let new = self.push_leaf(leaf);
        let inner = self.push_inner(side, new, tail);
        if split == start {
            // The extension's own slot stays behind unused; a tree has few of them.
            self.set(edge, inner);
        } else {
            let head = &mut self.extensions[index];
            head.end = narrow(split);
            head.child = inner;
        }
    }

    fn push_leaf(&mut self, leaf: Leaf) -> Id {
        self.leaves.push(leaf);
        Id::leaf(self.leaves.len() - 1)
    }

    fn push_inner(&mut self, new_is_right: bool, new: Id, other: Id) -> Id {
        let children = if new_is_right { [other, new] } else { [new, other] };
        self.inners.push(Inner { children, node: None });
        Id::inner(self.inners.len() - 1)
    }

    fn push_extension(&mut self, start: usize, end: usize, path: [u8; PATH_LEN], child: Id) -> Id {
        let (start, end) = (narrow(start), narrow(end));
        self.extensions.push(Extension {
            start,
            end,
            path,
            child,
            node: None,
        });
        Id::extension(self.extensions.len() - 1)
    }

    fn set(&mut self, edge: Edge, id: Id) {
        match edge {
            Edge::Root => self.root = id,
            Edge::Inner(index, side) => self.inners[index].children[side] = id,
            Edge::Extension(index) => self.extensions[index].child = id,
        }
    }

    /// The root over all leaves. Only nodes above leaves that changed since the last time are hashed.
    pub fn root(&mut self) -> Root {
        Root::of(&self.node(self.root))
    }

    /// The digest of a node. The recursion is as deep as the tree, at most 256.
    fn node(&mut self, id: Id) -> Node {
        match id.kind() {
            Kind::None => Node::NONE,
            Kind::Leaf(index) => self.leaves[index].node,
            Kind::Inner(index) => {
                if let Some(node) = self.inners[index].node {
                    return node;
                }
                let [left, right] = self.inners[index].children;
                let node = Node::inner(&self.node(left), &self.node(right));
                self.inners[index].node = Some(node);
                node
            }
            Kind::Extension(index) => {
                if let Some(node) = self.extensions[index].node {
                    return node;
                }
                let child = self.node(self.extensions[index].child);
                let extension = &mut self.extensions[index];
                let (start, end) = (usize::from(extension.start), usize::from(extension.end));
                let node = child.extended(start, end, &extension.path);
                extension.node = Some(node);
                node
            }
        }
    }

    /// Proves the leaf that lies closest to `path`, which is not hashed again.
    ///
    /// # Errors
    /// A value of the proof cannot be had.
    pub fn prove_closest<V: Values + ?Sized>(
        &mut self,
        path: &[u8; PATH_LEN],
        values: &V,
    ) -> Result<ClosestProof, V::Error> {
        let mut siblings = Vec::new();
        let mut flipped_bits = Vec::new();
        let (mut id, mut depth) = (self.root, 0);
        let index = loop {
            match id.kind() {
                Kind::None => return Ok(ClosestProof::of_empty_tree(path)),
                Kind::Leaf(index) => break index,
                Kind::Inner(index) => {
                    let side = usize::from(bit(path, depth));
                    let children = self.inners[index].children;
                    siblings.push(children[1 - side]);
                    id = children[side];
                    depth += 1;
                }
                Kind::Extension(index) => {
                    let extension = &self.extensions[index];
                    let end = usize::from(extension.end);
                    for at in depth..end {
                        if bit(&extension.path, at) != bit(path, at) {
                            flipped_bits.push(narrow_depth(at));
                        }
                        siblings.push(Id::NONE);
                    }
                    (id, depth) = (extension.child, end);
                }
            }
        };
        let sibling_data = match siblings.last() {
            Some(lowest) => self.stored(*lowest, values)?,
            None => None,
        };
        let side_nodes = siblings
            .iter()
            .rev()
            .map(|id| self.node(*id).to_bytes().to_vec())
            .collect();
        let leaf = &self.leaves[index];
        Ok(ClosestProof {
            path: path.to_vec(),
            flipped_bits,
            depth: narrow_depth(depth),
            closest_path: leaf.path.to_vec(),
            closest_value_hash: digest::leaf_data(
                values.value(leaf.locator)?,
                leaf.node.sum,
                leaf.node.count,
            ),
            side_nodes,
            non_membership_leaf_data: Vec::new(),
            sibling_data: sibling_data.unwrap_or_default(),
        })
    }

    /// The bytes that Go keeps of a node.
    fn stored<V: Values + ?Sized>(&mut self, id: Id, values: &V) -> Result<Option<Vec<u8>>, V::Error> {
        Ok(match id.kind() {
            Kind::None => None,
            Kind::Leaf(index) => {
                let leaf = &self.leaves[index];
                let data = digest::leaf_data(values.value(leaf.locator)?, leaf.node.sum, leaf.node.count);
                Some(digest::leaf_preimage(&leaf.path, &data))
            }
            Kind::Inner(index) => {
                let [left, right] = self.inners[index].children;
                Some(digest::inner_preimage(&self.node(left), &self.node(right)))
            }
            Kind::Extension(index) => {
                let child = self.node(self.extensions[index].child);
                let extension = &self.extensions[index];
                Some(digest::extension_preimage(
                    extension.start,
                    extension.end,
                    &extension.path,
                    &child,
                ))
            }
        })
    }
}

/// What points to a node.
#[derive(Clone, Copy)]
enum Edge {
    Root,
    Inner(usize, usize),
    Extension(usize),
}

/// The first bit at or after `from` in which two paths differ.
fn first_difference(one: &[u8; PATH_LEN], other: &[u8; PATH_LEN], from: usize) -> Option<usize> {
    let mut mask = 0xff_u8 >> (from % 8);
    for index in from / 8..PATH_LEN {
        let difference = (one[index] ^ other[index]) & mask;
        if difference != 0 {
            return Some(index * 8 + difference.leading_zeros() as usize);
        }
        mask = 0xff;
    }
    None
}

/// The bounds of an extension fit a byte: two different paths differ at bit 255 at the latest.
#[allow(clippy::cast_possible_truncation, reason = "see above")]
const fn narrow(bit: usize) -> u8 {
    bit as u8
}

/// Depths and flipped bits are at most 256.
#[allow(clippy::cast_possible_truncation, reason = "see above")]
const fn narrow_depth(depth: usize) -> u16 {
    depth as u16
}

//! Digests and preimages of nodes.

use sha2::{Digest as _, Sha256};

/// Bytes of a digest: hash, sum, count.
pub(super) const DIGEST_LEN: usize = 48;
/// Bytes of a path.
pub(super) const PATH_LEN: usize = 32;
/// Bits of a path, and so the greatest depth.
pub(super) const PATH_BITS: usize = 256;
/// Bytes of sum and count at the end of a leaf's data.
pub(super) const TAIL_LEN: usize = 16;

pub(super) const LEAF: u8 = 0;
pub(super) const INNER: u8 = 1;
pub(super) const EXTENSION: u8 = 2;

/// A node as its parent sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The hash of the node's preimage; zero where there is no node.
    pub hash: [u8; 32],
    /// The weights of all leaves below, added modulo 2^64.
    pub sum: u64,
    /// The number of leaves below, modulo 2^64.
    pub count: u64,
}

impl Node {
    /// The digest of no node.
    pub(super) const NONE: Node = Node {
        hash: [0; 32],
        sum: 0,
        count: 0,
    };

    /// The 48 bytes that stand for the node.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; DIGEST_LEN] {
        let mut bytes = [0; DIGEST_LEN];
        bytes[..32].copy_from_slice(&self.hash);
        bytes[32..40].copy_from_slice(&self.sum.to_be_bytes());
        bytes[40..].copy_from_slice(&self.count.to_be_bytes());
        bytes
    }

    /// Reads 48 bytes.
    pub(super) fn from_bytes(bytes: &[u8; DIGEST_LEN]) -> Node {
        let mut hash = [0; 32];
        hash.copy_from_slice(&bytes[..32]);
        Node {
            hash,
            sum: number(&bytes[32..40]),
            count: number(&bytes[40..]),
        }
    }

    /// The inner node over two children.
    pub(super) fn inner(left: &Node, right: &Node) -> Node {
        let sum = left.sum.wrapping_add(right.sum);
        let count = left.count.wrapping_add(right.count);
        let mut preimage = [0; INNER_LEN];
        write_inner(&mut preimage, left, right, sum, count);
        Node {
            hash: Sha256::digest(preimage).into(),
            sum,
            count,
        }
    }

    /// The leaf with this path, value and weight.
    pub(super) fn leaf(path: &[u8; PATH_LEN], value: &[u8], weight: u64, count: u64) -> Node {
        let mut hash = Sha256::new();
        hash.update([LEAF]);
        hash.update(path);
        hash.update(value);
        hash.update(weight.to_be_bytes());
        hash.update(count.to_be_bytes());
        Node {
            hash: hash.finalize().into(),
            sum: weight,
            count,
        }
    }

    /// The node that an extension over the bits `start..end` of `path` stands for: a chain of inner nodes that each
    /// lack one child.
    pub(super) fn extended(mut self, start: usize, end: usize, path: &[u8; PATH_LEN]) -> Node {
        for index in (start..end).rev() {
            self = if bit(path, index) {
                Node::inner(&Node::NONE, &self)
            } else {
                Node::inner(&self, &Node::NONE)
            };
        }
        self
    }
}

/// Bytes of an inner node's preimage.
pub(super) const INNER_LEN: usize = 1 + 2 * DIGEST_LEN + TAIL_LEN;
/// Bytes of an extension's preimage.
pub(super) const EXTENSION_LEN: usize = 3 + PATH_LEN + DIGEST_LEN + TAIL_LEN;

fn write_inner(out: &mut [u8; INNER_LEN], left: &Node, right: &Node, sum: u64, count: u64) {
    out[0] = INNER;
    out[1..49].copy_from_slice(&left.to_bytes());
    out[49..97].copy_from_slice(&right.to_bytes());
    out[97..105].copy_from_slice(&sum.to_be_bytes());
    out[105..].copy_from_slice(&count.to_be_bytes());
}

/// The stored bytes of an inner node.
pub(super) fn inner_preimage(left: &Node, right: &Node) -> Vec<u8> {
    let mut preimage = [0; INNER_LEN];
    let sum = left.sum.wrapping_add(right.sum);
    write_inner(
        &mut preimage,
        left,
        right,
        sum,
        left.count.wrapping_add(right.count),
    );
    preimage.to_vec()
}

/// The stored bytes of a leaf.
pub(super) fn leaf_preimage(path: &[u8; PATH_LEN], data: &[u8]) -> Vec<u8> {
    [&[LEAF], path.as_slice(), data].concat()
}

/// The stored bytes of an extension.
pub(super) fn extension_preimage(start: u8, end: u8, path: &[u8; PATH_LEN], child: &Node) -> Vec<u8> {
    let mut preimage = Vec::with_capacity(EXTENSION_LEN);
    preimage.extend_from_slice(&[EXTENSION, start, end]);
    preimage.extend_from_slice(path);
    preimage.extend_from_slice(&child.to_bytes());
    preimage.extend_from_slice(&child.sum.to_be_bytes());
    preimage.extend_from_slice(&child.count.to_be_bytes());
    preimage
}

/// A leaf's data: the value, then its weight, then the count of one.
pub(super) fn leaf_data(mut value: Vec<u8>, weight: u64, count: u64) -> Vec<u8> {
    value.extend_from_slice(&weight.to_be_bytes());
    value.extend_from_slice(&count.to_be_bytes());
    value
}

/// The path of the leaf with this key: keys are hashed once more.
#[must_use]
pub fn leaf_path(key: &[u8; 32]) -> [u8; PATH_LEN] {
    Sha256::digest(key).into()
}

/// Bit `index` of `bytes`, counted from the most significant bit of the first byte; 1 is true and means right.
/// `index` must lie within `bytes`.
pub(super) fn bit(bytes: &[u8], index: usize) -> bool {
    bytes[index / 8] >> (7 - index % 8) & 1 == 1
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The root of a session tree, as it goes into a claim. As text it is 96 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Root([u8; DIGEST_LEN]);

/// Why bytes are no root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    #[error("a root has {DIGEST_LEN} bytes, this one has {len}")]
    Length { len: usize },
}

impl Root {
    /// The root of a tree without leaves.
    pub const EMPTY: Root = Root([0; DIGEST_LEN]);

    pub(super) fn of(node: &Node) -> Root {
        Root(node.to_bytes())
    }

    /// The 48 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; DIGEST_LEN] {
        &self.0
    }

    /// The weights of all leaves, added modulo 2^64.
    #[must_use]
    pub fn sum(&self) -> u64 {
        number(&self.0[32..40])
    }

    /// The number of leaves.
    #[must_use]
    pub fn count(&self) -> u64 {
        number(&self.0[40..])
    }
}

impl From<[u8; DIGEST_LEN]> for Root {
    fn from(bytes: [u8; DIGEST_LEN]) -> Root {
        Root(bytes)
    }
}

impl TryFrom<&[u8]> for Root {
    type Error = RootError;

    fn try_from(bytes: &[u8]) -> Result<Root, RootError> {
        bytes
            .try_into()
            .map(Root)
            .map_err(|_| RootError::Length { len: bytes.len() })
    }
}

impl From<Root> for String {
    fn from(root: Root) -> String {
        hex::encode(root.0)
    }
}

impl TryFrom<String> for Root {
    type Error = RootError;

    fn try_from(text: String) -> Result<Root, RootError> {
        let bytes = hex::decode(&text).map_err(|_| RootError::Length { len: text.len() / 2 })?;
        Root::try_from(bytes.as_slice())
    }
}

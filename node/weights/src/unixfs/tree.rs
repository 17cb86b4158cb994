//! The balanced tree over the leaves of a file.
//!
//! ```text
//! level 2            root
//! level 1     node        node         groups of `max_links`, also a last group of one
//! level 0   leaf leaf   leaf leaf      chunks of `chunk_bytes`, the last shorter
//! ```
//! A file of one leaf is that leaf; an empty file is one empty leaf.

use bytes::Bytes;
use cid::{Cid, Version, multihash::Multihash};
use sha2::{Digest as _, Sha256};

use super::{
    dag_pb::{self, Link},
    data::{self, NodeKind},
    profile::Profile,
};
use crate::{
    block::{Block, DAG_PB, Digest, IDENTITY, RAW, sha256_cid},
    varint,
};

/// A subtree as its parent sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child {
    /// Its root.
    pub cid: Cid,
    /// Bytes of the file under it.
    pub file_bytes: u64,
    /// Bytes of all its blocks.
    pub dag_bytes: u64,
}

/// How many leaves a file of `size` bytes has.
pub(crate) fn leaf_count(profile: &Profile, size: u64) -> u64 {
    size.div_ceil(u64::from(profile.chunk_bytes)).max(1)
}

/// The frame that a dag-pb leaf puts around `length` bytes: (before, after).
pub(crate) fn leaf_frame(kind: NodeKind, length: usize) -> (Vec<u8>, Vec<u8>) {
    let head = data::file_head(kind, length);
    let mut tail = Vec::with_capacity(8);
    super::proto::write_varint(3, length as u64, &mut tail);
    let mut before = Vec::with_capacity(24);
    varint::write(1 << 3 | 2, &mut before);
    varint::write((head.len() + length + tail.len()) as u64, &mut before);
    before.extend_from_slice(&head);
    (before, tail)
}

/// The leaf that holds `content`, small enough to stand in memory.
pub(crate) fn leaf_block(profile: &Profile, content: Bytes) -> Block {
    if profile.raw_leaves {
        return new_block(profile, Version::V1, RAW, content);
    }
    let (before, after) = leaf_frame(NodeKind::File, content.len());
    let bytes = [before.as_slice(), &content, &after].concat();
    new_block(profile, profile.cid_version, DAG_PB, bytes.into())
}

/// Hashes leaves piece by piece, so that content need not be joined.
pub(crate) struct LeafHasher {
    hasher: Sha256,
    after: Vec<u8>,
    length: u64,
    frame_bytes: u64,
    /// The content, kept only while the leaf may become an identity CID.
    inline: Option<Vec<u8>>,
}

impl LeafHasher {
    /// Begins a leaf of `length` bytes.
    pub(crate) fn new(profile: &Profile, length: usize) -> LeafHasher {
        let (before, after) = if profile.raw_leaves {
            Default::default()
        } else {
            leaf_frame(NodeKind::File, length)
        };
        let frame_bytes = (before.len() + after.len()) as u64;
        let may_inline = profile
            .inline_limit
            .is_some_and(|limit| length <= usize::from(limit));
        let mut hasher = Sha256::new();
        hasher.update(&before);
        LeafHasher {
            hasher,
            after,
            length: length as u64,
            frame_bytes,
            inline: may_inline.then_some(before),
        }
    }

    /// Takes the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        if let Some(inline) = &mut self.inline {
            inline.extend_from_slice(bytes);
        }
    }

    /// The finished leaf.
    pub(crate) fn finish(mut self, profile: &Profile) -> Child {
        self.update(&self.after.clone());
        let dag_bytes = self.length + self.frame_bytes;
        let (version, codec) = if profile.raw_leaves {
            (Version::V1, RAW)
        } else {
            (profile.cid_version, DAG_PB)
        };
        let inlined = self
            .inline
            .filter(|bytes| is_inlined(profile, bytes.len()))
            .and_then(|bytes| Multihash::wrap(IDENTITY, &bytes).ok())
            .map(|hash| Cid::new_v1(codec, hash));
        let digest: Digest = self.hasher.finalize().into();
        let cid = inlined.unwrap_or_else(|| sha256_cid(version, codec, digest));
        Child {
            cid,
            file_bytes: self.length,
            dag_bytes,
        }
    }
}

/// Builds the nodes over `leaves`, gives each to `emit`, and answers the root.
pub(crate) fn build(profile: &Profile, leaves: Vec<Child>, mut emit: impl FnMut(Block)) -> Option<Child> {
    let width = usize::try_from(profile.max_links)
        .ok()
        .filter(|width| *width > 1)?;
    let mut level = leaves;
    while level.len() > 1 {
        level = level
            .chunks(width)
            .map(|children| {
                let (block, node) = file_node(profile, children);
                emit(block);
                node
            })
            .collect();
    }
    level.pop()
}

fn file_node(profile: &Profile, children: &[Child]) -> (Block, Child) {
    let links: Vec<Link> = children
        .iter()
        .map(|child| Link {
            cid: child.cid,
            name: Some(String::new()),
            tsize: Some(child.dag_bytes),
        })
        .collect();
    let sizes: Vec<u64> = children.iter().map(|child| child.file_bytes).collect();
    let file_bytes = sizes.iter().sum();
    let bytes = dag_pb::encode(&links, &data::encode_file(&[], file_bytes, &sizes));
    let dag_bytes = bytes.len() as u64 + children.iter().map(|child| child.dag_bytes).sum::<u64>();
    let block = new_block(profile, profile.cid_version, DAG_PB, bytes.into());
    let node = Child {
        cid: *block.cid(),
        file_bytes,
        dag_bytes,
    };
    (block, node)
}

/// A block, inlined into its CID where the profile says so.
pub(crate) fn new_block(profile: &Profile, version: Version, codec: u64, bytes: Bytes) -> Block {
    if is_inlined(profile, bytes.len())
        && let Some(block) = Block::new_identity(codec, bytes.clone())
    {
        return block;
    }
    Block::new(version, codec, bytes)
}

fn is_inlined(profile: &Profile, length: usize) -> bool {
    profile
        .inline_limit
        .is_some_and(|limit| length <= usize::from(limit))
}

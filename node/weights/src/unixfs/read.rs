//! Reading file DAGs of any importer: which bytes of a file lie in which block.
//!
//! [`Planner`] does no I/O: it names the nodes it needs, is given their blocks, and ends with a [`Plan`]. All
//! that is foreign is bounded here: depth, number of leaves, sizes that must add up.

use std::collections::BTreeMap;

use bytes::Bytes;
use cid::Cid;

use super::{
    dag_pb::{self, DagPbError},
    data::{self, DataError, NodeKind},
    tree,
};
use crate::block::{Block, BlockError, DAG_PB, IDENTITY, MAX_BLOCK_BYTES, RAW, check_hash};

/// Levels of nodes that are followed. 174 links a node reach 10^15 leaves with 7; shaky importers get some more.
pub(crate) const MAX_DEPTH: u32 = 32;
/// Leaves of one file: 1 TiB of 1 MiB leaves. A plan holds about 130 bytes a leaf, so at most 140 MB.
pub(crate) const MAX_PIECES: usize = 1 << 20;
/// Inner nodes of one file, at 1 to 8 KiB each.
const MAX_NODES: usize = 1 << 16;
/// Places where nodes stand. A few nodes that link each other twice a level would else take for ever.
const MAX_VISITS: usize = 1 << 21;

/// How the bytes of a leaf stand in its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The block is the bytes.
    Raw,
    /// The block wraps the bytes in a dag-pb node.
    Wrapped,
}

/// A leaf of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) cid: Cid,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) form: Form,
}

/// Where each byte of a file comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) size: u64,
    /// Leaves in the order of the file; the parts between are inline.
    pub(crate) pieces: Vec<Piece>,
    /// Bytes that stand in nodes or CIDs, by offset.
    pub(crate) inline: Vec<(u64, Bytes)>,
    /// The nodes that were read, each once.
    pub(crate) nodes: Vec<Block>,
}

/// Why a DAG is no file that can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("node {cid} is no dag-pb")]
    DagPb {
        cid: Cid,
        #[source]
        source: DagPbError,
    },
    #[error("node {cid} holds no UnixFS message")]
    Data {
        cid: Cid,
        #[source]
        source: DataError,
    },
    #[error("{cid} is a {found}, not a file")]
    NotAFile { cid: Cid, found: &'static str },
    #[error("{cid} has codec 0x{codec:x}; files consist of raw (0x55) and dag-pb (0x70) blocks")]
    Codec { cid: Cid, codec: u64 },
    #[error(transparent)]
    Hash(#[from] BlockError),
    #[error("the sizes in node {cid} do not add up: {what}")]
    Sizes { cid: Cid, what: &'static str },
    #[error("the links of file node {cid} have names")]
    NamedLink { cid: Cid },
    #[error(
        "the file is deeper than {MAX_DEPTH} levels, has over {MAX_PIECES} leaves or over {MAX_NODES} nodes"
    )]
    TooLarge,
    #[error("block {0} was not asked for")]
    Unasked(Cid),
}

/// A decoded block of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileNode {
    pub(crate) size: u64,
    /// The node's own bytes, which come before those of its children.
    pub(crate) content: Bytes,
    pub(crate) children: Vec<FileLink>,
}

/// A child of a file node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileLink {
    pub(crate) cid: Cid,
    pub(crate) length: u64,
    tsize: Option<u64>,
}

/// Reads one block of a file.
pub(crate) fn file_node(block: &Block) -> Result<FileNode, ReadError> {
    let cid = *block.cid();
    match cid.codec() {
        RAW => {
            let content = block.bytes().clone();
            return Ok(FileNode {
                size: content.len() as u64,
                content,
                children: Vec::new(),
            });
        }
        DAG_PB => {}
        codec => return Err(ReadError::Codec { cid, codec }),
    }
    let node = dag_pb::decode(block.bytes()).map_err(|source| ReadError::DagPb { cid, source })?;
    let bytes = node.data.clone().unwrap_or_default();
    let message = data::decode(&bytes).map_err(|source| ReadError::Data { cid, source })?;
    let not_a_file = |found| Err(ReadError::NotAFile { cid, found });
    match message.kind {
        NodeKind::File | NodeKind::Raw => {}
        NodeKind::Directory | NodeKind::HamtShard => return not_a_file("folder"),
        NodeKind::Symlink => return not_a_file("symbolic link"),
        NodeKind::Metadata => return not_a_file("metadata node"),
    }
    let content = message
        .content
        .map_or_else(Bytes::new, |range| bytes.slice(range));
    let wrong = |what| Err(ReadError::Sizes { cid, what });
    if message.block_sizes.len() != node.links.len() {
        return wrong("links and block sizes differ in number");
    }
    if node
        .links
        .iter()
        .any(|link| link.name.as_deref().is_some_and(|text| !text.is_empty()))
    {
        return Err(ReadError::NamedLink { cid });
    }
    let sum = message
        .block_sizes
        .iter()
        .try_fold(content.len() as u64, |sum, size| sum.checked_add(*size));
    let Some(size) = sum else {
        return wrong("their sum does not fit 64 bits");
    };
    if message.file_size.is_some_and(|said| said != size) {
        return wrong("the file size is not the sum of the block sizes");
    }
    let children = node
        .links
        .iter()
        .zip(&message.block_sizes)
        .map(|(link, length)| FileLink {
            cid: link.cid,
            length: *length,
            tsize: link.tsize,
        })
        .collect();
    Ok(FileNode {
        size,
        content,
        children,
    })
}

/// Collects a [`Plan`].
#[derive(Debug)]
pub(crate) struct Planner {
    root: Cid,
    /// Nodes that are wanted, with every place where they stand.
    wanted: BTreeMap<Cid, Vec<NodePosition>>,
    /// Nodes that were given, so that one that stands at many depths is fetched once.
    known: BTreeMap<Cid, FileNode>,
    plan: Plan,
    visits: usize,
}

#[derive(Clone, Copy, Debug)]
struct NodePosition {
    offset: u64,
    /// What the parent says; the root has no parent.
    length: Option<u64>,
    depth: u32,
}

impl Planner {
    fn empty(root: Cid) -> Planner {
        Planner {
            root,
            wanted: BTreeMap::new(),
            known: BTreeMap::new(),
            plan: Plan::default(),
            visits: 0,
        }
    }

    /// Begins at the root of a file.
    pub(crate) fn new(root: Cid) -> Result<Planner, ReadError> {
        let mut planner = Planner::empty(root);
        let place = NodePosition {
            offset: 0,
            length: None,
            depth: 0,
        };
        check_hash(&root)?;
        if let Some(block) = Block::from_identity(root) {
            planner.enter(&file_node(&block)?, root, place)?;
        } else {
            planner.wanted.insert(root, vec![place]);
        }
        Ok(planner)
    }

    /// Begins at a root whose size is known, so that a file of one raw leaf needs no block.
    pub(crate) fn with_size(root: Cid, size: u64) -> Result<Planner, ReadError> {
        let is_leaf = root.codec() == RAW && root.hash().code() != IDENTITY && size <= MAX_BLOCK_BYTES as u64;
        if !is_leaf {
            return Planner::new(root);
        }
        check_hash(&root)?;
        let mut planner = Planner::empty(root);
        planner.plan.size = size;
        if size == 0 {
            // There is no byte to fetch, but the hash must still be right.
            let block = Block::verify(root, Bytes::new())?;
            planner.plan.nodes.push(block);
        } else {
            planner.plan.pieces.push(Piece {
                cid: root,
                offset: 0,
                length: size,
                form: Form::Raw,
            });
        }
        Ok(planner)
    }

    /// Up to `most` nodes that must be given next. None: the plan is complete.
    pub(crate) fn wanted(&self, most: usize) -> Vec<Cid> {
        self.wanted.keys().take(most).copied().collect()
    }

    /// Takes a node that was wanted.
    pub(crate) fn give(&mut self, block: &Block) -> Result<(), ReadError> {
        let cid = *block.cid();
        let places = self.wanted.remove(&cid).ok_or(ReadError::Unasked(cid))?;
        let node = file_node(block)?;
        if self.known.len() >= MAX_NODES {
            return Err(ReadError::TooLarge);
        }
        self.known.insert(cid, node.clone());
        self.plan.nodes.push(block.clone());
        for place in places {
            self.enter(&node, cid, place)?;
        }
        Ok(())
    }

    /// The complete plan; `None` while nodes are wanted.
    pub(crate) fn finish(mut self) -> Option<Plan> {
        if !self.wanted.is_empty() {
            return None;
        }
        self.plan.pieces.sort_by_key(|piece| piece.offset);
        self.plan.inline.sort_by_key(|(offset, _)| *offset);
        Some(self.plan)
    }

    fn enter(&mut self, node: &FileNode, cid: Cid, place: NodePosition) -> Result<(), ReadError> {
        if place.length.is_some_and(|length| length != node.size) {
            return Err(ReadError::Sizes {
                cid,
                what: "the parent says another size",
            });
        }
        if cid == self.root && place.depth == 0 {
            self.plan.size = node.size;
        }
        self.visits += 1;
        if place.depth >= MAX_DEPTH || self.visits > MAX_VISITS {
            return Err(ReadError::TooLarge);
        }
        if !node.content.is_empty() {
            self.plan.inline.push((place.offset, node.content.clone()));
        }
        let mut offset = place.offset + node.content.len() as u64;
        for child in &node.children {
            self.follow(
                child,
                NodePosition {
                    offset,
                    length: Some(child.length),
                    depth: place.depth + 1,
                },
            )?;
            // The sum was checked when the node was read.
            offset += child.length;
        }
        if self.plan.pieces.len() + self.plan.inline.len() > MAX_PIECES {
            return Err(ReadError::TooLarge);
        }
        Ok(())
    }

    fn follow(&mut self, child: &FileLink, place: NodePosition) -> Result<(), ReadError> {
        let cid = child.cid;
        check_hash(&cid)?;
        if let Some(block) = Block::from_identity(cid) {
            return self.enter(&file_node(&block)?, cid, place);
        }
        let form = match cid.codec() {
            RAW => Form::Raw,
            DAG_PB if looks_like_leaf(child) => Form::Wrapped,
            DAG_PB => {
                if let Some(node) = self.known.get(&cid).cloned() {
                    return self.enter(&node, cid, place);
                }
                self.wanted.entry(cid).or_default().push(place);
                // Many places of one node cost memory too.
                self.visits += 1;
                if self.visits > MAX_VISITS || self.wanted.len() > MAX_NODES {
                    return Err(ReadError::TooLarge);
                }
                return Ok(());
            }
            codec => return Err(ReadError::Codec { cid, codec }),
        };
        if child.length > MAX_BLOCK_BYTES as u64 {
            return Err(ReadError::Sizes {
                cid,
                what: "a leaf is longer than any block may be",
            });
        }
        // An empty leaf adds no byte to the file.
        if child.length > 0 {
            self.plan.pieces.push(Piece {
                cid,
                offset: place.offset,
                length: child.length,
                form,
            });
        }
        if self.plan.pieces.len() > MAX_PIECES {
            return Err(ReadError::TooLarge);
        }
        Ok(())
    }
}

/// Whether a dag-pb child has no links, judged by sizes: only a leaf is longer than its content by just the
/// frame. A leaf that is written in another way is read as a node with content.
fn looks_like_leaf(child: &FileLink) -> bool {
    let Some(length) = usize::try_from(child.length)
        .ok()
        .filter(|length| (1..=MAX_BLOCK_BYTES).contains(length))
    else {
        return false;
    };
    let (before, after) = tree::leaf_frame(NodeKind::File, length);
    child.tsize == Some((before.len() + length + after.len()) as u64)
}

/// The bytes of a leaf that a plan has as [`Form::Wrapped`], and the kind of its node.
///
/// # Errors
/// A block that is no leaf of `length` bytes in the form that importers write.
pub(crate) fn unwrap_leaf(block: &Block, length: u64) -> Result<(NodeKind, Bytes), ReadError> {
    let cid = *block.cid();
    let node = file_node(block)?;
    let wrong = ReadError::Sizes {
        cid,
        what: "a leaf is not what its parent says",
    };
    if !node.children.is_empty() || node.content.len() as u64 != length {
        return Err(wrong);
    }
    [NodeKind::File, NodeKind::Raw]
        .into_iter()
        .find(|kind| wrap_leaf(*kind, &node.content) == block.bytes().as_ref())
        .map(|kind| (kind, node.content))
        .ok_or(wrong)
}

/// The block of a leaf in the form that importers write.
pub(crate) fn wrap_leaf(kind: NodeKind, content: &[u8]) -> Vec<u8> {
    let (before, after) = tree::leaf_frame(kind, content.len());
    [before.as_slice(), content, &after].concat()
}

//! Walking a DAG depth first, for a CAR, and following a path.

use std::{collections::BTreeSet, sync::Arc};

use cid::Cid;
use ipld_core::ipld::Ipld;

use super::{
    Blocks,
    request::{CarOptions, Scope},
};
use crate::{
    block::{Block, DAG_CBOR, DAG_PB, IDENTITY},
    records::RecordsError,
    unixfs::{
        dag_pb::{self, Node},
        data,
        directory::{self, Listing},
        read,
    },
};

/// Shards of one folder that are read to find a name.
const MAX_SHARDS: usize = 4096;

/// What a path leads to.
pub(super) struct Resolved {
    /// The folders that were read on the way.
    pub(super) passed: Vec<Block>,
    /// The CID at each step; the last is the goal.
    pub(super) roots: Vec<Cid>,
    pub(super) outcome: Outcome,
}

/// How following a path ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Found(Cid),
    /// The folder has no such name.
    NoSuchName(String),
    /// A folder on the way is not here.
    Missing(Cid),
}

/// Follows a path.
pub(super) async fn resolve(
    blocks: &dyn Blocks,
    root: Cid,
    path: &[String],
) -> Result<Resolved, RecordsError> {
    let mut resolved = Resolved {
        passed: Vec::new(),
        roots: vec![root],
        outcome: Outcome::Found(root),
    };
    let mut at = root;
    for name in path {
        resolved.outcome = look_up(blocks, at, name, &mut resolved.passed).await?;
        let Outcome::Found(next) = resolved.outcome else {
            break;
        };
        resolved.roots.push(next);
        at = next;
    }
    Ok(resolved)
}

async fn look_up(
    blocks: &dyn Blocks,
    folder: Cid,
    name: &str,
    passed: &mut Vec<Block>,
) -> Result<Outcome, RecordsError> {
    let mut shards = vec![folder];
    let mut n_shards = 0;
    while let Some(cid) = shards.pop() {
        n_shards += 1;
        let Some(block) = blocks.get(&cid).await? else {
            return Ok(Outcome::Missing(cid));
        };
        let listing = listing(&block);
        passed.push(block);
        let Some(listing) = listing.filter(|_| n_shards <= MAX_SHARDS) else {
            break;
        };
        if let Some((_, found)) = listing.entries.iter().find(|(entry, _)| entry == name) {
            return Ok(Outcome::Found(*found));
        }
        shards.extend(listing.shards);
    }
    Ok(Outcome::NoSuchName(name.to_owned()))
}

fn node(block: &Block) -> Option<Node> {
    (block.cid().codec() == DAG_PB)
        .then(|| dag_pb::decode(block.bytes()).ok())
        .flatten()
}

fn listing(block: &Block) -> Option<Listing> {
    let node = node(block)?;
    let message = data::decode(&node.data.clone()?).ok()?;
    directory::list(&node, &message)?.ok()
}

/// A walk that gives one block after another.
pub(super) struct Walk {
    blocks: Arc<dyn Blocks>,
    options: CarOptions,
    /// Blocks to send before the goal.
    passed: std::vec::IntoIter<Block>,
    /// What is still to be visited, the next one last.
    stack: Vec<Visit>,
    sent: BTreeSet<Cid>,
}

#[derive(Clone, Copy)]
struct Visit {
    cid: Cid,
    /// Whether children are followed.
    depth: Depth,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Only the block.
    Block,
    /// The file, whole or the part that is still wanted below this node, half-open from the node's own begin.
    Entity(Option<(u64, u64)>),
    /// As `Entity`, at the root, where the size of the file is not known yet.
    Root,
    /// All links.
    All,
}

impl Walk {
    /// Begins with the folders of the path, then the goal.
    pub(super) fn new(
        blocks: Arc<dyn Blocks>,
        options: CarOptions,
        passed: Vec<Block>,
        goal: Option<Cid>,
    ) -> Walk {
        let depth = match options.scope {
            Scope::Block => Depth::Block,
            Scope::Entity(_) => Depth::Root,
            Scope::All => Depth::All,
        };
        let stack = goal.map(|cid| Visit { cid, depth }).into_iter().collect();
        Walk {
            blocks,
            options,
            passed: passed.into_iter(),
            stack,
            sent: BTreeSet::new(),
        }
    }

    /// The next block to send. A missing one ends the walk: the reader sees that its DAG is short.
    pub(super) async fn next(&mut self) -> Result<Option<Block>, RecordsError> {
        while let Some(block) = self.passed.next() {
            if self.is_to_be_sent(block.cid()) {
                return Ok(Some(block));
            }
        }
        while let Some(visit) = self.stack.pop() {
            let is_known = self.sent.contains(&visit.cid);
            let has_all_below = matches!(visit.depth, Depth::All | Depth::Entity(None));
            if is_known && has_all_below && !self.options.dups {
                continue;
            }
            let Some(block) = self.blocks.get(&visit.cid).await? else {
                self.stack.clear();
                return Ok(None);
            };
            self.push_children(&block, visit.depth);
            if self.is_to_be_sent(block.cid()) {
                return Ok(Some(block));
            }
        }
        Ok(None)
    }

    fn is_to_be_sent(&mut self, cid: &Cid) -> bool {
        // The bytes of an identity CID are in the link.
        if cid.hash().code() == IDENTITY {
            return false;
        }
        self.options.dups || self.sent.insert(*cid)
    }

    fn push_children(&mut self, block: &Block, depth: Depth) {
        let mut children = match depth {
            Depth::Block => Vec::new(),
            Depth::All => all_links(block)
                .into_iter()
                .map(|cid| Visit {
                    cid,
                    depth: Depth::All,
                })
                .collect(),
            Depth::Root => self.root_children(block),
            Depth::Entity(range) => file_children(block, range),
        };
        children.reverse();
        self.stack.append(&mut children);
    }

    /// The goal decides what an entity is: a file with its blocks, or a folder with its shards.
    fn root_children(&self, block: &Block) -> Vec<Visit> {
        if let Some(listing) = listing(block) {
            return listing
                .shards
                .into_iter()
                .map(|cid| Visit {
                    cid,
                    depth: Depth::Root,
                })
                .collect();
        }
        let Ok(file) = read::file_node(block) else {
            return Vec::new();
        };
        match self.options.scope {
            Scope::Entity(Some(range)) => match range.within(file.size) {
                Some(range) => file_children(block, Some(range)),
                None => Vec::new(),
            },
            Scope::Entity(None) | Scope::Block | Scope::All => file_children(block, None),
        }
    }
}

/// The children of a file node that hold bytes of `range`.
fn file_children(block: &Block, range: Option<(u64, u64)>) -> Vec<Visit> {
    let Ok(file) = read::file_node(block) else {
        return Vec::new();
    };
    let mut begin = file.content.len() as u64;
    let mut children = Vec::with_capacity(file.children.len());
    for child in &file.children {
        let end = begin + child.length;
        let below = range.map(|(from, to)| (from.max(begin), to.min(end)));
        if below.is_none_or(|(from, to)| from < to) {
            let depth = Depth::Entity(below.map(|(from, to)| (from - begin, to - begin)));
            children.push(Visit {
                cid: child.cid,
                depth,
            });
        }
        begin = end;
    }
    children
}

fn all_links(block: &Block) -> Vec<Cid> {
    match block.cid().codec() {
        DAG_PB => node(block)
            .map(|node| node.links.iter().map(|link| link.cid).collect())
            .unwrap_or_default(),
        DAG_CBOR => {
            let mut links = Vec::new();
            if let Ok(value) = serde_ipld_dagcbor::from_slice::<Ipld>(block.bytes()) {
                value.references(&mut links);
            }
            links
        }
        _ => Vec::new(),
    }
}

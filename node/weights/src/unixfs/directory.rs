//! Directories: written as one block, read as one block or as a sharded tree (HAMT).

use cid::Cid;

use super::{
    dag_pb::{self, Link, Node},
    data::{self, NodeKind, UnixFs},
    profile::{DIRECTORY_LIMIT_BYTES, DirectoryMeasure, Profile},
    tree::{self, Child},
};
use crate::block::{Block, DAG_PB};

/// The largest fanout of a shard that is read; the specification's own bound.
const MAX_FANOUT: u64 = 1024;
/// murmur3-x64-64, the only hash of names in use.
const NAME_HASH: u64 = 0x22;

/// A name in a directory, before it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// Its name, without separators.
    pub name: String,
    /// What it names.
    pub child: Child,
}

/// Why a directory cannot be written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteDirectoryError {
    #[error(
        "the directory of {entries} entries measures {bytes} bytes, over {DIRECTORY_LIMIT_BYTES}; other importers \
         shard it, which is not supported: split it into folders"
    )]
    TooLarge { entries: usize, bytes: usize },
    #[error("the directory has two entries named \"{0}\"")]
    Twice(String),
}

/// Writes a directory of files and directories.
///
/// # Errors
/// More entries than fit one block by the profile's measure, and names that come twice.
pub fn write_directory(
    profile: &Profile,
    mut entries: Vec<NewEntry>,
) -> Result<(Block, Child), WriteDirectoryError> {
    entries.sort_by(|one, two| one.name.as_bytes().cmp(two.name.as_bytes()));
    if let Some(pair) = entries.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(WriteDirectoryError::Twice(pair[0].name.clone()));
    }
    let links: Vec<Link> = entries
        .iter()
        .map(|entry| Link {
            cid: entry.child.cid,
            name: Some(entry.name.clone()),
            tsize: Some(entry.child.dag_bytes),
        })
        .collect();
    let bytes = dag_pb::encode(&links, &data::DIRECTORY);
    let measure = match profile.directory_measure {
        DirectoryMeasure::BlockBytes => bytes.len(),
        DirectoryMeasure::LinkBytes => entries
            .iter()
            .map(|entry| entry.name.len() + entry.child.cid.encoded_len())
            .sum(),
    };
    if measure > DIRECTORY_LIMIT_BYTES {
        return Err(WriteDirectoryError::TooLarge {
            entries: entries.len(),
            bytes: measure,
        });
    }
    let dag_bytes = bytes.len() as u64 + entries.iter().map(|entry| entry.child.dag_bytes).sum::<u64>();
    let file_bytes = entries.iter().map(|entry| entry.child.file_bytes).sum();
    let block = tree::new_block(profile, profile.cid_version, DAG_PB, bytes.into());
    let child = Child {
        cid: *block.cid(),
        file_bytes,
        dag_bytes,
    };
    Ok((block, child))
}

/// What a directory or shard holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Names and what they stand for, in the order of the block.
    pub(crate) entries: Vec<(String, Cid)>,
    /// Further shards, which must be read too.
    pub(crate) shards: Vec<Cid>,
}

/// Why a directory cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    #[error("an entry has no name")]
    NoName,
    #[error("an entry is named \"{0}\", which is no name of a file or folder")]
    BadName(String),
    #[error("a shard has fanout {0:?}, which is no power of two from 8 to {MAX_FANOUT}")]
    Fanout(Option<u64>),
    #[error("a shard uses name hash {0:?}; only murmur3-x64-64 (0x22) is known")]
    NameHash(Option<u64>),
    #[error("the link \"{0}\" of a shard does not begin with its slot number")]
    Slot(String),
}

/// Reads the links of a directory node (`None` for other kinds of node).
pub(crate) fn list(node: &Node, message: &UnixFs) -> Option<Result<Listing, ListError>> {
    match message.kind {
        NodeKind::Directory => Some(list_plain(node)),
        NodeKind::HamtShard => Some(list_shard(node, message)),
        NodeKind::Raw | NodeKind::File | NodeKind::Metadata | NodeKind::Symlink => None,
    }
}

fn list_plain(node: &Node) -> Result<Listing, ListError> {
    let entries = node
        .links
        .iter()
        .map(|link| Ok((entry_name(link.name.as_deref())?, link.cid)))
        .collect::<Result<_, _>>()?;
    Ok(Listing {
        entries,
        shards: Vec::new(),
    })
}

fn list_shard(node: &Node, message: &UnixFs) -> Result<Listing, ListError> {
    let fanout = message
        .fanout
        .filter(|fanout| fanout.is_power_of_two() && (8..=MAX_FANOUT).contains(fanout))
        .ok_or(ListError::Fanout(message.fanout))?;
    if message.hash_type != Some(NAME_HASH) {
        return Err(ListError::NameHash(message.hash_type));
    }
    let digits = format!("{:X}", fanout - 1).len();
    let mut listing = Listing {
        entries: Vec::new(),
        shards: Vec::new(),
    };
    for link in &node.links {
        let text = link.name.as_deref().ok_or(ListError::NoName)?;
        let bad_slot = || ListError::Slot(text.to_owned());
        let slot = text.get(..digits).ok_or_else(bad_slot)?;
        if u64::from_str_radix(slot, 16).map_or(true, |slot| slot >= fanout) {
            return Err(bad_slot());
        }
        match &text[digits..] {
            "" => listing.shards.push(link.cid),
            rest => listing.entries.push((entry_name(Some(rest))?, link.cid)),
        }
    }
    Ok(listing)
}

/// Names that could lead out of a folder are refused where they are read.
fn entry_name(text: Option<&str>) -> Result<String, ListError> {
    let text = text.ok_or(ListError::NoName)?;
    let bad = text.is_empty() || text == "." || text == ".." || text.contains(['/', '\0']);
    if bad {
        Err(ListError::BadName(text.to_owned()))
    } else {
        Ok(text.to_owned())
    }
}

//! UnixFS: files and folders as DAGs of content blocks.
//!
//! Writing gives the same CID as `ipfs add` with the same [`Profile`]; reading takes the DAG of any importer.
//! Nothing here does I/O. Formats: the IPFS specifications of UnixFS, dag-pb and IPIP-0499.

pub(crate) mod dag_pb;
pub(crate) mod data;
pub(crate) mod directory;
mod profile;
pub(crate) mod proto;
pub(crate) mod read;
pub(crate) mod tree;

pub use dag_pb::DagPbError;
pub use data::DataError;
pub use directory::{ListError, NewEntry, WriteDirectoryError, write_directory};
pub use profile::{DIRECTORY_LIMIT_BYTES, DirectoryMeasure, Profile};
pub use proto::ProtoError;
pub use read::ReadError;
pub use tree::Child;

use bytes::Bytes;

use crate::block::Block;

/// The blocks of a file that stands in memory: its root, and each block in the order of its making.
///
/// Returns `None` for a profile without links to build with.
#[must_use]
pub fn import_bytes(profile: &Profile, content: &Bytes) -> Option<(Child, Vec<Block>)> {
    let chunk = usize::try_from(profile.chunk_bytes)
        .ok()
        .filter(|chunk| *chunk > 0)?;
    let mut blocks = Vec::new();
    let mut leaves = Vec::new();
    for at in (0..content.len().max(1)).step_by(chunk) {
        let part = content.slice(at..content.len().min(at + chunk));
        let file_bytes = part.len() as u64;
        let block = tree::leaf_block(profile, part);
        leaves.push(Child {
            cid: *block.cid(),
            file_bytes,
            dag_bytes: block.bytes().len() as u64,
        });
        blocks.push(block);
    }
    let root = tree::build(profile, leaves, |block| blocks.push(block))?;
    Some((root, blocks))
}

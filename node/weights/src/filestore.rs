//! Blocks that are here: nodes out of the database, leaves out of the model files themselves.
//!
//! There is no second copy of any weight. Each leaf is hashed again before it is handed out, so that a file which
//! changed under us is never served; it is marked, and passed over until it is verified again.

use std::{fs::File, io, path::PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;

use crate::{
    block::{Block, MAX_BLOCK_BYTES},
    disk,
    records::{BlockLocation, LeafRecord, Records, RecordsError},
    unixfs::read::wrap_leaf,
};

/// Files that are tried for one block.
const MAX_PLACES: usize = 4;

/// Somewhere to look blocks up.
#[async_trait]
pub trait Blocks: Send + Sync {
    /// The block, or `None` where it is not here.
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, RecordsError>;
}

/// The blocks of all models in the database.
#[derive(Clone, Debug)]
pub(crate) struct FileStore {
    records: Records,
    folder: PathBuf,
}

impl FileStore {
    /// `folder` is what relative paths in the database are relative to.
    pub(crate) fn new(records: Records, folder: PathBuf) -> FileStore {
        FileStore { records, folder }
    }
}

#[async_trait]
impl Blocks for FileStore {
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, RecordsError> {
        if let Some(block) = Block::from_identity(*cid) {
            return Ok(Some(block));
        }
        // A file that turns out changed is passed over, and another that has the block is taken.
        for _ in 0..MAX_PLACES {
            let (file, path, leaf) = match self.records.find(cid).await? {
                None => return Ok(None),
                Some(BlockLocation::Here(bytes)) => return Ok(Block::verify(*cid, bytes).ok()),
                Some(BlockLocation::InFile {
                    file,
                    disk_path,
                    leaf,
                }) => (file, self.folder.join(disk_path), leaf),
            };
            let (wanted, shown) = (*cid, path.clone());
            let reading = tokio::task::spawn_blocking(move || read_leaf(&path, &leaf));
            match reading.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
                Ok(bytes) => {
                    if let Ok(block) = Block::verify(wanted, bytes) {
                        return Ok(Some(block));
                    }
                    tracing::warn!(path = %shown.display(), "a model file changed; it is not served any more");
                }
                Err(error) => {
                    tracing::warn!(path = %shown.display(), %error, "a model file cannot be read; it is not served");
                }
            }
            self.records.set_fingerprint(file, None).await?;
        }
        Ok(None)
    }
}

fn read_leaf(path: &std::path::Path, leaf: &LeafRecord) -> io::Result<Bytes> {
    let length = usize::try_from(leaf.length)
        .ok()
        .filter(|length| *length <= MAX_BLOCK_BYTES);
    let mut content = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
    disk::read_at(&File::open(path)?, &mut content, leaf.at)?;
    Ok(match leaf.wrap {
        None => content.into(),
        Some(kind) => wrap_leaf(kind, &content).into(),
    })
}

//! Rows as SQLite gives them, and what they are read as.

use cid::Cid;
use hearth_store::stored;
use sqlx::FromRow;

use super::{
    BlockLocation, DownloadRecord, FileRecord, LeafRecord, ModelRecord, Origin, RecordsError, to_u64,
};
use crate::{
    block::{Block, Digest},
    manifest::Manifest,
    unixfs::data::NodeKind,
};

#[derive(FromRow)]
pub(super) struct ModelRow {
    pub(super) cid: String,
    pub(super) manifest: Vec<u8>,
    pub(super) origin: String,
    pub(super) added_at_ms: i64,
}

#[derive(FromRow)]
pub(super) struct FileRow {
    pub(super) id: i64,
    pub(super) idx: i64,
    pub(super) disk_path: String,
    pub(super) have: Option<Vec<u8>>,
    pub(super) fingerprint: Option<String>,
    pub(super) verified_at_ms: Option<i64>,
}

#[derive(FromRow)]
pub(super) struct DownloadRow {
    pub(super) cid: String,
    pub(super) state: String,
    pub(super) sources: String,
    pub(super) manifest: Option<Vec<u8>>,
    pub(super) started_at_ms: i64,
}

#[derive(FromRow)]
pub(super) struct LeafRow {
    pub(super) file: i64,
    pub(super) disk_path: String,
    pub(super) at: i64,
    pub(super) length: i64,
    pub(super) form: i64,
}

fn read_manifest(text: &str, bytes: Vec<u8>) -> Result<Manifest, RecordsError> {
    let damaged = |_| RecordsError::Damaged {
        what: "the manifest of a model",
        place: format!("row {text}"),
    };
    let cid = Cid::try_from(text).map_err(|_| damaged(()))?;
    let block = Block::verify(cid, bytes.into()).map_err(|_| damaged(()))?;
    Manifest::from_block(&block).map_err(|source| RecordsError::Manifest {
        cid: text.to_owned(),
        source,
    })
}

/// What cannot be read of a file.
pub(super) fn damaged(what: &'static str, file: i64) -> RecordsError {
    RecordsError::Damaged {
        what,
        place: format!("row {file} of weights_files"),
    }
}

impl TryFrom<ModelRow> for ModelRecord {
    type Error = RecordsError;

    fn try_from(row: ModelRow) -> Result<ModelRecord, RecordsError> {
        let origin = if row.origin == Origin::Pulled.as_str() {
            Origin::Pulled
        } else {
            Origin::Added
        };
        Ok(ModelRecord {
            manifest: read_manifest(&row.cid, row.manifest)?,
            origin,
            added_at_ms: row.added_at_ms,
        })
    }
}

impl TryFrom<FileRow> for FileRecord {
    type Error = RecordsError;

    fn try_from(row: FileRow) -> Result<FileRecord, RecordsError> {
        let fingerprint = row
            .fingerprint
            .map(|text| stored::read(text, ""))
            .transpose()
            .map_err(|_| damaged("the fingerprint", row.id))?;
        let idx = usize::try_from(row.idx).map_err(|_| damaged("the number", row.id))?;
        Ok(FileRecord {
            id: row.id,
            idx,
            disk_path: row.disk_path,
            have: row.have,
            fingerprint,
            verified_at_ms: row.verified_at_ms,
        })
    }
}

impl TryFrom<DownloadRow> for DownloadRecord {
    type Error = RecordsError;

    fn try_from(row: DownloadRow) -> Result<DownloadRecord, RecordsError> {
        let damaged = RecordsError::Damaged {
            what: "a download",
            place: format!("row {} of weights_downloads", row.cid),
        };
        let (Ok(cid), Ok(sources)) = (
            Cid::try_from(row.cid.as_str()),
            serde_json::from_str(&row.sources),
        ) else {
            return Err(damaged);
        };
        let manifest = row
            .manifest
            .map(|bytes| read_manifest(&row.cid, bytes))
            .transpose()?;
        Ok(DownloadRecord {
            cid,
            state: row.state,
            sources,
            manifest,
            started_at_ms: row.started_at_ms,
        })
    }
}

impl LeafRow {
    pub(super) fn into_place(self, digest: Digest) -> Result<BlockLocation, RecordsError> {
        let wrap = match self.form {
            0 => None,
            1 => Some(NodeKind::File),
            2 => Some(NodeKind::Raw),
            _ => return Err(damaged("a leaf", self.file)),
        };
        let leaf = LeafRecord {
            digest,
            at: to_u64(self.at),
            length: to_u64(self.length),
            wrap,
        };
        Ok(BlockLocation::InFile {
            file: self.file,
            disk_path: self.disk_path,
            leaf,
        })
    }
}

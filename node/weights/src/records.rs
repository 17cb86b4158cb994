//! The rows of `hearth.db` that belong to weights. Tables: `node/store/migrations/0004_weights.sql`.

mod rows;

use bytes::Bytes;
use cid::Cid;
use hearth_base::{Failure, Kind};
use hearth_store::{Problems, SqlitePool, Store, stored};
use sqlx::{AssertSqlSafe, Sqlite, Transaction};

use crate::{
    block::{Block, Digest, digest_of},
    disk::Fingerprint,
    manifest::{Manifest, ManifestError, ManifestFile},
    refusal::Fact,
    unixfs::{
        ReadError,
        data::NodeKind,
        read::{Plan, Planner},
    },
};

use rows::{DownloadRow, FileRow, LeafRow, ModelRow, damaged};

/// Why the records cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    #[error("the database does not answer: is the disk full or the data folder gone?")]
    Database(#[from] sqlx::Error),
    #[error(
        "{what} in {place} of hearth.db cannot be read: it is left as it is; restore a backup, or remove the model and add \
         it again"
    )]
    Damaged { what: &'static str, place: String },
    #[error(
        "the manifest in row {cid} of hearth.db cannot be read: it is left as it is; restore a backup, or remove the model \
         and add it again"
    )]
    Manifest {
        cid: String,
        #[source]
        source: ManifestError,
    },
    #[error("a value cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    #[error("the nodes of a file in the database do not form a file: remove the model and add it again")]
    Nodes(#[from] ReadError),
}

impl RecordsError {
    /// The fact, for surfaces that say it in another language: a full disk is the owner's to mend.
    pub(crate) fn fact(&self) -> Fact {
        Fact::new(if self.is_disk_full() {
            "disk_full"
        } else {
            "internal"
        })
    }

    /// Whether the disk, or the database's share of it, is full.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        let RecordsError::Database(error) = self else {
            return false;
        };
        hearth_store::is_disk_full(error)
    }
}

impl Failure for RecordsError {
    fn kind(&self) -> Kind {
        match self {
            RecordsError::Database(_) => Kind::Retry,
            RecordsError::Damaged { .. }
            | RecordsError::Manifest { .. }
            | RecordsError::Nodes(_)
            | RecordsError::Json(_) => Kind::Skip,
        }
    }
}

/// Where a model came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The owner's own files, which stay where they are.
    Added,
    /// A download, which lies in the weights folder.
    Pulled,
}

impl Origin {
    /// The word in the database and the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Added => "added",
            Origin::Pulled => "pulled",
        }
    }
}

/// A recorded model.
#[derive(Clone, Debug)]
pub(crate) struct ModelRecord {
    pub(crate) manifest: Manifest,
    pub(crate) origin: Origin,
    pub(crate) added_at_ms: i64,
}

/// A recorded file.
#[derive(Clone, Debug)]
pub(crate) struct FileRecord {
    pub(crate) id: i64,
    /// Its place in the manifest.
    pub(crate) idx: usize,
    /// Absolute, or relative to the weights folder.
    pub(crate) disk_path: String,
    pub(crate) have: Option<Vec<u8>>,
    pub(crate) fingerprint: Option<Fingerprint>,
    /// When its bytes were last compared with its CID and found right.
    pub(crate) verified_at_ms: Option<i64>,
}

/// A recorded download.
#[derive(Clone, Debug)]
pub(crate) struct DownloadRecord {
    pub(crate) cid: Cid,
    /// JSON of the state.
    pub(crate) state: String,
    pub(crate) sources: Vec<String>,
    pub(crate) manifest: Option<Manifest>,
    pub(crate) started_at_ms: i64,
}

/// A leaf of a finished file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeafRecord {
    pub(crate) digest: Digest,
    pub(crate) at: u64,
    pub(crate) length: u64,
    /// The node that wraps it; `None` for a raw leaf.
    pub(crate) wrap: Option<NodeKind>,
}

/// A finished file, ready to be recorded.
#[derive(Clone, Debug)]
pub(crate) struct FinishedFile {
    pub(crate) disk_path: String,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) nodes: Vec<Block>,
    pub(crate) leaves: Vec<LeafRecord>,
}

/// Where the bytes of a block are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BlockLocation {
    Here(Bytes),
    InFile {
        file: i64,
        disk_path: String,
        leaf: LeafRecord,
    },
}

/// The tables of this crate.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    pool: SqlitePool,
    problems: Problems,
}

const MODEL: &str = "SELECT cid, manifest, origin, added_at_ms FROM weights_models";

impl Records {
    pub(crate) fn new(store: &Store) -> Records {
        Records {
            pool: store.pool().clone(),
            problems: store.problems().clone(),
        }
    }

    /// Where a row that cannot be read is told.
    pub(crate) fn problems(&self) -> &Problems {
        &self.problems
    }

    /// The rows that can be read. One that cannot hides no other; it is left as it is, and told.
    fn readable<Row, T: TryFrom<Row, Error = RecordsError>>(&self, rows: Vec<Row>) -> Vec<T> {
        let told = |error: RecordsError| self.problems.report(hearth_base::failure::chain(&error));
        let read = |row: Row| T::try_from(row).map_err(told);
        rows.into_iter().flat_map(read).collect()
    }

    pub(crate) async fn models(&self) -> Result<Vec<ModelRecord>, RecordsError> {
        let rows: Vec<ModelRow> =
            sqlx::query_as(AssertSqlSafe(format!("{MODEL} ORDER BY slug, added_at_ms")))
                .fetch_all(&self.pool)
                .await?;
        Ok(self.readable(rows))
    }

    pub(crate) async fn model(&self, cid: &Cid) -> Result<Option<ModelRecord>, RecordsError> {
        let row: Option<ModelRow> = sqlx::query_as(AssertSqlSafe(format!("{MODEL} WHERE cid = ?")))
            .bind(cid.to_string())
            .fetch_optional(&self.pool)
            .await?;
        row.map(ModelRecord::try_from).transpose()
    }

    /// The model of that name that was added last.
    pub(crate) async fn model_by_slug(&self, slug: &str) -> Result<Option<ModelRecord>, RecordsError> {
        let row: Option<ModelRow> = sqlx::query_as(AssertSqlSafe(format!(
            "{MODEL} WHERE slug = ? ORDER BY added_at_ms DESC, rowid DESC LIMIT 1"
        )))
        .bind(slug)
        .fetch_optional(&self.pool)
        .await?;
        row.map(ModelRecord::try_from).transpose()
    }

    /// Records a model with all its files, and forgets its former files and its download.
    pub(crate) async fn put_model(
        &self,
        record: &ModelRecord,
        files: &[FinishedFile],
    ) -> Result<(), RecordsError> {
        let cid = record.manifest.cid().to_string();
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("DELETE FROM weights_files WHERE model = ?")
            .bind(&cid)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO weights_models (cid, slug, manifest, size_bytes, origin, added_at_ms) \
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (cid) DO UPDATE SET origin = excluded.origin",
        )
        .bind(&cid)
        .bind(record.manifest.slug())
        .bind(record.manifest.bytes().to_vec())
        .bind(to_i64(record.manifest.size_bytes()))
        .bind(record.origin.as_str())
        .bind(record.added_at_ms)
        .execute(&mut *tx)
        .await?;
        for (idx, file) in files.iter().enumerate() {
            put_file(&mut tx, &cid, idx, file, record.added_at_ms).await?;
        }
        sqlx::query("DELETE FROM weights_downloads WHERE cid = ?")
            .bind(&cid)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Forgets a model and a download of it.
    pub(crate) async fn delete_model(&self, cid: &Cid) -> Result<(), RecordsError> {
        let cid = cid.to_string();
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for table in [
            "weights_files WHERE model",
            "weights_models WHERE cid",
            "weights_downloads WHERE cid",
        ] {
            sqlx::query(AssertSqlSafe(format!("DELETE FROM {table} = ?")))
                .bind(&cid)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The files of a model or download, in the order of the manifest.
    pub(crate) async fn files(&self, model: &Cid) -> Result<Vec<FileRecord>, RecordsError> {
        let rows: Vec<FileRow> = sqlx::query_as(
            "SELECT id, idx, disk_path, have, fingerprint, verified_at_ms FROM weights_files \
             WHERE model = ? ORDER BY idx",
        )
        .bind(model.to_string())
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(FileRecord::try_from).collect()
    }

    /// Notes what the file looked like when it was found right, and when that was; `None`: it was found changed.
    pub(crate) async fn set_fingerprint(
        &self,
        file: i64,
        found: Option<(&Fingerprint, i64)>,
    ) -> Result<(), RecordsError> {
        sqlx::query("UPDATE weights_files SET fingerprint = ?, verified_at_ms = ? WHERE id = ?")
            .bind(fingerprint_text(found)?)
            .bind(found.map(|(_, at_ms)| at_ms))
            .bind(file)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Where a block is. Files that were found changed are passed over.
    pub(crate) async fn find(&self, cid: &Cid) -> Result<Option<BlockLocation>, RecordsError> {
        let manifest: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT manifest FROM weights_models WHERE cid = ?")
                .bind(cid.to_string())
                .fetch_optional(&self.pool)
                .await?;
        if let Some(bytes) = manifest {
            return Ok(Some(BlockLocation::Here(bytes.into())));
        }
        let Some(digest) = digest_of(cid) else {
            return Ok(None);
        };
        let node: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT bytes FROM weights_nodes WHERE digest = ? LIMIT 1")
                .bind(digest.as_slice())
                .fetch_optional(&self.pool)
                .await?;
        if let Some(bytes) = node {
            return Ok(Some(BlockLocation::Here(bytes.into())));
        }
        let row: Option<LeafRow> = sqlx::query_as(
            "SELECT leaf.file, file.disk_path, leaf.at, leaf.length, leaf.form FROM weights_leaves AS leaf \
             JOIN weights_files AS file ON file.id = leaf.file \
             WHERE leaf.digest = ? AND file.fingerprint IS NOT NULL LIMIT 1",
        )
        .bind(digest.as_slice())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| row.into_place(digest)).transpose()
    }

    /// The plan of a recorded file, from its recorded nodes; `None` while some are missing.
    pub(crate) async fn plan(&self, file: i64, wanted: &ManifestFile) -> Result<Option<Plan>, RecordsError> {
        let mut planner = Planner::with_size(wanted.cid, wanted.size_bytes)?;
        loop {
            let Some(cid) = planner.wanted(1).first().copied() else {
                return Ok(planner.finish());
            };
            let digest = digest_of(&cid).ok_or_else(|| damaged("a node", file))?;
            let bytes: Option<Vec<u8>> =
                sqlx::query_scalar("SELECT bytes FROM weights_nodes WHERE digest = ? AND file = ?")
                    .bind(digest.as_slice())
                    .bind(file)
                    .fetch_optional(&self.pool)
                    .await?;
            let Some(bytes) = bytes else { return Ok(None) };
            let block = Block::verify(cid, bytes.into()).map_err(|_| damaged("a node", file))?;
            planner.give(&block)?;
        }
    }

    /// Bytes of the models that were downloaded.
    pub(crate) async fn pulled_bytes(&self) -> Result<u64, RecordsError> {
        let sum: i64 = sqlx::query_scalar(
            "SELECT COALESCE(SUM(size_bytes), 0) FROM weights_models WHERE origin = 'pulled'",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(to_u64(sum))
    }

    pub(crate) async fn downloads(&self) -> Result<Vec<DownloadRecord>, RecordsError> {
        let rows: Vec<DownloadRow> = sqlx::query_as(
            "SELECT cid, state, sources, manifest, started_at_ms FROM weights_downloads ORDER BY started_at_ms, cid",
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(self.readable(rows))
    }

    /// Writes a download; an old one keeps its start.
    pub(crate) async fn put_download(&self, record: &DownloadRecord, code: &str) -> Result<(), RecordsError> {
        sqlx::query(
            "INSERT INTO weights_downloads (cid, state_code, state, sources, manifest, started_at_ms) \
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (cid) DO UPDATE SET state_code = excluded.state_code, \
             state = excluded.state, sources = excluded.sources, manifest = excluded.manifest",
        )
        .bind(record.cid.to_string())
        .bind(code)
        .bind(&record.state)
        .bind(serde_json::to_string(&record.sources)?)
        .bind(record.manifest.as_ref().map(|manifest| manifest.bytes().to_vec()))
        .bind(record.started_at_ms)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    pub(crate) async fn delete_download(&self, cid: &Cid) -> Result<(), RecordsError> {
        sqlx::query("DELETE FROM weights_downloads WHERE cid = ?")
            .bind(cid.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Records a file that is to be downloaded, with its nodes. Answers its id.
    pub(crate) async fn put_planned_file(
        &self,
        model: &Cid,
        idx: usize,
        disk_path: &str,
        nodes: &[Block],
    ) -> Result<i64, RecordsError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let id = insert_file(&mut tx, &model.to_string(), idx, disk_path, None).await?;
        put_nodes(&mut tx, id, nodes).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Notes which leaves are on disk for good. The caller has synced the file before.
    pub(crate) async fn set_have(&self, file: i64, have: &[u8]) -> Result<(), RecordsError> {
        sqlx::query("UPDATE weights_files SET have = ? WHERE id = ?")
            .bind(have)
            .bind(file)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

fn fingerprint_text(found: Option<(&Fingerprint, i64)>) -> Result<Option<String>, serde_json::Error> {
    found
        .map(|(fingerprint, _)| stored::write(fingerprint))
        .transpose()
}

async fn insert_file(
    tx: &mut Transaction<'_, Sqlite>,
    model: &str,
    idx: usize,
    disk_path: &str,
    found: Option<(&Fingerprint, i64)>,
) -> Result<i64, RecordsError> {
    let id = sqlx::query_scalar(
        "INSERT INTO weights_files (model, idx, disk_path, fingerprint, verified_at_ms) VALUES (?, ?, ?, ?, ?) \
         RETURNING id",
    )
    .bind(model)
    .bind(to_i64(idx as u64))
    .bind(disk_path)
    .bind(fingerprint_text(found)?)
    .bind(found.map(|(_, at_ms)| at_ms))
    .fetch_one(&mut **tx)
    .await?;
    Ok(id)
}

async fn put_file(
    tx: &mut Transaction<'_, Sqlite>,
    model: &str,
    idx: usize,
    file: &FinishedFile,
    at_ms: i64,
) -> Result<(), RecordsError> {
    let id = insert_file(tx, model, idx, &file.disk_path, Some((&file.fingerprint, at_ms))).await?;
    put_nodes(tx, id, &file.nodes).await?;
    for leaf in &file.leaves {
        // Equal leaves point at the first place.
        sqlx::query(
            "INSERT INTO weights_leaves (digest, file, at, length, form) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT DO NOTHING",
        )
        .bind(leaf.digest.as_slice())
        .bind(id)
        .bind(to_i64(leaf.at))
        .bind(to_i64(leaf.length))
        .bind(form_code(leaf.wrap))
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

async fn put_nodes(tx: &mut Transaction<'_, Sqlite>, file: i64, nodes: &[Block]) -> Result<(), RecordsError> {
    for node in nodes {
        // Blocks whose bytes are in their CID need no row.
        let Some(digest) = digest_of(node.cid()) else {
            continue;
        };
        sqlx::query(
            "INSERT INTO weights_nodes (digest, file, bytes) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(digest.as_slice())
        .bind(file)
        .bind(node.bytes().to_vec())
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

fn form_code(wrap: Option<NodeKind>) -> i64 {
    match wrap {
        Some(NodeKind::File) => 1,
        Some(NodeKind::Raw) => 2,
        None | Some(NodeKind::Directory | NodeKind::Metadata | NodeKind::Symlink | NodeKind::HamtShard) => 0,
    }
}

/// SQLite's integers are signed; sizes and places are far below 2^63.
fn to_i64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn to_u64(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

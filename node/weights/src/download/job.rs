//! What locating, fetching and checking have in common: the files of a download, and how jobs end.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use cid::Cid;
use tokio_util::sync::CancellationToken;

use super::{
    Rules,
    busy::Busy,
    state::{Event, JobFailure},
};
use crate::{
    disk,
    manifest::{Manifest, ManifestFile},
    provider::{HttpGateway, Source, SourceError},
    records::{FileRecord, Records, RecordsError},
    refusal::{Fact, Refusal},
    unixfs::{ReadError, read::Plan},
};

/// All that a job works with.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) cid: Cid,
    pub(super) rules: Rules,
    pub(super) records: Records,
    pub(super) manifest: Option<Manifest>,
    pub(super) sources: Vec<Arc<dyn Source>>,
    /// Cancelled when the job must end.
    pub(super) token: CancellationToken,
    /// Bytes on disk, noted or not.
    pub(super) arrived_bytes: Arc<AtomicU64>,
    /// Sources that want to be left alone.
    pub(super) busy: Arc<Busy>,
}

/// Why a job ended without its goal.
#[derive(Debug, thiserror::Error)]
pub(super) enum JobError {
    #[error("no gateway gave the model's {what}; the last one: {last}")]
    NoSource {
        what: &'static str,
        last: String,
        /// The first time at which any of them wants to be asked again.
        not_before_ms: Option<i64>,
    },
    #[error("the manifest is refused")]
    Manifest(#[from] crate::manifest::ManifestError),
    #[error("\"{path}\" of the model cannot be downloaded")]
    Plan {
        path: String,
        #[source]
        source: ReadError,
    },
    #[error(
        "\"{path}\" has {found} bytes, but the manifest says {said}: the model's publisher made a mistake"
    )]
    Size { path: String, said: u64, found: u64 },
    #[error(
        "the model needs {} more, but the quota leaves {}: remove a model with `hearth model rm`, or raise weights.quota_bytes",
        megabytes(*needed), megabytes(*left)
    )]
    Quota { needed: u64, left: u64 },
    #[error(
        "the model needs {} more, but the disk has {} to spare: free some space, or choose another folder",
        megabytes(*needed), megabytes(*left)
    )]
    Disk { needed: u64, left: u64 },
    #[error("{} cannot be written: is the disk full?", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the model is here, but cannot be used: {0}")]
    Refused(Refusal),
    #[error("the job was stopped")]
    Stopped,
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl JobError {
    /// Whether trying again by itself is of no use.
    fn is_final(&self) -> bool {
        match self {
            JobError::Manifest(_)
            | JobError::Plan { .. }
            | JobError::Size { .. }
            | JobError::Refused(_)
            | JobError::Quota { .. }
            | JobError::Disk { .. } => true,
            // A full disk may have room later.
            JobError::NoSource { .. } | JobError::Write { .. } | JobError::Stopped | JobError::Records(_) => {
                false
            }
        }
    }

    /// The fact, for surfaces that say it in another language.
    fn fact(&self) -> Fact {
        match self {
            JobError::NoSource { .. } => Fact::new("download_no_source"),
            JobError::Manifest(_) => Fact::new("download_manifest"),
            JobError::Plan { path, .. } | JobError::Size { path, .. } => {
                Fact::new("download_published_wrong").with("path", path)
            }
            JobError::Quota { needed, left } => Fact::new("download_quota")
                .with("needed_bytes", needed)
                .with("left_bytes", left),
            JobError::Disk { needed, left } => Fact::new("download_disk")
                .with("needed_bytes", needed)
                .with("left_bytes", left),
            JobError::Write { path, source } => match Fact::of_io(source) {
                full if full.code == "disk_full" => full,
                _other => Fact::new("download_write").with("path", path.display()),
            },
            JobError::Refused(refusal) => refusal.fact.clone(),
            JobError::Stopped => Fact::new("stopping"),
            JobError::Records(error) => error.fact(),
        }
    }

    pub(super) fn into_event(self) -> Option<Event> {
        if matches!(self, JobError::Stopped) {
            return None;
        }
        let mut failure = JobFailure {
            is_final: self.is_final(),
            not_before_ms: None,
            why: hearth_base::failure::chain(&self),
            fact: Some(self.fact()),
        };
        if let JobError::NoSource { not_before_ms, .. } = self {
            failure.not_before_ms = not_before_ms;
        }
        Some(Event::JobFailed(failure))
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// A file of a download, with what is there of it.
#[derive(Debug)]
pub(super) struct PartFile {
    pub(super) record: FileRecord,
    pub(super) wanted: ManifestFile,
    pub(super) plan: Plan,
    pub(super) have: Bitmap,
    pub(super) file: Arc<File>,
    /// Where it lies now.
    pub(super) path: PathBuf,
}

impl PartFile {
    /// Bytes that are there: leaves, and all that stood in nodes.
    pub(super) fn have_bytes(&self) -> u64 {
        let missing = self
            .plan
            .pieces
            .iter()
            .enumerate()
            .filter(|(idx, _)| !self.have.get(*idx));
        self.plan.size - missing.map(|(_, piece)| piece.length).sum::<u64>()
    }
}

/// One bit for each leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bitmap(Vec<u8>);

impl Bitmap {
    /// Takes recorded bits; those of another length are of another plan, and count as none.
    pub(super) fn new(bits: Option<Vec<u8>>, n_pieces: usize) -> Bitmap {
        let length = n_pieces.div_ceil(8);
        Bitmap(
            bits.filter(|bits| bits.len() == length)
                .unwrap_or_else(|| vec![0; length]),
        )
    }

    pub(super) fn get(&self, idx: usize) -> bool {
        self.0.get(idx / 8).is_some_and(|byte| byte >> (idx % 8) & 1 == 1)
    }

    pub(super) fn set(&mut self, idx: usize, value: bool) {
        if let Some(byte) = self.0.get_mut(idx / 8) {
            let bit = 1 << (idx % 8);
            *byte = if value { *byte | bit } else { *byte & !bit };
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Where a model's files lie, relative to the weights folder.
pub(super) fn model_folder(cid: &Cid) -> String {
    format!("models/{cid}")
}

/// Where a file lies when it is finished, relative to the weights folder.
pub(super) fn final_path(cid: &Cid, file: &ManifestFile) -> String {
    format!("{}/{}", model_folder(cid), file.path)
}

/// Where it lies until then.
pub(super) fn partial_path(final_path: &Path) -> PathBuf {
    let mut path = final_path.as_os_str().to_owned();
    path.push(".partial");
    path.into()
}

/// Opens the file of a download, wherever a crash left it, with its full length.
pub(super) fn open_part(final_path: &Path, size: u64) -> io::Result<(File, PathBuf)> {
    let partial = partial_path(final_path);
    // A crash may have come after the move and before the record of it. Under its final name a file is read-only.
    if !partial.exists() && final_path.is_file() {
        disk::set_read_only(final_path, false)?;
        fs::rename(final_path, &partial)?;
    }
    if let Some(folder) = partial.parent() {
        fs::create_dir_all(folder)?;
    }
    hearth_base::private::check_plain(&partial)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&partial)?;
    // Sparse: the room was checked before, and is taken as leaves arrive.
    file.set_len(size)?;
    Ok((file, partial))
}

impl Job {
    pub(super) fn sources(addresses: &[String], rules: &Rules) -> Vec<Arc<dyn Source>> {
        let gateway = |address: &String| HttpGateway::new(address, rules.http).ok();
        addresses
            .iter()
            .filter_map(gateway)
            .map(|gateway| Arc::new(gateway) as Arc<dyn Source>)
            .collect()
    }

    /// The sources that may be asked now.
    pub(super) fn willing_sources(&self) -> impl Iterator<Item = &Arc<dyn Source>> {
        let is_willing = |source: &&Arc<dyn Source>| self.busy.until(Source::name(source.as_ref())).is_none();
        self.sources.iter().filter(is_willing)
    }

    /// Why nobody gave it, and when the first of those who want to be left alone may be asked again. Where any other
    /// could be asked earlier, the usual pause is all.
    pub(super) fn no_source(&self, what: &'static str, last: Option<SourceError>) -> JobError {
        let waits = self.sources.iter();
        let waits: Option<Vec<i64>> = waits
            .map(|source| self.busy.until(Source::name(source.as_ref())))
            .collect();
        let not_before_ms = waits.and_then(|waits| waits.into_iter().min());
        let last = match (last, not_before_ms) {
            (None, Some(_)) => "it asked to be left alone for a while".to_owned(),
            (last, _) => last_text(last),
        };
        JobError::NoSource {
            what,
            last,
            not_before_ms,
        }
    }

    /// The files as the records have them; `None` while some were not located.
    pub(super) async fn part_files(&self, manifest: &Manifest) -> Result<Option<Vec<PartFile>>, JobError> {
        let records = self.records.files(&self.cid).await?;
        if records.len() != manifest.files().len() {
            return Ok(None);
        }
        let mut parts = Vec::with_capacity(records.len());
        for (record, wanted) in records.into_iter().zip(manifest.files()) {
            let Some(plan) = self.records.plan(record.id, wanted).await? else {
                return Ok(None);
            };
            let final_path = self.rules.folder.join(&record.disk_path);
            let size = plan.size;
            let shown = final_path.clone();
            let (file, path) = blocking(move || open_part(&final_path, size))
                .await
                .map_err(|source| JobError::Write { path: shown, source })?;
            let have = Bitmap::new(record.have.clone(), plan.pieces.len());
            parts.push(PartFile {
                record,
                wanted: wanted.clone(),
                plan,
                have,
                file: Arc::new(file),
                path,
            });
        }
        Ok(Some(parts))
    }

    /// Ends with an error when the job must end, else with what `waiting` gives.
    pub(super) async fn unless_stopped<T>(&self, waiting: impl Future<Output = T>) -> Result<T, JobError> {
        tokio::select! {
            biased;
            () = self.token.cancelled() => Err(JobError::Stopped),
            value = waiting => Ok(value),
        }
    }

    pub(super) fn note_arrived(&self, parts: &[PartFile]) -> u64 {
        let bytes = parts.iter().map(PartFile::have_bytes).sum();
        self.arrived_bytes.store(bytes, Ordering::Relaxed);
        bytes
    }
}

/// Runs file work off the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// The text of the last failure of many.
pub(super) fn last_text(last: Option<SourceError>) -> String {
    last.map_or_else(
        || "none was asked".to_owned(),
        |error| hearth_base::failure::chain(&error),
    )
}

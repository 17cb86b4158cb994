//! Opening and verifying models that are here.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use cid::Cid;

use crate::{
    disk::Fingerprint,
    hashing::{self, PieceCheck},
    manifest::ManifestFile,
    records::{FileRecord, Records, RecordsError},
    unixfs::read::Plan,
    verified::{VerifiedFile, VerifiedModel},
};

/// Why a model cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("there is no model {0} here: pull it with `hearth model pull {0}`")]
    Unknown(Cid),
    #[error("{} is gone: put it back, or remove the model and add or pull it again", path.display())]
    Missing {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} cannot be read", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "{} was changed on disk: {wrong_bytes} of its {size_bytes} bytes are not what the model's CID says, so it is \
         not used; put the right file back, or remove the model and add or pull it again",
        path.display()
    )]
    Changed {
        path: PathBuf,
        wrong_bytes: u64,
        size_bytes: u64,
    },
    #[error("{} is being changed by another program: wait until that is done", path.display())]
    Changing { path: PathBuf },
    #[error("the records of model {0} are not complete: remove it and add or pull it again")]
    Incomplete(Cid),
    #[error(transparent)]
    Records(#[from] RecordsError),
}

/// What was found by hashing all files of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The model.
    pub cid: Cid,
    /// One verdict for each file, in the order of the manifest.
    pub files: Vec<FileVerdict>,
}

/// What was found by hashing a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileVerdict {
    /// Its path in the model.
    pub name: String,
    /// Its path on disk.
    pub path: PathBuf,
    /// Its length by the manifest.
    pub size_bytes: u64,
    /// `None`: every byte is right. Else what is wrong and what to do.
    pub wrong: Option<String>,
}

impl Verification {
    /// Whether every byte is right.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.files.iter().all(|file| file.wrong.is_none())
    }
}

/// Opens a model; see [`crate::Weights::open`].
pub(crate) async fn open(
    records: &Records,
    folder: &Path,
    threads: usize,
    cid: &Cid,
    at_ms: i64,
) -> Result<VerifiedModel, OpenError> {
    let model = records.model(cid).await?.ok_or(OpenError::Unknown(*cid))?;
    let mut files = Vec::new();
    for (record, wanted) in paired(records, cid, model.manifest.files()).await? {
        files.push(open_file(records, folder, threads, &record, wanted, false, at_ms).await?);
    }
    Ok(VerifiedModel::new(model.manifest.clone(), files))
}

/// Hashes a model; see [`crate::Weights::verify`].
pub(crate) async fn verify(
    records: &Records,
    folder: &Path,
    threads: usize,
    cid: &Cid,
    at_ms: i64,
) -> Result<Verification, OpenError> {
    let model = records.model(cid).await?.ok_or(OpenError::Unknown(*cid))?;
    let mut files = Vec::new();
    for (record, wanted) in paired(records, cid, model.manifest.files()).await? {
        let result = open_file(records, folder, threads, &record, wanted, true, at_ms).await;
        let wrong = match result {
            Ok(_) => None,
            Err(error @ (OpenError::Unknown(_) | OpenError::Incomplete(_) | OpenError::Records(_))) => {
                return Err(error);
            }
            Err(
                error @ (OpenError::Missing { .. }
                | OpenError::Read { .. }
                | OpenError::Changed { .. }
                | OpenError::Changing { .. }),
            ) => Some(hearth_base::failure::chain(&error)),
        };
        let path = folder.join(&record.disk_path);
        files.push(FileVerdict {
            name: wanted.path.clone(),
            path,
            size_bytes: wanted.size_bytes,
            wrong,
        });
    }
    Ok(Verification { cid: *cid, files })
}

async fn paired<'a>(
    records: &Records,
    cid: &Cid,
    wanted: &'a [ManifestFile],
) -> Result<Vec<(FileRecord, &'a ManifestFile)>, OpenError> {
    let files = records.files(cid).await?;
    let is_complete =
        files.len() == wanted.len() && files.iter().enumerate().all(|(idx, file)| file.idx == idx);
    if is_complete {
        Ok(files.into_iter().zip(wanted).collect())
    } else {
        Err(OpenError::Incomplete(*cid))
    }
}

/// Opens one file, and hashes it where it does not look as it did or `always` says so.
async fn open_file(
    records: &Records,
    folder: &Path,
    threads: usize,
    record: &FileRecord,
    wanted: &ManifestFile,
    always: bool,
    at_ms: i64,
) -> Result<VerifiedFile, OpenError> {
    let path = folder.join(&record.disk_path);
    let file = match File::open(&path) {
        Ok(file) => Arc::new(file),
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            return Err(OpenError::Missing { path, source });
        }
        Err(source) => return Err(OpenError::Read { path, source }),
    };
    let read_error = |source| OpenError::Read {
        path: path.clone(),
        source,
    };
    let before = Fingerprint::of(&file).map_err(read_error)?;
    let looks_same = record
        .fingerprint
        .is_some_and(|then| then.difference(&before).is_none());
    if always || !looks_same {
        let plan = records
            .plan(record.id, wanted)
            .await?
            .ok_or(OpenError::Incomplete(wanted.cid))?;
        let size_bytes = plan.size;
        let handle = Arc::clone(&file);
        let wrong_bytes = tokio::task::spawn_blocking(move || wrong_bytes(&plan, &handle, threads))
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(read_error)?;
        let after = Fingerprint::of(&file).map_err(read_error)?;
        if wrong_bytes > 0 {
            records.set_fingerprint(record.id, None).await?;
            return Err(OpenError::Changed {
                path,
                wrong_bytes,
                size_bytes,
            });
        }
        if before.difference(&after).is_some() {
            return Err(OpenError::Changing { path });
        }
        records.set_fingerprint(record.id, Some((&after, at_ms))).await?;
    }
    Ok(VerifiedFile::new(
        wanted.path.clone(),
        wanted.cid,
        path,
        file,
        before,
    ))
}

/// How many bytes of the file are not what the plan says; at least 1 for a file of another length.
fn wrong_bytes(plan: &Plan, file: &File, threads: usize) -> io::Result<u64> {
    let found = hashing::check_file(plan, file, threads, &|| false)?;
    let wrong = plan
        .pieces
        .iter()
        .zip(&found)
        .filter(|(_, found)| **found == PieceCheck::Wrong);
    let wrong: u64 = wrong.map(|(piece, _)| piece.length).sum();
    let rest_is_right = wrong > 0 || hashing::check_inline(plan, file)?;
    Ok(if rest_is_right {
        wrong
    } else {
        plan.size.abs_diff(file.metadata()?.len()).max(1)
    })
}

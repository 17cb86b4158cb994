//! Checking: all bytes are read back and hashed, then the files go to their places and the model is recorded.

use std::{fs, io, sync::Arc};

use super::{
    job::{self, Job, JobError, PartFile, blocking},
    locate,
    state::Event,
};
use crate::{
    block::digest_of,
    disk::{self, Fingerprint},
    hashing::{self, PieceCheck},
    manifest::Manifest,
    records::{FinishedFile, LeafRecord, ModelRecord, Origin},
    refusal::{Fact, Refusal},
    unixfs::data::NodeKind,
};

/// Checks and places. Wrong leaves are marked as missing again.
pub(super) async fn check(
    job: &Job,
    manifest: &Manifest,
    mut parts: Vec<PartFile>,
    now_ms: i64,
) -> Result<Event, JobError> {
    let mut finished = Vec::with_capacity(parts.len());
    let mut is_damaged = false;
    for part in &mut parts {
        if job.token.is_cancelled() {
            return Err(JobError::Stopped);
        }
        let found = read_back(job, part).await?;
        let wrong: Vec<usize> = found
            .iter()
            .enumerate()
            .filter(|(_, found)| **found == PieceCheck::Wrong)
            .map(|(idx, _)| idx)
            .collect();
        if wrong.is_empty() {
            finished.push(leaves(part, &found));
            continue;
        }
        is_damaged = true;
        tracing::warn!(path = %part.path.display(), leaves = wrong.len(), "a download was damaged on disk; the bad leaves are fetched again");
        for idx in wrong {
            part.have.set(idx, false);
        }
        job.records.set_have(part.record.id, part.have.bytes()).await?;
    }
    if is_damaged {
        return Ok(Event::Damaged {
            have_bytes: job.note_arrived(&parts),
        });
    }
    let mut files = Vec::with_capacity(parts.len());
    for (part, leaves) in parts.iter().zip(finished) {
        let disk_path = job::final_path(&job.cid, &part.wanted);
        let fingerprint = place(job, part, &disk_path).await?;
        files.push(FinishedFile {
            disk_path,
            fingerprint,
            nodes: part.plan.nodes.clone(),
            leaves,
        });
    }
    inspect(job).await?;
    let record = ModelRecord {
        manifest: manifest.clone(),
        origin: Origin::Pulled,
        added_at_ms: now_ms,
    };
    job.records.put_model(&record, &files).await?;
    Ok(Event::Placed)
}

/// Has the placed files looked at: what cannot be used is not recorded as a model.
async fn inspect(job: &Job) -> Result<(), JobError> {
    let (inspector, folder) = (
        job.rules.inspector.clone(),
        job.rules.folder.join(job::model_folder(&job.cid)),
    );
    let looked = tokio::task::spawn_blocking(move || inspector.inspect(&folder)).await;
    match looked {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(reason)) => Err(JobError::Refused(reason)),
        Err(error) => Err(JobError::Refused(Refusal {
            fact: Fact::new("internal"),
            text: error.to_string(),
        })),
    }
}

async fn read_back(job: &Job, part: &PartFile) -> Result<Vec<PieceCheck>, JobError> {
    // A crash may have lost bytes that stood in nodes; they are at hand.
    locate::write_inline(part).await?;
    let (plan, file, threads) = (part.plan.clone(), Arc::clone(&part.file), job.rules.threads);
    let token = job.token.clone();
    let read = blocking(move || {
        if !hashing::check_inline(&plan, &file)? {
            return Err(io::Error::other("what is written is not what is read"));
        }
        hashing::check_file(&plan, &file, threads, &|| token.is_cancelled())
    });
    read.await.map_err(|source| {
        if source.kind() == io::ErrorKind::Interrupted {
            return JobError::Stopped;
        }
        JobError::Write {
            path: part.path.clone(),
            source,
        }
    })
}

fn leaves(part: &PartFile, found: &[PieceCheck]) -> Vec<LeafRecord> {
    let leaf = |(piece, found): (&crate::unixfs::read::Piece, &PieceCheck)| {
        let wrap: Option<NodeKind> = match found {
            PieceCheck::Right(wrap) => *wrap,
            PieceCheck::Wrong => None,
        };
        digest_of(&piece.cid).map(|digest| LeafRecord {
            digest,
            at: piece.offset,
            length: piece.length,
            wrap,
        })
    };
    part.plan.pieces.iter().zip(found).filter_map(leaf).collect()
}

/// Syncs, renames, syncs the folder, and takes the fingerprint.
async fn place(job: &Job, part: &PartFile, disk_path: &str) -> Result<Fingerprint, JobError> {
    let to = job.rules.folder.join(disk_path);
    let (file, from) = (Arc::clone(&part.file), part.path.clone());
    blocking(move || {
        if from != to {
            file.sync_all()?;
            disk::set_read_only(&from, true)?;
            fs::rename(&from, &to)?;
            if let Some(folder) = to.parent() {
                disk::sync_folder(folder)?;
            }
        }
        Fingerprint::at(&to)
    })
    .await
    .map_err(|source| JobError::Write {
        path: part.path.clone(),
        source,
    })
}

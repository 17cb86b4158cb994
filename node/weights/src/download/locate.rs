//! Locating: the manifest first, then the nodes of every file. After that each leaf has a place and a hash, and any
//! source that has bytes will do.

use std::sync::Arc;

use bytes::Bytes;
use cid::Cid;
use futures::{StreamExt as _, stream};

use super::{
    job::{self, Job, JobError, PartFile, blocking},
    state::Event,
};
use crate::{
    block::Block,
    disk,
    manifest::{Manifest, ManifestFile},
    provider::Source,
    unixfs::read::{Plan, Planner},
};

/// Nodes that are asked for at once.
const NODES_AT_ONCE: usize = 8;

/// Gets the manifest, where it is not here yet.
pub(super) async fn manifest(job: &Job) -> Result<Manifest, JobError> {
    if let Some(manifest) = &job.manifest {
        return Ok(manifest.clone());
    }
    let block = block_of_any(job, &job.cid, "manifest").await?;
    Ok(Manifest::from_block(&block)?)
}

/// Gets all nodes, checks the budget, and makes the files.
pub(super) async fn files(job: &Job, manifest: &Manifest) -> Result<Event, JobError> {
    let known = job.records.files(&job.cid).await?;
    // Refused before anything is asked of others, and once more when the nodes are known.
    if known.is_empty() {
        check_budget(job, manifest.size_bytes()).await?;
    }
    for (idx, file) in manifest.files().iter().enumerate() {
        let recorded = known.iter().find(|record| record.idx == idx);
        if let Some(record) = recorded
            && job.records.plan(record.id, file).await?.is_some()
        {
            continue;
        }
        let plan = plan(job, file).await?;
        let path = job::final_path(&job.cid, file);
        job.records
            .put_planned_file(&job.cid, idx, &path, &plan.nodes)
            .await?;
    }
    let not_located = || JobError::NoSource {
        what: "nodes",
        last: "the records are not complete".to_owned(),
        not_before_ms: None,
    };
    let parts = job.part_files(manifest).await?.ok_or_else(not_located)?;
    let have_bytes = job.note_arrived(&parts);
    check_budget(job, manifest.size_bytes().saturating_sub(have_bytes)).await?;
    for part in &parts {
        write_inline(part).await?;
    }
    Ok(Event::Located {
        have_bytes,
        size_bytes: manifest.size_bytes(),
    })
}

async fn plan(job: &Job, file: &ManifestFile) -> Result<Plan, JobError> {
    let refused = |source| JobError::Plan {
        path: file.path.clone(),
        source,
    };
    let mut planner = Planner::with_size(file.cid, file.size_bytes).map_err(refused)?;
    loop {
        let wanted = planner.wanted(NODES_AT_ONCE);
        if wanted.is_empty() {
            break;
        }
        let blocks = stream::iter(wanted).map(|cid| async move { block_of_any(job, &cid, "nodes").await });
        let blocks: Vec<_> = blocks.buffer_unordered(NODES_AT_ONCE).collect().await;
        for block in blocks {
            planner.give(&block?).map_err(refused)?;
        }
    }
    let plan = planner.finish().unwrap_or_default();
    if plan.size != file.size_bytes {
        return Err(JobError::Size {
            path: file.path.clone(),
            said: file.size_bytes,
            found: plan.size,
        });
    }
    Ok(plan)
}

/// Asks one source after another.
async fn block_of_any(job: &Job, cid: &Cid, what: &'static str) -> Result<Block, JobError> {
    let mut last = None;
    for source in job.willing_sources() {
        match job.unless_stopped(source.block(cid)).await? {
            Ok(block) => return Ok(block),
            Err(error) => {
                job.busy.note(&error);
                tracing::debug!(source = Source::name(source.as_ref()), %cid, %error, "a source does not give a block");
                last = Some(error);
            }
        }
    }
    Err(job.no_source(what, last))
}

/// Refuses a download that the quota or the disk has no room for.
async fn check_budget(job: &Job, needed: u64) -> Result<(), JobError> {
    if let Some(quota) = job.rules.quota_bytes {
        let left = quota.saturating_sub(job.records.pulled_bytes().await?);
        if needed > left {
            return Err(JobError::Quota { needed, left });
        }
    }
    let folder = job.rules.folder.clone();
    let free = blocking(move || Ok(disk::free_bytes(&folder)))
        .await
        .ok()
        .flatten();
    // Where the system does not say, a full disk shows when it is written to.
    let Some(free) = free else { return Ok(()) };
    let left = free.saturating_sub(job.rules.keep_free_bytes);
    if needed > left {
        Err(JobError::Disk { needed, left })
    } else {
        Ok(())
    }
}

/// Bytes that stood in nodes are written at once; they are never asked for again.
pub(super) async fn write_inline(part: &PartFile) -> Result<(), JobError> {
    if part.plan.inline.is_empty() {
        return Ok(());
    }
    let inline: Vec<(u64, Bytes)> = part.plan.inline.clone();
    let file = Arc::clone(&part.file);
    blocking(move || {
        inline
            .iter()
            .try_for_each(|(at, bytes)| disk::write_at(&file, bytes, *at))
    })
    .await
    .map_err(|source| JobError::Write {
        path: part.path.clone(),
        source,
    })
}

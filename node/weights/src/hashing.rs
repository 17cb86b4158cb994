//! Hashing files into UnixFS trees, and comparing files with plans, on several cores.
//!
//! Leaves are independent, so each thread takes the next leaf that nobody took. All of this blocks: call it
//! through `tokio::task::spawn_blocking`.

use std::{
    fs::File,
    io,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use crate::{
    block::{Block, Digest, digest_of},
    disk,
    unixfs::{
        Child, Profile,
        data::NodeKind,
        read::{Form, Plan},
        tree::{self, LeafHasher},
    },
};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

/// Bytes that are read at once: small enough to be hashed out of the second-level cache.
const READ_BYTES: usize = 128 * 1024;

/// A file as a tree.
#[derive(Clone, Debug)]
pub(crate) struct Imported {
    pub(crate) root: Child,
    /// One for each chunk, in order.
    pub(crate) leaves: Vec<Child>,
    /// The nodes over them.
    pub(crate) nodes: Vec<Block>,
}

/// Hashes `size` bytes of `file` with `threads` threads.
///
/// # Errors
/// A file that cannot be read or is shorter than `size`.
pub(crate) fn import_file(profile: &Profile, file: &File, size: u64, threads: usize) -> io::Result<Imported> {
    let n_leaves =
        usize::try_from(tree::leaf_count(profile, size)).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let chunk = u64::from(profile.chunk_bytes);
    let leaves = in_parallel(n_leaves, threads, |leaf_idx, buffer| {
        let at = leaf_idx as u64 * chunk;
        let length = chunk.min(size - at) as usize;
        let mut hasher = LeafHasher::new(profile, length);
        read_through(file, at, length, buffer, |bytes| hasher.update(bytes))?;
        Ok(hasher.finish(profile))
    })?;
    let mut nodes = Vec::new();
    let root = tree::build(profile, leaves.clone(), |block| nodes.push(block))
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok(Imported { root, leaves, nodes })
}

/// How a piece of a plan stands on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PieceCheck {
    /// The bytes are right, and this is how they are wrapped into their block.
    Right(Option<NodeKind>),
    /// Other bytes, or none.
    Wrong,
}

/// Compares each piece of `plan` with the file, until `stop` says yes.
///
/// # Errors
/// A file that cannot be read; one that is too short has wrong pieces. `Interrupted` after a stop.
pub(crate) fn check_file(
    plan: &Plan,
    file: &File,
    threads: usize,
    stop: &(dyn Fn() -> bool + Sync),
) -> io::Result<Vec<PieceCheck>> {
    in_parallel(plan.pieces.len(), threads, |piece_idx, buffer| {
        if stop() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let piece = &plan.pieces[piece_idx];
        let Some(wanted) = digest_of(&piece.cid) else {
            return Ok(PieceCheck::Wrong);
        };
        let kinds: &[Option<NodeKind>] = match piece.form {
            Form::Raw => &[None],
            Form::Wrapped => &[Some(NodeKind::File), Some(NodeKind::Raw)],
        };
        for kind in kinds {
            match piece_digest(file, piece.offset, piece.length as usize, *kind, buffer) {
                Ok(digest) if digest == wanted => return Ok(PieceCheck::Right(*kind)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(PieceCheck::Wrong),
                Err(error) => return Err(error),
            }
        }
        Ok(PieceCheck::Wrong)
    })
}

fn piece_digest(
    file: &File,
    at: u64,
    length: usize,
    kind: Option<NodeKind>,
    buffer: &mut [u8],
) -> io::Result<Digest> {
    let (before, after) = kind
        .map(|kind| tree::leaf_frame(kind, length))
        .unwrap_or_default();
    let mut hasher = Sha256::new();
    hasher.update(&before);
    read_through(file, at, length, buffer, |bytes| hasher.update(bytes))?;
    hasher.update(&after);
    Ok(hasher.finalize().into())
}

/// Whether the inline parts of `plan` stand in the file, and the file has its size.
pub(crate) fn check_inline(plan: &Plan, file: &File) -> io::Result<bool> {
    if file.metadata()?.len() != plan.size {
        return Ok(false);
    }
    for (offset, bytes) in &plan.inline {
        let mut found = vec![0; bytes.len()];
        disk::read_at(file, &mut found, *offset)?;
        if found != bytes.as_ref() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn read_through(
    file: &File,
    at: u64,
    length: usize,
    buffer: &mut [u8],
    mut take: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut done = 0;
    while done < length {
        let n = buffer.len().min(length - done);
        disk::read_at(file, &mut buffer[..n], at + done as u64)?;
        take(&buffer[..n]);
        done += n;
    }
    Ok(())
}

/// Runs `job` for 0 to `n_jobs` - 1 and answers the results in that order. The first error ends all.
fn in_parallel<T: Send>(
    n_jobs: usize,
    threads: usize,
    job: impl Fn(usize, &mut [u8]) -> io::Result<T> + Sync,
) -> io::Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let results: Mutex<Vec<(usize, io::Result<T>)>> = Mutex::new(Vec::with_capacity(n_jobs));
    let work = || {
        let mut buffer = vec![0; READ_BYTES];
        let mut own = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let job_idx = next.fetch_add(1, Ordering::Relaxed);
            if job_idx >= n_jobs {
                break;
            }
            let result = job(job_idx, &mut buffer);
            if result.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            own.push((job_idx, result));
        }
        results.lock().append(&mut own);
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.clamp(1, n_jobs.max(1)) {
            scope.spawn(work);
        }
        work();
    });
    let mut results = results.into_inner();
    results.sort_by_key(|(job_idx, _)| *job_idx);
    results.into_iter().map(|(_, result)| result).collect()
}

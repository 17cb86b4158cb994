//! Fetching: sources deliver leaves, one writer puts them in place and notes what is there.
//!
//! ```text
//!  source 0 ─┐ spans of 16 MiB, as CARs;                      ┌─▶ pwrite at the leaf's offset
//!  source 1 ─┼ holes as raw blocks ──▶ bounded channel ──▶ writer
//!  source 2 ─┘                                                └─▶ every 64 MiB or 5 s: fdatasync, then the database
//! ```
//! A span that a source could not fill goes back to the board for the others. A source that lies is asked no more.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Range,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt as _, future, stream};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};

use super::{
    busy::Busy,
    job::{Job, JobError, PartFile, blocking},
    state::Event,
};
use crate::{
    block::{Block, Digest, digest_of},
    disk,
    provider::{Source, SourceError, SourceState},
    unixfs::read::{Form, unwrap_leaf},
};

/// Leaves between the sources and the writer: 16 of at most 2 MiB are 32 MiB.
const LEAVES_IN_FLIGHT: usize = 16;
/// Requests to one source at once; more would only share its line.
const STREAMS: usize = 2;
/// Single blocks that one line asks for at once, where a source makes no CARs or leaves holes.
const BLOCKS_AT_ONCE: usize = 4;
/// Failures in a row after which a source is given up for this try.
const PATIENCE: u32 = 3;
/// A CAR of a span may take this many times the span's bytes: small leaves under many nodes nearly double it.
const CAR_FACTOR: u64 = 2;
/// And so much besides, for the nodes above a short span.
const CAR_BASE_BYTES: u64 = 4 << 20;
/// What a block takes in a CAR at least, so that empty ones count as well: its length and its CID.
const SECTION_HEAD_BYTES: u64 = 40;
/// Bad blocks in one CAR after which no more of it is read.
const BAD_BLOCKS: u32 = 16;
/// How long a source that ails is left alone before it is asked again.
const BREATH: Duration = Duration::from_millis(200);

/// A part of a file that one source fetches.
#[derive(Clone, Debug)]
struct Span {
    file_idx: usize,
    pieces: Range<usize>,
    /// Sources that could not fill it.
    tried: BTreeSet<usize>,
}

/// What is still to be fetched.
#[derive(Debug)]
struct SpanQueue {
    state: Mutex<QueueState>,
    changed: Notify,
}

#[derive(Debug)]
struct QueueState {
    spans: VecDeque<Span>,
    at_work: usize,
    last_error: Option<SourceError>,
}

/// A leaf that a source delivered.
struct Leaf {
    file_idx: usize,
    digest: Digest,
    content: Bytes,
}

/// The places of leaves, shared by all sources: digest to pieces, file by file.
type Places = Vec<BTreeMap<Digest, Vec<usize>>>;

/// Fetches all that is missing.
pub(super) async fn fetch(
    job: &Job,
    mut parts: Vec<PartFile>,
    noted: impl Fn(u64),
) -> Result<Event, JobError> {
    let places: Places = parts.iter().map(missing_places).collect();
    let queue = Arc::new(SpanQueue::new(spans(&parts, job.rules.span_bytes)));
    job.note_arrived(&parts);
    let (leaves, arrivals) = mpsc::channel(LEAVES_IN_FLIGHT);
    let plans: Vec<_> = parts
        .iter()
        .map(|part| (part.wanted.cid, part.plan.clone()))
        .collect();
    let wanted = Arc::new(FetchPlan {
        plans,
        places: places.clone(),
        have: Mutex::new(have_sets(&parts)),
    });
    let workers = job
        .willing_sources()
        .enumerate()
        .flat_map(|(source_idx, source)| {
            (0..STREAMS).map({
                let (queue, leaves, wanted) = (&queue, &leaves, &wanted);
                move |_| {
                    let worker = Worker {
                        source_idx,
                        source: Arc::clone(source),
                        queue: Arc::clone(queue),
                        leaves: leaves.clone(),
                        wanted: Arc::clone(wanted),
                        busy: Arc::clone(&job.busy),
                    };
                    worker.run()
                }
            })
        });
    let workers = future::join_all(workers.collect::<Vec<_>>());
    // The writer ends when the last worker drops its sender.
    drop(leaves);
    let writing = write(job, &mut parts, &places, arrivals, &noted);
    let (written, _) = future::join(writing, async { job.unless_stopped(workers).await }).await;
    written?;
    if job.token.is_cancelled() {
        return Err(JobError::Stopped);
    }
    if parts.iter().all(|part| part.have_bytes() == part.plan.size) {
        return Ok(Event::AllWritten);
    }
    let last = queue.state.lock().last_error.take();
    Err(job.no_source("weights", last))
}

/// What the sources need to know about the files.
struct FetchPlan {
    plans: Vec<(cid::Cid, crate::unixfs::read::Plan)>,
    places: Places,
    /// Pieces that were delivered, file by file.
    have: Mutex<Vec<BTreeSet<usize>>>,
}

impl FetchPlan {
    /// The pieces of a span that nobody delivered yet.
    fn missing(&self, span: &Span) -> Vec<usize> {
        let have = self.have.lock();
        span.pieces
            .clone()
            .filter(|idx| !have[span.file_idx].contains(idx))
            .collect()
    }

    /// Notes a delivery; `false`: somebody was faster.
    fn take(&self, file_idx: usize, digest: &Digest) -> bool {
        let Some(pieces) = self.places[file_idx].get(digest) else {
            return false;
        };
        let mut have = self.have.lock();
        let mut is_new = false;
        for idx in pieces {
            is_new |= have[file_idx].insert(*idx);
        }
        is_new
    }
}

fn missing_places(part: &PartFile) -> BTreeMap<Digest, Vec<usize>> {
    let mut places: BTreeMap<Digest, Vec<usize>> = BTreeMap::new();
    for (idx, piece) in part
        .plan
        .pieces
        .iter()
        .enumerate()
        .filter(|(idx, _)| !part.have.get(*idx))
    {
        if let Some(digest) = digest_of(&piece.cid) {
            places.entry(digest).or_default().push(idx);
        }
    }
    places
}

fn have_sets(parts: &[PartFile]) -> Vec<BTreeSet<usize>> {
    let set = |part: &PartFile| {
        (0..part.plan.pieces.len())
            .filter(|idx| part.have.get(*idx))
            .collect()
    };
    parts.iter().map(set).collect()
}

/// Cuts what is missing into spans, in the order of the files.
fn spans(parts: &[PartFile], span_bytes: u64) -> VecDeque<Span> {
    let mut spans = VecDeque::new();
    for (file_idx, part) in parts.iter().enumerate() {
        let pieces = &part.plan.pieces;
        let mut begin = 0;
        while begin < pieces.len() {
            if part.have.get(begin) {
                begin += 1;
                continue;
            }
            let mut end = begin + 1;
            while end < pieces.len()
                && !part.have.get(end)
                && pieces[end].offset + pieces[end].length - pieces[begin].offset <= span_bytes
            {
                end += 1;
            }
            spans.push_back(Span {
                file_idx,
                pieces: begin..end,
                tried: BTreeSet::new(),
            });
            begin = end;
        }
    }
    spans
}

impl SpanQueue {
    fn new(spans: VecDeque<Span>) -> SpanQueue {
        let state = QueueState {
            spans,
            at_work: 0,
            last_error: None,
        };
        SpanQueue {
            state: Mutex::new(state),
            changed: Notify::new(),
        }
    }

    /// The next span that this source did not try. `None`: there is nothing left that it could do.
    async fn take(&self, source_idx: usize) -> Option<Span> {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.state.lock();
                let at = state
                    .spans
                    .iter()
                    .position(|span| !span.tried.contains(&source_idx));
                if let Some(span) = at.and_then(|at| state.spans.remove(at)) {
                    state.at_work += 1;
                    return Some(span);
                }
                if state.at_work == 0 {
                    return None;
                }
            }
            // What others have at work may come back. The timeout only guards against a missed signal.
            let _ = tokio::time::timeout(Duration::from_secs(1), changed).await;
        }
    }

    fn give_back(&self, span: Option<Span>, error: Option<SourceError>) {
        let mut state = self.state.lock();
        state.at_work -= 1;
        if let Some(span) = span {
            state.spans.push_front(span);
        }
        if error.is_some() {
            state.last_error = error;
        }
        drop(state);
        self.changed.notify_waiters();
    }
}

/// One line to a source.
struct Worker {
    source_idx: usize,
    source: Arc<dyn Source>,
    queue: Arc<SpanQueue>,
    leaves: mpsc::Sender<Leaf>,
    wanted: Arc<FetchPlan>,
    busy: Arc<Busy>,
}

impl Worker {
    async fn run(self) {
        let mut failures = 0;
        while let Some(mut span) = self.queue.take(self.source_idx).await {
            let n_missing = self.wanted.missing(&span).len();
            let error = self.fill(&span).await.err();
            let is_over = self.leaves.is_closed();
            let n_still_missing = self.wanted.missing(&span).len();
            // A source that fails often but gives something each time is worth its trouble.
            if n_still_missing < n_missing {
                failures = 0;
            }
            if let Some(error) = &error {
                self.busy.note(error);
                tracing::debug!(source = Source::name(self.source.as_ref()), %error, "a source does not fill a span");
            }
            let source_state = error.as_ref().map(SourceError::source_state);
            match source_state {
                None => failures = 0,
                Some(SourceState::Lacks) => {}
                Some(SourceState::Ails) => failures += 1,
                Some(SourceState::Unfit) => failures = PATIENCE,
            }
            // An ailing source may try the same span again, until it is given up.
            if source_state != Some(SourceState::Ails) || failures >= PATIENCE {
                span.tried.insert(self.source_idx);
            }
            self.queue.give_back((n_still_missing > 0).then_some(span), error);
            if failures >= PATIENCE || is_over {
                break;
            }
            if source_state == Some(SourceState::Ails) {
                tokio::time::sleep(BREATH).await;
            }
        }
    }

    /// Gets the missing pieces of a span: by a CAR, then the holes one by one.
    async fn fill(&self, span: &Span) -> Result<(), SourceError> {
        let missing = self.wanted.missing(span);
        let (root, plan) = &self.wanted.plans[span.file_idx];
        let (Some(first), Some(last)) = (missing.first(), missing.last()) else {
            return Ok(());
        };
        let (first, last) = (&plan.pieces[*first], &plan.pieces[*last]);
        let mut failure = None;
        let end = last.offset + last.length;
        let mut blocks = self.source.span(*root, first.offset, end - 1);
        let mut left_bytes = CAR_FACTOR * (end - first.offset) + CAR_BASE_BYTES;
        let mut n_bad = 0;
        while let Some(block) = blocks.next().await {
            match block {
                Ok(block) => {
                    let n_bytes = block.bytes().len() as u64 + SECTION_HEAD_BYTES;
                    self.deliver(span.file_idx, &block).await;
                    // Blocks of others would be dropped one by one for ever.
                    let Some(left) = left_bytes.checked_sub(n_bytes) else {
                        let source_name = Source::name(self.source.as_ref()).to_owned();
                        failure = Some(SourceError::Flood { source_name });
                        break;
                    };
                    left_bytes = left;
                }
                Err(error) => {
                    let is_about_one_block = matches!(error, SourceError::Bad { .. });
                    failure = Some(error);
                    n_bad += 1;
                    if !is_about_one_block || n_bad >= BAD_BLOCKS {
                        break;
                    }
                }
            }
        }
        drop(blocks);
        // A source that lied or is down is not asked further; one that sent a short CAR may have the rest.
        if let Some(error) = failure {
            return Err(error);
        }
        let holes = self.wanted.missing(span).into_iter();
        let asked = holes.map(|idx| self.source.block(&plan.pieces[idx].cid));
        let mut blocks = stream::iter(asked).buffer_unordered(BLOCKS_AT_ONCE);
        while let Some(block) = blocks.next().await {
            self.deliver(span.file_idx, &block?).await;
        }
        Ok(())
    }

    /// Hands a leaf to the writer. Nodes and blocks that nobody misses are dropped.
    async fn deliver(&self, file_idx: usize, block: &Block) {
        let Some(digest) = digest_of(block.cid()) else {
            return;
        };
        let Some(piece_idx) = self.wanted.places[file_idx]
            .get(&digest)
            .and_then(|pieces| pieces.first())
        else {
            return;
        };
        let piece = &self.wanted.plans[file_idx].1.pieces[*piece_idx];
        let content = match piece.form {
            Form::Raw => block.bytes().clone(),
            Form::Wrapped => match unwrap_leaf(block, piece.length) {
                Ok((_, content)) => content,
                Err(error) => {
                    tracing::warn!(cid = %block.cid(), %error, "a leaf is not what its file says");
                    return;
                }
            },
        };
        if content.len() as u64 == piece.length && self.wanted.take(file_idx, &digest) {
            // The writer is gone only when the job ends.
            let _ = self
                .leaves
                .send(Leaf {
                    file_idx,
                    digest,
                    content,
                })
                .await;
        }
    }
}

/// Writes what arrives until all senders are gone, and notes it from time to time and at the end.
async fn write(
    job: &Job,
    parts: &mut [PartFile],
    places: &Places,
    mut arrivals: mpsc::Receiver<Leaf>,
    noted: &impl Fn(u64),
) -> Result<(), JobError> {
    let mut unnoted_bytes = 0;
    let mut last_note = Instant::now();
    let mut touched = BTreeSet::new();
    let result = loop {
        let due = last_note + job.rules.checkpoint_interval;
        let leaf = tokio::select! {
            leaf = arrivals.recv() => leaf,
            () = tokio::time::sleep_until(due), if unnoted_bytes > 0 => {
                match checkpoint(job, parts, &mut touched).await {
                    Ok(bytes) => noted(bytes),
                    Err(error) => break Err(error),
                }
                (unnoted_bytes, last_note) = (0, Instant::now());
                continue;
            }
        };
        let Some(leaf) = leaf else { break Ok(()) };
        let part = &mut parts[leaf.file_idx];
        match write_leaf(part, &places[leaf.file_idx], &leaf).await {
            Ok(bytes) => {
                unnoted_bytes += bytes;
                job.arrived_bytes.fetch_add(bytes, Ordering::Relaxed);
                touched.insert(leaf.file_idx);
            }
            Err(error) => break Err(error),
        }
        if unnoted_bytes >= job.rules.checkpoint_bytes {
            match checkpoint(job, parts, &mut touched).await {
                Ok(bytes) => noted(bytes),
                Err(error) => break Err(error),
            }
            (unnoted_bytes, last_note) = (0, Instant::now());
        }
    };
    // Closes the channel, so that sources stop, and keeps what was written before a trouble.
    arrivals.close();
    while arrivals.try_recv().is_ok() {}
    let last = checkpoint(job, parts, &mut touched).await.map(noted);
    result.and(last)
}

async fn write_leaf(
    part: &mut PartFile,
    places: &BTreeMap<Digest, Vec<usize>>,
    leaf: &Leaf,
) -> Result<u64, JobError> {
    let pieces = places.get(&leaf.digest).cloned().unwrap_or_default();
    let offsets: Vec<u64> = pieces.iter().map(|idx| part.plan.pieces[*idx].offset).collect();
    let n_bytes = leaf.content.len() as u64 * offsets.len() as u64;
    let (file, content) = (Arc::clone(&part.file), leaf.content.clone());
    blocking(move || {
        offsets
            .iter()
            .try_for_each(|at| disk::write_at(&file, &content, *at))
    })
    .await
    .map_err(|source| JobError::Write {
        path: part.path.clone(),
        source,
    })?;
    for idx in pieces {
        part.have.set(idx, true);
    }
    Ok(n_bytes)
}

/// Makes what was written last, and only then says so in the database.
async fn checkpoint(job: &Job, parts: &[PartFile], touched: &mut BTreeSet<usize>) -> Result<u64, JobError> {
    for file_idx in std::mem::take(touched) {
        let part = &parts[file_idx];
        let file = Arc::clone(&part.file);
        blocking(move || file.sync_data())
            .await
            .map_err(|source| JobError::Write {
                path: part.path.clone(),
                source,
            })?;
        job.records.set_have(part.record.id, part.have.bytes()).await?;
    }
    Ok(parts.iter().map(PartFile::have_bytes).sum())
}

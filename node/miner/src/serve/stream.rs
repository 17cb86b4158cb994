//! Streamed answers: batches of lines, each signed by itself.
//!
//! A batch is sent when it is old, large or long enough, as the high-availability miner does it. The last one waits
//! until the whole answer is in the evidence; and a batch with `data: [DONE]` always waits to be the last.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use futures::{
    FutureExt as _, StreamExt as _,
    stream::{self, BoxStream},
};
use sha2::{Digest as _, Sha256};
use tokio::{sync::mpsc, time::Instant};

use super::{BATCH_WITHIN, BrokenOff, Reply, ReplyBody, answer::Job, answer::completion_tokens};
use crate::{admit::Admitted, backend::BackendError, config::ServiceConfig, refusal::Refusal};

/// A batch that holds so much is sent.
const BATCH_BYTES: usize = 100_000;
/// A batch that holds so many lines is sent.
const BATCH_LINES: usize = 100;
/// Batches that may wait for a slow reader. Then the backend waits, too.
const QUEUE: usize = 16;
const DONE: &[u8] = b"data: [DONE]";

/// Status and headers of a streamed answer.
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, Vec<String>>,
}

type Parts = BoxStream<'static, Result<Bytes, BackendError>>;
type Parcels = BoxStream<'static, Result<Bytes, BrokenOff>>;

/// Answers with a stream. The first part is waited for, so that a backend that fails at once is a plain refusal.
pub(super) async fn reply(
    job: Job,
    admitted: Admitted,
    head: Head,
    mut parts: Parts,
    deadline: Instant,
    limits: ServiceConfig,
) -> Result<Reply, Refusal> {
    let service = admitted.ticket.session.facts.header.service_id.clone();
    let first_by = (Instant::now() + limits.first_byte_within).min(deadline);
    let first = tokio::time::timeout_at(first_by, parts.next())
        .await
        .map_err(|_| Refusal::FirstByte {
            service: service.clone(),
            seconds: limits.first_byte_within.as_secs(),
        })?;
    let first = match first {
        Some(Ok(first)) => first,
        Some(Err(error)) => {
            return Err(Refusal::Backend {
                why: error.to_string(),
            });
        }
        None => {
            return Err(Refusal::Backend {
                why: "the answer is empty".to_owned(),
            });
        }
    };
    let parts = stream::iter([Ok(first)]).chain(parts).boxed();
    let content_type = head.headers.get("Content-Type").and_then(|values| values.first());
    let content_type = content_type
        .cloned()
        .unwrap_or_else(|| "text/event-stream".to_owned());
    let (sender, receiver) = mpsc::channel(QUEUE);
    let ended_well = Arc::new(AtomicBool::new(false));
    let body = until_end(receiver, Arc::clone(&ended_well));
    let tasks = job.server.tasks.clone();
    let status = head.status;
    let seconds = limits.answer_within.as_secs();
    let server = Arc::clone(&job.server);
    tasks.spawn("stream an answer", async move {
        let pumped = pump(job, admitted, status, parts, (deadline, seconds), &sender);
        // A fault costs this stream alone.
        match AssertUnwindSafe(pumped).catch_unwind().await {
            Ok(Ok(taken)) => ended_well.store(taken, Ordering::SeqCst),
            Ok(Err(refusal)) => server.note(&refusal),
            Err(_) => server.note(&Refusal::Fault),
        }
    });
    Ok(Reply {
        status: head.status,
        content_type,
        body: ReplyBody::Stream(body),
    })
}

/// The batches, and after them a break where the answer did not end well. Its maker need not wait for a slow reader to
/// say so.
fn until_end(receiver: mpsc::Receiver<Bytes>, ended_well: Arc<AtomicBool>) -> Parcels {
    let state = Some((receiver, ended_well));
    let parts = stream::unfold(state, |state| async move {
        let (mut receiver, ended_well) = state?;
        match receiver.recv().await {
            Some(part) => Some((Ok(part), Some((receiver, ended_well)))),
            None if ended_well.load(Ordering::SeqCst) => None,
            None => Some((Err(BrokenOff), None)),
        }
    });
    parts.boxed()
}

/// Hands a batch over, if the reader takes it in time: one that stops reading must not hold a place for ever.
async fn send(
    sender: &mpsc::Sender<Bytes>,
    batch: Bytes,
    service: &str,
    (deadline, seconds): (Instant, u64),
) -> Result<(), Refusal> {
    match tokio::time::timeout_at(deadline, sender.send(batch)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Refusal::Backend {
            why: "the reader went away".to_owned(),
        }),
        Err(_) => Err(Refusal::Total {
            service: service.to_owned(),
            seconds,
        }),
    }
}

/// Lines that are collected.
#[derive(Default)]
struct Batch {
    bytes: BytesMut,
    n_lines: usize,
    since: Option<Instant>,
    has_done: bool,
}

impl Batch {
    fn is_due(&self, now: Instant) -> bool {
        let old = self.since.is_some_and(|since| now >= since + BATCH_WITHIN);
        !self.has_done && (old || self.bytes.len() >= BATCH_BYTES || self.n_lines >= BATCH_LINES)
    }

    /// Until when the next line is waited for.
    fn due_at(&self) -> Option<Instant> {
        self.since
            .filter(|_| !self.has_done)
            .map(|since| since + BATCH_WITHIN)
    }

    fn push(&mut self, line: &[u8]) {
        self.has_done |= line.starts_with(DONE);
        self.bytes.extend_from_slice(line);
        self.n_lines += 1;
        self.since.get_or_insert_with(Instant::now);
    }

    fn take(&mut self) -> Bytes {
        let bytes = self.bytes.split().freeze();
        *self = Batch {
            bytes: std::mem::take(&mut self.bytes),
            ..Batch::default()
        };
        bytes
    }
}

/// Moves the parts to the reader; the whole answer into the evidence before the last of it. Returns whether the reader
/// took all of it.
async fn pump(
    job: Job,
    admitted: Admitted,
    status: u16,
    mut parts: Parts,
    (deadline, seconds): (Instant, u64),
    sender: &mpsc::Sender<Bytes>,
) -> Result<bool, Refusal> {
    let service = admitted.ticket.session.facts.header.service_id.clone();
    let limit = job.server.config.max_answer_bytes;
    let (mut hasher, mut n_bytes, mut tokens) = (Sha256::new(), 0_u64, None);
    let (mut batch, mut rest) = (Batch::default(), BytesMut::new());
    loop {
        let due_at = batch.due_at().unwrap_or(deadline).min(deadline);
        let next = tokio::time::timeout_at(due_at, parts.next()).await;
        if Instant::now() >= deadline {
            return Err(Refusal::Total { service, seconds });
        }
        match next {
            Ok(Some(part)) => {
                let part = part.map_err(|error| Refusal::Backend {
                    why: error.to_string(),
                })?;
                hasher.update(&part);
                n_bytes += part.len() as u64;
                if n_bytes > limit as u64 {
                    return Err(Refusal::AnswerTooLarge { limit });
                }
                // No line ends in what was there before.
                let mut searched = rest.len();
                rest.extend_from_slice(&part);
                while let Some(end) = rest[searched..].iter().position(|byte| *byte == b'\n') {
                    let line = rest.split_to(searched + end + 1);
                    searched = 0;
                    tokens = line_tokens(&line).or(tokens);
                    batch.push(&line);
                }
            }
            Ok(None) => break,
            Err(_) => {}
        }
        if batch.is_due(Instant::now()) {
            let bytes = job.batch(&admitted, status, batch.take())?;
            send(sender, bytes, &service, (deadline, seconds)).await?;
        }
    }
    if !rest.is_empty() {
        batch.push(&rest);
    }
    let last = batch.take();
    let last = if last.is_empty() {
        None
    } else {
        Some(job.batch(&admitted, status, last)?)
    };
    job.streamed(admitted, status, hasher.finalize().into(), n_bytes, tokens)
        .await?;
    // The answer is paid for, whether its reader is still there or not.
    Ok(match last {
        Some(last) => send(sender, last, &service, (deadline, seconds)).await.is_ok(),
        None => true,
    })
}

fn line_tokens(line: &[u8]) -> Option<u32> {
    completion_tokens(line.strip_prefix(b"data: ")?)
}

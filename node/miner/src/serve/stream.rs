//! Streamed answers: batches of events, each signed by itself.
//!
//! A batch is sent when it is old, large or long enough, as the high-availability miner does it. The last one waits
//! until the whole answer is in the evidence; `data: [DONE]` always waits to be in it. An answer that fails on its way
//! ends as properly as any other, with an event that says so, and nobody pays for it.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::{
    FutureExt as _, StreamExt as _,
    stream::{self, BoxStream},
};
use hearth_answers::Error;
use hearth_base::ServiceId;
use sha2::{Digest as _, Sha256};
use tokio::{sync::mpsc, time::Instant};

use super::{
    BATCH_WITHIN, BrokenOff, Limits, Reply, ReplyBody,
    answer::Job,
    events::{Events, Written, broken_off},
};
use crate::{admit::Admitted, refusal::Refusal};

/// A batch that holds so much is sent.
const BATCH_BYTES: usize = 100_000;
/// A batch that holds so many events is sent.
const BATCH_EVENTS: usize = 50;
/// Batches that may wait for a slow reader. Then the backend waits, too.
const QUEUE: usize = 16;
/// How long the last words to a reader may take whose answer failed.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(5);

/// Only a success is streamed.
const STATUS: u16 = 200;

type Parcels = BoxStream<'static, Result<Bytes, BrokenOff>>;

/// Answers with a stream. Its first content is waited for, so that a backend that fails at once is a plain refusal.
pub(super) async fn reply(
    job: Job,
    admitted: Admitted,
    mut events: Events,
    limits: Limits,
) -> Result<Reply, Refusal> {
    let service = ServiceId::new(&admitted.ticket.session.facts.header.service_id);
    let server = Arc::clone(&job.server);
    let mut batch = Batch::default();
    let first = tokio::time::timeout_at(limits.first_by, begin(&mut events, &mut batch)).await;
    match first {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(server.refusal(&error)),
        Err(_) => return Err(server.ails(limits.too_late(&service))),
    }
    let (sender, receiver) = mpsc::channel(QUEUE);
    let ended_well = Arc::new(AtomicBool::new(false));
    let body = until_end(receiver, Arc::clone(&ended_well));
    let tasks = server.tasks.clone();
    // The reader asks how the answer ended once the channel is closed, so it stays open until that is said.
    let open = sender.clone();
    let pump = Pump {
        job,
        admitted,
        limits,
        sender,
        batch,
        hasher: Sha256::new(),
        n_bytes: 0,
        n_sent: 0,
        tokens: None,
    };
    tasks.spawn("stream an answer", async move {
        // A fault costs this stream alone.
        match AssertUnwindSafe(pump.run(events)).catch_unwind().await {
            Ok(Ok(is_taken)) => ended_well.store(is_taken, Ordering::SeqCst),
            Ok(Err(refusal)) => server.note(&refusal),
            Err(_) => server.note(&Refusal::Fault),
        }
        drop(open);
    });
    Ok(Reply {
        status: STATUS,
        content_type: "text/event-stream".to_owned(),
        retry_after: None,
        body: ReplyBody::Stream(body),
    })
}

/// Waits for the first content, or the end.
async fn begin(events: &mut Events, batch: &mut Batch) -> Result<(), Error> {
    while let Some(written) = events.next().await? {
        batch.push(&written);
        if written.has_content {
            break;
        }
    }
    Ok(())
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

/// Events that are collected.
#[derive(Default)]
struct Batch {
    bytes: BytesMut,
    n_events: usize,
    since: Option<Instant>,
    /// It is the last one.
    is_last: bool,
    tokens: Option<u32>,
}

impl Batch {
    fn is_due(&self, now: Instant) -> bool {
        let old = self.since.is_some_and(|since| now >= since + BATCH_WITHIN);
        !self.is_last && (old || self.bytes.len() >= BATCH_BYTES || self.n_events >= BATCH_EVENTS)
    }

    /// Until when the next event is waited for.
    fn due_at(&self) -> Option<Instant> {
        self.since
            .filter(|_| !self.is_last)
            .map(|since| since + BATCH_WITHIN)
    }

    fn push(&mut self, written: &Written) {
        self.is_last |= written.is_last;
        self.tokens = written.tokens.or(self.tokens);
        self.push_bytes(&written.bytes);
    }

    fn push_bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.n_events += 1;
        self.since.get_or_insert_with(Instant::now);
    }

    fn take(&mut self) -> Bytes {
        let bytes = self.bytes.split().freeze();
        *self = Batch {
            bytes: std::mem::take(&mut self.bytes),
            tokens: self.tokens,
            ..Batch::default()
        };
        bytes
    }
}

/// Moves the events to the reader; the whole answer into the evidence before the last of them.
struct Pump {
    job: Job,
    admitted: Admitted,
    limits: Limits,
    sender: mpsc::Sender<Bytes>,
    batch: Batch,
    /// Of what was sent.
    hasher: Sha256,
    n_bytes: u64,
    /// Batches that were handed over.
    n_sent: usize,
    tokens: Option<u32>,
}

/// Why no more events come.
enum End {
    /// The stream came to its own end.
    Own,
    /// It cannot go on.
    Failed(Refusal),
    /// Nobody reads it any more.
    ReaderGone,
}

impl Pump {
    /// Runs to the end. Returns whether the reader took all of it.
    async fn run(mut self, mut events: Events) -> Result<bool, Refusal> {
        match self.pass_on(&mut events).await? {
            End::ReaderGone => {
                // What he got is paid for, or nobody would need to read the last of an answer.
                if self.n_sent > 0 {
                    self.keep().await?;
                }
                Ok(false)
            }
            End::Own => {
                let last = self.seal()?;
                self.job.server.backend.health().well();
                let (sender, end_by) = (self.sender.clone(), self.limits.end_by);
                self.keep().await?;
                // The answer is paid for, whether its reader is still there or not.
                let end_by = end_by.max(Instant::now() + LAST_WORDS_WITHIN);
                Ok(matches!(
                    tokio::time::timeout_at(end_by, sender.send(last)).await,
                    Ok(Ok(()))
                ))
            }
            End::Failed(refusal) => {
                self.batch.push_bytes(&broken_off(&refusal));
                self.last_words(refusal).await
            }
        }
    }

    async fn pass_on(&mut self, events: &mut Events) -> Result<End, Refusal> {
        let end_by = self.limits.end_by;
        loop {
            if self.batch.is_due(Instant::now()) {
                let batch = self.seal()?;
                match tokio::time::timeout_at(end_by, self.sender.send(batch)).await {
                    Ok(Ok(())) => self.n_sent += 1,
                    Ok(Err(_)) => return Ok(End::ReaderGone),
                    // One that stops reading must not hold a place for ever, and would not read last words.
                    Err(_) => return Err(self.limits.no_end(self.service())),
                }
            }
            let due_at = self.batch.due_at().unwrap_or(end_by).min(end_by);
            let next = tokio::select! {
                () = self.sender.closed() => return Ok(End::ReaderGone),
                next = tokio::time::timeout_at(due_at, events.next()) => next,
            };
            match next {
                Ok(Ok(Some(written))) => {
                    self.batch.push(&written);
                    if self.batch.is_last {
                        return Ok(End::Own);
                    }
                }
                Ok(Ok(None)) => return Ok(End::Own),
                Ok(Err(error)) => return Ok(End::Failed(self.job.server.refusal(&error))),
                Err(_) => {}
            }
            if Instant::now() >= end_by {
                let refusal = self.limits.no_end(self.service());
                return Ok(End::Failed(self.job.server.ails(refusal)));
            }
        }
    }

    fn service(&self) -> String {
        self.admitted.ticket.session.facts.header.service_id.clone()
    }

    /// Signs what is collected.
    fn seal(&mut self) -> Result<Bytes, Refusal> {
        let batch = self.batch.take();
        self.hasher.update(&batch);
        self.n_bytes += batch.len() as u64;
        self.tokens = self.batch.tokens.or(self.tokens);
        self.job.batch(&self.admitted, STATUS, batch)
    }

    /// Ends an answer that nobody pays for.
    async fn last_words(mut self, refusal: Refusal) -> Result<bool, Refusal> {
        self.job.server.note(&refusal);
        let last = self.seal()?;
        let sent = tokio::time::timeout(LAST_WORDS_WITHIN, self.sender.send(last)).await;
        Ok(matches!(sent, Ok(Ok(()))))
    }

    async fn keep(self) -> Result<(), Refusal> {
        let hash = self.hasher.finalize().into();
        self.job
            .streamed(self.admitted, STATUS, hash, self.n_bytes, self.tokens)
            .await
    }
}

//! The body of a request, within its limits.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::{runtime::Handle, time::Sleep};

use crate::{activity::Activity, table::Table};

/// Beyond the time of every body, a large one gets a second for so many bytes: 20 MiB may take five minutes.
const BYTES_PER_SECOND: u64 = 64 << 10;

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the body is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("too many large requests arrive at once")]
    Crowded,
    #[error("the body did not arrive within {seconds} s")]
    TooSlow { seconds: u64 },
    #[error("the body broke off")]
    BrokenOff(#[source] hyper::Error),
}

/// Memory for the bodies of all requests, beyond what each connection has of its own.
pub(crate) struct Memory {
    table: Arc<Table>,
    taken: AtomicUsize,
}

impl Memory {
    pub(crate) fn new(table: Arc<Table>) -> Memory {
        Memory {
            table,
            taken: AtomicUsize::new(0),
        }
    }

    /// Takes so many bytes. Where there is no room, the body that has been waited for longest makes some for the next.
    fn take(&self, n_bytes: usize) -> bool {
        let most = self.table.limits().memory_bytes;
        let after = |taken: usize| taken.checked_add(n_bytes).filter(|after| *after <= most);
        let taken = self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
        if taken.is_err() {
            self.table.end_longest_body();
        }
        taken.is_ok()
    }
}

/// A request's part of the memory, among its extensions. It grows with what arrives, so that who only promises bytes
/// takes none, and is given back once the request is answered.
pub struct MemoryShare {
    memory: Arc<Memory>,
    activity: Arc<Activity>,
    /// Bytes of the body that are in memory, and how many of them the connection has of its own.
    taken: AtomicUsize,
    own: AtomicUsize,
    is_read: AtomicBool,
}

impl MemoryShare {
    pub(crate) fn of(memory: &Arc<Memory>, activity: &Arc<Activity>) -> MemoryShare {
        MemoryShare {
            memory: Arc::clone(memory),
            activity: Arc::clone(activity),
            taken: AtomicUsize::new(0),
            own: AtomicUsize::new(0),
            is_read: AtomicBool::new(false),
        }
    }

    /// Takes room for bytes that have arrived, or that were made of them.
    ///
    /// # Errors
    /// There is none.
    pub fn take(&self, n_bytes: usize) -> Result<(), BodyError> {
        let own = self.activity.take_own(n_bytes);
        if !self.memory.take(n_bytes - own) {
            self.activity.give_own(own);
            return Err(BodyError::Crowded);
        }
        self.own.fetch_add(own, Ordering::Relaxed);
        self.taken.fetch_add(n_bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Whether the whole body was read.
    pub(crate) fn is_read(&self) -> bool {
        self.is_read.load(Ordering::Relaxed)
    }

    /// Gives back all that it has.
    fn give_back(&self) {
        let own = self.own.swap(0, Ordering::Relaxed);
        let shared = self.taken.swap(0, Ordering::Relaxed) - own;
        self.memory.taken.fetch_sub(shared, Ordering::Relaxed);
        self.activity.give_own(own);
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// How much a body may have where it is not as usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyRule {
    pub bytes: usize,
    /// Whoever takes it keeps none of it in memory (it goes to a file), so that a piece makes room for the next.
    pub is_passed_on: bool,
}

/// The body of a request, within its limits: its own size, the memory for all, and a deadline.
pub struct Body {
    incoming: Incoming,
    share: Arc<MemoryShare>,
    activity: Arc<Activity>,
    rule: BodyRule,
    n_arrived: usize,
    within: Duration,
    /// The program's own threads: what serves a connection may be better off without a timer.
    runtime: Handle,
    began: Instant,
    deadline: Option<Pin<Box<Sleep>>>,
    waits: bool,
}

impl Body {
    pub(crate) fn new(
        incoming: Incoming,
        share: Arc<MemoryShare>,
        activity: Arc<Activity>,
        rule: BodyRule,
        within: Duration,
        runtime: Handle,
    ) -> Body {
        if incoming.is_end_stream() {
            share.is_read.store(true, Ordering::Relaxed);
        }
        Body {
            incoming,
            share,
            activity,
            rule,
            n_arrived: 0,
            within,
            runtime,
            began: Instant::now(),
            deadline: None,
            waits: false,
        }
    }

    fn wait(&mut self, waits: bool) {
        if self.waits != waits {
            self.waits = waits;
            self.activity.reads(waits);
        }
    }

    /// How long the body may take, with what has arrived of it.
    fn allowed(&self) -> Duration {
        let n_bytes = self.n_arrived as u64;
        self.within + Duration::from_millis(n_bytes * 1000 / BYTES_PER_SECOND)
    }

    /// Ends when the time is over.
    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let left = self.allowed().saturating_sub(self.began.elapsed());
            if left.is_zero() {
                return Poll::Ready(());
            }
            let _entered = self.runtime.enter();
            let deadline = self
                .deadline
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(left)));
            ready!(deadline.as_mut().poll(context));
            self.deadline = None;
        }
    }

    const fn too_large(&self) -> BodyError {
        BodyError::TooLarge {
            limit: self.rule.bytes,
        }
    }

    fn data(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, BodyError> {
        let n_bytes = frame.data_ref().map_or(0, Bytes::len);
        self.n_arrived += n_bytes;
        if self.n_arrived > self.rule.bytes {
            return Err(self.too_large());
        }
        if self.rule.is_passed_on {
            self.share.give_back();
        }
        self.share.take(n_bytes)?;
        Ok(frame)
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        // What is too large by its own word is not waited for.
        if this.incoming.size_hint().lower() > this.rule.bytes as u64 {
            return Poll::Ready(Some(Err(this.too_large())));
        }
        match Pin::new(&mut this.incoming).poll_frame(context) {
            Poll::Ready(frame) => {
                this.wait(false);
                let frame = frame.map(|frame| {
                    frame
                        .map_err(BodyError::BrokenOff)
                        .and_then(|frame| this.data(frame))
                });
                if frame.is_none() || this.incoming.is_end_stream() {
                    this.share.is_read.store(true, Ordering::Relaxed);
                }
                Poll::Ready(frame)
            }
            Poll::Pending => {
                this.wait(true);
                ready!(this.poll_deadline(context));
                this.wait(false);
                let seconds = this.began.elapsed().as_secs();
                Poll::Ready(Some(Err(BodyError::TooSlow { seconds })))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.wait(false);
    }
}

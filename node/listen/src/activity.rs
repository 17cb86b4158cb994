//! What a connection is at: whose turn it is, and since when.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// What a connection is at. Kept without locks, since every request writes it.
#[derive(Debug)]
pub(crate) struct Activity {
    epoch: Instant,
    /// Requests whose answers are not sent yet.
    running: AtomicUsize,
    /// Of these, those whose bodies are waited for.
    reading: AtomicUsize,
    /// Milliseconds of the epoch at which a request last began or ended.
    changed: AtomicU64,
    /// Milliseconds at which the client stopped taking bytes, and one more; 0 while it takes them.
    blocked: AtomicU64,
    /// Whether somebody vouched for a request of it.
    is_known: AtomicBool,
    /// Bytes of bodies that it may still have beside the memory for all.
    own_bytes: AtomicUsize,
    order: AtomicU8,
    ordered: Notify,
}

/// Bytes of bodies that every connection may have in memory, so that whoever fills the memory for all keeps nobody from
/// asking a usual question: 64 MiB for two thousand connections.
const OWN_BYTES: usize = 32 << 10;

/// What a connection is told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    GoOn,
    /// Answer what runs, take nothing new.
    Finish,
    /// End at once.
    Cut,
}

/// Whose turn it is on a connection, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The client's, to send a request.
    Idle(Duration),
    /// The client's, to send the rest of a body.
    Sending(Duration),
    /// The client's, to take an answer.
    Taking(Duration),
    /// Ours.
    Busy(Duration),
}

impl Turn {
    /// How long the client has been waited for.
    pub(crate) fn waits(self) -> Option<Duration> {
        match self {
            Turn::Idle(time) | Turn::Sending(time) | Turn::Taking(time) => Some(time),
            Turn::Busy(_) => None,
        }
    }
}

impl Activity {
    pub(crate) fn new(epoch: Instant) -> Activity {
        let activity = Activity {
            epoch,
            running: AtomicUsize::new(0),
            reading: AtomicUsize::new(0),
            changed: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
            is_known: AtomicBool::new(false),
            own_bytes: AtomicUsize::new(OWN_BYTES),
            order: AtomicU8::new(Order::GoOn as u8),
            ordered: Notify::new(),
        };
        activity.change();
        activity
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn change(&self) {
        self.changed.store(self.now_ms(), Ordering::Relaxed);
    }

    pub(crate) fn reads(&self, waits: bool) {
        if waits {
            self.reading.fetch_add(1, Ordering::Relaxed);
        } else {
            self.reading.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// A request of it was worth its work: it makes way after those that sent none yet.
    pub(crate) fn vouch(&self) {
        self.is_known.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }

    /// Takes so many of its own bytes, or as many as there are.
    pub(crate) fn take_own(&self, n_bytes: usize) -> usize {
        let most = |own: usize| Some(own.saturating_sub(n_bytes));
        // It always has a result.
        let before = self
            .own_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, most);
        before.map_or(0, |own| own.min(n_bytes))
    }

    pub(crate) fn give_own(&self, n_bytes: usize) {
        self.own_bytes.fetch_add(n_bytes, Ordering::Relaxed);
    }

    /// Notes whether the client takes the bytes that are sent.
    pub(crate) fn writes(&self, is_blocked: bool) {
        let was_blocked = self.blocked.load(Ordering::Relaxed) != 0;
        if is_blocked != was_blocked {
            let since = if is_blocked { self.now_ms() + 1 } else { 0 };
            self.blocked.store(since, Ordering::Relaxed);
        }
    }

    pub(crate) fn turn(&self) -> Turn {
        let now = self.now_ms();
        let since = |ms: u64| Duration::from_millis(now.saturating_sub(ms));
        let running = self.running.load(Ordering::Relaxed);
        let changed = since(self.changed.load(Ordering::Relaxed));
        match self.blocked.load(Ordering::Relaxed) {
            0 if running == 0 => Turn::Idle(changed),
            0 if running <= self.reading.load(Ordering::Relaxed) => Turn::Sending(changed),
            0 => Turn::Busy(changed),
            blocked => Turn::Taking(since(blocked - 1)),
        }
    }

    /// Tells the connection what to do. Orders only become stricter.
    pub(crate) fn tell(&self, order: Order) {
        if self.order.fetch_max(order as u8, Ordering::SeqCst) < order as u8 {
            self.ordered.notify_one();
        }
    }

    /// Ends with an order that is stricter than `known`.
    pub(crate) async fn ordered(&self, known: Order) -> Order {
        loop {
            let order = match self.order.load(Ordering::SeqCst) {
                0 => Order::GoOn,
                1 => Order::Finish,
                _ => Order::Cut,
            };
            if order > known {
                return order;
            }
            self.ordered.notified().await;
        }
    }
}

/// One request, until its answer is sent or its client gone.
#[derive(Debug)]
pub(crate) struct Asked(Arc<Activity>);

impl Asked {
    pub(crate) fn begin(activity: &Arc<Activity>) -> Asked {
        activity.running.fetch_add(1, Ordering::Relaxed);
        activity.change();
        Asked(Arc::clone(activity))
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.change();
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

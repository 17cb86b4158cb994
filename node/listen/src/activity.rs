//! The state of a connection: whom it waits for, and since when.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// The state of a connection. Kept without locks, since every request writes it.
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
    /// Whether it speaks another protocol by now, which its service looks after.
    is_upgraded: AtomicBool,
    /// Whether somebody vouched for a request of it.
    is_known: AtomicBool,
    /// Bytes of bodies that it may still have beside the memory for all.
    own_bytes: AtomicUsize,
    signal: AtomicU8,
    signalled: Notify,
}

/// Bytes of bodies that every connection may have in memory, so that whoever fills the memory for all keeps nobody from
/// asking a usual question: 64 MiB for two thousand connections.
const OWN_BYTES: usize = 32 << 10;

/// What the listener tells a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Signal {
    Continue,
    /// Answer what runs, take nothing new.
    Drain,
    /// End at once.
    Close,
}

/// Whom a connection waits for, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// For the client, to send a request.
    Idle(Duration),
    /// For the client, to send the rest of a body.
    Reading(Duration),
    /// For the client, to take an answer.
    Writing(Duration),
    /// For us.
    Busy(Duration),
}

impl Phase {
    /// How long the client has been waited for.
    pub(crate) fn waits(self) -> Option<Duration> {
        match self {
            Phase::Idle(time) | Phase::Reading(time) | Phase::Writing(time) => Some(time),
            Phase::Busy(_) => None,
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
            is_upgraded: AtomicBool::new(false),
            is_known: AtomicBool::new(false),
            own_bytes: AtomicUsize::new(OWN_BYTES),
            signal: AtomicU8::new(Signal::Continue as u8),
            signalled: Notify::new(),
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

    /// From here on it speaks another protocol.
    pub(crate) fn upgrade(&self) {
        self.is_upgraded.store(true, Ordering::Relaxed);
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

    pub(crate) fn phase(&self) -> Phase {
        let now = self.now_ms();
        let since = |ms: u64| Duration::from_millis(now.saturating_sub(ms));
        let running = self.running.load(Ordering::Relaxed);
        let changed = since(self.changed.load(Ordering::Relaxed));
        if self.is_upgraded.load(Ordering::Relaxed) {
            // How long it may be silent is for the service to say.
            return Phase::Busy(Duration::ZERO);
        }
        match self.blocked.load(Ordering::Relaxed) {
            0 if running == 0 => Phase::Idle(changed),
            0 if running <= self.reading.load(Ordering::Relaxed) => Phase::Reading(changed),
            0 => Phase::Busy(changed),
            blocked => Phase::Writing(since(blocked - 1)),
        }
    }

    /// Tells the connection what to do. Orders only become stricter.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.signal.fetch_max(signal as u8, Ordering::SeqCst) < signal as u8 {
            self.signalled.notify_one();
        }
    }

    /// Ends with an order that is stricter than `known`.
    pub(crate) async fn signalled(&self, known: Signal) -> Signal {
        loop {
            let signal = match self.signal.load(Ordering::SeqCst) {
                0 => Signal::Continue,
                1 => Signal::Drain,
                _ => Signal::Close,
            };
            if signal > known {
                return signal;
            }
            self.signalled.notified().await;
        }
    }
}

/// One request, until its answer is sent or its client gone.
#[derive(Debug)]
pub(crate) struct RequestGuard(Arc<Activity>);

impl RequestGuard {
    pub(crate) fn begin(activity: &Arc<Activity>) -> RequestGuard {
        activity.running.fetch_add(1, Ordering::Relaxed);
        activity.change();
        RequestGuard(Arc::clone(activity))
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.0.change();
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

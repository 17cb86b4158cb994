//! Threads that serve relays and do their curve arithmetic.
//!
//! A check takes a tenth of a millisecond and more: on the threads of the whole program, a flood of relays would hold
//! up the page and the chain. Each thread has connections of its own and nobody takes them over: waking another thread
//! costs as much as signing an answer.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Runtimes of one thread each. They end with the last holder, whose tasks have ended by then.
pub(crate) struct Threads {
    handles: Vec<Handle>,
    next: AtomicUsize,
    _stop: DropGuard,
}

impl Threads {
    /// Starts so many threads; one at least.
    pub(crate) fn start(n_threads: usize) -> std::io::Result<Threads> {
        let stopped = CancellationToken::new();
        let mut threads = Threads {
            handles: Vec::new(),
            next: AtomicUsize::new(0),
            _stop: stopped.clone().drop_guard(),
        };
        for index in 0..n_threads.max(1) {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            threads.handles.push(runtime.handle().clone());
            let stopped = stopped.clone();
            std::thread::Builder::new()
                .name(format!("relay-{index}"))
                .spawn(move || runtime.block_on(stopped.cancelled()))?;
        }
        Ok(threads)
    }

    /// The thread whose turn it is.
    pub(crate) fn next(&self) -> &Handle {
        // There is one at least.
        &self.handles[self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len()]
    }
}

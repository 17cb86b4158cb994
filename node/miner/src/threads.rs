//! Threads that serve relays and do their curve arithmetic.
//!
//! A check takes a tenth of a millisecond and more: on the threads of the whole program, a flood of relays would hold
//! up the page and the chain. Each thread has connections of its own and nobody takes them over: waking another thread
//! costs as much as signing an answer. What has a timer or stays open beyond a relay waits in [`SharedThreads`].

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Builder, Handle};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::AbortOnDropHandle,
};

/// Runtimes of one thread each. They end with the last holder, whose tasks have ended by then.
pub(crate) struct Threads {
    handles: Vec<Handle>,
    next: AtomicUsize,
    shared: SharedThreads,
    _stop: DropGuard,
}

impl Threads {
    /// Starts so many threads; one at least. Call it where the program's other tasks run.
    pub(crate) fn start(n_threads: usize) -> std::io::Result<Threads> {
        let stopped = CancellationToken::new();
        let mut threads = Threads {
            handles: Vec::new(),
            next: AtomicUsize::new(0),
            shared: SharedThreads(Handle::current()),
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

    /// The threads of the whole program.
    pub(crate) fn shared(&self) -> &SharedThreads {
        &self.shared
    }
}

/// The threads of the whole program. A thread that has a timer sets the computer's clock whenever it goes to sleep,
/// which costs a virtual computer 10 µs and more; so what waits does it here, not where relays are.
#[derive(Clone, Debug)]
pub(crate) struct SharedThreads(Handle);

impl SharedThreads {
    /// Runs `task` there, until it ends or nobody waits for it: connections that it opens stay there. A fault in it
    /// is the caller's.
    pub(crate) async fn run<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> T {
        match AbortOnDropHandle::new(self.0.spawn(task)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(fault) => std::panic::resume_unwind(fault),
                // The program ends, and the caller with it.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt as _;

    use super::*;

    /// Runs `task` on a thread of relays.
    fn on_a_relay_thread<T: Send + 'static>(
        threads: &Threads,
        task: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        threads.next().spawn(task)
    }

    #[tokio::test]
    async fn work_at_home_runs_there_and_its_fault_is_the_callers() {
        let threads = Threads::start(1).unwrap();
        let here = std::thread::current().id();
        let shared = threads.shared().clone();
        let there = on_a_relay_thread(&threads, async move {
            let own = std::thread::current().id();
            (own, shared.run(async { std::thread::current().id() }).await)
        });
        let (relays, ran_on) = there.await.unwrap();
        assert_ne!(relays, here);
        assert_eq!(ran_on, here);

        let shared = threads.shared().clone();
        let faulty = on_a_relay_thread(&threads, async move {
            let run = shared.run(async { panic!("on purpose") });
            std::panic::AssertUnwindSafe(run).catch_unwind().await.is_err()
        });
        assert!(faulty.await.unwrap());
    }

    #[tokio::test]
    async fn work_at_home_ends_when_nobody_waits_for_it() {
        let threads = Threads::start(1).unwrap();
        let held = Arc::new(());
        let (shared, inside) = (threads.shared().clone(), Arc::clone(&held));
        let (begins, began) = tokio::sync::oneshot::channel();
        let waiting = on_a_relay_thread(&threads, async move {
            shared
                .run(async move {
                    let _inside = inside;
                    begins.send(()).unwrap();
                    std::future::pending::<()>().await;
                })
                .await;
        });
        began.await.unwrap();
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        // The task is told to end, and ends at its next turn.
        while Arc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
    }
}

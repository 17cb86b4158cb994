//! Threads for curve arithmetic: a check takes a tenth of a millisecond and more, which would hold up everything else
//! on the threads that serve connections.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex},
};

use tokio::sync::oneshot;

use crate::{refusal::Refusal, sessions::lock};

/// A job broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a fault in this program broke a check or a signature off: the log says where, please report it")]
pub(crate) struct Panicked;

impl From<Panicked> for Refusal {
    fn from(panicked: Panicked) -> Refusal {
        Refusal::Internal {
            why: panicked.to_string(),
        }
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// Runs jobs on own threads. The threads end with the last handle.
#[derive(Clone)]
pub(crate) struct Crypto {
    queue: Arc<Queue>,
    _threads: Arc<Threads>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    stopped: bool,
}

struct Threads(Arc<Queue>);

impl Drop for Threads {
    fn drop(&mut self) {
        lock(&self.0.state).stopped = true;
        self.0.wake.notify_all();
    }
}

impl Crypto {
    /// Starts so many threads.
    pub(crate) fn start(n_threads: usize) -> std::io::Result<Crypto> {
        let queue = Arc::new(Queue::default());
        let threads = Arc::new(Threads(Arc::clone(&queue)));
        for index in 0..n_threads.max(1) {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new()
                .name(format!("crypto-{index}"))
                .spawn(move || queue.work())?;
        }
        Ok(Crypto {
            queue,
            _threads: threads,
        })
    }

    /// Runs a job and waits for its result. At most as many jobs wait as connections are open.
    ///
    /// # Errors
    /// The job panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let (reply, result) = oneshot::channel();
        lock(&self.queue.state).jobs.push_back(Box::new(move || {
            // Whoever asked may have gone away meanwhile.
            let _ = reply.send(job());
        }));
        self.queue.wake.notify_one();
        // Only a job that panicked gives no result; its own report says why.
        result.await.map_err(|_| Panicked)
    }
}

impl Queue {
    fn work(&self) {
        loop {
            let job = {
                let mut state = lock(&self.state);
                loop {
                    if let Some(job) = state.jobs.pop_front() {
                        break job;
                    }
                    if state.stopped {
                        return;
                    }
                    state = self
                        .wake
                        .wait(state)
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                }
            };
            // A job that panics must not take its thread along.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_that_panics_is_an_error_and_its_thread_works_on() {
        let crypto = Crypto::start(1).unwrap();
        assert_eq!(crypto.run(|| panic!("on purpose")).await, Err::<(), _>(Panicked));
        assert_eq!(crypto.run(|| 7).await, Ok(7));
    }
}

//! Ownership of tasks: every task has a name, and an owner that stops and joins it.
//!
//! ```text
//! node ── Tasks::root() ── child("miner") ── spawn("relay server") …
//!                      └── child("chain") ── spawn("follow blocks") …
//! ```
//! [`Tasks::stop`] signals a tree, [`Tasks::join`] waits for it. A task that panics is reported to the root,
//! which the program watches: a node with a dead part stops instead of limping on. Only what serves one stranger
//! ([`Tasks::spawn_contained`]) ends alone: his bytes must not be able to stop the node.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// An owner of tasks. Clones own the same tasks.
#[derive(Clone, Debug)]
pub struct Tasks {
    name: Arc<str>,
    tracker: TaskTracker,
    token: CancellationToken,
    panicked: watch::Sender<Option<String>>,
}

impl Default for Tasks {
    fn default() -> Tasks {
        Tasks::root()
    }
}

impl Tasks {
    /// The owner at the top.
    #[must_use]
    pub fn root() -> Tasks {
        Tasks {
            name: "hearth".into(),
            tracker: TaskTracker::new(),
            token: CancellationToken::new(),
            panicked: watch::Sender::new(None),
        }
    }

    /// An owner below this one: stopped with it, or alone.
    #[must_use]
    pub fn child(&self, name: &str) -> Tasks {
        Tasks {
            name: format!("{}/{name}", self.name).into(),
            tracker: TaskTracker::new(),
            token: self.token.child_token(),
            panicked: self.panicked.clone(),
        }
    }

    /// Runs `task` until it ends. It must watch [`Tasks::stopped`] itself; a panic is logged and reported.
    pub fn spawn<F>(&self, name: &str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let full_name = format!("{}/{name}", self.name);
        let panicked = self.panicked.clone();
        // The inner task isolates a panic, the outer one sees it.
        #[allow(clippy::disallowed_methods, reason = "the one owner of all tasks")]
        let inner = tokio::spawn(task);
        self.tracker.spawn(async move {
            if let Err(error) = inner.await
                && error.is_panic()
            {
                tracing::error!(task = %full_name, "a task panicked; the node will stop");
                panicked.send_replace(Some(full_name));
            }
        });
    }

    /// Runs `task`, which serves one stranger and holds nothing that others need: a panic in it is logged and ends it
    /// alone. It must watch [`Tasks::stopped`] itself.
    pub fn spawn_contained<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let owner = Arc::clone(&self.name);
        let mut task = Box::pin(task);
        self.tracker.spawn(std::future::poll_fn(move |context| {
            // After a panic it is not polled again, so nobody sees what it left half done.
            let polled = catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(context)));
            polled.unwrap_or_else(|_| {
                tracing::error!(task = %format_args!("{owner}/{name}"), "a task panicked; it alone ends");
                Poll::Ready(())
            })
        }));
    }

    /// Runs `task` until it ends or this owner is stopped, whichever comes first.
    pub fn spawn_until_stopped<F>(&self, name: &str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let token = self.token.clone();
        self.spawn(name, async move {
            tokio::select! {
                () = token.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// A token that is cancelled when this owner is stopped.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Ends when this owner is stopped.
    pub async fn stopped(&self) {
        self.token.cancelled().await;
    }

    /// Whether this owner is stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Signals all tasks of this owner and of its children.
    pub fn stop(&self) {
        self.token.cancel();
        self.tracker.close();
    }

    /// Waits until the tasks of this owner (not of its children) have ended. Call [`Tasks::stop`] first.
    pub async fn join(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// As [`Tasks::join`], but gives up after `deadline`. Says whether all ended in time.
    pub async fn join_within(&self, deadline: Duration) -> bool {
        tokio::time::timeout(deadline, self.join()).await.is_ok()
    }

    /// Ends with the name of a task when one panics anywhere in the tree.
    pub async fn panicked(&self) -> String {
        let mut seen = self.panicked.subscribe();
        // The value is copied out before anything is waited for: a borrowed one cannot cross threads.
        let name = seen.wait_for(Option::is_some).await.map(|name| name.clone());
        match name {
            Ok(name) => name.unwrap_or_default(),
            // The sender lives as long as `self`, so this is never reached; wait as if nothing happened.
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_stops_alone_and_with_its_parent() {
        let root = Tasks::root();
        let (one, two) = (root.child("one"), root.child("two"));
        for tasks in [&one, &two] {
            tasks.spawn_until_stopped("wait", std::future::pending());
        }
        one.stop();
        one.join().await;
        assert!(!two.is_stopped());
        root.stop();
        two.join().await;
    }

    #[tokio::test]
    async fn a_panic_of_what_serves_one_stranger_ends_it_alone() {
        let root = Tasks::root();
        let miner = root.child("miner");
        miner.spawn_contained("connection", async { panic!("on purpose") });
        miner.stop();
        miner.join().await;
        let panicked = tokio::time::timeout(Duration::from_millis(50), root.panicked());
        assert!(panicked.await.is_err(), "the node would stop");
    }

    #[tokio::test]
    async fn a_panic_is_named_at_the_root() {
        let root = Tasks::root();
        root.child("miner").spawn("server", async { panic!("boom") });
        assert_eq!(root.panicked().await, "hearth/miner/server");
    }
}

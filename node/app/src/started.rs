//! What was started, and how each of it ends: the last one first, also where the start fails half-way.

use futures::future::{BoxFuture, FutureExt as _};

/// Ends one part, and waits until it has ended.
type Stop = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send + Sync>;

/// The parts that run, in the order in which they were started.
#[derive(Default)]
pub(crate) struct Started(Vec<Stop>);

impl Started {
    /// Notes how the part that was just started ends.
    pub(crate) fn push<F, S>(&mut self, stop: S)
    where
        S: FnOnce() -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.push(Box::new(move || stop().boxed()));
    }

    /// Ends all of them, the last one first.
    pub(crate) async fn stop(&mut self) {
        while let Some(stop) = self.0.pop() {
            stop().await;
        }
    }
}

/// Notes a part that is told to stop and then joined, as those with tasks of their own are.
macro_rules! stop_and_join {
    ($started:expr, $part:expr) => {{
        let part = $part.clone();
        $started.push(|| async move {
            part.stop();
            part.join().await;
        });
    }};
}
pub(crate) use stop_and_join;

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn the_last_one_ends_first() {
        let ended = Arc::new(Mutex::new(Vec::new()));
        let mut started = Started::default();
        for name in ["store", "chain", "API"] {
            let ended = Arc::clone(&ended);
            started.push(move || async move { ended.lock().unwrap().push(name) });
        }
        started.stop().await;
        assert_eq!(*ended.lock().unwrap(), ["API", "chain", "store"]);
        started.stop().await;
        assert_eq!(ended.lock().unwrap().len(), 3, "each once");
    }
}

//! The answers that are being written, by id, so that they can be stopped.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// The answers that are being written.
#[derive(Clone, Default)]
pub(crate) struct Running(Arc<Mutex<BTreeMap<String, Entry>>>);

struct Entry {
    conversation_id: String,
    stop: CancellationToken,
}

/// Takes the entry away when the answer has ended.
pub(crate) struct RunningGuard {
    running: Running,
    id: String,
    pub(crate) stop: CancellationToken,
}

impl Running {
    pub(crate) fn begin(&self, conversation_id: &str, id: &str) -> RunningGuard {
        let stop = CancellationToken::new();
        let entry = Entry {
            conversation_id: conversation_id.to_owned(),
            stop: stop.clone(),
        };
        self.0.lock().insert(id.to_owned(), entry);
        RunningGuard {
            running: self.clone(),
            id: id.to_owned(),
            stop,
        }
    }

    /// Stops an answer. Says whether it ran.
    pub(crate) fn stop(&self, conversation_id: &str, id: &str) -> bool {
        let entries = self.0.lock();
        let entry = entries
            .get(id)
            .filter(|entry| entry.conversation_id == conversation_id);
        entry.inspect(|entry| entry.stop.cancel()).is_some()
    }

    /// Stops all answers of a conversation.
    pub(crate) fn stop_all(&self, conversation_id: &str) {
        for entry in self
            .0
            .lock()
            .values()
            .filter(|entry| entry.conversation_id == conversation_id)
        {
            entry.stop.cancel();
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().len()
    }
}

impl Drop for RunningGuard {
    fn drop(&mut self) {
        self.running.0.lock().remove(&self.id);
    }
}

//! The places of a service: so many answers at once, and a few requests that wait for a place.

use std::sync::Arc;

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::{config::ServiceConfig, refusal::Refusal};

/// The places of a service.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) config: ServiceConfig,
    pub(crate) slots: usize,
    pub(crate) free: Arc<Semaphore>,
    /// Places in the queue.
    queue: Semaphore,
}

impl Places {
    pub(crate) fn new(config: ServiceConfig, slots: usize) -> Places {
        Places {
            config,
            slots,
            free: Arc::new(Semaphore::new(slots)),
            queue: Semaphore::new(config.queue),
        }
    }

    /// Whether there is room at all: a full supplier refuses before it spends anything on a request.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if self.free.available_permits() == 0 && self.queue.available_permits() == 0 {
            return Err(self.busy());
        }
        Ok(())
    }

    /// A place for a request that arrived then. It is waited for no longer than a first byte may take.
    pub(crate) async fn take(&self, arrived: Instant) -> Result<OwnedSemaphorePermit, Refusal> {
        if let Ok(place) = Arc::clone(&self.free).try_acquire_owned() {
            return Ok(place);
        }
        let _in_queue = self.queue.try_acquire().map_err(|_| self.busy())?;
        let until = arrived + self.config.first_byte_within;
        match tokio::time::timeout_at(until, Arc::clone(&self.free).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            // It is never closed.
            Ok(Err(_)) | Err(_) => Err(self.busy()),
        }
    }

    fn busy(&self) -> Refusal {
        Refusal::Busy {
            slots: self.slots,
            queue: self.config.queue,
        }
    }
}

//! The handle.

use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use hearth_answers::Health;
use hearth_base::{Amount, Clock, ServiceId, Tasks};
use hearth_outbound::PrivateAddresses;
use hearth_store::Store;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_stream::wrappers::ReceiverStream;
use url::Url;
use uuid::Uuid;

use crate::{
    chain_queries::ChainQueries,
    choice::{Avoided, Scores},
    config::{Config, ConfigError},
    error::Error,
    exchange::{Answer, Exchange},
    inner::Inner,
    payers::Keys,
    receipt::{Receipt, Receipts},
    request::Request,
    services::{self, NetworkModel},
    session::SessionCache,
    spending::{Budget, Spending},
};

/// What [`Gateway::start`] takes.
pub struct Args {
    pub config: Config,
    /// The chain; [`crate::VerifiedChain`] wraps the real one.
    pub chain: Arc<dyn ChainQueries>,
    /// Who signs; a [`Wallet`] is one.
    pub keys: Arc<dyn Keys>,
    /// Where receipts are kept.
    pub store: Store,
    pub clock: Clock,
    /// Who owns the tasks.
    pub tasks: Tasks,
}

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}

/// A supplier of a session that runs now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSupplier {
    pub service: ServiceId,
    /// Its operator address.
    pub operator: String,
    pub url: Url,
    /// Why it is not chosen at present, if it is not.
    pub avoided: Option<Avoided>,
}

/// The gateway. Clones speak of the same one.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

impl Gateway {
    /// Starts the gateway. Nothing is sent before somebody asks.
    ///
    /// # Errors
    /// Settings that cannot work.
    pub fn start(args: Args) -> Result<Gateway, StartError> {
        let Args {
            config,
            chain,
            keys,
            store,
            clock,
            tasks,
        } = args;
        config.check()?;
        // A redirect would carry a signed request to an address that is not on chain.
        let private_addresses = if config.allow_local_endpoints {
            PrivateAddresses::Allowed
        } else {
            PrivateAddresses::Refused
        };
        let client = hearth_outbound::Client::new(hearth_outbound::Config {
            idle_per_host: config.max_concurrent,
            ..hearth_outbound::Config::new(private_addresses, config.connect)
        })
        .map_err(StartError::Client)?;
        let inner = Arc::new(Inner {
            sessions: SessionCache::new(Arc::clone(&chain), config.allow_local_endpoints),
            spending: Spending::new(&store, clock.clone(), config.daily_cap),
            receipts: Receipts::new(store),
            slots: Arc::new(Semaphore::new(config.max_concurrent)),
            scores: Scores::default(),
            health: Health::default(),
            known: Mutex::default(),
            config,
            chain,
            keys,
            client,
            clock,
            tasks: tasks.clone(),
        });
        tasks.spawn_until_stopped("roll sessions over", Arc::clone(&inner).roll_over());
        tasks.spawn_until_stopped("learn from receipts", Arc::clone(&inner).learn());
        Ok(Gateway(inner))
    }

    /// Signals the tasks of this part; answers in progress are cancelled.
    pub fn stop(&self) {
        self.0.tasks.stop();
    }

    /// Waits until they have ended. Call [`Gateway::stop`] first.
    pub async fn join(&self) {
        self.0.tasks.join().await;
        self.0.spending.close().await;
    }

    /// Sends a request. Returns when the first part of an answer was verified. Dropping the future or the answer's
    /// body cancels the relay.
    ///
    /// # Errors
    /// Whatever stands between the request and its answer; [`Error::fault`] says whose fault it is.
    pub async fn send(&self, request: Request) -> Result<Answer, Error> {
        let inner = &self.0;
        if inner.tasks.is_stopped() {
            return Err(Error::Stopping);
        }
        let (bytes, limit) = (request.body.len(), inner.config.max_request_bytes);
        if bytes > limit {
            return Err(Error::RequestTooLarge { bytes, limit });
        }
        if inner.signers().is_empty() {
            return Err(Error::NoKey);
        }
        let slots = Arc::clone(&inner.slots);
        let permit = slots.try_acquire_owned().map_err(|_| Error::Busy {
            limit: inner.config.max_concurrent,
        })?;
        let (exchange, reader) = Exchange::new(Arc::clone(inner), request, permit);
        inner.tasks.spawn("relay", exchange.run());
        // The task sends a head or an error before it ends, unless it panicked.
        let head = reader.head.await.map_err(|_| Error::Stopping)??;
        Ok(Answer {
            id: reader.id,
            status: head.status,
            content_type: head.content_type,
            supplier: head.supplier,
            body: ReceiverStream::new(reader.body).boxed(),
            receipt: reader.receipt.map(Result::ok).boxed(),
        })
    }

    /// How many answers may be in progress at once.
    pub(crate) fn max_concurrent(&self) -> usize {
        self.0.config.max_concurrent
    }

    pub(crate) fn backend_health(&self) -> &Health {
        &self.0.health
    }

    /// The models of the network, with what an answer costs.
    ///
    /// # Errors
    /// A chain that cannot be asked.
    pub async fn services(&self) -> Result<Vec<NetworkModel>, Error> {
        services::list(&self.0).await
    }

    /// How many receipts are kept.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn n_receipts(&self) -> Result<u64, sqlx::Error> {
        self.0.receipts.count().await
    }

    /// The cap of a day, and what was spent today.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn budget(&self) -> Result<Budget, sqlx::Error> {
        self.0.spending.budget().await
    }

    /// Sets the cap of a day in place of the configuration's; zero buys nothing more.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn set_daily_cap(&self, cap: Amount) -> Result<(), sqlx::Error> {
        self.0.spending.set_daily_cap(cap).await
    }

    /// How many services sessions are held for.
    #[cfg(test)]
    pub(crate) fn n_held(&self) -> usize {
        self.0.sessions.n_slots()
    }

    /// The suppliers that may be asked in the sessions that run now.
    pub async fn session_suppliers(&self) -> Vec<SessionSupplier> {
        let now_ms = self.0.clock.now_ms();
        let mut suppliers = Vec::new();
        for (service, session) in self.0.sessions.all().await {
            suppliers.extend(session.candidates.iter().map(|candidate| SessionSupplier {
                service: service.clone(),
                operator: candidate.operator.clone(),
                url: candidate.url.clone(),
                avoided: self.0.scores.avoided(&candidate.operator, now_ms),
            }));
        }
        suppliers
    }

    /// One receipt.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn receipt(&self, id: Uuid) -> Result<Option<Receipt>, sqlx::Error> {
        self.0.receipts.get(id).await
    }

    /// Receipts, the newest first.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn receipts(&self, limit: u32, offset: u32) -> Result<Vec<Receipt>, sqlx::Error> {
        self.0.receipts.newest(limit, offset).await
    }
}

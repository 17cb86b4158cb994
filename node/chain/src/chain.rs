//! The handle: one chain, its head, its state, its transactions.

mod list;
mod program;
mod read;
mod transact;

use std::{
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use hearth_base::{ChainId, Clock, Height, Tasks};
use hearth_store::Store;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    config::{Config, ConfigError},
    db::Db,
    endpoints::Endpoints,
    follow::{BlockEvents, Follower, Source, StartFrom, reach},
    head::{Head, Standing},
    light::Light,
    query::{QueryError, Reader},
    rpc::Pool,
    tx::{Sender, UniqueTimestamps},
    watcher::Watcher,
};

pub use list::Trust;
pub use program::{Program, TESTED_WITH, Upgrade};

/// What [`Chain::start`] takes.
#[derive(Debug)]
pub struct Args {
    /// Which chain.
    pub config: Config,
    /// Where verified headers, followers and proven values are kept.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Who owns the tasks.
    pub tasks: Tasks,
}

/// Why the chain part cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}

/// A chain. Clones speak of the same one.
#[derive(Clone, Debug)]
pub struct Chain(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    chain_id: ChainId,
    pool: Arc<Pool>,
    endpoints: Endpoints,
    light: Arc<Light>,
    reader: Arc<Reader>,
    sender: Sender,
    db: Db,
    head: watch::Receiver<Head>,
    tasks: Tasks,
}

impl Chain {
    /// Begins to follow a chain. Returns at once: endpoints that are down are waited for.
    ///
    /// # Errors
    /// A configuration that cannot work.
    pub fn start(args: Args) -> Result<Chain, StartError> {
        let Args {
            config,
            store,
            clock,
            tasks,
        } = args;
        config.check()?;
        let pool = Arc::new(
            Pool::new(
                &config.endpoints,
                config.request_timeout,
                config.ban,
                clock.clone(),
            )
            .map_err(StartError::Client)?,
        );
        let db = Db::new(&store);
        let endpoints = Endpoints::new(&config, Arc::clone(&pool), db.clone(), clock.clone());
        let light = Arc::new(Light::new(&config, Arc::clone(&pool), db.clone(), clock.clone()));
        let head = watch::Sender::new(Head::nothing());
        let receiver = head.subscribe();
        let reader = Reader::new(
            Arc::clone(&pool),
            Arc::clone(&light),
            db.clone(),
            receiver.clone(),
        );
        let reader = Arc::new(reader);
        let watcher = Watcher {
            chain_id: config.chain_id.clone(),
            pool: Arc::clone(&pool),
            endpoints: endpoints.clone(),
            light: Arc::clone(&light),
            clock: clock.clone(),
            poll: config.poll,
            head,
            seen: Mutex::default(),
            moved_at: Mutex::default(),
            unanswered: AtomicU32::new(0),
            too_slow: Mutex::default(),
        };
        tasks.spawn_until_stopped("follow the head", watcher.run());
        let chain_id = config.chain_id.clone();
        let timestamps = UniqueTimestamps::default();
        let sender = Sender {
            config,
            reader: Arc::clone(&reader),
            head: receiver.clone(),
            clock,
            timestamps,
            sent: Mutex::default(),
            block_gas: Mutex::default(),
            account_numbers: Mutex::default(),
        };
        Ok(Chain(Arc::new(Inner {
            chain_id,
            pool,
            endpoints,
            light,
            reader,
            sender,
            db,
            head: receiver,
            tasks,
        })))
    }

    /// Signals the tasks of this part.
    pub fn stop(&self) {
        self.0.tasks.stop();
    }

    /// Waits until the tasks of this part have ended. Call [`Chain::stop`] first.
    pub async fn join(&self) {
        self.0.tasks.join().await;
    }

    /// The id of the chain.
    #[must_use]
    pub fn chain_id(&self) -> &ChainId {
        &self.0.chain_id
    }

    /// The head, watched.
    #[must_use]
    pub fn head(&self) -> watch::Receiver<Head> {
        self.0.head.clone()
    }

    /// How long ago the block of a height was made, by our clock; `None` while no block is known, or for one to come.
    #[must_use]
    pub fn age_of(&self, height: Height) -> Option<Duration> {
        let head = self.0.head.borrow();
        let known = height.0 > 0 && head.height.0 > 0;
        known.then(|| {
            let age = self.0.sender.clock.now() - head.time_of(height);
            Duration::try_from(age).unwrap_or_default()
        })
    }

    /// Waits until the state after `height` can be proven.
    ///
    /// # Errors
    /// How things stand, when it cannot after `patience`.
    pub async fn reach(&self, height: Height, patience: Duration) -> Result<Head, Standing> {
        reach(&self.0.head, height, patience).await
    }

    /// What happened in one block, on an endpoint's word.
    ///
    /// # Errors
    /// No endpoint answers, or the block is not there yet.
    pub async fn events_of(&self, height: Height) -> Result<BlockEvents, QueryError> {
        Ok(self.source().block_events(height).await?)
    }

    fn source(&self) -> Source {
        Source {
            pool: Arc::clone(&self.0.pool),
            light: Arc::clone(&self.0.light),
            head: self.0.head.clone(),
        }
    }

    /// Follows the blocks under a name that is remembered: goes on after the last acknowledged block, or begins where
    /// `from` says. One follower per name at a time.
    #[must_use]
    pub fn follow(&self, name: &str, from: StartFrom) -> Follower {
        let (db, tasks) = (self.0.db.clone(), self.0.tasks.clone());
        Follower::new(name, from, self.source(), db, tasks)
    }
}

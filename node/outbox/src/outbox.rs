//! The outbox as others see it: what is wanted is put in, and what becomes of it is watched.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use hearth_base::{Amount, Clock, Tasks};
use hearth_pocket::{
    address::Address,
    keys::{SignError, Signer},
};
use hearth_store::Store;
use hearth_wallet::Wallet;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    db::{Db, DbError},
    groups::Gas,
    intent::{Intent, Reason},
    item::{Item, Part, State},
    network::Network,
    policy::{Forbidden, Policy},
};

/// Who has the keys.
pub trait Signers: Send + Sync + 'static {
    /// The key of an account, which may be locked.
    ///
    /// # Errors
    /// There is no such key here.
    fn signer(&self, account: &Address) -> Result<Arc<dyn Signer>, SignError>;
}

impl Signers for Wallet {
    fn signer(&self, account: &Address) -> Result<Arc<dyn Signer>, SignError> {
        let handle = self.signer_of(account).map_err(|error| SignError::Unavailable {
            address: account.clone(),
            why: error.to_string(),
        })?;
        Ok(Arc::new(handle))
    }
}

/// What the outbox needs.
pub struct Args {
    pub store: Store,
    pub network: Arc<dyn Network>,
    pub signers: Arc<dyn Signers>,
    pub clock: Clock,
    /// How long something that did not go is left alone before it is tried again; longer each time.
    pub first_pause: Duration,
}

/// Every transaction of this node. Clones are the same outbox.
#[derive(Clone)]
pub struct Outbox(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) signers: Arc<dyn Signers>,
    pub(crate) clock: Clock,
    pub(crate) first_pause: Duration,
    /// Held while something is put in, until it is known whose it is and at which fee: before that nobody takes it up.
    pub(crate) putting: tokio::sync::Mutex<()>,
    /// One round at a time.
    pub(crate) turn: tokio::sync::Mutex<()>,
    pub(crate) memory: Mutex<Memory>,
    /// Counts what changed.
    changes: watch::Sender<u64>,
    /// Counts what was put in.
    pub(crate) wanted: watch::Sender<u64>,
}

/// What is known besides what is kept. A restart finds all of it again.
#[derive(Default)]
pub(crate) struct Memory {
    /// Whether a round was made in this run of the program.
    pub(crate) has_begun: bool,
    /// What was put in by this run: it is not what another one left behind.
    pub(crate) own: BTreeSet<i64>,
    /// Items that wait before they are tried again: how often they were tried, and until when they wait.
    pub(crate) pauses: BTreeMap<i64, (u32, Instant)>,
    /// What was chosen to be paid for an item.
    pub(crate) fees: BTreeMap<i64, Amount>,
    /// Transactions that the chain refuses as they are.
    pub(crate) refused: BTreeSet<i64>,
    /// What messages take of gas.
    pub(crate) gas: Gas,
    /// When what is old was forgotten last.
    pub(crate) pruned: Option<Instant>,
}

/// What became of an intent that was put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is a new item.
    New(i64),
    /// The same one is on its way already.
    OnItsWay(i64),
}

impl Put {
    /// The item.
    #[must_use]
    pub fn id(self) -> i64 {
        match self {
            Put::New(id) | Put::OnItsWay(id) => id,
        }
    }
}

/// Why an intent was not put in.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Outbox {
    /// What [`Args::first_pause`] is outside of tests.
    pub const FIRST_PAUSE: Duration = Duration::from_secs(1);

    /// An outbox over what is kept. [`Outbox::start`] lets it work.
    #[must_use]
    pub fn new(args: Args) -> Outbox {
        Outbox(Arc::new(Inner {
            db: Db { store: args.store },
            network: args.network,
            signers: args.signers,
            clock: args.clock,
            first_pause: args.first_pause,
            putting: tokio::sync::Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            memory: Mutex::default(),
            changes: watch::Sender::new(0),
            wanted: watch::Sender::new(0),
        }))
    }

    /// Works with every block and with everything that is put in, until `tasks` are stopped.
    pub fn start(&self, tasks: &Tasks) {
        let inner = Arc::clone(&self.0);
        let token = tasks.token();
        tasks.spawn("outbox", async move {
            tokio::select! {
                () = token.cancelled() => {}
                () = inner.run() => {}
            }
        });
    }

    /// Puts an intent in. While the same one is on its way it is that one.
    ///
    /// # Errors
    /// It must not be signed; a database that cannot be written.
    pub async fn put(&self, intent: &Intent) -> Result<Put, PutError> {
        let put = self.put_chain(std::slice::from_ref(intent)).await?;
        put.first()
            .copied()
            .ok_or(PutError::Db(sqlx::Error::RowNotFound.into()))
    }

    /// Puts several in, all or none: each is signed only once a block holds the one before it.
    ///
    /// # Errors
    /// As [`Outbox::put`].
    pub async fn put_chain(&self, intents: &[Intent]) -> Result<Vec<Put>, PutError> {
        let put = self.put_quietly(intents, None).await?;
        self.wake();
        Ok(put)
    }

    /// The same of one that pays no less than its highest fee, and so exactly that. A restart forgets the choice: what was
    /// not signed by then is not sent at all, where it is not patient.
    ///
    /// # Errors
    /// As [`Outbox::put`].
    pub async fn put_at_its_fee(&self, intent: &Intent) -> Result<Put, PutError> {
        let fee = Some(intent.max_fee);
        let put = self.put_quietly(std::slice::from_ref(intent), fee).await?;
        self.wake();
        put.first()
            .copied()
            .ok_or(PutError::Db(sqlx::Error::RowNotFound.into()))
    }

    /// Puts an intent in, to which others are added in a moment, so that they can share a transaction: [`Outbox::wake`]
    /// says that they are there. A block that comes meanwhile waits for none of them.
    ///
    /// # Errors
    /// As [`Outbox::put`].
    pub async fn put_with_others(&self, intent: &Intent) -> Result<Put, PutError> {
        let put = self.put_quietly(std::slice::from_ref(intent), None).await?;
        put.first()
            .copied()
            .ok_or(PutError::Db(sqlx::Error::RowNotFound.into()))
    }

    /// Looks at what was put in.
    pub fn wake(&self) {
        self.0.wanted.send_modify(|n| *n += 1);
    }

    async fn put_quietly(&self, intents: &[Intent], fee: Option<Amount>) -> Result<Vec<Put>, PutError> {
        for intent in intents {
            Policy.check(intent)?;
        }
        let _held = self.0.putting.lock().await;
        let put = self.0.db.put_all(intents, self.0.clock.now_ms()).await?;
        {
            let mut memory = self.0.memory.lock();
            let new = put.iter().filter(|(_, is_new)| *is_new).map(|(id, _)| *id);
            memory.fees.extend(
                fee.into_iter()
                    .flat_map(|fee| new.clone().map(move |id| (id, fee))),
            );
            memory.own.extend(new);
        }
        self.0.changed();
        let put = put.into_iter();
        Ok(put
            .map(|(id, is_new)| if is_new { Put::New(id) } else { Put::OnItsWay(id) })
            .collect())
    }

    /// The item once it has ended or a block holds it; as it is once the endpoints refused it, which ends nothing, or
    /// after so long.
    ///
    /// # Errors
    /// A database that cannot be read, a place in it that is gone.
    pub async fn wait(&self, id: i64, patience: Duration) -> Result<Item, DbError> {
        let mut changes = self.0.changes.subscribe();
        let by = tokio::time::Instant::now() + patience;
        loop {
            changes.mark_unchanged();
            let item = self.0.db.item(id).await?.ok_or(sqlx::Error::RowNotFound)?;
            let is_told = match &item.state {
                State::Placed { .. } | State::Ended { .. } => true,
                State::Signed { trouble } => trouble.is_some(),
                State::Waiting { .. } => false,
            };
            if is_told || tokio::time::timeout_at(by, changes.changed()).await.is_err() {
                return Ok(item);
            }
        }
    }

    /// Waits until everything that people asked for and blocks hold is proven, so that the state that can be proven shows it; at most so
    /// long. Whoever decides by that state would not see otherwise what they did a moment ago.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn shown(&self, patience: Duration) -> Result<(), DbError> {
        let mut changes = self.0.changes.subscribe();
        let by = tokio::time::Instant::now() + patience;
        loop {
            changes.mark_unchanged();
            let is_shown = self.0.db.n_placed().await? == 0;
            if is_shown || tokio::time::timeout_at(by, changes.changed()).await.is_err() {
                return Ok(());
            }
        }
    }

    /// One item.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn item(&self, id: i64) -> Result<Option<Item>, DbError> {
        self.0.db.item(id).await
    }

    /// The newest item of an account that is about something, on its way or ended.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn about(
        &self,
        account: &Address,
        reason: Reason,
        about: &str,
    ) -> Result<Option<Item>, DbError> {
        self.0.db.about(account, reason, about).await
    }

    /// Of claims and proofs about any of these sessions those that a block holds, the oldest first.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn placed_about(&self, sessions: &[String]) -> Result<Vec<Item>, DbError> {
        self.0.db.placed_about(sessions).await
    }

    /// The newest transaction that was made for a reason: what such a one costs.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn newest_tx(&self, reason: Reason) -> Result<Option<Part>, DbError> {
        self.0.db.newest_tx(reason).await
    }

    /// All that people asked for, the newest first, without the bytes of payments: what claims and proofs did is told
    /// by their sessions.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn asked_for(&self) -> Result<Vec<Item>, DbError> {
        self.0.db.asked_for().await
    }

    /// What of the roles of this node has not ended, or has since a moment, the oldest first.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn roles_since(&self, since_ms: i64) -> Result<Vec<Item>, DbError> {
        self.0.db.done_since(since_ms).await
    }

    /// The newest items, the newest first, and how many there are.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn newest(&self, limit: u32, offset: u32) -> Result<(Vec<Item>, u64), DbError> {
        self.0.db.newest(limit, offset).await
    }

    /// The newest items of a reason.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn newest_of(&self, reason: Reason, limit: u32) -> Result<Vec<Item>, DbError> {
        self.0.db.newest_of(reason, limit).await
    }

    /// Looks at everything on its way now.
    pub async fn look(&self) {
        self.0.tell(self.0.round().await);
    }

    /// Changes with everything that becomes of an item.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }
}

impl Inner {
    pub(crate) fn changed(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    async fn run(&self) {
        let mut head = self.network.head();
        let mut wanted = self.wanted.subscribe();
        loop {
            wanted.mark_unchanged();
            self.tell(self.round().await);
            let next = tokio::time::sleep(self.next_try());
            tokio::select! {
                changed = head.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                _ = wanted.changed() => {}
                () = next => {}
            }
        }
    }

    pub(crate) fn tell(&self, round: Result<(), DbError>) {
        if let Err(error) = round {
            let error = hearth_base::failure::chain(&error);
            tracing::error!(%error, "transactions cannot be kept; trying again at the next block");
        }
    }

    /// How long nothing that is paused can be tried.
    pub(crate) fn next_try(&self) -> Duration {
        const LONG: Duration = Duration::from_secs(60);
        let memory = self.memory.lock();
        let now = Instant::now();
        // What is due already was looked at just now; it waits for the next block.
        let ahead = memory
            .pauses
            .values()
            .map(|(_, until)| *until)
            .filter(|until| *until > now);
        ahead.min().map_or(LONG, |until| {
            until
                .saturating_duration_since(now)
                .clamp(Duration::from_millis(100), LONG)
        })
    }
}

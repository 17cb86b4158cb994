//! The handle: one chain, its head, its state, its transactions.

use std::{
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use hearth_base::{Amount, ChainId, Clock, Height, ServiceId, SessionId, Tasks};
use hearth_pocket::{
    address::Address,
    keys::Signer,
    message::{
        self, Any,
        application::Application,
        cosmos::{
            GetNodeInfoRequest, GetNodeInfoResponse, Plan, QueryCurrentPlanRequest, QueryCurrentPlanResponse,
        },
        gateway::Gateway,
        proof::Claim,
        service::RelayMiningDifficulty,
        session::Session,
        shared::{Service, Supplier},
    },
    tx::SignedTx,
};
use hearth_store::Store;
use parking_lot::Mutex;
use prost::Message;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::{
    config::{Anchor, Config, ConfigError},
    db::{Db, DbError},
    follow::{BlockEvents, Follower, Source, StartFrom, reach},
    head::{Head, Standing},
    light::{Light, LightError},
    query::{
        AbsencePolicy, Account, FoundTx, Params, ProofStatus, Query, QueryError, ReadAt, Reader, Verified,
    },
    rpc::{EndpointStatus, Pool},
    tx::{Included, Options, Prepared, Sender, Sent, TxError, TxStatus, UniqueTimestamps, Validity},
    watcher::Watcher,
};

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

/// Where trust began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Nothing is trusted yet, so nothing can be proven.
    Missing,
    /// The operator or the network file gave this header.
    Given(Anchor),
    /// These endpoints agreed on this header, and nobody else vouched for it.
    Agreed { anchor: Anchor, endpoints: Vec<String> },
}

/// A chain. Clones speak of the same one.
#[derive(Clone, Debug)]
pub struct Chain(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    chain_id: ChainId,
    pool: Arc<Pool>,
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
            Pool::new(&config.endpoints, config.request_timeout, config.ban).map_err(StartError::Client)?,
        );
        let db = Db::new(&store);
        let light = Arc::new(Light::new(&config, Arc::clone(&pool), db.clone(), clock.clone()));
        let reader = Arc::new(Reader {
            pool: Arc::clone(&pool),
            light: Arc::clone(&light),
            db: db.clone(),
            remembered: Mutex::default(),
            epochs: Mutex::default(),
        });
        let head = watch::Sender::new(Head::nothing());
        let receiver = head.subscribe();
        let watcher = Watcher {
            chain_id: config.chain_id.clone(),
            pool: Arc::clone(&pool),
            light: Arc::clone(&light),
            clock: clock.clone(),
            poll: config.poll,
            head,
            seen: Mutex::default(),
            moved_at: Mutex::default(),
            unanswered: AtomicU32::new(0),
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
        };
        Ok(Chain(Arc::new(Inner {
            chain_id,
            pool,
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

    /// What is known of each endpoint.
    #[must_use]
    pub fn endpoints(&self) -> Vec<EndpointStatus> {
        let head = self.0.head.borrow().clone();
        self.0.pool.statuses(&head, self.0.sender.clock.now())
    }

    /// Where trust began.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn trust(&self) -> Result<Trust, DbError> {
        Ok(match self.0.light.origin().await? {
            None => Trust::Missing,
            Some(origin) if origin.agreed.is_empty() => Trust::Given(origin.anchor),
            Some(origin) => Trust::Agreed {
                anchor: origin.anchor,
                endpoints: origin.agreed,
            },
        })
    }

    /// A person has decided between the verified headers and the trust anchor, which contradict each other: the anchor
    /// counts, and what was verified before is forgotten.
    ///
    /// # Errors
    /// No endpoint whose chain has the anchor either: then the anchor is wrong, and has to be corrected.
    pub async fn prefer_anchor(&self) -> Result<(), QueryError> {
        Ok(self.0.light.prefer_anchor().await?)
    }

    /// Waits until the state after `height` can be proven.
    ///
    /// # Errors
    /// How things stand, when it cannot after `patience`.
    pub async fn reach(&self, height: Height, patience: Duration) -> Result<Head, Standing> {
        reach(&self.0.head, height, patience).await
    }

    /// Reads a record of the state.
    ///
    /// # Errors
    /// No endpoint answers and nothing was proven before, or a record that cannot be read.
    pub async fn query<T>(&self, query: Query<T>, at: ReadAt) -> Result<Verified<Option<T>>, QueryError> {
        self.0.reader.read(&query, at).await
    }

    /// How many upokt an address holds.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn balance(&self, address: &Address) -> Result<Verified<Amount>, QueryError> {
        self.balance_at(address, ReadAt::Newest).await
    }

    /// As [`Chain::balance`], of a chosen state.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn balance_at(&self, address: &Address, at: ReadAt) -> Result<Verified<Amount>, QueryError> {
        let found = self.query(Query::balance(address), at).await?;
        Ok(found.map(Option::unwrap_or_default))
    }

    /// An account; `None` before it received anything.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn account(&self, address: &Address) -> Result<Verified<Option<Account>>, QueryError> {
        self.query(Query::account(address), ReadAt::Newest).await
    }

    /// A supplier with its services; each is proven.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn supplier(&self, operator: &Address) -> Result<Verified<Option<Supplier>>, QueryError> {
        self.0.reader.supplier(operator, ReadAt::Newest).await
    }

    /// The suppliers that have or had a service, on an endpoint's word.
    ///
    /// # Errors
    /// No endpoint answers.
    pub async fn suppliers(&self, service: &ServiceId) -> Result<Verified<Vec<Supplier>>, QueryError> {
        self.0.reader.suppliers(service).await
    }

    /// An application.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn application(&self, address: &Address) -> Result<Verified<Option<Application>>, QueryError> {
        self.query(Query::application(address), ReadAt::Newest).await
    }

    /// A gateway.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn gateway(&self, address: &Address) -> Result<Verified<Option<Gateway>>, QueryError> {
        self.query(Query::gateway(address), ReadAt::Newest).await
    }

    /// A service.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn service(&self, id: &ServiceId) -> Result<Verified<Option<Service>>, QueryError> {
        self.query(Query::service(id), ReadAt::Newest).await
    }

    /// All services without their cards, on an endpoint's word.
    ///
    /// # Errors
    /// No endpoint answers.
    pub async fn services(&self) -> Result<Verified<Vec<Service>>, QueryError> {
        self.0.reader.services().await
    }

    /// A claim; `None` before it was made and after it was settled or expired.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn claim(
        &self,
        session: &SessionId,
        operator: &Address,
    ) -> Result<Verified<Option<Claim>>, QueryError> {
        self.query(Query::claim(session, operator), ReadAt::Newest).await
    }

    /// The pending claims of a supplier, on an endpoint's word.
    ///
    /// # Errors
    /// No endpoint answers.
    pub async fn claims(&self, operator: &Address) -> Result<Verified<Vec<Claim>>, QueryError> {
        self.0.reader.claims(operator).await
    }

    /// The parameters of all modules, as they are now.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn params(&self) -> Result<Verified<Params>, QueryError> {
        self.0.reader.params().await
    }

    /// The shared parameters in force at a height: grid, windows and price of a session there.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn params_at(&self, height: Height) -> Result<Verified<message::shared::Params>, QueryError> {
        self.0.reader.params_at(height).await
    }

    /// The session parameters in force at a height.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn session_params_at(
        &self,
        height: Height,
    ) -> Result<Verified<message::session::Params>, QueryError> {
        self.0.reader.session_params_at(height).await
    }

    /// Compute units per relay of a service at a height (for a session: its start).
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn compute_units_at(
        &self,
        service: &ServiceId,
        height: Height,
    ) -> Result<Verified<Option<u64>>, QueryError> {
        self.0.reader.compute_units_at(service, height).await
    }

    /// The difficulty of a service now; `None` before its first settlement: every relay counts.
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn difficulty(
        &self,
        service: &ServiceId,
    ) -> Result<Verified<Option<RelayMiningDifficulty>>, QueryError> {
        self.query(Query::difficulty(service), ReadAt::Newest).await
    }

    /// The difficulty of a service at a height (for a session: its start).
    ///
    /// # Errors
    /// See [`Chain::query`].
    pub async fn difficulty_at(
        &self,
        service: &ServiceId,
        height: Height,
    ) -> Result<Verified<Option<RelayMiningDifficulty>>, QueryError> {
        self.0.reader.difficulty_at(service, height).await
    }

    /// The session of an application and a service at a height, as the state of that height had it. Its id is checked
    /// against the verified header of its first block; its suppliers stand on the endpoint's word.
    ///
    /// # Errors
    /// No such session, or no endpoint that answers honestly.
    pub async fn session(
        &self,
        application: &Address,
        service: &ServiceId,
        height: Height,
    ) -> Result<Verified<Session>, QueryError> {
        self.0.reader.session(application, service, height).await
    }

    /// The hash of a block, from its verified header; on an endpoint's word while nothing is trusted.
    ///
    /// # Errors
    /// A block that is not there yet or is too old.
    pub async fn block_hash(&self, height: Height) -> Result<Verified<[u8; 32]>, QueryError> {
        match self.0.light.header(height).await {
            Ok(header) => Ok(Verified {
                value: header.hash(),
                height,
                how: ProofStatus::Proven,
            }),
            Err(error @ LightError::NoTrust { .. }) => {
                let found = self.query(Query::block_hash(height), ReadAt::Unproven).await?;
                let value = found.value.ok_or(error)?;
                Ok(Verified {
                    value,
                    height,
                    how: ProofStatus::Unproven,
                })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// When a block was made, from its verified header.
    ///
    /// # Errors
    /// A block that is not there yet or is too old, or a chain of which nothing is trusted yet.
    pub async fn block_time(&self, height: Height) -> Result<OffsetDateTime, QueryError> {
        Ok(self.0.light.header(height).await?.time())
    }

    /// The upgrade that the chain has planned, on an endpoint's word: this program may need one too.
    ///
    /// # Errors
    /// No endpoint answers.
    pub async fn upgrade_plan(&self) -> Result<Option<Plan>, QueryError> {
        let path = "/cosmos.upgrade.v1beta1.Query/CurrentPlan";
        let answer: QueryCurrentPlanResponse =
            self.call(path, &QueryCurrentPlanRequest::default(), None).await?;
        Ok(answer.plan)
    }

    /// The version of the chain's program, such as `v0.1.35`, on an endpoint's word.
    ///
    /// # Errors
    /// No endpoint answers.
    pub async fn program_version(&self) -> Result<String, QueryError> {
        let path = "/cosmos.base.tendermint.v1beta1.Service/GetNodeInfo";
        let answer: GetNodeInfoResponse = self.call(path, &GetNodeInfoRequest::default(), None).await?;
        Ok(answer.application_version.unwrap_or_default().version)
    }

    /// Any question of the chain's query services, such as `/pocket.supplier.Query/Supplier`, on an endpoint's word.
    ///
    /// # Errors
    /// The chain refuses, or no endpoint answers.
    pub async fn call<Q: Message, A: Message + Default>(
        &self,
        path: &str,
        request: &Q,
        height: Option<Height>,
    ) -> Result<A, QueryError> {
        self.0.reader.call(path, request, height).await
    }

    /// Hands out what an address sent, then what it received, newest first and `limit` of each, on an endpoint's word.
    /// What it sent to itself comes twice. Says whether there is more than that.
    ///
    /// # Errors
    /// No endpoint answers; what was handed out until then stands.
    pub async fn history(
        &self,
        address: &Address,
        limit: usize,
        found: &mut (dyn FnMut(FoundTx) + Send),
    ) -> Result<bool, QueryError> {
        let sent = format!("message.sender='{address}'");
        let received = format!("transfer.recipient='{address}'");
        let more_sent = self.0.reader.search(&sent, limit, found).await?;
        Ok(self.0.reader.search(&received, limit, found).await? || more_sent)
    }

    /// A transaction by its hash; `None` while no block holds it.
    ///
    /// # Errors
    /// No endpoint answers.
    pub async fn tx(&self, hash: &[u8; 32]) -> Result<Option<FoundTx>, QueryError> {
        self.0.reader.tx(hash, AbsencePolicy::All).await
    }

    /// Finds account, gas and fee of a transaction.
    ///
    /// # Errors
    /// What the simulation says, an account that is not on the chain, a fee above the limit.
    pub async fn prepare(
        &self,
        signer: &dyn Signer,
        messages: Vec<Any>,
        options: &Options,
    ) -> Result<Prepared, TxError> {
        self.0.sender.prepare(signer, messages, options).await
    }

    /// Signs a prepared transaction. Keep the bytes before sending them.
    ///
    /// # Errors
    /// A key that is locked.
    pub fn sign(&self, signer: &dyn Signer, prepared: &Prepared) -> Result<SignedTx, TxError> {
        self.0.sender.sign(signer, prepared)
    }

    /// Signs bytes that were kept, as [`Prepared::unsigned`] gives them.
    ///
    /// # Errors
    /// A key that is locked, bytes that are no transaction.
    pub fn sign_kept(
        &self,
        signer: &dyn Signer,
        unsigned: &[u8],
        account_number: u64,
    ) -> Result<SignedTx, TxError> {
        self.0.sender.sign_kept(signer, unsigned, account_number)
    }

    /// Sends signed bytes. The same bytes may be sent again.
    ///
    /// # Errors
    /// A refusal, or no endpoint that says whether it took them.
    pub async fn broadcast(&self, tx: &SignedTx) -> Result<Sent, TxError> {
        self.0.sender.broadcast(tx).await
    }

    /// Waits until a sent transaction is in a block.
    ///
    /// # Errors
    /// It failed there, its time ran out, or `patience` did.
    pub async fn wait(&self, tx: &SignedTx, patience: Duration) -> Result<Included, TxError> {
        self.0.sender.wait(tx, patience).await
    }

    /// Sends signed bytes again where no block holds them, at most once for each block: a mempool may have dropped them.
    pub async fn send_again(&self, tx: &SignedTx) {
        self.0.sender.send_again(tx).await;
    }

    /// What became of a signed transaction, from verified blocks alone. What any endpoint says ends nothing.
    ///
    /// # Errors
    /// No endpoint answers: ask again later.
    pub async fn tx_status(&self, hash: &[u8; 32], validity: &Validity) -> Result<TxStatus, QueryError> {
        self.0.sender.tx_status(hash, validity).await
    }

    /// Prepares, signs, sends and waits.
    ///
    /// # Errors
    /// See the single steps.
    pub async fn submit(
        &self,
        signer: &dyn Signer,
        messages: Vec<Any>,
        options: &Options,
    ) -> Result<Included, TxError> {
        self.0.sender.submit(signer, messages, options).await
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

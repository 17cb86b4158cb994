//! The handle: starts and stops earning, keeps claims going whether it earns or not, and tells the screen.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use hearth_answers::SharedBackend;
use hearth_base::{Amount, Clock, ServiceId, Tasks};
use hearth_outbox::Outbox;
use hearth_pocket::{Address, RingVerifier};
use hearth_store::Store;
use tokio::sync::{broadcast, mpsc, watch};
use url::Url;

use crate::{
    config::{Config, ConfigError},
    costs::Costs,
    earning::{Earning, EarningEvent, Reason},
    events::{MinerEvent, Running},
    evidence::Entry,
    facts::Key,
    keys::Keys,
    ledger::{Disk, Ledger, RealDisk},
    network::{Network, SharedNetwork},
    outlook::ProofsDue,
    record::Known,
    serve::{Counts, Listener, Trouble},
    session_db::{Record, SessionDb, SessionDbError, Totals},
    supplier::{Supplier, Suppliers},
    threads::Threads,
};

mod backend;
mod earn;
mod reasons;
mod standing;

/// How often is looked whether earning can go on.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often at most the number of answers is told.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// Keys and key images whose tables are kept: about 140 MB at most.
const RING_CACHE: usize = 128;
/// Events that a slow listener may fall behind; it misses older ones.
const EVENTS: usize = 1024;

/// What [`Miner::start`] takes.
pub struct Args {
    /// The settings.
    pub config: Config,
    /// The URL that is staked, where it is not that of the listener.
    pub public_url: Option<Url>,
    /// The database.
    pub store: Store,
    /// The suppliers' keys; a wallet, in the program.
    pub keys: Arc<dyn Keys>,
    /// The chain.
    pub network: Arc<dyn Network>,
    /// Who signs and sends claims and proofs.
    pub outbox: Outbox,
    /// Who makes the answers.
    pub backend: SharedBackend,
    /// How many bytes the disk of a folder can still take; a system without an answer is not asked again.
    pub free_bytes: fn(&Path) -> Option<u64>,
    /// The time.
    pub clock: Clock,
    /// Who owns the tasks.
    pub tasks: Tasks,
}

/// Why the miner cannot start, or not answer a question.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the folder {path} for the evidence cannot be used: may this user write to it?")]
    Evidence {
        path: std::path::PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the answers of this session cannot be listed: {0}")]
    Unreadable(std::io::Error),
    #[error("the system gives the miner no threads")]
    Threads(#[source] std::io::Error),
    #[error("no relay port is free at {address}")]
    Port {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("the records of the miner cannot be read")]
    SessionDb(#[from] SessionDbError),
    #[error("the chain cannot be asked now")]
    Chain(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("no supplier of the operator {0} is served here")]
    NoSupplier(String),
    #[error("the miner has stopped")]
    Stopped,
}

/// Figures since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Answers that were given.
    pub answered: u64,
    /// Requests that were refused.
    pub refused: u64,
    /// Answers that came after the claim.
    pub unpaid_late: u64,
}

/// Some answers of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelayPage {
    /// The answers, the newest first, without their relays.
    pub entries: Vec<Entry>,
    /// How many answers the session has.
    pub total: u64,
}

/// One session with what the screen shows of it.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionView {
    /// The record.
    pub record: Record,
    /// Answers so far.
    pub answers: u64,
    /// Our part: settled where it is known, else estimated.
    pub amount: Amount,
    /// Whether `amount` is an estimate.
    pub estimated: bool,
}

/// The miner. Clones are the same.
#[derive(Clone)]
pub struct Miner(Arc<Inner>);

struct Inner {
    config: Arc<Config>,
    public_url: Option<Url>,
    keys: Arc<dyn Keys>,
    network: SharedNetwork,
    outbox: Outbox,
    backend: SharedBackend,
    clock: Clock,
    tasks: Tasks,
    db: SessionDb,
    ledger: Ledger,
    threads: Arc<Threads>,
    verifier: Arc<RingVerifier>,
    earning: watch::Sender<Earning>,
    running: watch::Sender<Running>,
    trouble: watch::Sender<Option<Trouble>>,
    events: broadcast::Sender<MinerEvent>,
    counts: Arc<Counts>,
    commands: mpsc::Sender<Command>,
    /// The suppliers that are served, or have claims that are open.
    suppliers: watch::Sender<Suppliers>,
}

enum Command {
    Event(EarningEvent),
    /// The backend is ready and the port is taken, or not.
    Prepared(Result<Listener, Reason>),
}

impl Miner {
    /// Takes up the claims that are open. Earning starts with [`Miner::earn_start`], with the setting `start`, or
    /// because it was wanted when the program ended.
    ///
    /// # Errors
    /// Settings that cannot work, a folder that cannot be used, a port that cannot be taken.
    pub async fn start(args: Args) -> Result<Miner, Error> {
        let Args {
            mut config,
            public_url,
            store,
            keys,
            network,
            outbox,
            backend,
            free_bytes,
            clock,
            tasks,
        } = args;
        config.check()?;
        config.listen = choose_port(config.listen).await?;
        let path = config.evidence.clone();
        let disk =
            RealDisk::new(path.clone(), free_bytes).map_err(|source| Error::Evidence { path, source })?;
        SessionDb::new(&store).fill_shares().await?;
        Miner::start_on(
            Arc::new(disk),
            config,
            public_url,
            &store,
            keys,
            network,
            outbox,
            backend,
            clock,
            tasks,
        )
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "the parts of Args, with another disk; tests pass one that fails"
    )]
    pub(crate) fn start_on(
        disk: Arc<dyn Disk>,
        config: Config,
        public_url: Option<Url>,
        store: &Store,
        keys: Arc<dyn Keys>,
        network: SharedNetwork,
        outbox: Outbox,
        backend: SharedBackend,
        clock: Clock,
        tasks: Tasks,
    ) -> Result<Miner, Error> {
        let (commands, queue) = mpsc::channel(64);
        let inner = Inner {
            db: SessionDb::new(store),
            ledger: Ledger::start(disk, store.problems().clone()).map_err(Error::Threads)?,
            threads: Arc::new(Threads::start(config.threads).map_err(Error::Threads)?),
            verifier: Arc::new(RingVerifier::new(RING_CACHE)),
            earning: watch::Sender::new(Earning::off(clock.now_ms())),
            running: watch::Sender::default(),
            trouble: watch::Sender::default(),
            events: broadcast::Sender::new(EVENTS),
            counts: Arc::default(),
            commands,
            suppliers: watch::Sender::default(),
            config: Arc::new(config),
            public_url,
            keys,
            network,
            outbox,
            backend,
            clock,
            tasks,
        };
        let miner = Miner(Arc::new(inner));
        miner
            .0
            .tasks
            .spawn_until_stopped("earning", miner.clone().earn(queue));
        miner
            .0
            .tasks
            .spawn_until_stopped("suppliers on chain", miner.clone().watch_chain());
        miner
            .0
            .tasks
            .spawn_until_stopped("look after the backend", miner.clone().look_after_backend());
        Ok(miner)
    }

    /// Signals the tasks. Answers that run are finished, until the deadline of whoever joins.
    pub fn stop(&self) {
        self.0.tasks.stop();
    }

    /// Waits until the tasks have ended. Call [`Miner::stop`] first.
    pub async fn join(&self) {
        self.0.tasks.join().await;
    }

    /// Wants earning to run: it starts as soon as nothing stands in the way, and again after whatever stood there.
    ///
    /// # Errors
    /// The miner has stopped.
    pub async fn earn_start(&self) -> Result<(), Error> {
        self.command(EarningEvent::Start).await
    }

    /// Wants earning to end: no new work is taken, what runs is finished.
    ///
    /// # Errors
    /// The miner has stopped.
    pub async fn earn_stop(&self) -> Result<(), Error> {
        self.command(EarningEvent::Stop).await
    }

    /// What the owner last wanted of earning, also before a restart; `None` before anybody said so.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn wanted(&self) -> Result<Option<bool>, Error> {
        Ok(self.0.db.wanted().await?)
    }

    /// The state of earning, now and at every change.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<Earning> {
        self.0.earning.subscribe()
    }

    /// Proofs that the chain wants or may want soon: whoever stops the program now has to start it again in time.
    #[must_use]
    pub fn proofs_due(&self) -> Option<ProofsDue> {
        let suppliers = self.0.suppliers.borrow().clone();
        let due = suppliers.all().iter().filter_map(|one| one.outlook.borrow().due);
        due.reduce(ProofsDue::and)
    }

    /// The answers that are being made, now and at every change.
    #[must_use]
    pub fn running(&self) -> watch::Receiver<Running> {
        self.0.running.subscribe()
    }

    /// What happens, from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<MinerEvent> {
        self.0.events.subscribe()
    }

    /// Figures since the start.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let counts = &self.0.counts;
        Figures {
            answered: counts.answered.load(Ordering::Relaxed),
            refused: counts.refused.load(Ordering::Relaxed),
            unpaid_late: counts.late.load(Ordering::Relaxed),
        }
    }

    /// Where relays arrive while earning is on. The port stays the same over the life of the miner.
    #[must_use]
    pub fn relay_addr(&self) -> SocketAddr {
        self.0.config.listen
    }

    /// The URL to stake: the public one, or that of the listener.
    #[must_use]
    pub fn relay_url(&self) -> Url {
        if let Some(url) = &self.0.public_url {
            return url.clone();
        }
        let mut address = self.0.config.listen;
        if address.ip().is_unspecified() {
            address.set_ip([127, 0, 0, 1].into());
        }
        #[allow(clippy::unwrap_used, reason = "an address and a port always make a URL")]
        Url::parse(&format!("http://{address}")).unwrap()
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Looks whether the backend is well. The engine always is.
    ///
    /// # Errors
    /// Why it is not, with its address.
    pub async fn probe_backend(&self) -> Result<(), hearth_answers::Error> {
        for service in self.0.config.services.keys() {
            self.0.backend.probe(self.0.config.model(service)).await?;
        }
        Ok(())
    }

    /// Where the backend is, if it is not the engine.
    #[must_use]
    pub fn backend_address(&self) -> Option<&str> {
        self.0.backend.address()
    }

    /// Answers that may be made at once.
    #[must_use]
    pub fn max_running(&self) -> usize {
        self.0
            .config
            .services
            .keys()
            .map(|service| self.slots(service))
            .sum()
    }

    /// The operators whose suppliers are served here, the usual one first.
    #[must_use]
    pub fn operators(&self) -> Vec<Address> {
        self.0.keys.suppliers()
    }

    /// Whether the key of an account is here, so that what it earns is this node's.
    #[must_use]
    pub fn is_own(&self, account: &Address) -> bool {
        self.0.keys.is_own(account)
    }

    /// Whether what an owner earns is this node's; where no session named one, it is.
    #[must_use]
    pub fn owns(&self, owner: &str) -> bool {
        owner.is_empty() || owner.parse().is_ok_and(|owner| self.is_own(&owner))
    }

    /// What an operator's key has to hold for its claims and proofs that are open; with one session more while earning
    /// is wanted.
    ///
    /// # Errors
    /// The chain or the database does not answer.
    pub async fn reserve(&self, operator: &Address) -> Result<Amount, Error> {
        let open = self.0.db.open_records_of(operator.as_str()).await?;
        if open.is_empty() && !self.0.earning.borrow().wanted {
            return Ok(Amount::ZERO);
        }
        let costs = Costs::read(&self.0.network, &self.0.outbox).await;
        let costs = costs.map_err(|error| Error::Chain(Box::new(error)))?;
        Ok(costs.reserve(&open))
    }

    /// How many sessions of an operator are not over: their claims and proofs are signed by its key. The database alone
    /// tells, also while the chain is away.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn n_open(&self, operator: &Address) -> Result<u64, Error> {
        Ok(self.0.db.count_open(operator.as_str()).await?)
    }

    /// Takes the record of one supplier as it is now for known, or of all whose record was changed: the owner changed it
    /// elsewhere.
    ///
    /// # Errors
    /// The chain or the database does not answer, or there is no such supplier here.
    pub async fn acknowledge_record(&self, operator: Option<&str>) -> Result<(), Error> {
        let suppliers = self.0.suppliers.borrow().clone();
        let named = |one: &&Arc<Supplier>| match operator {
            Some(operator) => one.operator().as_str() == operator,
            None => one.on_chain.borrow().record.is_some() || one.sessions.has_twin(),
        };
        let meant: Vec<&Arc<Supplier>> = suppliers.all().iter().filter(named).collect();
        if let (Some(operator), true) = (operator, meant.is_empty()) {
            return Err(Error::NoSupplier(operator.to_owned()));
        }
        for supplier in meant {
            let operator = supplier.operator();
            let record = self.0.network.supplier(operator).await;
            let record = record.map_err(|error| Error::Chain(Box::new(error)))?;
            if let Some(record) = record.into_value() {
                let known = Known::of(&record);
                let now_ms = self.0.clock.now_ms();
                self.0.db.keep_record(operator.as_str(), &known, now_ms).await?;
            }
            supplier.on_chain.send_modify(|known| known.record = None);
            supplier.sessions.set_twin(false);
        }
        // What it says is looked at now, and not in a second.
        self.0
            .commands
            .send(Command::Event(self.look()))
            .await
            .map_err(|_| Error::Stopped)
    }

    /// Sessions, the newest first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn sessions(&self, limit: u32, offset: u32) -> Result<Vec<SessionView>, Error> {
        let mut records = self.0.db.records(limit, offset).await?;
        self.0.db.complete(&self.0.outbox, &mut records).await?;
        Ok(records.into_iter().map(|record| self.view(record)).collect())
    }

    /// Sums over the sessions, with the days since a moment. What is another owner's is no money in any of them, and stands
    /// apart.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn totals(&self, since_ms: i64) -> Result<Totals, Error> {
        let of_owners = self.0.db.settled_by_owner().await?;
        let foreign = of_owners.iter().filter(|one| !self.owns(&one.owner));
        let without: Vec<String> = foreign.map(|one| one.owner.clone()).collect();
        let mut totals = self.0.db.totals(since_ms, &without).await?;
        totals.by_supplier = of_owners;
        Ok(totals)
    }

    /// How many sessions there are.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn n_sessions(&self) -> Result<u64, Error> {
        Ok(self.0.db.count().await?)
    }

    /// A part of the answers that a supplier gave in a session, the newest first; without one, of the first that served
    /// in it. Empty once the evidence was deleted.
    ///
    /// # Errors
    /// The evidence cannot be read.
    pub async fn relay_page(
        &self,
        session_id: &str,
        supplier: Option<&str>,
        limit: u32,
        offset: u32,
    ) -> Result<RelayPage, Error> {
        let supplier = match supplier {
            Some(supplier) => Some(supplier.to_owned()),
            None => self.0.db.suppliers_in(session_id).await?.into_iter().next(),
        };
        let Some(supplier) = supplier else {
            return Ok(RelayPage::default());
        };
        let key = Key {
            session_id: session_id.to_owned(),
            supplier,
        };
        if !key.is_plain() {
            return Ok(RelayPage::default());
        }
        let (ledger, path) = (self.0.ledger.clone(), self.0.config.evidence.clone());
        let read =
            tokio::task::spawn_blocking(move || ledger.page(&key, limit as usize, offset as usize)).await;
        let (entries, total) = read.map_err(|_| Error::Stopped)?.map_err(|source| {
            if source.kind() == std::io::ErrorKind::InvalidData {
                return Error::Unreadable(source);
            }
            Error::Evidence { path, source }
        })?;
        Ok(RelayPage { entries, total })
    }

    /// A record with what the screen shows of it.
    #[must_use]
    pub fn view(&self, record: Record) -> SessionView {
        let suppliers = self.0.suppliers.borrow().clone();
        let live = suppliers
            .of(&record.facts.supplier)
            .and_then(|supplier| supplier.sessions.get(&record.facts.key()));
        let answers = live.map_or(record.answers, |session| session.answers.load(Ordering::SeqCst));
        let (amount, estimated) = record.amount(answers);
        SessionView {
            answers,
            amount,
            estimated,
            record,
        }
    }

    async fn command(&self, event: EarningEvent) -> Result<(), Error> {
        self.0
            .commands
            .send(Command::Event(event))
            .await
            .map_err(|_| Error::Stopped)
    }

    fn slots(&self, service: &ServiceId) -> usize {
        let wanted = self
            .0
            .config
            .services
            .get(service)
            .map_or(0, |config| config.slots);
        let can = self.0.backend.capacity(self.0.config.model(service)).slots;
        if wanted == 0 { can } else { wanted.min(can) }
    }
}

/// A free port, where any is wanted. It is given back and taken again when earning starts; on one computer nobody
/// else is given it that soon.
async fn choose_port(address: SocketAddr) -> Result<SocketAddr, Error> {
    if address.port() != 0 {
        return Ok(address);
    }
    let failed = |source| Error::Port { address, source };
    let socket = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
    socket.local_addr().map_err(failed)
}

#[cfg(test)]
mod tests;

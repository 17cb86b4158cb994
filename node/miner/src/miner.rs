//! The handle: starts and stops earning, keeps claims going whether it earns or not, and tells the screen.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use hearth_base::{Amount, Clock, ServiceId, Tasks};
use hearth_chain::Standing;
use hearth_pocket::{Address, RingVerifier};
use hearth_store::Store;
use tokio::sync::{Semaphore, broadcast, mpsc, watch};
use url::Url;

use crate::{
    admit::Admission,
    backend::SharedBackend,
    book::{Book, BookError, Record},
    config::{Config, ConfigError},
    crypto::Crypto,
    driver::Driver,
    earning::{Earning, EarningEffect, EarningEvent, EarningState, Reason, ReasonCode, low_funds, step},
    events::{MinerEvent, Running},
    evidence::Entry,
    facts::Key,
    keys::{KeyProblem, Keys},
    ledger::{Disk, Ledger, RealDisk},
    network::{Network, SharedNetwork},
    serve::{Counts, Listener, Places, Server, Trouble},
    sessions::Sessions,
};

/// How often is looked whether earning can go on.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Keys and key images whose tables are kept: about 100 MB at most.
const RING_CACHE: usize = 128;
/// Events that a slow listener may fall behind; it misses older ones.
const EVENTS: usize = 1024;
/// What the working key should hold at least: ten claims and proofs.
const FUNDS: Amount = Amount::from_upokt(40);

/// What [`Miner::start`] takes.
pub struct Args {
    /// The settings.
    pub config: Config,
    /// The URL that is staked, where it is not that of the listener.
    pub public_url: Option<Url>,
    /// The database.
    pub store: Store,
    /// The supplier's key; a wallet, in the program.
    pub keys: Arc<dyn Keys>,
    /// The chain.
    pub network: Arc<dyn Network>,
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
    #[error("the system gives the miner no threads")]
    Threads(#[source] std::io::Error),
    #[error("no relay port is free at {address}")]
    Port {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("the records of the miner cannot be read")]
    Book(#[from] BookError),
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
    backend: SharedBackend,
    clock: Clock,
    tasks: Tasks,
    book: Book,
    ledger: Ledger,
    crypto: Crypto,
    verifier: Arc<RingVerifier>,
    earning: watch::Sender<Earning>,
    running: watch::Sender<Running>,
    trouble: watch::Sender<Option<Trouble>>,
    events: broadcast::Sender<MinerEvent>,
    counts: Arc<Counts>,
    commands: mpsc::Sender<Command>,
    sessions: watch::Sender<Option<Arc<Sessions>>>,
}

enum Command {
    Event(EarningEvent),
    /// The backend is ready and the port is taken, or not.
    Prepared(Result<Listener, Reason>),
}

impl Miner {
    /// Takes up the claims that are open. Earning stays off until [`Miner::earn_start`].
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
        Miner::start_on(
            Arc::new(disk),
            config,
            public_url,
            &store,
            keys,
            network,
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
        backend: SharedBackend,
        clock: Clock,
        tasks: Tasks,
    ) -> Result<Miner, Error> {
        let (commands, queue) = mpsc::channel(64);
        let inner = Inner {
            book: Book::new(store),
            ledger: Ledger::start(disk).map_err(Error::Threads)?,
            crypto: Crypto::start(config.crypto_threads).map_err(Error::Threads)?,
            verifier: Arc::new(RingVerifier::new(RING_CACHE)),
            earning: watch::Sender::new(Earning::off(clock.now_ms())),
            running: watch::Sender::default(),
            trouble: watch::Sender::default(),
            events: broadcast::Sender::new(EVENTS),
            counts: Arc::default(),
            commands,
            sessions: watch::Sender::default(),
            config: Arc::new(config),
            public_url,
            keys,
            network,
            backend,
            clock,
            tasks,
        };
        let miner = Miner(Arc::new(inner));
        miner
            .0
            .tasks
            .spawn_until_stopped("earning", miner.clone().earn(queue));
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

    /// The owner needs the computer: no new work is taken until [`Miner::resume`].
    ///
    /// # Errors
    /// The miner has stopped.
    pub async fn yield_to(&self, why: &str) -> Result<(), Error> {
        self.command(EarningEvent::Yield { why: why.to_owned() }).await
    }

    /// The owner needs the computer no more.
    ///
    /// # Errors
    /// The miner has stopped.
    pub async fn resume(&self) -> Result<(), Error> {
        self.command(EarningEvent::Resume).await
    }

    /// The state of earning, now and at every change.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<Earning> {
        self.0.earning.subscribe()
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

    /// The supplier's operator address, as soon as there is a wallet.
    #[must_use]
    pub fn supplier(&self) -> Option<Address> {
        self.0.keys.supplier()
    }

    /// Sessions, the newest first.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn sessions(&self, limit: u32, offset: u32) -> Result<Vec<SessionView>, Error> {
        let records = self.0.book.records(limit, offset).await?;
        Ok(records.into_iter().map(|record| self.view(record)).collect())
    }

    /// How many sessions there are.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn n_sessions(&self) -> Result<u64, Error> {
        Ok(self.0.book.count().await?)
    }

    /// The answers of a session, in the order in which they were given. Empty once the evidence was deleted.
    ///
    /// # Errors
    /// The evidence cannot be read.
    pub async fn relays(&self, session_id: &str) -> Result<Vec<Entry>, Error> {
        let Some(supplier) = self.supplier() else {
            return Ok(Vec::new());
        };
        let key = Key {
            session_id: session_id.to_owned(),
            supplier: supplier.to_string(),
        };
        if !key.is_plain() {
            return Ok(Vec::new());
        }
        let (ledger, path) = (self.0.ledger.clone(), self.0.config.evidence.clone());
        let read = tokio::task::spawn_blocking(move || ledger.entries(&key)).await;
        read.map_err(|_| Error::Stopped)?
            .map_err(|source| Error::Evidence { path, source })
    }

    /// A record with what the screen shows of it.
    #[must_use]
    pub fn view(&self, record: Record) -> SessionView {
        let live = self
            .0
            .sessions
            .borrow()
            .as_ref()
            .and_then(|sessions| sessions.get(&record.facts.key()));
        let answers = live.map_or(record.answers, |session| session.answers.load(Ordering::SeqCst));
        let (amount, estimated) = amount(&record, answers, self.supplier().as_ref());
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
        let can = self.0.backend.capacity(service).slots;
        if wanted == 0 { can } else { wanted.min(can) }
    }

    /// Runs the machine of earning.
    async fn earn(self, mut queue: mpsc::Receiver<Command>) {
        let mut listener: Option<Listener> = None;
        let mut running = self.0.running.subscribe();
        let mut trouble = self.0.trouble.subscribe();
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            let event = tokio::select! {
                command = queue.recv() => match command {
                    None => return,
                    Some(Command::Event(event)) => event,
                    Some(Command::Prepared(Ok(ready))) => {
                        if self.0.earning.borrow().state == EarningState::Starting {
                            listener = Some(ready);
                        } else {
                            ready.stop();
                        }
                        EarningEvent::Ready
                    }
                    Some(Command::Prepared(Err(reason))) => EarningEvent::NotReady(reason),
                },
                _ = running.changed() => EarningEvent::Running(running.borrow_and_update().answers.len()),
                _ = trouble.changed() => self.look().await,
                _ = look.tick() => {
                    self.begin_claims().await;
                    self.look().await
                }
            };
            for effect in self.step(event) {
                match effect {
                    EarningEffect::Prepare => self.prepare(),
                    EarningEffect::Close => {
                        if let Some(listener) = listener.take() {
                            listener.stop();
                        }
                    }
                }
            }
        }
    }

    fn step(&self, event: EarningEvent) -> Vec<EarningEffect> {
        let before = self.0.earning.borrow().clone();
        let (after, effects) = step(before.clone(), event, self.0.clock.now_ms());
        if after != before {
            metrics::gauge!("hearth_miner_serving").set(after.serving as f64);
            if after.state != before.state {
                tracing::info!(state = after.state.name(), why = after.why(), "earning");
            }
            self.0.earning.send_replace(after.clone());
            // Nobody may be listening.
            let _ = self.0.events.send(MinerEvent::Earning(Box::new(after)));
        }
        effects
    }

    /// Starts the part that needs the supplier's address, as soon as there is one.
    async fn begin_claims(&self) {
        let Some(supplier) = self.0.keys.supplier() else {
            return;
        };
        if self.0.sessions.borrow().is_some() {
            return;
        }
        let inner = &self.0;
        let sessions = Arc::new(Sessions::new(
            supplier,
            Arc::clone(&inner.network),
            inner.ledger.clone(),
            inner.book.clone(),
            inner.clock.clone(),
        ));
        let mut driver = Driver {
            sessions: Arc::clone(&sessions),
            network: Arc::clone(&inner.network),
            ledger: inner.ledger.clone(),
            book: inner.book.clone(),
            keys: Arc::clone(&inner.keys),
            clock: inner.clock.clone(),
            min_claim: inner.config.min_claim,
            events: inner.events.clone(),
            states: std::collections::BTreeMap::new(),
        };
        if let Err(error) = driver.resume().await {
            tracing::error!(%error, "open claims cannot be taken up; trying again");
            return;
        }
        inner.sessions.send_replace(Some(sessions));
        inner.tasks.spawn_until_stopped("claims", driver.run());
    }

    /// What stands in the way of earning now.
    async fn look(&self) -> EarningEvent {
        let (mut reasons, mut notes) = (Vec::new(), Vec::new());
        let reason = |code, fact: String| Reason { code, fact };
        match self.0.keys.signer() {
            Ok(_) => {
                self.0
                    .trouble
                    .send_if_modified(|trouble| take_if(trouble, |trouble| *trouble == Trouble::Key));
            }
            Err(KeyProblem::NoWallet) => reasons.push(reason(ReasonCode::NoWallet, String::new())),
            Err(KeyProblem::Locked) => reasons.push(reason(ReasonCode::KeyLocked, String::new())),
        }
        if self.0.config.services.is_empty() {
            reasons.push(reason(ReasonCode::NoModel, "no service is configured".to_owned()));
        }
        reasons.extend(self.disk_reason());
        match &self.0.network.head().borrow().standing {
            Standing::Following => {}
            // Without a trust anchor everything stands on an endpoint's word; the screen says so.
            Standing::Unverified { .. } => {}
            Standing::Starting => reasons.push(reason(ReasonCode::ChainSyncing, String::new())),
            Standing::Unreachable { why } | Standing::TrustExpired { why } => {
                reasons.push(reason(ReasonCode::ChainSyncing, why.clone()));
            }
            Standing::ClockSkew { why, .. } => reasons.push(reason(ReasonCode::ClockSkew, why.clone())),
        }
        let wanted = self.0.earning.borrow().wanted;
        if reasons.is_empty() && wanted {
            self.look_at_chain(&mut reasons, &mut notes).await;
        }
        EarningEvent::Looked { reasons, notes }
    }

    fn disk_reason(&self) -> Option<Reason> {
        let (free, least) = (self.0.ledger.free_bytes(), self.0.config.min_free_bytes);
        if let Some(free) = free.filter(|free| *free < least) {
            let fact = format!("{} MB left, {} MB are needed", free >> 20, least >> 20);
            return Some(Reason {
                code: ReasonCode::DiskLow,
                fact,
            });
        }
        // A write that failed counts until the system says that there is room again, or says nothing at all and
        // earning is started anew.
        let failed = match &*self.0.trouble.borrow() {
            Some(Trouble::Disk(why)) => Some(why.clone()),
            Some(Trouble::Key) | None => None,
        }?;
        let wanted = self.0.earning.borrow().wanted;
        if !wanted || self.0.ledger.is_writable() {
            self.0
                .trouble
                .send_if_modified(|trouble| take_if(trouble, |trouble| matches!(trouble, Trouble::Disk(_))));
            return None;
        }
        Some(Reason {
            code: ReasonCode::DiskLow,
            fact: failed,
        })
    }

    /// Stake and funds. What the chain does not answer now stops nothing.
    async fn look_at_chain(&self, reasons: &mut Vec<Reason>, notes: &mut Vec<Reason>) {
        // Earning that runs is not asked about its stake each second.
        let runs = !matches!(self.0.earning.borrow().state, EarningState::Off(_));
        let Some(supplier) = self.0.keys.supplier().filter(|_| !runs) else {
            return;
        };
        match self.0.network.supplier(&supplier).await {
            Ok(found) => {
                let staked = found.is_some_and(|supplier| {
                    supplier.services.iter().any(|service| {
                        self.0
                            .config
                            .services
                            .contains_key(&ServiceId::new(&service.service_id))
                    })
                });
                if !staked {
                    reasons.push(Reason {
                        code: ReasonCode::NeedsStake,
                        fact: supplier.to_string(),
                    });
                }
            }
            Err(error) => tracing::debug!(%error, "the supplier's stake cannot be read now"),
        }
        if let Ok(balance) = self.0.network.balance(&supplier).await {
            notes.extend(low_funds(balance, FUNDS));
        }
    }

    /// Gets the backend ready and takes the port, in a task of its own.
    fn prepare(&self) {
        let miner = self.clone();
        self.0.tasks.spawn_until_stopped("prepare earning", async move {
            let prepared = miner.prepared().await;
            // The miner may have stopped meanwhile.
            let _ = miner.0.commands.send(Command::Prepared(prepared)).await;
        });
    }

    async fn prepared(&self) -> Result<Listener, Reason> {
        let inner = &self.0;
        for service in inner.config.services.keys() {
            inner.backend.prepare(service).await.map_err(|error| Reason {
                code: ReasonCode::NoModel,
                fact: error.to_string(),
            })?;
        }
        let signer = inner.keys.signer().map_err(|problem| Reason {
            code: if problem == KeyProblem::Locked {
                ReasonCode::KeyLocked
            } else {
                ReasonCode::NoWallet
            },
            fact: String::new(),
        })?;
        let mut sessions = inner.sessions.subscribe();
        let syncing = || Reason {
            code: ReasonCode::ChainSyncing,
            fact: String::new(),
        };
        let sessions = sessions
            .wait_for(Option::is_some)
            .await
            .map_err(|_| syncing())?
            .clone()
            .ok_or_else(syncing)?;
        let places = |(service, config): (&ServiceId, &crate::config::ServiceConfig)| {
            let slots = self.slots(service).max(1);
            (
                service.clone(),
                Places {
                    config: *config,
                    slots,
                    free: Arc::new(Semaphore::new(slots)),
                },
            )
        };
        let server = Server {
            admission: Admission {
                sessions,
                network: Arc::clone(&inner.network),
                crypto: inner.crypto.clone(),
                verifier: Arc::clone(&inner.verifier),
            },
            config: Arc::clone(&inner.config),
            backend: Arc::clone(&inner.backend),
            places: inner.config.services.iter().map(places).collect(),
            signer,
            crypto: inner.crypto.clone(),
            ledger: inner.ledger.clone(),
            book: inner.book.clone(),
            clock: inner.clock.clone(),
            tasks: inner.tasks.clone(),
            events: inner.events.clone(),
            running: inner.running.clone(),
            counts: Arc::clone(&inner.counts),
            trouble: inner.trouble.clone(),
        };
        Listener::start(Arc::new(server), inner.tasks.child("relay server"))
            .await
            .map_err(|error| Reason {
                code: ReasonCode::PortTaken,
                fact: hearth_base::failure::chain(&error),
            })
    }
}

/// Our part of a session: paid where it is known, else estimated.
fn amount(record: &Record, answers: u64, supplier: Option<&Address>) -> (Amount, bool) {
    use crate::claim::ClaimState;
    let paid = match &record.state {
        ClaimState::Settled { paid: Some(paid), .. } => Some(paid),
        _ => None,
    };
    if let Some(paid) = paid {
        let ours = |who: &str| {
            supplier.is_some_and(|supplier| supplier.as_str() == who) || record.facts.owner == who
        };
        return (
            paid.rewards
                .iter()
                .filter(|(who, _)| ours(who))
                .map(|(_, amount)| *amount)
                .sum(),
            false,
        );
    }
    let claimed = record
        .state
        .seal()
        .map_or_else(|| record.facts.value_of(answers), |seal| seal.value);
    let claimed = claimed.min(record.facts.budget);
    (record.facts.share_of(claimed), true)
}

fn take_if<T>(option: &mut Option<T>, condition: impl FnOnce(&T) -> bool) -> bool {
    let takes = option.as_ref().is_some_and(condition);
    if takes {
        *option = None;
    }
    takes
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

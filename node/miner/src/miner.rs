//! The handle: starts and stops earning, keeps claims going whether it earns or not, and tells the screen.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use hearth_answers::SharedBackend;
use hearth_base::{Amount, Clock, ServiceId, Tasks};
use hearth_pocket::{Address, RingVerifier};
use hearth_store::Store;
use tokio::sync::{broadcast, mpsc, watch};
use url::Url;

use crate::{
    config::{Config, ConfigError},
    earning::{Earning, EarningEvent, Reason},
    events::{MinerEvent, Running},
    evidence::Entry,
    facts::Key,
    keys::Keys,
    ledger::{Disk, Ledger, RealDisk},
    network::{Network, SharedNetwork},
    outlook::{Outlook, ProofsDue},
    serve::{Counts, Listener, Trouble},
    session_db::{Record, SessionDb, SessionDbError, Totals},
    sessions::Sessions,
    threads::Threads,
};

mod backend;
mod earn;
mod reasons;
mod standing;

use standing::OnChain;

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
    sessions: watch::Sender<Option<Arc<Sessions>>>,
    /// What the chain said of the supplier when it was last asked.
    on_chain: watch::Sender<OnChain>,
    /// What is ahead of the claims, and what was lost lately.
    outlook: watch::Sender<Outlook>,
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
            sessions: watch::Sender::default(),
            on_chain: watch::Sender::default(),
            outlook: watch::Sender::default(),
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
        miner
            .0
            .tasks
            .spawn_until_stopped("supplier on chain", miner.clone().watch_chain());
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
        self.0.outlook.borrow().due
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
        let records = self.0.db.records(limit, offset).await?;
        Ok(records.into_iter().map(|record| self.view(record)).collect())
    }

    /// Sums over all sessions, with the days since a moment.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn totals(&self, since_ms: i64) -> Result<Totals, Error> {
        Ok(self.0.db.totals(since_ms).await?)
    }

    /// How many sessions there are.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn n_sessions(&self) -> Result<u64, Error> {
        Ok(self.0.db.count().await?)
    }

    /// A part of the answers of a session, the newest first. Empty once the evidence was deleted.
    ///
    /// # Errors
    /// The evidence cannot be read.
    pub async fn relay_page(&self, session_id: &str, limit: u32, offset: u32) -> Result<RelayPage, Error> {
        let Some(supplier) = self.supplier() else {
            return Ok(RelayPage::default());
        };
        let key = Key {
            session_id: session_id.to_owned(),
            supplier: supplier.to_string(),
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
        let live = self
            .0
            .sessions
            .borrow()
            .as_ref()
            .and_then(|sessions| sessions.get(&record.facts.key()));
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

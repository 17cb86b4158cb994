//! Downloads: one driver a model, moved by the pure step in [`state`].
//!
//! What a crash can lose: leaves written since the last checkpoint (64 MiB or 5 s). Nothing else: the database says
//! that a leaf is there only after `fdatasync` of its file, and a model is recorded only after all its bytes were
//! read back and hashed.

mod busy;
mod check;
mod driver;
mod fetch;
mod job;
mod locate;
pub(crate) mod state;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use cid::Cid;
use hearth_base::{Clock, Tasks};
use hearth_store::stored;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{mpsc, watch};

use state::Event;
pub use state::{Backoff, State};

use crate::{
    block::{BlockError, DAG_CBOR, check_hash},
    catalogue,
    inspect::Inspector,
    provider::{HttpGateway, HttpLimits, SourceError},
    records::{DownloadRecord, Records, RecordsError},
    refusal::Fact,
};

/// Wishes and reports that wait for a driver; more than these make their sender wait.
const QUEUE: usize = 32;
/// The most gateways of one download.
const MAX_SOURCES: usize = 16;

/// The settings of downloads; see [`crate::Config`].
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) folder: PathBuf,
    pub(crate) quota_bytes: Option<u64>,
    pub(crate) keep_free_bytes: u64,
    pub(crate) threads: usize,
    pub(crate) http: HttpLimits,
    pub(crate) checkpoint_bytes: u64,
    pub(crate) checkpoint_interval: Duration,
    pub(crate) span_bytes: u64,
    pub(crate) backoff: Backoff,
    pub(crate) inspector: Inspector,
}

/// A download as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// The manifest.
    pub cid: Cid,
    /// The model's name for programs, once its manifest is here, or if the catalogue knows it.
    pub slug: Option<String>,
    /// The model's name for people, as well.
    pub title: Option<String>,
    /// Where it stands.
    pub state: State,
    /// Bytes that have arrived, also those that no checkpoint has noted yet.
    pub arrived_bytes: u64,
    /// Arrivals of the last seconds.
    pub bytes_per_second: u64,
    /// Addresses of its gateways.
    pub sources: Vec<String>,
    /// When it was asked for, in milliseconds since the epoch.
    pub started_at_ms: i64,
}

/// Why a pull cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    #[error("no gateway is known: name one, for example `hearth model pull {0} --from http://HOST:4327`")]
    NoSource(Cid),
    #[error("{0} gateways are too many: name at most {MAX_SOURCES}")]
    ManySources(usize),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("{0} names no model: a manifest's CID begins with bafyrei")]
    NoManifest(Cid),
    #[error(transparent)]
    Hash(#[from] BlockError),
    #[error("weights are being stopped")]
    Stopping,
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl PullError {
    /// The fact, for surfaces that say it in another language.
    #[must_use]
    pub fn fact(&self) -> Fact {
        match self {
            PullError::NoSource(_) => Fact::new("no_source"),
            PullError::ManySources(_) => Fact::new("many_sources").with("most", MAX_SOURCES),
            PullError::Source(SourceError::Address(address)) => {
                Fact::new("source_address").with("address", address)
            }
            PullError::Source(_) => Fact::new("source_unusable"),
            PullError::NoManifest(cid) => Fact::new("cid_no_model").with("cid", cid),
            PullError::Hash(_) => Fact::new("cid_hash"),
            PullError::Stopping => Fact::new("stopping"),
            PullError::Records(error) => error.fact(),
        }
    }
}

/// All downloads of this node.
#[derive(Clone, Debug)]
pub(crate) struct Downloads {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    rules: Rules,
    records: Records,
    clock: Clock,
    tasks: Tasks,
    drivers: Mutex<BTreeMap<Cid, Handle>>,
    busy: Arc<busy::Busy>,
    all: watch::Sender<Vec<Download>>,
}

/// How a driver is reached.
#[derive(Clone, Debug)]
struct Handle {
    events: mpsc::Sender<DriverCommand>,
    seen: watch::Receiver<Download>,
}

/// What a driver is told from outside.
#[derive(Debug)]
enum DriverCommand {
    Event(Event),
    AddSources(Vec<String>),
}

impl Downloads {
    /// Goes on with what a former run left.
    pub(crate) async fn start(
        rules: Rules,
        records: Records,
        clock: Clock,
        tasks: Tasks,
    ) -> Result<Downloads, RecordsError> {
        let shared = Shared {
            busy: Arc::new(busy::Busy::new(clock.clone())),
            rules,
            records,
            clock,
            tasks,
            drivers: Mutex::new(BTreeMap::new()),
            all: watch::Sender::new(Vec::new()),
        };
        let downloads = Downloads {
            shared: Arc::new(shared),
        };
        for record in downloads.shared.records.downloads().await? {
            let place = format!("row {} of weights_downloads in hearth.db", record.cid);
            match stored::read(&record.state, place) {
                Ok(state) => {
                    downloads.drive(record, state);
                }
                Err(error) => downloads.shared.records.problems().report(error),
            }
        }
        Ok(downloads)
    }

    pub(crate) async fn pull(
        &self,
        cid: Cid,
        sources: Vec<String>,
    ) -> Result<watch::Receiver<Download>, PullError> {
        check_hash(&cid)?;
        if cid.codec() != DAG_CBOR {
            return Err(PullError::NoManifest(cid));
        }
        for source in &sources {
            HttpGateway::new(source, self.shared.rules.http)?;
        }
        if sources.len() > MAX_SOURCES {
            return Err(PullError::ManySources(sources.len()));
        }
        if self.shared.tasks.is_stopped() {
            return Err(PullError::Stopping);
        }
        if let Some(model) = self.shared.records.model(&cid).await? {
            return Ok(self.already_here(&cid, &model.manifest));
        }
        let running = self.drivers().get(&cid).cloned();
        if let Some(handle) = running
            && !handle.events.is_closed()
        {
            let told = handle
                .events
                .send(DriverCommand::AddSources(sources.clone()))
                .await
                .is_ok()
                && handle
                    .events
                    .send(DriverCommand::Event(Event::Resume))
                    .await
                    .is_ok();
            if told {
                return Ok(handle.seen);
            }
        }
        if sources.is_empty() {
            return Err(PullError::NoSource(cid));
        }
        let state = State::Wanted;
        let record = DownloadRecord {
            cid,
            state: stored::write(&state).map_err(RecordsError::from)?,
            sources,
            manifest: None,
            started_at_ms: self.shared.clock.now_ms(),
        };
        self.shared.records.put_download(&record, state.code()).await?;
        Ok(self.drive(record, state))
    }

    pub(crate) fn all(&self) -> watch::Receiver<Vec<Download>> {
        self.shared.all.subscribe()
    }

    pub(crate) async fn pause(&self, cid: &Cid) -> bool {
        self.tell(cid, Event::Pause).await
    }

    pub(crate) async fn resume(&self, cid: &Cid) -> bool {
        self.tell(cid, Event::Resume).await
    }

    pub(crate) async fn cancel(&self, cid: &Cid) -> bool {
        self.tell(cid, Event::Cancel).await
    }

    /// Cancels a download and waits until nothing of it is left.
    pub(crate) async fn give_up(&self, cid: &Cid) {
        let handle = self.drivers().get(cid).cloned();
        if let Some(handle) = handle
            && handle
                .events
                .send(DriverCommand::Event(Event::Cancel))
                .await
                .is_ok()
        {
            handle.events.closed().await;
        }
    }

    /// Drops a finished download from the list.
    pub(crate) fn forget(&self, cid: &Cid) {
        self.shared
            .all
            .send_modify(|all| all.retain(|download| download.cid != *cid));
    }

    /// Where the files of a pulled model lie.
    pub(crate) fn model_folder(&self, cid: &Cid) -> PathBuf {
        self.shared.rules.folder.join(job::model_folder(cid))
    }

    async fn tell(&self, cid: &Cid, event: Event) -> bool {
        let handle = self.drivers().get(cid).cloned();
        match handle {
            Some(handle) => handle.events.send(DriverCommand::Event(event)).await.is_ok(),
            None => false,
        }
    }

    fn drive(&self, record: DownloadRecord, state: State) -> watch::Receiver<Download> {
        let (events, wishes) = mpsc::channel(QUEUE);
        let cid = record.cid;
        let seen = watch::Sender::new(self.shared.view(&record, &state, 0, 0));
        let handle = Handle {
            events,
            seen: seen.subscribe(),
        };
        let receiver = handle.seen.clone();
        self.shared.show(&receiver.borrow());
        self.drivers().insert(cid, handle);
        let driver = driver::Driver::new(Arc::clone(&self.shared), record, state, wishes, seen);
        self.shared.tasks.spawn(&format!("download {cid}"), driver.run());
        receiver
    }

    fn already_here(&self, cid: &Cid, manifest: &crate::manifest::Manifest) -> watch::Receiver<Download> {
        let size_bytes = manifest.size_bytes();
        watch::Sender::new(Download {
            cid: *cid,
            slug: Some(manifest.slug().to_owned()),
            title: Some(manifest.title().to_owned()),
            state: State::Ready { size_bytes },
            arrived_bytes: size_bytes,
            bytes_per_second: 0,
            sources: Vec::new(),
            started_at_ms: self.shared.clock.now_ms(),
        })
        .subscribe()
    }

    fn drivers(&self) -> MutexGuard<'_, BTreeMap<Cid, Handle>> {
        self.shared.drivers.lock()
    }
}

impl Shared {
    fn view(
        &self,
        record: &DownloadRecord,
        state: &State,
        arrived_bytes: u64,
        bytes_per_second: u64,
    ) -> Download {
        // The catalogue may know what it is before anything of it is here.
        let known = catalogue::by_cid(&record.cid).map(|entry| &entry.manifest);
        let manifest = record.manifest.as_ref().or(known);
        Download {
            cid: record.cid,
            slug: manifest.map(|manifest| manifest.slug().to_owned()),
            title: manifest.map(|manifest| manifest.title().to_owned()),
            state: state.clone(),
            arrived_bytes: arrived_bytes.max(state.progress().0),
            bytes_per_second,
            sources: record.sources.clone(),
            started_at_ms: record.started_at_ms,
        }
    }

    /// Puts a download into the list of all.
    fn show(&self, download: &Download) {
        self.all.send_modify(
            |all| match all.iter_mut().find(|shown| shown.cid == download.cid) {
                Some(shown) => shown.clone_from(download),
                None => all.push(download.clone()),
            },
        );
    }

    /// Takes a download that was given up off the list, and its driver out of reach.
    fn drop_download(&self, cid: &Cid) {
        self.drivers.lock().remove(cid);
        self.all
            .send_modify(|all| all.retain(|download| download.cid != *cid));
    }
}

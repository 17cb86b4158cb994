//! The façade: one handle over all models of this node.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use cid::Cid;
use hearth_base::{Clock, Failure, Kind, Tasks};
use hearth_store::Store;
use tokio::sync::watch;

use crate::{
    add::{self, AddError, AddOptions},
    config::{Config, ConfigError},
    disk::{self, Fingerprint},
    download::{Download, Downloads, PullError, Rules},
    filestore::{Blocks, FileStore},
    gateway::{self, Mode},
    inspect::Inspector,
    manifest::Manifest,
    open::{self, OpenError, Verification},
    records::{FileRecord, FinishedFile, ModelRecord, Origin, Records, RecordsError},
    verified::VerifiedModel,
};

/// Why weights cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the weights folder {} cannot be made or read: may this user write there?", folder.display())]
    Folder {
        folder: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl Failure for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Config(_) | Error::Folder { .. } => Kind::Stop,
            Error::Records(error) => error.kind(),
        }
    }
}

/// Why a model cannot be removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveError {
    #[error("there is no model {0} here: `hearth model list` shows what there is")]
    Unknown(Cid),
    #[error("{} cannot be deleted; the model is kept", path.display())]
    Delete {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Records(#[from] RecordsError),
}

/// A model that is here.
#[derive(Clone, Debug)]
pub struct Model {
    /// What it is called, and its files.
    pub manifest: Manifest,
    /// Where it came from.
    pub origin: Origin,
    /// When, in milliseconds since the epoch.
    pub added_at_ms: i64,
    /// When all its bytes were last found right, in milliseconds since the epoch: when it was added, or a check since.
    pub verified_at_ms: Option<i64>,
    /// Its files on disk, in the order of the manifest.
    pub files: Vec<LocalFile>,
}

impl Model {
    /// The model's identity.
    #[must_use]
    pub fn cid(&self) -> &Cid {
        self.manifest.cid()
    }

    /// Whether all files look as they did when they were verified.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.files.iter().all(|file| file.state == FileState::Verified)
    }
}

/// A file of a model on disk.
#[derive(Clone, Debug)]
pub struct LocalFile {
    /// Where it lies.
    pub path: PathBuf,
    /// How it looks now.
    pub state: FileState,
}

/// How a file looks, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// As it did when it was verified.
    Verified,
    /// Not so: it is verified again when it is opened.
    Changed,
    /// It is gone.
    Missing,
}

impl FileState {
    /// The word for the API and the terminal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            FileState::Verified => "verified",
            FileState::Changed => "changed",
            FileState::Missing => "missing",
        }
    }
}

/// What [`Weights::start`] needs.
#[derive(Clone, Debug)]
pub struct Args {
    /// The settings.
    pub config: Config,
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Owner of the tasks.
    pub tasks: Tasks,
    /// The look into a model before it is taken in.
    pub inspector: Inspector,
}

/// All models of this node. Clones share them.
#[derive(Clone, Debug)]
pub struct Weights {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: Config,
    records: Records,
    clock: Clock,
    tasks: Tasks,
    downloads: Downloads,
    blocks: Arc<FileStore>,
    inspector: Inspector,
}

impl Weights {
    /// Starts, and goes on with the downloads that a former run left.
    ///
    /// # Errors
    /// A refused configuration, a folder that cannot be made, a database that does not answer.
    pub async fn start(args: Args) -> Result<Weights, Error> {
        // Downloads open TLS connections.
        hearth_base::tls::init();
        let Args {
            config,
            store,
            clock,
            tasks,
            inspector,
        } = args;
        config.check()?;
        std::fs::create_dir_all(&config.folder).map_err(|source| Error::Folder {
            folder: config.folder.clone(),
            source,
        })?;
        let tasks = tasks.child("weights");
        let records = Records::new(&store);
        let rules = Rules {
            folder: config.folder.clone(),
            quota_bytes: config.quota_bytes,
            keep_free_bytes: config.keep_free_bytes,
            threads: config.hash_threads.get(),
            http: config.http,
            checkpoint_bytes: config.checkpoint_bytes,
            checkpoint_interval: config.checkpoint_interval,
            span_bytes: config.span_bytes,
            backoff: config.backoff,
            inspector: inspector.clone(),
        };
        let downloads = Downloads::start(rules, records.clone(), clock.clone(), tasks.clone()).await?;
        let blocks = Arc::new(FileStore::new(records.clone(), config.folder.clone()));
        Ok(Weights {
            shared: Arc::new(Shared {
                config,
                records,
                clock,
                tasks,
                downloads,
                blocks,
                inspector,
            }),
        })
    }

    /// Signals the end. Downloads write what they have.
    pub fn stop(&self) {
        self.shared.tasks.stop();
    }

    /// Waits for the end.
    pub async fn join(&self) {
        self.shared.tasks.join().await;
    }

    /// Adds a model file or a folder with a model. The files stay where they are: they are hashed, not copied.
    ///
    /// # Errors
    /// Files that cannot be read, cannot be used, make no manifest, or change while they are hashed.
    pub async fn add(&self, path: &Path, options: AddOptions) -> Result<Model, AddError> {
        let threads = self.shared.config.hash_threads.get();
        let (manifest, files) = add::import(path, options, threads, &self.shared.inspector).await?;
        let mut record = ModelRecord {
            manifest,
            origin: Origin::Added,
            added_at_ms: self.shared.clock.now_ms(),
        };
        // A download of the same model has become needless; it must be over before its rows are replaced.
        self.shared.downloads.give_up(record.manifest.cid()).await;
        // A model that was pulled keeps its own files while they are right.
        let former = self.get(record.manifest.cid()).await?;
        let was_pulled = former
            .as_ref()
            .is_some_and(|former| former.origin == Origin::Pulled);
        if let Some(former) = former
            && was_pulled
            && former.is_usable()
        {
            return Ok(former);
        }
        let pulled = self.shared.downloads.model_folder(record.manifest.cid());
        if was_pulled && lie_in(&files, &pulled) {
            // The owner mended the pulled files in their place: they stay the node's own.
            record.origin = Origin::Pulled;
        }
        self.shared.records.put_model(&record, &files).await?;
        if was_pulled && record.origin == Origin::Added {
            // No record names the damaged files any more, and no quota counts them.
            if let Err(error) = disk::remove_folder(&pulled) {
                tracing::warn!(%error, folder = %pulled.display(), "damaged files of a model cannot be deleted: delete them");
            }
        }
        Ok(self.describe(record).await?)
    }

    /// All models, by name.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn list(&self) -> Result<Vec<Model>, RecordsError> {
        let mut models = Vec::new();
        for record in self.shared.records.models().await? {
            models.push(self.describe(record).await?);
        }
        Ok(models)
    }

    /// The model with this identity.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn get(&self, cid: &Cid) -> Result<Option<Model>, RecordsError> {
        match self.shared.records.model(cid).await? {
            Some(record) => Ok(Some(self.describe(record).await?)),
            None => Ok(None),
        }
    }

    /// The model of this name that was added last.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn by_slug(&self, slug: &str) -> Result<Option<Model>, RecordsError> {
        match self.shared.records.model_by_slug(slug).await? {
            Some(record) => Ok(Some(self.describe(record).await?)),
            None => Ok(None),
        }
    }

    /// Opens a model for use. Files that look as they did are taken at once, others are hashed first.
    ///
    /// # Errors
    /// A model that is not here, files that are gone or have other bytes.
    pub async fn open(&self, cid: &Cid) -> Result<VerifiedModel, OpenError> {
        open::open(
            &self.shared.records,
            &self.shared.config.folder,
            self.shared.config.hash_threads.get(),
            cid,
            self.shared.clock.now_ms(),
        )
        .await
    }

    /// Hashes all files of a model, whatever they look like, and notes what was found.
    ///
    /// # Errors
    /// A model that is not here. Wrong files are no error but part of the answer.
    pub async fn verify(&self, cid: &Cid) -> Result<Verification, OpenError> {
        let threads = self.shared.config.hash_threads.get();
        let at_ms = self.shared.clock.now_ms();
        open::verify(
            &self.shared.records,
            &self.shared.config.folder,
            threads,
            cid,
            at_ms,
        )
        .await
    }

    /// Forgets a model. Files that were pulled are deleted, files of the owner's are left alone.
    ///
    /// # Errors
    /// A model that is not here, files that cannot be deleted.
    pub async fn remove(&self, cid: &Cid) -> Result<Model, RemoveError> {
        let record = self
            .shared
            .records
            .model(cid)
            .await?
            .ok_or(RemoveError::Unknown(*cid))?;
        let model = self.describe(record).await?;
        if model.origin == Origin::Pulled {
            let path = self.shared.downloads.model_folder(cid);
            disk::remove_folder(&path).map_err(|source| RemoveError::Delete { path, source })?;
        }
        self.shared.records.delete_model(cid).await?;
        self.shared.downloads.forget(cid);
        Ok(model)
    }

    /// Begins to download a model, or goes on with a download that was paused or failed. `sources` are addresses
    /// of gateways; none means those of the configuration. The answer follows the download to its end; a model
    /// that is here already is `Ready` at once.
    ///
    /// # Errors
    /// Addresses that are none, no source at all, a CID that can name no model.
    pub async fn pull(&self, cid: Cid, sources: &[String]) -> Result<watch::Receiver<Download>, PullError> {
        let sources = if sources.is_empty() {
            self.shared.config.sources.clone()
        } else {
            sources.to_vec()
        };
        self.shared.downloads.pull(cid, sources).await
    }

    /// Whether a pull that names no source has one to ask.
    #[must_use]
    pub fn has_sources(&self) -> bool {
        !self.shared.config.sources.is_empty()
    }

    /// All downloads that are not forgotten: those that run, wait, failed, or were finished since the start.
    #[must_use]
    pub fn downloads(&self) -> watch::Receiver<Vec<Download>> {
        self.shared.downloads.all()
    }

    /// Stops a download; what it has is kept. Answers whether there is one.
    pub async fn pause(&self, cid: &Cid) -> bool {
        self.shared.downloads.pause(cid).await
    }

    /// Goes on with a download that was paused or failed. Answers whether there is one.
    pub async fn resume(&self, cid: &Cid) -> bool {
        self.shared.downloads.resume(cid).await
    }

    /// Gives a download up and deletes what it has. Answers whether there is one.
    pub async fn cancel(&self, cid: &Cid) -> bool {
        self.shared.downloads.cancel(cid).await
    }

    /// The trustless gateway over all models, at `/ipfs/{cid}`.
    pub fn router(&self) -> axum::Router {
        gateway::router(self.blocks(), Mode::Trustless)
    }

    /// The blocks of all models.
    #[must_use]
    pub fn blocks(&self) -> Arc<dyn Blocks> {
        self.shared.blocks.clone()
    }

    async fn describe(&self, record: ModelRecord) -> Result<Model, RecordsError> {
        let files = self.shared.records.files(record.manifest.cid()).await?;
        // A model is as old as its oldest check; one unchecked file leaves it unchecked.
        let checked: Option<Vec<i64>> = files.iter().map(|file| file.verified_at_ms).collect();
        let files = files
            .iter()
            .map(|file| look_at(&self.shared.config.folder, file))
            .collect();
        Ok(Model {
            manifest: record.manifest,
            origin: record.origin,
            added_at_ms: record.added_at_ms,
            verified_at_ms: checked.and_then(|times| times.into_iter().min()),
            files,
        })
    }
}

/// Whether any of the files lies in `folder`. Their paths have no links in them any more.
fn lie_in(files: &[FinishedFile], folder: &Path) -> bool {
    let Ok(folder) = folder.canonicalize() else {
        return false;
    };
    files
        .iter()
        .any(|file| Path::new(&file.disk_path).starts_with(&folder))
}

fn look_at(folder: &Path, file: &FileRecord) -> LocalFile {
    let path = folder.join(&file.disk_path);
    let state = match (Fingerprint::at(&path), &file.fingerprint) {
        (Err(_), _) => FileState::Missing,
        (Ok(now), Some(then)) if then.difference(&now).is_none() => FileState::Verified,
        (Ok(_), _) => FileState::Changed,
    };
    LocalFile { path, state }
}

//! The Models page: what this computer has, what the network offers, downloads and the catalogue.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ErrorDetail, Reason, Timestamp, Upokt};

/// Where a model runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    Local,
    /// On another server of the owner's, a configured backend.
    Server,
    Network,
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelTask {
    Chat,
    Embedding,
    Rerank,
}

impl From<hearth_answers::Task> for ModelTask {
    fn from(task: hearth_answers::Task) -> ModelTask {
        match task {
            hearth_answers::Task::Chat => ModelTask::Chat,
            hearth_answers::Task::Embedding => ModelTask::Embedding,
            hearth_answers::Task::Rerank => ModelTask::Rerank,
        }
    }
}

/// Where a model stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelState {
    Ready,
    Loading,
    Loaded,
    Checking,
    /// Its files do not match their CID.
    Damaged,
    Unavailable,
}

/// A model that can be chosen, or could be if the reason went away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Model {
    /// The name in `/v1`: the slug, `<backend>/<model>` or `pocket/<service>`.
    pub id: String,
    pub kind: ModelKind,
    pub task: ModelTask,
    pub title: String,
    pub state: ModelState,
    pub unavailable: Option<Reason>,
    /// The CID of the manifest. Only local models have one.
    pub cid: Option<String>,
    pub size_bytes: Option<u64>,
    pub context_tokens: Option<u32>,
    pub parameters: Option<u64>,
    pub architecture: Option<String>,
    pub quantisation: Option<String>,
    pub licence: Option<String>,
    pub added_at: Option<Timestamp>,
    pub verified_at: Option<Timestamp>,
    /// The services that this node serves with it; a model in use is not deleted.
    pub serves: Vec<String>,
    /// The service on chain, for a network model.
    pub service: Option<String>,
    pub price_per_answer: Option<Upokt>,
    pub suppliers: Option<u32>,
    /// An own application signs for itself: suppliers can tell that all of its questions are of one owner.
    #[serde(default)]
    pub signs_directly: bool,
}

impl Model {
    /// A model that is no file of this computer and that can be asked.
    #[must_use]
    pub fn elsewhere(id: String, kind: ModelKind, task: ModelTask, title: String) -> Model {
        Model {
            id,
            kind,
            task,
            title,
            state: ModelState::Ready,
            unavailable: None,
            cid: None,
            size_bytes: None,
            context_tokens: None,
            parameters: None,
            architecture: None,
            quantisation: None,
            licence: None,
            added_at: None,
            verified_at: None,
            serves: Vec::new(),
            service: None,
            price_per_answer: None,
            suppliers: None,
            signs_directly: false,
        }
    }

    /// The same, which cannot be asked now if there is a reason.
    #[must_use]
    pub fn unless(mut self, reason: Option<Reason>) -> Model {
        if reason.is_some() {
            self.state = ModelState::Unavailable;
        }
        self.unavailable = reason;
        self
    }
}

/// One list of all models: local first, then the network's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelList {
    pub models: Vec<Model>,
}

impl ModelList {
    /// The model of this computer, or of the owner's servers, that is asked where nobody names one: one that is loaded,
    /// else the first.
    #[must_use]
    pub fn usual(&self) -> Option<&Model> {
        let usable = || {
            self.models
                .iter()
                .filter(|model| model.is_for_chat() && model.kind != ModelKind::Network)
        };
        let loaded = usable().find(|model| model.state == ModelState::Loaded);
        loaded.or_else(|| usable().next())
    }
}

impl Model {
    /// Whether it can be asked for an answer now.
    #[must_use]
    pub fn is_for_chat(&self) -> bool {
        self.task == ModelTask::Chat
            && self.unavailable.is_none()
            && !matches!(self.state, ModelState::Damaged | ModelState::Unavailable)
    }
}

/// Adds a file or folder of this computer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AddModel {
    pub path: String,
}

/// Fetches a model by the CID of its manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PullModel {
    pub cid: String,
    /// A trustless gateway to fetch from; without one those of the configuration.
    pub from: Option<String>,
}

/// The outcome of hashing a model's files again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerifiedModel {
    pub cid: String,
    pub ok: bool,
    pub checked_bytes: u64,
    /// What does not match, by file.
    pub problems: Vec<String>,
}

/// The states of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DownloadState {
    Wanted,
    Locating,
    Fetching,
    Checking,
    Ready,
    Paused,
    Failed,
    Evicting,
}

/// One download.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Download {
    pub cid: String,
    pub title: Option<String>,
    pub state: DownloadState,
    pub have_bytes: u64,
    /// `None` until the manifest is there.
    pub size_bytes: Option<u64>,
    pub bytes_per_second: Option<u64>,
    pub source: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// The same by its code, for surfaces that say it in the person's language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ErrorDetail>,
    pub retry_at: Option<Timestamp>,
}

/// All downloads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DownloadList {
    pub downloads: Vec<Download>,
}

/// How a model of the catalogue fits this computer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    Fits,
    Tight,
    TooBig,
}

/// A model of the built-in catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CatalogueModel {
    pub slug: String,
    pub title: String,
    pub task: ModelTask,
    pub cid: String,
    pub size_bytes: u64,
    pub licence: String,
    pub fit: Fit,
    /// What it needs and what is there: `0.4 GB needed, 21 GB free`.
    pub fit_fact: String,
    pub present: bool,
}

/// The catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Catalogue {
    pub models: Vec<CatalogueModel>,
    /// Whether `weights.gateways` names a source, so that a pull needs none of its own.
    pub source_configured: bool,
}

//! Models on disk, over the weight store.

use std::{collections::BTreeMap, path::Path};

use futures::{StreamExt as _, stream::BoxStream};
use hearth_engine::Hardware;
use hearth_weights::{
    AddOptions, Cid, Download as Pull, DownloadState as State, FileState, Model as Held, ModelKind as Kind,
    OpenError, RemoveError, Weights, catalogue, parse_cid,
};
use tokio_stream::wrappers::WatchStream;

use crate::{
    control::types::{
        Catalogue, CatalogueModel, Changed, Download, DownloadState, ErrorDetail, Event, Fit, Model,
        ModelKind, ModelState, ModelTask, Reason, Timestamp, VerifiedModel,
    },
    error::{ApiError, of_weights},
    parts::{Answer, ModelStore},
};

/// What a model needs beside its weights: caches, the tokenizer, room for the program; a quarter more than its files.
const OVERHEAD_PERCENT: u64 = 125;

/// The weight store behind the API.
pub struct WeightModelStore {
    pub weights: Weights,
    /// Model slug or CID → services that this node sells with it.
    pub serves: BTreeMap<String, Vec<String>>,
}

impl WeightModelStore {
    fn model(&self, held: &Held) -> Model {
        let manifest = &held.manifest;
        let cid = held.cid().to_string();
        let wrong = held.files.iter().find(|file| file.state != FileState::Verified);
        let services = [manifest.slug(), cid.as_str()]
            .into_iter()
            .filter_map(|name| self.serves.get(name));
        Model {
            id: manifest.slug().to_owned(),
            kind: ModelKind::Local,
            task: task(manifest.kind()),
            title: manifest.title().to_owned(),
            state: if wrong.is_some() {
                ModelState::Damaged
            } else {
                ModelState::Ready
            },
            unavailable: wrong.map(|file| Reason {
                code: "model_changed".to_owned(),
                fact: Some(format!("{} is {}", file.path.display(), file.state.as_str())),
                meaning: "Its files are not as they were verified, so it is not used.".to_owned(),
                remedy: Some("Verify it, or add it again.".to_owned()),
            }),
            cid: Some(cid.clone()),
            size_bytes: Some(manifest.size_bytes()),
            context_tokens: None,
            parameters: None,
            architecture: None,
            quantisation: None,
            licence: Some(manifest.licence().to_owned()).filter(|licence| !licence.is_empty()),
            added_at: Some(Timestamp::from_ms(held.added_at_ms)),
            verified_at: held.verified_at_ms.map(Timestamp::from_ms),
            serves: services.flatten().cloned().collect(),
            service: None,
            price_per_answer: None,
            suppliers: None,
            signs_directly: false,
        }
    }

    fn download(&self, cid: &Cid) -> Answer<Download> {
        let all = self.weights.downloads();
        let found = all.borrow().iter().find(|pull| pull.cid == *cid).map(download);
        found.ok_or_else(|| ApiError::not_found("download"))
    }
}

#[async_trait::async_trait]
impl ModelStore for WeightModelStore {
    async fn list(&self) -> Answer<Vec<Model>> {
        let held = self
            .weights
            .list()
            .await
            .map_err(|error| ApiError::internal(&error))?;
        let mut models: Vec<Model> = held.iter().map(|held| self.model(held)).collect();
        models.sort_by(|one, other| one.title.cmp(&other.title));
        Ok(models)
    }

    async fn add(&self, path: &str) -> Answer<Model> {
        std::fs::metadata(path).map_err(|error| unseen(path, &error))?;
        let held = self
            .weights
            .add(Path::new(path), AddOptions::default())
            .await
            .map_err(|error| of_weights(error.fact(), &error))?;
        Ok(self.model(&held))
    }

    async fn pull(&self, cid: &str, from: Option<&str>) -> Answer<Download> {
        let cid = parse(cid)?;
        let sources: Vec<String> = from.map(str::to_owned).into_iter().collect();
        let pull = self.weights.pull(cid, &sources).await;
        let pull = pull.map_err(|error| of_weights(error.fact(), &error))?;
        let now = download(&pull.borrow());
        Ok(now)
    }

    async fn verify(&self, cid: &str) -> Answer<VerifiedModel> {
        let found = self.weights.verify(&parse(cid)?).await.map_err(open_error)?;
        let problem = |name: &str, wrong: &str| format!("{name}: {wrong}");
        Ok(VerifiedModel {
            cid: found.cid.to_string(),
            ok: found.is_intact(),
            checked_bytes: found.files.iter().map(|file| file.size_bytes).sum(),
            problems: found
                .files
                .iter()
                .filter_map(|file| file.wrong.as_ref().map(|wrong| problem(&file.name, wrong)))
                .collect(),
        })
    }

    async fn delete(&self, cid: &str) -> Answer<()> {
        let cid = parse(cid)?;
        let held = self
            .weights
            .get(&cid)
            .await
            .map_err(|error| ApiError::internal(&error))?;
        let model = held
            .as_ref()
            .map(|held| self.model(held))
            .ok_or_else(|| ApiError::not_found("model"))?;
        if !model.serves.is_empty() {
            let text = format!("{} serves {}", model.title, model.serves.join(", "));
            return Err(ApiError::conflict("model_in_use", text)
                .remedy("It is what this node sells: take the service out of `miner.services` in config.toml and restart. A \
                         devnet of this computer sells its demo model as long as it runs."));
        }
        self.weights.remove(&cid).await.map(drop).map_err(remove_error)
    }

    async fn downloads(&self) -> Answer<Vec<Download>> {
        Ok(self.weights.downloads().borrow().iter().map(download).collect())
    }

    async fn pause(&self, cid: &str) -> Answer<Download> {
        let cid = parse(cid)?;
        self.weights.pause(&cid).await;
        self.download(&cid)
    }

    async fn resume(&self, cid: &str) -> Answer<Download> {
        let cid = parse(cid)?;
        self.weights.resume(&cid).await;
        self.download(&cid)
    }

    async fn cancel(&self, cid: &str) -> Answer<()> {
        let cid = parse(cid)?;
        if self.weights.cancel(&cid).await {
            Ok(())
        } else {
            Err(ApiError::not_found("download"))
        }
    }

    async fn catalogue(&self) -> Answer<Catalogue> {
        let held = self
            .weights
            .list()
            .await
            .map_err(|error| ApiError::internal(&error))?;
        let hardware = tokio::task::spawn_blocking(Hardware::probe)
            .await
            .map_err(|error| ApiError::internal(&error))?;
        let models = catalogue::entries().iter().map(|entry| {
            let manifest = &entry.manifest;
            let needed = manifest.size_bytes() * OVERHEAD_PERCENT / 100;
            CatalogueModel {
                slug: manifest.slug().to_owned(),
                title: manifest.title().to_owned(),
                task: task(manifest.kind()),
                cid: manifest.cid().to_string(),
                size_bytes: manifest.size_bytes(),
                licence: manifest.licence().to_owned(),
                fit: fit(needed, &hardware),
                fit_fact: format!(
                    "{} needed, {} free",
                    gigabytes(needed),
                    gigabytes(hardware.available_bytes)
                ),
                present: held.iter().any(|held| held.cid() == manifest.cid()),
            }
        });
        Ok(Catalogue {
            models: models.collect(),
            source_configured: self.weights.has_sources(),
        })
    }

    fn events(&self) -> BoxStream<'static, Event> {
        let mut told: BTreeMap<Cid, Download> = BTreeMap::new();
        WatchStream::from_changes(self.weights.downloads())
            .flat_map(move |pulls| {
                let mut events = Vec::new();
                for pull in &pulls {
                    let now = download(pull);
                    if told.get(&pull.cid) == Some(&now) {
                        continue;
                    }
                    if now.state == DownloadState::Ready {
                        events.push(Event::Models(Changed { height: None }));
                    }
                    events.push(Event::Download(now.clone()));
                    told.insert(pull.cid, now);
                }
                futures::stream::iter(events)
            })
            .boxed()
    }
}

fn task(kind: Kind) -> ModelTask {
    match kind {
        Kind::Chat => ModelTask::Chat,
        Kind::Embedding => ModelTask::Embedding,
    }
}

fn fit(needed: u64, hardware: &Hardware) -> Fit {
    if needed <= hardware.available_bytes {
        Fit::Fits
    } else if needed <= hardware.memory_bytes {
        Fit::Tight
    } else {
        Fit::TooBig
    }
}

fn gigabytes(bytes: u64) -> String {
    format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10)
}

fn parse(cid: &str) -> Answer<Cid> {
    parse_cid(cid).map_err(|error| {
        let shown = error.text().to_owned();
        ApiError::refused("cid_wrong", error.to_string()).value("text", shown)
    })
}

fn download(pull: &Pull) -> Download {
    let state = match &pull.state {
        State::Wanted => DownloadState::Wanted,
        State::Locating { .. } => DownloadState::Locating,
        State::Fetching { .. } => DownloadState::Fetching,
        State::Checking { .. } => DownloadState::Checking,
        State::Ready { .. } => DownloadState::Ready,
        State::Paused { .. } => DownloadState::Paused,
        State::Failed { .. } => DownloadState::Failed,
        State::Evicting => DownloadState::Evicting,
    };
    let (_, size) = pull.state.progress();
    let (error, reason, retry_at) = match &pull.state {
        State::Failed {
            why,
            code,
            values,
            retry_at_ms,
            ..
        } => {
            let reason = code.as_ref().map(|code| ErrorDetail {
                code: code.clone(),
                message: why.clone(),
                values: values.clone(),
                ..ErrorDetail::default()
            });
            (Some(why.clone()), reason, retry_at_ms.map(Timestamp::from_ms))
        }
        State::Wanted
        | State::Locating { .. }
        | State::Fetching { .. }
        | State::Checking { .. }
        | State::Ready { .. }
        | State::Paused { .. }
        | State::Evicting => (None, None, None),
    };
    Download {
        cid: pull.cid.to_string(),
        title: pull.title.clone(),
        state,
        have_bytes: pull.arrived_bytes,
        size_bytes: (size > 0).then_some(size),
        bytes_per_second: (pull.bytes_per_second > 0).then_some(pull.bytes_per_second),
        source: pull.sources.first().cloned(),
        error,
        reason,
        retry_at,
    }
}

/// A file that is not there for this process, or that its user may not look at.
fn unseen(path: &str, error: &std::io::Error) -> ApiError {
    let refused = if error.kind() == std::io::ErrorKind::PermissionDenied {
        ApiError::refused("file_denied", format!("Hearth may not read {path}"))
    } else {
        ApiError::refused("file_unseen", format!("Hearth cannot see {path}"))
    };
    refused.value("path", path).details(error.to_string())
}

fn open_error(error: OpenError) -> ApiError {
    ApiError::conflict("model_unusable", hearth_base::failure::chain(&error))
}

fn remove_error(error: RemoveError) -> ApiError {
    let text = hearth_base::failure::chain(&error);
    match error {
        RemoveError::Unknown(_) => ApiError::not_found("model"),
        RemoveError::Delete { .. } => ApiError::conflict("model_files", text),
        RemoveError::Records(error) => ApiError::internal(&error),
    }
}

//! The loaded models by name: load on demand, one at a time; unload when idle or when memory is short.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hearth_base::{Clock, Tasks};
use hearth_engine::{Engine, LoadError, ModelHandle, ModelInfo, ModelSource, Priority};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use crate::{
    backend::ModelEntry,
    config::Config,
    error::{Code, Error, damaged, internal, load_error},
};

/// How often the models are looked at for idleness, unless they may be idle for less than twice as long.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Why the library does not give a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LibraryError {
    #[error("there is no model \"{0}\" here")]
    Unknown(String),
    #[error("{name} cannot be used: {why}")]
    Unusable { name: String, why: String },
}

/// Knows which models there are, and gives the files of one after they were verified.
#[async_trait::async_trait]
pub trait Library: Send + Sync + 'static {
    /// All models that could be loaded, by name.
    async fn list(&self) -> Vec<ModelEntry>;

    /// The verified files of a model.
    async fn open(&self, name: &str) -> Result<ModelSource, LibraryError>;

    /// What exactly a model is: the address of its content; `None` where it has none.
    async fn address(&self, _name: &str) -> Option<String> {
        None
    }
}

/// What [`Models::start`] needs.
pub struct Args {
    pub config: Config,
    pub engine: Engine,
    pub library: Arc<dyn Library>,
    pub clock: Clock,
    pub tasks: Tasks,
}

/// A model in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedModel {
    pub info: ModelInfo,
    /// Answers that it is writing.
    pub running: usize,
}

/// What is in memory and what runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The model that is being loaded.
    pub loading: Option<String>,
    pub loaded: BTreeMap<String, LoadedModel>,
    /// Answers for the owner of this computer.
    pub running_local: usize,
    /// Answers for the network.
    pub running_paid: usize,
}

/// The models of this node. Clones are the same.
#[derive(Clone)]
pub struct Models {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    engine: Engine,
    library: Arc<dyn Library>,
    clock: Clock,
    tasks: Tasks,
    /// Held while a model is loaded: two at once would both count on the same free memory.
    loading: tokio::sync::Mutex<()>,
    /// Held for moments only, never across an await.
    loaded: Mutex<BTreeMap<String, Loaded>>,
    snapshot: watch::Sender<Snapshot>,
}

struct Loaded {
    handle: ModelHandle,
    address: Option<String>,
    running: usize,
    used_ms: i64,
}

/// A model that is held in memory while an answer runs.
pub(crate) struct Lease {
    models: Models,
    name: String,
    priority: Priority,
    pub(crate) handle: ModelHandle,
    /// The address of the model's content.
    pub(crate) address: Option<String>,
}

impl Models {
    /// Starts with no model in memory.
    #[must_use]
    pub fn start(args: Args) -> Models {
        let inner = Inner {
            config: args.config,
            engine: args.engine,
            library: args.library,
            clock: args.clock,
            tasks: args.tasks,
            loading: tokio::sync::Mutex::new(()),
            loaded: Mutex::default(),
            snapshot: watch::Sender::default(),
        };
        let models = Models {
            inner: Arc::new(inner),
        };
        if !args.config.idle_unload.is_zero() {
            let look_every = LOOK_EVERY.min(args.config.idle_unload / 2);
            let weak = Arc::downgrade(&models.inner);
            models
                .inner
                .tasks
                .spawn_until_stopped("unload idle models", async move {
                    loop {
                        tokio::time::sleep(look_every).await;
                        let Some(inner) = weak.upgrade() else { return };
                        Models { inner }.unload_idle();
                    }
                });
        }
        models
    }

    /// Unloads all models that are idle; those in use go when their answers end.
    pub fn stop(&self) {
        self.inner.tasks.stop();
        self.loaded().clear();
        self.publish();
    }

    /// Waits for the tasks.
    pub async fn join(&self) {
        self.inner.tasks.join().await;
    }

    /// All models that could be loaded.
    pub async fn list(&self) -> Vec<ModelEntry> {
        self.inner.library.list().await
    }

    /// What is in memory, now and at every change.
    #[must_use]
    pub fn snapshot(&self) -> watch::Receiver<Snapshot> {
        self.inner.snapshot.subscribe()
    }

    /// What the computer has to compute with.
    #[must_use]
    pub fn hardware(&self) -> &hearth_engine::Hardware {
        self.inner.engine.hardware()
    }

    pub(crate) fn now_seconds(&self) -> i64 {
        self.inner.clock.now_ms() / 1000
    }

    /// Loads a model, if it is not in memory already.
    ///
    /// # Errors
    /// No such model, files that cannot be used, too little memory.
    pub async fn load(&self, name: &str) -> Result<ModelInfo, Error> {
        if let Some(handle) = self.touch(name) {
            return Ok(handle.info().clone());
        }
        let _one_at_a_time = self.inner.loading.lock().await;
        // Whoever waited for the same model finds it loaded.
        if let Some(handle) = self.touch(name) {
            return Ok(handle.info().clone());
        }
        let source = self.inner.library.open(name).await.map_err(|error| match error {
            LibraryError::Unknown(name) => Error::no_model(&name),
            LibraryError::Unusable { ref name, .. } => {
                // The words name paths, which are not for whoever asks over the network.
                tracing::warn!(%error, "a model cannot be used");
                damaged(name)
            }
        })?;
        self.inner
            .snapshot
            .send_modify(|snapshot| snapshot.loading = Some(name.to_owned()));
        let loaded = self.make_room_and_load(name, source).await;
        self.inner
            .snapshot
            .send_modify(|snapshot| snapshot.loading = None);
        let handle = loaded?;
        let address = self.inner.library.address(name).await;
        let info = handle.info().clone();
        let used_ms = self.inner.clock.now_ms();
        self.loaded().insert(
            name.to_owned(),
            Loaded {
                handle,
                address,
                running: 0,
                used_ms,
            },
        );
        self.publish();
        Ok(info)
    }

    /// The model to take where a request names none: the only one in memory, else the only one there is.
    pub(crate) async fn only_one(&self) -> Result<String, Error> {
        let loaded: Vec<String> = self.loaded().keys().cloned().collect();
        let mut names = if loaded.len() == 1 {
            loaded
        } else {
            self.list().await.into_iter().map(|model| model.name).collect()
        };
        match (names.pop(), names.is_empty()) {
            (Some(only), true) => Ok(only),
            (_, _) => Err(Error::bad_field(
                "model",
                "model is missing: GET /v1/models lists those there are",
            )),
        }
    }

    /// Takes a model out of memory. An answer that it is writing goes on to its end.
    pub fn unload(&self, name: &str) -> bool {
        let was_there = self.loaded().remove(name).is_some();
        self.publish();
        was_there
    }

    /// A model in memory that stays there for the length of an answer.
    pub(crate) async fn lease(&self, name: &str, priority: Priority) -> Result<Lease, Error> {
        // It could be unloaded between loading and leasing, but not twice in a row by anything but a person.
        for _ in 0..2 {
            self.load(name).await?;
            let held = self.loaded().get_mut(name).map(|model| {
                model.running += 1;
                (model.handle.clone(), model.address.clone())
            });
            if let Some((handle, address)) = held {
                self.count(priority, true);
                return Ok(Lease {
                    models: self.clone(),
                    name: name.to_owned(),
                    priority,
                    handle,
                    address,
                });
            }
        }
        Err(Error::new(
            Code::ModelUnloaded,
            format!("{name} was unloaded just now: try again"),
        )
        .retry_after(1))
    }

    async fn make_room_and_load(&self, name: &str, source: ModelSource) -> Result<ModelHandle, Error> {
        while self.loaded().len() >= self.inner.config.max_loaded.max(1) && self.unload_oldest() {}
        let source = Arc::new(source);
        loop {
            let (engine, files) = (self.inner.engine.clone(), Arc::clone(&source));
            let result = tokio::task::spawn_blocking(move || engine.load(&files)).await;
            match result {
                Ok(Ok(handle)) => return Ok(handle),
                Ok(Err(LoadError::TooLarge { .. })) if self.unload_oldest() => {}
                Ok(Err(error)) => {
                    tracing::warn!(model = name, %error, "a model could not be loaded");
                    return Err(load_error(name, &error));
                }
                Err(error) => {
                    tracing::error!(model = name, %error, "loading a model panicked");
                    return Err(internal());
                }
            }
        }
    }

    /// The model, if it is in memory. One whose files changed on disk is let go, so that the library looks at them
    /// again: it alone can say whether they are right.
    fn touch(&self, name: &str) -> Option<ModelHandle> {
        let now_ms = self.inner.clock.now_ms();
        let handle = self.loaded().get_mut(name).map(|model| {
            model.used_ms = now_ms;
            model.handle.clone()
        })?;
        if handle.is_usable() {
            return Some(handle);
        }
        tracing::warn!(
            model = name,
            "the model's files changed on disk: it is loaded anew"
        );
        self.unload(name);
        None
    }

    /// Unloads the model that was used least recently and writes nothing. Says whether there was one.
    fn unload_oldest(&self) -> bool {
        let oldest = {
            let loaded = self.loaded();
            let idle = loaded.iter().filter(|(_, model)| model.running == 0);
            idle.min_by_key(|(_, model)| model.used_ms)
                .map(|(name, _)| name.clone())
        };
        oldest.is_some_and(|name| self.unload(&name))
    }

    fn unload_idle(&self) {
        let limit_ms = i64::try_from(self.inner.config.idle_unload.as_millis()).unwrap_or(i64::MAX);
        let before_ms = self.inner.clock.now_ms().saturating_sub(limit_ms);
        let n_before = self.loaded().len();
        self.loaded()
            .retain(|_, model| model.running > 0 || model.used_ms > before_ms);
        if self.loaded().len() != n_before {
            self.publish();
        }
    }

    fn end(&self, name: &str, priority: Priority) {
        let now_ms = self.inner.clock.now_ms();
        if let Some(model) = self.loaded().get_mut(name) {
            // A model that was unloaded and loaded again meanwhile has not counted this answer.
            model.running = model.running.saturating_sub(1);
            model.used_ms = now_ms;
        }
        self.count(priority, false);
    }

    fn count(&self, priority: Priority, begins: bool) {
        self.inner.snapshot.send_modify(|snapshot| {
            let running = match priority {
                Priority::Local => &mut snapshot.running_local,
                Priority::Paid => &mut snapshot.running_paid,
            };
            *running = if begins {
                *running + 1
            } else {
                running.saturating_sub(1)
            };
        });
        self.publish();
    }

    fn publish(&self) {
        let loaded: BTreeMap<String, LoadedModel> = self
            .loaded()
            .iter()
            .map(|(name, model)| {
                (
                    name.clone(),
                    LoadedModel {
                        info: model.handle.info().clone(),
                        running: model.running,
                    },
                )
            })
            .collect();
        self.inner.snapshot.send_if_modified(|snapshot| {
            let changed = snapshot.loaded != loaded;
            snapshot.loaded = loaded;
            changed
        });
    }

    fn loaded(&self) -> MutexGuard<'_, BTreeMap<String, Loaded>> {
        // No call while it is held can panic half-way through a change.
        self.inner.loaded.lock()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.models.end(&self.name, self.priority);
    }
}

impl std::fmt::Debug for Models {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Models")
            .field(&*self.inner.snapshot.borrow())
            .finish()
    }
}

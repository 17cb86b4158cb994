//! A shelf of tiny models.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hearth_answers::{
    Args, Config, HttpAnswer, HttpRequest, Library, LibraryError, ModelEntry, Models, Priority, serve_http,
};
use hearth_base::{Clock, Tasks};
use hearth_engine::{Engine, ModelSource};
use serde_json::Value;

/// Gives the files that tests put there.
#[derive(Default)]
pub(crate) struct TestLibrary {
    pub(crate) files: Mutex<Vec<(String, PathBuf)>>,
    pub(crate) opened: AtomicUsize,
}

#[async_trait::async_trait]
impl Library for TestLibrary {
    async fn list(&self) -> Vec<ModelEntry> {
        let files = self.files.lock().unwrap();
        files
            .iter()
            .map(|(name, _)| ModelEntry {
                name: name.clone(),
                added_at: 7,
            })
            .collect()
    }

    async fn open(&self, name: &str) -> Result<ModelSource, LibraryError> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        let files = self.files.lock().unwrap();
        let (_, path) = files
            .iter()
            .find(|(known, _)| known == name)
            .ok_or_else(|| LibraryError::Unknown(name.into()))?;
        ModelSource::at(name, path).map_err(|error| LibraryError::Unusable {
            name: name.into(),
            why: error.to_string(),
        })
    }
}

/// Models with `chat`, `embed` and `broken`, in a folder that lives as long.
pub(crate) struct World {
    pub(crate) models: Models,
    pub(crate) engine: Engine,
    pub(crate) library: Arc<TestLibrary>,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) fn world(config: Config) -> World {
    let folder = tempfile::tempdir().unwrap();
    let made = |name: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    };
    let chat = hearth_engine::testing::tiny_llama(&made("chat")).unwrap();
    let embed = hearth_engine::testing::tiny_bert(&made("embed")).unwrap();
    let broken = folder.path().join("broken.gguf");
    std::fs::write(&broken, b"GGUF but no more").unwrap();
    let library = Arc::new(TestLibrary::default());
    for (name, path) in [("chat", chat), ("embed", embed), ("broken", broken)] {
        library.files.lock().unwrap().push((name.to_owned(), path));
    }
    let engine = hearth_engine::Config {
        threads: 1,
        ..hearth_engine::Config::default()
    };
    let engine = Engine::start(engine).unwrap();
    let (clock, tasks) = (Clock::test(1_000_000), Tasks::root());
    let models = Models::start(Args {
        config,
        engine: engine.clone(),
        library: library.clone(),
        clock: clock.clone(),
        tasks: tasks.clone(),
    });
    World {
        models,
        engine,
        library,
        clock,
        tasks,
        folder,
    }
}

impl World {
    pub(crate) async fn post(&self, path: &str, body: Value) -> HttpAnswer {
        let body = serde_json::to_vec(&body).unwrap().into();
        let request = HttpRequest {
            method: "POST".into(),
            path: path.into(),
            body,
            priority: Priority::Local,
            model: None,
        };
        serve_http(&self.models, request).await
    }

    pub(crate) async fn json(&self, path: &str, body: Value) -> (u16, Value) {
        let answer = self.post(path, body).await;
        (
            answer.status,
            serde_json::from_slice(&answer.body.collect().await).unwrap(),
        )
    }

    /// Waits until this many answers run.
    pub(crate) async fn until_running(&self, n: usize) {
        let mut snapshot = self.models.snapshot();
        let waited = snapshot.wait_for(|snapshot| snapshot.running_local == n);
        tokio::time::timeout(Duration::from_secs(20), waited)
            .await
            .expect("the count is reached")
            .unwrap();
    }
}

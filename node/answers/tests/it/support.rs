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
    Args, Config, EngineBackend, Library, LibraryError, ModelEntry, Models, Principal, Task,
    openai::{HttpAnswer, serve},
};
use hearth_base::{Clock, Tasks};
use hearth_engine::{
    Engine, ModelSource,
    testing::{Tiny, WriteType},
};
use serde_json::Value;

/// As Qwen's family writes tools and reasoning.
const TOOL_TEMPLATE: &str = "{% if tools %}<|im_start|>system\n{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}\
     <tool_call>{\"name\": NAME, \"arguments\": ARGS}</tool_call><|im_end|>\n{% endif %}\
     {% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}\
     {% for call in message.tool_calls or [] %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}\
     <|im_end|>\n{% endfor %}<|im_start|>assistant\n\
     {% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}";

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
                task: Task::Chat,
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
    let tools = made("tools").join("tools.gguf");
    let tiny = Tiny {
        context: 2048,
        template: TOOL_TEMPLATE,
        ..Tiny::new(WriteType::Q4_1)
    };
    std::fs::write(&tools, tiny.llama().bytes()).unwrap();
    for (name, path) in [
        ("chat", chat),
        ("embed", embed),
        ("broken", broken),
        ("tools", tools),
    ] {
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
        self.call("POST", path, body, &Principal::Owner).await
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        body: Value,
        principal: &Principal,
    ) -> HttpAnswer {
        let backend = EngineBackend::new(self.models.clone(), 4);
        serve(&backend, method, path, body.to_string().into(), principal).await
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

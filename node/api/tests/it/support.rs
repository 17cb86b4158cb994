//! An API over small parts and tiny models.

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures::StreamExt;
use hearth_answers::{EngineBackend, Library, LibraryError, ModelEntry, Models, Router, sse};
use hearth_api::{
    Api, Args, Config,
    control::types::{NetworkName, Setup},
    parts::Parts,
};
use hearth_base::{Clock, Tasks};
use hearth_chats::PdfReader;
use hearth_engine::{Engine, ModelSource};
use hearth_store::Store;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use tokio::sync::watch;

use crate::{host::Program, parts::Fake};

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

struct Files(PathBuf);

#[async_trait::async_trait]
impl Library for Files {
    async fn list(&self) -> Vec<ModelEntry> {
        Vec::new()
    }
    async fn open(&self, name: &str) -> Result<ModelSource, LibraryError> {
        let unknown = || LibraryError::Unknown(name.into());
        let path = match name {
            "chat" => hearth_engine::testing::tiny_llama(&self.0),
            "embed" => hearth_engine::testing::tiny_bert(&self.0),
            _ => return Err(unknown()),
        };
        ModelSource::at(name, &path.unwrap()).map_err(|_| unknown())
    }
}

/// A running API.
pub(crate) struct World {
    pub(crate) api: Api,
    pub(crate) fake: Arc<Fake>,
    pub(crate) models: Models,
    pub(crate) setup: watch::Sender<Setup>,
    pub(crate) clock: Clock,
    pub(crate) http: reqwest::Client,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) fn config(is_devnet: bool) -> Config {
    let network = NetworkName {
        name: "test".into(),
        chain_id: "test".into(),
        is_devnet,
    };
    Config {
        drain: Duration::from_millis(300),
        max_body_bytes: 100_000,
        ..Config::new(([127, 0, 0, 1], 0).into(), network)
    }
}

pub(crate) async fn world() -> World {
    with(config(true), Fake::default()).await
}

pub(crate) async fn with(config: Config, fake: Fake) -> World {
    hearth_base::tls::init();
    let folder = tempfile::tempdir().unwrap();
    let (args, fake, models, setup, clock) = args(config, fake, folder.path()).await;
    let api = Api::start(args).await.unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    World {
        api,
        fake,
        models,
        setup,
        clock,
        http,
        folder,
    }
}

pub(crate) async fn args(
    config: Config,
    fake: Fake,
    folder: &std::path::Path,
) -> (Args, Arc<Fake>, Models, watch::Sender<Setup>, Clock) {
    let path = folder.join("hearth.db");
    let store = Store::open(hearth_store::Config {
        path,
        chain_id: "test".into(),
        max_pages: None,
    })
    .await
    .unwrap();
    let (clock, tasks) = (Clock::test(1_700_000_000_000), Tasks::root());
    let engine = hearth_engine::Config {
        threads: 1,
        ..hearth_engine::Config::default()
    };
    let models = Models::start(hearth_answers::Args {
        config: hearth_answers::Config::default(),
        engine: Engine::start(engine).unwrap(),
        library: Arc::new(Files(folder.to_owned())),
        clock: clock.clone(),
        tasks: tasks.child("models"),
    });
    let fake = Arc::new(fake);
    let setup = watch::Sender::new(Setup {
        done: true,
        ..Setup::default()
    });
    let parts = Parts {
        earn: fake.clone(),
        keyring: fake.clone(),
        money: fake.clone(),
        roles: fake.clone(),
        network: fake.clone(),
        model_store: fake.clone(),
        relay: fake.clone(),
    };
    let args = Args {
        config,
        token: TOKEN.into(),
        store,
        clock: clock.clone(),
        tasks: tasks.child("api"),
        host: Arc::new(Program {
            setup: setup.clone(),
            home: folder.join("home"),
            backups: watch::Sender::default(),
        }),
        models: models.clone(),
        router: Arc::new(Router::new(
            Arc::new(EngineBackend::new(models.clone(), 4)),
            Some(fake.clone()),
            fake.servers.clone(),
            fake.aliases.clone(),
        )),
        parts,
        pdf: PdfReader::new(
            std::env::current_exe().unwrap(),
            ["chats::as_pdf_reader", "--exact", "--nocapture"]
                .map(Into::into)
                .to_vec(),
        ),
        ipfs: axum::Router::new().route("/ipfs/{cid}", axum::routing::get(|| std::future::ready("block"))),
    };
    (args, fake, models, setup, clock)
}

/// A sign-in as a browser has it.
#[derive(Clone)]
pub(crate) struct SignedIn {
    pub(crate) cookie: String,
    pub(crate) page_key: String,
}

impl SignedIn {
    /// The sign-in that an answer brings.
    pub(crate) async fn of(response: Response) -> SignedIn {
        assert_eq!(response.status(), 200);
        let cookie = response.headers()["set-cookie"].to_str().unwrap();
        SignedIn {
            cookie: cookie.split(';').next().unwrap().to_owned(),
            page_key: json(response).await["page_key"].as_str().unwrap().to_owned(),
        }
    }
}

impl World {
    pub(crate) async fn sign_in(&self) -> SignedIn {
        let call = self.bare(Method::POST, "/api/v1/auth/session");
        let token = serde_json::json!({"token": TOKEN});
        SignedIn::of(call.json(&token).send().await.unwrap()).await
    }

    /// A call of the page.
    pub(crate) fn page(&self, method: Method, path: &str, by: &SignedIn) -> RequestBuilder {
        self.bare(method, path)
            .header("cookie", &by.cookie)
            .header("x-hearth-page", &by.page_key)
    }

    /// A call with nothing shown.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("http://{}{path}", self.api.addr()))
    }

    /// A call of the control API by the owner.
    pub(crate) fn own(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, &format!("/api/v1{path}")).bearer_auth(TOKEN)
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        json(self.own(Method::GET, path).send().await.unwrap()).await
    }

    /// Makes a key with these limits, and gives its id and secret.
    pub(crate) async fn key(&self, limits: Value) -> (String, String) {
        let list: hearth_api::control::types::ApiKeyList =
            serde_json::from_value(self.get("/keys").await).unwrap();
        let name = hearth_api::free_name(&list.keys, "editor");
        let made = self
            .post("/keys", serde_json::json!({"name": name, "limits": limits}))
            .await;
        let text = |place: &str| {
            made.pointer(place)
                .and_then(Value::as_str)
                .unwrap_or_else(|| panic!("{made}"))
                .to_owned()
        };
        (text("/key/id"), text("/secret"))
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        json(self.own(Method::POST, path).json(&body).send().await.unwrap()).await
    }
}

pub(crate) async fn json(response: Response) -> Value {
    response.json().await.unwrap()
}

/// All events of a stream, to its end.
pub(crate) async fn events(response: Response) -> Vec<Value> {
    assert_eq!(response.status(), 200);
    let bytes = response.bytes().await.unwrap();
    let events = sse::Reader::new().push(&bytes).unwrap();
    events
        .into_iter()
        .filter(|event| event.data != sse::DONE)
        .map(|event| serde_json::from_str(&event.data).unwrap())
        .collect()
}

/// Reads a stream until an event fits, and gives it.
pub(crate) async fn until(response: Response, fits: impl Fn(&Value) -> bool) -> Value {
    let mut reader = sse::Reader::new();
    let mut stream = response.bytes_stream();
    let waited = async {
        while let Some(piece) = stream.next().await {
            for event in reader.push(&piece.unwrap()).unwrap() {
                let value: Value = serde_json::from_str(&event.data).unwrap();
                if fits(&value) {
                    return value;
                }
            }
        }
        panic!("the stream ended without it");
    };
    tokio::time::timeout(Duration::from_secs(20), waited)
        .await
        .expect("the event comes")
}

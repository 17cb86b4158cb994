//! A gateway with its chain and suppliers.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt;
use hearth_base::{ChainId, Clock, ServiceId, Tasks};
use hearth_pocket::{SecretKey, Signer};
use hearth_store::Store;

use super::{
    chain::{SERVICE, SmallChain, key},
    supplier::{Behaviour, FakeSupplier},
};
use crate::{Answer, Args, Config, Error, Gateway, Keys, Receipt, RefusalReason, Request, SupplierError};

/// The gateway's key, and that of the application where it is this node's own.
struct OwnKeys {
    gateway: Arc<SecretKey>,
    application: Option<Arc<SecretKey>>,
}

impl Keys for OwnKeys {
    fn signer(&self) -> Option<Arc<dyn Signer>> {
        Some(Arc::clone(&self.gateway) as Arc<dyn Signer>)
    }

    fn applications(&self) -> Vec<Arc<dyn Signer>> {
        let own = self.application.iter();
        own.map(|key| Arc::clone(key) as Arc<dyn Signer>).collect()
    }
}

/// A gateway with its chain and suppliers.
pub(super) struct World {
    pub(super) gateway: Gateway,
    pub(super) chain: Arc<SmallChain>,
    pub(super) suppliers: Vec<FakeSupplier>,
    config: Config,
    own_application: bool,
    tasks: Tasks,
    folder: tempfile::TempDir,
}

async fn open(folder: &tempfile::TempDir) -> Store {
    Store::open(hearth_store::Config {
        path: folder.path().join("hearth.db"),
        chain_id: ChainId::new("test"),
        max_pages: None,
    })
    .await
    .unwrap()
}

fn start(
    config: &Config,
    own_application: bool,
    chain: &Arc<SmallChain>,
    store: Store,
    tasks: &Tasks,
) -> Gateway {
    Gateway::start(Args {
        config: config.clone(),
        chain: Arc::clone(chain) as Arc<dyn crate::ChainQueries>,
        keys: Arc::new(OwnKeys {
            gateway: Arc::new(key(2)),
            application: own_application.then(|| Arc::new(key(1))),
        }),
        store,
        clock: Clock::system(),
        tasks: tasks.child("gateway"),
    })
    .unwrap()
}

impl World {
    pub(super) async fn new(behaviours: Vec<Vec<Behaviour>>) -> World {
        World::with(behaviours, |_| {}).await
    }

    pub(super) async fn with(behaviours: Vec<Vec<Behaviour>>, change: impl FnOnce(&mut Config)) -> World {
        World::of(behaviours, false, change).await
    }

    /// One whose node has the application's key as well.
    pub(super) async fn with_application(behaviours: Vec<Vec<Behaviour>>, direct: bool) -> World {
        World::of(behaviours, true, |config| config.direct = direct).await
    }

    async fn of(
        behaviours: Vec<Vec<Behaviour>>,
        own_application: bool,
        change: impl FnOnce(&mut Config),
    ) -> World {
        hearth_base::tls::init();
        let tasks = Tasks::root();
        let (application, gateway) = (key(1), key(2));
        let chain = SmallChain::new(&application, &gateway);
        let mut suppliers = Vec::new();
        for (seed, behaviours) in (10..).zip(behaviours) {
            let supplier = FakeSupplier::start(seed, behaviours, &tasks).await;
            chain.add_supplier(&supplier.key, &supplier.url);
            suppliers.push(supplier);
        }
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        let mut config = Config {
            allow_local_endpoints: true,
            first_byte: Duration::from_secs(5),
            total: Duration::from_secs(20),
            ..Config::default()
        };
        change(&mut config);
        let gateway = start(&config, own_application, &chain, store, &tasks);
        World {
            gateway,
            chain,
            suppliers,
            config,
            own_application,
            tasks,
            folder,
        }
    }

    /// Ends the gateway and starts it anew on the same database.
    pub(super) async fn restart(&mut self) {
        self.gateway.stop();
        self.gateway.join().await;
        self.gateway = self.another().await;
    }

    /// A second gateway on the same database.
    pub(super) async fn another(&self) -> Gateway {
        start(
            &self.config,
            self.own_application,
            &self.chain,
            open(&self.folder).await,
            &self.tasks,
        )
    }

    pub(super) async fn send(&self) -> Result<Answer, Error> {
        self.gateway.send(request()).await
    }

    pub(super) async fn fails(&self) -> Error {
        match self.send().await {
            Ok(answer) => panic!("an answer came: {}", answer.status),
            Err(error) => error,
        }
    }

    pub(super) async fn stop(self) {
        self.gateway.stop();
        self.gateway.join().await;
        self.tasks.stop();
    }
}

pub(super) fn request() -> Request {
    let body = r#"{"model":"pocket/llm","messages":[],"stream":true}"#;
    Request::post(ServiceId::new(SERVICE), "/v1/chat/completions", Bytes::from(body))
}

/// All that a reader gets: text, then the error if there is one, and the receipt.
pub(super) async fn read(mut answer: Answer) -> (String, Option<Error>, Receipt) {
    let mut text = Vec::new();
    let mut failed = None;
    while let Some(item) = answer.body.next().await {
        match item {
            Ok(bytes) => text.extend_from_slice(&bytes),
            Err(error) => failed = Some(error),
        }
    }
    (
        String::from_utf8(text).unwrap(),
        failed,
        answer.receipt.await.unwrap(),
    )
}

pub(super) fn refused(error: &Error) -> RefusalReason {
    let Error::Supplier {
        error: SupplierError::Refused(refusal),
        ..
    } = error
    else {
        panic!("no refusal: {error}")
    };
    refusal.why
}

/// A good answer that is not streamed.
pub(super) const ANSWER: &str = r#"{"choices":[{"message":{"content":"a"}}]}"#;

/// The parts of a good stream.
pub(super) const EVENTS: [&str; 3] = [
    "data: {\"choices\":[{\"a\":1}]}\n\ndata: {\"choices\":[{\"a\":2}]}\n",
    "\ndata: {\"choices\":[{\"a\":3}]}\n",
    "\ndata: [DONE]\n\n",
];

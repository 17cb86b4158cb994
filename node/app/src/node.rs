//! The node: builds the parts in the order of their ranks, stops them in reverse.
//!
//! ```text
//! data directory → store → engine → devnet (if asked) → chain → wallet → outbox → weights → models → miner, gateway → API
//! ```
//! What cannot start ends the start with an error that says so; what cannot be reached (a chain endpoint, a key that
//! is locked) does not: local chat needs neither.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use hearth_answers::{Models, Router};
use hearth_api::{
    Api,
    control::types::{NetworkName, Setup},
    parts::adapters,
};
use hearth_base::{Clock, Secret, Tasks, private::write_private};
use hearth_chain::{Chain, Faucet};
use hearth_devnet::Devnet;
use hearth_engine::Engine;
use hearth_gateway::Gateway;
use hearth_miner::Miner;
use hearth_outbox::Outbox;
use hearth_roles::{Returns, Settlements};
use hearth_store::Store;
use hearth_wallet::Wallet;
use hearth_weights::Weights;
use tokio::sync::{Mutex, Notify, watch};

use crate::{
    auto_lock,
    backends::Answers,
    backup::Guesses,
    build::{self, MinerParts},
    config::{Layered, Settings},
    data_dir::{DataDir, Layout, foreign_owner, foreign_owner_words},
    database,
    doctor::DoctorInput,
    error::NodeError,
    host::Program,
    network::Network,
    reach::{lan_addresses, reachable},
    setup::{SetupParts, SetupRunner},
    started::{Started, stop_and_join},
    stop_warning::{StopWarning, stop_warning},
};

/// What a node is built from.
pub struct NodeArgs {
    /// The data directory, held before anything is written there.
    pub data_dir: DataDir,
    /// The checked settings.
    pub layered: Layered,
    /// The network.
    pub network: Network,
    /// Told when somebody asks for a new start; `None` where nobody would carry it out.
    pub restart: Option<Arc<Notify>>,
}

/// A running node.
pub struct Node {
    tasks: Tasks,
    started: Started,
    parts: Parts,
    api: Api,
    setup: watch::Receiver<Setup>,
    token: Secret,
    key: Secret,
    network: Network,
    layout: Layout,
    stop_within: Duration,
    // Last: the lock of the data directory is given back when everything else is gone.
    _data_dir: DataDir,
}

/// What stands around the parts.
struct Around<'a> {
    layered: &'a Layered,
    network: &'a Network,
    layout: &'a Layout,
    restart: Option<Arc<Notify>>,
}

/// The parts below the API, in the order in which they were built.
struct Parts {
    store: Store,
    devnet: Option<Devnet>,
    chain: Chain,
    wallet: Wallet,
    outbox: Outbox,
    returns: Returns,
    settlements: Settlements,
    weights: Weights,
    models: Models,
    router: Arc<Router>,
    miner: Miner,
    gateway: Gateway,
}

impl Node {
    /// Builds and starts everything.
    ///
    /// # Errors
    /// A data directory that is taken, broken or of another chain; a port that is taken; settings that contradict.
    pub async fn start(args: NodeArgs) -> Result<Node, NodeError> {
        let NodeArgs {
            data_dir,
            layered,
            network,
            restart,
        } = args;
        let layout = data_dir.layout();
        let tasks = Tasks::root();
        let stop_within = Duration::from_secs(layered.settings.stop_within_s);
        let mut started = Started::default();
        let running = async {
            let parts = Parts::start(&layered.settings, &network, &layout, &tasks, &mut started).await?;
            let around = Around {
                layered: &layered,
                network: &network,
                layout: &layout,
                restart,
            };
            let surface = Node::surface(around, &tasks, &parts, &mut started).await?;
            Ok((parts, surface))
        }
        .await;
        match running {
            Ok((parts, (api, setup, token, key))) => Ok(Node {
                stop_within,
                tasks,
                started,
                parts,
                api,
                setup,
                token,
                key,
                network,
                layout,
                _data_dir: data_dir,
            }),
            Err(error) => {
                // Also what a part began that did not come to its end.
                tasks.stop();
                stop_all(&mut started, stop_within).await;
                Err(error)
            }
        }
    }

    /// The set-up and the API.
    async fn surface(
        around: Around<'_>,
        tasks: &Tasks,
        parts: &Parts,
        started: &mut Started,
    ) -> Result<(Api, watch::Receiver<Setup>, Secret, Secret), NodeError> {
        let Around {
            layered,
            network,
            layout,
            restart,
        } = around;
        let settings = &layered.settings;
        stop_and_join!(started, tasks);
        let setup = parts.setup(settings, layout, tasks)?;
        let progress = setup.state();
        let program = Program {
            input: DoctorInput {
                is_devnet: network.is_devnet(),
                allows_local: network.allows_local_suppliers(),
                root: layout.root().to_owned(),
                chain: parts.chain.clone(),
                wallet: parts.wallet.clone(),
                weights: parts.weights.clone(),
                miner: parts.miner.clone(),
                router: Arc::clone(&parts.router),
                public_url: settings.miner.public_url.clone(),
            },
            setup,
            layered: Mutex::new(layered.clone()),
            layout: layout.clone(),
            chain: network.chain_id(),
            guesses: Mutex::new(Guesses::new(Clock::system())),
            restart,
        };
        let token = build::secret_file(&layout.api_token(), "")?;
        let key = build::secret_file(&layout.api_key(), "sk-hearth-")?;
        let name = NetworkName {
            name: network.name().to_owned(),
            chain_id: network.chain_id().to_string(),
            is_devnet: network.is_devnet(),
        };
        let api = Api::start(hearth_api::Args {
            config: build::api_config(settings, name.clone()),
            token: token.clone(),
            store: parts.store.clone(),
            clock: Clock::system(),
            tasks: tasks.child("api"),
            host: Arc::new(program),
            models: parts.models.clone(),
            router: Arc::clone(&parts.router),
            parts: parts.behind_the_api(settings, network, layout, name)?,
            pdf: crate::process::pdf_reader(),
            ipfs: parts.weights.router(),
        })
        .await?;
        stop_and_join!(started, api);
        api.ensure_key("This computer", key.reveal())
            .await
            .map_err(hearth_api::Error::from)?;
        let address = reachable(api.addr()).to_string();
        write_private(&layout.api_address(), address.as_bytes()).map_err(|source| NodeError::Write {
            path: layout.api_address(),
            source,
        })?;
        Ok((api, progress, token, key))
    }

    /// How the set-up goes.
    #[must_use]
    pub fn setup(&self) -> watch::Receiver<Setup> {
        self.setup.clone()
    }

    /// Where other computers reach the page; empty where the API listens for this computer alone.
    #[must_use]
    pub fn lan_urls(&self) -> Vec<String> {
        let address = self.api.addr();
        if address.ip().is_loopback() {
            return Vec::new();
        }
        let hosts = if address.ip().is_unspecified() {
            lan_addresses()
        } else {
            vec![address.ip()]
        };
        let url = |ip| format!("http://{}/", SocketAddr::new(ip, address.port()));
        hosts.into_iter().map(url).collect()
    }

    /// Where the API and the page are, for this computer.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// The page, with the token that opens it.
    #[must_use]
    pub fn page_url(&self) -> String {
        format!("{}/#token={}", self.api_url(), self.token.reveal())
    }

    /// A key for the OpenAI API.
    #[must_use]
    pub fn api_key(&self) -> &str {
        self.key.reveal()
    }

    /// Where the token lies that opens the page.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.layout.api_token()
    }

    /// Where the key for the OpenAI API lies.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.layout.api_key()
    }

    /// What the terminal says at start; URL and key are the last lines. Unless somebody sees them, with the files where
    /// token and key lie.
    #[must_use]
    pub fn greeting(&self, is_seen: bool) -> Vec<String> {
        let mut lines = vec![format!(
            "Hearth {} on {}",
            env!("CARGO_PKG_VERSION"),
            self.network.name()
        )];
        lines.push(format!("  data     {}", self.layout.root().display()));
        lines.push(format!("  log      {}", self.layout.logs().display()));
        if let Some(devnet) = &self.parts.devnet {
            lines.push(format!(
                "  chain    {} (play money; others join with {})",
                devnet.rpc_url(),
                self.layout.network().display()
            ));
            let password = self.layout.devnet_password();
            if password.exists() {
                lines.push(format!("  wallet   its password lies in {}", password.display()));
            }
        }
        lines.push(String::new());
        if is_seen {
            lines.push(format!("  page     {}", self.page_url()));
            lines.push(format!(
                "  API      {}/v1   key {}",
                self.api_url(),
                self.key.reveal()
            ));
        } else {
            let (token, key) = (self.token_file(), self.key_file());
            lines.push(format!(
                "  page     {}   token in {}",
                self.api_url(),
                token.display()
            ));
            lines.push(format!(
                "  API      {}/v1   key in {}",
                self.api_url(),
                key.display()
            ));
        }
        lines
    }

    /// Where the API answers on this computer. Listening on all addresses is no address to open.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        reachable(self.api.addr())
    }

    /// For whoever is about to stop the node: says what that may cost. Nothing where the chain is a part of this program,
    /// and stops with it.
    #[must_use]
    pub fn stop_warning(&self) -> StopWarning {
        if self.parts.devnet.is_some() {
            return Box::new(|| None);
        }
        stop_warning(self.parts.miner.clone(), &self.parts.chain)
    }

    /// Ends with the name of a task when one panics.
    pub fn failed(&self) -> impl Future<Output = String> + Send + use<> {
        let tasks = self.tasks.clone();
        async move { tasks.panicked().await }
    }

    /// Stops everything in reverse order, within the deadline. Says whether all ended in time.
    pub async fn stop(mut self) -> bool {
        // Who looks for a node should not find one that is going.
        let _ = std::fs::remove_file(self.layout.api_address());
        // First no more work from outside, then what is in progress, then the rest.
        self.parts.miner.stop();
        stop_all(&mut self.started, self.stop_within).await
    }
}

/// Stops what was started, within the deadline. Says whether all ended in time.
async fn stop_all(started: &mut Started, stop_within: Duration) -> bool {
    let within = crate::process::orderly_within(stop_within);
    let in_time = tokio::time::timeout(within, started.stop()).await.is_ok();
    if !in_time {
        tracing::error!(
            seconds = stop_within.as_secs(),
            "the deadline for stopping passed"
        );
    }
    in_time
}

impl Parts {
    /// Builds the parts. Each is noted in `started` as soon as it runs, so that a later one that fails leaves none.
    async fn start(
        settings: &Settings,
        network: &Network,
        layout: &Layout,
        tasks: &Tasks,
        started: &mut Started,
    ) -> Result<Parts, NodeError> {
        if let Some(owner) = foreign_owner(layout.root()) {
            tracing::warn!("{}", foreign_owner_words(layout.root(), owner));
        }
        let clock = Clock::system();
        let store = database::open(network, layout).await?;
        let part = store.clone();
        started.push(|| async move { part.close().await });
        let engine = Engine::start(build::engine_config(settings))?;
        let part = engine.clone();
        started.push(|| async move { part.stop() });
        let devnet = match network {
            Network::Devnet => Some(build::devnet(settings, layout, tasks, started).await?),
            Network::Remote { .. } => None,
        };
        let chain = Chain::start(hearth_chain::Args {
            config: build::chain_config(settings, network, devnet.as_ref())?,
            store: store.clone(),
            clock: clock.clone(),
            tasks: tasks.child("chain"),
        })?;
        stop_and_join!(started, chain);
        let wallet = build::wallet(settings, network, layout, &clock).await?;
        let part = wallet.clone();
        started.push(|| async move { part.lock_all() });
        let beside = network.is_devnet().then(|| layout.devnet_password());
        auto_lock::start(settings, beside, &wallet, &clock, tasks);
        let outbox = Outbox::new(hearth_outbox::Args {
            store: store.clone(),
            network: Arc::new(chain.clone()),
            signers: Arc::new(wallet.clone()),
            clock: clock.clone(),
            first_pause: Outbox::FIRST_PAUSE,
        });
        let outbox_tasks = tasks.child("outbox");
        outbox.start(&outbox_tasks);
        stop_and_join!(started, outbox_tasks);
        let (returns, settlements) = looked_for(&store, &chain, &wallet, tasks);
        let weights = Weights::start(hearth_weights::Args {
            config: build::weights_config(settings, layout),
            store: store.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            inspector: crate::library::inspector(),
        })
        .await?;
        stop_and_join!(started, weights);
        let models = build::models(settings, &engine, &weights, &clock, tasks);
        // It ends after all who ask models: the memory is given back while the rest ends.
        stop_and_join!(started, models);
        let answers = Answers::new(settings, &models)?;
        answers.watch(tasks);
        let below = || MinerParts {
            store: &store,
            chain: &chain,
            wallet: &wallet,
            outbox: &outbox,
            answers: &answers,
        };
        let miner = build::miner(settings, network, layout, below(), &clock, tasks).await?;
        stop_and_join!(started, miner);
        let gateway = build::gateway(settings, network, below(), &clock, tasks)?;
        stop_and_join!(started, gateway);
        let network = Arc::new(gateway.clone());
        let router = answers.router(Some(network));
        Ok(Parts {
            store,
            devnet,
            chain,
            wallet,
            outbox,
            returns,
            settlements,
            weights,
            models,
            router,
            miner,
            gateway,
        })
    }

    fn setup(&self, settings: &Settings, layout: &Layout, tasks: &Tasks) -> Result<SetupRunner, NodeError> {
        let Some(devnet) = &self.devnet else {
            return Ok(SetupRunner::nothing());
        };
        let rpc = devnet
            .rpc_url()
            .parse()
            .map_err(|_| NodeError::Address(devnet.rpc_url()))?;
        let parts = SetupParts {
            layout: layout.clone(),
            demo_folder: settings.weights.demo_folder.clone(),
            weights: self.weights.clone(),
            wallet: self.wallet.clone(),
            chain: self.chain.clone(),
            outbox: self.outbox.clone(),
            faucet: Faucet::new(rpc)?,
            miner: self.miner.clone(),
            relay_url: self.miner.relay_url(),
        };
        Ok(SetupRunner::start(parts, settings.devnet.setup, tasks))
    }

    /// The parts as the API sees them.
    fn behind_the_api(
        &self,
        settings: &Settings,
        network: &Network,
        layout: &Layout,
        name: NetworkName,
    ) -> Result<hearth_api::parts::Parts, NodeError> {
        let earn = Arc::new(adapters::MinerEarn::new(
            self.miner.clone(),
            self.chain.clone(),
            Clock::system(),
        ));
        let mut serves: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (service, model) in build::sold_services(settings, network) {
            let model = self.router.unaliased(&model).to_owned();
            serves.entry(model).or_default().push(service.to_string());
        }
        let relay = Arc::new(adapters::GatewayRelay {
            gateway: self.gateway.clone(),
        });
        let faucet = build::devnet_faucet(network, self.devnet.as_ref())?;
        // A devnet's blocks come every second.
        let block_within = if network.is_devnet() {
            Duration::from_secs(15)
        } else {
            adapters::ChainMoney::BLOCK_WITHIN
        };
        Ok(hearth_api::parts::Parts {
            money: Arc::new(adapters::ChainMoney {
                chain: self.chain.clone(),
                wallet: self.wallet.clone(),
                outbox: self.outbox.clone(),
                earn: earn.clone(),
                faucet,
                block_within,
                relay: relay.clone(),
                returns: self.returns.clone(),
                settlements: self.settlements.clone(),
            }),
            roles: Arc::new(adapters::ChainRoles {
                roles: hearth_roles::Roles {
                    chain: self.chain.clone(),
                    wallet: self.wallet.clone(),
                    outbox: self.outbox.clone(),
                    store: self.store.clone(),
                    clock: Clock::system(),
                    allows_local_suppliers: network.allows_local_suppliers(),
                    applications_sign: settings.gateway.direct_signing,
                },
                relay_url: settings.miner.public_url.as_ref().map(ToString::to_string),
                block_within,
                is_play: network.is_devnet(),
            }),
            earn,
            keyring: Arc::new(adapters::WalletKeyring {
                wallet: self.wallet.clone(),
                password_file: build::password_file(settings, network, layout),
            }),
            network: Arc::new(adapters::ChainNetworkStatus {
                name,
                chain: self.chain.clone(),
                wallet: self.wallet.clone(),
                gateway: self.gateway.clone(),
                listed: adapters::ListedServices::default(),
                program: adapters::KnownProgram::default(),
                trust_source: match (settings.chain.trust.height, network) {
                    (Some(_), _) => "configuration".to_owned(),
                    (None, Network::Devnet) => "this computer's devnet".to_owned(),
                    (None, Network::Remote { .. }) => "network file".to_owned(),
                },
            }),
            model_store: Arc::new(adapters::WeightModelStore {
                weights: self.weights.clone(),
                serves,
            }),
            relay,
        })
    }
}

/// What no transaction tells is looked for in blocks: stakes that come back, and what settlements move.
fn looked_for(store: &Store, chain: &Chain, wallet: &Wallet, tasks: &Tasks) -> (Returns, Settlements) {
    let returns = Returns::new(store, chain.clone());
    returns.start(tasks);
    let settlements = Settlements::new(store, chain.clone(), wallet.clone(), returns.clone());
    settlements.start(tasks);
    (returns, settlements)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_start_that_fails_leaves_nothing_running() {
        let folder = tempfile::tempdir().unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let devnet = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut settings = Settings::default();
        settings.api.listen = taken.local_addr().unwrap();
        settings.devnet.listen = devnet;
        settings.miner.listen.set_port(0);
        let args = NodeArgs {
            data_dir: DataDir::open(folder.path()).unwrap(),
            layered: Layered {
                settings,
                origins: BTreeMap::new(),
                file: folder.path().join("config.toml"),
                flags: BTreeMap::new(),
            },
            network: Network::Devnet,
            restart: None,
        };
        let error = Node::start(args).await.err().unwrap();
        assert!(matches!(error, NodeError::Api(_)), "{error:?}");
        TcpListener::bind(devnet).unwrap();
        DataDir::open(folder.path()).unwrap();
    }
}

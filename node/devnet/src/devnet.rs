//! The handle of a running devnet.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hearth_base::{Amount, ChainId, Height, Tasks};
use tokio::{net::TcpListener, time::MissedTickBehavior};

use crate::{
    block,
    config::{Blocks, Config, ConfigError},
    core::{Core, CoreArgs, ProduceError},
    db::{Db, DbError},
    faucet::{self, FaucetError},
    faults::Fault,
    genesis::{Account, Genesis},
    rpc,
};

/// A chain in this process. Clones are the same chain.
#[derive(Clone)]
pub struct Devnet {
    core: Arc<Core>,
    address: SocketAddr,
    trust: Trust,
    tasks: Tasks,
}

/// A header to start trusting from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Its height.
    pub height: Height,
    /// Its hash, in upper-case hex.
    pub hash: String,
}

/// Why a devnet does not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("the devnet cannot listen on {address}: is the port taken? Choose another, or 0 for a free one")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("the database belongs to chain \"{found}\", not to \"{wanted}\": choose another file")]
    OtherChain { found: String, wanted: ChainId },
    #[error("the system gave no random bytes for the validator's key")]
    NoRandomness,
    #[error("no block can be made: {0}")]
    Produce(String),
    #[error(transparent)]
    Faucet(#[from] FaucetError),
}

impl From<ProduceError> for Error {
    fn from(error: ProduceError) -> Error {
        match error {
            ProduceError::Db(error) => Error::Db(error),
            ProduceError::Block(error) => Error::Produce(error.to_string()),
        }
    }
}

impl Devnet {
    /// Starts a new chain, or goes on with the one in the database.
    ///
    /// # Errors
    /// A configuration that cannot work, a port that is taken, a database that is not this chain's.
    pub async fn start(config: Config) -> Result<Devnet, Error> {
        config.check()?;
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|source| Error::Listen {
                address: config.listen,
                source,
            })?;
        let address = listener.local_addr().map_err(|source| Error::Listen {
            address: config.listen,
            source,
        })?;
        let db = Db::open(&config.database).await?;
        let (seed, genesis) = chain_of(&db, &config).await?;
        let core = Core::load(CoreArgs {
            chain_id: config.chain_id.as_str().to_owned(),
            genesis,
            validator_seed: seed,
            db,
            clock: config.clock.clone(),
            time: config.time,
            has_timer: matches!(config.blocks, Blocks::Every(_)),
        })
        .await?;
        let core = Arc::new(core);
        if core.head().height == 0 || matches!(config.blocks, Blocks::Every(_)) {
            // There is always a header to trust, and after a pause one that is young.
            core.produce().await?;
        }
        let trust = trust_of(&core);
        let tasks = config.tasks.child("devnet");
        rpc::serve(Arc::clone(&core), listener, address, config.ask_every, &tasks);
        if let Blocks::Every(period) = config.blocks {
            let producer = Arc::clone(&core);
            tasks.spawn_until_stopped("blocks", async move { produce_every(&producer, period).await });
        }
        Ok(Devnet {
            core,
            address,
            trust,
            tasks,
        })
    }

    /// Where the JSON-RPC server answers.
    #[must_use]
    pub fn rpc_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The chain's id.
    #[must_use]
    pub fn chain_id(&self) -> ChainId {
        ChainId::new(&*self.core.chain_id)
    }

    /// The header that was the newest when this handle was made.
    #[must_use]
    pub fn trust(&self) -> Trust {
        self.trust.clone()
    }

    /// The newest block.
    #[must_use]
    pub fn height(&self) -> Height {
        Height(self.core.head().height)
    }

    /// A network file, with which another node can join.
    #[must_use]
    pub fn network_toml(&self) -> String {
        format!(
            "chain_id = \"{}\"\ndenom = \"upokt\"\nrpc = [\"{}\"]\n\n[trust]\nheight = {}\nhash = \"{}\"\n",
            self.core.chain_id,
            self.rpc_url(),
            self.trust.height,
            self.trust.hash
        )
    }

    /// The accounts of the first state, with their keys where these are known.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.core.genesis.accounts
    }

    /// Makes blocks now. Answers the newest height.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn produce(&self, blocks: u64) -> Result<Height, Error> {
        for _ in 0..blocks {
            self.core.produce().await?;
        }
        Ok(self.height())
    }

    /// Sends play money; it arrives with the next block. Answers the hash of the transaction.
    ///
    /// # Errors
    /// An address that is none, or a faucet that is empty.
    pub fn faucet(&self, address: &str, amount: Amount) -> Result<String, Error> {
        Ok(faucet::pay(&self.core, address, amount)?)
    }

    /// Switches a fault on, for ever or for a number of times.
    pub fn fault(&self, fault: Fault, times: Option<u64>) {
        self.core.faults.set(fault, times);
    }

    /// Switches all faults off.
    pub fn clear_faults(&self) {
        self.core.faults.clear(None);
    }

    /// Stops making blocks and answering.
    pub fn stop(&self) {
        self.tasks.stop();
    }

    /// Waits until everything has stopped and the database is closed.
    pub async fn join(&self) {
        self.tasks.join().await;
        self.core.db.close().await;
    }
}

/// The validator's key and the genesis: those in the database, or new ones.
async fn chain_of(db: &Db, config: &Config) -> Result<([u8; 32], Genesis), Error> {
    if let Some(row) = db.chain().await? {
        if row.chain_id != config.chain_id.as_str() {
            return Err(Error::OtherChain {
                found: row.chain_id,
                wanted: config.chain_id.clone(),
            });
        }
        return Ok((
            row.validator_seed,
            serde_json::from_str(&row.genesis).map_err(DbError::from)?,
        ));
    }
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| Error::NoRandomness)?;
    let genesis = serde_json::to_string(&config.genesis).map_err(DbError::from)?;
    db.begin(config.chain_id.as_str(), &seed, &genesis, &config.genesis.state())
        .await?;
    Ok((seed, config.genesis.clone()))
}

fn trust_of(core: &Core) -> Trust {
    let head = core.head();
    let hash = head
        .last
        .as_ref()
        .map(|(id, _)| block::hash_text(&id.hash))
        .unwrap_or_default();
    Trust {
        height: Height(head.height),
        hash,
    }
}

async fn produce_every(core: &Core, period: Duration) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        if let Err(error) = core.produce().await {
            tracing::error!(%error, "no block was made; the next attempt follows");
        }
    }
}

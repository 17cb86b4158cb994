//! Parts of the node that run alone: the embedded chain for other programs, the keystore without a daemon.

use std::{net::SocketAddr, time::Duration};

use hearth_base::{Clock, Tasks, private::write_private};
use hearth_devnet::{Blocks, Devnet, Genesis, Params};
use hearth_wallet::{Cost, Wallet};

use crate::{
    data_dir::{DataDir, Layout},
    error::NodeError,
};

/// Where the supplier of the published test accounts is expected to listen.
const SUPPLIER_URL: &str = "http://127.0.0.1:4328";

/// The embedded chain without the rest of a node.
pub struct StandaloneDevnet {
    devnet: Devnet,
    tasks: Tasks,
    _data_dir: DataDir,
}

impl StandaloneDevnet {
    /// Starts a chain, or goes on with the one of the data directory. With `accounts` a new one begins with staked
    /// actors under published test mnemonics. `block_ms` 0 makes blocks on command only.
    ///
    /// # Errors
    /// A data directory or a port that is taken.
    pub async fn start(
        layout: &Layout,
        listen: SocketAddr,
        accounts: bool,
        block_ms: u64,
    ) -> Result<StandaloneDevnet, NodeError> {
        let data_dir = DataDir::open(layout.root())?;
        let tasks = Tasks::root();
        let mut config = hearth_devnet::Config::for_people(layout.devnet_database(), listen, tasks.clone());
        config.blocks = match block_ms {
            0 => Blocks::Manual,
            period => Blocks::Every(Duration::from_millis(period)),
        };
        if accounts {
            config.genesis = Genesis::with_actors(Params::for_people(), &[SUPPLIER_URL.to_owned()]);
        }
        let standalone = StandaloneDevnet {
            devnet: Devnet::start(config).await?,
            tasks,
            _data_dir: data_dir,
        };
        match write_private(&layout.network(), standalone.network_toml().as_bytes()) {
            Ok(()) => Ok(standalone),
            Err(source) => {
                standalone.stop().await;
                Err(NodeError::Write {
                    path: layout.network(),
                    source,
                })
            }
        }
    }

    /// Where its JSON-RPC answers.
    #[must_use]
    pub fn rpc_url(&self) -> String {
        self.devnet.rpc_url()
    }

    /// The network file that others join with.
    #[must_use]
    pub fn network_toml(&self) -> String {
        self.devnet.network_toml()
    }

    /// Name and address of the accounts of the first state.
    #[must_use]
    pub fn accounts(&self) -> Vec<(String, String)> {
        self.devnet
            .accounts()
            .iter()
            .map(|account| (account.name.clone(), account.address.clone()))
            .collect()
    }

    /// Stops it; what is in its database stays.
    pub async fn stop(self) {
        self.devnet.stop();
        self.devnet.join().await;
        self.tasks.stop();
        self.tasks.join().await;
    }
}

/// The wallet of a data directory whose daemon does not run.
///
/// # Errors
/// A wallet file that cannot be read.
pub fn offline_wallet(layout: &Layout) -> Result<Wallet, NodeError> {
    let config = hearth_wallet::Config {
        folder: layout.keystore(),
        cost: Cost::STRONG,
    };
    Ok(Wallet::open(config, Clock::system())?)
}

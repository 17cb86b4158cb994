//! How a devnet is started.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use hearth_base::{ChainId, Clock, Tasks};

use crate::genesis::{Genesis, Params};

/// The chain id that upstream's own test network shares with the main network.
const FORBIDDEN_CHAIN_ID: &str = "pocket";

/// Everything that a devnet needs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Never `pocket`: a transaction signed for it would be valid on the main network.
    pub chain_id: ChainId,
    /// Where the JSON-RPC server listens; port 0 for a free one.
    pub listen: SocketAddr,
    /// The database file. An existing one goes on, and its genesis counts.
    pub database: PathBuf,
    /// When blocks are made.
    pub blocks: Blocks,
    /// What time blocks bear.
    pub time: BlockTime,
    /// The first state of a new chain.
    pub genesis: Genesis,
    /// The clock of block times.
    pub clock: Clock,
    /// How often the client of a WebSocket is asked whether it is there.
    pub ask_every: Duration,
    /// The owner of the devnet's tasks.
    pub tasks: Tasks,
}

/// When blocks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// One in every period.
    Every(Duration),
    /// On command only: [`crate::Devnet::produce`] or the call `devnet_produce`.
    Manual,
}

/// What time blocks bear. It always increases strictly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockTime {
    /// That of the configured clock.
    Clock,
    /// A step after the block before.
    Simulated {
        /// The time of the first block, in milliseconds since the epoch.
        start_ms: u64,
        /// From one block to the next.
        step: Duration,
    },
}

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "a devnet may not be called \"pocket\": what is signed for it would be valid on the main network; choose another chain id"
    )]
    MainNetworkId,
    #[error("the chain id is empty or longer than 50 characters")]
    ChainId,
    #[error("blocks cannot follow each other in less than 10 ms")]
    TooFast,
    #[error("the genesis parameters are refused: {0}")]
    Params(String),
}

impl Config {
    /// A devnet for people: 1 s blocks, windows that suit a real model, a validator and a faucet.
    #[must_use]
    pub fn for_people(database: PathBuf, listen: SocketAddr, tasks: Tasks) -> Config {
        Config {
            chain_id: "hearth-devnet".into(),
            listen,
            database,
            blocks: Blocks::Every(Duration::from_secs(1)),
            time: BlockTime::Clock,
            genesis: Genesis::for_people(Params::for_people()),
            clock: Clock::system(),
            ask_every: Duration::from_secs(20),
            tasks,
        }
    }

    /// A devnet for tests: blocks on command, short windows, a free port.
    #[must_use]
    pub fn for_tests(database: PathBuf, tasks: Tasks) -> Config {
        Config {
            blocks: Blocks::Manual,
            genesis: Genesis::minimal(Params::for_tests()),
            ..Config::for_people(database, SocketAddr::from(([127, 0, 0, 1], 0)), tasks)
        }
    }

    /// Refuses what cannot work.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), ConfigError> {
        let id = self.chain_id.as_str();
        if id == FORBIDDEN_CHAIN_ID {
            return Err(ConfigError::MainNetworkId);
        }
        if id.is_empty() || id.len() > 50 {
            return Err(ConfigError::ChainId);
        }
        if let Blocks::Every(period) = self.blocks
            && period < Duration::from_millis(10)
        {
            return Err(ConfigError::TooFast);
        }
        crate::modules::params::check_shared(&self.genesis.params.shared).map_err(ConfigError::Params)?;
        if self.genesis.params.shared.num_blocks_per_session < 2 {
            return Err(ConfigError::Params(
                "a session needs at least 2 blocks".to_owned(),
            ));
        }
        Ok(())
    }
}

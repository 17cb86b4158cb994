//! Why a node does not start.

use std::{io, path::PathBuf};

use crate::data_dir::DataDirError;

/// Why a node does not start. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error(transparent)]
    Store(#[from] hearth_store::Error),
    #[error(transparent)]
    Engine(#[from] hearth_engine::StartError),
    #[error(transparent)]
    Devnet(#[from] hearth_devnet::Error),
    #[error(transparent)]
    Chain(#[from] hearth_chain::StartError),
    #[error(transparent)]
    Faucet(#[from] hearth_chain::FaucetError),
    #[error(transparent)]
    Wallet(#[from] hearth_wallet::Error),
    #[error(transparent)]
    Weights(#[from] hearth_weights::Error),
    #[error(transparent)]
    Miner(#[from] hearth_miner::Error),
    #[error(transparent)]
    Gateway(#[from] hearth_gateway::StartError),
    #[error(transparent)]
    Api(#[from] hearth_api::Error),
    #[error("{path} cannot be read")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} cannot be written: may this user write there, and is there room?")]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "miner.backend_key_file {path} gives no key for the backend ({why}): put the key alone into its first line"
    )]
    BackendKey { path: PathBuf, why: String },
    #[error("{0} is no address that can be used")]
    Address(String),
    #[error("the hash of the trusted block must be 64 hex digits, not \"{0}\"")]
    TrustHash(String),
    #[error("the computer gives no random numbers: {0}")]
    Random(String),
}

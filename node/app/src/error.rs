//! Why a node does not start.

use std::{io, path::PathBuf};

use crate::{data_dir::DataDirError, secret_line::SecretLineError};

/// Why a node does not start. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error(transparent)]
    Store(#[from] hearth_store::Error),
    #[error(
        "the database {path} is empty or gone, and {beside} shows that there was one: with it API keys, receipts, limits \
         of spending and the record of what was earned are lost. Nothing was changed. Move the folder aside and bring a \
         backup back (hearth restore), or put the newest {path}.before-* in its place; to begin anew without it, name \
         another --data-dir, or move everything but the folder keystore out of this one"
    )]
    DatabaseLost { path: PathBuf, beside: PathBuf },
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
    #[error("{setting} {path} gives no key for the backend ({why}): put the key alone into its first line")]
    BackendKey {
        setting: String,
        path: PathBuf,
        why: String,
    },
    #[error(
        "{setting} names the environment variable {variable}, which gives no key for the backend ({why}): set it where \
         Hearth is started, as by export {variable}=…, or put the key into a file and name that with key_file"
    )]
    BackendKeyVariable {
        setting: String,
        variable: String,
        why: String,
    },
    #[error(transparent)]
    Secret(#[from] SecretLineError),
    #[error(
        "miner.aliases gives the name \"{name}\" to the service \"{service}\", which is not sold here: write name = \
         service, with a service of miner.services"
    )]
    Alias { name: String, service: String },
    #[error("models.aliases: {0}")]
    ModelAlias(String),
    #[error("{0} is no address that can be used")]
    Address(String),
    #[error("the hash of the trusted block must be 64 hex digits, not \"{0}\"")]
    TrustHash(String),
    #[error("the computer gives no random numbers: {0}")]
    Random(String),
}

impl NodeError {
    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            NodeError::DataDir(DataDirError::Taken { .. }) => "data_dir_taken",
            NodeError::DataDir(DataDirError::Io { .. } | DataDirError::NotPlain { .. }) => {
                "data_dir_unusable"
            }
            NodeError::DataDir(DataDirError::NotOurs { .. }) => "data_dir_not_ours",
            NodeError::DataDir(DataDirError::Restoring(_)) => "restore_interrupted",
            NodeError::DataDir(DataDirError::NoHome) => "no_home",
            NodeError::Store(hearth_store::Error::OtherChain { .. }) => "other_chain",
            NodeError::Store(_) | NodeError::DatabaseLost { .. } => "database",
            NodeError::Engine(_) => "engine",
            NodeError::Devnet(_) => "devnet",
            NodeError::Chain(_) => "chain",
            NodeError::Faucet(_) => "faucet",
            NodeError::Wallet(_) => "wallet",
            NodeError::Weights(_) => "weights",
            NodeError::Miner(_) => "cannot_earn",
            NodeError::Gateway(_) => "gateway",
            NodeError::Api(hearth_api::Error::NoLogin { .. }) => "no_login",
            NodeError::Api(hearth_api::Error::Bind { .. }) => "port_taken",
            NodeError::Api(_) => "api",
            NodeError::Read { .. } => "unreadable",
            NodeError::Write { .. } => "unwritable",
            NodeError::BackendKey { .. } | NodeError::BackendKeyVariable { .. } => "backend_key",
            NodeError::Secret(_) => "password_file",
            NodeError::Alias { .. } | NodeError::ModelAlias(_) => "alias",
            NodeError::Address(_) => "address",
            NodeError::TrustHash(_) => "trust_hash",
            NodeError::Random(_) => "no_random_numbers",
        }
    }
}

//! Networks: the presets, and network files of the same form for any other Pocket chain.

use std::path::{Path, PathBuf};

use hearth_base::{ChainId, Height};
use serde::{Deserialize, Serialize};

/// The chain id of the main network. Upstream's local networks use it too, and a transaction signed for one of
/// them would be valid on the main network; so only the preset may carry it.
pub const MAINNET_CHAIN_ID: &str = "pocket";
/// The chain id of the embedded chain.
pub const DEVNET_CHAIN_ID: &str = "hearth-devnet";

const MAINNET: &str = include_str!("../../../assets/networks/mainnet.toml");
const BETA: &str = include_str!("../../../assets/networks/beta.toml");
/// A network file is a few lines.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Where to find a chain and what to trust of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkFile {
    /// The chain id, as in its headers.
    pub chain_id: ChainId,
    /// The denomination of amounts; always `upokt` on Pocket.
    #[serde(default = "upokt")]
    pub denom: String,
    /// CometBFT JSON-RPC endpoints.
    pub rpc: Vec<url::Url>,
    /// A header that the owner trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<Trust>,
}

/// A header that the light client starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// Its height.
    pub height: Height,
    /// Its hash, hex.
    pub hash: String,
}

/// The network that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// The chain inside this program, play money.
    Devnet,
    /// A preset or a file.
    Remote {
        /// What people call it: `mainnet`, `beta`, or the chain id of a file.
        name: String,
        file: NetworkFile,
    },
}

/// Why there is no such network.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    #[error("\"{0}\" is neither mainnet, beta, devnet nor a network file that is there")]
    Unknown(String),
    #[error("the network file {path} cannot be read")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the network file {path} is not of the form that assets/networks shows: {why}")]
    Form { path: PathBuf, why: String },
    #[error(
        "the network file {0} says chain id \"pocket\": that is the main network, and what is signed for a copy of it \
         would be valid there; use --network mainnet, or give the copy a chain id of its own"
    )]
    PosesAsMainnet(PathBuf),
}

impl Network {
    /// Reads a name or a file.
    ///
    /// # Errors
    /// An unknown name, a file that cannot be read or is not of the form, a file that poses as the main network.
    pub fn parse(text: &str) -> Result<Network, NetworkError> {
        match text {
            "devnet" => Ok(Network::Devnet),
            "mainnet" => preset(text, MAINNET),
            "beta" => preset(text, BETA),
            path if Path::new(path).exists() => from_file(Path::new(path)),
            unknown => Err(NetworkError::Unknown(unknown.to_owned())),
        }
    }

    /// The network of data that exists, by its chain id. It can be read, not followed: a chain of a network file has
    /// no endpoints here.
    #[must_use]
    pub fn of_chain(chain_id: &ChainId) -> Network {
        let preset = ["mainnet", "beta"]
            .into_iter()
            .filter_map(|name| Network::parse(name).ok())
            .find(|network| network.chain_id() == *chain_id);
        if let Some(preset) = preset {
            return preset;
        }
        if chain_id.as_str() == DEVNET_CHAIN_ID {
            return Network::Devnet;
        }
        Network::Remote {
            name: chain_id.to_string(),
            file: NetworkFile {
                chain_id: chain_id.clone(),
                denom: upokt(),
                rpc: Vec::new(),
                trust: None,
            },
        }
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Network::Devnet => "devnet",
            Network::Remote { name, .. } => name,
        }
    }

    /// The chain id.
    #[must_use]
    pub fn chain_id(&self) -> ChainId {
        match self {
            Network::Devnet => DEVNET_CHAIN_ID.into(),
            Network::Remote { file, .. } => file.chain_id.clone(),
        }
    }

    /// Whether its money is play money of a devnet, embedded here or in another node.
    #[must_use]
    pub fn is_devnet(&self) -> bool {
        self.chain_id().as_str() == DEVNET_CHAIN_ID
    }

    /// The name of its default data directory.
    #[must_use]
    pub fn folder_name(&self) -> String {
        match self.name() {
            "mainnet" => "hearth".to_owned(),
            // Another node's devnet, whose folder on the same computer is not ours.
            DEVNET_CHAIN_ID => "hearth-devnet-joined".to_owned(),
            name => format!("hearth-{}", name.trim_start_matches("hearth-")),
        }
    }
}

fn upokt() -> String {
    "upokt".to_owned()
}

fn preset(name: &str, text: &str) -> Result<Network, NetworkError> {
    let file = toml::from_str(text).map_err(|error| NetworkError::Form {
        path: name.into(),
        why: error.message().to_owned(),
    })?;
    Ok(Network::Remote {
        name: name.to_owned(),
        file,
    })
}

fn from_file(path: &Path) -> Result<Network, NetworkError> {
    let read = |source| NetworkError::Read {
        path: path.to_owned(),
        source,
    };
    let form = |why: String| NetworkError::Form {
        path: path.to_owned(),
        why,
    };
    if std::fs::metadata(path).map_err(read)?.len() > MAX_FILE_BYTES {
        return Err(form("far too large".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(read)?;
    let file: NetworkFile = toml::from_str(&text).map_err(|error| form(error.message().to_owned()))?;
    if file.chain_id.as_str() == MAINNET_CHAIN_ID {
        return Err(NetworkError::PosesAsMainnet(path.to_owned()));
    }
    if file.denom != "upokt" {
        return Err(form(format!(
            "denom is \"{}\"; Pocket counts in upokt",
            file.denom
        )));
    }
    let plain_id = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if file.chain_id.as_str().is_empty() || !file.chain_id.as_str().chars().all(plain_id) {
        return Err(form(
            "chain_id must be letters, digits, '-', '_' and '.'".to_owned(),
        ));
    }
    if file.rpc.is_empty() {
        return Err(form("rpc names no endpoint".to_owned()));
    }
    Ok(Network::Remote {
        name: file.chain_id.to_string(),
        file,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_file(text: &str) -> Result<Network, NetworkError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network.toml");
        std::fs::write(&path, text).unwrap();
        Network::parse(path.to_str().unwrap())
    }

    #[test]
    fn presets_are_of_the_form() {
        assert_eq!(
            Network::parse("mainnet").unwrap().chain_id().as_str(),
            MAINNET_CHAIN_ID
        );
        assert_eq!(Network::parse("mainnet").unwrap().folder_name(), "hearth");
        assert_eq!(Network::parse("beta").unwrap().folder_name(), "hearth-beta");
        assert_eq!(Network::parse("devnet").unwrap().folder_name(), "hearth-devnet");
        assert!(matches!(Network::parse("maninet"), Err(NetworkError::Unknown(_))));
    }

    #[test]
    fn the_network_of_data_is_found_by_its_chain() {
        for name in ["mainnet", "beta", "devnet"] {
            let network = Network::parse(name).unwrap();
            assert_eq!(Network::of_chain(&network.chain_id()), network);
        }
        assert_eq!(Network::of_chain(&"my-net".into()).folder_name(), "hearth-my-net");
    }

    #[test]
    fn a_copy_of_the_main_network_is_refused() {
        let error = parse_file("chain_id = \"pocket\"\nrpc = [\"http://127.0.0.1:26657\"]").unwrap_err();
        assert!(matches!(error, NetworkError::PosesAsMainnet(_)));
    }

    #[test]
    fn a_network_file_is_read_and_rubbish_named() {
        let network = parse_file(
            "chain_id = \"my-net\"\nrpc = [\"http://127.0.0.1:26657\"]\n[trust]\nheight = 3\nhash = \"AB\"",
        );
        assert_eq!(network.unwrap().folder_name(), "hearth-my-net");
        for rubbish in [
            "chain_id = \"a\"\nrpc = []",
            "chain_id = \"a/b\"\nrpc = [\"http://h\"]",
            "chain_id = \"a\"\nrpc = [\"no url\"]",
            "chain_id = \"a\"\nrpc = [\"http://h\"]\ndenom = \"ustake\"",
            "chain_id = \"a\"\nrcp = [\"http://h\"]",
            "\u{0}",
        ] {
            assert!(
                matches!(parse_file(rubbish), Err(NetworkError::Form { .. })),
                "{rubbish}"
            );
        }
    }
}

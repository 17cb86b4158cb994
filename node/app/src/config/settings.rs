//! The schema: every setting, its unit, its built-in value and its bounds.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{BackendSettings, address, change::without_password};

/// All settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `mainnet`, `beta`, `devnet` or the path of a network file.
    pub network: String,
    /// Seconds that a stop may take, from the signal to the end of the process.
    pub stop_within_s: u64,
    pub api: ApiSettings,
    /// Other servers that answer: `[backends.NAME]`.
    pub backends: BTreeMap<String, BackendSettings>,
    pub chain: ChainSettings,
    pub devnet: DevnetSettings,
    pub engine: EngineSettings,
    pub gateway: GatewaySettings,
    pub log: LogSettings,
    pub miner: MinerSettings,
    pub models: ModelsSettings,
    pub wallet: WalletSettings,
    pub weights: WeightsSettings,
}

/// The HTTP API and the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiSettings {
    /// Where the API listens; port 0 takes a free one. Beyond loopback it needs a login.
    #[serde(deserialize_with = "address::deserialize")]
    pub listen: SocketAddr,
    /// Names, beside `localhost`, addresses and this computer's own names, under which other computers may call it once
    /// a login is set: `["hearth.lan"]`, without scheme, port or path.
    pub allowed_hosts: Vec<String>,
    /// Origins of pages that browsers and Electron programs let call the OpenAI API, as `["http://localhost:5173",
    /// "app://obsidian.md"]`; `*` may stand for a port. Others stand under Settings. A page of such an origin needs no key
    /// for local models; programs with an API key pass from anywhere.
    pub allowed_origins: Vec<String>,
    /// Addresses of reverse proxies, as `["127.0.0.1", "10.0.0.0/24"]`. Their `X-Forwarded-For` or `Forwarded` says who
    /// calls, for the brake on guessed passwords; nobody who comes through them counts as this computer
    /// (`docs/reverse-proxy.md`).
    #[serde(with = "super::networks")]
    pub trusted_proxies: Vec<IpNet>,
}

/// The chain that is read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChainSettings {
    /// JSON-RPC endpoints to use in place of the network's own.
    pub rpc: Vec<url::Url>,
    /// A header to start from in place of the network's own.
    pub trust: TrustSettings,
}

/// A trusted header.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrustSettings {
    /// Its height; both or none must be given.
    pub height: Option<u64>,
    /// Its hash, hex.
    pub hash: Option<String>,
}

/// The embedded chain (`--network devnet`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DevnetSettings {
    /// Where its JSON-RPC listens.
    #[serde(deserialize_with = "address::deserialize")]
    pub listen: SocketAddr,
    /// Whether an empty data directory sets itself up: model, wallet, faucet, stakes, earning.
    pub setup: bool,
    /// Milliseconds between blocks.
    pub block_ms: u64,
    /// Blocks in a session.
    pub session_blocks: u64,
    /// Blocks after a session's end in which its relays are still accepted.
    pub grace_blocks: u64,
    /// Offset of the claim window's opening from the session's end, in blocks.
    pub claim_open_blocks: u64,
    /// Length of the claim window, in blocks.
    pub claim_close_blocks: u64,
    /// Offset of the proof window's opening, in blocks.
    pub proof_open_blocks: u64,
    /// Length of the proof window, in blocks.
    pub proof_close_blocks: u64,
}

/// More threads than any computer has cores for.
const MAX_THREADS: usize = 1024;

/// The inference engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSettings {
    /// Threads that compute, 1024 at most; 0 takes one for each core.
    pub threads: usize,
    /// The most tokens of context; 0 leaves it to the model.
    pub context_tokens: usize,
}

/// Buying answers on the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewaySettings {
    /// Seconds that a supplier may take to the first byte of a streamed answer.
    pub first_byte_within_s: u64,
    /// Seconds that a whole answer may take, streamed or not.
    pub answer_within_s: u64,
    /// The most bytes of one answer, with the signatures around its parts.
    pub max_answer_bytes: u64,
    /// The most bytes of one part of an answer; one that is not streamed is one part.
    pub max_part_bytes: u64,
    /// The most parts of one answer.
    pub max_parts: u32,
    /// The most upokt that answers of the network may cost in a day (UTC), until another cap is set under Settings.
    pub daily_cap_upokt: u64,
    /// Whether an own application that has not delegated to this node's gateway signs for itself. Its key has to be open
    /// then, and suppliers can tell that its questions are all of one owner.
    pub direct_signing: bool,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// A filter as `info` or `info,hearth_miner=debug`.
    pub filter: String,
    /// Lines for people or for programs.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// Selling answers on the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MinerSettings {
    /// Where relays arrive; bound only while earning is on. On devnet always loopback.
    #[serde(deserialize_with = "address::deserialize")]
    pub listen: SocketAddr,
    /// The URL that is staked, under which gateways reach `listen` from outside.
    pub public_url: Option<url::Url>,
    /// An OpenAI-compatible server to answer relays in place of the built-in engine, as `http://localhost:11434`;
    /// `null` answers at once and is for tests and measurements.
    pub backend: Option<String>,
    /// The path by which `backend` says whether it is well, as `/health`; without it its models are asked for.
    pub backend_health: Option<String>,
    /// A file whose first line is the key that `backend` wants, sent as `Authorization: Bearer`. A file, so that no
    /// secret stands in the configuration.
    pub backend_key_file: Option<PathBuf>,
    /// Service id → model: a slug, or `BACKEND/MODEL` of a configured backend.
    pub services: BTreeMap<String, String>,
    /// Other names under which clients ask for a service's model: name → service id.
    pub aliases: BTreeMap<String, String>,
    /// Seconds that the backend may take to its first byte.
    pub first_byte_within_s: u64,
    /// Seconds that a whole answer may take.
    pub answer_within_s: u64,
    /// The most bytes of one relay request.
    pub max_request_bytes: u64,
    /// The most bytes of one answer of the backend.
    pub max_answer_bytes: u64,
    /// The most parts in which the backend may send one.
    pub max_answer_parts: u64,
    /// Answers that are made at once; 0 leaves it to the backend.
    pub slots: usize,
    /// Requests that wait for one of the places of `backend`; more are refused. The built-in engine has its own queue.
    pub queue: usize,
    /// Whether earning starts with the program.
    pub start: bool,
}

/// Names of models.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelsSettings {
    /// Other names under which programs ask for a model: name → model, as `"gpt-4o" = "pocket/my-service"`.
    pub aliases: BTreeMap<String, String>,
}

/// Keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WalletSettings {
    /// A file whose first line opens the working key at every start. Without it a credential of systemd with the name
    /// `hearth.pass`, where there is one.
    pub passphrase_file: Option<PathBuf>,
    /// Minutes after which keys that ask for the password are locked when nobody used them; 0 leaves them open. On a devnet
    /// they stay open.
    pub auto_lock_minutes: u64,
}

impl Default for WalletSettings {
    fn default() -> WalletSettings {
        WalletSettings {
            passphrase_file: None,
            auto_lock_minutes: 15,
        }
    }
}

/// Model files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WeightsSettings {
    /// The most bytes that models may take on the disk, in GB (10^9); 0 leaves it to the disk.
    pub quota_gb: u64,
    /// Trustless gateways to pull models from.
    pub gateways: Vec<url::Url>,
    /// The folder with the demo model's file; empty leaves the demo model to `hearth model add`.
    pub demo_folder: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            network: "mainnet".to_owned(),
            stop_within_s: 25,
            api: ApiSettings::default(),
            backends: BTreeMap::new(),
            chain: ChainSettings::default(),
            devnet: DevnetSettings::default(),
            engine: EngineSettings::default(),
            gateway: GatewaySettings::default(),
            log: LogSettings::default(),
            miner: MinerSettings::default(),
            models: ModelsSettings::default(),
            wallet: WalletSettings::default(),
            weights: WeightsSettings::default(),
        }
    }
}

impl Default for ApiSettings {
    fn default() -> ApiSettings {
        ApiSettings {
            listen: SocketAddr::from(([127, 0, 0, 1], 4327)),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
        }
    }
}

impl Default for DevnetSettings {
    fn default() -> DevnetSettings {
        // For people: an answer of a real model takes 5 to 20 s and must end before its claim is sent
        // (pocket-chain.md, section 8.5). A session is paid 24 blocks after its end, when the shares that a
        // supplier sent after it are in force.
        DevnetSettings {
            listen: SocketAddr::from(([127, 0, 0, 1], 4329)),
            setup: true,
            block_ms: 1000,
            session_blocks: 20,
            grace_blocks: 10,
            claim_open_blocks: 11,
            claim_close_blocks: 4,
            proof_open_blocks: 0,
            proof_close_blocks: 8,
        }
    }
}

impl Default for GatewaySettings {
    fn default() -> GatewaySettings {
        GatewaySettings {
            first_byte_within_s: 60,
            answer_within_s: 600,
            max_answer_bytes: 32 << 20,
            max_part_bytes: 16 << 20,
            max_parts: 2_000_000,
            daily_cap_upokt: 5_000_000,
            direct_signing: false,
        }
    }
}

impl Default for LogSettings {
    fn default() -> LogSettings {
        LogSettings {
            filter: "info".to_owned(),
            format: LogFormat::Text,
        }
    }
}

impl Default for MinerSettings {
    fn default() -> MinerSettings {
        MinerSettings {
            listen: SocketAddr::from(([0, 0, 0, 0], 4328)),
            public_url: None,
            backend: None,
            backend_health: None,
            backend_key_file: None,
            services: BTreeMap::new(),
            aliases: BTreeMap::new(),
            first_byte_within_s: 60,
            answer_within_s: 600,
            max_request_bytes: hearth_miner::MAX_REQUEST_BYTES as u64,
            max_answer_bytes: 64 << 20,
            max_answer_parts: 1 << 20,
            slots: 0,
            queue: 8,
            start: false,
        }
    }
}

impl Settings {
    /// What no type can say.
    ///
    /// # Errors
    /// The first rule that is broken, in words.
    pub(super) fn check(&self) -> Result<(), String> {
        let refuse = |text: &str| Err(text.to_owned());
        let devnet = &self.devnet;
        if self.chain.trust.height.is_some() != self.chain.trust.hash.is_some() {
            return refuse("chain.trust needs both height and hash");
        }
        let is_hash = |hash: &String| hash.len() == 64 && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
        if let Some(hash) = self.chain.trust.hash.as_ref().filter(|hash| !is_hash(hash)) {
            return refuse(&format!("chain.trust.hash must be 64 hex digits, not \"{hash}\""));
        }
        if let Some(name) = self.api.allowed_hosts.iter().find(|name| !is_host_name(name)) {
            return refuse(&format!(
                "api.allowed_hosts has \"{name}\", which is no host name: write it without scheme, port or path, as \
                 hearth.lan; addresses need no entry"
            ));
        }
        for origin in &self.api.allowed_origins {
            if let Err(error) = hearth_api::OriginPattern::parse(origin) {
                return refuse(&format!("api.allowed_origins: {error}"));
            }
        }
        if !devnet.listen.ip().is_loopback() {
            return refuse(
                "devnet.listen must be a loopback address: anybody who reaches it can make play money",
            );
        }
        // The chain's own rules for its parameters (poktroll: x/shared/types/params.go).
        if devnet.session_blocks < 2 {
            return refuse(
                "devnet.session_blocks must be 2 or more: a session header needs an end after its start",
            );
        }
        if devnet.grace_blocks >= devnet.session_blocks {
            return refuse("devnet.grace_blocks must be less than devnet.session_blocks");
        }
        if devnet.claim_open_blocks < devnet.grace_blocks {
            return refuse("devnet.claim_open_blocks must not be less than devnet.grace_blocks");
        }
        if devnet.block_ms < 20 {
            return refuse("devnet.block_ms must be 20 or more");
        }
        let within = |first_byte_s: u64, answer_s: u64| first_byte_s > 0 && answer_s >= first_byte_s;
        if !within(self.gateway.first_byte_within_s, self.gateway.answer_within_s)
            || !within(self.miner.first_byte_within_s, self.miner.answer_within_s)
        {
            return refuse("first_byte_within_s must be at least 1 and at most answer_within_s");
        }
        if self.engine.threads > MAX_THREADS {
            return refuse(&format!(
                "engine.threads must be {MAX_THREADS} or less; 0 takes one for each core"
            ));
        }
        check_backend(&self.miner)?;
        for (name, backend) in &self.backends {
            backend.check(name)?;
        }
        self.aliases().map_err(|why| format!("models.aliases: {why}"))?;
        if let Some(url) = self
            .miner
            .public_url
            .as_ref()
            .filter(|url| !matches!(url.scheme(), "http" | "https"))
        {
            return refuse(&format!(
                "miner.public_url \"{url}\" has no http:// or https:// before it: write https://{url}"
            ));
        }
        if self.stop_within_s == 0 {
            return refuse("stop_within_s must be at least 1");
        }
        Ok(())
    }
}

impl Settings {
    /// Other names of models, each with what it stands for in the end.
    ///
    /// # Errors
    /// One that stands for nothing, in words.
    pub(crate) fn aliases(&self) -> Result<BTreeMap<String, String>, String> {
        hearth_answers::resolved_aliases(&self.models.aliases, |name| self.backends.contains_key(name))
    }
}

fn check_backend(miner: &MinerSettings) -> Result<(), String> {
    // Without a server of its own a service without a model would sell whatever a buyer names.
    let unnamed = miner.services.iter().find(|(_, model)| model.is_empty());
    if let (Some((service, _)), None) = (unnamed, &miner.backend) {
        return Err(format!(
            "miner.services.{service} names no model: write the model's name, or BACKEND/MODEL"
        ));
    }
    if let Some(text) = miner.backend.as_deref().filter(|text| *text != "null") {
        hearth_answers::check_address(text)
            .map_err(|why| format!("miner.backend cannot work: {}", hide(&why, text)))?;
    }
    match &miner.backend_health {
        Some(path) if !path.starts_with('/') => Err(format!(
            "miner.backend_health is the path of an address: write \"/{path}\""
        )),
        Some(_) | None => Ok(()),
    }
}

/// Words about an address that is refused, without the password in it. The address may be written again in them, as it
/// should have been.
pub(super) fn hide(why: &str, address: &str) -> String {
    let whole = if address.contains("://") {
        address.to_owned()
    } else {
        format!("http://{address}")
    };
    // A parsed address writes some characters in another way.
    let parsed = url::Url::parse(&whole).map(String::from).ok();
    [Some(whole), parsed]
        .into_iter()
        .flatten()
        .fold(why.to_owned(), |why, form| {
            let user = |text: &str| {
                let (_, rest) = text.split_once("://")?;
                let authority = rest.split(['/', '?', '#']).next()?;
                authority.rsplit_once('@').map(|(user, _)| format!("{user}@"))
            };
            match (user(&form), user(&without_password(&form))) {
                (Some(open), Some(hidden)) => why.replace(&open, &hidden),
                (None, _) | (_, None) => why,
            }
        })
}

/// Whether this is a name that a browser could send as the host; an address is none.
fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    name.len() <= 253 && name.split('.').all(is_label) && name.parse::<IpAddr>().is_err()
}

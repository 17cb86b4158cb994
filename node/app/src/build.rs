//! From settings to the parts: each function makes one part, or its checked configuration.

use std::{
    collections::BTreeMap,
    io,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hearth_answers::Models;
use hearth_api::{control::types::NetworkName, parts::adapters::DevnetFaucet};
use hearth_base::{Amount, ChainId, Clock, Height, Secret, ServiceId, Tasks, private::write_private};
use hearth_chain::{Anchor, Chain, Faucet};
use hearth_devnet::{Account, Blocks, Devnet};
use hearth_engine::Engine;
use hearth_gateway::Gateway;
use hearth_miner::{Miner, ServiceConfig};
use hearth_outbox::Outbox;
use hearth_store::Store;

use hearth_wallet::{Cost, Wallet};
use hearth_weights::Weights;
use url::Url;

use crate::{
    backends::{self, Answers},
    config::{DevnetSettings, Settings, TrustSettings, working_key_credential},
    data_dir::Layout,
    error::NodeError,
    library::WeightLibrary,
    network::{MAINNET_CHAIN_ID, Network, Trust},
    secret_line::secret_line,
    started::{Started, stop_and_join},
};

/// A request for the head costs the endpoint little; a devnet's blocks come faster than a real chain's.
const POLL: Duration = Duration::from_secs(2);

pub(crate) fn store_config(network: &Network, layout: &Layout) -> hearth_store::Config {
    hearth_store::Config {
        path: layout.database(),
        chain_id: network.chain_id(),
        max_pages: None,
    }
}

pub(crate) fn engine_config(settings: &Settings) -> hearth_engine::Config {
    hearth_engine::Config {
        threads: settings.engine.threads,
        unix_now: Some(|| Clock::system().now_ms() / 1000),
        ..hearth_engine::Config::default()
    }
}

pub(crate) fn api_config(settings: &Settings, network: NetworkName) -> hearth_api::Config {
    let mut config = hearth_api::Config::new(settings.api.listen, network);
    config.allowed_hosts = own_names();
    config
        .allowed_hosts
        .extend(settings.api.allowed_hosts.iter().cloned());
    // They were checked when they were read.
    config.allowed_origins = settings
        .api
        .allowed_origins
        .iter()
        .filter_map(|origin| hearth_api::OriginPattern::parse(origin).ok())
        .collect();
    config.trusted_proxies.clone_from(&settings.api.trusted_proxies);
    config
}

/// The names that other computers of the network have for this one: by the router's DNS and by mDNS.
fn own_names() -> Vec<String> {
    let Ok(name) = sysinfo::System::host_name() else {
        return Vec::new();
    };
    let short = name.split('.').next().unwrap_or_default().to_owned();
    if short.is_empty() || short.eq_ignore_ascii_case("localhost") {
        return Vec::new();
    }
    vec![format!("{short}.local"), short, name]
}

/// What gives play money: the embedded devnet, or the one of another node that this one joined.
pub(crate) fn devnet_faucet(
    network: &Network,
    devnet: Option<&Devnet>,
) -> Result<Option<DevnetFaucet>, NodeError> {
    let rpc: Url = match (devnet, network) {
        (Some(devnet), _) => devnet
            .rpc_url()
            .parse()
            .map_err(|_| NodeError::Address(devnet.rpc_url()))?,
        (None, Network::Remote { file, .. }) if network.is_devnet() => match file.rpc.first() {
            Some(rpc) => rpc.clone(),
            None => return Ok(None),
        },
        (None, Network::Remote { .. } | Network::Devnet) => return Ok(None),
    };
    // An account of this name is the same one on every devnet.
    let account = Account::named("faucet", Amount::ZERO).address;
    Ok(Some(DevnetFaucet {
        faucet: Faucet::new(rpc)?,
        account: account.parse().map_err(|_| NodeError::Address(account.clone()))?,
    }))
}

pub(crate) async fn devnet(
    settings: &Settings,
    layout: &Layout,
    tasks: &Tasks,
    started: &mut Started,
) -> Result<Devnet, NodeError> {
    let devnet = Devnet::start(devnet_config(&settings.devnet, layout, tasks)).await?;
    stop_and_join!(started, devnet);
    // A second node joins with this file.
    write_private(&layout.network(), devnet.network_toml().as_bytes()).map_err(|source| {
        NodeError::Write {
            path: layout.network(),
            source,
        }
    })?;
    Ok(devnet)
}

fn devnet_config(settings: &DevnetSettings, layout: &Layout, tasks: &Tasks) -> hearth_devnet::Config {
    let mut config =
        hearth_devnet::Config::for_people(layout.devnet_database(), settings.listen, tasks.clone());
    config.blocks = Blocks::Every(Duration::from_millis(settings.block_ms));
    let shared = &mut config.genesis.params.shared;
    shared.num_blocks_per_session = settings.session_blocks;
    shared.grace_period_end_offset_blocks = settings.grace_blocks;
    shared.claim_window_open_offset_blocks = settings.claim_open_blocks;
    shared.claim_window_close_offset_blocks = settings.claim_close_blocks;
    shared.proof_window_open_offset_blocks = settings.proof_open_blocks;
    shared.proof_window_close_offset_blocks = settings.proof_close_blocks;
    // The chain lets nobody leave before the last session is settled.
    let settled_after = settings.claim_open_blocks
        + settings.claim_close_blocks
        + settings.proof_open_blocks
        + settings.proof_close_blocks
        + 1;
    let sessions = settled_after.div_ceil(settings.session_blocks);
    shared.supplier_unbonding_period_sessions = sessions;
    shared.application_unbonding_period_sessions = sessions;
    shared.gateway_unbonding_period_sessions = sessions;
    config
}

pub(crate) fn chain_config(
    settings: &Settings,
    network: &Network,
    devnet: Option<&Devnet>,
) -> Result<hearth_chain::Config, NodeError> {
    let (mut endpoints, mut trust) = match (network, devnet) {
        (Network::Remote { file, .. }, _) => (file.rpc.clone(), file.trust.clone()),
        (Network::Devnet, Some(devnet)) => {
            let url = devnet
                .rpc_url()
                .parse()
                .map_err(|_| NodeError::Address(devnet.rpc_url()))?;
            let header = devnet.trust();
            (
                vec![url],
                Some(Trust {
                    height: header.height,
                    hash: header.hash,
                }),
            )
        }
        // The devnet is built before the chain.
        (Network::Devnet, None) => (Vec::<Url>::new(), None),
    };
    if !settings.chain.rpc.is_empty() {
        endpoints.clone_from(&settings.chain.rpc);
    }
    if let TrustSettings {
        height: Some(height),
        hash: Some(hash),
    } = &settings.chain.trust
    {
        trust = Some(Trust {
            height: Height(*height),
            hash: hash.clone(),
        });
    }
    let id: ChainId = network.chain_id();
    let mut config = hearth_chain::Config::new(id.clone(), endpoints);
    config.mainnet = id.as_str() == MAINNET_CHAIN_ID;
    config.trust = trust.map(|trust| anchor(&trust)).transpose()?;
    // The chain in this process says itself where it begins, unless the owner says otherwise.
    config.anchor_rules = devnet.is_some() && settings.chain.trust.height.is_none();
    config.poll = match network {
        Network::Devnet => Duration::from_millis((settings.devnet.block_ms / 4).clamp(25, 500)),
        Network::Remote { .. } if network.is_devnet() => Duration::from_millis(500),
        Network::Remote { .. } => POLL,
    };
    Ok(config)
}

fn anchor(trust: &Trust) -> Result<Anchor, NodeError> {
    let mut hash = [0; 32];
    hex::decode_to_slice(&trust.hash, &mut hash).map_err(|_| NodeError::TrustHash(trust.hash.clone()))?;
    Ok(Anchor {
        height: trust.height,
        hash,
    })
}

/// Where the password lies that opens the working key at start. Money of a devnet is play, so there it lies beside
/// the keys, if the set-up made them.
pub(crate) fn password_file(settings: &Settings, network: &Network, layout: &Layout) -> Option<PathBuf> {
    let given = settings.wallet.passphrase_file.clone();
    given
        .or_else(working_key_credential)
        .or_else(|| network.is_devnet().then(|| layout.devnet_password()))
}

/// Opens the keystore, and the working key if the owner left its password for that.
pub(crate) async fn wallet(
    settings: &Settings,
    network: &Network,
    layout: &Layout,
    clock: &Clock,
) -> Result<Wallet, NodeError> {
    let config = hearth_wallet::Config {
        folder: layout.keystore(),
        cost: Cost::STRONG,
    };
    let wallet = Wallet::open(config, clock.clone())?;
    let file = password_file(settings, network, layout);
    // The set-up of a devnet writes the file together with the wallet.
    let is_there = |file: &PathBuf| settings.wallet.passphrase_file.is_some() || file.exists();
    let (Some(file), true) = (file.filter(is_there), wallet.accounts().is_some()) else {
        return Ok(wallet);
    };
    let password = secret_line(&file)?;
    let opening = wallet.clone();
    let opened = tokio::task::spawn_blocking(move || opening.unlock_working(&password)).await;
    match opened {
        Ok(Ok(())) if !wallet.state().borrow().locked_unattended().is_empty() => {
            let locked = wallet.state().borrow().locked_unattended().join(", ");
            tracing::error!(
                "the keys of {locked} sign unattended, and stay locked: the password at this start opens those alone that \
                 were sealed apart; seal them, too, with `hearth wallet seal-operator`"
            );
        }
        Ok(Ok(())) if network.is_devnet() || wallet.state().borrow().is_sealed_apart => {}
        Ok(Ok(())) => tracing::warn!(
            "what opens the working key at this start opens the whole wallet: seal it apart with \
             `hearth wallet seal-operator`"
        ),
        // Chat works without it, and earning says `key_locked`.
        Ok(Err(error)) => tracing::error!(%error, "the working key stays locked"),
        Err(error) => tracing::error!(%error, "the working key stays locked"),
    }
    Ok(wallet)
}

pub(crate) fn weights_config(settings: &Settings, layout: &Layout) -> hearth_weights::Config {
    let mut config = hearth_weights::Config::new(layout.weights());
    config.quota_bytes =
        (settings.weights.quota_gb > 0).then(|| settings.weights.quota_gb.saturating_mul(1_000_000_000));
    config.sources = settings.weights.gateways.iter().map(Url::to_string).collect();
    config
}

pub(crate) fn models(
    settings: &Settings,
    engine: &Engine,
    weights: &Weights,
    clock: &Clock,
    tasks: &Tasks,
) -> Models {
    let context_tokens = (settings.engine.context_tokens > 0).then_some(settings.engine.context_tokens);
    Models::start(hearth_answers::Args {
        config: hearth_answers::Config::default(),
        engine: engine.clone(),
        library: Arc::new(WeightLibrary {
            weights: weights.clone(),
            context_tokens,
        }),
        clock: clock.clone(),
        tasks: tasks.child("models"),
    })
}

/// A secret that is made at the first start and stays: `prefix` and 32 random bytes in hex.
pub(crate) fn secret_file(path: &Path, prefix: &str) -> Result<Secret, NodeError> {
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().len() > prefix.len() => return Ok(text.trim().to_owned().into()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => {
            return Err(NodeError::Read {
                path: path.to_owned(),
                source,
            });
        }
    }
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| NodeError::Random(error.to_string()))?;
    let secret = format!("{prefix}{}", hex::encode(bytes));
    write_private(path, secret.as_bytes()).map_err(|source| NodeError::Write {
        path: path.to_owned(),
        source,
    })?;
    Ok(secret.into())
}

/// The services that are sold: those of the settings; on a devnet the demo service as well, also where the set-up
/// runs only when it is asked for.
pub(crate) fn sold_services(settings: &Settings, network: &Network) -> Vec<(ServiceId, String)> {
    let mut services: Vec<(ServiceId, String)> = settings
        .miner
        .services
        .iter()
        .map(|(service, model)| (ServiceId::new(service.as_str()), model.clone()))
        .collect();
    let demo = crate::setup::DEMO;
    if *network == Network::Devnet && services.iter().all(|(id, _)| id.as_str() != demo) {
        services.push((ServiceId::new(demo), demo.to_owned()));
    }
    services
}

/// Whether every other name of a service stands for one that is sold.
pub(crate) fn check_aliases(settings: &Settings, network: &Network) -> Result<(), NodeError> {
    let sold = sold_services(settings, network);
    let unknown =
        |(_, service): &(&String, &String)| sold.iter().all(|(own, _)| own.as_str() != service.as_str());
    match settings.miner.aliases.iter().find(unknown) {
        Some((name, service)) => Err(NodeError::Alias {
            name: name.clone(),
            service: service.clone(),
        }),
        None => Ok(()),
    }
}

/// What the miner is built on.
pub(crate) struct MinerParts<'a> {
    pub(crate) store: &'a Store,
    pub(crate) chain: &'a Chain,
    pub(crate) wallet: &'a Wallet,
    pub(crate) outbox: &'a Outbox,
    pub(crate) answers: &'a Answers,
}

pub(crate) async fn miner(
    settings: &Settings,
    network: &Network,
    layout: &Layout,
    parts: MinerParts<'_>,
    clock: &Clock,
    tasks: &Tasks,
) -> Result<Miner, NodeError> {
    check_aliases(settings, network)?;
    let sold: BTreeMap<ServiceId, String> = sold_services(settings, network).into_iter().collect();
    let mut config = hearth_miner::Config::new(settings.miner.listen, layout.evidence());
    if *network == Network::Devnet {
        // Nobody outside can know of this chain, so nobody outside needs to reach its supplier.
        config.listen.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let limits = ServiceConfig {
        first_byte_within: Duration::from_secs(settings.miner.first_byte_within_s),
        answer_within: Duration::from_secs(settings.miner.answer_within_s),
        slots: settings.miner.slots,
        queue: match settings.miner.backend.as_deref() {
            Some("null") => 0,
            None | Some(_) => settings.miner.queue,
        },
    };
    config.services = sold.keys().map(|service| (service.clone(), limits)).collect();
    config.models = sold;
    config.start = settings.miner.start;
    config.allow_local_url = network.allows_local_suppliers();
    let bytes = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    config.max_request_bytes = bytes(settings.miner.max_request_bytes);
    if *network == Network::Devnet {
        // A proof carries the request, and the embedded chain takes transactions of 1 MiB.
        config.max_request_bytes = config.max_request_bytes.min(hearth_devnet::MAX_TX_BYTES / 2);
    }
    config.max_answer_bytes = bytes(settings.miner.max_answer_bytes);
    config.max_answer_parts = bytes(settings.miner.max_answer_parts);
    config.aliases = aliases(settings);
    let miner = Miner::start(hearth_miner::Args {
        config,
        public_url: settings.miner.public_url.clone(),
        store: parts.store.clone(),
        keys: Arc::new(parts.wallet.clone()),
        network: Arc::new(parts.chain.clone()),
        outbox: parts.outbox.clone(),
        backend: backends::miner_backend(settings, parts.answers)?,
        free_bytes: crate::doctor::free_bytes,
        clock: clock.clone(),
        tasks: tasks.child("miner"),
    })
    .await?;
    Ok(miner)
}

fn aliases(settings: &Settings) -> BTreeMap<String, ServiceId> {
    let aliases = settings.miner.aliases.iter();
    aliases
        .map(|(name, service)| (name.clone(), ServiceId::new(service.as_str())))
        .collect()
}

pub(crate) fn gateway(
    settings: &Settings,
    network: &Network,
    parts: MinerParts<'_>,
    clock: &Clock,
    tasks: &Tasks,
) -> Result<Gateway, NodeError> {
    let config = hearth_gateway::Config {
        first_byte: Duration::from_secs(settings.gateway.first_byte_within_s),
        total: Duration::from_secs(settings.gateway.answer_within_s),
        max_answer_bytes: usize::try_from(settings.gateway.max_answer_bytes).unwrap_or(usize::MAX),
        max_part_bytes: usize::try_from(settings.gateway.max_part_bytes).unwrap_or(usize::MAX),
        max_parts: settings.gateway.max_parts,
        daily_cap: Amount::from_upokt(settings.gateway.daily_cap_upokt.into()),
        direct: settings.gateway.direct_signing,
        allow_local_endpoints: network.allows_local_suppliers(),
        ..hearth_gateway::Config::default()
    };
    Ok(Gateway::start(hearth_gateway::Args {
        config,
        chain: Arc::new(hearth_gateway::VerifiedChain(parts.chain.clone())),
        keys: Arc::new(parts.wallet.clone()),
        store: parts.store.clone(),
        clock: clock.clone(),
        tasks: tasks.child("gateway"),
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_the_settings_reach_the_api() {
        let mut settings = Settings::default();
        settings.api.allowed_hosts = vec!["hearth.lan".to_owned()];
        settings.api.allowed_origins = vec!["app://obsidian.md".to_owned()];
        let network = NetworkName {
            name: "devnet".to_owned(),
            chain_id: "hearth-devnet".to_owned(),
            is_devnet: true,
        };
        let config = api_config(&settings, network);
        assert!(config.allowed_hosts.contains(&"hearth.lan".to_owned()));
        assert_eq!(config.allowed_origins[0].to_string(), "app://obsidian.md");
        let own = own_names();
        assert!(config.allowed_hosts.starts_with(&own));
        assert!(own.is_empty() || own[0].ends_with(".local"), "{own:?}");
        assert_eq!(config.listen, settings.api.listen);
    }
}

//! The doctor of a node that does not run: what its files and this computer tell.

use hearth_answers::Backend as _;
use hearth_api::control::types::{Check, Level};
use hearth_base::Clock;
use hearth_store::Store;
use hearth_wallet::{Cost, Wallet};

use crate::{
    backends,
    config::Settings,
    data_dir::{self, DataDirError, Layout, foreign_owner, foreign_owner_words},
    database,
    doctor::{self, bad, ok},
    error::NodeError,
    network::Network,
    offline_weights::OfflineWeights,
};

/// Runs the checks that need no running node. Makes no data directory where there is none.
pub async fn offline_doctor(settings: &Settings, network: &Network, layout: &Layout) -> Vec<Check> {
    let mut checks = vec![
        not_running(layout, network),
        doctor::graphics(settings.miner.backend.is_some()).await,
    ];
    checks.extend(backend(settings).await);
    for (name, backend) in &settings.backends {
        checks.push(match backends::named_backend(name, backend) {
            Ok(named) => doctor::named_backend(name, named.backend.as_ref()).await,
            Err(error) => bad(
                Level::Fail,
                "backend",
                name,
                hearth_base::failure::chain(&error),
                "It cannot be asked as it is configured.",
                &format!("correct backends.{name} in the configuration"),
            ),
        });
    }
    if !layout.root().exists() {
        let meaning = "Nothing was set up for this network on this computer yet.";
        let fact = format!("{} is not there", layout.root().display());
        checks.push(bad(
            Level::Warn,
            "no_data",
            "Data",
            fact,
            meaning,
            "start Hearth; it makes the folder",
        ));
        checks.push(reachable(settings, network));
        return checks;
    }
    checks.push(doctor::disk(layout.root()));
    checks.extend(foreign_owner(layout.root()).map(|owner| {
        let words = foreign_owner_words(layout.root(), owner);
        let fact = format!("belongs to user {owner}");
        bad(Level::Warn, "foreign_owner", "Data", fact, &words, "")
    }));
    checks.extend(data(settings, network, layout).await);
    checks.extend(keys(layout, network));
    checks.push(reachable(settings, network));
    checks
}

fn not_running(layout: &Layout, network: &Network) -> Check {
    if let Some(pid) = data_dir::holder(layout.root()) {
        let fact = format!(
            "process {pid} holds {} and does not answer",
            layout.root().display()
        );
        let meaning = "It is starting, works offline, was stopped by a signal, or hangs.";
        let remedy =
            format!("wait a moment; `kill -CONT {pid}` lets a stopped one go on, `kill {pid}` ends it");
        return bad(Level::Fail, "not_answering", "Hearth", fact, meaning, &remedy);
    }
    let fact = format!("does not run on {}", layout.root().display());
    let meaning = "Nothing is answered or earned; chain and stake are not looked at.";
    let remedy = format!("hearth --daemon --network {}", network.name());
    bad(Level::Warn, "not_running", "Hearth", fact, meaning, &remedy)
}

/// The server that makes the answers, where it is not the engine.
async fn backend(settings: &Settings) -> Option<Check> {
    let address = settings.miner.backend.as_deref().filter(|text| *text != "null")?;
    let probed = match backends::url_backend(settings, address) {
        Err(error) => Err(hearth_base::failure::chain(&error)),
        Ok(backend) => backend.probe(None).await.map_err(|error| error.text()),
    };
    Some(doctor::backend_at(address, probed))
}

/// Database and models.
async fn data(settings: &Settings, network: &Network, layout: &Layout) -> Vec<Check> {
    if let Some(error) = database::lost(layout) {
        return vec![bad(
            Level::Fail,
            error.code(),
            "Data",
            "the database is lost",
            &error.to_string(),
            "",
        )];
    }
    if !layout.database().exists() {
        let meaning = "Nothing was set up here yet.";
        return vec![bad(
            Level::Warn,
            "no_data",
            "Data",
            "no database yet",
            meaning,
            "",
        )];
    }
    if let Some(chain) = Store::chain_of(&layout.database()).await
        && chain != network.chain_id()
    {
        let fact = format!("belong to {chain}, not to {}", network.chain_id());
        let meaning = "A data directory belongs to one network; it does not start for another.";
        let remedy = "leave --network out, or name another --data-dir";
        return vec![bad(Level::Fail, "other_chain", "Data", fact, meaning, remedy)];
    }
    match OfflineWeights::open(settings, network, layout).await {
        Ok(offline) => {
            let check = doctor::models(offline.weights()).await;
            offline.close().await;
            vec![ok("data", "Data", "the database opens"), check]
        }
        Err(NodeError::DataDir(DataDirError::Taken { pid, .. })) => {
            let fact = format!("process {pid} holds them and its API does not answer");
            let meaning = "It is starting, stopping or stuck.";
            let remedy = "wait a moment; then stop that process and start Hearth again";
            vec![bad(Level::Fail, "data_dir_taken", "Data", fact, meaning, remedy)]
        }
        Err(error) => {
            let why = hearth_base::failure::chain(&error);
            vec![bad(
                Level::Fail,
                error.code(),
                "Data",
                "cannot be opened",
                &why,
                "",
            )]
        }
    }
}

fn keys(layout: &Layout, network: &Network) -> Vec<Check> {
    let config = hearth_wallet::Config {
        folder: layout.keystore(),
        cost: Cost::STRONG,
    };
    match Wallet::open(config, Clock::system()) {
        // Without a node every key is locked, so whether one signs is no question here.
        Ok(wallet) => doctor::keys(&wallet, network.is_devnet())
            .into_iter()
            .filter(|check| check.code != "key_locked")
            .collect(),
        Err(error) => {
            let text = error.to_string();
            let meaning = "Money and earning wait until its file can be read.";
            vec![bad(
                Level::Fail,
                "wallet_damaged",
                "Wallet",
                text,
                meaning,
                "restore the wallet from its recovery words",
            )]
        }
    }
}

fn reachable(settings: &Settings, network: &Network) -> Check {
    doctor::reachable_at(
        network.is_devnet(),
        network.allows_local_suppliers(),
        settings.miner.public_url.as_ref(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_dir::DataDir;

    fn level(checks: &[Check], code: &str) -> Option<Level> {
        checks
            .iter()
            .find(|check| check.code == code)
            .map(|check| check.level)
    }

    #[tokio::test]
    async fn the_doctor_looks_at_files_where_no_node_runs() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::of(&folder.path().join("data"));
        let (settings, network) = (Settings::default(), Network::parse("mainnet").unwrap());
        let checks = offline_doctor(&settings, &network, &layout).await;
        assert_eq!(level(&checks, "backend"), None, "the engine needs no look");
        assert_eq!(level(&checks, "not_running"), Some(Level::Warn));
        assert_eq!(level(&checks, "no_data"), Some(Level::Warn));
        assert!(!layout.root().exists(), "looking makes nothing");

        let held = DataDir::open(layout.root()).unwrap();
        let store = crate::build::store_config(&network, &layout);
        Store::open(store).await.unwrap().close().await;
        std::fs::write(layout.keystore().join("wallet.json"), "{}").unwrap();
        let checks = offline_doctor(&settings, &network, &layout).await;
        assert_eq!(level(&checks, "data_dir_taken"), Some(Level::Fail));
        assert_eq!(level(&checks, "not_answering"), Some(Level::Fail));
        assert_eq!(level(&checks, "wallet_damaged"), Some(Level::Fail));
        drop(held);
        let checks = offline_doctor(&settings, &network, &layout).await;
        assert_eq!(level(&checks, "data"), Some(Level::Ok));
        assert_eq!(level(&checks, "no_model"), Some(Level::Warn));
        let checks = offline_doctor(&settings, &Network::Devnet, &layout).await;
        assert_eq!(level(&checks, "other_chain"), Some(Level::Fail));
    }

    #[test]
    fn an_address_that_nobody_else_reaches_is_told() {
        let code = |network: &Network, url: &str| {
            let mut settings = Settings::default();
            settings.miner.public_url = Some(url::Url::parse(url).unwrap());
            let check = reachable(&settings, network);
            (
                check.code,
                check.remedy.unwrap_or_default().contains("miner.public_url"),
            )
        };
        let mainnet = Network::parse("mainnet").unwrap();
        for near in [
            "http://192.168.1.5:4328",
            "http://10.0.0.2",
            "https://127.0.0.1",
            "http://localhost:1",
            "http://[fe80::1]",
        ] {
            assert_eq!(code(&mainnet, near), ("address_near".to_owned(), true), "{near}");
            assert_eq!(code(&Network::Devnet, near).0, "reachable", "{near}");
        }
        assert_eq!(code(&mainnet, "https://relay.example").0, "reachable");
    }

    #[tokio::test]
    async fn the_doctor_asks_the_server_that_makes_the_answers() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::of(&folder.path().join("data"));
        // Nobody listens at a port that was free a moment ago.
        let free = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let mut settings = Settings::default();
        settings.miner.backend = Some(format!("http://{free}"));
        let checks = offline_doctor(&settings, &Network::Devnet, &layout).await;
        let check = checks.iter().find(|check| check.code == "backend").unwrap();
        assert_eq!(check.level, Level::Fail);
        assert!(check.fact.contains(&free.to_string()), "{check:?}");
        settings.miner.backend = Some("no address".to_owned());
        let checks = offline_doctor(&settings, &Network::Devnet, &layout).await;
        assert_eq!(level(&checks, "backend"), Some(Level::Fail));
    }
}

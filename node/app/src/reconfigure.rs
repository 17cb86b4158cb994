//! Changes of the configuration, checked against this computer as well: what the next start would refuse is refused now.

use std::net::{SocketAddr, TcpListener};

use hearth_base::ChainId;

use crate::{
    backends, build,
    config::{Change, ChangeError, Layered, Settings, prepare},
    logging,
    network::Network,
    secret_line::secret_line,
};

/// Settings that take effect at once; all others with the next start.
pub(crate) const AT_ONCE: [&str; 1] = ["log.filter"];

/// Changes the file of `layered`. `chain` is that of the data directory, where it has data.
///
/// # Errors
/// What [`prepare`] refuses; what a start with these settings would refuse; a file that cannot be written.
pub fn reconfigure(
    layered: &Layered,
    changes: &[Change],
    chain: Option<&ChainId>,
) -> Result<Layered, ChangeError> {
    let prepared = prepare(layered, changes)?;
    let next = &prepared.next.settings;
    let network = network(next, changes, chain).map_err(ChangeError::Beside)?;
    check(&layered.settings, next, &network).map_err(ChangeError::Beside)?;
    prepared.write()
}

/// What the settings alone do not tell. Only what differs is looked at: a file that is gone since must not stand in the
/// way of changing something else.
fn check(now: &Settings, next: &Settings, network: &Network) -> Result<(), String> {
    if now.log.filter != next.log.filter {
        logging::check_filter(&next.log.filter).map_err(|error| error.to_string())?;
    }
    if let Some(file) = changed(&now.wallet.passphrase_file, &next.wallet.passphrase_file) {
        secret_line(file).map_err(|error| format!("wallet.passphrase_file: {error}"))?;
    }
    if let Some(folder) = changed(&now.weights.demo_folder, &next.weights.demo_folder)
        && !folder.is_dir()
    {
        return Err(format!(
            "weights.demo_folder: {} is no folder that is there",
            folder.display()
        ));
    }
    if (&now.backends, &now.miner) != (&next.backends, &next.miner) {
        backends::check(next).map_err(|error| error.to_string())?;
    }
    let is_same = now.miner.aliases == next.miner.aliases && now.miner.services == next.miner.services;
    if !is_same {
        build::check_aliases(next, network).map_err(|error| error.to_string())?;
    }
    for (key, now, next) in [
        ("api.listen", now.api.listen, next.api.listen),
        ("miner.listen", now.miner.listen, next.miner.listen),
        ("devnet.listen", now.devnet.listen, next.devnet.listen),
    ] {
        if now != next {
            check_free(key, next)?;
        }
    }
    Ok(())
}

fn changed<'a, T: PartialEq>(now: &Option<T>, next: &'a Option<T>) -> Option<&'a T> {
    next.as_ref().filter(|_| now != next)
}

/// The network of the data; a new name must be one of theirs.
fn network(settings: &Settings, changes: &[Change], chain: Option<&ChainId>) -> Result<Network, String> {
    let is_named = changes.iter().any(|change| change.key == "network");
    if let (false, Some(chain)) = (is_named, chain) {
        return Ok(Network::of_chain(chain));
    }
    let network = Network::parse(&settings.network).map_err(|error| hearth_base::failure::chain(&error))?;
    match chain {
        Some(chain) if *chain != network.chain_id() => Err(format!(
            "network: the data here belong to the chain {chain}; each network has a data directory of its own: start \
             it beside this one with `hearth --network {}`",
            settings.network
        )),
        Some(_) | None => Ok(network),
    }
}

/// Another program that holds the address would keep the next start from listening there.
fn check_free(key: &str, address: SocketAddr) -> Result<(), String> {
    TcpListener::bind(address)
        .map(drop)
        .map_err(|error| format!("{key}: nothing can listen on {address} ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    fn refused(changes: &[(&str, &str)]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let layered = load(&folder.path().join("config.toml"), false, &Default::default()).unwrap();
        let changes: Vec<Change> = changes
            .iter()
            .map(|(key, value)| Change {
                key: (*key).to_owned(),
                value: Some((*value).to_owned()),
            })
            .collect();
        let chain = ChainId::from("pocket");
        let done = reconfigure(&layered, &changes, Some(&chain));
        assert_eq!(folder.path().join("config.toml").exists(), done.is_ok());
        done.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_the_next_start_would_refuse_is_refused_now() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = taken.local_addr().unwrap().to_string();
        for (changes, said) in [
            (&[("network", "nowhere")][..], "neither mainnet"),
            (&[("network", "devnet")], "belong to the chain pocket"),
            (&[("network", "mainnet")], ""),
            (&[("log.filter", "a=b=c")], "log.filter"),
            (&[("wallet.passphrase_file", "/nowhere/pass")], "/nowhere/pass"),
            (&[("weights.demo_folder", "/nowhere")], "no folder"),
            (
                &[
                    ("backends.big.url", "http://h"),
                    ("backends.big.key_file", "/nowhere/key"),
                ],
                "/nowhere/key",
            ),
            (&[("miner.aliases.other", "svc")], "miner.services"),
            (
                &[("miner.aliases.other", "svc"), ("miner.services.svc", "model")],
                "",
            ),
            (&[("miner.listen", taken.as_str())], "nothing can listen"),
            (&[("miner.public_url", "https://relay.example")], ""),
        ] {
            let error = refused(changes);
            assert_eq!(error.is_empty(), said.is_empty(), "{changes:?}: {error}");
            assert!(error.contains(said), "{changes:?}: {error}");
        }
    }
}

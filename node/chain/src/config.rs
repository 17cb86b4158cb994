//! Which chain, through which endpoints, trusted from where.

use std::time::Duration;

use hearth_base::{Amount, ChainId, Height};
use url::Url;

/// The chain id of mainnet, which upstream's LocalNet uses too.
const MAINNET: &str = "pocket";

/// A header that the operator trusts: its height and its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The header's height.
    pub height: Height,
    /// The header's hash.
    pub hash: [u8; 32],
}

/// What [`crate::Chain::start`] needs to know. [`Config::new`] fills in the usual numbers.
#[derive(Clone, Debug)]
pub struct Config {
    /// The id that every header of the chain carries and every transaction is signed for.
    pub chain_id: ChainId,
    /// Whether this is the mainnet preset. No other network may use mainnet's chain id.
    pub mainnet: bool,
    /// The JSON-RPC addresses, in order of preference.
    pub endpoints: Vec<Url>,
    /// Where trust begins. Without it, the first head on which [`Config::agree`] endpoints agree.
    pub trust: Option<Anchor>,
    /// Whether the anchor is the word of the chain itself, as that of a chain in this process. Else stored headers that
    /// contradict the anchor stop everything until a person decides.
    pub anchor_rules: bool,
    /// How many endpoints must agree on a head where there is no anchor.
    pub agree: usize,
    /// How long a validator set is trusted; shorter than the chain's unbonding time of 21 days.
    pub trusting_period: Duration,
    /// How far a header may be ahead of our clock.
    pub clock_drift: Duration,
    /// The time limit of one request.
    pub request_timeout: Duration,
    /// How often the head is asked for.
    pub poll: Duration,
    /// How long an endpoint that lied is left alone.
    pub ban: Duration,
    /// The first fee that is offered, in millionths of upokt per unit of gas.
    pub gas_price_micro: u64,
    /// The highest fee that is ever offered, however much an endpoint asks for.
    pub max_fee: Amount,
}

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error(
        "a network file may not use mainnet's chain id \"pocket\": a transaction signed for it would be valid on \
         mainnet; give the private network another id, or use --network mainnet"
    )]
    MainnetId,
    #[error("the mainnet preset must have chain id \"pocket\", not \"{0}\"")]
    NotMainnet(ChainId),
    #[error("the network has no chain id: write chain_id into its network file")]
    NoChainId,
    #[error("the network has no endpoint: write at least one address into rpc = [\"…\"]")]
    NoEndpoint,
    #[error("\"{0}\" is no address of a JSON-RPC endpoint: it must begin with http:// or https://")]
    NotHttp(String),
    #[error(
        "a trusting period of {given:?} is too long: 21 days is the unbonding time, at most 20 days are safe"
    )]
    TrustsTooLong { given: Duration },
}

impl Config {
    /// What [`Config::gas_price_micro`] usually is: the least that mainnet's validators take.
    pub const GAS_PRICE_MICRO: u64 = 1;

    /// A configuration with the usual numbers.
    #[must_use]
    pub fn new(chain_id: ChainId, endpoints: Vec<Url>) -> Config {
        Config {
            chain_id,
            mainnet: false,
            endpoints,
            trust: None,
            anchor_rules: false,
            agree: 2,
            trusting_period: Duration::from_secs(14 * 24 * 3600),
            clock_drift: Duration::from_secs(30),
            request_timeout: Duration::from_secs(10),
            poll: Duration::from_secs(1),
            ban: Duration::from_secs(600),
            gas_price_micro: Config::GAS_PRICE_MICRO,
            max_fee: Amount::from_upokt(Amount::UPOKT_PER_POKT),
        }
    }

    /// Checks what can be checked without a connection.
    ///
    /// # Errors
    /// Mainnet's id on another network, no endpoint, an address that is not HTTP, a trusting period beyond 20 days.
    pub fn check(&self) -> Result<(), ConfigError> {
        let id = self.chain_id.as_str();
        match (id == MAINNET, self.mainnet) {
            (true, false) => return Err(ConfigError::MainnetId),
            (false, true) => return Err(ConfigError::NotMainnet(self.chain_id.clone())),
            (true, true) | (false, false) => {}
        }
        if id.is_empty() {
            return Err(ConfigError::NoChainId);
        }
        if self.endpoints.is_empty() {
            return Err(ConfigError::NoEndpoint);
        }
        self.endpoints.iter().try_for_each(check_scheme)?;
        if self.trusting_period > Duration::from_secs(20 * 24 * 3600) {
            return Err(ConfigError::TrustsTooLong {
                given: self.trusting_period,
            });
        }
        Ok(())
    }
}

/// Reads the address of an endpoint.
///
/// # Errors
/// A text that is none, or one that is not HTTP. Neither repeats what may be an access key.
pub(crate) fn check_url(text: &str) -> Result<Url, ConfigError> {
    let shown = || {
        text.split(['/', '?', '@'])
            .next()
            .unwrap_or_default()
            .chars()
            .take(60)
            .collect()
    };
    let url: Url = text.trim().parse().map_err(|_| ConfigError::NotHttp(shown()))?;
    check_scheme(&url)?;
    Ok(url)
}

fn check_scheme(url: &Url) -> Result<(), ConfigError> {
    if matches!(url.scheme(), "http" | "https") {
        return Ok(());
    }
    let host = url.host_str().unwrap_or_default();
    Err(ConfigError::NotHttp(format!("{}://{host}", url.scheme())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(chain_id: &str) -> Config {
        Config::new(chain_id.into(), vec!["http://127.0.0.1:26657".parse().unwrap()])
    }

    #[test]
    fn only_mainnet_may_use_its_id() {
        assert_eq!(config("pocket").check(), Err(ConfigError::MainnetId));
        assert_eq!(
            Config {
                mainnet: true,
                ..config("pocket")
            }
            .check(),
            Ok(())
        );
        assert!(matches!(
            Config {
                mainnet: true,
                ..config("beta")
            }
            .check(),
            Err(ConfigError::NotMainnet(_))
        ));
        assert_eq!(config("hearth-devnet").check(), Ok(()));
    }

    #[test]
    fn what_cannot_work_is_refused() {
        assert_eq!(config("").check(), Err(ConfigError::NoChainId));
        assert_eq!(
            Config {
                endpoints: vec![],
                ..config("x")
            }
            .check(),
            Err(ConfigError::NoEndpoint)
        );
        let ftp = Config {
            endpoints: vec!["ftp://host".parse().unwrap()],
            ..config("x")
        };
        assert!(matches!(ftp.check(), Err(ConfigError::NotHttp(_))));
        let long = Config {
            trusting_period: Duration::from_secs(21 * 24 * 3600),
            ..config("x")
        };
        assert!(matches!(long.check(), Err(ConfigError::TrustsTooLong { .. })));
    }
}

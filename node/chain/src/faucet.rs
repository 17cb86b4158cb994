//! Play money, from the admin call of a devnet.

use std::time::Duration;

use hearth_base::{Amount, Failure, Height, Kind};
use hearth_outbound::{Client, Config, PrivateAddresses};
use hearth_pocket::address::Address;
use serde_json::{Value, json};
use url::Url;

/// How long a gift may take: it waits for a block.
const WITHIN: Duration = Duration::from_secs(30);

/// Why no play money came.
#[derive(Debug, thiserror::Error)]
pub enum FaucetError {
    #[error("the HTTP client for the faucet cannot be made")]
    Client(#[source] reqwest::Error),
    #[error("the devnet does not answer: is it running?")]
    Unreachable(#[source] reqwest::Error),
    #[error("the faucet refused: {0}")]
    Refused(String),
}

impl Failure for FaucetError {
    fn kind(&self) -> Kind {
        match self {
            FaucetError::Unreachable(_) => Kind::Retry,
            FaucetError::Client(_) | FaucetError::Refused(_) => Kind::Skip,
        }
    }
}

/// Play money on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gift {
    /// The transaction, in upper-case hex.
    pub tx_hash: String,
    /// Its block; `None` where the devnet makes blocks on command only.
    pub height: Option<Height>,
}

/// The faucet of a devnet. It is asked at one address alone: a second one could give the same gift twice.
#[derive(Clone, Debug)]
pub struct Faucet {
    http: reqwest::Client,
    rpc: Url,
}

impl Faucet {
    /// The faucet behind this JSON-RPC address.
    ///
    /// # Errors
    /// No TLS on this computer.
    pub fn new(rpc: Url) -> Result<Faucet, FaucetError> {
        let config = Config::new(PrivateAddresses::Allowed, WITHIN);
        let http = Client::new(config)
            .map_err(FaucetError::Client)?
            .pick(&rpc)
            .clone();
        Ok(Faucet { http, rpc })
    }

    /// Sends play money and waits for its block.
    ///
    /// # Errors
    /// A devnet that does not answer, or a faucet that refuses.
    pub async fn give(&self, to: &Address, amount: Amount) -> Result<Gift, FaucetError> {
        let request = json!({
            "jsonrpc": "2.0",
            "id": 1,
            "method": "devnet_faucet",
            "params": { "address": to.as_str(), "amount": amount.upokt().to_string() },
        });
        let answer = self
            .http
            .post(self.rpc.clone())
            .timeout(WITHIN)
            .json(&request)
            .send()
            .await;
        let answer: Value = answer
            .map_err(FaucetError::Unreachable)?
            .json()
            .await
            .map_err(FaucetError::Unreachable)?;
        if let Some(error) = answer.get("error") {
            let text = error["data"]
                .as_str()
                .or(error["message"].as_str())
                .unwrap_or("no reason was given");
            return Err(FaucetError::Refused(text.to_owned()));
        }
        let result = &answer["result"];
        let height = result["height"]
            .as_str()
            .and_then(|text| text.parse().ok())
            .or(result["height"].as_u64());
        Ok(Gift {
            tx_hash: result["hash"].as_str().unwrap_or_default().to_owned(),
            height: height.map(Height),
        })
    }
}

//! Play money, from the admin call of a devnet.

use std::time::Duration;

use anyhow::Context as _;
use hearth_base::Amount;
use hearth_pocket::address::Address;
use serde_json::{Value, json};
use url::Url;

/// How long a faucet may take: it waits for a block.
const WITHIN: Duration = Duration::from_secs(30);

/// The faucet of a devnet.
#[derive(Clone)]
pub(crate) struct Faucet {
    http: reqwest::Client,
    rpc: Url,
}

impl Faucet {
    pub(crate) fn new(rpc: Url) -> anyhow::Result<Faucet> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(WITHIN)
            .build()
            .context("no HTTP client")?;
        Ok(Faucet { http, rpc })
    }

    /// Sends play money and waits for its block.
    pub(crate) async fn give(&self, to: &Address, amount: Amount) -> anyhow::Result<()> {
        let request = json!({
            "jsonrpc": "2.0",
            "id": 1,
            "method": "devnet_faucet",
            "params": { "address": to.as_str(), "amount": amount.upokt().to_string() },
        });
        let answer: Value = self
            .http
            .post(self.rpc.clone())
            .json(&request)
            .send()
            .await
            .context("the devnet does not answer")?
            .json()
            .await
            .context("the devnet's answer is no JSON")?;
        if let Some(error) = answer.get("error") {
            let text = error["data"]
                .as_str()
                .or(error["message"].as_str())
                .unwrap_or("no reason was given");
            anyhow::bail!("the faucet refused: {text}");
        }
        Ok(())
    }
}

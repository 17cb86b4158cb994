//! Several endpoints of one chain: which to ask, and whom to ask next.

use std::{sync::Arc, time::Duration};

use hearth_base::Height;
use hearth_outbound::{Client, Config, Inward};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::endpoint::{Endpoint, EndpointState, EndpointStatus, RpcError};

/// Connecting takes no longer than this; the rest of the limit is for the answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The endpoints, in the operator's order.
#[derive(Debug)]
pub(crate) struct Pool {
    endpoints: Vec<Arc<Endpoint>>,
    ban: Duration,
}

impl Pool {
    pub(crate) fn new(urls: &[Url], limit: Duration, ban: Duration) -> Result<Pool, reqwest::Error> {
        // A redirect could lead anywhere; none is followed.
        let client = Client::new(Config {
            compressed: true,
            ..Config::new(Inward::Allowed, CONNECT_LIMIT.min(limit))
        })?;
        let endpoints = urls
            .iter()
            .map(|url| Arc::new(Endpoint::new(url.clone(), client.pick(url).clone(), limit)))
            .collect();
        Ok(Pool { endpoints, ban })
    }

    /// The endpoints that may be asked, best first.
    pub(crate) fn candidates(&self) -> Vec<Arc<Endpoint>> {
        let best = self
            .endpoints
            .iter()
            .map(|endpoint| endpoint.height())
            .max()
            .unwrap_or(Height(0));
        let mut ranked: Vec<(u64, &Arc<Endpoint>)> = self
            .endpoints
            .iter()
            .filter_map(|endpoint| endpoint.rank(best).map(|rank| (rank, endpoint)))
            .collect();
        // A stable sort keeps the operator's order among equals.
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked
            .into_iter()
            .map(|(_, endpoint)| Arc::clone(endpoint))
            .collect()
    }

    /// Asks one endpoint after another until one answers.
    pub(crate) async fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, RpcError> {
        let mut last = None;
        for endpoint in self.candidates() {
            match endpoint.call(method, params.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(error) if error.is_worth_another() => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| self.none_left()))
    }

    /// The error for the case that nobody may be asked.
    pub(crate) fn none_left(&self) -> RpcError {
        let reasons = self.statuses().into_iter().map(|status| match status.state {
            EndpointState::Unknown | EndpointState::Healthy => status.name,
            EndpointState::Failing { why } => format!("{} fails: {why}", status.name),
            EndpointState::Banned { why } => format!("{} gave a false answer: {why}", status.name),
            EndpointState::OtherChain { found } => format!("{} serves chain \"{found}\"", status.name),
        });
        RpcError::NoneLeft {
            reasons: reasons.collect(),
        }
    }

    /// Bans an endpoint that gave a false answer.
    pub(crate) fn ban(&self, endpoint: &Endpoint, why: &str) {
        endpoint.ban(why, self.ban);
    }

    /// What the UI shows.
    pub(crate) fn statuses(&self) -> Vec<EndpointStatus> {
        self.endpoints.iter().map(|endpoint| endpoint.status()).collect()
    }
}

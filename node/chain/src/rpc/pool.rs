//! Several endpoints of one chain: which to ask, and whom to ask next.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hearth_base::Height;
use hearth_outbound::{Client, Config, PrivateAddresses};
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::OffsetDateTime;
use url::Url;

use super::endpoint::{Endpoint, EndpointState, EndpointStatus, RpcError};
use crate::head::Head;

/// Connecting takes no longer than this; the rest of the limit is for the answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long the last endpoint that may be asked is banned at most.
const BAN_OF_THE_LAST: Duration = Duration::from_secs(20);

/// The endpoints, in the operator's order.
#[derive(Debug)]
pub(crate) struct Pool {
    endpoints: Vec<Arc<Endpoint>>,
    ban: Duration,
    /// The newest verified height; what an endpoint reports beyond is its word alone.
    verified: AtomicU64,
}

impl Pool {
    pub(crate) fn new(urls: &[Url], limit: Duration, ban: Duration) -> Result<Pool, reqwest::Error> {
        // A redirect could lead anywhere; none is followed.
        let client = Client::new(Config {
            compressed: true,
            ..Config::new(PrivateAddresses::Allowed, CONNECT_LIMIT.min(limit))
        })?;
        let endpoints = urls
            .iter()
            .map(|url| Arc::new(Endpoint::new(url.clone(), client.pick(url).clone(), limit)))
            .collect();
        Ok(Pool {
            endpoints,
            ban,
            verified: AtomicU64::new(0),
        })
    }

    /// The endpoints that may be asked, best first.
    pub(crate) fn candidates(&self) -> Vec<Arc<Endpoint>> {
        // While nothing is verified the heights that they report are all there is.
        let reported = self.endpoints.iter().map(|endpoint| endpoint.height()).max();
        let best = match self.verified.load(Ordering::Relaxed) {
            0 => reported.unwrap_or_default(),
            verified => Height(verified),
        };
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
        let reasons = self.endpoints.iter().map(|endpoint| {
            let name = endpoint.name().to_owned();
            match endpoint.state() {
                EndpointState::Unknown | EndpointState::Healthy | EndpointState::Stale { .. } => name,
                EndpointState::Failing { why } => format!("{name} fails: {why}"),
                EndpointState::Banned { why } => format!("{name} gave a false answer: {why}"),
                EndpointState::OtherChain { found } => format!("{name} serves chain \"{found}\""),
            }
        });
        RpcError::NoneLeft {
            reasons: reasons.collect(),
        }
    }

    /// Bans an endpoint that gave a false answer; the last one that may be asked only for a short while, since nothing
    /// can be proven, claimed or paid without it, and every answer is checked anyway.
    pub(crate) fn ban(&self, endpoint: &Endpoint, why: &str) {
        let is_last = self
            .candidates()
            .iter()
            .all(|other| std::ptr::eq(Arc::as_ptr(other), endpoint));
        let time = if is_last {
            self.ban.min(BAN_OF_THE_LAST)
        } else {
            self.ban
        };
        endpoint.ban(why, time);
    }

    /// Notes the newest verified height, with which the endpoints are compared.
    pub(crate) fn note_verified(&self, height: Height) {
        self.verified.store(height.0, Ordering::Relaxed);
    }

    /// What the UI shows.
    pub(crate) fn statuses(&self, verified: &Head, now: OffsetDateTime) -> Vec<EndpointStatus> {
        let statuses = self
            .endpoints
            .iter()
            .map(|endpoint| endpoint.status(verified, now));
        statuses.collect()
    }
}

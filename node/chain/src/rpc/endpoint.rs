//! One endpoint: its calls, and what we learned about its health.

use std::time::{Duration, Instant};

use futures::StreamExt;
use hearth_base::{Failure, Height, Kind};
use parking_lot::{Mutex, MutexGuard};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use time::OffsetDateTime;
use url::Url;

use super::wire::{Envelope, Status};
use crate::head::{Head, to_the_second};

/// The largest answer that is read: a block of mainnet's 22 MB as base64, twice over.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// After a failure an endpoint is asked last for this long, doubled with each further failure.
const BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_secs(60);
/// An endpoint may be so many blocks behind the verified head before it is said.
const BEHIND_BLOCKS: u64 = 3;
/// How much of a foreign text enters an error.
const EXCERPT_CHARS: usize = 200;

/// Why a call brought no answer. `endpoint` is host and port: the path may hold an access key.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    #[error("the endpoint {endpoint} gave no answer within {limit:?}")]
    Timeout { endpoint: String, limit: Duration },
    #[error("the endpoint {endpoint} cannot be reached")]
    Unreachable {
        endpoint: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("the endpoint {endpoint} answered with HTTP status {status}")]
    HttpStatus { endpoint: String, status: u16 },
    #[error("the endpoint {endpoint} answers rubbish to {method}: {what}")]
    Rubbish {
        endpoint: String,
        method: String,
        what: String,
    },
    #[error("the endpoint {endpoint} sends more than {limit} bytes")]
    TooLarge { endpoint: String, limit: usize },
    #[error("the endpoint {endpoint} refuses {method}: {message} ({data})")]
    Refused {
        endpoint: String,
        method: String,
        code: i64,
        message: String,
        data: String,
    },
    #[error("no endpoint of this chain can be asked: {}", reasons.join("; "))]
    NoneLeft { reasons: Vec<String> },
}

impl Failure for RpcError {
    fn kind(&self) -> Kind {
        match self {
            // An endpoint refuses, not the chain; only what it has pruned it will not have later either.
            RpcError::Refused { data, .. } if is_pruned(data) => Kind::Skip,
            RpcError::Refused { .. }
            | RpcError::Timeout { .. }
            | RpcError::Unreachable { .. }
            | RpcError::HttpStatus { .. }
            | RpcError::Rubbish { .. }
            | RpcError::TooLarge { .. }
            | RpcError::NoneLeft { .. } => Kind::Retry,
        }
    }
}

impl RpcError {
    /// Whether another endpoint may do better.
    pub(crate) fn is_worth_another(&self) -> bool {
        match self {
            // Pruned, or behind the others.
            RpcError::Refused { data, .. } => is_pruned(data) || data.contains("must be less than or equal"),
            RpcError::Timeout { .. }
            | RpcError::Unreachable { .. }
            | RpcError::HttpStatus { .. }
            | RpcError::Rubbish { .. }
            | RpcError::TooLarge { .. }
            | RpcError::NoneLeft { .. } => true,
        }
    }
}

/// Whether a refusal means that the endpoint has what was asked for no more.
pub(crate) fn is_pruned(data: &str) -> bool {
    ["lowest height", "could not find results", "not available"]
        .iter()
        .any(|text| data.contains(text))
}

/// What an endpoint is good for at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointState {
    /// Not asked yet.
    Unknown,
    /// Answered last time.
    Healthy,
    /// Answers, but is not where the chain is: behind the others, gone back, or standing still.
    Stale { why: String },
    /// Failed last time; asked again from time to time.
    Failing { why: String },
    /// Gave a false answer; left alone for a while.
    Banned { why: String },
    /// Serves another chain; never asked again.
    OtherChain { found: String },
}

/// What the UI shows of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointStatus {
    /// Host and port.
    pub name: String,
    /// Whether it can be used, and why not.
    pub state: EndpointState,
    /// The newest height it reported; 0 before its first answer.
    pub height: Height,
    /// How long an answer takes, smoothed.
    pub latency: Option<Duration>,
    /// The version of its CometBFT library.
    pub version: String,
}

#[derive(Debug)]
struct Health {
    state: EndpointState,
    height: Height,
    /// When its newest block was made.
    block_time: OffsetDateTime,
    /// The height that it had reported before it went back, until it has it again.
    went_back_from: Option<Height>,
    catching_up: bool,
    latency: Option<Duration>,
    version: String,
    failures: u32,
    /// Until when it is asked last (failing) or not at all (banned).
    rests_until: Option<Instant>,
}

/// One endpoint.
#[derive(Debug)]
pub(crate) struct Endpoint {
    url: Url,
    name: String,
    client: reqwest::Client,
    limit: Duration,
    health: Mutex<Health>,
}

impl Endpoint {
    pub(crate) fn new(url: Url, client: reqwest::Client, limit: Duration) -> Endpoint {
        let port = url.port_or_known_default().unwrap_or_default();
        let name = format!("{}:{port}", url.host_str().unwrap_or_default());
        let health = Health {
            state: EndpointState::Unknown,
            height: Height(0),
            block_time: OffsetDateTime::UNIX_EPOCH,
            went_back_from: None,
            catching_up: false,
            latency: None,
            version: String::new(),
            failures: 0,
            rests_until: None,
        };
        Endpoint {
            url,
            name,
            client,
            limit,
            health: Mutex::new(health),
        }
    }

    /// Host and port.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Calls a method and reads its result; keeps the books on health.
    pub(crate) async fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, RpcError> {
        let began = Instant::now();
        let answer = tokio::time::timeout(self.limit, self.exchange(method, &params)).await;
        let answer = answer
            .unwrap_or_else(|_| {
                Err(RpcError::Timeout {
                    endpoint: self.name.clone(),
                    limit: self.limit,
                })
            })
            .and_then(|body| self.read(method, &body));
        match &answer {
            Ok(_) | Err(RpcError::Refused { .. }) => self.note_success(began.elapsed()),
            Err(error) => self.note_failure(&hearth_base::failure::chain(error)),
        }
        answer
    }

    async fn exchange(&self, method: &str, params: &Value) -> Result<Vec<u8>, RpcError> {
        let unreachable = |source: reqwest::Error| RpcError::Unreachable {
            endpoint: self.name.clone(),
            // The address may hold an access key.
            source: source.without_url(),
        };
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let response = self
            .client
            .post(self.url.clone())
            .json(&request)
            .send()
            .await
            .map_err(unreachable)?;
        let status = response.status();
        let mut body = Vec::new();
        let mut parts = response.bytes_stream();
        while let Some(part) = parts.next().await {
            body.extend_from_slice(&part.map_err(unreachable)?);
            if body.len() > MAX_ANSWER_BYTES {
                return Err(RpcError::TooLarge {
                    endpoint: self.name.clone(),
                    limit: MAX_ANSWER_BYTES,
                });
            }
        }
        // CometBFT sends its JSON-RPC errors with status 500.
        if !status.is_success() && serde_json::from_slice::<Envelope<'_>>(&body).is_err() {
            return Err(RpcError::HttpStatus {
                endpoint: self.name.clone(),
                status: status.as_u16(),
            });
        }
        Ok(body)
    }

    fn read<T: DeserializeOwned>(&self, method: &str, body: &[u8]) -> Result<T, RpcError> {
        let rubbish = |what: String| RpcError::Rubbish {
            endpoint: self.name.clone(),
            method: method.to_owned(),
            what: excerpt(&what),
        };
        let envelope: Envelope<'_> =
            serde_json::from_slice(body).map_err(|error| rubbish(error.to_string()))?;
        if let Some(error) = envelope.error {
            return Err(RpcError::Refused {
                endpoint: self.name.clone(),
                method: method.to_owned(),
                code: error.code,
                message: excerpt(&error.message),
                data: excerpt(&error.data),
            });
        }
        let result = envelope
            .result
            .ok_or_else(|| rubbish("neither result nor error".to_owned()))?;
        serde_json::from_str(result.get()).map_err(|error| rubbish(error.to_string()))
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock()
    }

    fn note_success(&self, took: Duration) {
        let mut health = self.health();
        health.failures = 0;
        health.latency = Some(health.latency.map_or(took, |before| (before * 3 + took) / 4));
        if matches!(
            health.state,
            EndpointState::Unknown | EndpointState::Failing { .. }
        ) {
            health.state = EndpointState::Healthy;
            health.rests_until = None;
        }
    }

    /// Records that the endpoint gave no usable answer.
    pub(crate) fn note_failure(&self, why: &str) {
        let mut health = self.health();
        health.failures = health.failures.saturating_add(1);
        let rest = BACKOFF
            .saturating_mul(1 << health.failures.min(10))
            .min(MAX_BACKOFF);
        if matches!(
            health.state,
            EndpointState::Unknown | EndpointState::Healthy | EndpointState::Failing { .. }
        ) {
            health.state = EndpointState::Failing { why: excerpt(why) };
            health.rests_until = Some(Instant::now() + rest);
        }
    }

    /// Records what `status` said.
    pub(crate) fn note_status(&self, status: &Status) {
        let height = Height(u64::try_from(status.sync_info.latest_block_height).unwrap_or(0));
        let mut health = self.health();
        let before = health.went_back_from.unwrap_or(health.height).max(health.height);
        health.went_back_from = (height < before).then_some(before);
        health.height = height;
        health.block_time = status.sync_info.latest_block_time;
        health.catching_up = status.sync_info.catching_up;
        excerpt(&status.node_info.version).clone_into(&mut health.version);
    }

    /// Leaves the endpoint alone for `time`, since it gave a false answer.
    pub(crate) fn ban(&self, why: &str, time: Duration) {
        tracing::error!(endpoint = %self.name, why, "an endpoint gave a false answer and is banned");
        let mut health = self.health();
        health.state = EndpointState::Banned { why: excerpt(why) };
        health.rests_until = Some(Instant::now() + time);
    }

    /// Never asks the endpoint again, since it serves another chain.
    pub(crate) fn refuse_chain(&self, found: &str) {
        tracing::error!(endpoint = %self.name, found, "an endpoint serves another chain and is refused");
        let mut health = self.health();
        health.state = EndpointState::OtherChain {
            found: excerpt(found),
        };
        health.rests_until = None;
    }

    /// How gladly the endpoint is asked: smaller is better, `None` is not at all.
    pub(crate) fn rank(&self, best_height: Height) -> Option<u64> {
        let mut health = self.health();
        let rests = health.rests_until.is_some_and(|until| until > Instant::now());
        match &health.state {
            EndpointState::OtherChain { .. } => return None,
            EndpointState::Banned { .. } if rests => return None,
            // Served its time: one more chance.
            EndpointState::Banned { .. } => health.state = EndpointState::Unknown,
            EndpointState::Unknown
            | EndpointState::Healthy
            | EndpointState::Stale { .. }
            | EndpointState::Failing { .. } => {}
        }
        let behind = best_height.since(health.height).saturating_sub(2).min(1000);
        let millis = health.latency.map_or(0, |latency| {
            u64::try_from(latency.as_millis()).unwrap_or(u64::MAX)
        });
        // Steps of 200 ms, so that equals do not change places at every call.
        let slow = (millis / 200).min(1000);
        let resting = if rests {
            1_000_000 + u64::from(health.failures.min(1000)) * 1000
        } else {
            0
        };
        Some(resting + behind * 100 + slow)
    }

    /// The newest height that the endpoint reported.
    pub(crate) fn height(&self) -> Height {
        self.health().height
    }

    /// Whether and how it answered last time.
    pub(crate) fn state(&self) -> EndpointState {
        self.health().state.clone()
    }

    /// Whether it answered last time.
    pub(crate) fn is_healthy(&self) -> bool {
        self.health().state == EndpointState::Healthy
    }

    /// What the UI shows, against the newest verified head.
    pub(crate) fn status(&self, verified: &Head, now: OffsetDateTime) -> EndpointStatus {
        let health = self.health();
        let is_healthy = health.state == EndpointState::Healthy;
        let stale = is_healthy.then(|| health.staleness(verified, now)).flatten();
        let state = stale.map_or_else(|| health.state.clone(), |why| EndpointState::Stale { why });
        EndpointStatus {
            name: self.name.clone(),
            state,
            height: health.height,
            latency: health.latency,
            version: health.version.clone(),
        }
    }
}

impl Health {
    /// Why an endpoint that answers is not where the chain is.
    fn staleness(&self, verified: &Head, now: OffsetDateTime) -> Option<String> {
        if self.height.0 == 0 {
            return None;
        }
        if let Some(before) = self.went_back_from {
            return Some(format!(
                "it went back from block {before} to {}: it was reset, or shows an old state",
                self.height
            ));
        }
        let behind = verified.verified_height.since(self.height);
        if behind > BEHIND_BLOCKS {
            return Some(format!(
                "it is {behind} blocks behind the verified block {}",
                verified.verified_height
            ));
        }
        if self.catching_up {
            return Some("it is still catching up with the chain".to_owned());
        }
        let age = Duration::try_from(now - self.block_time).unwrap_or_default();
        (age > verified.stale_after()).then(|| {
            let (made_at, minutes) = (to_the_second(self.block_time), age.as_secs().div_ceil(60));
            format!(
                "its newest block {} is of {made_at}, {minutes} min ago",
                self.height
            )
        })
    }
}

/// The beginning of a foreign text, without control characters.
fn excerpt(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(EXCERPT_CHARS)
        .collect()
}

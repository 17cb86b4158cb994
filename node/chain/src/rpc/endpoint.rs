//! One endpoint: its calls, and the books on its health.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use futures::StreamExt;
use hearth_base::Height;
use parking_lot::{Mutex, MutexGuard};
use reqwest::{StatusCode, header::RETRY_AFTER};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use url::Url;

use super::{
    Heard, RpcError,
    error::excerpt,
    health::{EndpointState, EndpointStatus, Former, Health},
    wire::{Envelope, Status},
};
use crate::head::Head;

/// The largest answer that is read: a block of mainnet's 22 MB as base64, twice over.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// Questions at once that count as one step of the rank, so that equal endpoints share what is asked at once.
const SHARE_FROM: usize = 4;
/// What servers answer in JSON-RPC where they take no more questions.
const LIMIT_EXCEEDED: i64 = -32005;

/// One endpoint.
#[derive(Debug)]
pub(crate) struct Endpoint {
    url: Url,
    id: String,
    name: String,
    is_added: bool,
    client: reqwest::Client,
    limit: Duration,
    health: Mutex<Health>,
    asked: AtomicU64,
    running: AtomicUsize,
}

/// Counts a question for as long as it is asked.
struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Endpoint {
    pub(crate) fn new(url: Url, client: reqwest::Client, limit: Duration, is_added: bool) -> Endpoint {
        let port = url.port_or_known_default().unwrap_or_default();
        let name = format!("{}:{port}", url.host_str().unwrap_or_default());
        let id = hex::encode(&Sha256::digest(url.as_str())[..4]);
        Endpoint {
            url,
            id,
            name,
            is_added,
            client,
            limit,
            health: Mutex::new(Health::new()),
            asked: AtomicU64::new(0),
            running: AtomicUsize::new(0),
        }
    }

    /// Host and port.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its address, which may hold an access key: never to be shown or logged.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// What tells it from others.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Calls a method and reads its result; keeps the books on health.
    pub(crate) async fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, RpcError> {
        Ok(self.call_heard(method, params).await?.0)
    }

    /// As [`Endpoint::call`], with what was heard: evidence where it is false.
    pub(crate) async fn call_heard<T: DeserializeOwned>(
        &self,
        method: &str,
        params: Value,
    ) -> Result<(T, Heard), RpcError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.running.fetch_add(1, Ordering::Relaxed);
        let _running = Running(&self.running);
        let began = Instant::now();
        let answer = tokio::time::timeout(self.limit, self.exchange(method, &params)).await;
        let timed_out = || RpcError::Timeout {
            endpoint: self.name.clone(),
            limit: self.limit,
        };
        let answer = answer.unwrap_or_else(|_| Err(timed_out())).and_then(|body| {
            let read = self.read(method, &body)?;
            Ok((read, Heard::new(method, &params, body)))
        });
        match &answer {
            Ok(_) | Err(RpcError::Refused { .. }) => {
                self.health().note_success(began.elapsed(), Instant::now())
            }
            // Noted where it was seen.
            Err(RpcError::Limited { .. }) => {}
            Err(error) => self.note_failure(&hearth_base::failure::chain(error), began),
        }
        answer
    }

    async fn exchange(&self, method: &str, params: &Value) -> Result<Vec<u8>, RpcError> {
        let unreachable = |source: reqwest::Error| {
            // The address may hold an access key.
            let (endpoint, source) = (self.name.clone(), source.without_url());
            if source.is_connect() {
                RpcError::Unreachable { endpoint, source }
            } else {
                RpcError::BrokenOff { endpoint, source }
            }
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
        let retry_after = retry_after(&response);
        if status == StatusCode::TOO_MANY_REQUESTS
            || (status == StatusCode::SERVICE_UNAVAILABLE && retry_after.is_some())
        {
            return Err(self.limited(retry_after));
        }
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

    fn limited(&self, retry_after: Option<Duration>) -> RpcError {
        let pause = self.health().note_limited(retry_after, Instant::now());
        RpcError::Limited {
            endpoint: self.name.clone(),
            pause,
        }
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
            if error.code == LIMIT_EXCEEDED {
                return Err(self.limited(None));
            }
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

    /// Records that the endpoint gave no usable answer to what it was asked at `began`.
    pub(crate) fn note_failure(&self, why: &str, began: Instant) {
        self.health().note_failure(why, began, Instant::now());
    }

    /// Records that somebody else is asked, since there is no answer after this long.
    pub(crate) fn note_slow(&self, after: Duration) {
        self.health().note_slow(after);
    }

    /// Records what `status` said.
    pub(crate) fn note_status(&self, status: &Status) {
        self.health().note_status(status);
    }

    /// False answers of former runs: it is asked after those who never lied.
    pub(crate) fn remember(&self, lies: u32, last: &Former<'_>, most: Option<Duration>) {
        self.health().remember(lies, last, most, Instant::now());
    }

    /// Where it takes no more questions: asks it again within that time all the same.
    pub(crate) fn shorten_limited(&self, most: Duration) {
        self.health().shorten_limited(most, Instant::now());
    }

    /// Leaves the endpoint alone, since it gave a false answer.
    pub(crate) fn ban(&self, why: &str, first: Duration, most: Option<Duration>) {
        tracing::error!(endpoint = %self.name, why, "an endpoint gave a false answer and is banned");
        self.health().ban(why, first, most, Instant::now());
    }

    /// Leaves the endpoint alone for a while, since it serves another chain.
    pub(crate) fn refuse_chain(&self, found: &str) {
        tracing::error!(endpoint = %self.name, found, "an endpoint serves another chain and is refused");
        self.health().refuse_chain(found, Instant::now());
    }

    /// How gladly the endpoint is asked: smaller is better, `None` is not at all.
    pub(crate) fn rank(&self, best: Height) -> Option<u64> {
        let busy = self.running.load(Ordering::Relaxed) / SHARE_FROM;
        let rank = self.health().rank(best, Instant::now())?;
        Some(rank + u64::try_from(busy).unwrap_or(u64::MAX))
    }

    /// The newest height that the endpoint reported.
    pub(crate) fn height(&self) -> Height {
        self.health().height
    }

    /// Whether and how it answered last time.
    pub(crate) fn state(&self) -> EndpointState {
        self.health().state.clone()
    }

    /// How long an answer of it usually takes.
    pub(crate) fn latency(&self) -> Option<Duration> {
        self.health().latency
    }

    /// What the UI shows, against the newest verified head.
    pub(crate) fn status(&self, verified: &Head, now: OffsetDateTime) -> EndpointStatus {
        let health = self.health();
        let is_healthy = health.state == EndpointState::Healthy;
        let stale = is_healthy.then(|| health.staleness(verified, now)).flatten();
        let state = stale.map_or_else(|| health.state.clone(), |why| EndpointState::Stale { why });
        let best = verified.verified_height.max(health.height);
        EndpointStatus {
            id: self.id.clone(),
            name: self.name.clone(),
            is_added: self.is_added,
            state,
            score: health.score(best),
            height: health.height,
            latency: health.latency,
            failed_permille: health.failed_permille(),
            lies: health.lies,
            asked: self.asked.load(Ordering::Relaxed),
            rests: health.rests(Instant::now()),
            version: health.version.clone(),
        }
    }
}

/// How long the server wants to be left alone, where it says so in seconds.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

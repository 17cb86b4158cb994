//! Several endpoints of one chain: whom to ask, whom to ask next, and whom to ask besides.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::stream::{FuturesUnordered, StreamExt as _};
use hearth_base::{Clock, Height};
use hearth_outbound::{Client, Config, PrivateAddresses};
use parking_lot::{Mutex, RwLock};
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::OffsetDateTime;
use url::Url;

use super::{Endpoint, EndpointState, EndpointStatus, Evidence, Lie, RpcError, health::Former};
use crate::head::Head;

/// Connecting takes no longer than this; the rest of the limit is for the answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long the last endpoint that may be asked is banned at most.
const BAN_OF_THE_LAST: Duration = Duration::from_secs(20);
/// How long an endpoint that takes no more questions is left alone at most, where no other one answers.
const LIMITED_OF_THE_LAST: Duration = Duration::from_secs(60);
/// Another endpoint is asked besides where one takes three times as long as usual, between these.
const HEDGE_LEAST: Duration = Duration::from_millis(400);
const HEDGE_MOST: Duration = Duration::from_secs(3);
/// Endpoints that are asked the same at a time.
const HEDGE_WIDTH: usize = 3;
/// Evidence that waits to be written.
const MAX_WAITING: usize = 32;

/// Why one endpoint was of no use.
#[derive(Debug)]
pub(crate) enum Fault<E> {
    /// It sent something false.
    Lie(Lie),
    /// It failed; another may do better.
    Failed(E),
    /// Nobody can help: our clock, our trust, our disk; or the chain itself says so.
    Final(E),
}

/// The endpoints, in the operator's order.
#[derive(Debug)]
pub(crate) struct Pool {
    endpoints: RwLock<Vec<Arc<Endpoint>>>,
    client: Client,
    limit: Duration,
    ban: Duration,
    clock: Clock,
    /// The newest verified height; what an endpoint reports beyond is its word alone.
    verified: AtomicU64,
    /// Lies that are not written down yet.
    evidence: Mutex<VecDeque<Evidence>>,
}

impl Pool {
    pub(crate) fn new(
        urls: &[Url],
        limit: Duration,
        ban: Duration,
        clock: Clock,
    ) -> Result<Pool, reqwest::Error> {
        // A redirect could lead anywhere; none is followed.
        let client = Client::new(Config {
            compressed: true,
            ..Config::new(PrivateAddresses::Allowed, CONNECT_LIMIT.min(limit))
        })?;
        let pool = Pool {
            endpoints: RwLock::default(),
            client,
            limit,
            ban,
            clock,
            verified: AtomicU64::new(0),
            evidence: Mutex::default(),
        };
        let endpoints = urls.iter().map(|url| pool.make(url, false)).collect();
        *pool.endpoints.write() = endpoints;
        Ok(pool)
    }

    /// An endpoint that is not in the pool.
    pub(crate) fn make(&self, url: &Url, is_added: bool) -> Arc<Endpoint> {
        let client = self.client.pick(url).clone();
        Arc::new(Endpoint::new(url.clone(), client, self.limit, is_added))
    }

    /// Takes an endpoint up, unless it is there.
    pub(crate) fn add(&self, endpoint: Arc<Endpoint>) {
        let mut endpoints = self.endpoints.write();
        if endpoints.iter().all(|known| known.url() != endpoint.url()) {
            endpoints.push(endpoint);
        }
    }

    /// Drops an endpoint. What is being asked of it is finished.
    pub(crate) fn remove(&self, url: &Url) {
        self.endpoints.write().retain(|known| known.url() != url);
    }

    /// All of them, in their order.
    pub(crate) fn all(&self) -> Vec<Arc<Endpoint>> {
        self.endpoints.read().clone()
    }

    /// The endpoints that may be asked, best first.
    pub(crate) fn candidates(&self) -> Vec<Arc<Endpoint>> {
        let endpoints = self.all();
        // While nothing is verified the heights that they report are all there is.
        let reported = endpoints.iter().map(|endpoint| endpoint.height()).max();
        let best = match self.verified.load(Ordering::Relaxed) {
            0 => reported.unwrap_or_default(),
            verified => Height(verified),
        };
        let mut ranked: Vec<(u64, Arc<Endpoint>)> = endpoints
            .into_iter()
            .filter_map(|endpoint| endpoint.rank(best).map(|rank| (rank, endpoint)))
            .collect();
        let fails = |endpoint: &Endpoint| matches!(endpoint.state(), EndpointState::Failing { .. });
        if ranked.iter().all(|(_, endpoint)| fails(endpoint)) {
            for endpoint in &self.all() {
                endpoint.shorten_limited(LIMITED_OF_THE_LAST);
            }
        }
        // A stable sort keeps the operator's order among equals.
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.into_iter().map(|(_, endpoint)| endpoint).collect()
    }

    /// Whether an endpoint that is left alone now may answer before long: it failed, or takes no more questions.
    pub(crate) fn may_recover(&self) -> bool {
        let recovers = |endpoint: &Arc<Endpoint>| {
            !matches!(
                endpoint.state(),
                EndpointState::Banned { .. } | EndpointState::OtherChain { .. }
            )
        };
        self.all().iter().any(recovers)
    }

    /// Asks the best endpoint, the next one where that fails or lies, and the next one besides where it takes long: the
    /// first good answer counts. Whoever lies is banned.
    pub(crate) async fn ask<T, E, F>(&self, question: impl Fn(Arc<Endpoint>) -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, Fault<E>>>,
        E: From<RpcError>,
    {
        let mut waiting = VecDeque::from(self.candidates());
        let asked = |endpoint: Arc<Endpoint>| {
            let answer = question(Arc::clone(&endpoint));
            async move { (endpoint, answer.await) }
        };
        let mut running = FuturesUnordered::new();
        let mut newest: Option<Arc<Endpoint>> = None;
        let mut last = None;
        loop {
            if running.is_empty() {
                let Some(next) = waiting.pop_front() else { break };
                newest = Some(Arc::clone(&next));
                running.push(asked(next));
            }
            let pause = hedge_after(newest.as_deref());
            let may_hedge = !waiting.is_empty() && running.len() < HEDGE_WIDTH;
            tokio::select! {
                Some((endpoint, answer)) = running.next() => match answer {
                    Ok(answer) => return Ok(answer),
                    Err(Fault::Lie(lie)) => self.ban(&endpoint, lie),
                    Err(Fault::Failed(error)) => last = Some(error),
                    Err(Fault::Final(error)) => return Err(error),
                },
                () = tokio::time::sleep(pause), if may_hedge => {
                    if let Some(slow) = newest.take() {
                        slow.note_slow(pause);
                    }
                    if let Some(next) = waiting.pop_front() {
                        newest = Some(Arc::clone(&next));
                        running.push(asked(next));
                    }
                }
            }
        }
        Err(last.unwrap_or_else(|| self.none_left().into()))
    }

    /// Asks for what nobody can check, until somebody answers.
    pub(crate) async fn call<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T, RpcError> {
        Ok(self.call_named(method, params).await?.0)
    }

    /// The same, with the name of whoever answered.
    pub(crate) async fn call_named<T: DeserializeOwned>(
        &self,
        method: &str,
        params: Value,
    ) -> Result<(T, String), RpcError> {
        self.ask(|endpoint| {
            let params = params.clone();
            async move {
                let name = endpoint.name().to_owned();
                let answer = endpoint.call(method, params).await;
                answer.map(|answer| (answer, name)).map_err(|error| {
                    if error.is_worth_another() {
                        Fault::Failed(error)
                    } else {
                        Fault::Final(error)
                    }
                })
            }
        })
        .await
    }

    /// The error for the case that nobody may be asked.
    pub(crate) fn none_left(&self) -> RpcError {
        let endpoints = self.all();
        let reasons = endpoints.iter().map(|endpoint| {
            let name = endpoint.name().to_owned();
            match endpoint.state() {
                EndpointState::Unknown | EndpointState::Healthy | EndpointState::Stale { .. } => name,
                EndpointState::Failing { why } => format!("{name} fails: {why}"),
                EndpointState::Limited { why } => format!("{name}: {why}"),
                EndpointState::Banned { why } => format!("{name} gave a false answer: {why}"),
                EndpointState::OtherChain { found } => format!("{name} serves chain \"{found}\""),
            }
        });
        RpcError::NoneLeft {
            reasons: reasons.collect(),
        }
    }

    /// Bans an endpoint that gave a false answer and keeps what it said; the last one that may be asked only for a short
    /// while, since nothing can be proven, claimed or paid without it, and every answer is checked anyway.
    pub(crate) fn ban(&self, endpoint: &Endpoint, lie: Lie) {
        let most = self.is_last_of_use(endpoint).then_some(BAN_OF_THE_LAST);
        endpoint.ban(&lie.why, self.ban, most);
        let heard = lie.heard.unwrap_or_default();
        let mut evidence = self.evidence.lock();
        if evidence.len() >= MAX_WAITING {
            evidence.pop_front();
        }
        evidence.push_back(Evidence {
            at_ms: self.clock.now_ms(),
            endpoint: endpoint.name().to_owned(),
            why: lie.why,
            question: heard.question,
            answer: heard.answer,
        });
    }

    /// What is left of a ban goes on after a restart.
    pub(crate) fn remember(&self, endpoint: &Endpoint, lies: u32, why: &str, age: Duration) {
        let most = self.is_last_of_use(endpoint).then_some(BAN_OF_THE_LAST);
        let first_ban = self.ban;
        endpoint.remember(lies, &Former { why, age, first_ban }, most);
    }

    /// Whether no other endpoint may be asked, now or later.
    fn is_last_of_use(&self, endpoint: &Endpoint) -> bool {
        let is_of_use = |other: &Arc<Endpoint>| {
            !std::ptr::eq(Arc::as_ptr(other), endpoint)
                && !matches!(
                    other.state(),
                    EndpointState::Banned { .. } | EndpointState::OtherChain { .. }
                )
        };
        !self.all().iter().any(is_of_use)
    }

    /// Lies that are to be written down; whoever cannot gives them back.
    pub(crate) fn take_evidence(&self) -> Vec<Evidence> {
        self.evidence.lock().drain(..).collect()
    }

    pub(crate) fn keep_evidence(&self, evidence: Evidence) {
        let mut kept = self.evidence.lock();
        if kept.len() < MAX_WAITING {
            kept.push_front(evidence);
        }
    }

    /// Lies that wait to be written down.
    pub(crate) fn waiting_evidence(&self) -> Vec<Evidence> {
        self.evidence.lock().iter().cloned().collect()
    }

    /// Notes the newest verified height, with which the endpoints are compared.
    pub(crate) fn note_verified(&self, height: Height) {
        self.verified.store(height.0, Ordering::Relaxed);
    }

    /// What the UI shows, in the operator's order.
    pub(crate) fn statuses(&self, verified: &Head, now: OffsetDateTime) -> Vec<EndpointStatus> {
        let statuses = self.endpoints.read();
        statuses
            .iter()
            .map(|endpoint| endpoint.status(verified, now))
            .collect()
    }
}

/// When somebody else is asked besides.
fn hedge_after(endpoint: Option<&Endpoint>) -> Duration {
    let usual = endpoint.and_then(Endpoint::latency).unwrap_or_default();
    usual.saturating_mul(3).clamp(HEDGE_LEAST, HEDGE_MOST)
}

#[cfg(test)]
mod tests {
    use hearth_base::Tasks;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// A server that says this to everything, and resets the connection then.
    async fn says(answer: &'static str, tasks: &Tasks) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tasks.spawn_until_stopped("server", async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                if answer != "unheard" {
                    let _ = stream.read(&mut [0; 4096]).await;
                }
                if answer.starts_with("HTTP") {
                    let _ = stream.write_all(answer.as_bytes()).await;
                } else {
                    stream.set_zero_linger().unwrap();
                }
            }
        });
        url.parse().unwrap()
    }

    fn pool(urls: &[Url]) -> Pool {
        let limit = Duration::from_secs(10);
        Pool::new(urls, limit, Duration::from_secs(600), Clock::system()).unwrap()
    }

    #[tokio::test]
    async fn the_last_endpoint_that_wants_to_be_left_alone_is_asked_again_within_a_minute() {
        let tasks = Tasks::root();
        let limited =
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: 4000000000\r\ncontent-length: 0\r\n\r\n";
        let url = says(limited, &tasks).await;
        let rests = |pool: &Pool| {
            pool.candidates();
            pool.statuses(&Head::nothing(), OffsetDateTime::UNIX_EPOCH)[0]
                .rests
                .unwrap()
        };
        let alone = pool(std::slice::from_ref(&url));
        alone.call::<Value>("status", Value::Null).await.unwrap_err();
        assert!(rests(&alone) <= LIMITED_OF_THE_LAST, "{:?}", rests(&alone));
        // Another one is left to be asked.
        let good = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}";
        let both = pool(&[url, says(good, &tasks).await]);
        both.call::<Value>("status", Value::Null).await.unwrap();
        assert!(rests(&both) > LIMITED_OF_THE_LAST, "{:?}", rests(&both));
    }

    #[tokio::test]
    async fn a_connection_that_is_reset_is_said_to_be() {
        let tasks = Tasks::root();
        for answer in [
            "heard",
            "unheard",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{",
        ] {
            let pool = pool(&[says(answer, &tasks).await]);
            let error = pool.call::<Value>("status", Value::Null).await.unwrap_err();
            assert!(
                error.to_string().contains("ended the connection"),
                "{answer}: {error}"
            );
        }
    }
}

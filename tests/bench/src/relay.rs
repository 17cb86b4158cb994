//! Relays through the miner with a null backend: the program runs as a process of its own, so that its CPU time is
//! the miner's (with the chain that it also embeds), while this one only sends requests that were signed before.
//!
//! Rivals on two EPYC cores that the load shared, too (classic miner / HA miner): 457 / 449 relays a second at
//! 1 connection, 952 / 798 at 8, 991 / 911 at 64; 1.6 ms of CPU a relay. How fast this computer is now beside that one
//! is measured between the rounds, by a library of theirs.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use hearth_base::{Clock, Height, ServiceId, Tasks};
use hearth_chain::Chain;
use hearth_pocket::{
    keys::Signer as _,
    message::{relay::RelayResponse, session::Session},
    payload::HttpRequest,
    relay::sign_request,
    ring::Ring,
    session::Timing,
};
use hearth_wallet::{Cost, Purpose, Wallet};
use prost::Message as _;

use crate::{
    node::{Running, SERVICE},
    rivals::Rivals,
    table::{as_f64, cpu_seconds, figure, grouped, median, section},
};

/// Connections, relays sent, and what the rivals reach there.
const LOADS: [(usize, usize, &str, &str); 3] = [
    (1, 5_000, "Go 457 / 449", "all of it is added; Go p50 1.9 ms"),
    (8, 10_000, "Go 952 / 798", "all of it is added; Go p99 17 ms"),
    (64, 10_000, "Go 991 / 911", "all of it is added"),
];
/// Rounds of a load.
const ROUNDS: usize = 5;
/// How long the idle program is watched, to tell what it uses by itself (chain, light client, page).
const IDLE: Duration = Duration::from_secs(5);
/// Relays that warm up the ring's tables and the session's cache.
const WARM_UP: usize = 200;
pub(crate) async fn run(hearth: Option<&Path>, models: &Path, rivals: &Rivals) -> anyhow::Result<()> {
    section("relays through the miner, null backend (program and load on the same cores)");
    let Some(hearth) = hearth else {
        figure("not measured", "", "name the program with --hearth");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let node = Running::start(hearth, &folder.path().join("data"), models).await?;
    let buyer = Buyer::new(&node).await?;
    let session = buyer.fresh_session().await?;
    let n_relays: usize = WARM_UP + LOADS.iter().map(|(_, n, ..)| n).sum::<usize>();
    let mut requests = buyer.sign(&session, n_relays)?;
    let url = buyer.supplier_url(&session)?;
    send(&url, &clients(1)?, requests.split_off(requests.len() - WARM_UP)).await?;
    let idle = idle_share(node.child.id()).await;
    for (connections, n, rivals_rate, rivals_latency) in LOADS {
        let batch = requests.split_off(requests.len() - n);
        let load = measure(&node, &url, connections, batch, idle, rivals).await?;
        load.print(connections, rivals_rate, rivals_latency);
    }
    Ok(())
}

/// What a load showed.
struct Load {
    /// Relays a second.
    rate: f64,
    /// CPU of the program, less what it uses idle: milliseconds a relay.
    cpu_ms: Option<f64>,
    /// How fast this computer was, beside the one of the rivals' figures; where it could be measured.
    speed: Option<f64>,
    latencies: Vec<Duration>,
}

impl Load {
    fn print(mut self, connections: usize, rivals: &str, rivals_latency: &str) {
        figure(
            &format!("{connections} connections"),
            &format!("{} relays/s", grouped(self.rate)),
            rivals,
        );
        if let Some(ms) = self.cpu_ms {
            figure(
                "  CPU a relay, less what it uses idle",
                &format!("{ms:.3} ms"),
                "Go 1.6 ms; aim 0.16, floor 0.4",
            );
        }
        if let (Some(ms), Some(speed)) = (self.cpu_ms, self.speed) {
            figure(
                "  the same at the speed of that figure of Go's",
                &format!("{:.3} ms", ms * speed),
                &format!("Go's ring check here: {:.0} % of it", speed * 100.0),
            );
        }
        self.latencies.sort();
        let at = |share: f64| {
            let index = (as_f64(self.latencies.len()) * share) as usize;
            self.latencies.get(index).copied().unwrap_or_default()
        };
        let ms = |latency: Duration| latency.as_secs_f64() * 1e3;
        figure(
            "  latency p50 / p99",
            &format!("{:.2} / {:.2} ms", ms(at(0.5)), ms(at(0.99))),
            rivals_latency,
        );
    }
}

/// Sends a load in rounds and takes the medians of their rates and costs: what else runs on the computer comes and
/// goes.
async fn measure(
    node: &Running,
    url: &str,
    connections: usize,
    mut batch: Vec<Bytes>,
    idle: f64,
    rivals: &Rivals,
) -> anyhow::Result<Load> {
    let n = batch.len() / ROUNDS;
    let clients = clients(connections)?;
    let (mut rates, mut costs, mut latencies) = (Vec::new(), Vec::new(), Vec::new());
    let mut speeds = Vec::new();
    for _ in 0..ROUNDS {
        let round = batch.split_off(batch.len() - n);
        let before = cpu_seconds(node.child.id());
        let (seconds, taken) = send(url, &clients, round).await?;
        let after = cpu_seconds(node.child.id());
        rates.push(as_f64(n) / seconds);
        if let (Some(before), Some(after)) = (before, after) {
            costs.push((after - before - idle * seconds).max(0.0) * 1e3 / as_f64(n));
        }
        latencies.extend(taken);
        speeds.extend(rivals.speed_here()?);
    }
    let middle = |figures: Vec<f64>| (!figures.is_empty()).then(|| median(figures));
    Ok(Load {
        rate: median(rates),
        cpu_ms: middle(costs),
        speed: middle(speeds),
        latencies,
    })
}

/// The share of a core that the program uses while nobody asks it.
async fn idle_share(pid: u32) -> f64 {
    let before = cpu_seconds(pid);
    tokio::time::sleep(IDLE).await;
    match (before, cpu_seconds(pid)) {
        (Some(before), Some(after)) => (after - before) / IDLE.as_secs_f64(),
        (None, _) | (_, None) => 0.0,
    }
}

/// Signs relays as the node's own gateway does.
struct Buyer {
    chain: Chain,
    wallet: Wallet,
    _store: tempfile::TempDir,
}

impl Buyer {
    async fn new(node: &Running) -> anyhow::Result<Buyer> {
        let text = std::fs::read_to_string(node.data.join("network.toml"))?;
        let field = |name: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
            line.map(|value| value.trim().trim_matches(['[', ']', '"']).to_owned())
        };
        let folder = tempfile::tempdir()?;
        let chain_id = field("chain_id").context("the network file has no chain id")?;
        let store = hearth_store::Store::open(hearth_store::Config {
            path: folder.path().join("hearth.db"),
            chain_id: chain_id.as_str().into(),
            max_pages: None,
        })
        .await?;
        let rpc = field("rpc")
            .context("the network file has no endpoint")?
            .parse()?;
        let trust = match (field("height"), field("hash")) {
            (Some(height), Some(hash)) => Some(hearth_chain::Anchor {
                height: Height(height.parse()?),
                hash: hex::decode(hash)?
                    .try_into()
                    .ok()
                    .context("a hash has 32 bytes")?,
            }),
            (None, _) | (_, None) => None,
        };
        let chain = Chain::start(hearth_chain::Args {
            config: hearth_chain::Config {
                trust,
                ..hearth_chain::Config::new(chain_id.into(), vec![rpc])
            },
            store,
            clock: Clock::system(),
            tasks: Tasks::root(),
        })?;
        let config = hearth_wallet::Config {
            folder: node.data.join("keystore"),
            cost: Cost::STRONG,
        };
        let wallet = Wallet::open(config, Clock::system())?;
        wallet.unlock(std::fs::read_to_string(node.data.join("keystore/devnet.pass"))?.trim())?;
        Ok(Buyer {
            chain,
            wallet,
            _store: folder,
        })
    }

    /// Waits for the start of a session in which the supplier serves.
    async fn fresh_session(&self) -> anyhow::Result<Session> {
        let payer = self
            .wallet
            .address(Purpose::Application)
            .context("the node has no wallet")?;
        let mut head = self.chain.head();
        let first = self.start_of_session(&mut head).await?;
        loop {
            let start = self.start_of_session(&mut head).await?;
            if start > first {
                let service = ServiceId::new(SERVICE);
                let height = head.borrow().height;
                return Ok(self.chain.session(&payer, &service, height).await?.into_value());
            }
            tokio::time::timeout(Duration::from_secs(30), head.changed())
                .await
                .context("the chain stands still")??;
        }
    }

    async fn start_of_session(
        &self,
        head: &mut tokio::sync::watch::Receiver<hearth_chain::Head>,
    ) -> anyhow::Result<Height> {
        let height = head.wait_for(|head| head.height.0 > 0).await?.height;
        Ok(Timing::from(self.chain.params_at(height).await?.value())
            .bounds_at(height)
            .start)
    }

    fn sign(&self, session: &Session, n: usize) -> anyhow::Result<Vec<Bytes>> {
        let (main, working) = (
            self.wallet.signer(Purpose::Owner)?,
            self.wallet.signer(Purpose::Operator)?,
        );
        let ring = Ring::new(&[main.public_key(), working.public_key()])?;
        let header = session.header.clone().context("the session has no header")?;
        let supplier = working.address().to_string();
        let relay = |index: usize| {
            let body = serde_json::json!({
                "model": SERVICE,
                "messages": [{ "role": "user", "content": format!("question {index}") }],
            });
            let request = HttpRequest {
                method: "POST".to_owned(),
                headers: [("Content-Type".to_owned(), vec!["application/json".to_owned()])].into(),
                url: "/v1/chat/completions".to_owned(),
                body: Bytes::from(body.to_string()),
            };
            let signed = sign_request(&working, &ring, header.clone(), &supplier, request.encode())?;
            anyhow::Ok(Bytes::from(signed.encode_to_vec()))
        };
        (0..n).map(relay).collect()
    }

    fn supplier_url(&self, session: &Session) -> anyhow::Result<String> {
        let endpoints = session
            .suppliers
            .iter()
            .flat_map(|supplier| &supplier.services)
            .flat_map(|config| &config.endpoints);
        endpoints
            .map(|endpoint| endpoint.url.clone())
            .next()
            .context("the session has no supplier")
    }
}

/// One client is one connection, which is kept open.
fn clients(connections: usize) -> reqwest::Result<Vec<reqwest::Client>> {
    let client = || {
        reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(1)
            .build()
    };
    (0..connections).map(|_| client()).collect()
}

/// Sends all requests over these connections. Gives the seconds it took and each answer's latency.
async fn send(
    url: &str,
    clients: &[reqwest::Client],
    requests: Vec<Bytes>,
) -> anyhow::Result<(f64, Vec<Duration>)> {
    let (requests, next) = (Arc::new(requests), Arc::new(AtomicUsize::new(0)));
    let began = Instant::now();
    let tasks: Vec<_> = clients
        .iter()
        .cloned()
        .map(|http| {
            let (requests, next, url) = (Arc::clone(&requests), Arc::clone(&next), url.to_owned());
            #[allow(clippy::disallowed_methods, reason = "joined below")]
            tokio::spawn(async move { connection(&http, &url, &requests, &next).await })
        })
        .collect();
    let mut latencies = Vec::with_capacity(requests.len());
    for task in tasks {
        latencies.extend(task.await??);
    }
    Ok((began.elapsed().as_secs_f64(), latencies))
}

async fn connection(
    http: &reqwest::Client,
    url: &str,
    requests: &[Bytes],
    next: &AtomicUsize,
) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    while let Some(body) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        let began = Instant::now();
        let answer = http.post(url).body(body.clone()).send().await?;
        let status = answer.status();
        let bytes = answer.bytes().await?;
        latencies.push(began.elapsed());
        if !status.is_success() {
            bail!("the miner refused: {status}, {}", String::from_utf8_lossy(&bytes));
        }
        let response = RelayResponse::decode(bytes).context("the answer is no relay response")?;
        if let Some(error) = response.relay_miner_error {
            bail!("the miner refused: {error:?}");
        }
    }
    Ok(latencies)
}

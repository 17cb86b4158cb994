//! The list of endpoints, which a person may change while the program runs: kept in the database beside the configuration,
//! each tried before it is taken up. And what they said that was false.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use hearth_base::{ChainId, Clock, Height};
use serde_json::json;
use url::Url;

use crate::{
    config::{Config, ConfigError, check_url},
    db::{Db, DbError},
    light::Light,
    rpc::{
        Endpoint, Evidence, Pool, RpcError,
        wire::{AbciQueryAnswer, CommitAnswer, Status},
    },
};

/// More endpoints than anybody has.
const MOST: usize = 32;
/// Lies that are older say nothing of an endpoint.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);

/// Why the list of endpoints stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error(transparent)]
    Address(#[from] ConfigError),
    #[error("there is no endpoint \"{0}\": name one of those that are listed")]
    Unknown(String),
    #[error("several endpoints are called \"{0}\": give the id of the one that is meant")]
    Ambiguous(String),
    #[error("{0} is there already")]
    Known(String),
    #[error("{0} is the last endpoint: add another one first")]
    Last(String),
    #[error("{MOST} endpoints are there already: remove one first")]
    TooMany,
    #[error("{name} serves the chain \"{found}\", not \"{wanted}\": nothing was added")]
    OtherChain {
        name: String,
        found: String,
        wanted: ChainId,
    },
    #[error("{0} gives no usable answer, so nothing was added")]
    NoAnswer(String, #[source] RpcError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// What an endpoint showed when it was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// What tells it from others, once it is listed.
    pub id: String,
    /// Host and port.
    pub name: String,
    /// How long its answer took.
    pub latency: Option<Duration>,
    /// The newest block that it reports.
    pub height: Height,
    /// The chain that it serves.
    pub chain: String,
    /// Whether it has the newest verified block as the validators signed it; `None` where nothing was verified, or it
    /// does not answer.
    pub agrees: Option<bool>,
    /// Whether it gives proofs of the state.
    pub proves: bool,
    /// What went wrong.
    pub trouble: Option<String>,
}

/// The list. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    chain_id: ChainId,
    configured: Vec<Url>,
    pool: Arc<Pool>,
    db: Db,
    clock: Clock,
}

impl Endpoints {
    pub(crate) fn new(config: &Config, pool: Arc<Pool>, db: Db, clock: Clock) -> Endpoints {
        Endpoints {
            chain_id: config.chain_id.clone(),
            configured: config.endpoints.clone(),
            pool,
            db,
            clock,
        }
    }

    /// Takes up what a person changed in former runs, and who lied then.
    pub(crate) async fn recall(&self) {
        match self.db.endpoint_changes().await {
            Ok(changes) => self.apply(&changes),
            Err(error) => tracing::error!(%error, "the endpoints that were added cannot be read"),
        }
        let evidence = match self.db.evidence().await {
            Ok(evidence) => evidence,
            Err(error) => {
                tracing::error!(%error, "false answers of former runs cannot be read");
                return;
            }
        };
        let now = self.clock.now_ms();
        let since = now - i64::try_from(REMEMBERED.as_millis()).unwrap_or(i64::MAX);
        for endpoint in self.pool.all() {
            let told = |lie: &&Evidence| lie.at_ms >= since && lie.endpoint == endpoint.name();
            let lies: Vec<&Evidence> = evidence.iter().filter(told).collect();
            // The newest is the first.
            let Some(last) = lies.first() else { continue };
            let age = Duration::from_millis(u64::try_from(now - last.at_ms).unwrap_or_default());
            let n_lies = u32::try_from(lies.len()).unwrap_or(u32::MAX);
            self.pool.remember(&endpoint, n_lies, &last.why, age);
        }
    }

    fn apply(&self, changes: &[(String, bool)]) {
        for (url, is_added) in changes {
            match (url.parse::<Url>(), is_added) {
                (Ok(url), true) => self.pool.add(self.pool.make(&url, true)),
                // Where the configuration names nobody else any more, it counts.
                (Ok(url), false) if self.pool.all().len() > 1 => self.pool.remove(&url),
                (Ok(_), false) => {}
                (Err(_), _) => tracing::error!("an endpoint that was added has no readable address"),
            }
        }
    }

    /// Writes down what was said that is false. What cannot be written waits.
    pub(crate) async fn write_evidence(&self) {
        for evidence in self.pool.take_evidence() {
            if let Err(error) = self.db.save_evidence(&evidence).await {
                tracing::debug!(%error, "a false answer cannot be written down yet");
                self.pool.keep_evidence(evidence);
            }
        }
    }

    /// What endpoints said that was false, the newest first.
    pub(crate) async fn evidence(&self) -> Result<Vec<Evidence>, DbError> {
        let mut all = self.pool.waiting_evidence();
        all.reverse();
        all.extend(self.db.evidence().await?);
        Ok(all)
    }

    /// Adds an endpoint that was tried and serves this chain.
    pub(crate) async fn add(&self, text: &str, light: &Light) -> Result<Trial, EndpointError> {
        let url = check_url(text)?;
        let all = self.pool.all();
        if let Some(known) = all.iter().find(|known| *known.url() == url) {
            return Err(EndpointError::Known(known.name().to_owned()));
        }
        if all.len() >= MOST {
            return Err(EndpointError::TooMany);
        }
        let is_configured = self.configured.contains(&url);
        let endpoint = self.pool.make(&url, !is_configured);
        let status = self.status_of(&endpoint).await?;
        if status.node_info.network != self.chain_id.as_str() {
            return Err(EndpointError::OtherChain {
                name: endpoint.name().to_owned(),
                found: status.node_info.network.chars().take(64).collect(),
                wanted: self.chain_id.clone(),
            });
        }
        let trial = self.trial(&endpoint, light).await;
        if is_configured {
            self.db.forget_endpoint(url.as_str()).await?;
        } else {
            self.db
                .save_endpoint(url.as_str(), true, self.clock.now_ms())
                .await?;
        }
        endpoint.note_status(&status);
        self.pool.add(endpoint);
        Ok(trial)
    }

    async fn status_of(&self, endpoint: &Endpoint) -> Result<Status, EndpointError> {
        let status = endpoint.call("status", json!({})).await;
        status.map_err(|error| EndpointError::NoAnswer(endpoint.name().to_owned(), error))
    }

    /// Takes an endpoint away: one that was added is forgotten, one that is configured is noted as taken away.
    pub(crate) async fn remove(&self, which: &str) -> Result<(), EndpointError> {
        let endpoint = self.find(which)?;
        if self.pool.all().len() < 2 {
            return Err(EndpointError::Last(endpoint.name().to_owned()));
        }
        let url = endpoint.url();
        if self.configured.contains(url) {
            self.db
                .save_endpoint(url.as_str(), false, self.clock.now_ms())
                .await?;
        } else {
            self.db.forget_endpoint(url.as_str()).await?;
        }
        self.pool.remove(url);
        Ok(())
    }

    /// The endpoint with this id, address, or host and port.
    fn find(&self, which: &str) -> Result<Arc<Endpoint>, EndpointError> {
        let all = self.pool.all();
        let url = which.parse::<Url>().ok();
        let exact = |one: &&Arc<Endpoint>| one.id() == which || url.as_ref() == Some(one.url());
        if let Some(found) = all.iter().find(exact) {
            return Ok(Arc::clone(found));
        }
        let mut named = all.iter().filter(|one| one.name() == which);
        match (named.next(), named.next()) {
            (Some(found), None) => Ok(Arc::clone(found)),
            (Some(_), Some(_)) => Err(EndpointError::Ambiguous(which.to_owned())),
            // An address may hold an access key, which nobody needs to see again.
            (None, _) => Err(EndpointError::Unknown(url.map_or_else(
                || which.to_owned(),
                |url| url.host_str().unwrap_or_default().to_owned(),
            ))),
        }
    }

    /// Tries one endpoint, or all of them.
    pub(crate) async fn try_out(
        &self,
        which: Option<&str>,
        light: &Light,
    ) -> Result<Vec<Trial>, EndpointError> {
        let endpoints = match which {
            Some(which) => vec![self.find(which)?],
            None => self.pool.all(),
        };
        let trials = endpoints.iter().map(|endpoint| self.trial(endpoint, light));
        Ok(join_all(trials).await)
    }

    async fn trial(&self, endpoint: &Endpoint, light: &Light) -> Trial {
        let mut trial = Trial {
            id: endpoint.id().to_owned(),
            name: endpoint.name().to_owned(),
            latency: None,
            height: Height(0),
            chain: String::new(),
            agrees: None,
            proves: false,
            trouble: None,
        };
        let began = Instant::now();
        let status: Status = match endpoint.call("status", json!({})).await {
            Ok(status) => status,
            Err(error) => {
                trial.trouble = Some(hearth_base::failure::chain(&error));
                return trial;
            }
        };
        trial.latency = Some(began.elapsed());
        trial.height = Height(u64::try_from(status.sync_info.latest_block_height).unwrap_or(0));
        trial.chain = status.node_info.network.chars().take(64).collect();
        let state = Height(trial.height.0.saturating_sub(1));
        let question = json!({
            "path": "store/shared/key", "data": hex::encode("p_shared"), "prove": true, "height": state.0.to_string(),
        });
        let proof: Result<AbciQueryAnswer, _> = endpoint.call("abci_query", question).await;
        match proof {
            Ok(answer) => trial.proves = answer.response.proof_ops.ops.len() == 2,
            Err(error) => trial.trouble = Some(hearth_base::failure::chain(&error)),
        }
        if let Ok(Some(newest)) = light.newest_kept().await {
            let at = newest.height().min(state).max(Height(1));
            let params = json!({ "height": at.0.to_string() });
            let said = endpoint.call::<CommitAnswer>("commit", params).await;
            if let (Ok(said), Ok(ours)) = (said, light.header(at).await) {
                trial.agrees = Some(said.signed_header.header.hash().as_bytes() == ours.hash());
            }
        }
        trial
    }
}

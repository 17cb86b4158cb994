//! The light client: fetches headers, has them verified, keeps what was verified.
//!
//! ```text
//! trust anchor ──► advance (one commit a block; bisection after a sleep) ──► newest
//!      │                                                                      │
//!      └────────── header(h): stored, or verified forward, or walked back along the hashes
//! ```
//! An endpoint that sends a forged header is banned, and the next one is asked. What is verified counts also where it cannot
//! be written down: a full disk makes nobody a liar, and costs only the work of a restart.

mod begin;
mod fetch;
mod recent;

pub(crate) use begin::Given;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hearth_base::{ChainId, Clock, Failure, Height, Kind};
use recent::Recent;
use serde_json::json;
use tendermint::{Time, validator::Set as ValidatorSet};
use tokio::sync::{Mutex, watch};

use crate::{
    config::{Anchor, Config},
    db::{Db, DbError},
    rpc::{Endpoint, Fault, Heard, Lie, Pool, RpcError, wire::HeaderAnswer},
    verify::{self, HeaderError, LightBlock, Rules, Step, Trusted, VerifiedHeader},
};

/// How far back a header is sought along the hashes, one request each.
const MAX_BACK_STEPS: u64 = 2_000;
/// How many headers below the newest are kept.
const KEPT_HEADERS: u64 = 20_000;
/// How often old headers are forgotten, in blocks.
const PRUNE_EVERY: u64 = 500;

/// Why a header could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum LightError {
    #[error(
        "nothing of this chain can be proven yet: {why}; give a trust height and hash in the network file, or more \
         endpoints run by different people"
    )]
    NoTrust { why: String },
    #[error(
        "the trust anchor and the chain contradict each other: {why}; nothing of this chain is believed until you decide: \
         compare height and hash with somebody whom you trust, then correct the anchor, or remove the endpoint that lies"
    )]
    Conflict { why: String },
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error(transparent)]
    Rpc(#[from] RpcError),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("block {height} is not there yet: the newest verified one is {newest}")]
    NotYet { height: Height, newest: Height },
    #[error("block {height} is too old to be verified: the oldest verified one is {oldest}")]
    TooOld { height: Height, oldest: Height },
}

impl Failure for LightError {
    fn kind(&self) -> Kind {
        match self {
            LightError::NoTrust { .. }
            | LightError::Conflict { .. }
            | LightError::Header(_)
            | LightError::NotYet { .. } => Kind::Retry,
            LightError::Rpc(error) => error.kind(),
            LightError::Db(error) => error.kind(),
            LightError::TooOld { .. } => Kind::Skip,
        }
    }
}

/// Why one endpoint was of no use.
pub(crate) type EndpointFault = Fault<LightError>;

impl From<RpcError> for EndpointFault {
    fn from(error: RpcError) -> EndpointFault {
        Fault::Failed(error.into())
    }
}

impl From<DbError> for EndpointFault {
    fn from(error: DbError) -> EndpointFault {
        Fault::Final(error.into())
    }
}

impl From<HeaderError> for EndpointFault {
    fn from(error: HeaderError) -> EndpointFault {
        if error.is_lie() {
            Fault::Lie(Lie::new(error.to_string()))
        } else {
            Fault::Final(error.into())
        }
    }
}

/// The same fault, with what was heard where it is a lie.
fn heard(fault: impl Into<EndpointFault>, heard: &Heard) -> EndpointFault {
    match fault.into() {
        Fault::Lie(lie) => Fault::Lie(lie.heard(heard.clone())),
        other @ (Fault::Failed(_) | Fault::Final(_)) => other,
    }
}

/// The light client of one chain.
#[derive(Debug)]
pub(crate) struct Light {
    chain_id: ChainId,
    /// The anchor of the configuration or the network file.
    configured: Option<Anchor>,
    /// The configured anchor is the word of the chain itself: where stored headers contradict it, they are of another chain.
    anchor_rules: bool,
    agree: usize,
    rules: Rules,
    pool: Arc<Pool>,
    db: Db,
    clock: Clock,
    /// The newest verified header. The lock also keeps two tasks from fetching the same headers.
    newest: Mutex<Option<Trusted>>,
    /// The same header, for readers that must not wait for a slow endpoint.
    shown: watch::Sender<Option<VerifiedHeader>>,
    /// The headers that were verified last, also those that cannot be written down.
    recent: Recent,
}

impl Light {
    pub(crate) fn new(config: &Config, pool: Arc<Pool>, db: Db, clock: Clock) -> Light {
        Light {
            chain_id: config.chain_id.clone(),
            configured: config.trust,
            anchor_rules: config.anchor_rules,
            agree: config.agree.max(2),
            rules: Rules {
                trusting_period: config.trusting_period,
                clock_drift: config.clock_drift,
            },
            pool,
            db,
            clock,
            newest: Mutex::new(None),
            shown: watch::Sender::new(None),
            recent: Recent::default(),
        }
    }

    /// Keeps a verified header. A disk that takes nothing more is no reason to stop: what is not written is verified again
    /// after a restart.
    async fn keep(&self, header: &VerifiedHeader, next_validators: Option<&ValidatorSet>) {
        self.recent.put(header);
        if let Err(error) = self.db.save_header(header, next_validators).await {
            self.recent.say_unwritten(&error);
        }
    }

    /// A header that was verified before.
    pub(crate) async fn kept(&self, height: Height) -> Result<Option<VerifiedHeader>, DbError> {
        match self.recent.get(height) {
            Some(header) => Ok(Some(header)),
            None => self.db.header(height).await,
        }
    }

    fn now(&self) -> Time {
        let now_ms = self.clock.now_ms();
        let nanos = u32::try_from(now_ms.rem_euclid(1000) * 1_000_000).unwrap_or(0);
        Time::from_unix_timestamp(now_ms.div_euclid(1000), nanos).unwrap_or_else(|_| Time::unix_epoch())
    }

    /// The newest verified header; begins trust where that is still to do.
    pub(crate) async fn newest(&self) -> Result<VerifiedHeader, LightError> {
        if let Some(header) = self.shown.borrow().as_ref() {
            return Ok(header.clone());
        }
        let mut newest = self.newest.lock().await;
        let trusted = self.begun(&mut newest).await?;
        Ok(trusted.header)
    }

    /// Verifies up to `target` with the help of one endpoint. Says what is newest then.
    pub(crate) async fn advance_with(
        &self,
        endpoint: &Endpoint,
        target: Height,
    ) -> Result<VerifiedHeader, EndpointFault> {
        let mut newest = self.newest.lock().await;
        let trusted = self.begun(&mut newest).await.map_err(Fault::Final)?;
        if trusted.header.height() >= target {
            return Ok(trusted.header);
        }
        // What was verified on the way stays so, also where the rest takes too long.
        let way = |step: &Trusted| self.show(&mut newest, step.clone());
        let header = self.bisect(endpoint, trusted, target, way).await?.header;
        if header.height().0.is_multiple_of(PRUNE_EVERY) {
            let below = Height(header.height().0.saturating_sub(KEPT_HEADERS));
            if let Err(error) = self.db.prune_headers(below).await {
                tracing::warn!(%error, "old headers cannot be forgotten");
            }
        }
        Ok(header)
    }

    /// The verified header of a height.
    pub(crate) async fn header(&self, height: Height) -> Result<VerifiedHeader, LightError> {
        if let Some(header) = self.kept(height).await? {
            return Ok(header);
        }
        // Older headers need no lock: several of them are verified at a time.
        let shown = self.shown.borrow().as_ref().map(VerifiedHeader::height);
        if shown.is_some_and(|newest| height < newest) {
            return self.older_header(height).await;
        }
        let mut newest = self.newest.lock().await;
        let trusted = self.begun(&mut newest).await?;
        if height > trusted.header.height() {
            // Perhaps it is there by now.
            let reached = self.bisect_with_anyone(&trusted, height).await;
            let reached = reached.map_err(|error| not_yet(error, height, trusted.header.height()))?;
            let header = reached.header.clone();
            self.show(&mut newest, reached);
            return Ok(header);
        }
        drop(newest);
        self.older_header(height).await
    }

    /// A header between stored ones, or below all of them.
    async fn older_header(&self, height: Height) -> Result<VerifiedHeader, LightError> {
        let recent = self.recent.at_or_above(height);
        let above = recent
            .into_iter()
            .chain(self.db.header_at_or_above(height).await?);
        let above = above.min_by_key(VerifiedHeader::height);
        let below = self.db.header_at_or_below(height).await?;
        let back = above.as_ref().map(|header| header.height().since(height));
        let forth = below.as_ref().map(|header| height.since(header.height()));
        // Forward needs signatures within the trusting period, backward only hashes, but one request a step.
        if let (Some(below), true) = (below, forth.is_some() && back.is_none_or(|back| back > 8)) {
            let trusted = self.trusted_of(below).await;
            if let Ok(trusted) = trusted {
                let reached = self.bisect_with_anyone(&trusted, height).await;
                match reached {
                    Ok(reached) => return Ok(reached.header),
                    // Hashes need no clock.
                    Err(LightError::Header(
                        HeaderError::TrustExpired { .. } | HeaderError::ClockBehind { .. },
                    )) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        match above {
            Some(above) if above.height().since(height) <= MAX_BACK_STEPS => {
                let above = &above;
                self.pool
                    .ask(|endpoint| async move { self.walk_back(&endpoint, above.clone(), height).await })
                    .await
            }
            Some(above) => Err(LightError::TooOld {
                height,
                oldest: above.height(),
            }),
            None => Err(LightError::TooOld {
                height,
                oldest: Height(0),
            }),
        }
    }

    /// Verifies from `trusted` to `target` with the first endpoint that can and does not lie.
    async fn bisect_with_anyone(&self, trusted: &Trusted, target: Height) -> Result<Trusted, LightError> {
        self.pool
            .ask(|endpoint| async move {
                let way = |_: &Trusted| {};
                self.bisect(&endpoint, trusted.clone(), target, way).await
            })
            .await
    }

    /// Verifies from `trusted` to `target`, by way of headers between where too few known validators signed it. Tells of
    /// each that is verified.
    async fn bisect(
        &self,
        endpoint: &Endpoint,
        trusted: Trusted,
        target: Height,
        mut way: impl FnMut(&Trusted),
    ) -> Result<Trusted, EndpointFault> {
        let mut trusted = trusted;
        let mut wanted = vec![target];
        let mut fetched: BTreeMap<u64, (LightBlock, Heard)> = BTreeMap::new();
        while let Some(&height) = wanted.last() {
            let (block, said) = match fetched.get(&height.0) {
                Some(block) => block.clone(),
                None => {
                    let block = self
                        .fetch(endpoint, height, Some(trusted.next_validators()))
                        .await?;
                    fetched.insert(height.0, block.clone());
                    block
                }
            };
            let step = verify::advance(&trusted, block, self.now(), &self.rules);
            match step.map_err(|error| heard(error, &said))? {
                Step::Verified(next) => {
                    self.keep(&next.header, Some(next.next_validators())).await;
                    trusted = *next;
                    way(&trusted);
                    fetched.remove(&height.0);
                    wanted.pop();
                }
                Step::TooFar => {
                    let from = trusted.header.height();
                    let middle = Height(from.0 + height.since(from) / 2);
                    if middle <= from {
                        let why = format!("the header at height {height} is not signed by its validators");
                        return Err(Fault::Lie(Lie::new(why).heard(said)));
                    }
                    wanted.push(middle);
                }
            }
        }
        Ok(trusted)
    }

    /// Verifies older headers, each by the hash that the next one names.
    async fn walk_back(
        &self,
        endpoint: &Endpoint,
        from: VerifiedHeader,
        target: Height,
    ) -> Result<VerifiedHeader, EndpointFault> {
        let mut later = from;
        while later.height() > target {
            let height = later.height().0.saturating_sub(1);
            let (answer, said): (HeaderAnswer, Heard) = endpoint
                .call_heard("header", json!({ "height": height.to_string() }))
                .await?;
            let earlier = verify::step_back(&later, answer.header).map_err(|error| heard(error, &said))?;
            self.keep(&earlier, None).await;
            later = earlier;
        }
        Ok(later)
    }

    /// The newest trusted header, after beginning trust where that is still to do.
    async fn begun(&self, newest: &mut Option<Trusted>) -> Result<Trusted, LightError> {
        if let Some(trusted) = newest {
            return Ok(trusted.clone());
        }
        let trusted = self.begin().await?;
        self.show(newest, trusted.clone());
        Ok(trusted)
    }

    fn show(&self, newest: &mut Option<Trusted>, reached: Trusted) {
        self.shown.send_replace(Some(reached.header.clone()));
        *newest = Some(reached);
    }

    /// A verified header with its next validators, from the store or from an endpoint.
    async fn trusted_of(&self, header: VerifiedHeader) -> Result<Trusted, LightError> {
        let hash = header.header().next_validators_hash;
        // A stored set that is not the one its header names says nothing against the chain: it is fetched again.
        if let Ok(Some(set)) = self.db.validators(hash.as_bytes()).await
            && let Ok(trusted) = Trusted::new(header.clone(), Arc::new(set))
        {
            return Ok(trusted);
        }
        let next = header.height().plus(1);
        let header = &header;
        self.pool
            .ask(|endpoint| async move { self.trusted_with(&endpoint, header, next).await })
            .await
    }

    async fn trusted_with(
        &self,
        endpoint: &Endpoint,
        header: &VerifiedHeader,
        next: Height,
    ) -> Result<Trusted, EndpointFault> {
        let set = self.fetch_validators(endpoint, next).await?;
        let trusted = Trusted::new(header.clone(), Arc::new(set))?;
        self.keep(&trusted.header, Some(trusted.next_validators())).await;
        Ok(trusted)
    }

    fn is_expired(&self, header: &VerifiedHeader) -> bool {
        let now = self.clock.now();
        let age = now - header.time();
        Duration::try_from(age).is_ok_and(|age| age >= self.rules.trusting_period)
    }

    /// The newest header that was verified in this run or a former one, without asking anybody.
    pub(crate) async fn newest_kept(&self) -> Result<Option<VerifiedHeader>, DbError> {
        let shown = self.shown.borrow().clone();
        match shown {
            Some(header) => Ok(Some(header)),
            None => self.db.header_at_or_below(Height(u64::MAX)).await,
        }
    }
}

/// A height that no endpoint has yet is no failure of theirs.
fn not_yet(error: LightError, height: Height, newest: Height) -> LightError {
    match &error {
        LightError::Rpc(RpcError::Refused { data, .. }) if data.contains("must be less than or equal") => {
            LightError::NotYet { height, newest }
        }
        LightError::Rpc(_)
        | LightError::NoTrust { .. }
        | LightError::Conflict { .. }
        | LightError::Header(_)
        | LightError::Db(_)
        | LightError::NotYet { .. }
        | LightError::TooOld { .. } => error,
    }
}

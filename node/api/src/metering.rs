//! What stands between a request and its answer: what the key that was shown may do, and what the answer took.
//!
//! ```text
//! guard → Asker → Meter::admit (scope, model, rate, budget) → answer → Admission (tokens, cost, usage)
//! ```
//!
//! Whoever asks for an answer calls [`Meter::admit`] before and keeps the [`Admission`] until the answer has ended. It
//! writes down what the answer took when it is dropped, so an answer that breaks off or whose reader goes away is
//! counted like any other.

mod rates;
mod tally;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::http::{HeaderName, HeaderValue};
use hearth_base::{Amount, Clock, Tasks};
use parking_lot::Mutex;
use rates::Rates;
pub(crate) use tally::metered;
use uuid::Uuid;

use crate::{
    auth::{Grant, Keys, Reservation},
    control::types::{Model, ModelKind, ModelTask, Scope, Upokt, UsageCounts},
    error::ApiError,
    parts::Relay,
    storage::{LOCAL, OWNER, Usage},
};

/// How long the receipt of an answer may take after its end.
const RECEIPT_WITHIN: Duration = Duration::from_secs(5);
/// How long, once the program is to end.
const RECEIPT_AT_STOP: Duration = Duration::from_millis(500);
/// How often it is looked for.
const RECEIPT_EVERY: Duration = Duration::from_millis(50);
/// How often usage is written.
const WRITE_EVERY: Duration = Duration::from_secs(2);
/// Bytes of a request that make one token, roughly; what it really was is counted when the answer has ended.
pub(crate) const BYTES_PER_TOKEN: usize = 4;

/// Who asks for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// The page and the command line.
    Owner,
    /// A program of this computer that shows no key.
    Local,
    Key(Arc<Grant>),
}

impl Asker {
    /// The key that was shown.
    pub(crate) fn key(&self) -> Option<&Arc<Grant>> {
        match self {
            Asker::Key(grant) => Some(grant),
            Asker::Owner | Asker::Local => None,
        }
    }

    /// Whether a list of models has this one for whoever asks.
    pub(crate) fn may_see(&self, model: &Model) -> bool {
        self.may_see_as(model, &model.id)
    }

    /// Whether it has this one by another of its names.
    pub(crate) fn may_see_as(&self, model: &Model, name: &str) -> bool {
        let Asker::Key(grant) = self else {
            return true;
        };
        let scope = match (model.kind, model.task) {
            (ModelKind::Network, _) => Scope::Network,
            (ModelKind::Local | ModelKind::Server, ModelTask::Embedding) => Scope::Embeddings,
            (ModelKind::Local | ModelKind::Server, ModelTask::Chat | ModelTask::Rerank) => Scope::Local,
        };
        grant.opens(scope).is_ok() && grant.may_ask_as(Some(&model.id), Some(name)).is_ok()
    }

    /// Under which usage is kept.
    fn id(&self) -> &str {
        match self {
            Asker::Owner => OWNER,
            Asker::Local => LOCAL,
            Asker::Key(grant) => &grant.id,
        }
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The name of the model once it is resolved; `None` where the request names none.
    pub(crate) model: Option<String>,
    /// The name by which it is asked for, which may be an alias.
    pub(crate) name: Option<String>,
    /// The service that is to answer, for a model of the network.
    pub(crate) service: Option<String>,
    pub(crate) is_embedding: bool,
    /// Bytes of the request.
    pub(crate) bytes: usize,
    /// Names the receipt of a network answer.
    pub(crate) id: Uuid,
}

/// Checks and counts. Clones are the same.
#[derive(Clone)]
pub(crate) struct Meter(Arc<Inner>);

struct Inner {
    keys: Keys,
    usage: Usage,
    rates: Mutex<Rates>,
    relay: Arc<dyn Relay>,
    clock: Clock,
    tasks: Tasks,
}

/// An answer that may be made. What it took is counted when this is dropped.
pub(crate) struct Admission {
    meter: Meter,
    asker: Asker,
    asked: Asked,
    reserved: Option<Reservation>,
    /// The most that the answer may cost; `None` where the key has no budget.
    most: Option<Amount>,
    headers: Vec<(HeaderName, HeaderValue)>,
    took: Took,
}

/// What a key lets pass.
#[derive(Default)]
struct Checked {
    headers: Vec<(HeaderName, HeaderValue)>,
    reserved: Option<Reservation>,
    most: Option<Amount>,
}

/// What an answer took, as far as it is known.
#[derive(Clone, Copy, Debug)]
struct Took {
    /// What the request was thought to be.
    estimate: u64,
    prompt_tokens: Option<u64>,
    completion_tokens: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody has answered yet.
    Asked,
    /// Nobody answers: whatever was sent for it is written down by now.
    Refused,
    /// It goes on, or it has ended.
    Begun,
    Failed,
}

impl Meter {
    pub(crate) fn new(keys: Keys, usage: Usage, relay: Arc<dyn Relay>, clock: Clock, tasks: Tasks) -> Meter {
        Meter(Arc::new(Inner {
            keys,
            usage,
            rates: Mutex::default(),
            relay,
            clock,
            tasks,
        }))
    }

    /// Writes usage every few seconds, and once more when `ended` does.
    pub(crate) fn start(&self, ended: impl Future<Output = ()> + Send + 'static) {
        let meter = self.clone();
        self.0.tasks.spawn("usage", async move {
            let mut ended = Box::pin(ended);
            loop {
                let is_over = tokio::time::timeout(WRITE_EVERY, &mut ended).await.is_ok();
                meter.write().await;
                if is_over {
                    return;
                }
            }
        });
    }

    async fn write(&self) {
        if let Err(error) = self.0.usage.write().await {
            tracing::warn!(%error, "usage could not be written down");
        }
    }

    /// Whether this may be answered. What a network answer costs is set aside from the key's budgets.
    ///
    /// # Errors
    /// 403 for a scope or model that the key is not for, 429 beyond its rates, 402 beyond its budgets.
    pub(crate) async fn admit(&self, asker: &Asker, asked: Asked) -> Result<Admission, ApiError> {
        let estimate = u64::try_from(asked.bytes / BYTES_PER_TOKEN).unwrap_or(u64::MAX);
        let Checked {
            headers,
            reserved,
            most,
        } = match asker {
            // A refusal is not counted: whoever is refused must not make us write.
            Asker::Key(grant) => self.check(grant, &asked, estimate).await?,
            Asker::Owner | Asker::Local => Checked::default(),
        };
        Ok(Admission {
            meter: self.clone(),
            asker: asker.clone(),
            asked,
            reserved,
            most,
            headers,
            took: Took {
                estimate,
                prompt_tokens: None,
                completion_tokens: 0,
                state: State::Asked,
            },
        })
    }

    async fn check(&self, grant: &Grant, asked: &Asked, estimate: u64) -> Result<Checked, ApiError> {
        if asked.is_embedding {
            grant.opens(Scope::Embeddings)?;
        } else if asked.service.is_none() {
            grant.opens(Scope::Local)?;
        }
        if asked.service.is_some() {
            grant.opens(Scope::Network)?;
        }
        grant.may_ask_as(asked.model.as_deref(), asked.name.as_deref())?;
        let now_ms = self.0.clock.now_ms();
        let taken = self.0.rates.lock().take(grant, estimate, now_ms);
        let headers = taken?;
        let Some(service) = &asked.service else {
            return Ok(Checked {
                headers,
                ..Checked::default()
            });
        };
        let limits = &grant.limits;
        let is_bounded = limits.daily_budget.is_some() || limits.total_budget.is_some();
        // Without a budget nothing is refused, so nobody need know the price before.
        let price = if is_bounded {
            Some(self.price(service).await?)
        } else {
            None
        };
        Ok(Checked {
            reserved: Some(self.0.keys.reserve(grant, price.unwrap_or_default()).await?),
            most: price.map(|price| price.0),
            headers,
        })
    }

    /// What one answer of a service costs.
    async fn price(&self, service: &str) -> Result<Upokt, ApiError> {
        let models = self.0.relay.models().await?;
        let model = models
            .into_iter()
            .find(|model| model.service.as_deref() == Some(service));
        // What nobody sells is refused by the gateway, in its words.
        Ok(model.and_then(|model| model.price_per_answer).unwrap_or_default())
    }

    /// Counts what an answer of the network cost.
    async fn settle(&self, asker: Asker, asked: Asked, reserved: Option<Reservation>, took: Took) {
        let cost = self.cost(asked.id, took.state).await;
        // What is not known counts as it was set aside, which spends nothing twice.
        let set_aside = reserved.as_ref().map(Reservation::upokt);
        self.count(&asker, &asked, took, cost.or(set_aside).unwrap_or_default());
        if let (Some(reserved), Some(cost)) = (&reserved, cost)
            && let Err(error) = self.0.keys.settle(reserved, cost).await
        {
            tracing::warn!(%error, "the cost of an answer could not be written down");
        }
        // Nobody writes after the last answer but this.
        if self.0.tasks.is_stopped() {
            self.write().await;
        }
    }

    /// What an answer of the network cost; `None` where that is not known.
    async fn cost(&self, id: Uuid, state: State) -> Option<Upokt> {
        let begun = Instant::now();
        loop {
            let within = if self.0.tasks.is_stopped() {
                RECEIPT_AT_STOP
            } else {
                RECEIPT_WITHIN
            };
            match self.0.relay.receipt(id).await {
                Ok(Some(bought)) => return Some(bought.cost.unwrap_or_default()),
                Ok(None) if state == State::Refused => return Some(Upokt::default()),
                Ok(None) if begun.elapsed() < within => tokio::time::sleep(RECEIPT_EVERY).await,
                Ok(None) | Err(_) => return None,
            }
        }
    }

    fn count(&self, asker: &Asker, asked: &Asked, took: Took, cost: Upokt) {
        let has_failed = took.state != State::Begun;
        let prompt_tokens = match took.prompt_tokens {
            Some(tokens) => tokens,
            None if has_failed => 0,
            None => took.estimate,
        };
        if let Some(grant) = asker.key() {
            let real = prompt_tokens.saturating_add(took.completion_tokens);
            let now_ms = self.0.clock.now_ms();
            self.0.rates.lock().correct(grant, took.estimate, real, now_ms);
        }
        let counts = UsageCounts {
            requests: 1,
            errors: u64::from(has_failed),
            prompt_tokens,
            completion_tokens: took.completion_tokens,
            cost,
        };
        let model = asked.model.as_deref().unwrap_or_default();
        self.0.usage.add(asker.id(), model, counts);
    }
}

impl Admission {
    /// What was set aside from the key's budgets: the answer may cost no more.
    pub(crate) fn most(&self) -> Option<Amount> {
        self.most
    }

    /// `x-ratelimit-…`, for the head of the answer.
    pub(crate) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// The answer has begun.
    pub(crate) fn begun(&mut self) {
        self.took.state = State::Begun;
    }

    /// Nobody answers.
    pub(crate) fn refused(&mut self) {
        self.took.state = State::Refused;
    }

    /// The answer broke off.
    pub(crate) fn failed(&mut self) {
        self.took.state = State::Failed;
    }

    /// The tokens so far; those of the prompt may be unknown until the end.
    pub(crate) fn tokens(&mut self, prompt: Option<u64>, completion: u64) {
        self.took.prompt_tokens = prompt.or(self.took.prompt_tokens);
        self.took.completion_tokens = completion;
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let (meter, took) = (&self.meter, self.took);
        let is_sent = self.asked.service.is_some();
        // At the very end of the program nothing is left to ask a receipt of; what was set aside stays counted.
        if !is_sent || tokio::runtime::Handle::try_current().is_err() {
            meter.count(&self.asker, &self.asked, took, Upokt::default());
            return;
        }
        let settling = {
            let (meter, asker, asked) = (meter.clone(), self.asker.clone(), self.asked.clone());
            let reserved = self.reserved.take();
            async move { meter.settle(asker, asked, reserved, took).await }
        };
        meter.0.tasks.spawn("settling", settling);
    }
}

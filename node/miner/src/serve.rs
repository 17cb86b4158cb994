//! The relay server: HTTP as gateways speak it to the official miners.
//!
//! ```text
//! body → Readable → Admitted → backend ─┬─ whole  → judge → sign → evidence → answer
//!                                       └─ stream → signed batches … → evidence → last batch
//! ```
//! Any method and path carries a relay; a `GET` of `/health` and `/ready` without a body is for people and balancers.
//! What the backend gave is judged by [`hearth_answers::answer`]: only what counts there is written down and paid.

mod answer;
mod events;
mod listener;
mod own;
mod places;
mod stream;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream::BoxStream};
use hearth_answers::answer::{NoAnswer, Operation, Verdict, judge};
use hearth_base::{Clock, ServiceId, Tasks};
use hearth_pocket::Signer;
use tokio::{sync::watch, time::Instant};

pub(crate) use listener::Listener;
pub(crate) use places::Places;

use crate::{
    admit::{Admission, Admitted, Readable},
    backend::{BackendAnswer, BackendBody, BackendError, BackendRequest, Health, ModelName, SharedBackend},
    config::{Config, ServiceConfig},
    events::Running,
    ledger::Ledger,
    refusal::Refusal,
    threads::Threads,
};

/// What the server needs to serve.
pub(crate) struct Server {
    pub(crate) config: Arc<Config>,
    pub(crate) admission: Admission,
    pub(crate) backend: SharedBackend,
    pub(crate) health: Arc<Health>,
    pub(crate) places: BTreeMap<ServiceId, Places>,
    pub(crate) signer: Arc<dyn Signer>,
    /// Connections run here, with the curve arithmetic of their relays.
    pub(crate) threads: Arc<Threads>,
    pub(crate) ledger: Ledger,
    pub(crate) db: crate::session_db::SessionDb,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
    pub(crate) running: watch::Sender<Running>,
    pub(crate) counts: Arc<Counts>,
    /// Why no answer could be kept or signed; earning stops over it.
    pub(crate) trouble: watch::Sender<Option<Trouble>>,
}

/// What makes earning stop by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Evidence cannot be written.
    Disk(String),
    /// The key was locked.
    Key,
}

/// Figures since the start.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) answered: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) late: AtomicU64,
}

/// An answer for the wire.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    /// After how many seconds the same may be asked again.
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: ReplyBody,
}

pub(crate) enum ReplyBody {
    Full(Bytes),
    Stream(BoxStream<'static, Result<Bytes, BrokenOff>>),
}

/// A stream that ends without its proper end: the connection is cut, so that the reader notices.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the answer broke off")]
pub(crate) struct BrokenOff;

impl Reply {
    fn relay(body: Bytes) -> Reply {
        Reply {
            status: 200,
            content_type: "application/octet-stream".to_owned(),
            retry_after: None,
            body: ReplyBody::Full(body),
        }
    }

    pub(crate) fn json(status: u16, body: Bytes) -> Reply {
        Reply {
            status,
            content_type: "application/json".to_owned(),
            retry_after: None,
            body: ReplyBody::Full(body),
        }
    }
}

/// Until when an answer may begin and end. Both count from the request's arrival, as they do for its gateway.
#[derive(Clone, Copy, Debug)]
struct Limits {
    config: ServiceConfig,
    /// The first part of an answer in parts. One that comes whole has but one moment.
    first_by: Instant,
    end_by: Instant,
}

impl Limits {
    fn new(config: ServiceConfig, arrived: Instant, in_parts: bool) -> Limits {
        let end_by = arrived + config.answer_within;
        let first_by = if in_parts {
            arrived + config.first_byte_within
        } else {
            end_by
        };
        Limits {
            config,
            first_by,
            end_by,
        }
    }

    /// Why nothing came in time.
    fn too_late(&self, service: &ServiceId) -> Refusal {
        let service = service.to_string();
        if self.first_by < self.end_by {
            let seconds = self.config.first_byte_within.as_secs();
            Refusal::FirstByte { service, seconds }
        } else {
            self.no_end(service)
        }
    }

    /// Why the answer did not come to its end in time.
    fn no_end(&self, service: String) -> Refusal {
        let seconds = self.config.answer_within.as_secs();
        Refusal::Total { service, seconds }
    }
}

impl Server {
    /// Serves one request.
    pub(crate) async fn serve(self: Arc<Self>, body: Result<Bytes, Refusal>) -> Reply {
        let served = match body.and_then(Readable::read) {
            Ok(readable) => Arc::clone(&self).answer(readable).await,
            Err(refusal) => Err(refusal),
        };
        served.unwrap_or_else(|refusal| self.refuse(&refusal))
    }

    fn places(&self, service: &ServiceId) -> Result<&Places, Refusal> {
        self.places.get(service).ok_or_else(|| Refusal::UnknownService {
            service: service.to_string(),
        })
    }

    async fn answer(self: Arc<Self>, readable: Readable) -> Result<Reply, Refusal> {
        let (arrived, in_parts) = (Instant::now(), readable.accepts_parts());
        let is_free = |service: &ServiceId| self.places(service)?.check();
        let admitted = self.admission.admit(readable, is_free).await?;
        let service = ServiceId::new(&admitted.ticket.session.facts.header.service_id);
        let places = self.places(&service)?;
        let limits = Limits::new(places.config, arrived, in_parts);
        let place = places.take(arrived).await?;
        let job = answer::Job::begin(Arc::clone(&self), &admitted, place);
        if let Some(own) = self.own_answer(&service, &admitted.http).await? {
            return match own.status {
                404 | 405 => job.signed(admitted, own).map(Reply::relay),
                _ => job.whole(admitted, own).await,
            };
        }
        let request = backend_request(&service, &admitted);
        let served = tokio::time::timeout_at(limits.first_by, self.backend.serve(request)).await;
        let answer = match served {
            Ok(Err(BackendError::NotServed {
                method,
                path,
                allowed,
            })) => {
                return job
                    .signed(admitted, own::not_served(&method, &path, allowed))
                    .map(Reply::relay);
            }
            Ok(served) => served.map_err(|error| self.backend_refusal(&error))?,
            Err(_) => return Err(self.ails(limits.too_late(&service))),
        };
        let is_success = (200..=299).contains(&answer.status);
        if in_parts
            && is_success
            && let BackendBody::Stream(parts) = answer.body
        {
            let events = events::Events::new(parts, answer.model, &self.config);
            return stream::reply(job, admitted, answer.status, events, limits).await;
        }
        let collected = tokio::time::timeout_at(limits.end_by, self.collect(answer)).await;
        let whole = collected.map_err(|_| self.ails(limits.no_end(service.to_string())))??;
        match judge(
            Operation::of(admitted.http.path_and_query()),
            whole.status,
            &whole.body,
        ) {
            Verdict::Counts => {
                self.health.well();
                job.whole(admitted, whole.in_own_words()).await
            }
            Verdict::NoRoute => job.signed(admitted, whole.in_own_words()).map(Reply::relay),
            Verdict::NoAnswer(why) => Err(self.no_answer(why)),
        }
    }

    /// The whole of an answer, unless it is too large.
    async fn collect(&self, answer: BackendAnswer) -> Result<answer::Whole, Refusal> {
        let BackendAnswer {
            status,
            headers,
            body,
            model,
        } = answer;
        let body = match body {
            BackendBody::Full(body) => body,
            BackendBody::Parts(parts) => self.collect_parts(parts).await?,
            BackendBody::Stream(parts) if (200..=299).contains(&status) => {
                let collected = events::Events::new(parts, model.clone(), &self.config)
                    .collect()
                    .await;
                collected.map_err(|refusal| self.ails(refusal))?
            }
            BackendBody::Stream(parts) => self.collect_parts(parts).await?,
        };
        let limit = self.config.max_answer_bytes;
        if body.len() > limit {
            return Err(Refusal::AnswerTooLarge { limit });
        }
        let renamed = model.and_then(|model| ModelName::replaced(&body, &model));
        Ok(answer::Whole {
            status,
            headers,
            body: renamed.unwrap_or(body),
        })
    }

    async fn collect_parts(
        &self,
        mut parts: BoxStream<'static, Result<Bytes, BackendError>>,
    ) -> Result<Bytes, Refusal> {
        let limit = self.config.max_answer_bytes;
        let (mut all, mut n_parts) = (BytesMut::new(), 0);
        while let Some(part) = parts.next().await {
            let part = part.map_err(|error| self.backend_refusal(&error))?;
            n_parts += 1;
            if all.len() + part.len() > limit || n_parts > self.config.max_answer_parts {
                return Err(Refusal::AnswerTooLarge { limit });
            }
            all.extend_from_slice(&part);
        }
        Ok(all.freeze())
    }

    /// Why what the backend gave is not handed on. The client does not get the backend's own words, which may speak of
    /// the operator's account.
    fn no_answer(&self, why: NoAnswer) -> Refusal {
        let at = self
            .backend
            .address()
            .map_or_else(String::new, |address| format!(" at {address}"));
        let said = format!("the backend{at} fails: {why}");
        match why {
            NoAnswer::Status(429 | 503) => self.ails(Refusal::Overloaded { why: said }),
            NoAnswer::Status(_)
            | NoAnswer::Empty
            | NoAnswer::NotJson
            | NoAnswer::OtherShape
            | NoAnswer::Failed => self.ails(Refusal::Backend { why: said }),
        }
    }

    /// Notes that the backend failed.
    fn ails(&self, refusal: Refusal) -> Refusal {
        let said = refusal.to_string();
        let detail = refusal.detail();
        self.health.failed(if detail.is_empty() { &said } else { detail });
        refusal
    }

    fn backend_refusal(&self, error: &BackendError) -> Refusal {
        if let BackendError::NoService { service } = error {
            let service = service.to_string();
            return Refusal::UnknownService { service };
        }
        let why = error.to_string();
        self.ails(Refusal::Backend { why })
    }

    /// Counts a refusal, and tells the state of earning where it must know.
    fn note(&self, refusal: &Refusal) {
        metrics::counter!("hearth_miner_refused_total", "why" => refusal.label()).increment(1);
        self.counts
            .refused
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        tracing::debug!(%refusal, detail = refusal.detail(), "a relay was refused");
        if let Refusal::Evidence { why } = refusal {
            self.trouble.send_replace(Some(Trouble::Disk(why.clone())));
        }
        if let Refusal::Signing { .. } = refusal {
            self.trouble.send_replace(Some(Trouble::Key));
        }
    }

    /// The answer to a request that this program has a fault for.
    fn broken(&self) -> Reply {
        self.refuse(&Refusal::Fault)
    }

    fn refuse(&self, refusal: &Refusal) -> Reply {
        self.note(refusal);
        Reply {
            retry_after: refusal.retry_after(),
            ..Reply::json(refusal.status(), refusal.to_json())
        }
    }
}

fn backend_request(service: &ServiceId, admitted: &Admitted) -> BackendRequest {
    let http = &admitted.http;
    BackendRequest {
        service: service.clone(),
        method: http.method.clone(),
        path: http.path_and_query().to_owned(),
        headers: http.headers.clone(),
        body: http.body.clone(),
    }
}

/// How long a part of a stream may be collected before it is sent.
pub(crate) const BATCH_WITHIN: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;

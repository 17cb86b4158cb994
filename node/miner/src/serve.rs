//! The relay server: HTTP as gateways speak it to the official miners.
//!
//! ```text
//! body → Readable → Admitted → backend ─┬─ whole  → judge → sign → evidence → answer
//!                                       └─ stream → signed batches … → evidence → last batch
//! ```
//! Any method and path carries a relay; a `GET` of `/health` and `/ready` without a body is for people and balancers.
//! What the backend gave is judged by [`hearth_answers::judge`]: only what counts there is written down and paid.

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

use bytes::Bytes;
use futures::stream::BoxStream;
use hearth_answers::{
    Answer, Code, Error, Principal, Request, SharedBackend, answer::Body, judge::Verdict, openai,
};
use hearth_base::{Clock, ServiceId, Tasks};
use tokio::{sync::watch, time::Instant};

pub(crate) use listener::Listener;
pub(crate) use places::Places;

use crate::{
    admit::{Admission, Admitted, Readable},
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
    pub(crate) places: BTreeMap<ServiceId, Places>,
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
        match self.own_answer(&service, &admitted.http).await? {
            Some(own::Own::Counts(whole)) => return job.whole(admitted, whole).await,
            Some(own::Own::Missing(whole)) => return job.signed(admitted, whole).map(Reply::relay),
            None => {}
        }
        let request = match self.request(&service, &admitted.http) {
            Ok(request) => request,
            Err(error) => return self.error(job, admitted, &error).await,
        };
        let principal = Principal::Relay {
            service: service.clone(),
            session_id: admitted.ticket.session.facts.header.session_id.clone(),
        };
        let asked = self.backend.answer(request.clone(), &principal);
        let answer = match tokio::time::timeout_at(limits.first_by, asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return self.error(job, admitted, &error).await,
            Err(_) => return Err(self.ails(limits.too_late(&service))),
        };
        let Answer { head, body } = answer;
        match body {
            Body::Stream(chunks) if in_parts => {
                let events = events::Events::new(chunks, &request, head);
                stream::reply(job, admitted, events, limits).await
            }
            Body::Stream(chunks) => {
                let events = events::Events::new(chunks, &request, head);
                let collected = events.collect(self.config.max_answer_bytes);
                let collected = tokio::time::timeout_at(limits.end_by, collected).await;
                let collected = collected.map_err(|_| self.ails(limits.no_end(service.to_string())))?;
                let (text, tokens) = collected.map_err(|error| self.refusal(&error))?;
                self.counted(job, admitted, answer::Whole::stream(text, tokens))
                    .await
            }
            Body::Whole(whole) => {
                let tokens = whole.usage().map(|usage| usage.completion_tokens);
                let json = openai::whole(&request, &head, &whole);
                self.counted(job, admitted, answer::Whole::json(200, json, tokens))
                    .await
            }
        }
    }

    /// What is asked of the backend.
    fn request(
        &self,
        service: &ServiceId,
        http: &hearth_pocket::payload::HttpRequest,
    ) -> Result<Request, Error> {
        let request = openai::read(&http.method, http.path_and_query(), http.body.clone())?;
        let n = request.n_texts();
        if n > MAX_SOLD_TEXTS {
            return Err(Error::bad_field(
                "n",
                format!("{n} texts are asked for at once: one paid answer has at most {MAX_SOLD_TEXTS}"),
            ));
        }
        let means_the_service = |asked: &str| self.config.means_the_service(asked, service);
        let model = match self.config.model(service) {
            Some(model) => Some(model.to_owned()),
            None => request.model.clone().filter(|asked| !means_the_service(asked)),
        };
        Ok(request.for_model(model))
    }

    /// An answer that is paid for.
    async fn counted(
        &self,
        job: answer::Job,
        admitted: Admitted,
        whole: answer::Whole,
    ) -> Result<Reply, Refusal> {
        let limit = self.config.max_answer_bytes;
        if whole.body.len() > limit {
            return Err(Refusal::AnswerTooLarge { limit });
        }
        self.backend.health().well();
        job.whole(admitted, whole).await
    }

    /// An error of the request itself is an answer, too; any other is refused, so that another supplier can be asked.
    async fn error(&self, job: answer::Job, admitted: Admitted, error: &Error) -> Result<Reply, Refusal> {
        let whole = answer::Whole::json(error.status, error.body(), None);
        match error.verdict() {
            Verdict::Counts => self.counted(job, admitted, whole).await,
            Verdict::NoRoute => job.signed(admitted, whole).map(Reply::relay),
            Verdict::NoAnswer(_) => Err(self.refusal(error)),
        }
    }

    /// Why what the backend gave is not handed on. The client does not get the backend's own words, which may speak of
    /// the operator's account.
    fn refusal(&self, error: &Error) -> Refusal {
        let why = error.message.clone();
        // The engine is well, and has more to do than it can.
        if error.code == Code::EngineOverloaded {
            return Refusal::Overloaded { why };
        }
        let is_busy = matches!(error.status, 429 | 503) && error.code != Code::BackendNotReady;
        let refusal = if error.code == Code::BackendTooLarge {
            let limit = self.config.max_answer_bytes;
            Refusal::AnswerTooLarge { limit }
        } else if is_busy {
            Refusal::Overloaded { why }
        } else {
            Refusal::Backend { why }
        };
        self.ails(refusal)
    }

    /// Notes that the backend failed.
    fn ails(&self, refusal: Refusal) -> Refusal {
        let said = refusal.to_string();
        let detail = refusal.detail();
        self.backend
            .health()
            .failed(if detail.is_empty() { &said } else { detail });
        refusal
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

/// The most texts of one answer that is sold: its price is that of one, however many there are.
const MAX_SOLD_TEXTS: u64 = 4;

/// How long a part of a stream may be collected before it is sent.
pub(crate) const BATCH_WITHIN: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;

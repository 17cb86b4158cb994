//! The relay server: HTTP as gateways speak it to the official miners.
//!
//! ```text
//! body → Readable → Admitted → backend ─┬─ whole  → sign → evidence → answer
//!                                       └─ stream → signed batches … → evidence → last batch
//! ```
//! Any method and path carries a relay; `GET /health` and `/ready` are for people and balancers.

mod answer;
mod listener;
mod stream;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream::BoxStream};
use hearth_base::{Clock, ServiceId, Tasks};
use hearth_pocket::Signer;
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};

pub(crate) use listener::Listener;

use crate::{
    admit::{Admission, Admitted, Readable},
    backend::{BackendBody, BackendError, BackendRequest, SharedBackend},
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
    pub(crate) signer: Arc<dyn Signer>,
    /// Connections run here, with the curve arithmetic of their relays.
    pub(crate) threads: Arc<Threads>,
    pub(crate) ledger: Ledger,
    pub(crate) book: crate::book::Book,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
    pub(crate) running: watch::Sender<Running>,
    /// Bytes of requests that may be in memory at once.
    pub(crate) room: Arc<Semaphore>,
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

/// The places of a service.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) config: ServiceConfig,
    pub(crate) slots: usize,
    pub(crate) free: Arc<Semaphore>,
}

/// An answer for the wire.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: String,
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
            body: ReplyBody::Full(body),
        }
    }

    pub(crate) fn json(status: u16, body: Bytes) -> Reply {
        Reply {
            status,
            content_type: "application/json".to_owned(),
            body: ReplyBody::Full(body),
        }
    }
}

impl Server {
    /// Serves one request.
    pub(crate) async fn serve(self: Arc<Self>, body: Result<Bytes, Refusal>) -> Reply {
        let readable = match body.and_then(Readable::read) {
            Ok(readable) => readable,
            Err(refusal) => return self.refuse(&refusal, None, false),
        };
        let wants_stream = readable.wants_stream();
        let request = Arc::clone(&readable.request);
        match Arc::clone(&self).answer(readable, wants_stream).await {
            Ok(reply) => reply,
            Err(refusal) => self.refuse(&refusal, request.meta.session_header.clone(), wants_stream),
        }
    }

    /// The places of a service, if one is free.
    fn places(&self, service: &ServiceId) -> Result<&Places, Refusal> {
        let places = self.places.get(service).ok_or_else(|| Refusal::UnknownService {
            service: service.to_string(),
        })?;
        if places.free.available_permits() == 0 {
            return Err(Refusal::Busy { slots: places.slots });
        }
        Ok(places)
    }

    async fn answer(self: Arc<Self>, readable: Readable, wants_stream: bool) -> Result<Reply, Refusal> {
        let admission = &self.admission;
        let admitted = admission
            .admit(readable, |service| self.places(service).map(drop))
            .await?;
        let service = ServiceId::new(&admitted.ticket.session.facts.header.service_id);
        let places = self.places(&service)?;
        let place = Arc::clone(&places.free)
            .try_acquire_owned()
            .map_err(|_| Refusal::Busy { slots: places.slots })?;
        let job = answer::Job::begin(Arc::clone(&self), &admitted, place);
        let request = backend_request(&service, &admitted);
        let limits = places.config;
        let deadline = Instant::now() + limits.answer_within;
        // The first byte of an answer that comes in one piece may be its last one, too.
        let first_by = if wants_stream {
            Instant::now() + limits.first_byte_within
        } else {
            deadline
        };
        let served = tokio::time::timeout_at(first_by, self.backend.serve(request)).await;
        let answer = served
            .map_err(|_| too_late(&service, limits, wants_stream))?
            .map_err(|error| backend_refusal(&error))?;
        match answer.body {
            BackendBody::Full(body) => job.whole(admitted, answer.status, answer.headers, body).await,
            BackendBody::Parts { parts, finish } => {
                let limit = self.config.max_answer_bytes;
                let body = tokio::time::timeout_at(deadline, collect(parts, limit)).await;
                let body = body.map_err(|_| too_late(&service, limits, false))??;
                job.whole(admitted, answer.status, answer.headers, finish(body))
                    .await
            }
            BackendBody::Stream(parts) => {
                let head = stream::Head {
                    status: answer.status,
                    headers: answer.headers,
                };
                stream::reply(job, admitted, head, parts, deadline, limits).await
            }
        }
    }

    /// Counts a refusal, and tells the state of earning where it must know.
    fn note(&self, refusal: &Refusal) {
        metrics::counter!("hearth_miner_refused_total", "why" => refusal.label()).increment(1);
        self.counts
            .refused
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        tracing::debug!(%refusal, "a relay was refused");
        if let Refusal::Evidence { why } = refusal {
            self.trouble.send_replace(Some(Trouble::Disk(why.clone())));
        }
        if let Refusal::Signing { .. } = refusal {
            self.trouble.send_replace(Some(Trouble::Key));
        }
    }

    /// The answer to a request that this program has a fault for.
    fn broken(&self) -> Reply {
        self.refuse(&Refusal::Fault, None, false)
    }

    fn refuse(
        &self,
        refusal: &Refusal,
        header: Option<hearth_pocket::message::session::SessionHeader>,
        wants_stream: bool,
    ) -> Reply {
        self.note(refusal);
        if wants_stream {
            Reply::json(refusal.status(), refusal.to_json())
        } else {
            Reply::relay(refusal.to_response(header))
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

fn too_late(service: &ServiceId, limits: ServiceConfig, first_byte: bool) -> Refusal {
    let service = service.to_string();
    if first_byte {
        let seconds = limits.first_byte_within.as_secs();
        Refusal::FirstByte { service, seconds }
    } else {
        let seconds = limits.answer_within.as_secs();
        Refusal::Total { service, seconds }
    }
}

/// The whole of a body, unless it is too large.
async fn collect(
    mut parts: BoxStream<'static, Result<Bytes, BackendError>>,
    limit: usize,
) -> Result<Bytes, Refusal> {
    let mut all = BytesMut::new();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|error| backend_refusal(&error))?;
        if all.len() + part.len() > limit {
            return Err(Refusal::AnswerTooLarge { limit });
        }
        all.extend_from_slice(&part);
    }
    Ok(all.freeze())
}

fn backend_refusal(error: &BackendError) -> Refusal {
    match error {
        BackendError::NoService { service } => Refusal::UnknownService {
            service: service.to_string(),
        },
        BackendError::NotServed { .. } => Refusal::Payload {
            why: error.to_string(),
        },
        BackendError::Unreachable(_) | BackendError::BrokenOff(_) => Refusal::Backend {
            why: error.to_string(),
        },
    }
}

/// Bytes of requests that may be in memory at once: 64 of the largest, or some ten thousand usual ones.
pub(crate) const ROOM: usize = 256 << 20;

/// How long a part of a stream may be collected before it is sent.
pub(crate) const BATCH_WITHIN: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;

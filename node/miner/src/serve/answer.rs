//! From a backend's answer to a signed relay in the evidence.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use hearth_pocket::{
    message::relay::RelayResponse,
    payload::{HttpResponse, canonical_header},
    relay::{relay_bytes, relay_hash, sign_response, sign_response_hashed},
};
use prost::Message as _;
use tokio::sync::OwnedSemaphorePermit;

use super::{Reply, Server};
use crate::{
    admit::Admitted,
    events::RunningAnswer,
    evidence::Entry,
    facts::Key,
    ledger::LedgerError,
    refusal::Refusal,
    sessions::{Session, Ticket},
};

/// A whole answer.
pub(super) struct Whole {
    status: u16,
    content_type: &'static str,
    pub(super) body: Bytes,
    /// How many tokens it has, where that is said.
    tokens: Option<u32>,
}

impl Whole {
    /// An answer of JSON.
    pub(super) fn json(status: u16, body: Bytes, tokens: Option<u32>) -> Whole {
        Whole {
            status,
            content_type: "application/json",
            body,
            tokens,
        }
    }

    /// A whole stream as one text, for a client that reads it so.
    pub(super) fn stream(body: Bytes, tokens: Option<u32>) -> Whole {
        Whole {
            status: 200,
            content_type: hearth_answers::sse::MEDIA_TYPE,
            body,
            tokens,
        }
    }

    fn sign(self, admitted: &Admitted) -> Result<RelayResponse, Refusal> {
        let payload = HttpResponse {
            status: u32::from(self.status),
            headers: BTreeMap::from([(
                canonical_header("content-type"),
                vec![self.content_type.to_owned()],
            )]),
            body: self.body,
        }
        .encode();
        let header = admitted.ticket.session.facts.header.clone();
        sign_response(&*admitted.signer, header, payload).map_err(unsigned)
    }
}

/// One answer that is being made. It holds its place and shows among the running ones until it is dropped.
pub(crate) struct Job {
    pub(super) server: Arc<Server>,
    started_ms: i64,
    number: u64,
    _place: OwnedSemaphorePermit,
}

impl Job {
    pub(super) fn begin(server: Arc<Server>, admitted: &Admitted, place: OwnedSemaphorePermit) -> Job {
        let facts = &admitted.ticket.session.facts;
        let started_ms = server.clock.now_ms();
        let mut number = 0;
        server.running.send_modify(|running| {
            number = running.next;
            running.next += 1;
            running.answers.insert(
                number,
                RunningAnswer {
                    service: facts.header.service_id.clone(),
                    session_id: facts.header.session_id.clone(),
                    supplier: facts.supplier.clone(),
                    started_ms,
                },
            );
        });
        Job {
            server,
            started_ms,
            number,
            _place: place,
        }
    }

    /// Signs a whole answer, keeps it, and hands it out.
    pub(super) async fn whole(self, admitted: Admitted, whole: Whole) -> Result<Reply, Refusal> {
        let (status, n_bytes, tokens) = (whole.status, whole.body.len() as u64, whole.tokens);
        let response = whole.sign(&admitted)?;
        let done = Done::new(&admitted, &response, status, n_bytes, tokens);
        self.keep(admitted.ticket, done).await?;
        Ok(Reply::relay(Bytes::from(response.encode_to_vec())))
    }

    /// Signs an answer that nobody pays for.
    pub(super) fn signed(self, admitted: Admitted, whole: Whole) -> Result<Bytes, Refusal> {
        let response = whole.sign(&admitted)?;
        Ok(response.encode_to_vec().into())
    }

    /// Signs the answer that a stream is mined as: over its whole body, whose hash was made along the way.
    pub(super) async fn streamed(
        self,
        admitted: Admitted,
        status: u16,
        body_hash: [u8; 32],
        n_bytes: u64,
        tokens: Option<u32>,
    ) -> Result<(), Refusal> {
        let header = admitted.ticket.session.facts.header.clone();
        // The payload does not enter the relay, only its hash.
        let response = sign_response_hashed(&*admitted.signer, header, Bytes::new(), body_hash);
        let response = response.map_err(unsigned)?;
        let done = Done::new(&admitted, &response, status, n_bytes, tokens);
        self.keep(admitted.ticket, done).await
    }

    /// Signs one batch of a stream.
    pub(super) fn batch(&self, admitted: &Admitted, status: u16, body: Bytes) -> Result<Bytes, Refusal> {
        let header = admitted.ticket.session.facts.header.clone();
        let payload = HttpResponse {
            status: u32::from(status),
            headers: BTreeMap::new(),
            body,
        }
        .encode();
        let response = sign_response(&*admitted.signer, header, payload).map_err(unsigned)?;
        let mut bytes = Vec::with_capacity(response.encoded_len() + hearth_pocket::stream::SEPARATOR.len());
        response.encode_raw(&mut bytes);
        bytes.extend_from_slice(hearth_pocket::stream::SEPARATOR);
        Ok(Bytes::from(bytes))
    }

    /// Writes an answer down. When this returns, its last byte may leave.
    async fn keep(self, ticket: Ticket, done: Done) -> Result<(), Refusal> {
        let session = Arc::clone(&ticket.session);
        let facts = &session.facts;
        let now_ms = self.server.clock.now_ms();
        let duration_ms = u32::try_from(now_ms.saturating_sub(self.started_ms)).unwrap_or(u32::MAX);
        let in_tree = facts.target().admits(&done.hash);
        let entry = Entry {
            hash: done.hash,
            answered_ms: now_ms,
            duration_ms,
            bytes_out: done.n_bytes,
            tokens: done.tokens,
            status: done.status,
            in_tree,
            relay: if in_tree {
                done.relay
            } else {
                ticket.request.to_vec()
            },
        };
        let (key, alone) = (facts.key(), session.running() == 1);
        match self.server.ledger.append(&key, entry, alone).await {
            Ok(tally) => ticket.keep(tally.answers),
            // Sealed until the claim is over, and closed from then on.
            Err(LedgerError::Sealed { .. } | LedgerError::Unknown { .. }) => self.late(&key, &session).await,
            // The disk is well: nothing need be looked at there.
            Err(LedgerError::BrokenOff) => return Err(Refusal::Fault),
            Err(error) => {
                return Err(Refusal::Evidence {
                    why: error.to_string(),
                });
            }
        }
        self.server.counts.answered.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("hearth_miner_answered_total").increment(1);
        metrics::histogram!("hearth_miner_answer_seconds").record(f64::from(duration_ms) / 1000.0);
        Ok(())
    }

    /// The claim was made before the answer ended: the reader gets it, nobody pays.
    async fn late(&self, key: &Key, session: &Session) {
        self.server.counts.late.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("hearth_miner_late_total").increment(1);
        tracing::warn!(session = %key.session_id, "an answer ended after its session was claimed: it is not paid");
        session.late.fetch_add(1, Ordering::SeqCst);
        if let Err(error) = self.server.db.count_late(key).await {
            tracing::warn!(%error, "a late answer could not be counted");
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.server.running.send_modify(|running| {
            running.answers.remove(&self.number);
        });
    }
}

fn unsigned(error: hearth_pocket::SignError) -> Refusal {
    Refusal::Signing {
        why: error.to_string(),
    }
}

/// An answer that was made and signed.
struct Done {
    status: u16,
    n_bytes: u64,
    tokens: Option<u32>,
    relay: Vec<u8>,
    hash: [u8; 32],
}

impl Done {
    fn new(
        admitted: &Admitted,
        response: &RelayResponse,
        status: u16,
        n_bytes: u64,
        tokens: Option<u32>,
    ) -> Done {
        let relay = relay_bytes(&admitted.request, response);
        Done {
            status,
            n_bytes,
            tokens,
            hash: relay_hash(&relay),
            relay,
        }
    }
}

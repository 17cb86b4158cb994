//! Who is served: the checks on a request before any work is done for it.
//!
//! An [`Admitted`] request passed them all. It is made here only, so whatever has one need not check again.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hearth_base::{Height, ServiceId};
use hearth_pocket::{
    RingSignature, RingVerifier, Signer,
    message::{relay::RelayRequest, session::SessionHeader},
    payload::{HttpRequest, PayloadError},
    relay::{RelayError, replay_id, request_hash, validate_request},
    ring::{PLACEHOLDER_PUBLIC_KEY, RingError},
};
use prost::Message as _;
use tokio::sync::watch;

use crate::{
    facts::Facts,
    network::SharedNetwork,
    refusal::Refusal,
    sessions::{OpenError, Session, Sessions, Ticket},
    supplier::Suppliers,
    threads::SharedThreads,
};

/// How long a request of the next session is held back until we know its first block.
const HEAD_LAG: Duration = Duration::from_secs(3);
/// How many blocks ahead of our head such a request may be.
const MAX_AHEAD: u64 = 2;

/// The largest ring of somebody whose session is not known yet: twice an application with its seven gateways, which
/// is the chain's limit as of today, so that gateways that have just left have room, too.
const MAX_STRANGERS: usize = 16;
/// A session's id is a hash in hex; what is much longer is none, and would be kept as one.
const MAX_SESSION_ID: usize = 128;

/// A request that is to be served.
pub(crate) struct Admitted {
    pub(crate) request: RelayRequest,
    pub(crate) http: HttpRequest,
    pub(crate) ticket: Ticket,
    /// The key of the supplier that was asked.
    pub(crate) signer: Arc<dyn Signer>,
}

/// The checks and what they need.
pub(crate) struct Admission {
    pub(crate) suppliers: watch::Receiver<Suppliers>,
    pub(crate) network: SharedNetwork,
    pub(crate) verifier: Arc<RingVerifier>,
    /// Where the chain is asked.
    pub(crate) shared: SharedThreads,
}

/// A request with what of it can be said without the chain.
#[derive(Debug)]
pub(crate) struct Readable {
    pub(crate) request: RelayRequest,
    pub(crate) http: HttpRequest,
}

impl Readable {
    /// Reads a body, and checks what costs next to nothing.
    pub(crate) fn read(body: Bytes) -> Result<Readable, Refusal> {
        let request = RelayRequest::decode(body).map_err(|error| Refusal::Garbage {
            why: error.to_string(),
        })?;
        validate_request(&request).map_err(Refusal::Invalid)?;
        let header = request.meta.session_header.as_ref();
        if header.is_some_and(|header| header.session_id.len() > MAX_SESSION_ID) {
            let why = "its session id is longer than any";
            return Err(Refusal::Invalid(RelayError::BadSessionHeader { why }));
        }
        let http = HttpRequest::decode(request.payload.clone()).map_err(|error| match error {
            PayloadError::Headers => Refusal::Headers(error),
            PayloadError::Request(_) | PayloadError::Response(_) => Refusal::Payload {
                why: error.to_string(),
            },
        })?;
        if http.method.is_empty() {
            let why = "the payload is no HTTP request".to_owned();
            return Err(Refusal::Payload { why });
        }
        Ok(Readable { request, http })
    }

    /// Whether the client takes the answer in parts. PATH sends `"stream": true` on without saying so, and reads one
    /// response; so what the body says does not count.
    pub(crate) fn accepts_parts(&self) -> bool {
        let is_accept = |name: &&String| name.eq_ignore_ascii_case("accept");
        let mut values = self
            .http
            .headers
            .iter()
            .filter(|(name, _)| is_accept(name))
            .flat_map(|(_, values)| values);
        values.any(|value| value.to_ascii_lowercase().contains("text/event-stream"))
    }
}

impl Admission {
    /// Checks a request. `free` says whether a service is sold here and has a place: a full supplier refuses before
    /// it spends anything on curve arithmetic.
    pub(crate) async fn admit(
        &self,
        readable: Readable,
        free: impl Fn(&ServiceId) -> Result<(), Refusal>,
    ) -> Result<Admitted, Refusal> {
        let Readable { request, http } = readable;
        let header = request.meta.session_header.as_ref();
        let header = header.ok_or(Refusal::Invalid(RelayError::NoSessionHeader))?;
        let (sessions, signer) = self.supplier(&request.meta.supplier_operator_address)?;
        free(&ServiceId::new(&header.service_id))?;
        let signature = RingSignature::read(&request.meta.signature).map_err(Refusal::Ring)?;
        let session = self.session(&sessions, &request, header, &signature).await?;
        compare(&session.facts, header)?;
        if sessions.is_unpaid(&session.facts) {
            return Err(Refusal::Retired {
                service: header.service_id.clone(),
            });
        }
        let hash = request_hash(&request);
        let checked = self.check_ring(&sessions, &session, &hash, &signature).await;
        checked.map_err(|refusal| explained(refusal, header))?;
        // Nothing was written down so far: whoever comes here may spend the application's stake.
        let session = sessions.enter(&session).await.map_err(open_refusal)?;
        let ticket = session.admit(replay_id(&hash, &signature))?;
        Ok(Admitted {
            request,
            http,
            ticket,
            signer,
        })
    }

    /// The sessions of the supplier that is asked, and what signs its answers.
    fn supplier(&self, named: &str) -> Result<(Arc<Sessions>, Arc<dyn Signer>), Refusal> {
        let suppliers = self.suppliers.borrow();
        let supplier = suppliers.of(named).ok_or_else(|| Refusal::OtherSupplier {
            supplier: named.to_owned(),
        })?;
        let signer = supplier.signer().ok_or_else(|| Refusal::SupplierAway {
            supplier: named.to_owned(),
        })?;
        Ok((Arc::clone(&supplier.sessions), signer))
    }

    /// The sessions of the only supplier.
    #[cfg(test)]
    pub(crate) fn sessions(&self) -> Arc<Sessions> {
        Arc::clone(&self.suppliers.borrow().all()[0].sessions)
    }

    /// The session as the chain has it, at the height that the chain's own rule says.
    async fn session(
        &self,
        sessions: &Arc<Sessions>,
        request: &RelayRequest,
        header: &SessionHeader,
        signature: &RingSignature,
    ) -> Result<Arc<Session>, Refusal> {
        let (start, end) = (
            height(header.session_start_block_height),
            height(header.session_end_block_height),
        );
        let head = self.head_at(start).await;
        let at = if end >= head { head } else { end };
        let session = match sessions.known(header, at) {
            Some(session) => session,
            None => {
                check_stranger(request, signature)?;
                let (sessions, header) = (Arc::clone(sessions), header.clone());
                let asked = async move { sessions.ask(&header, at).await };
                self.shared.run(asked).await.map_err(open_refusal)?
            }
        };
        let last_grace = session.facts.windows.last_grace;
        if head > last_grace {
            return Err(Refusal::Expired {
                end: session.facts.end().0,
                height: head.0,
            });
        }
        Ok(session)
    }

    /// The head's height. A client that is a block ahead of us is waited for.
    async fn head_at(&self, start: Height) -> Height {
        let mut watch = self.network.head();
        let now = watch.borrow().height;
        if start > now && start.since(now) <= MAX_AHEAD {
            let reached = watch.wait_for(|head| head.height >= start);
            if let Ok(Ok(head)) = tokio::time::timeout(HEAD_LAG, reached).await {
                return head.height;
            }
        }
        now
    }

    async fn check_ring(
        &self,
        sessions: &Arc<Sessions>,
        session: &Arc<Session>,
        hash: &[u8; 32],
        signature: &RingSignature,
    ) -> Result<(), Refusal> {
        let mut keys = session.ring();
        if let Err(foreign) = signature.check_members(&keys) {
            // A gateway that was added since may sign at once.
            if !session.ring_is_older_than(self.network.head().borrow().height) {
                return Err(Refusal::Ring(foreign));
            }
            let (sessions, asked_of) = (Arc::clone(sessions), Arc::clone(session));
            let refreshed = async move { sessions.refresh_ring(&asked_of).await };
            match self.shared.run(refreshed).await {
                Ok(()) => keys = session.ring(),
                Err(OpenError::Ledger(_) | OpenError::SessionDb(_)) => return Err(Refusal::Ring(foreign)),
                Err(error @ (OpenError::Refused(_) | OpenError::Network(_))) => {
                    return Err(open_refusal(error));
                }
            }
            signature.check_members(&keys).map_err(Refusal::Ring)?;
        }
        // The chain takes a member many times over; nobody needs that, and each costs curve arithmetic.
        let (size, most) = (signature.keys().len(), keys.len().max(2));
        if size > most {
            return Err(Refusal::LargeRing { size, most });
        }
        let verified = self.verifier.verify(signature, hash);
        verified.map_err(Refusal::Ring)
    }
}

/// Before the chain is asked about somebody: they must have signed for it with keys of their own. These are not kept,
/// so that strangers cannot push out the keys that are in use.
fn check_stranger(request: &RelayRequest, signature: &RingSignature) -> Result<(), Refusal> {
    let size = signature.keys().len();
    if size > MAX_STRANGERS {
        return Err(Refusal::LargeRing {
            size,
            most: MAX_STRANGERS,
        });
    }
    signature.verify(&request_hash(request)).map_err(Refusal::Ring)
}

/// Says of a ring that anybody could have signed what to do about it.
fn explained(refusal: Refusal, header: &SessionHeader) -> Refusal {
    let placeholder = Refusal::Ring(RingError::ForeignMember {
        key: PLACEHOLDER_PUBLIC_KEY,
    });
    if refusal == placeholder {
        return Refusal::NoGateway {
            application: header.application_address.clone(),
        };
    }
    refusal
}

fn open_refusal(error: OpenError) -> Refusal {
    match error {
        OpenError::Refused(refusal) => refusal,
        OpenError::Network(error) => network_refusal(&error),
        error @ (OpenError::Ledger(_) | OpenError::SessionDb(_)) => Refusal::Evidence {
            why: hearth_base::failure::chain(&error),
        },
    }
}

fn network_refusal(error: &crate::network::NetworkError) -> Refusal {
    let why = hearth_base::failure::chain(error);
    match error {
        crate::network::NetworkError::Refused(_) => Refusal::NoSession { why },
        crate::network::NetworkError::Unavailable(_) => Refusal::NoChain { why },
    }
}

/// Compares a request's header with the chain's, field by field. The session id alone commits to neither the end
/// height, nor would the chain accept a proof of a relay with any other field wrong.
fn compare(facts: &Facts, header: &SessionHeader) -> Result<(), Refusal> {
    let ours = &facts.header;
    let other = |what, wanted: &dyn std::fmt::Display, got: &dyn std::fmt::Display| {
        Err(Refusal::OtherSession {
            what,
            wanted: wanted.to_string(),
            got: got.to_string(),
        })
    };
    if ours.session_start_block_height != header.session_start_block_height {
        let (wanted, got) = (ours.session_start_block_height, header.session_start_block_height);
        return other("session header session start height", &wanted, &got);
    }
    if ours.session_end_block_height != header.session_end_block_height {
        let (wanted, got) = (ours.session_end_block_height, header.session_end_block_height);
        return other("session header session end height", &wanted, &got);
    }
    if ours.session_id != header.session_id {
        return other("session ID", &ours.session_id, &header.session_id);
    }
    if ours.application_address != header.application_address {
        return other(
            "session header application address",
            &ours.application_address,
            &header.application_address,
        );
    }
    if ours.service_id != header.service_id {
        return other("session header service id", &ours.service_id, &header.service_id);
    }
    Ok(())
}

fn height(number: i64) -> Height {
    Height(u64::try_from(number).unwrap_or(0))
}

#[cfg(test)]
mod tests;

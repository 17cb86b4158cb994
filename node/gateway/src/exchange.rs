//! One request, from the choice of a supplier to the receipt. Each runs as a task of its own, so that a reader who
//! goes away is noticed at once, and what was spent for him is still written down.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{future::BoxFuture, stream::BoxStream};
use hearth_base::{SessionId, failure::chain};
use hearth_pocket::{
    Signer,
    relay::{request_hash, sign_request},
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    time::Instant,
};
use uuid::Uuid;

use crate::{
    answer::{AnswerReader, Part},
    attempt::Attempt,
    choice,
    error::{Error, SupplierError},
    inner::Inner,
    receipt::{Outcome, Receipt},
    refusal::Why,
    request::Request,
    session::Session,
};

/// Parts that wait for a slow reader; beyond them the supplier is not read on.
const PARTS_AHEAD: usize = 16;
/// How long a new session is waited for when a supplier says that ours is not its own.
const SESSION_WAIT: Duration = Duration::from_secs(2);

/// An answer that has begun.
pub struct Answer {
    /// The id of its receipt.
    pub id: Uuid,
    /// The status that the supplier signed.
    pub status: u16,
    pub content_type: String,
    /// Who answers.
    pub supplier: String,
    /// Verified bytes. Dropping it cancels the relay. An error is the last item.
    pub body: BoxStream<'static, Result<Bytes, Error>>,
    /// The receipt, once the body has ended.
    pub receipt: BoxFuture<'static, Option<Receipt>>,
}

/// What a reader learns first.
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) supplier: String,
}

/// The reader's end of an exchange.
pub(crate) struct ReaderEnd {
    pub(crate) id: Uuid,
    pub(crate) head: oneshot::Receiver<Result<Head, Error>>,
    pub(crate) body: mpsc::Receiver<Result<Bytes, Error>>,
    pub(crate) receipt: oneshot::Receiver<Receipt>,
}

/// Why waiting ended without an answer.
enum Ended {
    ReaderGone,
    Stopping,
    Failed(SupplierError),
}

/// One request on its way.
pub(crate) struct Exchange {
    inner: Arc<Inner>,
    signer: Arc<dyn Signer>,
    request: Request,
    id: Uuid,
    head: Option<oneshot::Sender<Result<Head, Error>>>,
    body: mpsc::Sender<Result<Bytes, Error>>,
    receipt: Option<oneshot::Sender<Receipt>>,
    failed_tries: u32,
    _permit: OwnedSemaphorePermit,
}

impl Exchange {
    pub(crate) fn new(
        inner: Arc<Inner>,
        signer: Arc<dyn Signer>,
        request: Request,
        permit: OwnedSemaphorePermit,
    ) -> (Exchange, ReaderEnd) {
        let (head, head_end) = oneshot::channel();
        let (body, body_end) = mpsc::channel(PARTS_AHEAD);
        let (receipt, receipt_end) = oneshot::channel();
        let id = Uuid::now_v7();
        let exchange = Exchange {
            inner,
            signer,
            request,
            id,
            head: Some(head),
            body,
            receipt: Some(receipt),
            failed_tries: 0,
            _permit: permit,
        };
        (
            exchange,
            ReaderEnd {
                id,
                head: head_end,
                body: body_end,
                receipt: receipt_end,
            },
        )
    }

    /// Runs to the end.
    pub(crate) async fn run(mut self) {
        if let Err(error) = self.try_suppliers().await {
            self.answer(Err(error));
        }
    }

    /// Asks one supplier after another, as long as none of them can have served anything.
    async fn try_suppliers(&mut self) -> Result<(), Error> {
        let inner = Arc::clone(&self.inner);
        let payload = self.request.pack();
        let mut session = inner.session(&self.request.service, self.signer.as_ref()).await?;
        let mut tried: Vec<String> = Vec::new();
        loop {
            session.spend()?;
            let mut attempt = match self.attempt(&session, &tried, &payload) {
                Ok(attempt) => attempt,
                Err(error) => {
                    session.refund();
                    return Err(error);
                }
            };
            match self.first_part(&mut attempt).await {
                Ok(part) => {
                    self.pass_on(attempt, part).await;
                    return Ok(());
                }
                Err(Ended::ReaderGone) => {
                    self.finish(attempt, Outcome::Cancelled).await;
                    return Ok(());
                }
                Err(Ended::Stopping) => {
                    self.finish(attempt, Outcome::Cancelled).await;
                    return Err(Error::Stopping);
                }
                Err(Ended::Failed(error)) => {
                    let other_session =
                        matches!(&error, SupplierError::Refused(refusal) if refusal.why == Why::Session);
                    tried.push(attempt.candidate.operator.clone());
                    if !self.may_go_on(&attempt, &error, other_session, &tried) {
                        let operator = attempt.candidate.operator.clone();
                        let outcome = Outcome::Failed { error: chain(&error) };
                        self.finish(attempt, outcome).await;
                        return Err(Error::Supplier { operator, error });
                    }
                    if other_session {
                        session = self.session_after_mismatch(&session).await?;
                        tried.clear();
                    }
                }
            }
        }
    }

    /// Notes a supplier's failure. Says whether the request may be sent again without paying twice.
    fn may_go_on(
        &mut self,
        attempt: &Attempt,
        error: &SupplierError,
        other_session: bool,
        tried: &[String],
    ) -> bool {
        let result = if error.is_dishonest() {
            choice::Verdict::Dishonest
        } else {
            choice::Verdict::Failed
        };
        let operator = &attempt.candidate.operator;
        self.inner.note(operator, result);
        self.failed_tries += 1;
        tracing::info!(supplier = %operator, error = %chain(error), "a supplier failed");
        if !error.nothing_was_served() {
            return false;
        }
        attempt.session.refund();
        let somebody_is_left = other_session || self.inner.choose(untried(&attempt.session, tried)).is_some();
        self.failed_tries < self.inner.config.tries && somebody_is_left
    }

    async fn session_after_mismatch(&self, refused: &Arc<Session>) -> Result<Arc<Session>, Error> {
        let service = &self.request.service;
        if let Some(previous) = self.inner.sessions.after_mismatch(service, refused).await {
            return Ok(previous);
        }
        // The next block may bring the session that the supplier means.
        let height = self.inner.network.height();
        let mut heights = self.inner.network.heights();
        let wait = async {
            while let Some(now) = futures::StreamExt::next(&mut heights).await {
                if now > height {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(SESSION_WAIT, wait).await;
        self.inner.session(service, self.signer.as_ref()).await
    }

    /// Chooses a supplier and signs the request for it.
    fn attempt(&self, session: &Arc<Session>, tried: &[String], payload: &Bytes) -> Result<Attempt, Error> {
        let no_supplier = || Error::NoSupplier {
            service: self.request.service.clone(),
        };
        let chosen = self
            .inner
            .choose(untried(session, tried))
            .ok_or_else(no_supplier)?;
        let candidate = session
            .candidates
            .iter()
            .find(|candidate| candidate.operator == chosen)
            .ok_or_else(no_supplier)?
            .clone();
        let request = sign_request(
            self.signer.as_ref(),
            &session.ring,
            session.header.clone(),
            &candidate.operator,
            payload.clone(),
        )?;
        let reader = AnswerReader::new(
            session.header.clone(),
            candidate.key.clone(),
            self.inner.config.max_part_bytes,
        );
        Ok(Attempt {
            session: Arc::clone(session),
            candidate,
            request,
            reader,
            response: None,
            started: Instant::now(),
            started_at_ms: self.inner.clock.now_ms(),
            first_byte: None,
        })
    }

    /// Sends the request and waits for the first verified part.
    async fn first_part(&mut self, attempt: &mut Attempt) -> Result<Part, Ended> {
        let after = self.inner.config.first_byte;
        let token = self.inner.tasks.token();
        let reader_gone = async {
            match self.head.as_mut() {
                Some(head) => head.closed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = reader_gone => Err(Ended::ReaderGone),
            () = token.cancelled() => Err(Ended::Stopping),
            part = tokio::time::timeout(after, attempt.begin(&self.inner)) => match part {
                Ok(part) => part.map_err(Ended::Failed),
                Err(_) => Err(Ended::Failed(SupplierError::FirstByte { after })),
            },
        }
    }

    /// Passes the parts on as they are verified.
    async fn pass_on(&mut self, mut attempt: Attempt, first: Part) {
        let content_type = attempt.content_type(&first);
        let is_event_stream = content_type.starts_with("text/event-stream");
        let status = attempt.reader.status();
        let wants_done = is_event_stream && status == 200 && self.request.streams_end_with_done();
        self.answer(Ok(Head {
            status,
            content_type,
            supplier: attempt.candidate.operator.clone(),
        }));
        let after = self.inner.config.total;
        let deadline = attempt.started + after;
        let mut part = Some(first);
        let ended = loop {
            if let Some(part) = part.take()
                && !part.body.is_empty()
            {
                match tokio::time::timeout_at(deadline, self.body.send(Ok(part.body))).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => break Some(Ended::ReaderGone),
                    Err(_) => break Some(Ended::Failed(SupplierError::Total { after })),
                }
            }
            let token = self.inner.tasks.token();
            tokio::select! {
                () = self.body.closed() => break Some(Ended::ReaderGone),
                () = token.cancelled() => break Some(Ended::Stopping),
                next = tokio::time::timeout_at(deadline, attempt.next()) => match next {
                    Ok(Ok(Some(next))) => part = Some(next),
                    Ok(Ok(None)) if wants_done && !attempt.reader.done_seen() => {
                        let bytes = attempt.reader.tally().bytes;
                        break Some(Ended::Failed(SupplierError::BrokenOff { bytes }));
                    }
                    Ok(Ok(None)) => break None,
                    Ok(Err(error)) => break Some(Ended::Failed(error)),
                    Err(_) => break Some(Ended::Failed(SupplierError::Total { after })),
                },
            }
        };
        self.end(attempt, ended).await;
    }

    async fn end(&mut self, attempt: Attempt, ended: Option<Ended>) {
        let operator = attempt.candidate.operator.clone();
        let outcome = match ended {
            None => {
                let first_byte = attempt.first_byte.unwrap_or_default();
                let good = attempt.reader.status() < 500;
                let result = if good {
                    choice::Verdict::Good { first_byte }
                } else {
                    choice::Verdict::Failed
                };
                self.inner.note(&operator, result);
                Outcome::Complete
            }
            Some(Ended::ReaderGone) => Outcome::Cancelled,
            Some(Ended::Stopping) => {
                let _ = self.body.try_send(Err(Error::Stopping));
                Outcome::Cancelled
            }
            Some(Ended::Failed(error)) => {
                let dishonest = error.is_dishonest();
                let result = if dishonest {
                    choice::Verdict::Dishonest
                } else {
                    choice::Verdict::Failed
                };
                self.inner.note(&operator, result);
                let text = chain(&error);
                // A reader that does not read on will see the stream end without its last line.
                let _ = self.body.try_send(Err(Error::Supplier { operator, error }));
                Outcome::Failed { error: text }
            }
        };
        self.finish(attempt, outcome).await;
    }

    fn answer(&mut self, head: Result<Head, Error>) {
        if let Some(to) = self.head.take() {
            let _ = to.send(head);
        }
    }

    /// Hands the receipt to the reader and keeps it.
    async fn finish(&mut self, attempt: Attempt, outcome: Outcome) {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let Attempt {
            session,
            candidate,
            request,
            reader,
            started,
            started_at_ms,
            first_byte,
            ..
        } = attempt;
        let header = &session.header;
        let status = reader.status();
        let tally = reader.tally();
        let receipt = Receipt {
            id: self.id,
            started_at_ms,
            service: self.request.service.clone(),
            application: session.application.to_string(),
            supplier: candidate.operator,
            supplier_url: candidate.url.to_string(),
            session_id: SessionId::new(&header.session_id),
            session_start: session.start.0,
            session_end: session.end.0,
            price: session.price,
            paid: tally.parts > 0 && status < 500,
            status,
            parts: tally.parts,
            bytes: tally.bytes,
            request_hash: request_hash(&request),
            body_hash: reader.body_hash(),
            relay: reader.relay(&request),
            first_byte_ms: first_byte.map(millis),
            total_ms: millis(started.elapsed()),
            failed_tries: self.failed_tries,
            outcome,
        };
        metrics::counter!("hearth_gateway_relays_total", "paid" => if receipt.paid { "yes" } else { "no" })
            .increment(1);
        if let Some(first_byte) = first_byte {
            metrics::histogram!("hearth_gateway_first_byte_seconds").record(first_byte.as_secs_f64());
        }
        if let Some(to) = self.receipt.take() {
            let _ = to.send(receipt.clone());
        }
        // The answer was given and paid for; a full disk must not take it back.
        if let Err(error) = self.inner.receipts.keep(&receipt).await {
            tracing::warn!(%error, id = %receipt.id, "a receipt could not be kept: is the disk full?");
        }
    }
}

/// The operators of a session that were not asked yet.
fn untried<'a>(session: &'a Session, tried: &'a [String]) -> impl Iterator<Item = &'a str> {
    let operators = session
        .candidates
        .iter()
        .map(|candidate| candidate.operator.as_str());
    operators.filter(|operator| tried.iter().all(|tried| tried != operator))
}

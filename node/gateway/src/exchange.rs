//! One request, from the choice of a supplier to the receipt. Each runs as a task of its own, so that a reader who
//! goes away is noticed at once, and what was spent for him is still written down.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{future::BoxFuture, stream::BoxStream};
use hearth_answers::{
    Operation,
    judge::{Verdict, judge},
    sse,
};
use hearth_base::{SessionId, failure::chain};
use hearth_pocket::relay::{request_hash, sign_request};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    time::Instant,
};
use uuid::Uuid;

use crate::{
    answer::{AnswerReader, Limits, Part},
    attempt::Attempt,
    choice,
    config::Config,
    error::{Error, SupplierError},
    inner::Inner,
    receipt::{Asker, Charge, Outcome, Receipt},
    refusal::RefusalReason,
    request::Request,
    session::RelaySession,
    stream_check::StreamCheck,
};

/// Parts that wait for a slow reader; beyond them the supplier is not read on.
const PARTS_AHEAD: usize = 16;
/// How long a new session is waited for when a supplier says that ours is not its own.
const SESSION_WAIT: Duration = Duration::from_secs(2);
/// How long a slow reader is waited for with the reason why no more comes.
const SAY_WITHIN: Duration = Duration::from_secs(2);

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
pub(crate) struct AnswerHead {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) supplier: String,
}

/// The reader's end of an exchange.
pub(crate) struct ReaderEnd {
    pub(crate) id: Uuid,
    pub(crate) head: oneshot::Receiver<Result<AnswerHead, Error>>,
    pub(crate) body: mpsc::Receiver<Result<Bytes, Error>>,
    pub(crate) receipt: oneshot::Receiver<Receipt>,
}

/// Why waiting ended without an answer.
enum Ended {
    ReaderGone,
    Stopping,
    Failed(SupplierError),
}

/// An answer that has begun.
enum Begun {
    /// A stream, with its first part.
    Stream { content_type: String, first: Part },
    /// All of an answer that is not streamed.
    Whole {
        content_type: String,
        body: Bytes,
        charge: Charge,
    },
}

/// One request on its way.
pub(crate) struct Exchange {
    inner: Arc<Inner>,
    request: Request,
    id: Uuid,
    head: Option<oneshot::Sender<Result<AnswerHead, Error>>>,
    body: mpsc::Sender<Result<Bytes, Error>>,
    receipt: Option<oneshot::Sender<Receipt>>,
    failed_tries: u32,
    _permit: OwnedSemaphorePermit,
}

impl Exchange {
    pub(crate) fn new(
        inner: Arc<Inner>,
        request: Request,
        permit: OwnedSemaphorePermit,
    ) -> (Exchange, ReaderEnd) {
        let (head, head_end) = oneshot::channel();
        let (body, body_end) = mpsc::channel(PARTS_AHEAD);
        let (receipt, receipt_end) = oneshot::channel();
        let id = request.id;
        let exchange = Exchange {
            inner,
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

    /// Asks one supplier after another, as long as none of them can be paid for it.
    async fn try_suppliers(&mut self) -> Result<(), Error> {
        let inner = Arc::clone(&self.inner);
        let payload = self.request.pack();
        let mut session = inner.session(&self.request.service).await?;
        let mut tried: Vec<String> = Vec::new();
        loop {
            // Who is gone already pays nothing.
            if self.head.as_ref().is_some_and(oneshot::Sender::is_closed) {
                return Ok(());
            }
            let mut attempt = match self.attempt(&session, &tried, &payload).await {
                Err(Error::OutOfStake { application, price }) => {
                    let Some(other) = inner
                        .session_of_another_payer(&self.request.service, &session)
                        .await
                    else {
                        return Err(Error::OutOfStake { application, price });
                    };
                    session = other;
                    tried.clear();
                    continue;
                }
                attempt => attempt?,
            };
            let error = match self.begin(&mut attempt).await {
                Ok(begun) => {
                    self.give(attempt, begun).await;
                    return Ok(());
                }
                Err(Ended::ReaderGone) => {
                    self.finish(attempt, Outcome::Cancelled, Charge::Unknown, true)
                        .await;
                    return Ok(());
                }
                Err(Ended::Stopping) => {
                    self.finish(attempt, Outcome::Cancelled, Charge::Unknown, true)
                        .await;
                    return Err(Error::Stopping);
                }
                Err(Ended::Failed(error)) => error,
            };
            let other_session =
                matches!(&error, SupplierError::Refused(refusal) if refusal.why == RefusalReason::Session);
            let operator = attempt.candidate.operator.clone();
            tried.push(operator.clone());
            if !self.may_go_on(&attempt, &error, other_session, &tried) {
                let outcome = Outcome::Failed { error: chain(&error) };
                self.finish(attempt, outcome, error.charge(), error.reached())
                    .await;
                return Err(Error::Supplier { operator, error });
            }
            let (charge, reached) = (error.charge(), error.reached());
            inner.spending.settle(&attempt.reserved, charge, reached).await;
            if other_session {
                session = self.session_after_mismatch(&session).await?;
                tried.clear();
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
        let operator = &attempt.candidate.operator;
        self.note_failure(operator, error);
        self.failed_tries += 1;
        tracing::info!(supplier = %operator, error = %chain(error), "a supplier failed");
        if error.charge() != Charge::Unpaid {
            return false;
        }
        let somebody_is_left = other_session || self.inner.choose(untried(&attempt.session, tried)).is_some();
        self.failed_tries < self.inner.config.tries && somebody_is_left
    }

    fn note_failure(&self, operator: &str, error: &SupplierError) {
        let verdict = if error.is_dishonest() {
            choice::Verdict::Dishonest
        } else {
            choice::Verdict::Failed
        };
        self.inner.note(operator, verdict);
    }

    async fn session_after_mismatch(&self, refused: &Arc<RelaySession>) -> Result<Arc<RelaySession>, Error> {
        let service = &self.request.service;
        if let Some(previous) = self.inner.sessions.after_mismatch(service, refused).await {
            return Ok(previous);
        }
        // The next block may bring the session that the supplier means.
        let height = self.inner.chain.height();
        let mut heights = self.inner.chain.heights();
        let wait = async {
            while let Some(now) = futures::StreamExt::next(&mut heights).await {
                if now > height {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(SESSION_WAIT, wait).await;
        self.inner.session(service).await
    }

    /// Chooses a supplier, sets its price aside, and signs the request for it.
    async fn attempt(
        &self,
        session: &Arc<RelaySession>,
        tried: &[String],
        payload: &Bytes,
    ) -> Result<Attempt, Error> {
        let inner = &self.inner;
        let chosen = inner.choose(untried(session, tried));
        let candidate = session
            .candidates
            .iter()
            .find(|candidate| Some(candidate.operator.as_str()) == chosen)
            .ok_or_else(|| Error::NoSupplier {
                service: self.request.service.clone(),
            })?
            .clone();
        self.check_price(session)?;
        let reserved = inner.reserve(&self.request.service, session).await?;
        let signed = sign_request(
            session.signer.as_ref(),
            &session.ring,
            session.header.clone(),
            &candidate.operator,
            payload.clone(),
        );
        let request = match signed {
            Ok(request) => request,
            Err(error) => {
                inner.spending.settle(&reserved, Charge::Unpaid, false).await;
                return Err(error.into());
            }
        };
        let limits = Limits {
            part_bytes: inner.config.max_part_bytes,
            answer_bytes: inner.config.max_answer_bytes,
            parts: inner.config.max_parts,
        };
        Ok(Attempt {
            session: Arc::clone(session),
            reader: AnswerReader::new(session.header.clone(), candidate.key.clone(), limits),
            candidate,
            request,
            reserved,
            response: None,
            started: Instant::now(),
            started_at_ms: inner.clock.now_ms(),
            first_byte: None,
        })
    }

    /// What was set aside for the answer was looked up earlier, and a new session may have another price.
    fn check_price(&self, session: &RelaySession) -> Result<(), Error> {
        match self.request.most {
            Some(most) if session.price > most => Err(Error::PriceRose {
                service: self.request.service.clone(),
                price: session.price,
                most,
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Sends the request and waits until an answer has begun: for the first verified part of a stream, or for all of
    /// an answer that is not streamed, which is judged before the reader sees any of it.
    async fn begin(&mut self, attempt: &mut Attempt) -> Result<Begun, Ended> {
        let inner = Arc::clone(&self.inner);
        let token = inner.tasks.token();
        let total = Config::with_the_way(inner.config.total);
        let (after, late) = if self.request.asks_for_stream() {
            let after = inner.config.first_byte;
            (Config::with_the_way(after), SupplierError::FirstByte { after })
        } else {
            let after = inner.config.total;
            (total, SupplierError::Total { after })
        };
        let operation = Operation::of(&self.request.path);
        let deadline = attempt.started + total;
        let answer = async {
            let first = match tokio::time::timeout(after, attempt.begin(&inner)).await {
                Ok(first) => first?,
                Err(_) => return Err(late),
            };
            let content_type = attempt.content_type(&first);
            let status = attempt.reader.status();
            if content_type.starts_with(sse::MEDIA_TYPE) && (200..300).contains(&status) {
                return Ok(Begun::Stream { content_type, first });
            }
            let body = match tokio::time::timeout_at(deadline, attempt.rest(first)).await {
                Ok(body) => body?,
                Err(_) => {
                    return Err(SupplierError::Total {
                        after: inner.config.total,
                    });
                }
            };
            let charge = match judge(operation, status, &body) {
                Verdict::Counts => Charge::Paid,
                Verdict::NoRoute => Charge::Unpaid,
                Verdict::NoAnswer(why) => return Err(SupplierError::NoAnswer(why)),
            };
            Ok(Begun::Whole {
                content_type,
                body,
                charge,
            })
        };
        let reader_gone = async {
            match self.head.as_mut() {
                Some(head) => head.closed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = reader_gone => Err(Ended::ReaderGone),
            () = token.cancelled() => Err(Ended::Stopping),
            begun = answer => begun.map_err(Ended::Failed),
        }
    }

    /// Gives the reader what has begun, to its end.
    async fn give(&mut self, mut attempt: Attempt, begun: Begun) {
        let status = attempt.reader.status();
        let head = |content_type, attempt: &Attempt| AnswerHead {
            status,
            content_type,
            supplier: attempt.candidate.operator.clone(),
        };
        match begun {
            Begun::Whole {
                content_type,
                body,
                charge,
            } => {
                self.answer(Ok(head(content_type, &attempt)));
                let first_byte = attempt.first_byte.unwrap_or_default();
                let verdict = choice::Verdict::Good { first_byte };
                self.inner.note(&attempt.candidate.operator, verdict);
                // All of it is here: a reader who is gone was served all the same.
                let _ = self.body.try_send(Ok(body));
                self.finish(attempt, Outcome::Complete, charge, true).await;
            }
            Begun::Stream { content_type, first } => {
                self.answer(Ok(head(content_type, &attempt)));
                let ended = self.pass_on(&mut attempt, first).await;
                self.end(attempt, ended).await;
            }
        }
    }

    /// Passes the parts of a stream on as they are verified.
    async fn pass_on(&mut self, attempt: &mut Attempt, first: Part) -> Option<Ended> {
        let mut stream = StreamCheck::new(self.request.streams_end_with_done());
        let after = self.inner.config.total;
        let deadline = attempt.started + Config::with_the_way(after);
        let late = || Some(Ended::Failed(SupplierError::Total { after }));
        let token = self.inner.tasks.token();
        let mut part = Some(first);
        loop {
            if let Some(part) = part.take()
                && !part.body.is_empty()
            {
                if let Err(error) = stream.take(&part.body) {
                    return Some(Ended::Failed(error));
                }
                match tokio::time::timeout_at(deadline, self.body.send(Ok(part.body))).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return Some(Ended::ReaderGone).filter(|_| !stream.is_done()),
                    Err(_) => return late(),
                }
            }
            tokio::select! {
                // Most readers leave at the last line and do not wait for the end of the connection.
                () = self.body.closed() => return Some(Ended::ReaderGone).filter(|_| !stream.is_done()),
                () = token.cancelled() => return Some(Ended::Stopping),
                next = tokio::time::timeout_at(deadline, attempt.next()) => match next {
                    Ok(Ok(Some(next))) => part = Some(next),
                    Ok(Ok(None)) => {
                        let bytes = attempt.reader.delivered().bytes;
                        return stream.end(bytes).err().map(Ended::Failed);
                    }
                    Ok(Err(error)) => return Some(Ended::Failed(error)),
                    Err(_) => return late(),
                },
            }
        }
    }

    async fn end(&mut self, attempt: Attempt, ended: Option<Ended>) {
        let operator = attempt.candidate.operator.clone();
        let (outcome, charge) = match ended {
            None => {
                let first_byte = attempt.first_byte.unwrap_or_default();
                self.inner.note(&operator, choice::Verdict::Good { first_byte });
                (Outcome::Complete, Charge::Paid)
            }
            Some(Ended::ReaderGone) => (Outcome::Cancelled, Charge::Unknown),
            Some(Ended::Stopping) => {
                self.say(Error::Stopping).await;
                (Outcome::Cancelled, Charge::Unknown)
            }
            Some(Ended::Failed(error)) => {
                self.note_failure(&operator, &error);
                let text = chain(&error);
                // The supplier's own error is in the stream already.
                if !matches!(error, SupplierError::ErrorEvent) {
                    self.say(Error::Supplier { operator, error }).await;
                }
                (Outcome::Failed { error: text }, Charge::Unknown)
            }
        };
        self.finish(attempt, outcome, charge, true).await;
    }

    /// Tells the reader why no more comes. One that does not read on will see the stream end without its last line.
    async fn say(&self, error: Error) {
        let _ = tokio::time::timeout(SAY_WITHIN, self.body.send(Err(error))).await;
    }

    fn answer(&mut self, head: Result<AnswerHead, Error>) {
        if let Some(to) = self.head.take() {
            let _ = to.send(head);
        }
    }

    /// Hands the receipt to the reader and keeps it.
    async fn finish(&mut self, attempt: Attempt, outcome: Outcome, charge: Charge, reached: bool) {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let Attempt {
            session,
            candidate,
            request,
            reserved,
            reader,
            started,
            started_at_ms,
            first_byte,
            ..
        } = attempt;
        self.inner.spending.settle(&reserved, charge, reached).await;
        let header = &session.header;
        let status = reader.status();
        let delivered = reader.delivered();
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
            charge,
            status,
            parts: delivered.parts,
            bytes: delivered.bytes,
            request_hash: request_hash(&request),
            body_hash: reader.body_hash(),
            relay: reader.relay(&request),
            first_byte_ms: first_byte.map(millis),
            total_ms: millis(started.elapsed()),
            failed_tries: self.failed_tries,
            outcome,
            asker: self.request.principal.as_ref().and_then(Asker::of),
        };
        metrics::counter!("hearth_gateway_relays_total", "charge" => receipt.charge.word()).increment(1);
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
fn untried<'a>(session: &'a RelaySession, tried: &'a [String]) -> impl Iterator<Item = &'a str> {
    let operators = session
        .candidates
        .iter()
        .map(|candidate| candidate.operator.as_str());
    operators.filter(|operator| tried.iter().all(|tried| tried != operator))
}

//! One request, from the choice of a supplier to the receipt. Each runs as a task of its own, so that a reader who
//! goes away is noticed at once, and what was spent for him is still written down.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{future::BoxFuture, stream::BoxStream};
use hearth_base::{ServiceId, SessionId};
use hearth_pocket::{
    Signer,
    message::relay::RelayRequest,
    payload::{Headers, HttpRequest},
    relay::{request_hash, sign_request},
};
use prost::Message;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    time::Instant,
};
use uuid::Uuid;

use crate::{
    answer::{AnswerReader, Part},
    choice,
    error::{Error, SupplierError},
    inner::Inner,
    receipt::{Outcome, Receipt},
    refusal::{Refusal, Why},
    session::{Candidate, Session},
};

/// Parts that wait for a slow reader; beyond them the supplier is not read on.
const PARTS_AHEAD: usize = 16;
/// The most that is read of an error's text.
const ERROR_BYTES: usize = 64 * 1024;
/// How long a new session is waited for when a supplier says that ours is not its own.
const SESSION_WAIT: Duration = Duration::from_secs(2);

/// What is asked of a service.
#[derive(Clone, Debug)]
pub struct Request {
    pub service: ServiceId,
    pub method: String,
    /// With or without `/v1`; suppliers get it without.
    pub path: String,
    /// The type of the answer that is wanted; JSON where nothing is said.
    pub accept: Option<String>,
    pub body: Bytes,
}

impl Request {
    /// A `POST` of JSON.
    #[must_use]
    pub fn post(service: ServiceId, path: &str, body: Bytes) -> Request {
        Request {
            service,
            method: "POST".to_owned(),
            path: path.to_owned(),
            accept: None,
            body,
        }
    }

    /// The request as it travels. Nothing of the reader goes along but what is asked: no cookies, keys or names.
    fn pack(&self) -> Bytes {
        let path = self
            .path
            .strip_prefix("/v1")
            .filter(|rest| rest.starts_with('/'))
            .unwrap_or(&self.path);
        let accept = self
            .accept
            .clone()
            .unwrap_or_else(|| "application/json".to_owned());
        let mut headers = Headers::new();
        headers.insert("Accept".to_owned(), vec![accept]);
        headers.insert("Content-Type".to_owned(), vec!["application/json".to_owned()]);
        let request = HttpRequest {
            method: self.method.clone(),
            headers,
            // The host says nothing to a supplier; it keeps path and query.
            url: format!("http://{}{path}", self.service),
            body: with_own_model_name(&self.body, &self.service),
        };
        request.encode()
    }

    /// Whether a whole stream of this request ends with OpenAI's last line.
    fn streams_end_with_done(&self) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        path.ends_with("/completions")
    }
}

/// Replaces the model's name in the network by the service's, which the supplier maps to its own.
fn with_own_model_name(body: &Bytes, service: &ServiceId) -> Bytes {
    const MARK: &[u8] = b"\"pocket/";
    if !body.windows(MARK.len()).any(|window| window == MARK) {
        return body.clone();
    }
    let Ok(serde_json::Value::Object(mut fields)) = serde_json::from_slice(body) else {
        return body.clone();
    };
    let network_name = format!("pocket/{service}");
    match fields.get_mut("model") {
        Some(model) if *model == network_name.as_str() => *model = service.as_str().into(),
        Some(_) | None => return body.clone(),
    }
    serde_json::to_vec(&fields).map_or_else(|_| body.clone(), Bytes::from)
}

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
                    let again = self.note_failure(&attempt, &error);
                    if !again {
                        let operator = attempt.candidate.operator.clone();
                        let text = hearth_base::failure::chain(&error);
                        self.finish(attempt, Outcome::Failed { error: text }).await;
                        return Err(Error::Supplier { operator, error });
                    }
                    match &error {
                        SupplierError::Refused(refusal) if refusal.why == Why::Session => {
                            session = self.session_after_mismatch(&session).await?;
                            tried.clear();
                        }
                        _ => tried.push(attempt.candidate.operator.clone()),
                    }
                }
            }
        }
    }

    /// Notes a supplier's failure. Says whether another one may be asked.
    fn note_failure(&mut self, attempt: &Attempt, error: &SupplierError) -> bool {
        let result = if error.is_dishonest() {
            choice::Result::Dishonest
        } else {
            choice::Result::Failed
        };
        self.inner.note(&attempt.candidate.operator, result);
        self.failed_tries += 1;
        tracing::info!(supplier = %attempt.candidate.operator, error = %hearth_base::failure::chain(error), "a supplier failed");
        if !error.nothing_was_served() {
            return false;
        }
        attempt.session.refund();
        self.failed_tries < self.inner.config.tries
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
        let operators = session
            .candidates
            .iter()
            .map(|candidate| candidate.operator.as_str());
        let untried = operators.filter(|operator| tried.iter().all(|tried| tried != operator));
        let chosen = self.inner.choose(untried).ok_or_else(no_supplier)?;
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
                    choice::Result::Good { first_byte }
                } else {
                    choice::Result::Failed
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
                    choice::Result::Dishonest
                } else {
                    choice::Result::Failed
                };
                self.inner.note(&operator, result);
                let text = hearth_base::failure::chain(&error);
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

/// One supplier that is asked.
struct Attempt {
    session: Arc<Session>,
    candidate: Candidate,
    request: RelayRequest,
    reader: AnswerReader,
    response: Option<reqwest::Response>,
    started: Instant,
    started_at_ms: i64,
    first_byte: Option<Duration>,
}

impl Attempt {
    async fn begin(&mut self, inner: &Inner) -> Result<Part, SupplierError> {
        let url = &self.candidate.url;
        let response = inner
            .client
            .post(url.clone())
            .header("content-type", "application/json")
            .header("rpc-type", i32::from(self.candidate.rpc_type))
            .body(self.request.encode_to_vec())
            .send()
            .await
            .map_err(|source| {
                // Only a connection that was never made is sure to have brought nothing to the supplier.
                if source.is_connect() {
                    SupplierError::Connect {
                        url: url.to_string(),
                        source: source.without_url(),
                    }
                } else {
                    SupplierError::BrokenOff { bytes: 0 }
                }
            })?;
        let status = response.status().as_u16();
        // The HA miner copies its backend's status onto a stream, whose parts are signed; anything else is refused.
        if status != 200 && !is_stream(&response) {
            return Err(refused(status, response).await);
        }
        self.response = Some(response);
        let part = self.next().await?.ok_or(SupplierError::Empty)?;
        self.first_byte = Some(self.started.elapsed());
        Ok(part)
    }

    /// The next verified part; `None` at the end.
    async fn next(&mut self) -> Result<Option<Part>, SupplierError> {
        loop {
            if let Some(part) = self.reader.next_part()? {
                return Ok(Some(part));
            }
            let Some(response) = self.response.as_mut() else {
                return Ok(None);
            };
            match response.chunk().await {
                Ok(Some(chunk)) => self.reader.push(&chunk),
                Ok(None) => {
                    self.response = None;
                    return self.reader.finish();
                }
                Err(_) => {
                    return Err(SupplierError::BrokenOff {
                        bytes: self.reader.tally().bytes,
                    });
                }
            }
        }
    }

    /// The type of the answer: as its first part says, else as the HTTP answer around it.
    fn content_type(&self, first: &Part) -> String {
        let inside = first
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let inside = inside.and_then(|(_, values)| values.first()).cloned();
        let outside = || {
            let response = self.response.as_ref().filter(|response| is_stream(response))?;
            header(response, "content-type").map(str::to_owned)
        };
        inside
            .or_else(outside)
            .unwrap_or_else(|| "application/json".to_owned())
    }
}

fn header<'a>(response: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

fn is_stream(response: &reqwest::Response) -> bool {
    header(response, "content-type")
        .is_some_and(|kind| kind.starts_with("text/event-stream") || kind.starts_with("application/x-ndjson"))
}

async fn refused(status: u16, mut response: reqwest::Response) -> SupplierError {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= ERROR_BYTES {
            break;
        }
    }
    SupplierError::Refused(Refusal::http(status, &body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_networks_name_of_a_model_becomes_the_services() {
        let service = ServiceId::new("llm");
        let named = |body: &str| {
            let body = with_own_model_name(&Bytes::copy_from_slice(body.as_bytes()), &service);
            String::from_utf8(body.to_vec()).unwrap()
        };
        assert_eq!(
            named(r#"{"a":1,"model":"pocket/llm","b":"pocket/llm"}"#),
            r#"{"a":1,"model":"llm","b":"pocket/llm"}"#
        );
        for same in [
            r#"{"model": "other"}"#,
            r#"{"model": "pocket/other"}"#,
            "no json, \"pocket/llm\"",
        ] {
            assert_eq!(named(same), same);
        }
    }

    #[test]
    fn suppliers_get_the_path_without_v1_and_nothing_of_the_reader() {
        let packed = |path: &str| {
            HttpRequest::decode(Request::post(ServiceId::new("llm"), path, Bytes::from("{}")).pack()).unwrap()
        };
        for (path, sent) in [
            ("/v1/chat/completions", "/chat/completions"),
            ("/chat/completions", "/chat/completions"),
            ("/v1beta/x", "/v1beta/x"),
            ("/v1/models?a=1", "/models?a=1"),
        ] {
            assert_eq!(packed(path).path_and_query(), sent);
        }
        let names: Vec<String> = packed("/x").headers.into_keys().collect();
        assert_eq!(names, ["Accept", "Content-Type"]);
    }
}

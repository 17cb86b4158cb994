//! One supplier that is asked: the connection, and the answer as it is read from it.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use hearth_pocket::message::relay::RelayRequest;
use prost::Message;
use tokio::time::Instant;

use crate::{
    answer::{AnswerReader, Part},
    error::SupplierError,
    inner::Inner,
    refusal::Refusal,
    session::{Candidate, RelaySession},
    spending::Reservation,
};

/// The most that is read of an error's text.
const ERROR_BYTES: usize = 64 * 1024;

/// One supplier that is asked.
pub(crate) struct Attempt {
    pub(crate) session: Arc<RelaySession>,
    pub(crate) candidate: Candidate,
    pub(crate) request: RelayRequest,
    pub(crate) reserved: Reservation,
    pub(crate) reader: AnswerReader,
    pub(crate) response: Option<reqwest::Response>,
    pub(crate) started: Instant,
    pub(crate) started_at_ms: i64,
    pub(crate) first_byte: Option<Duration>,
}

impl Attempt {
    pub(crate) async fn begin(&mut self, inner: &Inner) -> Result<Part, SupplierError> {
        let url = &self.candidate.url;
        let response = inner
            .client
            .post(url.clone())
            .map_err(SupplierError::PrivateAddress)?
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
            let part = self.refused_or_signed(status, response).await?;
            self.first_byte = Some(self.started.elapsed());
            return Ok(part);
        }
        self.response = Some(response);
        let part = self.next().await?.ok_or(SupplierError::Empty)?;
        self.first_byte = Some(self.started.elapsed());
        Ok(part)
    }

    /// An answer with a status around it: a refusal, or what the supplier signed.
    async fn refused_or_signed(
        &mut self,
        status: u16,
        mut response: reqwest::Response,
    ) -> Result<Part, SupplierError> {
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() >= ERROR_BYTES {
                break;
            }
        }
        self.reader.push(&body)?;
        let signed = match self.reader.next_part() {
            Ok(None) => self.reader.finish(),
            part => part,
        };
        match signed {
            Ok(Some(part)) => Ok(part),
            Err(refused @ SupplierError::Refused(_)) => Err(refused),
            Ok(None) | Err(_) => Err(SupplierError::Refused(Refusal::http(status, &body))),
        }
    }

    /// The rest of an answer that is not streamed.
    pub(crate) async fn rest(&mut self, first: Part) -> Result<Bytes, SupplierError> {
        let Some(second) = self.next().await? else {
            return Ok(first.body);
        };
        let mut whole = BytesMut::from(&first.body[..]);
        let mut next = Some(second);
        while let Some(part) = next {
            whole.extend_from_slice(&part.body);
            next = self.next().await?;
        }
        Ok(whole.freeze())
    }

    /// The next verified part; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Part>, SupplierError> {
        loop {
            if let Some(part) = self.reader.next_part()? {
                return Ok(Some(part));
            }
            let Some(response) = self.response.as_mut() else {
                return Ok(None);
            };
            match response.chunk().await {
                Ok(Some(chunk)) => self.reader.push(&chunk)?,
                Ok(None) => {
                    self.response = None;
                    return self.reader.finish();
                }
                Err(_) => {
                    return Err(SupplierError::BrokenOff {
                        bytes: self.reader.delivered().bytes,
                    });
                }
            }
        }
    }

    /// The type of the answer: as its first part says, else as the HTTP answer around it.
    pub(crate) fn content_type(&self, first: &Part) -> String {
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

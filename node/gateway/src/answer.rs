//! Reading an answer: cutting it into parts, verifying each before a byte of it is passed on.
//!
//! One way for all: a single answer is a stream of one part without separator. Memory is shared from the socket's
//! buffer to the reader's bytes; a part is copied once, into the splitter.

use bytes::Bytes;
use hearth_pocket::{
    PublicKey,
    message::{
        relay::{RelayRequest, RelayResponse},
        session::SessionHeader,
    },
    payload::{Headers, HttpResponse},
    relay::{relay_bytes, verify_response},
    stream::Splitter,
};
use prost::Message;
use sha2::{Digest, Sha256};

use crate::{error::SupplierError, refusal::Refusal};

/// A part that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) status: u32,
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
}

/// Reads one answer.
pub(crate) struct AnswerReader {
    splitter: Splitter,
    wanted: SessionHeader,
    supplier: PublicKey,
    status: Option<u32>,
    hasher: Sha256,
    delivered: Delivered,
    /// The last part, less its payload: what the supplier signed.
    last: Option<RelayResponse>,
    limits: Limits,
    /// Bytes that arrived, signatures and headers included.
    received: usize,
}

/// How much is taken of one answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) part_bytes: usize,
    pub(crate) answer_bytes: usize,
    pub(crate) parts: u32,
}

/// What was passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) parts: u32,
    pub(crate) bytes: u64,
}

impl AnswerReader {
    pub(crate) fn new(wanted: SessionHeader, supplier: PublicKey, limits: Limits) -> AnswerReader {
        AnswerReader {
            splitter: Splitter::new(limits.part_bytes),
            wanted,
            supplier,
            status: None,
            hasher: Sha256::new(),
            delivered: Delivered::default(),
            last: None,
            limits,
            received: 0,
        }
    }

    /// Takes what has arrived.
    ///
    /// # Errors
    /// More bytes than are taken of one answer.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), SupplierError> {
        self.received = self.received.saturating_add(bytes.len());
        let limit = self.limits.answer_bytes;
        if self.received > limit {
            return Err(SupplierError::TooLarge { limit });
        }
        self.splitter.push(bytes);
        Ok(())
    }

    /// The next verified part, if a whole one has arrived.
    pub(crate) fn next_part(&mut self) -> Result<Option<Part>, SupplierError> {
        match self.splitter.next_part().map_err(SupplierError::Stream)? {
            Some(bytes) => self.verified(bytes).map(Some),
            None => Ok(None),
        }
    }

    /// The last part, where the answer ended without a separator.
    pub(crate) fn finish(&mut self) -> Result<Option<Part>, SupplierError> {
        let rest = std::mem::replace(&mut self.splitter, Splitter::new(0)).finish();
        match rest.map_err(SupplierError::Stream)? {
            Some(bytes) => self.verified(bytes).map(Some),
            None if self.status.is_none() => Err(SupplierError::Empty),
            None => Ok(None),
        }
    }

    /// Parts and bytes so far.
    pub(crate) fn delivered(&self) -> Delivered {
        self.delivered
    }

    /// The status that all parts have; 0 before the first.
    pub(crate) fn status(&self) -> u16 {
        self.status
            .and_then(|status| u16::try_from(status).ok())
            .unwrap_or_default()
    }

    /// The hash of all bodies.
    pub(crate) fn body_hash(&self) -> [u8; 32] {
        self.hasher.clone().finalize().into()
    }

    /// The relay as the supplier would claim it.
    pub(crate) fn relay(&self, request: &RelayRequest) -> Option<Vec<u8>> {
        self.last.as_ref().map(|response| relay_bytes(request, response))
    }

    fn verified(&mut self, bytes: Bytes) -> Result<Part, SupplierError> {
        let limit = self.limits.parts;
        if self.delivered.parts >= limit {
            return Err(SupplierError::TooManyParts { limit });
        }
        let mut response = RelayResponse::decode(bytes).map_err(|_| SupplierError::Undecodable)?;
        if let Some(error) = &response.relay_miner_error {
            return Err(SupplierError::Refused(Refusal::classic(error)));
        }
        verify_response(&response, &self.wanted, &self.supplier).map_err(SupplierError::Unverified)?;
        let payload = std::mem::take(&mut response.payload);
        let http = HttpResponse::decode(payload).map_err(|_| SupplierError::NoHttpAnswer)?;
        if !(100..=999).contains(&http.status) {
            return Err(SupplierError::NoHttpAnswer);
        }
        let first = *self.status.get_or_insert(http.status);
        if first != http.status {
            return Err(SupplierError::StatusChanged {
                first,
                then: http.status,
            });
        }
        self.hasher.update(&http.body);
        self.delivered.parts = self.delivered.parts.saturating_add(1);
        self.delivered.bytes += http.body.len() as u64;
        self.last = Some(response);
        Ok(Part {
            status: http.status,
            headers: http.headers,
            body: http.body,
        })
    }
}

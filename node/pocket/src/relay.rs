//! Relays: what is signed, by whom, and what of it becomes a leaf.
//!
//! Everybody hashes the *canonical* encoding of a decoded message, not the bytes that arrived. The hashes here are
//! fed piece by piece, so that a payload is not copied for its hash.

use bytes::Bytes;
use prost::Message;
use sha2::{Digest, Sha256};

use crate::{
    address::Address,
    keys::{PublicKey, SignError, SignatureError, Signer},
    message::{
        relay::{
            Relay, RelayMinerError, RelayRequest, RelayRequestMetadata, RelayResponse, RelayResponseMetadata,
        },
        session::SessionHeader,
    },
    ring::{Ring, RingSignature},
};

/// Why a request or an answer is not valid. Text and order of the checks are the chain's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    #[error("the message has no session header")]
    NoSessionHeader,
    #[error("the session header is invalid: {why}")]
    BadSessionHeader { why: &'static str },
    #[error("the request has no signature")]
    NoRequestSignature,
    #[error("the request names no supplier")]
    NoSupplier,
    #[error("the answer has no supplier signature")]
    NoResponseSignature,
    #[error("the answer is of session {got}, the request was of session {wanted}")]
    OtherSession { wanted: String, got: String },
    #[error("the answer has no payload hash, so nothing binds its payload to the signature")]
    NoPayloadHash,
    #[error("the answer's payload is not what the supplier signed")]
    OtherPayload,
    #[error("the supplier's signature does not hold: {0}")]
    Signature(#[from] SignatureError),
}

/// Checks a header as `ValidateBasic` does.
///
/// # Errors
/// The first rule that is broken.
pub fn validate_header(header: &SessionHeader) -> Result<(), RelayError> {
    let bad = |why| Err(RelayError::BadSessionHeader { why });
    if Address::parse(&header.application_address).is_err() {
        return bad("its application address is not valid");
    }
    if header.session_id.is_empty() {
        return bad("its session id is empty");
    }
    if !is_service_id(&header.service_id) {
        return bad("its service id is not 1 to 42 letters, digits, - or _");
    }
    if header.session_start_block_height <= 0 {
        return bad("its session start height is not positive");
    }
    if header.session_end_block_height <= header.session_start_block_height {
        return bad("its session end height is not after its start height");
    }
    Ok(())
}

/// Whether a text may be a service's id: 1 to 42 of `A-Z a-z 0-9 - _`.
#[must_use]
pub fn is_service_id(text: &str) -> bool {
    (1..=42).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Checks a request as `ValidateBasic` does.
///
/// # Errors
/// The first rule that is broken.
pub fn validate_request(request: &RelayRequest) -> Result<(), RelayError> {
    validate_header(
        request
            .meta
            .session_header
            .as_ref()
            .ok_or(RelayError::NoSessionHeader)?,
    )?;
    if request.meta.signature.is_empty() {
        return Err(RelayError::NoRequestSignature);
    }
    if request.meta.supplier_operator_address.is_empty() {
        return Err(RelayError::NoSupplier);
    }
    Ok(())
}

/// Checks an answer as `ValidateBasic` does.
///
/// # Errors
/// The first rule that is broken.
pub fn validate_response(response: &RelayResponse) -> Result<(), RelayError> {
    validate_header(
        response
            .meta
            .session_header
            .as_ref()
            .ok_or(RelayError::NoSessionHeader)?,
    )?;
    if response.meta.supplier_operator_signature.is_empty() {
        return Err(RelayError::NoResponseSignature);
    }
    Ok(())
}

/// What the ring signature of a request signs: the SHA-256 of the request without its signature.
#[must_use]
pub fn request_hash(request: &RelayRequest) -> [u8; 32] {
    // Written field by field: cloning the message to take its signature away costs more than hashing it.
    let mut meta = Vec::with_capacity(256);
    feed_header(&mut meta, request.meta.session_header.as_ref());
    if !request.meta.supplier_operator_address.is_empty() {
        prost::encoding::string::encode(3, &request.meta.supplier_operator_address, &mut meta);
    }
    let mut hasher = hasher_of_meta(&meta);
    feed_field(&mut hasher, 2, &request.payload);
    hasher.finalize().into()
}

/// What tells a request apart from all others, and is the same for a replay of it however its signature is written.
/// Two requests for the same are two, since every signature is made with fresh randomness. `request_hash` is the
/// request's.
#[must_use]
pub fn replay_id(request_hash: &[u8; 32], signature: &RingSignature) -> [u8; 32] {
    Sha256::new_with_prefix(request_hash)
        .chain_update(signature.canonical())
        .finalize()
        .into()
}

/// As [`replay_id`], of the request in a relay as it lies in the tree.
#[must_use]
pub fn replay_id_of_relay(relay_bytes: &[u8]) -> Option<[u8; 32]> {
    let request = Relay::decode(relay_bytes).ok()?.req?;
    let signature = RingSignature::read(&request.meta.signature).ok()?;
    Some(replay_id(&request_hash(&request), &signature))
}

/// What the supplier signs: the SHA-256 of the answer without its signature, and without its payload where a
/// payload hash stands for it.
#[must_use]
pub fn response_hash(response: &RelayResponse) -> [u8; 32] {
    let mut meta = Vec::with_capacity(256);
    feed_header(&mut meta, response.meta.session_header.as_ref());
    let mut hasher = hasher_of_meta(&meta);
    if response.payload_hash.is_none() {
        feed_field(&mut hasher, 2, &response.payload);
    }
    if let Some(error) = &response.relay_miner_error {
        let bytes = error.encode_to_vec();
        hasher.update([3 << 3 | 2]);
        feed_length(&mut hasher, bytes.len());
        hasher.update(&bytes);
    }
    // An empty hash is present in memory, but Go leaves it out when it encodes.
    feed_field(
        &mut hasher,
        4,
        response.payload_hash.as_deref().unwrap_or_default(),
    );
    hasher.finalize().into()
}

/// The header as field 1 of a request's or an answer's meta.
fn feed_header(meta: &mut Vec<u8>, header: Option<&SessionHeader>) {
    if let Some(header) = header {
        prost::encoding::message::encode(1, header, meta);
    }
}

/// A hasher that was fed with field 1, which is there also when it is empty.
fn hasher_of_meta(meta: &[u8]) -> Sha256 {
    let mut hasher = Sha256::new_with_prefix([1 << 3 | 2]);
    feed_length(&mut hasher, meta.len());
    hasher.update(meta);
    hasher
}

/// Feeds a bytes field as proto3 encodes it: nothing when it is empty.
fn feed_field(hasher: &mut Sha256, number: u8, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    hasher.update([number << 3 | 2]);
    feed_length(hasher, bytes.len());
    hasher.update(bytes);
}

fn feed_length(hasher: &mut Sha256, length: usize) {
    let mut prefix = Vec::with_capacity(10);
    prost::encoding::encode_varint(length as u64, &mut prefix);
    hasher.update(&prefix);
}

/// The SHA-256 of a payload, as an answer carries it.
#[must_use]
pub fn payload_hash(payload: &[u8]) -> [u8; 32] {
    Sha256::digest(payload).into()
}

/// A request signed in a ring.
///
/// # Errors
/// A key that is locked or no member of the ring.
pub fn sign_request(
    signer: &dyn Signer,
    ring: &Ring,
    header: SessionHeader,
    supplier: &str,
    payload: Bytes,
) -> Result<RelayRequest, SignError> {
    let meta = RelayRequestMetadata {
        session_header: Some(header),
        signature: Vec::new(),
        supplier_operator_address: supplier.to_owned(),
    };
    let mut request = RelayRequest { meta, payload };
    request.meta.signature = signer.ring_sign(ring, &request_hash(&request))?;
    Ok(request)
}

/// An answer with its payload's hash, signed by the supplier.
///
/// # Errors
/// A key that is locked.
pub fn sign_response(
    signer: &dyn Signer,
    header: SessionHeader,
    payload: Bytes,
) -> Result<RelayResponse, SignError> {
    let hash = payload_hash(&payload);
    sign_response_hashed(signer, header, payload, hash)
}

/// As [`sign_response`], where the hash is known already, or is that of another payload than the one that
/// travels: a stream is mined as an answer over its whole body.
///
/// # Errors
/// A key that is locked.
pub fn sign_response_hashed(
    signer: &dyn Signer,
    header: SessionHeader,
    payload: Bytes,
    payload_hash: [u8; 32],
) -> Result<RelayResponse, SignError> {
    let meta = RelayResponseMetadata {
        session_header: Some(header),
        supplier_operator_signature: Vec::new(),
    };
    let mut response = RelayResponse {
        meta,
        payload,
        relay_miner_error: None,
        payload_hash: Some(payload_hash.to_vec()),
    };
    response.meta.supplier_operator_signature = signer.sign(&response_hash(&response))?.to_vec();
    Ok(response)
}

/// The answer of a supplier that did not serve: unsigned, with the error's text as payload.
#[must_use]
pub fn error_response(header: Option<SessionHeader>, error: RelayMinerError) -> RelayResponse {
    // A request that could not be read has a header with nothing but this.
    let unknown = || SessionHeader {
        service_id: "unknown_service_id".to_owned(),
        ..SessionHeader::default()
    };
    let header = header.unwrap_or_else(unknown);
    RelayResponse {
        meta: RelayResponseMetadata {
            session_header: Some(header),
            supplier_operator_signature: Vec::new(),
        },
        payload: Bytes::from(error.message.clone()),
        relay_miner_error: Some(error),
        payload_hash: None,
    }
}

/// Everything a client must check on an answer: rules, session, signature, and the payload against its hash.
///
/// # Errors
/// The first check that fails.
pub fn verify_response(
    response: &RelayResponse,
    wanted: &SessionHeader,
    supplier: &PublicKey,
) -> Result<(), RelayError> {
    validate_response(response)?;
    let header = response
        .meta
        .session_header
        .as_ref()
        .ok_or(RelayError::NoSessionHeader)?;
    if header != wanted {
        let (wanted, got) = (wanted.session_id.clone(), header.session_id.clone());
        return Err(RelayError::OtherSession { wanted, got });
    }
    let signed = response.payload_hash.as_deref().filter(|hash| !hash.is_empty());
    // Without a hash the signature covers the payload itself, as before chain version 0.1.25.
    match signed {
        Some(hash) if hash != payload_hash(&response.payload) => return Err(RelayError::OtherPayload),
        None if response.payload_hash.is_some() => return Err(RelayError::NoPayloadHash),
        Some(_) | None => {}
    }
    verify_response_signature(response, supplier)
}

/// Checks the supplier's signature alone.
///
/// # Errors
/// A signature that does not hold.
pub fn verify_response_signature(response: &RelayResponse, supplier: &PublicKey) -> Result<(), RelayError> {
    Ok(supplier.verify(
        &response_hash(response),
        &response.meta.supplier_operator_signature,
    )?)
}

/// The bytes of a relay as they stand in the tree and in a proof: the answer without its payload.
#[must_use]
pub fn relay_bytes(request: &RelayRequest, response: &RelayResponse) -> Vec<u8> {
    // Field by field, as the hashes above.
    let mut answer = Vec::with_capacity(512);
    prost::encoding::message::encode(1, &response.meta, &mut answer);
    if let Some(error) = &response.relay_miner_error {
        prost::encoding::message::encode(3, error, &mut answer);
    }
    if let Some(hash) = response.payload_hash.as_ref().filter(|hash| !hash.is_empty()) {
        prost::encoding::bytes::encode(4, hash, &mut answer);
    }
    let mut relay = Vec::with_capacity(request.encoded_len() + answer.len() + 16);
    prost::encoding::message::encode(1, request, &mut relay);
    prost::encoding::encode_key(2, prost::encoding::WireType::LengthDelimited, &mut relay);
    prost::encoding::encode_varint(answer.len() as u64, &mut relay);
    relay.extend_from_slice(&answer);
    relay
}

/// The hash of a relay's bytes: its key in the tree, and what difficulty looks at.
#[must_use]
pub fn relay_hash(relay_bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(relay_bytes).into()
}

#[cfg(test)]
mod tests;

//! Checking a proof: its form when it comes in, its cryptography at the end of the block. Errors are the chain's texts.

use hearth_pocket::{
    PublicKey, RingSignature,
    difficulty::BASE_TARGET,
    gob,
    message::{
        proof::{Claim, Proof},
        relay::{Relay, RelayRequest, RelayResponse},
        session::{Session, SessionHeader},
    },
    proof::required_path,
    relay::{relay_hash, request_hash, validate_request, validate_response, verify_response_signature},
    ring::{ExpectedRing, PLACEHOLDER_PUBLIC_KEY, RingError},
    trie::{ClosestProof, Root, verify_closest},
};
use num_bigint::BigUint;
use prost::Message;

use super::{height_of, seed_hash};
use crate::{
    address,
    modules::{application, auth, service},
    state::State,
};

/// The proof and the relay in its leaf.
struct Opened {
    proof: ClosestProof,
    relay_bytes: Vec<u8>,
    request: RelayRequest,
    response: RelayResponse,
}

fn open(proof: &Proof) -> Result<Opened, String> {
    let invalid = |why: String| format!("{why}: invalid proof");
    let compact = gob::decode(&proof.closest_merkle_proof).map_err(|error| {
        let why = go_gob_text(&error);
        invalid(format!(
            "failed to unmarshal sparse compact merkle closest proof: gob: {why}"
        ))
    })?;
    let opened = compact.expand().map_err(|error| {
        invalid(format!(
            "failed to decompact sparse merkle closest proof: {error}"
        ))
    })?;
    let relay_bytes = opened.value().unwrap_or_default().to_vec();
    let relay = Relay::decode(relay_bytes.as_slice())
        .map_err(|error| format!("failed to unmarshal relay: {error}: invalid relay"))?;
    let (Some(request), Some(response)) = (relay.req, relay.res) else {
        return Err("relay has no request or no response: invalid relay".to_owned());
    };
    Ok(Opened {
        proof: opened,
        relay_bytes,
        request,
        response,
    })
}

/// Go's words where they are known.
fn go_gob_text(error: &gob::DecodeError) -> String {
    match error {
        gob::DecodeError::Number => "encoded unsigned integer out of range".to_owned(),
        gob::DecodeError::Truncated
        | gob::DecodeError::Field
        | gob::DecodeError::UnknownType { .. }
        | gob::DecodeError::TypeDefinedTwice { .. }
        | gob::DecodeError::EmptyType
        | gob::DecodeError::TrailingDefinition
        | gob::DecodeError::NotAProof
        | gob::DecodeError::FieldType { .. }
        | gob::DecodeError::TooDeep => error.to_string(),
    }
}

/// What a transaction is refused for.
pub(super) fn check_form(state: &State, proof: &Proof, session: &Session) -> Result<(), String> {
    let opened = open(proof)?;
    let wanted = session.header.clone().unwrap_or_default();
    if proof.session_header.as_ref() != Some(&wanted) {
        return Err(
            "proof session header does not match the onchain session: invalid session header".to_owned(),
        );
    }
    validate_request(&opened.request).map_err(|error| format!("{error}: invalid relay request"))?;
    if opened.request.meta.supplier_operator_address != proof.supplier_operator_address {
        let text = "supplier type mismatch: supplier operator address does not match the claim or proof";
        return Err(text.to_owned());
    }
    validate_response(&opened.response).map_err(|error| format!("{error}: invalid relay response"))?;
    same_header(opened.request.meta.session_header.as_ref(), &wanted, "request")?;
    same_header(opened.response.meta.session_header.as_ref(), &wanted, "response")?;
    check_difficulty(state, &wanted, &opened.relay_bytes)
}

fn same_header(header: Option<&SessionHeader>, wanted: &SessionHeader, what: &str) -> Result<(), String> {
    if header == Some(wanted) {
        return Ok(());
    }
    Err(format!(
        "session headers of the relay {what} and of the onchain session mismatch: invalid relay {what}"
    ))
}

fn check_difficulty(state: &State, header: &SessionHeader, relay_bytes: &[u8]) -> Result<(), String> {
    let start = height_of(header.session_start_block_height);
    let target = service::target_at(state, &header.service_id, start);
    let hash = relay_hash(relay_bytes);
    if target.admits(&hash) {
        return Ok(());
    }
    Err(format!(
        "failed to validate relay difficulty for service {} due to: the difficulty relay being proven is ({}), and is \
         smaller than the target difficulty ({}): invalid relay: invalid relay difficulty",
        header.service_id,
        difficulty_text(&hash),
        difficulty_text(target.as_bytes())
    ))
}

/// The easiest target over a hash, in lowest terms.
fn difficulty_text(hash: &[u8; 32]) -> String {
    let (above, below) = (
        BigUint::from_bytes_be(BASE_TARGET.as_bytes()),
        BigUint::from_bytes_be(hash),
    );
    let zero = BigUint::ZERO;
    let (mut one, mut two) = (above.clone(), below.clone());
    while two != zero {
        (one, two) = (two.clone(), one % two);
    }
    if one == zero {
        format!("{above}/{below}")
    } else {
        format!("{}/{}", above / &one, below / &one)
    }
}

/// What makes a proof invalid: the reason in the event.
pub(super) fn check(state: &State, proof: &Proof, claim: &Claim) -> Result<(), String> {
    let opened = open(proof)?;
    let header = proof.session_header.clone().unwrap_or_default();
    check_ring(state, &opened.request, &header)?;
    check_supplier(state, &opened.response, &proof.supplier_operator_address)?;
    let expected = required_path(&seed_hash(state, &header), &header.session_id);
    if opened.proof.path != expected {
        return Err(format!(
            "the path of the proof provided ({}) does not match one expected by the onchain protocol ({}): invalid proof",
            hex::encode(&opened.proof.path),
            hex::encode(expected)
        ));
    }
    let root =
        Root::try_from(claim.root_hash.as_slice()).map_err(|error| format!("{error}: invalid root hash"))?;
    verify_closest(&opened.proof, &root)
        .map_err(|error| format!("invalid closest merkle proof: {error}: invalid proof"))
}

fn check_ring(state: &State, request: &RelayRequest, header: &SessionHeader) -> Result<(), String> {
    let invalid = |why: String| format!("{why}: invalid relay request signature");
    let not_read = |error: &RingError| {
        invalid(format!(
            "error deserializing ring signature: {}",
            go_ring_text(error, &request.meta.signature)
        ))
    };
    let signature = RingSignature::parse(&request.meta.signature).map_err(|error| not_read(&error))?;
    let address = &header.application_address;
    let Some(application) = application::record(state, address) else {
        return Err(invalid(format!("application with address {address:?} not found")));
    };
    let expected = ExpectedRing::of(&application, height_of(header.session_end_block_height));
    let mut keys = Vec::new();
    for member in &expected.addresses {
        let key = address::parse(member)
            .ok()
            .and_then(|account| auth::public_key(state, &account));
        keys.push(key.ok_or_else(|| invalid(format!("account {member} has no public key")))?);
    }
    if expected.placeholder {
        keys.push(PLACEHOLDER_PUBLIC_KEY);
    }
    match signature
        .check_members(&keys)
        .and_then(|()| signature.verify(&request_hash(request)))
    {
        Ok(()) => Ok(()),
        Err(error @ RingError::BadMember { .. }) => Err(not_read(&error)),
        Err(RingError::ForeignMember { .. }) => Err(invalid(format!(
            "ring signature in the relay request does not match the expected ring for the app {address}"
        ))),
        Err(
            RingError::Size { .. }
            | RingError::NotAMember { .. }
            | RingError::NoRandomness { .. }
            | RingError::TooShort { .. }
            | RingError::BadImage
            | RingError::Invalid,
        ) => Err(invalid("invalid ring signature".to_owned())),
    }
}

/// Go's words where they are known.
fn go_ring_text(error: &RingError, signature: &[u8]) -> String {
    let not_on_curve = |point: &[u8]| {
        let x = hex::encode(point.get(1..).unwrap_or_default());
        format!("invalid public key: x coordinate {x} is not on the secp256k1 curve")
    };
    match error {
        RingError::BadMember { key } => not_on_curve(key),
        // The key image follows the size and the first challenge.
        RingError::BadImage => not_on_curve(signature.get(36..69).unwrap_or_default()),
        RingError::Size { .. }
        | RingError::NotAMember { .. }
        | RingError::NoRandomness { .. }
        | RingError::TooShort { .. }
        | RingError::Invalid
        | RingError::ForeignMember { .. } => error.to_string(),
    }
}

fn check_supplier(state: &State, response: &RelayResponse, operator: &str) -> Result<(), String> {
    let key = address::parse(operator)
        .ok()
        .and_then(|account| auth::public_key(state, &account));
    let key = key.and_then(|key| PublicKey::from_bytes(&key).ok());
    let Some(key) = key else {
        return Err(format!(
            "no public key for address {operator}: public key not found"
        ));
    };
    verify_response_signature(response, &key)
        .map_err(|_| "invalid signature: invalid relay response".to_owned())
}

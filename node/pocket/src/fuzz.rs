//! One plain function for every parser of foreign bytes. `fuzz/` calls them with what a fuzzer makes, the tests
//! below with its corpus and with random bytes; none may panic, and what was read must survive a second round.

use bytes::Bytes;
use prost::Message;

use crate::{
    RingSignature, gob,
    message::{
        application::Application,
        proof::{Claim, MsgCreateClaim, MsgSubmitProof},
        relay::{Relay, RelayRequest, RelayResponse},
        session::Session,
        shared::Supplier,
        tokenomics,
    },
    payload::{HttpRequest, HttpResponse},
    relay,
    stream::Splitter,
    trie, tx,
};

/// A parser with its name, which is also the folder of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// All parsers.
pub const TARGETS: &[Target] = &[
    ("address", address),
    ("gob_proof", gob_proof),
    ("json_any", json_any),
    ("messages", messages),
    ("payload", payload),
    ("relay_request", relay_request),
    ("relay_response", relay_response),
    ("ring_signature", ring_signature),
    ("stream", stream),
    ("transaction", transaction),
];

/// What a message encodes to is a fixed point: reading and writing it again changes nothing. Compared as bytes,
/// since a NaN is not equal to itself.
fn fixed_point<T: Message + Default>(bytes: &[u8]) -> Option<T> {
    let message = T::decode(bytes).ok()?;
    let written = message.encode_to_vec();
    let again = T::decode(written.as_slice());
    assert!(
        again.is_ok_and(|again| again.encode_to_vec() == written),
        "a message changes when it is read again"
    );
    Some(message)
}

/// Addresses.
pub fn address(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(address) = crate::Address::parse(text) {
        assert_eq!(crate::Address::from_bytes(&address.to_bytes()), address);
    }
}

/// Closest proofs in gob, to the end of their verification.
pub fn gob_proof(bytes: &[u8]) {
    let Ok(compact) = gob::decode(bytes) else { return };
    let again = gob::decode(&gob::encode(&compact));
    assert!(
        again.is_ok_and(|again| again == compact),
        "a proof changes when it is read again"
    );
    if let Ok(proof) = compact.expand() {
        let root = trie::Root::try_from([7; 48].as_slice());
        assert!(root.is_err() || root.is_ok_and(|root| trie::verify_closest(&proof, &root).is_err()));
    }
}

/// Messages in their JSON form.
pub fn json_any(bytes: &[u8]) {
    let Ok(any) = serde_json::from_slice::<crate::message::Any>(bytes) else {
        return;
    };
    // Not everything can be written: a time beyond the year 9999 has no text.
    let Ok(json) = serde_json::to_vec(&any) else {
        return;
    };
    let again: Result<crate::message::Any, _> = serde_json::from_slice(&json);
    assert!(
        again.is_ok_and(|again| again == any),
        "a message changes in its JSON form"
    );
}

/// Messages that come from an endpoint or stand in a transaction.
pub fn messages(bytes: &[u8]) {
    fixed_point::<Application>(bytes);
    fixed_point::<Claim>(bytes);
    fixed_point::<MsgCreateClaim>(bytes);
    fixed_point::<MsgSubmitProof>(bytes);
    fixed_point::<Session>(bytes);
    fixed_point::<Supplier>(bytes);
    fixed_point::<tokenomics::Params>(bytes);
    fixed_point::<Relay>(bytes);
}

/// HTTP requests and answers inside relays.
pub fn payload(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    if let Ok(request) = HttpRequest::decode(bytes.clone()) {
        assert_eq!(HttpRequest::decode(request.encode()), Ok(request.clone()));
        assert!(request.path_and_query().starts_with('/'));
    }
    if let Ok(response) = HttpResponse::decode(bytes) {
        assert_eq!(HttpResponse::decode(response.encode()), Ok(response));
    }
}

/// Requests, with the hash that their ring signs.
pub fn relay_request(bytes: &[u8]) {
    let Some(request) = fixed_point::<RelayRequest>(bytes) else {
        return;
    };
    let _ = relay::validate_request(&request);
    let mut unsigned = request.clone();
    unsigned.meta.signature.clear();
    assert_eq!(
        relay::request_hash(&request),
        relay::payload_hash(&unsigned.encode_to_vec())
    );
}

/// Answers, with the hash that their supplier signs.
pub fn relay_response(bytes: &[u8]) {
    let Some(response) = fixed_point::<RelayResponse>(bytes) else {
        return;
    };
    let _ = relay::validate_response(&response);
    let mut unsigned = response.clone();
    unsigned.meta.supplier_operator_signature.clear();
    if unsigned.payload_hash.is_some() {
        unsigned.payload.clear();
        unsigned.payload_hash = unsigned.payload_hash.filter(|hash| !hash.is_empty());
    }
    assert_eq!(
        relay::response_hash(&response),
        relay::payload_hash(&unsigned.encode_to_vec())
    );
    assert!(Relay::decode(relay::relay_bytes(&RelayRequest::default(), &response).as_slice()).is_ok());
}

/// Ring signatures.
pub fn ring_signature(bytes: &[u8]) {
    // Larger rings take long and show nothing new.
    if let Ok(signature) = RingSignature::parse(bytes)
        && signature.keys().len() <= 8
    {
        let _ = signature.verify(&[0; 32]);
    }
}

/// Streams of answers; the way in which the bytes arrive must not matter.
pub fn stream(bytes: &[u8]) {
    let split = |step: usize| {
        let mut splitter = Splitter::new(1 << 16);
        let mut parts = Vec::new();
        for piece in bytes.chunks(step) {
            splitter.push(piece);
            while let Ok(Some(part)) = splitter.next_part() {
                parts.push(part);
            }
        }
        parts
    };
    assert_eq!(split(bytes.len().max(1)), split(7));
}

/// Transactions.
pub fn transaction(bytes: &[u8]) {
    if let Ok(decoded) = tx::decode(bytes) {
        for any in &decoded.body.messages {
            let _ = serde_json::to_value(any);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_corpus_runs() {
        let corpus = format!("{}/../../fuzz/corpus", env!("CARGO_MANIFEST_DIR"));
        for (name, target) in TARGETS {
            let folder = format!("{corpus}/{name}");
            let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
            let mut ran = 0;
            for entry in entries {
                let bytes = std::fs::read(entry.unwrap().path()).unwrap();
                target(&bytes);
                // Each with every bit of a few bytes flipped, and cut at a few places.
                for step in 0..16 {
                    let at = step * bytes.len().max(1) / 16;
                    target(&bytes[..at.min(bytes.len())]);
                    for bit in 0..8 {
                        let mut flipped = bytes.clone();
                        if let Some(byte) = flipped.get_mut(at) {
                            *byte ^= 1 << bit;
                        }
                        target(&flipped);
                    }
                }
                ran += 1;
            }
            assert!(ran > 0, "{folder} is empty");
        }
    }

    proptest! {
        #[test]
        fn random_bytes_run(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            for (_, target) in TARGETS {
                target(&bytes);
            }
        }
    }
}

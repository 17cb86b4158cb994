//! Recorded relays: made by the chain's own code, and seen on the wire.

use serde_json::Value;

use super::*;
use crate::message::relay::Relay;
use crate::{
    RingSignature, SecretKey,
    golden::{bytes, list, load, number, text},
    message::proof,
    payload::{HttpRequest, HttpResponse},
    ring::RingVerifier,
    stream::Splitter,
};

fn header(value: &Value) -> SessionHeader {
    serde_json::from_value(value.clone()).unwrap()
}

fn key(value: &Value) -> SecretKey {
    SecretKey::from_bytes(&bytes(&value["private_key"]).try_into().unwrap()).unwrap()
}

fn hash(value: &Value) -> [u8; 32] {
    bytes(value).try_into().unwrap()
}

fn headers(value: &Value) -> crate::payload::Headers {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn payloads_are_packed_as_the_sdk_packs_them() {
    let golden = load("relay_messages");
    let wanted = &golden["pokt_http_request"];
    let request = HttpRequest {
        method: text(&wanted["method"]).to_owned(),
        headers: headers(&wanted["headers"]),
        url: text(&wanted["url"]).to_owned(),
        body: text(&wanted["body"]).to_owned().into(),
    };
    assert_eq!(
        hex::encode(request.encode()),
        text(&wanted["protobuf_deterministic"])
    );
    assert_eq!(HttpRequest::decode(request.encode()), Ok(request.clone()));
    assert_eq!(request.header("content-type"), Some("application/json"));
    let wanted = &golden["pokt_http_response"];
    let response = HttpResponse {
        status: number(&wanted["status_code"]),
        headers: headers(&wanted["headers"]),
        body: text(&wanted["body"]).to_owned().into(),
    };
    assert_eq!(
        hex::encode(response.encode()),
        text(&wanted["protobuf_deterministic"])
    );
    assert_eq!(HttpResponse::decode(response.encode()), Ok(response));
}

#[test]
fn a_relay_is_hashed_and_signed_as_the_chain_does() {
    let golden = load("relay_messages");
    let supplier = key(&golden["keys"]["supplier_operator"]);
    for name in ["application", "gateway", "supplier_operator"] {
        let (wanted, key) = (&golden["keys"][name], key(&golden["keys"][name]));
        assert_eq!(key.address().as_str(), text(&wanted["address"]));
        assert_eq!(hex::encode(key.public_key()), text(&wanted["public_key"]));
    }
    let session = header(&serde_json::json!({
        "application_address": golden["session_header"]["application_address"],
        "service_id": golden["session_header"]["service_id"],
        "session_id": golden["session_header"]["session_id"],
        "session_start_block_height": golden["session_header"]["session_start_block_height"],
        "session_end_block_height": golden["session_header"]["session_end_block_height"],
    }));
    assert_eq!(
        hex::encode(session.encode_to_vec()),
        text(&golden["session_header"]["protobuf"])
    );

    let wanted = &golden["relay"]["request"];
    let request = RelayRequest {
        meta: RelayRequestMetadata {
            session_header: Some(session.clone()),
            signature: bytes(&wanted["ring_signature"]),
            supplier_operator_address: supplier.address().to_string(),
        },
        payload: bytes(&golden["pokt_http_request"]["protobuf_deterministic"]).into(),
    };
    assert_eq!(
        hex::encode(request.encode_to_vec()),
        text(&wanted["signed_protobuf"])
    );
    assert_eq!(
        hex::encode(request_hash(&request)),
        text(&wanted["signable_hash"])
    );
    let signature = RingSignature::parse(&request.meta.signature).unwrap();
    assert_eq!(signature.verify(&request_hash(&request)), Ok(()));

    let wanted = &golden["relay"]["response"];
    let payload = Bytes::from(bytes(&golden["pokt_http_response"]["protobuf_deterministic"]));
    let response = sign_response(&supplier, session.clone(), payload).unwrap();
    assert_eq!(
        hex::encode(response_hash(&response)),
        text(&wanted["signable_hash"])
    );
    assert_eq!(
        hex::encode(&response.meta.supplier_operator_signature),
        text(&wanted["supplier_signature"])
    );
    assert_eq!(
        hex::encode(response.encode_to_vec()),
        text(&wanted["signed_protobuf_sent_to_gateway"])
    );
    let public = PublicKey::from_bytes(&supplier.public_key()).unwrap();
    assert_eq!(verify_response(&response, &session, &public), Ok(()));

    let wanted = &golden["relay"]["relay"];
    let bytes = relay_bytes(&request, &response);
    assert_eq!(hex::encode(&bytes), text(&wanted["dehydrated_protobuf"]));
    assert_eq!(hex::encode(relay_hash(&bytes)), text(&wanted["relay_hash"]));
    let whole = Relay {
        req: Some(request),
        res: Some(response),
    };
    assert_eq!(
        hex::encode(whole.encode_to_vec()),
        text(&wanted["protobuf_with_payload"])
    );
}

#[test]
fn claim_and_proof_messages_round_trip() {
    let golden = load("relay_messages");
    fn same<T: Message + Default>(wanted: &Value) -> T {
        let message = T::decode(bytes(wanted).as_slice()).unwrap();
        assert_eq!(hex::encode(message.encode_to_vec()), text(wanted));
        message
    }
    let claim: proof::Claim = same(&golden["claim"]["claim_protobuf"]);
    assert_eq!(hex::encode(&claim.root_hash), text(&golden["claim"]["root_hash"]));
    let created: proof::MsgCreateClaim = same(&golden["claim"]["msg_create_claim_protobuf"]);
    assert_eq!(created.root_hash, claim.root_hash);
    let submitted: proof::MsgSubmitProof = same(&golden["claim"]["msg_submit_proof_protobuf"]);
    let proof: proof::Proof = same(&golden["claim"]["proof_protobuf"]);
    assert_eq!(submitted.proof, proof.closest_merkle_proof);
}

#[test]
fn edge_cases_encode_as_in_go() {
    let golden = load("relay_messages");
    let case = |id: &str| {
        list(&golden["edge_cases"])
            .iter()
            .find(|case| case["id"] == id)
            .unwrap()
            .clone()
    };
    let empty = text(&case("empty_relay_request")["protobuf"]).to_owned();
    assert_eq!(hex::encode(RelayRequest::default().encode_to_vec()), empty);
    assert_eq!(hex::encode(RelayResponse::default().encode_to_vec()), empty);

    let signed = bytes(&golden["relay"]["response"]["signed_protobuf_sent_to_gateway"]);
    let response = RelayResponse::decode(signed.as_slice()).unwrap();
    let without = RelayResponse {
        payload_hash: None,
        ..response.clone()
    };
    let wanted = case("response_without_payload_hash");
    assert_eq!(
        hex::encode(response_hash(&without)),
        text(&wanted["signable_hash"])
    );
    let empty = RelayResponse {
        payload_hash: Some(Vec::new()),
        ..response.clone()
    };
    let wanted = case("response_with_present_but_empty_payload_hash");
    assert_eq!(hex::encode(response_hash(&empty)), text(&wanted["signable_hash"]));

    let wanted = case("unsigned_error_response");
    let error = RelayMinerError {
        codespace: "relayer_proxy".to_owned(),
        code: 7,
        description: "offchain rate limit hit by relayer proxy".to_owned(),
        message: "offchain rate limit hit by relayer proxy".to_owned(),
    };
    let made = error_response(response.meta.session_header, error);
    assert_eq!(hex::encode(made.encode_to_vec()), text(&wanted["protobuf"]));
}

#[test]
fn supplier_signatures_are_deterministic_and_low() {
    let golden = load("relay_messages");
    for case in list(&golden["supplier_signatures"]) {
        let key = key(&case["key"]);
        let public = PublicKey::from_bytes(&key.public_key()).unwrap();
        let message = bytes(&case["signable_hash"]);
        assert_eq!(hex::encode(key.sign(&message)), text(&case["signature"]));
        assert_eq!(public.verify(&message, &bytes(&case["signature"])), Ok(()));
        let high = bytes(&case["high_s_variant"]);
        assert_eq!(public.verify(&message, &high), Err(SignatureError::Invalid));
        let long = [key.sign(&message).as_slice(), &[0]].concat();
        assert_eq!(
            public.verify(&message, &long),
            Err(SignatureError::WrongLength { length: 65 })
        );
    }
}

/// All that was recorded of one relay between a client and the classic miner.
fn check_recorded(relay: &Value, keys: &Value, verifier: &RingVerifier) {
    let label = text(&relay["label"]);
    let request = RelayRequest::decode(Bytes::from(bytes(&relay["http_request"]["body"]))).unwrap();
    assert_eq!(
        hex::encode(request.encode_to_vec()),
        text(&relay["http_request"]["body"]),
        "{label}"
    );
    assert_eq!(
        serde_json::from_value::<RelayRequest>(relay["decoded_request"].clone()).unwrap(),
        request
    );
    assert_eq!(
        hex::encode(request_hash(&request)),
        text(&relay["signable_hash"]),
        "{label}"
    );
    let session = header(&relay["session_header"]);
    assert_eq!(request.meta.session_header.as_ref(), Some(&session), "{label}");
    let signature = RingSignature::parse(&request.meta.signature).unwrap();
    let members: Vec<String> = signature.keys().map(hex::encode).collect();
    assert_eq!(serde_json::json!(members), relay["ring"], "{label}");
    assert_eq!(
        verifier.verify(&signature, &request_hash(&request)),
        Ok(()),
        "{label}"
    );
    let http = HttpRequest::decode(request.payload.clone()).unwrap();
    assert_eq!(http.encode(), request.payload, "{label}");

    let response = RelayResponse::decode(Bytes::from(bytes(&relay["http_response"]["body"]))).unwrap();
    assert_eq!(
        hex::encode(response.encode_to_vec()),
        text(&relay["http_response"]["body"]),
        "{label}"
    );
    let check = &relay["response_check"];
    assert_eq!(
        hex::encode(response_hash(&response)),
        text(&check["signable_hash"]),
        "{label}"
    );
    assert_eq!(
        payload_hash(&response.payload),
        hash(&check["payload_hash"]),
        "{label}"
    );
    let supplier = PublicKey::from_bytes(&bytes(&keys["op1"]["public_key"])).unwrap();
    assert_eq!(verify_response(&response, &session, &supplier), Ok(()), "{label}");
    assert_eq!(
        HttpResponse::decode(response.payload.clone()).unwrap().encode(),
        response.payload,
        "{label}"
    );

    let leaf = relay_bytes(&request, &response);
    assert_eq!(hex::encode(&leaf), text(&relay["leaf"]["value"]), "{label}");
    assert_eq!(relay_hash(&leaf), hash(&relay["leaf"]["key"]), "{label}");
    assert_eq!(
        Relay::decode(leaf.as_slice()).unwrap().encode_to_vec(),
        leaf,
        "{label}"
    );
}

#[test]
fn relays_of_the_classic_miner_verify() {
    let golden = load("chain_relays");
    let verifier = RingVerifier::new(16);
    for relay in list(&golden["good_and_mined"]) {
        check_recorded(relay, &golden["keys"], &verifier);
    }
    let mut refused = 0;
    for relay in list(&golden["bad_lazy_mode"])
        .iter()
        .chain(list(&golden["bad_eager_mode"]))
    {
        let label = text(&relay["label"]);
        if relay.get("leaf").is_some() {
            check_recorded(relay, &golden["keys"], &verifier);
            continue;
        }
        let body = Bytes::from(bytes(&relay["http_response"]["body"]));
        let answer = RelayResponse::decode(body).unwrap();
        let decoded: RelayResponse = serde_json::from_value(relay["decoded_response"].clone()).unwrap();
        assert_eq!(answer, decoded, "{label}");
        let error = answer.relay_miner_error.clone().unwrap();
        assert_eq!(
            error_response(answer.meta.session_header.clone(), error),
            answer,
            "{label}"
        );
        let supplier = PublicKey::from_bytes(&bytes(&golden["keys"]["op1"]["public_key"])).unwrap();
        let session = answer.meta.session_header.clone().unwrap();
        assert!(verify_response(&answer, &session, &supplier).is_err(), "{label}");
        refused += 1;
    }
    assert!(refused >= 30, "{refused}");
}

#[test]
fn what_the_classic_miner_refused_is_refused_here_by_the_same_rule() {
    let golden = load("chain_relays");
    let relay = |label: &str| {
        list(&golden["bad_eager_mode"])
            .iter()
            .find(|relay| relay["label"] == label)
            .unwrap()
    };
    let request = |label: &str| {
        RelayRequest::decode(Bytes::from(bytes(&relay(label)["http_request"]["body"])))
            .map_err(|_| "undecodable")
    };
    for label in ["garbage", "truncated"] {
        assert_eq!(request(label), Err("undecodable"), "{label}");
    }
    assert_eq!(
        validate_request(&request("empty_body").unwrap()),
        Err(RelayError::NoSessionHeader)
    );
    assert_eq!(
        validate_request(&request("no_signature").unwrap()),
        Err(RelayError::NoRequestSignature)
    );
    // The bit lies in the key image, which is a point no more.
    let broken = request("bad_ring_signature_bit").unwrap();
    assert!(RingSignature::parse(&broken.meta.signature).is_err());
    let verdict = RingSignature::read(&broken.meta.signature)
        .and_then(|signature| RingVerifier::new(4).verify(&signature, &request_hash(&broken)));
    assert_eq!(verdict, Err(crate::ring::RingError::BadImage));
    let expected: Vec<[u8; 33]> = ["app1", "gateway1"]
        .iter()
        .map(|name| bytes(&golden["keys"][*name]["public_key"]).try_into().unwrap())
        .collect();
    for label in ["ring_with_stranger", "ring_of_other_app"] {
        let signature = RingSignature::parse(&request(label).unwrap().meta.signature).unwrap();
        assert!(signature.check_members(&expected).is_err(), "{label}");
    }
    assert!(HttpRequest::decode(request("payload_not_http_message").unwrap().payload).is_err());
}

#[test]
fn relays_and_streams_of_the_ha_miner_verify() {
    let golden = load("chain_relays_ha");
    let supplier = PublicKey::from_bytes(&bytes(&golden["keys"]["op1"]["public_key"])).unwrap();
    let session = header(&golden["session"]["header"]);
    let (mut single, mut streamed) = (0, 0);
    for relay in list(&golden["relays"]) {
        let label = text(&relay["label"]);
        let body = bytes(&relay["http_response"]["body"]);
        if let Some(check) = relay.get("check") {
            let response = RelayResponse::decode(body.as_slice()).unwrap();
            assert_eq!(
                hex::encode(response_hash(&response)),
                text(&check["signable_hash"]),
                "{label}"
            );
            assert_eq!(verify_response(&response, &session, &supplier), Ok(()), "{label}");
            single += 1;
        }
        if let Some(parts) = relay.get("stream_parts") {
            let mut splitter = Splitter::new(1 << 20);
            splitter.push(&body);
            for wanted in list(parts) {
                let part = splitter.next_part().unwrap().unwrap();
                assert_eq!(hex::encode(&part), text(&wanted["hex"]), "{label}");
                let response = RelayResponse::decode(part).unwrap();
                assert_eq!(verify_response(&response, &session, &supplier), Ok(()), "{label}");
                streamed += 1;
            }
            assert_eq!(splitter.next_part(), Ok(None));
            assert_eq!(splitter.finish(), Ok(None));
        }
    }
    assert!(single >= 5 && streamed >= 10, "{single} {streamed}");
}

#[test]
fn a_flipped_bit_in_an_answer_never_verifies() {
    let golden = load("relay_messages");
    let supplier = PublicKey::from_bytes(&key(&golden["keys"]["supplier_operator"]).public_key()).unwrap();
    let signed = bytes(&golden["relay"]["response"]["signed_protobuf_sent_to_gateway"]);
    let session = RelayResponse::decode(signed.as_slice())
        .unwrap()
        .meta
        .session_header
        .unwrap();
    for bit in 0..signed.len() * 8 {
        let mut flipped = signed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(response) = RelayResponse::decode(flipped.as_slice()) {
            assert!(
                verify_response(&response, &session, &supplier).is_err(),
                "bit {bit}"
            );
        }
    }
}

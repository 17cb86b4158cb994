//! Answers of the real miners, as recorded on the wire.

use hearth_pocket::{PublicKey, message::session::SessionHeader, payload::HttpResponse};
use proptest::prelude::*;
use serde_json::Value;

use crate::{
    answer::{AnswerReader, Limits},
    error::SupplierError,
    refusal::{Refusal, RefusalReason},
    stream_check::StreamCheck,
};

fn load(name: &str) -> Value {
    let path = format!("{}/../../tests/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn reader(header: &Value, keys: &Value) -> AnswerReader {
    let header: SessionHeader = serde_json::from_value(header.clone()).unwrap();
    let supplier = PublicKey::from_bytes(&bytes(&keys["op1"]["public_key"])).unwrap();
    let limits = Limits {
        part_bytes: 1 << 20,
        answer_bytes: 1 << 24,
        parts: 1 << 16,
    };
    AnswerReader::new(header, supplier, limits)
}

/// All bodies of an answer that arrives in pieces of `step` bytes.
fn read(mut reader: AnswerReader, body: &[u8], step: usize) -> Result<Vec<u8>, SupplierError> {
    let mut text = Vec::new();
    for piece in body.chunks(step) {
        reader.push(piece)?;
        while let Some(part) = reader.next_part()? {
            text.extend_from_slice(&part.body);
        }
    }
    if let Some(part) = reader.finish()? {
        text.extend_from_slice(&part.body);
    }
    Ok(text)
}

#[test]
fn answers_of_the_classic_miner_are_read() {
    let golden = load("chain_relays");
    let mut refusals = 0;
    for list in ["good_and_mined", "bad_lazy_mode", "bad_eager_mode"] {
        for relay in golden[list].as_array().unwrap() {
            let label = relay["label"].as_str().unwrap();
            let body = bytes(&relay["http_response"]["body"]);
            let own = &relay["session_header"];
            let header = if own.is_null() {
                &golden["sessions"]["app1"]["header"]
            } else {
                own
            };
            let error = &relay["decoded_response"]["relay_miner_error"];
            let verdict = read(reader(header, &golden["keys"]), &body, 64);
            if error.is_null() {
                assert!(!verdict.unwrap().is_empty(), "{label}");
                continue;
            }
            let Err(SupplierError::Refused(refusal)) = verdict else {
                panic!("{label}: not refused")
            };
            let wanted = match label {
                "bad_ring_signature_bit" | "ring_with_stranger" | "ring_of_other_app" => RefusalReason::Ring,
                "wrong_supplier" | "unknown_supplier" => RefusalReason::WrongSupplier,
                "unknown_service" => RefusalReason::UnknownService,
                "garbage" | "empty_body" | "truncated" | "no_signature" => RefusalReason::BadRequest,
                "backend_slow_times_out" => RefusalReason::Timeout,
                "service_of_other_session" => RefusalReason::NotStaked,
                "over_the_meter" => RefusalReason::Exhausted,
                "rpc_type_text" | "payload_not_http_message" => RefusalReason::Backend,
                _ => RefusalReason::Session,
            };
            assert_eq!(refusal.why, wanted, "{label}: {refusal}");
            refusals += 1;
        }
    }
    assert!(refusals >= 30, "{refusals}");
}

#[test]
fn answers_of_the_ha_miner_are_read() {
    let golden = load("chain_relays_ha");
    let header = &golden["session"]["header"];
    let mut streams = 0;
    for relay in golden["relays"].as_array().unwrap() {
        let label = relay["label"].as_str().unwrap();
        let status = u16::try_from(relay["http_response"]["status"].as_u64().unwrap()).unwrap();
        let body = bytes(&relay["http_response"]["body"]);
        if relay.get("check").is_some() {
            assert!(
                !read(reader(header, &golden["keys"]), &body, 50)
                    .unwrap()
                    .is_empty(),
                "{label}"
            );
        } else if let Some(parts) = relay.get("stream_parts") {
            let text = read(reader(header, &golden["keys"]), &body, 17).unwrap();
            assert!(text.ends_with(b"data: [DONE]\n\n"), "{label}");
            let mut all = reader(header, &golden["keys"]);
            all.push(&body).unwrap();
            let mut stream = StreamCheck::new(true);
            while let Some(part) = all.next_part().unwrap() {
                stream.take(&part.body).unwrap();
            }
            assert!(stream.is_done() && all.status() == 200, "{label}");
            assert_eq!(all.delivered().parts as usize, parts.as_array().unwrap().len());
            // The same bytes for another session are refused.
            let other = serde_json::json!({ "session_id": "00" });
            assert!(matches!(
                read(reader(&other, &golden["keys"]), &body, 17),
                Err(SupplierError::Unverified(_))
            ));
            streams += 1;
        } else if status != 200 && label != "get_ready_nope" {
            let wanted = match label {
                "backend_500" => RefusalReason::Backend,
                "rpc_type_unconfigured" => RefusalReason::Unavailable,
                "bad_ring_signature" | "ring_with_stranger" => RefusalReason::Ring,
                "wrong_session_id"
                | "forged_end_height"
                | "expired_session_heights"
                | "start_height_zero" => RefusalReason::Session,
                "wrong_supplier" => RefusalReason::WrongSupplier,
                "unknown_service" => RefusalReason::UnknownService,
                _ => RefusalReason::BadRequest,
            };
            let refusal = Refusal::http(status, &body);
            assert_eq!(refusal.why, wanted, "{label}: {refusal}");
        }
    }
    assert_eq!(streams, 2);
}

#[test]
fn a_flipped_bit_in_a_stream_is_never_passed_on() {
    let golden = load("chain_relays_ha");
    let relays = golden["relays"].as_array().unwrap();
    let stream = relays
        .iter()
        .find(|relay| relay["label"] == "sse_stream")
        .unwrap();
    let body = bytes(&stream["http_response"]["body"]);
    let good = read(reader(&golden["session"]["header"], &golden["keys"]), &body, 4096).unwrap();
    for at in (0..body.len()).step_by(7) {
        let mut flipped = body.clone();
        flipped[at] ^= 1 << (at % 8);
        let mut reader = reader(&golden["session"]["header"], &golden["keys"]);
        reader.push(&flipped).unwrap();
        let mut passed = Vec::new();
        let failed = loop {
            match reader.next_part() {
                Ok(Some(part)) => passed.extend_from_slice(&part.body),
                Ok(None) => break reader.finish().is_err(),
                Err(_) => break true,
            }
        };
        assert!(failed, "byte {at}");
        assert!(good.starts_with(&passed), "byte {at}");
    }
    assert!(HttpResponse::decode(body.into()).is_err());
}

proptest! {
    #[test]
    fn rubbish_is_refused_and_never_panics(
        bytes in proptest::collection::vec(any::<u8>(), 1..400),
        status in 201..600u16,
        step in 1..64usize,
    ) {
        let golden = serde_json::json!({ "op1": { "public_key": hex::encode(super::chain::key(1).public_key()) } });
        let read = read(reader(&serde_json::json!({}), &golden), &bytes, step);
        prop_assert!(read.is_err());
        let refusal = Refusal::http(status, &bytes);
        prop_assert!(refusal.text.chars().count() <= 301 && !refusal.text.chars().any(char::is_control));
    }
}

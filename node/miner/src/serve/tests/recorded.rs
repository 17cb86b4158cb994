//! Bad relays as the official miners were sent them, byte for byte: our refusals mean the same.

use hearth_pocket::{
    SecretKey,
    message::{
        relay::{RelayRequest, RelayResponse},
        session::{Session, SessionHeader},
    },
};
use prost::Message as _;
use serde_json::Value;

use super::super::{
    tests::{NullBackend, Stage, limits, refusal},
    *,
};
use crate::testing::TableChain;

pub(super) fn load(name: &str) -> Value {
    let path = format!("{}/../../tests/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn body(relay: &Value) -> Bytes {
    bytes(&relay["http_request"]["body"]).into()
}

/// The header that a recorded request carries.
fn header(relay: &Value) -> SessionHeader {
    let request = RelayRequest::decode(body(relay)).unwrap();
    request.meta.session_header.unwrap()
}

/// The recorded supplier on a chain with these sessions, each like the recorded one but for its header.
async fn stage(height: u64, like: &Value, headers: Vec<SessionHeader>, stake: Option<&str>) -> Stage {
    let keys = &load("chain_relays")["keys"];
    let chain = TableChain::new(height);
    let like: Session = serde_json::from_value(like.clone()).unwrap();
    {
        let mut state = chain.state();
        state.recorded = headers
            .into_iter()
            .map(|header| {
                let mut session = like.clone();
                if let (Some(application), Some(stake)) = (&mut session.application, stake) {
                    application.stake.as_mut().unwrap().amount = stake.to_owned();
                }
                session.header = Some(header);
                session
            })
            .collect();
        state.keys = keys
            .as_object()
            .unwrap()
            .values()
            .map(|key| {
                let public = bytes(&key["public_key"]).try_into().unwrap();
                (key["address"].as_str().unwrap().to_owned(), public)
            })
            .collect();
    }
    let operator = bytes(&keys["op1"]["private_key"]).try_into().unwrap();
    let operator = SecretKey::from_bytes(&operator).unwrap();
    let limits = ServiceConfig {
        first_byte_within: Duration::from_millis(200),
        answer_within: Duration::from_millis(400),
        ..limits()
    };
    let services = [("hearth-llm", limits), ("hearth-alt", limits)];
    let backend = Arc::new(NullBackend::default());
    Stage::on(chain, operator, &services, backend, |_| ()).await
}

/// What the classic miner would call our refusals.
fn classic_name(code: &str) -> (&'static str, u32) {
    match code {
        "garbage" => ("relayer_proxy", 14),
        "invalid" => ("service", 1111),
        "payload" => ("relayer_proxy", 5),
        "other_supplier" => ("relayer_proxy", 9),
        "unknown_service" => ("relayer_proxy", 3),
        "ring" => ("rings", 3),
        "expired" | "other_session" => ("relay_authenticator", 1),
        "no_session" => ("query", 3),
        "over_meter" => ("relayer_proxy", 7),
        "total_time" => ("relayer_proxy", 10),
        other => panic!("{other} is new"),
    }
}

/// What is refused, and as what, by the classic miner that checks first. It says so at status 200, for which it is
/// banned by PATH; we say it by the status.
#[tokio::test]
async fn bad_relays_of_the_classic_recording_are_refused_as_there() {
    /// Where we differ, and why.
    const DIFFERENT: [(&str, &str); 2] = [
        (
            "rpc_type_text",
            "the high-availability miner serves it, and so do we: the header chooses among backends, we have one",
        ),
        (
            "backend_slow_times_out",
            "its route is none of OpenAI's API: a signed 404, whatever a backend there would do",
        ),
    ];
    let golden = load("chain_relays");
    let relays = golden["bad_eager_mode"].as_array().unwrap();
    let labelled = |label: &str| relays.iter().find(|relay| relay["label"] == label).unwrap();
    let usual = vec![
        header(labelled("good_first")),
        header(labelled("expired_session")),
    ];
    let usual = stage(622, &golden["sessions"]["app1"], usual, None).await;
    let spent = vec![header(labelled("over_the_meter"))];
    let spent = stage(645, &golden["sessions"]["app3"], spent, Some("1000")).await;
    let mut n_refused = 0;
    for relay in relays {
        let label = relay["label"].as_str().unwrap();
        let stage = if label == "over_the_meter" { &spent } else { &usual };
        let reply = Arc::clone(&stage.server).serve(Ok(body(relay))).await;
        let ours = refusal(reply);
        let recorded = RelayResponse::decode(Bytes::from(bytes(&relay["http_response"]["body"]))).unwrap();
        let theirs = recorded
            .relay_miner_error
            .map(|error| (error.codespace, error.code));
        if DIFFERENT.iter().any(|(different, _)| *different == label) {
            assert!(ours.is_none() && theirs.is_some(), "{label}");
            continue;
        }
        n_refused += usize::from(ours.is_some());
        let ours = ours.map(|refused| {
            assert!(refused.status >= 400, "{label}: {refused:?}");
            let (codespace, code) = classic_name(&refused.code);
            (codespace.to_owned(), code)
        });
        assert_eq!(ours, theirs, "{label}");
    }
    assert_eq!(n_refused, 18);
}

/// What the high-availability miner says by its status.
#[tokio::test]
async fn bad_relays_of_the_other_recording_are_refused_as_there() {
    /// Where we differ, and why.
    const DIFFERENT: [(&str, &str); 2] = [
        (
            "backend_500",
            "theirs keeps the backend's status, ours says whose fault it is: 502",
        ),
        (
            "rpc_type_unconfigured",
            "we do as the classic miner: the header chooses among backends, we have one",
        ),
    ];
    let golden = load("chain_relays_ha");
    let relays = golden["relays"].as_array().unwrap();
    let labelled = |label: &str| relays.iter().find(|relay| relay["label"] == label).unwrap();
    let sessions = vec![
        serde_json::from_value(golden["session"]["header"].clone()).unwrap(),
        header(labelled("expired_session_heights")),
    ];
    let stage = stage(484, &golden["session"], sessions, None).await;
    let mut n_refused = 0;
    for relay in relays {
        let label = relay["label"].as_str().unwrap();
        if relay["http_request"]["method"] != "POST" {
            continue;
        }
        let theirs = relay["http_response"]["status"].as_u64().unwrap();
        let ours = match Readable::read(body(relay)) {
            Ok(readable) => Arc::clone(&stage.server).answer(readable).await,
            Err(refusal) => Err(refusal),
        };
        let status = match &ours {
            Ok(reply) => reply.status,
            Err(refusal) => refusal.status(),
        };
        if DIFFERENT.iter().any(|(different, _)| *different == label) {
            assert_ne!(u64::from(status), theirs, "{label}");
            continue;
        }
        let why = ours.as_ref().err();
        assert_eq!(u64::from(status), theirs, "{label}: {why:?}");
        n_refused += usize::from(why.is_some());
    }
    assert_eq!(n_refused, 10);
}

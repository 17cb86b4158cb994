//! Whole relays through the server: what is served, what is refused and how, and what a full disk does.

#![allow(clippy::too_many_lines, reason = "a table of cases")]

use hearth_base::{Clock, Tasks};
use hearth_pocket::{
    PublicKey, Ring, SecretKey,
    message::{relay::RelayResponse, shared::ServiceConfigUpdate},
    payload::{Headers, HttpResponse},
    relay::{sign_request, verify_response},
    stream::Splitter,
};
use hearth_store::Store;

use super::*;
use crate::{
    Config, EarningState, FixedKey, Miner, ServiceConfig,
    testing::{MemoryDisk, TableChain, key},
};

/// A miner on a table of a chain and a disk in memory, which earns.
struct Bench {
    miner: Miner,
    chain: Arc<TableChain>,
    disk: MemoryDisk,
    http: reqwest::Client,
    tasks: Tasks,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Bench {
        Bench::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Bench {
        hearth_base::tls::init();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(hearth_store::Config {
            path: folder.path().join("hearth.db"),
            chain_id: "test".into(),
            max_pages: None,
        });
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let mut config = Config::new(port, folder.path().to_owned());
        config
            .services
            .insert(ServiceId::new("svc"), ServiceConfig::default());
        config.max_request_bytes = 100_000;
        change(&mut config);
        let (chain, disk, tasks) = (TableChain::new(25), MemoryDisk::default(), Tasks::root());
        let store = store.await.unwrap();
        let miner = Miner::start_on(
            Arc::new(disk.clone()),
            config,
            None,
            &store,
            Arc::new(FixedKey(Arc::new(key(3)))),
            Arc::clone(&chain) as Arc<dyn crate::Network>,
            chain.outbox(&store, &Clock::system()),
            Arc::new(hearth_answers::NullBackend::default()),
            Clock::system(),
            tasks.clone(),
        )
        .unwrap();
        miner.earn_start().await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let bench = Bench {
            miner,
            chain,
            disk,
            http,
            tasks,
            _folder: folder,
        };
        bench.wait(|state| *state == EarningState::Idle).await;
        bench
    }

    async fn wait(&self, wanted: impl Fn(&EarningState) -> bool) {
        let mut state = self.miner.state();
        let reached = state.wait_for(|earning| wanted(&earning.state));
        let reached = tokio::time::timeout(Duration::from_secs(10), reached)
            .await
            .map(drop);
        assert!(reached.is_ok(), "{:?}", self.miner.state().borrow());
    }

    async fn post(&self, body: Vec<u8>) -> (u16, Bytes) {
        let answer = self
            .http
            .post(self.miner.relay_url())
            .body(body)
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap())
    }

    /// Asks until the answer is this one: the record is looked at beside the answers.
    async fn becomes(&self, wanted: &(u16, String)) {
        for _ in 0..200 {
            let (status, body) = self.post(good(payload(false)).encode_to_vec()).await;
            let said: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
            let code = said["code"].as_str().unwrap_or_default().to_owned();
            if (status, code) == *wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("never {wanted:?}");
    }

    /// Sends a request and expects a refusal: its status and code.
    async fn refused(&self, request: &RelayRequest) -> (u16, String) {
        self.refused_bytes(request.encode_to_vec()).await
    }

    async fn refused_bytes(&self, body: Vec<u8>) -> (u16, String) {
        let (status, body) = self.post(body).await;
        let said: serde_json::Value = serde_json::from_slice(&body).expect("a refusal is JSON");
        assert!(said["error"].is_string());
        (status, said["code"].as_str().unwrap().to_owned())
    }

    /// Sends a request and expects an answer.
    async fn served(&self, request: &RelayRequest) {
        let (status, body) = self.post(request.encode_to_vec()).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        let response = RelayResponse::decode(body).unwrap();
        assert!(!response.meta.supplier_operator_signature.is_empty());
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

fn payload(stream: bool) -> Bytes {
    let mut headers: Headers = [("Content-Type".to_owned(), vec!["application/json".to_owned()])].into();
    if stream {
        headers.insert("Accept".to_owned(), vec!["text/event-stream".to_owned()]);
    }
    let body = format!(r#"{{"model":"svc","messages":[],"stream":{stream}}}"#);
    HttpRequest {
        method: "POST".to_owned(),
        headers,
        url: "http://gateway/v1/chat/completions".to_owned(),
        body: Bytes::from(body),
    }
    .encode()
}

fn ring(keys: &[u8]) -> Ring {
    let keys: Vec<[u8; 33]> = keys.iter().map(|number| key(*number).public_key()).collect();
    Ring::new(&keys).unwrap()
}

fn sign(signer: &SecretKey, ring: &Ring, header: SessionHeader, payload: Bytes) -> RelayRequest {
    sign_request(signer, ring, header, key(3).address().as_str(), payload).unwrap()
}

fn good(payload: Bytes) -> RelayRequest {
    sign(&key(2), &ring(&[1, 2]), TableChain::header(25), payload)
}

fn supplier_key() -> PublicKey {
    PublicKey::from_bytes(&key(3).public_key()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_relay_is_answered_signed_and_in_the_evidence() {
    let bench = Bench::start().await;
    let (status, body) = bench.post(good(payload(false)).encode_to_vec()).await;
    assert_eq!(status, 200);
    let response = RelayResponse::decode(body).unwrap();
    verify_response(&response, &TableChain::header(25), &supplier_key()).unwrap();
    let http = HttpResponse::decode(response.payload).unwrap();
    assert_eq!(http.status, 200);
    assert_eq!(http.header("content-type"), Some("application/json"));

    let entries = bench
        .miner
        .relays(&TableChain::header(25).session_id)
        .await
        .unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].tokens, Some(1));
    let sessions = bench.miner.sessions(10, 0).await.unwrap();
    assert_eq!((sessions.len(), sessions[0].answers), (1, 1));
    assert!(sessions[0].estimated);
    // The session was asked for once, for many relays.
    for _ in 0..5 {
        assert_eq!(bench.post(good(payload(false)).encode_to_vec()).await.0, 200);
    }
    assert_eq!(bench.chain.state().n_sessions_asked, 1);
    assert_eq!(bench.miner.figures().answered, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_comes_in_signed_batches_and_is_one_relay() {
    let bench = Bench::start().await;
    let (status, body) = bench.post(good(payload(true)).encode_to_vec()).await;
    assert_eq!(status, 200);
    let mut splitter = Splitter::new(1 << 20);
    splitter.push(&body);
    let mut text = Vec::new();
    while let Some(part) = splitter.next_part().unwrap() {
        let response = RelayResponse::decode(part).unwrap();
        verify_response(&response, &TableChain::header(25), &supplier_key()).unwrap();
        text.extend_from_slice(&HttpResponse::decode(response.payload).unwrap().body);
    }
    assert!(
        text.ends_with(b"data: [DONE]\n\n"),
        "{}",
        String::from_utf8_lossy(&text)
    );
    let entries = bench
        .miner
        .relays(&TableChain::header(25).session_id)
        .await
        .unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].bytes_out, text.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_relays_are_refused_with_the_codes_of_the_official_miners() {
    let bench = Bench::start().await;
    let code = |status: u16, code: &str| (status, code.to_owned());
    let header = || TableChain::header(25);
    assert_eq!(
        bench.refused_bytes(b"not a protobuf".to_vec()).await,
        code(400, "garbage")
    );
    assert_eq!(
        bench
            .refused_bytes(good(payload(false)).encode_to_vec()[..50].to_vec())
            .await,
        code(400, "garbage")
    );
    assert_eq!(bench.refused_bytes(Vec::new()).await, code(400, "invalid"));
    assert_eq!(
        bench.refused_bytes(vec![0; 100_001]).await,
        code(413, "too_large")
    );

    let mut unsigned = good(payload(false));
    unsigned.meta.signature.clear();
    assert_eq!(bench.refused(&unsigned).await, code(400, "invalid"));
    let mut other_supplier = good(payload(false));
    other_supplier.meta.supplier_operator_address = key(4).address().to_string();
    assert_eq!(bench.refused(&other_supplier).await, code(503, "other_supplier"));
    let unknown = SessionHeader {
        service_id: "nope".to_owned(),
        ..header()
    };
    let unknown = sign(&key(2), &ring(&[1, 2]), unknown, payload(false));
    assert_eq!(bench.refused(&unknown).await, code(404, "unknown_service"));

    let mut broken = good(payload(false));
    broken.meta.signature[80] ^= 1;
    assert_eq!(bench.refused(&broken).await, code(403, "ring"));
    let stranger = sign(&key(4), &ring(&[1, 4]), header(), payload(false));
    assert_eq!(bench.refused(&stranger).await, code(403, "ring"));
    let other_payload = RelayRequest {
        payload: payload(true),
        ..good(payload(false))
    };
    assert_eq!(bench.refused(&other_payload).await, code(403, "ring"));

    for (name, change) in [
        (
            "id",
            (|header| header.session_id = "0".repeat(64)) as fn(&mut SessionHeader),
        ),
        ("end", |header| header.session_end_block_height += 1),
        ("start", |header| header.session_start_block_height -= 1),
        ("future", |header| {
            header.session_start_block_height += 10;
            header.session_end_block_height += 10;
        }),
    ] {
        let mut forged = header();
        change(&mut forged);
        let request = sign(&key(2), &ring(&[1, 2]), forged, payload(false));
        assert_eq!(
            bench.refused(&request).await,
            code(403, "other_session"),
            "{name}"
        );
    }
    let expired = sign(&key(2), &ring(&[1, 2]), TableChain::header(15), payload(false));
    assert_eq!(bench.refused(&expired).await, code(403, "expired"));
    let other_app = SessionHeader {
        application_address: key(4).address().to_string(),
        ..header()
    };
    let other_app = sign(&key(2), &ring(&[1, 2]), other_app, payload(false));
    assert_eq!(bench.refused(&other_app).await, code(403, "no_session"));
    let not_http = good(Bytes::from_static(b"\xff\xff\xff"));
    assert_eq!(bench.refused(&not_http).await, code(400, "payload"));
    assert!(bench.miner.relays(&header().session_id).await.unwrap().is_empty());

    // After all that a good one still passes, and the grace period counts.
    assert_eq!(bench.post(good(payload(false)).encode_to_vec()).await.0, 200);
    bench.chain.set_height(31);
    bench.served(&good(payload(false))).await;
    bench.chain.set_height(32);
    assert_eq!(bench.refused(&good(payload(false))).await, code(403, "expired"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_meter_the_gateways_and_an_outage() {
    let bench = Bench::start().await;
    // 4,200 upokt a relay; one pending session, one supplier: three relays.
    bench.chain.state().stake = 3 * 4_200 + 1;
    for _ in 0..3 {
        bench.served(&good(payload(false))).await;
    }
    assert_eq!(
        bench.refused(&good(payload(false))).await,
        (429, "over_meter".to_owned())
    );

    // A gateway that is added may sign from the next block on.
    bench.chain.state().stake = 10_000_000_000;
    bench.chain.set_height(41);
    let by_new = || sign(&key(4), &ring(&[1, 4]), TableChain::header(41), payload(false));
    assert_eq!(bench.refused(&by_new()).await, (403, "ring".to_owned()));
    bench.chain.state().gateways.push(key(4).address().to_string());
    bench.chain.set_height(42);
    bench.served(&by_new()).await;

    bench.chain.state().down = true;
    bench.chain.set_height(61);
    let unknown = sign(&key(2), &ring(&[1, 2]), TableChain::header(61), payload(false));
    assert_eq!(bench.refused(&unknown).await, (503, "no_chain".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_chain_will_not_pay_any_more_is_not_answered() {
    let bench = Bench::start().await;
    bench.served(&good(payload(false))).await;
    // Unstaked, or without this service, from the next session on: this one is settled after that.
    let ends = |at: i64| {
        let mut state = bench.chain.state();
        let supplier = state.supplier.as_mut().unwrap();
        let service = supplier.services.first().cloned();
        supplier.service_config_history = vec![ServiceConfigUpdate {
            operator_address: supplier.operator_address.clone(),
            service,
            activation_height: 1,
            deactivation_height: at,
        }];
    };
    ends(31);
    bench.chain.set_height(26);
    let retired = (503, "retired".to_owned());
    bench.becomes(&retired).await;
    // Staked for again it is answered again.
    ends(0);
    bench.chain.set_height(27);
    bench.becomes(&(200, String::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_without_a_gateway_signs_alone() {
    let bench = Bench::start().await;
    bench.chain.state().gateways.clear();
    // Three relays are what its stake pays in a session, as with a gateway.
    bench.chain.state().stake = 3 * 4_200 + 1;
    let alone = || sign(&key(1), &ring(&[1, 1]), TableChain::header(25), payload(false));
    for _ in 0..3 {
        bench.served(&alone()).await;
    }
    assert_eq!(bench.refused(&alone()).await, (429, "over_meter".to_owned()));
    assert_eq!(
        bench.miner.sessions(10, 0).await.unwrap()[0].answers,
        3,
        "it is billed"
    );

    // The key that completes its ring on the chain is everybody's: such a ring says nothing of who asked. Neither does
    // the key of a gateway that it has not.
    let both = Ring::new(&[key(1).public_key(), PLACEHOLDER_PUBLIC_KEY]).unwrap();
    let anybody = sign(&key(1), &both, TableChain::header(25), payload(false));
    assert_eq!(bench.refused(&anybody).await, (403, "no_gateway".to_owned()));
    let gateway = sign(&key(2), &ring(&[1, 2]), TableChain::header(25), payload(false));
    assert_eq!(bench.refused(&gateway).await, (403, "ring".to_owned()));

    // With a gateway of its own the application still signs alone, and the gateway may, too.
    bench.chain.state().stake = 10_000_000_000;
    bench.chain.state().gateways.push(key(2).address().to_string());
    bench.chain.set_height(41);
    for (signer, members) in [(1, [1, 1]), (2, [1, 2])] {
        let request = sign(
            &key(signer),
            &ring(&members),
            TableChain::header(41),
            payload(false),
        );
        bench.served(&request).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_the_relay_and_turns_earning_off() {
    let bench = Bench::start().await;
    let (_, _) = bench.post(good(payload(false)).encode_to_vec()).await;
    let length = bench.disk.len();
    bench.disk.state().limit = Some(length + 10);
    assert_eq!(
        bench.refused(&good(payload(false))).await,
        (500, "evidence".to_owned())
    );
    bench.wait(|state| matches!(state, EarningState::Off(_))).await;
    assert_eq!(bench.miner.state().borrow().why(), Some("disk_low"));
    assert_eq!(
        bench
            .miner
            .relays(&TableChain::header(25).session_id)
            .await
            .unwrap()
            .len(),
        1
    );
    // Once there is room again, it goes on by itself.
    bench.disk.state().limit = None;
    bench.wait(|state| *state == EarningState::Idle).await;
    bench.served(&good(payload(false))).await;
    assert_eq!(
        bench
            .miner
            .relays(&TableChain::header(25).session_id)
            .await
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_port_is_open_only_while_it_earns() {
    let bench = Bench::start().await;
    let health = bench
        .http
        .get(bench.miner.relay_url().join("health").unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(health.status(), 200);
    bench.miner.earn_stop().await.unwrap();
    bench.wait(|state| matches!(state, EarningState::Off(_))).await;
    let mut closed = false;
    for _ in 0..50 {
        let fresh = reqwest::Client::builder().no_proxy().build().unwrap();
        closed = fresh.get(bench.miner.relay_url()).send().await.is_err();
        if closed {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(closed, "the port is still open");
    bench.miner.earn_start().await.unwrap();
    bench.wait(|state| *state == EarningState::Idle).await;
    assert_eq!(bench.post(good(payload(false)).encode_to_vec()).await.0, 200);
}

#[test]
fn an_answer_goes_in_parts_only_to_who_says_so() {
    let accepts = |name: &str, accept: &str| {
        let http = HttpRequest {
            method: "POST".to_owned(),
            headers: [(name.to_owned(), vec![accept.to_owned()])].into(),
            url: "/v1/chat/completions".to_owned(),
            body: r#"{"stream": true}"#.into(),
        };
        let request = RelayRequest {
            payload: http.encode(),
            ..good(Bytes::new())
        };
        Readable::read(request.encode_to_vec().into())
            .unwrap()
            .accepts_parts()
    };
    assert!(accepts("Accept", "text/event-stream"));
    assert!(accepts("accept", "application/json, Text/Event-Stream;q=0.9"));
    for (name, accept) in [
        ("Accept", "*/*"),
        ("Accept", "application/json"),
        ("X-Accept", "text/event-stream"),
    ] {
        assert!(!accepts(name, accept), "{name}: {accept}");
    }
}

#[test]
fn what_no_honest_request_has_is_refused_before_anything_is_computed() {
    let read = |request: RelayRequest| {
        Readable::read(request.encode_to_vec().into())
            .unwrap_err()
            .label()
    };
    let headers = (0..300)
        .map(|number| (format!("X-{number}"), Vec::new()))
        .collect();
    let many_headers = HttpRequest {
        method: "POST".to_owned(),
        headers,
        ..HttpRequest::default()
    };
    assert_eq!(read(good(many_headers.encode())), "headers");
    let mut long_id = good(payload(false));
    long_id.meta.session_header.as_mut().unwrap().session_id = "a".repeat(10_000);
    assert_eq!(read(long_id), "invalid");
    // What is said back is short, whatever was sent.
    let supplier = "x".repeat(1 << 20);
    assert!(Refusal::OtherSupplier { supplier }.to_json().len() < 1_000);
}

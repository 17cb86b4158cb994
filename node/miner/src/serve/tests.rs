//! The server without its socket: late answers, slow readers, limits, and what a request may not leave behind.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{StreamExt as _, TryStreamExt as _};
use hearth_answers::{Backend, NullBackend, UrlBackend, UrlSettings};
use hearth_base::Height;
use hearth_pocket::{
    Ring, RingVerifier, SecretKey,
    message::{
        relay::{RelayRequest, RelayResponse},
        session::SessionHeader,
    },
    payload::{HttpRequest, HttpResponse},
    relay::sign_request,
    stream::Splitter,
};
use hearth_store::Store;
use prost::Message as _;
use tokio::sync::Semaphore;

use super::*;
use crate::{
    claim::{self, Inclusion, Outcome, Seal},
    facts::Key,
    session_db::SessionDb,
    sessions::Sessions,
    supplier::{Supplier, Suppliers},
    testing::{MemoryDisk, TableChain, key},
};

mod answers;
mod made;
mod path;
mod recorded;
mod replays;
mod sockets;
mod streams;

use made::{Made, Parts, made};

/// A server on a table of a chain.
pub(super) struct Stage {
    pub(super) server: Arc<Server>,
    pub(super) chain: Arc<TableChain>,
    disk: MemoryDisk,
    tasks: Tasks,
    _folder: tempfile::TempDir,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

pub(super) fn limits() -> ServiceConfig {
    ServiceConfig {
        slots: 2,
        ..ServiceConfig::default()
    }
}

impl Stage {
    pub(super) async fn new(backend: impl Backend) -> Stage {
        Stage::with(backend, limits(), |_| ()).await
    }

    pub(super) async fn with(
        backend: impl Backend,
        limits: ServiceConfig,
        change: impl FnOnce(&mut Server),
    ) -> Stage {
        let services = [("svc", limits)];
        Stage::on(TableChain::new(25), key(3), &services, Arc::new(backend), change).await
    }

    pub(super) async fn on(
        chain: Arc<TableChain>,
        supplier: SecretKey,
        services: &[(&str, ServiceConfig)],
        backend: SharedBackend,
        change: impl FnOnce(&mut Server),
    ) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(hearth_store::Config {
            path: folder.path().join("hearth.db"),
            chain_id: "test".into(),
            max_pages: None,
        });
        let db = SessionDb::new(&store.await.unwrap());
        let (disk, tasks, clock) = (MemoryDisk::default(), Tasks::root(), Clock::system());
        let ledger = Ledger::start(Arc::new(disk.clone()), hearth_store::Problems::default()).unwrap();
        let network = Arc::clone(&chain) as Arc<dyn crate::Network>;
        let sessions = Sessions::new(
            supplier.address().clone(),
            Arc::clone(&network),
            ledger.clone(),
            db.clone(),
            clock.clone(),
        );
        let mut suppliers = Suppliers::default();
        let alone = Supplier::new(Arc::new(sessions));
        alone.open(Arc::new(supplier));
        suppliers.add(Arc::new(alone));
        let places = services
            .iter()
            .map(|(service, config)| (ServiceId::new(*service), Places::new(*config, config.slots)));
        let threads = Arc::new(Threads::start(2).unwrap());
        let mut server = Server {
            config: Arc::new(Config::new(([127, 0, 0, 1], 0).into(), folder.path().to_owned())),
            admission: Admission {
                suppliers: watch::Sender::new(suppliers).subscribe(),
                network,
                verifier: Arc::new(RingVerifier::new(16)),
                shared: threads.shared().clone(),
            },
            backend,
            places: places.collect(),
            threads,
            ledger,
            db,
            clock,
            tasks: tasks.clone(),
            running: watch::Sender::default(),
            counts: Arc::default(),
            trouble: watch::Sender::default(),
        };
        change(&mut server);
        Stage {
            server: Arc::new(server),
            chain,
            disk,
            tasks,
            _folder: folder,
        }
    }

    pub(super) async fn serve(&self, request: &RelayRequest) -> Reply {
        let body = Bytes::from(request.encode_to_vec());
        Arc::clone(&self.server).serve(Ok(body)).await
    }

    async fn refused(&self, request: &RelayRequest) -> Refused {
        refusal(self.serve(request).await).expect("a refusal")
    }

    /// What is signed in answer to a request.
    async fn signed(&self, request: &RelayRequest) -> HttpResponse {
        signed(self.serve(request).await)
    }

    fn counted(&self) -> [u64; 3] {
        let counts = &self.server.counts;
        [&counts.answered, &counts.late, &counts.refused].map(|n| n.load(Ordering::SeqCst))
    }

    fn free(&self) -> usize {
        self.server.places[&ServiceId::new("svc")]
            .free
            .available_permits()
    }

    async fn record(&self) -> Option<crate::Record> {
        self.server.db.record(&session_key()).await.unwrap()
    }
}

/// A refusal: JSON with a status of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) text: String,
}

/// Why a whole answer is a refusal, if it is one; otherwise it is signed.
pub(super) fn refusal(reply: Reply) -> Option<Refused> {
    let status = reply.status;
    if status == 200 {
        signed(reply);
        return None;
    }
    assert_eq!(reply.content_type, "application/json");
    let said: serde_json::Value = serde_json::from_slice(&full(reply)).expect("JSON");
    let text = |name: &str| said[name].as_str().unwrap().to_owned();
    Some(Refused {
        status,
        code: text("code"),
        text: text("error"),
    })
}

/// A whole answer, which is signed for the session of these tests or another.
pub(super) fn signed(reply: Reply) -> HttpResponse {
    assert_eq!(reply.status, 200);
    let response = RelayResponse::decode(full(reply)).unwrap();
    assert!(!response.meta.supplier_operator_signature.is_empty());
    HttpResponse::decode(response.payload).unwrap()
}

/// The text of a stream, each part of which is signed; an error if it has no proper end.
async fn text_of(reply: Reply) -> Result<String, BrokenOff> {
    let ReplyBody::Stream(body) = reply.body else {
        panic!("no stream: {:?}", refusal(reply));
    };
    let body: Vec<Bytes> = body.try_collect().await?;
    let mut splitter = Splitter::new(1 << 20);
    splitter.push(&body.concat());
    let mut text = Vec::new();
    while let Some(part) = splitter.next_part().unwrap() {
        let response = RelayResponse::decode(part).unwrap();
        assert!(!response.meta.supplier_operator_signature.is_empty());
        text.extend_from_slice(&HttpResponse::decode(response.payload).unwrap().body);
    }
    Ok(String::from_utf8(text).unwrap())
}

fn full(reply: Reply) -> Bytes {
    match reply.body {
        ReplyBody::Full(body) => body,
        ReplyBody::Stream(_) => panic!("a stream"),
    }
}

fn session_key() -> Key {
    Key {
        session_id: TableChain::header(25).session_id,
        supplier: key(3).address().to_string(),
    }
}

/// A chat, whose client takes a stream in parts.
fn chat(stream: bool) -> HttpRequest {
    let body = format!(r#"{{"model":"svc","messages":[],"stream":{stream}}}"#);
    let accept = if stream {
        "text/event-stream"
    } else {
        "application/json"
    };
    HttpRequest {
        method: "POST".to_owned(),
        headers: [("Accept".to_owned(), vec![accept.to_owned()])].into(),
        url: "http://gateway/v1/chat/completions".to_owned(),
        body: Bytes::from(body),
    }
}

fn request_in(header: SessionHeader, signer: u8, members: &[u8], stream: bool) -> RelayRequest {
    request_of(header, signer, members, &chat(stream))
}

fn request_of(header: SessionHeader, signer: u8, members: &[u8], http: &HttpRequest) -> RelayRequest {
    let members: Vec<[u8; 33]> = members.iter().map(|number| key(*number).public_key()).collect();
    let (ring, supplier) = (Ring::new(&members).unwrap(), key(3));
    let supplier = supplier.address().as_str();
    sign_request(&key(signer), &ring, header, supplier, http.encode()).unwrap()
}

fn good(stream: bool) -> RelayRequest {
    good_of(&chat(stream))
}

fn good_of(http: &HttpRequest) -> RelayRequest {
    request_of(TableChain::header(25), 2, &[1, 2], http)
}

/// What a chat is answered with.
const ANSWER: &[u8] = br#"{"choices":[{"message":{"content":"a"}}]}"#;
/// A part of a streamed one.
const EVENT: &[u8] = b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
const DONE: &[u8] = b"data: [DONE]\n\n";

async fn soon(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 5 s: {what}");
}

fn url_backend(base: &str) -> UrlBackend {
    hearth_base::tls::init();
    let settings = UrlSettings {
        base: base.parse().unwrap(),
        extra: BTreeMap::new(),
        slots: 2,
        health: None,
        limits: hearth_answers::Limits::default(),
        setting: "miner.backend".to_owned(),
    };
    UrlBackend::new(settings).unwrap()
}

fn parts(parts: impl futures::Stream<Item = Bytes> + Send + 'static) -> Parts {
    parts.map(Ok).boxed()
}

/// Waits until it may go on, as an answer that takes long.
fn after(gate: &Arc<Semaphore>, body: &'static [u8]) -> Parts {
    let gate = Arc::clone(gate);
    parts(futures::stream::once(async move {
        gate.acquire().await.unwrap().forget();
        Bytes::from_static(body)
    }))
}

#[tokio::test]
async fn an_answer_that_ends_after_the_claim_is_finished_for_its_reader_and_counted() {
    for (closed, streamed) in [(false, false), (true, false), (false, true), (true, true)] {
        let gate = Arc::new(Semaphore::new(0));
        let waits = Arc::clone(&gate);
        let stage = Stage::new(made(move |_| {
            if streamed {
                Made::Stream(
                    parts(futures::stream::iter([Bytes::from_static(EVENT)]))
                        .chain(after(&waits, DONE))
                        .boxed(),
                )
            } else {
                Made::Parts(after(&waits, ANSWER))
            }
        }))
        .await;
        let server = Arc::clone(&stage.server);
        let claim = async {
            soon("the answer runs", || !server.running.borrow().answers.is_empty()).await;
            server.ledger.seal(session_key()).await.unwrap();
            if closed {
                server.ledger.close(session_key()).await.unwrap();
            }
            gate.add_permits(1);
        };
        let request = good(streamed);
        let (reply, ()) = tokio::join!(stage.serve(&request), claim);
        if streamed {
            let text = text_of(reply).await.expect("a proper end");
            let utf8 = |bytes| std::str::from_utf8(bytes).unwrap();
            let (event, done) = (utf8(EVENT), utf8(DONE));
            assert!(text.starts_with(event) && text.ends_with(done), "{text}");
        } else {
            assert_eq!(signed(reply).body, ANSWER);
        }
        assert_eq!(
            stage.counted(),
            [1, 1, 0],
            "closed: {closed}, streamed: {streamed}"
        );
        assert_eq!(*stage.server.trouble.borrow(), None, "earning goes on");
        assert_eq!(stage.record().await.unwrap().late, 1);
    }
}

#[tokio::test]
async fn an_answer_in_one_piece_may_take_longer_than_a_first_byte() {
    let limits = ServiceConfig {
        first_byte_within: Duration::from_millis(20),
        answer_within: Duration::from_millis(1_500),
        slots: 2,
        queue: 0,
    };
    let slow = made(|request: Request| {
        Made::Parts(parts(futures::stream::once(async move {
            let stays = request.json().ends_with(b"\"stream\":true}");
            tokio::time::sleep(Duration::from_millis(if stays { 60_000 } else { 150 })).await;
            Bytes::from_static(ANSWER)
        })))
    });
    let stage = Stage::with(slow, limits, |_| ()).await;
    assert_eq!(refusal(stage.serve(&good(false)).await), None);
    // One that is wanted in parts must begin sooner.
    let error = stage.refused(&good(true)).await;
    assert_eq!((error.status, error.code.as_str()), (504, "first_byte"));
}

#[tokio::test]
async fn an_answer_larger_than_the_limit_is_refused() {
    let body = format!(
        r#"{{"choices":[{{"message":{{"content":"{}"}}}}]}}"#,
        "x".repeat(10_000)
    );
    let large = made(move |_| Made::Whole(body.clone().into()));
    let stage = Stage::with(large, limits(), |server| {
        let mut config = (*server.config).clone();
        config.max_answer_bytes = 10_000;
        server.config = Arc::new(config);
    })
    .await;
    let error = stage.refused(&good(false)).await;
    assert_eq!((error.status, error.code.as_str()), (502, "answer_too_large"));
}

#[tokio::test]
async fn a_settled_session_is_not_begun_anew() {
    let stage = Stage::new(NullBackend::default()).await;
    assert_eq!(refusal(stage.serve(&good(false)).await), None);
    let server = &stage.server;
    let sealed = server.ledger.seal(session_key()).await.unwrap();
    let settled = claim::Stage::ClaimIncluded {
        seal: Seal {
            root: sealed.root,
            answers: 1,
            leaves: 1,
            value: hearth_base::Amount::from_upokt(4_200),
        },
        claim: Inclusion {
            tx: "AB".to_owned(),
            height: Height(33),
        },
    }
    .end(Outcome::Settled { paid: None });
    let facts = stage.record().await.unwrap().facts;
    server.db.save(&facts, &settled, None, 7).await.unwrap();
    server.admission.sessions().remove(&session_key());
    server.ledger.close(session_key()).await.unwrap();
    let before = stage.record().await;
    // Within the grace period, as of one that was given up; and long after it.
    for (height, wanted) in [(25, (503, "closed")), (60, (403, "expired"))] {
        stage.chain.set_height(height);
        for _ in 0..3 {
            let error = stage.refused(&good(false)).await;
            assert_eq!((error.status, error.code.as_str()), wanted, "{}", error.text);
        }
        assert!(
            server.admission.sessions().all().is_empty(),
            "nothing for the driver"
        );
        assert_eq!(stage.record().await, before);
    }
    // The chain was not asked for each of them.
    assert_eq!(stage.chain.state().n_sessions_asked, 2);
}

/// As the chain settles since its version 0.1.35.
#[tokio::test]
async fn a_session_is_priced_as_it_began() {
    // In the midst of the session, and with the next one.
    for (dearer_from, wanted) in [(22, 4_200), (21, 4 * 4_200), (31, 4_200)] {
        let stage = Stage::new(NullBackend::default()).await;
        stage.chain.state().dearer_from = Some(dearer_from);
        stage.chain.set_height(31);
        assert_eq!(refusal(stage.serve(&good(false)).await), None);
        let facts = stage.record().await.unwrap().facts;
        assert_eq!(
            facts.cost_of_a_relay().upokt(),
            wanted,
            "dearer from {dearer_from}"
        );
        assert_eq!(facts.value_of(1).upokt(), wanted);
    }
}

#[tokio::test]
async fn who_may_not_sign_leaves_nothing_behind() {
    let stage = Stage::new(NullBackend::default()).await;
    let mut broken = good(false);
    broken.meta.signature[80] ^= 1;
    assert_eq!(stage.refused(&broken).await.code, "ring");
    assert_eq!(stage.chain.state().n_sessions_asked, 0, "the chain is not asked");
    // Strangers with good signatures, sessions that are wrong or over, an outsider of the ring.
    let expired = TableChain::header(15);
    let forged = SessionHeader {
        session_end_block_height: 31,
        ..TableChain::header(25)
    };
    for request in [
        request_in(TableChain::header(25), 4, &[1, 4], false),
        request_in(forged, 2, &[1, 2], false),
        request_in(expired, 2, &[1, 2], false),
    ] {
        stage.refused(&request).await;
    }
    assert!(stage.chain.state().n_sessions_asked > 0);
    assert_eq!(stage.disk.len(), 0, "no file");
    assert_eq!(stage.server.db.count().await.unwrap(), 0, "no record");
    assert!(stage.server.admission.sessions().all().is_empty());
    // A good one still finds its session.
    assert_eq!(refusal(stage.serve(&good(false)).await), None);
    assert_eq!(stage.server.db.count().await.unwrap(), 1);
}

#[tokio::test]
async fn large_rings_are_refused_before_they_are_computed() {
    let stage = Stage::new(NullBackend::default()).await;
    let many = |n: usize| {
        let members: Vec<u8> = [1, 2].into_iter().cycle().take(n).collect();
        request_in(TableChain::header(25), 2, &members, false)
    };
    let error = stage.refused(&many(20)).await;
    assert!(error.text.contains("20 members"), "{}", error.text);
    assert_eq!(stage.chain.state().n_sessions_asked, 0);
    // Those that are no more than a stranger's may be: refused as soon as the members are known.
    for n in [16, 1000] {
        let served = refusal(stage.serve(&good(false)).await);
        assert_eq!(served, None);
        let error = stage.refused(&many(n)).await;
        assert_eq!((error.status, error.code.as_str()), (403, "large_ring"));
        assert!(error.text.contains("2 are enough"), "{}", error.text);
    }
}

#[tokio::test]
async fn a_full_supplier_refuses_before_it_checks() {
    let stage = Stage::new(NullBackend::default()).await;
    let free = &stage.server.places[&ServiceId::new("svc")].free;
    let _taken = free.try_acquire_many(2).unwrap();
    let mut broken = good(false);
    broken.meta.signature[80] ^= 1;
    let error = stage.refused(&broken).await;
    assert_eq!((error.status, error.code.as_str()), (503, "busy"));
    assert!(
        error.text.contains("2 places") && error.text.contains("miner.slots"),
        "{}",
        error.text
    );
    assert_eq!(stage.chain.state().n_sessions_asked, 0);
}

#[tokio::test]
async fn a_few_requests_wait_for_a_place_and_more_are_refused() {
    let gate = Arc::new(Semaphore::new(0));
    let waits = Arc::clone(&gate);
    let limits = ServiceConfig {
        slots: 1,
        queue: 1,
        ..limits()
    };
    let held = made(move |_| Made::Parts(after(&waits, ANSWER)));
    let stage = Stage::with(held, limits, |_| ()).await;
    let (first, second) = (good(false), good(false));
    let places = &stage.server.places[&ServiceId::new("svc")];
    let third = async {
        soon("one runs, one waits", || places.check().is_err()).await;
        let error = stage.refused(&good(false)).await;
        assert!(error.text.contains("all 1 places"), "{}", error.text);
        gate.add_permits(2);
    };
    let (first, second, ()) = tokio::join!(stage.serve(&first), stage.serve(&second), third);
    assert_eq!((refusal(first), refusal(second)), (None, None));
}

#[tokio::test]
async fn one_application_that_the_chain_is_silent_about_holds_up_nobody_else() {
    let stage = Stage::new(NullBackend::default()).await;
    stage.chain.state().silent_about = Some(key(4).address().to_string());
    let silent = SessionHeader {
        application_address: key(4).address().to_string(),
        ..TableChain::header(25)
    };
    let silent = request_in(silent, 4, &[4, 2], false);
    let request = good(false);
    tokio::select! {
        biased;
        _ = stage.serve(&silent) => panic!("the chain said something"),
        reply = stage.serve(&request) => assert_eq!(refusal(reply), None),
        () = tokio::time::sleep(Duration::from_secs(5)) => panic!("held up"),
    }
    assert_eq!(stage.server.admission.sessions().all().len(), 1);
    assert_eq!(stage.server.admission.sessions().all()[0].facts.end(), Height(30));
}

//! The server without its socket: late answers, slow readers, limits, and what a request may not leave behind.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::TryStreamExt as _;
use hearth_base::Height;
use hearth_pocket::{
    Ring, RingVerifier, SecretKey,
    message::{
        relay::{RelayMinerError, RelayRequest, RelayResponse},
        session::SessionHeader,
    },
    payload::{HttpRequest, HttpResponse},
    relay::sign_request,
    stream::Splitter,
};
use hearth_store::Store;
use prost::Message as _;

use super::*;
use crate::{
    NullBackend,
    backend::{Backend, BackendAnswer, Capacity, headers},
    book::Book,
    claim::{self, Inclusion, Outcome, Seal},
    facts::Key,
    sessions::Sessions,
    testing::{MemoryDisk, TableChain, key},
};

mod recorded;
mod sockets;

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
        let book = Book::new(&store.await.unwrap());
        let (disk, tasks, clock) = (MemoryDisk::default(), Tasks::root(), Clock::system());
        let ledger = Ledger::start(Arc::new(disk.clone()), hearth_store::Problems::default()).unwrap();
        let network = Arc::clone(&chain) as Arc<dyn crate::Network>;
        let sessions = Sessions::new(
            hearth_pocket::Address::from_public_key(&supplier.public_key()),
            Arc::clone(&network),
            ledger.clone(),
            book.clone(),
            clock.clone(),
        );
        let places = services.iter().map(|(service, config)| {
            let places = Places {
                config: *config,
                slots: config.slots,
                free: Arc::new(Semaphore::new(config.slots)),
            };
            (ServiceId::new(*service), places)
        });
        let threads = Arc::new(Threads::start(2).unwrap());
        let mut server = Server {
            config: Arc::new(Config::new(([127, 0, 0, 1], 0).into(), folder.path().to_owned())),
            admission: Admission {
                sessions: Arc::new(sessions),
                network,
                verifier: Arc::new(RingVerifier::new(16)),
                home: threads.home().clone(),
            },
            backend,
            places: places.collect(),
            signer: Arc::new(supplier),
            threads,
            ledger,
            book,
            clock,
            tasks: tasks.clone(),
            running: watch::Sender::default(),
            room: Arc::new(Semaphore::new(ROOM)),
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

    async fn refused(&self, request: &RelayRequest) -> RelayMinerError {
        refusal(self.serve(request).await).expect("a refusal")
    }

    fn free(&self) -> usize {
        self.server.places[&ServiceId::new("svc")]
            .free
            .available_permits()
    }

    async fn record(&self) -> Option<crate::Record> {
        self.server.book.record(&session_key()).await.unwrap()
    }
}

/// Why a whole answer is a refusal, if it is one.
pub(super) fn refusal(reply: Reply) -> Option<RelayMinerError> {
    RelayResponse::decode(full(reply)).unwrap().relay_miner_error
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

fn request_in(header: SessionHeader, signer: u8, members: &[u8], stream: bool) -> RelayRequest {
    let body = format!(r#"{{"model":"svc","messages":[],"stream":{stream}}}"#);
    let http = HttpRequest {
        method: "POST".to_owned(),
        headers: BTreeMap::new(),
        url: "http://gateway/v1/chat/completions".to_owned(),
        body: Bytes::from(body),
    };
    let members: Vec<[u8; 33]> = members.iter().map(|number| key(*number).public_key()).collect();
    let (ring, supplier) = (Ring::new(&members).unwrap(), key(3));
    let supplier = supplier.address().as_str();
    sign_request(&key(signer), &ring, header, supplier, http.encode()).unwrap()
}

fn good(stream: bool) -> RelayRequest {
    request_in(TableChain::header(25), 2, &[1, 2], stream)
}

async fn soon(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 5 s: {what}");
}

type Parts = BoxStream<'static, Result<Bytes, BackendError>>;

/// A backend whose answer is made by a function.
struct Made<F>(F);

#[async_trait]
impl<F: Fn(BackendRequest) -> BackendBody + Send + Sync + 'static> Backend for Made<F> {
    async fn prepare(&self, _service: &ServiceId) -> Result<(), BackendError> {
        Ok(())
    }

    async fn serve(&self, request: BackendRequest) -> Result<BackendAnswer, BackendError> {
        Ok(BackendAnswer {
            status: 200,
            headers: headers([("content-type", "application/json".to_owned())]),
            body: (self.0)(request),
        })
    }

    fn capacity(&self, _service: &ServiceId) -> Capacity {
        Capacity { slots: 2 }
    }
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
        let stage = Stage::new(Made(move |_| {
            if streamed {
                BackendBody::Stream(
                    parts(futures::stream::iter([Bytes::from_static(b"data: 1\n\n")]))
                        .chain(after(&waits, b"data: [DONE]\n\n"))
                        .boxed(),
                )
            } else {
                BackendBody::Parts {
                    parts: after(&waits, b"{}"),
                    finish: Box::new(|body| body),
                }
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
        match reply.body {
            ReplyBody::Full(body) => {
                let response = RelayResponse::decode(body).unwrap();
                assert_eq!(response.relay_miner_error, None);
                assert!(!response.meta.supplier_operator_signature.is_empty());
            }
            ReplyBody::Stream(body) => {
                let body: Vec<Bytes> = body.try_collect().await.expect("a proper end");
                let mut splitter = Splitter::new(1 << 20);
                splitter.push(&body.concat());
                let mut text = Vec::new();
                while let Some(part) = splitter.next_part().unwrap() {
                    let response = RelayResponse::decode(part).unwrap();
                    text.extend_from_slice(&HttpResponse::decode(response.payload).unwrap().body);
                }
                assert_eq!(text, b"data: 1\n\ndata: [DONE]\n\n");
            }
        }
        let counts = &stage.server.counts;
        let counted = [&counts.answered, &counts.late, &counts.refused].map(|n| n.load(Ordering::SeqCst));
        assert_eq!(counted, [1, 1, 0], "closed: {closed}, streamed: {streamed}");
        assert_eq!(*stage.server.trouble.borrow(), None, "earning goes on");
        assert_eq!(stage.record().await.unwrap().late, 1);
    }
}

#[tokio::test]
async fn a_reader_that_does_not_read_holds_no_place() {
    let limits = ServiceConfig {
        first_byte_within: Duration::from_millis(100),
        answer_within: Duration::from_millis(400),
        slots: 1,
    };
    let line = Bytes::from(format!("data: {}\n", "x".repeat(2_000)));
    let endless = Made(move |_| BackendBody::Stream(parts(futures::stream::repeat(line.clone()))));
    let stage = Stage::with(endless, limits, |_| ()).await;
    let reply = stage.serve(&good(true)).await;
    soon("the place is free again", || stage.free() == 1).await;
    let ReplyBody::Stream(body) = reply.body else {
        panic!("no stream")
    };
    let read: Result<Vec<Bytes>, BrokenOff> = body.try_collect().await;
    assert!(read.is_err(), "an answer that was cut off has no proper end");
}

#[tokio::test]
async fn an_answer_in_one_piece_may_take_longer_than_a_first_byte() {
    let limits = ServiceConfig {
        first_byte_within: Duration::from_millis(20),
        answer_within: Duration::from_millis(500),
        slots: 2,
    };
    let slow = Made(|request: BackendRequest| BackendBody::Parts {
        parts: parts(futures::stream::once(async move {
            let stays = request.body.ends_with(b"\"stream\":true}");
            tokio::time::sleep(Duration::from_millis(if stays { 5_000 } else { 150 })).await;
            Bytes::from_static(b"{}")
        })),
        finish: Box::new(|body| body),
    });
    let stage = Stage::with(slow, limits, |_| ()).await;
    assert_eq!(refusal(stage.serve(&good(false)).await), None);
    // But no longer than a whole answer may.
    assert_eq!(stage.serve(&good(true)).await.status, 504);
}

#[tokio::test]
async fn an_endless_answer_is_cut_at_the_limit() {
    let pulled = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&pulled);
    let endless = Made(move |_| {
        let counted = Arc::clone(&counted);
        let part = move |()| {
            counted.fetch_add(1, Ordering::SeqCst);
            Bytes::from_static(&[b'x'; 1000])
        };
        BackendBody::Parts {
            parts: parts(futures::stream::repeat(()).map(part)),
            finish: Box::new(|body| body),
        }
    });
    let stage = Stage::with(endless, limits(), |server| {
        let mut config = (*server.config).clone();
        config.max_answer_bytes = 10_000;
        server.config = Arc::new(config);
    })
    .await;
    let error = stage.refused(&good(false)).await;
    assert_eq!((error.codespace.as_str(), error.code), ("relayer_proxy", 12));
    assert_eq!(pulled.load(Ordering::SeqCst), 11);
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
    server.book.save(&session_key(), &settled, 7).await.unwrap();
    server.admission.sessions.remove(&session_key());
    server.ledger.close(session_key()).await.unwrap();
    let before = stage.record().await;
    // Within the grace period, as of one that was given up; and long after it.
    for (height, wanted) in [(25, ("relayer_proxy", 9)), (60, ("relay_authenticator", 1))] {
        stage.chain.set_height(height);
        for _ in 0..3 {
            let error = stage.refused(&good(false)).await;
            assert_eq!(
                (error.codespace.as_str(), error.code),
                wanted,
                "{}",
                error.message
            );
        }
        assert!(
            server.admission.sessions.all().is_empty(),
            "nothing for the driver"
        );
        assert_eq!(stage.record().await, before);
    }
    // The chain was not asked for each of them.
    assert_eq!(stage.chain.state().n_sessions_asked, 2);
}

#[tokio::test]
async fn who_may_not_sign_leaves_nothing_behind() {
    let stage = Stage::new(NullBackend::default()).await;
    let mut broken = good(false);
    broken.meta.signature[80] ^= 1;
    assert_eq!(stage.refused(&broken).await.codespace, "rings");
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
    assert_eq!(stage.server.book.count().await.unwrap(), 0, "no record");
    assert!(stage.server.admission.sessions.all().is_empty());
    // A good one still finds its session.
    assert_eq!(refusal(stage.serve(&good(false)).await), None);
    assert_eq!(stage.server.book.count().await.unwrap(), 1);
}

#[tokio::test]
async fn large_rings_are_refused_before_they_are_computed() {
    let stage = Stage::new(NullBackend::default()).await;
    let many = |n: usize| {
        let members: Vec<u8> = [1, 2].into_iter().cycle().take(n).collect();
        request_in(TableChain::header(25), 2, &members, false)
    };
    let error = stage.refused(&many(20)).await;
    assert!(error.message.contains("20 members"), "{}", error.message);
    assert_eq!(stage.chain.state().n_sessions_asked, 0);
    // Those that are no more than a stranger's may be: refused as soon as the members are known.
    for n in [16, 1000] {
        let served = refusal(stage.serve(&good(false)).await);
        assert_eq!(served, None);
        let error = stage.refused(&many(n)).await;
        assert_eq!((error.codespace.as_str(), error.code), ("rings", 3));
        assert!(error.message.contains("2 are enough"), "{}", error.message);
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
    assert_eq!((error.codespace.as_str(), error.code), ("relayer_proxy", 9));
    assert_eq!(stage.chain.state().n_sessions_asked, 0);
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
    assert_eq!(stage.server.admission.sessions.all().len(), 1);
    assert_eq!(stage.server.admission.sessions.all()[0].facts.end(), Height(30));
}

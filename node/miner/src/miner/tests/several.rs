//! Several suppliers in one node: one port, one disk, and nothing of one that stops another.

use bytes::Bytes;
use hearth_pocket::{
    Ring, SecretKey,
    message::relay::{RelayRequest, RelayResponse},
    payload::HttpRequest,
    relay::{sign_request, verify_response},
};
use parking_lot::Mutex;
use prost::Message as _;

use super::*;
use crate::{KeyProblem, Keys, SupplierEarning, testing::supplier_of};

/// Keys that come, go and are locked.
#[derive(Default)]
struct KeyRing(Mutex<Vec<(u8, bool)>>);

impl Keys for KeyRing {
    fn suppliers(&self) -> Vec<Address> {
        let keys = self.0.lock();
        keys.iter()
            .map(|(number, _)| key(*number).address().clone())
            .collect()
    }

    fn signer(&self, operator: &Address) -> Result<Arc<dyn hearth_pocket::Signer>, KeyProblem> {
        let keys = self.0.lock();
        let found = keys.iter().find(|(number, _)| key(*number).address() == operator);
        match found {
            Some((number, true)) => Ok(Arc::new(key(*number))),
            Some((_, false)) => Err(KeyProblem::Locked),
            None => Err(self.missing()),
        }
    }

    fn missing(&self) -> KeyProblem {
        KeyProblem::NoOperator
    }

    /// Key 9 owns the second supplier, elsewhere.
    fn is_own(&self, account: &Address) -> bool {
        key(9).address() != account
    }
}

/// A bench with the suppliers 3 and 5, and what a restart leaves: chain, database, disk, keys.
struct Several {
    bench: Bench,
    disk: MemoryDisk,
    keys: Arc<KeyRing>,
    http: reqwest::Client,
}

impl Several {
    async fn new() -> Several {
        hearth_base::tls::init();
        let bench = Bench::new().await;
        bench.chain.head.send_modify(|head| head.time = bench.clock.now());
        let other = supplier_of(key(5).address().as_str(), key(9).address().as_str());
        bench.chain.state().others.push(other);
        Several {
            bench,
            disk: MemoryDisk::default(),
            keys: Arc::new(KeyRing(Mutex::new(vec![(3, true), (5, true)]))),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    async fn start(&self) -> Miner {
        let (disk, keys) = (Arc::new(self.disk.clone()), Arc::clone(&self.keys));
        let miner = self.bench.start_with(true, disk, keys).await;
        let all_known = |earning: &Earning| earning.suppliers.iter().all(|one| one.owner.is_some());
        wait(&miner, "it starts", |earning| {
            earning.state == EarningState::Idle && all_known(earning)
        })
        .await;
        miner
    }

    /// Asks a supplier for an answer. Gives the status, and the code of a refusal.
    async fn ask(&self, miner: &Miner, supplier: &SecretKey) -> (u16, String) {
        let answer = self
            .http
            .post(miner.relay_url())
            .body(request(supplier).encode_to_vec())
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let body = answer.bytes().await.unwrap();
        if status == 200 {
            let response = RelayResponse::decode(body).unwrap();
            let public_key = hearth_pocket::PublicKey::from_bytes(&supplier.public_key()).unwrap();
            verify_response(&response, &TableChain::header(25), &public_key)
                .expect("signed by who was asked");
            return (status, String::new());
        }
        let said: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let text = said["error"].as_str().unwrap();
        assert!(
            text.contains(supplier.address().as_str()),
            "it names whom: {text}"
        );
        (status, said["code"].as_str().unwrap().to_owned())
    }
}

fn request(supplier: &SecretKey) -> RelayRequest {
    let ring = Ring::new(&[key(1).public_key(), key(2).public_key()]).unwrap();
    let http = HttpRequest {
        method: "POST".to_owned(),
        headers: [("Content-Type".to_owned(), vec!["application/json".to_owned()])].into(),
        url: "http://gateway/v1/chat/completions".to_owned(),
        body: Bytes::from_static(br#"{"model":"svc","messages":[]}"#),
    };
    let operator = supplier.address().as_str();
    sign_request(&key(2), &ring, TableChain::header(25), operator, http.encode()).unwrap()
}

/// What is said of one supplier.
fn told_of(earning: &Earning, number: u8) -> Option<SupplierEarning> {
    let mut all = earning.suppliers.iter();
    all.find(|one| one.operator == *key(number).address()).cloned()
}

fn is_blocked_by(earning: &Earning, number: u8, code: ReasonCode) -> bool {
    told_of(earning, number).is_some_and(|one| has(&one.reasons, code))
}

async fn answers_of(miner: &Miner, number: u8) -> u64 {
    let id = TableChain::header(25).session_id;
    let supplier = key(number);
    let page = miner.relay_page(&id, Some(supplier.address().as_str()), 10, 0);
    page.await.unwrap().total
}

const SERVED: (u16, &str) = (200, "");

fn is(answer: &(u16, String), wanted: (u16, &str)) -> bool {
    (answer.0, answer.1.as_str()) == wanted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_are_served_over_one_port_and_a_stranger_is_refused() {
    let several = Several::new().await;
    let miner = several.start().await;
    assert!(is(&several.ask(&miner, &key(3)).await, SERVED));
    assert!(is(&several.ask(&miner, &key(5)).await, SERVED));
    assert!(is(&several.ask(&miner, &key(5)).await, SERVED));
    let refused = several.ask(&miner, &key(7)).await;
    assert!(is(&refused, (503, "other_supplier")), "{refused:?}");
    // One session of the chain, and one of each: answers, records and owners apart.
    assert_eq!((answers_of(&miner, 3).await, answers_of(&miner, 5).await), (1, 2));
    let mut sessions: Vec<(String, u64, String)> = miner
        .sessions(10, 0)
        .await
        .unwrap()
        .into_iter()
        .map(|view| (view.record.facts.supplier, view.answers, view.record.facts.owner))
        .collect();
    sessions.sort_by_key(|(_, answers, _)| *answers);
    let [own, foreign, owner] = [3, 5, 9].map(|number| key(number).address().to_string());
    assert_eq!(sessions, [(own.clone(), 1, own), (foreign, 2, owner.clone())]);
    let told = miner.state().borrow().clone();
    assert_eq!(told.suppliers.len(), 2);
    let note = told
        .notes
        .iter()
        .find(|note| note.code == ReasonCode::OtherOwner)
        .unwrap();
    assert!(
        note.fact.contains(key(5).address().as_str()) && note.fact.contains(&owner),
        "{note:?}"
    );
    assert_eq!(
        told_of(&told, 3).unwrap().notes,
        [],
        "nothing of the other is said of this one"
    );
    let mut open = miner.totals(0).await.unwrap().open;
    assert_eq!(open.len(), 2, "answers count, whoever is paid for them");
    open.retain(|record| miner.owns(&record.facts.owner));
    assert_eq!(open.len(), 1, "what is another owner's is in no sum of ours");
    assert_eq!(open[0].facts.supplier, key(3).address().as_str());
    stop(miner).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_key_or_a_missing_stake_stops_its_own_supplier_alone() {
    let several = Several::new().await;
    let miner = several.start().await;
    several.keys.0.lock()[1].1 = false;
    wait(&miner, "it is locked", |earning| {
        is_blocked_by(earning, 5, ReasonCode::KeyLocked)
    })
    .await;
    let told = miner.state().borrow().clone();
    assert_eq!((told.state.name(), &told.reasons), ("idle", &Vec::new()));
    assert!(has(&told.notes, ReasonCode::KeyLocked), "the whole is told of it");
    assert!(is(&several.ask(&miner, &key(5)).await, (503, "supplier_away")));
    assert!(is(&several.ask(&miner, &key(3)).await, SERVED));
    several.keys.0.lock()[1].1 = true;
    wait(&miner, "it is open again", |earning| {
        earning.suppliers.iter().all(|one| one.reasons.is_empty())
    })
    .await;
    assert!(is(&several.ask(&miner, &key(5)).await, SERVED));

    // The first loses its stake, and the second cannot pay for more: what it began goes on.
    several.bench.chain.state().supplier = None;
    several.bench.chain.state().proof_fee = 700_000;
    several
        .bench
        .chain
        .state()
        .balances
        .insert(key(5).address().to_string(), 10);
    several.bench.chain.set_height(26);
    wait(&miner, "the stake is gone", |earning| {
        is_blocked_by(earning, 3, ReasonCode::NeedsStake)
            && told_of(earning, 5).is_some_and(|one| has(&one.notes, ReasonCode::NoFunds))
    })
    .await;
    assert_eq!(miner.state().borrow().state, EarningState::Idle);
    assert!(is(&several.ask(&miner, &key(3)).await, (503, "supplier_away")));
    assert!(is(&several.ask(&miner, &key(5)).await, SERVED));
    let reserve = miner.reserve(key(5).address()).await.unwrap();
    assert_eq!(
        reserve.upokt(),
        1_400_000,
        "its own open claim and one more, not the other's"
    );

    // Where none can serve, the whole is off, and says of each why.
    several.keys.0.lock()[1].1 = false;
    wait(&miner, "none serves", |earning| {
        matches!(earning.state, EarningState::Off(_))
    })
    .await;
    let told = miner.state().borrow().clone();
    for (number, code) in [(3, ReasonCode::NeedsStake), (5, ReasonCode::KeyLocked)] {
        let reason = told.reasons.iter().find(|reason| reason.code == code).unwrap();
        assert!(reason.fact.contains(key(number).address().as_str()), "{reason:?}");
    }
    several.keys.0.lock()[1].1 = true;
    several.bench.chain.state().balances.clear();
    several.bench.chain.state().proof_fee = 0;
    several.bench.chain.set_height(27);
    wait(&miner, "it comes back", |earning| {
        earning.state == EarningState::Idle
    })
    .await;
    stop(miner).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wallet_is_followed_and_a_restart_takes_up_both() {
    let several = Several::new().await;
    several.keys.0.lock().pop();
    let miner = several.start().await;
    assert!(is(&several.ask(&miner, &key(5)).await, (503, "other_supplier")));
    several.keys.0.lock().push((5, true));
    wait(&miner, "it is taken up", |earning| {
        told_of(earning, 5).is_some_and(|one| one.owner.is_some())
    })
    .await;
    assert!(is(&several.ask(&miner, &key(5)).await, SERVED));
    assert!(is(&several.ask(&miner, &key(3)).await, SERVED));
    // Its key leaves while it has something open: it takes no request, and its claim is not forgotten.
    several.keys.0.lock().pop();
    wait(&miner, "its key has left", |earning| {
        is_blocked_by(earning, 5, ReasonCode::NoOperator)
    })
    .await;
    assert_eq!(miner.state().borrow().state, EarningState::Idle);
    assert!(is(&several.ask(&miner, &key(5)).await, (503, "supplier_away")));
    assert_eq!(miner.operators(), [key(3).address().clone()]);
    several.keys.0.lock().push((5, true));
    wait(&miner, "its key is back", |earning| {
        told_of(earning, 5).is_some_and(|one| one.reasons.is_empty())
    })
    .await;
    assert!(is(&several.ask(&miner, &key(5)).await, SERVED));
    stop(miner).await;

    let miner = several.start().await;
    assert_eq!((answers_of(&miner, 3).await, answers_of(&miner, 5).await), (1, 2));
    assert!(is(&several.ask(&miner, &key(5)).await, SERVED));
    let views = miner.sessions(10, 0).await.unwrap();
    let answers: u64 = views.iter().map(|view| view.answers).sum();
    assert_eq!((views.len(), answers), (2, 4));
    stop(miner).await;
}

#[tokio::test]
async fn a_changed_record_of_one_is_accepted_for_that_one() {
    let several = Several::new().await;
    let miner = several.start().await;
    for number in [3, 5] {
        let operator = key(number).address().to_string();
        while miner.0.db.known_record(&operator).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let robber = key(8).address().to_string();
    {
        let mut state = several.bench.chain.state();
        state.others[0].services[0].rev_share[0]
            .address
            .clone_from(&robber);
        let first = state.supplier.as_mut().unwrap();
        first.services[0].rev_share[0].address = robber;
    }
    several.bench.chain.set_height(26);
    let changed = |earning: &Earning, number| {
        told_of(earning, number).is_some_and(|one| has(&one.notes, ReasonCode::RecordChanged))
    };
    wait(&miner, "both are told", |earning| {
        changed(earning, 3) && changed(earning, 5)
    })
    .await;
    miner
        .acknowledge_record(Some(key(5).address().as_str()))
        .await
        .unwrap();
    wait(&miner, "one is accepted", |earning| {
        changed(earning, 3) && !changed(earning, 5)
    })
    .await;
    assert!(has(&miner.state().borrow().notes, ReasonCode::RecordChanged));
    let unknown = miner.acknowledge_record(Some(key(7).address().as_str())).await;
    assert!(matches!(unknown, Err(Error::NoSupplier(_))));
    miner.acknowledge_record(None).await.unwrap();
    wait(&miner, "all are accepted", |earning| {
        !changed(earning, 3) && !changed(earning, 5)
    })
    .await;
    stop(miner).await;
}

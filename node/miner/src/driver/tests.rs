//! The driver on a table of a chain: the way to the money, crashes between any two steps, no second signature.

use hearth_base::Amount;
use hearth_chain::{BlockEvent, EventOrigin};
use hearth_pocket::message::tokenomics::EventClaimSettled;
use hearth_store::Store;

use super::*;
use crate::{
    claim::Stage,
    evidence::Entry,
    session_db::TxKind,
    testing::{Found, MemoryDisk, TableChain, key},
};

mod adverse;
mod many;
mod others;
mod several;

struct Bench {
    chain: Arc<TableChain>,
    disk: MemoryDisk,
    store: Store,
    clock: Clock,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Bench {
        Bench::with(None).await
    }

    /// With a database that cannot grow beyond so many pages.
    async fn with(max_pages: Option<u32>) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let config = hearth_store::Config {
            path: folder.path().join("hearth.db"),
            chain_id: "test".into(),
            max_pages,
        };
        let store = Store::open(config).await.unwrap();
        let chain = TableChain::new(25);
        Bench {
            chain,
            disk: MemoryDisk::default(),
            store,
            clock: Clock::test(1_000_000),
            _folder: folder,
        }
    }

    /// A driver as after a start: everything comes from the disk and the database.
    async fn start(&self) -> Driver {
        let ledger = Ledger::start(Arc::new(self.disk.clone()), self.store.problems().clone()).unwrap();
        self.start_of(key(3).address(), ledger).await
    }

    /// The same of one supplier among several.
    async fn start_of(&self, supplier: &hearth_pocket::Address, ledger: Ledger) -> Driver {
        let (db, network) = (
            SessionDb::new(&self.store),
            Arc::clone(&self.chain) as SharedNetwork,
        );
        let sessions = Sessions::new(
            supplier.clone(),
            Arc::clone(&network),
            ledger.clone(),
            db.clone(),
            self.clock.clone(),
        );
        let mut driver = Driver {
            sessions: Arc::new(sessions),
            network,
            ledger,
            db,
            outbox: self.chain.outbox(&self.store, &self.clock),
            clock: self.clock.clone(),
            events: broadcast::Sender::new(64),
            outlook: watch::Sender::default(),
            states: BTreeMap::new(),
            memory: Memory::default(),
        };
        driver.resume().await.unwrap();
        driver
    }

    /// Serves so many answers in the session of block 25.
    async fn serve(&self, driver: &Driver, numbers: std::ops::Range<u8>) {
        self.serve_at(25, driver, numbers).await;
    }

    /// Serves so many answers in the session of a block.
    async fn serve_at(&self, height: u64, driver: &Driver, numbers: std::ops::Range<u8>) {
        self.serve_to(&TableChain::header(height), height, driver, numbers)
            .await;
    }

    async fn serve_to(
        &self,
        header: &hearth_pocket::message::session::SessionHeader,
        height: u64,
        driver: &Driver,
        numbers: std::ops::Range<u8>,
    ) {
        let session = driver.sessions.find(header, Height(height)).await.unwrap();
        for number in numbers {
            let relay = vec![number; 40];
            let entry = Entry {
                hash: hearth_pocket::relay::relay_hash(&relay),
                answered_ms: 1,
                duration_ms: 1,
                bytes_out: 1,
                tokens: None,
                status: 200,
                in_tree: true,
                relay,
            };
            driver
                .ledger
                .append(&session.facts.key(), entry, true)
                .await
                .unwrap();
        }
    }

    /// A block, which outbox and driver look at one after the other.
    async fn block(&self, driver: &mut Driver, height: u64) {
        self.chain.set_height(height);
        self.look(driver).await;
        driver.on_block(Height(height)).await;
        self.look(driver).await;
    }

    async fn look(&self, driver: &mut Driver) {
        driver.outbox.look().await;
        driver.on_outbox().await;
    }

    /// Puts everything that was sent into a block.
    fn include(&self, height: u64) {
        for (_, found) in &mut self.chain.state().sent {
            if *found == Found::No {
                *found = Found::Included(Height(height));
            }
        }
    }

    async fn record(&self) -> Record {
        let key = Key {
            session_id: TableChain::header(25).session_id,
            supplier: key(3).address().to_string(),
        };
        SessionDb::new(&self.store).record(&key).await.unwrap().unwrap()
    }

    async fn state(&self) -> ClaimState {
        self.record().await.state
    }

    /// The whole way up to a proof that is in a block.
    async fn proven(&self) -> Driver {
        let mut driver = self.start().await;
        self.serve(&driver, 0..4).await;
        for height in 32..38 {
            self.block(&mut driver, height).await;
            self.include(height);
        }
        self.block(&mut driver, 38).await;
        assert_eq!(self.state().await.name(), "proof_included");
        driver
    }

    fn settled(&self) -> BlockEvents {
        let header = TableChain::header(25);
        let event = EventClaimSettled {
            claimed_upokt: "42000upokt".to_owned(),
            settled_upokt: "42000upokt".to_owned(),
            minted_upokt: "40950upokt".to_owned(),
            service_id: header.service_id,
            application_address: header.application_address,
            session_end_block_height: header.session_end_block_height,
            supplier_operator_address: key(3).address().to_string(),
            reward_distribution: [(key(3).address().to_string(), "32350upokt".to_owned())].into(),
            ..EventClaimSettled::default()
        };
        block_with(40, ChainEvent::ClaimSettled(Box::new(event)))
    }
}

/// Settled, and nobody could tell the amounts.
async fn assert_settled_unseen(bench: &Bench) {
    let state = bench.state().await;
    assert_eq!((state.name(), state.paid()), ("settled", None));
}

fn block_with(height: u64, event: ChainEvent) -> BlockEvents {
    BlockEvents {
        height: Height(height),
        hash: [0; 32],
        time: time::OffsetDateTime::UNIX_EPOCH,
        verified: true,
        complete: true,
        events: vec![BlockEvent {
            origin: EventOrigin::EndBlock,
            event,
        }],
        endpoint: String::new(),
    }
}

#[tokio::test]
async fn answers_become_money() {
    let bench = Bench::new().await;
    let mut driver = bench.start().await;
    bench.serve(&driver, 0..10).await;
    bench.block(&mut driver, 31).await;
    assert_eq!(bench.state().await.name(), "accumulating");
    bench.block(&mut driver, 32).await;
    let state = bench.state().await;
    assert_eq!((state.name(), state.seal().unwrap().leaves), ("claim_sent", 10));
    bench.include(33);
    bench.block(&mut driver, 33).await;
    let state = bench.state().await;
    assert_eq!(
        state.name(),
        "claim_sent",
        "what became of it there is not proven yet"
    );
    assert!(state.sent().is_some());
    bench.block(&mut driver, 34).await;
    assert_eq!(bench.state().await.name(), "claim_included");
    bench.block(&mut driver, 35).await;
    assert_eq!(bench.state().await.name(), "proof_due");
    bench.block(&mut driver, 36).await;
    assert_eq!(bench.state().await.name(), "proof_sent");
    bench.include(37);
    bench.block(&mut driver, 37).await;
    bench.block(&mut driver, 38).await;
    assert_eq!(bench.state().await.name(), "proof_included");
    bench.chain.set_height(41);
    driver.on_events(&bench.settled()).await.unwrap();
    let state = bench.state().await;
    let paid = state.paid().expect("settled");
    assert_eq!(
        paid.rewards[key(3).address().as_str()],
        Amount::from_upokt(32_350)
    );
    assert!(driver.states.is_empty());
    assert_eq!(bench.chain.state().signed.len(), 2);
}

/// Claims that share a block are settled before the outbox has told of each of their proofs.
#[tokio::test]
async fn the_block_of_a_proof_is_known_also_where_the_settlement_is_heard_of_first() {
    let bench = Bench::new().await;
    let mut driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    for height in 32..37 {
        bench.block(&mut driver, height).await;
        if height < 36 {
            bench.include(height);
        }
    }
    assert_eq!(bench.state().await.name(), "proof_sent");
    bench.include(39);
    bench.chain.set_height(41);
    driver.on_events(&bench.settled()).await.unwrap();
    let state = bench.state().await;
    assert_eq!(state.name(), "settled");
    assert_eq!(state.proof().map(|proof| proof.height), Some(Height(39)));
}

/// Who tells of the settlement is not whoever is asked for the transactions.
#[tokio::test]
async fn the_block_of_a_proof_is_filled_in_once_the_outbox_knows_it() {
    let bench = Bench::new().await;
    let mut driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    for height in 32..37 {
        bench.block(&mut driver, height).await;
        if height < 36 {
            bench.include(height);
        }
    }
    assert_eq!(bench.state().await.name(), "proof_sent");
    bench.include(39);
    bench.chain.state().hides = true;
    bench.chain.set_height(41);
    driver.on_events(&bench.settled()).await.unwrap();
    assert_eq!(bench.state().await.proof(), None, "nobody knows it yet");
    let complete = async || {
        let mut records = [bench.record().await];
        driver.db.complete(&driver.outbox, &mut records).await.unwrap();
    };
    complete().await;
    assert_eq!(bench.state().await.proof(), None);
    bench.chain.state().hides = false;
    driver.outbox.look().await;
    driver.outbox.look().await;
    let before = bench.record().await;
    complete().await;
    let after = bench.record().await;
    let proof = after.state.proof().expect("it is kept");
    assert!(!proof.tx.is_empty());
    assert_eq!(proof.height, Height(39));
    assert_eq!(
        (after.state.paid(), after.updated_ms),
        (before.state.paid(), before.updated_ms)
    );
}

#[tokio::test]
async fn a_claim_that_needs_no_proof_gets_none() {
    let bench = Bench::new().await;
    bench.chain.state().probability = -1.0;
    let mut driver = bench.start().await;
    bench.serve(&driver, 0..3).await;
    bench.block(&mut driver, 32).await;
    bench.include(33);
    for height in 33..39 {
        bench.block(&mut driver, height).await;
    }
    assert_eq!(bench.state().await.name(), "proof_not_required");
    assert_eq!(bench.chain.state().signed.len(), 1);
    // The settlement was overlooked: the state of the chain says that the claim is gone.
    bench.block(&mut driver, 43).await;
    assert_settled_unseen(&bench).await;
}

/// A restart after every block, with a torn end of the evidence at the first: the root stays, and nothing is signed
/// twice.
#[tokio::test]
async fn restarts_change_nothing() {
    let mut bench = Bench::new().await;
    let driver = bench.start().await;
    bench.serve(&driver, 0..10).await;
    drop(driver);
    bench.disk = bench.disk.torn(5);
    for height in 31..39 {
        let mut driver = bench.start().await;
        bench.block(&mut driver, height).await;
        if height == 34 || height == 37 {
            bench.include(height);
            bench.block(&mut driver, height).await;
        }
    }
    let state = bench.state().await;
    assert_eq!(
        (state.name(), state.seal().unwrap().leaves),
        ("proof_included", 9)
    );
    assert_eq!(bench.chain.state().signed.len(), 2);
    let mut driver = bench.start().await;
    bench.chain.set_height(41);
    driver.on_events(&bench.settled()).await.unwrap();
    assert_eq!(bench.state().await.name(), "settled");
}

/// The bytes were kept, but the program died before it noted that it had handed them over: they are sent, not signed
/// again.
#[tokio::test]
async fn a_crash_between_signing_and_noting_signs_once() {
    let bench = Bench::new().await;
    let mut driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    let session = driver
        .sessions
        .find(&TableChain::header(25), Height(25))
        .await
        .unwrap();
    bench.chain.set_height(32);
    let sealed = driver.seal(&session.facts).await.unwrap();
    let ClaimEvent::Sealed(seal) = sealed else {
        panic!("not sealed")
    };
    let state = ClaimState::Open(Stage::Sealed { seal, trouble: None });
    driver.db.save(&session.facts, &state, None, 1).await.unwrap();
    driver.hand_claim(&session.facts, &state).await.unwrap();
    driver.outbox.look().await;
    drop(driver);
    let mut driver = bench.start().await;
    bench.block(&mut driver, 33).await;
    assert_eq!(bench.state().await.name(), "claim_sent");
    let chain = bench.chain.state();
    assert_eq!((chain.signed.len(), chain.sent.len()), (1, 1));
}

/// The same with a claim that was in a block by then.
#[tokio::test]
async fn a_claim_that_a_block_has_is_not_handed_over_again() {
    let bench = Bench::new().await;
    let mut driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    bench.block(&mut driver, 32).await;
    let state = bench.state().await;
    let sealed = Stage::Sealed {
        seal: state.seal().unwrap().clone(),
        trouble: None,
    };
    bench.include(33);
    bench.chain.set_height(34);
    driver.outbox.look().await;
    let facts = bench.record().await.facts;
    driver.db.save(&facts, &sealed.into(), None, 1).await.unwrap();
    drop(driver);
    let mut driver = bench.start().await;
    bench.block(&mut driver, 34).await;
    assert_eq!(bench.state().await.name(), "claim_included");
    assert_eq!(bench.chain.state().signed.len(), 1);
}

#[tokio::test]
async fn a_second_root_is_never_signed() {
    let bench = Bench::new().await;
    let driver = bench.start().await;
    bench.serve(&driver, 0..1).await;
    let key = driver.sessions.all()[0].facts.key();
    driver.db.commit(&key, TxKind::Claim, &[1; 48], 1).await.unwrap();
    driver.db.commit(&key, TxKind::Claim, &[1; 48], 2).await.unwrap();
    let second = driver.db.commit(&key, TxKind::Claim, &[2; 48], 3).await;
    assert!(matches!(second, Err(SessionDbError::Conflict { .. })));
}

#[tokio::test]
async fn an_outage_over_the_window_costs_the_claim_and_says_so() {
    let bench = Bench::new().await;
    let mut driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    bench.block(&mut driver, 31).await;
    bench.chain.state().down = true;
    for height in 32..37 {
        bench.block(&mut driver, height).await;
    }
    let state = bench.state().await;
    assert_eq!(state.name(), "claim_missed");
    assert!(state.why().unwrap().contains("cannot be asked"), "{state:?}");
    // What it cost is known, and told.
    assert_eq!(bench.record().await.answers, 4);
    let notes = driver.outlook.borrow().losses.notes();
    assert!(notes[0].fact.contains("answers: 4"), "{notes:?}");
}

#[tokio::test]
async fn evidence_without_a_record_is_taken_up() {
    let bench = Bench::new().await;
    let driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    drop(driver);
    // The database of an older backup.
    sqlx::query("DELETE FROM miner_session")
        .execute(bench.store.pool())
        .await
        .unwrap();
    let mut driver = bench.start().await;
    bench.block(&mut driver, 32).await;
    assert_eq!(bench.state().await.seal().unwrap().leaves, 4);
}

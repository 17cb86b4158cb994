//! Many sessions that are due at once, at an endpoint far away: how much is asked, and whether anything is late.

use super::*;
use crate::facts::Facts;

const SESSIONS: u8 = 20;
/// How long a question takes, and how long a block, in milliseconds of the simulated time.
const DELAY_MS: u64 = 300;
const BLOCK_MS: u64 = 1_000;

/// A chain that moves on while it is asked. Nothing here reads a clock: each question that has to wait for another one
/// takes a while.
struct Time {
    now_ms: u64,
    /// From which block on a transaction may be in one: what is sent during a block is in the next one.
    from: Vec<u64>,
}

impl Time {
    fn height(&self) -> u64 {
        self.now_ms / BLOCK_MS
    }

    /// The head that outbox and driver see now, and all that they ask and send for it.
    async fn block(&mut self, bench: &Bench, driver: &mut Driver) {
        let height = self.height();
        for ((_, found), from) in bench.chain.state().sent.iter_mut().zip(&self.from) {
            if *found == Found::No && *from <= height {
                *found = Found::Included(Height(*from));
            }
        }
        bench.block(driver, height).await;
        let began = height;
        self.now_ms += DELAY_MS * bench.chain.trips_in_a_row() as u64;
        let n_sent = bench.chain.state().sent.len();
        self.from.resize(n_sent, self.height() + 1);
        // Without questions the next block is waited for.
        self.now_ms = self.now_ms.max((began + 1) * BLOCK_MS);
    }
}

/// A driver with sessions of many applications, all of which end with block 30.
async fn served(bench: &Bench) -> Driver {
    let driver = bench.start().await;
    for number in 100..100 + SESSIONS {
        let header = TableChain::header_of(&key(number), 25);
        bench.serve_to(&header, 25, &driver, 0..3).await;
    }
    driver
}

fn settled(facts: &Facts) -> ChainEvent {
    let header = facts.header.clone();
    ChainEvent::ClaimSettled(Box::new(EventClaimSettled {
        claimed_upokt: "12600upokt".to_owned(),
        settled_upokt: "12600upokt".to_owned(),
        minted_upokt: "12600upokt".to_owned(),
        service_id: header.service_id,
        application_address: header.application_address,
        session_end_block_height: header.session_end_block_height,
        supplier_operator_address: key(3).address().to_string(),
        ..EventClaimSettled::default()
    }))
}

#[tokio::test]
async fn at_an_endpoint_far_away_no_claim_of_many_sessions_is_late_and_little_is_asked() {
    let bench = Bench::new().await;
    let mut driver = served(&bench).await;
    // Of each session: itself, its application and the keys of the ring, what it is worth.
    let per_session: usize = bench.chain.state().asked.values().sum();
    assert!(
        per_session <= 8 * usize::from(SESSIONS),
        "{:?}",
        bench.chain.state().asked
    );
    bench.chain.state().asked.clear();
    bench.chain.trips_in_a_row();

    let all: Vec<Arc<Facts>> = driver
        .sessions
        .all()
        .iter()
        .map(|one| Arc::clone(&one.facts))
        .collect();
    let mut time = Time {
        now_ms: 31 * BLOCK_MS,
        from: Vec::new(),
    };
    while time.height() < 41 {
        time.block(&bench, &mut driver).await;
    }
    for facts in &all {
        let state = bench.chain.state();
        let id = (facts.header.session_id.as_str(), facts.supplier.as_str());
        let claim = state.height_of(id, true).expect("it is claimed");
        let proof = state.height_of(id, false).expect("it is proven");
        assert!(
            claim <= facts.windows.claim_close,
            "the claim is in block {claim}"
        );
        assert!(
            proof <= facts.windows.proof_close,
            "the proof is in block {proof}"
        );
    }
    // Twenty claims share one transaction, twenty proofs two.
    assert_eq!(bench.chain.state().signed.len(), 3);

    bench.chain.trips_in_a_row();
    let mut block = block_with(40, settled(&all[0]));
    block.events = all
        .iter()
        .map(|facts| BlockEvent {
            origin: EventOrigin::EndBlock,
            event: settled(facts),
        })
        .collect();
    driver.on_events(&block).await.unwrap();
    assert!(driver.states.is_empty(), "all are paid");
    assert!(bench.chain.trips_in_a_row() <= 2, "they are asked about at once");
    let asked = bench.chain.state().asked.clone();
    let per_claim: usize = asked.values().sum();
    // The state is asked three times about each: whether another program has claimed it, whether the claim is still this
    // node's, and what became of it. All else is shared.
    assert!(per_claim <= 5 * usize::from(SESSIONS), "{asked:?}");
    assert_eq!(asked["claim_status"], 3 * usize::from(SESSIONS), "{asked:?}");
}

/// A downtime over the opening of the window: everything that is urgent is made with one block.
#[tokio::test]
async fn after_a_downtime_all_that_is_urgent_is_made_with_one_block() {
    let bench = Bench::new().await;
    drop(served(&bench).await);
    let mut driver = bench.start().await;
    bench.block(&mut driver, 35).await;
    assert_eq!(bench.chain.state().sent.len(), 1);
    assert!(driver.states.values().all(is_sent));
    bench.include(36);
    drop(driver);
    let mut driver = bench.start().await;
    // The last block before the window for proofs closes.
    bench.block(&mut driver, 39).await;
    assert!(driver.states.values().all(|state| state.name() == "proof_sent"));
    assert_eq!(bench.chain.state().sent.len(), 3);
    assert_eq!(bench.chain.state().signed.len(), 3);
}

//! Two suppliers of one node in one session: each claims, proves and is paid for itself.

use super::*;
use crate::{
    ledger::Ledger,
    testing::{sessions, supplier_of},
};

/// What two drivers have in common: chain, disk, database and outbox.
struct Two {
    bench: Bench,
    /// Owned by its operator, and by somebody else.
    drivers: [Driver; 2],
}

impl Two {
    async fn new() -> Two {
        let bench = Bench::new().await;
        let other = supplier_of(key(5).address().as_str(), key(9).address().as_str());
        bench.chain.state().others.push(other);
        let drivers = Two::start(&bench).await;
        Two { bench, drivers }
    }

    /// Both as after a start of the program.
    async fn start(bench: &Bench) -> [Driver; 2] {
        let ledger = Ledger::start(Arc::new(bench.disk.clone()), bench.store.problems().clone()).unwrap();
        [
            bench.start_of(key(3).address(), ledger.clone()).await,
            bench.start_of(key(5).address(), ledger).await,
        ]
    }

    async fn block(&mut self, height: u64) {
        for driver in &mut self.drivers {
            self.bench.block(driver, height).await;
        }
    }

    async fn states(&self) -> [&'static str; 2] {
        let record = |number: u8| {
            let key = Key {
                session_id: TableChain::header(25).session_id,
                supplier: key(number).address().to_string(),
            };
            let db = SessionDb::new(&self.bench.store);
            async move { db.record(&key).await.unwrap().unwrap() }
        };
        [record(3).await.state.name(), record(5).await.state.name()]
    }
}

/// What a block says of the end of a supplier's claim.
fn settled(operator: u8, owner: u8) -> BlockEvents {
    let header = TableChain::header(25);
    let event = EventClaimSettled {
        claimed_upokt: "16800upokt".to_owned(),
        settled_upokt: "16800upokt".to_owned(),
        minted_upokt: "16000upokt".to_owned(),
        service_id: header.service_id,
        application_address: header.application_address,
        session_end_block_height: header.session_end_block_height,
        supplier_operator_address: key(operator).address().to_string(),
        reward_distribution: [
            (key(owner).address().to_string(), "12000upokt".to_owned()),
            (key(8).address().to_string(), "4000upokt".to_owned()),
        ]
        .into(),
        ..EventClaimSettled::default()
    };
    block_with(40, ChainEvent::ClaimSettled(Box::new(event)))
}

#[tokio::test]
async fn each_claims_and_proves_with_its_own_key_and_is_paid_to_its_own_owner() {
    let mut two = Two::new().await;
    two.bench.serve(&two.drivers[0], 0..4).await;
    two.bench.serve(&two.drivers[1], 10..13).await;
    for height in 32..38 {
        two.block(height).await;
        two.bench.include(height);
    }
    two.block(38).await;
    assert_eq!(two.states().await, ["proof_included", "proof_included"]);

    let [one, other] = [3, 5].map(key);
    {
        let state = two.bench.chain.state();
        for claim in [true, false] {
            let mut seen: Vec<(String, String)> = Vec::new();
            for (tx, _) in &state.sent {
                let of: Vec<String> = sessions(tx, claim)
                    .into_iter()
                    .map(|(_, operator)| operator)
                    .collect();
                let Some(first) = of.first() else { continue };
                assert!(
                    of.iter().all(|operator| operator == first),
                    "one account signs one transaction"
                );
                let signer = if first == one.address().as_str() {
                    &one
                } else {
                    &other
                };
                let public_key = hearth_pocket::Signer::public_key(signer);
                let raw = tx.raw();
                assert!(
                    raw.windows(33).any(|window| window == public_key),
                    "it is signed by the key of {first}"
                );
                seen.push((first.clone(), TableChain::header(25).session_id));
            }
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), 2, "claim: {claim}");
        }
    }

    // The end of one is not the end of the other.
    two.bench.chain.set_height(41);
    let end = settled(5, 9);
    for driver in &mut two.drivers {
        driver.on_events(&end).await.unwrap();
    }
    assert_eq!(two.states().await, ["proof_included", "settled"]);
    let end = settled(3, 3);
    for driver in &mut two.drivers {
        driver.on_events(&end).await.unwrap();
    }
    assert_eq!(two.states().await, ["settled", "settled"]);
    for record in SessionDb::new(&two.bench.store).records(10, 0).await.unwrap() {
        assert_eq!(
            record.our_part(),
            Amount::from_upokt(12_000),
            "{}",
            record.facts.supplier
        );
    }
}

#[tokio::test]
async fn a_crash_resumes_both_and_a_claim_that_cannot_be_made_holds_up_no_other() {
    let mut two = Two::new().await;
    two.bench.serve(&two.drivers[0], 0..4).await;
    two.bench.serve(&two.drivers[1], 10..13).await;
    two.block(32).await;
    assert_eq!(two.states().await, ["claim_sent", "claim_sent"]);
    two.drivers = Two::start(&two.bench).await;
    for (driver, answers) in two.drivers.iter().zip([4, 3]) {
        let open = driver.sessions.all();
        assert_eq!(open.len(), 1, "its own session and no other's");
        assert_eq!(open[0].answers.load(Ordering::SeqCst), answers);
        assert_eq!(driver.states.len(), 1);
    }
    // Nobody can send what the second signs; the first goes its way.
    let is_of_other = |operator: &String| operator == key(5).address().as_str();
    for (tx, found) in &mut two.bench.chain.state().sent {
        if !sessions(tx, true)
            .iter()
            .any(|(_, operator)| is_of_other(operator))
        {
            *found = Found::Included(Height(33));
        }
    }
    for height in 33..38 {
        two.block(height).await;
        for (tx, found) in &mut two.bench.chain.state().sent {
            let mut all = sessions(tx, true).into_iter().chain(sessions(tx, false));
            if *found == Found::No && !all.any(|(_, operator)| is_of_other(&operator)) {
                *found = Found::Included(Height(height));
            }
        }
    }
    two.block(38).await;
    let states = two.states().await;
    assert_eq!(states[0], "proof_included");
    assert_ne!(states[1], "proof_included");
}

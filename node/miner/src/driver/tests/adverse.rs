//! The driver against a chain that is silent, lags, refuses or lies, and against disks that fail.

use std::collections::BTreeSet;

use hearth_chain::{Reason, Stage as Where, TxError};
use hearth_pocket::message::{
    proof::{ClaimProofStatus, EventProofValidityChecked},
    tokenomics::{EventClaimExpired, EventSupplierSlashed},
};

use super::*;

/// What an endpoint says to a transaction.
fn refused(reason: Reason) -> TxError {
    TxError::Refused {
        stage: Where::Check,
        reason,
        codespace: "sdk".to_owned(),
        code: 1,
        log: "as it says".to_owned(),
    }
}

fn expired(height: u64) -> BlockEvents {
    let header = TableChain::header(25);
    let event = EventClaimExpired {
        service_id: header.service_id,
        application_address: header.application_address,
        session_end_block_height: header.session_end_block_height,
        supplier_operator_address: key(3).address().to_string(),
        ..EventClaimExpired::default()
    };
    block_with(height, ChainEvent::ClaimExpired(Box::new(event)))
}

pub(super) fn found_invalid(height: u64) -> BlockEvents {
    let header = TableChain::header(25);
    let event = EventProofValidityChecked {
        service_id: header.service_id,
        application_address: header.application_address,
        session_end_block_height: header.session_end_block_height,
        supplier_operator_address: key(3).address().to_string(),
        claim_proof_status_int: i32::from(ClaimProofStatus::Invalid),
        failure_reason: "wrong path".to_owned(),
        ..EventProofValidityChecked::default()
    };
    block_with(height, ChainEvent::ProofValidityChecked(Box::new(event)))
}

/// A driver whose claim is in a block.
pub(super) async fn claimed(bench: &Bench) -> Driver {
    let mut driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    bench.block(&mut driver, 32).await;
    bench.include(33);
    bench.block(&mut driver, 34).await;
    assert_eq!(bench.state().await.name(), "claim_included");
    driver
}

#[tokio::test]
async fn a_silent_index_at_the_end_of_the_window_forgets_no_claim() {
    let bench = Bench::new().await;
    let mut driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    bench.block(&mut driver, 32).await;
    bench.include(33);
    bench.chain.state().no_index = true;
    bench.chain.state().no_state = true;
    for height in 33..38 {
        bench.block(&mut driver, height).await;
        assert_eq!(bench.state().await.name(), "claim_sent", "at {height}");
    }
    bench.chain.state().no_index = false;
    bench.chain.state().no_state = false;
    // The window for proofs is open: the same block that shows the claim has its proof made.
    bench.block(&mut driver, 38).await;
    assert_eq!(bench.state().await.name(), "proof_sent");
    // The same of a proof: what was paid in the end is told as paid.
    bench.include(40);
    bench.chain.state().no_index = true;
    for height in 40..43 {
        bench.block(&mut driver, height).await;
        assert_eq!(bench.state().await.name(), "proof_sent", "at {height}");
    }
    driver.on_events(&bench.settled()).await.unwrap();
    assert_eq!(bench.state().await.name(), "settled");
    assert_eq!(bench.chain.state().signed.len(), 2);

    // The state alone says so, too, while the index is silent.
    let bench = Bench::new().await;
    let mut driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    bench.block(&mut driver, 32).await;
    bench.include(33);
    bench.chain.state().no_index = true;
    bench.block(&mut driver, 36).await;
    assert_eq!(bench.state().await.name(), "claim_sent");
    bench.block(&mut driver, 37).await;
    assert_eq!(bench.state().await.name(), "proof_sent");
}

#[tokio::test]
async fn an_index_that_hides_transactions_is_outvoted_by_the_state() {
    let bench = Bench::new().await;
    let mut driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    bench.block(&mut driver, 32).await;
    bench.include(33);
    bench.chain.state().hides = true;
    for height in 33..37 {
        bench.block(&mut driver, height).await;
    }
    assert_eq!(bench.state().await.name(), "claim_sent");
    bench.block(&mut driver, 37).await;
    assert_eq!(bench.state().await.name(), "proof_sent");
    bench.include(40);
    // The settlement was overlooked: its own block is asked again.
    bench.chain.state().blocks.insert(40, bench.settled());
    bench.block(&mut driver, 41).await;
    let state = bench.state().await;
    assert!(state.paid().is_some(), "{state:?}");
    assert_eq!(bench.chain.state().signed.len(), 2);
}

#[tokio::test]
async fn a_claim_is_missed_only_when_a_state_after_its_window_has_none() {
    let bench = Bench::new().await;
    let mut driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    // The claim is sent and never included; the state that can be proven lags.
    bench.chain.state().lag = 3;
    for height in 32..39 {
        bench.block(&mut driver, height).await;
        assert_eq!(bench.state().await.name(), "claim_sent", "at {height}");
    }
    bench.block(&mut driver, 39).await;
    assert_eq!(bench.state().await.name(), "claim_missed");
}

/// The program was away over the whole settlement.
#[tokio::test]
async fn a_restart_long_after_the_settlement_still_finds_the_money() {
    let bench = Bench::new().await;
    let mut driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    bench.block(&mut driver, 32).await;
    drop(driver);
    bench.include(33);
    bench.chain.set_height(60);
    let mut driver = bench.start().await;
    driver.on_events(&bench.settled()).await.unwrap();
    assert_eq!(bench.state().await.name(), "settled");

    // Nobody has the blocks any more: what needed a proof and has none was not paid.
    let bench = Bench::new().await;
    drop(claimed(&bench).await);
    let mut driver = bench.start().await;
    for height in 60..64 {
        bench.block(&mut driver, height).await;
    }
    assert_eq!(bench.state().await.name(), "proof_missed");
    let bench = Bench::new().await;
    drop(bench.proven().await);
    let mut driver = bench.start().await;
    bench.block(&mut driver, 60).await;
    assert_settled_unseen(&bench).await;
    // One that expired is told as expired.
    let bench = Bench::new().await;
    drop(bench.proven().await);
    bench.chain.state().blocks.insert(40, expired(40));
    let mut driver = bench.start().await;
    bench.block(&mut driver, 60).await;
    assert_eq!(bench.state().await.name(), "expired");
}

#[tokio::test]
async fn refusals_are_tried_again_until_the_window_closes() {
    let bench = Bench::new().await;
    let mut driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    bench.chain.state().refusal = Some(|| refused(Reason::UnknownAccount));
    bench.block(&mut driver, 32).await;
    bench.block(&mut driver, 33).await;
    let state = bench.state().await;
    assert_eq!(state.name(), "claim_sent");
    assert!(state.why().unwrap().contains("not on the chain yet"), "{state:?}");
    assert_eq!(
        bench.chain.state().signed.len(),
        1,
        "the same bytes were sent until then"
    );
    bench.chain.state().refusal = Some(|| refused(Reason::OutOfGas));
    bench.block(&mut driver, 34).await;
    let state = bench.state().await;
    assert!(state.why().unwrap().contains("gas limit"), "{state:?}");
    bench.chain.state().refusal = None;
    bench.block(&mut driver, 35).await;
    let state = bench.state().await;
    assert_eq!((state.name(), state.why()), ("claim_sent", None));
    assert!(
        bench.chain.state().signed.len() > 1,
        "others were signed in their place"
    );
    assert_eq!(bench.chain.state().sent.len(), 1);
    bench.include(36);
    bench.block(&mut driver, 36).await;
    // It is in a block, and the window for its proof is open.
    bench.block(&mut driver, 37).await;
    assert_eq!(bench.state().await.name(), "proof_sent");
}

/// Nobody has the proofs of what became of transactions: the state shows it a block later.
#[tokio::test]
async fn what_a_block_holds_is_believed_once_the_state_shows_it() {
    let bench = Bench::new().await;
    let mut driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    bench.chain.state().no_results = true;
    bench.block(&mut driver, 32).await;
    bench.include(33);
    for height in [33, 34] {
        bench.block(&mut driver, height).await;
        assert_eq!(bench.state().await.name(), "claim_sent", "at {height}");
    }
    bench.chain.state().asked.clear();
    bench.block(&mut driver, 35).await;
    let state = bench.state().await;
    assert_eq!(state.claim().unwrap().height, Height(33));
    assert_eq!(bench.chain.state().asked["claim_status"], 1);
    bench.block(&mut driver, 36).await;
    bench.include(37);
    for height in 37..40 {
        bench.block(&mut driver, height).await;
    }
    let state = bench.state().await;
    assert_eq!(
        (state.name(), state.proof().unwrap().height),
        ("proof_included", Height(37))
    );
}

/// A claim that fails in its block is made once more, as long as there is time.
#[tokio::test]
async fn a_claim_that_fails_in_a_block_is_made_again() {
    let bench = Bench::new().await;
    let mut driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    bench.block(&mut driver, 32).await;
    bench.chain.state().sent[0].1 = Found::Failed(Height(33));
    bench.block(&mut driver, 34).await;
    let state = bench.state().await;
    assert_eq!(state.name(), "claim_sent");
    assert_eq!(bench.chain.state().signed.len(), 2);
    bench.include(35);
    bench.block(&mut driver, 36).await;
    let claim = bench.state().await.claim().cloned().unwrap();
    assert_eq!(claim.tx, bench.chain.state().signed[1].hash_text());
}

/// The key is locked over a block, and the program starts anew over that.
#[tokio::test]
async fn what_stands_in_the_way_of_a_claim_is_said_and_goes() {
    let bench = Bench::new().await;
    let mut driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    bench.chain.state().refusal = Some(|| refused(Reason::MempoolFull));
    bench.block(&mut driver, 32).await;
    assert!(
        bench
            .state()
            .await
            .why()
            .unwrap()
            .contains("too many transactions")
    );
    drop(driver);
    bench.chain.state().refusal = None;
    let mut driver = bench.start().await;
    bench.block(&mut driver, 33).await;
    assert_eq!(bench.state().await.why(), None);
    assert_eq!(bench.chain.state().signed.len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_invents_the_end_of_a_claim_is_not_believed() {
    let bench = Bench::new().await;
    let mut driver = claimed(&bench).await;
    // Before the proof window has closed, nothing ends.
    for block in [
        expired(34),
        block_with(34, bench.settled().events[0].event.clone()),
    ] {
        bench.chain.set_height(35);
        driver.on_events(&block).await.unwrap();
        assert_eq!(bench.state().await.name(), "claim_included");
    }
    assert_eq!(driver.done_up_to(Height(34)), Height(34));
    for height in 35..38 {
        bench.block(&mut driver, height).await;
    }
    bench.include(38);
    bench.block(&mut driver, 39).await;
    assert_eq!(bench.state().await.name(), "proof_included");
    driver.on_events(&found_invalid(38)).await.unwrap();
    assert_eq!(bench.state().await.name(), "proof_included");
    // After it the state decides, and it still has the claim.
    bench.chain.state().status = Some(Some(1));
    bench.chain.set_height(41);
    driver.on_events(&expired(40)).await.unwrap();
    assert_eq!(bench.state().await.name(), "proof_included");
    // While the state is too old to tell, the block is not done with.
    bench.chain.state().status = None;
    bench.chain.state().lag = 2;
    driver.on_events(&bench.settled()).await.unwrap();
    assert_eq!(bench.state().await.name(), "proof_included");
    assert_eq!(driver.done_up_to(Height(40)), Height(39));
    bench.block(&mut driver, 42).await;
    assert_eq!(bench.state().await.name(), "settled");
    assert_eq!(driver.done_up_to(Height(42)), Height(42));
}

#[tokio::test]
async fn a_proof_that_the_state_calls_invalid_is_invalid() {
    let bench = Bench::new().await;
    let mut driver = bench.proven().await;
    bench.chain.state().status = Some(Some(i32::from(ClaimProofStatus::Invalid)));
    driver.on_events(&found_invalid(38)).await.unwrap();
    let state = bench.state().await;
    assert_eq!((state.name(), state.why()), ("proof_invalid", Some("wrong path")));
}

#[tokio::test]
async fn a_settlement_that_the_database_cannot_take_comes_again() {
    let bench = Bench::with(Some(400)).await;
    let mut driver = bench.proven().await;
    // A settlement with many receivers needs pages that are not there.
    let mut block = bench.settled();
    let ChainEvent::ClaimSettled(event) = &mut block.events[0].event else {
        panic!("not settled")
    };
    for number in 0..500 {
        event
            .reward_distribution
            .insert(format!("pokt1receiver{number:0>40}"), "1upokt".to_owned());
    }
    let pool = bench.store.pool();
    sqlx::query("CREATE TABLE filler (bytes BLOB)")
        .execute(pool)
        .await
        .unwrap();
    for size in [40_000, 4_000, 100] {
        while sqlx::query("INSERT INTO filler VALUES (zeroblob(?))")
            .bind(size)
            .execute(pool)
            .await
            .is_ok()
        {}
    }
    bench.chain.set_height(41);
    let kept = driver.on_events(&block).await;
    assert!(matches!(kept, Err(SessionDbError::Database(_))), "{kept:?}");
    assert_eq!(bench.state().await.name(), "proof_included");
    assert_eq!(
        driver.done_up_to(Height(41)),
        Height(39),
        "the block is not acknowledged"
    );
    bench.block(&mut driver, 42).await;
    assert_eq!(bench.state().await.name(), "proof_included");
    // Room again.
    sqlx::query("DELETE FROM filler").execute(pool).await.unwrap();
    bench.block(&mut driver, 43).await;
    assert_eq!(bench.state().await.paid().unwrap().rewards.len(), 501);
    assert_eq!(driver.done_up_to(Height(43)), Height(43));
}

#[tokio::test]
async fn a_claim_below_its_likely_costs_is_not_made() {
    for (probability, name) in [(0.25, "skipped"), (-1.0, "claim_sent")] {
        let bench = Bench::new().await;
        bench.chain.state().proof_fee = 1_000_000;
        bench.chain.state().probability = probability;
        let mut driver = bench.start().await;
        bench.serve(&driver, 0..4).await;
        bench.block(&mut driver, 32).await;
        let state = bench.state().await;
        assert_eq!(state.name(), name);
        assert_eq!(
            state.why().is_some_and(|why| why.contains("250000")),
            name == "skipped",
            "{state:?}"
        );
    }
}

#[tokio::test]
async fn evidence_that_cannot_be_opened_at_first_is_taken_up_later() {
    let bench = Bench::new().await;
    let driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    drop(driver);
    // A row that nobody can read holds up nothing else.
    sqlx::query(
        "INSERT INTO miner_session (session_id, supplier, application, service, start_height, end_height, facts, stage, \
         state, created_ms, updated_ms) VALUES ('bad', ?, 'a', 'svc', 1, 2, '{', 'accumulating', '{', 1, 1)",
    )
    .bind(key(3).address().as_str())
    .execute(bench.store.pool())
    .await
    .unwrap();
    bench.disk.state().fails = true;
    let mut driver = bench.start().await;
    bench.block(&mut driver, 31).await;
    bench.block(&mut driver, 32).await;
    assert_eq!(bench.state().await.name(), "accumulating");
    bench.disk.state().fails = false;
    bench.block(&mut driver, 33).await;
    let state = bench.state().await;
    assert_eq!((state.name(), state.seal().unwrap().leaves), ("claim_sent", 4));
    assert_eq!(driver.db.records(10, 0).await.unwrap().len(), 1);
    // It is told by its name, and not only in the log.
    let problems = bench.store.problems().all();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("row bad of miner_session"), "{problems:?}");
}

/// A bit turns after the claim: nothing is proven out of another tree, and what needs no proof is still paid.
#[tokio::test]
async fn a_tree_that_is_not_the_claimed_one_proves_nothing() {
    for (probability, name) in [(1.0, "proof_missed"), (-1.0, "proof_not_required")] {
        let bench = Bench::new().await;
        bench.chain.state().probability = probability;
        drop(claimed(&bench).await);
        // In the last record but one.
        bench.disk.turn_bit(120);
        let mut driver = bench.start().await;
        for height in 34..38 {
            bench.block(&mut driver, height).await;
        }
        let state = bench.state().await;
        assert_eq!(state.name(), name);
        let why = state.why().unwrap_or_default();
        assert_eq!(
            why.contains("not the one that was claimed"),
            name == "proof_missed",
            "{why}"
        );
        assert_eq!(bench.chain.state().signed.len(), 1);
    }
}

/// A second program with the same key claims the same session: its claim stands, so this node proves nothing, says why,
/// and serves nothing more with that key until a person has stopped the other one.
/// The proof that was found wrong is in no block that anybody tells of: the window's end decides.
#[tokio::test]
async fn a_proof_that_is_found_wrong_before_it_is_told_of_ends_with_its_window() {
    let bench = Bench::new().await;
    let mut driver = claimed(&bench).await;
    for height in 35..37 {
        bench.block(&mut driver, height).await;
    }
    bench.chain.state().hides = true;
    bench.chain.state().status = Some(Some(i32::from(ClaimProofStatus::Invalid)));
    bench.chain.set_height(38);
    driver.on_events(&found_invalid(38)).await.unwrap();
    assert_eq!(bench.state().await.name(), "proof_sent");
    bench.block(&mut driver, 41).await;
    assert_eq!(bench.state().await.name(), "proof_invalid");
}

/// What was answered lies in a file that cannot be read: the session says so, and is not begun anew.
#[tokio::test]
async fn a_session_whose_evidence_has_a_damaged_head_is_shown_as_such() {
    let bench = Bench::new().await;
    let driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    drop(driver);
    bench.disk.turn_bit_of_the_head(20);
    let mut driver = bench.start().await;
    bench.block(&mut driver, 32).await;
    let state = bench.state().await;
    assert_eq!(state.name(), "claim_missed");
    assert!(state.why().unwrap().contains("it is kept as"), "{state:?}");
    assert_eq!(bench.disk.state().aside.len(), 1);
    let problems = bench.store.problems().all();
    assert!(
        problems.iter().any(|problem| problem.contains(".unreadable")),
        "{problems:?}"
    );
    assert!(bench.chain.state().signed.is_empty());
}

fn slashed(height: u64) -> BlockEvents {
    let header = TableChain::header(25);
    let event = EventSupplierSlashed {
        proof_missing_penalty: "10000000upokt".to_owned(),
        supplier_stake_after_slash: "59990000000upokt".to_owned(),
        service_id: header.service_id,
        application_address: header.application_address,
        session_end_block_height: header.session_end_block_height,
        supplier_operator_address: key(3).address().to_string(),
        ..EventSupplierSlashed::default()
    };
    block_with(height, ChainEvent::SupplierSlashed(Box::new(event)))
}

#[tokio::test]
async fn a_slash_is_kept_beside_the_claim_that_it_was_for() {
    let bench = Bench::new().await;
    let mut driver = claimed(&bench).await;
    // The proof never gets into a block.
    for height in 34..42 {
        bench.block(&mut driver, height).await;
    }
    assert_eq!(bench.state().await.name(), "expired");
    // The claim ended before its settlement was read, and the program started anew.
    let mut driver = bench.start().await;
    assert_eq!(driver.telling_heights().first_from(Height(0)), Some(Height(36)));
    driver.on_events(&slashed(40)).await.unwrap();
    driver.on_events(&slashed(40)).await.unwrap();
    let slash = bench.record().await.slash.expect("it is kept");
    assert_eq!(
        (slash.height, slash.amount, slash.stake_after),
        (
            Height(40),
            Amount::from_upokt(10_000_000),
            Amount::from_upokt(59_990_000_000)
        )
    );
    bench.block(&mut driver, 42).await;
    let notes = driver.outlook.borrow().losses.notes();
    let told: Vec<&str> = notes.iter().map(|note| note.code.as_str()).collect();
    assert_eq!(told, ["slashed", "answers_lost"]);
}

#[tokio::test]
async fn a_slash_that_an_endpoint_makes_up_is_not_believed() {
    let bench = Bench::new().await;
    let mut driver = bench.proven().await;
    driver.on_events(&slashed(38)).await.unwrap();
    bench.chain.set_height(41);
    driver.on_events(&slashed(40)).await.unwrap();
    driver.on_events(&bench.settled()).await.unwrap();
    driver.on_events(&slashed(40)).await.unwrap();
    let record = bench.record().await;
    assert_eq!((record.state.name(), record.slash), ("settled", None));
}

/// Both may get into a block, so the chain must take at most one of them.
#[tokio::test]
async fn what_is_signed_anew_has_the_moment_of_what_it_replaces() {
    let bench = Bench::new().await;
    let mut driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    bench.chain.state().refusal = Some(|| refused(Reason::OutOfGas));
    bench.block(&mut driver, 32).await;
    bench.block(&mut driver, 33).await;
    let moments = |bench: &Bench| -> (usize, BTreeSet<Option<time::OffsetDateTime>>) {
        let state = bench.chain.state();
        let moments = state.signed.iter().map(hearth_chain::valid_until);
        (state.signed.len(), moments.collect())
    };
    let (n_signed, of_one) = moments(&bench);
    assert!(n_signed > 1 && of_one.len() == 1, "{n_signed}: {of_one:?}");
    // Once its moment has passed, another one is given a moment of its own.
    let late = time::OffsetDateTime::UNIX_EPOCH + Duration::from_secs(600);
    bench.chain.head.send_modify(|head| head.time = late);
    bench.block(&mut driver, 34).await;
    assert_eq!(moments(&bench).1.len(), 2);
}

#[tokio::test]
async fn windows_that_close_next_come_first_after_a_downtime() {
    let bench = Bench::new().await;
    let driver = bench.start().await;
    for height in [5, 15, 25] {
        bench.serve_at(height, &driver, 0..1).await;
    }
    let mut driver = bench.start().await;
    let order = |driver: &Driver, height| -> Vec<u64> {
        let facts = driver.most_urgent_first(Height(height));
        facts.iter().map(|facts| facts.end().0).collect()
    };
    // Claims of the session of blocks 21 to 30 may be in blocks 32 to 36, those of 11 to 20 are proven up to 30.
    assert_eq!(order(&driver, 28), [20, 30, 10]);
    assert_eq!(order(&driver, 33)[0], 30);
    // And all of them are seen to.
    bench.block(&mut driver, 33).await;
    assert_eq!(bench.state().await.name(), "claim_sent");
    assert_eq!(bench.chain.state().sent.len(), 1);
}

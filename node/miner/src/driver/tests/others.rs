//! Another program that signs with the same operator key.

use hearth_pocket::message::proof::ClaimProofStatus;

use super::adverse::{claimed, found_invalid};
use super::*;

#[tokio::test]
async fn a_claim_that_another_program_replaced_is_not_proven() {
    let bench = Bench::new().await;
    let mut driver = claimed(&bench).await;
    bench.chain.state().other_root = Some(vec![9; 48]);
    for height in 35..38 {
        bench.block(&mut driver, height).await;
    }
    let state = bench.state().await;
    assert_eq!(state.name(), "proof_missed");
    assert!(state.why().unwrap().contains("another program"), "{state:?}");
    assert!(driver.sessions.has_twin());
    assert_eq!(bench.chain.state().signed.len(), 1, "no proof was signed");
}

/// The other program was first: its claim is left in its place, since one of two proofs would be no proof of what stands.
#[tokio::test]
async fn a_claim_of_another_program_is_not_replaced() {
    let bench = Bench::new().await;
    let mut driver = bench.start().await;
    bench.serve(&driver, 0..4).await;
    bench.chain.state().other_root = Some(vec![9; 48]);
    bench.block(&mut driver, 32).await;
    let state = bench.state().await;
    assert_eq!(state.name(), "claim_missed");
    assert!(state.why().unwrap().contains("another program"), "{state:?}");
    assert!(driver.sessions.has_twin());
    assert!(bench.chain.state().signed.is_empty(), "no claim was signed");
}

/// Both programs claimed in the same block, and this node's claim stands. The other one's proof comes first and is wrong;
/// this node's comes after it and is paid.
#[tokio::test]
async fn a_wrong_proof_of_another_program_is_not_taken_for_the_own_one() {
    let bench = Bench::new().await;
    let mut driver = claimed(&bench).await;
    for height in 35..37 {
        bench.block(&mut driver, height).await;
    }
    assert_eq!(bench.state().await.name(), "proof_sent");
    bench.chain.set_height(37);
    bench.chain.state().status = Some(Some(i32::from(ClaimProofStatus::Invalid)));
    driver.on_events(&found_invalid(37)).await.unwrap();
    assert_eq!(bench.state().await.name(), "proof_sent");
    bench.include(38);
    bench.chain.state().status = None;
    for height in 38..40 {
        bench.block(&mut driver, height).await;
    }
    assert_eq!(bench.state().await.name(), "proof_included");
    assert_eq!(driver.done_up_to(Height(39)), Height(39));
    bench.chain.set_height(41);
    driver.on_events(&bench.settled()).await.unwrap();
    assert_eq!(bench.state().await.name(), "settled");
}

//! Recorded refusals and their reasons; fees; moments.

use std::collections::BTreeMap;

use serde_json::Value;
use time::OffsetDateTime;

use super::*;
use crate::golden::{list, load, number, text};

fn all() -> Vec<Value> {
    let golden = load("chain_txs");
    ["transactions", "from_blocks"]
        .map(|name| list(&golden[name]).to_vec())
        .concat()
}

#[test]
fn recorded_refusals_have_their_reasons() {
    let mut seen: BTreeMap<String, Reason> = BTreeMap::new();
    for entry in all() {
        for stage in ["broadcast_tx_sync", "included"] {
            let answer = &entry[stage];
            let code = answer["code"].as_i64().unwrap_or(0);
            if code > 0 {
                let reason = reason_of(text(&answer["codespace"]), code, text(&answer["log"]));
                seen.insert(text(&entry["label"]).to_owned(), reason);
            }
        }
    }
    assert!(seen.len() > 45, "{}", seen.len());
    let fee = |upokt| Reason::InsufficientFee {
        required: Some(Amount::from_upokt(upokt)),
    };
    let expected = [
        ("add_service_not_owner_of_existing", Reason::NotAllowed),
        ("add_service_foreign_owner", Reason::BadSignature),
        ("stake_gateway_below_min", Reason::Stake),
        ("stake_application_not_higher", Reason::Stake),
        ("stake_application_insufficient_funds", Reason::InsufficientFunds),
        ("unstake_supplier_again", Reason::Unbonding),
        ("delegate_again", Reason::AlreadyThere),
        ("delegate_unknown_gateway", Reason::NotFound),
        ("stake_supplier_owner_sends_services", Reason::NotAllowed),
        ("stake_supplier_unknown_service", Reason::NotFound),
        ("unstake_supplier_foreign", Reason::NotAllowed),
        ("wrong_sequence_low", Reason::WrongSequence { expected: Some(2) }),
        ("wrong_sequence_high", Reason::WrongSequence { expected: Some(2) }),
        ("wrong_chain_id", Reason::BadSignature),
        ("fee_too_low_zero", fee(1)),
        ("fee_too_low_for_gas", fee(2)),
        ("fee_wrong_denom", fee(1)),
        ("out_of_gas", Reason::OutOfGas),
        ("memo_too_long", Reason::MemoTooLong),
        ("timeout_height_passed", Reason::TimedOut),
        ("send_unknown_account", Reason::UnknownAccount),
        ("send_zero", Reason::BadField),
        ("send_bad_address", Reason::BadField),
        ("send_insufficient_funds_plain", Reason::InsufficientFunds),
        (
            "unordered_same_timestamp_other_body",
            Reason::Unordered { used: true },
        ),
        ("unordered_too_far", Reason::Unordered { used: false }),
        ("unordered_passed", Reason::TimedOut),
        ("r6_proof_not_required_by_sample", Reason::ProofNotRequired),
        (
            "program_1xMsgCreateClaim_h257_1_refused",
            Reason::OutsideClaimWindow { early: false },
        ),
        (
            "program_1xMsgSubmitProof_h262_0_refused",
            Reason::OutsideProofWindow { early: false },
        ),
        ("squatted_operator_stakes_with_own_owner", Reason::NotAllowed),
    ];
    for (label, reason) in expected {
        assert_eq!(seen.get(label), Some(&reason), "{label}");
    }
}

#[test]
fn a_simulation_tells_the_reason_that_the_block_would() {
    let mut compared = 0;
    for entry in all() {
        let simulated = &entry["simulate"];
        let (Some(6), Some(code)) = (simulated["code"].as_i64(), entry["included"]["code"].as_i64()) else {
            continue;
        };
        if code == 0 {
            continue;
        }
        // Simulated a block before its window opened: what it met then was another reason.
        if text(&entry["label"]) == "r6_proof_not_required_by_sample" {
            let early = reason_of("sdk", 6, text(&simulated["log"]));
            assert_eq!(early, Reason::OutsideProofWindow { early: true });
            assert_eq!(early.kind(), Kind::Retry);
            continue;
        }
        let included = &entry["included"];
        let in_block = reason_of(text(&included["codespace"]), code, text(&included["log"]));
        let log = simulated["log"].as_str().or(simulated["error"].as_str()).unwrap();
        assert_eq!(reason_of("sdk", 6, log), in_block, "{}", entry["label"]);
        compared += 1;
    }
    assert!(compared > 15, "{compared}");
}

#[test]
fn fees_round_up_and_are_never_nothing() {
    for (gas, price, fee) in [
        (0, 1, 1),
        (1, 1, 1),
        (1_000_000, 1, 1),
        (1_000_001, 1, 2),
        (300_000, 1_000_000, 300_000),
    ] {
        assert_eq!(fee_for(gas, price), Amount::from_upokt(fee), "{gas} at {price}");
    }
    assert_eq!(
        fee_for(u64::MAX, u64::MAX).upokt(),
        (u128::from(u64::MAX) * u128::from(u64::MAX)).div_ceil(1_000_000)
    );
}

/// The recorded fees are the ones that our rule gives for the recorded gas limits.
#[test]
fn recorded_fees_are_enough() {
    for entry in all() {
        let accepted = entry["included"]["code"].as_i64() == Some(0);
        let fee = entry["inputs"]["fee"]
            .as_str()
            .and_then(|fee| fee.strip_suffix("upokt"));
        if let (true, Some(fee)) = (accepted, fee) {
            let ours = fee_for(number(&entry["inputs"]["gas"]), 1).upokt();
            assert!(fee.parse::<u128>().unwrap() >= ours, "{}", entry["label"]);
        }
    }
}

#[test]
fn no_two_transactions_share_a_moment() {
    let timestamps = UniqueTimestamps::default();
    let at = OffsetDateTime::from_unix_timestamp(1_000).unwrap();
    let mut moments = Vec::new();
    for _ in 0..100 {
        moments.push(timestamps.moment(at, 1_234));
    }
    moments.push(timestamps.moment(at - Duration::from_secs(50), 0));
    let nanos: Vec<i64> = moments
        .iter()
        .map(|m| m.seconds * 1_000_000_000 + i64::from(m.nanos))
        .collect();
    assert!(nanos.windows(2).all(|pair| pair[0] < pair[1]), "{nanos:?}");
    assert_eq!(nanos[0], 1_000_234_000_000);
}

#[test]
fn a_refusal_says_what_is_lost() {
    let refused = |stage| TxError::Refused {
        stage,
        reason: Reason::InsufficientFunds,
        codespace: "sdk".to_owned(),
        code: 5,
        log: "spendable balance 1upokt is smaller than 2upokt".to_owned(),
    };
    assert!(
        refused(Stage::Simulation)
            .to_string()
            .contains("nothing was sent")
    );
    assert!(refused(Stage::Check).to_string().contains("counts as sent"));
    let said = refused(Stage::Simulation).to_string();
    assert!(
        said.ends_with("the account has 0.000001 POKT, 0.000002 are needed"),
        "{said}"
    );
    let raw = |log: &str| TxError::Refused {
        stage: Stage::Simulation,
        reason: Reason::InsufficientFunds,
        codespace: "sdk".to_owned(),
        code: 6,
        log: log.to_owned(),
    };
    let said = raw("rpc error: code = Unknown desc = insufficient funds with gas used: '40123'").to_string();
    assert!(said.ends_with("the account does not have enough"), "{said}");
    let said = raw("rpc error: spendable balance 5upokt is smaller than 1000007upokt: insufficient funds")
        .to_string();
    assert!(
        said.ends_with("the account has 0.000005 POKT, 1.000007 are needed"),
        "{said}"
    );
    assert!(refused(Stage::Simulation).is_certain());
    // Whoever refuses a transaction may have passed it on.
    assert!(!refused(Stage::Check).is_certain());
}

/// As the devnet and every recorded header of an unlimited chain have it.
#[test]
fn limits_of_blocks_are_hashed_as_headers_have_them() {
    use sha2::{Digest as _, Sha256};
    let hash = Sha256::digest(super::gas::hashed(22_020_096, -1));
    assert_eq!(
        hex::encode_upper(hash),
        "048091BC7DDC283F77BFBF91D73C44DA58C3DF8A9CBC867405D8B7F3DAADA22F"
    );
}

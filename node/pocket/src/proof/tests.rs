//! Draws and paths against the recorded data.

use super::{go_rand::float64, *};
use crate::golden::{bytes, list, load, number, text};

#[test]
fn golden_draws() {
    let golden = load("go_math_rand");
    for row in list(&golden["raw_seeds"]) {
        let seed = number(&row["seed"]);
        let draws: Vec<i64> = list(&row["first_int63"]).iter().map(number).collect();
        assert_eq!(raw_draws(seed).as_slice(), draws, "{row}");
        assert_eq!(
            format!("{:016x}", float64(seed).to_bits()),
            text(&row["first_float64_bits"]),
            "{row}"
        );
    }
    for row in list(&golden["seeded"]) {
        let input = bytes(&row["input"]);
        assert_eq!(seed_from(&[&input]), number::<i64>(&row["seed"]), "{row}");
        assert_eq!(
            seeded_int63(&[&input]),
            number::<i64>(&row["seeded_int63"]),
            "{row}"
        );
        let sample = seeded_float64(&[&input]);
        assert_eq!(
            format!("{:016x}", sample.to_bits()),
            text(&row["float64_bits"]),
            "{row}"
        );
        // Parts count as if they were joined.
        let (head, tail) = input.split_at(input.len() / 2);
        assert_eq!(seeded_float64(&[head, tail]).to_bits(), sample.to_bits());
    }
}

#[test]
fn golden_paths() {
    let golden = load("smst");
    for row in list(&golden["proof_path"]["cases"]) {
        let path = required_path(&bytes(&row["block_hash"]), text(&row["session_id"]));
        assert_eq!(hex::encode(path), text(&row["path"]));
    }
}

#[test]
fn the_real_chain_drew_the_same_samples() {
    let golden = load("chain_settlement");
    let mut n_checked = 0;
    for round in list(&golden["rounds"]) {
        let seed_hash = bytes(&round["block_hashes"]["before_proof_window_open"]);
        for row in list(&round["claims_before_settlement"]) {
            let mut claim: Claim = serde_json::from_value(row.clone()).unwrap();
            claim.proof_validation_status = 0;
            let hash = Sha256::digest(claim.encode_to_vec());
            assert_eq!(hex::encode(hash), text(&row["claim_hash_pending"]));
            let sample = requirement_sample(&claim, &seed_hash);
            assert_eq!(sample, number::<f64>(&row["requirement_sample"]));
            n_checked += 1;
        }
    }
    assert!(n_checked > 20);
}

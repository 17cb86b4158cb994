//! Golden headers and proofs, and what becomes of them when a bit is turned.

mod empty;
mod forms;

use std::{sync::Arc, time::Duration};

use hearth_base::Height;
use serde_json::Value;
use tendermint::{Time, validator::Set as ValidatorSet};

use super::*;
use crate::{
    golden::{bytes, list, load, number, read, text},
    rpc::wire::{AbciQuery, CommitAnswer, HeaderAnswer, ProofOp, ValidatorsAnswer},
};

const RULES: Rules = Rules {
    trusting_period: Duration::from_secs(1_209_600),
    clock_drift: Duration::from_secs(30),
};

/// The headers of a golden file, by position.
struct Chain {
    heights: Vec<Value>,
    trust: Value,
}

impl Chain {
    fn load(name: &str) -> Chain {
        let golden = load(name);
        Chain {
            heights: list(&golden["heights"]).to_vec(),
            trust: golden["trust"].clone(),
        }
    }

    fn entry(&self, height: u64) -> &Value {
        self.heights
            .iter()
            .find(|entry| number(&entry["height"]) == height)
            .unwrap()
    }

    fn validators(&self, height: u64) -> Arc<ValidatorSet> {
        let answer: ValidatorsAnswer = read(&self.entry(height)["validators"]);
        Arc::new(validator_set(answer.validators).unwrap())
    }

    fn block(&self, height: u64) -> LightBlock {
        let answer: CommitAnswer = read(&self.entry(height)["commit"]);
        self.around(answer, height)
    }

    fn around(&self, answer: CommitAnswer, height: u64) -> LightBlock {
        let known = self
            .heights
            .iter()
            .any(|entry| number(&entry["height"]) == height + 1);
        // The last header of a file has the same set after it.
        let next = if known { height + 1 } else { height };
        LightBlock {
            signed_header: answer.signed_header,
            validators: self.validators(height),
            next_validators: self.validators(next),
        }
    }

    fn last(&self) -> u64 {
        number(&self.heights.last().unwrap()["height"])
    }

    fn now(&self) -> Time {
        let last = self.block(self.last()).signed_header.header.time;
        (last + Duration::from_secs(3600)).unwrap()
    }

    fn anchored(&self) -> Trusted {
        let height = number(&self.trust["trusted_height"]);
        let hash = bytes(&self.trust["trusted_hash"]).try_into().unwrap();
        anchor(
            self.block(height),
            text(&self.trust["chain_id"]),
            Height(height),
            &hash,
        )
        .unwrap()
    }

    /// The header of a height, trusted because every one before it was verified.
    fn trusted(&self, height: u64) -> Trusted {
        let mut trusted = self.anchored();
        while trusted.header.height().0 < height {
            let block = self.block(trusted.header.height().0 + 1);
            trusted = verified(advance(&trusted, block, self.now(), &RULES));
        }
        trusted
    }
}

fn verified(step: Result<Step, HeaderError>) -> Trusted {
    match step.unwrap() {
        Step::Verified(trusted) => *trusted,
        Step::TooFar => panic!("too far"),
    }
}

#[test]
fn headers_in_a_row_verify() {
    for name in ["chain_light", "chain_light_validators"] {
        let chain = Chain::load(name);
        let trusted = chain.trusted(chain.last());
        let commit: CommitAnswer = read(&chain.entry(chain.last())["commit"]);
        assert_eq!(
            trusted.header.hash(),
            commit.signed_header.commit.block_id.hash.as_bytes()
        );
        assert_eq!(trusted.header.height().0, chain.last());
    }
}

#[test]
fn skips_have_the_verdict_of_the_reference() {
    for name in ["chain_light", "chain_light_validators"] {
        let chain = Chain::load(name);
        let golden = load(name);
        assert!(
            golden["cometbft_light_check"]["adjacent_all_ok"]
                .as_bool()
                .unwrap()
        );
        let mut refused = 0;
        for skip in list(&golden["cometbft_light_check"]["skips"]) {
            let (from, to) = (number(&skip["trusted"]), number(&skip["target"]));
            let step = advance(&chain.trusted(from), chain.block(to), chain.now(), &RULES).unwrap();
            let ok = matches!(step, Step::Verified(_));
            assert_eq!(ok, skip["ok"].as_bool().unwrap(), "{name}: {from} to {to}");
            refused += usize::from(!ok);
        }
        assert_eq!(refused > 0, name == "chain_light_validators");
    }
}

#[test]
fn another_anchor_is_refused() {
    let chain = Chain::load("chain_light");
    let block = || chain.block(331);
    let hash: [u8; 32] = bytes(&chain.trust["trusted_hash"]).try_into().unwrap();
    let mut other = hash;
    other[31] ^= 1;
    assert!(
        anchor(block(), "hearth-golden", Height(331), &other)
            .unwrap_err()
            .is_lie()
    );
    assert!(
        anchor(block(), "pocket", Height(331), &hash)
            .unwrap_err()
            .is_lie()
    );
    assert!(
        anchor(block(), "hearth-golden", Height(332), &hash)
            .unwrap_err()
            .is_lie()
    );
    let others = Chain::load("chain_light_validators");
    let foreign = LightBlock {
        validators: others.validators(4),
        ..block()
    };
    assert!(
        anchor(foreign, "hearth-golden", Height(331), &hash)
            .unwrap_err()
            .is_lie()
    );
}

#[test]
fn time_decides_whose_fault_it_is() {
    let chain = Chain::load("chain_light");
    let trusted = chain.trusted(331);
    let of = |height: u64| chain.block(height).signed_header.header.time;
    // Our clock is an hour behind a header that the validators signed.
    let early = (of(340) - Duration::from_secs(3600)).unwrap();
    let error = advance(&trusted, chain.block(340), early, &RULES).unwrap_err();
    assert!(
        matches!(error, HeaderError::ClockBehind { behind, .. } if behind.as_secs() == 3600),
        "{error}"
    );
    assert!(!error.is_lie());
    // A header from the future that is forged besides is a lie.
    let mut forged = chain.block(340);
    forged.signed_header.header.proposer_address =
        "0000000000000000000000000000000000000000".parse().unwrap();
    assert!(advance(&trusted, forged, early, &RULES).unwrap_err().is_lie());
    // One that nobody we trust signed shows nothing of our clock: the headers before it tell.
    let changing = Chain::load("chain_light_validators");
    let skips = list(&load("chain_light_validators")["cometbft_light_check"]["skips"]).to_vec();
    let far = skips.iter().find(|skip| skip["ok"] == false).unwrap();
    let (from, to) = (number(&far["trusted"]), number(&far["target"]));
    let made_at = changing.block(to).signed_header.header.time;
    let early = (made_at - Duration::from_secs(3600)).unwrap();
    let step = advance(&changing.trusted(from), changing.block(to), early, &RULES);
    assert!(matches!(step, Ok(Step::TooFar)), "{step:?}");
    let late = (of(331) + Duration::from_secs(1_209_600)).unwrap();
    let error = advance(&trusted, chain.block(340), late, &RULES).unwrap_err();
    assert!(matches!(error, HeaderError::TrustExpired { .. }), "{error}");
    assert!(!error.is_lie());
    // A whole second of drift less is still within it.
    let drifted = (of(340) - Duration::from_secs(29)).unwrap();
    verified(advance(&trusted, chain.block(340), drifted, &RULES));
}

#[test]
fn a_set_of_more_power_than_a_set_may_have_is_none() {
    let answer: ValidatorsAnswer = read(&Chain::load("chain_light").entry(331)["validators"]);
    let of = |powers: &[u64]| {
        let with = |power: &u64| tendermint::validator::Info {
            power: tendermint::vote::Power::try_from(*power).unwrap(),
            ..answer.validators[0].clone()
        };
        validator_set(powers.iter().map(with).collect()).is_some()
    };
    let most = ValidatorSet::MAX_TOTAL_VOTING_POWER;
    assert!(of(&[most]) && of(&[most - 1, 1]));
    assert!(!of(&[most, 1]) && !of(&[i64::MAX as u64; 3]) && !of(&[most + 1]));
}

#[test]
fn the_way_back_follows_the_hashes() {
    let chain = Chain::load("chain_light");
    let mut later = chain.trusted(340).header;
    for height in (331..340).rev() {
        let earlier = chain.block(height).signed_header.header;
        assert!(
            step_back(
                &later,
                chain.block(height - u64::from(height > 331)).signed_header.header
            )
            .is_err()
                || height == 331
        );
        later = step_back(&later, earlier).unwrap();
        assert_eq!(later, chain.trusted(height).header);
    }
    let sample: HeaderAnswer = read(&load("chain_light")["header_route_sample"]);
    assert_eq!(sample.header, *later.header());
    let mut forged = sample.header;
    forged.app_hash = vec![7; 32].try_into().unwrap();
    assert!(
        step_back(&chain.trusted(332).header, forged.clone())
            .unwrap_err()
            .is_lie()
    );
    assert!(restore(forged, &later.hash()).is_err());
    assert_eq!(restore(later.header().clone(), &later.hash()).unwrap(), later);
}

/// Paths to all texts and numbers in a JSON value.
fn leaves(value: &Value, path: &str, all: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(key, value)| leaves(value, &format!("{path}/{key}"), all)),
        Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(index, value)| leaves(value, &format!("{path}/{index}"), all));
        }
        Value::String(_) | Value::Number(_) => all.push(path.to_owned()),
        Value::Null | Value::Bool(_) => {}
    }
}

/// The value with bit `bit` of it turned, as far as its form goes.
fn turn(value: &Value, bit: usize) -> Value {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let flip = |mut bytes: Vec<u8>| {
        let at = bit % (bytes.len() * 8);
        bytes[at / 8] ^= 1 << (at % 8);
        bytes
    };
    let Value::String(text) = value else {
        return (value.as_i64().unwrap() ^ (1 << (bit % 3))).into();
    };
    if let Ok(number) = text.parse::<u64>() {
        return (number ^ (1 << (bit % 8))).to_string().into();
    }
    if let Ok(time) = Time::parse_from_rfc3339(text) {
        return (time + Duration::from_nanos(1 + bit as u64))
            .unwrap()
            .to_rfc3339()
            .into();
    }
    match hex::decode(text) {
        Ok(bytes) if !bytes.is_empty() => hex::encode_upper(flip(bytes)).into(),
        Ok(_) | Err(_) => match STANDARD.decode(text) {
            Ok(bytes) if bytes.len() == 64 => STANDARD.encode(flip(bytes)).into(),
            Ok(_) | Err(_) => format!("{text}x").into(),
        },
    }
}

#[test]
fn a_turned_bit_in_a_header_or_a_needed_signature_is_refused() {
    let chain = Chain::load("chain_light");
    for (from, height) in [(331, 332), (331, 340)] {
        let trusted = chain.trusted(from);
        let commit = &chain.entry(height)["commit"];
        let mut paths = Vec::new();
        leaves(&commit["signed_header"], "/signed_header", &mut paths);
        assert!(paths.len() >= 25, "{paths:?}");
        for path in &paths {
            for bit in [0, 1, 7, 100, 255] {
                let mut turned = commit.clone();
                let leaf = turned.pointer_mut(path).unwrap();
                *leaf = turn(leaf, bit);
                if turned == *commit {
                    continue;
                }
                // What cannot even be read is refused as well.
                let Ok(answer) = serde_json::from_str::<CommitAnswer>(&turned.to_string()) else {
                    continue;
                };
                let step = advance(&trusted, chain.around(answer, height), chain.now(), &RULES);
                assert!(!matches!(step, Ok(Step::Verified(_))), "{path} bit {bit}");
            }
        }
    }
}

#[test]
fn a_turned_bit_in_a_validator_is_refused() {
    let chain = Chain::load("chain_light_validators");
    let trusted = chain.trusted(4);
    let entry = &chain.entry(10)["validators"];
    let mut paths = Vec::new();
    for index in 0..list(&entry["validators"]).len() {
        for field in ["pub_key/value", "voting_power"] {
            paths.push(format!("/validators/{index}/{field}"));
        }
    }
    for path in paths {
        let mut turned = entry.clone();
        let leaf = turned.pointer_mut(&path).unwrap();
        *leaf = turn(leaf, 9);
        let Ok(answer) = serde_json::from_str::<ValidatorsAnswer>(&turned.to_string()) else {
            continue;
        };
        let validators = Arc::new(validator_set(answer.validators).unwrap());
        let block = LightBlock {
            validators,
            ..chain.block(10)
        };
        assert!(
            !matches!(
                advance(&trusted, block, chain.now(), &RULES),
                Ok(Step::Verified(_))
            ),
            "{path}"
        );
    }
}

/// A golden answer with everything that its check needs.
struct Proof {
    label: String,
    app_hash: Vec<u8>,
    store: String,
    key: Vec<u8>,
    answer: AbciQuery,
}

impl Proof {
    fn check(&self) -> Result<Statement, ProofError> {
        prove(
            &self.app_hash,
            &self.store,
            &self.key,
            &self.answer.value,
            &self.answer.proof_ops.ops,
        )
    }
}

fn proofs() -> Vec<(Proof, Value)> {
    let golden = load("chain_proofs");
    let all = ["proofs_height_344", "proofs_height_760"]
        .map(|name| list(&golden[name]).to_vec())
        .concat();
    let checked = all.into_iter().map(|entry| {
        let header: CommitAnswer =
            read(&golden["signed_headers"][(number(&entry["height"]) + 1).to_string()]["commit"]);
        let proof = Proof {
            label: format!("{} at {}", text(&entry["label"]), entry["height"]),
            app_hash: header.signed_header.header.app_hash.as_bytes().to_vec(),
            store: text(&entry["store"]).to_owned(),
            key: bytes(&entry["key"]),
            answer: read(&entry["response"]),
        };
        (proof, entry)
    });
    checked.collect()
}

#[test]
fn golden_proofs_verify() {
    let proofs = proofs();
    assert_eq!(proofs.len(), 131);
    for (proof, entry) in &proofs {
        let statement = proof
            .check()
            .unwrap_or_else(|error| panic!("{}: {error}", proof.label));
        let checked = &entry["checked_with_ics23_go"];
        match statement {
            Statement::Present(value) => {
                assert!(entry["exists"].as_bool().unwrap(), "{}", proof.label);
                assert_eq!(value, bytes(&entry["value"]), "{}", proof.label);
            }
            Statement::Absent { left, right } => {
                assert!(!entry["exists"].as_bool().unwrap(), "{}", proof.label);
                let key = |neighbour: Option<Neighbour>| neighbour.map(|n| n.key).unwrap_or_default();
                assert_eq!(
                    key(left),
                    bytes(&checked["left_neighbour_key"]),
                    "{}",
                    proof.label
                );
                assert_eq!(
                    key(right),
                    bytes(&checked["right_neighbour_key"]),
                    "{}",
                    proof.label
                );
            }
        }
    }
}

#[test]
fn a_proof_speaks_of_its_own_key_store_and_height_only() {
    let proofs: Vec<Proof> = proofs().into_iter().map(|(proof, _)| proof).collect();
    for (index, proof) in proofs.iter().enumerate() {
        let Proof {
            app_hash,
            store,
            key,
            answer,
            ..
        } = proof;
        let ops = &answer.proof_ops.ops;
        let other = &proofs[(index + 7) % proofs.len()];
        assert!(
            prove(
                app_hash,
                store,
                &[key.as_slice(), b"x"].concat(),
                &answer.value,
                ops
            )
            .is_err()
        );
        assert!(prove(app_hash, "shard", key, &answer.value, ops).is_err());
        assert!(prove(app_hash, store, key, b"something else", ops).is_err());
        assert!(prove(&[0; 32], store, key, &answer.value, ops).is_err());
        assert!(prove(app_hash, store, key, &answer.value, &ops[..1]).is_err());
        assert!(
            prove(
                app_hash,
                store,
                key,
                &answer.value,
                &[ops[1].clone(), ops[0].clone()]
            )
            .is_err()
        );
        if other.key != *key || other.store != *store {
            // Another record's proof, dressed as one of this key.
            let dressed = [
                ProofOp {
                    key: key.clone(),
                    ..other.answer.proof_ops.ops[0].clone()
                },
                ops[1].clone(),
            ];
            assert!(
                prove(app_hash, store, key, &other.answer.value, &dressed).is_err(),
                "{}",
                proof.label
            );
        }
        if !answer.value.is_empty() {
            // "It is not there", with a proof that it is.
            assert!(prove(app_hash, store, key, b"", ops).is_err());
        }
    }
}

#[test]
fn an_absence_proof_that_names_another_key_is_refused() {
    use ics23::{CommitmentProof, commitment_proof};
    use prost13::Message;
    let mut seen = 0;
    for (mut proof, entry) in proofs() {
        if entry["exists"].as_bool().unwrap() {
            continue;
        }
        let op = &mut proof.answer.proof_ops.ops[0];
        let mut inner = CommitmentProof::decode(op.data.as_slice()).unwrap();
        let Some(commitment_proof::Proof::Nonexist(absence)) = &mut inner.proof else {
            panic!("{}", proof.label)
        };
        absence.key.push(0);
        op.data = inner.encode_to_vec();
        assert_eq!(
            proof.check(),
            Err(ProofError::OtherKey { step: 1 }),
            "{}",
            proof.label
        );
        seen += 1;
    }
    assert_eq!(seen, 32);
}

/// Every bit of four proofs is turned, and a sample of the bits of all others.
#[test]
fn a_turned_bit_in_a_proof_is_refused_or_proves_the_same() {
    let proofs = proofs();
    let whole = ["params_gateway at 344", "params_absent_in_store at 760"];
    let mut refused = 0_usize;
    let mut same = 0_usize;
    for (proof, _) in &proofs {
        let good = proof.check().unwrap();
        let step = if whole.contains(&proof.label.as_str()) {
            1
        } else {
            397
        };
        let lengths = [0, 1].map(|op| proof.answer.proof_ops.ops[op].data.len() * 8);
        for op in [0, 1] {
            for bit in (0..lengths[op]).step_by(step) {
                let mut ops = proof.answer.proof_ops.ops.clone();
                ops[op].data[bit / 8] ^= 1 << (bit % 8);
                match prove(
                    &proof.app_hash,
                    &proof.store,
                    &proof.key,
                    &proof.answer.value,
                    &ops,
                ) {
                    Ok(statement) => {
                        assert_eq!(statement, good, "{} op {op} bit {bit}", proof.label);
                        same += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
        }
        for bit in (0..proof.key.len() * 8).step_by(11) {
            let mut key = proof.key.clone();
            key[bit / 8] ^= 1 << (bit % 8);
            let ops = &proof.answer.proof_ops.ops;
            assert!(prove(&proof.app_hash, &proof.store, &key, &proof.answer.value, ops).is_err());
        }
        for bit in (0..proof.answer.value.len() * 8).step_by(13) {
            let mut value = proof.answer.value.clone();
            value[bit / 8] ^= 1 << (bit % 8);
            let ops = &proof.answer.proof_ops.ops;
            assert!(prove(&proof.app_hash, &proof.store, &proof.key, &value, ops).is_err());
        }
    }
    assert!(refused > same * 20, "{refused} refused, {same} the same");
}

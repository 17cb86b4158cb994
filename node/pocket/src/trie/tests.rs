//! Trees and proofs against the recorded data, and what holds for all.

use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::{
    gob,
    golden::{bytes, list, load, number, text},
};

type Update = ([u8; 32], Vec<u8>, u64);

fn build(updates: &[Update]) -> (SumTrie, Vec<Vec<u8>>) {
    let mut trie = SumTrie::new();
    let values: Vec<Vec<u8>> = updates.iter().map(|(_, value, _)| value.clone()).collect();
    for (index, (key, value, weight)) in updates.iter().enumerate() {
        let is_new = !trie.contains(key);
        assert_eq!(trie.insert(key, value, *weight, index as u64), is_new);
        assert!(trie.contains(key));
    }
    (trie, values)
}

fn check_proof(trie: &mut SumTrie, values: &[Vec<u8>], golden: &Value, verdict: bool) {
    let path: [u8; 32] = bytes(&golden["path"]).try_into().unwrap();
    let Ok(proof) = trie.prove_closest(&path, values);
    assert_eq!(u64::from(proof.depth), number::<u64>(&golden["depth"]));
    assert_eq!(hex::encode(&proof.closest_path), text(&golden["closest_path"]));
    assert_eq!(proof.closest_value_hash, bytes(&golden["closest_value_hash"]));
    let flipped: Vec<u16> = list(&golden["flipped_bits"]).iter().map(number).collect();
    assert_eq!(proof.flipped_bits, flipped);
    let side_nodes: Vec<Vec<u8>> = list(&golden["closest_proof"]["side_nodes"])
        .iter()
        .map(bytes)
        .collect();
    assert_eq!(proof.side_nodes, side_nodes);
    assert_eq!(
        proof.sibling_data,
        bytes(&golden["closest_proof"]["sibling_data"])
    );

    let stream = gob::encode(&proof.compact());
    assert_eq!(hex::encode(&stream), text(&golden["compact"]["gob"]));
    let back = gob::decode(&stream).unwrap().expand().unwrap();
    assert_eq!(back, proof);
    assert_eq!(verify_closest(&back, &trie.root()).is_ok(), verdict);
}

#[test]
fn golden_tries_and_proofs() {
    let golden = load("smst");
    let mut n_proofs = 0;
    for case in list(&golden["tries"]) {
        let updates: Vec<Update> = list(&case["updates_in_order"])
            .iter()
            .map(|update| {
                let key = bytes(&update["key"]).try_into().unwrap();
                (key, bytes(&update["value"]), number(&update["weight"]))
            })
            .collect();
        let (mut trie, values) = build(&updates);
        let root = trie.root();
        assert_eq!(
            hex::encode(root.as_bytes()),
            text(&case["root"]),
            "{}",
            case["id"]
        );
        assert_eq!(root.sum(), number::<u64>(&case["sum"]));
        assert_eq!(root.count(), number::<u64>(&case["count"]));
        for proof in list(&case["closest_proofs"]) {
            check_proof(
                &mut trie,
                &values,
                proof,
                proof["verify_closest_proof"].as_bool().unwrap(),
            );
            n_proofs += 1;
        }
    }
    assert_eq!(n_proofs, 73);
}

fn bulk_updates(n_leaves: u64) -> Vec<Update> {
    let update = |index| {
        let part = |part: u8| Sha256::digest(format!("bulk/{index}/{part}"));
        let value = [part(0), part(1)].concat()[..64].to_vec();
        (Sha256::digest(&value).into(), value, index)
    };
    (0..n_leaves).map(update).collect()
}

#[test]
fn golden_bulk_tries() {
    let golden = load("smst");
    for case in list(&golden["bulk_by_rule"]["cases"]) {
        let (mut trie, values) = build(&bulk_updates(number(&case["n"])));
        assert_eq!(hex::encode(trie.root().as_bytes()), text(&case["root"]));
        check_proof(&mut trie, &values, &case["closest_proof"], true);
    }
}

/// The trees of the sessions that the real relay miner claimed, and the proofs that it sent.
#[test]
fn the_real_miner_built_the_same_trees() {
    let golden = load("chain_relays");
    let relays = list(&golden["good_and_mined"]);
    for (application, tree) in golden["trees"].as_object().unwrap() {
        let mut trie = SumTrie::new();
        let mut values = Vec::new();
        for leaf in list(&tree["leaves_in_any_order"]) {
            let relay = relays
                .iter()
                .find(|relay| relay["label"] == leaf["relay"])
                .unwrap();
            assert_eq!(relay["in_tree"], true);
            let value = bytes(&relay["leaf"]["value"]);
            let key: [u8; 32] = Sha256::digest(&value).into();
            assert_eq!(hex::encode(key), text(&leaf["key"]));
            assert!(trie.insert(&key, &value, number(&leaf["weight"]), values.len() as u64));
            values.push(value);
        }
        let root = trie.root();
        assert_eq!(
            hex::encode(root.as_bytes()),
            text(&tree["claimed_root"]),
            "{application}"
        );
        let path = bytes(&tree["proof_path"]).try_into().unwrap();
        let Ok(proof) = trie.prove_closest(&path, values.as_slice());
        assert_eq!(
            hex::encode(gob::encode(&proof.compact())),
            text(&tree["submitted_proof"]),
            "{application}"
        );
        assert_eq!(verify_closest(&proof, &root), Ok(()));
    }
    let n_leaves = relays.iter().filter(|relay| relay["in_tree"] == true).count();
    assert!(n_leaves >= 17);
}

#[test]
fn a_tree_goes_on_after_its_root_was_asked() {
    let updates = bulk_updates(300);
    let (mut at_once, _) = build(&updates);
    let mut bit_by_bit = SumTrie::with_capacity(300);
    for (index, (key, value, weight)) in updates.iter().enumerate() {
        bit_by_bit.insert(key, value, *weight, index as u64);
        bit_by_bit.root();
    }
    assert_eq!(bit_by_bit.root(), at_once.root());
    assert_eq!(bit_by_bit.len(), 300);
}

/// Keys whose paths share many bits would take long to find; paths are what the tree sees, so few values and many
/// proofs do as well.
fn updates() -> impl Strategy<Value = Vec<Update>> {
    let update = (
        any::<u16>(),
        proptest::collection::vec(any::<u8>(), 0..40),
        any::<u64>(),
    );
    proptest::collection::btree_map(any::<u16>(), update, 1..60).prop_map(|updates| {
        updates
            .into_iter()
            .map(|(key, (_, value, weight))| (Sha256::digest(key.to_be_bytes()).into(), value, weight))
            .collect()
    })
}

proptest! {
    #[test]
    fn insert_order_does_not_change_the_root(updates in updates(), seed: u64) {
        let mut shuffled = updates.clone();
        shuffled.sort_by_key(|(key, ..)| Sha256::digest([key.as_slice(), &seed.to_be_bytes()].concat()));
        prop_assert_eq!(build(&updates).0.root(), build(&shuffled).0.root());
    }

    #[test]
    fn every_closest_proof_verifies(updates in updates(), path: [u8; 32]) {
        let (mut trie, values) = build(&updates);
        let Ok(proof) = trie.prove_closest(&path, values.as_slice());
        prop_assert_eq!(verify_closest(&proof, &trie.root()), Ok(()));
        prop_assert_eq!(&proof.compact().expand().unwrap(), &proof);
        prop_assert!(values.iter().any(|value| Some(value.as_slice()) == proof.value()));
        for (key, ..) in &updates {
            let path = leaf_path(key);
            let Ok(proof) = trie.prove_closest(&path, values.as_slice());
            prop_assert!(proof.flipped_bits.is_empty());
            prop_assert_eq!(proof.closest_path.as_slice(), path.as_slice());
            prop_assert_eq!(verify_closest(&proof, &trie.root()), Ok(()));
        }
    }

    #[test]
    fn a_flipped_bit_never_verifies(updates in updates(), path: [u8; 32], at: usize, part in 0..5) {
        let (mut trie, values) = build(&updates);
        let mut root = *trie.root().as_bytes();
        let Ok(mut proof) = trie.prove_closest(&path, values.as_slice());
        let n_side_nodes = proof.side_nodes.len();
        let flipped: &mut [u8] = match part {
            0 => &mut root,
            1 => &mut proof.closest_value_hash,
            2 => &mut proof.closest_path,
            3 if n_side_nodes > 0 => &mut proof.side_nodes[at % n_side_nodes],
            // Bits beyond the depth are looked at by nobody.
            4 => &mut proof.path[..usize::from(proof.depth) / 8],
            _ => &mut [],
        };
        if flipped.is_empty() {
            return Ok(());
        }
        let len = flipped.len();
        flipped[at / 8 % len] ^= 1 << (at % 8);
        prop_assert!(verify_closest(&proof, &Root::from(root)).is_err(), "part {part}");
    }
}

#[test]
fn what_the_chain_leaves_unchecked_is_left_unchecked() {
    let (mut trie, values) = build(&bulk_updates(33));
    let Ok(proof) = trie.prove_closest(&[0x5a; 32], values.as_slice());
    let root = trie.root();
    let mut beyond = proof.clone();
    beyond.path[31] ^= 1;
    let shallower = ClosestProof {
        depth: proof.depth - 1,
        ..proof.clone()
    };
    let other_leaf = ClosestProof {
        non_membership_leaf_data: vec![1],
        ..proof.clone()
    };
    let no_sibling = ClosestProof {
        sibling_data: Vec::new(),
        ..proof.clone()
    };
    for lenient in [beyond, shallower, other_leaf, no_sibling] {
        assert_eq!(verify_closest(&lenient, &root), Ok(()));
    }
    let short = ClosestProof {
        path: vec![0; 31],
        ..proof.clone()
    };
    assert_eq!(verify_closest(&short, &root), Err(VerifyError::Path { len: 31 }));
    let deep = ClosestProof {
        depth: 257,
        ..proof.clone()
    };
    assert_eq!(
        verify_closest(&deep, &root),
        Err(VerifyError::Depth { depth: 257 })
    );
    let flip = ClosestProof {
        depth: 256,
        flipped_bits: vec![256],
        ..proof.clone()
    };
    assert_eq!(
        verify_closest(&flip, &root),
        Err(VerifyError::FlippedBit { bit: 256, depth: 256 })
    );
    let many = ClosestProof {
        side_nodes: vec![vec![]; 257],
        sibling_data: Vec::new(),
        ..proof
    };
    assert_eq!(
        verify_closest(&many, &root),
        Err(VerifyError::SideNodes { count: 257 })
    );
}

#[test]
fn compact_lengths_must_fit() {
    let (mut trie, values) = build(&bulk_updates(33));
    let Ok(proof) = trie.prove_closest(&[0x5a; 32], values.as_slice());
    let good = proof.compact();
    let with = |change: &dyn Fn(&mut CompactProof)| {
        let mut bad = good.clone();
        bad.closest_proof.iter_mut().for_each(change);
        bad.expand()
    };
    let n_nodes = proof.side_nodes.len() as i64;
    assert!(matches!(
        with(&|inner| inner.num_side_nodes = 257),
        Err(CompactError::SideNodeCount { count: 257 })
    ));
    assert!(matches!(
        with(&|inner| inner.num_side_nodes = -1),
        Err(CompactError::SideNodeCount { count: -1 })
    ));
    assert!(matches!(
        with(&|inner| inner.bit_mask.push(0)),
        Err(CompactError::BitMask { .. })
    ));
    assert!(matches!(
        with(&|inner| inner.num_side_nodes = n_nodes - 1),
        Err(CompactError::SideNodes { .. })
    ));
    assert!(matches!(
        with(&|inner| inner.bit_mask[0] ^= 1),
        Err(CompactError::SideNodes { .. })
    ));
    let mut bad = good.clone();
    bad.closest_proof = None;
    assert_eq!(bad.expand(), Err(CompactError::NoClosestProof));
    let mut bad = good.clone();
    bad.depth = vec![0, 0, 1];
    assert_eq!(bad.expand(), Err(CompactError::Number { len: 3 }));
    let mut bad = good;
    bad.path.pop();
    assert_eq!(bad.expand(), Err(CompactError::Path { len: 31 }));
}

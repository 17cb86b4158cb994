//! Nodes of a tree that are parted in another way than the tree parts them, and so prove another key.

use ics23::{
    CommitmentProof, ExistenceProof, HashOp, InnerOp, LeafOp, LengthOp, NonExistenceProof, commitment_proof,
};
use prost13::Message;
use sha2::{Digest as _, Sha256};

use super::*;

/// Height 0, one leaf, version 5, each doubled.
const LEAF: [u8; 3] = [0, 2, 10];
/// Height 1, two leaves, version 5.
const STEP: [u8; 3] = [2, 4, 10];
/// The length of a hash.
const LENGTH: u8 = 32;

fn hash(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

fn leaf_op(prefix: &[u8]) -> Option<LeafOp> {
    Some(LeafOp {
        hash: HashOp::Sha256 as i32,
        prehash_key: HashOp::NoHash as i32,
        prehash_value: HashOp::Sha256 as i32,
        length: LengthOp::VarProto as i32,
        prefix: prefix.to_vec(),
    })
}

/// What is hashed for a record.
fn leaf_bytes(key: &[u8], value: &[u8]) -> Vec<u8> {
    let length = [u8::try_from(key.len()).unwrap()];
    [&LEAF[..], &length, key, &[LENGTH], &hash(value)].concat()
}

/// A store of two records, its root, and the step from each of them to it.
struct Pair {
    root: Vec<u8>,
    left: InnerOp,
    right: InnerOp,
}

impl Pair {
    fn of(left: &[u8], right: &[u8]) -> Pair {
        let op = |prefix: Vec<u8>, suffix: Vec<u8>| InnerOp {
            hash: HashOp::Sha256 as i32,
            prefix,
            suffix,
        };
        Pair {
            root: hash(&[&STEP[..], &[LENGTH], left, &[LENGTH], right].concat()),
            left: op([&STEP[..], &[LENGTH]].concat(), [&[LENGTH], right].concat()),
            right: op([&STEP[..], &[LENGTH], left, &[LENGTH]].concat(), vec![]),
        }
    }

    fn prove(&self, asked: &[u8], proof: commitment_proof::Proof) -> Result<Statement, ProofError> {
        let in_app = ExistenceProof {
            key: b"store".to_vec(),
            value: self.root.clone(),
            leaf: leaf_op(&[0]),
            path: vec![],
        };
        let app_hash = hash(&[&[0, 5][..], b"store", &[LENGTH], &hash(&self.root)].concat());
        let op = |kind: &str, key: &[u8], proof| ProofOp {
            kind: kind.to_owned(),
            key: key.to_vec(),
            data: CommitmentProof { proof: Some(proof) }.encode_to_vec(),
        };
        let ops = [
            op("ics23:iavl", asked, proof),
            op("ics23:simple", b"store", commitment_proof::Proof::Exist(in_app)),
        ];
        prove(&app_hash, "store", asked, b"", &ops)
    }
}

fn exists(key: &[u8], value: &[u8], prefix: &[u8], step: &InnerOp) -> ExistenceProof {
    ExistenceProof {
        key: key.to_vec(),
        value: value.to_vec(),
        leaf: leaf_op(prefix),
        path: vec![step.clone()],
    }
}

fn absent(asked: &[u8], left: ExistenceProof, right: ExistenceProof) -> commitment_proof::Proof {
    commitment_proof::Proof::Nonexist(NonExistenceProof {
        key: asked.to_vec(),
        left: Some(left),
        right: Some(right),
    })
}

#[test]
fn a_record_under_another_key_of_the_same_bytes_hides_nothing() {
    let key = format!(
        "Claim/primary_key/{}/{}",
        "a".repeat(64),
        "pokt1".repeat(9).get(..43).unwrap()
    );
    let key = key.as_bytes();
    // The byte before what is left of the key is its length: the same bytes are a record of that key.
    let (before, shifted) = (&key[..11], &key[12..]);
    assert_eq!(usize::from(key[11]), shifted.len());
    let (first, claim) = (&b"Claim/aaa"[..], &b"a claim"[..]);
    let pair = Pair::of(&hash(&leaf_bytes(first, b"x")), &hash(&leaf_bytes(key, claim)));
    let length = u8::try_from(key.len()).unwrap();
    let own_form = |key: &[u8]| exists(key, claim, &LEAF, &pair.right);
    let other_form = exists(
        shifted,
        claim,
        &[&LEAF[..], &[length], before].concat(),
        &pair.right,
    );
    let before_it = exists(first, b"x", &LEAF, &pair.left);

    // The tree itself proves what lies between its records.
    let between = b"Claim/bbb";
    let proven = pair.prove(between, absent(between, before_it.clone(), own_form(key)));
    assert!(matches!(proven, Ok(Statement::Absent { .. })), "{proven:?}");
    // The claim is there.
    let hidden = pair.prove(key, absent(key, before_it, other_form.clone()));
    assert_eq!(hidden, Err(ProofError::Unreadable { step: 1 }));
    // One record is not two neighbours.
    let after = [key, b"x"].concat();
    let twice = pair.prove(&after, absent(&after, own_form(key), other_form));
    assert_eq!(twice, Err(ProofError::Unreadable { step: 1 }));
    let end = [key, b"z"].concat();
    let same = pair.prove(&after, absent(&after, own_form(key), own_form(&end)));
    assert!(same.is_err(), "{same:?}");
}

#[test]
fn steps_have_the_form_of_the_tree() {
    let pair = Pair::of(&hash(&leaf_bytes(b"a", b"x")), &hash(&leaf_bytes(b"c", b"y")));
    let (one, two) = (
        exists(b"a", b"x", &LEAF, &pair.left),
        exists(b"c", b"y", &LEAF, &pair.right),
    );
    let with = |change: fn(&mut InnerOp)| {
        let (mut one, mut two) = (one.clone(), two.clone());
        change(&mut one.path[0]);
        change(&mut two.path[0]);
        pair.prove(b"b", absent(b"b", one, two))
    };
    assert!(with(|_| {}).is_ok());
    let unreadable = Err(ProofError::Unreadable { step: 1 });
    // The height of a leaf, a number below zero, one without an end, no length before a hash.
    assert_eq!(with(|step| step.prefix[0] = 0), unreadable);
    assert_eq!(with(|step| step.prefix[0] = 3), unreadable);
    assert_eq!(with(|step| step.prefix.fill(0x80)), unreadable);
    assert_eq!(with(|step| step.prefix[3] = 31), unreadable);
    assert_eq!(with(|step| step.suffix.push(0)), unreadable);
}

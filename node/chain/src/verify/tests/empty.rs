//! Values that are empty, which the library for proofs does not take.

use sha2::{Digest as _, Sha256};

use super::*;

/// A store of one record, in an application of one store: the app hash, and the two steps to what is said of a key.
fn lone_record(asked: &[u8], record: &[u8], value: &[u8]) -> (Vec<u8>, [ProofOp; 2]) {
    use ics23::{
        CommitmentProof, ExistenceProof, HashOp, LeafOp, LengthOp, NonExistenceProof, commitment_proof,
    };
    use prost13::Message;
    let leaf = |prefix: &[u8]| LeafOp {
        hash: HashOp::Sha256 as i32,
        prehash_key: HashOp::NoHash as i32,
        prehash_value: HashOp::Sha256 as i32,
        length: LengthOp::VarProto as i32,
        prefix: prefix.to_vec(),
    };
    let exists = |key: &[u8], value: &[u8], prefix: &[u8]| ExistenceProof {
        key: key.to_vec(),
        value: value.to_vec(),
        leaf: Some(leaf(prefix)),
        path: vec![],
    };
    let hash = |prefix: &[u8], key: &[u8], value: &[u8]| {
        let sized = |bytes: &[u8]| [&[u8::try_from(bytes.len()).unwrap()], bytes].concat();
        Sha256::digest([prefix, &sized(key), &sized(&Sha256::digest(value))].concat()).to_vec()
    };
    // Height 0, one leaf, version 1.
    let prefix = [0, 2, 2];
    let in_store = exists(record, value, &prefix);
    let root = hash(&prefix, record, value);
    let app_hash = hash(&[0], b"store", &root);
    let in_store = if asked == record {
        commitment_proof::Proof::Exist(in_store)
    } else {
        commitment_proof::Proof::Nonexist(NonExistenceProof {
            key: asked.to_vec(),
            left: None,
            right: Some(in_store),
        })
    };
    let in_app = commitment_proof::Proof::Exist(exists(b"store", &root, &[0]));
    let op = |kind: &str, key: &[u8], proof| ProofOp {
        kind: kind.to_owned(),
        key: key.to_vec(),
        data: CommitmentProof { proof: Some(proof) }.encode_to_vec(),
    };
    (
        app_hash,
        [
            op("ics23:iavl", asked, in_store),
            op("ics23:simple", b"store", in_app),
        ],
    )
}

#[test]
fn empty_values_are_proven_as_records_and_as_neighbours() {
    for value in [&b""[..], b"full"] {
        let (app_hash, ops) = lone_record(b"k", b"k", value);
        let proven = prove(&app_hash, "store", b"k", value, &ops);
        assert_eq!(proven, Ok(Statement::Present(value.to_vec())));
        assert_eq!(
            prove(&app_hash, "store", b"k", b"else", &ops),
            Err(ProofError::OtherValue)
        );
        // Coins of an address that comes before everything that the bank keeps.
        let (app_hash, ops) = lone_record(b"a", b"k", value);
        let right = Some(Neighbour {
            key: b"k".to_vec(),
            value: value.to_vec(),
        });
        let absent = prove(&app_hash, "store", b"a", b"", &ops);
        assert_eq!(absent, Ok(Statement::Absent { left: None, right }));
    }
    // A value whose hash was not taken says nothing.
    let (_, mut ops) = lone_record(b"k", b"k", b"full");
    let (app_hash, empty) = lone_record(b"k", b"k", b"");
    ops[1] = empty[1].clone();
    assert!(prove(&app_hash, "store", b"k", b"full", &ops).is_err());
}

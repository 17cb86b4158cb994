//! Values of the state: an ICS23 proof in two steps, key under a store's root, store under the app hash.

use ics23::{
    CommitmentProof, ExistenceProof, HashOp, HostFunctionsManager, InnerOp, LeafOp, NonExistenceProof,
    ProofSpec, calculate_existence_root, commitment_proof::Proof, iavl_spec, tendermint_spec,
    verify_membership, verify_non_membership,
};
use prost13::Message;
use sha2::{Digest as _, Sha256};

use crate::rpc::wire::ProofOp;

/// The largest proof that is looked at. A real one has some 60 steps of 70 bytes, twice.
const MAX_PROOF_BYTES: usize = 256 * 1024;

/// What a proof says about the asked key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// The key is there and holds this.
    Present(Vec<u8>),
    /// The key is not there. Nothing lies between these two.
    Absent {
        /// The greatest key below the asked one.
        left: Option<Neighbour>,
        /// The smallest key above it.
        right: Option<Neighbour>,
    },
}

/// A key and its value, proven by the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The key.
    pub key: Vec<u8>,
    /// What it holds.
    pub value: Vec<u8>,
}

/// Why a proof is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("the answer has {found} proof steps where two are needed")]
    Steps { found: usize },
    #[error("proof step {step} is of kind \"{found}\", not \"{wanted}\"")]
    Kind {
        step: usize,
        found: String,
        wanted: &'static str,
    },
    #[error("proof step {step} speaks of another key than the one that was asked for")]
    OtherKey { step: usize },
    #[error("proof step {step} cannot be read")]
    Unreadable { step: usize },
    #[error("the value sent is not the value proven")]
    OtherValue,
    #[error("the store's root does not lead to the app hash of the verified header")]
    WrongAppHash,
    #[error("the key does not lead to the store's root")]
    WrongStoreRoot,
}

/// Checks what `ops` prove about `key` in `store` under `app_hash`; `value` is what the endpoint says it holds, empty
/// for an absent key and for a record that is empty.
///
/// # Errors
/// A proof of something else, or of nothing.
pub fn prove(
    app_hash: &[u8],
    store: &str,
    key: &[u8],
    value: &[u8],
    ops: &[ProofOp],
) -> Result<Statement, ProofError> {
    let [in_store, in_app] = ops else {
        return Err(ProofError::Steps { found: ops.len() });
    };
    let key_proof = read(1, in_store, "ics23:iavl", key)?;
    let store_proof = read(2, in_app, "ics23:simple", store.as_bytes())?;
    let hashed = hashed(&key_proof).ok_or(ProofError::Unreadable { step: 1 })?;
    let root = match &hashed.proof {
        Some(Proof::Exist(proof)) => root_of(proof),
        Some(Proof::Nonexist(proof)) => proof.left.as_ref().or(proof.right.as_ref()).and_then(root_of),
        Some(Proof::Batch(_) | Proof::Compressed(_)) | None => None,
    };
    let root = root.ok_or(ProofError::Unreadable { step: 1 })?;
    // The upper step first: what lies under a false root need not be looked at.
    let app_hash = app_hash.to_vec();
    let is_single = matches!(store_proof.proof, Some(Proof::Exist(_)));
    if !is_single
        || !verify_membership::<HostFunctionsManager>(
            &store_proof,
            &tendermint_spec(),
            &app_hash,
            store.as_bytes(),
            &root,
        )
    {
        return Err(ProofError::WrongAppHash);
    }
    match &key_proof.proof {
        Some(Proof::Exist(proof)) => present(&hashed, proof, &root, key, value),
        Some(Proof::Nonexist(proof)) => absent(&hashed, proof, &root, key, value),
        Some(Proof::Batch(_) | Proof::Compressed(_)) | None => Err(ProofError::Unreadable { step: 1 }),
    }
}

fn read(step: usize, op: &ProofOp, kind: &'static str, key: &[u8]) -> Result<CommitmentProof, ProofError> {
    if op.kind != kind {
        return Err(ProofError::Kind {
            step,
            found: op.kind.chars().take(40).collect(),
            wanted: kind,
        });
    }
    if op.key != key {
        return Err(ProofError::OtherKey { step });
    }
    if op.data.len() > MAX_PROOF_BYTES {
        return Err(ProofError::Unreadable { step });
    }
    CommitmentProof::decode(op.data.as_slice()).map_err(|_| ProofError::Unreadable { step })
}

/// The same proof, with the hash of each value in the place of the value, which gives the same leaf. The library takes no
/// empty value, and the chain has some: as records, and as neighbours of absent ones.
fn hashed(proof: &CommitmentProof) -> Option<CommitmentProof> {
    let hashed = |proof: &ExistenceProof| {
        let leaf = proof.leaf.clone()?;
        if !has_own_form(&leaf.prefix, &proof.path) {
            return None;
        }
        (leaf.prehash_value == HashOp::Sha256 as i32).then(|| ExistenceProof {
            value: Sha256::digest(&proof.value).to_vec(),
            leaf: Some(LeafOp {
                prehash_value: HashOp::NoHash as i32,
                ..leaf
            }),
            ..proof.clone()
        })
    };
    // A neighbour that is there must be readable, else it would be left out.
    let neighbour = |proof: &Option<ExistenceProof>| match proof {
        Some(proof) => hashed(proof).map(Some),
        None => Some(None),
    };
    let proof = match proof.proof.as_ref()? {
        Proof::Exist(proof) => Proof::Exist(hashed(proof)?),
        Proof::Nonexist(proof) => Proof::Nonexist(NonExistenceProof {
            left: neighbour(&proof.left)?,
            right: neighbour(&proof.right)?,
            ..proof.clone()
        }),
        Proof::Batch(_) | Proof::Compressed(_) => return None,
    };
    Some(CommitmentProof { proof: Some(proof) })
}

/// Whether leaf and steps are nodes of such a tree and of no other form: height, size and version, then what they hash.
/// The library asks so of proofs of values alone, not of their hashes, and bytes of a node that may be parted in another
/// way prove another key.
fn has_own_form(leaf: &[u8], path: &[InnerOp]) -> bool {
    let is_leaf = node_head(leaf).is_some_and(|(height, rest)| height == 0 && rest.is_empty());
    let is_step = |(below, step): (usize, &InnerOp)| {
        let Some((height, rest)) = node_head(&step.prefix) else {
            return false;
        };
        // The length of a hash, before each of the two.
        const LENGTH: u8 = 32;
        let is_left = rest == [LENGTH] && step.suffix.len() == 33 && step.suffix[0] == LENGTH;
        let is_right = rest.len() == 34 && rest[0] == LENGTH && rest[33] == LENGTH && step.suffix.is_empty();
        usize::try_from(height).is_ok_and(|height| height > below) && (is_left || is_right)
    };
    is_leaf && path.iter().enumerate().all(is_step)
}

/// Height, size and version at the beginning of a node, each as a signed number of few bytes: gives the height, and what
/// comes after them.
fn node_head(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut rest = bytes;
    let mut number = || {
        let mut plain = 0_u64;
        for place in 0..10 {
            let (byte, after) = rest.split_first()?;
            rest = after;
            plain |= u64::from(byte & 0x7f).checked_shl(7 * place)?;
            if byte & 0x80 == 0 {
                // An even number is positive.
                return (plain & 1 == 0).then(|| i64::try_from(plain >> 1).ok())?;
            }
        }
        None
    };
    let height = number()?;
    number()?;
    number()?;
    Some((height, rest))
}

/// Whether one path is the upper end of the other, or the same. Two leaves cannot lie so, and the library takes from an
/// empty path then.
fn is_within(one: &[InnerOp], other: &[InnerOp]) -> bool {
    let mut pairs = one.iter().rev().zip(other.iter().rev());
    pairs.all(|(one, other)| one.prefix == other.prefix && one.suffix == other.suffix)
}

/// What [`hashed`] proofs have to be like.
fn hashed_spec() -> ProofSpec {
    let mut spec = iavl_spec();
    if let Some(leaf) = &mut spec.leaf_spec {
        leaf.prehash_value = HashOp::NoHash as i32;
    }
    spec
}

fn root_of(proof: &ExistenceProof) -> Option<Vec<u8>> {
    calculate_existence_root::<HostFunctionsManager>(proof).ok()
}

fn present(
    proof: &CommitmentProof,
    inner: &ExistenceProof,
    root: &Vec<u8>,
    key: &[u8],
    value: &[u8],
) -> Result<Statement, ProofError> {
    if inner.key != key {
        return Err(ProofError::OtherKey { step: 1 });
    }
    if inner.value != value {
        return Err(ProofError::OtherValue);
    }
    let hash = Sha256::digest(value);
    if !verify_membership::<HostFunctionsManager>(proof, &hashed_spec(), root, key, &hash) {
        return Err(ProofError::WrongStoreRoot);
    }
    Ok(Statement::Present(value.to_vec()))
}

fn absent(
    proof: &CommitmentProof,
    inner: &NonExistenceProof,
    root: &Vec<u8>,
    key: &[u8],
    value: &[u8],
) -> Result<Statement, ProofError> {
    // The library compares the neighbours with the asked key, but not the key that the proof names.
    if inner.key != key {
        return Err(ProofError::OtherKey { step: 1 });
    }
    if !value.is_empty() {
        return Err(ProofError::OtherValue);
    }
    let both = inner.left.as_ref().zip(inner.right.as_ref());
    if both.is_some_and(|(left, right)| is_within(&left.path, &right.path)) {
        return Err(ProofError::WrongStoreRoot);
    }
    if !verify_non_membership::<HostFunctionsManager>(proof, &hashed_spec(), root, key) {
        return Err(ProofError::WrongStoreRoot);
    }
    let neighbour = |proof: &ExistenceProof| Neighbour {
        key: proof.key.clone(),
        value: proof.value.clone(),
    };
    Ok(Statement::Absent {
        left: inner.left.as_ref().map(neighbour),
        right: inner.right.as_ref().map(neighbour),
    })
}

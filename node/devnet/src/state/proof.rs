//! ICS23 proofs: of a key in a store (IAVL spec) and of a store under the app hash (simple Merkle spec).

use hearth_pocket::merkle::{self, Side};
use ics23::{
    CommitmentProof, ExistenceProof, HashOp, InnerOp, LeafOp, LengthOp, NonExistenceProof,
    commitment_proof::Proof,
};
use sha2::{Digest, Sha256};

use super::tree::{Hash, Kind, Node, Tree};

/// Proves what the tree holds under `key`: its value, or by its neighbours that there is none.
///
/// `None` for an empty tree, of which ICS23 can prove nothing.
pub(crate) fn prove(tree: &Tree, key: &[u8]) -> Option<CommitmentProof> {
    let root = tree.root()?;
    let proof = if tree.get(key).is_some() {
        Proof::Exist(existence(root, key)?)
    } else {
        let (left, right) = tree.neighbours(key);
        Proof::Nonexist(NonExistenceProof {
            key: key.to_vec(),
            left: left.and_then(|key| existence(root, key)),
            right: right.and_then(|key| existence(root, key)),
        })
    };
    Some(CommitmentProof { proof: Some(proof) })
}

fn existence(root: &Node, key: &[u8]) -> Option<ExistenceProof> {
    let mut path = Vec::new();
    let mut node = root;
    loop {
        match &node.kind {
            Kind::Leaf { key: found, value } => {
                path.reverse();
                return (found.as_slice() == key).then(|| ExistenceProof {
                    key: key.to_vec(),
                    value: value.clone(),
                    leaf: Some(leaf_op(node.head())),
                    path,
                });
            }
            Kind::Inner { left, right, .. } => {
                let mut prefix = node.head();
                prefix.push(32);
                let mut suffix = Vec::new();
                if node.goes_left(key) {
                    suffix.push(32);
                    suffix.extend(right.hash());
                    path.push(inner_op(prefix, suffix));
                    node = left;
                } else {
                    prefix.extend(left.hash());
                    prefix.push(32);
                    path.push(inner_op(prefix, suffix));
                    node = right;
                }
            }
        }
    }
}

/// The app hash over the roots of all stores, which come sorted by name.
pub(crate) fn app_hash(stores: &[(&str, Hash)]) -> Hash {
    let leaves: Vec<Hash> = stores.iter().map(|(name, root)| store_leaf(name, root)).collect();
    merkle::root(&leaves)
}

/// Proves one store's root under the app hash.
pub(crate) fn prove_store(stores: &[(&str, Hash)], name: &str) -> Option<CommitmentProof> {
    let index = stores.iter().position(|(store, _)| *store == name)?;
    let leaves: Vec<Hash> = stores.iter().map(|(name, root)| store_leaf(name, root)).collect();
    let path = merkle::path(&leaves, index)
        .into_iter()
        .map(|(side, hash)| match side {
            Side::Left => inner_op([&[1], hash.as_slice()].concat(), Vec::new()),
            Side::Right => inner_op(vec![1], hash.to_vec()),
        });
    let path = path.collect();
    Some(CommitmentProof {
        proof: Some(Proof::Exist(ExistenceProof {
            key: name.as_bytes().to_vec(),
            value: stores.get(index)?.1.to_vec(),
            leaf: Some(leaf_op(vec![0])),
            path,
        })),
    })
}

fn leaf_op(prefix: Vec<u8>) -> LeafOp {
    LeafOp {
        hash: HashOp::Sha256.into(),
        prehash_key: HashOp::NoHash.into(),
        prehash_value: HashOp::Sha256.into(),
        length: LengthOp::VarProto.into(),
        prefix,
    }
}

fn inner_op(prefix: Vec<u8>, suffix: Vec<u8>) -> InnerOp {
    InnerOp {
        hash: HashOp::Sha256.into(),
        prefix,
        suffix,
    }
}

fn store_leaf(name: &str, root: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0, name.len() as u8]);
    hasher.update(name);
    hasher.update([32]);
    hasher.update(Sha256::digest(root));
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use ics23::{HostFunctionsManager, iavl_spec, tendermint_spec, verify_membership, verify_non_membership};

    use super::*;

    fn tree(leaves: u32) -> Tree {
        let mut tree = Tree::default();
        for number in 1..=leaves {
            tree.insert(
                &(number * 2).to_be_bytes(),
                vec![number as u8, 7],
                u64::from(number),
            );
        }
        tree
    }

    #[test]
    fn ics23_accepts_presence_and_absence_at_every_key() {
        for leaves in [1, 2, 3, 20, 300] {
            let tree = tree(leaves);
            let root = tree.root_hash().to_vec();
            for number in 1..=leaves * 2 + 1 {
                let key = number.to_be_bytes();
                let proof = prove(&tree, &key).unwrap();
                let held = match tree.get(&key) {
                    Some(value) => {
                        verify_membership::<HostFunctionsManager>(&proof, &iavl_spec(), &root, &key, value)
                    }
                    None => verify_non_membership::<HostFunctionsManager>(&proof, &iavl_spec(), &root, &key),
                };
                assert!(held, "{leaves} leaves, key {number}");
            }
        }
    }

    #[test]
    fn ics23_accepts_every_store() {
        for count in 1..=12_u8 {
            let names: Vec<String> = (0..count).map(|number| format!("store{number:02}")).collect();
            let stores: Vec<(&str, Hash)> = names
                .iter()
                .map(String::as_str)
                .zip((0..count).map(|n| [n; 32]))
                .collect();
            let hash = app_hash(&stores).to_vec();
            for (name, root) in &stores {
                let proof = prove_store(&stores, name).unwrap();
                assert!(verify_membership::<HostFunctionsManager>(
                    &proof,
                    &tendermint_spec(),
                    &hash,
                    name.as_bytes(),
                    root
                ));
            }
        }
    }
}

//! The proof that a leaf is the one closest to a path.

use super::digest::DIGEST_LEN;

/// A proof that one leaf lies in a tree, closest to a path. Fields are named as in the Go library; what is not
/// 32 or 48 bytes long is found by [`verify_closest`](super::verify_closest).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClosestProof {
    /// The path that was asked for.
    pub path: Vec<u8>,
    /// The bits in which the closest leaf's path had to differ.
    pub flipped_bits: Vec<u16>,
    /// How deep the leaf lies.
    pub depth: u16,
    /// The path of the leaf.
    pub closest_path: Vec<u8>,
    /// The leaf's data: value, weight, count. Not hashed, despite the name.
    pub closest_value_hash: Vec<u8>,
    /// The digests beside the way from the leaf to the root, lowest first.
    pub side_nodes: Vec<Vec<u8>>,
    /// Not used by proofs of this kind.
    pub non_membership_leaf_data: Vec<u8>,
    /// The stored bytes of the lowest sibling.
    pub sibling_data: Vec<u8>,
}

impl ClosestProof {
    /// What the Go library proves of a tree without leaves.
    pub(super) fn of_empty_tree(path: &[u8]) -> ClosestProof {
        ClosestProof {
            path: path.to_vec(),
            flipped_bits: vec![0],
            closest_path: vec![0; DIGEST_LEN],
            ..ClosestProof::default()
        }
    }

    /// The value of the proven leaf: the relay. `None` when the proof carries none.
    #[must_use]
    pub fn value(&self) -> Option<&[u8]> {
        let value_len = self
            .closest_value_hash
            .len()
            .checked_sub(super::digest::TAIL_LEN)?;
        self.closest_value_hash.get(..value_len)
    }
}

//! The compact form of a proof, without the digests of empty subtrees.

use super::{
    closest::ClosestProof,
    digest::{DIGEST_LEN, PATH_BITS, PATH_LEN},
};

/// A proof as it travels: empty side nodes are bits of a mask, numbers are short big-endian bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactClosestProof {
    /// As in [`ClosestProof`].
    pub path: Vec<u8>,
    /// Each at most two bytes, big-endian.
    pub flipped_bits: Vec<Vec<u8>>,
    /// At most two bytes, big-endian.
    pub depth: Vec<u8>,
    /// As in [`ClosestProof`].
    pub closest_path: Vec<u8>,
    /// As in [`ClosestProof`].
    pub closest_value_hash: Vec<u8>,
    /// The inner part. Go dereferences a missing one and fails.
    pub closest_proof: Option<CompactProof>,
}

/// The side nodes of a compact proof.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactProof {
    /// Those side nodes that are not empty.
    pub side_nodes: Vec<Vec<u8>>,
    /// As in [`ClosestProof`].
    pub non_membership_leaf_data: Vec<u8>,
    /// A bit for each side node, most significant first: 1 where it is empty.
    pub bit_mask: Vec<u8>,
    /// How many side nodes there are, empty ones included.
    pub num_side_nodes: i64,
    /// As in [`ClosestProof`].
    pub sibling_data: Vec<u8>,
}

/// Why a compact proof stands for no proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompactError {
    #[error("the path has {len} bytes, not {PATH_LEN}")]
    Path { len: usize },
    #[error("the depth or a flipped bit has {len} bytes, more than two")]
    Number { len: usize },
    #[error("{count} side nodes are not between 0 and {PATH_BITS}")]
    SideNodeCount { count: i64 },
    #[error("the mask has {found} bytes where {count} side nodes need {wanted}")]
    BitMask { found: usize, wanted: usize, count: i64 },
    #[error("{found} side nodes are given where the mask leaves {wanted}")]
    SideNodes { found: usize, wanted: i64 },
    #[error("the part with the side nodes is missing")]
    NoClosestProof,
}

impl ClosestProof {
    /// The compact form.
    #[must_use]
    pub fn compact(&self) -> CompactClosestProof {
        let mut bit_mask = vec![0; self.side_nodes.len().div_ceil(8)];
        let mut side_nodes = Vec::new();
        for (index, node) in self.side_nodes.iter().enumerate() {
            if node.as_slice() == [0; DIGEST_LEN] {
                bit_mask[index / 8] |= 0x80 >> (index % 8);
            } else {
                side_nodes.push(node.clone());
            }
        }
        CompactClosestProof {
            path: self.path.clone(),
            flipped_bits: self.flipped_bits.iter().map(|bit| short_bytes(*bit)).collect(),
            depth: short_bytes(self.depth),
            closest_path: self.closest_path.clone(),
            closest_value_hash: self.closest_value_hash.clone(),
            closest_proof: Some(CompactProof {
                side_nodes,
                non_membership_leaf_data: self.non_membership_leaf_data.clone(),
                bit_mask,
                num_side_nodes: i64::try_from(self.side_nodes.len()).unwrap_or(i64::MAX),
                sibling_data: self.sibling_data.clone(),
            }),
        }
    }
}

impl CompactClosestProof {
    /// The full form.
    ///
    /// # Errors
    /// Lengths that do not fit together.
    pub fn expand(&self) -> Result<ClosestProof, CompactError> {
        if self.path.len() != PATH_LEN {
            return Err(CompactError::Path { len: self.path.len() });
        }
        let depth = number(&self.depth)?;
        let flipped_bits = self
            .flipped_bits
            .iter()
            .map(|bytes| number(bytes))
            .collect::<Result<_, _>>()?;
        let inner = self.closest_proof.as_ref().ok_or(CompactError::NoClosestProof)?;
        Ok(ClosestProof {
            path: self.path.clone(),
            flipped_bits,
            depth,
            closest_path: self.closest_path.clone(),
            closest_value_hash: self.closest_value_hash.clone(),
            side_nodes: inner.all_side_nodes()?,
            non_membership_leaf_data: inner.non_membership_leaf_data.clone(),
            sibling_data: inner.sibling_data.clone(),
        })
    }
}

impl CompactProof {
    fn all_side_nodes(&self) -> Result<Vec<Vec<u8>>, CompactError> {
        let count = self.num_side_nodes;
        let n_nodes = usize::try_from(count)
            .ok()
            .filter(|n_nodes| *n_nodes <= PATH_BITS)
            .ok_or(CompactError::SideNodeCount { count })?;
        let wanted = n_nodes.div_ceil(8);
        if self.bit_mask.len() != wanted {
            return Err(CompactError::BitMask {
                found: self.bit_mask.len(),
                wanted,
                count,
            });
        }
        // Go counts the bits of the whole mask, those beyond the last side node included.
        let n_empty: i64 = self
            .bit_mask
            .iter()
            .map(|byte| i64::from(byte.count_ones()))
            .sum();
        let found = self.side_nodes.len();
        if n_nodes > 0 && i64::try_from(found) != Ok(count - n_empty) {
            return Err(CompactError::SideNodes {
                found,
                wanted: count - n_empty,
            });
        }
        let mut given = self.side_nodes.iter();
        let node_at = |index: usize| match self.bit_mask[index / 8] & (0x80 >> (index % 8)) {
            0 => given.next().cloned().ok_or(CompactError::SideNodes {
                found,
                wanted: count - n_empty,
            }),
            _ => Ok(vec![0; DIGEST_LEN]),
        };
        (0..n_nodes).map(node_at).collect()
    }
}

/// Big-endian bytes without leading zeros, but at least one.
fn short_bytes(number: u16) -> Vec<u8> {
    match number.to_be_bytes() {
        [0, low] => vec![low],
        both => both.to_vec(),
    }
}

fn number(bytes: &[u8]) -> Result<u16, CompactError> {
    match bytes {
        [] => Ok(0),
        [low] => Ok(u16::from(*low)),
        [high, low] => Ok(u16::from_be_bytes([*high, *low])),
        longer => Err(CompactError::Number { len: longer.len() }),
    }
}

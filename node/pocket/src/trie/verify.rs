//! Checking a closest proof against a root, as the chain does.

use sha2::{Digest as _, Sha256};

use super::{
    closest::ClosestProof,
    digest::{DIGEST_LEN, EXTENSION, EXTENSION_LEN, LEAF, Node, PATH_BITS, PATH_LEN, Root, TAIL_LEN, bit},
};

/// Why a proof does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error("the path has {len} bytes, not {PATH_LEN}")]
    Path { len: usize },
    #[error("the depth {depth} is greater than {PATH_BITS}")]
    Depth { depth: u16 },
    #[error("the flipped bit {bit} lies below the depth {depth} or outside the path")]
    FlippedBit { bit: u16, depth: u16 },
    #[error("the closest path is too short or differs from the path in a bit that is not flipped")]
    ClosestPath,
    #[error("{count} side nodes are more than {PATH_BITS}, or more than the closest path has bits")]
    SideNodes { count: usize },
    #[error("a side node has {len} bytes, not {DIGEST_LEN}")]
    SideNode { len: usize },
    #[error("the sibling's data do not hash to the lowest side node")]
    SiblingData,
    #[error("the leaf's data are too short for a weight and a count")]
    LeafData,
    #[error("the way up from the leaf ends at another root")]
    OtherRoot,
}

/// Checks that the leaf of `proof` lies in the tree with `root`, and that it is the one closest to the proof's path.
///
/// As on chain, these are not looked at: bits of the path at and beyond the depth, whether the depth could be
/// greater, and the data of another leaf. The caller compares the path with the one that the chain demands.
///
/// # Errors
/// What does not hold.
pub fn verify_closest(proof: &ClosestProof, root: &Root) -> Result<(), VerifyError> {
    check_path(proof)?;
    check_sibling(proof)?;
    if proof.side_nodes.len() > PATH_BITS || proof.side_nodes.len() > proof.closest_path.len() * 8 {
        return Err(VerifyError::SideNodes {
            count: proof.side_nodes.len(),
        });
    }
    let mut node = leaf(proof)?;
    for (index, side) in proof.side_nodes.iter().enumerate() {
        let side = Node::from_bytes(&padded(side));
        let is_right = bit(&proof.closest_path, proof.side_nodes.len() - 1 - index);
        node = if is_right {
            Node::inner(&side, &node)
        } else {
            Node::inner(&node, &side)
        };
    }
    if Root::of(&node) == *root {
        Ok(())
    } else {
        Err(VerifyError::OtherRoot)
    }
}

fn check_path(proof: &ClosestProof) -> Result<(), VerifyError> {
    let len = proof.path.len();
    let mut path: [u8; PATH_LEN] = proof
        .path
        .as_slice()
        .try_into()
        .map_err(|_| VerifyError::Path { len })?;
    let depth = proof.depth;
    if usize::from(depth) > PATH_BITS {
        return Err(VerifyError::Depth { depth });
    }
    for bit in &proof.flipped_bits {
        let index = usize::from(*bit);
        if *bit > depth || index >= PATH_BITS {
            return Err(VerifyError::FlippedBit { bit: *bit, depth });
        }
        path[index / 8] ^= 0x80 >> (index % 8);
    }
    let depth = usize::from(depth);
    if proof.closest_path.len() * 8 < depth {
        return Err(VerifyError::ClosestPath);
    }
    let agrees = (0..depth).all(|index| bit(&path, index) == bit(&proof.closest_path, index));
    if agrees {
        Ok(())
    } else {
        Err(VerifyError::ClosestPath)
    }
}

fn check_sibling(proof: &ClosestProof) -> Result<(), VerifyError> {
    let Some(lowest) = proof
        .side_nodes
        .first()
        .filter(|_| !proof.sibling_data.is_empty())
    else {
        return Ok(());
    };
    if let Some(node) = proof.side_nodes.iter().find(|node| node.len() != DIGEST_LEN) {
        return Err(VerifyError::SideNode { len: node.len() });
    }
    let digest = stored_digest(&proof.sibling_data).ok_or(VerifyError::SiblingData)?;
    if digest.as_slice() == lowest.as_slice() {
        Ok(())
    } else {
        Err(VerifyError::SiblingData)
    }
}

/// The digest of a node from its stored bytes; an extension is expanded.
fn stored_digest(data: &[u8]) -> Option<[u8; DIGEST_LEN]> {
    if data.first() == Some(&EXTENSION) {
        let data: &[u8; EXTENSION_LEN] = data.try_into().ok()?;
        let (start, end) = (usize::from(data[1]), usize::from(data[2]));
        let mut path = [0; PATH_LEN];
        path.copy_from_slice(&data[3..35]);
        let mut child = [0; DIGEST_LEN];
        child.copy_from_slice(&data[35..83]);
        return Some(Node::from_bytes(&child).extended(start, end, &path).to_bytes());
    }
    let tail = data.len().checked_sub(TAIL_LEN)?;
    let mut digest = [0; DIGEST_LEN];
    digest[..32].copy_from_slice(&Sha256::digest(data));
    digest[32..].copy_from_slice(&data[tail..]);
    Some(digest)
}

/// The leaf's own digest; a proof without a leaf starts from nothing.
fn leaf(proof: &ClosestProof) -> Result<Node, VerifyError> {
    let data = &proof.closest_value_hash;
    if data.is_empty() {
        return Ok(Node::NONE);
    }
    let tail = data.len().checked_sub(TAIL_LEN).ok_or(VerifyError::LeafData)?;
    let mut hash = Sha256::new();
    hash.update([LEAF]);
    hash.update(&proof.closest_path);
    hash.update(data);
    let mut digest = [0; DIGEST_LEN];
    digest[..32].copy_from_slice(&hash.finalize());
    digest[32..].copy_from_slice(&data[tail..]);
    Ok(Node::from_bytes(&digest))
}

/// Side nodes of another length are cut or filled up, as Go does where no sibling is given.
fn padded(bytes: &[u8]) -> [u8; DIGEST_LEN] {
    let mut node = [0; DIGEST_LEN];
    let len = bytes.len().min(DIGEST_LEN);
    node[..len].copy_from_slice(&bytes[..len]);
    node
}

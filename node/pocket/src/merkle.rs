//! The Merkle tree of RFC 6962 with SHA-256, as CometBFT has it: transactions, results and stores of a block.
//!
//! A leaf is hashed with a leading 0, two children with a leading 1, and the left subtree of more than one leaf is the
//! largest power of two below their number, so that no subtree can pass for another.

use sha2::{Digest, Sha256};

/// A node of the tree.
pub type Hash = [u8; 32];

/// More steps than a tree of any size has.
const MAX_STEPS: usize = 64;

/// Which side of the way a hash stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
}

/// The hash of a leaf.
#[must_use]
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([0])
        .chain_update(bytes)
        .finalize()
        .into()
}

/// The hash of two children.
#[must_use]
pub fn inner_hash(left: &[u8], right: &[u8]) -> Hash {
    let hash = Sha256::new().chain_update([1]).chain_update(left);
    hash.chain_update(right).finalize().into()
}

/// The root over hashed leaves.
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(left_of(leaves.len()));
            inner_hash(&root(left), &root(right))
        }
    }
}

/// The root over leaves that are not hashed yet.
pub fn root_of<T: AsRef<[u8]>>(leaves: impl IntoIterator<Item = T>) -> Hash {
    let leaves: Vec<Hash> = leaves.into_iter().map(|leaf| leaf_hash(leaf.as_ref())).collect();
    root(&leaves)
}

/// The hashes beside the way from a leaf to the root, the one beside the leaf first, each with its side.
#[must_use]
pub fn path(leaves: &[Hash], index: usize) -> Vec<(Side, Hash)> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let middle = left_of(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut way, beside) = if index < middle {
        (path(left, index), (Side::Right, root(right)))
    } else {
        (path(right, index - middle), (Side::Left, root(left)))
    };
    way.push(beside);
    way
}

/// The root to which the leaf of `index` among `total` leads with the hashes beside its way; `None` where a tree of
/// that size has another number of them.
#[must_use]
pub fn root_from_path(leaf: Hash, index: usize, total: usize, beside: &[Vec<u8>]) -> Option<Hash> {
    if beside.len() > MAX_STEPS {
        return None;
    }
    match (total, beside.split_last()) {
        (1, None) => (index == 0).then_some(leaf),
        (0 | 1, _) | (_, None) => None,
        (_, Some((aunt, rest))) => {
            let left = left_of(total);
            if index < left {
                Some(inner_hash(&root_from_path(leaf, index, left, rest)?, aunt))
            } else {
                Some(inner_hash(
                    aunt,
                    &root_from_path(leaf, index - left, total - left, rest)?,
                ))
            }
        }
    }
}

/// How many of `total` leaves lie left of the root: the largest power of two below `total`, which is at least 2.
fn left_of(total: usize) -> usize {
    1 << (total - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The tree of RFC 6962 as its section 2.1 writes it down.
    fn by_the_text(leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => Sha256::digest([&[0], leaf.as_slice()].concat()).into(),
            _ => {
                let mut k = 1;
                while k * 2 < leaves.len() {
                    k *= 2;
                }
                let (left, right) = leaves.split_at(k);
                Sha256::digest([&[1], by_the_text(left).as_slice(), &by_the_text(right)].concat()).into()
            }
        }
    }

    #[test]
    fn the_published_roots_come_out() {
        // Certificate Transparency's own test vectors.
        let leaves: [&str; 8] = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let leaves = leaves.map(|leaf| hex::decode(leaf).unwrap());
        for (n, wanted) in (1..).zip(roots) {
            assert_eq!(hex::encode(root_of(&leaves[..n])), wanted, "{n} leaves");
        }
        let nothing: [&[u8]; 0] = [];
        assert_eq!(
            hex::encode(root_of(nothing)),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    proptest! {
        #[test]
        fn every_leaf_has_its_own_path(total in 1_usize..40, at in any::<prop::sample::Index>()) {
            let leaves: Vec<Vec<u8>> = (0..total).map(|n| n.to_be_bytes().to_vec()).collect();
            let hashed: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
            let index = at.index(total);
            let way = path(&hashed, index);
            let beside: Vec<Vec<u8>> = way.iter().map(|(_, hash)| hash.to_vec()).collect();
            prop_assert_eq!(root(&hashed), by_the_text(&leaves));
            let found = root_from_path(hashed[index], index, total, &beside);
            prop_assert_eq!(found, Some(root(&hashed)));
            for other in (0..total).filter(|other| *other != index) {
                prop_assert_ne!(root_from_path(hashed[index], other, total, &beside), Some(root(&hashed)));
                prop_assert_ne!(root_from_path(hashed[other], index, total, &beside), Some(root(&hashed)));
            }
            // The sides say the same as the index.
            let by_sides = way.iter().fold(hashed[index], |below, (side, hash)| match side {
                Side::Left => inner_hash(hash, &below),
                Side::Right => inner_hash(&below, hash),
            });
            prop_assert_eq!(by_sides, root(&hashed));
        }
    }

    #[test]
    fn a_path_of_another_length_leads_nowhere() {
        let leaf = leaf_hash(b"a");
        assert_eq!(root_from_path(leaf, 0, 0, &[]), None);
        assert_eq!(root_from_path(leaf, 0, 2, &[]), None);
        assert_eq!(root_from_path(leaf, 0, 1, &[vec![0; 32]]), None);
        assert_eq!(root_from_path(leaf, 1, 1, &[]), None);
        assert_eq!(root_from_path(leaf, 0, usize::MAX, &vec![vec![0; 32]; 65]), None);
    }
}

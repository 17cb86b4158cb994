//! What a header says about its block: which transactions are in it, and what became of those of the block before.

use prost::Message;
use sha2::{Digest, Sha256};

use crate::rpc::wire::{TxOutcome, TxProof};

/// More steps than a block of any size has.
const MAX_STEPS: usize = 64;

/// Why a statement about a block is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    #[error("the transaction does not lead to the data hash of the verified header")]
    NotIncluded,
    #[error("the results of the block do not lead to the results hash of the next verified header")]
    OtherResults,
}

/// The part of a result that a block commits to.
#[derive(Clone, PartialEq, Message)]
struct Committed {
    #[prost(uint32, tag = "1")]
    code: u32,
    #[prost(bytes = "vec", tag = "2")]
    data: Vec<u8>,
    #[prost(int64, tag = "5")]
    gas_wanted: i64,
    #[prost(int64, tag = "6")]
    gas_used: i64,
}

/// Checks that a transaction is in the block whose header holds `data_hash`.
///
/// # Errors
/// A path that leads elsewhere.
pub fn prove_tx(data_hash: &[u8], tx: &[u8], proof: &TxProof) -> Result<(), BlockError> {
    let path = &proof.proof;
    let (Ok(total), Ok(index)) = (usize::try_from(path.total), usize::try_from(path.index)) else {
        return Err(BlockError::NotIncluded);
    };
    let leaf = leaf_hash(&Sha256::digest(tx));
    if path.aunts.0.len() > MAX_STEPS || root(leaf, index, total, &path.aunts.0).as_deref() != Some(data_hash)
    {
        return Err(BlockError::NotIncluded);
    }
    Ok(())
}

/// Checks the results of a block's transactions against the `last_results_hash` of the next header.
///
/// # Errors
/// Results with another hash.
pub fn prove_results(last_results_hash: &[u8], results: &[TxOutcome]) -> Result<(), BlockError> {
    let leaves: Vec<Vec<u8>> = results
        .iter()
        .map(|result| {
            let committed = Committed {
                code: u32::try_from(result.code).unwrap_or(u32::MAX),
                data: result.data.clone(),
                gas_wanted: result.gas_wanted,
                gas_used: result.gas_used,
            };
            committed.encode_to_vec()
        })
        .collect();
    if tree(&leaves) != last_results_hash {
        Err(BlockError::OtherResults)
    } else {
        Ok(())
    }
}

fn leaf_hash(bytes: &[u8]) -> Vec<u8> {
    Sha256::new()
        .chain_update([0])
        .chain_update(bytes)
        .finalize()
        .to_vec()
}

fn inner_hash(left: &[u8], right: &[u8]) -> Vec<u8> {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .to_vec()
}

/// How many leaves lie left of the root of `total`: the largest power of two below it.
fn split(total: usize) -> usize {
    let half = total.div_ceil(2).next_power_of_two();
    if half >= total { half / 2 } else { half }
}

/// The root over some leaves.
fn tree(leaves: &[Vec<u8>]) -> Vec<u8> {
    match leaves {
        [] => Sha256::digest([]).to_vec(),
        [leaf] => leaf_hash(leaf),
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            inner_hash(&tree(left), &tree(right))
        }
    }
}

/// The root to which a leaf and its aunts lead, the aunt beside the leaf first.
fn root(leaf: Vec<u8>, index: usize, total: usize, aunts: &[Vec<u8>]) -> Option<Vec<u8>> {
    match (total, aunts.split_last()) {
        (0, _) => None,
        (1, None) => (index == 0).then_some(leaf),
        (1, Some(_)) | (_, None) => None,
        (_, Some((aunt, rest))) => {
            let left = split(total);
            if index < left {
                Some(inner_hash(&root(leaf, index, left, rest)?, aunt))
            } else {
                Some(inner_hash(aunt, &root(leaf, index - left, total - left, rest)?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        golden::{list, load, number, read, text},
        rpc::wire::{Aunts, BlockResults, CommitAnswer, TxAnswer, TxPath},
    };

    #[test]
    fn recorded_transactions_are_in_their_blocks() {
        let golden = load("chain_queries");
        let mut seen = 0;
        for entry in list(&golden["search"])
            .iter()
            .filter(|entry| entry["params"]["prove"] == true)
        {
            let result = &entry["answer"]["result"];
            for recorded in result["txs"]
                .as_array()
                .map_or(std::slice::from_ref(result), Vec::as_slice)
            {
                let answer: TxAnswer = read(recorded);
                let proof = answer.proof.unwrap();
                let data_hash = hex::decode(text(&recorded["proof"]["root_hash"])).unwrap();
                prove_tx(&data_hash, &answer.tx, &proof).unwrap();
                assert!(prove_tx(&data_hash, b"another", &proof).is_err());
                assert!(prove_tx(&[0; 32], &answer.tx, &proof).is_err());
                seen += 1;
            }
        }
        assert!(seen >= 2, "{seen}");
    }

    #[test]
    fn recorded_results_are_those_of_the_next_header() {
        let golden = load("chain_light");
        let heights = list(&golden["heights"]);
        let mut with_txs = 0;
        for pair in heights.windows(2) {
            let mut results: BlockResults = read(&pair[0]["block_results"]);
            let next: CommitAnswer = read(&pair[1]["commit"]);
            let hash = next.signed_header.header.last_results_hash.unwrap();
            prove_results(hash.as_bytes(), &results.txs_results)
                .unwrap_or_else(|error| panic!("{error} at {}", number(&pair[0]["height"])));
            if let Some(result) = results.txs_results.first_mut() {
                with_txs += 1;
                result.code ^= 1;
                assert!(prove_results(hash.as_bytes(), &results.txs_results).is_err());
            }
        }
        assert!(with_txs > 3, "{with_txs}");
    }

    proptest! {
        /// Every leaf of every tree has a path, and no other leaf has the same.
        #[test]
        fn paths_lead_to_the_root(total in 1_usize..40, at in any::<prop::sample::Index>()) {
            let txs: Vec<Vec<u8>> = (0..total).map(|n| vec![u8::try_from(n).unwrap_or(0)]).collect();
            let leaves: Vec<Vec<u8>> = txs.iter().map(|tx| Sha256::digest(tx).to_vec()).collect();
            let index = at.index(total);
            let proof = TxProof {
                proof: TxPath {
                    total: i64::try_from(total).unwrap_or(0),
                    index: i64::try_from(index).unwrap_or(0),
                    aunts: Aunts(aunts(&leaves, index)),
                },
            };
            prop_assert_eq!(prove_tx(&tree(&leaves), &txs[index], &proof), Ok(()));
            for other in (0..total).filter(|other| *other != index) {
                prop_assert!(prove_tx(&tree(&leaves), &txs[other], &proof).is_err());
            }
        }
    }

    fn aunts(leaves: &[Vec<u8>], index: usize) -> Vec<Vec<u8>> {
        if leaves.len() < 2 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(split(leaves.len()));
        let mut path = if index < left.len() {
            aunts(left, index)
        } else {
            aunts(right, index - left.len())
        };
        path.push(tree(if index < left.len() { right } else { left }));
        path
    }
}

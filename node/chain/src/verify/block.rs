//! What a header says about its block: which transactions are in it, and what became of those of the block before.

use hearth_pocket::merkle;
use prost::Message;
use sha2::{Digest, Sha256};

use crate::rpc::wire::{TxOutcome, TxProof};

/// Why a statement about a block is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    #[error("the transaction does not lead to the data hash of the verified header")]
    NotIncluded,
    #[error("the transactions sent are not those of the verified header")]
    OtherTransactions,
    #[error("the results of the block do not lead to the results hash of the next verified header")]
    OtherResults,
}

/// What became of a transaction, as far as the chain commits to it: its log and events stand on an endpoint's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// 0 where it did what it should.
    pub code: i64,
    /// What it used.
    pub gas_used: i64,
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
    let leaf = merkle::leaf_hash(&Sha256::digest(tx));
    match merkle::root_from_path(leaf, index, total, &path.aunts.0) {
        Some(root) if root == *data_hash => Ok(()),
        Some(_) | None => Err(BlockError::NotIncluded),
    }
}

/// Checks that these are all transactions of the block whose header holds `data_hash`, in their order.
///
/// # Errors
/// Other ones, more or fewer.
pub fn prove_txs<T: AsRef<[u8]>>(data_hash: &[u8], txs: &[T]) -> Result<(), BlockError> {
    if merkle::root_of(txs.iter().map(Sha256::digest)) != *data_hash {
        return Err(BlockError::OtherTransactions);
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
    if merkle::root_of(&leaves) != *last_results_hash {
        Err(BlockError::OtherResults)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        golden::{list, load, number, read, text},
        rpc::wire::{BlockResults, CommitAnswer, TxAnswer},
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
                if proof.proof.total == 1 {
                    prove_txs(&data_hash, &[&answer.tx]).unwrap();
                    assert!(prove_txs(&data_hash, &[&answer.tx, &answer.tx]).is_err());
                    assert!(prove_txs::<&[u8]>(&data_hash, &[]).is_err());
                }
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
}

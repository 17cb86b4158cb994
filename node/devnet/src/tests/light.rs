//! Every hash of the recorded headers, computed again by the code that makes our own.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use tendermint::{
    Hash,
    block::{Commit, Header},
    validator::{Info, Set},
};

use super::golden::{self, number, text};
use crate::block::{self, ResultLeaf};

fn results(block: &Value) -> [u8; 32] {
    let list = block["txs_results"].as_array().cloned().unwrap_or_default();
    let leaves: Vec<ResultLeaf> = list
        .iter()
        .map(|one| ResultLeaf {
            code: number(&one["code"]) as u32,
            data: STANDARD.decode(text(&one["data"])).unwrap(),
            gas_wanted: number(&one["gas_wanted"]) as i64,
            gas_used: number(&one["gas_used"]) as i64,
        })
        .collect();
    block::results_hash(&leaves)
}

#[test]
fn recorded_headers_have_the_hashes_that_ours_would_have() {
    let recorded = golden::load("chain_light");
    let heights = recorded["heights"].as_array().unwrap();
    for (index, one) in heights.iter().enumerate() {
        let signed = &one["commit"]["signed_header"];
        let header: Header = serde_json::from_value(signed["header"].clone()).unwrap();
        let height = header.height;
        assert_eq!(
            block::hash_text(&header.hash()),
            text(&signed["commit"]["block_id"]["hash"]),
            "{height}"
        );
        // Not every block was recorded whole.
        let block = &one["block"]["block"];
        if block.is_object() {
            let txs: Vec<Vec<u8>> = block["data"]["txs"]
                .as_array()
                .unwrap()
                .iter()
                .map(|tx| STANDARD.decode(text(tx)).unwrap())
                .collect();
            assert_eq!(header.data_hash, Some(block::data_hash(&txs)), "{height}");
            let last_commit: Commit = serde_json::from_value(block["last_commit"].clone()).unwrap();
            assert_eq!(
                header.last_commit_hash,
                Some(block::commit_hash(Some(&last_commit))),
                "{height}"
            );
        }
        assert_eq!(header.consensus_hash, block::consensus_hash(), "{height}");
        let validators: Vec<Info> = serde_json::from_value(one["validators"]["validators"].clone()).unwrap();
        assert_eq!(
            header.validators_hash,
            Set::without_proposer(validators).hash(),
            "{height}"
        );
        let before = index.checked_sub(1).and_then(|before| heights.get(before));
        if let Some(before) = before.filter(|before| before["block_results"].is_object()) {
            let expected = Hash::Sha256(results(&before["block_results"]));
            assert_eq!(header.last_results_hash, Some(expected), "{height}");
        }
    }
    assert_eq!(heights.len(), 33);
}

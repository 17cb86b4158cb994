//! CometBFT's JSON: 64-bit numbers as text, hashes in upper-case hex, bytes in base64.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tendermint::{
    Hash,
    block::{Commit, CommitSig, Header, Id},
    validator::Info,
};

use crate::{
    block::{MAX_BYTES, address_text, hash_text},
    db::{BlockRow, TxRow},
    events::Event,
    machine::TxResult,
};

pub(super) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn base64_or_null(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        Value::Null
    } else {
        json!(base64(bytes))
    }
}

pub(super) fn block_id(id: Option<&Id>) -> Value {
    match id {
        Some(id) => json!({
            "hash": hash_text(&id.hash),
            "parts": {"total": id.part_set_header.total, "hash": hash_text(&id.part_set_header.hash)},
        }),
        None => json!({"hash": "", "parts": {"total": 0, "hash": ""}}),
    }
}

pub(super) fn header(header: &Header) -> Value {
    let optional = |hash: Option<Hash>| hash.map(|hash| hash_text(&hash)).unwrap_or_default();
    json!({
        "version": {"block": header.version.block.to_string()},
        "chain_id": header.chain_id.as_str(),
        "height": header.height.value().to_string(),
        "time": header.time.to_rfc3339(),
        "last_block_id": block_id(header.last_block_id.as_ref()),
        "last_commit_hash": optional(header.last_commit_hash),
        "data_hash": optional(header.data_hash),
        "validators_hash": hash_text(&header.validators_hash),
        "next_validators_hash": hash_text(&header.next_validators_hash),
        "consensus_hash": hash_text(&header.consensus_hash),
        "app_hash": hex::encode_upper(header.app_hash.as_bytes()),
        "last_results_hash": optional(header.last_results_hash),
        "evidence_hash": optional(header.evidence_hash),
        "proposer_address": address_text(&header.proposer_address),
    })
}

pub(super) fn commit(commit: Option<&Commit>) -> Value {
    let Some(commit) = commit else {
        return json!({"height": "0", "round": 0, "block_id": block_id(None), "signatures": []});
    };
    let signatures: Vec<Value> = commit.signatures.iter().map(commit_sig).collect();
    json!({
        "height": commit.height.value().to_string(),
        "round": commit.round.value(),
        "block_id": block_id(Some(&commit.block_id)),
        "signatures": signatures,
    })
}

fn commit_sig(signature: &CommitSig) -> Value {
    match signature {
        CommitSig::BlockIdFlagAbsent => json!({
            "block_id_flag": 1,
            "validator_address": "",
            "timestamp": "0001-01-01T00:00:00Z",
            "signature": Value::Null,
        }),
        CommitSig::BlockIdFlagCommit {
            validator_address,
            timestamp,
            signature,
        } => json!({
            "block_id_flag": 2,
            "validator_address": address_text(validator_address),
            "timestamp": timestamp.to_rfc3339(),
            "signature": signature.as_ref().map(|signature| base64(signature.as_bytes())),
        }),
        CommitSig::BlockIdFlagNil {
            validator_address,
            timestamp,
            signature,
        } => json!({
            "block_id_flag": 3,
            "validator_address": address_text(validator_address),
            "timestamp": timestamp.to_rfc3339(),
            "signature": signature.as_ref().map(|signature| base64(signature.as_bytes())),
        }),
    }
}

/// A block with its id. The last commit is that of the block before.
pub(super) fn block(row: &BlockRow, last_commit: Option<&Commit>, txs: &[TxRow]) -> Value {
    let txs: Vec<String> = txs.iter().map(|tx| base64(&tx.raw)).collect();
    json!({
        "header": header(&row.header),
        "data": {"txs": txs},
        "evidence": {"evidence": []},
        "last_commit": commit(last_commit),
    })
}

pub(super) fn validator(info: &Info) -> Value {
    json!({
        "address": address_text(&info.address),
        "pub_key": pub_key(info),
        "voting_power": info.power().to_string(),
        "proposer_priority": "0",
    })
}

pub(super) fn pub_key(info: &Info) -> Value {
    json!({"type": "tendermint/PubKeyEd25519", "value": base64(&info.pub_key.to_bytes())})
}

pub(super) fn events(events: &[Event]) -> Vec<Value> {
    events.iter().map(Event::to_json).collect()
}

/// A result as it stands in blocks and searches.
pub(super) fn tx_result(result: &TxResult) -> Value {
    json!({
        "code": result.code,
        "data": base64_or_null(&result.data),
        "log": result.log,
        "info": "",
        "gas_wanted": result.gas_wanted.to_string(),
        "gas_used": result.gas_used.to_string(),
        "events": events(&result.events),
        "codespace": result.codespace,
    })
}

/// Consensus parameters as the state machine reports them with every block.
pub(super) fn param_updates() -> Value {
    json!({
        "block": {"max_bytes": MAX_BYTES.to_string(), "max_gas": "-1"},
        "evidence": {"max_age_num_blocks": "100000", "max_age_duration": "172800000000000", "max_bytes": "1048576"},
        "validator": {"pub_key_types": ["ed25519"]},
        "version": {},
        "abci": {},
    })
}

/// Consensus parameters as their own call reports them.
pub(super) fn consensus_params() -> Value {
    json!({
        "block": {"max_bytes": MAX_BYTES.to_string(), "max_gas": "-1"},
        "evidence": {"max_age_num_blocks": "100000", "max_age_duration": "172800000000000", "max_bytes": "1048576"},
        "validator": {"pub_key_types": ["ed25519"]},
        "version": {"app": "0"},
        "abci": {"vote_extensions_enable_height": "0"},
    })
}

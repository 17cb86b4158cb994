//! Entry functions for fuzzing: each takes the bytes of a stranger and must neither panic nor believe them.

use crate::{
    events::{decode, of_block},
    query::record::parse_account,
    rpc::wire::{
        AbciQueryAnswer, BlockResults, Broadcast, CommitAnswer, HeaderAnswer, ProofOp, RawEvent, Status,
        Subscription, TxAnswer, TxSearch, ValidatorsAnswer,
    },
    tx::reason_of,
    verify::prove,
};

/// A proof: the first bytes choose how the rest is cut into two steps, a key and a value.
pub fn state_proof(data: &[u8]) {
    let cut = |at: usize| usize::from(data.get(at).copied().unwrap_or(0)).min(data.len());
    let (first, second) = data.split_at(cut(0));
    let key = &data[..cut(1).min(40)];
    let op = |kind: &str, key: &[u8], data: &[u8]| ProofOp {
        kind: kind.to_owned(),
        key: key.to_vec(),
        data: data.to_vec(),
    };
    let ops = [op("ics23:iavl", key, first), op("ics23:simple", b"bank", second)];
    assert!(
        prove(&[7; 32], "bank", key, b"", &ops).is_err(),
        "a proof under a random app hash was believed"
    );
    assert!(
        prove(&[7; 32], "bank", key, key, &ops).is_err(),
        "a proof under a random app hash was believed"
    );
}

/// An answer to any of our calls.
pub fn rpc_answer(data: &[u8]) {
    let _ = serde_json::from_slice::<Status>(data);
    let _ = serde_json::from_slice::<AbciQueryAnswer>(data);
    let _ = serde_json::from_slice::<CommitAnswer>(data);
    let _ = serde_json::from_slice::<HeaderAnswer>(data);
    let _ = serde_json::from_slice::<ValidatorsAnswer>(data);
    let _ = serde_json::from_slice::<TxAnswer>(data);
    let _ = serde_json::from_slice::<TxSearch>(data);
    let _ = serde_json::from_slice::<Broadcast>(data);
    let _ = serde_json::from_slice::<Subscription>(data);
    if let Ok(results) = serde_json::from_slice::<BlockResults>(data) {
        let _ = of_block(&results);
    }
}

/// An event, an account, and the log of a refused transaction.
pub fn chain_text(data: &[u8]) {
    if let Ok(event) = serde_json::from_slice::<RawEvent>(data) {
        let _ = decode(&event);
    }
    let _ = parse_account(data);
    let text = String::from_utf8_lossy(data);
    let _ = reason_of("sdk", 13, &text);
    let _ = reason_of("sdk", 32, &text);
    let _ = reason_of("undefined", 1, &text);
}

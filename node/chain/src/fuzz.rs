//! Entry functions for fuzzing: each takes the bytes of a stranger and must neither panic nor believe them.

use crate::{
    events::{decode, of_block},
    query::record::parse_account,
    rpc::wire::{
        AbciQueryAnswer, BlockResults, Broadcast, CommitAnswer, HeaderAnswer, ProofOp, RawEvent, Status,
        Subscription, TxAnswer, TxSearch, ValidatorsAnswer,
    },
    tx::reason_of,
    verify::{Statement, prove},
};

/// A parser with its name, which is also the folder of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// All parsers.
pub const TARGETS: &[Target] = &[
    ("chain_proof", chain_proof),
    ("chain_answer", chain_answer),
    ("chain_text", chain_text),
];

/// The app hash that the recorded proofs of height 344 lead to.
const APP_HASH: [u8; 32] = [
    0x71, 0xa6, 0x0b, 0x16, 0xcf, 0x8b, 0xbb, 0xa2, 0x80, 0x41, 0xb1, 0x44, 0x69, 0x22, 0x4e, 0xea, 0x4a,
    0xb7, 0x87, 0x9e, 0x77, 0x27, 0x14, 0xe8, 0x02, 0xdd, 0xea, 0x3a, 0x5e, 0x14, 0xec, 0x45,
];

/// A proof about a key of the store `shared`: one byte says how long the key is, two (little-endian) how long the first
/// step is, one how long the value is; then key, value and both steps.
pub fn chain_proof(data: &[u8]) {
    let Some((lengths, rest)) = data.split_at_checked(4) else {
        return;
    };
    let (key, rest) = rest.split_at(usize::from(lengths[0]).min(rest.len()));
    let (value, rest) = rest.split_at(usize::from(lengths[3]).min(rest.len()));
    let first = usize::from(u16::from_le_bytes([lengths[1], lengths[2]]));
    let (first, second) = rest.split_at(first.min(rest.len()));
    let op = |kind: &str, key: &[u8], data: &[u8]| ProofOp {
        kind: kind.to_owned(),
        key: key.to_vec(),
        data: data.to_vec(),
    };
    let ops = [
        op("ics23:iavl", key, first),
        op("ics23:simple", b"shared", second),
    ];
    let statement = prove(&APP_HASH, "shared", key, value, &ops);
    // The store held one record then, so all that can be true is known.
    match statement {
        Ok(Statement::Present(proven)) => {
            assert!(key == b"p_shared" && proven == value, "a record was invented")
        }
        Ok(Statement::Absent { .. }) => assert_ne!(key, b"p_shared", "a record was hidden"),
        Err(_) => {}
    }
}

/// An answer to any of our calls.
pub fn chain_answer(data: &[u8]) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_corpus_runs() {
        let corpus = format!("{}/../../fuzz/corpus", env!("CARGO_MANIFEST_DIR"));
        for (name, target) in TARGETS {
            let folder = format!("{corpus}/{name}");
            let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
            let mut ran = 0;
            for entry in entries {
                let bytes = std::fs::read(entry.unwrap().path()).unwrap();
                target(&bytes);
                // Each with every bit of some bytes turned, and cut there.
                for at in (0..bytes.len()).step_by(bytes.len().div_ceil(64).max(1)) {
                    target(&bytes[..at]);
                    for bit in 0..8 {
                        let mut turned = bytes.clone();
                        turned[at] ^= 1 << bit;
                        target(&turned);
                    }
                }
                ran += 1;
            }
            assert!(ran > 0, "{folder} is empty");
        }
    }

    proptest! {
        #[test]
        fn random_bytes_run(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            for (_, target) in TARGETS {
                target(&bytes);
            }
        }
    }
}

//! How much gas a block takes: what shares a transaction must fit in.

use hearth_pocket::message::{Any, TypeUrl as _, proof::MsgSubmitProof};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Sender;

/// A change takes a vote, so it is asked for again after so many blocks only.
const ASKED_EVERY: u64 = 500;

/// What the account's own checks and a memo take at most, and each message on the chain at least where it is not proven:
/// the most that was measured of the first one of a transaction, so that others have room.
const CHECKS: u64 = 120_000;
const MESSAGE: u64 = 80_000;
const PROOF: u64 = 220_000;

/// The gas limit is at least this. An endpoint that tells of less makes a transaction that every other one refuses, or
/// that fails in its block.
pub(super) fn least_gas(messages: &[Any]) -> u64 {
    let each = messages.iter().map(|message| {
        if message.type_url == MsgSubmitProof::TYPE_URL {
            PROOF
        } else {
            MESSAGE
        }
    });
    each.fold(CHECKS, u64::saturating_add)
}

/// The most that is believed of one message: fifty times what the dearest one takes. More would be paid for.
pub const MOST_GAS_EACH: u64 = 10_000_000;

/// The gas limit is at most this.
pub(super) fn most_gas(messages: &[Any]) -> u64 {
    MOST_GAS_EACH.saturating_mul(messages.len().max(1) as u64)
}

/// `consensus_params`, as far as headers commit to it.
#[derive(Deserialize)]
struct Answer {
    consensus_params: Params,
}

#[derive(Deserialize)]
struct Params {
    block: Limits,
}

#[derive(Deserialize)]
struct Limits {
    max_bytes: String,
    max_gas: String,
}

/// What is hashed into a header: a message of both numbers.
pub(super) fn hashed(max_bytes: i64, max_gas: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (tag, number) in [(1, max_bytes), (2, max_gas)] {
        if number != 0 {
            prost::encoding::int64::encode(tag, &number, &mut bytes);
        }
    }
    bytes
}

impl Sender {
    /// The most gas of a block; `None`: no limit, or none that anybody could prove.
    pub(crate) async fn block_gas(&self) -> Option<u64> {
        let height = self.head.borrow().verified_height;
        if let Some((asked, limit)) = *self.block_gas.lock()
            && height.since(asked) < ASKED_EVERY
        {
            return limit;
        }
        // Only what is proven is remembered: another endpoint may tell the truth, or the chain is just changing it.
        for endpoint in self.reader.pool.candidates() {
            let Ok(answer) = endpoint.call::<Answer>("consensus_params", json!({})).await else {
                continue;
            };
            if let Some(max_gas) = self.proven(&answer).await {
                let limit = u64::try_from(max_gas).ok().filter(|limit| *limit > 0);
                *self.block_gas.lock() = Some((height, limit));
                return limit;
            }
        }
        // What was proven once is better than nothing.
        self.block_gas.lock().and_then(|(_, limit)| limit)
    }

    /// A limit that the newest header commits to. Whoever invents one makes more transactions of the same messages, and
    /// each costs a fee.
    async fn proven(&self, answer: &Answer) -> Option<i64> {
        let limits = &answer.consensus_params.block;
        let (max_bytes, max_gas): (i64, i64) = (limits.max_bytes.parse().ok()?, limits.max_gas.parse().ok()?);
        let header = self.reader.light.newest().await.ok()?;
        let hash = Sha256::digest(hashed(max_bytes, max_gas));
        if header.header().consensus_hash.as_bytes() != hash.as_slice() {
            tracing::warn!(height = %header.height(), "an endpoint tells of other limits of blocks than the header: ignored");
            return None;
        }
        Some(max_gas)
    }
}

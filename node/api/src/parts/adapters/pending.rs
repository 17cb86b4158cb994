//! Payments whose end was not seen: looked for in verified blocks until it is certain.
//!
//! A payment is noted before it is sent. The call that sends it usually sees its block too; where it does not (the
//! block took too long, an endpoint went away, the program ended), whoever reads money next comes by here.

use hearth_chain::{Chain, FoundTx, QueryError, TxError, TxStatus, Validity};
use hearth_pocket::tx::SignedTx;
use hearth_store::Store;
use hearth_wallet::{Pending, pending, settle};
use time::OffsetDateTime;

/// Where the blocks that could hold a payment are gone everywhere, its note says so this long after its last moment.
const GIVEN_UP_AFTER_MS: i64 = 3_600_000;

/// Why the looking-up stopped; what was settled until then stays settled.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookError {
    #[error("the wallet's activity cannot be read or written")]
    Wallet(#[from] hearth_wallet::Error),
    #[error("the chain cannot be asked for a payment")]
    Chain(#[from] QueryError),
}

/// Settles the payments whose end is certain by now, and sends those again that no block holds yet: a mempool may have
/// dropped them. What an endpoint said to a payment settles nothing; only verified blocks do.
pub(super) async fn settle_ended(chain: &Chain, store: &Store, now_ms: i64) -> Result<(), LookError> {
    for payment in pending(store).await? {
        let Some(hash) = hash(&payment) else {
            settle(store, &payment.tx_hash, None, "failed: its hash is not one").await?;
            continue;
        };
        match chain.tx_status(&hash, &validity(&payment)).await? {
            TxStatus::Pending => {
                if let Some(raw) = payment.raw {
                    chain.send_again(&SignedTx::new(raw)).await;
                }
            }
            TxStatus::Included(found) => {
                settle(store, &payment.tx_hash, Some(found.height), &outcome(&found)).await?;
            }
            TxStatus::Expired => {
                let error = TxError::Expired {
                    hash: payment.tx_hash.clone(),
                };
                settle(store, &payment.tx_hash, None, &failed(&error)).await?;
            }
            TxStatus::Unknown { why } => {
                let given_up = payment
                    .until_ms
                    .is_some_and(|until_ms| now_ms > until_ms.saturating_add(GIVEN_UP_AFTER_MS));
                if given_up {
                    let unknown =
                        format!("unknown: no endpoint has the blocks any more that would prove it: {why}");
                    settle(store, &payment.tx_hash, None, &unknown).await?;
                }
            }
        }
    }
    Ok(())
}

/// How a payment that did not do what it should is noted.
pub(super) fn failed(error: &TxError) -> String {
    format!("failed: {error}")
}

fn outcome(found: &FoundTx) -> String {
    if found.code == 0 {
        "included".to_owned()
    } else {
        format!("failed: it was refused in block {}: {}", found.height, found.log)
    }
}

/// Until when a block may hold the payment.
fn validity(payment: &Pending) -> Validity {
    let until = payment
        .until_ms
        .and_then(|ms| OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok());
    // Noted in milliseconds: the moment itself may be up to one later.
    let until = until.map(|until| until + time::Duration::milliseconds(1));
    Validity {
        first: None,
        until,
        last: None,
    }
}

fn hash(payment: &Pending) -> Option<[u8; 32]> {
    hex::decode(&payment.tx_hash).ok()?.try_into().ok()
}

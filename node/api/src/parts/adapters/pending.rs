//! Payments whose end was not seen: looked up by their hash until it is certain.
//!
//! A payment is noted before it is sent. The call that sends it usually sees its block too; where it does not (the
//! block took too long, an endpoint went away, the program ended), whoever reads money next comes by here.

use std::time::Duration;

use hearth_chain::{Chain, FoundTx, QueryError, Standing, TxError};
use hearth_store::Store;
use hearth_wallet::{Pending, pending, settle};

/// The index of transactions may lag behind the head, so a payment is given up this long after its last moment.
const INDEX_LAG: Duration = Duration::from_secs(120);

/// Why the looking-up stopped; what was settled until then stays settled.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookError {
    #[error("the wallet's activity cannot be read or written")]
    Wallet(#[from] hearth_wallet::Error),
    #[error("the chain cannot be asked for a payment")]
    Chain(#[from] QueryError),
}

/// Settles the payments whose end is certain by now.
pub(super) async fn settle_ended(chain: &Chain, store: &Store) -> Result<(), LookError> {
    for payment in pending(store).await? {
        let Some(hash) = hash(&payment) else {
            settle(store, &payment.tx_hash, None, "failed: its hash is not one").await?;
            continue;
        };
        // Before the question, so that a block which comes between the two is not overlooked.
        let is_over = is_over(chain, &payment);
        match chain.tx(&hash).await? {
            Some(found) => {
                settle(store, &payment.tx_hash, Some(found.height), &outcome(&found)).await?;
            }
            None if is_over => {
                let error = TxError::Expired {
                    hash: payment.tx_hash.clone(),
                };
                settle(store, &payment.tx_hash, None, &failed(&error)).await?;
            }
            None => {}
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

/// Whether no block can hold the payment any more. Only a verified head may say so.
fn is_over(chain: &Chain, payment: &Pending) -> bool {
    let head = chain.head().borrow().clone();
    let now_ms = head.time.unix_timestamp_nanos() / 1_000_000;
    let over = |until_ms: i64| now_ms > i128::from(until_ms) + i128::from(INDEX_LAG.as_secs() * 1000);
    head.standing == Standing::Following && payment.until_ms.is_some_and(over)
}

fn hash(payment: &Pending) -> Option<[u8; 32]> {
    hex::decode(&payment.tx_hash).ok()?.try_into().ok()
}

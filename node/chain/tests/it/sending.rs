//! A transaction from its messages to its block: what the outbox does in the program, without keeping anything.

use std::time::Duration;

use hearth_base::Height;
use hearth_chain::{Chain, FoundTx, Options, Reason, TxError, TxStatus, Validity};
use hearth_pocket::{keys::SecretKey, message::Any, tx::SignedTx};

use crate::node::PATIENCE;

/// Prepares, signs and sends, with a higher fee where one is asked for.
pub(crate) async fn sent(
    chain: &Chain,
    key: &SecretKey,
    messages: Vec<Any>,
    options: &Options,
) -> Result<SignedTx, TxError> {
    let mut options = options.clone();
    for _ in 0..3 {
        let prepared = chain.prepare(key, messages.clone(), &options).await?;
        let signed = chain.sign(key, &prepared)?;
        let refused = chain.broadcast(&signed).await;
        let Err(TxError::Refused {
            reason: Reason::InsufficientFee { required },
            ..
        }) = refused
        else {
            return refused.map(|_| signed);
        };
        options.least_fee = required;
        options.in_place_of = Some(signed);
    }
    panic!("the chain asks for more each time");
}

/// What verified blocks say of it, as soon as they say something; `Pending` after so long.
pub(crate) async fn seen(chain: &Chain, tx: &SignedTx, patience: Duration) -> TxStatus {
    seen_from(chain, tx, None, patience).await
}

/// The same of one that no block before a height can hold.
pub(crate) async fn seen_from(
    chain: &Chain,
    tx: &SignedTx,
    first: Option<Height>,
    patience: Duration,
) -> TxStatus {
    let validity = Validity {
        first,
        ..Validity::of(tx)
    };
    let by = tokio::time::Instant::now() + patience;
    loop {
        let status = chain.tx_status(&tx.hash(), &validity).await;
        match status {
            Ok(TxStatus::Pending) | Err(_) => {}
            Ok(done) => return done,
        }
        if tokio::time::Instant::now() >= by {
            return TxStatus::Pending;
        }
        let _ = chain.send_again(tx).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Its block.
pub(crate) async fn included(chain: &Chain, tx: &SignedTx) -> FoundTx {
    let status = seen(chain, tx, PATIENCE).await;
    let TxStatus::Included(found) = status else {
        panic!("{status:?}")
    };
    *found
}

/// All of it.
pub(crate) async fn submit(
    chain: &Chain,
    key: &SecretKey,
    messages: Vec<Any>,
    options: &Options,
) -> Result<FoundTx, TxError> {
    let tx = sent(chain, key, messages, options).await?;
    Ok(included(chain, &tx).await)
}

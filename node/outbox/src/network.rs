//! What the outbox asks of the chain, as a trait: the chain itself in the program, a model of it in tests.

use async_trait::async_trait;
use hearth_base::{Amount, Height};
use hearth_chain::{
    Chain, FoundTx, Head, Options, Outcome, Proven, QueryError, Sent, TxError, TxStatus, Validity,
};
use hearth_pocket::{address::Address, keys::Signer, message::Any, tx::SignedTx};
use tokio::sync::watch;

/// A transaction with its price, not signed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The bytes without the signature.
    pub unsigned: Vec<u8>,
    pub account_number: u64,
    pub fee: Amount,
}

/// What verified blocks, or an endpoint before them, say of a transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// In no block so far.
    Pending,
    /// An endpoint shows the block; its outcome is not proven yet.
    Placed { height: Height },
    /// In a block, and what became of it there is proven: nothing else ends an intent.
    Done {
        outcome: Proven<Outcome>,
        /// How it failed, where it did not do what it should; the words are an endpoint's.
        failed: Option<Failure>,
    },
    /// In no block, and certainly never will be.
    Expired,
    /// Its time is over, and nobody has the blocks any more that could hold it.
    Unknown { why: String },
}

/// What did not do what it should, although a block holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub why: String,
    pub moment: Moment,
}

/// What became of the moment of validity of a transaction that failed. Only with it is its fee paid, and only where it is
/// used up can no later block hold the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It is used up, or has passed.
    Used,
    /// The failure is one of the account's own checks, which use nothing up.
    Free,
    /// It is a failure of either kind.
    Unclear,
}

/// What the outbox asks of the chain.
#[async_trait]
pub trait Network: Send + Sync + 'static {
    /// The head, watched.
    fn head(&self) -> watch::Receiver<Head>;
    /// Finds account, gas and fee. The chain takes at most one of it and of the one in whose place it stands.
    async fn prepare(
        &self,
        signer: &dyn Signer,
        messages: Vec<Any>,
        options: &Options,
    ) -> Result<Draft, TxError>;
    /// Signs kept bytes: the same bytes always give the same transaction.
    fn sign(&self, signer: &dyn Signer, draft: &Draft) -> Result<SignedTx, TxError>;
    /// Sends signed bytes, once in this run of the program.
    async fn send(&self, tx: &SignedTx) -> Result<Sent, TxError>;
    /// Sends again what no block holds, to every endpoint, once for each block; `None` where it was sent at this block.
    async fn send_again(&self, tx: &SignedTx) -> Option<Result<Sent, TxError>>;
    /// The most gas that one transaction may ask for; `None`: no limit is known.
    async fn gas_ceiling(&self) -> Option<u64>;
    /// What became of a transaction.
    async fn seen(&self, hash: &[u8; 32], validity: &Validity) -> Result<Seen, QueryError>;
    /// The sequence of an account's next ordered transaction, and the height of the state that proves it.
    async fn next_sequence(&self, account: &Address) -> Result<(u64, Height), QueryError>;
}

#[async_trait]
impl Network for Chain {
    fn head(&self) -> watch::Receiver<Head> {
        Chain::head(self)
    }

    async fn prepare(
        &self,
        signer: &dyn Signer,
        messages: Vec<Any>,
        options: &Options,
    ) -> Result<Draft, TxError> {
        let prepared = Chain::prepare(self, signer, messages, options).await?;
        Ok(Draft {
            unsigned: prepared.unsigned(&signer.public_key()),
            account_number: prepared.account_number(),
            fee: prepared.fee,
        })
    }

    fn sign(&self, signer: &dyn Signer, draft: &Draft) -> Result<SignedTx, TxError> {
        self.sign_kept(signer, &draft.unsigned, draft.account_number)
    }

    async fn send(&self, tx: &SignedTx) -> Result<Sent, TxError> {
        self.broadcast(tx).await
    }

    async fn send_again(&self, tx: &SignedTx) -> Option<Result<Sent, TxError>> {
        Chain::send_again(self, tx).await
    }

    async fn gas_ceiling(&self) -> Option<u64> {
        // Half a block: others want to be in it, too.
        self.block_gas().await.map(|limit| limit / 2)
    }

    async fn seen(&self, hash: &[u8; 32], validity: &Validity) -> Result<Seen, QueryError> {
        // Before the question, as the question itself does it.
        let head = Chain::head(self).borrow().clone();
        let is_over = head.verified_height.0 > 0 && validity.is_over(head.verified_height, head.time);
        Ok(match self.tx_status(hash, validity).await? {
            TxStatus::Included(found) => done(&found, is_over).unwrap_or(Seen::Pending),
            TxStatus::Expired => Seen::Expired,
            TxStatus::Unknown { why } => Seen::Unknown { why },
            // A proven place is enough for a success to be told, which the next block proves.
            TxStatus::Pending => match self.tx(hash).await? {
                Some(found) => done(&found, is_over).unwrap_or(if found.is_placed && found.code == 0 {
                    Seen::Placed { height: found.height }
                } else {
                    Seen::Pending
                }),
                None => Seen::Pending,
            },
        })
    }

    async fn next_sequence(&self, account: &Address) -> Result<(u64, Height), QueryError> {
        let proven = self.account(account).await?.proven()?;
        let height = proven.height();
        let sequence = proven.into_value().map_or(0, |account| account.sequence);
        Ok((sequence, height))
    }
}

/// How it ended, where that is proven.
fn done(found: &FoundTx, is_over: bool) -> Option<Seen> {
    let outcome = found.outcome?;
    let failure = || {
        let reason = hearth_chain::reason_of(&found.codespace, found.code, &found.log);
        let why = reason.words(&found.codespace, found.code, &found.log);
        let moment = if is_over || !found.may_come_again() {
            Moment::Used
        } else if found.is_failure_of_either_kind() {
            Moment::Unclear
        } else {
            Moment::Free
        };
        Failure { why, moment }
    };
    Some(Seen::Done {
        outcome,
        failed: (outcome.value().code != 0).then(failure),
    })
}

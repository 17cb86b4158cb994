//! Transactions: priced, signed, sent, looked for.

use hearth_pocket::{keys::Signer, message::Any, tx::SignedTx};

use super::Chain;
use crate::{
    query::QueryError,
    tx::{Options, Prepared, Sent, TxError, TxStatus, Validity},
};

impl Chain {
    /// Finds account, gas and fee of a transaction.
    ///
    /// # Errors
    /// What the simulation says, an account that is not on the chain, a fee above the limit.
    pub async fn prepare(
        &self,
        signer: &dyn Signer,
        messages: Vec<Any>,
        options: &Options,
    ) -> Result<Prepared, TxError> {
        self.0.sender.prepare(signer, messages, options).await
    }

    /// Whether the chain would take signed bytes now, by a trial run that leaves nothing behind.
    ///
    /// # Errors
    /// What the trial run says.
    pub async fn try_out(&self, tx: &SignedTx) -> Result<(), TxError> {
        self.0.sender.simulate(tx.raw()).await.map(drop)
    }

    /// Signs a prepared transaction. Keep the bytes before sending them.
    ///
    /// # Errors
    /// A key that is locked.
    pub fn sign(&self, signer: &dyn Signer, prepared: &Prepared) -> Result<SignedTx, TxError> {
        self.0.sender.sign(signer, prepared)
    }

    /// Signs bytes that were kept, as [`Prepared::unsigned`] gives them.
    ///
    /// # Errors
    /// A key that is locked, bytes that are no transaction.
    pub fn sign_kept(
        &self,
        signer: &dyn Signer,
        unsigned: &[u8],
        account_number: u64,
    ) -> Result<SignedTx, TxError> {
        self.0.sender.sign_kept(signer, unsigned, account_number)
    }

    /// Sends signed bytes. The same bytes may be sent again.
    ///
    /// # Errors
    /// A refusal, or no endpoint that says whether it took them.
    pub async fn broadcast(&self, tx: &SignedTx) -> Result<Sent, TxError> {
        self.0.sender.broadcast(tx).await
    }

    /// Sends signed bytes again where no block holds them, at most once for each block: a mempool may have dropped them.
    /// `None`: they were sent at this head already.
    pub async fn send_again(&self, tx: &SignedTx) -> Option<Result<Sent, TxError>> {
        self.0.sender.send_again(tx).await
    }

    /// The most gas that a block takes, checked against the newest header; `None` where there is no limit, or nobody
    /// says.
    pub async fn block_gas(&self) -> Option<u64> {
        self.0.sender.block_gas().await
    }

    /// What became of a signed transaction, from verified blocks alone. What any endpoint says ends nothing.
    ///
    /// # Errors
    /// No endpoint answers: ask again later.
    pub async fn tx_status(&self, hash: &[u8; 32], validity: &Validity) -> Result<TxStatus, QueryError> {
        self.0.sender.tx_status(hash, validity).await
    }
}

//! What the outbox asks of the chain, as a trait: the chain itself in the program, a model of it in tests.

use async_trait::async_trait;
use hearth_base::{Amount, Height};
use hearth_chain::{
    Chain, FoundTx, Head, Options, ProofStatus, QueryError, Sent, TxError, TxStatus, Validity,
};
use hearth_pocket::{keys::Signer, message::Any, tx::SignedTx};
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
    /// In a block, and what became of it there is proven. `failed` says why it did not do what it should.
    Done { height: Height, failed: Option<String> },
    /// In no block, and certainly never will be.
    Expired,
    /// Its time is over, and nobody has the blocks any more that could hold it.
    Unknown { why: String },
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
    /// Sends again what no block holds, to every endpoint, once for each block.
    async fn send_again(&self, tx: &SignedTx);
    /// What became of a transaction.
    async fn seen(&self, hash: &[u8; 32], validity: &Validity) -> Result<Seen, QueryError>;
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

    async fn send_again(&self, tx: &SignedTx) {
        Chain::send_again(self, tx).await;
    }

    async fn seen(&self, hash: &[u8; 32], validity: &Validity) -> Result<Seen, QueryError> {
        Ok(match self.tx_status(hash, validity).await? {
            TxStatus::Included(found) => done(&found),
            TxStatus::Expired => Seen::Expired,
            TxStatus::Unknown { why } => Seen::Unknown { why },
            // A proven place is enough for a success to be told, which the next block proves.
            TxStatus::Pending => match self.tx(hash).await? {
                Some(found) if found.how == ProofStatus::Proven => done(&found),
                Some(found) if found.is_placed && found.code == 0 => Seen::Placed { height: found.height },
                Some(_) | None => Seen::Pending,
            },
        })
    }
}

fn done(found: &FoundTx) -> Seen {
    Seen::Done {
        height: found.height,
        failed: (found.code != 0).then(|| {
            let reason = hearth_chain::reason_of(&found.codespace, found.code, &found.log);
            format!("{reason}: {} ({} {})", found.log, found.codespace, found.code)
        }),
    }
}

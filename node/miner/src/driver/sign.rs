//! What is signed: the evidence is sealed, the claim weighed, the proof made.

use std::sync::Arc;

use hearth_base::Height;
use hearth_chain::valid_until;
use hearth_pocket::{
    Signer,
    message::{
        Any, TypeUrl as _,
        proof::{Claim, ClaimProofStatus, MsgCreateClaim, MsgSubmitProof, ProofRequirementReason},
    },
    proof::{RequirementParams, required_path, requirement},
    tx::SignedTx,
};
use sha2::{Digest as _, Sha256};

use super::{Driver, TX_FRESH, TX_NEEDS, Trouble, millis};
use crate::{
    claim::{ClaimEvent, ClaimState, Seal},
    costs::Costs,
    facts::{Facts, Key},
    ledger::LedgerError,
    network::{Found, SendError},
    session_db::TxKind,
};

impl Driver {
    pub(super) async fn seal(&self, facts: &Facts) -> Result<ClaimEvent, Trouble> {
        let key = facts.key();
        self.readable(&key)?;
        let sealed = self.ledger.seal(key.clone()).await?;
        self.db.save_seal(&key, sealed.tally.bytes).await?;
        Ok(ClaimEvent::Sealed(Seal {
            root: sealed.root,
            answers: sealed.tally.answers,
            leaves: sealed.tally.leaves,
            value: facts.price.claimed(&sealed.root).unwrap_or_default(),
        }))
    }

    pub(super) async fn sign_claim(
        &self,
        facts: &Facts,
        state: &ClaimState,
    ) -> Result<Option<ClaimEvent>, Trouble> {
        let Some(seal) = state.seal() else { return Ok(None) };
        // What was signed once is sent, whatever it costs by now.
        if self.db.txs(&facts.key(), TxKind::Claim).await?.is_empty() {
            let costs = Costs::read(&self.network, &self.db).await?.expected(seal.value);
            if seal.value <= costs {
                return Ok(Some(ClaimEvent::TooCheap { costs }));
            }
        }
        let message = MsgCreateClaim {
            supplier_operator_address: facts.supplier.clone(),
            session_header: Some(facts.header.clone()),
            root_hash: seal.root.as_bytes().to_vec(),
        };
        let last = facts.windows.claim_close;
        let content = seal.root.as_bytes();
        let tx = self
            .signed(facts, TxKind::Claim, content, message.to_any(), last)
            .await?;
        Ok(Some(ClaimEvent::Signed { tx }))
    }

    pub(super) async fn sign_proof(&self, facts: &Facts) -> Result<ClaimEvent, Trouble> {
        self.readable(&facts.key())?;
        let seed = self.network.block_hash(facts.windows.proof_seed()).await?;
        let path = required_path(&seed, &facts.header.session_id);
        let proof = self.ledger.prove(facts.key(), path).await?;
        let content = Sha256::digest(&proof);
        let message = MsgSubmitProof {
            supplier_operator_address: facts.supplier.clone(),
            session_header: Some(facts.header.clone()),
            proof,
        };
        let last = facts.windows.proof_close;
        let tx = self
            .signed(facts, TxKind::Proof, &content, message.to_any(), last)
            .await?;
        Ok(ClaimEvent::Signed { tx })
    }

    /// Commits to the content, signs, and keeps the bytes. A transaction that was kept shortly before is taken again,
    /// unless the chain refuses it as it is. It may still be included then, so another one stands in its place.
    async fn signed(
        &self,
        facts: &Facts,
        kind: TxKind,
        content: &[u8],
        message: Any,
        last: Height,
    ) -> Result<String, Trouble> {
        let (key, now_ms) = (facts.key(), self.clock.now_ms());
        self.db.commit(&key, kind, content, now_ms).await?;
        let fresh_ms = now_ms.saturating_sub(millis(TX_FRESH));
        let mut former = None;
        if let Some(tx) = self.db.tx_since(&key, kind, fresh_ms).await?
            && !matches!(self.network.find(&tx).await?, Found::Failed(..))
        {
            if !self.memory.refused.contains(&tx.hash_text()) {
                return Ok(tx.hash_text());
            }
            former = Some(tx).filter(|tx| self.has_time_left(tx));
        }
        let signer: Arc<dyn Signer> = self.keys.signer().map_err(|_| SendError::Locked)?;
        let tx = self.network.sign(&*signer, message, last, former).await?;
        self.db.save_tx(&key, kind, &tx, last, now_ms).await?;
        Ok(tx.hash_text())
    }

    /// Whether another transaction with the same moment of validity could still get into a block.
    fn has_time_left(&self, tx: &SignedTx) -> bool {
        let now = self.network.head().borrow().time;
        valid_until(tx).is_some_and(|until| until > now + TX_NEEDS)
    }

    pub(super) async fn decide(
        &self,
        facts: &Facts,
        state: &ClaimState,
    ) -> Result<Option<ClaimEvent>, Trouble> {
        let Some(seal) = state.seal() else { return Ok(None) };
        let seed = self.network.block_hash(facts.windows.proof_seed()).await?;
        let live = self.network.live_params().await?;
        let coin = live.proof.proof_requirement_threshold;
        let params = RequirementParams {
            threshold: coin.and_then(|coin| coin.amount.parse().ok()).unwrap_or_default(),
            request_probability: live.proof.proof_request_probability,
        };
        let claim = Claim {
            supplier_operator_address: facts.supplier.clone(),
            session_header: Some(facts.header.clone()),
            root_hash: seal.root.as_bytes().to_vec(),
            proof_validation_status: i32::from(ClaimProofStatus::PendingValidation),
        };
        let reason = requirement(&claim, seal.value, &seed, &params);
        Ok(Some(ClaimEvent::Requirement {
            required: reason != ProofRequirementReason::NotRequired,
        }))
    }

    /// Why a session's evidence cannot be read, where that is so.
    fn readable(&self, key: &Key) -> Result<(), LedgerError> {
        match self.memory.bare.get(key) {
            Some((_, error)) if self.sessions.get(key).is_none() => Err(error.clone()),
            Some(_) | None => Ok(()),
        }
    }
}

//! What is handed over to the outbox: the evidence is sealed, the claim weighed, the proof made.

use hearth_base::{Amount, Height};
use hearth_outbox::Intent;
use hearth_pocket::{
    message::{
        Any, TypeUrl as _,
        proof::{Claim, ClaimProofStatus, MsgCreateClaim, MsgSubmitProof, ProofRequirementReason},
    },
    proof::{RequirementParams, required_path, requirement},
};
use sha2::{Digest as _, Sha256};

use super::{Driver, Trouble, chase::Told};
use crate::{
    claim::{ClaimEvent, ClaimState, Seal},
    facts::{Facts, Key},
    ledger::LedgerError,
    session_db::TxKind,
};

/// What the network may ask for a claim or a proof at least: fees are a few upokt.
const LEAST_CEILING: Amount = Amount::from_upokt(1_000);

/// What is handed over.
struct Wanted<'a> {
    kind: TxKind,
    /// What is committed to for ever.
    content: &'a [u8],
    message: Any,
    /// The last block that may hold it.
    last: Height,
    /// No higher fee is paid for it.
    worth: Amount,
}

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

    pub(super) async fn hand_claim(
        &mut self,
        facts: &Facts,
        state: &ClaimState,
    ) -> Result<Option<ClaimEvent>, Trouble> {
        let Some(seal) = state.seal() else { return Ok(None) };
        // What was handed over once is claimed, whatever it costs by now.
        if matches!(self.told_by_outbox(facts, TxKind::Claim).await?, Told::Nothing) {
            let costs = self.costs().await?.expected(seal.value);
            if seal.value <= costs {
                return Ok(Some(ClaimEvent::TooCheap { costs }));
            }
            // Over another claim this one would make that one's proof invalid, or have its own made so.
            if let Some(replaced) = self.replaced(facts, seal).await {
                return Ok(Some(replaced));
            }
        }
        let message = MsgCreateClaim {
            supplier_operator_address: facts.supplier.clone(),
            session_header: Some(facts.header.clone()),
            root_hash: seal.root.as_bytes().to_vec(),
        };
        let wanted = Wanted {
            kind: TxKind::Claim,
            content: seal.root.as_bytes(),
            message: message.to_any(),
            last: facts.windows.claim_close,
            worth: seal.value,
        };
        self.hand_over(facts, wanted).await.map(Some)
    }

    pub(super) async fn hand_proof(
        &mut self,
        facts: &Facts,
        state: &ClaimState,
    ) -> Result<ClaimEvent, Trouble> {
        self.readable(&facts.key())?;
        let seed = self
            .network
            .block_hash(facts.windows.proof_seed())
            .await?
            .into_value();
        let path = required_path(&seed, &facts.header.session_id);
        let proof = self.ledger.prove(facts.key(), path).await?;
        let content = Sha256::digest(&proof);
        let message = MsgSubmitProof {
            supplier_operator_address: facts.supplier.clone(),
            session_header: Some(facts.header.clone()),
            proof,
        };
        let wanted = Wanted {
            kind: TxKind::Proof,
            content: &content,
            message: message.to_any(),
            last: facts.windows.proof_close,
            worth: state.seal().map(|seal| seal.value).unwrap_or_default(),
        };
        self.hand_over(facts, wanted).await
    }

    /// Commits to the content, and hands it over. What the outbox has already, or is in a block, is that one.
    async fn hand_over(&mut self, facts: &Facts, wanted: Wanted<'_>) -> Result<ClaimEvent, Trouble> {
        let (key, kind) = (facts.key(), wanted.kind);
        self.db
            .commit(&key, kind, wanted.content, self.clock.now_ms())
            .await?;
        if let Told::Moved(event @ ClaimEvent::Included(_)) = self.told_by_outbox(facts, kind).await? {
            return Ok(event);
        }
        let intent = Intent {
            account: self.sessions.supplier().clone(),
            reason: kind.reason(),
            about: key.session_id,
            messages: vec![wanted.message],
            memo: String::new(),
            counterparty: None,
            amount: Amount::ZERO,
            max_fee: wanted.worth.max(LEAST_CEILING),
            last_height: Some(wanted.last),
            after: None,
            is_patient: true,
        };
        self.outbox.put_with_others(&intent).await?;
        self.memory.has_handed = true;
        Ok(ClaimEvent::Handed)
    }

    pub(super) async fn decide(
        &mut self,
        facts: &Facts,
        state: &ClaimState,
    ) -> Result<Option<ClaimEvent>, Trouble> {
        let Some(seal) = state.seal() else { return Ok(None) };
        if let Some(replaced) = self.replaced(facts, seal).await {
            return Ok(Some(replaced));
        }
        let seed = self
            .network
            .block_hash(facts.windows.proof_seed())
            .await?
            .into_value();
        let live = self.live_params().await?;
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

    /// A second program with the same operator's key claims the same sessions, and the last claim before the window's end
    /// stands: a proof of what this node answered would be no proof of it, and would cost stake. One that came before is
    /// left in its place.
    async fn replaced(&self, facts: &Facts, seal: &Seal) -> Option<ClaimEvent> {
        // A state that nobody proves now says nothing: an own claim is not given up for it.
        let seen = self.claim_seen(facts).await.ok()?;
        if seen.root_hash.is_empty() || seen.root_hash == seal.root.as_bytes() {
            return None;
        }
        self.sessions.set_twin(true);
        tracing::error!(
            session = %facts.header.session_id, supplier = %facts.supplier,
            "another program with this operator's key has claimed the session with other answers"
        );
        Some(ClaimEvent::Replaced {
            why: "another program with this operator's key has claimed the session with other answers"
                .to_owned(),
        })
    }

    /// Why a session's evidence cannot be read, where that is so.
    fn readable(&self, key: &Key) -> Result<(), LedgerError> {
        match self.memory.bare.get(key) {
            Some((_, error)) if self.sessions.get(key).is_none() => Err(error.clone()),
            Some(_) | None => Ok(()),
        }
    }
}

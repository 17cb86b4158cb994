//! What can be read off the state of a claim.

use super::{ClaimState, Inclusion, Seal};

impl ClaimState {
    /// Whether nothing can happen any more.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            ClaimState::Settled { .. }
            | ClaimState::Skipped { .. }
            | ClaimState::ClaimMissed { .. }
            | ClaimState::ProofMissed { .. }
            | ClaimState::ProofInvalid { .. }
            | ClaimState::Expired { .. } => true,
            ClaimState::Accumulating
            | ClaimState::Sealed { .. }
            | ClaimState::ClaimSent { .. }
            | ClaimState::ClaimIncluded { .. }
            | ClaimState::ProofNotRequired { .. }
            | ClaimState::ProofDue { .. }
            | ClaimState::ProofSent { .. }
            | ClaimState::ProofIncluded { .. } => false,
        }
    }

    /// The name of the state, as the database and the API write it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            ClaimState::Accumulating => "accumulating",
            ClaimState::Sealed { .. } => "sealed",
            ClaimState::ClaimSent { .. } => "claim_sent",
            ClaimState::ClaimIncluded { .. } => "claim_included",
            ClaimState::ProofNotRequired { .. } => "proof_not_required",
            ClaimState::ProofDue { .. } => "proof_due",
            ClaimState::ProofSent { .. } => "proof_sent",
            ClaimState::ProofIncluded { .. } => "proof_included",
            ClaimState::Settled { .. } => "settled",
            ClaimState::Skipped { .. } => "skipped",
            ClaimState::ClaimMissed { .. } => "claim_missed",
            ClaimState::ProofMissed { .. } => "proof_missed",
            ClaimState::ProofInvalid { .. } => "proof_invalid",
            ClaimState::Expired { .. } => "expired",
        }
    }

    /// What is claimed, once it is known.
    #[must_use]
    pub fn seal(&self) -> Option<&Seal> {
        match self {
            ClaimState::Accumulating | ClaimState::Skipped { .. } => None,
            ClaimState::ClaimMissed { seal, .. } => seal.as_ref(),
            ClaimState::Sealed { seal, .. }
            | ClaimState::ClaimSent { seal, .. }
            | ClaimState::ClaimIncluded { seal, .. }
            | ClaimState::ProofNotRequired { seal, .. }
            | ClaimState::ProofDue { seal, .. }
            | ClaimState::ProofSent { seal, .. }
            | ClaimState::ProofIncluded { seal, .. }
            | ClaimState::Settled { seal, .. }
            | ClaimState::ProofMissed { seal, .. }
            | ClaimState::ProofInvalid { seal, .. }
            | ClaimState::Expired { seal, .. } => Some(seal),
        }
    }

    /// The claim's block.
    #[must_use]
    pub fn claim(&self) -> Option<&Inclusion> {
        match self {
            ClaimState::Accumulating
            | ClaimState::Skipped { .. }
            | ClaimState::ClaimMissed { .. }
            | ClaimState::Sealed { .. }
            | ClaimState::ClaimSent { .. } => None,
            ClaimState::ClaimIncluded { claim, .. }
            | ClaimState::ProofNotRequired { claim, .. }
            | ClaimState::ProofDue { claim, .. }
            | ClaimState::ProofSent { claim, .. }
            | ClaimState::ProofIncluded { claim, .. }
            | ClaimState::Settled { claim, .. }
            | ClaimState::ProofMissed { claim, .. }
            | ClaimState::ProofInvalid { claim, .. }
            | ClaimState::Expired { claim, .. } => Some(claim),
        }
    }

    /// The proof's block.
    #[must_use]
    pub fn proof(&self) -> Option<&Inclusion> {
        match self {
            ClaimState::ProofIncluded { proof, .. } => Some(proof),
            ClaimState::Settled { proof, .. } | ClaimState::ProofInvalid { proof, .. } => proof.as_ref(),
            ClaimState::Accumulating
            | ClaimState::Skipped { .. }
            | ClaimState::ClaimMissed { .. }
            | ClaimState::Sealed { .. }
            | ClaimState::ClaimSent { .. }
            | ClaimState::ClaimIncluded { .. }
            | ClaimState::ProofNotRequired { .. }
            | ClaimState::ProofDue { .. }
            | ClaimState::ProofSent { .. }
            | ClaimState::ProofMissed { .. }
            | ClaimState::Expired { .. } => None,
        }
    }

    /// The transaction that is on its way.
    #[must_use]
    pub fn sent(&self) -> Option<&str> {
        match self {
            ClaimState::ClaimSent { tx, .. } | ClaimState::ProofSent { tx, .. } => Some(tx),
            ClaimState::Accumulating
            | ClaimState::Sealed { .. }
            | ClaimState::ClaimIncluded { .. }
            | ClaimState::ProofNotRequired { .. }
            | ClaimState::ProofDue { .. }
            | ClaimState::ProofIncluded { .. }
            | ClaimState::Settled { .. }
            | ClaimState::Skipped { .. }
            | ClaimState::ClaimMissed { .. }
            | ClaimState::ProofMissed { .. }
            | ClaimState::ProofInvalid { .. }
            | ClaimState::Expired { .. } => None,
        }
    }

    /// Why it ended badly, or what stands in the way now.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            ClaimState::Sealed { trouble, .. } | ClaimState::ProofDue { trouble, .. } => trouble.as_deref(),
            ClaimState::Skipped { why }
            | ClaimState::ClaimMissed { why, .. }
            | ClaimState::ProofMissed { why, .. }
            | ClaimState::ProofInvalid { why, .. }
            | ClaimState::Expired { why, .. } => Some(why),
            ClaimState::Accumulating
            | ClaimState::ClaimSent { .. }
            | ClaimState::ClaimIncluded { .. }
            | ClaimState::ProofNotRequired { .. }
            | ClaimState::ProofSent { .. }
            | ClaimState::ProofIncluded { .. }
            | ClaimState::Settled { .. } => None,
        }
    }
}

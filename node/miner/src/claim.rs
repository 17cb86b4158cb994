//! What becomes of a session's answers: from the first one to the money.
//!
//! ```text
//! Accumulating → Sealed → ClaimSent → ClaimIncluded ─┬→ ProofNotRequired ────────────────────┬→ Settled
//!                                                    └→ ProofDue → ProofSent → ProofIncluded ┘
//! badly: Skipped, ClaimMissed, ProofMissed, ProofInvalid, Expired
//! ```
//! [`step`] is the whole machine, without clock or chain. The driver keeps its result in the database before it does
//! what the step asks for; so after a crash at any line it goes on from there, and asking twice does no harm.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "an event that a state does not wait for changes nothing"
)]

use std::collections::BTreeMap;

use hearth_base::{Amount, Height};
use hearth_pocket::{session::Windows, trie::Root};
use serde::{Deserialize, Serialize};

/// A sealed tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// Its root.
    pub root: Root,
    /// Answers in the evidence.
    pub answers: u64,
    /// Those of them that are leaves.
    pub leaves: u64,
    /// What they are claimed at.
    pub value: Amount,
}

/// A transaction in a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inclusion {
    /// Its hash, in upper-case hex.
    pub tx: String,
    /// The block.
    pub height: Height,
}

/// What a settlement paid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// The block.
    pub height: Height,
    /// What was claimed.
    pub claimed: Amount,
    /// What the application paid.
    pub settled: Amount,
    /// What was minted for it.
    pub minted: Amount,
    /// Who got how much.
    pub rewards: BTreeMap<String, Amount>,
}

/// The state of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ClaimState {
    /// Answers come in.
    Accumulating,
    /// No answer is added any more.
    Sealed { seal: Seal, trouble: Option<String> },
    /// The claim is signed and kept, and was sent.
    ClaimSent { seal: Seal, tx: String },
    /// The claim is in a block.
    ClaimIncluded { seal: Seal, claim: Inclusion },
    /// The chain wants no proof.
    ProofNotRequired { seal: Seal, claim: Inclusion },
    /// The chain wants a proof.
    ProofDue {
        seal: Seal,
        claim: Inclusion,
        trouble: Option<String>,
    },
    /// The proof is signed and kept, and was sent.
    ProofSent {
        seal: Seal,
        claim: Inclusion,
        tx: String,
    },
    /// The proof is in a block.
    ProofIncluded {
        seal: Seal,
        claim: Inclusion,
        proof: Inclusion,
    },
    /// Paid. `paid` is missing where nobody could tell the amounts any more.
    Settled {
        seal: Seal,
        claim: Inclusion,
        proof: Option<Inclusion>,
        paid: Option<Paid>,
    },
    /// Not worth a claim.
    Skipped { why: String },
    /// The claim did not get into a block in time.
    ClaimMissed { seal: Option<Seal>, why: String },
    /// The proof did not get into a block in time.
    ProofMissed {
        seal: Seal,
        claim: Inclusion,
        why: String,
    },
    /// The chain found the proof wrong.
    ProofInvalid {
        seal: Seal,
        claim: Inclusion,
        proof: Option<Inclusion>,
        why: String,
    },
    /// The chain did not pay.
    Expired {
        seal: Seal,
        claim: Inclusion,
        height: Height,
        why: String,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimEvent {
    /// The newest block that we know, and how many answers of the session are being made.
    Block { height: Height, running: usize },
    /// The evidence takes nothing more.
    Sealed(Seal),
    /// The transaction that was asked for is signed and kept.
    Signed { tx: String },
    /// The transaction was not signed or did not get into a block; `forever` where trying again is useless.
    Failed { why: String, forever: bool },
    /// The transaction can no more get into a block.
    Lost,
    /// The transaction is in a block.
    Included(Inclusion),
    /// Whether the chain wants a proof.
    Requirement { required: bool },
    /// The chain looked at the proof.
    ProofChecked { valid: bool, why: String },
    /// The chain paid.
    Paid(Paid),
    /// The chain did not pay.
    Expired { height: Height, why: String },
    /// The claim is gone, and nobody saw how.
    Vanished,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimEffect {
    /// Let no answer in any more, and say what is in.
    Seal,
    /// Sign the claim, keep it, and send it.
    SignClaim,
    /// Look for the transaction; send it again where it is in no block.
    Chase,
    /// Find out whether a proof is wanted.
    Decide,
    /// Make the proof, sign it, keep it, and send it.
    SignProof,
    /// Look whether the claim is still there.
    Look,
    /// The session is over: its tree can go.
    Close,
}

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

/// What counts for the machine besides its state.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The heights of the session.
    pub windows: Windows,
    /// Claims worth no more are not made.
    pub min_claim: Amount,
}

/// One step: the next state, and what to do once that is kept.
#[must_use]
pub fn step(state: ClaimState, event: ClaimEvent, rules: &Rules) -> (ClaimState, Vec<ClaimEffect>) {
    if state.is_final() {
        return (state, Vec::new());
    }
    let (next, mut effects) = match event {
        ClaimEvent::Block { height, running } => on_block(state, height, running, rules),
        ClaimEvent::Sealed(seal) => (on_seal(state, seal, rules), Vec::new()),
        ClaimEvent::Requirement { required } => (on_requirement(state, required), Vec::new()),
        ClaimEvent::Signed { tx } => (on_signed(state, tx), Vec::new()),
        ClaimEvent::Failed { why, forever } => (on_failure(state, why, forever), Vec::new()),
        ClaimEvent::Lost => (
            on_failure(state, "the transaction's time ran out".to_owned(), false),
            Vec::new(),
        ),
        ClaimEvent::Included(inclusion) => (on_inclusion(state, inclusion), Vec::new()),
        ClaimEvent::ProofChecked { valid, why } => (on_check(state, valid, why), Vec::new()),
        ClaimEvent::Paid(paid) => (on_end(state, Ok(Some(paid))), Vec::new()),
        ClaimEvent::Expired { height, why } => (on_end(state, Err((height, why))), Vec::new()),
        ClaimEvent::Vanished => (on_end(state, Ok(None)), Vec::new()),
    };
    // What can be done at once is not left to the next block.
    let is_sent = next.sent().is_some();
    if matches!(next, ClaimState::Sealed { trouble: None, .. }) {
        effects.push(ClaimEffect::SignClaim);
    } else if is_sent && effects.is_empty() {
        effects.push(ClaimEffect::Chase);
    } else if next.is_final() {
        effects.push(ClaimEffect::Close);
    }
    (next, effects)
}

fn on_block(
    state: ClaimState,
    height: Height,
    running: usize,
    rules: &Rules,
) -> (ClaimState, Vec<ClaimEffect>) {
    let windows = &rules.windows;
    // What is sent now is in the next block at the soonest.
    let too_late_to_claim = height >= windows.claim_close;
    let too_late_to_prove = height >= windows.proof_close;
    match state {
        ClaimState::Accumulating if height > windows.claim_close => (
            missed(
                None,
                "the program did not run while the claim window was open".to_owned(),
            ),
            Vec::new(),
        ),
        ClaimState::Accumulating if height >= windows.claim_open => {
            // Answers that are being made are waited for, until two blocks before the window closes.
            let wait = running > 0 && height.plus(2) < windows.claim_close;
            (
                ClaimState::Accumulating,
                if wait { Vec::new() } else { vec![ClaimEffect::Seal] },
            )
        }
        ClaimState::Sealed { seal, trouble } if too_late_to_claim => (
            missed(
                Some(seal),
                trouble.unwrap_or_else(|| "there was no time left to claim".to_owned()),
            ),
            Vec::new(),
        ),
        ClaimState::Sealed { seal, .. } => (ClaimState::Sealed { seal, trouble: None }, Vec::new()),
        ClaimState::ClaimIncluded { .. } if height >= windows.proof_seed() => {
            (state, vec![ClaimEffect::Decide])
        }
        ClaimState::ProofDue { seal, claim, trouble } if too_late_to_prove => {
            let why = trouble.unwrap_or_else(|| "there was no time left to prove".to_owned());
            (ClaimState::ProofMissed { seal, claim, why }, Vec::new())
        }
        ClaimState::ProofDue { .. } if height >= windows.proof_open => (state, vec![ClaimEffect::SignProof]),
        // The settlement's events come with its own block; two blocks later they were overlooked.
        ClaimState::ProofIncluded { .. } | ClaimState::ProofNotRequired { .. }
            if height > windows.settlement.plus(2) =>
        {
            (state, vec![ClaimEffect::Look])
        }
        other => (other, Vec::new()),
    }
}

fn missed(seal: Option<Seal>, why: String) -> ClaimState {
    ClaimState::ClaimMissed { seal, why }
}

fn on_seal(state: ClaimState, seal: Seal, rules: &Rules) -> ClaimState {
    if !matches!(state, ClaimState::Accumulating) {
        return state;
    }
    if seal.leaves == 0 {
        let why = if seal.answers == 0 {
            "no answer was given"
        } else {
            "no answer met the difficulty"
        };
        return ClaimState::Skipped { why: why.to_owned() };
    }
    if seal.value <= rules.min_claim {
        let why = format!(
            "its {} are not worth the {} that a claim costs",
            seal.value, rules.min_claim
        );
        return ClaimState::Skipped { why };
    }
    ClaimState::Sealed { seal, trouble: None }
}

fn on_requirement(state: ClaimState, required: bool) -> ClaimState {
    match state {
        ClaimState::ClaimIncluded { seal, claim } if required => ClaimState::ProofDue {
            seal,
            claim,
            trouble: None,
        },
        ClaimState::ClaimIncluded { seal, claim } => ClaimState::ProofNotRequired { seal, claim },
        other => other,
    }
}

fn on_signed(state: ClaimState, tx: String) -> ClaimState {
    match state {
        ClaimState::Sealed { seal, .. } => ClaimState::ClaimSent { seal, tx },
        ClaimState::ProofDue { seal, claim, .. } => ClaimState::ProofSent { seal, claim, tx },
        other => other,
    }
}

fn on_failure(state: ClaimState, why: String, forever: bool) -> ClaimState {
    match state {
        ClaimState::Sealed { seal, .. } | ClaimState::ClaimSent { seal, .. } if forever => {
            missed(Some(seal), why)
        }
        ClaimState::Sealed { seal, .. } | ClaimState::ClaimSent { seal, .. } => ClaimState::Sealed {
            seal,
            trouble: Some(why),
        },
        ClaimState::ProofDue { seal, claim, .. } | ClaimState::ProofSent { seal, claim, .. } if forever => {
            ClaimState::ProofMissed { seal, claim, why }
        }
        ClaimState::ProofDue { seal, claim, .. } | ClaimState::ProofSent { seal, claim, .. } => {
            ClaimState::ProofDue {
                seal,
                claim,
                trouble: Some(why),
            }
        }
        other => other,
    }
}

fn on_inclusion(state: ClaimState, inclusion: Inclusion) -> ClaimState {
    match state {
        ClaimState::ClaimSent { seal, .. } => ClaimState::ClaimIncluded {
            seal,
            claim: inclusion,
        },
        ClaimState::ProofSent { seal, claim, .. } => ClaimState::ProofIncluded {
            seal,
            claim,
            proof: inclusion,
        },
        other => other,
    }
}

fn on_check(state: ClaimState, valid: bool, why: String) -> ClaimState {
    match state {
        ClaimState::ProofIncluded { seal, claim, proof } if !valid => ClaimState::ProofInvalid {
            seal,
            claim,
            proof: Some(proof),
            why,
        },
        ClaimState::ProofSent { seal, claim, .. } if !valid => ClaimState::ProofInvalid {
            seal,
            claim,
            proof: None,
            why,
        },
        other => other,
    }
}

/// The chain is done with the claim.
fn on_end(state: ClaimState, end: Result<Option<Paid>, (Height, String)>) -> ClaimState {
    let (seal, claim, proof) = match state {
        ClaimState::ClaimIncluded { seal, claim }
        | ClaimState::ProofNotRequired { seal, claim }
        | ClaimState::ProofDue { seal, claim, .. }
        | ClaimState::ProofSent { seal, claim, .. } => (seal, claim, None),
        ClaimState::ProofIncluded { seal, claim, proof } => (seal, claim, Some(proof)),
        // Its inclusion was overlooked, but the chain knows it.
        ClaimState::ClaimSent { seal, tx } => (
            seal,
            Inclusion {
                tx,
                height: Height(0),
            },
            None,
        ),
        other => return other,
    };
    match end {
        Ok(paid) => ClaimState::Settled {
            seal,
            claim,
            proof,
            paid,
        },
        Err((height, why)) => ClaimState::Expired {
            seal,
            claim,
            height,
            why,
        },
    }
}

#[cfg(test)]
mod tests;

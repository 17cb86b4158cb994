//! What becomes of a session's answers: from the first one to the money.
//!
//! ```text
//! Accumulating → Sealed → ClaimSent → ClaimIncluded ─┬→ ProofNotRequired ────────────────────┬→ Settled
//!                                                    └→ ProofDue → ProofSent → ProofIncluded ┘
//! badly: Skipped, ClaimMissed, ProofMissed, ProofInvalid, Expired
//! ```
//! What was sent may be in a block although nobody says so now. So no silence of the chain ends a claim of which a
//! transaction is kept: only what the state itself shows once the window is closed ([`ClaimEffect::LastLook`]).
//!
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

mod read;

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
    /// The block; 0 where only the state shows that it was included.
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
    /// Paid. `paid` is missing where the claim left the state as a paid one does, and nobody could tell the amounts any
    /// more.
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
    /// The claim costs more than it brings.
    TooCheap { costs: Amount },
    /// The transaction was not signed, or others must be signed in its place; `forever` where trying again is useless.
    Failed { why: String, forever: bool },
    /// The transaction can no more get into a block, and the chain has nothing of it.
    Lost,
    /// The window is closed, and the chain has nothing.
    Missed { why: String },
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
    /// The claim is gone from the state that this block left, and nobody saw how.
    Vanished { height: Height },
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
    /// The window is closed: ask whether the chain has what was signed, before it counts as missed.
    LastLook,
    /// The session is over: its tree can go.
    Close,
}

impl ClaimEffect {
    /// Whether it makes something that the claim needs; the others only ask or tidy up, and failing changes nothing.
    pub(crate) fn makes_something(self) -> bool {
        match self {
            ClaimEffect::Seal | ClaimEffect::SignClaim | ClaimEffect::SignProof => true,
            ClaimEffect::Chase
            | ClaimEffect::Decide
            | ClaimEffect::Look
            | ClaimEffect::LastLook
            | ClaimEffect::Close => false,
        }
    }
}

/// What counts for the machine besides its state.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The heights of the session.
    pub windows: Windows,
}

/// One step: the next state, and what to do once that is kept.
#[must_use]
pub fn step(state: ClaimState, event: ClaimEvent, rules: &Rules) -> (ClaimState, Vec<ClaimEffect>) {
    if state.is_final() {
        return (state, Vec::new());
    }
    let (next, mut effects) = match event {
        ClaimEvent::Block { height, running } => on_block(state, height, running, rules),
        ClaimEvent::Sealed(seal) => (on_seal(state, seal), Vec::new()),
        ClaimEvent::TooCheap { costs } => (on_price(state, costs), Vec::new()),
        ClaimEvent::Requirement { required } => (on_requirement(state, required), Vec::new()),
        ClaimEvent::Signed { tx } => (on_signed(state, tx), Vec::new()),
        ClaimEvent::Failed { why, forever } => (on_failure(state, why, forever), Vec::new()),
        ClaimEvent::Lost => (
            on_failure(state, "the transaction's time ran out".to_owned(), false),
            Vec::new(),
        ),
        ClaimEvent::Missed { why } => (on_missed(state, why), Vec::new()),
        ClaimEvent::Included(inclusion) => (on_inclusion(state, inclusion), Vec::new()),
        ClaimEvent::ProofChecked { valid, why } => (on_check(state, valid, why), Vec::new()),
        ClaimEvent::Paid(paid) => (on_end(state, Ok(Some(paid))), Vec::new()),
        ClaimEvent::Expired { height, why } => (on_end(state, Err((height, why))), Vec::new()),
        ClaimEvent::Vanished { height } => (on_vanished(state, height), Vec::new()),
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
                "no claim was made while its window was open: the program did not run, or could not read its evidence"
                    .to_owned(),
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
        ClaimState::Sealed { seal, trouble } if too_late_to_claim => {
            // The trouble is what keeps it from being signed again.
            let trouble = trouble.or_else(|| Some("there was no time left to claim".to_owned()));
            (
                ClaimState::Sealed { seal, trouble },
                vec![ClaimEffect::LastLook],
            )
        }
        ClaimState::Sealed { seal, .. } => (ClaimState::Sealed { seal, trouble: None }, Vec::new()),
        ClaimState::ClaimIncluded { .. } if height >= windows.proof_seed() => {
            (state, vec![ClaimEffect::Decide])
        }
        ClaimState::ProofDue { .. } if too_late_to_prove => (state, vec![ClaimEffect::LastLook]),
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

fn on_seal(state: ClaimState, seal: Seal) -> ClaimState {
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
    ClaimState::Sealed { seal, trouble: None }
}

fn on_price(state: ClaimState, costs: Amount) -> ClaimState {
    match state {
        ClaimState::Sealed { seal, .. } => ClaimState::Skipped {
            why: format!(
                "its {} are not worth the {costs} that claim and proof are likely to cost",
                seal.value
            ),
        },
        other => other,
    }
}

fn on_missed(state: ClaimState, why: String) -> ClaimState {
    match state {
        ClaimState::Sealed { seal, .. } | ClaimState::ClaimSent { seal, .. } => missed(Some(seal), why),
        ClaimState::ProofDue { seal, claim, .. } | ClaimState::ProofSent { seal, claim, .. } => {
            ClaimState::ProofMissed { seal, claim, why }
        }
        other => other,
    }
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
        // One that was to be signed anew may be in a block after all.
        ClaimState::Sealed { seal, .. } | ClaimState::ClaimSent { seal, .. } => ClaimState::ClaimIncluded {
            seal,
            claim: inclusion,
        },
        ClaimState::ProofDue { seal, claim, .. } | ClaimState::ProofSent { seal, claim, .. } => {
            ClaimState::ProofIncluded {
                seal,
                claim,
                proof: inclusion,
            }
        }
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
        ClaimState::ProofDue { seal, claim, .. } | ClaimState::ProofSent { seal, claim, .. } if !valid => {
            ClaimState::ProofInvalid {
                seal,
                claim,
                proof: None,
                why,
            }
        }
        other => other,
    }
}

/// The claim is gone, and no block says what became of it. One that needed no proof, or had one, was paid; one whose
/// proof is nowhere was not.
fn on_vanished(state: ClaimState, height: Height) -> ClaimState {
    match state {
        ClaimState::ProofNotRequired { .. } | ClaimState::ProofIncluded { .. } => on_end(state, Ok(None)),
        ClaimState::ProofDue { .. } | ClaimState::ProofSent { .. } => {
            let why = "the claim is gone from the chain, and its proof is in no block that the endpoints still have";
            on_end(state, Err((height, why.to_owned())))
        }
        // Whether a proof was wanted is still to be found out, or nothing was claimed.
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
        // The chain knows the claim, although its transaction was about to be signed anew.
        ClaimState::Sealed { seal, .. } => (
            seal,
            Inclusion {
                tx: String::new(),
                height: Height(0),
            },
            None,
        ),
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

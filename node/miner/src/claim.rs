//! What becomes of a session's answers: from the first one to the money.
//!
//! ```text
//! open:  Accumulating → Sealed → ClaimSent → ClaimIncluded ─┬→ ProofNotRequired ────────────────────┬→ ended: Settled
//!                                                           └→ ProofDue → ProofSent → ProofIncluded ┘
//! ended badly: Skipped, ClaimMissed, ProofMissed, ProofInvalid, Expired
//! ```
//! Whether a claim is open, and what it counts as, is read off [`ClaimState`] alone; the database keeps the name of the
//! outcome beside it for its queries, and none while the claim is open.
//! The outbox signs, sends and tries again; the machine hands over to it, and listens to how that ended. What was handed
//! over may be in a block although nobody says so now. So no silence of the chain ends it: only what the state itself
//! shows once the window is closed ([`ClaimEffect::LastLook`]).
//!
//! [`step`] is the whole machine, without clock or chain. The driver keeps its result in the database before it does
//! what the step asks for; so after a crash at any line it goes on from there, and asking twice does no harm.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "an event that a state does not wait for changes nothing"
)]

use hearth_base::{Amount, Height};
use hearth_pocket::session::Windows;

mod state;

pub use state::{ClaimState, End, Inclusion, Outcome, Paid, Seal, Slash, Stage};

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimEvent {
    /// The newest block that we know, and how many answers of the session are being made.
    Block { height: Height, running: usize },
    /// The evidence takes nothing more.
    Sealed(Seal),
    /// The outbox has what was asked for.
    Handed,
    /// It is on its way: its newest transaction, and what stands in its way.
    OnItsWay {
        tx: Option<String>,
        trouble: Option<String>,
    },
    /// The claim costs more than it brings.
    TooCheap { costs: Amount },
    /// It could not be handed over, or the outbox has given it up and the chain has nothing of it; `forever` where trying
    /// again is useless.
    Failed { why: String, forever: bool },
    /// The window is closed, and the chain has nothing.
    Missed { why: String },
    /// The transaction is in a block.
    Included(Inclusion),
    /// The chain has another claim of the session, by another program with the same key.
    Replaced { why: String },
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
    /// The chain took a part of the stake. It changes no state: it comes after the end, and is kept beside it.
    Slashed(Slash),
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimEffect {
    /// Let no answer in any more, and say what is in.
    Seal,
    /// Hand the claim over to the outbox.
    HandClaim,
    /// Look what became of it there.
    Chase,
    /// Find out whether a proof is wanted.
    Decide,
    /// Make the proof, and hand it over to the outbox.
    HandProof,
    /// Look whether the claim is still there.
    Look,
    /// The window is closed: ask whether the chain has what was handed over, before it counts as missed.
    LastLook,
    /// The session is over: its tree can go.
    Close,
}

impl ClaimEffect {
    /// Whether it makes something that the claim needs; the others only ask or tidy up, and failing changes nothing.
    pub(crate) fn makes_something(self) -> bool {
        match self {
            ClaimEffect::Seal | ClaimEffect::HandClaim | ClaimEffect::HandProof => true,
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
pub fn step(state: ClaimState, event: ClaimEvent, rules: &Rules) -> (ClaimState, Option<ClaimEffect>) {
    let ClaimState::Open(stage) = state else {
        return (state, None);
    };
    let is_block = matches!(event, ClaimEvent::Block { .. });
    let (next, asked) = match event {
        ClaimEvent::Block { height, running } => on_block(stage, height, running, rules),
        ClaimEvent::Sealed(seal) => (on_seal(stage, seal), None),
        ClaimEvent::TooCheap { costs } => (on_price(stage, costs), None),
        ClaimEvent::Requirement { required } => (on_requirement(stage, required).into(), None),
        ClaimEvent::Handed => (on_its_way(stage, None, None).into(), None),
        ClaimEvent::OnItsWay { tx, trouble } if stage.is_sent() => {
            (on_its_way(stage, tx, trouble).into(), None)
        }
        ClaimEvent::OnItsWay { .. } => (stage.into(), None),
        ClaimEvent::Failed { why, forever } => (on_failure(stage, why, forever), None),
        ClaimEvent::Missed { why } => (on_missed(stage, why), None),
        ClaimEvent::Replaced { why } => (on_replaced(stage, why), None),
        ClaimEvent::Included(inclusion) => (on_inclusion(stage, inclusion).into(), None),
        ClaimEvent::ProofChecked { valid, why } => (on_check(stage, valid, why), None),
        ClaimEvent::Paid(paid) => (on_end(stage, Outcome::Settled { paid: Some(paid) }), None),
        ClaimEvent::Expired { height, why } => (on_end(stage, Outcome::Expired { height, why }), None),
        ClaimEvent::Vanished { height } => (on_vanished(stage, height), None),
        ClaimEvent::Slashed(_) => (stage.into(), None),
    };
    // What can be done at once is not left to the next block.
    let at_once = match &next {
        ClaimState::Ended(_) => Some(ClaimEffect::Close),
        ClaimState::Open(Stage::Sealed { trouble: None, .. }) => Some(ClaimEffect::HandClaim),
        ClaimState::Open(stage) => (is_block && stage.is_sent()).then_some(ClaimEffect::Chase),
    };
    (next, asked.or(at_once))
}

fn on_block(
    stage: Stage,
    height: Height,
    running: usize,
    rules: &Rules,
) -> (ClaimState, Option<ClaimEffect>) {
    let windows = &rules.windows;
    // What is sent now is in the next block at the soonest.
    let too_late_to_claim = height >= windows.claim_close;
    let too_late_to_prove = height >= windows.proof_close;
    let effect = match stage {
        Stage::Accumulating if height > windows.claim_close => {
            let why = "no claim was made while its window was open: the program did not run, or could not read its \
                       evidence";
            return (missed_claim(stage, why.to_owned()), None);
        }
        Stage::Sealed { seal, trouble } if too_late_to_claim => {
            // The trouble is what keeps it from being signed again.
            let trouble = trouble.or_else(|| Some("there was no time left to claim".to_owned()));
            return (
                Stage::Sealed { seal, trouble }.into(),
                Some(ClaimEffect::LastLook),
            );
        }
        Stage::Sealed { seal, .. } => return (Stage::Sealed { seal, trouble: None }.into(), None),
        Stage::Accumulating if height >= windows.claim_open => {
            // Answers that are being made are waited for, until two blocks before the window closes.
            let wait = running > 0 && height.plus(2) < windows.claim_close;
            (!wait).then_some(ClaimEffect::Seal)
        }
        Stage::ClaimIncluded { .. } if height >= windows.proof_seed() => Some(ClaimEffect::Decide),
        Stage::ProofDue { .. } if too_late_to_prove => Some(ClaimEffect::LastLook),
        Stage::ProofDue { .. } if height >= windows.proof_open => Some(ClaimEffect::HandProof),
        // The settlement's events come with its own block; two blocks later they were overlooked.
        Stage::ProofIncluded { .. } | Stage::ProofNotRequired { .. }
            if height > windows.settlement.plus(2) =>
        {
            Some(ClaimEffect::Look)
        }
        _ => None,
    };
    (stage.into(), effect)
}

fn missed_claim(stage: Stage, why: String) -> ClaimState {
    stage.end(Outcome::ClaimMissed { why })
}

fn on_seal(stage: Stage, seal: Seal) -> ClaimState {
    if !matches!(stage, Stage::Accumulating) {
        return stage.into();
    }
    if seal.leaves == 0 {
        let why = if seal.answers == 0 {
            "no answer was given"
        } else {
            "no answer met the difficulty"
        };
        return stage.end(Outcome::Skipped { why: why.to_owned() });
    }
    Stage::Sealed { seal, trouble: None }.into()
}

fn on_price(stage: Stage, costs: Amount) -> ClaimState {
    match stage {
        Stage::Sealed { seal, .. } => {
            let why = format!(
                "its {} are not worth the {costs} that claim and proof are likely to cost",
                seal.value
            );
            Stage::Accumulating.end(Outcome::Skipped { why })
        }
        other => other.into(),
    }
}

fn on_missed(stage: Stage, why: String) -> ClaimState {
    match stage {
        Stage::Sealed { .. } | Stage::ClaimSent { .. } => missed_claim(stage, why),
        Stage::ProofDue { .. } | Stage::ProofSent { .. } => stage.end(Outcome::ProofMissed { why }),
        other => other.into(),
    }
}

fn on_replaced(stage: Stage, why: String) -> ClaimState {
    match stage {
        Stage::Sealed { .. } => missed_claim(stage, why),
        Stage::ClaimIncluded { .. } | Stage::ProofDue { .. } => stage.end(Outcome::ProofMissed { why }),
        other => other.into(),
    }
}

fn on_requirement(stage: Stage, required: bool) -> Stage {
    match stage {
        Stage::ClaimIncluded { seal, claim } if required => Stage::ProofDue {
            seal,
            claim,
            trouble: None,
        },
        Stage::ClaimIncluded { seal, claim } => Stage::ProofNotRequired { seal, claim },
        other => other,
    }
}

/// The outbox has what the stage waits for.
fn on_its_way(stage: Stage, tx: Option<String>, trouble: Option<String>) -> Stage {
    match stage {
        Stage::Sealed { seal, .. } | Stage::ClaimSent { seal, .. } => Stage::ClaimSent { seal, tx, trouble },
        Stage::ProofDue { seal, claim, .. } | Stage::ProofSent { seal, claim, .. } => Stage::ProofSent {
            seal,
            claim,
            tx,
            trouble,
        },
        other => other,
    }
}

fn on_failure(stage: Stage, why: String, forever: bool) -> ClaimState {
    if forever {
        return on_missed(stage, why);
    }
    let trouble = Some(why);
    let tried_again = match stage {
        Stage::Sealed { seal, .. } | Stage::ClaimSent { seal, .. } => Stage::Sealed { seal, trouble },
        Stage::ProofDue { seal, claim, .. } | Stage::ProofSent { seal, claim, .. } => {
            Stage::ProofDue { seal, claim, trouble }
        }
        other => other,
    };
    tried_again.into()
}

fn on_inclusion(stage: Stage, inclusion: Inclusion) -> Stage {
    match stage {
        // One that was to be handed over anew may be in a block after all.
        Stage::Sealed { seal, .. } | Stage::ClaimSent { seal, .. } => Stage::ClaimIncluded {
            seal,
            claim: inclusion,
        },
        Stage::ProofDue { seal, claim, .. } | Stage::ProofSent { seal, claim, .. } => Stage::ProofIncluded {
            seal,
            claim,
            proof: inclusion,
        },
        other => other,
    }
}

fn on_check(stage: Stage, valid: bool, why: String) -> ClaimState {
    match stage {
        Stage::ProofIncluded { .. } | Stage::ProofDue { .. } | Stage::ProofSent { .. } if !valid => {
            stage.end(Outcome::ProofInvalid { why })
        }
        other => other.into(),
    }
}

/// The claim is gone, and no block says what became of it. One that needed no proof, or had one, was paid; one whose
/// proof is nowhere was not.
fn on_vanished(stage: Stage, height: Height) -> ClaimState {
    match stage {
        Stage::ProofNotRequired { .. } | Stage::ProofIncluded { .. } => {
            on_end(stage, Outcome::Settled { paid: None })
        }
        Stage::ProofDue { .. } | Stage::ProofSent { .. } => {
            let why = "the claim is gone from the chain, and its proof is in no block that the endpoints still have";
            let why = why.to_owned();
            on_end(stage, Outcome::Expired { height, why })
        }
        // Whether a proof was wanted is still to be found out, or nothing was claimed.
        other => other.into(),
    }
}

/// The chain is done with the claim.
fn on_end(stage: Stage, outcome: Outcome) -> ClaimState {
    // The chain knows the claim, although it was about to be handed over anew or its inclusion was overlooked.
    let claim = |tx| Inclusion {
        tx,
        height: Height(0),
    };
    match stage {
        Stage::Accumulating => stage.into(),
        Stage::Sealed { seal, .. } => Stage::ClaimIncluded {
            seal,
            claim: claim(String::new()),
        }
        .end(outcome),
        Stage::ClaimSent { seal, tx, .. } => Stage::ClaimIncluded {
            seal,
            claim: claim(tx.unwrap_or_default()),
        }
        .end(outcome),
        included => included.end(outcome),
    }
}

#[cfg(test)]
mod tests;

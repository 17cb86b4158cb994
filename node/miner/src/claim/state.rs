//! The state of a claim: open at a stage, or ended with an outcome; and what can be read off it.

use std::collections::BTreeMap;

use hearth_base::{Amount, Height};
use hearth_pocket::trie::Root;
use hearth_store::stored::{Stored, Value};
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

/// What the chain took of the supplier's stake for a claim without a valid proof, on an endpoint's word: the chain does
/// not commit to its events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slash {
    /// The block.
    pub height: Height,
    /// What it took.
    pub amount: Amount,
    /// What is left of the stake.
    pub stake_after: Amount,
}

impl Stored for Slash {
    const WHAT: &'static str = "what was taken of the stake";
    const VERSION: u64 = 1;
}

/// The state of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimState {
    /// Something can still happen.
    Open(Stage),
    /// Nothing can happen any more.
    Ended(End),
}

/// How far an open claim is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// Answers come in.
    Accumulating,
    /// No answer is added any more.
    Sealed { seal: Seal, trouble: Option<String> },
    /// The outbox has the claim. `tx` is the transaction that does it, as soon as one is signed; `trouble` is what stands
    /// in its way.
    ClaimSent {
        seal: Seal,
        tx: Option<String>,
        #[serde(default)]
        trouble: Option<String>,
    },
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
    /// The outbox has the proof.
    ProofSent {
        seal: Seal,
        claim: Inclusion,
        tx: Option<String>,
        #[serde(default)]
        trouble: Option<String>,
    },
    /// The proof is in a block.
    ProofIncluded {
        seal: Seal,
        claim: Inclusion,
        proof: Inclusion,
    },
}

/// How a claim ended, and how far it had come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// How.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What was claimed, or was to be.
    pub seal: Option<Seal>,
    /// The claim's block.
    pub claim: Option<Inclusion>,
    /// The proof's block.
    pub proof: Option<Inclusion>,
}

/// How a claim ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Paid. `paid` is missing where the claim left the state as a paid one does, and nobody could tell the amounts any
    /// more.
    Settled { paid: Option<Paid> },
    /// Not worth a claim.
    Skipped { why: String },
    /// The claim did not get into a block in time.
    ClaimMissed { why: String },
    /// The proof did not get into a block in time.
    ProofMissed { why: String },
    /// The chain found the proof wrong.
    ProofInvalid { why: String },
    /// The chain did not pay.
    Expired { height: Height, why: String },
}

impl From<Stage> for ClaimState {
    fn from(stage: Stage) -> ClaimState {
        ClaimState::Open(stage)
    }
}

impl ClaimState {
    /// Before anything was claimed.
    pub const BEGUN: ClaimState = ClaimState::Open(Stage::Accumulating);

    /// How it ended; `None` while it is open.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        match self {
            ClaimState::Open(_) => None,
            ClaimState::Ended(end) => Some(&end.outcome),
        }
    }

    /// The name of the stage or the outcome, as the database and the API write it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            ClaimState::Open(stage) => stage.name(),
            ClaimState::Ended(end) => end.outcome.name(),
        }
    }

    /// What is claimed, once it is known.
    #[must_use]
    pub fn seal(&self) -> Option<&Seal> {
        match self {
            ClaimState::Open(stage) => stage.seal(),
            ClaimState::Ended(end) => end.seal.as_ref(),
        }
    }

    /// The claim's block.
    #[must_use]
    pub fn claim(&self) -> Option<&Inclusion> {
        match self {
            ClaimState::Open(stage) => stage.claim(),
            ClaimState::Ended(end) => end.claim.as_ref(),
        }
    }

    /// The proof's block.
    #[must_use]
    pub fn proof(&self) -> Option<&Inclusion> {
        match self {
            ClaimState::Open(stage) => stage.proof(),
            ClaimState::Ended(end) => end.proof.as_ref(),
        }
    }

    /// Whether it ended before anybody knew which transactions of which blocks had its claim or its proof: the chain tells
    /// of the end of many claims at once, which they may share.
    pub(crate) fn lacks_places(&self) -> bool {
        let is_known = |place: &Inclusion| !place.tx.is_empty() && place.height.0 > 0;
        match self {
            ClaimState::Open(_) => false,
            ClaimState::Ended(end) => {
                let claimed = end.claim.as_ref();
                claimed.is_some_and(|claim| !is_known(claim) || !end.proof.as_ref().is_some_and(is_known))
            }
        }
    }

    /// The same with what became known of them. What is known stays.
    pub(crate) fn with_places(mut self, claim: Option<Inclusion>, proof: Option<Inclusion>) -> ClaimState {
        let fill = |known: &mut Option<Inclusion>, found: Option<Inclusion>| {
            if known.as_ref().is_none_or(|known| known.height.0 == 0) && found.is_some() {
                *known = found;
            }
        };
        if let ClaimState::Ended(end) = &mut self {
            fill(&mut end.claim, claim);
            fill(&mut end.proof, proof);
        }
        self
    }

    /// The transaction that is on its way.
    #[must_use]
    pub fn sent(&self) -> Option<&str> {
        match self {
            ClaimState::Open(stage) => stage.sent(),
            ClaimState::Ended(_) => None,
        }
    }

    /// Why it ended badly, or what stands in the way now.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match self {
            ClaimState::Open(stage) => stage.trouble(),
            ClaimState::Ended(end) => end.outcome.why(),
        }
    }

    /// What was paid, where that is known.
    #[must_use]
    pub fn paid(&self) -> Option<&Paid> {
        match self.outcome()? {
            Outcome::Settled { paid } => paid.as_ref(),
            Outcome::Skipped { .. }
            | Outcome::ClaimMissed { .. }
            | Outcome::ProofMissed { .. }
            | Outcome::ProofInvalid { .. }
            | Outcome::Expired { .. } => None,
        }
    }
}

impl Stage {
    fn name(&self) -> &'static str {
        match self {
            Stage::Accumulating => "accumulating",
            Stage::Sealed { .. } => "sealed",
            Stage::ClaimSent { .. } => "claim_sent",
            Stage::ClaimIncluded { .. } => "claim_included",
            Stage::ProofNotRequired { .. } => "proof_not_required",
            Stage::ProofDue { .. } => "proof_due",
            Stage::ProofSent { .. } => "proof_sent",
            Stage::ProofIncluded { .. } => "proof_included",
        }
    }

    pub(crate) fn seal(&self) -> Option<&Seal> {
        match self {
            Stage::Accumulating => None,
            Stage::Sealed { seal, .. }
            | Stage::ClaimSent { seal, .. }
            | Stage::ClaimIncluded { seal, .. }
            | Stage::ProofNotRequired { seal, .. }
            | Stage::ProofDue { seal, .. }
            | Stage::ProofSent { seal, .. }
            | Stage::ProofIncluded { seal, .. } => Some(seal),
        }
    }

    pub(crate) fn claim(&self) -> Option<&Inclusion> {
        match self {
            Stage::Accumulating | Stage::Sealed { .. } | Stage::ClaimSent { .. } => None,
            Stage::ClaimIncluded { claim, .. }
            | Stage::ProofNotRequired { claim, .. }
            | Stage::ProofDue { claim, .. }
            | Stage::ProofSent { claim, .. }
            | Stage::ProofIncluded { claim, .. } => Some(claim),
        }
    }

    pub(crate) fn proof(&self) -> Option<&Inclusion> {
        match self {
            Stage::ProofIncluded { proof, .. } => Some(proof),
            Stage::Accumulating
            | Stage::Sealed { .. }
            | Stage::ClaimSent { .. }
            | Stage::ClaimIncluded { .. }
            | Stage::ProofNotRequired { .. }
            | Stage::ProofDue { .. }
            | Stage::ProofSent { .. } => None,
        }
    }

    /// Whether the outbox has what this stage waits for.
    pub(crate) fn is_sent(&self) -> bool {
        matches!(self, Stage::ClaimSent { .. } | Stage::ProofSent { .. })
    }

    pub(crate) fn sent(&self) -> Option<&str> {
        match self {
            Stage::ClaimSent { tx, .. } | Stage::ProofSent { tx, .. } => tx.as_deref(),
            Stage::Accumulating
            | Stage::Sealed { .. }
            | Stage::ClaimIncluded { .. }
            | Stage::ProofNotRequired { .. }
            | Stage::ProofDue { .. }
            | Stage::ProofIncluded { .. } => None,
        }
    }

    fn trouble(&self) -> Option<&str> {
        match self {
            Stage::Sealed { trouble, .. }
            | Stage::ClaimSent { trouble, .. }
            | Stage::ProofDue { trouble, .. }
            | Stage::ProofSent { trouble, .. } => trouble.as_deref(),
            Stage::Accumulating
            | Stage::ClaimIncluded { .. }
            | Stage::ProofNotRequired { .. }
            | Stage::ProofIncluded { .. } => None,
        }
    }

    /// The end of a claim that has come this far.
    pub(crate) fn end(self, outcome: Outcome) -> ClaimState {
        ClaimState::Ended(End {
            outcome,
            seal: self.seal().cloned(),
            claim: self.claim().cloned(),
            proof: self.proof().cloned(),
        })
    }
}

impl Outcome {
    /// The name of what was paid.
    pub(crate) const SETTLED: &str = "settled";

    /// The name, as the database and the API write it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Settled { .. } => Outcome::SETTLED,
            Outcome::Skipped { .. } => "skipped",
            Outcome::ClaimMissed { .. } => "claim_missed",
            Outcome::ProofMissed { .. } => "proof_missed",
            Outcome::ProofInvalid { .. } => "proof_invalid",
            Outcome::Expired { .. } => "expired",
        }
    }

    /// Whether answers that were given bring nothing although they were worth a claim.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        match self {
            Outcome::ClaimMissed { .. }
            | Outcome::ProofMissed { .. }
            | Outcome::ProofInvalid { .. }
            | Outcome::Expired { .. } => true,
            Outcome::Settled { .. } | Outcome::Skipped { .. } => false,
        }
    }

    fn why(&self) -> Option<&str> {
        match self {
            Outcome::Settled { .. } => None,
            Outcome::Skipped { why }
            | Outcome::ClaimMissed { why }
            | Outcome::ProofMissed { why }
            | Outcome::ProofInvalid { why }
            | Outcome::Expired { why, .. } => Some(why),
        }
    }
}

impl Stored for ClaimState {
    const WHAT: &'static str = "the state of a claim";
    const VERSION: u64 = 3;

    /// The first form was one list of states, in which the ends were told apart by their names alone. The second always
    /// had the transaction of what was sent.
    fn upgrade(from: u64, value: Value) -> Value {
        if from > 1 {
            return value;
        }
        const ENDS_OF_FORM_1: [&str; 6] = [
            "settled",
            "skipped",
            "claim_missed",
            "proof_missed",
            "proof_invalid",
            "expired",
        ];
        let Value::Object(mut fields) = value else {
            return value;
        };
        let name = fields.remove("state").unwrap_or_default();
        let has_ended = name.as_str().is_some_and(|name| ENDS_OF_FORM_1.contains(&name));
        let (kind, tag) = if has_ended {
            ("ended", "outcome")
        } else {
            ("open", "stage")
        };
        fields.insert(tag.to_owned(), name);
        Value::Object([(kind.to_owned(), Value::Object(fields))].into_iter().collect())
    }
}

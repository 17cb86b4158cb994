//! The miner's words in those of the control API.

use hearth_base::Height;
use hearth_miner::{self as miner, ClaimState as State, OffWhy, ReasonCode, SessionView};

use super::upokt;
use crate::control::types::{
    ClaimState, EarnedSession, Earning, EarningState, MoneyStage, Reason, Timestamp,
};

/// The state of earning.
pub(super) fn earning(from: &miner::Earning) -> Earning {
    let (state, detail) = match &from.state {
        miner::EarningState::Off(OffWhy::Stopped) => (EarningState::Off, None),
        miner::EarningState::Off(OffWhy::Reasons) => (
            EarningState::Off,
            Some("starts by itself once nothing stands in the way"),
        ),
        miner::EarningState::Starting => (EarningState::Starting, Some("loading the model")),
        miner::EarningState::Idle => (EarningState::Idle, Some("waiting for work")),
        miner::EarningState::Serving => (EarningState::Serving, None),
        miner::EarningState::Draining => (EarningState::Draining, None),
    };
    Earning {
        state,
        why: from.why().map(str::to_owned),
        detail: detail.map(str::to_owned),
        since: Timestamp::from_ms(from.since_ms),
        serving: u32::try_from(from.serving).unwrap_or(u32::MAX),
        reasons: from.reasons.iter().map(reason).collect(),
        notes: from.notes.iter().map(reason).collect(),
    }
}

fn reason(from: &miner::Reason) -> Reason {
    let (meaning, remedy) = meaning(from.code);
    Reason {
        code: from.code.as_str().to_owned(),
        fact: Some(from.fact.clone()).filter(|fact| !fact.is_empty()),
        meaning: meaning.to_owned(),
        remedy: remedy.map(str::to_owned),
    }
}

const fn meaning(code: ReasonCode) -> (&'static str, Option<&'static str>) {
    match code {
        ReasonCode::NoWallet => (
            "No wallet yet. Earnings need a place to go.",
            Some("Create a wallet, or restore one."),
        ),
        ReasonCode::KeyLocked => (
            "The working key is locked. Nothing can be signed until you unlock it.",
            Some("Unlock the wallet."),
        ),
        ReasonCode::NoModel => (
            "There is no model to serve.",
            Some("Choose a model for the service."),
        ),
        ReasonCode::NeedsStake => (
            "Stake is missing. The network asks every earner to set money aside; it stays yours.",
            Some("Stake to earn."),
        ),
        ReasonCode::ChainSyncing => ("Catching up with the chain.", None),
        ReasonCode::TrustConflict => (
            "The trusted block and the chain contradict each other. Nothing is signed, so that nobody is paid on a false \
             chain.",
            Some(
                "Compare the trusted block with somebody whom you trust. Then correct chain.trust, remove the endpoint that \
                 lies, or accept the trusted block on the Network page.",
            ),
        ),
        ReasonCode::ClockSkew => (
            "This computer's clock is wrong, claims would fail.",
            Some("Set the clock."),
        ),
        ReasonCode::DiskLow => (
            "The disk is nearly full. Answers must be written down before they count.",
            Some("Free space."),
        ),
        ReasonCode::PortTaken => (
            "Another program has the port for answers.",
            Some("Stop it, or choose another miner.listen."),
        ),
        ReasonCode::NoStakedService => (
            "The supplier is staked, but for none of the services that are sold here. Nobody is sent to this node.",
            Some("Stake it for a service of miner.services, or sell one that it is staked for."),
        ),
        ReasonCode::Unbonding => (
            "The supplier is leaving the network. It serves to the end of its last session.",
            Some("Stake it again to stay."),
        ),
        ReasonCode::UrlDiffers => (
            "Buyers are sent to another address than this node's public URL.",
            Some("Stake the supplier with miner.public_url, or set miner.public_url to what is staked."),
        ),
        ReasonCode::UrlLocal => (
            "The staked address means the buyer's own computer or network, so nobody outside can reach this node.",
            Some("Set miner.public_url to an address that others reach, and stake the supplier with it."),
        ),
        ReasonCode::NoFunds => (
            "The working key holds too little to pay for claims.",
            Some("Send a little POKT to the working key."),
        ),
    }
}

/// A session with the state of its claim.
pub(super) fn session(view: &SessionView) -> EarnedSession {
    let record = &view.record;
    let facts = &record.facts;
    let (state, stage) = stage(&record.state);
    let outcome = outcome(&record.state);
    let is_lost = stage == MoneyStage::Lost;
    let paid = match &record.state {
        State::Settled { paid, .. } => paid.as_ref(),
        State::Accumulating
        | State::Sealed { .. }
        | State::ClaimSent { .. }
        | State::ClaimIncluded { .. }
        | State::ProofNotRequired { .. }
        | State::ProofDue { .. }
        | State::ProofSent { .. }
        | State::ProofIncluded { .. }
        | State::Skipped { .. }
        | State::ClaimMissed { .. }
        | State::ProofMissed { .. }
        | State::ProofInvalid { .. }
        | State::Expired { .. } => None,
    };
    EarnedSession {
        id: facts.header.session_id.clone(),
        service: facts.header.service_id.clone(),
        application: facts.header.application_address.clone(),
        start_height: facts.start().0,
        end_height: facts.end().0,
        state,
        stage,
        why: outcome.why,
        answers: view.answers,
        compute_units: facts.compute_units.saturating_mul(view.answers),
        amount: upokt(view.amount),
        estimated: view.estimated,
        claimed: record.state.seal().map(|seal| upokt(seal.value)),
        minted: paid.map(|paid| upokt(paid.minted)),
        settled: paid.map(|paid| upokt(paid.settled)),
        lost: is_lost.then(|| upokt(view.amount)),
        claim_opens: Some(facts.windows.claim_open.0),
        claim_closes: Some(facts.windows.claim_close.0),
        proof_opens: Some(facts.windows.proof_open.0),
        proof_closes: Some(facts.windows.proof_close.0),
        claim_tx: outcome.claim.as_ref().map(|(tx, _)| tx.clone()),
        claim_height: outcome
            .claim
            .and_then(|(_, height)| height)
            .map(|height| height.0),
        proof_tx: outcome.proof.as_ref().map(|(tx, _)| tx.clone()),
        proof_height: outcome
            .proof
            .and_then(|(_, height)| height)
            .map(|height| height.0),
        settled_height: paid.map(|paid| paid.height.0),
        updated_at: Timestamp::from_ms(record.updated_ms),
    }
}

/// Name and stage of a claim's state.
pub(super) const fn stage(state: &State) -> (ClaimState, MoneyStage) {
    match state {
        State::Accumulating => (ClaimState::Accumulating, MoneyStage::Estimate),
        State::Sealed { .. } => (ClaimState::Sealed, MoneyStage::Pending),
        State::ClaimSent { .. } => (ClaimState::ClaimSent, MoneyStage::Pending),
        State::ClaimIncluded { .. } => (ClaimState::ClaimIncluded, MoneyStage::Claimed),
        State::ProofDue { .. } => (ClaimState::ProofDue, MoneyStage::Claimed),
        State::ProofSent { .. } => (ClaimState::ProofSent, MoneyStage::Claimed),
        State::ProofNotRequired { .. } => (ClaimState::ProofNotRequired, MoneyStage::Proven),
        State::ProofIncluded { .. } => (ClaimState::ProofIncluded, MoneyStage::Proven),
        State::Settled { .. } => (ClaimState::Settled, MoneyStage::Settled),
        State::Skipped { .. } => (ClaimState::Skipped, MoneyStage::Lost),
        State::ClaimMissed { .. } => (ClaimState::ClaimMissed, MoneyStage::Lost),
        State::ProofMissed { .. } => (ClaimState::ProofMissed, MoneyStage::Lost),
        State::ProofInvalid { .. } => (ClaimState::ProofInvalid, MoneyStage::Lost),
        State::Expired { .. } => (ClaimState::Expired, MoneyStage::Lost),
    }
}

/// Transactions with the blocks they are in, and why it went wrong.
#[derive(Default)]
struct Outcome {
    claim: Option<(String, Option<Height>)>,
    proof: Option<(String, Option<Height>)>,
    why: Option<String>,
}

fn outcome(state: &State) -> Outcome {
    // Height 0: only the state shows that it was included.
    let included = |inclusion: &miner::Inclusion| {
        Some((
            inclusion.tx.clone(),
            Some(inclusion.height).filter(|height| height.0 > 0),
        ))
    };
    let sent = |tx: &String| Some((tx.clone(), None));
    match state {
        State::Accumulating => Outcome::default(),
        State::Sealed { trouble, .. } => Outcome {
            why: trouble.clone(),
            ..Outcome::default()
        },
        State::ClaimSent { tx, .. } => Outcome {
            claim: sent(tx),
            ..Outcome::default()
        },
        State::ClaimIncluded { claim, .. } | State::ProofNotRequired { claim, .. } => Outcome {
            claim: included(claim),
            ..Outcome::default()
        },
        State::ProofDue { claim, trouble, .. } => Outcome {
            claim: included(claim),
            proof: None,
            why: trouble.clone(),
        },
        State::ProofSent { claim, tx, .. } => Outcome {
            claim: included(claim),
            proof: sent(tx),
            why: None,
        },
        State::ProofIncluded { claim, proof, .. } => Outcome {
            claim: included(claim),
            proof: included(proof),
            why: None,
        },
        State::Settled { claim, proof, .. } => Outcome {
            claim: included(claim),
            proof: proof.as_ref().and_then(included),
            why: None,
        },
        State::Skipped { why } | State::ClaimMissed { why, .. } => Outcome {
            why: Some(why.clone()),
            ..Outcome::default()
        },
        State::ProofMissed { claim, why, .. } | State::Expired { claim, why, .. } => Outcome {
            claim: included(claim),
            proof: None,
            why: Some(why.clone()),
        },
        State::ProofInvalid {
            claim, proof, why, ..
        } => Outcome {
            claim: included(claim),
            proof: proof.as_ref().and_then(included),
            why: Some(why.clone()),
        },
    }
}

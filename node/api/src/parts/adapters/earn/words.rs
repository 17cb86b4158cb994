//! The miner's words in those of the control API.

use hearth_miner::{self as miner, ClaimState as State, OffWhy, Outcome, ReasonCode, SessionView, Stage};

use super::upokt;
use crate::control::types::{
    ClaimState, EarnedSession, Earning, EarningState, MoneyStage, Reason, Slash, SupplierEarning, Timestamp,
};

/// The state of earning, while these answers are made.
pub(super) fn earning(from: &miner::Earning, running: &miner::Running) -> Earning {
    let detail = match &from.state {
        miner::EarningState::Off(OffWhy::Reasons) => Some("starts by itself once nothing stands in the way"),
        miner::EarningState::Starting => Some("loading the model"),
        miner::EarningState::Idle => Some("waiting for work"),
        miner::EarningState::Off(OffWhy::Stopped)
        | miner::EarningState::Serving
        | miner::EarningState::Draining => None,
    };
    Earning {
        state: state(&from.state),
        why: from.why().map(str::to_owned),
        detail: detail.map(str::to_owned),
        since: Timestamp::from_ms(from.since_ms),
        serving: u32::try_from(from.serving).unwrap_or(u32::MAX),
        reasons: from.reasons.iter().map(reason).collect(),
        notes: from.notes.iter().map(reason).collect(),
        suppliers: from
            .suppliers
            .iter()
            .map(|one| supplier(from, one, running))
            .collect(),
    }
}

pub(super) const fn state(from: &miner::EarningState) -> EarningState {
    match from {
        miner::EarningState::Off(_) => EarningState::Off,
        miner::EarningState::Starting => EarningState::Starting,
        miner::EarningState::Idle => EarningState::Idle,
        miner::EarningState::Serving => EarningState::Serving,
        miner::EarningState::Draining => EarningState::Draining,
    }
}

fn supplier(
    earning: &miner::Earning,
    from: &miner::SupplierEarning,
    running: &miner::Running,
) -> SupplierEarning {
    let answers = running.answers.values();
    let serving = answers
        .filter(|answer| answer.supplier == from.operator.as_str())
        .count();
    SupplierEarning {
        operator: from.operator.to_string(),
        owner: from.owner.clone(),
        state: state(&earning.state_of(from, serving)),
        serving: u32::try_from(serving).unwrap_or(u32::MAX),
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

const UNVERIFIED: (&str, Option<&str>) = (
    "Nothing of the chain is proven, so nothing decides about money.",
    Some("Give a block that you trust: `hearth network trust HEIGHT HASH`, or the Network page."),
);
const CONTRADICTED: (&str, Option<&str>) = (
    "The trusted block and the chain contradict each other. Nothing is signed, so that nobody is paid on a false \
     chain.",
    Some(
        "Compare the trusted block with somebody whom you trust. Then correct chain.trust, remove the endpoint that \
         lies, or accept the trusted block: `hearth network trust`, or the Network page.",
    ),
);

#[allow(clippy::too_many_lines, reason = "a table: one arm per reason")]
const fn meaning(code: ReasonCode) -> (&'static str, Option<&'static str>) {
    match code {
        ReasonCode::NoWallet => (
            "No wallet yet. Earnings need a place to go.",
            Some("Create a wallet, or restore one."),
        ),
        ReasonCode::NoOperator => (
            "No key of the wallet is the operator, which signs answers, claims and proofs.",
            Some("Import the operator's key, or give this purpose to a key of the wallet."),
        ),
        ReasonCode::OtherOwner => (
            "The supplier belongs to an owner whose key is not here. What it earns goes there, and its stake is changed \
             from there.",
            None,
        ),
        ReasonCode::KeyLocked => (
            "The working key is locked. Nothing can be signed until you unlock it.",
            Some("Unlock the wallet."),
        ),
        ReasonCode::NoModel => (
            "There is no model to serve.",
            Some("Choose a model for the service."),
        ),
        ReasonCode::Backend => (
            "The server that makes the answers does not work.",
            Some("Start it, or correct miner.backend."),
        ),
        ReasonCode::NeedsStake => (
            "Stake is missing. The network asks every earner to set money aside; it stays yours.",
            Some("Stake to earn."),
        ),
        ReasonCode::ChainSyncing => ("Catching up with the chain.", None),
        ReasonCode::ChainUnverified => UNVERIFIED,
        ReasonCode::ChainStalled => (
            "No endpoint has a new block.",
            Some("Wait, or add one to chain.rpc."),
        ),
        ReasonCode::ChainUnreachable => ("No endpoint gives a usable answer.", Some("Set chain.rpc.")),
        ReasonCode::TrustExpired => ("The last verified block is too old.", Some("Set chain.trust.")),
        ReasonCode::TrustConflict => CONTRADICTED,
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
        ReasonCode::StartsLater => (
            "The stake counts from the next session on. Until then nobody is sent to this node.",
            None,
        ),
        ReasonCode::Unbonding => (
            "The supplier is leaving the network. It is asked to the end of its last session, but the chain pays no session \
             that it settles once the supplier has left.",
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
        ReasonCode::AnswersLost => (
            "Answers of the last days bring nothing: their claim or proof was not in a block in time, or the chain refused \
             it.",
            Some("The sessions say why. Keep Hearth running while claims are open."),
        ),
        ReasonCode::Slashed => (
            "The chain took a part of the stake: a claim had no valid proof.",
            Some(
                "The session says why. Keep Hearth running while a proof is due, and the stake above the minimum.",
            ),
        ),
        ReasonCode::NoFunds => (
            "The working key holds too little to pay for the claims and proofs of another session, so none is begun.",
            Some("Send POKT to the working key; earning goes on by itself."),
        ),
        ReasonCode::KeyElsewhere => (
            "Another program signs with this operator's key: it claimed a session that was served here, too. Two of them \
             take each other's claims away, and a proof that does not fit costs stake.",
            Some(
                "Stop the other one, or give it a key of its own. Then say so here: `hearth earn acknowledge`, or the Earn page.",
            ),
        ),
        ReasonCode::RecordChanged => (
            "The supplier's record on the chain was changed, and not by this node. Who changes it decides where buyers are \
             sent, and who is paid.",
            Some(
                "If you changed it elsewhere, say so: `hearth earn acknowledge`, or the Earn page. If you did not, somebody \
                 else has one of your keys: change the record back, and move your money to new keys.",
            ),
        ),
    }
}

/// A session with the state of its claim.
pub(super) fn session(view: &SessionView) -> EarnedSession {
    let record = &view.record;
    let facts = &record.facts;
    let (state, stage) = stage(&record.state);
    let is_lost = stage == MoneyStage::Lost;
    let paid = record.state.paid();
    let (claim_tx, claim_height) = placed(record.state.claim());
    let (proof_tx, proof_height) = placed(record.state.proof());
    // What is on its way is a claim until that is in a block.
    let sent = |is_proof: bool| {
        let tx = record
            .state
            .sent()
            .filter(|_| record.state.claim().is_some() == is_proof);
        tx.map(str::to_owned)
    };
    EarnedSession {
        id: facts.header.session_id.clone(),
        service: facts.header.service_id.clone(),
        supplier: facts.supplier.clone(),
        owner: facts.owner.clone(),
        application: facts.header.application_address.clone(),
        start_height: facts.start().0,
        end_height: facts.end().0,
        state,
        stage,
        why: record.state.why().map(str::to_owned),
        answers: view.answers,
        compute_units: facts.compute_units.saturating_mul(view.answers),
        amount: upokt(view.amount),
        estimated: view.estimated,
        claimed: record.state.seal().map(|seal| upokt(seal.value)),
        minted: paid.map(|paid| upokt(paid.minted)),
        settled: paid.map(|paid| upokt(paid.settled)),
        lost: is_lost.then(|| upokt(view.amount)),
        slash: record.slash.as_ref().map(|slash| Slash {
            height: slash.height.0,
            amount: upokt(slash.amount),
            stake_after: upokt(slash.stake_after),
        }),
        claim_opens: Some(facts.windows.claim_open.0),
        claim_closes: Some(facts.windows.claim_close.0),
        proof_opens: Some(facts.windows.proof_open.0),
        proof_closes: Some(facts.windows.proof_close.0),
        claim_tx: claim_tx.or_else(|| sent(false)),
        claim_height,
        proof_tx: proof_tx.or_else(|| sent(true)),
        proof_height,
        settled_height: paid.map(|paid| paid.height.0),
        updated_at: Timestamp::from_ms(record.updated_ms),
    }
}

/// Name and stage of a claim's state.
pub(super) const fn stage(state: &State) -> (ClaimState, MoneyStage) {
    match state {
        State::Open(Stage::Accumulating) => (ClaimState::Accumulating, MoneyStage::Estimate),
        State::Open(Stage::Sealed { .. }) => (ClaimState::Sealed, MoneyStage::Pending),
        State::Open(Stage::ClaimSent { .. }) => (ClaimState::ClaimSent, MoneyStage::Pending),
        State::Open(Stage::ClaimIncluded { .. }) => (ClaimState::ClaimIncluded, MoneyStage::Claimed),
        State::Open(Stage::ProofDue { .. }) => (ClaimState::ProofDue, MoneyStage::Claimed),
        State::Open(Stage::ProofSent { .. }) => (ClaimState::ProofSent, MoneyStage::Claimed),
        State::Open(Stage::ProofNotRequired { .. }) => (ClaimState::ProofNotRequired, MoneyStage::Proven),
        State::Open(Stage::ProofIncluded { .. }) => (ClaimState::ProofIncluded, MoneyStage::Proven),
        State::Ended(end) => match end.outcome {
            Outcome::Settled { .. } => (ClaimState::Settled, MoneyStage::Settled),
            Outcome::Skipped { .. } => (ClaimState::Skipped, MoneyStage::Lost),
            Outcome::ClaimMissed { .. } => (ClaimState::ClaimMissed, MoneyStage::Lost),
            Outcome::ProofMissed { .. } => (ClaimState::ProofMissed, MoneyStage::Lost),
            Outcome::ProofInvalid { .. } => (ClaimState::ProofInvalid, MoneyStage::Lost),
            Outcome::Expired { .. } => (ClaimState::Expired, MoneyStage::Lost),
        },
    }
}

/// A transaction with its block. Height 0: only the state shows that it was included.
fn placed(inclusion: Option<&miner::Inclusion>) -> (Option<String>, Option<u64>) {
    let tx = inclusion.map(|inclusion| inclusion.tx.clone());
    let height = inclusion.map(|inclusion| inclusion.height.0);
    (tx, height.filter(|height| *height > 0))
}

//! Claims and proofs: what a transaction may bring in, and what the end of the block makes of a proof.

mod validate;

use hearth_base::{Amount, Height};
use hearth_pocket::{
    message::{
        proof::{
            Claim, EventClaimCreated, EventClaimUpdated, EventProofSubmitted, EventProofUpdated,
            EventProofValidityChecked, MsgCreateClaim, MsgSubmitProof, Params, Proof, ProofRequirementReason,
        },
        session::{Session, SessionHeader},
    },
    proof::{RequirementParams, requirement},
    relay::validate_header,
    session::Windows,
    settlement::{Estimates, Price},
    trie::Root,
};

use super::{amount, bank, params, service, session};
use crate::{
    address,
    ctx::Ctx,
    error::{Status, TxError},
    events::Event,
    keys,
    state::{State, StoreName},
};

const STORE: StoreName = StoreName::Proof;
const MODULE: &str = "proof";

pub(crate) fn validate_claim(msg: &MsgCreateClaim) -> Result<(), TxError> {
    validate_head(&msg.supplier_operator_address, msg.session_header.as_ref())?;
    let bad_root = |text: &str| Err(TxError::new(MODULE, 1104, format!("{text}: invalid root hash")));
    match Root::try_from(msg.root_hash.as_slice()) {
        Err(_) => bad_root("expecting root hash to be 48 bytes"),
        Ok(root) if root.count() == 0 => bad_root("has zero count in Merkle root"),
        Ok(root) if root.sum() == 0 => bad_root("has zero sum in Merkle root"),
        Ok(_) => Ok(()),
    }
}

pub(crate) fn validate_proof(msg: &MsgSubmitProof) -> Result<(), TxError> {
    validate_head(&msg.supplier_operator_address, msg.session_header.as_ref())?;
    if msg.proof.is_empty() {
        return Err(TxError::new(MODULE, 1102, "proof cannot be empty: invalid proof"));
    }
    Ok(())
}

fn validate_head(operator: &str, header: Option<&SessionHeader>) -> Result<(), TxError> {
    address::parse(operator)
        .map_err(|why| TxError::new(MODULE, 1120, format!("{operator}: {why}: invalid address")))?;
    let header = header.ok_or_else(|| "session header is nil".to_owned());
    header
        .and_then(|header| validate_header(header).map_err(|error| error.to_string()))
        .map_err(|why| {
            TxError::new(
                MODULE,
                1109,
                format!("invalid session header: {why}: invalid session header"),
            )
        })
}

/// The price of a claim: the parameters at the start of its session.
pub(crate) fn price_of(state: &State, header: &SessionHeader) -> Price {
    let start = height_of(header.session_start_block_height);
    let shared = params::shared_at(state, start);
    Price {
        target: service::target_at(state, &header.service_id, start),
        compute_units_to_tokens_multiplier: shared.compute_units_to_tokens_multiplier,
        granularity: shared.compute_unit_cost_granularity,
    }
}

/// The windows of a claim: the parameters at the end of its session.
pub(crate) fn windows_of(state: &State, header: &SessionHeader) -> Windows {
    let end = height_of(header.session_end_block_height);
    params::timing_at(state, end).windows(Height(end))
}

pub(crate) fn height_of(height: i64) -> u64 {
    u64::try_from(height).unwrap_or(0)
}

fn put_claim(state: &mut State, claim: &Claim) {
    let keys = keys::keys_of(claim);
    state.write(STORE, &keys.primary, claim);
    state.set(STORE, &keys.by_operator, keys.tail.clone());
    state.set(STORE, &keys.by_height, keys.tail);
}

/// Forgets a claim that was settled.
pub(crate) fn remove_claim(state: &mut State, claim: &Claim) {
    let keys = keys::keys_of(claim);
    for key in [keys.primary, keys.by_operator, keys.by_height] {
        state.remove(STORE, &key);
    }
}

pub(crate) fn claim(state: &State, session_id: &str, operator: &str) -> Option<Claim> {
    state.read(STORE, &keys::claim_keys("Claim", session_id, operator, 0).primary)
}

/// All claims of sessions that end at a height, by session id and operator.
pub(crate) fn claims_ending_at(state: &State, session_end: u64) -> Vec<Claim> {
    state
        .prefix(STORE, &keys::claims_ending_at(session_end as i64))
        .iter()
        .filter_map(|leaf| state.read(STORE, &[keys::CLAIMS.as_bytes(), leaf.value].concat()))
        .collect()
}

/// The session that a message names, checked against the chain's own.
fn session_of(ctx: &Ctx, header: &SessionHeader, operator: &str) -> Result<Session, TxError> {
    let invalid = |text: String| TxError::grpc(Status::InvalidArgument, text);
    let start = height_of(header.session_start_block_height);
    // The block that is being executed counts as known: its hash is, and a session may start with it.
    let (application, service) = (&header.application_address, &header.service_id);
    let session = session::hydrate(&ctx.state, ctx.height, application, service, start)
        .map_err(|why| invalid(format!("rpc error: code = Internal desc = {why}")))?;
    if session.session_id != header.session_id {
        return Err(invalid(format!(
            "session ID does not match onchain session ID; expected {:?}, got {:?}: invalid session ID",
            session.session_id, header.session_id
        )));
    }
    if !session
        .suppliers
        .iter()
        .any(|supplier| supplier.operator_address == operator)
    {
        return Err(invalid(format!(
            "supplier operator address {operator:?} not found in session ID {:?}: supplier not found in session",
            session.session_id
        )));
    }
    Ok(session)
}

fn check_window(height: u64, open: Height, close: Height, what: &str) -> Result<(), TxError> {
    let outside = |text: String| {
        let text = format!("{text}: {what} attempted outside of the session's {what} window");
        TxError::grpc(Status::FailedPrecondition, text)
    };
    if height < open.0 {
        return Err(outside(format!(
            "current block height ({height}) is less than session's earliest {what} commit height ({open})"
        )));
    }
    if height > close.0 {
        return Err(outside(format!(
            "current block height ({height}) is greater than session {what} window close height ({close})"
        )));
    }
    Ok(())
}

/// `MsgCreateClaim`. A second claim in the window takes the place of the first.
pub(crate) fn create_claim(ctx: &mut Ctx, msg: &MsgCreateClaim) -> Result<(), TxError> {
    let header = msg.session_header.clone().unwrap_or_default();
    let operator = &msg.supplier_operator_address;
    session_of(ctx, &header, operator)?;
    let windows = windows_of(&ctx.state, &header);
    check_window(ctx.height, windows.claim_open, windows.claim_close, "claim")?;
    let root = Root::try_from(msg.root_hash.as_slice())
        .map_err(|error| TxError::grpc(Status::InvalidArgument, error))?;
    let start = height_of(header.session_start_block_height);
    let per_relay = service::compute_units_at(&ctx.state, &header.service_id, start).unwrap_or(0);
    if root.count().wrapping_mul(per_relay) != root.sum() {
        let text = format!(
            "claim compute units: {} is not equal to number of relays {} * compute units per relay {per_relay} for \
             service {}: mismatch: claim compute units != number of relays * service compute units per relay",
            root.sum(),
            root.count(),
            header.service_id
        );
        return Err(TxError::grpc(Status::InvalidArgument, text));
    }
    let is_new = claim(&ctx.state, &header.session_id, operator).is_none();
    let claim = Claim {
        supplier_operator_address: operator.clone(),
        session_header: Some(header),
        root_hash: msg.root_hash.clone(),
        proof_validation_status: 0,
    };
    put_claim(&mut ctx.state, &claim);
    let event = claim_event(&ctx.state, &claim, &root);
    ctx.emit(if is_new {
        Event::typed(&event)
    } else {
        Event::typed(&updated(event))
    });
    Ok(())
}

/// What a claim is worth, with its figures.
pub(crate) fn value(state: &State, claim: &Claim, root: &Root) -> (Amount, Estimates) {
    let header = claim.session_header.clone().unwrap_or_default();
    let price = price_of(state, &header);
    (price.claimed(root).unwrap_or_default(), price.estimates(root))
}

fn claim_event(state: &State, claim: &Claim, root: &Root) -> EventClaimCreated {
    let (claimed, estimates) = value(state, claim, root);
    let header = claim.session_header.clone().unwrap_or_default();
    EventClaimCreated {
        num_relays: root.count(),
        num_claimed_compute_units: root.sum(),
        // The chain puts the claimed units here, not the scaled ones.
        num_estimated_compute_units: root.sum(),
        claimed_upokt: claimed.to_string(),
        service_id: header.service_id,
        application_address: header.application_address,
        session_end_block_height: header.session_end_block_height,
        claim_proof_status_int: claim.proof_validation_status,
        supplier_operator_address: claim.supplier_operator_address.clone(),
        num_estimated_relays: estimates.relays,
    }
}

fn updated(event: EventClaimCreated) -> EventClaimUpdated {
    EventClaimUpdated {
        num_relays: event.num_relays,
        num_claimed_compute_units: event.num_claimed_compute_units,
        num_estimated_compute_units: event.num_estimated_compute_units,
        claimed_upokt: event.claimed_upokt,
        service_id: event.service_id,
        application_address: event.application_address,
        session_end_block_height: event.session_end_block_height,
        claim_proof_status_int: event.claim_proof_status_int,
        supplier_operator_address: event.supplier_operator_address,
        num_estimated_relays: event.num_estimated_relays,
    }
}

/// Unlike those of claims, events of proofs carry the scaled units.
fn submitted(event: EventClaimCreated, estimates: Estimates) -> EventProofSubmitted {
    EventProofSubmitted {
        num_relays: event.num_relays,
        num_claimed_compute_units: event.num_claimed_compute_units,
        num_estimated_compute_units: estimates.compute_units,
        claimed_upokt: event.claimed_upokt,
        service_id: event.service_id,
        application_address: event.application_address,
        session_end_block_height: event.session_end_block_height,
        claim_proof_status_int: event.claim_proof_status_int,
        supplier_operator_address: event.supplier_operator_address,
        num_estimated_relays: event.num_estimated_relays,
    }
}

fn resubmitted(event: EventProofSubmitted) -> EventProofUpdated {
    EventProofUpdated {
        num_relays: event.num_relays,
        num_claimed_compute_units: event.num_claimed_compute_units,
        num_estimated_compute_units: event.num_estimated_compute_units,
        claimed_upokt: event.claimed_upokt,
        service_id: event.service_id,
        application_address: event.application_address,
        session_end_block_height: event.session_end_block_height,
        claim_proof_status_int: event.claim_proof_status_int,
        supplier_operator_address: event.supplier_operator_address,
        num_estimated_relays: event.num_estimated_relays,
    }
}

/// The hash that chooses the leaf to prove, and whether a proof is needed.
pub(crate) fn seed_hash(state: &State, header: &SessionHeader) -> Vec<u8> {
    session::block_hash(state, windows_of(state, header).proof_seed().0)
}

/// Whether a claim needs a proof, by the parameters that stand.
fn requirement_of(state: &State, claim: &Claim, claimed: Amount) -> ProofRequirementReason {
    let header = claim.session_header.clone().unwrap_or_default();
    let params: Params = params::of(state, STORE);
    let params = RequirementParams {
        threshold: Amount::from_upokt(amount(params.proof_requirement_threshold.as_ref())),
        request_probability: params.proof_request_probability,
    };
    requirement(claim, claimed, &seed_hash(state, &header), &params)
}

/// `MsgSubmitProof`: everything but the cryptography, which the end of the block does.
pub(crate) fn submit_proof(ctx: &mut Ctx, msg: &MsgSubmitProof) -> Result<(), TxError> {
    let refuse = |text: String| TxError::grpc(Status::FailedPrecondition, text);
    let operator = &msg.supplier_operator_address;
    let header = msg.session_header.clone().unwrap_or_default();
    let session = session_of(ctx, &header, operator)?;
    let windows = windows_of(&ctx.state, &header);
    check_window(ctx.height, windows.proof_open, windows.proof_close, "proof")?;
    let proof = Proof {
        supplier_operator_address: operator.clone(),
        session_header: Some(header.clone()),
        closest_merkle_proof: msg.proof.clone(),
    };
    validate::check_form(&ctx.state, &proof, &session).map_err(refuse)?;
    let Some(claim) = claim(&ctx.state, &header.session_id, operator) else {
        return Err(refuse(format!(
            "no claim found for session ID {:?} and supplier {operator:?}: claim not found",
            header.session_id
        )));
    };
    if claim.session_header.as_ref() != Some(&header) {
        return Err(refuse(
            "claim and proof session headers do not match: invalid session header".to_owned(),
        ));
    }
    charge_fee(ctx, operator)?;
    let root = Root::try_from(claim.root_hash.as_slice()).unwrap_or(Root::EMPTY);
    let (claimed, _) = value(&ctx.state, &claim, &root);
    match requirement_of(&ctx.state, &claim, claimed) {
        ProofRequirementReason::NotRequired => return Err(refuse("proof not required".to_owned())),
        ProofRequirementReason::Probabilistic | ProofRequirementReason::Threshold => {}
    }
    let keys = keys::claim_keys(
        "Proof",
        &header.session_id,
        operator,
        header.session_end_block_height,
    );
    let is_new = !ctx.state.has(STORE, &keys.primary);
    ctx.state.write(STORE, &keys.primary, &proof);
    let event = submitted(
        claim_event(&ctx.state, &claim, &root),
        value(&ctx.state, &claim, &root).1,
    );
    ctx.emit(if is_new {
        Event::typed(&event)
    } else {
        Event::typed(&resubmitted(event))
    });
    Ok(())
}

fn charge_fee(ctx: &mut Ctx, operator: &str) -> Result<(), TxError> {
    let params: Params = params::of(&ctx.state, STORE);
    let fee = amount(params.proof_submission_fee.as_ref());
    let payer = address::parse(operator).map_err(|why| TxError::grpc(Status::Internal, why))?;
    let balance = bank::balance(&ctx.state, &payer, hearth_pocket::message::cosmos::UPOKT);
    if balance <= fee {
        let text = format!(
            "account has {balance} uPOKT, but the proof submission fee is {fee} uPOKT: not enough funds to submit proof"
        );
        return Err(TxError::grpc(Status::FailedPrecondition, text));
    }
    if fee == 0 {
        return Ok(());
    }
    bank::send(ctx, &payer, &address::module(MODULE), fee)
        .map_err(|error| TxError::grpc(Status::Internal, error.log))
}

/// Checks every proof that this block brought, notes the results in the claims, and forgets the proofs.
pub(crate) fn end_block(ctx: &mut Ctx) {
    let proofs: Vec<(Vec<u8>, Proof)> = ctx
        .state
        .prefix(STORE, keys::PROOFS.as_bytes())
        .iter()
        .filter_map(|leaf| Some((leaf.key.to_vec(), prost::Message::decode(leaf.value).ok()?)))
        .collect();
    for (key, proof) in proofs {
        ctx.state.remove(STORE, &key);
        let header = proof.session_header.clone().unwrap_or_default();
        let operator = &proof.supplier_operator_address;
        let Some(mut claim) = claim(&ctx.state, &header.session_id, operator) else {
            continue;
        };
        let result = validate::check(&ctx.state, &proof, &claim);
        claim.proof_validation_status = if result.is_ok() { 1 } else { 2 };
        put_claim(&mut ctx.state, &claim);
        ctx.emit(Event::typed(&EventProofValidityChecked {
            block_height: ctx.height,
            failure_reason: result.err().unwrap_or_default(),
            service_id: header.service_id,
            application_address: header.application_address,
            session_end_block_height: header.session_end_block_height,
            claim_proof_status_int: claim.proof_validation_status,
            supplier_operator_address: proof.supplier_operator_address,
        }));
    }
}

//! Settlement: who is paid, who pays, who is slashed. The arithmetic is the protocol's; this is its state.

use std::collections::BTreeMap;

use hearth_base::{Amount, Height};
use hearth_pocket::{
    message::{application::ApplicationUnbondingReason, proof::Claim, service, tokenomics::Params},
    settlement::{
        ApplicationState, Event as Step, Operation, OperationKind, PendingClaim, Proposer, Round,
        ServiceState, SupplierState, settle,
    },
};

use super::{amount, application, bank, params, proof, service as services, supplier, upokt};
use crate::{
    address,
    ctx::Ctx,
    error::TxError,
    events::Event,
    state::{State, StoreName},
};

/// What the one validator's part is told with.
const PROPOSER_TERMS: Proposer = Proposer {
    account: String::new(),
    operator: String::new(),
    commission_e18: 100_000_000_000_000_000,
    stake: Amount::from_upokt(500_000_000_000),
};

/// Settles the sessions whose proof window closes with this block.
pub(crate) fn end_block(ctx: &mut Ctx) {
    let claims = due(&ctx.state, ctx.height);
    if !claims.is_empty() {
        settle_claims(ctx, claims);
    }
}

/// The claims whose proof window closes at `height`, by the windows of each session's own parameters.
fn due(state: &State, height: u64) -> Vec<Claim> {
    let all: Vec<Claim> = state.read_all(StoreName::Proof, crate::keys::CLAIMS.as_bytes());
    let mut ends: Vec<u64> = all
        .iter()
        .filter_map(|claim| claim.session_header.as_ref())
        .filter(|header| proof::windows_of(state, header).settlement.0 <= height)
        .map(|header| proof::height_of(header.session_end_block_height))
        .collect();
    ends.sort_unstable();
    ends.dedup();
    ends.into_iter()
        .flat_map(|end| proof::claims_ending_at(state, end))
        .collect()
}

/// Settles these claims, in this order.
pub(crate) fn settle_claims(ctx: &mut Ctx, claims: Vec<Claim>) {
    let session_end = claims
        .first()
        .and_then(|claim| claim.session_header.as_ref())
        .map_or(0, |header| header.session_end_block_height);
    let round = round(ctx, &claims);
    let outcome = match settle(&round) {
        Ok(outcome) => outcome,
        Err(error) => {
            tracing::error!(%error, "the claims of a session cannot be settled with these parameters");
            return;
        }
    };
    for claim in &claims {
        proof::remove_claim(&mut ctx.state, claim);
    }
    for (address, stake) in &outcome.application_stakes {
        if let Some(mut record) = application::record(&ctx.state, address) {
            record.stake = Some(upokt(stake.upokt()));
            application::put(&mut ctx.state, &record);
        }
    }
    let mut settled: BTreeMap<String, u64> = BTreeMap::new();
    for step in outcome.events {
        if let Step::Settled(event) = &step {
            *settled.entry(event.service_id.clone()).or_default() += event.num_relays;
        }
        if let Err(error) = apply(ctx, step, session_end) {
            tracing::error!(%error, "a step of the settlement failed; the accounts of this devnet no longer add up");
        }
    }
    for (service, num_relays) in settled {
        services::update_difficulty(ctx, &service, num_relays);
    }
}

/// Everything that the settlement reads.
fn round(ctx: &Ctx, claims: &[Claim]) -> Round {
    let state = &ctx.state;
    let service_params: service::Params = params::of(state, StoreName::Service);
    let application_params: hearth_pocket::message::application::Params =
        params::of(state, StoreName::Application);
    let supplier_params: hearth_pocket::message::supplier::Params = params::of(state, StoreName::Supplier);
    let account = address::text(&ctx.proposer);
    let mut round = Round {
        height: Height(ctx.height),
        claims: Vec::new(),
        applications: BTreeMap::new(),
        suppliers: BTreeMap::new(),
        services: BTreeMap::new(),
        tokenomics: params::of::<Params>(state, StoreName::Tokenomics),
        proof: params::of(state, StoreName::Proof),
        target_num_relays: service_params.target_num_relays,
        application_min_stake: Amount::from_upokt(amount(application_params.min_stake.as_ref())),
        supplier_min_stake: Amount::from_upokt(amount(supplier_params.min_stake.as_ref())),
        proposer: Proposer {
            operator: valoper(&ctx.proposer),
            account,
            ..PROPOSER_TERMS
        },
    };
    for claim in claims {
        let header = claim.session_header.clone().unwrap_or_default();
        let session_end = proof::height_of(header.session_end_block_height);
        round.claims.push(PendingClaim {
            claim: claim.clone(),
            price: proof::price_of(state, &header),
            pending_sessions: params::timing_at(state, session_end).pending_sessions(),
            seed_hash: proof::seed_hash(state, &header),
        });
        if let Some(found) = application_state(state, &header.application_address) {
            round
                .applications
                .insert(header.application_address.clone(), found);
        }
        let operator = &claim.supplier_operator_address;
        if let Some(found) = supplier_state(state, operator, ctx.height) {
            round.suppliers.insert(operator.clone(), found);
        }
        if let Some(found) = services::record(state, &header.service_id) {
            let difficulty = services::stored_difficulty(state, &header.service_id);
            let state = ServiceState {
                owner: found.owner_address,
                num_relays_ema: difficulty.as_ref().map(|difficulty| difficulty.num_relays_ema),
                target: services::target_now(state, &header.service_id),
            };
            round.services.insert(header.service_id.clone(), state);
        }
    }
    round
}

fn valoper(account: &address::Account) -> String {
    hearth_pocket::Address::from_bytes(account)
        .with_prefix("poktvaloper")
        .unwrap_or_default()
}

fn application_state(state: &State, address: &str) -> Option<ApplicationState> {
    let record = application::record(state, address)?;
    Some(ApplicationState {
        stake: Amount::from_upokt(amount(record.stake.as_ref())),
        spend_limit: record
            .per_session_spend_limit
            .as_ref()
            .and_then(|limit| limit.to_amount()),
        unbonding: record.unstake_session_end_height != 0,
    })
}

fn supplier_state(state: &State, operator: &str, height: u64) -> Option<SupplierState> {
    let record = supplier::hydrated(state, operator, height)?;
    Some(SupplierState {
        owner: record.owner_address,
        stake: Amount::from_upokt(amount(record.stake.as_ref())),
        unbonding: record.unstake_session_end_height != 0,
        rev_shares: record
            .services
            .into_iter()
            .map(|config| (config.service_id, config.rev_share))
            .collect(),
    })
}

/// Does what a step says, with its event.
fn apply(ctx: &mut Ctx, step: Step, session_end: i64) -> Result<(), TxError> {
    match step {
        Step::Overserviced(event) => ctx.emit(Event::typed(&event)),
        Step::ReimbursementRequest(event) => ctx.emit(Event::typed(&event)),
        Step::RevShareFallback(event) => ctx.emit(Event::typed(&event)),
        Step::Settled(event) => ctx.emit(Event::typed(&event)),
        Step::Expired(event) => ctx.emit(Event::typed(&event)),
        Step::Discarded(event) => ctx.emit(Event::typed(&event)),
        Step::ValidatorReward(event) => ctx.emit(Event::typed(&event)),
        // Written by `services::update_difficulty`, with its histories.
        Step::Difficulty(_) => {}
        Step::ApplicationBelowMinStake { application } => {
            if let Some(record) = application::record(&ctx.state, &application) {
                application::begin_unbonding(ctx, record, ApplicationUnbondingReason::BelowMinStake);
            }
        }
        Step::Batch(operation) => {
            execute(ctx, &operation)?;
            ctx.emit(Event::typed(&operation.event(session_end)));
        }
        Step::Slashed { penalty, event } => {
            supplier::slash(ctx, &event.supplier_operator_address, penalty.upokt())?;
            ctx.emit(Event::typed(&event));
        }
        // Begun by `supplier::slash`: on chain its event goes before that of the penalty.
        Step::SupplierBelowMinStake { .. } => {}
    }
    Ok(())
}

fn execute(ctx: &mut Ctx, operation: &Operation) -> Result<(), TxError> {
    let sum = operation.amount.upokt();
    let from = address::module(&operation.module);
    match operation.kind {
        OperationKind::Mint => {
            bank::mint(ctx, &operation.module, sum);
            Ok(())
        }
        OperationKind::Burn => bank::burn(ctx, &operation.module, sum),
        OperationKind::ModuleToModule => bank::send(ctx, &from, &address::module(&operation.recipient), sum),
        OperationKind::ModuleToAccount => {
            let to = address::parse(&operation.recipient)
                .map_err(|why| TxError::sdk(7, format!("{}: {why}", operation.recipient)))?;
            bank::send(ctx, &from, &to, sum)
        }
    }
}

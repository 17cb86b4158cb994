//! The settlement of a block, from the claims to the difficulties.

use std::collections::BTreeMap;

use hearth_base::Amount;
use num_bigint::BigUint;

use super::{
    ApplicationState, ClaimOutcome, Estimates, Event, Outcome, PendingClaim, Round,
    caps::{SessionBudget, in_stake_terms, limit_binds, session_floor},
    decimal::{Decimal, DecimalError, amount, number},
    module,
    operations::{ClaimOperations, OperationLog},
    split::{Distribution, Parties, Rates, share_of},
};
use crate::{
    difficulty,
    message::{
        proof::{ClaimProofStatus, ProofRequirementReason},
        service::EventRelayMiningDifficultyUpdated,
        session::SessionHeader,
        tokenomics::{
            ClaimExpirationReason, EventApplicationOverserviced, EventApplicationReimbursementRequest,
            EventClaimDiscarded, EventClaimExpired, EventClaimSettled, EventSupplierSlashed,
            EventValidatorRewardDistribution, SettlementOpReason,
        },
    },
    proof::{RequirementParams, requirement},
    trie::Root,
};

/// Settles the claims of a round.
///
/// # Errors
/// Parameters of the tokenomics module that are no fractions. Single claims do not fail: they are discarded.
pub fn settle(round: &Round) -> Result<Outcome, DecimalError> {
    let rates = Rates::try_from(&round.tokenomics)?;
    let valued: Vec<PricedClaim<'_>> = round
        .claims
        .iter()
        .map(|claim| PricedClaim::new(round, claim, &rates))
        .collect();
    let budgets = budgets(round, &valued);
    let mut step = Step::new(round, rates);
    for claim in &valued {
        let budget = budgets.get(&claim.session());
        step.claim(claim, budget);
    }
    step.finish(&valued);
    Ok(step.outcome)
}

/// A claim with its value and what is to become of it.
struct PricedClaim<'round> {
    pending: &'round PendingClaim,
    header: SessionHeader,
    root: Root,
    resolution: Resolution,
}

enum Resolution {
    Settles {
        claimed: Amount,
        demand: BigUint,
        requirement: ProofRequirementReason,
    },
    Expires {
        claimed: Amount,
        reason: ClaimExpirationReason,
    },
    Discarded {
        error: String,
    },
}

impl<'round> PricedClaim<'round> {
    fn new(round: &Round, pending: &'round PendingClaim, rates: &Rates) -> PricedClaim<'round> {
        let claim = &pending.claim;
        let root = Root::try_from(claim.root_hash.as_slice());
        let resolution = match &root {
            Ok(root) => PricedClaim::resolution(round, pending, root, rates),
            Err(error) => Resolution::Discarded {
                error: error.to_string(),
            },
        };
        let header = claim.session_header.clone().unwrap_or_default();
        PricedClaim {
            pending,
            header,
            root: root.unwrap_or(Root::EMPTY),
            resolution,
        }
    }

    fn resolution(round: &Round, pending: &PendingClaim, root: &Root, rates: &Rates) -> Resolution {
        let claimed = match pending.price.claimed(root) {
            Ok(claimed) => claimed,
            Err(error) => {
                return Resolution::Discarded {
                    error: error.to_string(),
                };
            }
        };
        let params = RequirementParams {
            threshold: coin_amount(round.proof.proof_requirement_threshold.as_ref()),
            request_probability: round.proof.proof_request_probability,
        };
        let requirement = requirement(&pending.claim, claimed, &pending.seed_hash, &params);
        let status = pending.claim.proof_validation_status;
        if requirement != ProofRequirementReason::NotRequired
            && status != i32::from(ClaimProofStatus::Validated)
        {
            let reason = if status == i32::from(ClaimProofStatus::Invalid) {
                ClaimExpirationReason::ProofInvalid
            } else {
                ClaimExpirationReason::ProofMissing
            };
            return Resolution::Expires { claimed, reason };
        }
        Resolution::Settles {
            claimed,
            demand: in_stake_terms(claimed, &rates.inflation),
            requirement,
        }
    }

    /// What shares one budget: the claims of an application in a session.
    fn session(&self) -> (String, String) {
        (
            self.header.application_address.clone(),
            self.header.session_id.clone(),
        )
    }

    fn estimates(&self) -> Estimates {
        self.pending.price.estimates(&self.root)
    }
}

/// What each session may take from its application's stake, as it is before any claim of the round.
fn budgets(round: &Round, valued: &[PricedClaim<'_>]) -> BTreeMap<(String, String), SessionBudget> {
    let mut sessions: BTreeMap<(String, String), Vec<&PricedClaim<'_>>> = BTreeMap::new();
    for claim in valued {
        sessions.entry(claim.session()).or_default().push(claim);
    }
    let multiplier = round.tokenomics.overservicing_bonus_multiplier;
    let budget = |application: &str, claims: &[&PricedClaim<'_>]| {
        let state = round.applications.get(application)?;
        let pending_sessions = claims.first()?.pending.pending_sessions;
        // Every claim counts here, also one that expires.
        let floor = session_floor(
            state.stake,
            state.spend_limit,
            pending_sessions,
            claims.len() as u64,
        );
        let demands = claims.iter().filter_map(|claim| match &claim.resolution {
            Resolution::Settles { demand, .. } => Some(demand),
            Resolution::Expires { .. } | Resolution::Discarded { .. } => None,
        });
        Some(SessionBudget::new(floor, multiplier, demands))
    };
    let mut budgets = BTreeMap::new();
    for (session, claims) in sessions {
        if let Some(budget) = budget(&session.0, &claims) {
            budgets.insert(session, budget);
        }
    }
    budgets
}

/// The state while a round is settled.
struct Step<'round> {
    round: &'round Round,
    rates: Rates,
    applications: BTreeMap<String, ApplicationState>,
    log: OperationLog,
    proposer: [Amount; 2],
    settled_relays: BTreeMap<String, u64>,
    outcome: Outcome,
}

impl<'round> Step<'round> {
    fn new(round: &'round Round, rates: Rates) -> Step<'round> {
        let stakes = round
            .suppliers
            .iter()
            .map(|(operator, supplier)| (operator.clone(), supplier.stake));
        Step {
            round,
            rates,
            applications: round.applications.clone(),
            log: OperationLog::default(),
            proposer: [Amount::ZERO; 2],
            settled_relays: BTreeMap::new(),
            outcome: Outcome {
                supplier_stakes: stakes.collect(),
                ..Outcome::default()
            },
        }
    }

    fn claim(&mut self, claim: &PricedClaim<'_>, budget: Option<&SessionBudget>) {
        let outcome = match &claim.resolution {
            Resolution::Discarded { error } => self.discard(claim, error.clone()),
            Resolution::Expires { claimed, reason } => {
                self.outcome
                    .events
                    .push(Event::Expired(expired(claim, *claimed, *reason)));
                ClaimOutcome::Expired { claimed: *claimed }
            }
            Resolution::Settles {
                claimed,
                demand,
                requirement,
            } => {
                let settled = self.capped(claim, *claimed, demand, budget);
                match self.pay(claim, *claimed, settled, *requirement) {
                    Ok(outcome) => outcome,
                    Err(error) => self.discard(claim, error),
                }
            }
        };
        self.outcome.claims.push(outcome);
    }

    /// What the application pays for a claim.
    fn capped(
        &mut self,
        claim: &PricedClaim<'_>,
        claimed: Amount,
        demand: &BigUint,
        budget: Option<&SessionBudget>,
    ) -> Amount {
        let Some(budget) = budget else { return claimed };
        let cap = budget.cap(demand);
        if demand <= &cap {
            return claimed;
        }
        let application = &claim.header.application_address;
        let binds =
            self.round.applications.get(application).is_some_and(|state| {
                limit_binds(state.stake, state.spend_limit, claim.pending.pending_sessions)
            });
        self.outcome
            .events
            .push(Event::Overserviced(EventApplicationOverserviced {
                application_addr: application.clone(),
                supplier_operator_addr: claim.pending.claim.supplier_operator_address.clone(),
                expected_burn: format!("{demand}upokt"),
                effective_burn: format!("{cap}upokt"),
                service_id: claim.header.service_id.clone(),
                session_end_block_height: claim.header.session_end_block_height,
                spend_limit_exceeded: binds,
            }));
        amount(&self.rates.inflation.without_surcharge(&cap)).map_or(claimed, |settled| settled.min(claimed))
    }

    /// Pays one claim. What fails leaves the application's stake reduced by what was charged before, as on chain.
    fn pay(
        &mut self,
        claim: &PricedClaim<'_>,
        claimed: Amount,
        settled: Amount,
        requirement: ProofRequirementReason,
    ) -> Result<ClaimOutcome, String> {
        let round = self.round;
        let (header, operator) = (&claim.header, &claim.pending.claim.supplier_operator_address);
        let supplier = round
            .suppliers
            .get(operator)
            .ok_or_else(|| format!("supplier {operator} not found"))?;
        let service_id = &header.service_id;
        let service = round
            .services
            .get(service_id)
            .ok_or_else(|| format!("service {service_id} not found"))?;
        let rev_shares = supplier.rev_shares.get(service_id).ok_or_else(|| {
            format!("supplier {operator} has no active configuration for service {service_id}")
        })?;
        let parties = Parties {
            application: &header.application_address,
            operator,
            supplier,
            service_id,
            rev_shares,
            source_owner: &service.owner,
            session_end: header.session_end_block_height,
        };
        let mut minted = Amount::ZERO;
        let mut distribution = Distribution::default();
        if !settled.is_zero() {
            self.charge(parties.application, settled)?;
            minted = share_of(settled, &self.rates.mint_ratio);
            if minted.is_zero() {
                return Err(truncated_mint(settled, round.tokenomics.mint_ratio));
            }
            let inflation = inflation_on(settled, &self.rates.inflation);
            self.charge(parties.application, inflation)?;
            distribution = Distribution::of(round, &self.rates, &parties, [settled, minted, inflation]);
            self.reimbursement(&parties, &header.session_id, inflation);
        }
        self.enter(&parties, &mut distribution);
        let relays = self.settled_relays.entry(service_id.clone()).or_default();
        *relays = relays.wrapping_add(claim.root.count());
        let mut event = settled_event(claim, [claimed, settled, minted], requirement, distribution);
        event.mint_ratio = round.tokenomics.mint_ratio.to_string();
        event.supplier_owner_address.clone_from(&supplier.owner);
        self.outcome.events.push(Event::Settled(event));
        Ok(ClaimOutcome::Settled {
            claimed,
            settled,
            minted,
        })
    }

    /// Takes from the application's stake.
    fn charge(&mut self, application: &str, amount: Amount) -> Result<(), String> {
        let state = self
            .applications
            .get_mut(application)
            .ok_or_else(|| format!("application {application} not found"))?;
        state.stake = state.stake.checked_sub(amount).ok_or_else(|| {
            format!(
                "application {application} stakes {} where {amount} are due",
                state.stake
            )
        })?;
        Ok(())
    }

    fn reimbursement(&mut self, parties: &Parties<'_>, session_id: &str, inflation: Amount) {
        if inflation.is_zero() {
            return;
        }
        self.outcome.events.push(Event::ReimbursementRequest(
            EventApplicationReimbursementRequest {
                application_addr: parties.application.to_owned(),
                supplier_operator_addr: parties.operator.to_owned(),
                supplier_owner_addr: parties.supplier.owner.clone(),
                service_id: parties.service_id.to_owned(),
                session_id: session_id.to_owned(),
                amount: inflation.to_string(),
            },
        ));
    }

    fn enter(&mut self, parties: &Parties<'_>, distribution: &mut Distribution) {
        self.log.enter(&distribution.operations);
        for (pool, part) in self.proposer.iter_mut().zip(distribution.proposer) {
            *pool = pool.saturating_add(part);
        }
        self.outcome
            .events
            .extend(distribution.fallbacks.drain(..).map(Event::RevShareFallback));
        let min_stake = self.round.application_min_stake;
        if let Some(state) = self.applications.get_mut(parties.application)
            && !state.unbonding
            && state.stake < min_stake
        {
            state.unbonding = true;
            let application = parties.application.to_owned();
            self.outcome
                .events
                .push(Event::ApplicationBelowMinStake { application });
        }
    }

    fn discard(&mut self, claim: &PricedClaim<'_>, error: String) -> ClaimOutcome {
        let (header, operator) = (&claim.header, &claim.pending.claim.supplier_operator_address);
        let text = format!(
            "[UNEXPECTED ERROR] Critical error during claim settlement during session \"{}\" for operator {operator} \
             and service {}. Claim will be discarded to prevent chain halt: {error}: internal claim settlement error",
            header.session_id, header.service_id,
        );
        self.outcome.events.push(Event::Discarded(EventClaimDiscarded {
            error: text,
            service_id: header.service_id.clone(),
            application_address: header.application_address.clone(),
            session_end_block_height: header.session_end_block_height,
            claim_proof_status_int: claim.pending.claim.proof_validation_status,
            supplier_operator_address: operator.clone(),
        }));
        ClaimOutcome::Discarded { error }
    }

    fn finish(&mut self, valued: &[PricedClaim<'_>]) {
        let session_end = valued
            .first()
            .map_or(0, |claim| claim.header.session_end_block_height);
        self.pay_proposer(session_end);
        let log = std::mem::take(&mut self.log);
        self.outcome.events.extend(log.operations().map(Event::Batch));
        self.slash(valued);
        self.adjust_difficulties();
        self.outcome.application_stakes = self
            .applications
            .iter()
            .map(|(address, state)| (address.clone(), state.stake))
            .collect();
    }

    /// The proposers' parts were pooled over the block.
    fn pay_proposer(&mut self, session_end: i64) {
        let reasons = [SettlementOpReason::Validator, SettlementOpReason::GlobalValidator];
        for (pool, reason) in self.proposer.into_iter().zip(reasons) {
            if pool.is_zero() {
                continue;
            }
            let proposer = &self.round.proposer;
            let commission = pool.upokt() * proposer.commission_e18 / 10_u128.pow(18);
            let mut operations = ClaimOperations::default();
            operations.pay_account(module::TOKENOMICS, &proposer.account, reason, pool);
            self.log.enter(&operations);
            self.outcome
                .events
                .push(Event::ValidatorReward(EventValidatorRewardDistribution {
                    session_end_block_height: session_end,
                    op_reason: reason.into(),
                    validator_operator_address: proposer.operator.clone(),
                    validator_account_address: proposer.account.clone(),
                    commission_rate: format!("0.{:018}", proposer.commission_e18),
                    pool_share_upokt: pool.upokt().to_string(),
                    commission_upokt: commission.to_string(),
                    self_delegation_reward_upokt: (pool.upokt() - commission).to_string(),
                    delegators_reward_upokt: "0".to_owned(),
                    total_delegated_stake_upokt: proposer.stake.upokt().to_string(),
                    num_delegators: 0,
                }));
        }
    }

    /// Takes the penalty from the supplier of every expired claim.
    fn slash(&mut self, valued: &[PricedClaim<'_>]) {
        let full_penalty = coin_amount(self.round.proof.proof_missing_penalty.as_ref());
        let mut unbonding: BTreeMap<&str, bool> = BTreeMap::new();
        for claim in valued
            .iter()
            .filter(|claim| matches!(claim.resolution, Resolution::Expires { .. }))
        {
            let operator = claim.pending.claim.supplier_operator_address.as_str();
            let Some(stake) = self.outcome.supplier_stakes.get_mut(operator) else {
                continue;
            };
            let penalty = full_penalty.min(*stake);
            *stake = stake.saturating_sub(penalty);
            let stake = *stake;
            let event = EventSupplierSlashed {
                proof_missing_penalty: penalty.to_string(),
                service_id: claim.header.service_id.clone(),
                application_address: claim.header.application_address.clone(),
                session_end_block_height: claim.header.session_end_block_height,
                claim_proof_status_int: claim.pending.claim.proof_validation_status,
                supplier_operator_address: operator.to_owned(),
                supplier_stake_after_slash: stake.to_string(),
            };
            let before = self
                .round
                .suppliers
                .get(operator)
                .is_some_and(|supplier| supplier.unbonding);
            let unbonding = unbonding.entry(operator).or_insert(before);
            if !*unbonding && stake < self.round.supplier_min_stake {
                *unbonding = true;
                self.outcome.events.push(Event::SupplierBelowMinStake {
                    operator: operator.to_owned(),
                });
            }
            self.outcome.events.push(Event::Slashed { penalty, event });
        }
    }

    fn adjust_difficulties(&mut self) {
        for (service_id, num_relays) in std::mem::take(&mut self.settled_relays) {
            let Some(service) = self.round.services.get(&service_id) else {
                continue;
            };
            let update = difficulty::update(service.num_relays_ema, num_relays, self.round.target_num_relays);
            let Some(update) = update else { continue };
            self.outcome
                .events
                .push(Event::Difficulty(EventRelayMiningDifficultyUpdated {
                    service_id: service_id.clone(),
                    prev_target_hash_hex_encoded: hex::encode(service.target.as_bytes()),
                    new_target_hash_hex_encoded: hex::encode(update.target.as_bytes()),
                    prev_num_relays_ema: service.num_relays_ema.unwrap_or(num_relays),
                    new_num_relays_ema: update.num_relays_ema,
                }));
            self.outcome.difficulties.insert(service_id, update);
        }
    }
}

fn inflation_on(settled: Amount, inflation: &Decimal) -> Amount {
    amount(&inflation.ceil_of(&number(settled))).unwrap_or(settled)
}

fn truncated_mint(settled: Amount, mint_ratio: f64) -> String {
    format!(
        "TLM \"TLMRelayBurnEqualsMint\": mint amount truncated to zero for settlement {} with mint_ratio \
         {mint_ratio}: internal token logic module error: failed to process token logic module",
        settled.upokt(),
    )
}

fn coin_amount(coin: Option<&crate::message::Coin>) -> Amount {
    coin.and_then(|coin| coin.amount.parse().ok()).unwrap_or_default()
}

fn expired(claim: &PricedClaim<'_>, claimed: Amount, reason: ClaimExpirationReason) -> EventClaimExpired {
    let estimates = claim.estimates();
    EventClaimExpired {
        expiration_reason: reason.into(),
        num_relays: claim.root.count(),
        num_claimed_compute_units: claim.root.sum(),
        num_estimated_compute_units: estimates.compute_units,
        claimed_upokt: claimed.to_string(),
        service_id: claim.header.service_id.clone(),
        application_address: claim.header.application_address.clone(),
        session_end_block_height: claim.header.session_end_block_height,
        claim_proof_status_int: claim.pending.claim.proof_validation_status,
        supplier_operator_address: claim.pending.claim.supplier_operator_address.clone(),
        num_estimated_relays: estimates.relays,
    }
}

/// The event without the fields that are the same for all claims.
fn settled_event(
    claim: &PricedClaim<'_>,
    [claimed, settled, minted]: [Amount; 3],
    requirement: ProofRequirementReason,
    distribution: Distribution,
) -> EventClaimSettled {
    let estimates = claim.estimates();
    let mut sums: BTreeMap<String, Amount> = BTreeMap::new();
    for detail in &distribution.details {
        let part = detail.amount.parse().unwrap_or_default();
        let sum = sums.entry(detail.recipient_address.clone()).or_default();
        *sum = sum.saturating_add(part);
    }
    EventClaimSettled {
        proof_requirement_int: requirement.into(),
        num_relays: claim.root.count(),
        num_claimed_compute_units: claim.root.sum(),
        num_estimated_compute_units: estimates.compute_units,
        claimed_upokt: claimed.to_string(),
        service_id: claim.header.service_id.clone(),
        application_address: claim.header.application_address.clone(),
        session_end_block_height: claim.header.session_end_block_height,
        claim_proof_status_int: claim.pending.claim.proof_validation_status,
        supplier_operator_address: claim.pending.claim.supplier_operator_address.clone(),
        reward_distribution: sums
            .into_iter()
            .map(|(recipient, sum)| (recipient, sum.to_string()))
            .collect(),
        reward_distribution_detailed: distribution.details,
        settled_upokt: settled.to_string(),
        session_id: claim.header.session_id.clone(),
        num_estimated_relays: estimates.relays,
        minted_upokt: minted.to_string(),
        overservicing_loss_upokt: claimed.saturating_sub(settled).to_string(),
        deflation_loss_upokt: settled.saturating_sub(minted).to_string(),
        ..EventClaimSettled::default()
    }
}

//! What a claim is worth, and what a block at which sessions settle pays to whom.
//!
//! ```text
//! claims ─► price ─► proof needed? ─┬─ yes, and not valid ─► expired, supplier slashed
//!                                   └─ settles ─► capped by what the application can pay for the session
//!                                        ─► burn, mint, shares, inflation, reimbursement ─► difficulty
//! ```
//! [`settle`] is one function from the state before to the amounts and events after; it reads nothing else.
//! Percentages are doubles on chain and count as the fraction that their shortest decimal text says.

mod caps;
mod decimal;
mod operations;
mod price;
mod split;
mod step;

use std::collections::BTreeMap;

use hearth_base::{Amount, Height};

pub use caps::session_floor;
pub use decimal::{Decimal, DecimalError};
pub use operations::{Operation, OperationKind};
pub use price::{Estimates, Price, PriceError};
pub use step::settle;

use crate::{
    difficulty,
    message::{
        proof::{self, Claim},
        service::EventRelayMiningDifficultyUpdated,
        shared::ServiceRevenueShare,
        tokenomics::{
            self, EventApplicationOverserviced, EventApplicationReimbursementRequest, EventClaimDiscarded,
            EventClaimExpired, EventClaimSettled, EventSupplierRevShareFallbackDistribution,
            EventSupplierSlashed, EventValidatorRewardDistribution,
        },
    },
};

/// The names of the chain's module accounts that take part.
pub mod module {
    /// Holds the stakes of applications.
    pub const APPLICATION: &str = "application";
    /// Holds the stakes of suppliers, and pays rewards on.
    pub const SUPPLIER: &str = "supplier";
    /// Mints and distributes.
    pub const TOKENOMICS: &str = "tokenomics";
}

/// Everything that a settlement depends on.
#[derive(Clone, Debug)]
pub struct Round {
    /// The height of the block.
    pub height: Height,
    /// All claims whose proof window closes at this block, in the order of the chain's store (by session id, then by
    /// operator).
    pub claims: Vec<PendingClaim>,
    /// The applications of the claims, by address.
    pub applications: BTreeMap<String, ApplicationState>,
    /// The suppliers of the claims, by operator address.
    pub suppliers: BTreeMap<String, SupplierState>,
    /// The services of the claims, by id.
    pub services: BTreeMap<String, ServiceState>,
    /// Parameters in force now.
    pub tokenomics: tokenomics::Params,
    /// Parameters in force now.
    pub proof: proof::Params,
    /// Parameter of the service module in force now.
    pub target_num_relays: u64,
    /// Below this an application is unbonded by force.
    pub application_min_stake: Amount,
    /// Below this a supplier is unbonded by force.
    pub supplier_min_stake: Amount,
    /// Who gets the block proposer's part.
    pub proposer: Proposer,
}

/// A claim and what its price and its proof requirement depend on.
#[derive(Clone, Debug)]
pub struct PendingClaim {
    /// The claim as it is in the state.
    pub claim: Claim,
    /// The price at the start of its session.
    pub price: Price,
    /// How many sessions of an application may be unsettled, by the parameters at the end of its session.
    pub pending_sessions: u64,
    /// The hash of the block before its proof window opened.
    pub seed_hash: Vec<u8>,
}

/// An application before the settlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationState {
    /// Its stake.
    pub stake: Amount,
    /// What it is willing to spend in a session, if it set a limit.
    pub spend_limit: Option<Amount>,
    /// Whether it is unbonding already.
    pub unbonding: bool,
}

/// A supplier before the settlement.
#[derive(Clone, Debug, PartialEq)]
pub struct SupplierState {
    /// Its owner.
    pub owner: String,
    /// Its stake.
    pub stake: Amount,
    /// Whether it is unbonding already.
    pub unbonding: bool,
    /// The revenue shares of its service configurations that are active now, by service.
    pub rev_shares: BTreeMap<String, Vec<ServiceRevenueShare>>,
}

/// A service before the settlement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceState {
    /// Who gets the source owner's part.
    pub owner: String,
    /// The moving average of its relays, if it has a difficulty record.
    pub num_relays_ema: Option<u64>,
    /// The target of that record, or the easiest.
    pub target: difficulty::Target,
}

/// The one validator that all proposers' parts go to. Dividing them over validators and delegators is not done here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proposer {
    /// The account that is paid.
    pub account: String,
    /// The validator's operator address.
    pub operator: String,
    /// Commission as a fraction of 10^18, which is how the chain keeps it.
    pub commission_e18: u128,
    /// Everything that is staked with it.
    pub stake: Amount,
}

/// What a settlement did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How each claim ended, in the order of the round.
    pub claims: Vec<ClaimOutcome>,
    /// Stakes of applications afterwards.
    pub application_stakes: BTreeMap<String, Amount>,
    /// Stakes of suppliers afterwards.
    pub supplier_stakes: BTreeMap<String, Amount>,
    /// New difficulties of the services with settled claims.
    pub difficulties: BTreeMap<String, difficulty::Update>,
    /// What happened, in the order of the chain's events. Coins move by [`Event::Batch`] and [`Event::Slashed`].
    pub events: Vec<Event>,
}

/// How a claim ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// Paid.
    Settled {
        /// What the claim is worth.
        claimed: Amount,
        /// What the application pays for it.
        settled: Amount,
        /// What is minted for that, before inflation.
        minted: Amount,
    },
    /// A required proof is missing or invalid.
    Expired {
        /// What the claim would have been worth.
        claimed: Amount,
    },
    /// The chain could not settle it.
    Discarded {
        /// Why.
        error: String,
    },
}

/// A step of a settlement, with the event that the chain emits for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A claim was cut to what the application can pay.
    Overserviced(EventApplicationOverserviced),
    /// The application paid for inflation and may ask for it back.
    ReimbursementRequest(EventApplicationReimbursementRequest),
    /// The revenue shares do not add up; all went to the owner.
    RevShareFallback(EventSupplierRevShareFallbackDistribution),
    /// The application fell below its least stake and has to be unbonded.
    ApplicationBelowMinStake {
        /// The application.
        application: String,
    },
    /// A claim was paid.
    Settled(EventClaimSettled),
    /// A claim was not proven.
    Expired(EventClaimExpired),
    /// A claim could not be settled.
    Discarded(EventClaimDiscarded),
    /// The proposer's part of the block.
    ValidatorReward(EventValidatorRewardDistribution),
    /// Coins move, added up over all claims.
    Batch(Operation),
    /// A supplier lost stake, which goes from the supplier module to the tokenomics module and is burnt there.
    Slashed {
        /// How much.
        penalty: Amount,
        /// The event.
        event: EventSupplierSlashed,
    },
    /// The supplier fell below its least stake and has to be unbonded.
    SupplierBelowMinStake {
        /// The supplier's operator address.
        operator: String,
    },
    /// A service's difficulty moved on.
    Difficulty(EventRelayMiningDifficultyUpdated),
}

#[cfg(test)]
mod tests;

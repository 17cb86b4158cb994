//! Who gets what of one settled claim.

use std::collections::BTreeMap;

use hearth_base::Amount;
use num_bigint::BigUint;

use super::{
    Round, SupplierState,
    decimal::{Decimal, DecimalError, amount, number},
    module,
    operations::ClaimOperations,
};
use crate::message::{
    shared::ServiceRevenueShare,
    tokenomics::{
        EventSupplierRevShareFallbackDistribution, Params, RewardDistributionDetail,
        SettlementOpReason as Reason, Shares,
    },
};

/// The parameters of the tokenomics module as exact fractions.
#[derive(Debug)]
pub(super) struct Rates {
    pub(super) mint_ratio: Decimal,
    pub(super) inflation: Decimal,
    relay: SplitRates,
    global: SplitRates,
}

/// The shares of a mint; the DAO gets what the others leave.
#[derive(Debug)]
struct SplitRates {
    supplier: Decimal,
    proposer: Decimal,
    source_owner: Decimal,
    application: Decimal,
}

impl TryFrom<&Params> for Rates {
    type Error = DecimalError;

    fn try_from(params: &Params) -> Result<Rates, DecimalError> {
        let split = |shares: &Shares| {
            Ok(SplitRates {
                supplier: shares.supplier.try_into()?,
                proposer: shares.proposer.try_into()?,
                source_owner: shares.source_owner.try_into()?,
                application: shares.application.try_into()?,
            })
        };
        Ok(Rates {
            mint_ratio: params.mint_ratio.try_into()?,
            inflation: params.global_inflation_per_claim.try_into()?,
            relay: split(&params.mint_equals_burn_claim_distribution)?,
            global: split(&params.mint_allocation_percentages)?,
        })
    }
}

/// Who is paid for a claim.
#[derive(Debug)]
pub(super) struct Parties<'round> {
    pub(super) application: &'round str,
    pub(super) operator: &'round str,
    pub(super) supplier: &'round SupplierState,
    pub(super) service_id: &'round str,
    pub(super) rev_shares: &'round [ServiceRevenueShare],
    pub(super) source_owner: &'round str,
    pub(super) session_end: i64,
}

/// What one claim moves.
#[derive(Debug, Default)]
pub(super) struct Distribution {
    pub(super) operations: ClaimOperations,
    pub(super) details: Vec<RewardDistributionDetail>,
    pub(super) fallbacks: Vec<EventSupplierRevShareFallbackDistribution>,
    /// The proposers' parts of the relay mint and of the global mint, which are pooled over the block.
    pub(super) proposer: [Amount; 2],
}

/// The reasons of one mint's parts.
struct Reasons {
    mint: Reason,
    to_supplier_module: Reason,
    supplier: Reason,
    source_owner: Reason,
    dao: Reason,
    application: Reason,
}

const RELAY: Reasons = Reasons {
    mint: Reason::ClaimDistributionMint,
    to_supplier_module: Reason::SupplierShareholder,
    supplier: Reason::SupplierShareholder,
    source_owner: Reason::SourceOwner,
    dao: Reason::Dao,
    application: Reason::Application,
};

const GLOBAL: Reasons = Reasons {
    mint: Reason::GlobalInflation,
    // The chain gives this transfer the reason of the reimbursement.
    to_supplier_module: Reason::ReimbursementEscrowModule,
    supplier: Reason::GlobalSupplierShareholder,
    source_owner: Reason::GlobalSourceOwner,
    dao: Reason::GlobalDao,
    application: Reason::GlobalApplication,
};

impl Distribution {
    /// Burns `settled` from the application, and divides `minted` for it and `inflation` on top.
    pub(super) fn of(
        round: &Round,
        rates: &Rates,
        parties: &Parties<'_>,
        [settled, minted, inflation]: [Amount; 3],
    ) -> Distribution {
        let mut distribution = Distribution::default();
        distribution
            .operations
            .burn(module::APPLICATION, Reason::ApplicationStakeBurn, settled);
        distribution.proposer[0] = distribution.mint(round, &rates.relay, &RELAY, parties, minted);
        distribution.proposer[1] = distribution.mint(round, &rates.global, &GLOBAL, parties, inflation);
        distribution.reimburse(round, inflation);
        distribution
    }

    /// Divides one mint. Returns the proposer's part.
    fn mint(
        &mut self,
        round: &Round,
        rates: &SplitRates,
        reasons: &Reasons,
        parties: &Parties<'_>,
        minted: Amount,
    ) -> Amount {
        self.operations.mint(reasons.mint, minted);
        let part = |rate: &Decimal| share_of(minted, rate);
        let [supplier, proposer] = [part(&rates.supplier), part(&rates.proposer)];
        let [source_owner, application] = [part(&rates.source_owner), part(&rates.application)];
        let dao = [supplier, proposer, source_owner, application]
            .into_iter()
            .fold(minted, Amount::saturating_sub);

        self.operations.pay_module(
            module::TOKENOMICS,
            module::SUPPLIER,
            reasons.to_supplier_module,
            supplier,
        );
        self.pay_shareholders(reasons.supplier, parties, supplier);
        self.pay(
            module::TOKENOMICS,
            parties.source_owner,
            reasons.source_owner,
            source_owner,
        );
        self.pay(
            module::TOKENOMICS,
            &round.tokenomics.dao_reward_address,
            reasons.dao,
            dao,
        );
        self.pay(
            module::TOKENOMICS,
            parties.application,
            reasons.application,
            application,
        );
        proposer
    }

    /// The application also pays for the inflation; the DAO keeps it until the application asks for it back.
    fn reimburse(&mut self, round: &Round, inflation: Amount) {
        let reason = Reason::ReimbursementEscrowModule;
        self.operations
            .pay_module(module::APPLICATION, module::TOKENOMICS, reason, inflation);
        let dao = &round.tokenomics.dao_reward_address;
        self.pay(module::TOKENOMICS, dao, Reason::ReimbursementEscrowDao, inflation);
    }

    fn pay_shareholders(&mut self, reason: Reason, parties: &Parties<'_>, part: Amount) {
        if part.is_zero() {
            return;
        }
        let observed: u64 = parties
            .rev_shares
            .iter()
            .fold(0, |sum, share| sum.saturating_add(share.rev_share_percentage));
        if observed != 100 {
            self.pay(module::SUPPLIER, &parties.supplier.owner, reason, part);
            self.fallbacks.push(fallback(parties, reason, part, observed));
            return;
        }
        // A map: the chain pays in the order of the addresses.
        let mut portions: BTreeMap<&str, Amount> = BTreeMap::new();
        let mut rest = part;
        for share in parties.rev_shares {
            let portion = Amount::from_upokt(part.upokt() * u128::from(share.rev_share_percentage) / 100);
            rest = rest.saturating_sub(portion);
            portions.insert(&share.address, portion);
        }
        if let Some(first) = parties
            .rev_shares
            .first()
            .and_then(|share| portions.get_mut(share.address.as_str()))
        {
            *first = first.saturating_add(rest);
        }
        for (address, portion) in portions {
            self.pay(module::SUPPLIER, address, reason, portion);
        }
    }

    fn pay(&mut self, from: &'static str, recipient: &str, reason: Reason, amount: Amount) {
        if amount.is_zero() {
            return;
        }
        self.operations.pay_account(from, recipient, reason, amount);
        self.details.push(RewardDistributionDetail {
            recipient_address: recipient.to_owned(),
            op_reason: reason.into(),
            amount: amount.to_string(),
        });
    }
}

fn fallback(
    parties: &Parties<'_>,
    reason: Reason,
    part: Amount,
    observed_sum_percentage: u64,
) -> EventSupplierRevShareFallbackDistribution {
    EventSupplierRevShareFallbackDistribution {
        supplier_operator_address: parties.operator.to_owned(),
        supplier_owner_address: parties.supplier.owner.clone(),
        service_id: parties.service_id.to_owned(),
        session_end_block_height: parties.session_end,
        amount: part.to_string(),
        op_reason: reason.into(),
        observed_sum_percentage,
        reason: "the revenue shares do not add up to 100".to_owned(),
    }
}

/// `rate` of an amount, rounded down. A rate above one, which the chain refuses, would not fit for the largest
/// amounts only.
pub(super) fn share_of(whole: Amount, rate: &Decimal) -> Amount {
    let part: BigUint = rate.floor_of(&number(whole));
    amount(&part).unwrap_or(whole)
}

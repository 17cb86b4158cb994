//! How much of its claims an application can pay: the cap on each supplier of a session.

use hearth_base::Amount;
use num_bigint::BigUint;

use super::decimal::{Decimal, number};

/// What every supplier of a session is sure to be paid at most: the application's stake, divided by the sessions that
/// may be pending and by the suppliers that claim. Before the claims are in, the number of suppliers of the session is
/// the cautious estimate.
#[must_use]
pub fn session_floor(
    stake: Amount,
    spend_limit: Option<Amount>,
    pending_sessions: u64,
    n_suppliers: u64,
) -> Amount {
    let per_session = stake.upokt() / u128::from(pending_sessions.max(1));
    let budget = limit(spend_limit).map_or(per_session, |limit| limit.min(per_session));
    Amount::from_upokt(budget / u128::from(n_suppliers.max(1)))
}

/// A limit of zero is no limit.
fn limit(spend_limit: Option<Amount>) -> Option<u128> {
    spend_limit.map(Amount::upokt).filter(|limit| *limit > 0)
}

/// Whether the spend limit, not the stake, bounds the floor.
pub(super) fn limit_binds(stake: Amount, spend_limit: Option<Amount>, pending_sessions: u64) -> bool {
    limit(spend_limit).is_some_and(|limit| limit < stake.upokt() / u128::from(pending_sessions.max(1)))
}

/// A claim with what inflation adds to it: what it takes from the application's stake.
pub(super) fn in_stake_terms(claimed: Amount, inflation: &Decimal) -> BigUint {
    let claimed = number(claimed);
    let surcharge = inflation.ceil_of(&claimed);
    claimed + surcharge
}

/// The settling claims of one application and session.
#[derive(Debug)]
pub(super) struct SessionBudget {
    floor: BigUint,
    multiplier: u64,
    unused: BigUint,
    excess: BigUint,
}

impl SessionBudget {
    /// `demands` are the claims that settle, in stake terms.
    pub(super) fn new<'demand>(
        floor: Amount,
        bonus_multiplier: u64,
        demands: impl Iterator<Item = &'demand BigUint>,
    ) -> SessionBudget {
        let floor = number(floor);
        let (mut unused, mut excess) = (BigUint::ZERO, BigUint::ZERO);
        for demand in demands {
            if demand > &floor {
                excess += demand - &floor;
            } else {
                unused += &floor - demand;
            }
        }
        SessionBudget {
            floor,
            multiplier: bonus_multiplier.max(1),
            unused,
            excess,
        }
    }

    /// The most that a claim may take from the application's stake.
    pub(super) fn cap(&self, demand: &BigUint) -> BigUint {
        if self.multiplier == 1 || demand <= &self.floor {
            return self.floor.clone();
        }
        let bonus = &self.unused * (demand - &self.floor) / &self.excess;
        (&self.floor + bonus).min(&self.floor * self.multiplier)
    }
}

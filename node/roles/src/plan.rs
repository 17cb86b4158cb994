//! From an order to the messages that do it, without asking anybody.

mod morse;
mod note;
mod others;
mod service;
mod supplier;

use hearth_base::Amount;
use hearth_pocket::{
    address::Address,
    message::{Any, Coin, TypeUrl as _, cosmos::MsgSend},
};

use hearth_wallet::Purpose;
pub(crate) use morse::claim as morse_claim;
pub use note::Note;
pub use supplier::is_near;
pub(crate) use supplier::share_text;

pub use crate::error::RoleError;

use crate::{
    facts::Facts,
    order::{Order, Role},
};

/// One transaction of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What the account does here.
    pub purpose: Purpose,
    pub account: Address,
    /// Whether this wallet signs it; else somebody signs it elsewhere.
    pub is_here: bool,
    pub messages: Vec<Any>,
    /// What leaves the account, besides the fee.
    pub amount: Amount,
}

/// What is going to be signed, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub notes: Vec<Note>,
}

impl Plan {
    /// What leaves the keys of this wallet, besides the fees: what one of them gives the other stays.
    #[must_use]
    pub fn total(&self) -> Amount {
        let sum: Amount = self.steps.iter().map(|step| step.amount).sum();
        let moved = self.moved().map(|(_, amount)| amount).unwrap_or_default();
        sum.checked_sub(moved).unwrap_or_default()
    }

    /// Which account is given money by another one of this wallet, and how much.
    fn moved(&self) -> Option<(&Address, Amount)> {
        self.notes.iter().find_map(|note| {
            if let Note::Working { amount, to } = note {
                Some((to, *amount))
            } else {
                None
            }
        })
    }
}

/// Plans an order.
///
/// # Errors
/// What stands in its way.
pub fn plan(order: &Order, facts: &Facts) -> Result<Plan, RoleError> {
    let plan = match order {
        Order::Supplier { stake, services, .. } => supplier::stake(*stake, services, facts)?,
        Order::EditSupplier {
            stake,
            services,
            dropped,
            ..
        } => supplier::edit(*stake, services, dropped, facts)?,
        Order::Application {
            stake,
            service,
            session_limit,
        } => others::application(*stake, service, *session_limit, facts)?,
        Order::Gateway { stake } => others::gateway(*stake, facts)?,
        Order::Unstake {
            role: Role::Supplier, ..
        } => supplier::unstake(facts)?,
        Order::Unstake { role, .. } => others::unstake(*role, facts)?,
        Order::Delegate(_) => others::delegate(facts, order)?,
        Order::Undelegate(_) => others::undelegate(facts, order)?,
        Order::Service(wanted) => service::plan(wanted, facts)?,
        // Nothing leaves an account for it but a fee, where it is not waived.
        Order::Morse(claim) => return morse::plan(claim, facts),
    };
    check_balances(&plan, facts)?;
    Ok(plan)
}

/// Whether the keys have what leaves them. A fee is a few upokt, for which one POKT of room is left.
fn check_balances(plan: &Plan, facts: &Facts) -> Result<(), RoleError> {
    let moved = plan.moved();
    let mut seen: Vec<&Address> = Vec::new();
    for step in &plan.steps {
        if seen.contains(&&step.account) {
            continue;
        }
        seen.push(&step.account);
        let of_account = plan.steps.iter().filter(|other| other.account == step.account);
        let needed = of_account.map(|step| step.amount).sum::<Amount>();
        let given = moved
            .filter(|(to, _)| **to == step.account)
            .map(|(_, amount)| amount);
        let party = facts.party(step.purpose)?;
        let there = party.balance.saturating_add(given.unwrap_or_default());
        if there <= needed {
            return Err(RoleError::NotEnough {
                key: step.purpose.word(),
                needed: needed.saturating_add(Amount::from_upokt(1)).pokt().to_string(),
                there: there.pokt().to_string(),
            });
        }
    }
    Ok(())
}

/// A step of the account that serves a purpose.
pub(super) fn by(
    facts: &Facts,
    purpose: Purpose,
    messages: Vec<Any>,
    amount: Amount,
) -> Result<Step, RoleError> {
    let party = facts.party(purpose)?;
    Ok(Step {
        purpose,
        account: party.account.clone(),
        is_here: party.is_here,
        messages,
        amount,
    })
}

/// A note where a step is signed elsewhere.
pub(super) fn elsewhere(steps: &[Step]) -> Option<Note> {
    let mut away = steps.iter().filter(|step| !step.is_here);
    away.next().map(|step| Note::Elsewhere {
        account: step.account.clone(),
    })
}

/// Money from the owner for an account that signs unattended, where it has less than it needs. Nobody else is asked for
/// it where there is no owner here.
pub(super) fn money_for(facts: &Facts, purpose: Purpose, needed: Amount) -> Result<Option<Gift>, RoleError> {
    let to = facts.party(purpose)?;
    let Ok(owner) = facts.party(Purpose::Owner) else {
        return Ok(None);
    };
    let missing = needed
        .checked_sub(to.balance)
        .filter(|missing| !missing.is_zero());
    let Some(amount) = missing.filter(|_| owner.account != to.account) else {
        return Ok(None);
    };
    let message = MsgSend {
        from_address: owner.account.to_string(),
        to_address: to.account.to_string(),
        amount: vec![Coin::upokt(amount)],
    };
    Ok(Some(Gift {
        message: message.to_any(),
        amount,
        note: Note::Working {
            amount,
            to: to.account.clone(),
        },
    }))
}

/// What the owner sends along.
pub(super) struct Gift {
    pub(super) message: Any,
    pub(super) amount: Amount,
    pub(super) note: Note,
}

pub(super) fn amount(coin: Option<&Coin>) -> Amount {
    coin.and_then(|coin| coin.amount.parse().ok()).unwrap_or_default()
}

/// Whether a stake reaches a minimum.
pub(super) fn check_least(what: &'static str, given: Amount, least: Amount) -> Result<(), RoleError> {
    if given >= least && !given.is_zero() {
        return Ok(());
    }
    Err(RoleError::TooLittle {
        what,
        given: given.pokt().to_string(),
        least: least.max(Amount::from_upokt(1)).pokt().to_string(),
    })
}

//! From an order to the messages that do it, without asking anybody.

mod note;
mod others;
mod supplier;

use hearth_base::Amount;
use hearth_pocket::{
    address::Address,
    message::{Any, Coin, TypeUrl as _, cosmos::MsgSend},
};

pub use note::Note;

use crate::{
    facts::Facts,
    order::{Order, Role},
};

/// Why an order cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    #[error("{what} is {given} POKT, and the network asks for {least} POKT at least")]
    TooLittle {
        what: &'static str,
        given: String,
        least: String,
    },
    #[error("a stake is only added to: {given} POKT are not more than the {staked} POKT that are staked")]
    NotMore { given: String, staked: String },
    #[error("{needed} POKT are needed from the {key} key, and {there} POKT are there")]
    NotEnough {
        key: &'static str,
        needed: String,
        there: String,
    },
    #[error(
        "the record of your operator {operator} belongs to {owner}, not to this wallet: anybody can make such a record"
    )]
    Foreign { operator: String, owner: String },
    #[error("there is no service \"{0}\" on this network")]
    NoService(String),
    #[error("the service \"{id}\" belongs to {owner}")]
    OthersService { id: String, owner: String },
    #[error("you are no {0}")]
    Nothing(&'static str),
    #[error("your {role} is on its way out already; block {until} is the last in which it counts")]
    Leaving { role: &'static str, until: u64 },
    #[error("{address} is no gateway, or is on its way out")]
    NoGateway { address: String },
    #[error("the application has delegated to {0} already")]
    Delegated(String),
    #[error("the application has not delegated to {0}")]
    NotDelegated(String),
    #[error("an application delegates to {0} gateways at most")]
    TooManyGateways(u64),
    #[error("{url} is no address for others: {why}")]
    Url { url: String, why: &'static str },
    #[error(
        "the shares of \"{service}\" are {sum} in a hundred, and each is from 1 to 100: they must be 100"
    )]
    Shares { service: String, sum: u64 },
    #[error("{0} is named twice")]
    Twice(String),
    #[error("{0}")]
    Field(String),
    #[error("a supplier that is new needs a stake and at least one service")]
    NewSupplier,
    #[error("nothing would change")]
    NoChange,
}

impl RoleError {
    /// The stable word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            RoleError::TooLittle { .. } => "stake_too_small",
            RoleError::NotMore { .. } => "stake_not_more",
            RoleError::NotEnough { .. } => "not_enough",
            RoleError::Foreign { .. } => "foreign_supplier",
            RoleError::NoService(_) => "no_service",
            RoleError::OthersService { .. } => "others_service",
            RoleError::Nothing(_) => "not_staked",
            RoleError::Leaving { .. } => "unbonding",
            RoleError::NoGateway { .. } => "no_gateway",
            RoleError::Delegated(_) => "delegated",
            RoleError::NotDelegated(_) => "not_delegated",
            RoleError::TooManyGateways(_) => "too_many_gateways",
            RoleError::Url { .. } => "url_wrong",
            RoleError::Shares { .. } => "shares_wrong",
            RoleError::Twice(_) => "named_twice",
            RoleError::Field(_) => "service_wrong",
            RoleError::NewSupplier => "new_supplier",
            RoleError::NoChange => "no_change",
        }
    }

    /// What to do.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            RoleError::TooLittle { .. } | RoleError::NotMore { .. } => "Stake more. Nothing was signed.",
            RoleError::NotEnough { .. } => "Bring POKT to that key first. Nothing was signed.",
            RoleError::Foreign { .. } => {
                "Unstake that record with your operator key, wait until it is gone, and stake afresh."
            }
            RoleError::NoService(_) => "The Network page lists the services; `hearth service add` makes one.",
            RoleError::OthersService { .. } => "Only its owner changes it. Choose another id.",
            RoleError::Nothing(_) => "Stake first: `hearth stake`, or Roles under Wallet.",
            RoleError::Leaving { .. } => "Wait until it is gone, or stake again to stay.",
            RoleError::NoGateway { .. } => "Look at its address, or stake your own gateway first.",
            RoleError::Delegated(_) | RoleError::NotDelegated(_) | RoleError::NoChange => {
                "There is nothing to do."
            }
            RoleError::TooManyGateways(_) => "Take one back first.",
            RoleError::Url { .. } => "Name the address at which others reach this computer.",
            RoleError::Shares { .. } => "Make the shares add up to 100.",
            RoleError::Twice(_) => "Name it once. Nothing was signed.",
            RoleError::Field(_) => "Change it. Nothing was signed.",
            RoleError::NewSupplier => "Name both.",
        }
    }
}

/// One transaction of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub key: hearth_wallet::Role,
    pub account: Address,
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

/// Plans an order.
///
/// # Errors
/// What stands in its way.
pub fn plan(order: &Order, facts: &Facts) -> Result<Plan, RoleError> {
    let plan = match order {
        Order::Supplier { stake, services } => supplier::stake(*stake, services, facts)?,
        Order::Application {
            stake,
            service,
            session_limit,
        } => others::application(*stake, service, *session_limit, facts)?,
        Order::Gateway { stake } => others::gateway(*stake, facts)?,
        Order::Unstake(Role::Supplier) => supplier::unstake(facts)?,
        Order::Unstake(role) => others::unstake(*role, facts)?,
        Order::Delegate(_) => others::delegate(facts, order)?,
        Order::Undelegate(_) => others::undelegate(facts, order)?,
        Order::Service {
            id,
            name,
            compute_units,
            card,
        } => others::service(id, name, *compute_units, card.as_deref(), facts)?,
    };
    check_balances(&plan, facts)?;
    Ok(plan)
}

/// Whether the keys have what leaves them. A fee is a few upokt, for which one POKT of room is left.
fn check_balances(plan: &Plan, facts: &Facts) -> Result<(), RoleError> {
    let sum = |key| {
        plan.steps
            .iter()
            .filter(move |step| step.key == key)
            .map(|step| step.amount)
            .sum::<Amount>()
    };
    let moved = plan.notes.iter().find_map(|note| {
        if let Note::Working { amount } = note {
            Some(*amount)
        } else {
            None
        }
    });
    let working = facts.working_balance.saturating_add(moved.unwrap_or_default());
    for (key, name, there) in [
        (hearth_wallet::Role::Main, "main", facts.main_balance),
        (hearth_wallet::Role::Working, "working", working),
    ] {
        let needed = sum(key);
        if plan.steps.iter().any(|step| step.key == key) && there <= needed {
            return Err(RoleError::NotEnough {
                key: name,
                needed: needed.saturating_add(Amount::from_upokt(1)).pokt().to_string(),
                there: there.pokt().to_string(),
            });
        }
    }
    Ok(())
}

/// A step of the main key.
pub(super) fn by_main(facts: &Facts, messages: Vec<Any>, amount: Amount) -> Step {
    Step {
        key: hearth_wallet::Role::Main,
        account: facts.main.clone(),
        messages,
        amount,
    }
}

/// A step of the working key.
pub(super) fn by_working(facts: &Facts, messages: Vec<Any>, amount: Amount) -> Step {
    Step {
        key: hearth_wallet::Role::Working,
        account: facts.working.clone(),
        messages,
        amount,
    }
}

/// Money for the working key, where it has less than it needs.
pub(super) fn money_for_working(facts: &Facts, needed: Amount) -> Option<(Any, Amount)> {
    let missing = needed
        .checked_sub(facts.working_balance)
        .filter(|missing| !missing.is_zero())?;
    let message = MsgSend {
        from_address: facts.main.to_string(),
        to_address: facts.working.to_string(),
        amount: vec![Coin::upokt(missing)],
    };
    Some((message.to_any(), missing))
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

//! Applications, gateways and delegations.

use hearth_base::{Amount, ServiceId};
use hearth_pocket::{
    address::Address,
    message::{
        Coin, TypeUrl as _,
        application::{
            MsgDelegateToGateway, MsgStakeApplication, MsgUndelegateFromGateway, MsgUnstakeApplication,
        },
        gateway::{MsgStakeGateway, MsgUnstakeGateway},
        shared::ApplicationServiceConfig,
    },
};

use hearth_wallet::Purpose;

use super::{Note, Plan, RoleError, amount, by, check_least, elsewhere, money_for};
use crate::{
    facts::Facts,
    order::{Order, Role},
};

/// The least limit of a session.
const LEAST_SESSION_LIMIT: Amount = Amount::from_upokt(Amount::UPOKT_PER_POKT);
/// Room for fees of a key that has nothing else.
const FEES: u128 = Amount::UPOKT_PER_POKT / 10;

pub(super) fn application(
    stake: Amount,
    service: &ServiceId,
    session_limit: Option<Amount>,
    facts: &Facts,
) -> Result<Plan, RoleError> {
    // The chain takes applications for services that nobody made.
    if !facts.services.contains_key(service) {
        return Err(RoleError::NoService(service.to_string()));
    }
    let least = amount(facts.params.application.min_stake.as_ref());
    let known = facts.application.as_ref();
    let staked = known
        .map(|known| amount(known.stake.as_ref()))
        .unwrap_or_default();
    check_more(stake, staked, known.is_some())?;
    check_least("the stake", stake, least)?;
    if let Some(limit) = session_limit.filter(|limit| !limit.is_zero()) {
        check_least("the limit of a session", limit, LEAST_SESSION_LIMIT)?;
    }
    let message = MsgStakeApplication {
        address: facts.account(Purpose::Application)?.to_string(),
        stake: Some(Coin::upokt(stake)),
        services: vec![ApplicationServiceConfig {
            service_id: service.to_string(),
        }],
        per_session_spend_limit: session_limit.map(Coin::upokt),
    };
    let added = stake.checked_sub(staked).unwrap_or_default();
    let mut notes = vec![Note::SettlementsTake { least }];
    let is_delegated = known.is_some_and(|known| !known.delegatee_gateway_addresses.is_empty());
    if !is_delegated && !facts.applications_sign {
        notes.push(Note::NobodySigns);
    }
    let former = known.and_then(|known| known.service_configs.first());
    if let Some(former) = former.filter(|former| former.service_id != service.as_str()) {
        notes.push(Note::Leaves(former.service_id.clone()));
        notes.push(Note::From {
            height: facts.session_end() + 1,
        });
    }
    if known.is_some_and(|known| known.unstake_session_end_height > 0) {
        notes.push(Note::Stays);
    }
    notes.push(unbonding(Role::Application, facts));
    Ok(Plan {
        steps: vec![by(facts, Purpose::Application, vec![message.to_any()], added)?],
        notes,
    })
}

pub(super) fn gateway(stake: Amount, facts: &Facts) -> Result<Plan, RoleError> {
    let least = amount(facts.params.gateway.min_stake.as_ref());
    let known = facts.gateway.as_ref();
    let staked = known
        .map(|known| amount(known.stake.as_ref()))
        .unwrap_or_default();
    check_more(stake, staked, known.is_some())?;
    check_least("the stake", stake, least)?;
    let added = stake.checked_sub(staked).unwrap_or_default();
    let (mut steps, mut notes) = (Vec::new(), Vec::new());
    let needed = added.saturating_add(Amount::from_upokt(FEES));
    if let Some(gift) = money_for(facts, Purpose::Gateway, needed)? {
        steps.push(by(facts, Purpose::Owner, vec![gift.message], gift.amount)?);
        notes.push(gift.note);
    }
    let message = MsgStakeGateway {
        address: facts.account(Purpose::Gateway)?.to_string(),
        stake: Some(Coin::upokt(stake)),
    };
    steps.push(by(facts, Purpose::Gateway, vec![message.to_any()], added)?);
    notes.extend(elsewhere(&steps));
    notes.push(Note::HotStake);
    if known.is_some_and(|known| known.unstake_session_end_height > 0) {
        notes.push(Note::Stays);
    }
    notes.push(unbonding(Role::Gateway, facts));
    Ok(Plan { steps, notes })
}

pub(super) fn unstake(role: Role, facts: &Facts) -> Result<Plan, RoleError> {
    let leaving = match role {
        Role::Gateway => facts
            .gateway
            .as_ref()
            .map(|known| known.unstake_session_end_height),
        Role::Application | Role::Supplier => facts
            .application
            .as_ref()
            .map(|known| known.unstake_session_end_height),
    };
    let leaving = leaving.ok_or(RoleError::Nothing(role.word()))?;
    if leaving > 0 {
        return Err(RoleError::Leaving {
            role: role.word(),
            until: leaving,
        });
    }
    let step = if role == Role::Gateway {
        let message = MsgUnstakeGateway {
            address: facts.account(Purpose::Gateway)?.to_string(),
        };
        by(facts, Purpose::Gateway, vec![message.to_any()], Amount::ZERO)?
    } else {
        let message = MsgUnstakeApplication {
            address: facts.account(Purpose::Application)?.to_string(),
        };
        by(facts, Purpose::Application, vec![message.to_any()], Amount::ZERO)?
    };
    let until = Note::Until {
        height: facts.session_end(),
    };
    Ok(Plan {
        steps: vec![step],
        notes: vec![until, unbonding(role, facts)],
    })
}

pub(super) fn delegate(facts: &Facts, order: &Order) -> Result<Plan, RoleError> {
    let gateway = named(facts, order)?;
    let application = facts
        .application
        .as_ref()
        .ok_or(RoleError::Nothing("application"))?;
    let delegated = &application.delegatee_gateway_addresses;
    if delegated.iter().any(|known| known == gateway.as_str()) {
        return Err(RoleError::Delegated(gateway.to_string()));
    }
    let most = facts.params.application.max_delegated_gateways;
    if delegated.len() as u64 >= most {
        return Err(RoleError::TooManyGateways(most));
    }
    if facts
        .named_gateway
        .as_ref()
        .is_none_or(|known| known.unstake_session_end_height > 0)
    {
        return Err(RoleError::NoGateway {
            address: gateway.to_string(),
        });
    }
    let message = MsgDelegateToGateway {
        app_address: facts.account(Purpose::Application)?.to_string(),
        gateway_address: gateway.to_string(),
    };
    Ok(one(by(
        facts,
        Purpose::Application,
        vec![message.to_any()],
        Amount::ZERO,
    )?))
}

pub(super) fn undelegate(facts: &Facts, order: &Order) -> Result<Plan, RoleError> {
    let gateway = named(facts, order)?;
    let application = facts
        .application
        .as_ref()
        .ok_or(RoleError::Nothing("application"))?;
    let delegated = &application.delegatee_gateway_addresses;
    if !delegated.iter().any(|known| known == gateway.as_str()) {
        return Err(RoleError::NotDelegated(gateway.to_string()));
    }
    let message = MsgUndelegateFromGateway {
        app_address: facts.account(Purpose::Application)?.to_string(),
        gateway_address: gateway.to_string(),
    };
    Ok(one(by(
        facts,
        Purpose::Application,
        vec![message.to_any()],
        Amount::ZERO,
    )?))
}

/// The gateway that is meant.
fn named(facts: &Facts, order: &Order) -> Result<Address, RoleError> {
    match order.named_gateway() {
        Some(named) => Ok(named.clone()),
        None => facts.account(Purpose::Gateway).cloned(),
    }
}

/// A stake that is there is only added to.
fn check_more(stake: Amount, staked: Amount, is_there: bool) -> Result<(), RoleError> {
    if is_there && stake <= staked {
        return Err(RoleError::NotMore {
            given: stake.pokt().to_string(),
            staked: staked.pokt().to_string(),
        });
    }
    Ok(())
}

fn unbonding(role: Role, facts: &Facts) -> Note {
    let shared = &facts.params.shared;
    let sessions = match role {
        Role::Gateway => shared.gateway_unbonding_period_sessions,
        Role::Application | Role::Supplier => shared.application_unbonding_period_sessions,
    };
    let blocks = sessions.saturating_mul(shared.num_blocks_per_session);
    Note::Unbonding {
        blocks,
        seconds: facts.seconds(blocks),
    }
}

fn one(step: super::Step) -> Plan {
    Plan {
        steps: vec![step],
        notes: Vec::new(),
    }
}

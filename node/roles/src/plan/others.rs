//! Applications, gateways, delegations and services.

use hearth_base::{Amount, ServiceId};
use hearth_pocket::{
    address::Address,
    message::{
        Coin, TypeUrl as _,
        application::{
            MsgDelegateToGateway, MsgStakeApplication, MsgUndelegateFromGateway, MsgUnstakeApplication,
        },
        gateway::{MsgStakeGateway, MsgUnstakeGateway},
        service::MsgAddService,
        shared::{ApplicationServiceConfig, Metadata, Service},
    },
};

use super::{Note, Plan, RoleError, amount, by_main, by_working, check_least, money_for_working};
use crate::{
    facts::Facts,
    order::{Order, Role},
};

/// The chain's limits on services.
const MAX_SERVICE_ID: usize = 42;
const MAX_SERVICE_NAME: usize = 169;
const MAX_COMPUTE_UNITS: u64 = 2_097_152;
const MAX_CARD_BYTES: usize = 256 << 10;
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
        address: facts.main.to_string(),
        stake: Some(Coin::upokt(stake)),
        services: vec![ApplicationServiceConfig {
            service_id: service.to_string(),
        }],
        per_session_spend_limit: session_limit.map(Coin::upokt),
    };
    let added = stake.checked_sub(staked).unwrap_or_default();
    let mut notes = vec![Note::SettlementsTake { least }];
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
        steps: vec![by_main(facts, vec![message.to_any()], added)],
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
    if let Some((message, missing)) = money_for_working(facts, added.saturating_add(Amount::from_upokt(FEES)))
    {
        steps.push(by_main(facts, vec![message], missing));
        notes.push(Note::Working { amount: missing });
    }
    let message = MsgStakeGateway {
        address: facts.working.to_string(),
        stake: Some(Coin::upokt(stake)),
    };
    steps.push(by_working(facts, vec![message.to_any()], added));
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
            address: facts.working.to_string(),
        };
        by_working(facts, vec![message.to_any()], Amount::ZERO)
    } else {
        let message = MsgUnstakeApplication {
            address: facts.main.to_string(),
        };
        by_main(facts, vec![message.to_any()], Amount::ZERO)
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
    let gateway = named(facts, order);
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
        app_address: facts.main.to_string(),
        gateway_address: gateway.to_string(),
    };
    Ok(one(by_main(facts, vec![message.to_any()], Amount::ZERO)))
}

pub(super) fn undelegate(facts: &Facts, order: &Order) -> Result<Plan, RoleError> {
    let gateway = named(facts, order);
    let application = facts
        .application
        .as_ref()
        .ok_or(RoleError::Nothing("application"))?;
    let delegated = &application.delegatee_gateway_addresses;
    if !delegated.iter().any(|known| known == gateway.as_str()) {
        return Err(RoleError::NotDelegated(gateway.to_string()));
    }
    let message = MsgUndelegateFromGateway {
        app_address: facts.main.to_string(),
        gateway_address: gateway.to_string(),
    };
    Ok(one(by_main(facts, vec![message.to_any()], Amount::ZERO)))
}

/// The gateway that is meant.
fn named(facts: &Facts, order: &Order) -> Address {
    order.named_gateway().unwrap_or(&facts.working).clone()
}

pub(super) fn service(
    id: &ServiceId,
    name: &str,
    compute_units: u64,
    card: Option<&[u8]>,
    facts: &Facts,
) -> Result<Plan, RoleError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let text = id.as_str();
    if text.is_empty() || text.len() > MAX_SERVICE_ID || !text.chars().all(is_plain) {
        return Err(RoleError::Field(format!(
            "\"{text}\" is no id of a service: it has letters, digits, - and _, {MAX_SERVICE_ID} at most"
        )));
    }
    if name.is_empty() || name.len() > MAX_SERVICE_NAME {
        return Err(RoleError::Field(format!(
            "the name of a service has 1 to {MAX_SERVICE_NAME} characters"
        )));
    }
    if !(1..=MAX_COMPUTE_UNITS).contains(&compute_units) {
        return Err(RoleError::Field(format!(
            "the compute units of an answer are from 1 to {MAX_COMPUTE_UNITS}"
        )));
    }
    if let Some(card) = card {
        check_card(card)?;
    }
    let known = facts.services.get(id);
    if let Some(known) = known.filter(|known| known.owner_address != facts.main.as_str()) {
        return Err(RoleError::OthersService {
            id: text.to_owned(),
            owner: known.owner_address.clone(),
        });
    }
    let charge = if known.is_some() {
        Amount::ZERO
    } else {
        amount(facts.params.service.add_service_fee.as_ref())
    };
    let message = MsgAddService {
        owner_address: facts.main.to_string(),
        service: Service {
            id: text.to_owned(),
            name: name.to_owned(),
            compute_units_per_relay: compute_units,
            owner_address: facts.main.to_string(),
            metadata: card.map(|card| Metadata { card: card.to_vec() }),
        },
    };
    let mut notes = Vec::new();
    if !charge.is_zero() {
        notes.push(Note::Charge { amount: charge });
    }
    if known.is_some_and(|known| known.compute_units_per_relay != compute_units) {
        notes.push(Note::From {
            height: facts.session_end() + 1,
        });
    }
    Ok(Plan {
        steps: vec![by_main(facts, vec![message.to_any()], charge)],
        notes,
    })
}

fn check_card(card: &[u8]) -> Result<(), RoleError> {
    if card.len() > MAX_CARD_BYTES {
        return Err(RoleError::Field(format!(
            "the card has {} bytes, and the network takes {MAX_CARD_BYTES}",
            card.len()
        )));
    }
    let read: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_slice(card);
    read.map(drop)
        .map_err(|error| RoleError::Field(format!("the card is no JSON object: {error}")))
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

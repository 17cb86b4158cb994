//! The supplier: staked by its owner, its services set by its operator.

use hearth_base::Amount;
use hearth_pocket::{
    address::Address,
    message::{
        Any, Coin, TypeUrl as _,
        shared::{RpcType, ServiceRevenueShare, Supplier, SupplierEndpoint, SupplierServiceConfig},
        supplier::{MsgStakeSupplier, MsgUnstakeSupplier},
    },
};

use super::{Note, Plan, RoleError, amount, by_main, by_working, check_least, money_for_working};
use crate::{facts::Facts, order::Offer};

/// Claims and proofs for which the working key has money, once it serves.
const FEES_AHEAD: u128 = 100;

pub(super) fn stake(stake: Option<Amount>, services: &[Offer], facts: &Facts) -> Result<Plan, RoleError> {
    let known = facts.supplier.as_ref();
    let staked = known
        .map(|known| amount(known.stake.as_ref()))
        .unwrap_or_default();
    let leaves = known.is_some_and(|known| known.unstake_session_end_height > 0);
    check(stake, services, facts)?;
    let changes_stake = known.is_none() || leaves || stake.is_some_and(|stake| stake != staked);
    if !changes_stake && services.is_empty() {
        return Err(RoleError::NoChange);
    }
    let mut ids: Vec<&str> = services.iter().map(|offer| offer.service.as_str()).collect();
    ids.sort_unstable();
    if let Some(twice) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(RoleError::Twice(twice[0].to_owned()));
    }
    let configs = services
        .iter()
        .map(|offer| config(offer, facts))
        .collect::<Result<Vec<_>, _>>()?;
    let charge = amount(facts.params.supplier.staking_fee.as_ref());
    let (mut steps, mut notes) = (Vec::new(), Vec::new());
    let (mut first, mut from_main) = (Vec::new(), Amount::ZERO);
    // A key that has half of it needs none yet.
    let needed = needed_by_working(facts, charge);
    let is_low = facts.working_balance.upokt() < needed.upokt() / 2;
    if !configs.is_empty()
        && is_low
        && let Some((message, missing)) = money_for_working(facts, needed)
    {
        first.push(message);
        from_main = missing;
        notes.push(Note::Working { amount: missing });
    }
    if changes_stake {
        let added = stake.unwrap_or(staked).checked_sub(staked).unwrap_or_default();
        from_main = from_main.saturating_add(added).saturating_add(charge);
        first.push(message(facts, &facts.main, stake, Vec::new()));
    }
    if !first.is_empty() {
        steps.push(by_main(facts, first, from_main));
    }
    if !configs.is_empty() {
        notes.extend(retired(known, services));
        notes.push(Note::From {
            height: facts.session_end() + 1,
        });
        let served = message(facts, &facts.working, None, configs);
        steps.push(by_working(facts, vec![served], charge));
    }
    if leaves {
        notes.push(Note::Stays);
    }
    let back = stake
        .and_then(|stake| staked.checked_sub(stake))
        .filter(|back| !back.is_zero());
    notes.extend(back.map(|amount| Note::Back { amount }));
    let n_charged = u128::from(changes_stake) + u128::from(!services.is_empty());
    let charged = Amount::from_upokt(charge.upokt().saturating_mul(n_charged));
    if !charged.is_zero() {
        notes.push(Note::Charge { amount: charged });
    }
    notes.push(unbonding(facts));
    notes.push(Note::AtRisk {
        each: amount(facts.params.proof.proof_missing_penalty.as_ref()),
    });
    Ok(Plan { steps, notes })
}

/// Whether it can be asked for at all.
fn check(stake: Option<Amount>, services: &[Offer], facts: &Facts) -> Result<(), RoleError> {
    match &facts.supplier {
        Some(known) if known.owner_address != facts.main.as_str() => {
            return Err(RoleError::Foreign {
                operator: facts.working.to_string(),
                owner: known.owner_address.clone(),
            });
        }
        None if stake.is_none() || services.is_empty() => return Err(RoleError::NewSupplier),
        Some(_) | None => {}
    }
    match stake {
        Some(stake) => check_least(
            "the stake",
            stake,
            amount(facts.params.supplier.min_stake.as_ref()),
        ),
        None => Ok(()),
    }
}

/// What the operator needs for its own charge, and for claims and proofs for a while.
fn needed_by_working(facts: &Facts, charge: Amount) -> Amount {
    let proof = amount(facts.params.proof.proof_submission_fee.as_ref())
        .upokt()
        .max(2);
    let fees = proof.saturating_mul(FEES_AHEAD).max(Amount::UPOKT_PER_POKT);
    charge.saturating_add(Amount::from_upokt(fees))
}

fn message(
    facts: &Facts,
    signer: &Address,
    stake: Option<Amount>,
    services: Vec<SupplierServiceConfig>,
) -> Any {
    let message = MsgStakeSupplier {
        signer: signer.to_string(),
        owner_address: facts.main.to_string(),
        operator_address: facts.working.to_string(),
        stake: stake.map(Coin::upokt),
        services,
    };
    message.to_any()
}

/// The services that a new list leaves out.
fn retired(known: Option<&Supplier>, services: &[Offer]) -> Option<Note> {
    let known = known?;
    let served = known.services.iter().map(|config| config.service_id.clone());
    let coming = known
        .service_config_history
        .iter()
        .filter(|update| update.deactivation_height == 0);
    let coming = coming.filter_map(|update| Some(update.service.as_ref()?.service_id.clone()));
    let mut gone: Vec<String> = served.chain(coming).collect();
    gone.retain(|id| !services.iter().any(|offer| offer.service.as_str() == id));
    gone.sort();
    gone.dedup();
    (!gone.is_empty()).then_some(Note::Retires(gone))
}

fn config(offer: &Offer, facts: &Facts) -> Result<SupplierServiceConfig, RoleError> {
    if !facts.services.contains_key(&offer.service) {
        return Err(RoleError::NoService(offer.service.to_string()));
    }
    check_url(offer, facts.is_devnet)?;
    let owner = ServiceRevenueShare {
        address: facts.main.to_string(),
        rev_share_percentage: 100,
    };
    let shares: Vec<ServiceRevenueShare> = offer
        .shares
        .iter()
        .map(|share| ServiceRevenueShare {
            address: share.address.to_string(),
            rev_share_percentage: share.percent,
        })
        .collect();
    let shares = if shares.is_empty() { vec![owner] } else { shares };
    let sum: u64 = shares
        .iter()
        .map(|share| share.rev_share_percentage)
        .fold(0, u64::saturating_add);
    let mut named: Vec<&str> = shares.iter().map(|share| share.address.as_str()).collect();
    named.sort_unstable();
    let is_each_right = shares
        .iter()
        .all(|share| (1..=100).contains(&share.rev_share_percentage));
    if let Some(twice) = named.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(RoleError::Twice(twice[0].to_owned()));
    }
    if sum != 100 || !is_each_right {
        return Err(RoleError::Shares {
            service: offer.service.to_string(),
            sum,
        });
    }
    // PATH looks for suppliers of language models by REST, and reaches most services by JSON-RPC.
    let endpoints = [RpcType::Rest, RpcType::JsonRpc].map(|kind| SupplierEndpoint {
        url: offer.url.as_str().trim_end_matches('/').to_owned(),
        rpc_type: kind.into(),
        ..SupplierEndpoint::default()
    });
    Ok(SupplierServiceConfig {
        service_id: offer.service.to_string(),
        endpoints: endpoints.into(),
        rev_share: shares,
    })
}

/// Whether others can reach an address, as far as the address tells.
fn check_url(offer: &Offer, is_devnet: bool) -> Result<(), RoleError> {
    let url = &offer.url;
    let wrong = |why| {
        Err(RoleError::Url {
            url: url.to_string(),
            why,
        })
    };
    if !matches!(url.scheme(), "http" | "https") {
        return wrong("it begins with http:// or https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("everybody can read it, so it has no password in it");
    }
    let is_near = match url.host() {
        None => return wrong("it names no host"),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => {
            ip.is_loopback() || ip.is_unspecified() || ip.is_private() || ip.is_link_local()
        }
        Some(url::Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local(),
    };
    if is_near && !is_devnet {
        return wrong("it is one of this computer or of its own network");
    }
    Ok(())
}

pub(super) fn unstake(facts: &Facts) -> Result<Plan, RoleError> {
    let known = facts.supplier.as_ref().ok_or(RoleError::Nothing("supplier"))?;
    if known.unstake_session_end_height > 0 {
        return Err(RoleError::Leaving {
            role: "supplier",
            until: known.unstake_session_end_height,
        });
    }
    let message = |signer: &Address| MsgUnstakeSupplier {
        signer: signer.to_string(),
        operator_address: facts.working.to_string(),
    };
    // A record that a stranger made is given up by the operator; its stake goes back to him.
    let is_own = known.owner_address == facts.main.as_str();
    let step = if is_own {
        by_main(facts, vec![message(&facts.main).to_any()], Amount::ZERO)
    } else {
        by_working(facts, vec![message(&facts.working).to_any()], Amount::ZERO)
    };
    let mut notes = vec![
        Note::Until {
            height: facts.session_end(),
        },
        unbonding(facts),
    ];
    if !is_own {
        notes.push(Note::Foreign {
            owner: known.owner_address.clone(),
        });
    }
    Ok(Plan {
        steps: vec![step],
        notes,
    })
}

fn unbonding(facts: &Facts) -> Note {
    let shared = &facts.params.shared;
    let blocks = shared
        .supplier_unbonding_period_sessions
        .saturating_mul(shared.num_blocks_per_session);
    Note::Unbonding {
        blocks,
        seconds: facts.seconds(blocks),
    }
}

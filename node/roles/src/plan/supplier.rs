//! The supplier: staked by its owner, its services set by its operator.

use hearth_base::{Amount, ServiceId};
use hearth_pocket::{
    address::Address,
    message::{
        Any, Coin, TypeUrl as _,
        shared::{RpcType, ServiceRevenueShare, Supplier, SupplierEndpoint, SupplierServiceConfig},
        supplier::{MsgStakeSupplier, MsgUnstakeSupplier},
    },
};

use hearth_wallet::Purpose;

use super::{Note, Plan, RoleError, amount, by, check_least, elsewhere, money_for};
use crate::{facts::Facts, order::Offer};

/// Claims and proofs for which the working key has money, once it serves.
const FEES_AHEAD: u128 = 100;

pub(super) fn stake(stake: Option<Amount>, services: &[Offer], facts: &Facts) -> Result<Plan, RoleError> {
    check(stake, services, facts)?;
    let configs = configs(services, facts.account(Purpose::Owner)?, facts)?;
    change(stake, configs, facts)
}

/// Services as they are staked, each once; an owner gets what nobody else has a share of.
pub(super) fn configs(
    services: &[Offer],
    owner: &Address,
    facts: &Facts,
) -> Result<Vec<SupplierServiceConfig>, RoleError> {
    check_once(services.iter().map(|offer| offer.service.as_str()))?;
    services.iter().map(|offer| config(offer, owner, facts)).collect()
}

/// Changes some services of a supplier that is there; the others stay as they are.
pub(super) fn edit(
    stake: Option<Amount>,
    services: &[Offer],
    dropped: &[ServiceId],
    facts: &Facts,
) -> Result<Plan, RoleError> {
    let known = facts.supplier.as_ref().ok_or(RoleError::Nothing("supplier"))?;
    check(stake, services, facts)?;
    let named = services.iter().map(|offer| offer.service.as_str());
    check_once(named.chain(dropped.iter().map(ServiceId::as_str)))?;
    let mut configs = served(known);
    for id in dropped {
        let before = configs.len();
        configs.retain(|config| config.service_id != id.as_str());
        if configs.len() == before {
            return Err(RoleError::NotServed(id.to_string()));
        }
    }
    for offer in services {
        let mut wanted = config(offer, facts.account(Purpose::Owner)?, facts)?;
        match configs
            .iter_mut()
            .find(|known| known.service_id == wanted.service_id)
        {
            Some(known) => {
                // Who gets how much stays where nobody says otherwise.
                if offer.shares.is_empty() {
                    wanted.rev_share.clone_from(&known.rev_share);
                }
                *known = wanted;
            }
            None => configs.push(wanted),
        }
    }
    if configs.is_empty() && !dropped.is_empty() {
        return Err(RoleError::LastService);
    }
    change(stake, configs, facts)
}

fn check_once<'a>(ids: impl Iterator<Item = &'a str>) -> Result<(), RoleError> {
    let mut ids: Vec<&str> = ids.collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(twice) => Err(RoleError::Twice(twice[0].to_owned())),
        None => Ok(()),
    }
}

/// The services that a supplier serves now or from the next session, each once.
fn served(known: &Supplier) -> Vec<SupplierServiceConfig> {
    let mut served = known.services.clone();
    let mut coming: Vec<_> = known
        .service_config_history
        .iter()
        .filter(|update| update.deactivation_height == 0)
        .collect();
    coming.sort_by_key(|update| update.activation_height);
    for config in coming.into_iter().filter_map(|update| update.service.as_ref()) {
        match served
            .iter_mut()
            .find(|known| known.service_id == config.service_id)
        {
            Some(known) => *known = config.clone(),
            None => served.push(config.clone()),
        }
    }
    served
}

/// All of it as it will be: nothing of it is sent that is so already.
fn change(
    stake: Option<Amount>,
    mut configs: Vec<SupplierServiceConfig>,
    facts: &Facts,
) -> Result<Plan, RoleError> {
    let known = facts.supplier.as_ref();
    let staked = known
        .map(|known| amount(known.stake.as_ref()))
        .unwrap_or_default();
    let leaves = known.is_some_and(|known| known.unstake_session_end_height > 0);
    let before = known.map(served).unwrap_or_default();
    let is_same = |config: &SupplierServiceConfig| before.contains(config);
    if !leaves && configs.len() == before.len() && configs.iter().all(is_same) {
        configs.clear();
    }
    let changes_stake = known.is_none() || leaves || stake.is_some_and(|stake| stake != staked);
    if !changes_stake && configs.is_empty() {
        return Err(RoleError::NoChange);
    }
    let charge = amount(facts.params.supplier.staking_fee.as_ref());
    let (mut steps, mut notes) = (Vec::new(), Vec::new());
    let (mut first, mut from_main) = (Vec::new(), Amount::ZERO);
    // A key that has half of it needs none yet.
    let needed = needed_by_working(facts, charge);
    let is_low = facts.party(Purpose::Operator)?.balance.upokt() < needed.upokt() / 2;
    if !configs.is_empty()
        && is_low
        && let Some(gift) = money_for(facts, Purpose::Operator, needed)?
    {
        first.push(gift.message);
        from_main = gift.amount;
        notes.push(gift.note);
    }
    if changes_stake {
        let added = stake.unwrap_or(staked).checked_sub(staked).unwrap_or_default();
        from_main = from_main.saturating_add(added).saturating_add(charge);
        first.push(message(facts, Purpose::Owner, stake, Vec::new())?);
    }
    if !first.is_empty() {
        steps.push(by(facts, Purpose::Owner, first, from_main)?);
    }
    let n_charged = u128::from(changes_stake) + u128::from(!configs.is_empty());
    if !configs.is_empty() {
        notes.extend(service_notes(&before, &configs, facts));
        let served = message(facts, Purpose::Operator, None, configs)?;
        steps.push(by(facts, Purpose::Operator, vec![served], charge)?);
    }
    if leaves {
        notes.push(Note::Stays);
    }
    let back = stake
        .and_then(|stake| staked.checked_sub(stake))
        .filter(|back| !back.is_zero());
    notes.extend(back.map(|amount| Note::Back { amount }));
    let charged = Amount::from_upokt(charge.upokt().saturating_mul(n_charged));
    if !charged.is_zero() {
        notes.push(Note::Charge { amount: charged });
    }
    notes.extend(elsewhere(&steps));
    notes.push(unbonding(facts));
    notes.push(Note::AtRisk {
        each: amount(facts.params.proof.proof_missing_penalty.as_ref()),
    });
    Ok(Plan { steps, notes })
}

/// What becomes of the services that were there.
fn service_notes(
    before: &[SupplierServiceConfig],
    after: &[SupplierServiceConfig],
    facts: &Facts,
) -> Vec<Note> {
    let mut notes: Vec<Note> = retired(before, after).into_iter().collect();
    for (was, now) in before.iter().filter_map(|was| {
        let now = after.iter().find(|now| now.service_id == was.service_id)?;
        Some((was, now))
    }) {
        let (from, to) = (urls(was), urls(now));
        if from != to {
            notes.push(Note::Changes {
                what: "url",
                service: was.service_id.clone(),
                from,
                to,
            });
        }
        let still =
            |share: &&ServiceRevenueShare| now.rev_share.iter().any(|now| now.address == share.address);
        let lost: Vec<String> = was
            .rev_share
            .iter()
            .filter(|share| !still(share))
            .map(share_text)
            .collect();
        if !lost.is_empty() {
            notes.push(Note::SharesLost {
                service: was.service_id.clone(),
                shares: lost,
            });
        }
        if was.rev_share != now.rev_share {
            let all = |config: &SupplierServiceConfig| {
                config
                    .rev_share
                    .iter()
                    .map(share_text)
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            notes.push(Note::Changes {
                what: "shares",
                service: was.service_id.clone(),
                from: all(was),
                to: all(now),
            });
        }
    }
    notes.push(Note::From {
        height: facts.session_end() + 1,
    });
    notes
}

pub(crate) fn share_text(share: &ServiceRevenueShare) -> String {
    format!("{} % {}", share.rev_share_percentage, share.address)
}

fn urls(config: &SupplierServiceConfig) -> String {
    let mut urls: Vec<&str> = config
        .endpoints
        .iter()
        .map(|endpoint| endpoint.url.as_str())
        .collect();
    urls.dedup();
    urls.join(", ")
}

/// Whether it can be asked for at all.
fn check(stake: Option<Amount>, services: &[Offer], facts: &Facts) -> Result<(), RoleError> {
    match &facts.supplier {
        Some(known) if known.owner_address != facts.account(Purpose::Owner)?.as_str() => {
            return Err(RoleError::Foreign {
                operator: facts.account(Purpose::Operator)?.to_string(),
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
    signer: Purpose,
    stake: Option<Amount>,
    services: Vec<SupplierServiceConfig>,
) -> Result<Any, RoleError> {
    let message = MsgStakeSupplier {
        signer: facts.account(signer)?.to_string(),
        owner_address: facts.account(Purpose::Owner)?.to_string(),
        operator_address: facts.account(Purpose::Operator)?.to_string(),
        stake: stake.map(Coin::upokt),
        services,
    };
    Ok(message.to_any())
}

/// The services that a new list leaves out.
fn retired(before: &[SupplierServiceConfig], after: &[SupplierServiceConfig]) -> Option<Note> {
    let is_gone = |was: &&SupplierServiceConfig| !after.iter().any(|now| now.service_id == was.service_id);
    let mut gone: Vec<String> = before
        .iter()
        .filter(is_gone)
        .map(|config| config.service_id.clone())
        .collect();
    gone.sort();
    (!gone.is_empty()).then_some(Note::Retires(gone))
}

fn config(offer: &Offer, owner: &Address, facts: &Facts) -> Result<SupplierServiceConfig, RoleError> {
    if !facts.services.contains_key(&offer.service) {
        return Err(RoleError::NoService(offer.service.to_string()));
    }
    check_url(offer, facts.allows_local_suppliers)?;
    let owner = ServiceRevenueShare {
        address: owner.to_string(),
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
fn check_url(offer: &Offer, allows_local_suppliers: bool) -> Result<(), RoleError> {
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
    if url.host().is_none() {
        return wrong("it names no host");
    }
    if is_near(url) && !allows_local_suppliers {
        return wrong("it is one of this computer or of its own network");
    }
    Ok(())
}

/// Whether an address is one of this computer or of a network of its own, which nobody else reaches.
#[must_use]
pub fn is_near(url: &url::Url) -> bool {
    match url.host() {
        None => false,
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => {
            ip.is_loopback() || ip.is_unspecified() || ip.is_private() || ip.is_link_local()
        }
        Some(url::Host::Ipv6(ip)) => {
            ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
    }
}

pub(super) fn unstake(facts: &Facts) -> Result<Plan, RoleError> {
    let known = facts.supplier.as_ref().ok_or(RoleError::Nothing("supplier"))?;
    if known.unstake_session_end_height > 0 {
        return Err(RoleError::Leaving {
            role: "supplier",
            until: known.unstake_session_end_height,
        });
    }
    // A record whose owner is not here is given up by the operator; its stake goes back to the owner.
    let owner = facts.party(Purpose::Owner);
    let is_own = owner.is_ok_and(|owner| owner.is_here && known.owner_address == owner.account.as_str());
    let signer = if is_own { Purpose::Owner } else { Purpose::Operator };
    let message = MsgUnstakeSupplier {
        signer: facts.account(signer)?.to_string(),
        operator_address: facts.account(Purpose::Operator)?.to_string(),
    };
    let step = by(facts, signer, vec![message.to_any()], Amount::ZERO)?;
    let mut notes = vec![
        Note::Until {
            height: facts.session_end(),
        },
        unbonding(facts),
    ];
    notes.push(Note::OpenUnpaid);
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

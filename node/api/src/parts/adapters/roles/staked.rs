//! What is staked by this wallet's accounts, as the page shows it.

use std::{collections::BTreeSet, time::Duration};

use hearth_chain::{Chain, Head, QueryError};
use hearth_pocket::{
    Address,
    message::{
        application::Application,
        shared::{Params, Supplier, SupplierServiceConfig},
    },
};
use hearth_roles::free_height;
use hearth_wallet::Accounts;

use super::upokt;
use crate::control::types::{
    ApplicationRole, Leaving, OperatorRole, RevenueShare, StakedService, SupplierRole,
};

/// Suppliers of one owner that are shown beside those that are served here: each is read by itself.
const MOST_ELSEWHERE: usize = 30;

/// The operators of this wallet with their records, then those of other suppliers that an account here owns.
pub(super) async fn suppliers(
    chain: &Chain,
    accounts: &Accounts,
) -> Result<Vec<(Address, Option<Supplier>)>, QueryError> {
    let others = elsewhere(chain, accounts).await;
    let named = accounts.operators.iter().chain(&others).cloned();
    let read = named.map(|operator| async move {
        let record = chain.supplier(&operator).await?.into_value();
        Ok::<_, QueryError>((operator, record))
    });
    let mut found = futures::future::try_join_all(read).await?;
    found.retain(|(operator, record)| {
        let owner = record.as_ref().map(|record| record.owner_address.as_str());
        let is_known = |owner: &str| accounts.all.iter().any(|entry| entry.address.as_str() == owner);
        accounts.operators.contains(operator) || owner.is_some_and(is_known)
    });
    Ok(found)
}

/// Whose suppliers may be an account's of this wallet without being served here: the watched ones, and those that an endpoint
/// lists for the owner. Each is read by itself after that.
async fn elsewhere(chain: &Chain, accounts: &Accounts) -> BTreeSet<Address> {
    let watched = accounts.all.iter().filter(|entry| entry.is_watched());
    let mut operators: BTreeSet<Address> = watched.map(|entry| entry.address.clone()).collect();
    if let Some(owner) = &accounts.owner {
        match chain.suppliers_of(owner).await {
            Ok(listed) => {
                let listed = listed.value.iter().take(MOST_ELSEWHERE);
                operators.extend(listed.filter_map(|one| one.operator_address.parse().ok()));
            }
            Err(error) => tracing::debug!(%error, "the suppliers of the owner cannot be listed now"),
        }
    }
    operators.retain(|operator| !accounts.operators.contains(operator));
    operators
}

/// The applications of accounts whose keys are here, and of the one that pays.
pub(super) async fn applications(chain: &Chain, accounts: &Accounts) -> Result<Vec<Application>, QueryError> {
    let is_paying = |address: &Address| accounts.application.as_ref() == Some(address);
    let entries = accounts.all.iter();
    let own = entries.filter(|entry| !entry.is_watched() || is_paying(&entry.address));
    let read =
        own.map(|entry| async { Ok::<_, QueryError>(chain.application(&entry.address).await?.into_value()) });
    let found = futures::future::try_join_all(read).await?;
    Ok(found.into_iter().flatten().collect())
}

pub(super) fn application_role(record: Application, shared: &Params, head: &Head) -> ApplicationRole {
    ApplicationRole {
        address: record.address,
        stake: upokt(record.stake.as_ref()),
        services: record
            .service_configs
            .into_iter()
            .map(|config| config.service_id)
            .collect(),
        gateways: record.delegatee_gateway_addresses,
        session_limit: record
            .per_session_spend_limit
            .as_ref()
            .map(|coin| upokt(Some(coin))),
        leaving: leaving(
            record.unstake_session_end_height,
            shared.application_unbonding_period_sessions,
            shared,
            head.height.0,
            head.block_time,
        ),
    }
}

/// An operator, with what the chain has of its supplier.
pub(super) fn operator_role(
    operator: &Address,
    record: Option<Supplier>,
    accounts: &Accounts,
    shared: &Params,
    head: &Head,
) -> OperatorRole {
    let is_here = |address: &str| accounts.all.iter().any(|entry| entry.address.as_str() == address);
    let entry = accounts.all.iter().find(|entry| entry.address == *operator);
    OperatorRole {
        address: operator.to_string(),
        label: entry.map_or(String::new(), |entry| entry.label.clone()),
        is_elsewhere: !accounts.operators.contains(operator),
        supplier: record.map(|record| SupplierRole {
            services: served(&record, head.height.0),
            is_own: is_here(&record.owner_address),
            operator: record.operator_address,
            owner: record.owner_address,
            stake: upokt(record.stake.as_ref()),
            leaving: leaving(
                record.unstake_session_end_height,
                shared.supplier_unbonding_period_sessions,
                shared,
                head.height.0,
                head.block_time,
            ),
        }),
    }
}

/// The services of a supplier that count now or from the next session.
fn served(record: &Supplier, height: u64) -> Vec<StakedService> {
    let shown = |config: &SupplierServiceConfig, from_height: Option<u64>| StakedService {
        service: config.service_id.clone(),
        urls: {
            let mut urls: Vec<String> = config
                .endpoints
                .iter()
                .map(|endpoint| endpoint.url.clone())
                .collect();
            urls.dedup();
            urls
        },
        shares: config
            .rev_share
            .iter()
            .map(|share| RevenueShare {
                address: share.address.clone(),
                percent: share.rev_share_percentage,
            })
            .collect(),
        from_height,
    };
    let mut services: Vec<StakedService> = record.services.iter().map(|config| shown(config, None)).collect();
    for update in &record.service_config_history {
        let Some(config) = update
            .service
            .as_ref()
            .filter(|_| update.deactivation_height == 0)
        else {
            continue;
        };
        let from = u64::try_from(update.activation_height)
            .ok()
            .filter(|from| *from > height);
        match services
            .iter_mut()
            .find(|known| known.service == config.service_id)
        {
            Some(known) if from.is_some() => *known = shown(config, from),
            Some(_) => {}
            None => services.push(shown(config, from)),
        }
    }
    services
}

pub(super) fn leaving(
    until: u64,
    sessions: u64,
    shared: &Params,
    height: u64,
    block_time: Option<Duration>,
) -> Option<Leaving> {
    if until == 0 {
        return None;
    }
    let free = free_height(until, sessions, shared);
    let left = u32::try_from(free.saturating_sub(height)).unwrap_or(u32::MAX);
    Some(Leaving {
        until_height: until,
        free_height: free,
        seconds: block_time.map(|time| time.saturating_mul(left).as_secs()),
    })
}

//! What the accounts of this wallet have staked.

use hearth_chain::Chain;
use hearth_pocket::{Address, message::cosmos::Coin};
use hearth_roles::Role;
use hearth_wallet::{Accounts, Entry};

use super::{chain_error, standing};
use crate::{control::types::Standing, parts::Answer};

/// One stake.
pub(super) struct Stake {
    pub(super) role: Role,
    pub(super) address: Address,
    pub(super) coin: Option<Coin>,
    /// The services that it is for; none of a gateway.
    pub(super) services: Vec<String>,
    pub(super) standing: Standing,
    /// The last block of the role, where the stake is on its way back.
    pub(super) unstakes_at: Option<u64>,
    /// The block in which it is back.
    pub(super) free_at: Option<u64>,
    /// Who gets it back.
    pub(super) owner: String,
    /// Who owns it, where that is another wallet.
    pub(super) foreign_owner: Option<String>,
}

/// Accounts that are looked at, at most: those with a key here, and those that are watched.
const MAX_LOOKED_AT: usize = 16;

/// All of them: of every account with a key here, whatever it is used for now, and what is staked from here for an
/// operator elsewhere that is watched.
pub(super) async fn stakes(chain: &Chain, accounts: &Accounts) -> Answer<Vec<Stake>> {
    // What has a purpose comes first: there may be more accounts than are looked at.
    let mut own: Vec<&Entry> = accounts.all.iter().filter(|entry| !entry.is_watched()).collect();
    own.sort_by_key(|entry| entry.purposes.is_empty());
    own.truncate(MAX_LOOKED_AT);
    let watched = accounts.all.iter().filter(|entry| entry.is_watched());
    let operators = own.iter().copied().chain(watched.take(MAX_LOOKED_AT));
    let suppliers =
        futures::future::try_join_all(operators.map(|entry| of_supplier(chain, accounts, &entry.address)));
    let applications =
        futures::future::try_join_all(own.iter().map(|entry| of_application(chain, &entry.address)));
    let gateways = futures::future::try_join_all(own.iter().map(|entry| of_gateway(chain, &entry.address)));
    let (suppliers, applications, gateways) =
        futures::try_join!(suppliers, applications, gateways).map_err(chain_error)?;
    let all = suppliers.into_iter().chain(applications).chain(gateways);
    let mut stakes: Vec<Stake> = all.flatten().collect();
    // What stays needs no parameters.
    if stakes.iter().any(|stake| stake.unstakes_at.is_some()) {
        let shared = chain.params().await.map_err(chain_error)?.into_value().shared;
        for stake in &mut stakes {
            let sessions = stake.role.unbonding_sessions(&shared);
            stake.free_at = stake
                .unstakes_at
                .map(|end| hearth_roles::free_height(end, sessions, &shared));
        }
    }
    Ok(stakes)
}

async fn of_application(chain: &Chain, address: &Address) -> Result<Option<Stake>, hearth_chain::QueryError> {
    let found = chain.application(address).await?;
    Ok(found.value().as_ref().map(|record| Stake {
        role: Role::Application,
        address: address.clone(),
        owner: address.to_string(),
        foreign_owner: None,
        coin: record.stake.clone(),
        services: record
            .service_configs
            .iter()
            .map(|config| config.service_id.clone())
            .collect(),
        standing: standing(chain, &found),
        unstakes_at: unstakes_at(record.unstake_session_end_height),
        free_at: None,
    }))
}

async fn of_gateway(chain: &Chain, address: &Address) -> Result<Option<Stake>, hearth_chain::QueryError> {
    let found = chain.gateway(address).await?;
    Ok(found.value().as_ref().map(|record| Stake {
        role: Role::Gateway,
        address: address.clone(),
        owner: address.to_string(),
        foreign_owner: None,
        coin: record.stake.clone(),
        services: Vec::new(),
        standing: standing(chain, &found),
        unstakes_at: unstakes_at(record.unstake_session_end_height),
        free_at: None,
    }))
}

fn unstakes_at(height: u64) -> Option<u64> {
    (height > 0).then_some(height)
}

/// The stake of an operator's supplier. What is only watched is nobody's here, unless this wallet owns it.
async fn of_supplier(
    chain: &Chain,
    accounts: &Accounts,
    operator: &Address,
) -> Result<Option<Stake>, hearth_chain::QueryError> {
    let supplier = chain.supplier(operator).await?;
    let Some(record) = supplier.value() else {
        return Ok(None);
    };
    let owner = &record.owner_address;
    let is_own = accounts.owns(owner);
    if !is_own && !accounts.operators.contains(operator) {
        return Ok(None);
    }
    let services = record.services.iter();
    Ok(Some(Stake {
        role: Role::Supplier,
        address: operator.clone(),
        owner: owner.clone(),
        foreign_owner: (!is_own).then(|| owner.clone()),
        coin: record.stake.clone(),
        services: services.map(|config| config.service_id.clone()).collect(),
        standing: standing(chain, &supplier),
        unstakes_at: unstakes_at(record.unstake_session_end_height),
        free_at: None,
    }))
}

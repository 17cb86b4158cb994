//! What the accounts of this wallet have staked.

use hearth_chain::Chain;
use hearth_pocket::{Address, message::cosmos::Coin};
use hearth_wallet::Accounts;

use super::{chain_error, standing};
use crate::{control::types::Standing, parts::Answer};

/// What somebody is on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StakedAs {
    Supplier,
    Application,
    Gateway,
}

/// One stake.
pub(super) struct Stake {
    pub(super) staked_as: StakedAs,
    pub(super) address: Address,
    pub(super) coin: Option<Coin>,
    /// The services that it is for; none of a gateway.
    pub(super) services: Vec<String>,
    pub(super) standing: Standing,
    /// The last block of a stake that is on its way back.
    pub(super) unstakes_at: Option<u64>,
}

/// All of them.
pub(super) async fn stakes(chain: &Chain, accounts: &Accounts) -> Answer<Vec<Stake>> {
    let unstakes_at = |height: u64| (height > 0).then_some(height);
    let supplier = chain.supplier(&accounts.working).await.map_err(chain_error)?;
    let application = chain.application(&accounts.main).await.map_err(chain_error)?;
    let gateway = chain.gateway(&accounts.working).await.map_err(chain_error)?;
    let supplier = supplier.value.as_ref().map(|record| Stake {
        staked_as: StakedAs::Supplier,
        address: accounts.working.clone(),
        coin: record.stake.clone(),
        services: record
            .services
            .iter()
            .map(|config| config.service_id.clone())
            .collect(),
        standing: standing(chain, &supplier),
        unstakes_at: unstakes_at(record.unstake_session_end_height),
    });
    let application = application.value.as_ref().map(|record| Stake {
        staked_as: StakedAs::Application,
        address: accounts.main.clone(),
        coin: record.stake.clone(),
        services: record
            .service_configs
            .iter()
            .map(|config| config.service_id.clone())
            .collect(),
        standing: standing(chain, &application),
        unstakes_at: unstakes_at(record.unstake_session_end_height),
    });
    let gateway = gateway.value.as_ref().map(|record| Stake {
        staked_as: StakedAs::Gateway,
        address: accounts.working.clone(),
        coin: record.stake.clone(),
        services: Vec::new(),
        standing: standing(chain, &gateway),
        unstakes_at: unstakes_at(record.unstake_session_end_height),
    });
    Ok([supplier, application, gateway].into_iter().flatten().collect())
}

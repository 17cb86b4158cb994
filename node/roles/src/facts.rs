//! What has to be known before a role is changed.

use std::{collections::BTreeMap, time::Duration};

use hearth_base::{Amount, Height, ServiceId};
use hearth_chain::{Chain, Params, QueryError};
use hearth_pocket::{
    address::Address,
    message::{
        application::Application,
        gateway::Gateway,
        shared::{Service, Supplier},
    },
    session::Timing,
};
use hearth_wallet::Accounts;
use tokio::try_join;

use crate::order::Order;

/// The state of the chain, as far as it concerns an order.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Owner of the stakes.
    pub main: Address,
    /// Operator of the supplier, and own gateway.
    pub working: Address,
    pub params: Params,
    pub supplier: Option<Supplier>,
    pub application: Option<Application>,
    pub gateway: Option<Gateway>,
    /// The gateway that the order names, else the own one.
    pub named_gateway: Option<Gateway>,
    /// The services that the order names.
    pub services: BTreeMap<ServiceId, Service>,
    pub main_balance: Amount,
    pub working_balance: Amount,
    pub height: Height,
    pub block_time: Option<Duration>,
    /// Whether everybody of this network is on this computer.
    pub is_devnet: bool,
}

impl Facts {
    /// Reads them.
    ///
    /// # Errors
    /// The chain gives no answer.
    pub async fn read(
        chain: &Chain,
        accounts: &Accounts,
        order: &Order,
        is_devnet: bool,
    ) -> Result<Facts, QueryError> {
        let (main, working) = (&accounts.main, &accounts.working);
        let (params, supplier, application, gateway, main_balance, working_balance) = try_join!(
            chain.params(),
            chain.supplier(working),
            chain.application(main),
            chain.gateway(working),
            chain.balance(main),
            chain.balance(working),
        )?;
        let named_gateway = match order.named_gateway() {
            Some(named) => chain.gateway(named).await?.value,
            None => gateway.value.clone(),
        };
        let mut services = BTreeMap::new();
        for id in order.services() {
            if let Some(service) = chain.service(&id).await?.value {
                services.insert(id, service);
            }
        }
        let head = chain.head().borrow().clone();
        Ok(Facts {
            main: main.clone(),
            working: working.clone(),
            params: params.value,
            supplier: supplier.value,
            application: application.value,
            gateway: gateway.value,
            named_gateway,
            services,
            main_balance: main_balance.value,
            working_balance: working_balance.value,
            height: head.height,
            block_time: head.block_time,
            is_devnet,
        })
    }

    /// The last block of the session that runs.
    pub(crate) fn session_end(&self) -> u64 {
        Timing::from(&self.params.shared).bounds_at(self.height).end.0
    }

    /// How long so many sessions take, where blocks come regularly.
    pub(crate) fn seconds(&self, blocks: u64) -> Option<u64> {
        Some(self.block_time?.as_secs_f64() * blocks as f64).map(|seconds| seconds as u64)
    }
}

impl Order {
    /// The gateway that it names.
    pub(crate) fn named_gateway(&self) -> Option<&Address> {
        match self {
            Order::Delegate(named) | Order::Undelegate(named) => named.as_ref(),
            Order::Supplier { .. }
            | Order::Application { .. }
            | Order::Gateway { .. }
            | Order::Unstake(_)
            | Order::Service { .. } => None,
        }
    }

    /// The services that it names.
    pub(crate) fn services(&self) -> Vec<ServiceId> {
        match self {
            Order::Supplier { services, .. } => services.iter().map(|offer| offer.service.clone()).collect(),
            Order::Application { service, .. } => vec![service.clone()],
            Order::Service { id, .. } => vec![id.clone()],
            Order::Gateway { .. } | Order::Unstake(_) | Order::Delegate(_) | Order::Undelegate(_) => {
                Vec::new()
            }
        }
    }
}

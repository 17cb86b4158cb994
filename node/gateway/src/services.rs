//! The models of the network: services on chain, with what an answer costs and whether it can be had.

use hearth_base::{Amount, ServiceId};
use hearth_pocket::{Address, message::application::Application};

use crate::{error::Error, inner::Inner, network::Terms};

/// Why a service cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// There is no wallet, so no gateway key.
    NoKey,
    /// No application is staked for it and delegated to this gateway.
    NoApplication,
    /// The stake of its application is at the minimum: one answer would unbond it.
    OutOfStake,
    /// Nobody serves it in the current session.
    NoSupplier,
}

/// A model of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkModel {
    pub service: ServiceId,
    /// The name in `/v1`: `pocket/<service>`.
    pub model: String,
    pub title: String,
    /// What one answer costs, whatever its length; computed from the chain.
    pub price: Amount,
    /// Who would pay.
    pub application: Option<Address>,
    /// Suppliers in the current session, where there is somebody to pay them and the chain says.
    pub suppliers: Option<usize>,
    pub unavailable: Option<Unavailable>,
}

/// All services, those that can be asked first.
pub(crate) async fn list(inner: &Inner) -> Result<Vec<NetworkModel>, Error> {
    let signer = inner.keys.signer();
    let applications = match &signer {
        Some(signer) => inner.sessions.applications(signer.address()).await?,
        None => Vec::new(),
    };
    let height = inner.network.height();
    let mut models = Vec::new();
    let mut common: Option<Terms> = None;
    for service in inner.network.services().await? {
        let id = ServiceId::new(&service.id);
        let serves = |application: &&Application| {
            application.unstake_session_end_height == 0
                && application
                    .service_configs
                    .iter()
                    .any(|config| config.service_id == service.id)
                && signer.as_ref().is_some_and(|signer| {
                    application
                        .delegatee_gateway_addresses
                        .iter()
                        .any(|a| a == signer.address().as_str())
                })
        };
        let stake = |application: &Application| {
            application
                .stake
                .as_ref()
                .and_then(|stake| stake.to_amount())
                .unwrap_or_default()
        };
        let payer = applications
            .iter()
            .filter(serves)
            .max_by_key(|application| stake(application));
        // Only what can be bought is priced exactly; of the rest there may be hundreds.
        let terms = match (&payer, common) {
            (None, Some(common)) => Terms {
                compute_units_per_relay: service.compute_units_per_relay,
                ..common
            },
            (None, None) | (Some(_), _) => inner.network.terms(&id, height).await?,
        };
        common = Some(terms);
        let price = terms.price();
        let spare = payer.map(|application| {
            stake(application)
                .upokt()
                .saturating_sub(terms.min_application_stake)
        });
        let suppliers = match (&signer, payer) {
            (Some(signer), Some(_)) => {
                let (gateway, key) = (signer.address(), signer.public_key());
                inner.sessions.n_suppliers(&id, gateway, key).await.ok()
            }
            (None, _) | (_, None) => None,
        };
        let unavailable = match (&signer, spare) {
            (None, _) => Some(Unavailable::NoKey),
            (Some(_), None) => Some(Unavailable::NoApplication),
            (Some(_), Some(spare)) if spare < price.upokt() => Some(Unavailable::OutOfStake),
            (Some(_), Some(_)) if suppliers == Some(0) => Some(Unavailable::NoSupplier),
            (Some(_), Some(_)) => None,
        };
        models.push(NetworkModel {
            model: format!("pocket/{id}"),
            title: if service.name.is_empty() {
                service.id.clone()
            } else {
                service.name.clone()
            },
            price,
            application: payer.and_then(|application| Address::parse(&application.address).ok()),
            suppliers,
            unavailable,
            service: id,
        });
    }
    models.sort_by(|a, b| {
        (a.unavailable.is_some(), a.service.as_str()).cmp(&(b.unavailable.is_some(), b.service.as_str()))
    });
    Ok(models)
}

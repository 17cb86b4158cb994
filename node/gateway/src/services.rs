//! The models of the network: services on chain, with what an answer costs and whether it can be had.

use hearth_base::{Amount, Height, ServiceId};
use hearth_pocket::{Address, message::application::Application};

use crate::{chain_queries::RelayTerms, error::Error, inner::Inner, session::StakeMargin};

/// Why a service cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// There is no wallet, so no gateway key.
    NoKey,
    /// No application is staked for it and delegated to this gateway.
    NoApplication,
    /// The stake of its application is at the minimum: one answer would unbond it.
    OutOfStake,
    /// One answer more would cost more than a day may.
    DailyCap,
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
    let state_height = inner.sessions.state_height();
    let applications = match &signer {
        Some(signer) => inner.sessions.applications(signer.address()).await?,
        None => Vec::new(),
    };
    let height = inner.chain.height();
    let budget = inner.spending.budget().await?;
    let left_today = budget
        .daily_cap
        .upokt()
        .saturating_sub(budget.spent_today.upokt());
    let mut models = Vec::new();
    let mut common: Option<RelayTerms> = None;
    for service in inner.chain.services().await? {
        let id = ServiceId::new(&service.id);
        let payer = signer
            .as_ref()
            .and_then(|signer| payer(&applications, &id, signer.address()));
        // Only what can be bought is priced exactly; of the rest there may be hundreds.
        let terms = match (payer, common) {
            (None, Some(common)) => RelayTerms {
                compute_units_per_relay: service.compute_units_per_relay,
                ..common
            },
            (None, None) | (Some(_), _) => inner.chain.terms(&id, height).await?,
        };
        common = Some(terms);
        let suppliers = match (&signer, payer) {
            (Some(signer), Some(_)) => {
                let (gateway, key) = (signer.address(), signer.public_key());
                inner.sessions.n_suppliers(&id, gateway, key).await.ok()
            }
            (None, _) | (_, None) => None,
        };
        let margin = match payer {
            Some(payer) => left(inner, payer, &terms, state_height).await?,
            None => 0,
        };
        models.push(NetworkModel {
            model: format!("pocket/{id}"),
            title: if service.name.is_empty() {
                service.id.clone()
            } else {
                service.name.clone()
            },
            price: terms.price(),
            application: payer.and_then(|application| Address::parse(&application.address).ok()),
            suppliers,
            unavailable: unavailable(signer.is_some(), payer, (margin, left_today), &terms, suppliers),
            service: id,
        });
    }
    models.sort_by(|a, b| {
        (a.unavailable.is_some(), a.service.as_str()).cmp(&(b.unavailable.is_some(), b.service.as_str()))
    });
    Ok(models)
}

fn stake(application: &Application) -> Amount {
    let stake = application.stake.as_ref();
    stake.and_then(|stake| stake.to_amount()).unwrap_or_default()
}

/// The richest application that is staked for a service, delegated to this gateway and not leaving.
fn payer<'a>(
    applications: &'a [Application],
    service: &ServiceId,
    gateway: &Address,
) -> Option<&'a Application> {
    let pays = |application: &&Application| {
        let mut services = application.service_configs.iter();
        let mut gateways = application.delegatee_gateway_addresses.iter();
        application.unstake_session_end_height == 0
            && services.any(|config| config.service_id == service.as_str())
            && gateways.any(|address| address == gateway.as_str())
    };
    applications
        .iter()
        .filter(pays)
        .max_by_key(|application| stake(application))
}

/// What an application can still spend: its stake above the minimum, less what suppliers may claim of it.
async fn left(inner: &Inner, payer: &Application, terms: &RelayTerms, at: Height) -> Result<u128, Error> {
    let margin = StakeMargin::of(payer, terms, at);
    let unsettled = inner.spending.unsettled(&payer.address, margin.at).await?;
    Ok(margin.upokt.saturating_sub(unsettled))
}

fn unavailable(
    has_key: bool,
    payer: Option<&Application>,
    (margin, left_today): (u128, u128),
    terms: &RelayTerms,
    suppliers: Option<usize>,
) -> Option<Unavailable> {
    if !has_key {
        return Some(Unavailable::NoKey);
    }
    if payer.is_none() {
        return Some(Unavailable::NoApplication);
    }
    if margin < terms.price().upokt() {
        return Some(Unavailable::OutOfStake);
    }
    if left_today < terms.price().upokt() {
        return Some(Unavailable::DailyCap);
    }
    (suppliers == Some(0)).then_some(Unavailable::NoSupplier)
}

//! The models of the network: services on chain, with what an answer costs and whether it can be had.

use hearth_base::{Amount, ServiceId};
use hearth_chain::Proven;
use hearth_pocket::{Address, message::application::Application};

use crate::{
    chain_queries::RelayTerms,
    error::Error,
    inner::Inner,
    payers::{Payer, Signers},
    session::StakeMargin,
};

/// Why a service cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// There is no wallet, so no gateway key.
    NoKey,
    /// No application is staked for it that this node may sign for.
    NoApplication,
    /// An own application is staked for it, but has not delegated to this node and may not sign for itself.
    NotDelegated,
    /// An own application would sign for itself, and so could anybody.
    Unguarded,
    /// The application that would pay is on its way out.
    Leaving,
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
    /// It would sign for itself: suppliers then know whose questions they are.
    pub is_direct: bool,
    /// Suppliers in the current session, where there is somebody to pay them and the chain says.
    pub suppliers: Option<usize>,
    pub unavailable: Option<Unavailable>,
}

/// All services, those that can be asked first.
pub(crate) async fn list(inner: &Inner) -> Result<Vec<NetworkModel>, Error> {
    let signers = inner.signers();
    let applications = inner.sessions.applications(&signers).await?;
    let height = inner.chain.height();
    let budget = inner.spending.budget().await?;
    let left_today = budget
        .daily_cap
        .upokt()
        .saturating_sub(budget.spent_today.upokt());
    let mut models = Vec::new();
    let mut common: Option<RelayTerms> = None;
    for service in inner.chain.services().await?.value {
        let id = ServiceId::new(&service.id);
        let payers = signers.payers(&applications, &id);
        // Only what can be bought is priced exactly; of the rest there may be hundreds.
        let (terms, payer, margin) = match (payers.as_slice(), common) {
            ([], Some(common)) => {
                let compute_units_per_relay = service.compute_units_per_relay;
                let terms = RelayTerms {
                    compute_units_per_relay,
                    ..common
                };
                (terms, None, 0)
            }
            ([], None) => (inner.chain.terms(&id, height).await?.into_value(), None, 0),
            ([..], _) => {
                let terms = inner.chain.terms(&id, height).await?;
                let (payer, margin) = first_that_pays(inner, &payers, &terms).await?;
                (terms.into_value(), payer, margin)
            }
        };
        common = Some(terms);
        let suppliers = match payer {
            Some(_) => inner.sessions.n_suppliers(&id, &signers).await.ok(),
            None => None,
        };
        models.push(NetworkModel {
            model: format!("pocket/{id}"),
            title: if service.name.is_empty() {
                service.id.clone()
            } else {
                service.name.clone()
            },
            price: terms.price(),
            application: payer.and_then(|payer| Address::parse(&payer.application.value().address).ok()),
            is_direct: payer.is_some_and(|payer| payer.is_direct),
            suppliers,
            unavailable: match payer {
                Some(_) => unavailable((margin, left_today), &terms, suppliers),
                None => Some(nobody(&signers, &applications, &id)),
            },
            service: id,
        });
    }
    models.sort_by(|a, b| {
        (a.unavailable.is_some(), a.service.as_str()).cmp(&(b.unavailable.is_some(), b.service.as_str()))
    });
    Ok(models)
}

/// The application that would pay for one more answer, with what it can spend: the first whose stake is not used up,
/// else the first of all.
async fn first_that_pays<'a>(
    inner: &Inner,
    payers: &'a [Payer],
    terms: &Proven<RelayTerms>,
) -> Result<(Option<&'a Payer>, u128), Error> {
    for payer in payers {
        let left = left(inner, &payer.application, terms).await?;
        if left >= terms.value().price().upokt() {
            return Ok((Some(payer), left));
        }
    }
    Ok((payers.first(), 0))
}

/// What an application can still spend: its stake above the minimum, less what suppliers may claim of it.
async fn left(inner: &Inner, payer: &Proven<Application>, terms: &Proven<RelayTerms>) -> Result<u128, Error> {
    let margin = StakeMargin::of(payer, terms);
    let unsettled = inner
        .spending
        .unsettled(&payer.value().address, margin.at)
        .await?;
    Ok(margin.upokt.saturating_sub(unsettled))
}

/// Why nobody pays for it.
fn nobody(signers: &Signers, applications: &[Proven<Application>], service: &ServiceId) -> Unavailable {
    let why = signers.nobody(applications, service);
    if matches!(why, Error::NotDelegated { .. } | Error::DirectOff { .. }) {
        Unavailable::NotDelegated
    } else if matches!(why, Error::Unguarded { .. }) {
        Unavailable::Unguarded
    } else if matches!(why, Error::Leaving { .. }) {
        Unavailable::Leaving
    } else if signers.is_empty() {
        Unavailable::NoKey
    } else {
        Unavailable::NoApplication
    }
}

fn unavailable(
    (margin, left_today): (u128, u128),
    terms: &RelayTerms,
    suppliers: Option<usize>,
) -> Option<Unavailable> {
    if margin < terms.price().upokt() {
        return Some(Unavailable::OutOfStake);
    }
    if left_today < terms.price().upokt() {
        return Some(Unavailable::DailyCap);
    }
    (suppliers == Some(0)).then_some(Unavailable::NoSupplier)
}

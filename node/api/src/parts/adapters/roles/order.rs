//! Orders as they come in, for the roles.

use hearth_base::ServiceId;
use hearth_pocket::{
    Address,
    message::{Any, migration::MorseClaim},
};
use hearth_roles::{Error, Offer, Order, Role, RoleError, ServiceOrder, Share};
use hearth_wallet::Wallet;
use url::Url;

use super::{super::address, refused};
use crate::{
    control::types::{RevenueShare, RoleName, RoleOrder, ServiceOffer},
    error::ApiError,
    parts::Answer,
};

/// An operator by its label, address or number; one whose key is elsewhere by its address.
pub(super) fn operator(named: Option<&str>, wallet: &Wallet) -> Answer<Option<Address>> {
    let Some(named) = named else { return Ok(None) };
    match (wallet.find(named), named.trim().parse()) {
        (Ok(entry), _) => Ok(Some(entry.address)),
        (Err(hearth_wallet::Error::NoEntry(_)), Ok(address)) => Ok(Some(address)),
        (Err(error), _) => Err(error.into()),
    }
}

/// A claim that a former key has signed.
fn signed_claim(claim: &serde_json::Value) -> Answer<Box<MorseClaim>> {
    let wrong = |why: String| {
        let text = format!("this is no claim of Morse: {why}");
        ApiError::refused("morse_claim_wrong", text)
            .remedy("Have the Morse key sign it again. Nothing was sent.")
    };
    let message: Any = serde_json::from_value(claim.clone()).map_err(|error| wrong(error.to_string()))?;
    let claim = MorseClaim::of(&message).ok_or_else(|| wrong(message.type_url.clone()))?;
    claim.map(Box::new).map_err(|error| wrong(error.to_string()))
}

/// Reads an order.
pub(super) fn read(order: &RoleOrder, wallet: &Wallet) -> Answer<Order> {
    Ok(match order {
        RoleOrder::StakeSupplier {
            operator: named,
            stake,
            services,
        } => Order::Supplier {
            operator: operator(named.as_deref(), wallet)?,
            stake: stake.map(|stake| stake.0),
            services: services.iter().map(offer).collect::<Answer<Vec<_>>>()?,
        },
        RoleOrder::EditSupplier {
            operator: named,
            stake,
            services,
            dropped,
        } => Order::EditSupplier {
            operator: operator(named.as_deref(), wallet)?,
            stake: stake.map(|stake| stake.0),
            services: services.iter().map(offer).collect::<Answer<Vec<_>>>()?,
            dropped: dropped.iter().map(|id| ServiceId::new(id.trim())).collect(),
        },
        RoleOrder::StakeApplication {
            stake,
            service,
            session_limit,
        } => Order::Application {
            stake: stake.0,
            service: ServiceId::new(service.trim()),
            session_limit: session_limit.map(|limit| limit.0),
        },
        RoleOrder::StakeGateway { stake } => Order::Gateway { stake: stake.0 },
        RoleOrder::Unstake {
            role,
            operator: named,
        } => Order::Unstake {
            role: match role {
                RoleName::Supplier => Role::Supplier,
                RoleName::Application => Role::Application,
                RoleName::Gateway => Role::Gateway,
            },
            operator: operator(named.as_deref(), wallet)?,
        },
        RoleOrder::ClaimMorse { claim } => Order::Morse(signed_claim(claim)?),
        RoleOrder::Delegate { gateway } => Order::Delegate(gateway.as_deref().map(address).transpose()?),
        RoleOrder::Undelegate { gateway } => Order::Undelegate(gateway.as_deref().map(address).transpose()?),
        RoleOrder::Service {
            id,
            name,
            compute_units,
            card,
            is_edit,
        } => Order::Service(ServiceOrder {
            id: ServiceId::new(id.trim()),
            name: name.as_ref().map(|name| name.trim().to_owned()),
            compute_units: *compute_units,
            card: card.as_ref().map(|card| card.to_string().into_bytes()),
            is_edit: *is_edit,
        }),
    })
}

pub(super) fn offer(offer: &ServiceOffer) -> Answer<Offer> {
    let url = Url::parse(offer.url.trim()).map_err(|error| {
        let url = offer.url.clone();
        tracing::debug!(%error, "an address that is none");
        refused(Error::Role(RoleError::Url {
            url,
            why: "it is not written as one",
        }))
    })?;
    let share = |share: &RevenueShare| {
        Ok(Share {
            address: address(&share.address)?,
            percent: share.percent,
        })
    };
    Ok(Offer {
        service: ServiceId::new(offer.service.trim()),
        url,
        shares: offer.shares.iter().map(share).collect::<Answer<Vec<_>>>()?,
    })
}

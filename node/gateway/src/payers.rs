//! Who pays, and whose key signs for it: the gateway that an application has delegated to, or, where the owner allows
//! it, the application itself.

use std::sync::Arc;

use hearth_base::{Amount, ServiceId};
use hearth_chain::Proven;
use hearth_pocket::{Address, Signer, message::application::Application, ring::ExpectedRing};
use hearth_wallet::{Purpose, Wallet};

use crate::{chain_queries::delegates_to, error::Error};

/// Whose keys sign: the wallet's, which may not be there yet.
pub trait Keys: Send + Sync + 'static {
    /// The gateway's signer; `None` while there is none.
    fn signer(&self) -> Option<Arc<dyn Signer>>;

    /// The signers of this node's own applications.
    fn applications(&self) -> Vec<Arc<dyn Signer>> {
        Vec::new()
    }
}

impl Keys for Wallet {
    fn signer(&self) -> Option<Arc<dyn Signer>> {
        let handle = Wallet::signer(self, Purpose::Gateway).ok()?;
        Some(Arc::new(handle))
    }

    fn applications(&self) -> Vec<Arc<dyn Signer>> {
        let own = Wallet::signer(self, Purpose::Application).ok();
        own.map(|handle| Arc::new(handle) as Arc<dyn Signer>)
            .into_iter()
            .collect()
    }
}

/// The keys at hand.
#[derive(Clone)]
pub(crate) struct Signers {
    pub(crate) gateway: Option<Arc<dyn Signer>>,
    pub(crate) applications: Vec<Arc<dyn Signer>>,
    /// Whether applications may sign for themselves.
    direct: bool,
}

impl Signers {
    pub(crate) fn of(keys: &dyn Keys, direct: bool) -> Signers {
        Signers {
            gateway: keys.signer(),
            applications: keys.applications(),
            direct,
        }
    }

    /// There is no wallet yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.gateway.is_none() && self.applications.is_empty()
    }

    /// Whose they are: sessions are held for these.
    pub(crate) fn addresses(&self) -> Vec<Address> {
        let all = self.gateway.iter().chain(&self.applications);
        all.map(|signer| signer.address().clone()).collect()
    }

    fn own(&self, application: &Application) -> Option<&Arc<dyn Signer>> {
        let mut own = self.applications.iter();
        own.find(|signer| signer.address().as_str() == application.address)
    }

    /// The applications that may pay for a service, those that a gateway signs for first and then the richest, so that
    /// small stakes are not brought below their minimum.
    pub(crate) fn payers(&self, applications: &[Proven<Application>], service: &ServiceId) -> Vec<Payer> {
        let staked = applications
            .iter()
            .filter(|&application| is_staked(application.value(), service));
        let mut payers: Vec<Payer> = staked.filter_map(|application| self.payer(application)).collect();
        payers.sort_by_key(|payer| {
            (
                payer.is_direct,
                std::cmp::Reverse(stake(payer.application.value())),
            )
        });
        payers
    }

    fn payer(&self, application: &Proven<Application>) -> Option<Payer> {
        let delegated = self
            .gateway
            .as_ref()
            .filter(|gateway| delegates_to(application.value(), gateway.address()));
        let direct = || {
            self.own(application.value())
                .filter(|_| self.direct && is_guarded(application.value()))
        };
        let signer = Arc::clone(delegated.or_else(direct)?);
        Some(Payer {
            application: application.clone(),
            is_direct: delegated.is_none(),
            signer,
        })
    }

    /// The application that would pay for a service if it were not on its way out.
    fn leaving(&self, applications: &[Proven<Application>], service: &ServiceId) -> Option<Address> {
        let mut leaving = applications
            .iter()
            .map(Proven::value)
            .filter(|application| application.unstake_session_end_height > 0 && asks(application, service));
        let one = leaving.find(|application| {
            let gateway = self.gateway.as_ref();
            self.own(application).is_some()
                || gateway.is_some_and(|gateway| delegates_to(application, gateway.address()))
        })?;
        Address::parse(&one.address).ok()
    }

    /// Why nobody pays for a service that exists.
    pub(crate) fn nobody(&self, applications: &[Proven<Application>], service: &ServiceId) -> Error {
        let own = applications.iter().find(|application| {
            is_staked(application.value(), service) && self.own(application.value()).is_some()
        });
        let own = own.and_then(|own| Address::parse(&own.value().address).ok());
        match (own, &self.gateway) {
            (Some(application), _) if self.direct => Error::Unguarded { application },
            (Some(application), Some(gateway)) => Error::NotDelegated {
                application,
                gateway: gateway.address().clone(),
            },
            (Some(application), None) => Error::DirectOff { application },
            (None, _) if let Some(application) = self.leaving(applications, service) => {
                Error::Leaving { application }
            }
            (None, Some(gateway)) => Error::NoApplication {
                service: service.clone(),
                gateway: gateway.address().clone(),
            },
            (None, None) => Error::NoKey,
        }
    }
}

/// An application that pays, and who signs for it.
#[derive(Clone)]
pub(crate) struct Payer {
    pub(crate) application: Proven<Application>,
    pub(crate) signer: Arc<dyn Signer>,
    /// It signs for itself.
    pub(crate) is_direct: bool,
}

/// Staked for a service and not leaving.
fn is_staked(application: &Application, service: &ServiceId) -> bool {
    application.unstake_session_end_height == 0 && asks(application, service)
}

fn asks(application: &Application, service: &ServiceId) -> bool {
    let mut services = application.service_configs.iter();
    services.any(|config| config.service_id == service.as_str())
}

/// Whether not anybody can spend all of its stake: the key that completes the ring of an application without gateways
/// is public.
fn is_guarded(application: &Application) -> bool {
    let has_limit = application
        .per_session_spend_limit
        .as_ref()
        .and_then(|limit| limit.to_amount())
        .is_some_and(|limit| limit > Amount::ZERO);
    has_limit || !ExpectedRing::of(application, u64::MAX).placeholder
}

pub(crate) fn stake(application: &Application) -> Amount {
    let stake = application.stake.as_ref();
    stake.and_then(|stake| stake.to_amount()).unwrap_or_default()
}

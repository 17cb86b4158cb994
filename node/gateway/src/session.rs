//! Sessions: who pays, who may be asked, under which ring; kept until they end and rolled over to the next.

use std::{collections::BTreeMap, sync::Arc};

use futures::stream::{self, StreamExt};
use hearth_base::{Amount, Height, ServiceId, SessionId};
use hearth_outbound::is_public;
use hearth_pocket::{
    Address, PublicKey, Ring,
    difficulty::BASE_TARGET,
    message::{
        application::Application,
        session::SessionHeader,
        shared::{RpcType, Supplier},
    },
    settlement::Price,
};
use parking_lot::{Mutex, MutexGuard};
use url::Url;

use crate::{
    chain_queries::{ChainQueries, RelayTerms},
    error::Error,
};

/// Public keys of suppliers that are asked for at once.
const KEYS_AT_ONCE: usize = 8;
/// How far behind the newest header the state may be that an endpoint proves: one block by nature, one for luck.
const STATE_BEHIND: u64 = 2;

/// A supplier that may be asked.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) operator: String,
    pub(crate) url: Url,
    pub(crate) rpc_type: RpcType,
    pub(crate) key: PublicKey,
}

/// A session with everything that a relay of it needs.
#[derive(Debug)]
pub(crate) struct RelaySession {
    pub(crate) header: SessionHeader,
    pub(crate) application: Address,
    /// The ring of the former session where its members are the same, since its tables are dear to build.
    pub(crate) ring: Arc<Ring>,
    pub(crate) candidates: Vec<Candidate>,
    /// What one relay costs the application.
    pub(crate) price: Amount,
    pub(crate) start: Height,
    pub(crate) end: Height,
    /// The last height at which its relays are taken.
    pub(crate) last: Height,
    pub(crate) id: SessionId,
    /// The block whose end settles it.
    pub(crate) settled_at: Height,
    margin: Mutex<StakeMargin>,
}

/// What an application's stake has above the minimum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StakeMargin {
    pub(crate) upokt: u128,
    /// After which block, at the least.
    pub(crate) at: Height,
}

impl StakeMargin {
    pub(crate) fn of(application: &Application, terms: &RelayTerms, at: Height) -> StakeMargin {
        let stake = application.stake.as_ref().and_then(|stake| stake.to_amount());
        let stake = stake.unwrap_or_default().upokt();
        StakeMargin {
            upokt: stake.saturating_sub(terms.min_application_stake),
            at,
        }
    }
}

impl RelaySession {
    /// What the application's stake had above the minimum when it was last read.
    pub(crate) fn margin(&self) -> StakeMargin {
        *self.margin.lock()
    }
}

/// The current session of a service and the one before it.
#[derive(Debug, Default)]
struct CachedSessions {
    current: Option<Arc<RelaySession>>,
    previous: Option<Arc<RelaySession>>,
    /// The height of the last use.
    used: Height,
}

type Slot = Arc<tokio::sync::Mutex<CachedSessions>>;

/// All sessions.
pub(crate) struct SessionCache {
    chain: Arc<dyn ChainQueries>,
    applications: Vec<Address>,
    allow_local_endpoints: bool,
    slots: Mutex<BTreeMap<ServiceId, Slot>>,
    /// Keys of accounts never change.
    keys: Mutex<BTreeMap<String, [u8; 33]>>,
}

impl SessionCache {
    pub(crate) fn new(
        chain: Arc<dyn ChainQueries>,
        applications: Vec<Address>,
        allow_local_endpoints: bool,
    ) -> SessionCache {
        SessionCache {
            chain,
            applications,
            allow_local_endpoints,
            slots: Mutex::default(),
            keys: Mutex::default(),
        }
    }

    /// The session for a new relay, which is then in use and rolls over.
    pub(crate) async fn current(
        &self,
        service: &ServiceId,
        gateway: &Address,
        gateway_key: [u8; 33],
    ) -> Result<Arc<RelaySession>, Error> {
        self.slot(service).lock().await.used = self.chain.height();
        self.held(service, gateway, gateway_key).await
    }

    /// How many suppliers may be asked in the current session.
    pub(crate) async fn n_suppliers(
        &self,
        service: &ServiceId,
        gateway: &Address,
        gateway_key: [u8; 33],
    ) -> Result<usize, Error> {
        match self.held(service, gateway, gateway_key).await {
            Ok(session) => Ok(session.candidates.len()),
            Err(Error::NoSupplier { .. }) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// The current session, fetched where it is not here. While the next one cannot be had yet, the old one serves
    /// through its grace period.
    async fn held(
        &self,
        service: &ServiceId,
        gateway: &Address,
        gateway_key: [u8; 33],
    ) -> Result<Arc<RelaySession>, Error> {
        let slot = self.slot(service);
        // Held while the session is fetched, so that many requests at once ask the chain once.
        let mut kept = slot.lock().await;
        let height = self.chain.height();
        if height == Height(0) {
            return Err(Error::NoHead);
        }
        if let Some(session) = kept.current.as_ref().filter(|session| height <= session.end) {
            return Ok(Arc::clone(session));
        }
        let former = kept.current.as_ref().map(|session| Arc::clone(&session.ring));
        match self.build(service, gateway, gateway_key, height, former).await {
            Ok(session) => {
                let session = Arc::new(session);
                kept.previous = kept.current.replace(Arc::clone(&session));
                Ok(session)
            }
            Err(error) => match kept.current.as_ref().filter(|session| height <= session.last) {
                Some(session) => {
                    tracing::warn!(%service, %error, "the next session cannot be had yet; the old one serves on");
                    Ok(Arc::clone(session))
                }
                None => {
                    // Anybody may ask for any name: one that is no service leaves nothing behind.
                    if matches!(error, Error::UnknownService { .. }) {
                        self.slots.lock().remove(service);
                    }
                    Err(error)
                }
            },
        }
    }

    /// The session to try after a supplier said that it is in another one: a supplier whose chain is a block behind
    /// still takes the former session; else ours may be wrong and is fetched again.
    pub(crate) async fn after_mismatch(
        &self,
        service: &ServiceId,
        refused: &RelaySession,
    ) -> Option<Arc<RelaySession>> {
        let slot = self.slot(service);
        let mut kept = slot.lock().await;
        let height = self.chain.height();
        let previous = kept.previous.clone().filter(|previous| {
            height <= previous.last && previous.header.session_id != refused.header.session_id
        });
        if previous.is_none()
            && kept
                .current
                .as_ref()
                .is_some_and(|current| current.header.session_id == refused.header.session_id)
        {
            kept.current = None;
        }
        previous
    }

    /// Fetches the next session of every service that was used of late and whose session has ended, so that nobody
    /// waits for it.
    pub(crate) async fn roll_over(&self, gateway: &Address, gateway_key: [u8; 33], height: Height) {
        let slots = self.slots.lock().clone();
        for (service, slot) in slots {
            let ended = {
                let kept = slot.lock().await;
                kept.current.as_ref().is_some_and(|session| {
                    let length = session.end.since(session.start) + 1;
                    height > session.end && height.since(kept.used) <= 2 * length
                })
            };
            if !ended {
                continue;
            }
            if let Err(error) = self.held(&service, gateway, gateway_key).await {
                tracing::info!(%service, %error, "the next session cannot be had yet");
            }
        }
    }

    /// Reads the stake behind a session again. Says whether it can have changed since it was last read.
    pub(crate) async fn read_stake(
        &self,
        service: &ServiceId,
        session: &RelaySession,
    ) -> Result<bool, Error> {
        let at = self.state_height();
        if at <= session.margin().at {
            return Ok(false);
        }
        let Some(application) = self.chain.application(&session.application).await? else {
            return Ok(false);
        };
        let terms = self.chain.terms(service, session.start).await?;
        *session.margin.lock() = StakeMargin::of(&application, &terms, at);
        Ok(true)
    }

    /// The state that is read now is that of this block, or a later one.
    pub(crate) fn state_height(&self) -> Height {
        Height(self.chain.height().0.saturating_sub(STATE_BEHIND))
    }

    /// Forgets all sessions: another key signs now.
    pub(crate) fn forget(&self) {
        self.slots.lock().clear();
    }

    /// The sessions that are held and have not ended, with the services they are for.
    pub(crate) async fn all(&self) -> Vec<(ServiceId, Arc<RelaySession>)> {
        let slots = self.slots.lock().clone();
        let height = self.chain.height();
        let mut sessions = Vec::new();
        for (service, slot) in slots {
            let current = slot.lock().await.current.clone();
            if let Some(session) = current.filter(|session| height <= session.end) {
                sessions.push((service, session));
            }
        }
        sessions
    }

    /// The applications that this gateway may sign for: those that the chain lists and those of the configuration.
    pub(crate) async fn applications(&self, gateway: &Address) -> Result<Vec<Application>, Error> {
        let mut found = self.chain.applications_of(gateway).await?;
        for address in &self.applications {
            if found
                .iter()
                .all(|application| application.address != address.as_str())
            {
                found.extend(self.chain.application(address).await?);
            }
        }
        Ok(found)
    }

    async fn build(
        &self,
        service: &ServiceId,
        gateway: &Address,
        gateway_key: [u8; 33],
        height: Height,
        former_ring: Option<Arc<Ring>>,
    ) -> Result<RelaySession, Error> {
        let state_height = self.state_height();
        let application = self.payer(service, gateway).await?;
        let address = Address::parse(&application.address).map_err(|_| Error::NoApplication {
            service: service.clone(),
            gateway: gateway.clone(),
        })?;
        let no_key = || Error::NoApplicationKey {
            application: address.clone(),
        };
        let application_key = self.key(&address).await?.ok_or_else(no_key)?;
        let members = [application_key, gateway_key];
        let ring = match former_ring.filter(|ring| ring.keys().eq(&members)) {
            Some(ring) => ring,
            None => Arc::new(Ring::new(&members)?),
        };
        let session = self.chain.session(&address, service, height).await?;
        let no_supplier = || Error::NoSupplier {
            service: service.clone(),
        };
        let header = session.header.ok_or_else(no_supplier)?;
        let (start, end) = (
            positive(header.session_start_block_height),
            positive(header.session_end_block_height),
        );
        let terms = self.chain.terms(service, start).await?;
        let candidates = self.candidates(service, session.suppliers).await?;
        if candidates.is_empty() {
            return Err(no_supplier());
        }
        let price = terms.price();
        let margin = StakeMargin::of(&application, &terms, state_height);
        Ok(RelaySession {
            id: SessionId::new(&header.session_id),
            settled_at: end.plus(terms.settlement_blocks),
            margin: Mutex::new(margin),
            header,
            application: address,
            ring,
            candidates,
            price,
            start,
            end,
            last: end.plus(terms.grace_blocks),
        })
    }

    /// The application that pays for a service: delegated to this gateway, staked for the service, not leaving.
    async fn payer(&self, service: &ServiceId, gateway: &Address) -> Result<Application, Error> {
        let applications = self.applications(gateway).await?;
        let staked = |application: &&Application| {
            application.unstake_session_end_height == 0
                && application
                    .service_configs
                    .iter()
                    .any(|config| config.service_id == service.as_str())
        };
        let delegated = |application: &Application| {
            application
                .delegatee_gateway_addresses
                .iter()
                .any(|a| a == gateway.as_str())
        };
        let mut staked: Vec<&Application> = applications.iter().filter(staked).collect();
        // The richest pays, so that small stakes are not brought below their minimum.
        let stake =
            |application: &Application| application.stake.as_ref().and_then(|stake| stake.to_amount());
        staked.sort_by_key(|application| std::cmp::Reverse((delegated(application), stake(application))));
        match staked.first() {
            Some(application) if delegated(application) => Ok((*application).clone()),
            Some(application) => match Address::parse(&application.address) {
                Ok(application) => Err(Error::NotDelegated {
                    application,
                    gateway: gateway.clone(),
                }),
                Err(_) => Err(Error::NoApplication {
                    service: service.clone(),
                    gateway: gateway.clone(),
                }),
            },
            None if self.chain.service(service).await?.is_none() => Err(Error::UnknownService {
                service: service.clone(),
            }),
            None => Err(Error::NoApplication {
                service: service.clone(),
                gateway: gateway.clone(),
            }),
        }
    }

    /// The suppliers that can be asked: with an endpoint that speaks HTTP and a key that the chain knows.
    async fn candidates(
        &self,
        service: &ServiceId,
        suppliers: Vec<Supplier>,
    ) -> Result<Vec<Candidate>, Error> {
        let reachable = suppliers.into_iter().filter_map(|supplier| {
            let (url, rpc_type) = self.endpoint(service, &supplier)?;
            let operator = Address::parse(&supplier.operator_address).ok()?;
            Some((operator, url, rpc_type))
        });
        let with_keys = stream::iter(reachable).map(|(operator, url, rpc_type)| async move {
            let key = self.key(&operator).await?;
            Ok::<_, Error>(key.map(|key| (operator, url, rpc_type, key)))
        });
        let found: Vec<_> = with_keys.buffered(KEYS_AT_ONCE).collect().await;
        let mut candidates = Vec::new();
        for found in found {
            match found {
                Ok(Some((operator, url, rpc_type, key))) => {
                    if let Ok(key) = PublicKey::from_bytes(&key) {
                        candidates.push(Candidate {
                            operator: operator.to_string(),
                            url,
                            rpc_type,
                            key,
                        });
                    }
                }
                // An answer of a supplier without a key on chain could not be verified.
                Ok(None) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(candidates)
    }

    /// The endpoint to ask: REST first, then JSON-RPC, over HTTP.
    fn endpoint(&self, service: &ServiceId, supplier: &Supplier) -> Option<(Url, RpcType)> {
        let config = supplier
            .services
            .iter()
            .find(|config| config.service_id == service.as_str())?;
        [RpcType::Rest, RpcType::JsonRpc].into_iter().find_map(|wanted| {
            let mut endpoints = config
                .endpoints
                .iter()
                .filter(|endpoint| endpoint.rpc_type == i32::from(wanted));
            endpoints.find_map(|endpoint| {
                let url = Url::parse(&endpoint.url).ok()?;
                let speaks_http = matches!(url.scheme(), "http" | "https");
                (speaks_http && (self.allow_local_endpoints || is_public(&url))).then_some((url, wanted))
            })
        })
    }

    async fn key(&self, address: &Address) -> Result<Option<[u8; 33]>, Error> {
        if let Some(key) = self.keys().get(address.as_str()) {
            return Ok(Some(*key));
        }
        let key = self.chain.public_key(address).await?;
        if let Some(key) = key {
            self.keys().insert(address.to_string(), key);
        }
        Ok(key)
    }

    fn slot(&self, service: &ServiceId) -> Slot {
        Arc::clone(self.slots.lock().entry(service.clone()).or_default())
    }

    fn keys(&self) -> MutexGuard<'_, BTreeMap<String, [u8; 33]>> {
        self.keys.lock()
    }
}

impl RelayTerms {
    /// What one relay costs: the figure of the suppliers' meters.
    pub(crate) fn price(&self) -> Amount {
        let price = Price {
            target: BASE_TARGET,
            compute_units_to_tokens_multiplier: self.compute_units_to_tokens_multiplier,
            granularity: self.compute_unit_cost_granularity,
        };
        // Parameters that make no price are the chain's to mend; such relays are shown as free.
        price
            .of_compute_units(self.compute_units_per_relay)
            .unwrap_or_default()
    }
}

fn positive(height: i64) -> Height {
    Height(u64::try_from(height).unwrap_or_default())
}

#[cfg(test)]
impl SessionCache {
    /// How many services something is kept of.
    pub(crate) fn n_slots(&self) -> usize {
        self.slots.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_costs_what_the_suppliers_meter_counts() {
        let terms = RelayTerms {
            compute_units_per_relay: 100,
            compute_units_to_tokens_multiplier: 42_000_000,
            compute_unit_cost_granularity: 1_000_000,
            grace_blocks: 1,
            settlement_blocks: 1,
            min_application_stake: 0,
        };
        assert_eq!(terms.price(), Amount::from_upokt(4200));
        assert_eq!(
            RelayTerms {
                compute_unit_cost_granularity: 0,
                ..terms
            }
            .price(),
            Amount::ZERO
        );
    }
}

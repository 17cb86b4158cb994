//! Sessions: who pays, who may be asked, under which ring; kept until they end and rolled over to the next.

use std::{collections::BTreeMap, sync::Arc};

use futures::stream::{self, StreamExt};
use hearth_base::{Amount, Height, ServiceId, SessionId};
use hearth_chain::Proven;
use hearth_outbound::is_public;
use hearth_pocket::{
    Address, PublicKey, Ring, Signer,
    difficulty::BASE_TARGET,
    message::{
        application::Application,
        session::SessionHeader,
        shared::{RpcType, Supplier},
    },
    ring::ExpectedRing,
    settlement::Price,
};
use parking_lot::{Mutex, MutexGuard};
use url::Url;

use crate::{
    chain_queries::{ChainQueries, RelayTerms},
    error::Error,
    payers::{Payer, Signers, stake},
};

/// Public keys of suppliers that are asked for at once.
const KEYS_AT_ONCE: usize = 8;
/// How far the state that can be proven is behind the newest header, by nature.
const STATE_BEHIND: u64 = 1;

/// A supplier that may be asked.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) operator: String,
    pub(crate) url: Url,
    pub(crate) rpc_type: RpcType,
    pub(crate) key: PublicKey,
}

/// A session with everything that a relay of it needs.
pub(crate) struct RelaySession {
    pub(crate) header: SessionHeader,
    pub(crate) application: Address,
    /// Who signs: the gateway, or the application itself.
    pub(crate) signer: Arc<dyn Signer>,
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
    /// What is proven of it: an endpoint's word must not make anybody spend.
    pub(crate) fn of(application: &Proven<Application>, terms: &Proven<RelayTerms>) -> StakeMargin {
        StakeMargin {
            upokt: stake(application.value())
                .upokt()
                .saturating_sub(terms.value().min_application_stake),
            at: application.height(),
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
#[derive(Default)]
struct CachedSessions {
    current: Option<Arc<RelaySession>>,
    previous: Option<Arc<RelaySession>>,
    /// Applications whose stake pays for no more until the current session ends: another one pays meanwhile.
    used_up: Vec<Address>,
    /// The height of the last use.
    used: Height,
}

type Slot = Arc<tokio::sync::Mutex<CachedSessions>>;

/// All sessions.
pub(crate) struct SessionCache {
    chain: Arc<dyn ChainQueries>,
    allow_local_endpoints: bool,
    slots: Mutex<BTreeMap<ServiceId, Slot>>,
    /// Keys of accounts never change.
    keys: Mutex<BTreeMap<String, [u8; 33]>>,
}

impl SessionCache {
    pub(crate) fn new(chain: Arc<dyn ChainQueries>, allow_local_endpoints: bool) -> SessionCache {
        SessionCache {
            chain,
            allow_local_endpoints,
            slots: Mutex::default(),
            keys: Mutex::default(),
        }
    }

    /// The session for a new relay, which is then in use and rolls over.
    pub(crate) async fn current(
        &self,
        service: &ServiceId,
        signers: &Signers,
    ) -> Result<Arc<RelaySession>, Error> {
        self.slot(service).lock().await.used = self.chain.height();
        self.held(service, signers).await
    }

    /// How many suppliers may be asked in the current session.
    pub(crate) async fn n_suppliers(&self, service: &ServiceId, signers: &Signers) -> Result<usize, Error> {
        match self.held(service, signers).await {
            Ok(session) => Ok(session.candidates.len()),
            Err(Error::NoSupplier { .. }) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// The current session, fetched where it is not here. While the next one cannot be had yet, the old one serves
    /// through its grace period.
    async fn held(&self, service: &ServiceId, signers: &Signers) -> Result<Arc<RelaySession>, Error> {
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
        match self.build(service, signers, height, former, &[]).await {
            Ok(session) => {
                let session = Arc::new(session);
                kept.previous = kept.current.replace(Arc::clone(&session));
                kept.used_up.clear();
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

    /// The session of another application, where the stake of this session's pays for no more and another one's may.
    pub(crate) async fn of_another_payer(
        &self,
        service: &ServiceId,
        signers: &Signers,
        refused: &RelaySession,
    ) -> Option<Arc<RelaySession>> {
        let slot = self.slot(service);
        let mut kept = slot.lock().await;
        let current = kept.current.clone()?;
        if current.application != refused.application {
            return Some(current);
        }
        kept.used_up.push(refused.application.clone());
        match self
            .build(service, signers, self.chain.height(), None, &kept.used_up)
            .await
        {
            Ok(session) => {
                let session = Arc::new(session);
                kept.current = Some(Arc::clone(&session));
                // It is another application's: no supplier takes it for the session before this one.
                kept.previous = None;
                Some(session)
            }
            Err(error) => {
                tracing::debug!(%service, %error, "no other application pays");
                // Whichever is added to first pays again.
                kept.used_up.clear();
                None
            }
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
    pub(crate) async fn roll_over(&self, signers: &Signers, height: Height) {
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
            if let Err(error) = self.held(&service, signers).await {
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
        let Some(application) = self.chain.application(&session.application).await?.transpose() else {
            return Ok(false);
        };
        let terms = self.chain.terms(service, session.start).await?;
        *session.margin.lock() = StakeMargin::of(&application, &terms);
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

    /// The applications that may be signed for: those that the chain lists as delegated, and this node's own.
    pub(crate) async fn applications(&self, signers: &Signers) -> Result<Vec<Proven<Application>>, Error> {
        let mut found = match &signers.gateway {
            Some(gateway) => self.chain.applications_of(gateway.address()).await?,
            None => Vec::new(),
        };
        for own in &signers.applications {
            let address = own.address();
            if found
                .iter()
                .all(|application| application.value().address != address.as_str())
            {
                found.extend(self.chain.application(address).await?.transpose());
            }
        }
        Ok(found)
    }

    async fn build(
        &self,
        service: &ServiceId,
        signers: &Signers,
        height: Height,
        former_ring: Option<Arc<Ring>>,
        used_up: &[Address],
    ) -> Result<RelaySession, Error> {
        let (payer, address) = self.payer(service, signers, used_up).await?;
        let no_supplier = || Error::NoSupplier {
            service: service.clone(),
        };
        let session = self.chain.session(&address, service, height).await?;
        let session = session.ok_or_else(no_supplier)?.into_value();
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
        let members = self.members(&payer, &address, end).await?;
        let ring = match former_ring.filter(|ring| ring.keys().eq(&members)) {
            Some(ring) => ring,
            None => Arc::new(Ring::new(&members)?),
        };
        let margin = StakeMargin::of(&payer.application, &terms);
        let terms = terms.into_value();
        let price = terms.price();
        Ok(RelaySession {
            id: SessionId::new(&header.session_id),
            settled_at: end.plus(terms.settlement_blocks),
            margin: Mutex::new(margin),
            header,
            application: address,
            signer: payer.signer,
            ring,
            candidates,
            price,
            start,
            end,
            last: end.plus(terms.grace_blocks),
        })
    }

    /// The application that pays for a service, but for those whose stake is used up.
    async fn payer(
        &self,
        service: &ServiceId,
        signers: &Signers,
        used_up: &[Address],
    ) -> Result<(Payer, Address), Error> {
        let applications = self.applications(signers).await?;
        let payers = signers.payers(&applications, service).into_iter();
        let mut with_address = payers.filter_map(|payer| {
            let address = Address::parse(&payer.application.value().address).ok()?;
            Some((payer, address))
        });
        if let Some(found) = with_address.find(|(_, address)| !used_up.contains(address)) {
            return Ok(found);
        }
        if self.chain.service(service).await?.value().is_none() {
            return Err(Error::UnknownService {
                service: service.clone(),
            });
        }
        Err(signers.nobody(&applications, service))
    }

    /// The keys of the ring under which a relay is signed. An application that signs for itself hides among all of its
    /// gateways, as far as the chain knows their keys.
    async fn members(
        &self,
        payer: &Payer,
        address: &Address,
        session_end: Height,
    ) -> Result<Vec<[u8; 33]>, Error> {
        let no_key = || Error::NoApplicationKey {
            application: address.clone(),
        };
        let mut members = vec![self.key(address).await?.ok_or_else(no_key)?];
        if !payer.is_direct {
            members.push(payer.signer.public_key());
            return Ok(members);
        }
        let expected = ExpectedRing::of(payer.application.value(), session_end.0);
        for gateway in expected
            .addresses
            .iter()
            .filter_map(|gateway| Address::parse(gateway).ok())
        {
            if gateway != *address
                && let Some(key) = self.key(&gateway).await?
            {
                members.push(key);
            }
        }
        // A ring has two members at least. The chain's placeholder is a key that everybody has; with the own key twice it
        // is the application alone that can have signed.
        if members.len() < 2 {
            members.extend(members.first().copied());
        }
        Ok(members)
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
        let key = self.chain.public_key(address).await?.into_value();
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

//! A chain of one application and what a test adds to it, its sessions of twenty blocks, and the suppliers that a test gives it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use hearth_base::{Amount, Height, Kind, ServiceId};
use hearth_chain::{Proven, Seen, proven_for_tests};
use hearth_pocket::{
    Address, SecretKey,
    message::{
        Coin,
        application::Application,
        session::{Session, SessionHeader},
        shared::{
            ApplicationServiceConfig, RpcType, Service, Supplier, SupplierEndpoint, SupplierServiceConfig,
        },
    },
};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;

use crate::chain_queries::{ChainQueries, ChainQueryError, RelayTerms, delegates_to};

pub(super) const SERVICE: &str = "llm";
pub(super) const BLOCKS: u64 = 20;
pub(super) const GRACE: u64 = 10;
/// Blocks from a session's end to its settlement.
pub(super) const SETTLEMENT: u64 = 24;

pub(super) fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32]).unwrap()
}

/// The small chain.
pub(super) struct SmallChain {
    pub(super) height: watch::Sender<Height>,
    pub(super) application: Mutex<Application>,
    /// Applications beside it.
    others: Mutex<Vec<Application>>,
    suppliers: Mutex<Vec<Supplier>>,
    keys: Mutex<BTreeMap<String, [u8; 33]>>,
    /// Sessions that start at or after this height cannot be had.
    pub(super) no_sessions_from: Mutex<Option<u64>>,
    pub(super) sessions_asked: Mutex<usize>,
}

impl SmallChain {
    pub(super) fn new(application: &SecretKey, gateway: &SecretKey) -> Arc<SmallChain> {
        let record = Application {
            address: application.address().to_string(),
            stake: Some(Coin::upokt(Amount::from_upokt(1_000_000_000))),
            service_configs: vec![ApplicationServiceConfig {
                service_id: SERVICE.to_owned(),
            }],
            delegatee_gateway_addresses: vec![gateway.address().to_string()],
            ..Application::default()
        };
        let keys = [(application.address().to_string(), application.public_key())];
        Arc::new(SmallChain {
            height: watch::Sender::new(Height(25)),
            application: Mutex::new(record),
            others: Mutex::default(),
            suppliers: Mutex::default(),
            keys: Mutex::new(keys.into()),
            no_sessions_from: Mutex::new(None),
            sessions_asked: Mutex::new(0),
        })
    }

    /// Another application like the first one, as a test changes it.
    pub(super) fn add_application(&self, key: &SecretKey, change: impl FnOnce(&mut Application)) {
        let mut application = self.application.lock().unwrap().clone();
        application.address = key.address().to_string();
        change(&mut application);
        self.others.lock().unwrap().push(application);
        self.add_key(key);
    }

    pub(super) fn add_key(&self, key: &SecretKey) {
        let (address, key) = (key.address().to_string(), key.public_key());
        self.keys.lock().unwrap().insert(address, key);
    }

    fn applications(&self) -> Vec<Application> {
        let mut all = self.others.lock().unwrap().clone();
        all.push(self.application.lock().unwrap().clone());
        all
    }

    pub(super) fn add_supplier(&self, operator: &SecretKey, url: &str) {
        let endpoint = SupplierEndpoint {
            url: url.to_owned(),
            rpc_type: RpcType::Rest.into(),
            configs: Vec::new(),
        };
        let supplier = Supplier {
            owner_address: operator.address().to_string(),
            operator_address: operator.address().to_string(),
            services: vec![SupplierServiceConfig {
                service_id: SERVICE.to_owned(),
                endpoints: vec![endpoint],
                rev_share: Vec::new(),
            }],
            ..Supplier::default()
        };
        self.suppliers.lock().unwrap().push(supplier);
        self.add_key(operator);
    }

    pub(super) fn forget_key(&self, address: &Address) {
        self.keys.lock().unwrap().remove(address.as_str());
    }

    /// What this chain says counts as proven, in the state that the newest verified header proves.
    fn proven<T>(&self, value: T) -> Proven<T> {
        proven_for_tests(value, Height(self.height.borrow().0.saturating_sub(1)))
    }

    /// The header of the session at a height, as every honest supplier knows it.
    pub(super) fn header(&self, height: u64) -> SessionHeader {
        let start = (height - 1) / BLOCKS * BLOCKS + 1;
        SessionHeader {
            application_address: self.application.lock().unwrap().address.clone(),
            service_id: SERVICE.to_owned(),
            session_id: format!("{start:064x}"),
            session_start_block_height: i64::try_from(start).unwrap(),
            session_end_block_height: i64::try_from(start + BLOCKS - 1).unwrap(),
        }
    }
}

#[async_trait]
impl ChainQueries for SmallChain {
    fn height(&self) -> Height {
        *self.height.borrow()
    }

    fn heights(&self) -> BoxStream<'static, Height> {
        WatchStream::new(self.height.subscribe()).boxed()
    }

    async fn applications_of(&self, gateway: &Address) -> Result<Vec<Proven<Application>>, ChainQueryError> {
        let mut applications = self.applications();
        applications.retain(|application| delegates_to(application, gateway));
        Ok(applications
            .into_iter()
            .map(|application| self.proven(application))
            .collect())
    }

    async fn application(&self, address: &Address) -> Result<Proven<Option<Application>>, ChainQueryError> {
        let mut applications = self.applications().into_iter();
        let found = applications.find(|application| application.address == address.as_str());
        Ok(self.proven(found))
    }

    async fn service(&self, id: &ServiceId) -> Result<Proven<Option<Service>>, ChainQueryError> {
        let mut services = self.services().await?.value.into_iter();
        Ok(self.proven(services.find(|service| service.id == id.as_str())))
    }

    async fn services(&self) -> Result<Seen<Vec<Service>>, ChainQueryError> {
        let service = |id: &str| Service {
            id: id.to_owned(),
            compute_units_per_relay: 100,
            ..Service::default()
        };
        Ok(Seen {
            value: vec![service("unpaid"), service(SERVICE)],
            height: *self.height.borrow(),
            why: "it is a list".to_owned(),
        })
    }

    async fn session(
        &self,
        application: &Address,
        _: &ServiceId,
        height: Height,
    ) -> Result<Option<Proven<Session>>, ChainQueryError> {
        *self.sessions_asked.lock().unwrap() += 1;
        let mut header = self.header(height.0);
        header.application_address = application.to_string();
        let start = u64::try_from(header.session_start_block_height).unwrap();
        if self
            .no_sessions_from
            .lock()
            .unwrap()
            .is_some_and(|from| start >= from)
        {
            return Err(ChainQueryError {
                what: "a session",
                kind: Kind::Retry,
                source: "not yet".into(),
            });
        }
        let suppliers = self.suppliers.lock().unwrap().clone();
        Ok(Some(self.proven(Session {
            header: Some(header),
            suppliers,
            ..Session::default()
        })))
    }

    async fn public_key(&self, address: &Address) -> Result<Proven<Option<[u8; 33]>>, ChainQueryError> {
        let key = self.keys.lock().unwrap().get(address.as_str()).copied();
        Ok(self.proven(key))
    }

    async fn terms(&self, _: &ServiceId, _: Height) -> Result<Proven<RelayTerms>, ChainQueryError> {
        Ok(self.proven(RelayTerms {
            compute_units_per_relay: 100,
            compute_units_to_tokens_multiplier: 42_000_000,
            compute_unit_cost_granularity: 1_000_000,
            grace_blocks: GRACE,
            settlement_blocks: SETTLEMENT,
            min_application_stake: 1_000_000,
        }))
    }
}

//! A chain of one application, its sessions of twenty blocks, and the suppliers that a test gives it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use futures::stream::{BoxStream, StreamExt};
use hearth_base::{Amount, Height, Kind, ServiceId};
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

use crate::chain_queries::{ChainQueries, ChainQueryError, RelayTerms};

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
            suppliers: Mutex::default(),
            keys: Mutex::new(keys.into()),
            no_sessions_from: Mutex::new(None),
            sessions_asked: Mutex::new(0),
        })
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
        self.keys
            .lock()
            .unwrap()
            .insert(operator.address().to_string(), operator.public_key());
    }

    pub(super) fn forget_key(&self, address: &Address) {
        self.keys.lock().unwrap().remove(address.as_str());
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

    async fn applications_of(&self, gateway: &Address) -> Result<Vec<Application>, ChainQueryError> {
        let application = self.application.lock().unwrap().clone();
        let delegated = application
            .delegatee_gateway_addresses
            .iter()
            .any(|address| address == gateway.as_str());
        Ok(if delegated { vec![application] } else { Vec::new() })
    }

    async fn application(&self, address: &Address) -> Result<Option<Application>, ChainQueryError> {
        let application = self.application.lock().unwrap().clone();
        Ok((application.address == address.as_str()).then_some(application))
    }

    async fn service(&self, id: &ServiceId) -> Result<Option<Service>, ChainQueryError> {
        Ok(self
            .services()
            .await?
            .into_iter()
            .find(|service| service.id == id.as_str()))
    }

    async fn services(&self) -> Result<Vec<Service>, ChainQueryError> {
        let service = |id: &str| Service {
            id: id.to_owned(),
            compute_units_per_relay: 100,
            ..Service::default()
        };
        Ok(vec![service("unpaid"), service(SERVICE)])
    }

    async fn session(&self, _: &Address, _: &ServiceId, height: Height) -> Result<Session, ChainQueryError> {
        *self.sessions_asked.lock().unwrap() += 1;
        let header = self.header(height.0);
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
        Ok(Session {
            header: Some(header),
            suppliers,
            ..Session::default()
        })
    }

    async fn public_key(&self, address: &Address) -> Result<Option<[u8; 33]>, ChainQueryError> {
        Ok(self.keys.lock().unwrap().get(address.as_str()).copied())
    }

    async fn terms(&self, _: &ServiceId, _: Height) -> Result<RelayTerms, ChainQueryError> {
        Ok(RelayTerms {
            compute_units_per_relay: 100,
            compute_units_to_tokens_multiplier: 42_000_000,
            compute_unit_cost_granularity: 1_000_000,
            grace_blocks: GRACE,
            settlement_blocks: SETTLEMENT,
            min_application_stake: 1_000_000,
        })
    }
}

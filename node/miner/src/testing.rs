//! What tests share: facts of a session, a disk that fails on demand, a chain that is a table.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

mod disk;
mod sending;

use async_trait::async_trait;
pub(crate) use disk::MemoryDisk;
use hearth_base::{Amount, Height, ServiceId};
use hearth_chain::{BlockEvents, Follower, Head, Proven, Standing, TxError, proven_for_tests};
use hearth_pocket::{
    Address, SecretKey,
    difficulty::BASE_TARGET,
    message::{
        Coin,
        application::Application,
        service::RelayMiningDifficulty,
        session::{Session, SessionHeader},
        shared,
        shared::Supplier,
    },
    session::{Timing, id, id_preimage},
    settlement::Price,
    tx::SignedTx,
};
pub(crate) use sending::{Found, sessions};
use tokio::sync::watch;

use crate::{
    evidence::Entry,
    facts::Facts,
    miner::{Error, Miner},
    network::{ClaimSeen, LiveParams, Network, NetworkError},
};

/// Facts of a session of blocks 1 to 10, with grace 1, claims from 12 to 16, proofs from 16 to 20.
pub(crate) fn facts() -> Facts {
    let timing = Timing {
        blocks_per_session: 10,
        grace_period: 1,
        claim_open_offset: 1,
        claim_close_offset: 4,
        proof_open_offset: 0,
        proof_close_offset: 4,
        anchor_height: 1,
        anchor_number: 1,
    };
    Facts {
        header: SessionHeader {
            application_address: "pokt1y8n0alzxnlepy5x04w4tu9zskg2hzw5aa6ypvx".to_owned(),
            service_id: "hearth-llm".to_owned(),
            session_id: "ab".repeat(32),
            session_start_block_height: 1,
            session_end_block_height: 10,
        },
        supplier: "pokt1rxtrzmca0j9mu45j75n35kcxg64ga92sh33su4".to_owned(),
        owner: "pokt188myadvavpprxdfpg9p4ft3crv8plj65fr9lh7".to_owned(),
        compute_units: 100,
        price: Price {
            target: BASE_TARGET,
            compute_units_to_tokens_multiplier: 42_000_000,
            granularity: 1_000_000,
        },
        windows: timing.windows(Height(10)),
        budget: Amount::from_upokt(10_000_000),
        share_millionths: 790_000,
    }
}

/// A key by number.
pub(crate) fn key(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[number; 32]).unwrap()
}

/// A chain with one application (key 1), its gateway (key 2) and one supplier (key 3) of the service `svc`; sessions
/// of ten blocks.
pub(crate) struct TableChain {
    pub(crate) head: watch::Sender<Head>,
    pub(crate) state: Mutex<TableState>,
}

pub(crate) struct TableState {
    pub(crate) stake: u128,
    pub(crate) gateways: Vec<String>,
    pub(crate) keys: BTreeMap<String, [u8; 33]>,
    pub(crate) probability: f64,
    /// Transactions that were sent, and whether they are in a block.
    pub(crate) sent: Vec<(SignedTx, Found)>,
    /// Transactions that were signed.
    pub(crate) signed: Vec<SignedTx>,
    pub(crate) down: bool,
    pub(crate) n_sessions_asked: usize,
    /// Transactions cannot be looked for: the index fails.
    pub(crate) no_index: bool,
    /// Nobody proves what became of a transaction in its block.
    pub(crate) no_results: bool,
    /// Nobody proves what the state says of a claim.
    pub(crate) no_state: bool,
    /// No transaction can be found, although the index answers.
    pub(crate) hides: bool,
    /// The state that can be proven lags so many blocks behind the head.
    pub(crate) lag: u64,
    /// What the state says of the claim, whatever was sent.
    pub(crate) status: Option<Option<i32>>,
    /// The root that somebody else claimed.
    pub(crate) other_root: Option<Vec<u8>>,
    /// The events of blocks.
    pub(crate) blocks: BTreeMap<u64, BlockEvents>,
    /// What sending answers.
    pub(crate) refusal: Option<fn() -> TxError>,
    /// What the working key holds.
    pub(crate) balance: u128,
    /// What a proof costs.
    pub(crate) proof_fee: u128,
    /// Sessions of recorded relays, in place of those of the table.
    pub(crate) recorded: Vec<Session>,
    /// An application about whose sessions nobody answers.
    pub(crate) silent_about: Option<String>,
    /// The supplier's stake.
    pub(crate) supplier: Option<Supplier>,
    /// Other suppliers, which are in every session beside it.
    pub(crate) others: Vec<Supplier>,
    /// What accounts hold that do not hold what the working key does.
    pub(crate) balances: BTreeMap<String, u128>,
    /// The questions that were asked, by their names.
    pub(crate) asked: BTreeMap<&'static str, usize>,
    /// How many questions had to be asked one after the other.
    pub(crate) trips_in_a_row: usize,
    /// The difficulty of relays that lie in the tree.
    pub(crate) difficulty: Option<RelayMiningDifficulty>,
    /// From this height on everything costs twice as much.
    pub(crate) dearer_from: Option<u64>,
}

impl TableState {
    /// How many times the usual price something costs at a height.
    fn times_at(&self, height: Height) -> u64 {
        if self.dearer_from.is_some_and(|from| height.0 >= from) {
            2
        } else {
            1
        }
    }
}

pub(crate) fn timing() -> Timing {
    Timing::from(&params())
}

fn params() -> shared::Params {
    shared::Params {
        num_blocks_per_session: 10,
        grace_period_end_offset_blocks: 1,
        claim_window_open_offset_blocks: 1,
        claim_window_close_offset_blocks: 4,
        proof_window_open_offset_blocks: 0,
        proof_window_close_offset_blocks: 4,
        compute_units_to_tokens_multiplier: 42_000_000,
        compute_unit_cost_granularity: 1_000_000,
        session_grid_anchor_height: 1,
        session_number_at_anchor: 1,
        ..shared::Params::default()
    }
}

impl TableChain {
    pub(crate) fn new(height: u64) -> Arc<TableChain> {
        let head = Head {
            height: Height(height),
            time: time::OffsetDateTime::UNIX_EPOCH,
            hash: [0; 32],
            verified_height: Height(height),
            proven_height: Height(height - 1),
            block_time: None,
            standing: Standing::Following,
        };
        let keys = (1..=4)
            .map(|number| (key(number).address().to_string(), key(number).public_key()))
            .collect();
        let state = TableState {
            stake: 10_000_000_000,
            gateways: vec![key(2).address().to_string()],
            keys,
            probability: 1.0,
            sent: Vec::new(),
            signed: Vec::new(),
            down: false,
            n_sessions_asked: 0,
            no_index: false,
            no_results: false,
            no_state: false,
            hides: false,
            lag: 0,
            status: None,
            other_root: None,
            blocks: BTreeMap::new(),
            refusal: None,
            balance: 1_000_000,
            proof_fee: 0,
            recorded: Vec::new(),
            silent_about: None,
            supplier: Some(supplier()),
            others: Vec::new(),
            balances: BTreeMap::new(),
            asked: BTreeMap::new(),
            trips_in_a_row: 0,
            difficulty: None,
            dearer_from: None,
        };
        Arc::new(TableChain {
            head: watch::Sender::new(head),
            state: Mutex::new(state),
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, TableState> {
        self.state.lock().unwrap()
    }

    /// A question to an endpoint far away. It is answered once everything that can be asked beside it was asked, so that
    /// those in a row can be counted without a clock.
    pub(crate) async fn travel(&self, what: &'static str) {
        let at = {
            let mut state = self.state();
            *state.asked.entry(what).or_default() += 1;
            state.trips_in_a_row + 1
        };
        tokio::task::yield_now().await;
        let mut state = self.state();
        state.trips_in_a_row = state.trips_in_a_row.max(at);
    }

    /// How many questions were asked one after the other since this was asked last.
    pub(crate) fn trips_in_a_row(&self) -> usize {
        std::mem::take(&mut self.state().trips_in_a_row)
    }

    pub(crate) fn set_height(&self, height: u64) {
        self.head.send_modify(|head| {
            head.height = Height(height);
            head.verified_height = Height(height);
        });
    }

    pub(crate) fn block_hash_of(height: Height) -> [u8; 32] {
        let mut hash = [7; 32];
        hash[..8].copy_from_slice(&height.0.to_le_bytes());
        hash
    }

    /// The header of the session at a height.
    pub(crate) fn header(height: u64) -> SessionHeader {
        TableChain::header_of(&key(1), height)
    }

    /// The header of an application's session at a height.
    pub(crate) fn header_of(application: &SecretKey, height: u64) -> SessionHeader {
        let place = timing().bounds_at(Height(height));
        let application = application.address().to_string();
        let preimage = id_preimage(
            &TableChain::block_hash_of(place.start),
            "svc",
            &application,
            place.start,
        );
        SessionHeader {
            session_id: id(&preimage).as_str().to_owned(),
            application_address: application,
            service_id: "svc".to_owned(),
            session_start_block_height: place.start.0.cast_signed(),
            session_end_block_height: place.end.0.cast_signed(),
        }
    }

    fn up(&self) -> Result<MutexGuard<'_, TableState>, NetworkError> {
        let state = self.state();
        if state.down {
            Err(NetworkError::Unavailable("no endpoint answers".into()))
        } else {
            Ok(state)
        }
    }
}

impl Miner {
    /// All answers of a session, in the order in which they were given.
    pub(crate) async fn relays(&self, session_id: &str) -> Result<Vec<Entry>, Error> {
        let page = self.relay_page(session_id, None, u32::MAX, 0).await?;
        Ok(page.entries.into_iter().rev().collect())
    }
}

fn coin(amount: u128) -> Option<Coin> {
    Some(Coin {
        denom: "upokt".to_owned(),
        amount: amount.to_string(),
    })
}

fn supplier() -> Supplier {
    let operator = key(3).address().to_string();
    supplier_of(&operator, &operator)
}

/// A supplier of the service `svc`, all of whose revenue is its owner's.
pub(crate) fn supplier_of(operator: &str, owner: &str) -> Supplier {
    Supplier {
        owner_address: owner.to_owned(),
        operator_address: operator.to_owned(),
        services: vec![shared::SupplierServiceConfig {
            service_id: "svc".to_owned(),
            rev_share: vec![shared::ServiceRevenueShare {
                address: owner.to_owned(),
                rev_share_percentage: 100,
            }],
            ..shared::SupplierServiceConfig::default()
        }],
        ..Supplier::default()
    }
}

impl TableChain {
    /// What the table holds counts as proven.
    fn proven<T>(&self, value: T) -> Proven<T> {
        let newest = self.head.borrow().height.0;
        proven_for_tests(value, Height(newest.saturating_sub(1)))
    }
}

#[async_trait]
impl Network for TableChain {
    fn head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    async fn session(
        &self,
        application: &Address,
        service: &ServiceId,
        height: Height,
    ) -> Result<Proven<Session>, NetworkError> {
        self.travel("session").await;
        if self.state().silent_about.as_deref() == Some(application.as_str()) {
            std::future::pending::<()>().await;
        }
        let mut state = self.up()?;
        state.n_sessions_asked += 1;
        let not_staked = || NetworkError::Refused("application not staked for the service".to_owned());
        if !state.recorded.is_empty() {
            let fits = |session: &&Session| {
                session.header.as_ref().is_some_and(|header| {
                    let blocks = header.session_start_block_height..=header.session_end_block_height;
                    header.application_address == application.as_str()
                        && header.service_id == service.as_str()
                        && blocks.contains(&height.0.cast_signed())
                })
            };
            let found = state.recorded.iter().find(fits).cloned().ok_or_else(not_staked);
            return Ok(self.proven(found?));
        }
        let is_staked = |number: &u8| key(*number).address() == application;
        let staked = [1_u8].into_iter().chain(100..=140).find(is_staked);
        let Some(number) = staked.filter(|_| service.as_str() == "svc") else {
            return Err(not_staked());
        };
        Ok(self.proven(Session {
            header: Some(TableChain::header_of(&key(number), height.0)),
            suppliers: [supplier()].into_iter().chain(state.others.clone()).collect(),
            ..Session::default()
        }))
    }

    async fn application(&self, address: &Address) -> Result<Proven<Option<Application>>, NetworkError> {
        self.travel("application").await;
        let state = self.up()?;
        let mut recorded = state
            .recorded
            .iter()
            .filter_map(|session| session.application.as_ref());
        if let Some(application) = recorded.find(|application| application.address == address.as_str()) {
            return Ok(self.proven(Some(application.clone())));
        }
        Ok(self.proven(Some(Application {
            address: address.to_string(),
            stake: coin(state.stake),
            delegatee_gateway_addresses: state.gateways.clone(),
            ..Application::default()
        })))
    }

    async fn public_key(&self, address: &Address) -> Result<Proven<Option<[u8; 33]>>, NetworkError> {
        self.travel("public_key").await;
        let key = self.up()?.keys.get(address.as_str()).copied();
        Ok(self.proven(key))
    }

    async fn supplier(&self, operator: &Address) -> Result<Proven<Option<Supplier>>, NetworkError> {
        self.travel("supplier").await;
        let state = self.up()?;
        let all = state.supplier.iter().chain(&state.others);
        let found = all.clone().find(|one| one.operator_address == operator.as_str());
        Ok(self.proven(found.cloned()))
    }

    async fn params_at(&self, height: Height) -> Result<Proven<shared::Params>, NetworkError> {
        self.travel("params_at").await;
        let mut params = params();
        params.compute_units_to_tokens_multiplier *= self.state().times_at(height);
        Ok(self.proven(params))
    }

    async fn live_params(&self) -> Result<Proven<LiveParams>, NetworkError> {
        self.travel("live_params").await;
        let mut live = LiveParams::default();
        live.proof.proof_request_probability = self.up()?.probability;
        live.proof.proof_requirement_threshold = coin(u128::from(u64::MAX));
        live.proof.proof_submission_fee = coin(self.state().proof_fee);
        Ok(self.proven(live))
    }

    async fn compute_units_at(
        &self,
        _service: &ServiceId,
        height: Height,
    ) -> Result<Proven<Option<u64>>, NetworkError> {
        self.travel("compute_units_at").await;
        let units = Some(100 * self.state().times_at(height));
        Ok(self.proven(units))
    }

    async fn service_owner(&self, _service: &ServiceId) -> Result<Proven<Option<String>>, NetworkError> {
        self.travel("service_owner").await;
        Ok(self.proven(None))
    }

    async fn difficulty_at(
        &self,
        _service: &ServiceId,
        _height: Height,
    ) -> Result<Proven<Option<RelayMiningDifficulty>>, NetworkError> {
        self.travel("difficulty_at").await;
        let difficulty = self.state().difficulty.clone();
        Ok(self.proven(difficulty))
    }

    async fn block_hash(&self, height: Height) -> Result<Proven<[u8; 32]>, NetworkError> {
        // A verified header is kept here.
        self.up()
            .map(|_| proven_for_tests(TableChain::block_hash_of(height), height))
    }

    async fn balance(&self, address: &Address) -> Result<Proven<Amount>, NetworkError> {
        self.travel("balance").await;
        let state = self.state();
        let balance = state.balances.get(address.as_str()).copied();
        Ok(self.proven(Amount::from_upokt(balance.unwrap_or(state.balance))))
    }

    /// There is a claim from its inclusion to the end of its proof window, and it is valid once its proof is in.
    async fn claim_status(&self, session_id: &str, operator: &Address) -> Result<ClaimSeen, NetworkError> {
        self.travel("claim_status").await;
        let head = self.head.borrow().height;
        let state = self.up()?;
        if state.no_state {
            return Err(NetworkError::Unavailable("nobody proves it".into()));
        }
        let height = Height(head.0 - state.lag);
        let is_in = |claim: bool| state.includes((session_id, operator.as_str()), claim, height);
        let is_open = height < timing().windows(Height(30)).settlement && is_in(true);
        let status = is_open.then(|| i32::from(is_in(false)));
        Ok(ClaimSeen {
            height,
            status: state.status.unwrap_or(status),
            root_hash: state.other_root.clone().unwrap_or_default(),
        })
    }

    async fn events_of(&self, height: Height) -> Result<BlockEvents, NetworkError> {
        self.travel("events_of").await;
        let state = self.up()?;
        let none = BlockEvents {
            height,
            hash: [0; 32],
            time: time::OffsetDateTime::UNIX_EPOCH,
            verified: true,
            complete: true,
            events: Vec::new(),
            endpoint: String::new(),
        };
        Ok(state.blocks.get(&height.0).cloned().unwrap_or(none))
    }

    fn follow(&self, _supplier: &Address) -> Option<Follower> {
        None
    }
}

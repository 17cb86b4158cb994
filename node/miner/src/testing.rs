//! What tests share: facts of a session, a disk that fails on demand, a chain that is a table.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

mod disk;

use async_trait::async_trait;
pub(crate) use disk::MemoryDisk;
use hearth_base::{Amount, Height, ServiceId};
use hearth_chain::{BlockEvents, Follower, Head, Standing, valid_until};
use hearth_pocket::{
    Address, SecretKey, Signer,
    difficulty::BASE_TARGET,
    message::{
        Any, Coin, Timestamp,
        application::Application,
        service::RelayMiningDifficulty,
        session::{Session, SessionHeader},
        shared,
        shared::Supplier,
    },
    session::{Timing, id, id_preimage},
    settlement::Price,
    tx::{Plan, Replay, SignedTx},
};
use tokio::sync::watch;

use crate::{
    evidence::Entry,
    facts::Facts,
    miner::{Error, Miner},
    network::{ClaimSeen, Found, LiveParams, Network, NetworkError, SendError},
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
    /// Messages that were signed.
    pub(crate) signed: Vec<Any>,
    pub(crate) down: bool,
    pub(crate) n_sessions_asked: usize,
    /// Transactions of claims, the others being proofs.
    pub(crate) claims: BTreeSet<String>,
    /// Transactions cannot be looked for: the index fails.
    pub(crate) no_index: bool,
    /// No transaction can be found, although the index answers.
    pub(crate) hides: bool,
    /// The state that can be proven lags so many blocks behind the head.
    pub(crate) lag: u64,
    /// What the state says of the claim, whatever was sent.
    pub(crate) status: Option<Option<i32>>,
    /// The events of blocks.
    pub(crate) blocks: BTreeMap<u64, BlockEvents>,
    /// What sending answers.
    pub(crate) refusal: Option<fn() -> SendError>,
    /// What a proof costs.
    pub(crate) proof_fee: u128,
    /// Sessions of recorded relays, in place of those of the table.
    pub(crate) recorded: Vec<Session>,
    /// An application about whose sessions nobody answers.
    pub(crate) silent_about: Option<String>,
    /// The supplier's stake.
    pub(crate) supplier: Option<Supplier>,
    /// How long the questions about a session take; nothing while they are answered at once.
    pub(crate) far: Option<std::time::Duration>,
    /// When each of those questions was asked and answered.
    pub(crate) trips: Vec<(std::time::Instant, std::time::Instant)>,
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
            claims: BTreeSet::new(),
            no_index: false,
            hides: false,
            lag: 0,
            status: None,
            blocks: BTreeMap::new(),
            refusal: None,
            proof_fee: 0,
            recorded: Vec::new(),
            silent_about: None,
            supplier: Some(supplier()),
            far: None,
            trips: Vec::new(),
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

    /// Waits as for an endpoint far away.
    async fn travel(&self) {
        let Some(far) = self.state().far else { return };
        let asked = std::time::Instant::now();
        tokio::time::sleep(far).await;
        self.state().trips.push((asked, std::time::Instant::now()));
    }

    /// How many questions were asked one after the other, at most.
    pub(crate) fn trips_in_a_row(&self) -> usize {
        let mut trips = self.state().trips.clone();
        trips.sort_by_key(|(_, answered)| *answered);
        let (mut in_a_row, mut free_at) = (0, None);
        for (asked, answered) in trips {
            if free_at.is_none_or(|free_at| asked >= free_at) {
                (in_a_row, free_at) = (in_a_row + 1, Some(answered));
            }
        }
        in_a_row
    }

    pub(crate) fn set_height(&self, height: u64) {
        self.head.send_modify(|head| head.height = Height(height));
    }

    pub(crate) fn block_hash_of(height: Height) -> [u8; 32] {
        let mut hash = [7; 32];
        hash[..8].copy_from_slice(&height.0.to_le_bytes());
        hash
    }

    /// The header of the session at a height.
    pub(crate) fn header(height: u64) -> SessionHeader {
        let place = timing().bounds_at(Height(height));
        let application = key(1).address().to_string();
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
        let page = self.relay_page(session_id, u32::MAX, 0).await?;
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
    Supplier {
        owner_address: operator.clone(),
        operator_address: operator.clone(),
        services: vec![shared::SupplierServiceConfig {
            service_id: "svc".to_owned(),
            rev_share: vec![shared::ServiceRevenueShare {
                address: operator,
                rev_share_percentage: 100,
            }],
            ..shared::SupplierServiceConfig::default()
        }],
        ..Supplier::default()
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
    ) -> Result<Session, NetworkError> {
        self.travel().await;
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
            return state.recorded.iter().find(fits).cloned().ok_or_else(not_staked);
        }
        if application != key(1).address() || service.as_str() != "svc" {
            return Err(not_staked());
        }
        Ok(Session {
            header: Some(TableChain::header(height.0)),
            suppliers: vec![supplier()],
            ..Session::default()
        })
    }

    async fn application(&self, address: &Address) -> Result<Option<Application>, NetworkError> {
        self.travel().await;
        let state = self.up()?;
        let mut recorded = state
            .recorded
            .iter()
            .filter_map(|session| session.application.as_ref());
        if let Some(application) = recorded.find(|application| application.address == address.as_str()) {
            return Ok(Some(application.clone()));
        }
        Ok(Some(Application {
            address: address.to_string(),
            stake: coin(state.stake),
            delegatee_gateway_addresses: state.gateways.clone(),
            ..Application::default()
        }))
    }

    async fn public_key(&self, address: &Address) -> Result<Option<[u8; 33]>, NetworkError> {
        self.travel().await;
        Ok(self.up()?.keys.get(address.as_str()).copied())
    }

    async fn supplier(&self, _operator: &Address) -> Result<Option<Supplier>, NetworkError> {
        Ok(self.up()?.supplier.clone())
    }

    async fn params_at(&self, height: Height) -> Result<shared::Params, NetworkError> {
        self.travel().await;
        let mut params = params();
        params.compute_units_to_tokens_multiplier *= self.state().times_at(height);
        Ok(params)
    }

    async fn live_params(&self) -> Result<LiveParams, NetworkError> {
        self.travel().await;
        let mut live = LiveParams::default();
        live.proof.proof_request_probability = self.up()?.probability;
        live.proof.proof_requirement_threshold = coin(u128::from(u64::MAX));
        live.proof.proof_submission_fee = coin(self.state().proof_fee);
        Ok(live)
    }

    async fn compute_units_at(
        &self,
        _service: &ServiceId,
        height: Height,
    ) -> Result<Option<u64>, NetworkError> {
        self.travel().await;
        Ok(Some(100 * self.state().times_at(height)))
    }

    async fn difficulty_at(
        &self,
        _service: &ServiceId,
        _height: Height,
    ) -> Result<Option<RelayMiningDifficulty>, NetworkError> {
        self.travel().await;
        Ok(self.state().difficulty.clone())
    }

    async fn block_hash(&self, height: Height) -> Result<[u8; 32], NetworkError> {
        self.up().map(|_| TableChain::block_hash_of(height))
    }

    async fn balance(&self, _address: &Address) -> Result<Amount, NetworkError> {
        Ok(Amount::from_upokt(1_000_000))
    }

    /// There is a claim from its inclusion to the end of its proof window, and it is valid once its proof is in.
    async fn claim_status(&self, _session_id: &str, _operator: &Address) -> Result<ClaimSeen, NetworkError> {
        let head = self.head.borrow().height;
        let state = self.up()?;
        let height = Height(head.0 - state.lag);
        let is_in = |claim: bool| {
            state.sent.iter().any(|(tx, found)| {
                let in_time = matches!(found, Found::Included(at) if *at <= height);
                in_time && state.claims.contains(&tx.hash_text()) == claim
            })
        };
        let is_open = height < timing().windows(Height(30)).settlement && is_in(true);
        let status = is_open.then(|| i32::from(is_in(false)));
        Ok(ClaimSeen {
            height,
            status: state.status.unwrap_or(status),
        })
    }

    async fn events_of(&self, height: Height) -> Result<BlockEvents, NetworkError> {
        let state = self.up()?;
        let none = BlockEvents {
            height,
            hash: [0; 32],
            time: time::OffsetDateTime::UNIX_EPOCH,
            verified: true,
            complete: true,
            events: Vec::new(),
        };
        Ok(state.blocks.get(&height.0).cloned().unwrap_or(none))
    }

    async fn sign(
        &self,
        signer: &dyn Signer,
        message: Any,
        last_height: Height,
        in_place_of: Option<SignedTx>,
    ) -> Result<SignedTx, SendError> {
        let mut state = self.up().map_err(|error| SendError::Later(error.to_string()))?;
        state.signed.push(message.clone());
        let number = state.signed.len();
        let is_claim = message.type_url.contains("MsgCreateClaim");
        let anew = self.head.borrow().time + std::time::Duration::from_secs(540);
        let until = in_place_of.as_ref().and_then(valid_until);
        let until = until.unwrap_or(anew + std::time::Duration::from_nanos(number as u64));
        let plan = Plan {
            messages: vec![message],
            memo: number.to_string(),
            timeout_height: last_height.0,
            timeout: None,
            replay: Replay::Unordered {
                until: Timestamp::from_unix_nanos(until.unix_timestamp_nanos()),
            },
            fee: Vec::new(),
            gas_limit: 0,
        };
        let tx = plan.sign(signer, "test", 0).map_err(|_| SendError::Locked)?;
        if is_claim {
            state.claims.insert(tx.hash_text());
        }
        Ok(tx)
    }

    async fn send(&self, tx: &SignedTx) -> Result<(), SendError> {
        let mut state = self.up().map_err(|error| SendError::Later(error.to_string()))?;
        if let Some(refusal) = state.refusal {
            return Err(refusal());
        }
        if !state.sent.iter().any(|(sent, _)| sent.hash() == tx.hash()) {
            state.sent.push((tx.clone(), Found::No));
        }
        Ok(())
    }

    async fn find(&self, tx: &SignedTx) -> Result<Found, NetworkError> {
        let state = self.up()?;
        if state.no_index {
            return Err(NetworkError::Unavailable("the index does not answer".into()));
        }
        let found = state.sent.iter().find(|(sent, _)| sent.hash() == tx.hash());
        let found = found.filter(|_| !state.hides);
        Ok(found.map_or(Found::No, |(_, found)| found.clone()))
    }

    fn follow(&self) -> Option<Follower> {
        None
    }
}

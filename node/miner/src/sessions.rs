//! The sessions that are served: what the chain says of each, who may ask, and how much it may still ask for.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use hearth_base::{Amount, Clock, Failure as _, Height, Kind, ServiceId};
use hearth_pocket::{
    Address,
    difficulty::{BASE_TARGET, Target},
    message::{application::Application, session::SessionHeader, shared::Supplier},
    ring::ExpectedRing,
    session::Timing,
    settlement::{Price, session_floor},
};

use crate::{
    book::{Book, BookError, Record},
    facts::{Facts, Key},
    ledger::{Ledger, LedgerError},
    network::{NetworkError, SharedNetwork},
    refusal::Refusal,
};

/// A session that is served.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) facts: Arc<Facts>,
    /// The keys that may stand in a request's ring, and the height at which they were read.
    ring: Mutex<(Arc<Vec<[u8; 33]>>, Height)>,
    meter: Mutex<Amount>,
    running: AtomicUsize,
    /// Answers in the evidence.
    pub(crate) answers: AtomicU64,
    /// Answers that came after the claim.
    pub(crate) late: AtomicU64,
}

impl Session {
    pub(crate) fn new(facts: Arc<Facts>, answers: u64) -> Session {
        let spent = facts
            .cost_of_a_relay()
            .upokt()
            .saturating_mul(u128::from(answers));
        Session {
            facts,
            ring: Mutex::default(),
            meter: Mutex::new(Amount::from_upokt(spent)),
            running: AtomicUsize::new(0),
            answers: AtomicU64::new(answers),
            late: AtomicU64::new(0),
        }
    }

    /// Answers that are being made.
    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// The keys that may stand in a request's ring.
    pub(crate) fn ring(&self) -> Arc<Vec<[u8; 33]>> {
        Arc::clone(&lock(&self.ring).0)
    }

    pub(crate) fn set_ring(&self, keys: Vec<[u8; 33]>, height: Height) {
        *lock(&self.ring) = (Arc::new(keys), height);
    }

    /// Whether the ring was read before `height`, so that reading it again may say something else.
    pub(crate) fn ring_is_older_than(&self, height: Height) -> bool {
        lock(&self.ring).1 < height
    }

    /// Takes the price of one answer from the application's budget, for as long as the ticket lives; for good, once
    /// it is kept.
    pub(crate) fn admit(self: &Arc<Session>) -> Option<Ticket> {
        let cost = self.facts.cost_of_a_relay();
        let mut spent = lock(&self.meter);
        let after = spent.saturating_add(cost);
        if after > self.facts.budget {
            return None;
        }
        *spent = after;
        self.running.fetch_add(1, Ordering::SeqCst);
        Some(Ticket {
            session: Arc::clone(self),
            cost,
            kept: false,
        })
    }
}

/// The right to one answer.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) session: Arc<Session>,
    cost: Amount,
    kept: bool,
}

impl Ticket {
    /// The answer was given and is in the evidence.
    pub(crate) fn keep(mut self, answers: u64) {
        self.kept = true;
        self.session.answers.fetch_max(answers, Ordering::SeqCst);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.session.running.fetch_sub(1, Ordering::SeqCst);
        if !self.kept {
            let mut spent = lock(&self.session.meter);
            *spent = spent.saturating_sub(self.cost);
        }
    }
}

/// No holder of these locks can panic half-way through a change.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a session cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Book(#[from] BookError),
}

/// Whom a question was about, so that the same hopeless one is asked once per block only.
type Asked = (String, String);

/// All sessions that are served or not settled yet.
pub(crate) struct Sessions {
    supplier: Address,
    network: SharedNetwork,
    ledger: Ledger,
    book: Book,
    clock: Clock,
    open: Mutex<BTreeMap<Key, Arc<Session>>>,
    keys: Mutex<BTreeMap<String, [u8; 33]>>,
    refused: Mutex<BTreeMap<Asked, (Height, String)>>,
    /// Sessions are opened one by one: many first requests of one session ask the chain once.
    opening: tokio::sync::Mutex<()>,
}

/// Refusals that are remembered within one block.
const MAX_REFUSED: usize = 1024;
/// Public keys that are remembered.
const MAX_KEYS: usize = 4096;

impl Sessions {
    pub(crate) fn new(
        supplier: Address,
        network: SharedNetwork,
        ledger: Ledger,
        book: Book,
        clock: Clock,
    ) -> Sessions {
        Sessions {
            supplier,
            network,
            ledger,
            book,
            clock,
            open: Mutex::default(),
            keys: Mutex::default(),
            refused: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn supplier(&self) -> &Address {
        &self.supplier
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Session>> {
        lock(&self.open).get(key).cloned()
    }

    /// All open sessions.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        lock(&self.open).values().cloned().collect()
    }

    pub(crate) fn remove(&self, key: &Key) {
        lock(&self.open).remove(key);
    }

    /// Takes up a session of the database, with its evidence.
    pub(crate) async fn resume(&self, record: &Record) -> Result<Arc<Session>, LedgerError> {
        let facts = Arc::new(record.facts.clone());
        let tally = self.ledger.open(Arc::clone(&facts), record.sealed_bytes).await?;
        let session = Arc::new(Session::new(Arc::clone(&facts), tally.answers));
        session.late.store(record.late, Ordering::SeqCst);
        lock(&self.open).insert(facts.key(), Arc::clone(&session));
        Ok(session)
    }

    /// The session in which a request of `header` is to be judged at height `at`. Its header need not be the
    /// request's: that is compared field by field afterwards.
    pub(crate) async fn find(&self, header: &SessionHeader, at: Height) -> Result<Arc<Session>, OpenError> {
        if let Some(session) = self.find_open(header, at) {
            return Ok(session);
        }
        let _one_by_one = self.opening.lock().await;
        if let Some(session) = self.find_open(header, at) {
            return Ok(session);
        }
        let asked = (header.application_address.clone(), header.service_id.clone());
        let known = lock(&self.refused)
            .get(&asked)
            .filter(|(height, _)| *height == at)
            .map(|(_, why)| why.clone());
        if let Some(why) = known {
            return Err(Refusal::NoSession { why }.into());
        }
        let opened = self.open_session(header, at).await;
        if let Err(OpenError::Network(error)) = &opened
            && error.kind() == Kind::Skip
        {
            let mut refused = lock(&self.refused);
            refused.retain(|_, (height, _)| *height == at);
            if refused.len() < MAX_REFUSED {
                refused.insert(asked, (at, error.to_string()));
            }
        }
        opened
    }

    fn find_open(&self, header: &SessionHeader, at: Height) -> Option<Arc<Session>> {
        let open = lock(&self.open);
        let fits = |session: &&Arc<Session>| {
            let facts = &session.facts;
            facts.header.application_address == header.application_address
                && facts.header.service_id == header.service_id
                && (facts.start()..=facts.end()).contains(&at)
        };
        // Most requests name their session rightly.
        let key = Key {
            session_id: header.session_id.clone(),
            supplier: self.supplier.as_str().to_owned(),
        };
        open.get(&key)
            .filter(fits)
            .or_else(|| open.values().find(fits))
            .cloned()
    }

    async fn open_session(&self, header: &SessionHeader, at: Height) -> Result<Arc<Session>, OpenError> {
        let application =
            Address::parse(&header.application_address).map_err(|error| Refusal::NoSession {
                why: error.to_string(),
            })?;
        let service = ServiceId::new(&header.service_id);
        let found = self.network.session(&application, &service, at).await?;
        let (Some(found_header), n_suppliers) = (found.header, found.suppliers.len()) else {
            return Err(Refusal::NoSession {
                why: "the chain's answer has no header".to_owned(),
            }
            .into());
        };
        let ours = found
            .suppliers
            .into_iter()
            .find(|one| one.operator_address == self.supplier.as_str());
        let Some(ours) = ours else {
            return Err(Refusal::NotInSession {
                supplier: self.supplier.to_string(),
            }
            .into());
        };
        let Some(application) = self.network.application(&application).await? else {
            return Err(Refusal::NoSession {
                why: "the application is not on the chain".to_owned(),
            }
            .into());
        };
        let facts = Arc::new(self.facts(found_header, &application, &ours, n_suppliers).await?);
        let ring = self.ring_keys(&application, facts.end()).await?;
        self.book.enter(&facts, self.clock.now_ms()).await?;
        let tally = self.ledger.open(Arc::clone(&facts), None).await?;
        let session = Arc::new(Session::new(Arc::clone(&facts), tally.answers));
        session.set_ring(ring, self.network.head().borrow().height);
        tracing::info!(
            session = %facts.header.session_id, service = %facts.header.service_id,
            start = %facts.start(), end = %facts.end(), budget = %facts.budget, "a session began"
        );
        lock(&self.open).insert(facts.key(), Arc::clone(&session));
        Ok(session)
    }

    async fn facts(
        &self,
        header: SessionHeader,
        application: &Application,
        supplier: &Supplier,
        n_suppliers: usize,
    ) -> Result<Facts, OpenError> {
        let (start, end) = (
            height(header.session_start_block_height),
            height(header.session_end_block_height),
        );
        let service = ServiceId::new(&header.service_id);
        // Parameters change between sessions only, so those of the start are those of the end.
        let params = self.network.params_at(start).await?;
        let compute_units = self.network.compute_units_at(&service, start).await?;
        let Some(compute_units) = compute_units.filter(|units| *units > 0) else {
            let why = format!("the service {service} has no compute units per relay");
            return Err(Refusal::NoSession { why }.into());
        };
        let difficulty = self.network.difficulty_at(&service, start).await?;
        let target = match &difficulty {
            Some(difficulty) => {
                Target::try_from(difficulty.target_hash.as_slice()).map_err(|error| Refusal::NoSession {
                    why: error.to_string(),
                })?
            }
            None => BASE_TARGET,
        };
        let timing = Timing::from(&params);
        let coin = |coin: &Option<hearth_pocket::message::Coin>| {
            coin.as_ref().and_then(|coin| coin.amount.parse::<Amount>().ok())
        };
        let stake = coin(&application.stake).unwrap_or_default();
        let limit = coin(&application.per_session_spend_limit);
        Ok(Facts {
            supplier: self.supplier.as_str().to_owned(),
            owner: supplier.owner_address.clone(),
            compute_units,
            price: Price {
                target,
                compute_units_to_tokens_multiplier: params.compute_units_to_tokens_multiplier,
                granularity: params.compute_unit_cost_granularity,
            },
            windows: timing.windows(end),
            budget: session_floor(stake, limit, timing.pending_sessions(), n_suppliers as u64),
            share_millionths: self.share(supplier, &header.service_id).await,
            header,
        })
    }

    /// The part of a claim that comes to us. An estimate; without an answer of the chain it is zero.
    async fn share(&self, supplier: &Supplier, service_id: &str) -> u32 {
        let Ok(params) = self.network.live_params().await else {
            return 0;
        };
        let tokenomics = params.tokenomics;
        let ours = [
            supplier.operator_address.as_str(),
            supplier.owner_address.as_str(),
        ];
        let service = supplier
            .services
            .iter()
            .find(|service| service.service_id == service_id);
        let percent: u64 = service.map_or(0, |service| {
            let own = service
                .rev_share
                .iter()
                .filter(|share| ours.contains(&share.address.as_str()));
            own.map(|share| share.rev_share_percentage).sum()
        });
        let rate = tokenomics.mint_ratio * tokenomics.mint_equals_burn_claim_distribution.supplier;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and a million"
        )]
        let millionths = (rate * 10_000.0 * percent.min(100) as f64).clamp(0.0, 1_000_000.0) as u32;
        millionths
    }

    /// Reads again who may ask, for gateways that were added since.
    pub(crate) async fn refresh_ring(&self, session: &Session) -> Result<(), OpenError> {
        let height = self.network.head().borrow().height;
        if !session.ring_is_older_than(height) {
            return Ok(());
        }
        let application = Address::parse(&session.facts.header.application_address).map_err(|error| {
            Refusal::NoSession {
                why: error.to_string(),
            }
        })?;
        let Some(application) = self.network.application(&application).await? else {
            return Err(Refusal::NoSession {
                why: "the application is not on the chain".to_owned(),
            }
            .into());
        };
        let keys = self.ring_keys(&application, session.facts.end()).await?;
        session.set_ring(keys, height);
        Ok(())
    }

    async fn ring_keys(&self, application: &Application, end: Height) -> Result<Vec<[u8; 33]>, OpenError> {
        let ring = ExpectedRing::of(application, end.0);
        if ring.placeholder {
            return Err(Refusal::NoGateway {
                application: application.address.clone(),
            }
            .into());
        }
        let mut keys = Vec::with_capacity(ring.addresses.len());
        for address in &ring.addresses {
            // A gateway without a key cannot sign, so its absence refuses nobody else.
            if let Some(key) = self.public_key(address).await? {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    async fn public_key(&self, address: &str) -> Result<Option<[u8; 33]>, OpenError> {
        if let Some(key) = lock(&self.keys).get(address) {
            return Ok(Some(*key));
        }
        let parsed = Address::parse(address).map_err(|error| Refusal::NoSession {
            why: error.to_string(),
        })?;
        let key = self.network.public_key(&parsed).await?;
        if let Some(key) = key {
            let mut keys = lock(&self.keys);
            if keys.len() >= MAX_KEYS {
                keys.clear();
            }
            keys.insert(address.to_owned(), key);
        }
        Ok(key)
    }
}

fn height(number: i64) -> Height {
    Height(u64::try_from(number).unwrap_or(0))
}

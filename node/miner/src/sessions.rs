//! The sessions that are served: what the chain says of each, who may ask, and how much it may still ask for.

mod ask;
mod lookup_limits;

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use hearth_base::{Amount, Clock, Height};
use hearth_pocket::{Address, message::session::SessionHeader};
use parking_lot::Mutex;

use crate::{
    facts::{Facts, Key},
    ledger::{Ledger, LedgerError},
    network::{NetworkError, SharedNetwork},
    refusal::Refusal,
    session_db::{Record, SessionDb, SessionDbError},
};
use lookup_limits::LookupLimits;

/// A session that is served.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) facts: Arc<Facts>,
    cost: Amount,
    /// The keys that may stand in a request's ring, and the height at which they were read.
    ring: Mutex<(Arc<Vec<[u8; 33]>>, Height)>,
    meter: Mutex<Meter>,
    running: AtomicUsize,
    /// Answers in the evidence.
    pub(crate) answers: AtomicU64,
    /// Answers that came after the claim.
    pub(crate) late: AtomicU64,
    /// Its record is in the database and its evidence is open.
    entered: AtomicBool,
}

/// What was asked for in a session.
#[derive(Debug, Default)]
struct Meter {
    spent: Amount,
    /// What tells each request that was answered, or is being answered, from the others: a request that comes again is
    /// a replay, which the application must not pay for. The budget bounds them, and they go with the session.
    requests: HashSet<[u8; 32]>,
}

impl Session {
    /// A session of which nothing is written down.
    fn new(facts: Arc<Facts>) -> Session {
        Session {
            cost: facts.cost_of_a_relay(),
            facts,
            ring: Mutex::default(),
            meter: Mutex::default(),
            running: AtomicUsize::new(0),
            answers: AtomicU64::new(0),
            late: AtomicU64::new(0),
            entered: AtomicBool::new(false),
        }
    }

    /// Goes on from what its evidence has. No ticket was given before.
    fn begin(&self, answers: u64, requests: HashSet<[u8; 32]>, late: u64) {
        *self.meter.lock() = Meter {
            spent: Amount::from_upokt(self.cost.upokt().saturating_mul(u128::from(answers))),
            requests,
        };
        self.answers.store(answers, Ordering::SeqCst);
        self.late.store(late, Ordering::SeqCst);
        self.entered.store(true, Ordering::SeqCst);
    }

    /// Answers that are being made.
    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// The keys that may stand in a request's ring.
    pub(crate) fn ring(&self) -> Arc<Vec<[u8; 33]>> {
        Arc::clone(&self.ring.lock().0)
    }

    pub(crate) fn set_ring(&self, keys: Vec<[u8; 33]>, height: Height) {
        *self.ring.lock() = (Arc::new(keys), height);
    }

    /// Whether the ring was read before `height`, so that reading it again may say something else.
    pub(crate) fn ring_is_older_than(&self, height: Height) -> bool {
        self.ring.lock().1 < height
    }

    /// Takes the price of one answer from the application's budget, for as long as the ticket lives; for good, once
    /// it is kept. The same request gets one ticket only.
    pub(crate) fn admit(self: &Arc<Session>, request: [u8; 32]) -> Result<Ticket, Refusal> {
        let mut meter = self.meter.lock();
        if meter.requests.contains(&request) {
            return Err(Refusal::Replay);
        }
        let after = meter.spent.saturating_add(self.cost);
        if after > self.facts.budget {
            return Err(Refusal::OverMeter);
        }
        meter.spent = after;
        meter.requests.insert(request);
        self.running.fetch_add(1, Ordering::SeqCst);
        Ok(Ticket {
            session: Arc::clone(self),
            request,
            kept: false,
        })
    }
}

/// The right to one answer.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) session: Arc<Session>,
    /// What tells the request from others.
    pub(crate) request: [u8; 32],
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
            let mut meter = self.session.meter.lock();
            meter.spent = meter.spent.saturating_sub(self.session.cost);
            meter.requests.remove(&self.request);
        }
    }
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
    SessionDb(#[from] SessionDbError),
}

/// All sessions that are served or not settled yet.
pub(crate) struct Sessions {
    supplier: Address,
    network: SharedNetwork,
    ledger: Ledger,
    db: SessionDb,
    clock: Clock,
    /// Those with a record and evidence: the driver makes their claims.
    open: Mutex<BTreeMap<Key, Arc<Session>>>,
    /// Those that the chain was asked about, for which nobody has signed yet.
    asked: Mutex<BTreeMap<Key, Arc<Session>>>,
    lookups: LookupLimits,
    keys: Mutex<BTreeMap<String, [u8; 33]>>,
    /// Who owns a service, and when that was asked.
    service_owners: Mutex<BTreeMap<String, (Option<String>, Height)>>,
    /// Records and evidence are opened one by one.
    entering: tokio::sync::Mutex<()>,
    /// Whether the operator's key can pay for the claims of more of them.
    is_poor: AtomicBool,
    /// Another program signs with this operator's key.
    has_twin: AtomicBool,
    /// From which block on the supplier's record offers a service no more.
    retired: Mutex<BTreeMap<String, Height>>,
}

/// Public keys that are remembered.
const MAX_KEYS: usize = 4096;
/// For so many blocks the owner of a service is not asked for again: estimates alone depend on it.
const OWNER_FOR: u64 = 240;
/// Sessions that are remembered without a record.
const MAX_ASKED: usize = 1024;

impl Sessions {
    pub(crate) fn new(
        supplier: Address,
        network: SharedNetwork,
        ledger: Ledger,
        db: SessionDb,
        clock: Clock,
    ) -> Sessions {
        Sessions {
            supplier,
            network,
            ledger,
            db,
            clock,
            open: Mutex::default(),
            asked: Mutex::default(),
            lookups: LookupLimits::default(),
            keys: Mutex::default(),
            service_owners: Mutex::default(),
            entering: tokio::sync::Mutex::default(),
            is_poor: AtomicBool::new(false),
            has_twin: AtomicBool::new(false),
            retired: Mutex::default(),
        }
    }

    /// Says from which block on the supplier's record offers which services no more.
    pub(crate) fn set_retired(&self, retired: BTreeMap<String, Height>) {
        *self.retired.lock() = retired;
    }

    /// Whether the chain discards the claim of a session: it pays what the record offers when it settles.
    pub(crate) fn is_unpaid(&self, facts: &Facts) -> bool {
        let retired = self.retired.lock();
        let from = retired.get(&facts.header.service_id);
        from.is_some_and(|from| facts.windows.settlement >= *from)
    }

    /// Says whether sessions are begun. Those that are open go on: buyers were promised that.
    pub(crate) fn set_twin(&self, has_twin: bool) {
        self.has_twin.store(has_twin, Ordering::SeqCst);
    }

    pub(crate) fn has_twin(&self) -> bool {
        self.has_twin.load(Ordering::SeqCst)
    }

    pub(crate) fn set_poor(&self, is_poor: bool) {
        self.is_poor.store(is_poor, Ordering::SeqCst);
    }

    pub(crate) fn supplier(&self) -> &Address {
        &self.supplier
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Session>> {
        self.open.lock().get(key).cloned()
    }

    /// All open sessions.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.open.lock().values().cloned().collect()
    }

    pub(crate) fn remove(&self, key: &Key) {
        self.open.lock().remove(key);
    }

    /// Takes up a session of the database, with its evidence.
    pub(crate) async fn resume(&self, record: &Record) -> Result<Arc<Session>, LedgerError> {
        let facts = Arc::new(record.facts.clone());
        let tally = self.ledger.open(Arc::clone(&facts), record.sealed_bytes).await?;
        // A session whose claim is made answers nothing more.
        let requests = match record.sealed_bytes {
            None => self.ledger.requests(facts.key()).await?,
            Some(_) => HashSet::new(),
        };
        let session = Arc::new(Session::new(Arc::clone(&facts)));
        session.begin(tally.answers, requests, record.late);
        self.open.lock().insert(facts.key(), Arc::clone(&session));
        Ok(session)
    }

    /// The session in which a request of `header` is to be judged at height `at`, if the chain was asked about it
    /// before. Its header need not be the request's: that is compared field by field afterwards.
    pub(crate) fn known(&self, header: &SessionHeader, at: Height) -> Option<Arc<Session>> {
        // Most requests name their session rightly.
        let key = Key {
            session_id: header.session_id.clone(),
            supplier: self.supplier.as_str().to_owned(),
        };
        [&self.open, &self.asked].into_iter().find_map(|sessions| {
            let sessions = sessions.lock();
            let fits = |session: &&Arc<Session>| {
                let facts = &session.facts;
                facts.is_of(header) && (facts.start()..=facts.end()).contains(&at)
            };
            let named = sessions.get(&key).filter(fits);
            named.or_else(|| sessions.values().find(fits)).cloned()
        })
    }

    /// Whether an application and a service had a session here that ended before `at`.
    fn knows_earlier(&self, header: &SessionHeader, at: Height) -> bool {
        [&self.open, &self.asked].into_iter().any(|sessions| {
            sessions
                .lock()
                .values()
                .any(|session| session.facts.is_of(header) && session.facts.end() < at)
        })
    }

    /// Whether there is a session that may still be asked at `height`.
    pub(crate) fn knows_after(&self, height: Height) -> bool {
        [&self.open, &self.asked].into_iter().any(|sessions| {
            let sessions = sessions.lock();
            sessions
                .values()
                .any(|session| session.facts.windows.last_grace >= height)
        })
    }

    fn remember(&self, session: &Arc<Session>) {
        let mut asked = self.asked.lock();
        if asked.len() >= MAX_ASKED {
            let head = self.network.head().borrow().height;
            asked.retain(|_, session| session.facts.windows.last_grace >= head);
        }
        if asked.len() >= MAX_ASKED {
            // All of them can still be signed for; the first that comes is asked about again.
            asked.pop_first();
        }
        asked.insert(session.facts.key(), Arc::clone(session));
    }
}

fn height(number: i64) -> Height {
    Height(u64::try_from(number).unwrap_or(0))
}

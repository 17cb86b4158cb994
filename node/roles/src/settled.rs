//! What settlements give to this wallet and take from it, whoever served: rewards of suppliers whose operator signs
//! elsewhere, shares, parts of stakes that were lost, and what an application paid for answers.
//!
//! No transaction says so, only events of the block that settles a session. One block of each session settles claims, so
//! that one is looked at, and it is asked for whole only where balances or stakes of this wallet changed in it: those are
//! proven. Events stand on an endpoint's word; where they explain the proven change to the last upokt, that is kept, too.
//! Whose word it is, is kept as well: what a liar told is looked at anew.

mod back;
mod kept;
mod said;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use hearth_base::{Amount, Failure as _, Height, Kind as FailureKind, Tasks};
use hearth_chain::{Chain, Query, QueryError, ReadAt};
use hearth_pocket::{Address, message::Coin, session::Timing};
use hearth_store::{SqlitePool, Store};
use hearth_wallet::{Accounts, Entry, Wallet};
use parking_lot::Mutex;

pub use kept::KnownFrom;

use crate::{
    order::Role,
    returned::{Leaving, Returns, free_height},
};

/// Accounts and operators that are looked at.
const MOST_ACCOUNTS: usize = 16;
/// Settlements that are looked at for one new block.
const AT_A_TIME: usize = 8;
/// Settlements that a new wallet, and one that was away, looks back on.
const FIRST_BACK: u64 = 72;
const MOST_BACK: u64 = 216;

/// What a settlement did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SettledKind {
    /// An account of this wallet was paid.
    Reward,
    /// A part of the stake of a supplier of this wallet was taken.
    Slash,
    /// The stake of an application of this wallet paid for answers.
    Spent,
}

impl SettledKind {
    const ALL: [SettledKind; 3] = [SettledKind::Reward, SettledKind::Slash, SettledKind::Spent];

    /// The word in the database.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            SettledKind::Reward => "reward",
            SettledKind::Slash => "slash",
            SettledKind::Spent => "spent",
        }
    }
}

/// Money that a settlement moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    pub kind: SettledKind,
    pub height: Height,
    /// The claim, as events name it.
    pub about: String,
    /// Who got it, or whose stake it was taken from.
    pub account: String,
    pub session_id: Option<String>,
    pub operator: String,
    pub service: String,
    pub amount: Amount,
    /// Proven balances or stakes before and after the block differ by just what its events say.
    pub is_proven: bool,
    /// The endpoint on whose word it stands; empty where an earlier Hearth did not keep that.
    pub endpoint: String,
}

/// Where in the chain a look goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// At new blocks.
    Ahead,
    /// At old ones once more.
    Back,
}

/// Looks for settled money, and keeps what it finds.
#[derive(Clone)]
pub struct Settlements {
    pool: SqlitePool,
    chain: Chain,
    wallet: Wallet,
    returns: Returns,
    /// Blocks that were looked at anew in this run, since a liar told of them.
    doubted: Arc<Mutex<BTreeSet<Height>>>,
}

/// Why a look ended early.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("no endpoint has the events of this block any more")]
    Gone,
}

impl LookError {
    /// Whether asking once more is of no use.
    fn is_final(&self) -> bool {
        match self {
            LookError::Database(_) => false,
            LookError::Query(error) => error.kind() != FailureKind::Retry,
            LookError::Gone => true,
        }
    }
}

/// An amount before a block and after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Change {
    before: Amount,
    after: Amount,
    is_proven: bool,
}

/// What is this wallet's around a block.
#[derive(Default)]
struct Around {
    balances: BTreeMap<String, Change>,
    /// Those that this wallet owns, by operator.
    suppliers: BTreeMap<String, Change>,
    applications: BTreeMap<String, Change>,
    leaving: Vec<Leaving>,
}

impl Settlements {
    #[must_use]
    pub fn new(store: &Store, chain: Chain, wallet: Wallet, returns: Returns) -> Settlements {
        Settlements {
            pool: store.pool().clone(),
            chain,
            wallet,
            returns,
            doubted: Arc::default(),
        }
    }

    /// Looks at settlements as they are made.
    pub fn start(&self, tasks: &Tasks) {
        let settlements = self.clone();
        tasks.spawn_until_stopped("settled money", async move {
            let mut head = settlements.chain.head();
            loop {
                settlements.look().await;
                if head.changed().await.is_err() {
                    return;
                }
            }
        });
    }

    /// Looks at what can be proven by now, a few settlements at most.
    pub async fn look(&self) {
        if let Err(error) = self.look_at_new().await {
            // The next block asks again.
            tracing::debug!(%error, "settlements cannot be looked at");
        }
    }

    async fn look_at_new(&self) -> Result<(), LookError> {
        let Some(accounts) = self.wallet.accounts() else {
            return Ok(());
        };
        let newest = self.chain.head().borrow().proven_height;
        if newest.0 == 0 {
            return Ok(());
        }
        let mut looked = self.begin(newest).await?;
        self.welcome(&accounts, looked).await?;
        for _ in 0..AT_A_TIME {
            let due = self.due_after(looked).await?;
            let Some(due) = due.filter(|due| *due <= newest) else {
                break;
            };
            self.look_at(due, &accounts, Way::Ahead).await?;
            looked = due;
        }
        self.look_back(&accounts).await?;
        self.doubt(&accounts).await
    }

    /// Looks at what a block settled, and keeps it, or that nobody has it any more.
    async fn look_at(&self, due: Height, accounts: &Accounts, way: Way) -> Result<(), LookError> {
        match self.settle(due, accounts).await {
            Ok(found) => self.keep(due, &found, way).await?,
            Err(error) if error.is_final() => {
                tracing::info!(height = %due, %error, "what a block settled cannot be had");
                self.skip(due, due, way).await?;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The block up to which was looked; a new wallet begins here, and looks back besides. What lies too far back is not
    /// looked for, and said to be missing.
    async fn begin(&self, newest: Height) -> Result<Height, LookError> {
        let Some(looked) = self.looked().await? else {
            self.keep(newest, &[], Way::Ahead).await?;
            return Ok(newest);
        };
        let oldest = self.back(MOST_BACK, newest).await?;
        if looked < oldest {
            self.skip(looked.plus(1), oldest, Way::Ahead).await?;
        }
        Ok(looked.max(oldest))
    }

    /// The block that is so many sessions before another one.
    async fn back(&self, sessions: u64, from: Height) -> Result<Height, LookError> {
        let session = self.timing(from).await?.blocks_per_session;
        Ok(Height(from.0.saturating_sub(sessions.saturating_mul(session))))
    }

    /// The first block after a height that settles a session, also where sessions change around it.
    async fn due_after(&self, looked: Height) -> Result<Option<Height>, QueryError> {
        let now = self.timing(looked.plus(1)).await?;
        let then = self.timing(about(&now, looked)).await?;
        // A change may have made windows shorter: sessions of before it are settled later than those of now.
        let from = about(&now, looked).min(about(&then, looked));
        let then = self.timing(from).await?;
        Ok(next_settlement((&then, &now), from, looked))
    }

    async fn timing(&self, height: Height) -> Result<Timing, QueryError> {
        Ok(Timing::from(self.chain.params_at(height).await?.value()))
    }

    /// What the block of a height settled for this wallet.
    async fn settle(&self, height: Height, accounts: &Accounts) -> Result<Vec<Settled>, LookError> {
        let around = match self.around(height, accounts).await {
            Ok(around) => Some(around),
            Err(error) if error.kind() == FailureKind::Retry => return Err(error.into()),
            // No endpoint has that state any more; some may have the events.
            Err(error) => {
                tracing::debug!(%height, %error, "the state around a settlement is not to be had");
                None
            }
        };
        if let Some(around) = &around {
            self.returns.note(&around.leaving).await?;
            if !around.has_changed() {
                return Ok(Vec::new());
            }
        }
        let block = self.chain.events_of(height).await?;
        let events = block.events.iter().map(|placed| &placed.event);
        let own: BTreeSet<String> = match &around {
            Some(around) => around.suppliers.keys().cloned().collect(),
            None => self.own_suppliers(accounts).await?,
        };
        if !block.complete {
            return Err(LookError::Gone);
        }
        let mut found = said::settled(events, height, accounts, &own);
        for one in &mut found {
            one.endpoint.clone_from(&block.endpoint);
        }
        if let Some(around) = &around {
            around.prove(&mut found);
        }
        Ok(found)
    }

    /// The suppliers that this wallet owns now, by operator.
    async fn own_suppliers(&self, accounts: &Accounts) -> Result<BTreeSet<String>, QueryError> {
        let mut own = BTreeSet::new();
        for entry in looked_at_for(accounts, false).chain(looked_at_for(accounts, true)) {
            let record = self.chain.supplier(&entry.address).await?.into_value();
            if record.is_some_and(|record| accounts.owns(&record.owner_address)) {
                own.insert(entry.address.to_string());
            }
        }
        Ok(own)
    }

    /// The state before and after a block.
    async fn around(&self, height: Height, accounts: &Accounts) -> Result<Around, QueryError> {
        let span = (
            ReadAt::Height(Height(height.0.saturating_sub(1))),
            ReadAt::Height(height),
        );
        let mut around = Around::default();
        for entry in looked_at_for(accounts, false) {
            let one = self.chain.balance_at(&entry.address, span.0).await?;
            let two = self.chain.balance_at(&entry.address, span.1).await?;
            let change = Change {
                before: *one.value(),
                after: *two.value(),
                is_proven: one.is_proven() && two.is_proven(),
            };
            around.balances.insert(entry.address.to_string(), change);
            self.around_application(&mut around, &entry.address, span).await?;
            let gateway = self.chain.query(Query::gateway(&entry.address), span.1).await?;
            if let Some(record) = gateway.into_value() {
                let until = record.unstake_session_end_height;
                let stake = record.stake.as_ref();
                self.leaves(
                    &mut around,
                    (Role::Gateway, &entry.address),
                    until,
                    (stake, entry.address.as_str()),
                )
                .await?;
            }
        }
        let watched = looked_at_for(accounts, true);
        for entry in looked_at_for(accounts, false).chain(watched) {
            self.around_supplier(&mut around, accounts, &entry.address, span)
                .await?;
        }
        Ok(around)
    }

    async fn around_supplier(
        &self,
        around: &mut Around,
        accounts: &Accounts,
        operator: &Address,
        (before, after): (ReadAt, ReadAt),
    ) -> Result<(), QueryError> {
        let one = self.chain.query(Query::supplier(operator), before).await?;
        let two = self.chain.query(Query::supplier(operator), after).await?;
        let is_proven = one.is_proven() && two.is_proven();
        let (one, two) = (one.into_value(), two.into_value());
        let owner = two
            .as_ref()
            .or(one.as_ref())
            .map(|record| record.owner_address.clone());
        if !owner.is_some_and(|owner| accounts.owns(&owner)) {
            return Ok(());
        }
        let change = Change {
            before: stake(one.as_ref().and_then(|record| record.stake.as_ref())),
            after: stake(two.as_ref().and_then(|record| record.stake.as_ref())),
            is_proven,
        };
        around.suppliers.insert(operator.to_string(), change);
        if let Some(record) = two {
            let until = record.unstake_session_end_height;
            let to = (record.stake.as_ref(), record.owner_address.as_str());
            self.leaves(around, (Role::Supplier, operator), until, to).await?;
        }
        Ok(())
    }

    async fn around_application(
        &self,
        around: &mut Around,
        application: &Address,
        (before, after): (ReadAt, ReadAt),
    ) -> Result<(), QueryError> {
        let one = self.chain.query(Query::application(application), before).await?;
        let two = self.chain.query(Query::application(application), after).await?;
        let is_proven = one.is_proven() && two.is_proven();
        let (one, two) = (one.into_value(), two.into_value());
        let change = Change {
            before: stake(one.as_ref().and_then(|record| record.stake.as_ref())),
            after: stake(two.as_ref().and_then(|record| record.stake.as_ref())),
            is_proven,
        };
        around.applications.insert(application.to_string(), change);
        if let Some(record) = two {
            let until = record.unstake_session_end_height;
            let to = (record.stake.as_ref(), application.as_str());
            self.leaves(around, (Role::Application, application), until, to)
                .await?;
        }
        Ok(())
    }

    /// Notes a stake that is on its way back.
    async fn leaves(
        &self,
        around: &mut Around,
        (role, address): (Role, &Address),
        until: u64,
        (coin, to): (Option<&Coin>, &str),
    ) -> Result<(), QueryError> {
        if until == 0 {
            return Ok(());
        }
        let shared = self.chain.params().await?.into_value().shared;
        around.leaving.push(Leaving {
            role,
            address: address.clone(),
            free_height: free_height(until, role.unbonding_sessions(&shared), &shared),
            amount: stake(coin),
            to: to.to_owned(),
        });
        Ok(())
    }
}

impl Around {
    fn has_changed(&self) -> bool {
        let stakes = self.suppliers.values().chain(self.applications.values());
        let mut all = self.balances.values().chain(stakes);
        all.any(|change| change.before != change.after)
    }

    /// Marks what the proven state bears out: all that a block did to an account together is what changed there.
    fn prove(&self, found: &mut [Settled]) {
        let sums = found.iter().fold(BTreeMap::new(), |mut sums, one| {
            let sum: &mut Amount = sums.entry((one.kind, one.account.clone())).or_default();
            *sum = sum.saturating_add(one.amount);
            sums
        });
        for one in found {
            let Some(sum) = sums.get(&(one.kind, one.account.clone())) else {
                continue;
            };
            let (change, is_gain) = match one.kind {
                SettledKind::Reward => (self.balances.get(&one.account), true),
                SettledKind::Slash => (self.suppliers.get(&one.account), false),
                SettledKind::Spent => (self.applications.get(&one.account), false),
            };
            one.is_proven = change.is_some_and(|change| {
                let (less, more) = if is_gain {
                    (change.before, change.after)
                } else {
                    (change.after, change.before)
                };
                change.is_proven && more.checked_sub(less) == Some(*sum)
            });
        }
    }
}

/// The accounts that are looked at: those with a key here, or those that are only watched.
fn looked_at_for(accounts: &Accounts, watched: bool) -> impl Iterator<Item = &Entry> {
    let entries = accounts.all.iter();
    entries
        .filter(move |entry| entry.is_watched() == watched)
        .take(MOST_ACCOUNTS)
}

fn stake(coin: Option<&Coin>) -> Amount {
    coin.and_then(|coin| coin.amount.parse().ok()).unwrap_or_default()
}

/// A block of the sessions that are settled after a height, or of the one before them.
fn about(timing: &Timing, after: Height) -> Height {
    Height(after.0.saturating_sub(timing.blocks_to_settlement()).max(1))
}

/// The first block after a height that settles a session, of those from a block on: by the timing there and by that of
/// now, which counts from its anchor on.
fn next_settlement((then, now): (&Timing, &Timing), from: Height, after: Height) -> Option<Height> {
    if then.blocks_per_session == 0 || now.blocks_per_session == 0 {
        return None;
    }
    let at = |height: Height| if height.0 < now.anchor_height { then } else { now };
    let (mut at_block, mut first) = (from, None::<Height>);
    loop {
        let timing = at(at_block);
        let end = timing.bounds_at(at_block).end;
        // No later session is settled before it has ended.
        if first.is_some_and(|first| first <= end) {
            return first;
        }
        let settlement = timing.windows(end).settlement;
        if settlement > after {
            first = Some(first.map_or(settlement, |first| first.min(settlement)));
        }
        at_block = end.plus(1);
    }
}

#[cfg(test)]
mod tests;

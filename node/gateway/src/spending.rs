//! What was spent: counted in the database before anything is signed, so that neither a restart nor many answers at
//! once can spend it twice.
//!
//! Two counts, with two meanings. *Unsettled* is what suppliers may still claim from an application's stake: whatever
//! reached a supplier counts until its session is settled, refused or not, since a signed request may be claimed by
//! whoever holds it. *Daily* is what answers cost: what nobody was paid for is taken off again.
//!
//! A commit to the disk costs more than all else a relay needs before it is signed. So one booking sets money aside for
//! the next relays of its session too, which then need none. What is set aside ahead counts as spent in the database
//! until it is given back: a node that is killed has spent too little, never too much.

use std::{collections::BTreeMap, sync::Arc};

use hearth_base::{Amount, Clock, Height, SessionId};
use hearth_pocket::Address;
use hearth_store::{SqlitePool, Store};
use tokio::sync::Mutex;

use crate::{error::Error, receipt::Charge};

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Days whose sums are kept.
const KEEP_DAYS: i64 = 400;
/// Blocks for which the count of a settled session is kept: no stake that is used here was read longer ago.
const KEEP_BLOCKS: i64 = 10_000;
/// For how many relays more a booking sets money aside, at most.
const AHEAD_RELAYS: u128 = 15;
/// The share (1 in so many) of what day and stake have left that is set aside ahead, at most.
const AHEAD_SHARE: u128 = 64;

/// One relay that is to be paid for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PendingRelay<'a> {
    pub(crate) application: &'a Address,
    pub(crate) session_id: &'a SessionId,
    /// The block whose end settles the session.
    pub(crate) settled_at: Height,
    pub(crate) price: Amount,
    /// What the application's stake had above the minimum after the block `margin_at`.
    pub(crate) margin: u128,
    pub(crate) margin_at: Height,
}

/// Money that was set aside for one relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reservation {
    application: String,
    session_id: String,
    day: i64,
    upokt: i64,
}

/// Today's spending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most that answers of the network may cost in a day (UTC).
    pub daily_cap: Amount,
    /// What they cost today, answers whose cost is unknown included.
    pub spent_today: Amount,
}

/// What is booked for the next relays of one session, on the terms that it was booked on.
#[derive(Clone, Copy, Debug)]
struct Ahead {
    day: i64,
    settled_at: Height,
    margin: u128,
    margin_at: Height,
    upokt: u128,
}

impl Ahead {
    /// Whether a relay of these terms may use it: a stake that was read again is checked again.
    fn is_for(&self, order: &PendingRelay<'_>, day: i64) -> bool {
        (self.day, self.margin, self.margin_at) == (day, order.margin, order.margin_at)
    }
}

/// By application and session.
type Aheads = BTreeMap<(String, String), Ahead>;

/// The counts in the database, and what of them is set aside ahead.
#[derive(Clone, Debug)]
pub(crate) struct Spending {
    pool: SqlitePool,
    clock: Clock,
    /// The cap of the configuration.
    built_in_cap: Amount,
    /// Held while the counts change, so that the two are read as one.
    ahead: Arc<Mutex<Aheads>>,
}

impl Spending {
    pub(crate) fn new(store: &Store, clock: Clock, built_in_cap: Amount) -> Spending {
        Spending {
            pool: store.pool().clone(),
            clock,
            built_in_cap,
            ahead: Arc::default(),
        }
    }

    /// Sets money aside for a relay, if stake and cap allow it. Whoever has it may sign.
    ///
    /// # Errors
    /// A stake or a day that does not pay one more answer, or a database that does not answer.
    pub(crate) async fn reserve(&self, order: PendingRelay<'_>) -> Result<Reservation, Error> {
        let reserved = Reservation {
            application: order.application.to_string(),
            session_id: order.session_id.to_string(),
            day: self.today(),
            upokt: integer(order.price.upokt()),
        };
        // What costs nothing takes nothing from stake and day.
        if reserved.upokt == 0 {
            return Ok(reserved);
        }
        let mut aheads = self.ahead.lock().await;
        let session = (reserved.application.clone(), reserved.session_id.clone());
        match aheads.get_mut(&session) {
            Some(ahead) if !ahead.is_for(&order, reserved.day) => self.give_back(&mut aheads).await?,
            Some(ahead) if ahead.upokt >= order.price.upokt() => {
                ahead.upokt -= order.price.upokt();
                return Ok(reserved);
            }
            Some(_) | None => {}
        }
        let mut booked = self.book(&reserved, &order).await;
        // Nothing is refused for what is only set aside.
        if let Err(Error::OutOfStake { .. } | Error::DailyCap { .. }) = booked
            && !aheads.is_empty()
        {
            self.give_back(&mut aheads).await?;
            booked = self.book(&reserved, &order).await;
        }
        let booked = booked?;
        let ahead = aheads.entry(session).or_insert(Ahead {
            day: reserved.day,
            settled_at: order.settled_at,
            margin: order.margin,
            margin_at: order.margin_at,
            upokt: 0,
        });
        ahead.upokt += booked;
        Ok(reserved)
    }

    /// Books one relay, and gives what was booked ahead with it.
    async fn book(&self, reserved: &Reservation, order: &PendingRelay<'_>) -> Result<u128, Error> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let unsettled = unsettled(&mut transaction, &reserved.application, order.margin_at).await?;
        let price = natural(reserved.upokt);
        let Some(stake_left) = order.margin.checked_sub(unsettled.saturating_add(price)) else {
            return Err(Error::OutOfStake {
                application: order.application.clone(),
                price: order.price,
            });
        };
        let budget = budget(&mut transaction, reserved.day, self.built_in_cap).await?;
        let spent = budget.spent_today.upokt().saturating_add(price);
        let Some(day_left) = budget.daily_cap.upokt().checked_sub(spent) else {
            return Err(Error::DailyCap {
                cap: budget.daily_cap,
                spent: budget.spent_today,
                price: order.price,
            });
        };
        let ahead = price * AHEAD_RELAYS.min(stake_left.min(day_left) / AHEAD_SHARE / price);
        let upokt = integer(price.saturating_add(ahead));
        sqlx::query(
            "INSERT INTO gateway_unsettled (application, session_id, settled_at, upokt) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET upokt = upokt + excluded.upokt",
        )
        .bind(&reserved.application)
        .bind(&reserved.session_id)
        .bind(block(order.settled_at))
        .bind(upokt)
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "INSERT INTO gateway_daily (day, upokt) VALUES (?, ?)
             ON CONFLICT DO UPDATE SET upokt = upokt + excluded.upokt",
        )
        .bind(reserved.day)
        .bind(upokt)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(ahead)
    }

    /// Gives back what is set aside ahead.
    pub(crate) async fn close(&self) {
        if let Err(error) = self.give_back(&mut *self.ahead.lock().await).await {
            tracing::warn!(%error, "money that was set aside could not be given back: today counts it as spent");
        }
    }

    /// What cannot be taken off the counts stays counted as spent.
    async fn give_back(&self, aheads: &mut Aheads) -> Result<(), sqlx::Error> {
        let aheads = std::mem::take(aheads);
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for ((application, session_id), ahead) in aheads {
            let unused = Reservation {
                application,
                session_id,
                day: ahead.day,
                upokt: integer(ahead.upokt),
            };
            take_off(&mut transaction, &unused, true).await?;
        }
        transaction.commit().await
    }

    /// Takes off again what is known not to have been spent. `reached` says whether the signed request left for the
    /// supplier.
    pub(crate) async fn settle(&self, reserved: &Reservation, charge: Charge, reached: bool) {
        let result = match charge {
            Charge::Paid | Charge::Unknown => return,
            Charge::Unpaid => self.take_off(reserved, !reached).await,
        };
        // What stays counted too long is safe: it is never spent twice.
        if let Err(error) = result {
            tracing::warn!(%error, "money that was not spent could not be taken off the counts");
        }
    }

    async fn take_off(&self, reserved: &Reservation, from_stake: bool) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        take_off(&mut transaction, reserved, from_stake).await?;
        transaction.commit().await
    }

    /// What suppliers may still claim of a stake that was read after the block `since`.
    pub(crate) async fn unsettled(&self, application: &str, since: Height) -> Result<u128, sqlx::Error> {
        let aheads = self.ahead.lock().await;
        let mut connection = self.pool.acquire().await?;
        let counted = unsettled(&mut connection, application, since).await?;
        let ahead = aheads
            .iter()
            .filter(|((of, _), ahead)| of == application && ahead.settled_at > since)
            .map(|(_, ahead)| ahead.upokt);
        Ok(counted.saturating_sub(ahead.sum()))
    }

    /// The cap and what was spent today.
    pub(crate) async fn budget(&self) -> Result<Budget, sqlx::Error> {
        let aheads = self.ahead.lock().await;
        let mut connection = self.pool.acquire().await?;
        let today = self.today();
        let counted = budget(&mut connection, today, self.built_in_cap).await?;
        let ahead = aheads.values().filter(|ahead| ahead.day == today);
        let ahead: u128 = ahead.map(|ahead| ahead.upokt).sum();
        Ok(Budget {
            spent_today: Amount::from_upokt(counted.spent_today.upokt().saturating_sub(ahead)),
            ..counted
        })
    }

    /// Sets the cap.
    pub(crate) async fn set_daily_cap(&self, cap: Amount) -> Result<(), sqlx::Error> {
        // A lower one holds for the next relay already.
        let mut aheads = self.ahead.lock().await;
        self.give_back(&mut aheads).await?;
        sqlx::query(
            "INSERT INTO gateway_daily_cap (id, upokt) VALUES (1, ?)
             ON CONFLICT DO UPDATE SET upokt = excluded.upokt",
        )
        .bind(integer(cap.upokt()))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Drops counts that nothing rests on any more.
    pub(crate) async fn prune(&self, height: Height) -> Result<(), sqlx::Error> {
        self.give_back(&mut *self.ahead.lock().await).await?;
        sqlx::query("DELETE FROM gateway_unsettled WHERE settled_at < ?")
            .bind(block(height).saturating_sub(KEEP_BLOCKS))
            .execute(&self.pool)
            .await?;
        sqlx::query("DELETE FROM gateway_daily WHERE day < ?")
            .bind(self.today() - KEEP_DAYS)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    fn today(&self) -> i64 {
        self.clock.now_ms().div_euclid(DAY_MS)
    }
}

async fn take_off(
    connection: &mut sqlx::SqliteConnection,
    reserved: &Reservation,
    from_stake: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE gateway_daily SET upokt = max(0, upokt - ?) WHERE day = ?")
        .bind(reserved.upokt)
        .bind(reserved.day)
        .execute(&mut *connection)
        .await?;
    if from_stake {
        sqlx::query(
            "UPDATE gateway_unsettled SET upokt = max(0, upokt - ?) WHERE application = ? AND session_id = ?",
        )
        .bind(reserved.upokt)
        .bind(&reserved.application)
        .bind(&reserved.session_id)
        .execute(connection)
        .await?;
    }
    Ok(())
}

async fn unsettled(
    connection: &mut sqlx::SqliteConnection,
    application: &str,
    since: Height,
) -> Result<u128, sqlx::Error> {
    let sum: i64 = sqlx::query_scalar(
        "SELECT coalesce(sum(upokt), 0) FROM gateway_unsettled WHERE application = ? AND settled_at > ?",
    )
    .bind(application)
    .bind(block(since))
    .fetch_one(connection)
    .await?;
    Ok(natural(sum))
}

async fn budget(
    connection: &mut sqlx::SqliteConnection,
    day: i64,
    built_in_cap: Amount,
) -> Result<Budget, sqlx::Error> {
    let cap: Option<i64> = sqlx::query_scalar("SELECT upokt FROM gateway_daily_cap")
        .fetch_optional(&mut *connection)
        .await?;
    let spent: Option<i64> = sqlx::query_scalar("SELECT upokt FROM gateway_daily WHERE day = ?")
        .bind(day)
        .fetch_optional(connection)
        .await?;
    Ok(Budget {
        daily_cap: cap.map_or(built_in_cap, |cap| Amount::from_upokt(natural(cap))),
        spent_today: Amount::from_upokt(spent.map_or(0, natural)),
    })
}

/// A sum as the database keeps it. All POKT there is stays far below the limit; a price beyond it cannot be paid.
fn integer(upokt: u128) -> i64 {
    i64::try_from(upokt).unwrap_or(i64::MAX)
}

fn natural(sum: i64) -> u128 {
    u128::try_from(sum).unwrap_or_default()
}

fn block(height: Height) -> i64 {
    i64::try_from(height.0).unwrap_or(i64::MAX)
}

//! What was spent: counted in the database before anything is signed, so that neither a restart nor many answers at
//! once can spend it twice.
//!
//! Two counts, with two meanings. *Unsettled* is what suppliers may still claim from an application's stake: whatever
//! reached a supplier counts until its session is settled, refused or not, since a signed request may be claimed by
//! whoever holds it. *Daily* is what answers cost: what nobody was paid for is taken off again.

use hearth_base::{Amount, Clock, Height, SessionId};
use hearth_pocket::Address;
use hearth_store::{SqlitePool, Store};

use crate::{error::Error, receipt::Charge};

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Days whose sums are kept.
const KEEP_DAYS: i64 = 400;
/// Blocks for which the count of a settled session is kept: no stake that is used here was read longer ago.
const KEEP_BLOCKS: i64 = 10_000;

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

/// The counts in the database.
#[derive(Clone, Debug)]
pub(crate) struct Spending {
    pool: SqlitePool,
    clock: Clock,
    /// The cap of the configuration.
    built_in_cap: Amount,
}

impl Spending {
    pub(crate) fn new(store: &Store, clock: Clock, built_in_cap: Amount) -> Spending {
        Spending {
            pool: store.pool().clone(),
            clock,
            built_in_cap,
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
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let unsettled: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(upokt), 0) FROM gateway_unsettled WHERE application = ? AND settled_at > ?",
        )
        .bind(&reserved.application)
        .bind(block(order.margin_at))
        .fetch_one(&mut *transaction)
        .await?;
        let price = u128::try_from(reserved.upokt).unwrap_or(u128::MAX);
        // What costs nothing takes nothing from a stake.
        if price > 0 && natural(unsettled).saturating_add(price) > order.margin {
            return Err(Error::OutOfStake {
                application: order.application.clone(),
                price: order.price,
            });
        }
        let budget = budget(&mut transaction, reserved.day, self.built_in_cap).await?;
        if price > 0 && budget.spent_today.upokt().saturating_add(price) > budget.daily_cap.upokt() {
            return Err(Error::DailyCap {
                cap: budget.daily_cap,
                spent: budget.spent_today,
                price: order.price,
            });
        }
        sqlx::query(
            "INSERT INTO gateway_unsettled (application, session_id, settled_at, upokt) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET upokt = upokt + excluded.upokt",
        )
        .bind(&reserved.application)
        .bind(&reserved.session_id)
        .bind(block(order.settled_at))
        .bind(reserved.upokt)
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "INSERT INTO gateway_daily (day, upokt) VALUES (?, ?)
             ON CONFLICT DO UPDATE SET upokt = upokt + excluded.upokt",
        )
        .bind(reserved.day)
        .bind(reserved.upokt)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(reserved)
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
        sqlx::query("UPDATE gateway_daily SET upokt = max(0, upokt - ?) WHERE day = ?")
            .bind(reserved.upokt)
            .bind(reserved.day)
            .execute(&mut *transaction)
            .await?;
        if from_stake {
            sqlx::query(
                "UPDATE gateway_unsettled SET upokt = max(0, upokt - ?) WHERE application = ? AND session_id = ?",
            )
            .bind(reserved.upokt)
            .bind(&reserved.application)
            .bind(&reserved.session_id)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await
    }

    /// What suppliers may still claim of a stake that was read after the block `since`.
    pub(crate) async fn unsettled(&self, application: &str, since: Height) -> Result<u128, sqlx::Error> {
        let sum: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(upokt), 0) FROM gateway_unsettled WHERE application = ? AND settled_at > ?",
        )
        .bind(application)
        .bind(block(since))
        .fetch_one(&self.pool)
        .await?;
        Ok(natural(sum))
    }

    /// The cap and what was spent today.
    pub(crate) async fn budget(&self) -> Result<Budget, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        budget(&mut connection, self.today(), self.built_in_cap).await
    }

    /// Sets the cap.
    pub(crate) async fn set_daily_cap(&self, cap: Amount) -> Result<(), sqlx::Error> {
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

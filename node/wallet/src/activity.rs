//! What this wallet signed, for the history that people see.

use hearth_base::{Amount, Height};
use hearth_pocket::address::Address;
use hearth_store::Store;
use sqlx::FromRow;

use crate::Error;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivityKind {
    Sent,
    Received,
    Stake,
    Unstake,
    Delegate,
    Service,
}

impl ActivityKind {
    const ALL: [ActivityKind; 6] = [
        ActivityKind::Sent,
        ActivityKind::Received,
        ActivityKind::Stake,
        ActivityKind::Unstake,
        ActivityKind::Delegate,
        ActivityKind::Service,
    ];

    /// The word in the database and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ActivityKind::Sent => "sent",
            ActivityKind::Received => "received",
            ActivityKind::Stake => "stake",
            ActivityKind::Unstake => "unstake",
            ActivityKind::Delegate => "delegate",
            ActivityKind::Service => "service",
        }
    }
}

/// One line of the history.
#[derive(Clone, Debug)]
pub struct Activity {
    /// Upper-case hex, as the chain names it.
    pub tx_hash: String,
    /// Milliseconds since the epoch.
    pub at_ms: i64,
    /// `None` until it is in a block.
    pub height: Option<Height>,
    pub kind: ActivityKind,
    /// Own address that it concerns.
    pub account: Address,
    pub counterparty: Option<String>,
    pub amount: Amount,
    pub fee: Amount,
    /// `sent`, `included`, `failed: <why>`, or `unknown: <why>` where nobody can prove any more how it ended.
    pub outcome: String,
    pub note: String,
}

#[derive(FromRow)]
struct Row {
    tx_hash: String,
    at_ms: i64,
    height: Option<i64>,
    kind: String,
    account: String,
    counterparty: Option<String>,
    amount_upokt: String,
    fee_upokt: String,
    outcome: String,
    note: String,
}

/// A transaction whose end was not seen yet.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Pending {
    /// Upper-case hex, as the chain names it.
    pub tx_hash: String,
    /// No block after this moment of the chain's time can hold it; `None` where it has no such moment.
    pub until_ms: Option<i64>,
    /// Its signed bytes; `None` where it was noted before they were kept.
    pub raw: Option<Vec<u8>>,
}

/// What [`record`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is noted, and may be sent.
    Now,
    /// The same payment is on its way already: this one is sent again, and no other.
    OnItsWay(Pending),
}

/// Notes an activity before it is sent; a second note of the same transaction changes nothing. It counts as
/// [`pending`] until [`settle`] says how it ended; `until_ms` is the last moment at which a block can take it, `raw` its
/// signed bytes. While the same account is paying the same amount to the same address with the same note, nothing is
/// noted: who tries again means that payment.
///
/// # Errors
/// A database that cannot be written.
pub async fn record(
    store: &Store,
    activity: &Activity,
    until_ms: Option<i64>,
    raw: Option<&[u8]>,
) -> Result<Recorded, Error> {
    let mut transaction = store.pool().begin_with("BEGIN IMMEDIATE").await?;
    let same: Option<Pending> = sqlx::query_as(
        "SELECT tx_hash, until_ms, raw FROM wallet_pending JOIN wallet_activity USING (tx_hash)
         WHERE outcome = 'sent' AND kind = ? AND account = ? AND counterparty IS ? AND amount_upokt = ? AND note = ? AND tx_hash <> ?
         ORDER BY at_ms LIMIT 1",
    )
    .bind(activity.kind.as_str())
    .bind(activity.account.as_str())
    .bind(&activity.counterparty)
    .bind(activity.amount.upokt().to_string())
    .bind(&activity.note)
    .bind(&activity.tx_hash)
    .fetch_optional(&mut *transaction)
    .await?;
    if let Some(same) = same.filter(|_| activity.counterparty.is_some()) {
        return Ok(Recorded::OnItsWay(same));
    }
    let noted = sqlx::query(
        "INSERT INTO wallet_activity
         (tx_hash, at_ms, height, kind, account, counterparty, amount_upokt, fee_upokt, outcome, note)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tx_hash) DO NOTHING",
    )
    .bind(&activity.tx_hash)
    .bind(activity.at_ms)
    .bind(
        activity
            .height
            .map(|height| i64::try_from(height.0).unwrap_or(i64::MAX)),
    )
    .bind(activity.kind.as_str())
    .bind(activity.account.as_str())
    .bind(&activity.counterparty)
    .bind(activity.amount.upokt().to_string())
    .bind(activity.fee.upokt().to_string())
    .bind(&activity.outcome)
    .bind(&activity.note)
    .execute(&mut *transaction)
    .await?;
    if noted.rows_affected() > 0 {
        sqlx::query("INSERT INTO wallet_pending (tx_hash, until_ms, raw) VALUES (?, ?, ?)")
            .bind(&activity.tx_hash)
            .bind(until_ms)
            .bind(raw)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(Recorded::Now)
}

/// Notes the block of a payment that is told as paid. It stays pending until that is proven, but the next payment of the
/// same amount is another one.
///
/// # Errors
/// A database that cannot be written.
pub async fn placed(store: &Store, tx_hash: &str, height: Height) -> Result<(), Error> {
    sqlx::query("UPDATE wallet_activity SET height = ?, outcome = 'included' WHERE tx_hash = ?")
        .bind(i64::try_from(height.0).unwrap_or(i64::MAX))
        .bind(tx_hash)
        .execute(store.pool())
        .await?;
    Ok(())
}

/// The transactions whose end was not seen yet.
///
/// # Errors
/// A database that cannot be read.
pub async fn pending(store: &Store) -> Result<Vec<Pending>, Error> {
    let found = sqlx::query_as("SELECT tx_hash, until_ms, raw FROM wallet_pending ORDER BY tx_hash");
    Ok(found.fetch_all(store.pool()).await?)
}

/// Notes how a sent transaction ended.
///
/// # Errors
/// A database that cannot be written.
pub async fn settle(
    store: &Store,
    tx_hash: &str,
    height: Option<Height>,
    outcome: &str,
) -> Result<(), Error> {
    let mut transaction = store.pool().begin().await?;
    sqlx::query("UPDATE wallet_activity SET height = ?, outcome = ? WHERE tx_hash = ?")
        .bind(height.map(|height| i64::try_from(height.0).unwrap_or(i64::MAX)))
        .bind(outcome)
        .bind(tx_hash)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("DELETE FROM wallet_pending WHERE tx_hash = ?")
        .bind(tx_hash)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// The newest activities, newest first. A line that cannot be read hides no other; it is left as it is, and told.
///
/// # Errors
/// A database that cannot be read.
pub async fn recent(store: &Store, limit: u32) -> Result<Vec<Activity>, Error> {
    let rows: Vec<Row> = sqlx::query_as("SELECT * FROM wallet_activity ORDER BY at_ms DESC, tx_hash LIMIT ?")
        .bind(limit)
        .fetch_all(store.pool())
        .await?;
    let read = |row: Row| Activity::try_from(row).map_err(|why| store.problems().report(why));
    Ok(rows.into_iter().flat_map(read).collect())
}

impl TryFrom<Row> for Activity {
    type Error = String;

    fn try_from(row: Row) -> Result<Activity, String> {
        let broken = |what: &str| {
            format!(
                "{what} in row {} of wallet_activity in hearth.db cannot be read: it is left as it is; restore a backup to \
                 get it back",
                row.tx_hash
            )
        };
        Ok(Activity {
            kind: ActivityKind::ALL
                .into_iter()
                .find(|kind| kind.as_str() == row.kind)
                .ok_or_else(|| broken("the kind"))?,
            account: row.account.parse().map_err(|_| broken("the address"))?,
            amount: row.amount_upokt.parse().map_err(|_| broken("the amount"))?,
            fee: row.fee_upokt.parse().map_err(|_| broken("the fee"))?,
            height: row
                .height
                .and_then(|height| u64::try_from(height).ok())
                .map(Height),
            tx_hash: row.tx_hash,
            at_ms: row.at_ms,
            counterparty: row.counterparty,
            outcome: row.outcome,
            note: row.note,
        })
    }
}

//! What is kept: items, the transactions that do them, and which belongs to which.

use hearth_base::{Amount, Height};
use hearth_pocket::{address::Address, message::cosmos::TxBody, tx::SignedTx};
use hearth_store::{
    Store,
    stored::{self, Unreadable},
};
use prost::Message as _;
use sqlx::{FromRow, Sqlite, Transaction};

use crate::{
    intent::{Intent, Reason},
    item::{Item, Outcome, Part, State},
    network::Draft,
    open_tx::{OpenTx, height_of},
};

/// Why the outbox cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    #[error("the transactions of this node cannot be read or written")]
    Sql(#[from] sqlx::Error),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("a value cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// The tables of the outbox.
#[derive(Clone)]
pub(crate) struct Db {
    pub(crate) store: Store,
}

/// What is needed to keep a transaction.
pub(crate) struct Kept<'a> {
    pub(crate) account: &'a Address,
    pub(crate) draft: &'a Draft,
    pub(crate) until_ns: Option<i64>,
    pub(crate) last_height: Option<Height>,
    pub(crate) first_height: Option<Height>,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    at_ms: i64,
    account: String,
    reason: String,
    about: Option<String>,
    counterparty: Option<String>,
    amount_upokt: String,
    memo: String,
    messages: Option<Vec<u8>>,
    max_fee_upokt: String,
    last_height: Option<i64>,
    after_item: Option<i64>,
    is_patient: bool,
    is_alone: bool,
    state: String,
    updated_ms: i64,
    tx_hash: Option<String>,
    tx_fee_upokt: Option<String>,
    tx_items: Option<i64>,
}

/// The columns of an item, with one of its transactions: that of its block, else the newest. `$messages` is the column
/// with the messages.
macro_rules! item {
    ($messages:literal, $rest:literal) => {
        concat!(
            "SELECT item.id, at_ms, item.account, reason, about, counterparty, amount_upokt, memo, ",
            $messages,
            " AS messages, max_fee_upokt, item.last_height, after_item, is_patient, is_alone, state, updated_ms, \
             tx.hash AS tx_hash, tx.fee_upokt AS tx_fee_upokt, \
             (SELECT count(*) FROM outbox_part WHERE tx = tx.id) AS tx_items \
             FROM outbox_item AS item LEFT JOIN outbox_tx AS tx ON tx.id = coalesce(\
             (SELECT id FROM outbox_tx WHERE hash = CASE WHEN json_valid(state) THEN json_extract(state, '$.tx') END), \
             (SELECT max(tx) FROM outbox_part WHERE item = item.id)) ",
            $rest
        )
    };
    ($rest:literal) => {
        item!("messages", $rest)
    };
}

/// Messages that are listed: a proof of a megabyte is nothing to look at.
macro_rules! listed {
    ($rest:literal) => {
        item!("CASE WHEN length(messages) <= 65536 THEN messages END", $rest)
    };
}

pub(crate) type Tx<'a> = Transaction<'a, Sqlite>;

impl Db {
    pub(crate) async fn begin(&self) -> Result<Tx<'static>, DbError> {
        Ok(self.store.pool().begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Keeps intents, all or none, each of which comes after the one before it. One that is on its way already is that
    /// one. Says their items, and whether they are new.
    pub(crate) async fn put_all(&self, intents: &[Intent], now_ms: i64) -> Result<Vec<(i64, bool)>, DbError> {
        let mut tx = self.begin().await?;
        let mut put: Vec<(i64, bool)> = Vec::with_capacity(intents.len());
        for intent in intents {
            let after = put.last().map(|(id, _)| *id).or(intent.after);
            put.push(put_one(&mut tx, intent, after, now_ms).await?);
        }
        tx.commit().await?;
        Ok(put)
    }

    /// One item.
    pub(crate) async fn item(&self, id: i64) -> Result<Option<Item>, DbError> {
        let row: Option<Row> = sqlx::query_as(item!("WHERE item.id = ?"))
            .bind(id)
            .fetch_optional(self.store.pool())
            .await?;
        row.map(Row::item).transpose().map_err(DbError::from)
    }

    /// The items of rows. What cannot be read is told, and is in nobody's way.
    fn items(&self, rows: Vec<Row>) -> Vec<Item> {
        let read = |row: Row| {
            row.item()
                .map_err(|why| self.store.problems().report(why.to_string()))
        };
        rows.into_iter().flat_map(read).collect()
    }

    /// The newest items, the newest first.
    pub(crate) async fn newest(&self, limit: u32, offset: u32) -> Result<(Vec<Item>, u64), DbError> {
        let rows = sqlx::query_as(listed!("ORDER BY at_ms DESC, item.id DESC LIMIT ? OFFSET ?"))
            .bind(limit)
            .bind(offset)
            .fetch_all(self.store.pool())
            .await?;
        let total: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox_item")
            .fetch_one(self.store.pool())
            .await?;
        Ok((self.items(rows), total.cast_unsigned()))
    }

    /// The newest items of a reason.
    pub(crate) async fn newest_of(&self, reason: Reason, limit: u32) -> Result<Vec<Item>, DbError> {
        let rows = sqlx::query_as(listed!(
            "WHERE reason = ? ORDER BY at_ms DESC, item.id DESC LIMIT ?"
        ))
        .bind(reason.word())
        .bind(limit)
        .fetch_all(self.store.pool())
        .await?;
        Ok(self.items(rows))
    }

    /// What people asked for, the newest first. Of payments the messages are left away: what they say is said beside
    /// them.
    pub(crate) async fn asked_for(&self) -> Result<Vec<Item>, DbError> {
        let rows = sqlx::query_as(item!(
            "CASE WHEN reason <> 'payment' AND length(messages) <= 65536 THEN messages END",
            "WHERE reason NOT IN ('claim', 'proof') ORDER BY at_ms DESC, item.id DESC"
        ))
        .fetch_all(self.store.pool())
        .await?;
        Ok(self.items(rows))
    }

    /// The newest item of an account that is about something.
    pub(crate) async fn about(
        &self,
        account: &Address,
        reason: Reason,
        about: &str,
    ) -> Result<Option<Item>, DbError> {
        let row: Option<Row> = sqlx::query_as(item!(
            "WHERE item.account = ? AND reason = ? AND about = ? ORDER BY item.id DESC LIMIT 1"
        ))
        .bind(account.as_str())
        .bind(reason.word())
        .bind(about)
        .fetch_optional(self.store.pool())
        .await?;
        row.map(Row::item).transpose().map_err(DbError::from)
    }

    /// Of claims and proofs about any of these sessions those that a block holds.
    pub(crate) async fn placed_about(&self, sessions: &[String]) -> Result<Vec<Item>, DbError> {
        let rows: Vec<Row> = sqlx::query_as(item!(
            "WHERE reason IN ('claim', 'proof') AND stage IN ('placed', 'ended') \
             AND about IN (SELECT value FROM json_each(?)) ORDER BY item.id"
        ))
        .bind(serde_json::to_string(sessions)?)
        .fetch_all(self.store.pool())
        .await?;
        let items = rows
            .into_iter()
            .map(Row::item)
            .collect::<Result<Vec<Item>, _>>()?;
        Ok(items.into_iter().filter(|item| item.placed().is_some()).collect())
    }

    /// The newest transaction for a reason that a block holds: a fee that was only asked for says nothing.
    pub(crate) async fn newest_tx(&self, reason: Reason) -> Result<Option<Part>, DbError> {
        let row: Option<(Option<String>, String, i64)> = sqlx::query_as(
            "SELECT hash, fee_upokt, (SELECT count(*) FROM outbox_part WHERE tx = outbox_tx.id) \
             FROM outbox_item AS item JOIN outbox_part ON outbox_part.item = item.id \
             JOIN outbox_tx ON outbox_tx.id = outbox_part.tx \
             WHERE reason = ? AND stage = 'ended' AND json_extract(state, '$.outcome') = 'included' \
             AND hash = json_extract(state, '$.tx') ORDER BY item.id DESC LIMIT 1",
        )
        .bind(reason.word())
        .fetch_optional(self.store.pool())
        .await?;
        Ok(row.and_then(|(hash, fee, n_items)| {
            Some(Part {
                hash,
                fee: fee.parse().ok()?,
                n_items: u32::try_from(n_items).ok()?,
            })
        }))
    }

    /// What of roles has not ended, or has since a moment, the oldest first.
    pub(crate) async fn done_since(&self, since_ms: i64) -> Result<Vec<Item>, DbError> {
        let rows = sqlx::query_as(item!(
            "WHERE reason IN ('role', 'setup', 'elsewhere') AND (stage <> 'ended' OR updated_ms >= ?) ORDER BY item.id"
        ))
        .bind(since_ms)
        .fetch_all(self.store.pool())
        .await?;
        Ok(self.items(rows))
    }

    /// What waits for a transaction, the oldest first.
    pub(crate) async fn waiting(&self) -> Result<Vec<Item>, DbError> {
        let rows = sqlx::query_as(item!("WHERE stage = 'waiting' ORDER BY item.id"))
            .fetch_all(self.store.pool())
            .await?;
        Ok(self.items(rows))
    }

    /// The items of a transaction; `None` where not all of them can be read: it is left alone then.
    pub(crate) async fn items_of(&self, tx: i64) -> Result<Option<Vec<Item>>, DbError> {
        let rows: Vec<Row> = sqlx::query_as(item!(
            "WHERE item.id IN (SELECT item FROM outbox_part WHERE tx = ?) ORDER BY item.id"
        ))
        .bind(tx)
        .fetch_all(self.store.pool())
        .await?;
        let n_rows = rows.len();
        let items = self.items(rows);
        Ok((!items.is_empty() && items.len() == n_rows).then_some(items))
    }

    /// The transactions whose end is not certain.
    pub(crate) async fn open_txs(&self) -> Result<Vec<OpenTx>, DbError> {
        let rows = sqlx::query_as(
            "SELECT id, account_number, unsigned, raw, hash, fee_upokt, until_ns, last_height, first_height, \
             (SELECT min(item) FROM outbox_part WHERE tx = outbox_tx.id) AS first_item \
             FROM outbox_tx WHERE is_over = 0 ORDER BY id",
        );
        Ok(rows.fetch_all(self.store.pool()).await?)
    }

    /// Keeps the bytes that are going to be signed for these items, unless one of them has ended meanwhile. Says their
    /// transaction.
    pub(crate) async fn keep(
        &self,
        items: &[i64],
        kept: Kept<'_>,
        now_ms: i64,
    ) -> Result<Option<i64>, DbError> {
        let mut tx = self.begin().await?;
        for item in items {
            let stage: Option<String> = sqlx::query_scalar("SELECT stage FROM outbox_item WHERE id = ?")
                .bind(item)
                .fetch_optional(&mut *tx)
                .await?;
            if !matches!(stage.as_deref(), Some("waiting" | "signed")) {
                return Ok(None);
            }
            // Of two with one moment of validity the chain takes one; of any others it could take both.
            let others: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM outbox_tx WHERE is_over = 0 AND until_ns IS NOT ? \
                 AND id IN (SELECT tx FROM outbox_part WHERE item = ?)",
            )
            .bind(kept.until_ns)
            .bind(item)
            .fetch_one(&mut *tx)
            .await?;
            // The same bytes once more would be no other transaction.
            let same: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM outbox_tx WHERE unsigned = ? AND account_number = ? \
                 AND id IN (SELECT tx FROM outbox_part WHERE item = ?)",
            )
            .bind(&kept.draft.unsigned)
            .bind(kept.draft.account_number.cast_signed())
            .bind(item)
            .fetch_one(&mut *tx)
            .await?;
            if others > 0 || same > 0 {
                return Ok(None);
            }
        }
        let id = sqlx::query(
            "INSERT INTO outbox_tx (account, account_number, unsigned, fee_upokt, until_ns, last_height, first_height, \
             kept_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(kept.account.as_str())
        .bind(kept.draft.account_number.cast_signed())
        .bind(&kept.draft.unsigned)
        .bind(kept.draft.fee.upokt().to_string())
        .bind(kept.until_ns)
        .bind(kept.last_height.map(height))
        .bind(kept.first_height.map(height))
        .bind(now_ms)
        .execute(&mut *tx)
        .await?
        .last_insert_rowid();
        for item in items {
            sqlx::query("INSERT INTO outbox_part (tx, item) VALUES (?, ?)")
                .bind(id)
                .bind(item)
                .execute(&mut *tx)
                .await?;
            write_state(&mut tx, *item, &State::Signed { trouble: None }, now_ms).await?;
        }
        tx.commit().await?;
        Ok(Some(id))
    }

    /// Keeps the signature. When this returns, the bytes may be sent.
    pub(crate) async fn signed(&self, id: i64, signed: &SignedTx) -> Result<(), DbError> {
        sqlx::query("UPDATE outbox_tx SET raw = ?, hash = ? WHERE id = ?")
            .bind(signed.raw())
            .bind(signed.hash_text())
            .bind(id)
            .execute(self.store.pool())
            .await?;
        Ok(())
    }

    /// Notes what stands in the way of items.
    pub(crate) async fn note(&self, items: &[i64], state: &State, now_ms: i64) -> Result<(), DbError> {
        let mut tx = self.begin().await?;
        for item in items {
            write_state(&mut tx, *item, state, now_ms).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Notes that items of a transaction that failed as a whole are tried alone.
    pub(crate) async fn part(&self, items: &[i64]) -> Result<(), DbError> {
        let mut tx = self.begin().await?;
        for item in items {
            sqlx::query("UPDATE outbox_item SET is_alone = 1 WHERE id = ?")
                .bind(item)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Notes that a transaction cannot be included any more, or was, together with what that means for its items.
    pub(crate) async fn over(&self, tx_id: i64, states: &[(i64, State)], now_ms: i64) -> Result<(), DbError> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE outbox_tx SET is_over = 1 WHERE id = ?")
            .bind(tx_id)
            .execute(&mut *tx)
            .await?;
        for (item, state) in states {
            write_state(&mut tx, *item, state, now_ms).await?;
            let is_included = matches!(
                state,
                State::Ended {
                    outcome: Outcome::Included { .. }
                }
            );
            if is_included {
                // Of those with one moment of validity the chain takes one.
                sqlx::query(
                    "UPDATE outbox_tx SET is_over = 1 WHERE id IN (SELECT tx FROM outbox_part WHERE item = ?)",
                )
                .bind(item)
                .execute(&mut *tx)
                .await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// How many items that people asked for are in a block that is not proven yet.
    pub(crate) async fn n_placed(&self) -> Result<u64, DbError> {
        let n: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM outbox_item WHERE stage = 'placed' AND reason NOT IN ('claim', 'proof')",
        )
        .fetch_one(self.store.pool())
        .await?;
        Ok(n.cast_unsigned())
    }
}

pub(crate) async fn put_one(
    tx: &mut Tx<'_>,
    intent: &Intent,
    after: Option<i64>,
    now_ms: i64,
) -> Result<(i64, bool), DbError> {
    // What fails in its block is tried again where it is patient, and then is on its way once more.
    let open: Option<i64> = sqlx::query_scalar(
        "SELECT id FROM outbox_item WHERE account = ? AND reason = ? AND about = ? \
         AND (stage IN ('waiting', 'signed') OR (stage = 'placed' AND is_patient = 1))",
    )
    .bind(intent.account.as_str())
    .bind(intent.reason.word())
    .bind(&intent.about)
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(open) = open {
        return Ok((open, false));
    }
    let body = TxBody {
        messages: intent.messages.clone(),
        ..TxBody::default()
    };
    let state = State::WAITING;
    let put = sqlx::query(
        "INSERT INTO outbox_item (at_ms, account, reason, about, counterparty, amount_upokt, memo, messages, \
         max_fee_upokt, last_height, after_item, is_patient, stage, state, updated_ms) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(now_ms)
    .bind(intent.account.as_str())
    .bind(intent.reason.word())
    .bind(&intent.about)
    .bind(&intent.counterparty)
    .bind(intent.amount.upokt().to_string())
    .bind(&intent.memo)
    .bind(body.encode_to_vec())
    .bind(intent.max_fee.upokt().to_string())
    .bind(intent.last_height.map(height))
    .bind(after)
    .bind(intent.is_patient)
    .bind(state.stage())
    .bind(stored::write(&state)?)
    .bind(now_ms)
    .execute(&mut **tx)
    .await?;
    Ok((put.last_insert_rowid(), true))
}

/// Whether a transaction of an item may still be included.
async fn has_open_tx(tx: &mut Tx<'_>, item: i64) -> Result<bool, DbError> {
    let n: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM outbox_tx WHERE is_over = 0 AND id IN (SELECT tx FROM outbox_part WHERE item = ?)",
    )
    .bind(item)
    .fetch_one(&mut **tx)
    .await?;
    Ok(n > 0)
}

/// The state that an item really has: while a transaction of it may still be included nothing has ended and nothing
/// else is signed, whatever is known of the others.
async fn real_state(tx: &mut Tx<'_>, item: i64, state: &State) -> Result<State, DbError> {
    let trouble = match state {
        State::Waiting { trouble } => trouble.clone(),
        State::Ended {
            outcome: Outcome::Included { .. },
        }
        | State::Signed { .. }
        | State::Placed { .. } => return Ok(state.clone()),
        State::Ended { outcome } => Some(outcome.to_string()),
    };
    if has_open_tx(tx, item).await? {
        return Ok(State::Signed { trouble });
    }
    Ok(state.clone())
}

pub(crate) async fn write_state(
    tx: &mut Tx<'_>,
    item: i64,
    state: &State,
    now_ms: i64,
) -> Result<(), DbError> {
    let state = &real_state(tx, item, state).await?;
    if matches!(state, State::Waiting { .. } | State::Signed { .. }) {
        // One that comes back from a block may find the same one wanted once more; both go their way.
        sqlx::query(
            "UPDATE outbox_item SET about = NULL WHERE id = ? AND stage = 'placed' AND EXISTS (SELECT 1 FROM \
             outbox_item AS other WHERE other.id <> outbox_item.id AND other.account = outbox_item.account \
             AND other.reason = outbox_item.reason AND other.about = outbox_item.about \
             AND other.stage IN ('waiting', 'signed'))",
        )
        .bind(item)
        .execute(&mut **tx)
        .await?;
    }
    sqlx::query(
        "UPDATE outbox_item SET stage = ?, state = ?, updated_ms = ? WHERE id = ? AND stage <> 'ended'",
    )
    .bind(state.stage())
    .bind(stored::write(state)?)
    .bind(now_ms)
    .bind(item)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn height(height: Height) -> i64 {
    i64::try_from(height.0).unwrap_or(i64::MAX)
}

impl Row {
    fn item(self) -> Result<Item, Unreadable> {
        let place = format!("row {} of outbox_item in hearth.db", self.id);
        let damaged = |why: &str| Unreadable::Damaged {
            what: "a transaction of this node",
            place: place.clone(),
            why: why.to_owned(),
        };
        let amount = |text: &str, what: &str| text.parse::<Amount>().map_err(|_| damaged(what));
        let body = self.messages.as_deref().map(TxBody::decode).transpose();
        let tx = match self.tx_fee_upokt {
            None => None,
            Some(fee) => Some(Part {
                hash: self.tx_hash,
                fee: amount(&fee, "its transaction's fee is no amount")?,
                n_items: self.tx_items.and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
            }),
        };
        Ok(Item {
            id: self.id,
            at_ms: self.at_ms,
            account: self
                .account
                .parse()
                .map_err(|_| damaged("its account is no address"))?,
            reason: Reason::of(&self.reason).ok_or_else(|| damaged("its reason is unknown"))?,
            about: self.about,
            counterparty: self.counterparty,
            amount: amount(&self.amount_upokt, "its amount is none")?,
            memo: self.memo,
            messages: body
                .map_err(|_| damaged("its messages cannot be read"))?
                .map(|body| body.messages)
                .unwrap_or_default(),
            max_fee: amount(&self.max_fee_upokt, "its highest fee is no amount")?,
            last_height: self.last_height.map(height_of),
            after: self.after_item,
            is_patient: self.is_patient,
            is_alone: self.is_alone,
            state: stored::read(&self.state, &place)?,
            updated_ms: self.updated_ms,
            tx,
        })
    }
}

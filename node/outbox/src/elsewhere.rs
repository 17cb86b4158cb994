//! Transactions that were signed somewhere else and are sent from here: kept as they are, sent, chased and ended like all
//! others. None is ever signed in their place.

use hearth_base::Height;
use hearth_chain::{Validity, valid_until};
use hearth_pocket::tx::{SignedTx, decode};

use crate::{
    db::{Db, DbError},
    intent::{Intent, Reason},
    item::{Item, State},
    open_tx::OpenTx,
    outbox::{Inner, Outbox, Put},
};

/// How long one that has no end of its own is sent again.
const SENT_FOR_MS: i64 = 24 * 3600 * 1000;

/// A transaction with its signature.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    pub tx: &'a SignedTx,
    /// No block before this one can hold it, where that is known.
    pub first_height: Option<Height>,
}

impl Outbox {
    /// Puts a transaction in that was signed elsewhere: what it does is the intent, of [`Reason::Elsewhere`]. The same one
    /// again is that one while it is on its way.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn put_signed(&self, intent: &Intent, signed: Signed<'_>) -> Result<Put, DbError> {
        let now_ms = self.0.clock.now_ms();
        let put = self.0.db.put_signed(intent, signed, now_ms).await?;
        self.0.changed();
        self.wake();
        Ok(put)
    }
}

impl Inner {
    /// The height by which an ordered transaction can be in no later block: that of a state in which its sequence is used.
    pub(crate) async fn passed(&self, tx: &OpenTx, items: &[Item]) -> Option<Height> {
        let [item] = items else { return None };
        let sequence = (item.reason == Reason::Elsewhere).then(|| tx.signed())??;
        let sequence = sequence_of(&sequence)?;
        let (next, height) = self.network.next_sequence(&item.account).await.ok()?;
        (next > sequence).then_some(height)
    }

    /// Whether it has no end of its own, and was sent long enough.
    pub(crate) fn is_sent_enough(&self, tx: &OpenTx, items: &[Item]) -> bool {
        let [item] = items else { return false };
        let is_endless = tx.until_ns.is_none() && tx.last_height().is_none();
        let age = self.clock.now_ms().saturating_sub(item.at_ms);
        item.reason == Reason::Elsewhere && is_endless && age > SENT_FOR_MS
    }
}

/// The sequence of a transaction that has one; those that are valid in any order have none.
#[must_use]
pub fn sequence_of(tx: &SignedTx) -> Option<u64> {
    let decoded = decode(tx.raw()).ok()?;
    let signer = decoded.auth_info.signer_infos.first()?;
    (!decoded.body.unordered).then_some(signer.sequence)
}

impl Db {
    async fn put_signed(&self, intent: &Intent, signed: Signed<'_>, now_ms: i64) -> Result<Put, DbError> {
        let hash = signed.tx.hash_text();
        let mut db = self.begin().await?;
        let open: Option<i64> = sqlx::query_scalar(
            "SELECT item.id FROM outbox_tx AS tx JOIN outbox_part ON outbox_part.tx = tx.id \
             JOIN outbox_item AS item ON item.id = outbox_part.item WHERE tx.hash = ? AND item.stage <> 'ended'",
        )
        .bind(&hash)
        .fetch_optional(&mut *db)
        .await?;
        if let Some(open) = open {
            return Ok(Put::OnItsWay(open));
        }
        // One that has ended, and is wanted once more, is chased once more.
        for statement in [
            "DELETE FROM outbox_part WHERE tx IN (SELECT id FROM outbox_tx WHERE hash = ?)",
            "DELETE FROM outbox_tx WHERE hash = ?",
        ] {
            sqlx::query(statement).bind(&hash).execute(&mut *db).await?;
        }
        let (item, _) = crate::db::put_one(&mut db, intent, None, now_ms).await?;
        let until = valid_until(signed.tx).and_then(|until| i64::try_from(until.unix_timestamp_nanos()).ok());
        let height = |height: Height| i64::try_from(height.0).unwrap_or(i64::MAX);
        let tx = sqlx::query(
            "INSERT INTO outbox_tx (account, raw, hash, fee_upokt, until_ns, last_height, first_height, kept_ms) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(intent.account.as_str())
        .bind(signed.tx.raw())
        .bind(&hash)
        .bind(intent.max_fee.upokt().to_string())
        .bind(until)
        .bind(Validity::of(signed.tx).last.map(height))
        .bind(signed.first_height.map(height))
        .bind(now_ms)
        .execute(&mut *db)
        .await?
        .last_insert_rowid();
        sqlx::query("INSERT INTO outbox_part (tx, item) VALUES (?, ?)")
            .bind(tx)
            .bind(item)
            .execute(&mut *db)
            .await?;
        crate::db::write_state(&mut db, item, &State::Signed { trouble: None }, now_ms).await?;
        db.commit().await?;
        Ok(Put::New(item))
    }
}

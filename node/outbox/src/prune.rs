//! What has ended is kept for a while, and not for ever: bytes first, then claims and proofs, at last all that is very old.

use crate::db::{Db, DbError};

const DAY_MS: i64 = 24 * 3600 * 1000;
/// How long the bytes of what has ended are kept.
const BYTES_FOR_MS: i64 = 7 * DAY_MS;
/// How long claims and proofs are kept; their sessions say for ever how they ended.
const CLAIMS_FOR_MS: i64 = 90 * DAY_MS;
/// Items that are kept at most.
const MOST_ITEMS: i64 = 50_000;
/// Items that one look forgets at most.
const AT_A_TIME: i64 = 1_000;

impl Db {
    /// Forgets what is old.
    pub(crate) async fn prune(&self, now_ms: i64) -> Result<(), DbError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE outbox_tx SET raw = NULL, unsigned = NULL WHERE is_over = 1 AND kept_ms < ? \
             AND (raw IS NOT NULL OR unsigned IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM outbox_part \
             JOIN outbox_item AS item ON item.id = outbox_part.item \
             WHERE outbox_part.tx = outbox_tx.id AND item.stage <> 'ended')",
        )
        .bind(now_ms.saturating_sub(BYTES_FOR_MS))
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "UPDATE outbox_item SET messages = NULL WHERE stage = 'ended' AND reason IN ('claim', 'proof') \
             AND messages IS NOT NULL AND updated_ms < ?",
        )
        .bind(now_ms.saturating_sub(BYTES_FOR_MS))
        .execute(&mut *tx)
        .await?;
        // What something waits for, or is on its way with, stays.
        let old: Vec<i64> = sqlx::query_scalar(
            "SELECT id FROM outbox_item AS old WHERE stage = 'ended' \
             AND ((reason IN ('claim', 'proof') AND updated_ms < ?) OR id <= (SELECT id FROM outbox_item \
             ORDER BY id DESC LIMIT 1 OFFSET ?)) \
             AND NOT EXISTS (SELECT 1 FROM outbox_item AS next WHERE next.after_item = old.id AND next.stage <> 'ended') \
             AND NOT EXISTS (SELECT 1 FROM outbox_part AS part JOIN outbox_part AS other ON other.tx = part.tx \
             JOIN outbox_item AS with_it ON with_it.id = other.item \
             WHERE part.item = old.id AND with_it.stage <> 'ended') \
             AND NOT EXISTS (SELECT 1 FROM outbox_part AS part JOIN outbox_tx ON outbox_tx.id = part.tx \
             WHERE part.item = old.id AND outbox_tx.is_over = 0) ORDER BY id LIMIT ?",
        )
        .bind(now_ms.saturating_sub(CLAIMS_FOR_MS))
        .bind(MOST_ITEMS)
        .bind(AT_A_TIME)
        .fetch_all(&mut *tx)
        .await?;
        for id in old {
            for statement in [
                "UPDATE outbox_item SET after_item = NULL WHERE after_item = ?",
                "DELETE FROM outbox_part WHERE item = ?",
                "DELETE FROM outbox_item WHERE id = ?",
            ] {
                sqlx::query(statement).bind(id).execute(&mut *tx).await?;
            }
        }
        sqlx::query(
            "DELETE FROM outbox_tx WHERE is_over = 1 AND NOT EXISTS \
             (SELECT 1 FROM outbox_part WHERE outbox_part.tx = outbox_tx.id)",
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }
}

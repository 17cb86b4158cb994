//! What earlier programs kept of the miner's transactions is completed from their bytes.

use hearth_base::Amount;
use hearth_chain::valid_until;
use hearth_pocket::{
    message::cosmos::TxBody,
    tx::{SignedTx, decode},
};
use prost::Message as _;

use crate::db::{Db, DbError};

impl Db {
    /// Fills in moment, fee and messages of claims and proofs that were signed before the outbox had them.
    pub(crate) async fn complete_older(&self) -> Result<(), DbError> {
        let rows: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(
            "SELECT tx.id, item.id, tx.raw FROM outbox_tx AS tx JOIN outbox_part ON outbox_part.tx = tx.id \
             JOIN outbox_item AS item ON item.id = outbox_part.item \
             WHERE tx.is_over = 0 AND tx.raw IS NOT NULL AND item.messages IS NULL AND item.is_patient = 1",
        )
        .fetch_all(self.store.pool())
        .await?;
        for (tx_id, item, raw) in rows {
            let signed = SignedTx::new(raw);
            let Ok(decoded) = decode(signed.raw()) else {
                let place = format!("row {tx_id} of outbox_tx in hearth.db is no transaction");
                self.store.problems().report(place);
                continue;
            };
            let until =
                valid_until(&signed).and_then(|until| i64::try_from(until.unix_timestamp_nanos()).ok());
            let coins = decoded.auth_info.fee.map(|fee| fee.amount).unwrap_or_default();
            let fee: Amount = coins
                .iter()
                .filter_map(|coin| coin.amount.parse::<Amount>().ok())
                .sum();
            let body = TxBody {
                messages: decoded.body.messages,
                ..TxBody::default()
            };
            let mut tx = self.begin().await?;
            sqlx::query("UPDATE outbox_tx SET until_ns = ?, fee_upokt = ? WHERE id = ?")
                .bind(until)
                .bind(fee.upokt().to_string())
                .bind(tx_id)
                .execute(&mut *tx)
                .await?;
            sqlx::query("UPDATE outbox_item SET messages = ? WHERE id = ?")
                .bind(body.encode_to_vec())
                .bind(item)
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

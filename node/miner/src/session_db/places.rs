//! Which transactions of which blocks had the claims and proofs of sessions, where the end came before the outbox knew.

use std::collections::BTreeMap;

use hearth_outbox::{Outbox, Reason};

use super::{Record, SessionDb, SessionDbError};
use crate::claim::Inclusion;

impl SessionDb {
    /// Fills in what the outbox knows by now, and keeps it: the outbox forgets claims and proofs at last.
    pub(crate) async fn complete(
        &self,
        outbox: &Outbox,
        records: &mut [Record],
    ) -> Result<(), SessionDbError> {
        let lacking = records.iter().filter(|record| record.state.lacks_places());
        let lacking = lacking.map(|record| record.facts.header.session_id.clone());
        let lacking: Vec<String> = lacking.collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let items = match outbox.placed_about(&lacking).await {
            Ok(items) => items,
            Err(error) => {
                tracing::debug!(%error, "which blocks have claims and proofs is not known at present");
                return Ok(());
            }
        };
        let places: BTreeMap<(String, String, bool), Inclusion> = items
            .iter()
            .filter_map(|item| {
                let (tx, height) = item.placed()?;
                let inclusion = Inclusion {
                    tx: tx.to_owned(),
                    height,
                };
                let key = (
                    item.about.clone()?,
                    item.account.to_string(),
                    item.reason == Reason::Proof,
                );
                Some((key, inclusion))
            })
            .collect();
        for record in records.iter_mut().filter(|record| record.state.lacks_places()) {
            let place = |is_proof| {
                let facts = &record.facts;
                let key = (facts.header.session_id.clone(), facts.supplier.clone(), is_proof);
                places.get(&key).cloned()
            };
            let state = record.state.clone().with_places(place(false), place(true));
            if state != record.state {
                record.state = state;
                self.save(
                    &record.facts,
                    &record.state,
                    Some(record.answers),
                    record.updated_ms,
                )
                .await?;
            }
        }
        Ok(())
    }
}

//! Taking claims up: at the start, and again for evidence that could not be read then.

use std::sync::{Arc, atomic::Ordering};

use super::{Driver, MAX_LOST};
use crate::{
    claim::{ClaimState, Outcome, Stage},
    ledger::LedgerError,
    session_db::{Record, SessionDbError},
};

impl Driver {
    /// Takes up what the database and the disk have, and what is not taken up already.
    pub(crate) async fn resume(&mut self) -> Result<(), SessionDbError> {
        let mut unreadable = self.scan().await?;
        for record in self.db.open_records().await? {
            let name = record.facts.key().to_string();
            unreadable.retain(|(file, _)| *file != name);
            let is_ours = record.facts.supplier == self.sessions.supplier().as_str();
            if is_ours && !self.states.contains_key(&record.facts.key()) {
                self.take_up(record).await?;
            }
        }
        let recent = self
            .db
            .records_of(self.sessions.supplier().as_str(), MAX_LOST)
            .await?;
        for record in recent.iter().rev() {
            self.remember_lost(&Arc::new(record.facts.clone()), &record.state);
        }
        for (_, why) in unreadable {
            self.ledger.problems().report(why);
        }
        Ok(())
    }

    /// Enters evidence without a record: the database is older than the disk. Its own head says what it is. Returns the
    /// files whose head cannot be read.
    async fn scan(&mut self) -> Result<Vec<(String, String)>, SessionDbError> {
        let found = match self.ledger.found() {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "the folder of the evidence cannot be read; trying again at the next block");
                self.memory.scan_again = true;
                return Ok(Vec::new());
            }
        };
        self.memory.scan_again = !found.whole;
        let supplier = self.sessions.supplier();
        for facts in found
            .facts
            .iter()
            .filter(|facts| facts.supplier == supplier.as_str())
        {
            self.db.enter(facts, self.clock.now_ms()).await?;
        }
        Ok(found.unreadable)
    }

    /// Tries again what could not be read before.
    pub(super) async fn reopen(&mut self) -> Result<(), SessionDbError> {
        if self.memory.scan_again {
            self.resume().await?;
        }
        for mut record in std::mem::take(&mut self.memory.unopened) {
            let key = record.facts.key();
            let Some(state) = self.states.get(&key) else {
                continue;
            };
            if self.sessions.get(&key).is_some() {
                self.memory.bare.remove(&key);
                continue;
            }
            record.state = state.clone();
            if let Err(error) = self.take_up(record.clone()).await {
                tracing::error!(session = %key.session_id, %error, "the end of a claim could not be kept");
                self.memory.unopened.push(record);
            }
        }
        Ok(())
    }

    async fn take_up(&mut self, record: Record) -> Result<(), SessionDbError> {
        let key = record.facts.key();
        let resumed = match self.sessions.resume(&record).await {
            Ok(session) => self.same_tree(&record).await.map(|()| session),
            Err(error) => Err(error),
        };
        let error = match resumed {
            Ok(session) => {
                let answers = session.answers.load(Ordering::SeqCst);
                tracing::info!(session = %key.session_id, answers, state = record.state.name(), "a session goes on");
                self.memory.bare.remove(&key);
                self.states.insert(key, record.state);
                return Ok(());
            }
            Err(error) => error,
        };
        let is_damaged = matches!(error, LedgerError::Damaged { .. });
        let is_lasting = is_damaged || matches!(error, LedgerError::Newer { .. });
        tracing::error!(session = %key.session_id, %error, "evidence cannot be taken up");
        if is_lasting {
            self.ledger.problems().report(&error);
        }
        if is_damaged && let Some(lost) = lost(&record.state, &error) {
            self.memory.bare.remove(&key);
            self.memory.has_new_losses = true;
            self.states.remove(&key);
            return self
                .db
                .save(&record.facts, &lost, Some(record.answers), self.clock.now_ms())
                .await;
        }
        // What is on the chain, or on its way there, goes on without the tree.
        self.memory
            .bare
            .insert(key.clone(), (Arc::new(record.facts.clone()), error));
        self.states.insert(key, record.state.clone());
        if !is_lasting {
            self.memory.unopened.push(record);
        }
        Ok(())
    }

    /// Whether the evidence still gives the tree that was claimed: a proof out of another one would cost the stake.
    async fn same_tree(&self, record: &Record) -> Result<(), LedgerError> {
        let (Some(seal), Some(_)) = (record.state.seal(), record.sealed_bytes) else {
            return Ok(());
        };
        let key = record.facts.key();
        if self.ledger.seal(key.clone()).await?.root == seal.root {
            return Ok(());
        }
        self.sessions.remove(&key);
        let path = self.ledger.path(&key);
        self.ledger.close(key).await?;
        Err(LedgerError::Damaged {
            path,
            why: "its tree is not the one that was claimed: check the disk".to_owned(),
        })
    }
}

/// What becomes of a claim whose evidence is damaged. `None`: the tree may be needed no more.
fn lost(state: &ClaimState, error: &LedgerError) -> Option<ClaimState> {
    let why = error.to_string();
    match state {
        // Nobody claims what could not be proven.
        ClaimState::Open(stage @ (Stage::Accumulating | Stage::Sealed { .. })) => {
            Some(stage.clone().end(Outcome::ClaimMissed { why }))
        }
        ClaimState::Open(
            Stage::ClaimSent { .. }
            | Stage::ClaimIncluded { .. }
            | Stage::ProofDue { .. }
            | Stage::ProofNotRequired { .. }
            | Stage::ProofSent { .. }
            | Stage::ProofIncluded { .. },
        )
        | ClaimState::Ended(_) => None,
    }
}

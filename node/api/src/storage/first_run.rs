//! How far the first run is, as it is kept.

use hearth_store::{
    Problems, SqlitePool, Store,
    stored::{self, Stored},
};
use serde::{Deserialize, Serialize};

use crate::{
    control::types::{FirstRole, FirstRunPatch, FirstStep, FirstStepId, FirstStepState},
    error::ApiError,
};

/// The row of `api_setting` that holds it.
const KEY: &str = "first_run";

/// The first run in the database.
#[derive(Clone)]
pub(crate) struct FirstRunStore {
    pool: SqlitePool,
    problems: Problems,
}

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StoredFirstRun {
    /// Steps that are no longer open.
    pub(crate) steps: Vec<FirstStep>,
    pub(crate) role: Option<FirstRole>,
    pub(crate) ended: bool,
}

impl Stored for StoredFirstRun {
    const WHAT: &'static str = "how far the first run is";
    const VERSION: u64 = 1;
}

impl StoredFirstRun {
    pub(crate) fn state_of(&self, id: FirstStepId) -> FirstStepState {
        let step = self.steps.iter().find(|step| step.id == id);
        step.map_or(FirstStepState::Open, |step| step.state)
    }

    fn with(mut self, patch: FirstRunPatch) -> StoredFirstRun {
        if patch.ended == Some(false) {
            self = StoredFirstRun::default();
        }
        if let Some(new) = patch.step {
            self.steps.retain(|step| step.id != new.id);
            if new.state != FirstStepState::Open {
                self.steps.push(new);
            }
        }
        self.role = patch.role.or(self.role);
        self.ended = patch.ended.unwrap_or(self.ended);
        self
    }
}

impl FirstRunStore {
    pub(crate) fn new(store: &Store) -> FirstRunStore {
        FirstRunStore {
            pool: store.pool().clone(),
            problems: store.problems().clone(),
        }
    }

    /// How far it is. What cannot be read is told, and counts as not begun.
    pub(crate) async fn get(&self) -> Result<StoredFirstRun, ApiError> {
        let text: Option<String> = sqlx::query_scalar("SELECT value FROM api_setting WHERE key = ?")
            .bind(KEY)
            .fetch_optional(&self.pool)
            .await?;
        let Some(text) = text else {
            return Ok(StoredFirstRun::default());
        };
        let read = stored::read(text, format!("row {KEY} of api_setting in hearth.db"));
        Ok(read
            .inspect_err(|error| self.problems.report(error))
            .unwrap_or_default())
    }

    pub(crate) async fn change(&self, patch: FirstRunPatch) -> Result<(), ApiError> {
        let new = self.get().await?.with(patch);
        let json = stored::write(&new).map_err(|error| ApiError::internal(&error))?;
        sqlx::query(
            "INSERT INTO api_setting (key, value) VALUES (?, ?) \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )
        .bind(KEY)
        .bind(json)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_noted_once_and_begun_anew() {
        let step = |id, state| FirstRunPatch {
            step: Some(FirstStep { id, state }),
            ..FirstRunPatch::default()
        };
        let kept = StoredFirstRun::default()
            .with(step(FirstStepId::Computer, FirstStepState::Done))
            .with(step(FirstStepId::Wallet, FirstStepState::Skipped))
            .with(step(FirstStepId::Wallet, FirstStepState::Done))
            .with(FirstRunPatch {
                role: Some(FirstRole::Earn),
                ..FirstRunPatch::default()
            });
        assert_eq!(kept.steps.len(), 2);
        assert_eq!(kept.state_of(FirstStepId::Wallet), FirstStepState::Done);
        assert_eq!(kept.state_of(FirstStepId::Role), FirstStepState::Open);
        assert_eq!(kept.role, Some(FirstRole::Earn));
        let open = kept.clone().with(step(FirstStepId::Wallet, FirstStepState::Open));
        assert_eq!(open.steps.len(), 1);
        let again = kept.with(FirstRunPatch {
            ended: Some(false),
            ..FirstRunPatch::default()
        });
        assert_eq!(again, StoredFirstRun::default());
    }
}

//! Settings that the page may change.

use serde::{Deserialize, Serialize};
use sqlx::SqlitePool;

use crate::{
    control::types::{Announce, SettingsPatch, Theme},
    error::ApiError,
};

/// The row of `api_setting` that holds them.
const KEY: &str = "settings";

/// The settings in the database.
#[derive(Clone)]
pub(crate) struct SettingsStore {
    pool: SqlitePool,
}

/// What is kept. A field that an older version did not write has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Kept {
    pub(crate) theme: Theme,
    pub(crate) language: Option<String>,
    pub(crate) announce: Announce,
    pub(crate) default_model: Option<String>,
    pub(crate) system_prompt: Option<String>,
}

impl SettingsStore {
    pub(crate) fn new(pool: SqlitePool) -> SettingsStore {
        SettingsStore { pool }
    }

    pub(crate) async fn get(&self) -> Result<Kept, ApiError> {
        let text: Option<String> = sqlx::query_scalar("SELECT value FROM api_setting WHERE key = ?")
            .bind(KEY)
            .fetch_optional(&self.pool)
            .await?;
        Ok(text
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default())
    }

    pub(crate) async fn change(&self, patch: SettingsPatch) -> Result<(), ApiError> {
        let old = self.get().await?;
        let text = |new: Option<String>, old: Option<String>| {
            new.map_or(old, |text| Some(text).filter(|text| !text.is_empty()))
        };
        let new = Kept {
            theme: patch.theme.unwrap_or(old.theme),
            language: text(patch.language, old.language),
            announce: patch.announce.unwrap_or(old.announce),
            default_model: text(patch.default_model, old.default_model),
            system_prompt: text(patch.system_prompt, old.system_prompt),
        };
        let json = serde_json::to_string(&new).map_err(|error| ApiError::internal(&error))?;
        sqlx::query("INSERT INTO api_setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
            .bind(KEY)
            .bind(json)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

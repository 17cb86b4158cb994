//! Settings that the page may change.

use hearth_store::{
    Problems, SqlitePool, Store,
    stored::{self, Stored, Unreadable},
};
use serde::{Deserialize, Serialize};

use crate::{
    control::types::{Announce, SettingsPatch, Theme},
    error::ApiError,
};

/// The row of `api_setting` that holds them.
const KEY: &str = "settings";
/// The row that keeps what could not be read when it was to be written over.
const UNREADABLE: &str = "settings.unreadable";

/// The settings in the database.
#[derive(Clone)]
pub(crate) struct SettingsStore {
    pool: SqlitePool,
    problems: Problems,
}

/// What is kept. A field that an older version did not write has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StoredSettings {
    pub(crate) theme: Theme,
    pub(crate) language: Option<String>,
    pub(crate) announce: Announce,
    pub(crate) default_model: Option<String>,
    pub(crate) system_prompt: Option<String>,
    pub(crate) allowed_origins: Vec<String>,
}

impl Stored for StoredSettings {
    const WHAT: &'static str = "the settings of the page";
    const VERSION: u64 = 1;
}

impl SettingsStore {
    pub(crate) fn new(store: &Store) -> SettingsStore {
        SettingsStore {
            pool: store.pool().clone(),
            problems: store.problems().clone(),
        }
    }

    /// The settings. Those that cannot be read are told, and the defaults count until they are changed.
    pub(crate) async fn get(&self) -> Result<StoredSettings, ApiError> {
        let text = self.text().await?;
        Ok(self.read(text.as_deref()).unwrap_or_default())
    }

    async fn text(&self) -> Result<Option<String>, ApiError> {
        let text = sqlx::query_scalar("SELECT value FROM api_setting WHERE key = ?");
        Ok(text.bind(KEY).fetch_optional(&self.pool).await?)
    }

    fn read(&self, text: Option<&str>) -> Result<StoredSettings, Unreadable> {
        let place = format!("row {KEY} of api_setting in hearth.db");
        text.map_or_else(|| Ok(StoredSettings::default()), |text| stored::read(text, place))
            .inspect_err(|error| self.problems.report(error))
    }

    pub(crate) async fn change(&self, patch: SettingsPatch) -> Result<(), ApiError> {
        let written = self.text().await?;
        let old = match self.read(written.as_deref()) {
            Ok(old) => old,
            Err(_) => {
                self.put(UNREADABLE, written.as_deref().unwrap_or_default())
                    .await?;
                StoredSettings::default()
            }
        };
        let text = |new: Option<String>, old: Option<String>| {
            new.map_or(old, |text| Some(text).filter(|text| !text.is_empty()))
        };
        let new = StoredSettings {
            theme: patch.theme.unwrap_or(old.theme),
            language: text(patch.language, old.language),
            announce: patch.announce.unwrap_or(old.announce),
            default_model: text(patch.default_model, old.default_model),
            system_prompt: text(patch.system_prompt, old.system_prompt),
            allowed_origins: patch.allowed_origins.unwrap_or(old.allowed_origins),
        };
        let json = stored::write(&new).map_err(|error| ApiError::internal(&error))?;
        self.put(KEY, &json).await
    }

    async fn put(&self, key: &str, value: &str) -> Result<(), ApiError> {
        sqlx::query(
            "INSERT INTO api_setting (key, value) VALUES (?, ?) \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )
        .bind(key)
        .bind(value)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn settings_that_cannot_be_read_are_told_and_kept_when_they_are_changed() {
        let folder = tempfile::tempdir().unwrap();
        let config = hearth_store::Config {
            path: folder.path().join("hearth.db"),
            chain_id: "test".into(),
            max_pages: None,
        };
        let store = Store::open(config).await.unwrap();
        let settings = SettingsStore::new(&store);
        // A field that this version does not know, and one that an older version did not write.
        settings
            .put(KEY, r#"{"theme":"dark","hat":"red"}"#)
            .await
            .unwrap();
        assert_eq!(settings.get().await.unwrap().theme, Theme::Dark);
        assert!(store.problems().all().is_empty());

        let broken = r#"{"theme":"plaid","system_prompt":"Be brief."}"#;
        settings.put(KEY, broken).await.unwrap();
        assert_eq!(settings.get().await.unwrap(), StoredSettings::default());
        let problems = store.problems().all();
        assert!(
            problems[0].contains("row settings of api_setting"),
            "{problems:?}"
        );
        let patch = SettingsPatch {
            language: Some("de".to_owned()),
            ..SettingsPatch::default()
        };
        settings.change(patch).await.unwrap();
        assert_eq!(settings.get().await.unwrap().language.as_deref(), Some("de"));
        let kept: String = sqlx::query_scalar("SELECT value FROM api_setting WHERE key = ?")
            .bind(UNREADABLE)
            .fetch_one(store.pool())
            .await
            .unwrap();
        assert_eq!(kept, broken);
    }
}

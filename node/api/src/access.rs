//! Login and API keys of a node that does not run, for the command line on the host itself.

use hearth_base::Clock;
use hearth_store::Store;

use crate::{
    auth::{Keys, Login, SignIns},
    control::types::{ApiKey, ApiKeyList, ApiKeyPatch, CreatedApiKey, KeyLimits, UsageReport},
    error::ApiError,
    storage::Usage,
};

/// Who may call a node, read and written in its database.
pub struct Access {
    login: Login,
    keys: Keys,
    sign_ins: SignIns,
    usage: Usage,
}

impl Access {
    /// The access of the node whose database this is.
    #[must_use]
    pub fn of(store: &Store, clock: &Clock) -> Access {
        let pool = store.pool();
        Access {
            login: Login::new(pool.clone(), clock.clone()),
            keys: Keys::new(pool.clone(), clock.clone()),
            sign_ins: SignIns::new(pool.clone(), clock.clone()),
            usage: Usage::new(pool.clone(), clock.clone()),
        }
    }

    /// Whether a password is set.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn has_password(&self) -> Result<bool, ApiError> {
        self.login.is_set().await
    }

    /// Sets the password that other computers sign in with, and ends all sign-ins.
    ///
    /// # Errors
    /// A weak password, a database that cannot be written.
    pub async fn set_password(&self, password: String) -> Result<(), ApiError> {
        self.login.set(password).await?;
        self.sign_ins.renew(None).await.map(drop)
    }

    /// Forgets the password, and ends all sign-ins.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn reset(&self) -> Result<(), ApiError> {
        self.login.reset().await?;
        self.sign_ins.renew(None).await.map(drop)
    }

    /// The API keys.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn keys(&self) -> Result<ApiKeyList, ApiError> {
        Ok(ApiKeyList {
            keys: self.keys.list().await?,
        })
    }

    /// Makes a key. Its secret is given once.
    ///
    /// # Errors
    /// A name or limits that are none, a database that cannot be written.
    pub async fn create_key(&self, name: &str, limits: KeyLimits) -> Result<CreatedApiKey, ApiError> {
        let (key, secret) = self.keys.create(name, limits).await?;
        Ok(CreatedApiKey { key, secret })
    }

    /// Changes a key; its secret stays.
    ///
    /// # Errors
    /// No such key, a name or limits that are none, a database that cannot be written.
    pub async fn change_key(&self, id: &str, patch: ApiKeyPatch) -> Result<ApiKey, ApiError> {
        self.keys.change(id, patch).await
    }

    /// Revokes a key; one that is revoked already is forgotten.
    ///
    /// # Errors
    /// No such key, a database that cannot be written.
    pub async fn revoke_key(&self, id: &str) -> Result<(), ApiError> {
        self.keys.revoke(id).await
    }

    /// The usage of the last days.
    ///
    /// # Errors
    /// A database that cannot be read.
    pub async fn usage(&self, days: u32) -> Result<UsageReport, ApiError> {
        self.usage.report(days, None).await
    }
}

//! Signing in, the login for the network, and API keys.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Timestamp;

/// What is swapped for the cookie: the token of the data directory, or the password of the login.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignIn {
    pub token: Option<String>,
    pub password: Option<String>,
}

/// Sets the password that other computers sign in with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetLogin {
    /// At least 10 characters.
    pub password: String,
}

/// Whether a login is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoginState {
    pub set: bool,
}

/// A key of the OpenAI API. The key itself is shown once, when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    pub id: String,
    pub name: String,
    /// Its first characters, to tell keys apart.
    pub prefix: String,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

/// All API keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyList {
    pub keys: Vec<ApiKey>,
}

/// Asks for a new API key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewApiKey {
    pub name: String,
}

/// A new API key with its secret, which is not kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedApiKey {
    pub key: ApiKey,
    pub secret: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::types::{
        CheckWords, CreateWallet, CreatedWallet, ImportWallet, RecoveryWords, SendOrder, UnlockWallet,
    };

    #[test]
    fn what_holds_a_secret_cannot_be_logged_by_accident() {
        assert!(hearth_base::has_debug!(ApiKey));
        let secrets = [
            hearth_base::has_debug!(SignIn),
            hearth_base::has_debug!(SetLogin),
            hearth_base::has_debug!(CreatedApiKey),
            hearth_base::has_debug!(CreateWallet),
            hearth_base::has_debug!(CreatedWallet),
            hearth_base::has_debug!(ImportWallet),
            hearth_base::has_debug!(UnlockWallet),
            hearth_base::has_debug!(RecoveryWords),
            hearth_base::has_debug!(CheckWords),
            hearth_base::has_debug!(SendOrder),
        ];
        assert_eq!(secrets, [false; 10]);
    }
}
